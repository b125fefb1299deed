//! A Fernet token or receipt of Keystone's: as text from outside, and as a payload under a good key.
#![no_main]

use std::sync::LazyLock;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use rustls_pki_types::UnixTime;
use sealstone_fernet::{
    AuthMethods, FernetKey, FernetKeys, FernetReceipts, FernetTokens, IssueError, Iv, KeystoneId,
};

/// With the methods that Keystone has by default, the default domain, and this key.
static TOKENS: LazyLock<(FernetKeys, FernetTokens, FernetReceipts)> = LazyLock::new(|| {
    let key = FernetKey::parse("cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=").expect("a key");
    let keys = FernetKeys::new(vec![key]).expect("keys");
    let methods = AuthMethods::default();
    let domain = KeystoneId::parse("default").expect("a domain");
    let tokens = FernetTokens::new(keys.clone(), methods.clone(), domain);
    (keys.clone(), tokens, FernetReceipts::new(keys, methods))
});

fuzz_target!(|data: &[u8]| {
    let (keys, tokens, receipts) = &*TOKENS;
    let now = UnixTime::since_unix_epoch(Duration::from_secs(1_795_302_749));
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = (tokens.read(text, now), receipts.read(text, now));
    }
    let Ok(sealed) = keys.seal(data, now, Iv::new([7; 16])) else {
        assert!(data.len() > 6000, "only length keeps a payload from being sealed");
        return;
    };
    assert_eq!(keys.open(&sealed).expect("what was sealed opens").payload(), data);
    if let Ok(read) = tokens.read(&sealed, now) {
        match tokens.issue(&read.claims, read.iv) {
            Ok(again) => {
                let second = tokens.read(&again, now).expect("what was written is read");
                assert_eq!(second, read);
            }
            // Text that Keystone would have packed into 16 octets comes only from others.
            Err(error) => assert_eq!(error, IssueError::Id),
        }
    }
    if let Ok(receipt) = receipts.read(&sealed, now) {
        match receipts.issue(&receipt, Iv::new([7; 16])) {
            Ok(again) => assert_eq!(
                receipts.read(&again, now).expect("what was written is read"),
                receipt
            ),
            Err(error) => assert_eq!(error, IssueError::Id),
        }
    }
});
