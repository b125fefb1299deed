//! Real proxies before `sealstoned serve`, each with its file of `examples/proxies`.
//!
//! The files are loaded as they are, but for what they say is the reader's to change: names, ports and the folder.

use std::fs;
use std::path::Path;
use std::process::Command;

use sealstone_interop::{
    Answer, EXPIRED_AT, Front, FrontKind, FrontSetup, Https, HttpsError, ServeServer, ServeSetup, free_ports,
};
use sealstone_testkit::{CertificateSpec, CrlSpec, TestCa, TestCertificate, sha256, unix_time};
use serde_json::Value;

/// What the proxy and the server share.
const SECRET: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0";
/// 2048-01-01.
const NOT_YET: u64 = 2_461_449_600;

/// A proxy of `examples/proxies`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Kind {
    front: FrontKind,
    file: &'static str,
    form: &'static str,
    header: &'static str,
    /// How its port stands in the file, and how it does here.
    listens: (&'static str, &'static str),
}

const APACHE: Kind = Kind {
    front: FrontKind::Apache,
    file: "apache.conf",
    form: "apache-pem",
    header: "x-ssl-client-cert",
    listens: ("*:443", "127.0.0.1:"),
};
const NGINX: Kind = Kind {
    front: FrontKind::Nginx,
    file: "nginx.conf",
    form: "nginx-escaped-pem",
    header: "x-ssl-client-cert",
    listens: ("listen 443", "listen 127.0.0.1:"),
};
const HAPROXY: Kind = Kind {
    front: FrontKind::HaProxy,
    file: "haproxy.cfg",
    form: "rfc9440",
    header: "client-cert",
    listens: ("bind :443", "bind 127.0.0.1:"),
};

impl Kind {
    fn text(self) -> String {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/proxies");
        fs::read_to_string(folder.join(self.file)).unwrap()
    }

    /// The file with what is the reader's to change.
    fn configured(self, folder: &Path, port: u16, backend: u16) -> String {
        let (listens, here) = self.listens;
        let mut text = self.text();
        for (theirs, ours) in [
            (listens, format!("{here}{port}")),
            ("sealstone.internal:8443", format!("localhost:{backend}")),
            ("sealstone.internal", "localhost".to_owned()),
            ("/etc/sealstone-proxy", folder.display().to_string()),
        ] {
            assert!(self.text().contains(theirs), "{}: {theirs}", self.file);
            text = text.replace(theirs, &ours);
        }
        text.replace("mtls.id.example.org", "localhost")
    }

    /// The header as the proxy writes it for this certificate.
    fn value(self, certificate: &TestCertificate) -> String {
        match self.form {
            "apache-pem" => certificate.pem().trim_end().replace('\n', " "),
            "nginx-escaped-pem" => certificate.escaped_pem(),
            _ => rfc9440(certificate),
        }
    }
}

fn rfc9440(certificate: &TestCertificate) -> String {
    format!(":{}:", base64_simd::STANDARD.encode_to_string(certificate.der()))
}

/// A server, a proxy before it, and the client `ci`.
struct World {
    server: ServeServer,
    proxy: Front,
    ci: TestCertificate,
    /// Of the same authority, and revoked.
    revoked: TestCertificate,
}

impl World {
    fn new(kind: Kind) -> Self {
        let [port] = free_ports();
        let (server, ci, revoked) = serve(kind.form, Some(port));
        Self {
            proxy: front(kind, &server, port),
            server,
            ci,
            revoked,
        }
    }

    fn holder(&self, certificate: &TestCertificate) -> Https {
        self.server.holder(certificate)
    }

    /// Asks for a token through the proxy.
    fn ask(&self, https: &Https, headers: &[(&str, &str)]) -> Result<Answer, HttpsError> {
        let url = format!("{}/v4/oauth2/demo/token", self.proxy.url());
        https.post(&url, headers, &FORM)
    }

