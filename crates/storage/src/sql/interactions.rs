//! Interactions. With an SQLite file, in this process's memory; with a PostgreSQL server, where every node finds them.

use async_trait::async_trait;
use rustls_pki_types::UnixTime;
use sealstone_grants::{
    GrantStoreError,
    interaction::{Interaction, InteractionInsertion, InteractionStore, InteractionSwap},
};
use sealstone_oauth_types::TokenHash;

#[cfg(feature = "postgres")]
use super::postgres;
use super::{Backend, SqlStore};

/// A restart of the process, or of the database server, ends them, and whoever loses one begins again.
#[async_trait]
impl InteractionStore for SqlStore {
    async fn insert_interaction(
        &self,
        interaction: Interaction,
    ) -> Result<InteractionInsertion, GrantStoreError> {
        match &self.inner.backend {
            #[cfg(feature = "sqlite")]
            Backend::Sqlite(file) => Ok(file.interactions.insert(interaction)),
            #[cfg(feature = "postgres")]
            Backend::Postgres(server) => {
                let inserted = server.insert_interaction(&interaction).await;
                inserted.map_err(|failure| self.grants_failed(failure))
            }
        }
    }

    async fn interaction(&self, id: &TokenHash) -> Result<Option<Box<Interaction>>, GrantStoreError> {
        match &self.inner.backend {
            #[cfg(feature = "sqlite")]
            Backend::Sqlite(file) => Ok(file.interactions.interaction(id)),
            #[cfg(feature = "postgres")]
            Backend::Postgres(server) => {
                let found = server.interaction(self, id).await;
                found.map_err(|failure| self.grants_failed(failure))
            }
        }
    }

    async fn replace_interaction(
        &self,
        expected_version: u64,
        interaction: &Interaction,
    ) -> Result<InteractionSwap, GrantStoreError> {
        match &self.inner.backend {
            #[cfg(feature = "sqlite")]
            Backend::Sqlite(file) => Ok(file.interactions.replace(expected_version, interaction)),
            #[cfg(feature = "postgres")]
            Backend::Postgres(server) => {
                let swapped = server.replace_interaction(expected_version, interaction).await;
                swapped.map_err(|failure| self.grants_failed(failure))
            }
        }
    }

    async fn take_interaction(&self, id: &TokenHash, expected_version: u64) -> Result<bool, GrantStoreError> {
        match &self.inner.backend {
            #[cfg(feature = "sqlite")]
            Backend::Sqlite(file) => Ok(file.interactions.take(id, expected_version)),
            #[cfg(feature = "postgres")]
            Backend::Postgres(server) => {
                let taken = server.take_interaction(id, expected_version).await;
                taken.map_err(|failure| self.grants_failed(failure))
            }
        }
    }

    async fn purge_interactions(&self, now: UnixTime) -> Result<u64, GrantStoreError> {
        match &self.inner.backend {
            #[cfg(feature = "sqlite")]
            Backend::Sqlite(file) => Ok(file.interactions.purge(now)),
            #[cfg(feature = "postgres")]
            Backend::Postgres(_) => postgres::interactions::purge(self, now).await,
        }
    }
}
