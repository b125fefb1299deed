//! A listener's TLS configuration, and the handle by which it is replaced while the listener runs.

use std::{fmt, path::Path, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    server::NoServerSessionStorage,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::{
    FileError, TlsProfile, load_certificates, load_private_key, parse_certificates, parse_private_key,
    tickets, verifier::AnyClientCertificate,
};

/// How long a TLS session can be resumed, unless configured otherwise: an hour.
///
/// Long enough that a client which calls every few minutes pays for one full handshake an hour, short enough that a
/// key stolen from a client is not carried on by old tickets for a day.
pub const DEFAULT_TICKET_LIFETIME: Duration = Duration::from_secs(3600);

/// Whether a listener asks its clients for a certificate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "it is asked for or not; demanding one is the request's decision"
)]
pub enum ClientCertificates {
    /// It does not ask: browsers show no picker.
    #[default]
    None,
    /// It asks, and lets clients without one in. Who sends one proves its key.
    Request,
}

/// Why a TLS configuration cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsConfigError {
    /// A file is at fault.
    #[error(transparent)]
    File(#[from] FileError),
    /// The key is not the one of the first certificate.
    #[error(
        "the private key in {key} does not belong to the first certificate in {chain}. Put the server's own \
         certificate first, and check that both are of the same renewal"
    )]
    KeyMismatch {
        /// Where the certificates came from.
        chain: String,
        /// Where the key came from.
        key: String,
    },
    /// The certificate or the key is of a kind that TLS cannot use.
    #[error("the certificate in {chain} with the key in {key} cannot be used: {source}")]
    Unusable {
        /// Where the certificates came from.
        chain: String,
        /// Where the key came from.
        key: String,
        /// What the TLS stack said.
        source: rustls::Error,
    },
    /// A cipher suite that this program does not have.
    #[error("no cipher suite {name}. Known are: {}", TlsProfile::known_cipher_suites().join(", "))]
    CipherSuite {
        /// The name that was configured.
        name: String,
    },
    /// Versions and suites that do not fit together.
    #[error("unusable TLS versions or cipher suites: {0}. List at least one suite for each version")]
    Profile(rustls::Error),
    /// No randomness for ticket keys.
    #[error("no ticket keys: {0}")]
    Tickets(rustls::Error),
}

/// Certificate, key and rules of one listener.
///
/// # Examples
/// ```no_run
/// use std::path::Path;
///
/// use sealstone_tls::{ClientCertificates, ServerTlsConfig, TlsProfile};
///
/// let tls = ServerTlsConfig::from_files(Path::new("server.pem"), Path::new("server.key"))?
///     .with_client_certificates(ClientCertificates::Request)
///     .with_profile(TlsProfile::Fapi)
///     .into_handle()?;
///
/// // Later, with renewed files and without dropping a connection:
/// let renewed = ServerTlsConfig::from_files(Path::new("server.pem"), Path::new("server.key"))?
///     .with_client_certificates(ClientCertificates::Request);
/// tls.replace(renewed)?;
/// # Ok::<(), sealstone_tls::TlsConfigError>(())
/// ```
pub struct ServerTlsConfig {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    chain_origin: String,
    key_origin: String,
    profile: TlsProfile,
    client_certificates: ClientCertificates,
    ticket_lifetime: Duration,
}

impl ServerTlsConfig {
    /// Takes a certificate chain, the server's own first, and its private key.
    #[must_use]
    pub fn new(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Self {
        Self {
            chain,
            key,
            chain_origin: "the certificate chain".to_owned(),
            key_origin: "the private key".to_owned(),
            profile: TlsProfile::default(),
            client_certificates: ClientCertificates::default(),
            ticket_lifetime: DEFAULT_TICKET_LIFETIME,
        }
    }

    /// Reads the chain and the key from PEM texts: PKCS#8, SEC1 or PKCS#1.
    ///
    /// # Errors
    /// [`TlsConfigError::File`], which says what is wrong in which of the two.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, TlsConfigError> {
        let chain = parse_certificates(chain, "the certificate chain")?;
        Ok(Self::new(chain, parse_private_key(key, "the private key")?))
    }

