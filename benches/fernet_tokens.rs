//! Keystone's tokens, read and written: Fernet beside AES-CBC and HMAC alone, JWS beside the bare signature, and both
//! beside Keystone's own Python when `KEYSTONE_LAB_PYTHON` names an interpreter that has it.

#[path = "fernet_tokens/hostile.rs"]
mod hostile;
#[path = "measure.rs"]
mod measure;

use std::hint::black_box;
use std::process::Command;
use std::time::Duration;

use aws_lc_rs::cipher::{
    AES_128, DecryptionContext, EncryptionContext, PaddedBlockDecryptingKey, PaddedBlockEncryptingKey,
    UnboundCipherKey,
};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, ParsedPublicKey,
};
use base64_simd::{URL_SAFE, URL_SAFE_NO_PAD};
use measure::{Candidate, allocations_of, compare, effort};
use rustls_pki_types::UnixTime;
use rustls_pki_types::pem::PemObject;
use sealstone_fernet::{
    AuditId, AuthMethods, FernetKey, FernetKeys, FernetTokens, Iv, JwsAlgorithm, JwsPrivateKey,
    JwsTokenIssuer, JwsTokenReader, KeystoneId, Scope, TokenClaims, TokenSubject,
};

/// Of a whole token to the bare primitives.
const TARGET: f64 = 1.25;
const KEY: &str = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";

fn claims() -> TokenClaims {
    let id = |text: &str| KeystoneId::parse(text).expect("an id");
    let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    let project = Scope::Project(id("c01ec4b87d21437eab890b4776ab6212"));
    TokenClaims {
        subject: TokenSubject::new(id("451f13c616a94105ba37aae4469c6963"), &["password"], project),
        audit_ids: AuditId::new([9; 16]).into(),
        issued_at: at(1_795_302_749),
        expires_at: at(1_795_306_349),
    }
}

fn main() {
    let claims = claims();
    // `-- fernet` measures that alone.
    let named: Vec<String> = std::env::args()
        .skip(1)
        .filter(|name| !name.starts_with('-'))
        .collect();
    let is_meant = |name: &str| named.is_empty() || named.iter().any(|other| other == name);
    if is_meant("fernet") {
        fernet(&claims);
    }
    if is_meant("jws") {
        jws(&claims);
    }
    if is_meant("hostile") {
        hostile::refused(&claims);
    }
    if is_meant("python") {
        python(&claims);
    }
}

fn report(what: &str, ratio: f64) {
    println!("{what}: {ratio:.3} (target: at most {TARGET})");
}

fn fernet(claims: &TokenClaims) {
    let keys = FernetKeys::new(vec![FernetKey::parse(KEY).expect("a key")]).expect("keys");
    let domain = KeystoneId::parse("default").expect("a domain");
    let tokens = FernetTokens::new(keys.clone(), AuthMethods::default(), domain);
    let iv = Iv::new([7; 16]);
    let token = tokens.issue(claims, iv).expect("a token");
    let now = claims.issued_at;
    assert_eq!(&tokens.read(&token, now).expect("our token").claims, claims);
    println!("Fernet: {} characters", token.len());

    let octets = URL_SAFE_NO_PAD.decode_to_vec(&token).expect("base64url");
    let key = URL_SAFE.decode_to_vec(KEY).expect("a key");
    let tag = hmac::Key::new(hmac::HMAC_SHA256, &key[..16]);
    let cipher = || UnboundCipherKey::new(&AES_128, &key[16..]).expect("a key");
    let encrypting = PaddedBlockEncryptingKey::cbc_pkcs7(cipher()).expect("a key");
    let decrypting = PaddedBlockDecryptingKey::cbc_pkcs7(cipher()).expect("a key");
    let signed = octets.len() - 32;
    let payload = keys.open(&token).expect("our token").payload().to_vec();

    let mut room = Vec::with_capacity(octets.len());
    let open_bare = || {
        hmac::verify(&tag, black_box(&octets[..signed]), &octets[signed..]).expect("the tag");
        room.clear();
        room.extend_from_slice(&octets[25..signed]);
        let context = DecryptionContext::Iv128((&[7; 16]).into());
        black_box(decrypting.decrypt(&mut room, context).expect("the padding"));
    };
    // Without the library's own moves of the tag, as the crate does it.
    let mut lean_room = Vec::with_capacity(octets.len());
    let open_lean = || {
        let mut own = [0; 32];
        hmac::sign_to_buffer(&tag, black_box(&octets[..signed]), &mut own).expect("a tag");
        verify_slices_are_equal(&own, &octets[signed..]).expect("the tag");
        lean_room.clear();
        lean_room.extend_from_slice(&octets[25..signed]);
        let context = DecryptionContext::Iv128((&[7; 16]).into());
        black_box(decrypting.decrypt(&mut lean_room, context).expect("the padding"));
    };
    let open = || {
        black_box(&keys.open(black_box(&token)));
    };
    let read = || {
        black_box(&tokens.read(black_box(&token), now));
    };
    let ratios = compare(&mut [
        Candidate::new("floor: HMAC checked, AES-CBC decrypted", open_bare),
        Candidate::new("Fernet opened: base64url, tag, decrypted", open),
        Candidate::new("Fernet token read", read),
        Candidate::new("the floor, tag written in place", open_lean),
    ]);
    report("Fernet read / floor", ratios[2]);
    report(
        "Fernet read / the floor, tag written in place",
        ratios[2] / ratios[3],
    );
    println!("Rust allocations: {:.2}", allocations_of(read));

    let mut room = Vec::with_capacity(octets.len());
    let seal_bare = || {
        room.clear();
        room.extend_from_slice(black_box(&payload));
        let context = EncryptionContext::Iv128((&[7; 16]).into());
        encrypting
            .less_safe_encrypt(&mut room, context)
            .expect("encrypted");
        // Over as many octets as a token's tag.
        black_box(hmac::sign(&tag, black_box(&octets[..signed])));
    };
    let mut lean_room = Vec::with_capacity(octets.len());
    let seal_lean = || {
        lean_room.clear();
        lean_room.extend_from_slice(black_box(&payload));
        let context = EncryptionContext::Iv128((&[7; 16]).into());
        encrypting
            .less_safe_encrypt(&mut lean_room, context)
            .expect("encrypted");
        let mut own = [0; 32];
        black_box(hmac::sign_to_buffer(&tag, black_box(&octets[..signed]), &mut own).expect("a tag"));
    };
    let seal = || {
        black_box(keys.seal(black_box(&payload), now, iv).expect("a token"));
    };
    let write = || {
        black_box(tokens.issue(black_box(claims), iv).expect("a token"));
    };
    let ratios = compare(&mut [
        Candidate::new("floor: AES-CBC encrypted, HMAC made", seal_bare),
        Candidate::new("Fernet sealed: encrypted, tag, base64url", seal),
        Candidate::new("Fernet token written", write),
        Candidate::new("the floor, tag written in place", seal_lean),
    ]);
    report("Fernet written / floor", ratios[2]);
    report(
        "Fernet written / the floor, tag written in place",
        ratios[2] / ratios[3],
    );
    println!("Rust allocations: {:.2}", allocations_of(write));
}

