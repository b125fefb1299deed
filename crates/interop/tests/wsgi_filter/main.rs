//! `examples/wsgi-filter`, before the real `auth_token`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test: what it cannot read or count has failed"
)]

mod denials;
mod issuer;
mod world;

use std::path::Path;

use sealstone_interop::{Answer, CertificateIn, DevServer, Https, KeystoneLab, WsgiService, WsgiSetup};
use sealstone_testkit::TestCa;

/// What a reader of the example fills in.
pub(crate) struct Filled<'a> {
    pub(crate) issuers: &'a str,
    /// Authorities of issuers and of the service's clients.
    pub(crate) ca: &'a str,
    pub(crate) keystone: &'a str,
    pub(crate) password: &'a str,
    pub(crate) certificate_in: CertificateIn,
}

impl Filled<'_> {
    /// The service of the example.
    pub(crate) fn start(&self, authority: &TestCa) -> WsgiService {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/wsgi-filter");
        let scratch = tempfile::tempdir().unwrap();
        let ca_file = scratch.path().join("ca.pem");
        std::fs::write(&ca_file, self.ca).unwrap();
        let paste = filled(
            &folder.join("api-paste.ini"),
            &[
                ("https://id.example/v4/oauth2/demo", self.issuers),
                ("/etc/ssl/certs/id.example.pem", &ca_file.to_string_lossy()),
                ("compute.api:application", WsgiService::APPLICATION),
                // The shortest that a test can wait for.
                (
                    "service_type = compute",
                    "service_type = compute\nrevocation_interval_s = 0.2",
                ),
            ],
        );
        let config = filled(
            &folder.join("service.conf"),
            &[
                ("https://keystone.example/v3", self.keystone),
                ("PASSWORD", self.password),
            ],
        );
        WsgiService::start(&WsgiSetup {
            paste: &paste,
            config: Some(&config),
            certificate: &authority.server(),
            client_ca: self.ca,
            certificate_in: self.certificate_in,
            python_path: &[&folder],
        })
    }
}

fn filled(file: &Path, changes: &[(&str, &str)]) -> String {
    let mut text = std::fs::read_to_string(file).unwrap();
    for (from, to) in changes {
        assert!(text.contains(from), "{file:?} does not say `{from}`");
        text = text.replace(from, to);
    }
    text
}

/// What the application behind the filters found in its environment.
pub(crate) fn told(answer: &Answer, name: &str) -> Option<String> {
    let body = answer.json();
    let value = body
        .pointer("/environ")
        .expect("the application's answer")
        .get(name)?;
    value.as_str().map(str::to_owned)
}

fn token(server: &DevServer, client: &str) -> String {
    let https = server.https().with_certificate(&server.certificate(client));
    let id = server.client(client).registered().client_id.clone();
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", &id),
        ("scope", "openstack:api"),
    ];
    let answer = https.post(&server.mtls_url("/token"), &[], &form).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["access_token"].as_str().unwrap().to_owned()
}

const NOBODY: &str = "http://127.0.0.1:1/v3";

fn service_for(server: &DevServer, certificate_in: CertificateIn) -> WsgiService {
    let filled = Filled {
        issuers: server.issuer(),
        ca: &std::fs::read_to_string(server.ca_path()).unwrap(),
        keystone: NOBODY,
        password: "none",
        certificate_in,
    };
    filled.start(&server.authority())
}

fn get(https: &Https, service: &WsgiService, headers: &[(&str, &str)]) -> Answer {
    https
        .get(&format!("{}/v2.1/servers", service.url()), headers)
        .unwrap()
}

