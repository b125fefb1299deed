//! Group C, rows 1 to 15: what client assertions claim. Each row is tried with an assertion by key and with one under
//! a secret.

use std::time::Duration;

use sealstone_http::{HttpConfig, RateLimit};
use serde_json::{Value, json};

use crate::assertions::{Assertions, By, ISSUER, TYPE, es256, unique};
use crate::support::{Ask, GRANT, INTROSPECT, Log, REVOKE, TOKEN, World, mac_secret};

/// The rows send more wrong authentications than one client is allowed.
fn unlimited(config: HttpConfig) -> HttpConfig {
    config.with_rate_limit(RateLimit::insecure_off())
}

fn set(name: &'static str, value: Value) -> impl Fn(&mut Value) {
    move |claims| claims[name] = value.clone()
}

fn without(name: &'static str) -> impl Fn(&mut Value) {
    move |claims| {
        claims.as_object_mut().unwrap().remove(name);
    }
}

fn moved(name: &'static str, seconds: i64) -> impl Fn(&mut Value) {
    move |claims| {
        let now = claims["iat"].as_i64().unwrap();
        claims[name] = json!(now + seconds);
    }
}

macro_rules! refused {
    ($($name:ident: $($reason:literal: $($change:expr),+;)+)+) => {
        $(
            #[tokio::test]
            async fn $name() {
                let world = World::with(unlimited).await;
                let assertions = Assertions::new(&world).await;
                for by in By::BOTH {
                    $($(assertions.is_refused(by, $reason, $change).await;)+)+
                }
            }
        )+
    };
}

refused! {
    c01_exp_missing:
        "dates": without("exp");
    c02_exp_past_and_far:
        "expired": moved("exp", 0), moved("exp", -1), moved("exp", -61);
        "lives_too_long": moved("exp", 315_360_000), moved("exp", 3661);
    c03_exp_odd_types:
        "dates": set("exp", json!("1")), set("exp", json!(1e308)), set("exp", json!(-1)), set("exp", json!(true)),
            set("exp", json!(null)), set("exp", json!([1])), set("iat", json!("now"));
        "lives_too_long": set("exp", json!(9_223_372_036_854_775_808_u64)), set("exp", json!(u64::MAX));
    c04_nbf_and_iat_ahead:
        "not_yet_valid": moved("nbf", 300), |claims: &mut Value| { moved("exp", 400)(claims); moved("iat", 300)(claims); };
    c05_iss_differs:
        "other_client": set("iss", json!("ci")), set("iss", json!(["signer"])), without("iss");
    c06_sub_missing:
        "other_client": without("sub"), set("sub", json!(null)), set("sub", json!("ci"));
    c07_aud_missing_or_other:
        "audience": without("aud"), set("aud", json!("https://as.example")), set("aud", json!("https://id.example")),
            set("aud", json!(format!("{ISSUER}.evil"))), set("aud", json!(format!("{ISSUER}/"))),
            set("aud", json!("https://id.example/v4/oauth2/elsewhere")), set("aud", json!(7));
    c11_jti_missing_long_or_nul:
        "no_id": without("jti"), set("jti", json!("a".repeat(257))), set("jti", json!("a".repeat(10_000))),
            set("jti", json!("a\0")), set("jti", json!("")), set("jti", json!(1));
}

#[tokio::test]
async fn c00_good_assertions_are_accepted() {
    let world = World::with(unlimited).await;
    let assertions = Assertions::new(&world).await;
    for by in By::BOTH {
        for change in [set("unknown", json!({"x": [1]})), set("aud", json!([ISSUER]))] {
            assertions.is_accepted(by, change).await;
        }
        assertions.is_accepted(by, without("iat")).await;
        assertions.is_accepted(by, moved("nbf", 8)).await;
        assertions.is_accepted(by, moved("exp", 3600)).await;
        assertions
            .is_accepted(by, set("jti", json!(format!("{}{}", unique(), "a".repeat(200)))))
            .await;
    }
}

