//! curl with certificates: what the README shows.

use sealstone_interop::{Client, DevServer, ProtectedService};
use sealstone_testkit::CertificateSpec;
use serde_json::Value;

fn ask(client: &Client<'_>, url: &str) -> (u16, String, String) {
    let id = format!("client_id={}", client.registered().client_id);
    let scope = format!(
        "scope={}",
        client.registered().scope.as_deref().unwrap_or_default()
    );
    let form = [
        "--data",
        "grant_type=client_credentials",
        "--data-urlencode",
        &id,
        "--data-urlencode",
        &scope,
    ];
    client.curl(url, &form)
}

fn token(client: &Client<'_>, url: &str) -> String {
    let (status, head, body) = ask(client, url);
    assert_eq!(status, 200, "{head}\n{body}");
    let answer: Value = serde_json::from_str(&body).unwrap();
    answer["access_token"].as_str().unwrap().to_owned()
}

#[test]
fn a_certificate_gets_a_token_that_works() {
    let server = DevServer::start();
    let service = ProtectedService::start(&server);
    let machine = server.client("machine");
    let (status, head, body) = ask(&machine, &server.mtls_url("/token"));
    assert_eq!(status, 200, "{body}");
    assert!(head.contains("cache-control: no-store"), "{head}");
    assert!(head.contains("content-type: application/json"), "{head}");
    let answer: Value = serde_json::from_str(&body).unwrap();
    let bearer = format!(
        "Authorization: Bearer {}",
        answer["access_token"].as_str().unwrap()
    );
    let (status, head, body) = machine.curl(service.url(), &["--header", &bearer]);
    assert_eq!(status, 200, "{head}\n{body}");
}

#[test]
fn a_secret_gets_a_token_by_basic_and_by_body() {
    let server = DevServer::start();
    let client = server.client("machine-secret");
    let (id, secret) = (
        &client.registered().client_id,
        client.registered().client_secret.as_ref().unwrap(),
    );
    let url = format!("{}/token", server.issuer());
    let basic = format!("{id}:{secret}");
    let (status, _, body) = client.curl(
        &url,
        &["--user", &basic, "--data", "grant_type=client_credentials"],
    );
    let posted = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}");
    let (other, ..) = client.curl(&url, &["--data", &posted]);
    // Registered for one of the two: it gets exactly that one.
    let by_post = client.registered().auth == "client_secret_post";
    assert_eq!((status == 200, other == 200), (!by_post, by_post), "{body}");
    let wrong = format!("{id}:wrong");
    let (status, head, body) = client.curl(
        &url,
        &["--user", &wrong, "--data", "grant_type=client_credentials"],
    );
    assert_eq!(status, 401);
    assert!(head.contains("www-authenticate: basic"), "{head}");
    assert!(head.contains("cache-control: no-store"), "{head}");
    let unknown = format!("nobody:{secret}");
    let (status, _, same) = client.curl(
        &url,
        &["--user", &unknown, "--data", "grant_type=client_credentials"],
    );
    assert_eq!(
        (status, same),
        (401, body),
        "an unknown client looks like a wrong secret"
    );
}

#[test]
fn refusals_at_the_token_endpoint() {
    let server = DevServer::start();
    let url = server.mtls_url("/token");
    let machine = server.client("machine");
    token(&machine, &url);
    let attacks = [
        ("no certificate", machine.clone().without_certificate()),
        (
            "another client's",
            machine
                .clone()
                .with_certificate(&server.certificate("machine-san")),
        ),
        (
            "expired",
            machine.clone().with_certificate(&server.expired("machine")),
        ),
        (
            "self-signed",
            machine.clone().with_certificate(&server.self_signed("machine")),
        ),
        (
            "foreign",
            machine.clone().with_certificate(&server.foreign("machine")),
        ),
    ];
    let mut bodies = Vec::new();
    for (name, client) in attacks {
        let (status, head, body) = ask(&client, &url);
        assert_eq!(status, 401, "{name}: {head}\n{body}");
        let answer: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(answer["error"], "invalid_client", "{name}");
        assert!(head.contains("cache-control: no-store"), "{name}");
        assert!(!body.contains("access_token"), "{name}");
        bodies.push(body);
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "one answer, whatever the reason: {bodies:?}");
    let (status, ..) = ask(&machine, &format!("{}/token", server.issuer()));
    assert_eq!(status, 401, "the public listener asks for no certificate");
}

#[test]
fn a_stolen_token_stops_at_the_service() {
    let server = DevServer::start();
    let service = ProtectedService::start(&server);
    let machine = server.client("machine");
    let bearer = format!(
        "Authorization: Bearer {}",
        token(&machine, &server.mtls_url("/token"))
    );
    let call = |client: &Client<'_>| client.curl(service.url(), &["--header", &bearer]);
    assert_eq!(call(&machine).0, 200);
    let same_key = CertificateSpec::same_subject(&server.certificate("machine"))
        .key(server.certificate("machine").key());
    let renewed = server.authority().issue(same_key);
    let thieves = [
        ("d32 no certificate", machine.clone().without_certificate()),
        ("d33 another client's", server.client("machine-san")),
        (
            "d34 renewed, same key",
            machine.clone().with_certificate(&renewed),
        ),
        (
            "self-signed, same subject",
            machine.clone().with_certificate(&server.self_signed("machine")),
        ),
    ];
    for (name, thief) in thieves {
        let (status, head, _) = call(&thief);
        assert_eq!(status, 401, "{name}");
        assert!(head.contains("www-authenticate: bearer"), "{name}: {head}");
        assert!(head.contains("error=\"invalid_token\""), "{name}: {head}");
    }
    assert_eq!(call(&machine).0, 200, "and its holder still gets in");
}
