//! Token requests of many clients over connections that stay open.

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub(crate) struct Connection {
    stream: TlsStream<TcpStream>,
    answer: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(authority: &str, data: &Path) -> Self {
        let mut roots = RootCertStore::empty();
        let ca = CertificateDer::from_pem_file(data.join("ca/ca.pem")).expect("the CA");
        roots.add(ca).expect("a root");
        let config = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = TcpStream::connect(authority).await.expect("a connection");
        stream.set_nodelay(true).expect("a socket option");
        let name = ServerName::try_from("localhost").expect("a name");
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
        Self {
            stream: stream.expect("a handshake"),
            answer: vec![0; 16 * 1024],
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
        self.stream.write_all(request.as_bytes()).await.expect("sent");
        self.stream.flush().await.expect("sent");
        let mut length = 0;
        loop {
            let read = self
                .stream
                .read(&mut self.answer[length..])
                .await
                .expect("an answer");
            assert!(read > 0, "the server closed the connection");
            length += read;
            let answer = &self.answer[..length];
            let Some(head) = answer.windows(4).position(|window| window == b"\r\n\r\n") else {
                continue;
            };
            if length == head + 4 + content_length(&answer[..head]) {
                assert!(
                    answer.starts_with(b"HTTP/1.1 200"),
                    "{}",
                    String::from_utf8_lossy(answer)
                );
                return;
            }
        }
    }
}

fn content_length(head: &[u8]) -> usize {
    let head = std::str::from_utf8(head).expect("text").to_ascii_lowercase();
    let line = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    line.expect("content-length").parse().expect("a number")
}
