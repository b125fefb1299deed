//! What refusing costs: tokens that are none, from outsiders and from whoever holds a key.

use std::hint::black_box;

use base64_simd::{URL_SAFE, URL_SAFE_NO_PAD};
use rustls_pki_types::UnixTime;
use sealstone_fernet::{
    AuthMethods, FernetKey, FernetKeys, FernetTokens, Iv, JwsAlgorithm, JwsPrivateKey, JwsTokenIssuer,
    JwsTokenReader, KeystoneId, TokenClaims,
};

use crate::KEY;
use crate::measure::{Candidate, compare};

/// Refuses each, and asserts that no allocation is larger than the token.
pub(crate) fn refused(claims: &TokenClaims) {
    let keys = FernetKeys::new(vec![FernetKey::parse(KEY).expect("a key")]).expect("keys");
    let domain = KeystoneId::parse("default").expect("a domain");
    let tokens = FernetTokens::new(keys.clone(), AuthMethods::default(), domain);
    let now = claims.issued_at;
    let forged = fernet(
        &keys,
        &tokens.issue(claims, Iv::new([7; 16])).expect("a token"),
        now,
    );
    measured("Fernet", &forged, |token| tokens.read(token, now).is_err());

    let key = JwsPrivateKey::generate(JwsAlgorithm::Es256).expect("a key");
    let public = vec![key.public_key().clone()];
    let reader = JwsTokenReader::new(public, &[JwsAlgorithm::Es256]).expect("a reader");
    let token = JwsTokenIssuer::new(key).sign(claims).expect("a token");
    measured("JWS", &jws(&token), |token| reader.read(token, now).is_err());
}

fn measured(kind: &str, cases: &[(&'static str, String)], is_refused: impl Fn(&str) -> bool) {
    println!("\n{kind}: refused");
    let is_refused = &is_refused;
    let candidates = cases.iter().map(|(name, token)| {
        assert!(is_refused(token), "{kind}: {name}");
        Candidate::new(name, move || {
            black_box(is_refused(black_box(token)));
        })
    });
    let mut candidates: Vec<_> = candidates.collect();
    for ((name, token), candidate) in cases.iter().zip(&mut candidates) {
        let (largest, length) = (candidate.largest(), token.len());
        assert!(largest <= length, "{kind}: {name}: {largest} octets for {length}");
    }
    compare(&mut candidates);
}

/// Lengths, padding, versions, times, tags, and payloads under the right key that promise more than there is.
fn fernet(keys: &FernetKeys, token: &str, now: UnixTime) -> Vec<(&'static str, String)> {
    let octets = URL_SAFE_NO_PAD.decode_to_vec(token).expect("base64url");
    let changed = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut octets = octets.clone();
        change(&mut octets);
        URL_SAFE.encode_to_string(octets)
    };
    let sealed = |payload: &[u8]| keys.seal(payload, now, Iv::new([7; 16])).expect("a payload");
    let other = FernetKey::parse("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=").expect("a key");
    let other = FernetKeys::new(vec![other]).expect("keys");
    let payload = keys.open(token).expect("our token").payload().to_vec();
    vec![
        ("nothing", String::new()),
        ("no base64url", "*".repeat(200)),
        ("far too long", "A".repeat(1 << 20)),
        ("as long as may be, and noise", "A".repeat(8 * 1024)),
        ("another version", changed(&|octets| octets[0] = 0x81)),
        (
            "a time beyond every calendar",
            changed(&|octets| octets[1..9].fill(0xff)),
        ),
        (
            "its tag changed",
            changed(&|octets| *octets.last_mut().expect("a tag") ^= 1),
        ),
        ("cut off", changed(&|octets| octets.truncate(60))),
        (
            "another key's",
            other.seal(&payload, now, Iv::new([7; 16])).expect("a payload"),
        ),
        (
            "four thousand million members",
            sealed(&[0xdd, 0xff, 0xff, 0xff, 0xff]),
        ),
        (
            "four thousand million octets",
            sealed(&[0x92, 0x02, 0xc6, 0xff, 0xff, 0xff, 0xff]),
        ),
        ("a map of as many", sealed(&[0xdf, 0xff, 0xff, 0xff, 0xff])),
        ("a thousand arrays in each other", sealed(&[0x91; 1_000])),
        ("a version that there is not", sealed(&[0x92, 0xcc, 0xff, 0xc0])),
    ]
}

/// What is refused before a signature is looked at, and one that is looked at.
fn jws(token: &str) -> Vec<(&'static str, String)> {
    let (head, rest) = token.split_once('.').expect("three parts");
    let (payload, signature) = rest.split_once('.').expect("three parts");
    let none = URL_SAFE_NO_PAD.encode_to_string(r#"{"alg":"none","typ":"JWT"}"#);
    let deep = URL_SAFE_NO_PAD.encode_to_string("[".repeat(2_000));
    vec![
        ("nothing", String::new()),
        ("far too long", "A".repeat(1 << 20)),
        ("two parts", format!("{head}.{payload}")),
        ("without a signature", format!("{none}.{payload}.")),
        (
            "a head of two thousand arrays",
            format!("{deep}.{payload}.{signature}"),
        ),
        (
            "a signature cut off",
            format!("{head}.{payload}.{}", &signature[..40]),
        ),
    ]
}