/// C04, its other half: clocks differ by seconds.
#[tokio::test]
async fn c04_eight_seconds_ahead_are_accepted() {
    let world = World::new().await;
    let assertions = Assertions::new(&world).await;
    for by in By::BOTH {
        assertions.is_accepted(by, moved("iat", 8)).await;
        assertions.is_accepted(by, moved("nbf", 60)).await;
    }
}

#[tokio::test]
async fn c08_aud_array() {
    let world = World::with(unlimited).await;
    let assertions = Assertions::new(&world).await;
    for by in By::BOTH {
        assertions.is_accepted(by, set("aud", json!([ISSUER]))).await;
        for names in [
            json!([ISSUER, "https://evil.example"]),
            json!([]),
            json!([[ISSUER]]),
            json!([ISSUER, 1]),
        ] {
            assertions.is_refused(by, "audience", set("aud", names)).await;
        }
    }
}

/// The token endpoint is an audience unless the client is registered for the issuer alone, as FAPI 2.0 has it; no other
/// endpoint ever is.
#[tokio::test]
async fn c09_aud_is_an_endpoint() {
    let world = World::with(unlimited).await;
    let assertions = Assertions::new(&world).await;
    let token = format!("{ISSUER}/token");
    let alias = "https://mtls.id.example/v4/oauth2/demo/token".to_owned();
    for by in By::BOTH {
        for endpoint in [&token, &alias] {
            assertions.is_accepted(by, set("aud", json!(endpoint))).await;
            assertions
                .is_accepted(by, set("aud", json!([ISSUER, endpoint])))
                .await;
        }
        for endpoint in ["par", "introspect", "revoke", "token/", "jwks"] {
            let change = set("aud", json!(format!("{ISSUER}/{endpoint}")));
            assertions.is_refused(by, "audience", change).await;
        }
    }
    let mut jwk = assertions.key.public_jwk();
    jwk["kid"] = json!("k1");
    let strict = json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [jwk]},
        "client_assertion_audience": "issuer"});
    assertions.register("strict", strict).await;
    let mut claims = assertions.good("strict");
    assertions
        .send(&es256(&assertions.key, "k1", &claims), "")
        .await
        .is_token();
    for audience in [json!(token), json!(alias), json!([ISSUER, token])] {
        claims["aud"] = audience;
        claims["jti"] = json!(unique());
        let assertion = es256(&assertions.key, "k1", &claims);
        assertions.text_is_refused(&assertion, "", "audience").await;
    }
}

/// One use, whichever endpoint it was at; another client's `jti` of the same text is another.
#[tokio::test]
async fn c10_jti_reused() {
    let world = World::with(unlimited).await;
    let assertions = Assertions::new(&world).await;
    for by in By::BOTH {
        let mut claims = assertions.good(by.client());
        claims["jti"] = json!("the-same-for-both");
        let assertion = assertions.signed(by, &claims);
        assertions.send(&assertion, "").await.is_token();
        assertions.text_is_refused(&assertion, "", "replayed").await;
        let form = format!("token=x&client_assertion_type={TYPE}&client_assertion={assertion}");
        for endpoint in [INTROSPECT, REVOKE] {
            let again = world.send(Ask::post(endpoint).form(form.as_str())).await;
            again.is_refused(401, "invalid_client");
        }
        // The same `jti` in another assertion.
        claims["exp"] = json!(claims["exp"].as_u64().unwrap() + 5);
        let other = assertions.signed(by, &claims);
        assertions.text_is_refused(&other, "", "replayed").await;
        // It ends before it is forgotten.
        world.clock.advance(Duration::from_secs(61));
        assertions.text_is_refused(&assertion, "", "expired").await;
    }
}

