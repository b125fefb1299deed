//! What a proxy does to requests on their way.

use std::process::Command;

use sealstone_interop::{Front, FrontKind, FrontSetup, free_ports};

use crate::world::{Bench, Diagnosis, Served, program};

/// What the proxy and the server share.
const SECRET: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0";
const ONLY: [&str; 2] = ["--only", "issuer"];
/// From where the proxy comes, so that it is told from its clients.
const FROM: &str = "proxy_bind 127.0.0.2;";
/// What examples/proxies/nginx.conf says of every request.
const SAYS: &str = "proxy_set_header X-Forwarded-For $remote_addr; \
                    proxy_set_header X-SSL-Client-Cert $ssl_client_escaped_cert;";

fn secret() -> String {
    format!("proxy_set_header X-Proxy-Secret {SECRET};")
}

/// A server that is called by the proxy's address, and the proxy.
struct World {
    server: Served,
    _front: Front,
}

impl World {
    /// `trusted` in `[proxy]`, if there is one; what stands in nginx's `server`, and what in its `location`.
    fn new(trusted: Option<&str>, server: &str, location: &str) -> Self {
        let [port] = free_ports();
        let mut bench = behind(port, trusted);
        let server_block = server.to_owned();
        let served = bench.started();
        let [backend, _] = served.0.ports();
        let setup = FrontSetup::new();
        setup.write_certificate("server", &served.0.setup().ca().server());
        let at = setup.folder().display().to_string();
        let config = format!(
            "server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {at}/server.pem; \
             ssl_certificate_key {at}/server.key; ssl_verify_client optional_no_ca; {server_block}\n\
             location / {{ proxy_pass https://127.0.0.1:{backend}; {location} }} }}"
        );
        Self {
            _front: setup.start(FrontKind::Nginx, port, &config, &[]),
            server: served,
        }
    }

    fn diagnose(&self) -> Diagnosis {
        self.server.diagnose(&ONLY)
    }
}

fn behind(port: u16, trusted: Option<&str>) -> Bench {
    let mut bench = Bench::new();
    // The proxy's is not among them.
    bench
        .setup
        .set("limits", "insecure_unlimited_networks", "['127.0.0.1/32']");
    for key in ["base_url", "mtls_base_url"] {
        bench
            .setup
            .set("server", key, &format!("'https://localhost:{port}'"));
    }
    if let Some(network) = trusted {
        bench.setup.write_private("proxy", SECRET);
        for (key, value) in [
            ("trusted_networks", format!("['{network}']")),
            ("form", "'nginx-escaped-pem'".to_owned()),
            ("secret_header", "'X-Proxy-Secret'".to_owned()),
            ("secret_file", "'proxy'".to_owned()),
        ] {
            bench.setup.set("proxy", key, &value);
        }
    }
    bench
}

#[test]
fn a_proxy_that_does_as_the_example_does() {
    let world = World::new(
        Some("127.0.0.2/32"),
        "large_client_header_buffers 4 16k;",
        &[FROM, SAYS, &secret()].concat(),
    );
    let done = world.diagnose();
    assert!(done.ids().is_empty(), "{done:?}");
    // The same from outside, where nothing is known but the address.
    let issuer = format!("{}/v4/oauth2/demo", world._front.url());
    let output = program()
        .args(["doctor", "--issuer", &issuer, "--output", "json", "--ca"])
        .arg(world.server.0.setup().path("ca.pem"))
        .output()
        .unwrap();
    assert!(Diagnosis::of(&output).ids().is_empty(), "{output:?}");
}

