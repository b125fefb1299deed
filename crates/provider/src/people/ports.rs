//! What the flows of people ask of the world, beside [`Ports`](crate::Ports).

use super::config::PeopleConfig;
use async_trait::async_trait;
use sealstone_factors::RelyingParty;
use sealstone_grants::{
    code::CodeStore, consent::ConsentStore, device::DeviceStore, interaction::InteractionStore,
    logout::LogoutStore, refresh::RefreshStore,
};
use sealstone_identity::{DomainId, LoginSource};
use sealstone_login::{FactorStore, SecondFactorAuthority, SessionStore, ThrottleStore, UpstreamLogin};
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// Everything that the flows of people ask of the world.
#[derive(Clone)]
#[expect(
    clippy::exhaustive_structs,
    reason = "whoever composes a provider decides on each port"
)]
pub struct PeoplePorts {
    /// How people of every domain sign in that [`realms`](Self::realms) does not name; `None`: nobody does there.
    pub realm: Option<Arc<Realm>>,
    /// How people of single domains sign in.
    pub realms: BTreeMap<DomainId, Arc<Realm>>,
    /// The sessions.
    pub sessions: Arc<dyn SessionStore>,
    /// The second factors of this server's own.
    pub factors: Arc<dyn FactorStore>,
    /// The counts of guesses.
    pub throttles: Arc<dyn ThrottleStore>,
    /// What is under way in browsers.
    pub interactions: Arc<dyn InteractionStore>,
    /// What people let clients have.
    pub consents: Arc<dyn ConsentStore>,
    /// The authorization codes.
    pub codes: Arc<dyn CodeStore>,
    /// The refresh families.
    pub refresh: Arc<dyn RefreshStore>,
    /// The requests of devices.
    pub devices: Arc<dyn DeviceStore>,
    /// Whom to tell that a session ended.
    pub logouts: Arc<dyn LogoutStore>,
    /// Tells them.
    pub logout_sender: Arc<dyn LogoutSender>,
}

/// How people of a domain sign in: whom to ask, and by which rules.
#[derive(Clone)]
#[expect(
    clippy::exhaustive_structs,
    reason = "whoever composes a provider decides on each"
)]
pub struct Realm {
    /// Where the people come from; `None` where all of them come from upstream.
    pub source: Option<Arc<dyn LoginSource>>,
    /// The second factor that others judge; asked exactly if the policy has
    /// [`FactorKind::Authority`](sealstone_login::FactorKind::Authority).
    pub second_factor: Option<Arc<dyn SecondFactorAuthority>>,
    /// The upstream provider; asked exactly if the policy lets a login begin there.
    pub upstream: Option<Arc<dyn UpstreamLogin>>,
    /// The rules.
    pub config: PeopleConfig,
}

impl PeoplePorts {
    /// How people of this domain sign in.
    #[must_use]
    pub fn realm(&self, domain: &DomainId) -> Option<&Arc<Realm>> {
        self.realms.get(domain).or(self.realm.as_ref())
    }

    /// As they are for pages of this origin: browsers bind passkeys to host names, and take no address for one.
    pub(crate) fn at(mut self, origin: &str) -> Self {
        if RelyingParty::of_origin(origin, "").is_ok() {
            return self;
        }
        tracing::warn!(
            origin,
            "people have no passkeys: the base address has no host name"
        );
        let without = |realm: Arc<Realm>| {
            Arc::new(Realm {
                config: realm.config.without_passkeys(),
                ..Realm::clone(&realm)
            })
        };
        self.realm = self.realm.map(without);
        let realms = self.realms.into_iter();
        self.realms = realms.map(|(domain, realm)| (domain, without(realm))).collect();
        self
    }
}

impl fmt::Debug for PeoplePorts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("PeoplePorts")
            .field("realms", &self.realms.keys())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Realm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Realm")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

/// Sends a logout token to a client (OpenID Connect Back-Channel Logout §2.5).
///
/// # Security
/// The address comes from a registration. An implementation speaks `https` alone, connects to no private address, follows
/// no redirect, waits for seconds and not longer, and reads nothing of the answer but its status.
#[async_trait]
pub trait LogoutSender: Send + Sync {
    /// Posts `logout_token` to the client's address as a form. Done when the client answered 200 or 204.
    ///
    /// # Errors
    /// [`LogoutSendError`]: to be tried again.
    async fn send(&self, address: &str, logout_token: &str) -> Result<(), LogoutSendError>;
}

/// A client could not be told, or did not take it.
#[derive(Debug, thiserror::Error)]
#[error("the client could not be told that a session ended")]
pub struct LogoutSendError(#[source] Box<dyn Error + Send + Sync>);

impl LogoutSendError {
    /// For this cause.
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}
