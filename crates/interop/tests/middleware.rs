//! `external_oauth2_token` of keystonemiddleware, configured by `examples/openstack-service`, in front of a service.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test: what it cannot read or count has failed"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sealstone_interop::{Answer, CertificateIn, ServeServer, ServeSetup, WsgiService, WsgiSetup};
use sealstone_testkit::{CertificateSpec, TestCa, TestCertificate};
use serde_json::{Value, json};

const METHODS: [&str; 5] = [
    "tls_client_auth",
    "private_key_jwt",
    "client_secret_jwt",
    "client_secret_basic",
    "client_secret_post",
];
/// The certificate and the key of the service, as the examples call them.
const OWN: [&str; 2] = ["compute.pem", "compute.key"];

fn example(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/openstack-service");
    fs::read_to_string(folder.join(name)).unwrap()
}

/// The command of an example's comment: what follows `sealstone `, a line's end escaped or not.
fn command(text: &str) -> Vec<String> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("#     "));
    let words = lines.flat_map(str::split_whitespace).filter(|word| *word != "\\");
    let words: Vec<String> = words.map(str::to_owned).collect();
    assert_eq!(words[..3], ["sealstone", "client", "create"], "{text}");
    words[1..].to_vec()
}

struct World {
    server: ServeServer,
    /// Issues certificates that the service's TLS stack takes, besides those of the server's CA.
    folder: tempfile::TempDir,
}

impl World {
    /// A server with machines that get tokens of each scope.
    fn start() -> Self {
        let world = Self {
            server: ServeSetup::new().start(),
            folder: tempfile::tempdir().unwrap(),
        };
        let project = json!({"type": "project", "id": "p1", "name": "builds", "domain_id": "d2", "domain_name": "Projects"});
        let domain = json!({"type": "domain", "id": "d3", "name": "Third"});
        world.machine("machine", &project, &json!({}));
        world.machine("thief", &project, &json!({}));
        world.machine("by-domain", &domain, &json!({}));
        world.machine("by-system", &json!({"type": "system"}), &json!({}));
        let rules = json!([{"service": "compute", "method": "GET", "path": "/servers"}]);
        world.machine("narrowed", &project, &json!({"access_rules": rules}));
        world.machine("bearer", &project, &json!({}));
        let made = world.sealstone(&["client", "update", "bearer", "--bound", "false"]);
        assert!(made.status.success(), "{made:?}");
        world.server.wait_for_issuer();
        world
    }

    fn sealstone(&self, arguments: &[&str]) -> std::process::Output {
        self.server.setup().sealstone(arguments)
    }

    /// Registers a machine with a certificate of its own and an authority over `scope`.
    fn machine(&self, id: &str, scope: &Value, more: &Value) {
        let mut authority = json!({
            "user": {"id": "u1", "name": "runner", "domain_id": "d1", "domain_name": "Users"},
            "scope": scope,
            "roles": ["member", "reader"],
        });
        authority
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let file = self.folder.path().join(format!("{id}.json"));
        fs::write(
            &file,
            json!({"authority": authority, "scope": "openstack:api", "resources": ["https://other.example"]})
                .to_string(),
        )
        .unwrap();
        let subject = format!("CN={id}");
        let arguments = ["--subject-dn", &subject, "--registration", file.to_str().unwrap()];
        let _made = self.server.setup().register(id, &arguments);
    }

    fn ca(&self) -> &TestCa {
        self.server.setup().ca()
    }

    fn certificate(&self, id: &str) -> TestCertificate {
        self.ca().client(id)
    }

    /// A token for OpenStack services, bound to this certificate unless its client is registered otherwise.
    fn token(&self, id: &str, certificate: &TestCertificate) -> String {
        self.token_for(id, certificate, &[("scope", "openstack:api")])
    }

    fn token_for(&self, id: &str, certificate: &TestCertificate, more: &[(&str, &str)]) -> String {
        let form = [&[("grant_type", "client_credentials"), ("client_id", id)], more].concat();
        let url = self.server.mtls_url("/token");
        let answer = self.server.holder(certificate).post(&url, &[], &form).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["access_token"].as_str().unwrap().to_owned()
    }