#[test]
fn nginx_that_does_otherwise() {
    let good = [FROM, SAYS, &secret()].concat();
    let trusted = Some("127.0.0.2/32");
    let room = "large_client_header_buffers 4 16k;";
    let cases = [
        (
            "proxy-passes-certificates",
            "x-ssl-client-cert",
            trusted,
            room,
            format!(
                "{FROM} proxy_set_header X-Forwarded-For $remote_addr; {}",
                secret()
            ),
        ),
        (
            "proxy-not-trusted",
            "127.0.0.2",
            Some("127.0.0.9/32"),
            room,
            good.clone(),
        ),
        (
            "proxy-not-believed",
            "127.0.0.2",
            trusted,
            room,
            format!("{FROM} {SAYS}"),
        ),
        (
            "proxy-unconfigured",
            "127.0.0.2",
            None,
            room,
            format!("{FROM} {SAYS}"),
        ),
        (
            "proxy-body-limit",
            "413",
            trusted,
            "large_client_header_buffers 4 16k; client_max_body_size 1k;",
            good.clone(),
        ),
        ("proxy-header-limit", "400", trusted, "", good.clone()),
        (
            "headers-lost",
            "cache-control",
            trusted,
            room,
            format!("{good} proxy_hide_header Cache-Control;"),
        ),
    ];
    for (id, seen, trusted, server, location) in cases {
        World::new(trusted, server, &location).diagnose().has(id, seen);
    }
}

/// The same faults look the same behind other proxies.
#[test]
fn apache_and_haproxy() {
    let [port] = free_ports();
    let mut bench = behind(port, None);
    let served = bench.started();
    let [backend, _] = served.0.ports();
    let setup = FrontSetup::new();
    setup.write_certificate("server", &served.0.setup().ca().server());
    let at = setup.folder().display().to_string();
    let config = format!(
        "<VirtualHost 127.0.0.1:{port}>\nSSLEngine on\nSSLCertificateFile {at}/server.pem\n\
         SSLCertificateKeyFile {at}/server.key\nSSLProxyEngine on\nSSLProxyVerify none\nSSLProxyCheckPeerName off\n\
         SSLProxyCheckPeerCN off\nProxyPass / https://127.0.0.1:{backend}/\n</VirtualHost>\n"
    );
    let modules = ["socache_shmcb", "ssl", "proxy", "proxy_http"];
    let front = setup.start(FrontKind::Apache, port, &config, &modules);
    let done = served.diagnose(&ONLY);
    done.has("proxy-header-limit", "by Apache");
    done.has("mtls-asks-nobody", "localhost");
    drop(front);
    let setup = FrontSetup::new();
    setup.write_certificate("server", &served.0.setup().ca().server());
    let config = format!(
        "global\n  tune.bufsize 8192\n  tune.maxrewrite 1024\ndefaults\n  mode http\n  timeout connect 5s\n  \
         timeout client 30s\n  timeout server 30s\n\
         frontend f\n  bind 127.0.0.1:{port} ssl crt {}\n  http-response del-header strict-transport-security\n  \
         default_backend b\nbackend b\n  server s 127.0.0.1:{backend} ssl verify none\n",
        setup.path("server-and-key.pem").display()
    );
    let _front = setup.start(FrontKind::HaProxy, port, &config, &[]);
    let done = served.diagnose(&ONLY);
    done.has("proxy-header-limit", "10240 octets");
    done.has("headers-lost", "strict-transport-security");
    let gone = Command::new(program().get_program())
        .arg("doctor")
        .arg("--issuer")
        .arg("https://localhost:1/x")
        .output();
    assert_eq!(gone.unwrap().status.code(), Some(1));
}

/// A balancer that passes TLS on can tell nobody's address: who has taken it out of the limits has thought of it.
#[test]
fn haproxy_that_passes_tls_on() {
    for is_thought_of in [false, true] {
        let [port] = free_ports();
        let mut bench = behind(port, None);
        if is_thought_of {
            let network = "['127.0.0.0/8']";
            bench.setup.set("limits", "insecure_unlimited_networks", network);
        }
        let served = bench.started();
        let [backend, _] = served.0.ports();
        let config = format!(
            "defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 30s\n  timeout server 30s\n\
             frontend f\n  bind 127.0.0.1:{port}\n  default_backend b\n\
             backend b\n  server s 127.0.0.1:{backend} source 127.0.0.2\n"
        );
        let _front = FrontSetup::new().start(FrontKind::HaProxy, port, &config, &[]);
        let done = served.diagnose(&ONLY);
        if is_thought_of {
            done.has_not("proxy-unconfigured");
        } else {
            done.has("proxy-unconfigured", "127.0.0.2");
        }
    }
}
