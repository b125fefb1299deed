//! The scope tokens that the rules know by name.

pub use sealstone_registry::OPENSTACK_API_SCOPE as OPENSTACK_API;

use sealstone_oauth_types::{ClaimsRequest, ScopeSet, ScopeToken};
use sealstone_registry::Client;

/// An ID token, and the userinfo endpoint (OpenID Connect Core §3.1.2.1).
pub const OPENID: &str = "openid";
/// The names of the person (OpenID Connect Core §5.4).
pub const PROFILE: &str = "profile";
/// The person's address (OpenID Connect Core §5.4).
pub const EMAIL: &str = "email";
/// The person's groups.
pub const GROUPS: &str = "groups";
/// Refresh tokens that outlive the session (OpenID Connect Core §11).
pub const OFFLINE_ACCESS: &str = "offline_access";

/// The scope token that a claim about a person belongs to (OpenID Connect Core §5.4).
#[must_use]
pub fn of_claim(name: &str) -> Option<&'static str> {
    match name {
        "name" | "preferred_username" => Some(PROFILE),
        "email" | "email_verified" => Some(EMAIL),
        "groups" => Some(GROUPS),
        _ => None,
    }
}

/// A scope with what the claims that are asked for by name belong to, as far as the client is registered for it: what
/// the person is asked about, and told of.
#[must_use]
pub fn with_claims(scope: &ScopeSet, claims: Option<&ClaimsRequest>, client: &Client) -> ScopeSet {
    let mut all = scope.clone();
    let named = claims
        .into_iter()
        .flat_map(|claims| claims.id_token.iter().chain(claims.userinfo.iter()));
    for token in named.filter_map(|(name, _)| of_claim(name)) {
        if client.scopes().contains(token) {
            add(&mut all, token);
        }
    }
    all
}

/// Adds a token that comes from a set of the client's registration: it fits.
pub(crate) fn add(set: &mut ScopeSet, token: &str) {
    if let Ok(token) = ScopeToken::parse(token) {
        let _is_new = set.insert(&token);
    }
}
