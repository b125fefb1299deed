use crate::Denial;
use sealstone_identity::DomainId;
use sealstone_oauth_types::{ResourceUri, ScopeSet};
use sealstone_registry::{Client, OPENSTACK_API_SCOPE};
use serde::{Deserialize, Serialize};

/// For whom a token is meant: its `aud`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "resources", rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "whoever mints decides between these")]
pub enum Target {
    /// The client itself: no resource was named, and no OpenStack service is meant.
    Client,
    /// The OpenStack services of the client's domain.
    OpenstackServices,
    /// The resources that the request named (RFC 8707), each registered for the client; never empty.
    Resources(Vec<ResourceUri>),
}

/// Every resource must be registered for the client. A token for OpenStack services names no other one: whoever gets
/// a token may replay it at everybody named in it.
pub(crate) fn decide(
    client: &Client,
    scope: &ScopeSet,
    resources: Vec<ResourceUri>,
) -> Result<Target, Denial> {
    if scope.contains(OPENSTACK_API_SCOPE) {
        let names_services =
            |resource: &ResourceUri| is_openstack_audience(resource.as_str(), client.domain());
        return if resources.iter().all(names_services) {
            Ok(Target::OpenstackServices)
        } else {
            Err(Denial::MixedTargets)
        };
    }
    if !resources
        .iter()
        .all(|resource| client.resources().contains(resource))
    {
        return Err(Denial::TargetNotAllowed);
    }
    if resources.is_empty() {
        Ok(Target::Client)
    } else {
        Ok(Target::Resources(resources))
    }
}

pub(crate) fn is_openstack_audience(resource: &str, domain: &DomainId) -> bool {
    resource
        .strip_prefix("openstack-apis:")
        .is_some_and(|rest| rest == domain.as_str())
}
