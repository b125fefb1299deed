//! What is stored becomes what is served. No key is made here, so that nobody's news wait for one.

use super::{MaintainError, Upkeep};
use crate::issuer::{IssuerKeys, IssuerState};
use crate::metadata::{metadata, with_people};
use crate::people::Profile;
use crate::provider::Provider;
use rustls_pki_types::UnixTime;
use sealstone_identity::DomainId;
use sealstone_keyring::{KeyRing, Rotation, RotationChange, StoredRing};
use sealstone_registry::{Domain, MAX_PAGE, StoreError};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What one look at the store found.
#[derive(Debug)]
#[non_exhaustive]
pub struct Loaded {
    /// The issuers served from now on.
    pub issuers: usize,
    /// The domains whose keys this node is to make or change: [`Provider::keep_keys`].
    pub due: Vec<KeysDue>,
    /// When the next planned key change is due; a past time while one is. `None` where another node sees to it.
    pub next_change: Option<UnixTime>,
    /// What kept single domains from being loaded: they are served as before, or not yet.
    pub failed: Vec<MaintainError>,
}

/// Keys that are to be made or changed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeysDue {
    /// Whose.
    pub domain: DomainId,
    /// What for.
    pub work: KeyWork,
}

impl KeysDue {
    /// This, for this domain.
    #[must_use]
    pub const fn new(domain: DomainId, work: KeyWork) -> Self {
        Self { domain, work }
    }
}

/// What there is to do for a domain's keys, by what it takes and who waits for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(
    clippy::exhaustive_enums,
    reason = "there are keys, or not; one is made, or not"
)]
pub enum KeyWork {
    /// A new domain, which is not served before: keys are made, an RSA key for a tenth of a second and more.
    First,
    /// A successor is made, to sign in time. Nobody waits for it.
    Successor,
    /// Keys that are there begin or cease to sign, or go: one write.
    Change,
}

/// What is known of one domain.
struct Found {
    state: Option<Arc<IssuerState>>,
    work: Option<KeyWork>,
    next_change: Option<UnixTime>,
}

impl Provider {
    /// Loads domains, keys and revocations as they are stored, serves them, and tells which keys are due. It makes none
    /// and writes nothing, so that it is done soon whatever is due.
    ///
    /// Each look begins when the one before has ended, and what it reads takes the place of what that one read: what is
    /// served is never replaced by something older.
    ///
    /// # Errors
    /// [`MaintainError`] when the store does not answer: what was served before is served on. What is wrong with one
    /// domain is in [`Loaded::failed`], and keeps no other domain from being loaded.
    pub async fn load(&self, upkeep: Upkeep) -> Result<Loaded, MaintainError> {
        let _one_at_a_time = self.0.looks.lock().await;
        let now = self.0.ports.clock.now();
        let before = self.0.issuers.load_full();
        let (mut after, mut awaited) = (BTreeMap::new(), BTreeSet::new());
        let (mut due, mut failed, mut next_change) = (Vec::new(), Vec::new(), None::<UnixTime>);
        for domain in self.enabled_domains().await? {
            let known = before.get(&domain);
            let found = match self.look(&domain, known, now).await {
                Ok(found) => found,
                Err(error) if error.is_of_one_domain() => {
                    failed.push(error);
                    after.extend(known.map(|known| (domain, Arc::clone(known))));
                    continue;
                }
                Err(error) => return Err(error),
            };
            if upkeep == Upkeep::Leads {
                next_change = [next_change, found.next_change].into_iter().flatten().min();
                due.extend(found.work.map(|work| KeysDue::new(domain.clone(), work)));
            }
            match found.state {
                Some(state) => drop(after.insert(domain, state)),
                None => drop(awaited.insert(domain)),
            }
        }
        let issuers = after.len();
        self.0.issuers.store(Arc::new(after));
        self.0.awaited.store(Arc::new(awaited));
        Ok(Loaded {
            issuers,
            due,
            next_change,
            failed,
        })
    }