#[test]
fn a_bound_token_is_taken_with_its_certificate_alone() {
    let server = DevServer::start();
    let token = token(&server, "machine");
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str())];
    let own = server.https().with_certificate(&server.certificate("machine"));
    let thief = server
        .https()
        .with_certificate(&server.certificate("machine-san"));
    for certificate_in in [CertificateIn::Environ, CertificateIn::Socket] {
        let service = service_for(&server, certificate_in);
        let answer = get(&own, &service, &headers);
        assert_eq!(answer.status, 200, "{}\n{}", answer.text(), service.said());
        assert_eq!(
            told(&answer, "HTTP_X_IDENTITY_STATUS").as_deref(),
            Some("Confirmed")
        );
        for name in [
            "USER_ID",
            "USER_NAME",
            "USER_DOMAIN_ID",
            "PROJECT_ID",
            "ROLES",
            "TENANT_ID",
            "ROLE",
        ] {
            let value = told(&answer, &format!("HTTP_X_{name}"));
            assert!(
                value.is_some_and(|value| !value.is_empty()),
                "{name}: {}",
                answer.text()
            );
        }
        assert_eq!(
            get(&thief, &service, &headers).status,
            401,
            "another client's certificate"
        );
        assert_eq!(
            get(&server.https(), &service, &headers).status,
            401,
            "no certificate"
        );
        assert!(!service.said().contains(&token), "a token in the log");
    }
    let blind = service_for(&server, CertificateIn::Nowhere);
    assert_eq!(
        get(&own, &blind, &headers).status,
        401,
        "a service that never sees a certificate"
    );
}

#[test]
fn a_revoked_token_is_refused_within_the_interval() {
    let server = DevServer::start();
    let token = token(&server, "machine");
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str())];
    let own = server.https().with_certificate(&server.certificate("machine"));
    let service = service_for(&server, CertificateIn::Environ);
    assert_eq!(get(&own, &service, &headers).status, 200);
    let id = server.client("machine").registered().client_id.clone();
    let revoked = own.post(
        &server.mtls_url("/revoke"),
        &[],
        &[("token", &token), ("client_id", &id)],
    );
    assert_eq!(revoked.unwrap().status, 200);
    // Each request takes a handshake of some milliseconds; the interval is 200 ms.
    let refused = (0..500).find(|_| get(&own, &service, &headers).status == 401);
    assert!(refused.is_some(), "still accepted");
    let answer = get(&own, &service, &headers);
    assert_eq!(answer.json()["error_description"], "the access token was revoked");
}

#[test]
fn keystones_tokens_are_auth_tokens_business() {
    let lab = KeystoneLab::shared();
    let server = DevServer::start();
    let filled = Filled {
        issuers: server.issuer(),
        ca: &std::fs::read_to_string(server.ca_path()).unwrap(),
        keystone: lab.url(),
        password: &lab.seed().user("nova").password,
        certificate_in: CertificateIn::Environ,
    };
    let service = filled.start(&server.authority());
    let https = server.https();
    let machine = lab.machine(&["member"]);
    let alice = lab.password_token(&machine.user_id, &machine.password, &machine.project_id);
    let forged = [
        ("x-auth-token", alice.as_str()),
        ("openstack-system-scope", "all"),
        ("x-service-roles", "admin"),
    ];
    let answer = get(&https, &service, &forged);
    assert_eq!(answer.status, 200, "{}\n{}", answer.text(), service.said());
    assert_eq!(told(&answer, "HTTP_OPENSTACK_SYSTEM_SCOPE"), None, "forged");
    assert_eq!(told(&answer, "HTTP_X_SERVICE_ROLES"), None, "forged");
    // As keystoneauth's OAuth 2.0 plugins send it: a Keystone token in both headers.
    let bearer = format!("Bearer {alice}");
    let both = [
        ("x-auth-token", alice.as_str()),
        ("authorization", bearer.as_str()),
    ];
    assert_eq!(get(&https, &service, &both).status, 200);
    let wrong = [("x-auth-token", "gAAAAABwrong")];
    let answer = get(&https, &service, &wrong);
    assert_eq!(answer.status, 401);
    assert!(
        answer
            .header("www-authenticate")
            .unwrap()
            .starts_with("Keystone uri="),
        "auth_token's answer"
    );
    // Ours beside Keystone's: one of them would go unjudged.
    let ours = format!("Bearer {}", token(&server, "machine"));
    let own = server.https().with_certificate(&server.certificate("machine"));
    let mixed = [("x-auth-token", alice.as_str()), ("authorization", ours.as_str())];
    assert_eq!(get(&own, &service, &mixed).status, 400);
}
