//! The published vectors: every case runs, and what is not supported is refused in the way said here.

#[path = "support/forge.rs"]
#[expect(dead_code, reason = "shared by several test programs")]
mod forge;

use forge::*;
use sealstone_jose::{Algorithm, JoseError, Jwk, PrivateKey, Thumbprint, UnverifiedJwt, Verifier, base64url};
use serde_json::Value;
use sha2::{Digest, Sha256};

fn cases(text: &str) -> Vec<Value> {
    let document: Value = serde_json::from_str(text).unwrap();
    document["cases"].as_array().unwrap().clone()
}

/// The public part of a vector's key, which is printed with its private members.
fn public(key: &Value) -> Jwk {
    let mut members = key.as_object().unwrap().clone();
    members.retain(|name, _| !["d", "p", "q", "dp", "dq", "qi"].contains(&name.as_str()));
    Jwk::from_value(&Value::Object(members)).unwrap()
}

/// The cases that are not supported, the refusal, and why.
const REFUSED: [(&str, JoseError, &str); 10] = [
    (
        "rfc7515-A.1",
        JoseError::AlgorithmNotAllowed,
        "no HMAC: who verifies could sign",
    ),
    ("rfc7515-A.5", JoseError::AlgorithmNotAllowed, "no unsecured JWS"),
    ("rfc7515-A.7", JoseError::NotCompact, "no JSON serialization"),
    (
        "rfc7515-E",
        JoseError::ForbiddenHeader("crit"),
        "no extension is understood",
    ),
    ("rfc7520-4.3", JoseError::AlgorithmNotAllowed, "no P-521"),
    ("rfc7520-4.4", JoseError::AlgorithmNotAllowed, "no HMAC"),
    ("rfc7520-4.6", JoseError::NotCompact, "no JSON serialization"),
    ("rfc7520-4.8", JoseError::NotCompact, "no JSON serialization"),
    ("rfc7797-4.1", JoseError::AlgorithmNotAllowed, "no HMAC"),
    (
        "rfc7797-4.2",
        JoseError::AlgorithmNotAllowed,
        "no HMAC, no unencoded payload",
    ),
];

#[test]
fn jws() {
    let mut verified = 0;
    for case in cases(include_str!("vectors/jws.json")) {
        let id = case["id"].as_str().unwrap();
        // Where a case has the flattened form alone, that is what a compact verifier meets.
        let form = if case["jws"].is_null() {
            &case["jws_flattened"]
        } else {
            &case["jws"]
        };
        let text = form.as_str().map_or_else(|| form.to_string(), str::to_owned);
        if let Some((_, refusal, reason)) = REFUSED.iter().find(|(refused, ..)| *refused == id) {
            assert_eq!(
                UnverifiedJwt::parse(&text).unwrap_err(),
                *refusal,
                "{id}: {reason}"
            );
        } else {
            let algorithm = Algorithm::parse(case["alg"].as_str().unwrap()).unwrap();
            let verifier = Verifier::new(&public(&case["key"]), algorithm).unwrap();
            let verified_token = UnverifiedJwt::parse(&text).unwrap().verify(&verifier).unwrap();
            assert_eq!(
                verified_token.payload(),
                case["payload_utf8"].as_str().unwrap().as_bytes(),
                "{id}"
            );
            assert_eq!(case["expect"], "valid");
            verified += 1;
        }
        // The second form that some cases print as well is never read.
        let flattened = case["jws_flattened"].to_string();
        assert_eq!(
            UnverifiedJwt::parse(&flattened).unwrap_err(),
            JoseError::NotCompact,
            "{id}"
        );
    }
    assert_eq!(verified, 4, "RS256 twice, ES256, EdDSA");
}

#[test]
fn jws_signed_again() {
    // RSASSA-PKCS1-v1_5 and Ed25519 are deterministic: the vector's own signature comes out.
    let mut again = 0;
    for case in cases(include_str!("vectors/jws.json")) {
        let Ok(algorithm @ (Algorithm::Rs256 | Algorithm::EdDsa)) =
            Algorithm::parse(case["alg"].as_str().unwrap_or_default())
        else {
            continue;
        };
        let mut jwk = case["key"].clone();
        jwk["alg"] = serde_json::json!(algorithm);
        let key = PrivateKey::from_jwk(jwk.to_string().as_bytes()).unwrap();
        let signer = sealstone_jose::Signer::new(&key, sealstone_jose::KeyId::parse("k").unwrap()).unwrap();
        let (input, want) = split(case["jws"].as_str().unwrap());
        let mut signature = Vec::new();
        signer.sign(input.as_bytes(), &mut signature).unwrap();
        assert_eq!(signature, want, "{}", case["id"]);
        again += 1;
    }
    assert_eq!(again, 3);
}

