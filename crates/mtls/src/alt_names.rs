//! Subject alternative names (RFC 5280 §4.2.1.6), of the kinds that RFC 8705 matches.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use der::{Decode, Reader, SliceReader, TagNumber, asn1::AnyRef};

use crate::BindingError;

/// The names of a certificate beside its subject, each kind apart so that none is taken for another.
///
/// Texts are as they stand in the certificate, a NUL included. Other kinds of name are passed over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SubjectAltNames {
    dns: Vec<String>,
    uri: Vec<String>,
    ip: Vec<IpAddr>,
    email: Vec<String>,
}

impl SubjectAltNames {
    /// Reads the value of the extension.
    pub(crate) fn from_der(der: &[u8]) -> Result<Self, BindingError> {
        let mut names = Self::default();
        let malformed = BindingError::Der("a malformed subject alternative name");
        let mut reader = SliceReader::new(der).map_err(|_| malformed)?;
        let sequence = AnyRef::decode(&mut reader).map_err(|_| malformed)?;
        reader.finish().map_err(|_| malformed)?;
        if sequence.header().tag() != der::Tag::Sequence {
            return Err(malformed);
        }
        let mut entries = SliceReader::new(sequence.value()).map_err(|_| malformed)?;
        while !entries.is_finished() {
            let entry = AnyRef::decode(&mut entries).map_err(|_| malformed)?;
            let der::Tag::ContextSpecific { number, .. } = entry.header().tag() else {
                return Err(malformed);
            };
            names.push(number, entry.value()).ok_or(malformed)?;
        }
        Ok(names)
    }

    /// `None` when the value is not of its kind.
    fn push(&mut self, kind: TagNumber, value: &[u8]) -> Option<()> {
        match kind.value() {
            1 => self.email.push(ia5(value)?),
            2 => self.dns.push(ia5(value)?),
            6 => self.uri.push(ia5(value)?),
            7 => self.ip.push(address(value)?),
            _ => {}
        }
        Some(())
    }

    /// `dNSName`s, with their case.
    #[must_use]
    pub fn dns(&self) -> &[String] {
        &self.dns
    }

    /// `uniformResourceIdentifier`s.
    #[must_use]
    pub fn uri(&self) -> &[String] {
        &self.uri
    }

    /// `iPAddress`es: four octets are IPv4, sixteen IPv6, and an IPv4-mapped IPv6 address stays IPv6.
    #[must_use]
    pub fn ip(&self) -> &[IpAddr] {
        &self.ip
    }

    /// `rfc822Name`s. A `SmtpUTF8Mailbox` (RFC 9598) is another kind and is passed over.
    #[must_use]
    pub fn email(&self) -> &[String] {
        &self.email
    }
}

fn ia5(value: &[u8]) -> Option<String> {
    value
        .is_ascii()
        .then(|| str::from_utf8(value).ok().map(str::to_owned))
        .flatten()
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    if let Ok(four) = <[u8; 4]>::try_from(octets) {
        return Some(IpAddr::V4(Ipv4Addr::from(four)));
    }
    <[u8; 16]>::try_from(octets)
        .ok()
        .map(|sixteen| IpAddr::V6(Ipv6Addr::from(sixteen)))
}