/// A request that is refused for anything else spends no assertion.
#[tokio::test]
async fn c10_a_refused_assertion_is_not_spent() {
    let world = World::with(unlimited).await;
    let assertions = Assertions::new(&world).await;
    for by in By::BOTH {
        let mut claims = assertions.good(by.client());
        let jti = claims["jti"].clone();
        claims["aud"] = json!("https://evil.example");
        let refused = assertions.signed(by, &claims);
        assertions.text_is_refused(&refused, "", "audience").await;
        assertions
            .is_accepted(by, move |claims| claims["jti"] = jti.clone())
            .await;
    }
}

/// What fills the store is bounded for each client (`c12_one_client_fills_its_own_share_only` of the store's contract);
/// here: unsigned ones leave no trace in it.
#[tokio::test]
async fn c12_replay_store_flooded() {
    let world = World::with(unlimited).await;
    let assertions = Assertions::new(&world).await;
    let stranger = sealstone_testkit::TestKey::generate(sealstone_testkit::KeyKind::P256);
    for number in 0..200 {
        let mut claims = assertions.good("signer");
        claims["jti"] = json!(format!("flood-{number}"));
        let forged = es256(&stranger, "k1", &claims);
        assertions.text_is_refused(&forged, "", "signature").await;
        if number % 50 == 0 {
            let real = assertions.signed(By::Key, &claims);
            assertions.send(&real, "").await.is_token();
        }
    }
    world.token(GRANT).await.is_token();
}

#[tokio::test]
async fn c13_assertion_of_one_client_with_the_id_of_another() {
    let world = World::with(unlimited).await;
    let assertions = Assertions::new(&world).await;
    for by in By::BOTH {
        assertions.is_accepted(by, |_| ()).await;
        let issued = world.issued();
        for other in ["ci", "machine", "signer", "maced", "nobody", "off"] {
            if other == by.client() {
                continue;
            }
            let assertion = assertions.signed(by, &assertions.good(by.client()));
            let answer = assertions.send(&assertion, &format!("&client_id={other}")).await;
            answer.is_refused(401, "invalid_client");
        }
        assert_eq!(world.issued(), issued);
    }
}

/// The answers of a disabled, a foreign and an unknown client, and to a wrong signature, are the same.
#[tokio::test]
async fn c14_assertion_of_a_disabled_client() {
    let world = World::with(unlimited).await;
    let assertions = Assertions::new(&world).await;
    let mut jwk = assertions.key.public_jwk();
    jwk["kid"] = json!("k1");
    let registration = json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [jwk]}});
    let mut off = registration.clone();
    off["enabled"] = json!(false);
    assertions.register("asleep", off).await;
    world.register("elsewhere", "abroad", registration).await;
    assertions.is_accepted(By::Key, |_| ()).await;
    let mut answers = Vec::new();
    for client in ["asleep", "abroad", "nobody", "machine", "ci", "../x"] {
        let assertion = es256(&assertions.key, "k1", &assertions.good(client));
        for more in [
            String::new(),
            format!("&client_id={}", client.replace('/', "%2F")),
        ] {
            let answer = assertions.send(&assertion, &more).await;
            answer.is_refused(401, "invalid_client");
            let mut headers = answer.headers.clone();
            headers.remove("x-request-id");
            answers.push((answer.text, headers));
        }
    }
    let forged = assertions.signed(By::Secret, &assertions.good("signer"));
    let answer = assertions.send(&forged, "").await;
    answer.is_refused(401, "invalid_client");
    assert!(
        answers.iter().all(|(text, _)| *text == answer.text),
        "{answers:#?}"
    );
    assert!(answers.iter().all(|one| *one == answers[0]), "{answers:#?}");
}

