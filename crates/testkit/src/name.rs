//! Distinguished names, exactly as the test wants them encoded.

use crate::der::{self, tag};

/// The ASN.1 string type of an attribute value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TextType {
    /// `UTF8String`, what RFC 5280 asks of new certificates.
    Utf8,
    /// `PrintableString`. The characters are not checked.
    Printable,
    /// `IA5String`, as for `DC` and `emailAddress`.
    Ia5,
    /// `TeletexString`, written as Latin-1 by those who still write it.
    Teletex,
    /// `BMPString`: UTF-16, big endian.
    Bmp,
    /// `UniversalString`: UTF-32, big endian.
    Universal,
}

impl TextType {
    const fn tag(self) -> u8 {
        match self {
            Self::Utf8 => 0x0c,
            Self::Printable => 0x13,
            Self::Teletex => 0x14,
            Self::Ia5 => 0x16,
            Self::Universal => 0x1c,
            Self::Bmp => 0x1e,
        }
    }

    fn octets(self, text: &str) -> Vec<u8> {
        match self {
            Self::Utf8 | Self::Printable | Self::Ia5 => text.as_bytes().to_vec(),
            Self::Teletex => text
                .chars()
                .map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?'))
                .collect(),
            Self::Bmp => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
            Self::Universal => text.chars().flat_map(|c| u32::from(c).to_be_bytes()).collect(),
        }
    }
}

/// One attribute of a distinguished name, such as `CN=machine`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    oid: Vec<u64>,
    tag: u8,
    value: Vec<u8>,
}

impl Attribute {
    /// An attribute by its short name (`CN`, `O`, `OU`, `C`, `ST`, `L`, `STREET`, `DC`, `UID`, `SERIALNUMBER`,
    /// `EMAIL`, `T`, `GN`, `SN`) or its dotted object identifier, in the string type usual for it.
    #[must_use]
    pub fn new(name: &str, value: &str) -> Self {
        let text_type = match name {
            "C" | "SERIALNUMBER" => TextType::Printable,
            "DC" | "EMAIL" => TextType::Ia5,
            _ => TextType::Utf8,
        };
        Self::typed(name, text_type, value)
    }

    /// The same with the string type given.
    #[must_use]
    pub fn typed(name: &str, text_type: TextType, value: &str) -> Self {
        Self {
            oid: oid_of(name),
            tag: text_type.tag(),
            value: text_type.octets(value),
        }
    }

    /// An attribute whose value is `value` under the ASN.1 tag `tag`, however wrong that is.
    #[must_use]
    pub fn raw(name: &str, tag: u8, value: &[u8]) -> Self {
        Self {
            oid: oid_of(name),
            tag,
            value: value.to_vec(),
        }
    }

    fn to_der(&self) -> Vec<u8> {
        let pair = [der::oid(&self.oid), der::element(self.tag, &self.value)].concat();
        der::element(tag::SEQUENCE, &pair)
    }
}

fn oid_of(name: &str) -> Vec<u64> {
    match name {
        "CN" => vec![2, 5, 4, 3],
        "SN" => vec![2, 5, 4, 4],
        "SERIALNUMBER" => vec![2, 5, 4, 5],
        "C" => vec![2, 5, 4, 6],
        "L" => vec![2, 5, 4, 7],
        "ST" => vec![2, 5, 4, 8],
        "STREET" => vec![2, 5, 4, 9],
        "O" => vec![2, 5, 4, 10],
        "OU" => vec![2, 5, 4, 11],
        "T" => vec![2, 5, 4, 12],
        "GN" => vec![2, 5, 4, 42],
        "UID" => vec![0, 9, 2342, 19_200_300, 100, 1, 1],
        "DC" => vec![0, 9, 2342, 19_200_300, 100, 1, 25],
        "EMAIL" => vec![1, 2, 840, 113_549, 1, 9, 1],
        dotted => dotted
            .split('.')
            .map(|arc| {
                arc.parse()
                    .expect("a short attribute name or a dotted object identifier")
            })
            .collect(),
    }
}

/// A name: one relative distinguished name per inner list, everything in the order given (so a multi-valued one can
/// be written in an order that DER forbids).
pub(crate) fn encode(rdns: &[Vec<Attribute>]) -> Vec<u8> {
    let mut content = Vec::new();
    for rdn in rdns {
        let attributes: Vec<u8> = rdn.iter().flat_map(Attribute::to_der).collect();
        content.extend(der::element(tag::SET, &attributes));
    }
    der::element(tag::SEQUENCE, &content)
}

/// One attribute per relative distinguished name, first to last as encoded.
pub(crate) fn plain(attributes: &[(&str, &str)]) -> Vec<Vec<Attribute>> {
    attributes
        .iter()
        .map(|(name, value)| vec![Attribute::new(name, value)])
        .collect()
}
