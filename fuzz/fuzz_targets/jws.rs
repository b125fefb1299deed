//! A compact JWS from outside, against one key of each algorithm, and under a shared secret.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use sealstone_jose::{
    Algorithm, JwkSet, MacAlgorithm, MacKey, UnverifiedJwt, UnverifiedMacJwt, VerifierSet, base64url,
};

const ALL: [Algorithm; 5] = [
    Algorithm::Es256,
    Algorithm::Es384,
    Algorithm::EdDsa,
    Algorithm::Rs256,
    Algorithm::Ps256,
];

static KEYS: LazyLock<VerifierSet> = LazyLock::new(|| {
    let set = JwkSet::parse(include_bytes!("../keys.json")).expect("the committed keys");
    VerifierSet::new(&set, &ALL).expect("verifiers of the committed keys")
});

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    for part in text.split('.') {
        if let Ok(octets) = base64url::decode(part) {
            assert_eq!(base64url::encode(octets), part, "one text for one octet string");
        }
    }
    if let Ok(token) = UnverifiedMacJwt::parse(text) {
        assert!(UnverifiedJwt::parse(text).is_err(), "a token is of one kind");
        let key = MacKey::new(&[7; 64]).expect("a long key");
        if let Ok(verified) = token.verify(&key, &MacAlgorithm::ALL) {
            let _ = verified.claims::<serde_json::Value>();
        }
        return;
    }
    let Ok(token) = UnverifiedJwt::parse(text) else {
        return;
    };
    assert!(text.len() <= 16 * 1024, "the limit on a token");
    assert_eq!(text.bytes().filter(|byte| *byte == b'.').count(), 2);
    let algorithm = token.header().alg;
    if let Ok(verified) = KEYS.verify(token) {
        assert!(ALL.contains(&algorithm));
        // Only what was signed verifies: this is the payload in the text, octet for octet.
        let payload = text.split('.').nth(1).unwrap_or_default();
        assert_eq!(base64url::encode(verified.payload()), payload);
        let _ = verified.claims::<serde_json::Value>();
    }
});