    /// Reads the chain and the key from PEM files. The key file must be its owner's only.
    ///
    /// # Errors
    /// [`TlsConfigError::File`], which names the file, the fault and the remedy.
    pub fn from_files(chain: &Path, key: &Path) -> Result<Self, TlsConfigError> {
        Ok(Self {
            chain_origin: chain.display().to_string(),
            key_origin: key.display().to_string(),
            ..Self::new(load_certificates(chain)?, load_private_key(key)?)
        })
    }

    /// Chooses versions and cipher suites; [`TlsProfile::Modern`] unless called.
    #[must_use]
    pub fn with_profile(self, profile: TlsProfile) -> Self {
        Self { profile, ..self }
    }

    /// Asks clients for a certificate, or not; not, unless called.
    #[must_use]
    pub fn with_client_certificates(self, client_certificates: ClientCertificates) -> Self {
        Self {
            client_certificates,
            ..self
        }
    }

    /// How long a session can be resumed at most, two seconds or more; zero turns resumption off.
    #[must_use]
    pub fn with_ticket_lifetime(self, ticket_lifetime: Duration) -> Self {
        Self {
            ticket_lifetime,
            ..self
        }
    }

    /// The certificates of the chain, the server's own first.
    #[must_use]
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// Makes the configuration that rustls runs. It has ticket keys of its own.
    ///
    /// # Errors
    /// [`TlsConfigError`] for a key of another certificate, or versions and suites that do not fit together.
    pub fn build(self) -> Result<Arc<ServerConfig>, TlsConfigError> {
        let provider = CryptoProvider {
            cipher_suites: self.profile.cipher_suites()?,
            ..aws_lc_rs::default_provider()
        };
        let algorithms = provider.signature_verification_algorithms;
        let builder = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&self.profile.versions())
            .map_err(TlsConfigError::Profile)?;
        let builder = match self.client_certificates {
            ClientCertificates::None => builder.with_no_client_auth(),
            ClientCertificates::Request => {
                builder.with_client_cert_verifier(Arc::new(AnyClientCertificate::new(algorithms)))
            }
        };
        let (chain, key) = (self.chain_origin, self.key_origin);
        let mut config = builder.with_single_cert(self.chain, self.key).map_err(|source| {
            if matches!(source, rustls::Error::InconsistentKeys(_)) {
                TlsConfigError::KeyMismatch { chain, key }
            } else {
                TlsConfigError::Unusable { chain, key, source }
            }
        })?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // Without it, a TLS 1.2 session could be spliced into another client's (RFC 7627 §1).
        config.require_ems = true;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        if self.ticket_lifetime.is_zero() {
            config.send_tls13_tickets = 0;
        } else {
            config.ticketer = tickets::ticketer(self.ticket_lifetime).map_err(TlsConfigError::Tickets)?;
            // One is enough for a client that keeps its connection, and costs half the bytes of the default.
            config.send_tls13_tickets = 1;
        }
        Ok(Arc::new(config))
    }

    /// Makes the configuration and a handle to replace it by.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub fn into_handle(self) -> Result<TlsHandle, TlsConfigError> {
        Ok(TlsHandle(Arc::new(ArcSwap::new(self.build()?))))
    }
}

impl fmt::Debug for ServerTlsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTlsConfig")
            .field("chain", &self.chain_origin)
            .field("key", &format_args!("[redacted] of {}", self.key_origin))
            .field("profile", &self.profile)
            .field("client_certificates", &self.client_certificates)
            .field("ticket_lifetime", &self.ticket_lifetime)
            .finish_non_exhaustive()
    }
}

/// The configuration in use. Clones share it: what one replaces, the next handshake of all uses.
#[derive(Debug, Clone)]
pub struct TlsHandle(Arc<ArcSwap<ServerConfig>>);

impl TlsHandle {
    /// Puts `config` in place. Connections that stand keep what they have; sessions of before are not resumed.
    ///
    /// # Errors
    /// As [`ServerTlsConfig::build`]; then what was in use stays so.
    pub fn replace(&self, config: ServerTlsConfig) -> Result<(), TlsConfigError> {
        self.0.store(config.build()?);
        Ok(())
    }

    /// The configuration for the next handshake.
    #[must_use]
    pub fn current(&self) -> Arc<ServerConfig> {
        self.0.load_full()
    }
}
