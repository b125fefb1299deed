//! Which TLS versions and cipher suites a listener speaks.

use rustls::{
    CipherSuite, SupportedCipherSuite, SupportedProtocolVersion, crypto::aws_lc_rs::ALL_CIPHER_SUITES,
    version,
};

use crate::TlsConfigError;

/// A TLS version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "there is no older one that a server may still speak"
)]
pub enum TlsVersion {
    /// TLS 1.2 (RFC 5246), with extended master secret only.
    Tls12,
    /// TLS 1.3 (RFC 8446).
    Tls13,
}

/// Versions and cipher suites by name of the demand they meet. Every suite has forward secrecy and an AEAD.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "configuration and documentation list every profile"
)]
pub enum TlsProfile {
    /// TLS 1.3 and TLS 1.2, AES-GCM and ChaCha20-Poly1305.
    #[default]
    Modern,
    /// FAPI 2.0 Security Profile §5.2.1: TLS 1.3, and TLS 1.2 with the four suites that RFC 9325 §4.2 (BCP 195)
    /// recommends: ECDHE with ECDSA or RSA and AES-128-GCM or AES-256-GCM.
    Fapi,
    /// A choice of one's own.
    Custom {
        /// The versions; at least one.
        versions: Vec<TlsVersion>,
        /// IANA names, as `TLS_AES_128_GCM_SHA256`, the preferred first; at least one for each version.
        cipher_suites: Vec<String>,
    },
}

impl TlsProfile {
    /// The versions it speaks.
    pub(crate) fn versions(&self) -> Vec<&'static SupportedProtocolVersion> {
        match self {
            Self::Modern | Self::Fapi => vec![&version::TLS13, &version::TLS12],
            Self::Custom { versions, .. } => versions
                .iter()
                .map(|version| match version {
                    TlsVersion::Tls12 => &version::TLS12,
                    TlsVersion::Tls13 => &version::TLS13,
                })
                .collect(),
        }
    }

    /// The suites it offers, the preferred first.
    pub(crate) fn cipher_suites(&self) -> Result<Vec<SupportedCipherSuite>, TlsConfigError> {
        match self {
            Self::Modern => Ok(ALL_CIPHER_SUITES.to_vec()),
            Self::Fapi => Ok(ALL_CIPHER_SUITES
                .iter()
                .filter(|suite| is_fapi(suite))
                .copied()
                .collect()),
            Self::Custom { cipher_suites, .. } => cipher_suites.iter().map(|name| named(name)).collect(),
        }
    }

    /// The names that [`TlsProfile::Custom`] understands.
    #[must_use]
    pub fn known_cipher_suites() -> Vec<String> {
        ALL_CIPHER_SUITES
            .iter()
            .map(|suite| iana_name(suite.suite()))
            .collect()
    }
}

fn is_fapi(suite: &SupportedCipherSuite) -> bool {
    suite.tls13().is_some() || iana_name(suite.suite()).contains("_GCM_")
}

fn named(name: &str) -> Result<SupportedCipherSuite, TlsConfigError> {
    ALL_CIPHER_SUITES
        .iter()
        .find(|suite| iana_name(suite.suite()) == name)
        .copied()
        .ok_or_else(|| TlsConfigError::CipherSuite {
            name: name.to_owned(),
        })
}

/// The registered name; rustls writes `TLS13_` where the registry has `TLS_`.
fn iana_name(suite: CipherSuite) -> String {
    suite.as_str().unwrap_or_default().replacen("TLS13_", "TLS_", 1)
}
