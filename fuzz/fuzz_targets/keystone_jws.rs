//! A JWS token of Keystone's: as text from outside, and as header and claims under a good key.
#![no_main]

use std::sync::LazyLock;
use std::time::Duration;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use libfuzzer_sys::fuzz_target;
use rustls_pki_types::UnixTime;
use sealstone_fernet::{JwsAlgorithm, JwsPrivateKey, JwsPublicKey, JwsTokenIssuer, JwsTokenReader, ReadAt};
use sealstone_jose::base64url;

struct Pair {
    forger: Ed25519KeyPair,
    reader: JwsTokenReader,
    issuer: JwsTokenIssuer,
}

static PAIR: LazyLock<Pair> = LazyLock::new(|| {
    let key = JwsPrivateKey::generate(JwsAlgorithm::EdDsa).expect("a key");
    let forger = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a key");
    let raw = forger.public_key().as_ref();
    // RFC 8410 §4.
    let prefix = [
        0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
    ];
    let der = base64_of(&[prefix.as_slice(), raw].concat());
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{der}\n-----END PUBLIC KEY-----\n");
    let forged = JwsPublicKey::from_pem(&pem).expect("a public key");
    let keys = vec![key.public_key().clone(), forged];
    Pair {
        forger,
        reader: JwsTokenReader::new(keys, &[JwsAlgorithm::EdDsa]).expect("a reader"),
        issuer: JwsTokenIssuer::new(key),
    }
});

fn base64_of(octets: &[u8]) -> String {
    let mut text = base64url::encode(octets).replace('-', "+").replace('_', "/");
    while text.len() % 4 != 0 {
        text.push('=');
    }
    text
}

/// The fuzzer's header and claims, or its claims under Keystone's own header, signed.
fn forge(header: &[u8], claims: &[u8]) -> String {
    let message = format!("{}.{}", base64url::encode(header), base64url::encode(claims));
    let signature = PAIR.forger.sign(message.as_bytes());
    format!("{message}.{}", base64url::encode(signature))
}

fuzz_target!(|data: &[u8]| {
    // A window over all times: what is refused is refused for its form.
    let ages = Duration::from_secs(u64::MAX);
    let at = ReadAt {
        now: UnixTime::since_unix_epoch(ages),
        expired_window: ages,
    };
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = PAIR.reader.read(text, at);
        let _ = (
            JwsPublicKey::from_pem(text),
            JwsPrivateKey::from_pem(JwsAlgorithm::Es256, text),
        );
    }
    let split = data.iter().position(|octet| *octet == 0).unwrap_or(data.len());
    let (header, rest) = data.split_at(split);
    let _ = PAIR
        .reader
        .read(&forge(header, rest.get(1..).unwrap_or_default()), at);
    let now = UnixTime::since_unix_epoch(Duration::from_secs(1_795_302_884));
    for time in [at, now.into()] {
        let token = forge(br#"{"alg":"EdDSA","typ":"JWT"}"#, data);
        if let Ok(claims) = PAIR.reader.read(&token, time) {
            let again = PAIR.issuer.sign(&claims).expect("what was read is written");
            assert_eq!(
                PAIR.reader.read(&again, time).expect("what was written is read"),
                claims
            );
        }
    }
});
