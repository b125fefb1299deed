//! The ports, in terms of reading statements and of changes handed to the writer.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use rustls_pki_types::UnixTime;
use sealstone_grants::assertion::{
    AssertionStore, AssertionStoreError, AssertionUse, MAX_USED_ASSERTIONS, UsedAssertion,
};
use sealstone_identity::DomainId;
use sealstone_keyring::{KeyStore, KeyStoreError, Replaced, StoredRing};
use sealstone_oauth_types::{ClientId, TokenId};
use sealstone_registry::{
    Client, ClientStore, Domain, DomainStore, Insertion, MAX_PAGE, Removal, Replacement, StoreError,
};
use sealstone_tokens::{EndedClient, RevocationStore, RevocationStoreError, RevokedToken};

use super::{
    SqlError, SqlStore,
    change::{Change, Outcome},
    connection::{SqlRow, statement},
    ended_clients::EndedRow,
    error::{Failure, SqlErrorKind},
    rows::seconds,
};
use crate::{
    ended::ended_client,
    memory::{GENERATION_RULE, VERSION_RULE},
};

/// An outcome that the statement cannot have; it would be a fault of this crate.
const IMPOSSIBLE: StoreError = StoreError::Misuse {
    reason: "the change had an outcome that it cannot have",
};

impl From<SqlError> for StoreError {
    fn from(error: SqlError) -> Self {
        if matches!(error.kind(), SqlErrorKind::Corrupt | SqlErrorKind::NotADatabase) {
            return Self::Corrupt {
                what: "the database".to_owned(),
                source: Box::new(error),
            };
        }
        Self::unavailable(error)
    }
}

impl SqlStore {
    /// Reads a client's record and holds it to the row that it came from.
    fn client_of(&self, row: &SqlRow) -> Result<Arc<Client>, StoreError> {
        let read = |index: usize| row.try_get::<&str>(index).map_err(|error| self.failed(error));
        let (id, domain, record) = (read(0)?, read(1)?, read(2)?);
        let corrupt = |source: Box<dyn std::error::Error + Send + Sync>| StoreError::Corrupt {
            what: format!("client {id}"),
            source,
        };
        let client = Client::from_record(record.as_bytes()).map_err(|error| corrupt(Box::new(error)))?;
        if client.id().as_str() != id || client.domain().as_str() != domain {
            return Err(corrupt(
                "the record is of another client than its row: restore it from a backup".into(),
            ));
        }
        Ok(Arc::new(client))
    }

    fn domain_of(&self, row: &SqlRow) -> Result<Arc<Domain>, StoreError> {
        let read = |index: usize| row.try_get::<&str>(index).map_err(|error| self.failed(error));
        let (id, record) = (read(0)?, read(1)?);
        let corrupt = |source: Box<dyn std::error::Error + Send + Sync>| StoreError::Corrupt {
            what: format!("domain {id}"),
            source,
        };
        let domain: Domain = serde_json::from_str(record).map_err(|error| corrupt(Box::new(error)))?;
        if domain.id().as_str() != id {
            return Err(corrupt(
                "the record is of another domain than its row: restore it from a backup".into(),
            ));
        }
        Ok(Arc::new(domain))
    }
}

/// A number for an `INTEGER` column.
pub(super) fn column(number: u64) -> Result<i64, StoreError> {
    i64::try_from(number).map_err(|_| StoreError::Misuse {
        reason: "a version does not fit 63 bits",
    })
}

fn page(limit: usize) -> i64 {
    i64::try_from(limit.min(MAX_PAGE)).unwrap_or_default()
}

pub(super) fn unwritable(error: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    StoreError::Corrupt {
        what: "a record to write".to_owned(),
        source: Box::new(error),
    }
}

#[async_trait]
impl ClientStore for SqlStore {
    async fn client(&self, id: &ClientId) -> Result<Option<Arc<Client>>, StoreError> {
        let query = statement("SELECT client_id, domain_id, record FROM clients WHERE client_id = $1");
        let row = query.bind(id.as_str()).read_optional(self).await;
        row.map_err(|error| self.failed(error))?
            .map(|row| self.client_of(&row))
            .transpose()
    }

