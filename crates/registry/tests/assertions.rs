//! Clients that authenticate by assertions: what may be registered, what is kept, what comes back.

use std::time::Duration;

use rustls_pki_types::UnixTime;
use sealstone_identity::DomainId;
use sealstone_jose::{Algorithm, MacAlgorithm};
use sealstone_oauth_types::ClientId;
use sealstone_registry::{
    AssertionAudience, AssertionDates, Client, ClientAuth, ClientRegistration, ClientSecretText, Pepper,
    RegistrationError, RotationError, SealedSecret, SecretKind, SecretSet,
};
use sealstone_testkit::{KeyKind, TestKey};
use serde_json::{Value, json};

fn now() -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(1_700_000_000))
}

fn sealed(text: &str) -> SealedSecret {
    SealedSecret::parse(&format!("v1.0011223344556677.{text}")).unwrap()
}

fn hashed() -> SecretSet {
    let secret = ClientSecretText::from_random([1; 32]);
    SecretSet::new(secret.hash(&Pepper::from_bytes([7; 32])), None)
}

/// Registers with the secret that the registration asks for.
fn register(document: &Value) -> Result<Client, RegistrationError> {
    let registration = ClientRegistration::from_json(document.to_string().as_bytes())?;
    let secrets = match registration.secret_kind()? {
        None => None,
        Some(SecretKind::Hashed) => Some(hashed()),
        Some(SecretKind::Sealed) => Some(SecretSet::new(sealed("one"), None)),
    };
    register_with(registration, secrets)
}

fn register_with(
    registration: ClientRegistration,
    secrets: Option<SecretSet>,
) -> Result<Client, RegistrationError> {
    let (domain, id) = (DomainId::parse("demo").unwrap(), ClientId::parse("ci").unwrap());
    registration.into_client(domain, id, secrets, now())
}

fn key(kind: KeyKind) -> Value {
    TestKey::generate(kind).public_jwk()
}

fn by_key(keys: &[Value]) -> Value {
    json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": keys}})
}

fn by_secret() -> Value {
    json!({"token_endpoint_auth_method": "client_secret_jwt"})
}

fn with(document: &Value, name: &str, value: Value) -> Value {
    let mut document = document.clone();
    document[name] = value;
    document
}

#[test]
fn what_is_registered_comes_back() {
    let keys = by_key(&[key(KeyKind::P256), key(KeyKind::Rsa2048)]);
    let strict = with(
        &with(&keys, "client_assertion_audience", json!("issuer")),
        "token_endpoint_auth_signing_alg",
        json!("PS256"),
    );
    let strict = with(&strict, "jwks", json!({"keys": [key(KeyKind::Rsa2048)]}));
    let lax = with(&by_secret(), "accept_assertion_dates_as_text", json!(true));
    let lax = with(&lax, "token_endpoint_auth_signing_alg", json!("HS512"));
    for document in [keys, strict.clone(), by_secret(), lax.clone()] {
        let client = register(&document).unwrap();
        let stored = Client::from_record(client.to_record().unwrap().as_bytes()).unwrap();
        assert_eq!(stored, client);
        let shown = client.registration();
        let again = client.updated(shown, None, now()).unwrap();
        assert_eq!(again.auth(), client.auth(), "{document}");
    }
    let ClientAuth::PrivateKeyJwt(keys) = register(&strict).unwrap().auth().clone() else {
        panic!("by key");
    };
    assert_eq!(keys.algorithm(), Some(Algorithm::Ps256));
    assert_eq!(keys.rules().audience, AssertionAudience::Issuer);
    assert_eq!(keys.rules().dates, AssertionDates::Numbers);
    let ClientAuth::ClientSecretJwt(own) = register(&lax).unwrap().auth().clone() else {
        panic!("by secret");
    };
    assert_eq!(own.algorithm(), Some(MacAlgorithm::Hs512));
    assert_eq!(own.rules().dates, AssertionDates::NumbersOrText);
}

