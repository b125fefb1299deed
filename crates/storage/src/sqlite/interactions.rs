//! Interactions: in this process's memory, not in the file.

use async_trait::async_trait;
use rustls_pki_types::UnixTime;
use sealstone_grants::{
    GrantStoreError,
    interaction::{Interaction, InteractionInsertion, InteractionStore, InteractionSwap},
};
use sealstone_oauth_types::TokenHash;

use super::SqlStore;

/// Each process has its own: a browser goes on at the process where it began. A restart ends them, and whoever loses
/// one begins again.
#[async_trait]
impl InteractionStore for SqlStore {
    async fn insert_interaction(
        &self,
        interaction: Interaction,
    ) -> Result<InteractionInsertion, GrantStoreError> {
        Ok(self.inner.interactions.insert(interaction))
    }

    async fn interaction(&self, id: &TokenHash) -> Result<Option<Box<Interaction>>, GrantStoreError> {
        Ok(self.inner.interactions.interaction(id))
    }

    async fn replace_interaction(
        &self,
        expected_version: u64,
        interaction: &Interaction,
    ) -> Result<InteractionSwap, GrantStoreError> {
        Ok(self.inner.interactions.replace(expected_version, interaction))
    }

    async fn take_interaction(&self, id: &TokenHash, expected_version: u64) -> Result<bool, GrantStoreError> {
        Ok(self.inner.interactions.take(id, expected_version))
    }

    async fn purge_interactions(&self, now: UnixTime) -> Result<u64, GrantStoreError> {
        Ok(self.inner.interactions.purge(now))
    }
}
