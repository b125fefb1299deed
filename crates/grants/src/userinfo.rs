//! What a client is told about a person (OpenID Connect Core §5.3, §5.4, §5.5).

use crate::{GrantDenial, scopes};
use sealstone_identity::{Email, Name, Person};
use sealstone_oauth_types::{ClaimsRequest, RequestedClaims, ScopeSet};
use sealstone_registry::Client;

/// Where a client is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "OpenID Connect has these two")]
pub enum Place {
    /// In the ID token. What scopes give is there too: many clients read nothing else.
    IdToken,
    /// At the userinfo endpoint.
    Userinfo,
}

/// What a client is told; `None` is left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "whoever writes claims writes each")]
pub struct Told<'a> {
    /// `name`.
    pub name: Option<&'a Name>,
    /// `preferred_username`.
    pub preferred_username: Option<&'a Name>,
    /// `email`, with `email_verified`.
    pub email: Option<&'a Email>,
    /// `groups`, the empty list for a person in none.
    pub groups: Option<&'a [Name]>,
}

/// Whether a token opens the userinfo endpoint: one that a person let a client have, with `openid`.
///
/// # Errors
/// [`GrantDenial::NotForUserinfo`].
pub fn opens_userinfo(scope: &ScopeSet, is_of_person: bool) -> Result<(), GrantDenial> {
    if is_of_person && scope.contains(scopes::OPENID) {
        Ok(())
    } else {
        Err(GrantDenial::NotForUserinfo)
    }
}

/// What a client is told of a person for a token of this scope.
///
/// A claim that is asked for by name is told at the place that it is asked for, if the client is registered for the
/// scope that the claim belongs to.
#[must_use]
pub fn told<'a>(
    person: &'a Person,
    client: &Client,
    scope: &ScopeSet,
    claims: Option<&ClaimsRequest>,
    place: Place,
) -> Told<'a> {
    let named = claims.map(|claims| match place {
        Place::IdToken => &claims.id_token,
        Place::Userinfo => &claims.userinfo,
    });
    let is_told = |name: &str| is_told(name, client, scope, named);
    Told {
        name: person.full_name.as_ref().filter(|_| is_told("name")),
        preferred_username: Some(person.user.name()).filter(|_| is_told("preferred_username")),
        email: person
            .email
            .as_ref()
            .filter(|_| is_told("email") || is_told("email_verified")),
        groups: Some(person.groups.as_slice()).filter(|_| is_told("groups")),
    }
}

fn is_told(name: &str, client: &Client, scope: &ScopeSet, named: Option<&RequestedClaims>) -> bool {
    let Some(token) = scopes::of_claim(name) else {
        return false;
    };
    let is_named = named.is_some_and(|named| named.get(name).is_some());
    scope.contains(token) || (is_named && client.scopes().contains(token))
}

#[cfg(test)]
mod tests;