#[test]
fn what_could_not_be_used_is_refused() {
    let keys = by_key(&[key(KeyKind::P256)]);
    let mut named = key(KeyKind::P256);
    named["kid"] = json!("k");
    let mut encrypts = key(KeyKind::P256);
    encrypts["use"] = json!("enc");
    let mut other_alg = key(KeyKind::Rsa2048);
    other_alg["alg"] = json!("RS256");
    let many: Vec<Value> = (0..17).map(|_| key(KeyKind::P256)).collect();
    type Test = fn(&RegistrationError) -> bool;
    macro_rules! is {
        ($want:pat) => {
            (|error| matches!(error, $want)) as Test
        };
    }
    for (document, is) in [
        (
            json!({"token_endpoint_auth_method": "private_key_jwt"}),
            is!(RegistrationError::JwksMissing { .. }),
        ),
        (by_key(&[]), is!(RegistrationError::AssertionKeys { .. })),
        (by_key(&many), is!(RegistrationError::AssertionKeys { .. })),
        (by_key(&[named.clone(), named]), is!(RegistrationError::Jwks(_))),
        (by_key(&[encrypts]), is!(RegistrationError::Jwks(_))),
        // B09, B10: a secret is no public key, and a private key is none of ours.
        (
            by_key(&[json!({"kty": "oct", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T"})]),
            is!(RegistrationError::Jwks(_)),
        ),
        (
            by_key(&[with(&key(KeyKind::P256), "d", json!("AAAA"))]),
            is!(RegistrationError::Jwks(_)),
        ),
        (
            with(&keys, "jwks_uri", json!("https://client.example/jwks")),
            is!(RegistrationError::NotOffered { .. }),
        ),
        (
            with(&keys, "token_endpoint_auth_signing_alg", json!("HS256")),
            is!(RegistrationError::AssertionAlgorithm),
        ),
        (
            with(&keys, "token_endpoint_auth_signing_alg", json!("none")),
            is!(RegistrationError::AssertionAlgorithm),
        ),
        (
            with(&keys, "token_endpoint_auth_signing_alg", json!("RS256")),
            is!(RegistrationError::Jwks(_)),
        ),
        (
            with(
                &by_key(&[other_alg]),
                "token_endpoint_auth_signing_alg",
                json!("PS256"),
            ),
            is!(RegistrationError::Jwks(_)),
        ),
        (
            with(&by_secret(), "token_endpoint_auth_signing_alg", json!("ES256")),
            is!(RegistrationError::AssertionMacAlgorithm),
        ),
        (
            with(&by_secret(), "jwks", json!({"keys": [key(KeyKind::P256)]})),
            is!(RegistrationError::Unused { member: "jwks", .. }),
        ),
        (
            with(&by_secret(), "client_assertion_audience", json!("any")),
            is!(RegistrationError::Malformed { .. }),
        ),
        (
            json!({"client_assertion_audience": "issuer"}),
            is!(RegistrationError::Unused { .. }),
        ),
        (
            json!({"accept_assertion_dates_as_text": true}),
            is!(RegistrationError::Unused { .. }),
        ),
        (
            json!({"token_endpoint_auth_signing_alg": "ES256"}),
            is!(RegistrationError::Unused { .. }),
        ),
        (
            json!({"introspection_format": "keystonemiddleware"}),
            is!(RegistrationError::IntrospectionFormatUnused),
        ),
        (
            json!({"introspection_format": "flat", "introspection": "own"}),
            is!(RegistrationError::Malformed { .. }),
        ),
    ] {
        let error = register(&document).unwrap_err();
        assert!(is(&error), "{document}: {error:?}");
    }
}

/// A hash can't make a MAC, and a sealed secret is not compared with one that is sent.
#[test]
fn a_secret_is_kept_as_its_method_needs_it() {
    let parse = |document: &Value| ClientRegistration::from_json(document.to_string().as_bytes()).unwrap();
    for (document, wrong) in [
        (by_secret(), hashed()),
        (json!({}), SecretSet::new(sealed("one"), None)),
        (
            json!({"token_endpoint_auth_method": "client_secret_post"}),
            SecretSet::new(sealed("one"), None),
        ),
    ] {
        let refused = register_with(parse(&document), Some(wrong));
        assert!(
            matches!(refused, Err(RegistrationError::SecretMissing { .. })),
            "{document}"
        );
    }
    let basic = register(&json!({})).unwrap();
    let changed = basic.updated(parse(&by_secret()), None, now());
    assert!(matches!(changed, Err(RegistrationError::SecretMissing { .. })));
    let jwt = register(&by_secret()).unwrap();
    let hash = ClientSecretText::from_random([2; 32]).hash(&Pepper::from_bytes([7; 32]));
    let rotated = jwt.with_rotated_secret(hash, None, Duration::ZERO, now());
    assert_eq!(rotated.unwrap_err(), RotationError::OtherKind);
    let text = ClientSecretText::from_random([1; 32]);
    assert!(
        !jwt.auth()
            .secrets()
            .unwrap()
            .verify(&Pepper::from_bytes([7; 32]), text.secret(), now())
    );
}

#[test]
fn two_sealed_secrets_overlap_and_then_one_is_left() {
    let client = register(&by_secret()).unwrap();
    let rotated = client
        .with_rotated_secret(sealed("two"), None, Duration::from_secs(60), now())
        .unwrap();
    let rotated = Client::from_record(rotated.to_record().unwrap().as_bytes()).unwrap();
    let good = |seconds: u64| -> Vec<SealedSecret> {
        let at = UnixTime::since_unix_epoch(Duration::from_secs(1_700_000_000 + seconds));
        rotated.auth().secrets().unwrap().sealed(at).cloned().collect()
    };
    assert_eq!(good(59), [sealed("two"), sealed("one")]);
    assert_eq!(good(60), [sealed("two")]);
}

/// O09: what is shown holds neither the sealed secret nor a trace of it.
#[test]
fn o09_a_sealed_secret_is_not_shown() {
    let client = register(&by_secret()).unwrap();
    let shown = serde_json::to_string(&client.registration()).unwrap();
    assert!(client.to_record().unwrap().contains("v1.0011223344556677.one"));
    for text in [shown, format!("{client:?}")] {
        assert!(!text.contains("0011223344556677"), "{text}");
    }
}
