//! Token requests of many clients over connections that stay open.

use crate::server::wire::Wire;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use std::path::Path;
use std::sync::Arc;

pub(crate) struct Connection {
    wire: Wire,
}

impl Connection {
    pub(crate) async fn open(authority: &str, data: &Path) -> Self {
        let mut roots = RootCertStore::empty();
        let ca = CertificateDer::from_pem_file(data.join("ca/ca.pem")).expect("the CA");
        roots.add(ca).expect("a root");
        let config = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self {
            wire: Wire::open(authority, Arc::new(config)).await,
        }
    }

    /// One token; anything else ends the bench.
    pub(crate) async fn token(&mut self, domain: &str, client: &str, secret: &str) {
        const BODY: &str = "grant_type=client_credentials&scope=metrics:read";
        let basic = base64_simd::STANDARD.encode_to_string(format!("{client}:{secret}"));
        let request = format!(
            "POST /v4/oauth2/{domain}/token HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {basic}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{BODY}",
            BODY.len()
        );
        self.wire.ask(request.as_bytes()).await;
    }
}
