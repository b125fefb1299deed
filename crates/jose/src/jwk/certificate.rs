//! The key of a certificate in `x5c`: RFC 7517 §4.7 says it is the key of the JWK.

use der::asn1::AnyRef;
use der::{Decode, Reader, SliceReader, Tag, TagNumber, Tagged};

use super::material::PublicKey;
use super::spki;
use crate::JoseError;

/// Reads as far as the `subjectPublicKeyInfo` of RFC 5280 §4.1 and takes its key.
pub(super) fn public_key(certificate: &[u8]) -> Result<PublicKey, JoseError> {
    let info = find(certificate).map_err(|_error| JoseError::MalformedKey("x5c"))?;
    spki::decode(info)
}

fn find(certificate: &[u8]) -> Result<&[u8], der::Error> {
    let outer = AnyRef::from_der(certificate)?;
    outer.tag().assert_eq(Tag::Sequence)?;
    let body = AnyRef::decode(&mut SliceReader::new(outer.value())?)?;
    body.tag().assert_eq(Tag::Sequence)?;
    let mut fields = SliceReader::new(body.value())?;
    let version = Tag::ContextSpecific {
        constructed: true,
        number: TagNumber(0),
    };
    let first = AnyRef::decode(&mut fields)?;
    // serialNumber, signature, issuer, validity, subject stand between the version and the key.
    let skipped = if first.tag() == version { 5 } else { 4 };
    for _field in 0..skipped {
        AnyRef::decode(&mut fields)?;
    }
    fields.tlv_bytes()
}
