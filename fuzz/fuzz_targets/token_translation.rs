//! A Keystone token on its way into its other form: as text from outside, as a payload under a good Fernet key, and as
//! claims under a good JWS key. What comes out says what went in, ends when it did, and comes back.
#![no_main]

use std::sync::LazyLock;
use std::time::Duration;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use libfuzzer_sys::fuzz_target;
use rustls_pki_types::UnixTime;
use sealstone_bridge::{TokenForm, Translator};
use sealstone_fernet::{
    AuthMethods, FernetKey, FernetKeys, FernetTokens, Iv, JwsAlgorithm, JwsPrivateKey, JwsPublicKey,
    JwsTokenIssuer, JwsTokenReader, KeystoneId, ReadAt, TokenClaims,
};
use sealstone_jose::base64url;

const NOW: UnixTime = UnixTime::since_unix_epoch(Duration::from_secs(1_795_302_749));
const WINDOW: Duration = Duration::from_secs(172_800);

struct Pool {
    keys: FernetKeys,
    fernet: FernetTokens,
    forger: Ed25519KeyPair,
    reader: JwsTokenReader,
    translator: Translator,
}

static POOL: LazyLock<Pool> = LazyLock::new(|| {
    let key = FernetKey::parse("cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=").expect("a key");
    let keys = FernetKeys::new(vec![key]).expect("keys");
    let domain = KeystoneId::parse("default").expect("a domain");
    let fernet = FernetTokens::new(keys.clone(), AuthMethods::default(), domain);
    let forger = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a key");
    // RFC 8410 §4.
    let prefix = [
        0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
    ];
    let der = base64_of(&[prefix.as_slice(), forger.public_key().as_ref()].concat());
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{der}\n-----END PUBLIC KEY-----\n");
    let forged = JwsPublicKey::from_pem(&pem).expect("a public key");
    let own = JwsPrivateKey::generate(JwsAlgorithm::EdDsa).expect("a key");
    let public = vec![own.public_key().clone(), forged];
    let reader = JwsTokenReader::new(public, &[JwsAlgorithm::EdDsa]).expect("a reader");
    let issuer = JwsTokenIssuer::new(own);
    let translator = Translator::new(fernet.clone(), reader.clone(), issuer, WINDOW).expect("a translator");
    Pool {
        keys,
        fernet,
        forger,
        reader,
        translator,
    }
});

fn base64_of(octets: &[u8]) -> String {
    let mut text = base64url::encode(octets).replace('-', "+").replace('_', "/");
    while text.len() % 4 != 0 {
        text.push('=');
    }
    text
}

/// Whatever its time, up to the window.
fn at() -> ReadAt {
    ReadAt {
        now: NOW,
        expired_window: WINDOW,
    }
}

/// Fernet has methods in the order of their bits.
fn sorted(mut claims: TokenClaims) -> TokenClaims {
    let mut methods = claims.subject.methods.to_vec();
    methods.sort();
    claims.subject.methods = methods.into();
    claims
}

fuzz_target!(|data: &[u8]| {
    let pool = &*POOL;
    if let Ok(text) = std::str::from_utf8(data) {
        for target in [TokenForm::Jws, TokenForm::Fernet] {
            let _ = pool.translator.translate(text, target, NOW);
        }
    }
    if let Ok(token) = pool.keys.seal(data, NOW, Iv::new([7; 16]))
        && let Ok(Some(there)) = pool.translator.translate(&token, TokenForm::Jws, NOW)
    {
        let read = pool
            .fernet
            .read(&token, at())
            .expect("what was translated is read")
            .claims;
        assert_eq!(pool.reader.read(there.expose(), at()).expect("a token"), read);
        // An identifier that Keystone would pack otherwise comes only from others, and does not come back.
        if let Ok(back) = pool.translator.translate(there.expose(), TokenForm::Fernet, NOW) {
            let back = back.expect("a token of the other form");
            assert_eq!(
                pool.fernet.read(back.expose(), at()).expect("a token").claims,
                read
            );
        }
    }
    let message = format!(
        "{}.{}",
        base64url::encode(r#"{"alg":"EdDSA","typ":"JWT"}"#),
        base64url::encode(data)
    );
    let signature = base64url::encode(pool.forger.sign(message.as_bytes()));
    let token = format!("{message}.{signature}");
    if let Ok(Some(there)) = pool.translator.translate(&token, TokenForm::Fernet, NOW) {
        let later = ReadAt {
            now: UnixTime::since_unix_epoch(Duration::from_secs(NOW.as_secs() + 60)),
            expired_window: WINDOW + Duration::from_secs(60),
        };
        let mut read = pool
            .reader
            .read(&token, later)
            .expect("what was translated is read");
        read.issued_at = read.issued_at.min(NOW);
        if read.subject.methods == ["oauth2_credential"] {
            read.subject.methods = Default::default();
        }
        let fernet = pool.fernet.read(there.expose(), at()).expect("a token").claims;
        assert_eq!(sorted(fernet.clone()), sorted(read));
        let back = pool.translator.translate(there.expose(), TokenForm::Jws, NOW);
        let back = back.expect("a good token").expect("of the other form");
        assert_eq!(pool.reader.read(back.expose(), at()).expect("a token"), fernet);
    }
});
