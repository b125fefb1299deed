//! An authorization server of a few lines: TLS on loopback, answers by a function, requests kept for the test.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use rustls::{
    RootCertStore, ServerConfig, ServerConnection, StreamOwned, crypto::aws_lc_rs,
    server::WebPkiClientVerifier,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use sealstone_ca::{AltName, CaFolder, CaRequest, CertificateRequest, Subject};
use serde_json::json;
use tempfile::TempDir;

use crate::program::now;

/// A request as it came, and the certificate that came with it.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) head: String,
    pub(crate) body: String,
    pub(crate) certificate: Option<Vec<u8>>,
}

/// Status line, further headers, body.
pub(crate) struct Answer(pub(crate) &'static str, pub(crate) String, pub(crate) String);

impl Answer {
    pub(crate) fn json(status: &'static str, body: &impl ToString) -> Self {
        Self(
            status,
            "Content-Type: application/json\r\n".to_owned(),
            body.to_string(),
        )
    }
}

type Handler = dyn Fn(&str, &Request) -> Option<Answer> + Send + Sync;

/// One listener asks for certificates, the other does not.
pub(crate) struct TestIssuer {
    folder: TempDir,
    ca: CaFolder,
    pub(crate) url: String,
    pub(crate) requests: Arc<Mutex<Vec<Request>>>,
}

impl TestIssuer {
    /// Answers `POST /token` by `token`, and metadata by itself unless `other` does.
    pub(crate) fn start(token: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        Self::with(token, |_, _, _| None)
    }

    pub(crate) fn with(
        token: impl Fn(&Request) -> Answer + Send + Sync + 'static,
        other: impl Fn(&str, &str, &str) -> Option<Answer> + Send + Sync + 'static,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ca = CaRequest::new(Subject::parse("CN=Test CA").unwrap());
        let ca = CaFolder::create(&folder.path().join("ca"), &ca, now()).unwrap();
        let listeners = [
            TcpListener::bind("127.0.0.1:0").unwrap(),
            TcpListener::bind("127.0.0.1:0").unwrap(),
        ];
        let [url, mtls] = [0, 1].map(|place| {
            format!(
                "https://127.0.0.1:{}",
                listeners[place].local_addr().unwrap().port()
            )
        });
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (base, seen) = (url.clone(), Arc::clone(&requests));
        let handler: Arc<Handler> = Arc::new(move |path, request| {
            seen.lock().unwrap().push(request.clone());
            if let Some(answer) = other(path, &base, &mtls) {
                return Some(answer);
            }
            match path {
                "/.well-known/oauth-authorization-server" => Some(Answer::json(
                    "200 OK",
                    &json!({
                        "issuer": base, "token_endpoint": format!("{base}/token"),
                        "mtls_endpoint_aliases": {"token_endpoint": format!("{mtls}/token")},
                    }),
                )),
                "/token" => Some(token(request)),
                _ => Some(Answer::json("404 Not Found", &"{}")),
            }
        });
        for (listener, asks) in listeners.into_iter().zip([false, true]) {
            let config = Arc::new(server_config(&ca, asks));
            let handler = Arc::clone(&handler);
            thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    let (config, handler) = (Arc::clone(&config), Arc::clone(&handler));
                    thread::spawn(move || serve(stream, config, &*handler));
                }
            });
        }
        Self {
            folder,
            ca,
            url,
            requests,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn ca_pem(&self) -> PathBuf {
        self.path("ca/ca.pem")
    }

    /// A client's certificate and key, as files.
    pub(crate) fn client(&self, name: &str) -> (PathBuf, PathBuf) {
        if self.path(&format!("{name}.pem")).exists() {
            return (
                self.path(&format!("{name}.pem")),
                self.path(&format!("{name}.key")),
            );
        }
        let subject = Subject::parse(&format!("CN={name}")).unwrap();
        let issued = self
            .ca
            .issue(&CertificateRequest::client(subject), now())
            .unwrap();
        let (certificate, key) = (
            self.path(&format!("{name}.pem")),
            self.path(&format!("{name}.key")),
        );
        std::fs::write(&certificate, &issued.certificate_pem).unwrap();
        write_private(&key, &issued.private_key_pem);
        (certificate, key)
    }

    /// The requests to the token endpoint.
    pub(crate) fn token_requests(&self) -> Vec<Request> {
        let requests = self.requests.lock().unwrap();
        requests
            .iter()
            .filter(|request| request.head.starts_with("POST /token"))
            .cloned()
            .collect()
    }
}

pub(crate) fn write_private(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

fn server_config(ca: &CaFolder, asks: bool) -> ServerConfig {
    let names = vec![AltName::parse("ip:127.0.0.1").unwrap()];
    let request = CertificateRequest::server(Subject::parse("CN=localhost").unwrap(), names);
    let issued = ca.issue(&request, now()).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder =
        ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let builder = builder.unwrap();
    let builder = if asks {
        let mut roots = RootCertStore::empty();
        let pem = ca.authority().certificate_pem();
        roots
            .add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap())
            .unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
        builder.with_client_cert_verifier(verifier.allow_unauthenticated().build().unwrap())
    } else {
        builder.with_no_client_auth()
    };
    let key = PrivateKeyDer::from_pem_slice(issued.private_key_pem.as_bytes()).unwrap();
    builder
        .with_single_cert(vec![CertificateDer::from(issued.certificate_der)], key)
        .unwrap()
}

/// One request, one answer.
fn serve(stream: TcpStream, config: Arc<ServerConfig>, handler: &Handler) {
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
    let mut text = Vec::new();
    let (head, mut body) = loop {
        let mut buffer = [0; 4096];
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return,
            Ok(read) => text.extend_from_slice(&buffer[..read]),
        }
        if let Some(end) = text.windows(4).position(|window| window == b"\r\n\r\n") {
            break (
                String::from_utf8_lossy(&text[..end]).into_owned(),
                text[end + 4..].to_vec(),
            );
        }
    };
    let length = head.lines().find_map(|line| {
        line.to_ascii_lowercase()
            .strip_prefix("content-length: ")?
            .parse()
            .ok()
    });
    while body.len() < length.unwrap_or(0_usize) {
        let mut buffer = [0; 4096];
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return,
            Ok(read) => body.extend_from_slice(&buffer[..read]),
        }
    }
    let certificate = stream
        .conn
        .peer_certificates()
        .and_then(|chain| chain.first())
        .map(|leaf| leaf.to_vec());
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let request = Request {
        head,
        body: String::from_utf8_lossy(&body).into_owned(),
        certificate,
    };
    let Some(Answer(status, headers, body)) = handler(&path, &request) else {
        return;
    };
    let answer = format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let _ = stream.write_all(answer.as_bytes()).and_then(|()| stream.flush());
    stream.conn.send_close_notify();
    let _ = stream.flush();
}
