//! A client that says everything about how it connects.

use super::{Answer, Ask};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, HandshakeKind, RootCertStore, SignatureScheme, SupportedCipherSuite,
    SupportedProtocolVersion,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use sealstone_testkit::{TestCa, TestCertificate};
use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// How a client connects. A clone has the same sessions to resume.
#[derive(Clone)]
pub(crate) struct Https {
    config: ClientConfig,
    name: ServerName<'static>,
    from: Option<IpAddr>,
}

impl Https {
    /// Without certificate, TLS 1.3 or 1.2 with everything we can.
    pub(crate) fn trusting(root: &CertificateDer<'static>) -> Self {
        let both: [&'static SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
        Self::with(root, aws_lc_rs::ALL_CIPHER_SUITES, &both)
    }

    pub(crate) fn with(
        root: &CertificateDer<'static>,
        suites: &[SupportedCipherSuite],
        versions: &[&'static SupportedProtocolVersion],
    ) -> Self {
        let provider = CryptoProvider {
            cipher_suites: suites.to_vec(),
            ..aws_lc_rs::default_provider()
        };
        let mut roots = RootCertStore::empty();
        roots.add(root.clone()).unwrap();
        let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.resumption = Resumption::in_memory_sessions(8);
        Self {
            config,
            name: ServerName::try_from("localhost").unwrap(),
            from: None,
        }
    }

    /// Presents the certificate and its intermediates. Forgets its sessions.
    pub(crate) fn presenting(&self, certificate: &TestCertificate) -> Self {
        self.presenting_chain(certificate.chain(), &certificate.private_key_der())
    }

    /// Presents an authority's certificate as if it were a client's.
    pub(crate) fn presenting_authority(&self, authority: &TestCa) -> Self {
        let key = authority.key().private_key_der();
        self.presenting_chain(vec![authority.certificate_der()], &key)
    }

    /// Presents `chain` and signs with `key`, whether they belong together or not.
    pub(crate) fn presenting_chain(
        &self,
        chain: Vec<CertificateDer<'static>>,
        key: &PrivateKeyDer<'static>,
    ) -> Self {
        let key = aws_lc_rs::sign::any_supported_type(key).unwrap();
        let mut this = self.clone();
        this.config.client_auth_cert_resolver = Arc::new(Always(Arc::new(CertifiedKey::new(chain, key))));
        this.config.resumption = Resumption::in_memory_sessions(8);
        this
    }

    /// Connects from this address of the loopback interface.
    pub(crate) fn from(&self, address: &str) -> Self {
        let mut this = self.clone();
        this.from = Some(address.parse().unwrap());
        this
    }

    /// Names the server by its address, so that no SNI is sent.
    pub(crate) fn without_server_name(&self) -> Self {
        let mut this = self.clone();
        this.name = ServerName::from(IpAddr::from([127, 0, 0, 1]));
        this
    }

    /// The TLS connection, before any HTTP.
    pub(crate) async fn open(&self, to: SocketAddr) -> Result<TlsStream<TcpStream>, Failure> {
        let socket = TcpSocket::new_v4()?;
        if let Some(from) = self.from {
            socket.bind(SocketAddr::new(from, 0))?;
        }
        let stream = socket.connect(to).await?;
        stream.set_nodelay(true)?;
        let connector = TlsConnector::from(Arc::new(self.config.clone()));
        Ok(connector.connect(self.name.clone(), stream).await?)
    }

    pub(crate) async fn connect(&self, to: SocketAddr) -> Result<Connection, Failure> {
        let stream = self.open(to).await?;
        let tls = stream.get_ref().1;
        let kind = tls.handshake_kind().unwrap();
        let server = tls.peer_certificates().unwrap()[0].clone().into_owned();
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Connection { kind, server, sender })
    }

    /// One connection with one request.
    pub(crate) async fn try_send(&self, to: SocketAddr, ask: Ask) -> Result<Answer, Failure> {
        self.connect(to).await?.try_send(ask).await
    }

    /// One connection with one request, which is answered.
    pub(crate) async fn send(&self, to: SocketAddr, ask: Ask) -> Answer {
        self.try_send(to, ask).await.unwrap()
    }
}

/// A connection that is kept.
pub(crate) struct Connection {
    pub(crate) kind: HandshakeKind,
    pub(crate) server: CertificateDer<'static>,
    sender: SendRequest<Full<Bytes>>,
}

impl Connection {
    pub(crate) async fn try_send(&mut self, ask: Ask) -> Result<Answer, Failure> {
        self.sender.ready().await?;
        let response = self.sender.send_request(ask.into_request()).await?;
        let (parts, body) = response.into_parts();
        let octets = body.collect().await?.to_bytes();
        Ok(Answer {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8(octets.to_vec())?,
        })
    }

    /// Whether the server has closed it.
    pub(crate) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    pub(crate) async fn send(&mut self, ask: Ask) -> Answer {
        self.try_send(ask).await.unwrap()
    }
}

/// Presents one certificate to every server.
#[derive(Debug)]
struct Always(Arc<CertifiedKey>);

impl ResolvesClientCert for Always {
    fn resolve(&self, _hints: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}