    /// A service whose middleware authenticates by `method`; its client is registered as the example says.
    fn service(&self, method: &str, certificate_in: CertificateIn, change: &[(&str, &str)]) -> WsgiService {
        let own = self.ca().issue(CertificateSpec::client("compute"));
        let [certificate, key] = OWN.map(|name| self.folder.path().join(format!("{method}-{name}")));
        fs::write(&certificate, own.chain_pem()).unwrap();
        fs::write(&key, own.key_pem()).unwrap();
        let ca = self.folder.path().join("sealstone-ca.pem");
        fs::write(&ca, self.ca().pem()).unwrap();

        let auth = example(&format!("auth-{method}.conf"));
        let id = format!("compute-{method}");
        let secret = self.register(&id, &auth, &certificate);
        let text = format!("{}\n{auth}", example("external_oauth2_token.conf"));
        let path = |path: &PathBuf| path.to_str().unwrap().to_owned();
        let mut changes = vec![
            (
                "https://id.example.org/v4/oauth2/demo/token".to_owned(),
                "https://localhost/v4/oauth2/demo/token".to_owned(),
            ),
            ("/etc/compute/sealstone-ca.pem".to_owned(), path(&ca)),
            ("client_id = compute".to_owned(), format!("client_id = {id}")),
        ];
        let optional = [
            (
                "https://id.example.org/v4/oauth2/demo/introspect",
                self.server.public_url("/introspect"),
            ),
            (
                "https://mtls.id.example.org/v4/oauth2/demo/introspect",
                self.server.mtls_url("/introspect"),
            ),
            ("/etc/compute/compute.pem", path(&certificate)),
            ("/etc/compute/compute.key", path(&key)),
            ("SECRET", secret),
        ];
        changes.extend(optional.map(|(from, to)| (from.to_owned(), to)));
        changes.extend(
            change
                .iter()
                .map(|(from, to)| ((*from).to_owned(), (*to).to_owned())),
        );
        let config = changes
            .iter()
            .fold(text, |text, (from, to)| text.replace(from, to));
        assert!(
            !config.contains("id.example.org") && !config.contains(" /etc/compute/c"),
            "{config}"
        );
        WsgiService::start(&WsgiSetup {
            paste: &example("api-paste.ini").replace("compute.api:application", WsgiService::APPLICATION),
            config: Some(&config),
            certificate: &self.ca().server(),
            client_ca: &self.ca().pem(),
            certificate_in,
            python_path: &[],
        })
    }

    /// Runs the example's own command, under another identifier; returns the secret, if it made one.
    fn register(&self, id: &str, auth: &str, certificate: &Path) -> String {
        let mut words = command(auth);
        words[2] = id.to_owned();
        for word in &mut words {
            if word == "/etc/compute/compute.pem" {
                *word = certificate.to_str().unwrap().to_owned();
            }
        }
        if self.sealstone(&["client", "show", id]).status.success() {
            assert!(
                self.sealstone(&["client", "delete", id, "--yes"])
                    .status
                    .success()
            );
        }
        words.extend(["--domain", "demo", "--output", "json"].map(str::to_owned));
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let made = self.sealstone(&words);
        assert!(made.status.success(), "{id}: {made:?}");
        let made: Value = serde_json::from_slice(&made.stdout).unwrap();
        made["client_secret"].as_str().unwrap_or("none").to_owned()
    }

    fn ask(
        &self,
        service: &WsgiService,
        certificate: Option<&TestCertificate>,
        token: Option<&str>,
    ) -> Answer {
        let https = match certificate {
            Some(certificate) => self.server.holder(certificate),
            None => self.server.https(),
        };
        let bearer = token.map(|token| format!("Bearer {token}"));
        let headers: Vec<(&str, &str)> = bearer
            .iter()
            .map(|value| ("authorization", value.as_str()))
            .collect();
        https
            .get(&format!("{}/servers", service.url()), &headers)
            .unwrap()
    }

    #[track_caller]
    fn is_let_in(&self, service: &WsgiService, certificate: &TestCertificate, token: &str) -> Value {
        let answer = self.ask(service, Some(certificate), Some(token));
        assert_eq!(answer.status, 200, "{}\n{}", answer.text(), service.said());
        answer.json()["environ"].clone()
    }