    async fn insert(&self, client: Client) -> Result<Insertion, StoreError> {
        let change = Change::InsertClient {
            id: client.id().as_str().to_owned(),
            domain: client.domain().as_str().to_owned(),
            version: column(client.version())?,
            record: client.to_record().map_err(unwritable)?,
        };
        match self.write(change).await? {
            Outcome::Changed(_) => Ok(Insertion::Inserted),
            Outcome::Exists => Ok(Insertion::Exists),
            Outcome::UnknownDomain => Ok(Insertion::UnknownDomain),
            Outcome::Unchanged | Outcome::Missing | Outcome::Conflict => Err(IMPOSSIBLE),
        }
    }

    async fn replace(&self, expected_version: u64, client: Client) -> Result<Replacement, StoreError> {
        if client.version().checked_sub(1) != Some(expected_version) {
            return Err(StoreError::Misuse { reason: VERSION_RULE });
        }
        let change = Change::ReplaceClient {
            id: client.id().as_str().to_owned(),
            domain: client.domain().as_str().to_owned(),
            expected: column(expected_version)?,
            version: column(client.version())?,
            record: client.to_record().map_err(unwritable)?,
            ended: ended_client(&client).as_ref().map(EndedRow::of),
        };
        match self.write(change).await? {
            Outcome::Changed(_) => Ok(Replacement::Replaced),
            Outcome::Conflict => Ok(Replacement::Conflict),
            Outcome::Missing => Ok(Replacement::Missing),
            Outcome::Unchanged | Outcome::Exists | Outcome::UnknownDomain => Err(IMPOSSIBLE),
        }
    }

    async fn delete(&self, id: &ClientId) -> Result<Removal, StoreError> {
        match self
            .write(Change::DeleteClient {
                id: id.as_str().to_owned(),
            })
            .await?
        {
            Outcome::Changed(_) => Ok(Removal::Removed),
            Outcome::Missing => Ok(Removal::Missing),
            Outcome::Unchanged | Outcome::Exists | Outcome::Conflict | Outcome::UnknownDomain => {
                Err(IMPOSSIBLE)
            }
        }
    }

    async fn list(
        &self,
        domain: &DomainId,
        after: Option<&ClientId>,
        limit: usize,
    ) -> Result<Vec<Arc<Client>>, StoreError> {
        let query = statement(
            "SELECT client_id, domain_id, record FROM clients WHERE domain_id = $1 AND client_id > $2
             ORDER BY client_id LIMIT $3",
        );
        let after = after.map_or("", ClientId::as_str);
        let query = query.bind(domain.as_str()).bind(after).bind(page(limit));
        let rows = query.read_all(self).await.map_err(|error| self.failed(error))?;
        rows.iter().map(|row| self.client_of(row)).collect()
    }
}

#[async_trait]
impl DomainStore for SqlStore {
    async fn domain(&self, id: &DomainId) -> Result<Option<Arc<Domain>>, StoreError> {
        let query = statement("SELECT id, record FROM domains WHERE id = $1");
        let row = query.bind(id.as_str()).read_optional(self).await;
        row.map_err(|error| self.failed(error))?
            .map(|row| self.domain_of(&row))
            .transpose()
    }

    async fn insert_domain(&self, domain: Domain) -> Result<Insertion, StoreError> {
        let record = serde_json::to_string(&domain).map_err(unwritable)?;
        match self
            .write(Change::InsertDomain {
                id: domain.id().as_str().to_owned(),
                record,
            })
            .await?
        {
            Outcome::Changed(_) => Ok(Insertion::Inserted),
            Outcome::Exists => Ok(Insertion::Exists),
            Outcome::Unchanged | Outcome::Missing | Outcome::Conflict | Outcome::UnknownDomain => {
                Err(IMPOSSIBLE)
            }
        }
    }

