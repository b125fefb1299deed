use std::{fmt, time::Duration};

use der::{Decode, Encode};
use rustls_pki_types::{
    CertificateDer, UnixTime,
    pem::{self, PemObject},
};
use x509_cert::{
    Certificate,
    ext::pkix::{BasicConstraints, SubjectKeyIdentifier},
};

use crate::{CaError, splice};

/// A certificate's serial number: at most 20 octets, shown in hexadecimal.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Serial(Vec<u8>);

impl Serial {
    /// 16 octets, 126 bits of them random: positive, and as long in every notation.
    pub(crate) fn random() -> Result<Self, CaError> {
        let mut bytes = [0; 16];
        aws_lc_rs::rand::fill(&mut bytes).map_err(|_| CaError::make("the system has no randomness"))?;
        // DER adds an octet before a high bit and drops leading zeros: tools would show different numbers.
        let [first, ..] = &mut bytes;
        *first = (*first & 0x7f) | 0x40;
        Ok(Self(bytes.to_vec()))
    }

    /// Reads hexadecimal digits, in either case, `:` allowed between.
    ///
    /// # Errors
    /// [`CaError::Certificate`] when the text is no serial number.
    pub fn parse(text: &str) -> Result<Self, CaError> {
        let digits: Option<Vec<u8>> = text
            .chars()
            .filter(|c| *c != ':')
            .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
            .collect();
        let digits = digits.filter(|digits| (1..=40).contains(&digits.len()));
        let digits =
            digits.ok_or_else(|| CaError::Certificate("no serial number in hexadecimal".to_owned()))?;
        let bytes = digits
            .rchunks(2)
            .rev()
            .map(|pair| pair.iter().fold(0, |byte, digit| (byte << 4) | digit));
        Ok(Self::from_bytes(&bytes.collect::<Vec<u8>>()))
    }

    /// Leading zero octets, which DER needs before a high bit, are not part of the number.
    fn from_bytes(bytes: &[u8]) -> Self {
        Self(bytes.iter().copied().skip_while(|byte| *byte == 0).collect())
    }

    /// The number's octets.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("00");
        }
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Serial({self})")
    }
}

/// What a CA needs to know of a certificate.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CertificateInfo {
    /// The certificate.
    pub der: Vec<u8>,
    /// Its serial number.
    pub serial: Serial,
    /// Its subject as RFC 4514 text.
    pub subject: String,
    /// From when it is valid.
    pub not_before: UnixTime,
    /// Until when it is valid.
    pub not_after: UnixTime,
    pub(crate) subject_der: Vec<u8>,
    pub(crate) spki_der: Vec<u8>,
    pub(crate) key_identifier: Option<Vec<u8>>,
    pub(crate) is_ca: bool,
    /// Object identifier, critical, content.
    pub(crate) extensions: Vec<(String, bool, Vec<u8>)>,
}

impl CertificateInfo {
    /// From one PEM block, or DER.
    ///
    /// # Errors
    /// [`CaError::Certificate`] when it is no certificate.
    pub fn parse(bytes: &[u8]) -> Result<Self, CaError> {
        if bytes.first() == Some(&0x30) {
            return Self::from_der(bytes);
        }
        let der = CertificateDer::from_pem_slice(bytes).map_err(|error| {
            let empty = matches!(error, pem::Error::NoItemsFound);
            CaError::Certificate(if empty {
                "there is no certificate in it".to_owned()
            } else {
                error.to_string()
            })
        })?;
        Self::from_der(&der)
    }

    fn from_der(der: &[u8]) -> Result<Self, CaError> {
        let refuse = |error: der::Error| CaError::Certificate(error.to_string());
        let certificate = Certificate::from_der(der).map_err(refuse)?;
        let tbs = certificate.tbs_certificate();
        let outer = splice::elements(der).map_err(refuse)?;
        let parts = splice::elements(outer.first().copied().unwrap_or_default()).map_err(refuse)?;
        let subject_der = parts.get(splice::SUBJECT).copied().unwrap_or_default().to_vec();
        let basic = tbs.get_extension::<BasicConstraints>().map_err(refuse)?;
        let identifier = tbs.get_extension::<SubjectKeyIdentifier>().map_err(refuse)?;
        let at = |time: &x509_cert::time::Time| {
            UnixTime::since_unix_epoch(Duration::from_secs(time.to_unix_duration().as_secs()))
        };
        Ok(Self {
            serial: Serial::from_bytes(tbs.serial_number().as_bytes()),
            subject: tbs.subject().to_string(),
            not_before: at(&tbs.validity().not_before),
            not_after: at(&tbs.validity().not_after),
            subject_der,
            spki_der: tbs.subject_public_key_info().to_der().map_err(refuse)?,
            key_identifier: identifier.map(|(_, id)| id.0.as_bytes().to_vec()),
            is_ca: basic.is_some_and(|(_, basic)| basic.ca),
            extensions: tbs
                .extensions()
                .into_iter()
                .flatten()
                .map(|extension| {
                    (
                        extension.extn_id.to_string(),
                        extension.critical,
                        extension.extn_value.as_bytes().to_vec(),
                    )
                })
                .collect(),
            der: der.to_vec(),
        })
    }

    pub(crate) fn extension(&self, oid: &str) -> Option<&(String, bool, Vec<u8>)> {
        self.extensions.iter().find(|(id, ..)| id == oid)
    }
}
