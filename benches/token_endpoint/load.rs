//! Requests over connections that stay open.

use crate::process::Server;
use crate::server::wire::Wire;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// How the client proves who it is.
#[derive(Clone, Copy)]
pub(crate) enum Load {
    Secret,
    Certificate,
    /// By certificate, of a client tied to an application credential of Keystone.
    Tied,
    /// Nobody yet: a browser that is shown the login page.
    LoginPage,
}

impl Load {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::Certificate => "certificate",
            Self::Tied => "tied",
            Self::LoginPage => "login page",
        }
    }
}

/// One connection and the request that it repeats.
pub(crate) struct Connection {
    wire: Wire,
    request: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open_many(server: &Server, load: Load, count: usize) -> Vec<Self> {
        let tls = Arc::new(tls(&server.data, load));
        let authority = match load {
            Load::Secret | Load::LoginPage => &server.public,
            Load::Certificate | Load::Tied => &server.mtls,
        };
        let mut connections = Vec::new();
        for _ in 0..count {
            let mut connection = Self {
                wire: Wire::open(authority, Arc::clone(&tls)).await,
                request: request(server, load),
            };
            connection.ask().await;
            connections.push(connection);
        }
        connections
    }

    /// One request, and its whole answer, which must be a token (or the floor's bytes).
    pub(crate) async fn ask(&mut self) -> &[u8] {
        let (answer, body) = self.wire.ask(&self.request).await;
        assert!(body > 500, "a whole token");
        answer
    }
}

/// The server's CPU time for one request, in microseconds, over `requests` of them.
pub(crate) async fn round(server: &Server, connections: &mut [Connection], requests: usize) -> f64 {
    let each = requests / connections.len();
    let before = server.cpu_ns();
    let asked = connections.iter_mut().map(|connection| async move {
        for _ in 0..each {
            connection.ask().await;
        }
    });
    futures_util::future::join_all(asked).await;
    let used = u32::try_from(server.cpu_ns() - before).expect("a round takes less than four seconds");
    f64::from(used) / 1_000.0 / f64::from(u32::try_from(each * connections.len()).expect("a number"))
}

/// As a client's link to sign in has it.
const LOGIN_PAGE: &str = "GET /v4/oauth2/demo/authorize?response_type=code&client_id=cli&scope=openid%20profile&state=s\
    &redirect_uri=http%3A%2F%2F127.0.0.1%2Fcallback&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM\
    &code_challenge_method=S256 HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\n\r\n";

fn request(server: &Server, load: Load) -> Vec<u8> {
    if let Load::LoginPage = load {
        return LOGIN_PAGE.as_bytes().to_vec();
    }
    let dev = fs::read(server.data.join("dev.json")).expect("dev.json");
    let dev: Value = serde_json::from_slice(&dev).expect("JSON");
    let clients = dev["clients"].as_array().expect("clients");
    let name = match load {
        Load::Secret => "machine-secret",
        Load::Certificate | Load::Tied | Load::LoginPage => "machine",
    };
    let client = clients
        .iter()
        .find(|client| client["name"] == name)
        .expect("the client");
    let (authorization, scope, id) = match load {
        Load::Secret => {
            let pair = format!("{name}:{}", client["client_secret"].as_str().expect("a secret"));
            (
                format!(
                    "Authorization: Basic {}\r\n",
                    base64_simd::STANDARD.encode_to_string(pair)
                ),
                "demo:read",
                "",
            )
        }
        Load::Certificate => (String::new(), "openstack:api", "&client_id=machine"),
        Load::Tied | Load::LoginPage => (String::new(), "openstack:api", "&client_id=machine-tied"),
    };
    let body = format!("grant_type=client_credentials&scope={scope}{id}");
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n{authorization}\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n",
        server.token_path,
        body.len()
    );
    (head + &body).into_bytes()
}

fn tls(data: &Path, load: Load) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(data.join("ca/ca.pem")).expect("the CA"))
        .expect("a root");
    let config = ClientConfig::builder().with_root_certificates(roots);
    match load {
        Load::Secret | Load::LoginPage => config.with_no_client_auth(),
        Load::Certificate | Load::Tied => {
            let chain =
                vec![CertificateDer::from_pem_file(data.join("certs/machine.pem")).expect("certificate")];
            let key = PrivateKeyDer::from_pem_file(data.join("certs/machine.key")).expect("a key");
            config
                .with_client_auth_cert(chain, key)
                .expect("a client certificate")
        }
    }
}
