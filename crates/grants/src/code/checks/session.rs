use crate::{GrantDenial, PersonGrant};
use rustls_pki_types::UnixTime;
use sealstone_login::Session;

/// The session in which the code was given stands: the same one, of the same person, in the same domain.
pub(crate) fn check(
    grant: &PersonGrant,
    session: Option<&Session>,
    now: UnixTime,
) -> Result<(), GrantDenial> {
    let stands = |session: &Session| {
        grant.sid.as_ref() == Some(session.sid())
            && session.user_id() == &grant.user_id
            && session.standing(&grant.domain, now).is_ok()
    };
    if grant.sid.is_none() || session.is_some_and(stands) {
        Ok(())
    } else {
        Err(GrantDenial::SessionEnded)
    }
}
