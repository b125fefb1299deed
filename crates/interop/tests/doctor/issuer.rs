//! What is reached at the issuer's address.

use sealstone_interop::{EXPIRED_AT, Front, FrontKind, FrontSetup, free_ports};
use sealstone_testkit::{CertificateSpec, TestCa, TestCertificate};

use crate::world::{Bench, Diagnosis, Served};

const ONLY: [&str; 2] = ["--only", "issuer"];

/// nginx with this certificate and this in its `server`.
fn nginx(certificate: &TestCertificate, inside: &str) -> (Front, String) {
    let [port] = free_ports();
    let setup = FrontSetup::new();
    setup.write_certificate("server", certificate);
    let at = setup.folder().display().to_string();
    let config = format!(
        "server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {at}/server.pem; ssl_certificate_key {at}/server.key;\n\
         {inside} }}"
    );
    let front = setup.start(FrontKind::Nginx, port, &config, &[]);
    (front, format!("https://localhost:{port}"))
}

/// The doctor, told that the server is called so.
fn called(server: &Served, base: &str) -> Diagnosis {
    let line = format!("base_url = '{base}'");
    server.with(&[("base_url", &line)], &ONLY)
}

#[test]
fn what_answers_in_the_servers_place() {
    let server = Bench::new().started();
    let good = server.diagnose(&ONLY);
    assert!(good.ids().is_empty(), "{good:?}");
    called(&server, "http://localhost").has("issuer-not-https", "http://localhost");
    let [closed] = free_ports();
    called(&server, &format!("https://localhost:{closed}")).has("issuer-unreachable", &closed.to_string());
    let [plain] = free_ports();
    let config = format!("server {{ listen 127.0.0.1:{plain}; return 200 hello; }}");
    let _plain = FrontSetup::new().start(FrontKind::Nginx, plain, &config, &[]);
    called(&server, &format!("https://localhost:{plain}")).has("issuer-no-tls", &plain.to_string());
    let ca = server.0.setup().ca();
    let own = ca.server();
    let backend = format!("https://127.0.0.1:{}", server.0.ports()[0]);
    let cases = [
        (
            "issuer-redirects",
            "301",
            "return 301 https://elsewhere.example$request_uri;".to_owned(),
        ),
        (
            "proxy-cannot-reach",
            "502",
            format!("location / {{ proxy_pass https://127.0.0.1:{closed}; }}"),
        ),
        (
            "issuer-path-lost",
            "by this server",
            format!("location / {{ proxy_pass {backend}/lost/; }}"),
        ),
        (
            "issuer-path-lost",
            "by nginx",
            "location / { return 404; }".to_owned(),
        ),
        (
            "issuer-other-server",
            "hello",
            "location / { return 200 hello; }".to_owned(),
        ),
        (
            "issuer-differs",
            "it says https://localhost",
            format!("location / {{ proxy_pass {backend}; }}"),
        ),
    ];
    for (id, seen, inside) in cases {
        let (_front, url) = nginx(&own, &inside);
        called(&server, &url).has(id, seen);
    }
    let pass = format!("location / {{ proxy_pass {backend}; }}");
    let certificates = [
        (
            "served-expired",
            "CN=localhost",
            ca.issue(CertificateSpec::server().not_after(EXPIRED_AT)),
        ),
        (
            "served-other-name",
            "for other.example",
            ca.issue(
                CertificateSpec::client("other")
                    .san_dns("other.example")
                    .usages(&[sealstone_testkit::ExtendedKeyUsage::ServerAuth]),
            ),
        ),
        (
            "served-untrusted",
            "signed by CN=Elsewhere",
            TestCa::new("Elsewhere").server(),
        ),
    ];
    for (id, seen, certificate) in certificates {
        let (_front, url) = nginx(&certificate, &pass);
        called(&server, &url).has(id, seen);
    }
}

#[test]
fn what_the_server_itself_shows() {
    let server = Bench::new().started();
    let [public, _] = server.0.ports();
    // Where clients with certificates are sent, nobody asks for one.
    let wrong = format!("mtls_base_url = 'https://127.0.0.1:{public}'");
    server
        .with(&[("mtls_base_url", &wrong)], &ONLY)
        .has("mtls-asks-nobody", &public.to_string());
    if let Some(done) = server.at("+2m", &ONLY) {
        done.has("clock-issuer", "behind ours");
    }
    // Another database has other keys.
    let mut other = Bench::new();
    let own = other.started();
    let line = format!("base_url = 'https://localhost:{public}'");
    own.with(&[("base_url", &line)], &ONLY)
        .has("jwks-other", "the database");
    // A renewal that was put in place by half: the server keeps what it has.
    let setup = server.0.setup();
    setup.write("server.pem", &setup.ca().server().chain_pem());
    server
        .diagnose(&ONLY)
        .has("served-old-certificate", "not the file's");
}

/// The listener that asks for certificates, given to everybody.
#[test]
fn browsers_are_asked_for_certificates() {
    let mut bench = Bench::new();
    let [mutual] = free_ports();
    for (key, value) in [
        ("base_url", format!("'https://localhost:{mutual}'")),
        ("mtls_base_url", format!("'https://127.0.0.1:{mutual}'")),
        ("mtls_listen", format!("'127.0.0.1:{mutual}'")),
    ] {
        bench.setup.set("server", key, &value);
    }
    bench
        .started()
        .diagnose(&ONLY)
        .has("public-asks", &mutual.to_string());
}
