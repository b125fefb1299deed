//! What the edge calls for browsers.

use super::Realm;
use crate::provider::Provider;
use sealstone_identity::DomainId;
use std::sync::Arc;

impl Provider {
    pub(crate) fn realm(&self, domain: &DomainId) -> Option<&Arc<Realm>> {
        self.0.ports.people.as_ref()?.realm(domain)
    }

    /// Whether people sign in at the domain's issuer: else it has none of the pages and endpoints here.
    #[must_use]
    pub fn serves_people(&self, domain: &DomainId) -> bool {
        self.issuer_exists(domain) && self.realm(domain).is_some()
    }

    /// What the domain's service is called before people; `None` where nobody signs in.
    #[must_use]
    pub fn service_name(&self, domain: &DomainId) -> Option<&str> {
        self.realm(domain).map(|realm| realm.config.service_name.as_str())
    }
}
