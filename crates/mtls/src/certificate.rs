//! A client's certificate, parsed once.

use std::{collections::BTreeMap, fmt, sync::Arc};

use der::{Decode, Encode};
use rustls_pki_types::UnixTime;
use x509_cert::Certificate;

use crate::{
    BindingError, CertificateThumbprint, DistinguishedName, KeystoneThumbprint, SubjectAltNames,
    pem::{self, Lines},
};

/// The longest certificate that is read: 16 KiB.
///
/// An ML-DSA-87 certificate with a generous subject stays under 8 KiB, and TLS 1.2 carries no longer one in a record.
pub const MAX_CERTIFICATE_OCTETS: usize = 16 * 1024;

/// The longest PEM text of a certificate within the limit: base64, a line end in each 64 columns, the labels.
const MAX_PEM_OCTETS: usize = MAX_CERTIFICATE_OCTETS * 3 / 2;

/// An X.509 client certificate: DER of at most 16 KiB, with what RFC 8705 asks of it already read.
///
/// A clone is one reference count. Two are equal when their DER is.
///
/// # Security
/// It says what the certificate **says**. That the sender holds its key is proved by a TLS handshake, that an
/// authority vouches for it by a verified chain: `sealstone-tls` does the first always and the second on request.
///
/// # Examples
/// ```
/// # let pem = include_str!("../tests/vectors/rfc8705-a.pem");
/// use sealstone_mtls::ClientCertificate;
///
/// let certificate = ClientCertificate::from_pem(pem)?;
/// assert_eq!(certificate.thumbprint().to_string(), "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0");
/// assert_eq!(certificate.subject().to_string(), "CN=mtls");
/// # Ok::<(), sealstone_mtls::BindingError>(())
/// ```
#[derive(Clone)]
pub struct ClientCertificate(Arc<Parts>);

struct Parts {
    der: Vec<u8>,
    thumbprint: CertificateThumbprint,
    subject: DistinguishedName,
    issuer: DistinguishedName,
    serial: Vec<u8>,
    not_before: UnixTime,
    not_after: UnixTime,
    alt_names: SubjectAltNames,
    spki: Vec<u8>,
}

impl ClientCertificate {
    /// Reads one DER certificate with nothing after it. X.509 version 1 is accepted (RFC 8705 appendix A has one).
    ///
    /// # Errors
    /// [`BindingError::TooLarge`] above [`MAX_CERTIFICATE_OCTETS`]; [`BindingError::Der`] for BER, trailing octets,
    /// a repeated extension, or a subject alternative name that is not one.
    pub fn from_der(der: &[u8]) -> Result<Self, BindingError> {
        if der.len() > MAX_CERTIFICATE_OCTETS {
            return Err(BindingError::TooLarge(MAX_CERTIFICATE_OCTETS));
        }
        let certificate =
            Certificate::from_der(der).map_err(|_| BindingError::Der("not one well-formed certificate"))?;
        let tbs = certificate.tbs_certificate();
        let name = |name| {
            DistinguishedName::from_x509(name)
                .map_err(|_| BindingError::Der("a name with an empty RDN or an unreadable attribute type"))
        };
        let extensions = tbs.extensions().map_or(&[][..], Vec::as_slice);
        for (at, extension) in extensions.iter().enumerate() {
            // RFC 5280 §4.2: no more than one of a kind. Which of two counts would be a guess.
            if extensions
                .iter()
                .take(at)
                .any(|earlier| earlier.extn_id == extension.extn_id)
            {
                return Err(BindingError::Der("a repeated extension"));
            }
        }
        let alt_names = extensions
            .iter()
            .find(|extension| extension.extn_id == const_oid::db::rfc5280::ID_CE_SUBJECT_ALT_NAME)
            .map(|extension| SubjectAltNames::from_der(extension.extn_value.as_bytes()))
            .transpose()?
            .unwrap_or_default();
        Ok(Self(Arc::new(Parts {
            thumbprint: CertificateThumbprint::of_der(der),
            subject: name(tbs.subject())?,
            issuer: name(tbs.issuer())?,
            serial: tbs.serial_number().as_bytes().to_vec(),
            not_before: UnixTime::since_unix_epoch(tbs.validity().not_before.to_unix_duration()),
            not_after: UnixTime::since_unix_epoch(tbs.validity().not_after.to_unix_duration()),
            alt_names,
            spki: tbs
                .subject_public_key_info()
                .to_der()
                .map_err(|_| BindingError::Der("an unreadable public key"))?,
            der: der.to_vec(),
        })))
    }

    /// Reads exactly one PEM block with the label `CERTIFICATE` (RFC 7468 §5).
    ///
    /// Nothing may stand before it, and after it one line end at most. Lines may have any length.
    ///
    /// # Errors
    /// [`BindingError::Pem`] for another label, a second block, text around the block, or a NUL; else as
    /// [`from_der`](Self::from_der).
    pub fn from_pem(pem: &str) -> Result<Self, BindingError> {
        Self::from_pem_lines(pem, Lines::Ends)
    }

