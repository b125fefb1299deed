use super::RefreshFamily;
use crate::GrantDenial;
use rustls_pki_types::UnixTime;

/// A family that rested too long, or is too old whatever was done with it, is over.
pub(super) fn check(family: &RefreshFamily, now: UnixTime) -> Result<(), GrantDenial> {
    if now.as_secs() < family.expires_at().as_secs() {
        Ok(())
    } else {
        Err(GrantDenial::RefreshTokenExpired)
    }
}
