//! Self-signed certificates (RFC 8705 §2.2): what a registered key set recognises.

use std::time::Duration;

use base64_simd::STANDARD;
use rustls_pki_types::UnixTime;
use sealstone_identity::DomainId;
use sealstone_jose::Jwk;
use sealstone_mtls::ClientCertificate;
use sealstone_oauth_types::ClientId;
use sealstone_registry::{Client, ClientAuth, ClientRegistration, RegistrationError};
use sealstone_testkit::{CertificateSpec, KeyKind, TestCertificate, TestKey};
use serde_json::{Value, json};

fn parsed(certificate: &TestCertificate) -> ClientCertificate {
    ClientCertificate::from_der(certificate.der()).unwrap()
}

/// The certificate's key as a JWK, with the certificates of `x5c`.
fn jwk(certificate: &TestCertificate, x5c: &[&TestCertificate]) -> Value {
    let key = Jwk::from_spki_der(parsed(certificate).spki_der()).unwrap();
    let mut key: Value = serde_json::from_str(&key.to_json()).unwrap();
    if !x5c.is_empty() {
        key["x5c"] = x5c
            .iter()
            .map(|one| STANDARD.encode_to_string(one.der()))
            .collect();
    }
    key
}

fn register(keys: &[Value]) -> Result<Client, RegistrationError> {
    let registration = ClientRegistration {
        token_endpoint_auth_method: Some("self_signed_tls_client_auth".to_owned()),
        jwks: Some(json!({"keys": keys})),
        ..ClientRegistration::default()
    };
    let now = UnixTime::since_unix_epoch(Duration::from_secs(1_760_000_000));
    let (domain, id) = (DomainId::parse("demo").unwrap(), ClientId::parse("c1").unwrap());
    registration.into_client(domain, id, None, now)
}

/// Whether the client, as it comes back from its stored form, recognises the certificate.
fn recognises(client: &Client, certificate: &TestCertificate) -> bool {
    let stored = Client::from_record(client.to_record().unwrap().as_bytes()).unwrap();
    assert_eq!(&stored, client);
    match stored.auth() {
        ClientAuth::SelfSignedTlsClientAuth(jwks) => jwks.keys().matches(&parsed(certificate)),
        ClientAuth::SecretBasic(_)
        | ClientAuth::SecretPost(_)
        | ClientAuth::TlsClientAuth(_)
        | ClientAuth::PrivateKeyJwt(_)
        | ClientAuth::ClientSecretJwt(_)
        | ClientAuth::None => false,
    }
}

/// D06: a key stands for each of its certificates, an `x5c` for one.
#[test]
fn d06_a_key_stands_for_its_certificates_and_x5c_for_one() {
    let key = TestKey::generate(KeyKind::P256);
    let old = CertificateSpec::client("ci").key(&key).serial(&[1]).self_signed();
    let renewed = CertificateSpec::client("ci").key(&key).serial(&[2]).self_signed();
    let impostor = CertificateSpec::client("ci").self_signed();

    let by_key = register(&[jwk(&old, &[])]).unwrap();
    assert!(recognises(&by_key, &old) && recognises(&by_key, &renewed) && !recognises(&by_key, &impostor));

    let by_certificate = register(&[jwk(&old, &[&old])]).unwrap();
    assert!(recognises(&by_certificate, &old));
    assert!(!recognises(&by_certificate, &renewed) && !recognises(&by_certificate, &impostor));

    let both = register(&[jwk(&old, &[&old]), jwk(&impostor, &[])]).unwrap();
    assert!(recognises(&both, &old) && !recognises(&both, &renewed) && recognises(&both, &impostor));
}

#[test]
fn an_x5c_of_another_key_is_refused() {
    let (one, other) = (
        CertificateSpec::client("a").self_signed(),
        CertificateSpec::client("b").self_signed(),
    );
    assert!(register(&[jwk(&one, &[&one])]).is_ok());
    let error = register(&[jwk(&one, &[&other])]).unwrap_err();
    assert!(
        matches!(
            error,
            RegistrationError::SelfSignedKeys(_) | RegistrationError::Jwks(_)
        ),
        "{error:?}"
    );
}
