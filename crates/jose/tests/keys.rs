//! Private keys in and out, public keys in their three forms, tokens by every algorithm.

#[path = "support/forge.rs"]
#[expect(dead_code, reason = "shared by several test programs")]
mod forge;

use std::sync::Arc;

use forge::*;
use sealstone_jose::{
    Algorithm, JoseError, Jwk, JwkSet, JwtBuffer, JwtEncoder, KeyId, PrivateKey, Signer, Thumbprint,
    UnverifiedJwt, Verifier,
};
use serde_json::{Value, json};

fn sign_and_verify(key: &PrivateKey, public: &Jwk) {
    let signer = Signer::new(key, KeyId::parse("k").unwrap()).unwrap();
    let mut signature = b"kept".to_vec();
    signer.sign(b"message", &mut signature).unwrap();
    assert_eq!(&signature[..4], b"kept", "appended");
    let verifier = Verifier::new(public, key.algorithm()).unwrap();
    verifier.verify(b"message", &signature[4..]).unwrap();
    assert_eq!(
        verifier.verify(b"messagf", &signature[4..]).unwrap_err(),
        JoseError::BadSignature
    );
}

#[test]
fn private_keys_survive_their_forms() {
    for algorithm in Algorithm::ALL {
        let key = PrivateKey::generate(algorithm).unwrap();
        assert_eq!(key.algorithm(), algorithm);
        let der = key.to_pkcs8_der();
        let pem = key.to_pkcs8_pem().unwrap();
        assert!(pem.starts_with("-----BEGIN PRIVATE KEY-----\n"));
        for again in [
            PrivateKey::from_pkcs8_der(algorithm, &der).unwrap(),
            PrivateKey::from_pkcs8_pem(algorithm, &pem).unwrap(),
            PrivateKey::from_jwk(key.to_private_jwk().unwrap().as_bytes()).unwrap(),
        ] {
            assert_eq!(again.public_jwk(), key.public_jwk());
            assert_eq!(*again.to_pkcs8_der(), *der);
            sign_and_verify(&again, key.public_jwk());
        }
        let public = key.public_jwk();
        let from_spki = Jwk::from_spki_der(&public.to_spki_der()).unwrap();
        assert_eq!(from_spki.thumbprint(), public.thumbprint());
        sign_and_verify(&key, &from_spki);
        sign_and_verify(&key, &Jwk::parse(public.to_json().as_bytes()).unwrap());

        for other in Algorithm::ALL {
            let fits = other == algorithm
                || (matches!(other, Algorithm::Rs256 | Algorithm::Ps256)
                    && matches!(algorithm, Algorithm::Rs256 | Algorithm::Ps256));
            assert_eq!(
                PrivateKey::from_pkcs8_der(other, &der).is_ok(),
                fits,
                "{algorithm} as {other}"
            );
        }
        for cut in [0, 1, der.len() / 2, der.len() - 1] {
            PrivateKey::from_pkcs8_der(algorithm, &der[..cut]).unwrap_err();
        }
        let longer = [der.as_slice(), &[0]].concat();
        PrivateKey::from_pkcs8_der(algorithm, &longer).unwrap_err();
        PrivateKey::from_pkcs8_pem(algorithm, &pem.replace("PRIVATE KEY", "EC PRIVATE KEY")).unwrap_err();
        assert!(matches!(
            PrivateKey::from_pkcs8_der(algorithm, &vec![0x30; PrivateKey::MAX_BYTES + 1]).unwrap_err(),
            JoseError::TooLarge { .. }
        ));
    }
}

/// The private keys printed in RFC 7515 and RFC 8037.
fn printed_keys() -> Vec<Value> {
    let vectors: Value = serde_json::from_str(include_str!("vectors/jws.json")).unwrap();
    let cases = vectors["cases"].as_array().unwrap();
    let named = |id: &str| cases.iter().find(|case| case["id"] == id).unwrap();
    ["rfc7515-A.2", "rfc7515-A.3", "rfc8037-A.4"]
        .map(|id| {
            let mut key = named(id)["key"].clone();
            key["alg"] = named(id)["alg"].clone();
            key
        })
        .to_vec()
}

