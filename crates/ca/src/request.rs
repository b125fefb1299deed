use std::{fmt, net::IpAddr, time::Duration};

use rcgen::{ExtendedKeyUsagePurpose, KeyPair, SanType};
use rustls_pki_types::UnixTime;
use zeroize::Zeroizing;

use crate::{CaError, Serial, Subject};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// The key pairs we make.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the command line offers each")]
pub enum KeyKind {
    /// ECDSA on P-256 with SHA-256: small, fast, understood everywhere.
    #[default]
    P256,
    /// ECDSA on P-384 with SHA-384.
    P384,
    /// Ed25519: not every TLS stack takes it for client certificates.
    Ed25519,
    /// RSA with 3072 bits and SHA-256, for what knows nothing else.
    Rsa3072,
}

impl KeyKind {
    pub(crate) fn generate(self) -> Result<KeyPair, CaError> {
        match self {
            Self::P256 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256),
            Self::P384 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384),
            Self::Ed25519 => KeyPair::generate_for(&rcgen::PKCS_ED25519),
            Self::Rsa3072 => KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_3072),
        }
        .map_err(CaError::make)
    }
}

/// What a certificate is for (RFC 5280 §4.2.1.12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the command line offers each")]
pub enum Usage {
    /// `serverAuth`.
    Server,
    /// `clientAuth`.
    Client,
}

impl Usage {
    /// The name in lists.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Client => "client",
        }
    }

    pub(crate) const fn purpose(self) -> ExtendedKeyUsagePurpose {
        match self {
            Self::Server => ExtendedKeyUsagePurpose::ServerAuth,
            Self::Client => ExtendedKeyUsagePurpose::ClientAuth,
        }
    }
}

/// One subject alternative name (RFC 5280 §4.2.1.6).
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the forms of RFC 8705 §2.1.2")]
pub enum AltName {
    /// A host name, `*.` allowed in front.
    Dns(String),
    /// An absolute URI.
    Uri(String),
    /// An address.
    Ip(IpAddr),
    /// An e-mail address.
    Email(String),
}

impl AltName {
    /// Reads `dns:NAME`, `uri:URI`, `ip:ADDRESS` or `email:ADDRESS`.
    ///
    /// # Errors
    /// [`CaError::AltName`] for another form, or a value that is none of its form.
    pub fn parse(text: &str) -> Result<Self, CaError> {
        let refuse = |reason| CaError::AltName {
            name: text.to_owned(),
            reason,
        };
        let (form, value) = text
            .split_once(':')
            .ok_or_else(|| refuse("write dns:NAME, uri:URI, ip:ADDRESS or email:ADDRESS"))?;
        let name = match form.to_ascii_lowercase().as_str() {
            "dns" => Self::Dns(value.to_owned()),
            "uri" => Self::Uri(value.to_owned()),
            "ip" => Self::Ip(value.parse().map_err(|_| refuse("this is no IP address"))?),
            "email" => Self::Email(value.to_owned()),
            _ => return Err(refuse("write dns:NAME, uri:URI, ip:ADDRESS or email:ADDRESS")),
        };
        name.san().map(|_| name)
    }

    pub(crate) fn san(&self) -> Result<SanType, CaError> {
        let refuse = |reason| CaError::AltName {
            name: self.to_string(),
            reason,
        };
        let ia5 = |text: &str| {
            let visible =
                !text.is_empty() && text.len() <= 1024 && text.bytes().all(|byte| byte.is_ascii_graphic());
            let text = visible.then(|| text.try_into().ok()).flatten();
            text.ok_or_else(|| refuse("use 1 to 1024 visible ASCII characters"))
        };
        Ok(match self {
            Self::Dns(name) => {
                let plain = name.strip_prefix("*.").unwrap_or(name);
                let host = |label: &str| {
                    (1..=63).contains(&label.len())
                        && label
                            .bytes()
                            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
                };
                if name.len() > 253 || !plain.split('.').all(host) {
                    return Err(refuse("this is no host name"));
                }
                SanType::DnsName(ia5(name)?)
            }
            Self::Uri(uri) => {
                let scheme = uri.split_once(':').map_or("", |(scheme, _)| scheme);
                if !scheme.starts_with(|c: char| c.is_ascii_alphabetic()) {
                    return Err(refuse("this is no absolute URI"));
                }
                SanType::URI(ia5(uri)?)
            }
            Self::Ip(address) => SanType::IpAddress(*address),
            Self::Email(address) => {
                if !matches!(address.split_once('@'), Some((local, host)) if !local.is_empty() && !host.is_empty())
                {
                    return Err(refuse("this is no e-mail address"));
                }
                SanType::Rfc822Name(ia5(address)?)
            }
        })
    }
}

