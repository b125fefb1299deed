use super::AuthorizationDenial;
use crate::scopes;
use sealstone_oauth_types::{GrantType, ResourceUri, ScopeSet, ScopeToken};
use sealstone_registry::Client;

/// What was asked for must all be registered; nothing asked for means the client's default. `offline_access` is passed
/// over for a client that gets no refresh tokens (OpenID Connect Core §11).
pub(super) fn check(client: &Client, requested: Option<ScopeSet>) -> Result<ScopeSet, AuthorizationDenial> {
    let asked = match requested {
        Some(requested) if client.has_grant(GrantType::RefreshToken) => requested,
        Some(requested) => without_offline_access(&requested),
        None => return Ok(client.default_scope().clone()),
    };
    if asked.is_subset_of(client.scopes()) {
        Ok(asked)
    } else {
        Err(AuthorizationDenial::ScopeNotAllowed)
    }
}

fn without_offline_access(scope: &ScopeSet) -> ScopeSet {
    let mut left = ScopeSet::empty();
    for token in scope.iter().filter(|token| *token != scopes::OFFLINE_ACCESS) {
        // What was in a set fits a set.
        if let Ok(token) = ScopeToken::parse(token) {
            let _is_new = left.insert(&token);
        }
    }
    left
}

/// As at the token endpoint.
pub(super) fn check_target(
    client: &Client,
    scope: &ScopeSet,
    resources: &[ResourceUri],
) -> Result<(), AuthorizationDenial> {
    match crate::token::target::decide(client, scope, resources.to_vec()) {
        Ok(_target) => Ok(()),
        Err(crate::Denial::MixedTargets) => Err(AuthorizationDenial::MixedTargets),
        Err(_other) => Err(AuthorizationDenial::TargetNotAllowed),
    }
}
