//! Group A on client assertions: headers, encodings and keys that must not count.

use sealstone_http::{HttpConfig, RateLimit};
use sealstone_jose::{MacAlgorithm, base64url};
use sealstone_testkit::{KeyKind, TestKey};
use serde_json::{Value, json};

use crate::assertions::{Assertions, By, ISSUER, es256, es256_with, under, under_octets, unique};
use crate::support::{World, mac_secret};

fn unlimited(config: HttpConfig) -> HttpConfig {
    config.with_rate_limit(RateLimit::insecure_off())
}

fn unsigned(header: &Value, claims: &Value) -> String {
    format!(
        "{}.{}.",
        base64url::encode(header.to_string()),
        base64url::encode(claims.to_string())
    )
}

#[tokio::test]
async fn a01_a02_unsigned_assertions() {
    let world = World::with(unlimited).await;
    let assertions = Assertions::new(&world).await;
    for by in By::BOTH {
        assertions.is_accepted(by, |_| ()).await;
        let more = format!("&client_id={}", by.client());
        for alg in ["none", "None", "NONE", "nOnE", "none "] {
            let text = unsigned(&json!({"alg": alg, "typ": "JWT"}), &assertions.good(by.client()));
            assertions.text_is_refused(&text, &more, "algorithm").await;
        }
        for header in [
            json!({}),
            json!({"typ": "JWT"}),
            json!({"alg": ["ES256"]}),
            json!({"alg": null}),
        ] {
            let text = unsigned(&header, &assertions.good(by.client()));
            assertions.text_is_refused(&text, &more, "unreadable").await;
        }
        for alg in ["ES256", "HS256"] {
            let text = unsigned(&json!({"alg": alg, "kid": "k1"}), &assertions.good(by.client()));
            let reason = match (by, alg) {
                (By::Key, "ES256") | (By::Secret, "HS256") => "signature",
                _ => "algorithm",
            };
            assertions.text_is_refused(&text, &more, reason).await;
        }
    }
}

/// A05, A06: a public key is no secret, however it is written, for no client.
#[tokio::test]
async fn a05_a06_public_key_as_the_secret_of_an_assertion() {
    let world = World::with(unlimited).await;
    let assertions = Assertions::new(&world).await;
    let rsa = TestKey::generate(KeyKind::Rsa2048);
    let mut jwk = rsa.public_jwk();
    jwk["kid"] = json!("k1");
    let by_rsa = json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [jwk.clone()]}});
    assertions.register("rsa", by_rsa.clone()).await;
    assertions.is_accepted(By::Key, |_| ()).await;
    for (client, key) in [("rsa", &rsa), ("signer", &assertions.key)] {
        let der = key.spki_der();
        let base64 = base64_simd::STANDARD.encode_to_string(&der);
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{base64}\n-----END PUBLIC KEY-----");
        let secrets = [
            der,
            format!("{pem}\n").into_bytes(),
            pem.into_bytes(),
            key.public_jwk().to_string().into_bytes(),
            json!({"keys": [key.public_jwk()]}).to_string().into_bytes(),
        ];
        for secret in secrets.iter().filter(|secret| secret.len() <= 512) {
            for algorithm in MacAlgorithm::ALL {
                let text = under_octets(secret, algorithm, &assertions.good(client));
                assertions.text_is_refused(&text, "", "algorithm").await;
                // Nor for the client that has a secret, though it is another.
                let text = under_octets(secret, algorithm, &assertions.good("maced"));
                assertions.text_is_refused(&text, "", "signature").await;
            }
        }
    }
    // A signature by a key of its own is nothing to a client with a secret.
    let signed = es256(&assertions.key, "k1", &assertions.good("maced"));
    assertions.text_is_refused(&signed, "", "algorithm").await;
}

/// A07, A08: an algorithm that the client did not register, though its key or secret could do it.
#[tokio::test]
async fn a07_a08_another_algorithm_than_registered() {
    let world = World::with(unlimited).await;
    let assertions = Assertions::new(&world).await;
    let secret = |client: &str, algorithm: MacAlgorithm| {
        under(&mac_secret(client), algorithm, &assertions.good(client))
    };
    for algorithm in MacAlgorithm::ALL {
        assertions.send(&secret("maced", algorithm), "").await.is_token();
    }
    let only = json!({"token_endpoint_auth_method": "client_secret_jwt", "token_endpoint_auth_signing_alg": "HS384"});
    assertions.register("only", only).await;
    assertions
        .send(&secret("only", MacAlgorithm::Hs384), "")
        .await
        .is_token();
    for other in [MacAlgorithm::Hs256, MacAlgorithm::Hs512] {
        assertions
            .text_is_refused(&secret("only", other), "", "algorithm")
            .await;
    }
    let mut ec = assertions.key.public_jwk();
    ec["kid"] = json!("k1");
    let mut other = TestKey::generate(KeyKind::P384).public_jwk();
    other["kid"] = json!("k2");
    let both =
        json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [ec.clone(), other]}});
    assertions.register("two-keys", both).await;
    assertions
        .send(&es256(&assertions.key, "k1", &assertions.good("two-keys")), "")
        .await
        .is_token();
    let misnamed = es256(&assertions.key, "k2", &assertions.good("two-keys"));
    assertions.text_is_refused(&misnamed, "", "algorithm").await;
}

