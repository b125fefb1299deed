//! An `Authorization: Basic` header.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sealstone_oauth_types::BasicCredentials;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(basic) = BasicCredentials::parse(text) {
        assert!(text.len() <= BasicCredentials::MAX_LENGTH);
        assert!(!basic.client_id.is_empty());
        let shown = format!("{basic:?}");
        let secret = basic.secret.expose();
        assert!(secret.len() < 12 || !shown.contains(secret), "a secret in Debug");
    }
});