fn jws(claims: &TokenClaims) {
    let key = JwsPrivateKey::generate(JwsAlgorithm::Es256).expect("a key");
    let pem = key.to_pem().expect("a key");
    let der = rustls_pki_types::PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).expect("PEM");
    let bare =
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.secret_pkcs8_der()).expect("a key");
    let public = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, bare.public_key().as_ref()).expect("a key");
    let reader =
        JwsTokenReader::new(vec![key.public_key().clone()], &[JwsAlgorithm::Es256]).expect("a reader");
    let issuer = JwsTokenIssuer::new(key);
    let token = issuer.sign(claims).expect("a token");
    let now = claims.issued_at;
    assert_eq!(&reader.read(&token, now).expect("our token"), claims);
    println!("\nJWS: {} characters", token.len());
    let (message, signature) = token.rsplit_once('.').expect("three parts");
    let signature = URL_SAFE_NO_PAD.decode_to_vec(signature).expect("base64url");
    let random = SystemRandom::new();

    let ratios = compare(&mut [
        Candidate::new("floor: ES256 verified", || {
            public
                .verify_sig(black_box(message).as_bytes(), &signature)
                .expect("the signature");
        }),
        Candidate::new("JWS token read", || {
            black_box(&reader.read(black_box(&token), now));
        }),
    ]);
    report("JWS read / floor", ratios[1]);
    let ratios = compare(&mut [
        Candidate::new("floor: ES256 signed", || {
            black_box(
                bare.sign(&random, black_box(message).as_bytes())
                    .expect("a signature"),
            );
        }),
        Candidate::new("JWS token written", || {
            black_box(issuer.sign(black_box(claims)).expect("a token"));
        }),
    ]);
    report("JWS written / floor", ratios[1]);
}

/// Keystone's own formatters over the same claims, each in CPU time for a token.
fn python(claims: &TokenClaims) {
    let Some(interpreter) = std::env::var_os("KEYSTONE_LAB_PYTHON") else {
        println!("\nKEYSTONE_LAB_PYTHON is not set: Keystone's own formatters are not measured");
        return;
    };
    let (_rounds, calls) = effort();
    let output = Command::new(interpreter)
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/fernet_tokens/formatters.py"
        ))
        .args([
            calls.to_string(),
            KEY.to_owned(),
            claims.subject.user_id.to_string(),
        ])
        .env("PYTHONWARNINGS", "ignore")
        .output()
        .expect("the interpreter starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    println!(
        "\nKeystone's own formatters, CPU time for a token\n{}",
        String::from_utf8_lossy(&output.stdout)
    );
}
