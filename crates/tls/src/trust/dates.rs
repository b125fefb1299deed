//! What webpki reads and does not tell: whether a certificate is an authority's, and when a list runs out.

use der::{Decode, Reader, SliceReader, Tag, asn1::AnyRef};
use rustls_pki_types::UnixTime;
use x509_cert::{Certificate, ext::pkix::BasicConstraints, time::Time};

/// `CA:TRUE`, or a version without extensions, which old roots still have.
pub(super) fn may_be_authority(der: &[u8]) -> bool {
    let Ok(certificate) = Certificate::from_der(der) else {
        return false;
    };
    let tbs = certificate.tbs_certificate();
    match tbs.get_extension::<BasicConstraints>() {
        Ok(Some((_, constraints))) => constraints.ca,
        Ok(None) => tbs.extensions().is_none(),
        Err(_) => false,
    }
}

/// `nextUpdate` of a `CertificateList` (RFC 5280 §5.1): the second of two times that follow the issuer.
pub(super) fn next_update(der: &[u8]) -> Option<UnixTime> {
    let list = AnyRef::from_der(der).ok()?;
    let mut list = SliceReader::new(list.value()).ok()?;
    let tbs = AnyRef::decode(&mut list).ok()?;
    let mut tbs = SliceReader::new(tbs.value()).ok()?;
    let mut times = 0_u8;
    // version, signature, issuer, thisUpdate, nextUpdate: at most five.
    for _ in 0..5 {
        if tbs.is_finished() {
            return None;
        }
        if matches!(Tag::peek(&tbs).ok()?, Tag::UtcTime | Tag::GeneralizedTime) {
            let time = Time::decode(&mut tbs).ok()?;
            times = times.saturating_add(1);
            if times == 2 {
                return Some(UnixTime::since_unix_epoch(time.to_unix_duration()));
            }
        } else {
            AnyRef::decode(&mut tbs).ok()?;
        }
    }
    None
}