/// A18 to A21: keys, and places of keys, in the header; A26 to A29: what it says is critical.
#[tokio::test]
async fn a18_a29_headers_that_bring_their_own_rules() {
    let world = World::with(unlimited).await;
    let assertions = Assertions::new(&world).await;
    let attacker = TestKey::generate(KeyKind::P256);
    assertions.is_accepted(By::Key, |_| ()).await;
    for (name, value) in [
        ("jwk", attacker.public_jwk()),
        ("jku", json!("https://evil.example/jwks")),
        ("x5u", json!("https://evil.example/cert")),
        ("x5c", json!(["AAAA"])),
        ("crit", json!(["x"])),
        ("crit", json!([])),
        ("b64", json!(false)),
        ("zip", json!("DEF")),
        ("cty", json!("JWT")),
    ] {
        for key in [&attacker, &assertions.key] {
            let mut header = json!({"alg": "ES256", "typ": "JWT"});
            header[name] = value.clone();
            let text = es256_with(key, &header.to_string(), &assertions.good("signer").to_string());
            assertions.text_is_refused(&text, "", "unreadable").await;
        }
    }
    for kid in ["../../../../dev/null", "x' UNION SELECT 'a", "$(id)", "k2", ""] {
        let header = json!({"alg": "ES256", "kid": kid}).to_string();
        let text = es256_with(&assertions.key, &header, &assertions.good("signer").to_string());
        let reason = if kid.is_empty() {
            "unreadable"
        } else {
            "unknown_key"
        };
        assertions.text_is_refused(&text, "", reason).await;
    }
}

/// A25: without `kid` each key that fits is tried, four at most.
#[tokio::test]
async fn a25_assertion_without_kid() {
    let world = World::with(unlimited).await;
    let assertions = Assertions::new(&world).await;
    let bare = |client: &str| {
        let header = r#"{"alg":"ES256","typ":"JWT"}"#;
        es256_with(&assertions.key, header, &assertions.good(client).to_string())
    };
    assertions.send(&bare("signer"), "").await.is_token();
    for (client, others, is_taken) in [("four", 3, true), ("five", 4, false)] {
        let mut keys: Vec<Value> = (0..others)
            .map(|_| TestKey::generate(KeyKind::P256).public_jwk())
            .collect();
        keys.push(assertions.key.public_jwk());
        let registration = json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": keys}});
        assertions.register(client, registration).await;
        if is_taken {
            assertions.send(&bare(client), "").await.is_token();
        } else {
            assertions.text_is_refused(&bare(client), "", "unknown_key").await;
        }
    }
    let stranger = TestKey::generate(KeyKind::P256);
    let header = r#"{"alg":"ES256"}"#;
    let text = es256_with(&stranger, header, &assertions.good("four").to_string());
    assertions.text_is_refused(&text, "", "signature").await;
}

/// A30 to A32: a name twice, in the header or in the claims, also by escape.
#[tokio::test]
async fn a30_a31_a32_names_twice() {
    let world = World::with(unlimited).await;
    let assertions = Assertions::new(&world).await;
    let header = r#"{"alg":"ES256","kid":"k1"}"#;
    let good = || assertions.good("signer").to_string();
    assertions
        .send(&es256_with(&assertions.key, header, &good()), "")
        .await
        .is_token();
    let twice = es256_with(
        &assertions.key,
        r#"{"alg":"ES256","kid":"k1","alg":"ES256"}"#,
        &good(),
    );
    assertions.text_is_refused(&twice, "", "unreadable").await;
    for added in [
        r#""sub":"signer""#,
        r#""su\u0062":"ci""#,
        r#""aud":"https://evil.example""#,
        r#""jti":"fresh""#,
        r#""exp":9999999999"#,
    ] {
        let claims = good().replacen('{', &format!("{{{added},"), 1);
        let text = es256_with(&assertions.key, header, &claims);
        assertions
            .text_is_refused(&text, "&client_id=signer", "unreadable")
            .await;
    }
    for claims in ["[]", "\"x\"", "null", "{", "", "{}x"] {
        let text = es256_with(&assertions.key, header, claims);
        assertions
            .text_is_refused(&text, "&client_id=signer", "unreadable")
            .await;
    }
}

