use std::fmt;

use const_oid::ObjectIdentifier;
use der::{Encode, Tag, asn1::Any, asn1::SetOfVec};
use x509_cert::{
    attr::AttributeTypeAndValue,
    name::{RdnSequence, RelativeDistinguishedName},
};

use crate::CaError;

const OID_CN: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
const OID_COUNTRY: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.6");
const OID_SERIAL: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.5");
const OID_DC: ObjectIdentifier = ObjectIdentifier::new_unwrap("0.9.2342.19200300.100.1.25");
const OID_EMAIL: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.1");

/// The attribute types known by name (RFC 4514 §3, RFC 4519, RFC 5280 appendix A.1), in any case.
const NAMES: [(&str, ObjectIdentifier); 18] = [
    ("CN", OID_CN),
    ("O", ObjectIdentifier::new_unwrap("2.5.4.10")),
    ("OU", ObjectIdentifier::new_unwrap("2.5.4.11")),
    ("C", OID_COUNTRY),
    ("ST", ObjectIdentifier::new_unwrap("2.5.4.8")),
    ("L", ObjectIdentifier::new_unwrap("2.5.4.7")),
    ("STREET", ObjectIdentifier::new_unwrap("2.5.4.9")),
    ("DC", OID_DC),
    ("UID", ObjectIdentifier::new_unwrap("0.9.2342.19200300.100.1.1")),
    ("emailAddress", OID_EMAIL),
    ("E", OID_EMAIL),
    ("serialNumber", OID_SERIAL),
    ("SN", ObjectIdentifier::new_unwrap("2.5.4.4")),
    ("givenName", ObjectIdentifier::new_unwrap("2.5.4.42")),
    ("GN", ObjectIdentifier::new_unwrap("2.5.4.42")),
    ("title", ObjectIdentifier::new_unwrap("2.5.4.12")),
    ("pseudonym", ObjectIdentifier::new_unwrap("2.5.4.65")),
    ("organizationIdentifier", ObjectIdentifier::new_unwrap("2.5.4.97")),
];

/// The subject of a certificate: a distinguished name, its attributes in the order and number given.
///
/// # Examples
/// ```
/// use sealstone_ca::Subject;
///
/// let subject = Subject::parse("CN=machine, OU=ops, OU=night, O=Example\\, Ltd").unwrap();
/// assert_eq!(subject.to_string(), "CN=machine,OU=ops,OU=night,O=Example\\, Ltd");
/// assert!(Subject::parse("machine").is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    name: RdnSequence,
    der: Vec<u8>,
}

impl Subject {
    /// No more characters than this in one value.
    const LONGEST_VALUE: usize = 256;
    /// No more attributes than this.
    const MOST_ATTRIBUTES: usize = 32;

    /// Reads the text form of RFC 4514: the most specific attribute first, `,` between, `+` within a multi-valued
    /// one, `\` before a special character or two hexadecimal digits. White space around names and values is
    /// ignored, attribute types are names (in any case) or dotted numbers. The empty text is the empty name.
    ///
    /// # Errors
    /// [`CaError::Subject`] with the reason.
    pub fn parse(text: &str) -> Result<Self, CaError> {
        let refuse = |reason: String| CaError::Subject {
            text: text.to_owned(),
            reason,
        };
        let mut rdns = Vec::new();
        if !text.trim().is_empty() {
            for part in split(text, ',') {
                let pairs = split(part, '+').into_iter().map(|pair| {
                    let (kind, value) = pair
                        .split_once('=')
                        .ok_or_else(|| format!("{:?} has no \"=\"", pair.trim()))?;
                    attribute(kind.trim(), &unescape(value)?)
                });
                rdns.push(pairs.collect::<Result<Vec<_>, String>>().map_err(refuse)?);
            }
        }
        rdns.reverse();
        Self::build(rdns).map_err(refuse)
    }

    /// From `(type, value)` pairs, the most general first as certificates encode them; values are taken as they are.
    ///
    /// # Errors
    /// [`CaError::Subject`] with the reason.
    pub fn from_attributes(attributes: &[(&str, &str)]) -> Result<Self, CaError> {
        let refuse = |reason: String| CaError::Subject {
            text: format!("{attributes:?}"),
            reason,
        };
        let rdns = attributes
            .iter()
            .map(|(kind, value)| Ok(vec![attribute(kind, value)?]));
        let rdns = rdns.collect::<Result<Vec<_>, String>>().map_err(refuse)?;
        Self::build(rdns).map_err(refuse)
    }

    fn build(rdns: Vec<Vec<AttributeTypeAndValue>>) -> Result<Self, String> {
        if rdns.iter().map(Vec::len).fold(0_usize, usize::saturating_add) > Self::MOST_ATTRIBUTES {
            return Err(format!("it has more than {} attributes", Self::MOST_ATTRIBUTES));
        }
        let mut name = RdnSequence::default();
        for rdn in rdns {
            let set =
                SetOfVec::try_from(rdn).map_err(|_| "an attribute is repeated within \"+\"".to_owned())?;
            name.push(RelativeDistinguishedName::from(set));
        }
        let der = name.to_der().map_err(|error| error.to_string())?;
        Ok(Self { name, der })
    }

    /// Whether it has no attribute.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.name.is_empty()
    }

    /// The DER of the `Name`.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)
    }
}

