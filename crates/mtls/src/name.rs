//! Distinguished names: read from DER or RFC 4514 text, compared by what they say, printed one way.

mod attributes;
mod keystone;
mod parse;
mod print;
mod value;

use std::{borrow::Cow, fmt, str::FromStr};

use const_oid::ObjectIdentifier;
use der::Decode;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use x509_cert::name::Name;

pub(crate) use print::hex;
use value::Value;

use crate::NameError;

/// The longest text of a name that is read: 48 KiB, the name of the largest certificate with every octet escaped.
pub const MAX_NAME_OCTETS: usize = 3 * crate::MAX_CERTIFICATE_OCTETS;

/// A distinguished name (X.501, RFC 5280 §4.1.2.4), compared attribute by attribute.
///
/// Two names are equal when they have the same RDNs in the same order, each RDN taken as a set, and each attribute
/// has the same type and the same characters. The string type (`PrintableString`, `UTF8String`, …) plays no part;
/// case, spaces and Unicode composition do: nothing is folded, so nothing that looks alike is taken for the same.
/// That is stricter than RFC 4518 and never accepts what it refuses.
///
/// # Examples
/// ```
/// use sealstone_mtls::DistinguishedName;
///
/// let name = DistinguishedName::parse_rfc4514(r"OU=Sales+CN=J.  Smith,DC=example,DC=net")?;
/// assert_eq!(name, DistinguishedName::parse_rfc4514(r"cn=J.\20\20Smith+ou=Sales,dc=example,dc=net")?);
/// assert_ne!(name, DistinguishedName::parse_rfc4514(r"DC=net,DC=example,OU=Sales+CN=J.  Smith")?);
/// # Ok::<(), sealstone_mtls::NameError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DistinguishedName {
    /// In the order of the DER: the widest first. Each RDN is sorted and has at least one attribute.
    rdns: Vec<Vec<Attribute>>,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Attribute {
    kind: ObjectIdentifier,
    value: Value,
}

impl DistinguishedName {
    /// Reads a DER `Name`.
    ///
    /// # Errors
    /// [`NameError::Der`] when it is none, has octets after it, an empty RDN, or an attribute type whose arcs exceed 32
    /// bits; [`NameError::TooLarge`] above [`MAX_CERTIFICATE_OCTETS`](crate::MAX_CERTIFICATE_OCTETS).
    pub fn from_der(der: &[u8]) -> Result<Self, NameError> {
        if der.len() > crate::MAX_CERTIFICATE_OCTETS {
            return Err(NameError::TooLarge(crate::MAX_CERTIFICATE_OCTETS));
        }
        Self::from_x509(&Name::from_der(der).map_err(|_| NameError::Der)?)
    }

    pub(crate) fn from_x509(name: &Name) -> Result<Self, NameError> {
        let mut rdns = Vec::with_capacity(name.len());
        for rdn in name.iter_rdn() {
            let attributes = rdn
                .iter()
                .map(|attribute| {
                    let kind = printable(attribute.oid)?;
                    let value = Value::from_any(attribute.value.to_ref()).ok_or(NameError::Der)?;
                    Ok(Attribute { kind, value })
                })
                .collect::<Result<_, NameError>>()?;
            rdns.push(rdn_of(attributes).ok_or(NameError::Der)?);
        }
        Ok(Self { rdns })
    }

    /// Reads RFC 4514 text, the narrowest RDN first.
    ///
    /// Attribute types are OIDs in dotted decimal, the names of RFC 4514 §3, and `emailAddress`, `serialNumber` and
    /// the other names that certificates use, in any case. A value in RFC 2253's double quotes is read too. Spaces
    /// around separators are refused: OpenSSL prints them in the form that has the opposite order
    /// (`openssl x509 -subject -nameopt RFC2253` prints the right one).
    ///
    /// # Errors
    /// [`NameError::Text`] with the place and the reason; [`NameError::TooLarge`] above [`MAX_NAME_OCTETS`].
    pub fn parse_rfc4514(text: &str) -> Result<Self, NameError> {
        if text.len() > MAX_NAME_OCTETS {
            return Err(NameError::TooLarge(MAX_NAME_OCTETS));
        }
        parse::name(text)
    }

    /// Every attribute in the order of the DER, the widest first: its type as it is printed (`CN`, or an OID in dotted
    /// decimal), and its characters, unescaped. `None` for a value that is no string.
    ///
    /// ```
    /// # use sealstone_mtls::DistinguishedName;
    /// let name = DistinguishedName::parse_rfc4514(r"CN=a\, b,OU=x+2.5.4.99=#0c0179,O=Example")?;
    /// let attributes: Vec<_> = name.attributes().collect();
    /// assert_eq!(attributes[0], ("O".into(), Some("Example")));
    /// assert_eq!(attributes[2], ("2.5.4.99".into(), Some("y")));
    /// assert_eq!(attributes[3], ("CN".into(), Some("a, b")));
    /// # Ok::<(), sealstone_mtls::NameError>(())
    /// ```
    pub fn attributes(&self) -> impl Iterator<Item = (Cow<'static, str>, Option<&str>)> {
        self.rdns.iter().flatten().map(|attribute| {
            let kind = attributes::name_of(attribute.kind)
                .map_or_else(|| Cow::Owned(attribute.kind.to_string()), Cow::Borrowed);
            let text = match &attribute.value {
                Value::Text(text) => Some(text.as_str()),
                Value::Der(_) => None,
            };
            (kind, text)
        })
    }

    /// Whether this is the name without any RDN.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rdns.is_empty()
    }
}

/// `kind`, if its text stands for it and for nothing else: an arc above 32 bits, or one with leading zeros, would be
/// printed as another type's.
fn printable(kind: ObjectIdentifier) -> Result<ObjectIdentifier, NameError> {
    let stands = || ObjectIdentifier::new(&kind.to_string()) == Ok(kind);
    if attributes::name_of(kind).is_some() || stands() {
        Ok(kind)
    } else {
        Err(NameError::Der)
    }
}

/// One order for the attributes of a set; `None` when there is none.
fn rdn_of(mut attributes: Vec<Attribute>) -> Option<Vec<Attribute>> {
    attributes.sort_unstable();
    (!attributes.is_empty()).then_some(attributes)
}

impl FromStr for DistinguishedName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::parse_rfc4514(text)
    }
}

impl fmt::Display for DistinguishedName {
    /// RFC 4514 text. Control characters are escaped, so that it stays on one line of a log or a header.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print::name(&self.rdns, f)
    }
}

impl fmt::Debug for DistinguishedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DistinguishedName({self})")
    }
}

impl Serialize for DistinguishedName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DistinguishedName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse_rfc4514(&text).map_err(de::Error::custom)
    }
}
