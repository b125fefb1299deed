//! Changes of keys that wait for a second administrator.

use std::time::Duration;

use async_trait::async_trait;
use rustls_pki_types::UnixTime;
use sealstone_keyring::{Confirmation, KeyRequest, KeyRequestStore, KeyStoreError, Requested};

use super::{
    SqlStore,
    connection::{Connection, SqlRow, statement},
    error::Failure,
    rows::{damaged, seconds},
    transaction::Transaction,
};

/// How long a request is kept after its time was over, for whoever asks what became of it.
const KEPT_FOR: u64 = 30 * 24 * 3600;

const WAITING: &str = "SELECT id, domain_id, kid, requested_by, requested_at, expires_at, statement
     FROM key_requests WHERE confirmed_by IS NULL AND expires_at > $1 ORDER BY seq";

struct Insert(KeyRequest);

#[async_trait]
impl Transaction for Insert {
    type Answer = bool;

    async fn make(&self, connection: &mut Connection) -> Result<bool, Failure> {
        let request = &self.0;
        let forget = UnixTime::since_unix_epoch(Duration::from_secs(
            request.requested_at.as_secs().saturating_sub(KEPT_FOR),
        ));
        let query = statement("DELETE FROM key_requests WHERE expires_at < $1");
        query.bind(seconds(forget)).execute(connection).await?;
        let query = statement(
            "INSERT INTO key_requests (id, domain_id, kid, requested_by, requested_at, expires_at, statement)
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO NOTHING",
        );
        let query = query.bind(&request.id).bind(&request.domain).bind(&request.kid);
        let query = query
            .bind(&request.requested_by)
            .bind(seconds(request.requested_at));
        let query = query.bind(seconds(request.expires_at)).bind(&request.statement);
        Ok(query.execute(connection).await? > 0)
    }
}

struct Confirm {
    id: String,
    by: String,
    now: UnixTime,
}

#[async_trait]
impl Transaction for Confirm {
    type Answer = Confirmation;

    async fn make(&self, connection: &mut Connection) -> Result<Confirmation, Failure> {
        let query = statement(
            "UPDATE key_requests SET confirmed_by = $2, confirmed_at = $3
             WHERE id = $1 AND confirmed_by IS NULL AND expires_at > $3 AND requested_by <> $2
             RETURNING id, domain_id, kid, requested_by, requested_at, expires_at, statement",
        );
        let query = query.bind(&self.id).bind(&self.by).bind(seconds(self.now));
        if let Some(row) = query.fetch_optional(connection).await? {
            return Ok(Confirmation::Confirmed(request_of(&row)?));
        }
        let query = statement("SELECT requested_by, expires_at FROM key_requests WHERE id = $1");
        let Some(row) = query.bind(&self.id).fetch_optional(connection).await? else {
            return Ok(Confirmation::Unknown);
        };
        let (requested_by, expires_at): (&str, i64) = (row.try_get(0)?, row.try_get(1)?);
        Ok(if requested_by == self.by {
            Confirmation::SamePerson
        } else if expires_at <= seconds(self.now) {
            Confirmation::Lapsed
        } else {
            Confirmation::Used
        })
    }
}

fn request_of(row: &SqlRow) -> Result<KeyRequest, Failure> {
    let text = |index: usize| row.try_get::<&str>(index).map(str::to_owned);
    let time = |index: usize| -> Result<UnixTime, Failure> {
        let at: i64 = row.try_get(index)?;
        let at = u64::try_from(at).map_err(|_| damaged("a request to change a key has no time"))?;
        Ok(UnixTime::since_unix_epoch(Duration::from_secs(at)))
    };
    Ok(KeyRequest {
        id: text(0)?,
        domain: text(1)?,
        kid: text(2)?,
        requested_by: text(3)?,
        requested_at: time(4)?,
        expires_at: time(5)?,
        statement: text(6)?,
    })
}

#[async_trait]
impl KeyRequestStore for SqlStore {
    async fn insert_key_request(&self, request: &KeyRequest) -> Result<Requested, KeyStoreError> {
        let inserted = self.write(Insert(request.clone())).await;
        Ok(if inserted.map_err(KeyStoreError::unavailable)? {
            Requested::Kept
        } else {
            Requested::Taken
        })
    }

    async fn confirm_key_request(
        &self,
        id: &str,
        by: &str,
        now: UnixTime,
    ) -> Result<Confirmation, KeyStoreError> {
        let confirm = Confirm {
            id: id.to_owned(),
            by: by.to_owned(),
            now,
        };
        self.write(confirm).await.map_err(KeyStoreError::unavailable)
    }

    async fn key_requests(&self, now: UnixTime) -> Result<Vec<KeyRequest>, KeyStoreError> {
        let read = async {
            let rows = statement(WAITING).bind(seconds(now)).read_all(self).await?;
            rows.iter().map(request_of).collect::<Result<_, _>>()
        };
        read.await
            .map_err(|failure: Failure| KeyStoreError::unavailable(self.failed(failure)))
    }
}