    /// The same at the server itself, as the proxy does it.
    fn ask_directly(&self, headers: &[(&str, &str)]) -> Result<Answer, HttpsError> {
        let https = self.server.https();
        https.post(&self.server.public_url("/token"), headers, &FORM)
    }

    /// The rule that refused the last request, by the audit trail.
    fn rule(&self) -> String {
        let audit = self.server.audit();
        let last = audit.last().unwrap();
        assert_eq!(last["outcome"], "failure", "{last}");
        let rule = last["reason"]["policyId"].as_str().unwrap();
        rule.split('/').next().unwrap().to_owned()
    }
}

/// A server behind a proxy that writes this form, with the client `ci`: its certificate, and a revoked one.
fn serve(form: &str, port: Option<u16>) -> (ServeServer, TestCertificate, TestCertificate) {
    let mut setup = ServeSetup::new();
    if let Some(port) = port {
        let base = format!("'https://localhost:{port}'");
        setup.set("server", "base_url", &base);
        setup.set("server", "mtls_base_url", &base);
    }
    setup.write_private("proxy", SECRET);
    for (key, value) in [
        ("trusted_networks", "['127.0.0.1/32']"),
        ("form", &format!("'{form}'")),
        ("secret_header", "'X-Proxy-Secret'"),
        ("secret_file", "'proxy'"),
    ] {
        setup.set("proxy", key, value);
    }
    let (ci, revoked) = (setup.ca().client("ci"), setup.ca().client("ci"));
    let list = setup.ca().crl(&CrlSpec::new(1).revoke(&revoked));
    setup.write("clients.crl", &list.pem());
    setup.set("tls", "crl_files", "['clients.crl']");
    let _made = setup.register("ci", &["--subject-dn", "CN=ci", "--scope", "builds:read"]);
    (setup.start(), ci, revoked)
}

const FORM: [(&str, &str); 3] = [
    ("grant_type", "client_credentials"),
    ("client_id", "ci"),
    ("scope", "builds:read"),
];

fn front(kind: Kind, server: &ServeServer, port: u16) -> Front {
    let setup = FrontSetup::new();
    let ca = server.setup().ca();
    setup.write_certificate("server", &ca.server());
    setup.write("sealstone-ca.pem", &ca.pem());
    setup.write("client-ca.pem", &ca.pem());
    setup.write(
        "secret.conf",
        &match kind.front {
            FrontKind::Apache => format!("RequestHeader set X-Proxy-Secret \"{SECRET}\"\n"),
            _ => format!("proxy_set_header X-Proxy-Secret \"{SECRET}\";\n"),
        },
    );
    let [backend, _] = server.ports();
    let config = kind.configured(setup.folder(), port, backend);
    // The modules are those that the file names.
    let modules: Vec<&str> = config
        .lines()
        .find_map(|line| line.strip_prefix("# a2enmod "))
        .map(|names| names.split(' ').collect())
        .unwrap_or_default();
    let environment = [("SEALSTONE_PROXY_SECRET", SECRET)];
    setup.start_with(kind.front, port, &config, &modules, &environment)
}

fn confirmation(answer: &str) -> Value {
    token_claims(&serde_json::from_str(answer).unwrap())["cnf"]["x5t#S256"].clone()
}

fn claims(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.text());
    token_claims(&answer.json())
}

fn token_claims(answer: &Value) -> Value {
    let token = answer["access_token"].as_str().unwrap();
    let payload = token.split('.').nth(1).unwrap();
    let payload = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(payload).unwrap();
    serde_json::from_slice(&payload).unwrap()
}

