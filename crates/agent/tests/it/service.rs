//! A service that takes only tokens that name the certificate of their own connection, and says what it saw.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{Router, body::Body, extract::State, response::Response, routing::any};
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use rustls::RootCertStore;
use rustls_pki_types::{CertificateDer, pem::PemObject as _};
use sealstone_agent::ProxySettings;
use sealstone_ca::{AltName, Authority, CaRequest, CertificateRequest, Subject};
use sealstone_mtls::ClientCertificate;
use sealstone_tls::{ClientCertificates, ServeLimits, ServerTlsConfig, serve};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::watch};

/// What the service has seen.
#[derive(Debug)]
pub(crate) struct Seen {
    /// Requests with a token that is not of the connection's certificate, or with none.
    pub(crate) wrong: AtomicUsize,
    pub(crate) requests: AtomicUsize,
    /// Certificates, in the order that they came.
    pub(crate) certificates: Mutex<Vec<String>>,
    /// Tokens that are no longer good.
    pub(crate) refused: Mutex<Vec<String>>,
    /// Slow answers end when this is set.
    pub(crate) finish: watch::Sender<bool>,
}

pub(crate) struct Service {
    pub(crate) address: SocketAddr,
    pub(crate) seen: Arc<Seen>,
    authority: Authority,
    running: tokio::task::JoinHandle<()>,
}

impl Drop for Service {
    fn drop(&mut self) {
        self.running.abort();
    }
}

impl Service {
    pub(crate) async fn start() -> Self {
        let now = now();
        let authority =
            Authority::create(&CaRequest::new(Subject::parse("CN=Servers").unwrap()), now).unwrap();
        let names = vec![AltName::parse("ip:127.0.0.1").unwrap()];
        let request = CertificateRequest::server(Subject::parse("CN=service").unwrap(), names);
        let issued = authority.issue(&request, now).unwrap();
        let tls = ServerTlsConfig::from_pem(
            issued.certificate_pem.as_bytes(),
            issued.private_key_pem.as_bytes(),
        )
        .unwrap()
        .with_client_certificates(ClientCertificates::Request)
        .into_handle()
        .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Seen {
            wrong: AtomicUsize::new(0),
            requests: AtomicUsize::new(0),
            certificates: Mutex::default(),
            refused: Mutex::default(),
            finish: watch::Sender::new(false),
        });
        let router = Router::new().fallback(any(answer)).with_state(Arc::clone(&seen));
        let running = tokio::spawn(serve(
            listener,
            tls,
            router,
            ServeLimits::default(),
            std::future::pending(),
        ));
        Self {
            address,
            seen,
            authority,
            running,
        }
    }

    pub(crate) fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        let pem = self.authority.certificate_pem();
        roots
            .add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap())
            .unwrap();
        roots
    }

    pub(crate) fn settings(&self) -> ProxySettings {
        ProxySettings::new(&format!("https://{}", self.address), self.roots()).unwrap()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a server's certificate is judged by the real time"
)]
fn now() -> rustls_pki_types::UnixTime {
    rustls_pki_types::UnixTime::now()
}

async fn answer(State(seen): State<Arc<Seen>>, request: Request<Body>) -> Response {
    seen.requests.fetch_add(1, Ordering::SeqCst);
    let certificate = request.extensions().get::<ClientCertificate>();
    let thumbprint = certificate
        .map(|one| one.thumbprint().to_string())
        .unwrap_or_default();
    let headers: Vec<(String, String)> = request
        .headers()
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    let of = |name: &str| {
        headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.clone())
    };
    let bearer = of("authorization").and_then(|value| value.strip_prefix("Bearer ").map(str::to_owned));
    let token = bearer.or_else(|| of("x-auth-token")).unwrap_or_default();
    {
        let mut certificates = seen.certificates.lock().unwrap();
        if !certificates.contains(&thumbprint) {
            certificates.push(thumbprint.clone());
        }
    }
    if thumbprint.is_empty() || token.split('.').next() != Some(thumbprint.as_str()) {
        seen.wrong.fetch_add(1, Ordering::SeqCst);
        return plain(StatusCode::FORBIDDEN, "the token is not of this certificate");
    }
    if seen.refused.lock().unwrap().contains(&token) {
        return plain(StatusCode::UNAUTHORIZED, "revoked");
    }
    let (method, path) = (request.method().to_string(), request.uri().to_string());
    if path.starts_with("/slow") {
        return slow(seen.finish.subscribe());
    }
    if path.starts_with("/redirect") {
        let mut answer = plain(StatusCode::FOUND, "");
        let to = format!("https://{}/there", of("host").unwrap());
        answer.headers_mut().insert("location", to.parse().unwrap());
        answer
            .headers_mut()
            .insert("connection", "x-secret".parse().unwrap());
        answer
            .headers_mut()
            .insert("x-secret", "of this hop".parse().unwrap());
        return answer;
    }
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let names: serde_json::Map<String, Value> = headers
        .into_iter()
        .map(|(name, value)| (name, value.into()))
        .collect();
    let document = json!({
        "method": method, "path": path, "headers": names, "body": body.len(),
        "sum": body.iter().map(|octet| u64::from(*octet)).sum::<u64>(), "thumbprint": thumbprint,
    });
    plain(StatusCode::OK, &document.to_string())
}

fn plain(status: StatusCode, text: &str) -> Response {
    let mut answer = Response::new(Body::from(text.to_owned()));
    *answer.status_mut() = status;
    answer
}

/// The first half at once, the second when the test says so.
fn slow(mut finish: watch::Receiver<bool>) -> Response {
    let (mut sender, body) =
        http_body_util::channel::Channel::<bytes::Bytes, std::convert::Infallible>::new(1);
    tokio::spawn(async move {
        sender.send_data("first half, ".into()).await.unwrap();
        finish.wait_for(|finish| *finish).await.unwrap();
        sender.send_data("second half".into()).await.unwrap();
    });
    Response::new(Body::new(body))
}

/// So long a test waits for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