#[tokio::test]
async fn c15_wrong_assertion_type() {
    let world = World::with(unlimited).await;
    let assertions = Assertions::new(&world).await;
    assertions.is_accepted(By::Key, |_| ()).await;
    let issued = world.issued();
    let saml = "urn:ietf:params:oauth:client-assertion-type:saml2-bearer";
    for (parameters, status, code) in [
        (format!("client_assertion_type={saml}"), 401, "invalid_client"),
        (
            format!("client_assertion_type={}", TYPE.to_uppercase()),
            401,
            "invalid_client",
        ),
        (String::new(), 400, "invalid_request"),
        ("client_assertion_type=".to_owned(), 400, "invalid_request"),
        (
            format!("client_assertion_type={TYPE}&client_assertion_type={TYPE}"),
            400,
            "invalid_request",
        ),
        (
            format!("client_assertion_type={TYPE}&client_assertion=x"),
            400,
            "invalid_request",
        ),
    ] {
        let assertion = assertions.signed(By::Key, &assertions.good("signer"));
        let form = format!("{GRANT}&client_assertion={assertion}&{parameters}");
        world
            .send(Ask::post(TOKEN).form(form))
            .await
            .is_refused(status, code);
    }
    let alone = format!("{GRANT}&client_assertion_type={TYPE}&client_id=signer");
    world
        .send(Ask::post(TOKEN).form(alone))
        .await
        .is_refused(400, "invalid_request");
    assert_eq!(world.issued(), issued);
}

/// Text for `exp` and `iat`, as keystonemiddleware sends it, is for clients registered for it and for no other.
#[tokio::test]
async fn c03_dates_as_text_need_the_registration() {
    let world = World::with(unlimited).await;
    let assertions = Assertions::new(&world).await;
    let text = |claims: &mut Value| {
        for name in ["exp", "iat"] {
            claims[name] = json!(claims[name].as_u64().unwrap().to_string());
        }
    };
    for by in By::BOTH {
        assertions.is_refused(by, "dates", text).await;
    }
    let lax =
        json!({"token_endpoint_auth_method": "client_secret_jwt", "accept_assertion_dates_as_text": true});
    assertions.register("lax", lax).await;
    let signed = |claims: &Value| {
        crate::assertions::under(&mac_secret("lax"), sealstone_jose::MacAlgorithm::Hs256, claims)
    };
    let mut claims = assertions.good("lax");
    text(&mut claims);
    assertions.send(&signed(&claims), "").await.is_token();
    assertions.text_is_refused(&signed(&claims), "", "replayed").await;
    for (exp, reason) in [
        ("1e10", "dates"),
        ("", "dates"),
        ("-1", "dates"),
        ("1", "expired"),
        ("99999999999", "lives_too_long"),
    ] {
        claims["exp"] = json!(exp);
        claims["jti"] = json!(unique());
        assertions.text_is_refused(&signed(&claims), "", reason).await;
    }
}

/// All three endpoints take both methods.
#[tokio::test]
async fn c_assertions_authenticate_at_every_endpoint() {
    let world = World::new().await;
    let assertions = Assertions::new(&world).await;
    let mut jwk = assertions.key.public_jwk();
    jwk["kid"] = json!("k1");
    let mut asks = json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [jwk]}});
    asks["introspection"] = json!("domain");
    assertions.register("asker", asks).await;
    let token = world.token_of("ci").await;
    let assertion = es256(&assertions.key, "k1", &assertions.good("asker"));
    let form = format!("token={token}&client_assertion_type={TYPE}&client_assertion={assertion}");
    let answer = world.send(Ask::post(INTROSPECT).form(form)).await;
    assert_eq!(answer.json()["active"], true, "{answer:?}");
    for by in By::BOTH {
        let mine = assertions.signed(by, &assertions.good(by.client()));
        let own = assertions.send(&mine, "").await;
        let own = own.json()["access_token"].as_str().unwrap().to_owned();
        let assertion = assertions.signed(by, &assertions.good(by.client()));
        let form = format!("token={own}&client_assertion_type={TYPE}&client_assertion={assertion}");
        assert_eq!(world.send(Ask::post(REVOKE).form(form)).await.status, 200);
        let look = Ask::post(INTROSPECT)
            .basic("gateway")
            .form(format!("token={own}"));
        assert_eq!(world.send(look).await.text, r#"{"active":false}"#);
    }
}