    async fn replace_domain(&self, domain: Domain) -> Result<Replacement, StoreError> {
        let record = serde_json::to_string(&domain).map_err(unwritable)?;
        match self
            .write(Change::ReplaceDomain {
                id: domain.id().as_str().to_owned(),
                record,
            })
            .await?
        {
            Outcome::Changed(_) => Ok(Replacement::Replaced),
            Outcome::Missing => Ok(Replacement::Missing),
            Outcome::Unchanged | Outcome::Exists | Outcome::Conflict | Outcome::UnknownDomain => {
                Err(IMPOSSIBLE)
            }
        }
    }

    async fn list_domains(
        &self,
        after: Option<&DomainId>,
        limit: usize,
    ) -> Result<Vec<Arc<Domain>>, StoreError> {
        let query = statement("SELECT id, record FROM domains WHERE id > $1 ORDER BY id LIMIT $2");
        let query = query.bind(after.map_or("", DomainId::as_str)).bind(page(limit));
        let rows = query.read_all(self).await.map_err(|error| self.failed(error))?;
        rows.iter().map(|row| self.domain_of(row)).collect()
    }
}

#[async_trait]
impl KeyStore for SqlStore {
    async fn load(&self, domain: &str) -> Result<Option<StoredRing>, KeyStoreError> {
        let load = async {
            let query = statement("SELECT generation, ring FROM key_rings WHERE domain_id = $1");
            let Some(row) = query.bind(domain).read_optional(self).await? else {
                return Ok(None);
            };
            let generation: i64 = row.try_get(0)?;
            let damaged = |_| Failure::Found(SqlErrorKind::Corrupt, "a generation below zero".to_owned());
            let generation = u64::try_from(generation).map_err(damaged)?;
            Ok(Some(StoredRing {
                generation,
                json: row.try_get(1)?,
            }))
        };
        load.await
            .map_err(|failure: Failure| KeyStoreError::unavailable(self.failed(failure)))
    }

    async fn replace(
        &self,
        domain: &str,
        expected_generation: Option<u64>,
        ring: &StoredRing,
    ) -> Result<Replaced, KeyStoreError> {
        self.replace_ring(domain, expected_generation, ring, true).await
    }

    async fn replace_on_request(
        &self,
        domain: &str,
        expected_generation: Option<u64>,
        ring: &StoredRing,
    ) -> Result<Replaced, KeyStoreError> {
        self.replace_ring(domain, expected_generation, ring, false).await
    }

    async fn domains(&self) -> Result<Vec<String>, KeyStoreError> {
        let load = async {
            let query = statement("SELECT domain_id FROM key_rings ORDER BY domain_id");
            let rows = query.read_all(self).await?;
            rows.iter()
                .map(|row| Ok(row.try_get(0)?))
                .collect::<Result<_, _>>()
        };
        load.await
            .map_err(|failure: Failure| KeyStoreError::unavailable(self.failed(failure)))
    }
}

impl SqlStore {
    /// `is_led`: only where this process leads, or needs no leader.
    async fn replace_ring(
        &self,
        domain: &str,
        expected_generation: Option<u64>,
        ring: &StoredRing,
        is_led: bool,
    ) -> Result<Replaced, KeyStoreError> {
        if ring.generation <= expected_generation.unwrap_or(0) {
            return Err(KeyStoreError::unavailable(GENERATION_RULE));
        }
        let change = Change::ReplaceRing {
            domain: domain.to_owned(),
            expected: expected_generation
                .map(column)
                .transpose()
                .map_err(KeyStoreError::unavailable)?,
            generation: column(ring.generation).map_err(KeyStoreError::unavailable)?,
            ring: ring.json.clone(),
            is_led,
        };
        match self.write(change).await.map_err(KeyStoreError::unavailable)? {
            Outcome::Changed(_) => Ok(Replaced::Done),
            Outcome::Conflict => Ok(Replaced::Conflict),
            Outcome::Unchanged | Outcome::Exists | Outcome::Missing | Outcome::UnknownDomain => {
                Err(KeyStoreError::unavailable(IMPOSSIBLE))
            }
        }
    }
}