#[test]
fn private_jwk_whose_parts_disagree() {
    for jwk in printed_keys() {
        let read = |jwk: &Value| PrivateKey::from_jwk(jwk.to_string().as_bytes());
        let key = read(&jwk).unwrap();
        sign_and_verify(&key, key.public_jwk());
        let again = PrivateKey::from_pkcs8_der(key.algorithm(), &key.to_pkcs8_der()).unwrap();
        assert_eq!(again.public_jwk(), key.public_jwk());

        let other = PrivateKey::generate(key.algorithm()).unwrap();
        let other = members(other.public_jwk());
        for name in ["x", "y", "n"] {
            if jwk.get(name).is_some() {
                let mut mixed = jwk.clone();
                mixed[name] = other[name].clone();
                read(&mixed).expect_err(name);
            }
        }
        for name in ["d", "p", "q", "dp", "dq", "qi", "x", "y", "n", "e", "kty", "crv"] {
            if jwk.get(name).is_some() {
                let mut without = jwk.clone();
                without.as_object_mut().unwrap().remove(name);
                read(&without).expect_err(name);
                without[name] = json!("AQ");
                read(&without).expect_err(name);
                without[name] = json!(1);
                read(&without).expect_err(name);
            }
        }
        let mut renamed = jwk.clone();
        renamed["alg"] = json!("HS256");
        assert_eq!(read(&renamed).unwrap_err(), JoseError::AlgorithmNotAllowed);
        renamed["alg"] = json!("ES384");
        assert_eq!(read(&renamed).unwrap_err(), JoseError::MalformedPrivateKey);
        renamed.as_object_mut().unwrap().remove("alg");
        assert_eq!(
            read(&renamed).is_ok(),
            jwk["kty"] != "RSA",
            "a curve has one algorithm, RSA has two"
        );
    }
    let oct = br#"{"kty":"oct","k":"AAAA"}"#;
    assert_eq!(PrivateKey::from_jwk(oct).unwrap_err(), JoseError::SymmetricKey);
    assert_eq!(
        PrivateKey::from_jwk(br#"{"kty":"EC","kty":"EC"}"#).unwrap_err(),
        JoseError::DuplicateName
    );
    assert_eq!(
        PrivateKey::from_jwk(b"[]").unwrap_err(),
        JoseError::UnexpectedJson
    );
}

#[test]
fn tokens_by_every_algorithm() {
    for algorithm in Algorithm::ALL {
        let f = Fixture::new(algorithm);
        let encoder = f.encoder();
        assert_eq!(encoder.signer().key_id().as_str(), "k1");
        let mut buffer = JwtBuffer::new();
        // The buffer is used again, by a longer and then a shorter token.
        for claims in [
            json!({}),
            json!({"sub": "é\u{1f600}", "list": [1, 2.5, null]}),
            json!({"a": 1}),
        ] {
            let token = encoder.encode(&claims, &mut buffer).unwrap();
            let unverified = UnverifiedJwt::parse(token).unwrap();
            assert_eq!(unverified.header().alg, algorithm);
            assert_eq!(unverified.header().kid.as_deref(), Some("k1"));
            assert!(unverified.typ_is("at+jwt"));
            assert_eq!(
                f.keys.verify(unverified).unwrap().claims::<Value>().unwrap(),
                claims
            );
        }
        let text = encoder
            .encode_octets(b"not JSON", &mut buffer)
            .unwrap()
            .to_owned();
        assert_eq!(f.verify(&text).unwrap().payload(), b"not JSON");
        assert!(!format!("{buffer:?} {encoder:?}").contains(&text));
    }
}

#[test]
fn encoder_refuses_what_is_no_claims_or_no_type() {
    let f = Fixture::new(Algorithm::Es256);
    let encoder = f.encoder();
    for claims in [json!([]), json!("text"), json!(null), json!(1)] {
        assert_eq!(
            encoder.encode_to_string(&claims).unwrap_err(),
            JoseError::InvalidClaims,
            "{claims}"
        );
    }
    let unserializable = std::collections::BTreeMap::from([(vec![1_u8], 1)]);
    assert_eq!(
        encoder.encode_to_string(&unserializable).unwrap_err(),
        JoseError::InvalidClaims
    );
    for typ in ["", "a b", "a\"b", "a\\b", "é", "a\n", &"a".repeat(65)] {
        let refusal = JwtEncoder::new(Arc::clone(&f.signer), typ).unwrap_err();
        assert_eq!(refusal, JoseError::InvalidType, "{typ}");
    }
}

#[test]
fn names_and_thumbprints_are_strict() {
    for text in ["", "a b", "a\"b", "a\\b", "é", "a\n", &"a".repeat(129)] {
        assert_eq!(KeyId::parse(text).unwrap_err(), JoseError::InvalidKeyId, "{text}");
        serde_json::from_value::<KeyId>(json!(text)).unwrap_err();
    }
    assert_eq!(KeyId::parse(&"a".repeat(128)).unwrap().as_str().len(), 128);
    let thumbprint = key(Algorithm::Es256).public_jwk().thumbprint();
    let text = thumbprint.to_string();
    assert_eq!(text.len(), 43);
    assert_eq!(Thumbprint::from_bytes(*thumbprint.as_bytes()), thumbprint);
    assert_eq!(
        serde_json::from_value::<Thumbprint>(json!(thumbprint)).unwrap(),
        thumbprint
    );
    for wrong in [
        "",
        &text[1..],
        &format!("{text}="),
        &format!("{text}A"),
        &format!("{}+", &text[..42]),
    ] {
        assert_eq!(
            Thumbprint::parse(wrong).unwrap_err(),
            JoseError::InvalidThumbprint,
            "{wrong}"
        );
    }
    for algorithm in Algorithm::ALL {
        assert_eq!(algorithm.as_str().parse(), Ok(algorithm));
        assert_eq!(
            serde_json::from_value::<Algorithm>(json!(algorithm.as_str())).unwrap(),
            algorithm
        );
        assert_eq!(
            serde_json::to_value(algorithm).unwrap(),
            json!(algorithm.to_string())
        );
    }
}

#[test]
fn every_code_is_its_own() {
    let errors = [
        JoseError::TooLarge { what: "x", limit: 1 },
        JoseError::NotCompact,
        JoseError::Base64,
        JoseError::MalformedJson,
        JoseError::DuplicateName,
        JoseError::TooDeep,
        JoseError::UnexpectedJson,
        JoseError::MalformedHeader("x"),
        JoseError::ForbiddenHeader("x"),
        JoseError::AlgorithmNotAllowed,
        JoseError::UnknownKey { kid: None },
        JoseError::TooManyCandidates,
        JoseError::BadSignature,
        JoseError::UnsupportedKey("x"),
        JoseError::MalformedKey("x"),
        JoseError::WeakKey("x"),
        JoseError::PrivateMember,
        JoseError::SymmetricKey,
        JoseError::DuplicateKeyId,
        JoseError::TooManyKeys { limit: 1 },
        JoseError::InvalidKeyId,
        JoseError::InvalidThumbprint,
        JoseError::InvalidType,
        JoseError::InvalidClaims,
        JoseError::MalformedPrivateKey,
        JoseError::Backend,
    ];
    let codes: std::collections::BTreeSet<&str> = errors.iter().map(JoseError::code).collect();
    assert_eq!(codes.len(), errors.len());
    assert!(codes.iter().all(|code| code.starts_with("jose.")));
}

#[test]
fn spki_of_other_makes() {
    let good = key(Algorithm::Es256).public_jwk().to_spki_der();
    Jwk::from_spki_der(&good).unwrap();
    let replaced = |from: &[u8], to: &[u8]| {
        let at = good
            .windows(from.len())
            .position(|window| window == from)
            .unwrap();
        [&good[..at], to, &good[at + from.len()..]].concat()
    };
    // secp256k1 has an identifier of another length; P-192 has one of the same.
    let p192 = replaced(
        &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7],
        &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 1],
    );
    assert_eq!(
        Jwk::from_spki_der(&p192).unwrap_err(),
        JoseError::UnsupportedKey("curve")
    );
    let ecdh = replaced(
        &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1],
        &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 9],
    );
    assert!(matches!(
        Jwk::from_spki_der(&ecdh).unwrap_err(),
        JoseError::UnsupportedKey(_)
    ));
    for wrong in [
        good[1..].to_vec(),
        good[..good.len() - 1].to_vec(),
        [good.as_slice(), &[0]].concat(),
        Vec::new(),
    ] {
        assert!(matches!(
            Jwk::from_spki_der(&wrong).unwrap_err(),
            JoseError::MalformedKey(_)
        ));
    }
    // In another document: a set as a member.
    let set = JwkSet::new(vec![Jwk::from_spki_der(&good).unwrap()]).unwrap();
    assert_eq!(serde_json::from_str::<JwkSet>(&set.to_json()).unwrap(), set);
    serde_json::from_str::<JwkSet>(r#"{"keys":[{"kty":"X"}]}"#).unwrap_err();
}
