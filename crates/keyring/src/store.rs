use async_trait::async_trait;
use thiserror::Error;

use crate::StoredRing;

/// The answer of [`KeyStore::replace`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "callers act on both")]
pub enum Replaced {
    /// The ring is stored, durably.
    Done,
    /// Somebody else stored a ring meanwhile: load it, plan anew.
    Conflict,
}

/// Where rings are kept, one per domain.
///
/// # Security
/// An implementation holds what it is given and nothing else: private keys reach it sealed. What it may get wrong,
/// and what that costs: a `replace` that is not atomic lets two nodes sign with keys of which one is published
/// nowhere; one that answers before the ring is durable loses keys that have signed.
#[async_trait]
pub trait KeyStore: Send + Sync {
    /// The ring of `domain`, or `None` when it has none yet.
    ///
    /// # Errors
    /// [`KeyStoreError`] when the store cannot answer.
    async fn load(&self, domain: &str) -> Result<Option<StoredRing>, KeyStoreError>;

    /// Stores `ring` if the stored generation still is `expected_generation` (`None`: no ring is stored), in one
    /// atomic and durable step.
    ///
    /// # Errors
    /// [`KeyStoreError`] when the store cannot answer; the ring may or may not be stored then.
    async fn replace(
        &self,
        domain: &str,
        expected_generation: Option<u64>,
        ring: &StoredRing,
    ) -> Result<Replaced, KeyStoreError>;

    /// As [`replace`](Self::replace), for what an administrator asked for. Where several nodes share a store, it may leave
    /// `replace` to the node that leads, and not this: a stolen key is taken out of use at whichever node is asked.
    /// Comparing the generation is all that it takes.
    ///
    /// # Errors
    /// As [`replace`](Self::replace).
    async fn replace_on_request(
        &self,
        domain: &str,
        expected_generation: Option<u64>,
        ring: &StoredRing,
    ) -> Result<Replaced, KeyStoreError> {
        self.replace(domain, expected_generation, ring).await
    }

    /// The domains that have a ring, in order.
    ///
    /// # Errors
    /// [`KeyStoreError`] when the store cannot answer.
    async fn domains(&self) -> Result<Vec<String>, KeyStoreError>;
}

/// A store that did not answer.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum KeyStoreError {
    /// The store cannot be reached, or refused the statement.
    #[error("the key store did not answer")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl KeyStoreError {
    /// Wraps the store's own error.
    pub fn unavailable(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Unavailable(source.into())
    }
}
