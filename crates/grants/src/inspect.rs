//! Introspection (RFC 7662) and revocation (RFC 7009): who may learn of, or end, which token.

use crate::Denial;
use crate::authenticate::Authenticated;
use sealstone_oauth_types::ClientId;
use sealstone_registry::{Client, IntrospectionRight};

/// What an authenticated client may be told about a token that is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a token is shown or it is not")]
pub enum Disclosure {
    /// Everything.
    Shown,
    /// That it is inactive, as for a token that does not exist (RFC 7662 §2.2).
    Hidden,
}

/// Whether the client may introspect at all.
///
/// # Errors
/// [`Denial::IntrospectionNotAllowed`].
pub fn may_introspect(caller: &Authenticated) -> Result<(), Denial> {
    match caller.client().introspection() {
        IntrospectionRight::None => Err(Denial::IntrospectionNotAllowed),
        IntrospectionRight::Own | IntrospectionRight::Domain => Ok(()),
    }
}

/// Whether the client is told about a token with this audience, issued to this client.
#[must_use]
pub fn disclosure(caller: &Client, audience: &[String], issued_to: &ClientId) -> Disclosure {
    let is_meant_for_caller = || {
        audience.iter().any(|name| {
            name == caller.id().as_str()
                || caller
                    .resources()
                    .iter()
                    .any(|resource| resource.as_str() == name)
        })
    };
    match caller.introspection() {
        IntrospectionRight::Domain => Disclosure::Shown,
        IntrospectionRight::Own if caller.id() == issued_to || is_meant_for_caller() => Disclosure::Shown,
        IntrospectionRight::Own | IntrospectionRight::None => Disclosure::Hidden,
    }
}

/// Whether the client may end a token: only the one that it was issued to (RFC 7009 §2.1).
#[must_use]
pub fn may_revoke(caller: &Client, issued_to: &ClientId) -> bool {
    caller.id() == issued_to
}
