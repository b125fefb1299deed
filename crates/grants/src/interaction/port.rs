use crate::GrantStoreError;
use async_trait::async_trait;
use rustls_pki_types::UnixTime;
use sealstone_oauth_types::TokenHash;

use super::Interaction;

/// What became of a new interaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the driver goes on from each")]
pub enum InteractionInsertion {
    /// It is kept.
    Inserted,
    /// There are as many as may be, and none that could make room.
    Full,
}

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the driver goes on from each")]
pub enum InteractionSwap {
    /// It is written.
    Replaced,
    /// Nothing was written: another request of the same browser came before, or the interaction is gone.
    Changed,
}

/// Keeps interactions.
///
/// They need not survive a restart of the store: whoever loses one begins again. What comes before a login may be
/// started by anybody, so none of it belongs into a store that is replicated or synced for each.
///
/// # Security
/// What an implementation may get wrong, and what it costs:
/// - **Read, then write** in [`InteractionStore::replace_interaction`] or
///   [`InteractionStore::take_interaction`]: parallel guesses at a one-time
///   code count as one, or one answer gives two codes. Each is one atomic step for all processes that share the store.
/// - **No bound**: anybody fills it. [`MAX_INTERACTIONS`](super::MAX_INTERACTIONS) counts those of one domain that are in
///   date.
#[async_trait]
pub trait InteractionStore: Send + Sync {
    /// Keeps a new interaction.
    ///
    /// # Errors
    /// [`GrantStoreError`] when it is not known to be kept.
    async fn insert_interaction(
        &self,
        interaction: Interaction,
    ) -> Result<InteractionInsertion, GrantStoreError>;

    /// The interaction with this id, in date or not.
    ///
    /// # Errors
    /// [`GrantStoreError`] when the store cannot tell.
    async fn interaction(&self, id: &TokenHash) -> Result<Option<Box<Interaction>>, GrantStoreError>;

    /// Writes an interaction whose `version` is one more than `expected_version`, if the stored one has that.
    ///
    /// # Errors
    /// [`GrantStoreError`] when it is not known whether it is written.
    async fn replace_interaction(
        &self,
        expected_version: u64,
        interaction: &Interaction,
    ) -> Result<InteractionSwap, GrantStoreError>;

    /// Removes the interaction if it has this version, and says whether it did: of two that ask, one is told so.
    ///
    /// # Errors
    /// [`GrantStoreError`] when it is not known whether it is gone.
    async fn take_interaction(&self, id: &TokenHash, expected_version: u64) -> Result<bool, GrantStoreError>;

    /// Forgets interactions that have expired. Returns how many.
    ///
    /// # Errors
    /// [`GrantStoreError`].
    async fn purge_interactions(&self, now: UnixTime) -> Result<u64, GrantStoreError>;
}
