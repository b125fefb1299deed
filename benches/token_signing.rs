//! A whole JWT beside the bare ES256 signature over the same octets.

#[path = "measure.rs"]
mod measure;
#[path = "token_claims.rs"]
mod token_claims;

use std::cell::RefCell;
use std::hint::black_box;
use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use criterion::Criterion;
use measure::{Candidate, allocations_of, compare};
use sealstone_jose::{
    Algorithm, JwkSet, JwtBuffer, JwtEncoder, KeyId, PrivateKey, Signer, UnverifiedJwt, VerifierSet,
    base64url,
};
use token_claims::Claims;

/// Of the whole token to the bare signature.
const TARGET: f64 = 1.10;
/// Rust allocations for a token.
const MOST_ALLOCATIONS: f64 = 8.0;

fn main() {
    let key = PrivateKey::generate(Algorithm::Es256).expect("a key");
    let signer =
        Arc::new(Signer::new(&key, KeyId::parse("2026-08-es256-1").expect("a name")).expect("a signer"));
    let keys = JwkSet::new(vec![signer.public_jwk().clone()]).expect("a set");
    let keys = VerifierSet::new(&keys, &[Algorithm::Es256]).expect("verifiers");
    let encoder = JwtEncoder::new(Arc::clone(&signer), "at+jwt").expect("an encoder");
    let bare =
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &key.to_pkcs8_der()).expect("a key");
    let random = SystemRandom::new();

    // The result: a token that verifies and says what was put in.
    let claims = RefCell::new(Claims::example());
    let buffer = RefCell::new(JwtBuffer::new());
    let token = encoder.encode_to_string(&*claims.borrow()).expect("a token");
    let verified = keys
        .verify(UnverifiedJwt::parse(&token).expect("compact"))
        .expect("our signature");
    assert_eq!(verified.claims::<Claims>().expect("our claims"), *claims.borrow());
    let message = token.rsplit_once('.').expect("three parts").0;
    println!(
        "claims: {} bytes of JSON; signed: {} bytes",
        verified.payload().len(),
        message.len()
    );

    let sign = || {
        black_box(
            bare.sign(&random, black_box(message).as_bytes())
                .expect("a signature"),
        );
    };
    let encode = || {
        let mut buffer = buffer.borrow_mut();
        black_box(
            encoder
                .encode(&*black_box(claims.borrow()), &mut buffer)
                .expect("a token"),
        );
    };
    // With a `jti` of sixteen random octets, as every issued token has one.
    let issue = || {
        let mut octets = [0; 16];
        aws_lc_rs::rand::fill(&mut octets).expect("randomness");
        claims.borrow_mut().jti = base64url::encode(octets);
        encode();
    };

    let mut criterion = Criterion::default().configure_from_args();
    criterion.bench_function("token_signing/bare signature", |bencher| bencher.iter(sign));
    criterion.bench_function("token_signing/whole token", |bencher| bencher.iter(issue));
    criterion.final_summary();

    let ratios = compare(&mut [
        Candidate::new("bare ES256 signature of aws-lc-rs", sign),
        Candidate::new("whole JWT, the same jti", encode),
        Candidate::new("whole JWT, a random jti", issue),
    ]);
    let (of_sign, of_issue) = (allocations_of(sign), allocations_of(issue));
    println!(
        "Rust allocations: bare signature {of_sign:.2}, whole token {of_issue:.2} (at most {MOST_ALLOCATIONS})"
    );
    println!(
        "whole token / bare signature: {:.3} (target: at most {TARGET})",
        ratios[2]
    );
    assert!(of_issue <= MOST_ALLOCATIONS, "{of_issue} allocations for a token");
}
