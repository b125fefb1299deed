use crate::config::BaseUrlError;
use crate::error::BackendError;
use crate::issuer::{IssuerKeys, IssuerKeysError, IssuerState};
use crate::metadata::{metadata, with_people};
use crate::people::{PeoplePorts, Profile};
use crate::provider::Provider;
use rustls_pki_types::UnixTime;
use sealstone_audit::{Action, Actor, Event, EventId, Outcome, Target};
use sealstone_grants::assertion::AssertionStoreError;
use sealstone_identity::DomainId;
use sealstone_keyring::{KeyRing, Rotation};
use sealstone_registry::{Domain, MAX_PAGE, StoreError};
use sealstone_tokens::RevocationStoreError;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What one round of maintenance did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Maintenance {
    /// The issuers served from now on.
    pub issuers: usize,
    /// Key changes made: created, published, activated, retired, dropped.
    pub key_changes: usize,
    /// When the next planned key change is due; call again by then.
    pub next_change: Option<UnixTime>,
}

/// What a node does of the upkeep, where several share a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a node leads or it does not")]
pub enum Upkeep {
    /// All: it forgets what has expired and rotates keys, for the others too.
    Leads,
    /// It loads what the leader left, and changes nothing.
    Follows,
}

/// Why a round of maintenance ended early. What was served before is served on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MaintainError {
    /// The domains could not be read.
    #[error("the domains could not be read")]
    Domains(#[from] StoreError),
    /// A key ring could not be read, opened or rotated.
    #[error("the key ring of domain {domain} could not be kept")]
    Ring {
        /// The domain.
        domain: DomainId,
        /// Why.
        #[source]
        source: sealstone_keyring::MaintainError,
    },
    /// A key ring could not be served.
    #[error("the keys of domain {domain} can't be used")]
    Keys {
        /// The domain.
        domain: DomainId,
        /// Why.
        #[source]
        source: IssuerKeysError,
    },
    /// The base address and the domain make no issuer.
    #[error("the issuer's address is not acceptable")]
    Issuer(#[from] BaseUrlError),
    /// The revoked tokens could not be read.
    #[error("the revoked tokens could not be read")]
    Revocations(#[from] RevocationStoreError),
    /// The used assertions could not be read.
    #[error("the used client assertions could not be read")]
    Assertions(#[from] AssertionStoreError),
    /// A key change could not be recorded, or what people left behind not be forgotten.
    #[error("a key change could not be recorded, or what people left behind not be forgotten")]
    Record(#[from] BackendError),
}

impl Provider {
    /// Loads domains, keys and revocations, rotates the keys that are due, and serves the result.
    ///
    /// Call it before the first request, at every change that the store tells of, and at
    /// [`Maintenance::next_change`]. Rounds may overlap, here and on other nodes: the key store decides who wins.
    ///
    /// # Errors
    /// [`MaintainError`]; what was served before is served on.
    pub async fn maintain(&self) -> Result<Maintenance, MaintainError> {
        self.maintain_as(Upkeep::Leads).await
    }

    /// As [`maintain`](Self::maintain), on one of several nodes. A new domain is served by those that follow once the
    /// leader has made its keys.
    ///
    /// # Errors
    /// [`MaintainError`]; what was served before is served on.
    pub async fn maintain_as(&self, upkeep: Upkeep) -> Result<Maintenance, MaintainError> {
        let now = self.0.ports.clock.now();
        if upkeep == Upkeep::Leads {
            self.0.ports.revocations.purge(now).await?;
            self.0.ports.assertions.purge_assertions(now).await?;
            if let Some(administration) = &self.0.administration {
                administration.registrations.purge_initial_tokens(now).await?;
            }
            if let Some(people) = &self.0.ports.people {
                Box::pin(purge(people, now)).await?;
            }
        }
        let before = self.0.issuers.load_full();
        let mut after = BTreeMap::new();
        let (mut key_changes, mut next_change) = (0_usize, None::<UnixTime>);
        for domain in self.enabled_domains().await? {
            let ring = match upkeep {
                Upkeep::Leads => {
                    let (ring, done) = self.ring(&domain, now).await?;
                    key_changes = key_changes.saturating_add(done.changes().len());
                    let next = ring.next_change(&self.0.config.rotation);
                    next_change = Some(next_change.map_or(next, |known| known.min(next)));
                    ring
                }
                Upkeep::Follows => match self.followed_ring(&domain).await? {
                    Some(ring) => ring,
                    None => continue,
                },
            };
            let state = self.issuer_state(before.get(&domain), &domain, &ring)?;
            state.merge_revoked(self.0.ports.revocations.revoked(&domain, now).await?, now);
            state.merge_ended(self.0.ports.revocations.ended_clients(&domain, now).await?, now);
            after.insert(domain, state);
        }
        let issuers = after.len();
        self.0.issuers.store(Arc::new(after));
        Ok(Maintenance {
            issuers,
            key_changes,
            next_change,
        })
    }

    async fn enabled_domains(&self) -> Result<Vec<DomainId>, StoreError> {
        let mut domains: Vec<Arc<Domain>> = Vec::new();
        loop {
            let after = domains.last().map(|domain| domain.id().clone());
            let page = self
                .0
                .ports
                .domains
                .list_domains(after.as_ref(), MAX_PAGE)
                .await?;
            let is_last = page.len() < MAX_PAGE;
            domains.extend(page);
            if is_last {
                break;
            }
        }
        let enabled = domains.iter().filter(|domain| domain.is_enabled());
        Ok(enabled.map(|domain| domain.id().clone()).collect())
    }

    async fn followed_ring(&self, domain: &DomainId) -> Result<Option<KeyRing>, MaintainError> {
        let config = &self.0.config;
        let (policy, kek) = (&config.rotation, &config.key_encryption_key);
        let ring = sealstone_keyring::follow(&*self.0.ports.keys, domain.as_str(), policy, kek).await;
        ring.map_err(|source| MaintainError::Ring {
            domain: domain.clone(),
            source,
        })
    }

    async fn ring(&self, domain: &DomainId, now: UnixTime) -> Result<(KeyRing, Rotation), MaintainError> {
        let config = &self.0.config;
        let kept = sealstone_keyring::maintain(
            &*self.0.ports.keys,
            domain.as_str(),
            &config.rotation,
            &config.key_encryption_key,
            now,
        );
        let kept = kept.await.map_err(|source| MaintainError::Ring {
            domain: domain.clone(),
            source,
        })?;
        if kept.created {
            tracing::info!(domain.id = %domain, "key ring made");
        }
        if !kept.done.is_empty() {
            tracing::info!(domain.id = %domain, changes = kept.done.changes().len(), "keys rotated");
        }
        if kept.created || !kept.done.is_empty() {
            self.record_rotation(domain, now)?;
        }
        Ok((kept.ring, kept.done))
    }

    fn issuer_state(
        &self,
        before: Option<&Arc<IssuerState>>,
        domain: &DomainId,
        ring: &KeyRing,
    ) -> Result<Arc<IssuerState>, MaintainError> {
        if let Some(state) = before
            && state.keys.load().generation == ring.generation()
        {
            return Ok(Arc::clone(state));
        }
        let config = &self.0.config;
        let keys = IssuerKeys::of(ring, &config.rotation).map_err(|source| MaintainError::Keys {
            domain: domain.clone(),
            source,
        })?;
        let issuer = config.base.issuer(domain)?;
        let mut metadata = metadata(config, &issuer, domain);
        if let Some(realm) = self.realm(domain) {
            with_people(&mut metadata, &realm.config, &keys);
        }
        let realm = self.realm(domain);
        let is_broker = realm.is_some_and(|realm| realm.config.profile == Profile::Broker);
        if self.registers(domain) && !is_broker {
            metadata.registration_endpoint = Some(format!("{issuer}/register"));
        }
        if let Some(state) = before {
            state.keys.store(Arc::new(keys));
            state.metadata.store(Arc::new(metadata));
            return Ok(Arc::clone(state));
        }
        Ok(Arc::new(IssuerState::new(domain.clone(), issuer, metadata, keys)))
    }

    fn record_rotation(&self, domain: &DomainId, now: UnixTime) -> Result<(), BackendError> {
        let event = Event {
            id: EventId::from_random(self.draw()?.event),
            time: now,
            action: Action::RotateKey,
            outcome: Outcome::Success,
            reason: None,
            initiator: Actor {
                client_id: Some("sealstone".into()),
                user_id: None,
                address: None,
            },
            target: Target::Issuer(domain.as_str().into()),
            request_id: "maintenance".into(),
        };
        Ok(self.0.ports.audit.record(&event)?)
    }
}

/// Forgets what people left behind and nobody can use any more.
async fn purge(people: &PeoplePorts, now: UnixTime) -> Result<(), BackendError> {
    people.interactions.purge_interactions(now).await?;
    people.codes.purge_codes(now).await?;
    people.devices.purge_devices(now).await?;
    people.throttles.purge_throttles(now).await?;
    people.sessions.purge_sessions(now).await?;
    people.refresh.purge_families(now).await?;
    Ok(())
}