    #[track_caller]
    fn is_refused(&self, service: &WsgiService, certificate: Option<&TestCertificate>, token: Option<&str>) {
        let answer = self.ask(service, certificate, token);
        assert_eq!(answer.status, 401, "{}\n{}", answer.text(), service.said());
        assert_eq!(
            answer.header("www-authenticate"),
            Some("Authorization OAuth 2.0 uri=\"https://localhost/v4/oauth2/demo/token\"")
        );
    }
}

/// Every way to authenticate: the holder of the certificate comes in with its roles, a thief does not.
#[test]
fn each_method_lets_the_holder_in_and_stops_a_thief() {
    let world = World::start();
    let (own, thief) = (world.certificate("machine"), world.certificate("thief"));
    let foreign = CertificateSpec::same_subject(&own);
    let renewed = world.ca().issue(foreign);
    for method in METHODS {
        let service = world.service(method, CertificateIn::Environ, &[]);
        let token = world.token("machine", &own);
        let environ = world.is_let_in(&service, &own, &token);
        for (name, value) in [
            ("HTTP_X_IDENTITY_STATUS", "Confirmed"),
            ("HTTP_X_ROLES", "member,reader"),
            ("HTTP_X_USER_ID", "u1"),
            ("HTTP_X_USER_NAME", "runner"),
            ("HTTP_X_USER_DOMAIN_ID", "d1"),
            ("HTTP_X_USER_DOMAIN_NAME", "Users"),
            ("HTTP_X_PROJECT_ID", "p1"),
            ("HTTP_X_PROJECT_NAME", "builds"),
            ("HTTP_X_PROJECT_DOMAIN_ID", "d2"),
            ("HTTP_X_PROJECT_DOMAIN_NAME", "Projects"),
        ] {
            assert_eq!(environ[name], value, "{method} {name}");
        }
        // Asked anew each time, with an assertion of its own.
        let _again = world.is_let_in(&service, &own, &token);
        for certificate in [Some(&thief), Some(&renewed), None] {
            world.is_refused(&service, certificate, Some(&token));
        }
        world.is_refused(&service, Some(&own), None);
        world.is_refused(&service, Some(&own), Some("no-token"));
        world.is_refused(&service, Some(&thief), Some(&format!("{token}x")));
    }
}

/// A server whose socket the filter may look at (eventlet) instead of a variable; and one that tells nothing.
#[test]
fn the_certificate_may_come_from_the_socket_and_must_come() {
    let world = World::start();
    let (own, thief) = (world.certificate("machine"), world.certificate("thief"));
    let token = world.token("machine", &own);
    let service = world.service("tls_client_auth", CertificateIn::Socket, &[]);
    let _environ = world.is_let_in(&service, &own, &token);
    world.is_refused(&service, Some(&thief), Some(&token));
    world.is_refused(&service, None, Some(&token));
    let blind = world.service("client_secret_basic", CertificateIn::Nowhere, &[]);
    world.is_refused(&blind, Some(&own), Some(&token));
}

#[test]
fn scopes_arrive_and_what_would_be_widened_does_not() {
    let world = World::start();
    let service = world.service("client_secret_jwt", CertificateIn::Environ, &[]);
    let environ = |id: &str| {
        let own = world.certificate(id);
        world.is_let_in(&service, &own, &world.token(id, &own))
    };
    let domain = environ("by-domain");
    assert_eq!(
        (&domain["HTTP_X_DOMAIN_ID"], &domain["HTTP_X_DOMAIN_NAME"]),
        (&json!("d3"), &json!("Third"))
    );
    assert_eq!(
        (
            domain.get("HTTP_X_PROJECT_ID"),
            domain.get("HTTP_OPENSTACK_SYSTEM_SCOPE")
        ),
        (None, None)
    );
    let system = environ("by-system");
    assert_eq!(system["HTTP_OPENSTACK_SYSTEM_SCOPE"], "all");
    assert_eq!(
        (system.get("HTTP_X_PROJECT_ID"), system.get("HTTP_X_DOMAIN_ID")),
        (None, None)
    );

    // Access rules, which the middleware would ignore; no binding, which it demands.
    for id in ["narrowed", "bearer"] {
        let own = world.certificate(id);
        world.is_refused(&service, Some(&own), Some(&world.token(id, &own)));
    }
    // A token for another resource, and one that is for nobody but its client: right in all else.
    let own = world.certificate("machine");
    for more in [&[("resource", "https://other.example")][..], &[]] {
        let other = world.token_for("machine", &own, more);
        world.is_refused(&service, Some(&own), Some(&other));
    }
    let _still = world.is_let_in(&service, &own, &world.token("machine", &own));
}

