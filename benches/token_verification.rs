//! A whole JWT, from its text to its claims, beside the bare ES256 verification over the same octets.

#[path = "measure.rs"]
mod measure;
#[path = "token_claims.rs"]
mod token_claims;

use std::hint::black_box;
use std::sync::Arc;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ParsedPublicKey};
use criterion::Criterion;
use measure::{Candidate, allocations_of, compare};
use sealstone_jose::{
    Algorithm, JoseError, JwkSet, JwtEncoder, KeyId, PrivateKey, Signer, UnverifiedJwt, VerifiedJwt,
    VerifierSet, base64url,
};
use token_claims::Claims;

/// Of the whole token to the bare verification.
const TARGET: f64 = 1.08;

fn main() {
    let key = PrivateKey::generate(Algorithm::Es256).expect("a key");
    let signer =
        Arc::new(Signer::new(&key, KeyId::parse("2026-08-es256-1").expect("a name")).expect("a signer"));
    let set = JwkSet::new(vec![signer.public_jwk().clone()]).expect("a set");
    let keys = VerifierSet::new(&set, &[Algorithm::Es256]).expect("verifiers");
    let token = JwtEncoder::new(signer, "at+jwt")
        .and_then(|encoder| encoder.encode_to_string(&Claims::example()))
        .expect("a token");
    // Parsed once, as ours is: the harder floor.
    let bare = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key.public_jwk().to_spki_der()).expect("a key");
    let (message, signature) = token.rsplit_once('.').expect("three parts");
    let signature = base64url::decode(signature).expect("base64url");

    let check = |token: &str| -> Result<VerifiedJwt, JoseError> { keys.verify(UnverifiedJwt::parse(token)?) };

    // The results: our claims, and a refusal when one octet of the payload differs.
    let verified = check(&token).expect("our signature");
    assert_eq!(
        verified.claims::<Claims>().expect("our claims"),
        Claims::example()
    );
    let at = message.len() - 40;
    let other = if token.as_bytes()[at] == b'A' { "B" } else { "A" };
    let spoiled = format!("{}{other}{}", &token[..at], &token[at + 1..]);
    assert_eq!(check(&spoiled).expect_err("spoiled"), JoseError::BadSignature);

    let bare_verification = || {
        bare.verify_sig(black_box(message).as_bytes(), &signature)
            .expect("our signature")
    };
    let signature_alone = || {
        black_box(check(black_box(&token)).expect("our signature"));
    };
    let whole = || {
        let verified = check(black_box(&token)).expect("our signature");
        black_box(verified.claims::<Claims>().expect("our claims"));
    };

    let mut criterion = Criterion::default().configure_from_args();
    criterion.bench_function("token_verification/bare verification", |bencher| {
        bencher.iter(bare_verification)
    });
    criterion.bench_function("token_verification/whole token", |bencher| bencher.iter(whole));
    criterion.final_summary();

    let ratios = compare(&mut [
        Candidate::new("bare ES256 verification of aws-lc-rs", bare_verification),
        Candidate::new("header, key and signature", signature_alone),
        Candidate::new("and the claims, by strict JSON", whole),
    ]);
    println!(
        "Rust allocations: bare verification {:.2}, header, key and signature {:.2}, with the claims {:.2}",
        allocations_of(bare_verification),
        allocations_of(signature_alone),
        allocations_of(whole),
    );
    println!(
        "whole token / bare verification: {:.3} (target: at most {TARGET})",
        ratios[2]
    );
}
