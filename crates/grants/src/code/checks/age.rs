use crate::{GrantDenial, code::CodeRecord};
use rustls_pki_types::UnixTime;

/// A code lives for a minute (RFC 6749 §4.1.2).
pub(crate) fn check(record: &CodeRecord, now: UnixTime) -> Result<(), GrantDenial> {
    if now.as_secs() < record.expires_at.as_secs() {
        Ok(())
    } else {
        Err(GrantDenial::CodeExpired)
    }
}