/// F11, F12: an assertion beside another way to authenticate, and every other way for a client that makes assertions.
#[tokio::test]
async fn f11_f12_assertions_and_other_methods() {
    let world = World::with(unlimited).await;
    let assertions = Assertions::new(&world).await;
    for by in By::BOTH {
        assertions.is_accepted(by, |_| ()).await;
        let issued = world.issued();
        let client = by.client();
        let assertion = || assertions.signed(by, &assertions.good(client));
        let own = mac_secret(client);
        for beside in [
            format!("&client_secret={own}"),
            format!("&client_id={client}&client_secret={own}"),
        ] {
            let answer = assertions.send(&assertion(), &beside).await;
            answer.is_refused(400, "invalid_request");
        }
        let form = format!(
            "{GRANT}&client_assertion_type={TYPE}&client_assertion={}",
            assertion()
        );
        let basic = Ask::post(TOKEN).basic_with(client, &own).form(form);
        world.send(basic).await.is_refused(400, "invalid_request");
        for ask in [
            Ask::post(TOKEN).basic_with(client, &own).form(GRANT),
            Ask::post(TOKEN).form(format!("{GRANT}&client_id={client}&client_secret={own}")),
            Ask::post(TOKEN).form(format!("{GRANT}&client_id={client}")),
            Ask::post(TOKEN)
                .certificate(&world.machine)
                .form(format!("{GRANT}&client_id={client}")),
        ] {
            world.send(ask).await.is_refused(401, "invalid_client");
        }
        assert_eq!(world.issued(), issued);
    }
    // A secret that is only hashed makes no assertion, even the right one.
    let secret = format!("{}{}", crate::support::secret("ci"), "padding-to-be-long-enough");
    let mac = crate::assertions::under(
        &secret,
        sealstone_jose::MacAlgorithm::Hs256,
        &assertions.good("ci"),
    );
    assertions.send(&mac, "").await.is_refused(401, "invalid_client");
}

/// D39: who must get bound tokens gets none by an assertion alone, and one bound to the certificate beside it.
#[tokio::test]
async fn d39_bound_tokens_for_clients_with_assertions() {
    let world = World::with(unlimited).await;
    let assertions = Assertions::new(&world).await;
    let registration = json!({"token_endpoint_auth_method": "client_secret_jwt",
        "tls_client_certificate_bound_access_tokens": true});
    assertions.register("holder", registration).await;
    let signed = || {
        let claims = assertions.good("holder");
        crate::assertions::under(
            &mac_secret("holder"),
            sealstone_jose::MacAlgorithm::Hs256,
            &claims,
        )
    };
    let form = |assertion: &str| format!("{GRANT}&client_assertion_type={TYPE}&client_assertion={assertion}");
    let bound = Ask::post(TOKEN).certificate(&world.machine).form(form(&signed()));
    let answer = world.send(bound).await;
    answer.is_token();
    let claims = world.claims(&answer);
    assert_eq!(claims["cnf"]["x5t#S256"], world.machine.thumbprint().to_string());
    let without = assertions.send(&signed(), "").await;
    without.is_refused(400, "invalid_request");
    assert_eq!(world.issued(), 1);
}

/// Neither the assertion nor the secret under it is logged, whatever comes of them.
#[tokio::test]
async fn c_assertions_are_not_logged() {
    let world = World::new().await;
    let assertions = Assertions::new(&world).await;
    let log = Log::capture();
    let good = assertions.signed(By::Secret, &assertions.good("maced"));
    assertions.send(&good, "").await.is_token();
    assertions.send(&good, "").await.is_refused(401, "invalid_client");
    let log = log.text();
    assert!(!log.is_empty());
    assert!(!log.contains(good.rsplit('.').next().unwrap()) && !log.contains(&mac_secret("maced")));
}