fn binds_the_token_to_the_clients_certificate(kind: Kind) {
    let world = World::new(kind);
    let answer = world.ask(&world.holder(&world.ci), &[]).unwrap();
    let claims_behind = claims(&answer);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let url = world.server.mtls_url("/token");
    let answer = world.holder(&world.ci).post(&url, &[], &FORM).unwrap();
    let claims_direct = claims(&answer);
    assert_eq!(claims_behind["cnf"], claims_direct["cnf"]);
    let thumbprint = &claims_behind["cnf"]["x5t#S256"];
    assert_eq!(*thumbprint, *world.ci.thumbprint());
    // A large certificate comes through whole.
    let mut spec = CertificateSpec::client("ci");
    for number in 0..150 {
        spec = spec.san_dns(&format!("runner-{number}.of.the.builds.example.org"));
    }
    let large = world.server.setup().ca().issue(spec);
    assert!(large.der().len() > 5_000);
    let answer = world.ask(&world.holder(&large), &[]).unwrap();
    assert_eq!(claims(&answer)["cnf"]["x5t#S256"], *large.thumbprint());
    // And what the audit trail says of the caller is the client's address, whatever it says itself.
    let forged = [("x-forwarded-for", "203.0.113.7")];
    let answer = world.ask(&world.holder(&world.ci), &forged).unwrap();
    assert_eq!(answer.status, 200);
    let audit = world.server.audit();
    assert_eq!(audit.last().unwrap()["initiator"]["host"]["address"], "127.0.0.1");
}

