//! A JWS token of Keystone's: as text from outside, as header and claims under a good key, and with the signature of one of
//! three nodes changed: all keys together take what one of them takes.
#![no_main]

use std::sync::LazyLock;
use std::time::Duration;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use libfuzzer_sys::fuzz_target;
use rustls_pki_types::UnixTime;
use sealstone_fernet::{
    AuditId, JwsAlgorithm, JwsPrivateKey, JwsPublicKey, JwsTokenIssuer, JwsTokenReader, KeystoneId, ReadAt,
    Scope, TokenSubject,
};
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

/// Three nodes, and a token of each.
struct Nodes {
    together: JwsTokenReader,
    each: Vec<JwsTokenReader>,
    tokens: Vec<(String, Vec<u8>)>,
}

static NODES: LazyLock<Nodes> = LazyLock::new(|| {
    let generate = || JwsPrivateKey::generate(JwsAlgorithm::Es256).expect("a key");
    let issuers = [(); 3].map(|()| JwsTokenIssuer::new(generate()));
    let public: Vec<JwsPublicKey> = issuers.iter().map(|issuer| issuer.public_key().clone()).collect();
    let reader = |keys| JwsTokenReader::new(keys, &[JwsAlgorithm::Es256]).expect("a reader");
    let subject = TokenSubject::new(
        KeystoneId::parse("alice").expect("an id"),
        &["password"],
        Scope::Unscoped,
    );
    let signed = |issuer: &JwsTokenIssuer| {
        let end = UnixTime::since_unix_epoch(Duration::from_secs(u64::from(u32::MAX)));
        let token = issuer
            .mint(&subject, AuditId::new([7; 16]), NOW, end)
            .expect("a token");
        let (message, signature) = token.expose().rsplit_once('.').expect("three parts");
        (
            message.to_owned(),
            base64url::decode(signature).expect("base64url"),
        )
    };
    Nodes {
        tokens: issuers.iter().map(signed).collect(),
        each: public.iter().map(|key| reader(vec![key.clone()])).collect(),
        together: reader(public),
    }
});

const NOW: UnixTime = UnixTime::since_unix_epoch(Duration::from_secs(1_795_302_884));

/// The first octet says whose token it is, and whether the others are laid over its signature or are one.
fn of_several_nodes(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else {
        return;
    };
    let (message, good) = &NODES.tokens[usize::from(*first % 3)];
    let signature: Vec<u8> = if first & 0x80 == 0 {
        let noise = rest.iter().chain(std::iter::repeat(&0));
        good.iter()
            .zip(noise)
            .map(|(octet, noise)| octet ^ noise)
            .collect()
    } else {
        rest.iter().take(80).copied().collect()
    };
    let token = format!("{message}.{}", base64url::encode(&signature));
    let taken = NODES.each.iter().any(|reader| reader.read(&token, NOW).is_ok());
    assert_eq!(NODES.together.read(&token, NOW).is_ok(), taken);
    assert!(taken || signature != *good, "a good signature");
}

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
    of_several_nodes(data);
    for time in [at, NOW.into()] {
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
