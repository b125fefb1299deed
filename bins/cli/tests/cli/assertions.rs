//! Clients that authenticate by assertions, registered by command.

use std::fs;

use sealstone_jose::{Algorithm, KeyId, PrivateKey, Signer};
use sealstone_keyring::{KeyEncryptionKey, SecretPlace, SecretPurpose};
use sealstone_registry::ClientAuth;
use serde_json::{Value, json};

use crate::program::{now, text};
use crate::store::{Data, KEK};

/// The secrets that the server would take from a client, the current one first.
fn secrets(data: &Data, id: &str) -> Vec<String> {
    let client = data.client(id);
    let place = SecretPlace {
        purpose: SecretPurpose::ClientSecret,
        domain: "demo",
        client: id,
    };
    let kek = KeyEncryptionKey::parse(KEK).unwrap();
    let sealed = client.auth().secrets().unwrap().sealed(now());
    sealed
        .map(|sealed| kek.open_secret(place, sealed.as_str()).unwrap().to_string())
        .collect()
}

#[test]
fn a_client_that_makes_assertions_with_its_secret() {
    let data = Data::new();
    let made = data.json(&["client", "create", "svc", "--auth-method", "client_secret_jwt"]);
    let first = made["client_secret"].as_str().unwrap().to_owned();
    assert_eq!(first.len(), 64, "as many octets as the longest HMAC asks for");
    assert_eq!(secrets(&data, "svc"), [first.as_str()]);
    let shown = data.json(&["client", "show", "svc"]);
    assert_eq!(shown["client_secret"], Value::Null);
    let rotated = data.json(&["client", "rotate-secret", "svc", "--overlap", "1h"]);
    let second = rotated["client_secret"].as_str().unwrap();
    assert_eq!(secrets(&data, "svc"), [second, first.as_str()]);
    let changed = data.json(&[
        "client",
        "update",
        "svc",
        "--assertion-alg",
        "HS512",
        "--assertion-dates-as-text",
        "true",
        "--introspection",
        "own",
        "--introspection-format",
        "keystonemiddleware",
    ]);
    assert_eq!(
        (
            &changed["token_endpoint_auth_signing_alg"],
            &changed["accept_assertion_dates_as_text"]
        ),
        (&json!("HS512"), &json!(true))
    );
    assert_eq!(changed["introspection_format"], "keystonemiddleware");
    assert_eq!(changed["client_secret"], Value::Null);
    assert_eq!(secrets(&data, "svc")[0], second, "what is not named stays");
    data.run(&["client", "update", "svc", "--assertion-alg", "ES256"])
        .refused(1, "HS256");
    data.run(&["client", "update", "svc", "--introspection", "none"])
        .refused(1, "introspection_format");

    // Another method keeps its secret in another way: a new one is due, there and back.
    let hashed = data.json(&["client", "update", "svc", "--auth-method", "client_secret_basic"]);
    assert_eq!(hashed["client_secret"].as_str().map(str::len), Some(43));
    assert_eq!(hashed["token_endpoint_auth_signing_alg"], Value::Null);
    let back = data.json(&["client", "update", "svc", "--auth-method", "client_secret_jwt"]);
    assert_eq!(secrets(&data, "svc"), [back["client_secret"].as_str().unwrap()]);
}

#[test]
fn a_client_that_signs_with_its_key() {
    let data = Data::new();
    let key = PrivateKey::generate(Algorithm::Es256).unwrap();
    let key = Signer::new(&key, KeyId::parse("k1").unwrap()).unwrap();
    let key: Value = serde_json::from_str(&key.public_jwk().to_json()).unwrap();
    let file = data.path().join("keys.json");
    fs::write(&file, json!({"keys": [key]}).to_string()).unwrap();
    let create = |id: &'static str, more: &[&'static str]| {
        let jwks = ["client", "create", id, "--jwks", text(&file)];
        data.run(&[&jwks[..], more, &["--output", "json"]].concat())
    };
    let made = create(
        "signer",
        &[
            "--auth-method",
            "private_key_jwt",
            "--assertion-audience",
            "issuer",
        ],
    )
    .json();
    assert_eq!(made["client_secret"], Value::Null);
    assert_eq!(made["client_assertion_audience"], "issuer");
    assert_eq!(made["tls_client_certificate_bound_access_tokens"], false);
    assert!(matches!(
        data.client("signer").auth(),
        ClientAuth::PrivateKeyJwt(_)
    ));
    // Keys alone mean self-signed certificates, as before.
    create("probe", &[]).ok();
    assert!(matches!(
        data.client("probe").auth(),
        ClientAuth::SelfSignedTlsClientAuth(_)
    ));
    create("x", &["--auth-method", "client_secret_jwt"]).refused(2, "does not go with");
    create(
        "x",
        &["--auth-method", "private_key_jwt", "--assertion-alg", "RS256"],
    )
    .refused(1, "jwks");
    data.run(&["client", "create", "x", "--auth-method", "private_key_jwt"])
        .refused(1, "private_key_jwt needs `jwks`");
    data.run(&["client", "create", "x", "--assertion-alg", "ES256"])
        .refused(1, "is not used with client_secret_basic");
    data.run(&["client", "rotate-secret", "signer"])
        .refused(1, "no secret to rotate");

    // A private key is no public one, and nothing of it is kept.
    let mut private = key.clone();
    private["d"] = json!("AAAA");
    fs::write(&file, json!({"keys": [private]}).to_string()).unwrap();
    create("leaky", &["--auth-method", "private_key_jwt"]).refused(1, "public keys only");
}
