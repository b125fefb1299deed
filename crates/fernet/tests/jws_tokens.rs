//! JWS tokens of a real Keystone, read and written back.

use std::time::Duration;

use rustls_pki_types::UnixTime;
use sealstone_fernet::{
    AuditId, DecodeError, JwsAlgorithm, JwsPrivateKey, JwsPublicKey, JwsTokenIssuer, JwsTokenReader,
    KeystoneId, Scope, TokenSubject,
};
use serde_json::Value;

fn vectors(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

fn tokens() -> Value {
    vectors(include_str!("vectors/jws_tokens.json"))
}

fn pair() -> (JwsTokenIssuer, JwsTokenReader) {
    let tokens = tokens();
    let private = JwsPrivateKey::from_pem(JwsAlgorithm::Es256, tokens["private_pem"].as_str().unwrap());
    let public = JwsPublicKey::from_pem(tokens["public_pem"].as_str().unwrap()).unwrap();
    let reader = JwsTokenReader::new(vec![public], &[JwsAlgorithm::Es256]).unwrap();
    (JwsTokenIssuer::new(private.unwrap()), reader)
}

#[test]
fn every_token_of_keystone_is_read_and_written_back_octet_for_octet() {
    let (issuer, reader) = pair();
    let tokens = tokens();
    let cases = tokens["cases"].as_array().unwrap();
    assert!(cases.len() >= 25, "all kinds are there");
    for case in cases {
        let id = case["id"].as_str().unwrap();
        let token = case["token"].as_str().unwrap();
        let claims = reader
            .read(token, at(case["claims"]["iat"].as_u64().unwrap()))
            .unwrap_or_else(|error| panic!("{id}: {error}"));
        let again = issuer.sign(&claims).unwrap();
        // ECDSA draws a number for each signature; what is signed is the same.
        assert_eq!(
            again.rsplit_once('.').unwrap().0,
            token.rsplit_once('.').unwrap().0,
            "{id}"
        );
        assert_eq!(reader.read(&again, claims.issued_at).unwrap(), claims, "{id}");
    }
}

#[test]
fn what_keystone_refuses_or_fails_on_is_refused() {
    let (_issuer, reader) = pair();
    let negative = vectors(include_str!("vectors/jws_negative.json"));
    for case in negative["cases"].as_array().unwrap() {
        let id = case["id"].as_str().unwrap();
        let read = reader.read(case["token"].as_str().unwrap(), at(1_795_302_900));
        if case["status"] == 200 {
            assert!(read.is_ok(), "{id}: {read:?}");
        } else {
            assert!(read.is_err(), "{id}");
        }
    }
}

#[test]
fn each_algorithm_signs_what_its_reader_takes_and_no_other() {
    let subject = TokenSubject::new(
        KeystoneId::parse("ü\u{10348}").unwrap(),
        &["password", "totp"],
        Scope::Unscoped,
    );
    for algorithm in JwsAlgorithm::ALL {
        let key = JwsPrivateKey::generate(algorithm).unwrap();
        let pem = key.to_pem().unwrap();
        let key = JwsPrivateKey::from_pem(algorithm, &pem).unwrap();
        let public = JwsPublicKey::from_pem(&key.public_key().to_pem().unwrap()).unwrap();
        assert_eq!(&public, key.public_key());
        let issuer = JwsTokenIssuer::new(key);
        let token = issuer
            .mint(&subject, AuditId::new([1; 16]), at(1000), at(2000))
            .unwrap();
        for accepted in JwsAlgorithm::ALL {
            let reader = JwsTokenReader::new(vec![public.clone()], &[accepted]).unwrap();
            let read = reader.read(token.expose(), at(1000));
            if accepted == algorithm {
                assert_eq!(&read.unwrap(), token.claims());
            } else {
                assert_eq!(read, Err(DecodeError::Algorithm));
            }
        }
        for other in JwsAlgorithm::ALL.into_iter().filter(|other| *other != algorithm) {
            assert!(JwsPrivateKey::from_pem(other, &pem).is_err());
        }
    }
}

#[test]
fn tokens_of_several_nodes_are_read_in_whatever_order_they_come() {
    let issuers: Vec<JwsTokenIssuer> = (0..4)
        .map(|_node| JwsTokenIssuer::new(JwsPrivateKey::generate(JwsAlgorithm::Es256).unwrap()))
        .collect();
    let (stranger, nodes) = issuers.split_last().unwrap();
    let public = nodes.iter().map(|node| node.public_key().clone()).collect();
    let reader = JwsTokenReader::new(public, &[JwsAlgorithm::Es256]).unwrap();
    let case = &tokens()["cases"][0];
    let (_issuer, lab) = pair();
    let claims = lab
        .read(
            case["token"].as_str().unwrap(),
            at(case["claims"]["iat"].as_u64().unwrap()),
        )
        .unwrap();
    let now = claims.issued_at;
    let foreign = stranger.sign(&claims).unwrap();
    for node in [2, 0, 1, 2, 1, 0, 0, 2, 2] {
        let token = nodes[node].sign(&claims).unwrap();
        assert_eq!(reader.read(&token, now).unwrap(), claims, "node {node}");
        assert_eq!(
            reader.read(&foreign, now),
            Err(DecodeError::Unauthentic),
            "after node {node}"
        );
        assert_eq!(
            reader.clone().read(&token, now).unwrap(),
            claims,
            "a clone, node {node}"
        );
    }
}

/// Of several nodes, with a key of another algorithm among theirs: whoever reads by all keys takes what one of them takes.
#[test]
fn a_token_of_any_of_several_nodes_is_read_and_none_that_no_node_signed() {
    let (_issuer, reader) = pair();
    let case = tokens()["cases"][0].clone();
    let now = at(case["claims"]["iat"].as_u64().unwrap());
    let claims = reader.read(case["token"].as_str().unwrap(), now).unwrap();
    let issuer = |algorithm| JwsTokenIssuer::new(JwsPrivateKey::generate(algorithm).unwrap());
    for nodes in 1..=5 {
        let mut issuers: Vec<JwsTokenIssuer> = (0..nodes).map(|_| issuer(JwsAlgorithm::Es256)).collect();
        issuers.insert(nodes / 2, issuer(JwsAlgorithm::Es384));
        let public = issuers.iter().map(|issuer| issuer.public_key().clone()).collect();
        let reader = JwsTokenReader::new(public, &JwsAlgorithm::ALL).unwrap();
        let stranger = issuer(JwsAlgorithm::Es256);
        for _again in 0..4 {
            for issuer in issuers.iter().rev() {
                let token = issuer.sign(&claims).unwrap();
                assert_eq!(reader.read(&token, now).unwrap(), claims, "of {nodes}");
                let (message, signature) = token.rsplit_once('.').unwrap();
                let forged = stranger.sign(&claims).unwrap();
                let (other, forged_signature) = forged.rsplit_once('.').unwrap();
                for bad in [
                    forged.clone(),
                    format!("{message}.{forged_signature}"),
                    format!("{other}x.{signature}"),
                    format!("{message}.{}", "A".repeat(signature.len())),
                    format!("{message}.{}", &signature[..signature.len() - 4]),
                    format!("{message}.{signature}AAAA"),
                    format!("{message}."),
                ] {
                    assert!(reader.read(&bad, now).is_err(), "of {nodes}: {bad}");
                }
            }
        }
    }
}
