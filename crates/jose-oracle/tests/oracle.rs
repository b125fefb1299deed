//! Each direction, each algorithm.

use std::sync::Arc;

use josekit::jwk::alg::ed::EdCurve;
use josekit::jwk::{Jwk as OracleJwk, KeyPair};
use josekit::jws::{
    ES256, ES384, EdDSA, HS256, HS384, HS512, JwsHeader, JwsSigner, JwsVerifier, PS256, RS256,
};
use josekit::jwt::{self, JwtPayload};
use sealstone_jose::{
    Algorithm, JoseError, Jwk, JwkSet, JwtEncoder, KeyId, MacAlgorithm, MacKey, PrivateKey, Signer,
    UnverifiedJwt, UnverifiedMacJwt, VerifierSet, base64url,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// A fresh key of josekit's own making.
fn oracle_key(algorithm: Algorithm) -> Box<dyn KeyPair> {
    match algorithm {
        Algorithm::Es256 => Box::new(ES256.generate_key_pair().unwrap()),
        Algorithm::Es384 => Box::new(ES384.generate_key_pair().unwrap()),
        Algorithm::EdDsa => Box::new(EdDSA.generate_key_pair(EdCurve::Ed25519).unwrap()),
        Algorithm::Rs256 => Box::new(RS256.generate_key_pair(2048).unwrap()),
        Algorithm::Ps256 => Box::new(PS256.generate_key_pair(2048).unwrap()),
    }
}

fn oracle_signer(algorithm: Algorithm, jwk: &OracleJwk) -> Box<dyn JwsSigner> {
    match algorithm {
        Algorithm::Es256 => Box::new(ES256.signer_from_jwk(jwk).unwrap()),
        Algorithm::Es384 => Box::new(ES384.signer_from_jwk(jwk).unwrap()),
        Algorithm::EdDsa => Box::new(EdDSA.signer_from_jwk(jwk).unwrap()),
        Algorithm::Rs256 => Box::new(RS256.signer_from_jwk(jwk).unwrap()),
        Algorithm::Ps256 => Box::new(PS256.signer_from_jwk(jwk).unwrap()),
    }
}

fn oracle_verifier(algorithm: Algorithm, jwk: &OracleJwk) -> Box<dyn JwsVerifier> {
    match algorithm {
        Algorithm::Es256 => Box::new(ES256.verifier_from_jwk(jwk).unwrap()),
        Algorithm::Es384 => Box::new(ES384.verifier_from_jwk(jwk).unwrap()),
        Algorithm::EdDsa => Box::new(EdDSA.verifier_from_jwk(jwk).unwrap()),
        Algorithm::Rs256 => Box::new(RS256.verifier_from_jwk(jwk).unwrap()),
        Algorithm::Ps256 => Box::new(PS256.verifier_from_jwk(jwk).unwrap()),
    }
}

fn ours_to_oracle(jwk: &Jwk) -> OracleJwk {
    OracleJwk::from_bytes(jwk.to_json()).unwrap()
}

fn oracle_to_ours(jwk: &OracleJwk) -> Jwk {
    Jwk::parse(jwk.to_string().as_bytes()).unwrap()
}

/// A token of ours by `key`, and the public key.
fn token(key: &PrivateKey) -> (String, Jwk) {
    let signer = Arc::new(Signer::new(key, KeyId::parse("k1").unwrap()).unwrap());
    let public = signer.public_jwk().clone();
    let encoder = JwtEncoder::new(signer, "at+jwt").unwrap();
    (
        encoder
            .encode_to_string(&json!({"sub": "machine", "n": 1}))
            .unwrap(),
        public,
    )
}

/// josekit takes the token, and refuses it when one character differs.
fn oracle_takes(token: &str, verifier: &dyn JwsVerifier) {
    let (payload, header) = jwt::decode_with_verifier(token, verifier).unwrap();
    assert_eq!(payload.subject(), Some("machine"));
    assert_eq!(header.token_type(), Some("at+jwt"));
    let (head, tail) = token.split_at(token.rfind('.').unwrap() + 10);
    let other = if tail.starts_with('A') { "B" } else { "A" };
    jwt::decode_with_verifier(format!("{head}{other}{}", &tail[1..]), verifier).unwrap_err();
}

/// We take the token, and refuse it when one character differs.
fn we_take(token: &str, jwk: &Jwk, algorithm: Algorithm) {
    let keys = VerifierSet::new(&JwkSet::new(vec![jwk.clone()]).unwrap(), &[algorithm]).unwrap();
    let verified = keys.verify(UnverifiedJwt::parse(token).unwrap()).unwrap();
    assert_eq!(verified.claims::<Value>().unwrap()["sub"], "machine");
    let (head, tail) = token.split_at(token.rfind('.').unwrap() + 10);
    let other = if tail.starts_with('A') { "B" } else { "A" };
    let spoiled = format!("{head}{other}{}", &tail[1..]);
    assert_eq!(
        keys.verify(UnverifiedJwt::parse(&spoiled).unwrap()).unwrap_err(),
        JoseError::BadSignature
    );
}

fn oracle_token(signer: &dyn JwsSigner) -> String {
    let mut header = JwsHeader::new();
    header.set_token_type("at+jwt");
    let mut payload = JwtPayload::new();
    payload.set_subject("machine");
    jwt::encode_with_signer(&payload, &header, signer).unwrap()
}

#[test]
fn signed_here_verified_there() {
    for algorithm in Algorithm::ALL {
        // A key of ours, then a key of josekit's.
        let theirs = oracle_key(algorithm).to_jwk_key_pair().to_string();
        for key in [
            PrivateKey::generate(algorithm).unwrap(),
            PrivateKey::from_jwk(theirs.as_bytes()).unwrap(),
        ] {
            let (token, public) = token(&key);
            oracle_takes(&token, &*oracle_verifier(algorithm, &ours_to_oracle(&public)));
        }
    }
}

#[test]
fn signed_there_verified_here() {
    for algorithm in Algorithm::ALL {
        let theirs = oracle_key(algorithm);
        let token = oracle_token(&*oracle_signer(algorithm, &theirs.to_jwk_key_pair()));
        we_take(&token, &oracle_to_ours(&theirs.to_jwk_public_key()), algorithm);
        // Another key of theirs does not verify it.
        let other = oracle_to_ours(&oracle_key(algorithm).to_jwk_public_key());
        let keys = VerifierSet::new(&JwkSet::new(vec![other]).unwrap(), &[algorithm]).unwrap();
        let refusal = keys.verify(UnverifiedJwt::parse(&token).unwrap()).unwrap_err();
        assert_eq!(refusal, JoseError::BadSignature, "{algorithm}");
    }
}

#[test]
fn our_private_keys_sign_there() {
    for algorithm in Algorithm::ALL {
        let key = PrivateKey::generate(algorithm).unwrap();
        let der = key.to_pkcs8_der();
        let signer: Box<dyn JwsSigner> = match algorithm {
            Algorithm::Es256 => Box::new(ES256.signer_from_der(&*der).unwrap()),
            Algorithm::Es384 => Box::new(ES384.signer_from_der(&*der).unwrap()),
            Algorithm::EdDsa => Box::new(EdDSA.signer_from_der(&*der).unwrap()),
            Algorithm::Rs256 => Box::new(RS256.signer_from_der(&*der).unwrap()),
            Algorithm::Ps256 => {
                let pem = key.to_pkcs8_pem().unwrap();
                PS256
                    .signer_from_pem(&*pem)
                    .expect_err("josekit refuses rsaEncryption in PEM for PSS");
                Box::new(PS256.signer_from_der(&*der).unwrap())
            }
        };
        we_take(&oracle_token(&*signer), key.public_jwk(), algorithm);
    }
}

#[test]
fn their_private_keys_sign_here() {
    for algorithm in Algorithm::ALL {
        let theirs = oracle_key(algorithm);
        let pem = String::from_utf8(theirs.to_pem_private_key()).unwrap();
        let from_pem = PrivateKey::from_pkcs8_pem(algorithm, &pem);
        let from_jwk = PrivateKey::from_jwk(theirs.to_jwk_key_pair().to_string().as_bytes()).unwrap();
        let key = if algorithm == Algorithm::Ps256 {
            from_pem.expect_err("id-RSASSA-PSS is not taken");
            from_jwk
        } else {
            let from_pem = from_pem.unwrap();
            assert_eq!(from_pem.public_jwk(), from_jwk.public_jwk());
            assert_eq!(*from_pem.to_pkcs8_der(), *from_jwk.to_pkcs8_der(), "{algorithm}");
            // The public part in DER is the same to the octet.
            assert_eq!(
                from_pem.public_jwk().to_spki_der(),
                theirs.to_der_public_key(),
                "{algorithm}"
            );
            from_pem
        };
        let (token, _) = token(&key);
        oracle_takes(&token, &*oracle_verifier(algorithm, &theirs.to_jwk_public_key()));
    }
}

#[test]
fn public_keys_both_ways_and_thumbprints() {
    for algorithm in Algorithm::ALL {
        let theirs = oracle_key(algorithm).to_jwk_public_key();
        let ours = oracle_to_ours(&theirs);
        let back = ours_to_oracle(&ours);
        let required: &[&str] = match algorithm {
            Algorithm::Es256 | Algorithm::Es384 => &["crv", "kty", "x", "y"],
            Algorithm::EdDsa => &["crv", "kty", "x"],
            Algorithm::Rs256 | Algorithm::Ps256 => &["e", "kty", "n"],
        };
        // RFC 7638 over josekit's members, in order, by hand.
        let members: Vec<String> = required
            .iter()
            .map(|name| {
                let value = theirs.parameter(name).unwrap();
                assert_eq!(back.parameter(name), Some(value), "{algorithm} {name}");
                format!("\"{name}\":{value}")
            })
            .collect();
        let digest = Sha256::digest(format!("{{{}}}", members.join(",")));
        assert_eq!(
            ours.thumbprint().to_string(),
            base64url::encode(digest),
            "{algorithm}"
        );
    }
}

/// Under a shared secret, both ways; and what josekit makes under another secret is refused.
#[test]
fn macs_agree_both_ways() {
    let secret = [0x5c; 64];
    let key = MacKey::new(&secret).unwrap();
    for algorithm in MacAlgorithm::ALL {
        let oracle = match algorithm {
            MacAlgorithm::Hs256 => HS256,
            MacAlgorithm::Hs384 => HS384,
            MacAlgorithm::Hs512 => HS512,
        };
        let ours = key.encode(algorithm, "JWT", &json!({"sub": "ci"})).unwrap();
        let verifier = oracle.verifier_from_bytes(secret).unwrap();
        let (payload, _) = jwt::decode_with_verifier(&ours, &verifier).unwrap();
        assert_eq!(payload.subject(), Some("ci"), "{algorithm}");
        for (with, is_ours) in [(secret, true), ([0x5d; 64], false)] {
            let signer = oracle.signer_from_bytes(with).unwrap();
            let mut payload = JwtPayload::new();
            payload.set_subject("ci");
            let theirs = jwt::encode_with_signer(&payload, &JwsHeader::new(), &signer).unwrap();
            let read = UnverifiedMacJwt::parse(&theirs)
                .unwrap()
                .verify(&key, &[algorithm])
                .and_then(|verified| verified.claims::<Value>());
            match is_ours {
                true => assert_eq!(read.unwrap()["sub"], "ci", "{algorithm}"),
                false => assert_eq!(read.unwrap_err(), JoseError::BadSignature, "{algorithm}"),
            }
        }
    }
}