#[async_trait]
impl RevocationStore for SqlStore {
    async fn revoke(&self, domain: &DomainId, token: &RevokedToken) -> Result<(), RevocationStoreError> {
        let change = Change::Revoke {
            domain: domain.as_str().to_owned(),
            token: token.token_id.as_str().to_owned(),
            expires_at: seconds(token.expires_at),
        };
        self.write(change).await.map_err(RevocationStoreError::new)?;
        Ok(())
    }

    async fn revoked(
        &self,
        domain: &DomainId,
        now: UnixTime,
    ) -> Result<Vec<RevokedToken>, RevocationStoreError> {
        let load = async {
            let query = statement(
                "SELECT token_id, expires_at FROM revoked_tokens WHERE domain_id = $1 AND expires_at > $2
                 ORDER BY token_id",
            );
            let query = query.bind(domain.as_str()).bind(seconds(now));
            let rows = query.read_all(self).await?;
            rows.iter().map(revoked_of).collect::<Result<_, _>>()
        };
        load.await
            .map_err(|failure: Failure| RevocationStoreError::new(self.failed(failure)))
    }

    async fn ended_clients(
        &self,
        domain: &DomainId,
        now: UnixTime,
    ) -> Result<Vec<EndedClient>, RevocationStoreError> {
        self.ended_clients_of(domain, now)
            .await
            .map_err(|failure| RevocationStoreError::new(self.failed(failure)))
    }

    async fn purge(&self, now: UnixTime) -> Result<u64, RevocationStoreError> {
        let ended = self.purge_ended_clients(now);
        let ended = ended.await.map_err(RevocationStoreError::new)?;
        let purge = self.purge_batches(
            "DELETE FROM revoked_tokens WHERE seq IN
                 (SELECT seq FROM revoked_tokens WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)",
            now,
        );
        let revoked = purge.await.map_err(RevocationStoreError::new)?;
        Ok(revoked.saturating_add(ended))
    }
}

fn revoked_of(row: &SqlRow) -> Result<RevokedToken, Failure> {
    let damaged = || Failure::Found(SqlErrorKind::Corrupt, "a revoked token cannot be read".to_owned());
    let token_id = TokenId::parse(row.try_get(0)?).map_err(|_| damaged())?;
    let expires_at: i64 = row.try_get(1)?;
    let expires_at = u64::try_from(expires_at).map_err(|_| damaged())?;
    Ok(RevokedToken {
        token_id,
        expires_at: UnixTime::since_unix_epoch(Duration::from_secs(expires_at)),
    })
}

#[async_trait]
impl AssertionStore for SqlStore {
    async fn use_once(&self, assertion: &UsedAssertion) -> Result<AssertionUse, AssertionStoreError> {
        let change = Change::UseAssertion {
            client: assertion.client_id.as_str().to_owned(),
            assertion: assertion.id.clone(),
            forget_at: seconds(assertion.forget_at),
            limit: i64::try_from(MAX_USED_ASSERTIONS).unwrap_or(i64::MAX),
        };
        match self.write(change).await.map_err(AssertionStoreError::new)? {
            Outcome::Changed(_) => Ok(AssertionUse::First),
            Outcome::Exists => Ok(AssertionUse::Again),
            Outcome::Conflict => Ok(AssertionUse::TooMany),
            Outcome::Unchanged | Outcome::Missing | Outcome::UnknownDomain => {
                Err(AssertionStoreError::new(IMPOSSIBLE))
            }
        }
    }

    async fn purge_assertions(&self, now: UnixTime) -> Result<u64, AssertionStoreError> {
        let purge = self.purge_batches(
            "DELETE FROM used_assertions WHERE seq IN
                 (SELECT seq FROM used_assertions WHERE forget_at <= $1 ORDER BY forget_at LIMIT $2)",
            now,
        );
        purge.await.map_err(AssertionStoreError::new)
    }
}