/// A33: another kind of token by the same key is no assertion.
#[tokio::test]
async fn a33_another_type_of_token_as_assertion() {
    let world = World::with(unlimited).await;
    let assertions = Assertions::new(&world).await;
    let typed = |typ: &str| {
        let header = json!({"alg": "ES256", "kid": "k1", "typ": typ}).to_string();
        es256_with(&assertions.key, &header, &assertions.good("signer").to_string())
    };
    for typ in ["JWT", "jwt", "application/jwt", "client-authentication+jwt"] {
        assertions.send(&typed(typ), "").await.is_token();
    }
    for typ in [
        "at+jwt",
        "dpop+jwt",
        "oauth-authz-req+jwt",
        "logout+jwt",
        "",
        "JWT2",
    ] {
        assertions.text_is_refused(&typed(typ), "", "unreadable").await;
    }
    // The server's own access token, which names the client and this issuer.
    let own = world.token_of("ci").await;
    assertions
        .text_is_refused(&own, "&client_id=signer", "unreadable")
        .await;
}

/// A36 to A43: encodings, counts of parts, sizes.
#[tokio::test]
async fn a39_a43_texts_that_are_no_assertion() {
    let world = World::with(unlimited).await;
    let assertions = Assertions::new(&world).await;
    let good = || assertions.signed(By::Key, &assertions.good("signer"));
    assertions.send(&good(), "").await.is_token();
    let (header, rest) = {
        let text = good();
        let (h, r) = text.split_once('.').unwrap();
        (h.to_owned(), r.to_owned())
    };
    let (payload, signature) = rest.split_once('.').unwrap();
    for text in [
        format!("{header}.{payload}"),
        format!("{header}.{payload}.{signature}.{signature}"),
        format!("{header}.{payload}.{signature}%3D"),
        format!("{header}%20.{payload}.{signature}"),
        format!(".{payload}.{signature}"),
        format!("{header}.{payload}."),
        ".".repeat(10_000),
        format!("{header}.{}.{signature}", "A".repeat(20_000)),
        format!(
            "{}.e30.e30.e30.e30",
            base64url::encode(r#"{"alg":"dir","enc":"A256GCM"}"#)
        ),
        "x".to_owned(),
        json!({"payload": payload, "protected": header, "signature": signature})
            .to_string()
            .replace('"', "%22"),
    ] {
        let answer = assertions.send(&text, "&client_id=signer").await;
        answer.is_refused(401, "invalid_client");
        let event = world.events().last().cloned().unwrap();
        assert_eq!(event.reason.unwrap().rule(), "wrong_assertion", "{text:.60}");
    }
    let huge = "A".repeat(80_000);
    assertions
        .send(&huge, "")
        .await
        .is_refused(413, "invalid_request");
}

/// A forged signature, and a signature over other octets.
#[tokio::test]
async fn a09_a14_signatures_of_others() {
    let world = World::with(unlimited).await;
    let assertions = Assertions::new(&world).await;
    for by in By::BOTH {
        let text = assertions.signed(by, &assertions.good(by.client()));
        let (input, signature) = text.rsplit_once('.').unwrap();
        let octets = base64url::decode(signature).unwrap();
        let zeros = vec![0; octets.len()];
        let mut flipped = octets.clone();
        flipped[5] ^= 1;
        for wrong in [
            zeros,
            flipped,
            octets[1..].to_vec(),
            [&octets[..], &[0]].concat(),
            Vec::new(),
        ] {
            let text = format!("{input}.{}", base64url::encode(wrong));
            assertions.text_is_refused(&text, "", "signature").await;
        }
        let claims =
            json!({"iss": by.client(), "sub": by.client(), "aud": ISSUER, "exp": 1, "jti": unique()});
        let (header, _) = input.split_once('.').unwrap();
        let moved = format!("{header}.{}.{signature}", base64url::encode(claims.to_string()));
        assertions.text_is_refused(&moved, "", "signature").await;
        assertions.send(&text, "").await.is_token();
    }
    let other = under(
        &mac_secret("signer"),
        MacAlgorithm::Hs256,
        &assertions.good("maced"),
    );
    assertions.text_is_refused(&other, "", "signature").await;
}
