use std::{fmt, sync::Arc, time::Duration};

use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime, pem::PemObject as _};
use sealstone_mtls::CertificateThumbprint;
use time::OffsetDateTime;
use zeroize::Zeroizing;

/// Clocks differ: a certificate of this machine is good at a server that is a little behind.
const BACKDATED: Duration = Duration::from_secs(300);

/// A certificate with what stands between it and its root, and its private key.
///
/// Clones share them. `Debug` shows the thumbprint.
#[derive(Clone)]
pub struct CertificatePair {
    chain: Arc<Vec<CertificateDer<'static>>>,
    key: Arc<PrivateKeyDer<'static>>,
    thumbprint: CertificateThumbprint,
}

/// Why there is no pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// No certificate where one should be.
    #[error("there is no certificate: give PEM, the client's first")]
    Certificate,
    /// No private key where one should be.
    #[error("there is no private key that can be read: give unencrypted PEM")]
    Key,
    /// No certificate can be made.
    #[error("no certificate can be made: the cryptographic library refuses, or its end is out of range")]
    Made,
}

impl CertificatePair {
    /// Reads PEM; the client's certificate is the first. Whether key and certificate fit is seen when they are used.
    ///
    /// # Errors
    /// [`CertificateError::Certificate`], [`CertificateError::Key`].
    pub fn from_pem(certificates: &[u8], key: &[u8]) -> Result<Self, CertificateError> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificates).collect();
        let chain = chain.map_err(|_not_pem| CertificateError::Certificate)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_not_pem| CertificateError::Key)?;
        Self::new(chain, key)
    }

    /// The same from DER.
    ///
    /// # Errors
    /// [`CertificateError::Certificate`] without one.
    pub fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, CertificateError> {
        let leaf = chain.first().ok_or(CertificateError::Certificate)?;
        Ok(Self {
            thumbprint: CertificateThumbprint::of_der(leaf),
            chain: Arc::new(chain),
            key: Arc::new(key),
        })
    }

    /// Makes a key (P-256) and a certificate that it signs itself: nobody vouches for it, and it proves that who
    /// shows it now is who showed it before. That is all that binding a public client's tokens needs (RFC 8705 §4).
    ///
    /// Its name says nothing of the machine or the person.
    ///
    /// # Errors
    /// [`CertificateError::Made`].
    pub fn self_signed(now: UnixTime, lifetime: Duration) -> Result<MadePair, CertificateError> {
        let made = |_refused| CertificateError::Made;
        let moment = |seconds: u64| {
            let seconds = i64::try_from(seconds).map_err(|_late| CertificateError::Made)?;
            OffsetDateTime::from_unix_timestamp(seconds).map_err(|_late| CertificateError::Made)
        };
        let key = rcgen::KeyPair::generate().map_err(made)?;
        let mut parameters = rcgen::CertificateParams::default();
        parameters.distinguished_name = rcgen::DistinguishedName::new();
        parameters
            .distinguished_name
            .push(rcgen::DnType::CommonName, "sealstone token binding");
        parameters.not_before = moment(now.as_secs().saturating_sub(BACKDATED.as_secs()))?;
        parameters.not_after = moment(now.as_secs().saturating_add(lifetime.as_secs()))?;
        parameters.key_usages = vec![rcgen::KeyUsagePurpose::DigitalSignature];
        parameters.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = parameters.self_signed(&key).map_err(made)?.pem();
        let key = Zeroizing::new(key.serialize_pem());
        Ok(MadePair {
            pair: Self::from_pem(certificate.as_bytes(), key.as_bytes())?,
            certificate,
            key,
        })
    }

    /// The client's certificate and those after it.
    #[must_use]
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// What bound tokens name: `x5t#S256`.
    #[must_use]
    pub const fn thumbprint(&self) -> &CertificateThumbprint {
        &self.thumbprint
    }

    pub(crate) fn key(&self) -> PrivateKeyDer<'static> {
        self.key.clone_key()
    }
}

impl fmt::Debug for CertificatePair {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("CertificatePair")
            .field("thumbprint", &self.thumbprint.to_string())
            .finish_non_exhaustive()
    }
}

/// A pair that was just made, and its texts to keep.
pub struct MadePair {
    /// To use.
    pub pair: CertificatePair,
    /// PEM.
    pub certificate: String,
    /// PEM, PKCS#8.
    ///
    /// # Security
    /// Whoever reads it can use the tokens that are bound to it: into a file of mode 0600, or a keyring.
    pub key: Zeroizing<String>,
}

impl fmt::Debug for MadePair {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("MadePair")
            .field("pair", &self.pair)
            .finish_non_exhaustive()
    }
}
