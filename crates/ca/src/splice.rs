//! Puts exact distinguished names into what `rcgen` made, and signs it again.
//!
//! `rcgen` holds a name as a map from attribute type to value, so it can write neither `DC=example,DC=org` nor a
//! multi-valued RDN, and it cannot repeat an issuer's name byte for byte.

use der::{Decode, Encode, Header, Length, Reader, SliceReader, Tag, asn1::BitStringRef};
use rcgen::SigningKey;

use crate::CaError;

/// Where names stand in a `TBSCertificate` with a version (RFC 5280 §4.1).
pub(crate) const ISSUER: usize = 3;
pub(crate) const SUBJECT: usize = 5;
/// Where the issuer stands in a `TBSCertList` with a version (RFC 5280 §5.1).
pub(crate) const LIST_ISSUER: usize = 2;

/// Where the subject stands in a `CertificationRequestInfo` (RFC 2986 §4.1).
pub(crate) const REQUEST_SUBJECT: usize = 1;

/// The elements of a DER SEQUENCE, each with its header.
pub(crate) fn elements(sequence: &[u8]) -> Result<Vec<&[u8]>, der::Error> {
    let mut outer = SliceReader::new(sequence)?;
    Header::decode(&mut outer)?.tag().assert_eq(Tag::Sequence)?;
    let mut inner = Vec::new();
    while !outer.is_finished() {
        inner.push(outer.tlv_bytes()?);
    }
    Ok(inner)
}

fn sequence(elements: &[&[u8]]) -> Result<Vec<u8>, der::Error> {
    let content = elements.concat();
    let mut out = Header::new(Tag::Sequence, Length::try_from(content.len())?).to_der()?;
    out.extend(content);
    Ok(out)
}

/// Replaces the numbered elements of the signed part, and signs with `key`.
pub(crate) fn resign(
    signed: &[u8],
    replaced: &[(usize, &[u8])],
    key: &impl SigningKey,
) -> Result<Vec<u8>, CaError> {
    let outer = elements(signed).map_err(CaError::make)?;
    let [to_be_signed, algorithm, _] = outer.as_slice() else {
        return Err(CaError::make("three elements were expected"));
    };
    let mut parts = elements(to_be_signed).map_err(CaError::make)?;
    for (place, bytes) in replaced {
        *parts
            .get_mut(*place)
            .ok_or_else(|| CaError::make("a name is missing"))? = bytes;
    }
    let to_be_signed = sequence(&parts).map_err(CaError::make)?;
    let signature = key.sign(&to_be_signed).map_err(CaError::make)?;
    let signature = BitStringRef::from_bytes(&signature)
        .and_then(|bits| bits.to_der())
        .map_err(CaError::make)?;
    sequence(&[&to_be_signed, algorithm, &signature]).map_err(CaError::make)
}
