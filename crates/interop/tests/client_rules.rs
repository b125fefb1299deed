//! What several clients force on a server, whatever the specifications leave open.

use sealstone_interop::{DevServer, Https};
use sealstone_testkit::base64url;
use serde_json::Value;

fn plain(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

fn basic(id: &str, secret: &str) -> String {
    let padded = base64url(format!("{id}:{secret}").as_bytes())
        .replace('-', "+")
        .replace('_', "/");
    let padding = "=".repeat((4 - padded.len() % 4) % 4);
    format!("Basic {padded}{padding}")
}

fn with_basic(https: &Https, url: &str, id: &str, secret: &str) -> (u16, Value) {
    let form = [("grant_type", "client_credentials")];
    let answer = https
        .post(url, &[("authorization", &basic(id, secret))], &form)
        .unwrap();
    (answer.status, answer.json())
}

/// Rule 1: Go form-encodes inside Basic, Python does not; from these characters both send the same.
#[test]
fn ids_and_secrets_need_no_encoding() {
    let server = DevServer::start();
    for name in ["machine", "machine-secret", "gateway"] {
        let client = server.client(name).registered().clone();
        assert!(plain(&client.client_id), "{}", client.client_id);
        let secret = client.client_secret.unwrap_or_default();
        assert!(plain(&secret), "{name}");
        assert!(secret.is_empty() || secret.len() >= 43, "256 bits: {name}");
    }
}

/// Rule 2: Go's oauth2 tries one way to authenticate and, on any error, at once the other.
#[test]
fn a_failed_authentication_does_not_spoil_the_next() {
    let server = DevServer::start();
    let (https, url) = (server.https(), format!("{}/token", server.issuer()));
    let client = server.client("machine-secret").registered().clone();
    let (id, secret) = (client.client_id.as_str(), client.client_secret.unwrap());
    for _ in 0..3 {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", id),
            ("client_secret", &secret),
        ];
        let by_body = https.post(&url, &[], &form).unwrap();
        let (by_basic, _) = with_basic(&https, &url, id, &secret);
        assert_eq!(
            (by_body.status, by_basic),
            if client.auth == "client_secret_post" {
                (200, 401)
            } else {
                (401, 200)
            }
        );
    }
    assert_eq!(with_basic(&https, &url, id, "wrong").0, 401);
    assert_eq!(
        with_basic(&https, &url, id, &secret).0 == 200,
        client.auth == "client_secret_basic"
    );
}

/// Rules 5 and 6: `sub` in every introspection answer, and the RFC 8705 thumbprint of 43 characters.
#[test]
fn introspection_names_a_subject_and_the_unpadded_thumbprint() {
    let server = DevServer::start();
    let gateway = server.client("gateway").registered().clone();
    let secret = gateway.client_secret.unwrap();
    let machine = server.client("machine").registered().clone();
    let scope = machine.scope.unwrap_or_default();
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", machine.client_id.as_str()),
        ("scope", &scope),
    ];
    let own = server.certificate("machine");
    let token = server
        .https()
        .with_certificate(&own)
        .post(&server.mtls_url("/token"), &[], &form)
        .unwrap();
    let token = token.json()["access_token"].as_str().unwrap().to_owned();
    let url = format!("{}/introspect", server.issuer());
    let authorization = basic(&gateway.client_id, &secret);
    // As keystonemiddleware sends it: with a hint, Basic unencoded.
    let form = [("token", token.as_str()), ("token_type_hint", "access_token")];
    let answer = server
        .https()
        .post(&url, &[("authorization", &authorization)], &form)
        .unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let body = answer.json();
    assert_eq!(body["active"], Value::Bool(true));
    assert_eq!(body["sub"].as_str().map(str::is_empty), Some(false));
    assert!(body["exp"].is_u64(), "a JSON integer");
    assert_eq!(body["cnf"]["x5t#S256"], own.thumbprint());
    assert_eq!(own.thumbprint().len(), 43);
}

/// Rule 8: an OAuth endpoint's error is flat, never Keystone's nested one; rule 9: one issuer, byte for byte.
#[test]
fn errors_are_flat_and_the_issuer_is_one() {
    let server = DevServer::start();
    let (https, url) = (server.https(), format!("{}/token", server.issuer()));
    let (status, body) = with_basic(&https, &url, "nobody", "wrong");
    assert_eq!((status, body["error"].as_str()), (401, Some("invalid_client")));
    let client = server.client("machine-secret").registered().clone();
    let secret = client.client_secret.unwrap();
    let (status, body) = with_basic(&https, &url, &client.client_id, &secret);
    assert_eq!(status, 200, "{body}");
    let token = body["access_token"].as_str().unwrap();
    let payload = base64_simd::URL_SAFE_NO_PAD
        .decode_to_vec(token.split('.').nth(1).unwrap())
        .unwrap();
    let claims: Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!(claims["iss"], server.issuer());
    for moved in [
        format!("{}/", server.issuer()),
        server.issuer().replace("127.0.0.1", "localhost"),
    ] {
        let answer = https
            .get(&format!("{moved}/.well-known/openid-configuration"), &[])
            .unwrap();
        assert!(
            answer.status != 200 || answer.json()["issuer"] == server.issuer(),
            "{moved}"
        );
    }
}