    pub(crate) fn from_pem_lines(pem: &str, lines: Lines) -> Result<Self, BindingError> {
        if pem.len() > MAX_PEM_OCTETS {
            return Err(BindingError::TooLarge(MAX_CERTIFICATE_OCTETS));
        }
        Self::from_der(&pem::decode(pem, lines)?)
    }

    /// Reads PEM that was percent-encoded exactly once, as nginx's `$ssl_client_escaped_cert`.
    ///
    /// `+` stands for itself, never for a space: encoders that leave it alone mean the character of base64.
    ///
    /// # Errors
    /// [`BindingError::Escape`] for a broken or double encoding, or a NUL; else as [`from_pem`](Self::from_pem).
    pub fn from_escaped_pem(text: &str) -> Result<Self, BindingError> {
        // Every octet escaped triples the length.
        if text.len() > MAX_PEM_OCTETS * 3 {
            return Err(BindingError::TooLarge(MAX_CERTIFICATE_OCTETS));
        }
        Self::from_pem(&pem::unescape(text)?)
    }

    /// The DER, as it came.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.0.der
    }

    /// The certificate as one PEM block: lines of 64 columns and a final newline.
    #[must_use]
    pub fn to_pem(&self) -> String {
        pem::encode(&self.0.der)
    }

    /// `x5t#S256` (RFC 8705 §3.1), computed when the certificate was read.
    #[must_use]
    pub fn thumbprint(&self) -> CertificateThumbprint {
        self.0.thumbprint
    }

    /// Keystone's older thumbprint over the PEM text. Never put it into a `cnf`.
    #[must_use]
    pub fn keystone_thumbprint(&self) -> KeystoneThumbprint {
        KeystoneThumbprint::of_der(&self.0.der)
    }

    /// The subject.
    #[must_use]
    pub fn subject(&self) -> &DistinguishedName {
        &self.0.subject
    }

    /// The issuer, as the certificate claims it.
    #[must_use]
    pub fn issuer(&self) -> &DistinguishedName {
        &self.0.issuer
    }

    /// Subject and issuer as Keystone's mappings know them, `SSL_CLIENT_SUBJECT_DN_CN`, `SSL_CLIENT_ISSUER_DN_O`,
    /// `SSL_CLIENT_SUBJECT_DN_2.5.4.5`, and besides the alternative names: `SSL_CLIENT_SAN_DNS`, `_URI`, `_IP`,
    /// `_EMAIL`.
    ///
    /// Each name once, with all its values in the order of the DER, not escaped: Keystone itself takes the last of
    /// several, keeps the escapes, refuses values with `=` and knows no alternative names.
    #[must_use]
    pub fn keystone_attributes(&self) -> BTreeMap<String, Vec<String>> {
        let mut attributes = BTreeMap::new();
        self.subject()
            .collect_keystone("SSL_CLIENT_SUBJECT_DN_", &mut attributes);
        self.issuer()
            .collect_keystone("SSL_CLIENT_ISSUER_DN_", &mut attributes);
        let names = self.subject_alt_names();
        let addresses: Vec<String> = names.ip().iter().map(ToString::to_string).collect();
        for (kind, found) in [
            ("SSL_CLIENT_SAN_DNS", names.dns()),
            ("SSL_CLIENT_SAN_URI", names.uri()),
            ("SSL_CLIENT_SAN_IP", addresses.as_slice()),
            ("SSL_CLIENT_SAN_EMAIL", names.email()),
        ] {
            if !found.is_empty() {
                attributes.insert(kind.to_owned(), found.to_vec());
            }
        }
        attributes
    }

    /// The serial number: lower-case hexadecimal of its DER octets, two digits each.
    #[must_use]
    pub fn serial_hex(&self) -> String {
        crate::name::hex(&self.0.serial)
    }

    /// The first second of validity.
    #[must_use]
    pub fn not_before(&self) -> UnixTime {
        self.0.not_before
    }

    /// The last second of validity.
    #[must_use]
    pub fn not_after(&self) -> UnixTime {
        self.0.not_after
    }

    /// Whether `now` lies between the dates, both included (RFC 5280 §4.1.2.5).
    #[must_use]
    pub fn is_in_date(&self, now: UnixTime) -> bool {
        self.0.not_before <= now && now <= self.0.not_after
    }

    /// The subject alternative names of the kinds that RFC 8705 matches; empty when the extension is missing.
    #[must_use]
    pub fn subject_alt_names(&self) -> &SubjectAltNames {
        &self.0.alt_names
    }

    /// The `SubjectPublicKeyInfo`, as DER.
    #[must_use]
    pub fn spki_der(&self) -> &[u8] {
        &self.0.spki
    }
}

impl PartialEq for ClientCertificate {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.der == other.0.der
    }
}

impl Eq for ClientCertificate {}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientCertificate({}, {})", self.0.thumbprint, self.0.subject)
    }
}
