//! The value of an attribute, freed from its string type.

use der::{Decode, Encode, Tag, asn1::AnyRef};

/// Characters, or the DER of what is not a string.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Value {
    /// The characters of any string type.
    Text(String),
    /// One DER value, tag and length included: not a string, or octets that its string type does not allow.
    Der(Vec<u8>),
}

impl Value {
    /// `None` for a value that cannot be written back as DER.
    pub(super) fn from_any(any: AnyRef<'_>) -> Option<Self> {
        match text_of(any) {
            Some(text) => Some(Self::Text(text)),
            None => any.to_der().ok().map(Self::Der),
        }
    }

    /// `None` when `der` is not one DER value.
    pub(super) fn from_der(der: &[u8]) -> Option<Self> {
        AnyRef::from_der(der).ok().and_then(Self::from_any)
    }

    /// The value as DER; a text as `UTF8String`.
    pub(super) fn to_der(&self) -> Vec<u8> {
        match self {
            Self::Text(text) => AnyRef::new(Tag::Utf8String, text.as_bytes())
                .and_then(|any| any.to_der())
                .unwrap_or_default(),
            Self::Der(der) => der.clone(),
        }
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "every tag that is not a string is kept as DER"
)]
fn text_of(any: AnyRef<'_>) -> Option<String> {
    let octets = any.value();
    match any.header().tag() {
        Tag::Utf8String => str::from_utf8(octets).ok().map(str::to_owned),
        // `PrintableString` in the field holds `@`, `*` and `_`: what matters is that the characters are certain.
        // The upper half of `TeletexString` is not, since issuers mean Latin-1 or T.61 by it.
        Tag::PrintableString
        | Tag::Ia5String
        | Tag::NumericString
        | Tag::VisibleString
        | Tag::GeneralString
        | Tag::TeletexString => octets
            .is_ascii()
            .then(|| str::from_utf8(octets).ok().map(str::to_owned))
            .flatten(),
        Tag::BmpString => {
            let (pairs, []) = octets.as_chunks::<2>() else {
                return None;
            };
            pairs
                .iter()
                .map(|pair| char::from_u32(u32::from(u16::from_be_bytes(*pair))))
                .collect()
        }
        _ => None,
    }
}
