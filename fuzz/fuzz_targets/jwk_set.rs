//! A key set as a client registers it or a `jwks_uri` serves it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sealstone_jose::{Algorithm, Jwk, JwkSet, Verifier};

const ALL: [Algorithm; 5] = [
    Algorithm::Es256,
    Algorithm::Es384,
    Algorithm::EdDsa,
    Algorithm::Rs256,
    Algorithm::Ps256,
];

fuzz_target!(|data: &[u8]| {
    let lenient = JwkSet::parse(data);
    if let Ok(strict) = JwkSet::parse_strict(data) {
        let lenient = lenient
            .as_ref()
            .expect("what registration takes, everybody takes");
        assert_eq!(strict.keys().len(), lenient.keys().len());
    }
    if let Ok(set) = lenient {
        let printed = set.to_json();
        let again = JwkSet::parse(printed.as_bytes()).expect("a printed set parses");
        assert_eq!(again.to_json(), printed);
        for key in set.keys() {
            check(key);
        }
    }
    if let Ok(key) = Jwk::parse(data) {
        check(&key);
    }
    if let Ok(key) = Jwk::from_spki_der(data) {
        check(&key);
    }
});

fn check(key: &Jwk) {
    let printed: serde_json::Value = serde_json::from_str(&key.to_json()).expect("JSON");
    for member in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
        assert!(printed.get(member).is_none(), "a private member left: {member}");
    }
    let again = Jwk::parse(key.to_json().as_bytes()).expect("a printed key parses");
    assert_eq!(again.thumbprint().to_string(), key.thumbprint().to_string());
    let by_spki = Jwk::from_spki_der(&key.to_spki_der()).expect("its SPKI parses");
    assert_eq!(by_spki.thumbprint().to_string(), key.thumbprint().to_string());
    for algorithm in ALL {
        if let Ok(verifier) = Verifier::new(key, algorithm) {
            assert!(key.supports(algorithm));
            assert!(verifier.verify(b"message", b"no signature").is_err());
        }
    }
}
