//! What the edge calls for browsers.

use super::Realm;
use super::config::Profile;
use crate::provider::Provider;
use sealstone_identity::DomainId;
use sealstone_oauth_types::GrantType;
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

    /// How strict the domain's endpoints are; `None` where nobody signs in.
    #[must_use]
    pub fn profile(&self, domain: &DomainId) -> Option<Profile> {
        let realm = self.realm(domain).filter(|_| self.issuer_exists(domain))?;
        Some(realm.config.profile)
    }

    /// Whether this grant of a person is for clients of this domain: of none where nobody signs in, and a broker knows
    /// codes alone.
    pub(crate) fn offers(&self, domain: &DomainId, grant: GrantType) -> bool {
        self.realm(domain).is_some_and(|realm| realm.config.offers(grant))
    }

    /// What the domain's service is called before people; `None` where nobody signs in.
    #[must_use]
    pub fn service_name(&self, domain: &DomainId) -> Option<&str> {
        self.realm(domain).map(|realm| realm.config.service_name.as_str())
    }
}
