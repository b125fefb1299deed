//! A listener on the loopback interface and clients that say everything about how they connect.

use std::{net::SocketAddr, sync::Arc};

use axum::{Extension, Router, routing::get};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, HandshakeKind, RootCertStore, SupportedCipherSuite, SupportedProtocolVersion,
    client::{ResolvesClientCert, Resumption},
    crypto::{CryptoProvider, aws_lc_rs},
    sign::CertifiedKey,
    version::{TLS12, TLS13},
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sealstone_mtls::ClientCertificate;
use sealstone_tls::{
    ClientCertificates, LimitsHandle, PeerAddr, PeerCertificate, ServeLimits, ServerTlsConfig, TlsHandle,
    serve,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
};
use tokio_rustls::TlsConnector;

use crate::pki::{Draft, Signed};

pub(crate) const BOTH_VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];

/// What the service saw of its peer.
async fn peer(
    Extension(PeerAddr(address)): Extension<PeerAddr>,
    certificate: Option<Extension<ClientCertificate>>,
    peer: Option<Extension<Arc<PeerCertificate>>>,
) -> String {
    assert!(address.ip().is_loopback());
    match (certificate, peer) {
        (Some(Extension(certificate)), Some(Extension(peer))) => {
            assert_eq!(&certificate, peer.certificate());
            format!("{} +{}", peer.thumbprint(), peer.chain().len())
        }
        (None, None) => "nobody".to_owned(),
        _ => panic!("the two extensions come together"),
    }
}

pub(crate) fn router() -> Router {
    Router::new().route("/", get(peer))
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) tls: TlsHandle,
    pub(crate) stop: Option<oneshot::Sender<()>>,
    pub(crate) running: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(config: ServerTlsConfig) -> Self {
        Self::start_with(config, router(), ServeLimits::default()).await
    }

    pub(crate) async fn start_with(
        config: ServerTlsConfig,
        router: Router,
        limits: impl Into<LimitsHandle>,
    ) -> Self {
        let limits = limits.into();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let tls = config.into_handle().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(serve(listener, tls.clone(), router, limits, async {
            if stopped.await.is_err() {
                std::future::pending().await
            }
        }));
        Self {
            address,
            tls,
            stop: Some(stop),
            running,
        }
    }
}

/// A certificate for `localhost`, and the configuration that asks for client certificates.
pub(crate) fn asking(server: &Signed) -> ServerTlsConfig {
    ServerTlsConfig::from_pem(server.pem().as_bytes(), server.key_pem().as_bytes())
        .unwrap()
        .with_client_certificates(ClientCertificates::Request)
}

pub(crate) fn server_identity() -> (Signed, Signed) {
    let root = Draft::authority("server root")
        .dated(0, 4_000_000_000)
        .self_signed();
    let server = Draft::server("server").signed_by(&root);
    (root, server)
}

/// How a client connects.
#[derive(Clone)]
pub(crate) struct Client {
    config: ClientConfig,
}

impl Client {
    pub(crate) fn new(root: &Signed) -> Self {
        Self::with(root, aws_lc_rs::ALL_CIPHER_SUITES, &BOTH_VERSIONS)
    }

    pub(crate) fn with(
        root: &Signed,
        suites: &[SupportedCipherSuite],
        versions: &[&'static SupportedProtocolVersion],
    ) -> Self {
        let provider = CryptoProvider {
            cipher_suites: suites.to_vec(),
            ..aws_lc_rs::default_provider()
        };
        let mut roots = RootCertStore::empty();
        roots.add(root.der()).unwrap();
        let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.resumption = Resumption::in_memory_sessions(8);
        Self { config }
    }

    /// Presents `chain` and signs with `key`, whether they belong together or not. Forgets its sessions.
    pub(crate) fn presenting(
        mut self,
        chain: Vec<CertificateDer<'static>>,
        key: &PrivateKeyDer<'static>,
    ) -> Self {
        let key = aws_lc_rs::sign::any_supported_type(key).unwrap();
        self.config.client_auth_cert_resolver = Arc::new(Always(Arc::new(CertifiedKey::new(chain, key))));
        self.config.resumption = Resumption::in_memory_sessions(8);
        self
    }

    pub(crate) fn holding(self, client: &Signed) -> Self {
        self.presenting(vec![client.der()], &client.key())
    }

    pub(crate) async fn connect(
        &self,
        address: SocketAddr,
    ) -> Result<Connection, Box<dyn std::error::Error>> {
        let stream = TcpStream::connect(address).await?;
        let connector = TlsConnector::from(Arc::new(self.config.clone()));
        let stream = connector.connect("localhost".try_into()?, stream).await?;
        let kind = stream.get_ref().1.handshake_kind().unwrap();
        let server = stream.get_ref().1.peer_certificates().unwrap()[0]
            .clone()
            .into_owned();
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let ended = tokio::spawn(async move { connection.await.is_ok() });
        Ok(Connection {
            kind,
            server,
            sender,
            ended,
        })
    }

    /// One connection with one request, and what the service saw.
    pub(crate) async fn ask(
        &self,
        address: SocketAddr,
    ) -> Result<(HandshakeKind, String), Box<dyn std::error::Error>> {
        let mut connection = self.connect(address).await?;
        Ok((connection.kind, connection.ask().await?))
    }
}

pub(crate) struct Connection {
    pub(crate) kind: HandshakeKind,
    pub(crate) server: CertificateDer<'static>,
    pub(crate) sender: SendRequest<Empty<Bytes>>,
    pub(crate) ended: JoinHandle<bool>,
}

impl Connection {
    pub(crate) async fn get(&mut self, path: &str) -> hyper::Result<Response<hyper::body::Incoming>> {
        let request = Request::get(path)
            .header("host", "localhost")
            .body(Empty::<Bytes>::new())
            .unwrap();
        self.sender.send_request(request).await
    }

    pub(crate) async fn ask(&mut self) -> Result<String, Box<dyn std::error::Error>> {
        let response = self.get("/").await?;
        assert_eq!(response.status(), StatusCode::OK);
        let body = response.into_body().collect().await?.to_bytes();
        Ok(String::from_utf8(body.to_vec())?)
    }
}

/// Presents one certificate to every server.
#[derive(Debug)]
struct Always(Arc<CertifiedKey>);

impl ResolvesClientCert for Always {
    fn resolve(&self, _hints: &[&[u8]], _schemes: &[rustls::SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}
