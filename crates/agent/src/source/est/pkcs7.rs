//! The answer of an EST server: certificates in a `SignedData` that signs nothing (RFC 5652 §5, RFC 7030 §4.1.3).
//!
//! ```text
//! ContentInfo ::= SEQUENCE { contentType OID signedData, content [0] EXPLICIT SignedData }
//! SignedData  ::= SEQUENCE { version 1, digestAlgorithms SET (empty), encapContentInfo SEQUENCE { OID data },
//!                            certificates [0] IMPLICIT SET OF Certificate, crls [1] IMPLICIT … OPTIONAL,
//!                            signerInfos SET (empty) }
//! ```

use der::{Decode as _, Reader as _, SliceReader, Tag, asn1::AnyRef};
use rustls_pki_types::CertificateDer;

/// 1.2.840.113549.1.7.2
const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
/// 1.2.840.113549.1.7.1
const DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01];
/// More than any path and its cross certificates have.
const MAX_CERTIFICATES: usize = 16;

/// The certificates of an answer of `/cacerts`, `/simpleenroll` or `/simplereenroll`: base64 of DER, line ends wherever
/// the server likes them.
///
/// Strict: DER alone, nothing signed, nothing after it, nothing but X.509 certificates, in the order that they came in.
///
/// # Errors
/// What is wrong with it.
///
/// # Examples
/// ```
/// use sealstone_agent::certificates_of_est_answer;
///
/// assert!(certificates_of_est_answer(b"MIIB").is_err());
/// ```
pub fn certificates_of_est_answer(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, &'static str> {
    let base64: Vec<u8> = text
        .iter()
        .copied()
        .filter(|octet| !matches!(octet, b'\r' | b'\n' | b' ' | b'\t'))
        .collect();
    let der = base64_simd::STANDARD
        .decode_to_vec(base64)
        .map_err(|_not_base64| "it is not base64")?;
    let mut outer = reader(&der)?;
    let info = next(&mut outer, Tag::Sequence)?;
    end(outer)?;
    let mut info = reader(info)?;
    if next(&mut info, Tag::ObjectIdentifier)? != SIGNED_DATA {
        return Err("its content is not SignedData");
    }
    let content = context(&mut info, 0)?.ok_or("its content is missing")?;
    end(info)?;
    let mut content = reader(content)?;
    let signed = next(&mut content, Tag::Sequence)?;
    end(content)?;
    certificates(signed)
}

fn certificates(signed: &[u8]) -> Result<Vec<CertificateDer<'static>>, &'static str> {
    let mut signed = reader(signed)?;
    if next(&mut signed, Tag::Integer)? != [1] {
        return Err("its version is not 1");
    }
    if !next(&mut signed, Tag::Set)?.is_empty() {
        return Err("it names digest algorithms, though nothing is signed");
    }
    let mut encapsulated = reader(next(&mut signed, Tag::Sequence)?)?;
    if next(&mut encapsulated, Tag::ObjectIdentifier)? != DATA {
        return Err("it holds something besides certificates");
    }
    end(encapsulated).map_err(|_more| "it holds something besides certificates")?;
    let mut bag = reader(context(&mut signed, 0)?.ok_or("there are no certificates in it")?)?;
    let _revocation_lists = context(&mut signed, 1)?;
    if !next(&mut signed, Tag::Set)?.is_empty() {
        return Err("it is signed, which certs-only answers are not");
    }
    end(signed)?;
    let mut found = Vec::new();
    while !bag.is_finished() {
        if found.len() >= MAX_CERTIFICATES {
            return Err("there are more than 16 certificates in it");
        }
        let _certificate = next(&mut bag.clone(), Tag::Sequence)?;
        let der = bag.tlv_bytes().map_err(|_not_der| "it is not DER")?;
        found.push(CertificateDer::from(der.to_vec()));
    }
    if found.is_empty() {
        return Err("there are no certificates in it");
    }
    Ok(found)
}

fn reader(octets: &[u8]) -> Result<SliceReader<'_>, &'static str> {
    SliceReader::new(octets).map_err(|_long| "it is too long")
}

/// The content of the next element, which has this tag.
fn next<'a>(reader: &mut SliceReader<'a>, tag: Tag) -> Result<&'a [u8], &'static str> {
    let element = AnyRef::decode(reader).map_err(|_not_der| "it is not DER")?;
    if element.header().tag() == tag {
        return Ok(element.value());
    }
    Err("it is not a certs-only SignedData")
}

/// The content of the next element if it has this context tag.
fn context<'a>(reader: &mut SliceReader<'a>, number: u32) -> Result<Option<&'a [u8]>, &'static str> {
    let mut ahead = reader.clone();
    let Ok(element) = AnyRef::decode(&mut ahead) else {
        return Ok(None);
    };
    let tag = element.header().tag();
    let ours =
        matches!(tag, Tag::ContextSpecific { constructed: true, number: found } if found.value() == number);
    if !ours {
        return Ok(None);
    }
    *reader = ahead;
    Ok(Some(element.value()))
}

fn end(reader: SliceReader<'_>) -> Result<(), &'static str> {
    reader
        .finish()
        .map_err(|_more| "there is something after its end")
}
