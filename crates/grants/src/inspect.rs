//! Introspection (RFC 7662) and revocation (RFC 7009): who may learn of, or end, which token.

mod person;

pub use person::{may_end, person_authority_stands, person_project, person_stands};

use crate::Denial;
use crate::authenticate::Authenticated;
use crate::identity::{self, IdentityQuestion};
use rustls_pki_types::UnixTime;
use sealstone_identity::{Authority, Delegated, MachineLogin};
use sealstone_oauth_types::ClientId;
use sealstone_registry::{Client, IntrospectionFormat, IntrospectionRight, MachineTie};

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

/// What a client is told of a token by.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::exhaustive_structs,
    reason = "whoever tells of a token knows all of it"
)]
pub struct Seen<'a> {
    /// Whom the token is for.
    pub audience: &'a [String],
    /// The client that it was issued to.
    pub issued_to: &'a ClientId,
    /// The name of the domain's OpenStack services in an audience.
    pub openstack_audience: &'a str,
}

/// Whether the client is told about a token.
///
/// One that speaks for OpenStack's middleware is told of tokens for the domain's OpenStack services and of no other:
/// the middleware looks at no audience.
#[must_use]
pub fn disclosure(caller: &Client, token: Seen<'_>) -> Disclosure {
    match caller.introspection_format() {
        IntrospectionFormat::Standard => {}
        IntrospectionFormat::Keystonemiddleware => {
            let is_for_openstack = token.audience.iter().any(|name| name == token.openstack_audience);
            return if is_for_openstack {
                Disclosure::Shown
            } else {
                Disclosure::Hidden
            };
        }
    }
    let is_meant_for_caller = || {
        token.audience.iter().any(|name| {
            name == caller.id().as_str()
                || caller
                    .resources()
                    .iter()
                    .any(|resource| resource.as_str() == name)
        })
    };
    match caller.introspection() {
        IntrospectionRight::Domain => Disclosure::Shown,
        IntrospectionRight::Own if caller.id() == token.issued_to || is_meant_for_caller() => {
            Disclosure::Shown
        }
        IntrospectionRight::Own | IntrospectionRight::None => Disclosure::Hidden,
    }
}

/// Whether the client may end a token: only the one that it was issued to (RFC 7009 §2.1).
#[must_use]
pub fn may_revoke(caller: &Client, issued_to: &ClientId) -> bool {
    caller.id() == issued_to
}

/// Whether a good token's authority over OpenStack still stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "whoever tells of a token handles each")]
pub enum Standing<'a> {
    /// It carries none, or the client's registration still states it.
    Stands,
    /// It does not: the client lost it, or was tied to another identity since.
    Lost,
    /// The identity source is to be asked; [`still_stands`] judges the answer.
    Ask(IdentityQuestion<'a>),
}

/// What the registration of the client says today of a token with this authority, issued then.
#[must_use]
pub fn standing<'a>(owner: &'a Client, carried: Option<&'a Authority>, issued_at: UnixTime) -> Standing<'a> {
    let Some(carried) = carried else {
        return Standing::Stands;
    };
    // Times are whole seconds: what was issued in the very second of a change is judged by what it carries.
    if owner
        .tie_changed_at()
        .is_some_and(|changed_at| issued_at.as_secs() < changed_at.as_secs())
    {
        return Standing::Lost;
    }
    match owner.tie() {
        MachineTie::Static(authority) if authority.covers(carried) => Standing::Stands,
        MachineTie::Static(_) | MachineTie::None => Standing::Lost,
        // Whose certificate it was is no longer known; whom it stood for is.
        MachineTie::Mapping { .. } => identity::project(carried).map_or(Standing::Lost, |project| {
            Standing::Ask(IdentityQuestion::Login(MachineLogin::MintedUser {
                user_id: carried.user().id(),
                project_id: project.id(),
            }))
        }),
        tie @ (MachineTie::ApplicationCredential(_) | MachineTie::User { .. }) => {
            identity::question(tie, None).map_or(Standing::Lost, Standing::Ask)
        }
    }
}

/// Whether what the source says now still allows all that the token carries.
#[must_use]
pub fn still_stands(owner: &Client, answer: &Delegated, carried: &Authority, now: UnixTime) -> bool {
    identity::check(owner.tie(), answer, now).is_ok() && answer.authority.covers(carried)
}
