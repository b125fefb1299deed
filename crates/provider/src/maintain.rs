//! What keeps a provider true while it runs, in three parts that do not wait for each other: what is stored is loaded,
//! keys are made and changed, what has expired is forgotten.

mod keys;
mod load;

use crate::config::BaseUrlError;
use crate::error::BackendError;
use crate::issuer::IssuerKeysError;
use crate::people::PeoplePorts;
use crate::provider::Provider;
use rustls_pki_types::UnixTime;
use sealstone_grants::assertion::AssertionStoreError;
use sealstone_identity::DomainId;
use sealstone_registry::StoreError;
use sealstone_tokens::RevocationStoreError;

pub use load::{KeyWork, KeysDue, Loaded};

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
    /// All: it makes and rotates keys, and forgets what has expired, for the others too.
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
    /// Loads domains, keys and revocations, makes and rotates the keys that are due, and serves the result: each domain
    /// as soon as its own keys are there.
    ///
    /// Call it before the first request, at every change that the store tells of, and at
    /// [`Maintenance::next_change`]. Rounds may overlap, here and on other nodes: the key store decides who wins.
    ///
    /// An RSA key takes a tenth of a second and more. Who has many domains calls the parts by themselves:
    /// [`load`](Self::load), [`keep_keys`](Self::keep_keys) and [`purge`](Self::purge).
    ///
    /// # Errors
    /// [`MaintainError`], the first there was; what was served before is served on.
    pub async fn maintain(&self) -> Result<Maintenance, MaintainError> {
        self.maintain_as(Upkeep::Leads).await
    }

    /// As [`maintain`](Self::maintain), on one of several nodes. A new domain is served by those that follow once the
    /// leader has made its keys.
    ///
    /// # Errors
    /// [`MaintainError`], the first there was; what was served before is served on.
    pub async fn maintain_as(&self, upkeep: Upkeep) -> Result<Maintenance, MaintainError> {
        if upkeep == Upkeep::Leads {
            self.purge().await?;
        }
        let loaded = self.load(upkeep).await?;
        let mut failed = loaded.failed.into_iter().next();
        let mut key_changes = 0_usize;
        for due in &loaded.due {
            match self.keep_keys(&due.domain).await {
                Ok(changes) => key_changes = key_changes.saturating_add(changes),
                Err(error) => drop(failed.get_or_insert(error)),
            }
        }
        if let Some(error) = failed {
            return Err(error);
        }
        let (issuers, next_change) = if loaded.due.is_empty() {
            (loaded.issuers, loaded.next_change)
        } else {
            let after = self.load(upkeep).await?;
            (after.issuers, after.next_change)
        };
        Ok(Maintenance {
            issuers,
            key_changes,
            next_change,
        })
    }

    /// Forgets what has expired, of every kind. Of several nodes, only the one that leads does it.
    ///
    /// # Errors
    /// [`MaintainError`]: what is left is for the next time.
    pub async fn purge(&self) -> Result<(), MaintainError> {
        let now = self.0.ports.clock.now();
        self.0.ports.revocations.purge(now).await?;
        self.0.ports.assertions.purge_assertions(now).await?;
        if let Some(administration) = &self.0.administration {
            administration.registrations.purge_initial_tokens(now).await?;
        }
        if let Some(people) = &self.0.ports.people {
            Box::pin(purge(people, now)).await?;
        }
        Ok(())
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