#[test]
fn negatives_of_every_valid_jws() {
    for case in cases(include_str!("vectors/jws.json")) {
        let id = case["id"].as_str().unwrap();
        if REFUSED.iter().any(|(refused, ..)| *refused == id) {
            continue;
        }
        let token = case["jws"].as_str().unwrap();
        let algorithm = Algorithm::parse(case["alg"].as_str().unwrap()).unwrap();
        let key = public(&case["key"]);
        let verifier = Verifier::new(&key, algorithm).unwrap();
        let verify = |token: &str, verifier: &Verifier| -> Result<(), JoseError> {
            UnverifiedJwt::parse(token)?.verify(verifier).map(|_verified| ())
        };
        verify(token, &verifier).unwrap();

        // Another algorithm pinned: by the same key where it fits, else the key refuses it.
        for other in Algorithm::ALL.into_iter().filter(|other| *other != algorithm) {
            let refusal = Verifier::new(&key, other).and_then(|verifier| verify(token, &verifier));
            assert_eq!(
                refusal.unwrap_err(),
                JoseError::AlgorithmNotAllowed,
                "{id} {other}"
            );
        }
        // One bit of each octet of each part, the part still being base64url.
        for (part, text) in token.split('.').enumerate() {
            let octets = base64url::decode(text).unwrap();
            for at in 0..octets.len() {
                let mut flipped = octets.clone();
                flipped[at] ^= 1 << (at % 8);
                let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
                parts[part] = base64url::encode(flipped);
                assert!(
                    verify(&parts.join("."), &verifier).is_err(),
                    "{id}: part {part}, octet {at}"
                );
            }
        }
        // The signature cut and extended at either end.
        let (input, signature) = split(token);
        for wrong in [
            signature[1..].to_vec(),
            signature[..signature.len() - 1].to_vec(),
            [&[0], signature.as_slice()].concat(),
            [signature.as_slice(), &[0]].concat(),
            [signature.clone(), signature.clone()].concat(),
            Vec::new(),
        ] {
            assert_eq!(
                verify(&join(&input, wrong), &verifier).unwrap_err(),
                JoseError::BadSignature,
                "{id}"
            );
        }
        // The key swapped.
        let other = match algorithm {
            Algorithm::Rs256 | Algorithm::Ps256 => PrivateKey::generate(algorithm).unwrap(),
            Algorithm::Es256 | Algorithm::Es384 | Algorithm::EdDsa => forge::key(algorithm),
        };
        let other = Verifier::new(other.public_jwk(), algorithm).unwrap();
        let refusal = verify(token, &other).unwrap_err();
        // RFC 7520 names its key; the other has no name, so that only the signature tells.
        assert_eq!(refusal, JoseError::BadSignature, "{id}");
    }
}

#[test]
fn jwt() {
    // Both are of algorithms that this crate does not have; their claims are judged in `sealstone-tokens`.
    for case in cases(include_str!("vectors/jwt.json")) {
        let token = case["jwt"].as_str().unwrap();
        assert_eq!(
            UnverifiedJwt::parse(token).unwrap_err(),
            JoseError::AlgorithmNotAllowed,
            "{}",
            case["id"]
        );
    }
    // The same payload, line breaks inside, under an algorithm that is supported.
    let case = &cases(include_str!("vectors/jwt.json"))[0];
    let payload = case["jwt"].as_str().unwrap().split('.').nth(1).unwrap();
    let fixture = Fixture::new(Algorithm::Es256);
    let header = base64url::encode("{\"typ\":\"JWT\",\r\n \"alg\":\"ES256\"}");
    let verified = fixture
        .verify(&fixture.sign_input(&format!("{header}.{payload}")))
        .unwrap();
    assert_eq!(verified.claims::<Value>().unwrap(), case["claims"]);
}

#[test]
fn thumbprints() {
    for case in cases(include_str!("vectors/jwk_thumbprint.json")) {
        let id = case["id"].as_str().unwrap();
        let key = Jwk::from_value(&case["key"]);
        if id == "rfc7520-3.1" {
            assert_eq!(key.unwrap_err(), JoseError::UnsupportedKey("crv"), "no P-521");
            continue;
        }
        let thumbprint = key.unwrap().thumbprint();
        assert_eq!(thumbprint.to_string(), case["sha256"].as_str().unwrap(), "{id}");
        assert_eq!(
            Thumbprint::parse(case["sha256"].as_str().unwrap()).unwrap(),
            thumbprint
        );
        if let Some(uri) = case["uri"].as_str() {
            assert_eq!(thumbprint.to_uri(), uri);
        }
    }
}

#[test]
fn dpop() {
    // A proof carries its key in the header: as a token it is refused, and its signature and key are good.
    for case in cases(include_str!("vectors/dpop.json")) {
        let proof = case["proof"].as_str().unwrap();
        assert_eq!(
            UnverifiedJwt::parse(proof).unwrap_err(),
            JoseError::ForbiddenHeader("jwk")
        );
        let header = base64url::decode(proof.split('.').next().unwrap()).unwrap();
        let header: Value = sealstone_jose::json::from_slice(&header).unwrap();
        let key = Jwk::from_value(&header["jwk"]).unwrap();
        assert_eq!(key.thumbprint().to_string(), case["jkt"].as_str().unwrap());
        let (input, signature) = split(proof);
        Verifier::new(&key, Algorithm::Es256)
            .unwrap()
            .verify(input.as_bytes(), &signature)
            .unwrap();
    }
}

#[test]
fn pkce() {
    for case in cases(include_str!("vectors/pkce.json")) {
        let octets = |name: &str| -> Vec<u8> { serde_json::from_value(case[name].clone()).unwrap() };
        if let Some(text) = case["base64url"].as_str() {
            assert_eq!(base64url::encode(octets("octets")), text);
            assert_eq!(base64url::decode(text).unwrap(), octets("octets"));
        } else {
            let verifier = case["code_verifier"].as_str().unwrap();
            assert_eq!(base64url::encode(octets("verifier_octets")), verifier);
            let challenge = base64url::encode(Sha256::digest(verifier));
            assert_eq!(challenge, case["code_challenge"].as_str().unwrap());
        }
    }
}

#[test]
fn oidc_hashes() {
    // OpenID Connect Core §3.1.3.6: half of the hash, in this crate's base64url.
    for case in cases(include_str!("vectors/oidc_hashes.json")) {
        let digest = Sha256::digest(case["access_token"].as_str().unwrap());
        assert_eq!(
            base64url::encode(&digest[..16]),
            case["at_hash"].as_str().unwrap()
        );
    }
}