fn attribute(kind: &str, value: &str) -> Result<AttributeTypeAndValue, String> {
    let known = NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(kind));
    let oid = match known {
        Some((_, oid)) => *oid,
        None => ObjectIdentifier::new(kind).map_err(|_| format!("{kind:?} is no attribute type"))?,
    };
    if value.is_empty() {
        return Err(format!("{kind} has no value"));
    }
    if value.chars().count() > Subject::LONGEST_VALUE {
        return Err(format!(
            "the value of {kind} is longer than {} characters",
            Subject::LONGEST_VALUE
        ));
    }
    if value.chars().any(char::is_control) {
        return Err(format!("the value of {kind} has a control character"));
    }
    let printable = |c: char| c.is_ascii_alphanumeric() || " '()+,-./:=?".contains(c);
    let (tag, fits) = match oid {
        OID_COUNTRY => (
            Tag::PrintableString,
            value.len() == 2 && value.bytes().all(|byte| byte.is_ascii_alphabetic()),
        ),
        OID_SERIAL => (Tag::PrintableString, value.chars().all(printable)),
        OID_DC | OID_EMAIL => (Tag::Ia5String, value.is_ascii()),
        _ => (Tag::Utf8String, true),
    };
    if !fits {
        return Err(format!("{value:?} cannot be the value of {kind}"));
    }
    let value = Any::new(tag, value.as_bytes()).map_err(|error| error.to_string())?;
    Ok(AttributeTypeAndValue { oid, value })
}

/// Splits at every separator that no backslash precedes.
fn split(text: &str, separator: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut escaped) = (0, false);
    for (at, c) in text.char_indices() {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == separator {
            parts.push(text.get(start..at).unwrap_or_default());
            start = at.saturating_add(c.len_utf8());
        }
    }
    parts.push(text.get(start..).unwrap_or_default());
    parts
}

/// Undoes the escapes of RFC 4514 §2.4 and drops white space that is not escaped at both ends.
fn unescape(value: &str) -> Result<String, String> {
    let value = value.trim_start();
    if value.starts_with('#') {
        return Err("values in \"#\" form are not written: give the value as text".to_owned());
    }
    let mut bytes = Vec::with_capacity(value.len());
    let mut keep = 0;
    let mut rest = value.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            if matches!(c, '"' | ';' | '<' | '>') {
                return Err(format!("{c:?} must be written as \"\\{c}\""));
            }
            bytes.extend(c.encode_utf8(&mut [0; 4]).as_bytes());
            if !c.is_whitespace() {
                keep = bytes.len();
            }
            continue;
        }
        match rest.next() {
            Some(c) if " \"#+,;<=>\\".contains(c) => bytes.extend(c.encode_utf8(&mut [0; 4]).as_bytes()),
            Some(high) => {
                let pair = (high.to_digit(16), rest.next().and_then(|low| low.to_digit(16)));
                let (Some(high), Some(low)) = pair else {
                    return Err(
                        "a backslash stands before a special character or two hexadecimal digits".to_owned(),
                    );
                };
                bytes.extend(u8::try_from((high << 4) | low));
            }
            None => return Err("it ends in a backslash".to_owned()),
        }
        keep = bytes.len();
    }
    bytes.truncate(keep);
    String::from_utf8(bytes).map_err(|_| "an escaped value is not UTF-8".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_names_and_names_texts() {
        for (text, want) in [
            ("CN=a", "CN=a"),
            ("cn = a , o=b", "CN=a,O=b"),
            ("CN=a,DC=example,DC=org", "CN=a,DC=example,DC=org"),
            ("CN=a+UID=7,O=b", "CN=a+UID=7,O=b"),
            ("CN=Lu\\C4\\8Di\\C4\\87", "CN=Lučić"),
            ("CN=\\ a\\ ", "CN=\\ a\\ "),
            ("CN=a\\\\,O=b", "CN=a\\\\,O=b"),
            ("CN=a=b", "CN=a=b"),
            ("CN=a\\+b\\;c", "CN=a\\+b\\;c"),
            ("2.5.4.3=x", "CN=x"),
            ("", ""),
        ] {
            let subject = Subject::parse(text).unwrap();
            assert_eq!(subject.to_string(), want, "{text}");
            assert_eq!(Subject::parse(want).unwrap(), subject, "{text}");
        }
    }

    #[test]
    fn an_attribute_list_is_in_certificate_order() {
        let listed = Subject::from_attributes(&[("O", "b, c"), ("CN", "a")]).unwrap();
        assert_eq!(listed, Subject::parse("CN=a,O=b\\, c").unwrap());
    }

    #[test]
    fn what_is_no_name_is_refused_with_its_reason() {
        for (text, reason) in [
            ("machine", "no \"=\""),
            ("CN=", "no value"),
            ("XX=1", "no attribute type"),
            ("C=Germany", "cannot be the value"),
            ("DC=ä", "cannot be the value"),
            ("CN=a\\", "backslash"),
            ("CN=a\\zz", "backslash"),
            ("CN=a;O=b", "must be written"),
            ("CN=\\ff", "not UTF-8"),
            ("CN=a\\00b", "control character"),
            ("CN=a,,O=b", "no \"=\""),
            ("CN=#0c0161", "\"#\" form"),
        ] {
            let error = Subject::parse(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
        let long = format!("CN={}", "a".repeat(257));
        assert!(Subject::parse(&long).is_err());
        assert!(Subject::parse(&vec!["OU=a"; 33].join(",")).is_err());
    }
}
