//! Private keys as `sealstone key import` reads them, files of key-encryption keys, and files of administrators.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sealstone_jose::{Algorithm, PrivateKey};
use sealstone_keyring::{Administrators, KeyEncryptionKey, StoredRing};

const ALL: [Algorithm; 5] = [
    Algorithm::Es256,
    Algorithm::Es384,
    Algorithm::EdDsa,
    Algorithm::Rs256,
    Algorithm::Ps256,
];

fuzz_target!(|data: &[u8]| {
    for algorithm in ALL {
        if let Ok(key) = PrivateKey::from_pkcs8_der(algorithm, data) {
            again(&key);
        }
    }
    if let Ok(key) = PrivateKey::from_jwk(data) {
        again(&key);
    }
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    for algorithm in ALL {
        if let Ok(key) = PrivateKey::from_pkcs8_pem(algorithm, text) {
            again(&key);
        }
    }
    if let Ok(keys) = KeyEncryptionKey::parse(text) {
        let ids = keys.ids();
        assert!((1..=8).contains(&ids.len()));
        assert!(ids.iter().all(|id| keys.opens(id)));
        let sealed = keys.seal_login(&[1; 32], "text").expect("sealed");
        assert_eq!(*keys.open_login(&[1; 32], &sealed).expect("opened"), "text");
    }
    let _ = Administrators::parse(text);
    let stored = StoredRing {
        generation: 1,
        json: text.to_owned(),
    };
    let _ = stored.sealed_under();
});

/// What was read is written in a form that is read as the same.
fn again(key: &PrivateKey) {
    let public = key.public_jwk().thumbprint().to_string();
    let jwk = key.to_private_jwk().expect("a key is written");
    let by_jwk = PrivateKey::from_jwk(jwk.as_bytes()).expect("and read");
    let by_der = PrivateKey::from_pkcs8_der(key.algorithm(), &key.to_pkcs8_der()).expect("and read");
    for same in [by_jwk, by_der] {
        assert_eq!(same.algorithm(), key.algorithm());
        assert_eq!(same.public_jwk().thumbprint().to_string(), public);
    }
}