    /// Serves one domain as it is stored now, unless it is disabled or has no keys.
    pub(crate) async fn load_one(&self, domain: &DomainId) -> Result<(), MaintainError> {
        let _one_at_a_time = self.0.looks.lock().await;
        let stored = self.0.ports.domains.domain(domain).await?;
        if !stored.is_some_and(|stored| stored.is_enabled()) {
            return Ok(());
        }
        let before = self.0.issuers.load_full();
        let found = self
            .look(domain, before.get(domain), self.0.ports.clock.now())
            .await?;
        if let Some(state) = found.state
            && !before.contains_key(domain)
        {
            let mut after = BTreeMap::clone(&before);
            after.insert(domain.clone(), state);
            self.0.issuers.store(Arc::new(after));
        }
        Ok(())
    }

    /// Whether the domain will have an issuer once its keys are made.
    #[must_use]
    pub fn is_awaited(&self, domain: &str) -> bool {
        self.0.awaited.load().contains(domain)
    }

    /// One domain, as it is stored now. To be called by one at a time.
    async fn look(
        &self,
        domain: &DomainId,
        known: Option<&Arc<IssuerState>>,
        now: UnixTime,
    ) -> Result<Found, MaintainError> {
        let stored = self.0.ports.keys.load(domain.as_str()).await;
        let Some(stored) = stored.map_err(|error| ring_error(domain, error))? else {
            return Ok(Found {
                state: None,
                work: Some(KeyWork::First),
                next_change: None,
            });
        };
        let digest = digest(&stored);
        let unchanged = known.filter(|known| known.keys.load().stored == digest);
        let (state, work) = match unchanged {
            Some(state) if now < state.keys.load().next_change => (Arc::clone(state), None),
            Some(state) => {
                let ring = self.open(domain, &stored)?;
                (Arc::clone(state), work(&ring.due(&self.0.config.rotation, now)))
            }
            None => {
                let ring = self.open(domain, &stored)?;
                let work = work(&ring.due(&self.0.config.rotation, now));
                (self.issuer_state(known, domain, &ring, digest)?, work)
            }
        };
        let revocations = &self.0.ports.revocations;
        state.merge_revoked(revocations.revoked(domain, now).await?, now);
        state.merge_ended(revocations.ended_clients(domain, now).await?, now);
        let next_change = Some(state.keys.load().next_change);
        Ok(Found {
            state: Some(state),
            work,
            next_change,
        })
    }

    fn open(&self, domain: &DomainId, stored: &StoredRing) -> Result<KeyRing, MaintainError> {
        let config = &self.0.config;
        let ring = KeyRing::open(domain.as_str(), stored, &config.key_encryption_key);
        let mut ring = ring.map_err(|error| ring_error(domain, error))?;
        ring.attach(&config.rotation)
            .map_err(|error| ring_error(domain, error))?;
        Ok(ring)
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

    fn issuer_state(
        &self,
        before: Option<&Arc<IssuerState>>,
        domain: &DomainId,
        ring: &KeyRing,
        stored: [u8; 32],
    ) -> Result<Arc<IssuerState>, MaintainError> {
        let config = &self.0.config;
        let keys = IssuerKeys::of(ring, &config.rotation, stored).map_err(|source| MaintainError::Keys {
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
}

impl MaintainError {
    /// Whether it says nothing of the other domains.
    const fn is_of_one_domain(&self) -> bool {
        match self {
            Self::Ring { source, .. } => !matches!(source, sealstone_keyring::MaintainError::Store(_)),
            Self::Keys { .. } | Self::Issuer(_) => true,
            Self::Domains(_) | Self::Revocations(_) | Self::Assertions(_) | Self::Record(_) => false,
        }
    }
}

pub(super) fn ring_error(
    domain: &DomainId,
    source: impl Into<sealstone_keyring::MaintainError>,
) -> MaintainError {
    MaintainError::Ring {
        domain: domain.clone(),
        source: source.into(),
    }
}

/// Two rings of one generation may differ: a database that was put back counts again from where it was.
fn digest(stored: &StoredRing) -> [u8; 32] {
    let digest = Sha256::new().chain_update(stored.generation.to_be_bytes());
    digest.chain_update(&stored.json).finalize().into()
}

fn work(due: &Rotation) -> Option<KeyWork> {
    let makes_one = |change: &RotationChange| matches!(change, RotationChange::Publish { .. });
    match due.changes() {
        [] => None,
        changes if changes.iter().any(makes_one) => Some(KeyWork::Successor),
        _ => Some(KeyWork::Change),
    }
}
