use crate::{GrantDenial, code::CodeRecord};
use sealstone_oauth_types::RedirectUri;

/// What the authorization request named, the token request repeats, letter by letter (RFC 6749 §4.1.3). One that named
/// none is repeated by none.
pub(crate) fn check(record: &CodeRecord, sent: Option<&RedirectUri>) -> Result<(), GrantDenial> {
    if record.redirect_uri.as_ref() == sent {
        Ok(())
    } else {
        Err(GrantDenial::OtherRedirectUri)
    }
}
