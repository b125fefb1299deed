//! What a token may allow of what a person granted: less, never more.

use crate::{
    Denial, GrantDenial, PersonGrant, scopes,
    token::{
        Target,
        target::{self, is_openstack_audience},
    },
};
use sealstone_oauth_types::{ResourceUri, ScopeSet};
use sealstone_registry::Client;

/// What was asked for must be in the grant; nothing asked for means all of it. What the client is no longer registered
/// for is gone from either.
pub(crate) fn scope(
    client: &Client,
    grant: &PersonGrant,
    requested: Option<&ScopeSet>,
) -> Result<ScopeSet, GrantDenial> {
    let asked = match requested {
        Some(requested) if requested.is_subset_of(&grant.scope) => requested,
        Some(_) => return Err(GrantDenial::ScopeBeyondGrant),
        None => &grant.scope,
    };
    let left = asked.intersection(client.scopes());
    if left.is_empty() && !asked.is_empty() {
        return Err(GrantDenial::GrantLost);
    }
    Ok(left)
}

/// The resources that were asked for must be in the grant; none asked for means all of it. Each must still be
/// registered.
pub(crate) fn target(
    client: &Client,
    grant: &PersonGrant,
    scope: &ScopeSet,
    requested: &[ResourceUri],
) -> Result<Target, Denial> {
    if !requested
        .iter()
        .all(|resource| grant.resources.contains(resource))
    {
        return Err(GrantDenial::TargetBeyondGrant.into());
    }
    let asked = if requested.is_empty() {
        &grant.resources
    } else {
        requested
    };
    // Without `openstack:api` the OpenStack services are nobody's audience.
    let is_openstack = scope.contains(scopes::OPENSTACK_API);
    let fits =
        |resource: &&ResourceUri| is_openstack || !is_openstack_audience(resource.as_str(), client.domain());
    target::decide(client, scope, asked.iter().filter(fits).cloned().collect())
}

/// Whether the grant is of this client: the one that was registered then, in this domain.
pub(crate) fn is_of(client: &Client, grant: &PersonGrant) -> bool {
    client.id() == &grant.client_id && client.domain() == &grant.domain
}

/// Whether the client is the registration that got the grant, and not a later one of the same id.
pub(crate) fn is_same_registration(client: &Client, grant: &PersonGrant) -> bool {
    client.created_at() == grant.client_created_at
}
