//! JWT under a shared secret: by the vectors of the RFCs, and never with anything that is public.

use sealstone_jose::{
    Algorithm, JoseError, JwkSet, KeyId, MacAlgorithm, MacKey, PrivateKey, Signer, UnverifiedJwt,
    UnverifiedMacJwt, base64url,
};
use serde_json::{Value, json};

const ALL: &[MacAlgorithm] = &MacAlgorithm::ALL;

fn key(octets: usize) -> MacKey {
    MacKey::new(&vec![b'k'; octets]).unwrap()
}

fn refusal(token: &str, key: &MacKey, allowed: &[MacAlgorithm]) -> JoseError {
    UnverifiedMacJwt::parse(token)
        .and_then(|token| token.verify(key, allowed))
        .unwrap_err()
}

/// RFC 7515 A.1 with its key; its payload has line ends in the JSON, which is strict JSON still.
#[test]
fn the_vector_of_rfc_7515_a1() {
    let secret = base64url::decode(
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
    )
    .unwrap();
    let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9\
                 .eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ\
                 .dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let key = MacKey::new(&secret).unwrap();
    let verified = UnverifiedMacJwt::parse(token).unwrap().verify(&key, ALL).unwrap();
    assert_eq!(verified.claims::<Value>().unwrap()["iss"], "joe");
    assert_eq!(
        refusal(token, &key, &[MacAlgorithm::Hs512]),
        JoseError::AlgorithmNotAllowed
    );
    let other = MacKey::new(&[&secret[..], b"x"].concat()).unwrap();
    assert_eq!(refusal(token, &other, ALL), JoseError::BadSignature);
}

#[test]
fn each_algorithm_reads_what_it_made_and_no_other_does() {
    let key = key(131);
    for made in MacAlgorithm::ALL {
        let token = key.encode(made, "JWT", &json!({"sub": "ci"})).unwrap();
        let parsed = UnverifiedMacJwt::parse(&token).unwrap();
        assert_eq!(parsed.algorithm(), made);
        assert!(parsed.verify(&key, &[made]).is_ok());
        for other in MacAlgorithm::ALL.into_iter().filter(|other| *other != made) {
            assert_eq!(refusal(&token, &key, &[other]), JoseError::AlgorithmNotAllowed);
            // The same token under another algorithm's name.
            let (_, rest) = token.split_once('.').unwrap();
            let header = json!({"alg": other.as_str(), "typ": "JWT"}).to_string();
            let renamed = format!("{}.{rest}", base64url::encode(header));
            assert_eq!(refusal(&renamed, &key, ALL), JoseError::BadSignature);
        }
    }
}

#[test]
fn a_secret_is_as_long_as_the_hash() {
    assert_eq!(MacKey::new(&[b'k'; 31]).unwrap_err().code(), "jose.weak_key");
    assert_eq!(MacKey::new(&[b'k'; 513]).unwrap_err().code(), "jose.too_large");
    for algorithm in MacAlgorithm::ALL {
        let shortest = algorithm.min_key_length();
        assert!(key(shortest).encode(algorithm, "JWT", &json!({})).is_ok());
        if shortest > MacKey::MIN_BYTES {
            let short = key(shortest - 1);
            assert!(short.encode(algorithm, "JWT", &json!({})).is_err());
            let token = key(shortest).encode(algorithm, "JWT", &json!({})).unwrap();
            assert_eq!(refusal(&token, &short, ALL).code(), "jose.weak_key");
        }
    }
    assert_eq!(format!("{:?}", key(32)), "MacKey([redacted])");
}

#[test]
fn what_was_changed_or_cut_is_refused() {
    let key = key(64);
    let token = key
        .encode(MacAlgorithm::Hs256, "JWT", &json!({"sub": "ci"}))
        .unwrap();
    let (input, tag) = token.rsplit_once('.').unwrap();
    let octets = base64url::decode(tag).unwrap();
    for cut in [
        &octets[..0],
        &octets[..16],
        &octets[..31],
        &[&octets[..], &[0]].concat(),
    ] {
        let token = format!("{input}.{}", base64url::encode(cut));
        assert_eq!(refusal(&token, &key, ALL), JoseError::BadSignature);
    }
    let (header, _) = input.split_once('.').unwrap();
    let other = format!("{header}.{}.{tag}", base64url::encode(r#"{"sub":"admin"}"#));
    assert_eq!(refusal(&other, &key, ALL), JoseError::BadSignature);
    assert_eq!(refusal(input, &key, ALL), JoseError::NotCompact);
    assert!(key.encode(MacAlgorithm::Hs256, "JWT", &json!([1])).is_err());
}

/// A05, A06 and A01: neither reader reads what is the other's, whatever its key; so no public key becomes a secret.
#[test]
fn a05_a06_the_two_kinds_of_token_are_read_by_two_readers() {
    let private = PrivateKey::generate(Algorithm::Es256).unwrap();
    let signer = Signer::new(&private, KeyId::parse("k1").unwrap()).unwrap();
    let public = signer.public_jwk().clone();
    for secret in [
        public.to_spki_der(),
        public.to_json().into_bytes(),
        JwkSet::new(vec![public.clone()]).unwrap().to_json().into_bytes(),
    ] {
        let forged = MacKey::new(&secret).unwrap();
        let token = forged
            .encode(MacAlgorithm::Hs256, "JWT", &json!({"sub": "ci"}))
            .unwrap();
        assert_eq!(
            UnverifiedJwt::parse(&token).unwrap_err(),
            JoseError::AlgorithmNotAllowed
        );
    }
    for name in [
        "none", "None", "ES256", "RS256", "EdDSA", "hs256", "HS1", "HS256 ",
    ] {
        let header = json!({"alg": name, "typ": "JWT"}).to_string();
        let token = format!("{}.{}.", base64url::encode(header), base64url::encode("{}"));
        assert_eq!(
            UnverifiedMacJwt::parse(&token).unwrap_err(),
            JoseError::AlgorithmNotAllowed,
            "{name}"
        );
    }
    let header = json!({"alg": "HS256", "jwk": {"kty": "oct", "k": "AAAA"}}).to_string();
    let token = format!("{}.{}.", base64url::encode(header), base64url::encode("{}"));
    assert_eq!(
        UnverifiedMacJwt::parse(&token).unwrap_err(),
        JoseError::ForbiddenHeader("jwk")
    );
}
