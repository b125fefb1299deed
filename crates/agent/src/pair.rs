use std::{fmt, path::Path, sync::Arc};

use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs, sign::CertifiedKey};
use rustls_pki_types::{
    CertificateDer, PrivateKeyDer, SubjectPublicKeyInfoDer, UnixTime,
    pem::{PemObject as _, SectionKind},
};
use sealstone_client::CertificatePair;
use sealstone_mtls::{BindingError, CertificateThumbprint, ClientCertificate};
use zeroize::Zeroizing;

use crate::files::{self, FileError};

/// The most certificates of a chain: a machine's, and as many above it as any authority has.
const MAX_CHAIN: usize = 8;

/// A machine's certificate with what stands between it and its root, and the private key that fits it.
///
/// Clones share it; `Debug` shows the thumbprint alone. The text of the key is zeroized when the last clone is gone.
#[derive(Clone)]
pub struct MachinePair(Arc<Parts>);

struct Parts {
    leaf: ClientCertificate,
    chain: Vec<CertificateDer<'static>>,
    chain_pem: String,
    key_pem: Zeroizing<String>,
}

/// Why there is no pair.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PairError {
    /// Nothing that could be one.
    #[error("there is no certificate: give PEM, the machine's first, then those between it and the root")]
    NoCertificate,
    /// More than any chain has.
    #[error(
        "there are more than {MAX_CHAIN} certificates: give the machine's, and those between it and the root"
    )]
    TooMany,
    /// The first is none that can be read.
    #[error("the first certificate cannot be read ({0}): give the machine's")]
    Certificate(#[from] BindingError),
    /// No private key.
    #[error("there is no private key that can be read: give unencrypted PEM")]
    NoKey,
    /// They do not fit.
    #[error("the private key does not belong to the certificate: give the pair that was made together")]
    Mismatch,
    /// TLS cannot be set up with it.
    #[error("TLS cannot use the pair ({0})")]
    Tls(rustls::Error),
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
}

impl MachinePair {
    /// Reads PEM; the machine's certificate is the first.
    ///
    /// # Errors
    /// [`PairError`], also for a key that does not fit the certificate.
    pub fn from_pem(certificates: &str, key: &str) -> Result<Self, PairError> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificates.as_bytes())
            .take(MAX_CHAIN.saturating_add(1))
            .collect();
        let chain = chain.map_err(|_not_pem| PairError::NoCertificate)?;
        if chain.len() > MAX_CHAIN {
            return Err(PairError::TooMany);
        }
        let leaf = ClientCertificate::from_der(chain.first().ok_or(PairError::NoCertificate)?)?;
        let der = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_not_pem| PairError::NoKey)?;
        let signing = aws_lc_rs::sign::any_supported_type(&der).map_err(|_unknown| PairError::NoKey)?;
        let public = signing.public_key().ok_or(PairError::NoKey)?;
        if public != SubjectPublicKeyInfoDer::from(leaf.spki_der()) {
            return Err(PairError::Mismatch);
        }
        CertifiedKey::new(chain.clone(), signing)
            .keys_match()
            .map_err(|_other| PairError::Mismatch)?;
        let mut chain_pem = String::new();
        for certificate in &chain {
            chain_pem.push_str(&ClientCertificate::from_der(certificate)?.to_pem());
        }
        Ok(Self(Arc::new(Parts {
            leaf,
            chain,
            chain_pem,
            key_pem: Zeroizing::new(key.trim_end().to_owned() + "\n"),
        })))
    }

    /// Reads it from two files; the key's is its owner's alone.
    ///
    /// # Errors
    /// As [`from_pem`](Self::from_pem), and those of [`files::read_private`].
    pub fn read(certificate: &Path, key: &Path) -> Result<Self, PairError> {
        let certificates = files::read_public(certificate)?;
        Self::from_pem(&certificates, &files::read_private(key)?)
    }

    /// The machine's certificate.
    #[must_use]
    pub fn certificate(&self) -> &ClientCertificate {
        &self.0.leaf
    }

    /// What tokens are bound to.
    #[must_use]
    pub fn thumbprint(&self) -> CertificateThumbprint {
        self.0.leaf.thumbprint()
    }

    /// The machine's certificate and those after it.
    #[must_use]
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.0.chain
    }

    /// The chain as PEM.
    #[must_use]
    pub fn chain_pem(&self) -> &str {
        &self.0.chain_pem
    }

    /// The private key as PEM.
    ///
    /// # Security
    /// Whoever reads it can use every token that is bound to the certificate.
    #[must_use]
    pub fn expose_key_pem(&self) -> &str {
        &self.0.key_pem
    }

    /// Whether `now` lies between the certificate's dates.
    #[must_use]
    pub fn is_in_date(&self, now: UnixTime) -> bool {
        self.0.leaf.is_in_date(now)
    }

    /// TLS that shows this certificate to whoever asks for one, and believes these authorities.
    ///
    /// # Errors
    /// [`PairError::Tls`].
    pub fn tls(&self, authorities: RootCertStore) -> Result<ClientConfig, PairError> {
        ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(PairError::Tls)?
            .with_root_certificates(authorities)
            .with_client_auth_cert(self.0.chain.clone(), self.key()?)
            .map_err(PairError::Tls)
    }

    pub(crate) fn key(&self) -> Result<PrivateKeyDer<'static>, PairError> {
        PrivateKeyDer::from_pem_slice(self.0.key_pem.as_bytes()).map_err(|_not_pem| PairError::NoKey)
    }

    pub(crate) fn for_client(&self) -> Result<CertificatePair, PairError> {
        CertificatePair::new(self.0.chain.clone(), self.key()?).map_err(|_empty| PairError::NoCertificate)
    }
}

impl PartialEq for MachinePair {
    fn eq(&self, other: &Self) -> bool {
        self.0.leaf == other.0.leaf
    }
}

impl Eq for MachinePair {}

impl fmt::Debug for MachinePair {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("MachinePair").field(&self.0.leaf).finish()
    }
}

/// Whether a PEM text holds certificates, and no block besides.
pub(crate) fn holds_certificates_only(text: &[u8]) -> bool {
    let kinds: Result<Vec<SectionKind>, _> = <(SectionKind, Vec<u8>)>::pem_slice_iter(text)
        .take(MAX_CHAIN.saturating_add(1))
        .map(|block| block.map(|(kind, _der)| kind))
        .collect();
    kinds.is_ok_and(|kinds| !kinds.is_empty() && kinds.iter().all(|kind| *kind == SectionKind::Certificate))
}
