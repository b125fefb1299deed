use crate::{GrantDenial, code::CodeRecord};
use sealstone_oauth_types::CodeVerifier;

/// Who exchanges the code is who asked for it (RFC 7636 §4.6). A verifier without a challenge is a sign that somebody
/// took the challenge out of the authorization request (RFC 9700 §4.8.2).
pub(crate) fn check(record: &CodeRecord, sent: Option<&CodeVerifier>) -> Result<(), GrantDenial> {
    match (&record.challenge, sent) {
        (Some(challenge), Some(verifier)) if challenge.is_of(verifier) => Ok(()),
        (Some(_), Some(_)) => Err(GrantDenial::WrongVerifier),
        (Some(_), None) => Err(GrantDenial::NoVerifier),
        (None, Some(_)) => Err(GrantDenial::UnexpectedVerifier),
        (None, None) => Ok(()),
    }
}