/// On a resumed session the client shows no certificate; the proxy has kept the one of the first handshake.
fn hands_it_over_on_a_resumed_session(kind: Kind) {
    let world = World::new(kind);
    let folder = world.proxy.setup();
    folder.write_certificate("ci", &world.ci);
    for version in ["1.3", "1.2"] {
        let mut command = Command::new("curl");
        command.args([
            "--silent",
            "--verbose",
            "--max-time",
            "30",
            "--tls-max",
            version,
            "--cacert",
        ]);
        command.arg(world.server.setup().path("ca.pem"));
        command.arg("--cert").arg(folder.path("ci.pem"));
        command.arg("--key").arg(folder.path("ci.key"));
        command.args(["--header", "Connection: close"]);
        for (name, value) in FORM {
            command.args(["--data", &format!("{name}={value}")]);
        }
        let url = format!("{}/v4/oauth2/demo/token", world.proxy.url());
        let output = command.args(["--write-out", "\n", &url, &url]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        // Apache without `SSLSessionCache` resumes only what TLS 1.3 keeps in tickets.
        let resumed = said.contains("re-using session ID");
        assert!(resumed || version == "1.2", "{said}");
        let answers = String::from_utf8(output.stdout).unwrap();
        let bound: Vec<Value> = answers.lines().map(confirmation).collect();
        let want = Value::String(world.ci.thumbprint());
        assert_eq!(bound, [want.clone(), want], "{version}");
    }
}

/// Who is refused, and by whom: by a rule of ours, or by the proxy before a request is made.
fn judges_the_chain_itself(kind: Kind, by_the_proxy: &[&str]) {
    let world = World::new(kind);
    let ca = world.server.setup().ca();
    let twin = TestCa::new("Machines");
    let same = || CertificateSpec::client("ci");
    let cases = [
        ("no certificate", None, "no_certificate"),
        ("another client's", Some(ca.client("other")), "other_certificate"),
        (
            "an authority of the same name",
            Some(twin.client("ci")),
            "untrusted_certificate",
        ),
        (
            "an authority of another name",
            Some(TestCa::new("Elsewhere").client("ci")),
            "untrusted_certificate",
        ),
        ("self-signed", Some(same().self_signed()), "untrusted_certificate"),
        (
            "expired",
            Some(ca.issue(same().not_after(EXPIRED_AT))),
            "untrusted_certificate",
        ),
        (
            "not yet valid",
            Some(ca.issue(same().not_before(unix_time(NOT_YET)))),
            "untrusted_certificate",
        ),
        ("revoked", Some(world.revoked.clone()), "untrusted_certificate"),
        (
            "a server's",
            Some(ca.issue(CertificateSpec::server().subject(&[("CN", "ci")]))),
            "untrusted_certificate",
        ),
    ];
    for (name, certificate, rule) in cases {
        let https = match &certificate {
            Some(certificate) => world.holder(certificate),
            None => world.server.https(),
        };
        let before = world.server.audit().len();
        let outcome = world.ask(&https, &[]);
        if by_the_proxy.contains(&name) {
            let status = outcome.map(|answer| answer.status).ok();
            assert!(matches!(status, None | Some(400)), "{name}: {status:?}");
            assert_eq!(world.server.audit().len(), before, "{name}");
        } else {
            let answer = outcome.unwrap_or_else(|error| panic!("{name}: {error} {}", world.proxy.said()));
            assert_eq!(answer.status, 401, "{name}: {}", answer.text());
            assert_eq!(answer.json()["error"], "invalid_client", "{name}");
            assert_eq!(world.rule(), rule, "{name}");
        }
    }
    let answer = world.ask(&world.holder(&world.ci), &[]).unwrap();
    assert_eq!(answer.status, 200);
}

/// Headers that a client writes itself, with the certificate of the client `ci` in them.
fn replaces_what_the_client_sends(kind: Kind) {
    let world = World::new(kind);
    let good = kind.value(&world.ci);
    let other = world.server.setup().ca().client("other");
    let header = kind.header;
    let underscored = header.replace('-', "_");
    let escaped = world.ci.escaped_pem();
    let (item, folded) = (rfc9440(&world.ci), world.ci.pem().trim_end().replace('\n', " "));
    let hop = format!("close, {header}");
    let secret_hop = format!("close, {header}, x-proxy-secret");
    let forged: [(&str, &[(&str, &str)]); 9] = [
        ("the form of the proxy", &[(header, &good)]),
        ("twice", &[(header, &good), (header, &good)]),
        ("with underscores", &[(&underscored, &good)]),
        (
            "with the secret's header",
            &[(header, &good), ("x-proxy-secret", SECRET)],
        ),
        ("named hop-by-hop", &[("connection", &hop), (header, &good)]),
        ("all hop-by-hop", &[("connection", &secret_hop), (header, &good)]),
        (
            "other forms",
            &[("client-cert", &item), ("x-ssl-client-cert", &folded)],
        ),
        ("escaped", &[("x-ssl-client-cert", &escaped)]),
        (
            "names alone",
            &[("x-ssl-client-s-dn", "CN=ci"), ("x-ssl-client-verify", "SUCCESS")],
        ),
    ];
    for (name, headers) in forged {
        let answer = world.ask(&world.server.https(), headers).unwrap();
        assert_eq!(answer.status, 401, "{name}: {}", answer.text());
        assert_eq!(world.rule(), "no_certificate", "{name}");
        // With a certificate of its own, that one counts, or none.
        let answer = world.ask(&world.holder(&other), headers).unwrap();
        assert_eq!(answer.status, 401, "{name}: {}", answer.text());
        let rule = world.rule();
        let rules = ["other_certificate", "no_certificate"];
        assert!(rules.contains(&rule.as_str()), "{name}: {rule}");
    }
    // What it wrote does not stand in its own way either.
    let answer = world.ask(&world.holder(&world.ci), &[(header, "x")]).unwrap();
    assert_eq!(claims(&answer)["cnf"]["x5t#S256"], *world.ci.thumbprint());
    // A head without end ends at the proxy, or at the server.
    let endless = "A".repeat(1024 * 1024);
    let answer = world.ask(&world.server.https(), &[(header, &endless)]);
    let status = answer.map(|answer| answer.status).ok();
    assert!(matches!(status, None | Some(400 | 431)), "{status:?}");
}

/// Who goes round the proxy.
fn is_the_only_one_believed(kind: Kind) {
    let world = World::new(kind);
    let good = kind.value(&world.ci);
    let (header, secret) = (kind.header, ("x-proxy-secret", SECRET));
    let works = || {
        let answer = world.ask_directly(&[(header, &good), secret]).unwrap();
        assert_eq!(claims(&answer)["cnf"]["x5t#S256"], *world.ci.thumbprint());
    };
    works();
    for headers in [
        &[(header, good.as_str())][..],
        &[(header, &good), ("x-proxy-secret", "")],
        &[(header, &good), ("x-proxy-secret", &SECRET[1..])],
        &[(header, &good), secret, secret],
        &[(header, &good), ("x_proxy_secret", SECRET)],
        &[(header, ""), secret],
        &[secret],
    ] {
        let answer = world.ask_directly(headers).unwrap();
        assert_eq!(answer.status, 401, "{headers:?}: {}", answer.text());
        assert_eq!(world.rule(), "no_certificate", "{headers:?}");
    }
    // Who knows the secret, and is not the proxy.
    let status = from_elsewhere(&world, &[(header, &good), secret]);
    assert_eq!((status, world.rule().as_str()), (401, "no_certificate"));
    // The proxy itself, with what it would never write.
    let forms = [APACHE, NGINX, HAPROXY].map(|other| (other, other.value(&world.ci)));
    let mut odd: Vec<String> = forms
        .into_iter()
        .filter(|(other, _)| other.form != kind.form)
        .map(|(_, value)| value)
        .collect();
    odd.extend([
        "x".to_owned(),
        format!("{good}, {good}"),
        format!("{good};trusted"),
    ]);
    for value in &odd {
        let answer = world.ask_directly(&[(header, value), secret]).unwrap();
        assert_eq!(answer.status, 400, "{value}: {}", answer.text());
        assert_eq!(answer.json()["error"], "invalid_request");
        assert_eq!(world.rule(), "malformed_request", "{value}");
    }
    let twice = [(header, good.as_str()), (header, &good), secret];
    assert_eq!(world.ask_directly(&twice).unwrap().status, 400);
    let endless = "A".repeat(1024 * 1024);
    let answer = world.ask_directly(&[(header, &endless), secret]);
    let status = answer.map(|answer| answer.status).ok();
    assert!(matches!(status, None | Some(400 | 431)), "{status:?}");
    works();
}

/// The status with which the server answers somebody at 127.0.0.2.
fn from_elsewhere(world: &World, headers: &[(&str, &str)]) -> u16 {
    let mut command = Command::new("curl");
    command.args([
        "--silent",
        "--interface",
        "127.0.0.2",
        "--max-time",
        "30",
        "--cacert",
    ]);
    command.arg(world.server.setup().path("ca.pem"));
    for (name, value) in headers {
        command.args(["--header", &format!("{name}: {value}")]);
    }
    for (name, value) in FORM {
        command.args(["--data-urlencode", &format!("{name}={value}")]);
    }
    command.args(["--output", "/dev/null", "--write-out", "%{http_code}"]);
    let output = command.arg(world.server.public_url("/token")).output().unwrap();
    String::from_utf8(output.stdout).unwrap().parse().unwrap()
}

macro_rules! each_proxy {
    ($($module:ident: $kind:ident, $by_the_proxy:expr;)+) => {
        $(mod $module {
            #[test]
            fn binds_the_token_to_the_clients_certificate() {
                super::binds_the_token_to_the_clients_certificate(super::$kind);
            }

            #[test]
            fn hands_it_over_on_a_resumed_session() {
                super::hands_it_over_on_a_resumed_session(super::$kind);
            }

            #[test]
            fn e17_judges_the_chain_itself() {
                super::judges_the_chain_itself(super::$kind, &$by_the_proxy);
            }

            #[test]
            fn e05_e18_e20_e24_replaces_what_the_client_sends() {
                super::replaces_what_the_client_sends(super::$kind);
            }

            #[test]
            fn e01_e03_e04_e15_e16_e21_is_the_only_one_believed() {
                super::is_the_only_one_believed(super::$kind);
            }
        })+
    };
}

each_proxy! {
    apache: APACHE, ["expired", "not yet valid", "a server's"];
    nginx: NGINX, ["expired", "not yet valid"];
    haproxy: HAPROXY, [];
}

/// Proxies that are not run here: what they write for a certificate, and what they would never write.
#[test]
fn e03_e04_e10_forms_of_envoy_and_traefik() {
    let der = base64_simd::STANDARD;
    for form in ["envoy-xfcc", "traefik"] {
        let (server, ci, _) = serve(form, None);
        let other = server.setup().ca().client("other");
        let hash: String = sha256(ci.der())
            .iter()
            .map(|octet| format!("{octet:02x}"))
            .collect();
        let envoy =
            |certificate: &TestCertificate| format!("Hash={hash};Cert=\"{}\"", certificate.escaped_pem());
        let (plain, second) = (der.encode_to_string(ci.der()), der.encode_to_string(other.der()));
        let (header, good, odd) = if form == "envoy-xfcc" {
            let two = format!("{},{}", envoy(&ci), envoy(&ci));
            let twice = format!("{0};Cert=\"{1}\"", envoy(&ci), other.escaped_pem());
            let odd = vec![envoy(&other), two, twice, rfc9440(&ci), plain];
            ("x-forwarded-client-cert", envoy(&ci), odd)
        } else {
            let odd = vec![
                format!("{plain},x"),
                format!("{plain};{second}"),
                rfc9440(&ci),
                envoy(&ci),
            ];
            ("x-forwarded-tls-client-cert", plain, odd)
        };
        let (secret, url) = (("x-proxy-secret", SECRET), server.public_url("/token"));
        let ask = |headers: &[(&str, &str)]| server.https().post(&url, headers, &FORM).unwrap();
        let answer = ask(&[(header, &good), secret]);
        assert_eq!(claims(&answer)["cnf"]["x5t#S256"], *ci.thumbprint(), "{form}");
        assert_eq!(ask(&[(header, &good)]).status, 401, "{form}: from anybody");
        assert_eq!(ask(&[secret]).status, 401, "{form}: without a certificate");
        assert_eq!(ask(&[(header, &good), (header, &good), secret]).status, 400);
        for value in odd {
            let answer = ask(&[(header, &value), secret]);
            assert_eq!(answer.status, 400, "{form}: {value}: {}", answer.text());
            assert_eq!(answer.json()["error"], "invalid_request");
        }
    }
    // A hash or a name alone is not believed.
    let (server, ci, _) = serve("envoy-xfcc", None);
    for value in [
        format!("Hash={}", ci.thumbprint()),
        "Subject=\"CN=ci\"".to_owned(),
    ] {
        let headers = [
            ("x-forwarded-client-cert", value.as_str()),
            ("x-proxy-secret", SECRET),
        ];
        let answer = server
            .https()
            .post(&server.public_url("/token"), &headers, &FORM)
            .unwrap();
        assert_eq!(answer.status, 401, "{value}: {}", answer.text());
    }
}

#[test]
fn the_guide_shows_each_file() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let guide = fs::read_to_string(root.join("docs/guides/behind-a-proxy.md")).unwrap();
    for entry in fs::read_dir(root.join("examples/proxies")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(
            guide.contains(&format!("(../../examples/proxies/{name})")),
            "{name}"
        );
    }
    for kind in [APACHE, NGINX, HAPROXY] {
        assert!(
            guide.contains(&kind.text()),
            "{} is not shown as it is",
            kind.file
        );
        assert!(guide.contains(&format!("`{}`", kind.form)));
    }
    // What makes Envoy's header one of its own, with the certificate in it.
    let envoy = fs::read_to_string(root.join("examples/proxies/envoy.yaml")).unwrap();
    for needed in [
        "forward_client_cert_details: SANITIZE_SET",
        "set_current_client_cert_details: { cert: true }",
        "require_client_certificate: false",
        "trust_chain_verification: ACCEPT_UNTRUSTED",
    ] {
        assert!(envoy.contains(needed), "{needed}");
    }
}
