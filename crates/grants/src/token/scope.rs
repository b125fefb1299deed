use crate::Denial;
use sealstone_oauth_types::ScopeSet;
use sealstone_registry::Client;

/// What was asked for must all be allowed: nothing is narrowed silently. Nothing asked for means the client's
/// default, which never holds `openstack:api`: authority over OpenStack is given only to who asks for it by name.
pub(crate) fn decide(client: &Client, requested: Option<ScopeSet>) -> Result<ScopeSet, Denial> {
    match requested {
        Some(requested) if requested.is_subset_of(client.scopes()) => Ok(requested),
        Some(_) => Err(Denial::ScopeNotAllowed),
        None => Ok(client.default_scope().clone()),
    }
}