#[test]
fn revoked_and_disabled_ends_at_once() {
    let world = World::start();
    let service = world.service("private_key_jwt", CertificateIn::Environ, &[]);
    let own = world.certificate("machine");
    let (token, other) = (world.token("machine", &own), world.token("machine", &own));
    let _in = world.is_let_in(&service, &own, &token);
    let form = [("client_id", "machine"), ("token", token.as_str())];
    let revoked = world
        .server
        .holder(&own)
        .post(&world.server.mtls_url("/revoke"), &[], &form)
        .unwrap();
    assert_eq!(revoked.status, 200);
    world.is_refused(&service, Some(&own), Some(&token));
    let _other = world.is_let_in(&service, &own, &other);
    let disabled = world.sealstone(&["client", "disable", "machine"]);
    assert!(disabled.status.success());
    soon(|| world.ask(&service, Some(&own), Some(&other)).status == 401);
    world.is_refused(&service, Some(&own), Some(&other));
}

/// With the middleware's own cache too: `exp` is told as the number that it demands.
#[test]
fn an_ended_token_is_refused_from_the_cache_too() {
    let world = World::start();
    let cached = [("token_cache_time = -1", "token_cache_time = 300")];
    let service = world.service("client_secret_post", CertificateIn::Environ, &cached);
    let short = ["client", "update", "machine", "--token-lifetime", "30"];
    assert!(world.sealstone(&short).status.success());
    let own = world.certificate("machine");
    let token = world.token("machine", &own);
    let _first = world.is_let_in(&service, &own, &token);
    let _from_the_cache = world.is_let_in(&service, &own, &token);
    let asked = |world: &World| {
        let events = world.server.audit();
        events
            .iter()
            .filter(|event| event.to_string().contains("compute-client_secret_post"))
            .count()
    };
    assert_eq!(asked(&world), 2, "the registration, and one question");
    soon(|| world.ask(&service, Some(&own), Some(&token)).status == 401);
}

/// A service that Sealstone refuses lets nobody in; its users are told that it is the service's fault.
#[test]
fn a_service_that_is_refused_lets_nobody_in() {
    let world = World::start();
    let own = world.certificate("machine");
    let token = world.token("machine", &own);
    for method in METHODS {
        let service = world.service(method, CertificateIn::Environ, &[]);
        let _in = world.is_let_in(&service, &own, &token);
        let disabled = world.sealstone(&["client", "disable", &format!("compute-{method}")]);
        assert!(disabled.status.success());
        soon(|| world.ask(&service, Some(&own), Some(&token)).status == 500);
        assert!(!service.said().contains(&token), "{method}");
    }
    let wrong = [("client_secret = ", "client_secret = x")];
    for method in ["client_secret_basic", "client_secret_post", "client_secret_jwt"] {
        let service = world.service(method, CertificateIn::Environ, &wrong);
        assert_eq!(
            world.ask(&service, Some(&own), Some(&token)).status,
            500,
            "{method}"
        );
    }
    // Without the switch, assertions with dates as text are refused, as RFC 7519 has it.
    let service = world.service("private_key_jwt", CertificateIn::Environ, &[]);
    let strict = [
        "client",
        "update",
        "compute-private_key_jwt",
        "--assertion-dates-as-text",
        "false",
    ];
    assert!(world.sealstone(&strict).status.success());
    soon(|| world.ask(&service, Some(&own), Some(&token)).status == 500);
    let reasons: Vec<String> = world.server.audit().iter().map(Value::to_string).collect();
    assert!(
        reasons
            .iter()
            .any(|event| event.contains("wrong_assertion/dates"))
    );
}

/// Looks until it is so, or for as long as a busy machine may take.
#[track_caller]
#[expect(clippy::disallowed_methods, reason = "a real process is waited for")]
fn soon(is_so: impl Fn() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < Duration::from_secs(90), "it has not come");
        std::thread::sleep(Duration::from_millis(100));
    }
}