impl fmt::Display for AltName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => write!(f, "dns:{name}"),
            Self::Uri(uri) => write!(f, "uri:{uri}"),
            Self::Ip(address) => write!(f, "ip:{address}"),
            Self::Email(address) => write!(f, "email:{address}"),
        }
    }
}

/// What a new CA shall be.
#[derive(Clone, Debug)]
pub struct CaRequest {
    /// Its subject; not empty.
    pub subject: Subject,
    /// For how long; ten years unless changed.
    pub lifetime: Duration,
    /// Its key.
    pub key: KeyKind,
}

impl CaRequest {
    /// Ten years, P-256.
    #[must_use]
    pub const fn new(subject: Subject) -> Self {
        Self {
            subject,
            lifetime: Duration::from_secs(3650 * 24 * 3600),
            key: KeyKind::P256,
        }
    }
}

/// What a new certificate shall say.
#[derive(Clone, Debug)]
pub struct CertificateRequest {
    /// Its subject; may be empty when there are alternative names.
    pub subject: Subject,
    /// Its subject alternative names.
    pub alt_names: Vec<AltName>,
    /// What it is for.
    pub usage: Usage,
    /// For how long; it never outlives the CA.
    pub lifetime: Duration,
    /// Its key.
    pub key: KeyKind,
    /// Where its revocation list is published, if anywhere.
    pub crl_url: Option<String>,
}

impl CertificateRequest {
    /// A client certificate: 90 days, P-256, no alternative names.
    #[must_use]
    pub const fn client(subject: Subject) -> Self {
        Self {
            subject,
            alt_names: Vec::new(),
            usage: Usage::Client,
            lifetime: DAY.saturating_mul(90),
            key: KeyKind::P256,
            crl_url: None,
        }
    }

    /// A server certificate for these names: 90 days, P-256.
    #[must_use]
    pub const fn server(subject: Subject, alt_names: Vec<AltName>) -> Self {
        Self {
            subject,
            alt_names,
            usage: Usage::Server,
            lifetime: DAY.saturating_mul(90),
            key: KeyKind::P256,
            crl_url: None,
        }
    }

    /// With these alternative names.
    #[must_use]
    pub fn with_alt_names(mut self, alt_names: Vec<AltName>) -> Self {
        self.alt_names = alt_names;
        self
    }

    /// With this lifetime.
    #[must_use]
    pub const fn with_lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// With this kind of key.
    #[must_use]
    pub const fn with_key(mut self, key: KeyKind) -> Self {
        self.key = key;
        self
    }
}

/// A certificate and its private key, just made. `Debug` does not show the key.
#[derive(Clone)]
pub struct Issued {
    /// The certificate as one PEM block.
    pub certificate_pem: String,
    /// The certificate's DER.
    pub certificate_der: Vec<u8>,
    /// The private key, PKCS #8 in PEM. Zeroized on drop.
    pub private_key_pem: Zeroizing<String>,
    /// Its serial number.
    pub serial: Serial,
    /// From when it is valid.
    pub not_before: UnixTime,
    /// Until when it is valid.
    pub not_after: UnixTime,
}

impl fmt::Debug for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issued")
            .field("serial", &self.serial)
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}
