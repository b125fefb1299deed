use std::{net::IpAddr, sync::Arc, time::Duration};

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};

use crate::{SetupError, resolver::Admitted};

/// A peer that does not complete a TCP handshake in this time is taken for absent.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
/// Idle connections kept to one host: enough for bursts, few enough not to tire a small server.
const MAX_IDLE: usize = 8;
/// Longer than the pause between polls; shorter than what servers commonly keep open.
const IDLE: Duration = Duration::from_secs(30);

/// To whom requests may go without TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_enums, reason = "there are these three answers")]
pub enum PlainHttp {
    /// To nobody.
    #[default]
    Never,
    /// To this machine: `localhost`, `127.0.0.0/8`, `[::1]`.
    Loopback,
    /// To any host. Credentials cross the network readable and answers can be forged.
    DangerousAnywhere,
}

/// Whom to trust, who we are, and how connections are kept.
#[derive(Debug, Clone)]
pub struct Settings {
    pub(crate) tls: ClientConfig,
    pub(crate) plain_http: PlainHttp,
    pub(crate) admitted: Option<Admitted>,
    pub(crate) connect_deadline: Duration,
    pub(crate) max_idle: usize,
    pub(crate) idle: Duration,
}

impl Settings {
    /// Trusts these authorities and presents no certificate.
    ///
    /// # Errors
    /// [`SetupError::Tls`] if the TLS library refuses its own parameters.
    pub fn trusting(roots: RootCertStore) -> Result<Self, SetupError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(SetupError::Tls)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self::from_tls(tls))
    }

    /// Trusts these authorities, and presents a certificate where it is asked for.
    ///
    /// # Errors
    /// [`SetupError::Tls`] if the key does not belong to the certificate.
    pub fn presenting(
        roots: RootCertStore,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, SetupError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(SetupError::Tls)?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)
            .map_err(SetupError::Tls)?;
        Ok(Self::from_tls(tls))
    }

    /// Uses this TLS configuration: with revocation lists, other algorithms, another verifier.
    ///
    /// # Security
    /// Its verifier decides who is believed to be the other side.
    #[must_use]
    pub fn from_tls(mut tls: ClientConfig) -> Self {
        // The connector sets its own and refuses any other.
        tls.alpn_protocols.clear();
        Self {
            tls,
            plain_http: PlainHttp::Never,
            admitted: None,
            connect_deadline: CONNECT_DEADLINE,
            max_idle: MAX_IDLE,
            idle: IDLE,
        }
    }

    /// Admits plain HTTP, by default to nobody.
    #[must_use]
    pub const fn with_plain_http(mut self, plain_http: PlainHttp) -> Self {
        self.plain_http = plain_http;
        self
    }

    /// Connects only to addresses that `admits` says yes to; to any by default.
    ///
    /// # Security
    /// For URLs that outsiders name: what a name resolves to is looked at for each connection, and an IPv4 address
    /// inside an IPv6 one is looked at as IPv4.
    #[must_use]
    pub fn with_addresses(mut self, admits: impl Fn(IpAddr) -> bool + Send + Sync + 'static) -> Self {
        self.admitted = Some(Admitted(Arc::new(admits)));
        self
    }

    /// How long a TCP handshake may take; 5 s by default.
    #[must_use]
    pub const fn with_connect_deadline(mut self, deadline: Duration) -> Self {
        self.connect_deadline = deadline;
        self
    }

    /// How many idle connections are kept to one host, and how long; 8 for 30 s by default.
    #[must_use]
    pub const fn with_idle_connections(mut self, count: usize, lifetime: Duration) -> Self {
        self.max_idle = count;
        self.idle = lifetime;
        self
    }
}

/// The authorities in a PEM text of one or more `CERTIFICATE` blocks.
///
/// # Errors
/// [`SetupError::Authority`] without a certificate, or with one that is not an authority's.
pub fn authorities(pem: &[u8]) -> Result<RootCertStore, SetupError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| SetupError::Authority(error.into()))?;
        roots
            .add(certificate)
            .map_err(|error| SetupError::Authority(error.into()))?;
    }
    if roots.is_empty() {
        return Err(SetupError::Authority("no certificate".into()));
    }
    Ok(roots)
}
