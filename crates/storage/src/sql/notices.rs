//! Notices of back-channel logout.

use async_trait::async_trait;
use rustls_pki_types::UnixTime;
use sealstone_grants::{
    GrantStoreError,
    logout::{LogoutNotice, LogoutStore, MAX_NOTICES, NOTICE_LEASE},
};
use sealstone_oauth_types::TokenId;
use serde::Serialize;

use super::{
    SqlStore,
    connection::{Connection, statement},
    error::Failure,
    rows::{damaged, from_text, number, of_another, seconds, to_text},
    transaction::Transaction,
};
use crate::bounds::{later, page_limit};

/// A notice in the terms of its table.
#[derive(Serialize)]
struct NoticeRow {
    id: String,
    due_at: i64,
    record: String,
}

impl NoticeRow {
    fn of(notice: &LogoutNotice) -> Result<Self, Failure> {
        Ok(Self {
            id: notice.id.as_str().to_owned(),
            due_at: seconds(notice.due_at),
            record: to_text(notice)?,
        })
    }
}

struct Insert(Vec<NoticeRow>);

impl Insert {
    /// All by one statement: PostgreSQL counts the rows of each.
    async fn make_at_once(&self, connection: &mut Connection) -> Result<u64, Failure> {
        // Of two that fill the rest of the room, the second sees what the first took.
        connection.lock("logout_notices").await?;
        let query = statement(
            "INSERT INTO logout_notices (id, due_at, record)
             SELECT value ->> 'id', (value ->> 'due_at')::bigint, value ->> 'record'
             FROM json_array_elements($1::json) WITH ORDINALITY AS given (value, place) ORDER BY place
             LIMIT greatest(0, $2 - (SELECT kept FROM kept_rows WHERE name = 'logout_notices'))",
        );
        let query = query.bind(to_text(&self.0)?).bind(number(MAX_NOTICES));
        let kept = query.execute(connection).await?;
        Ok(u64::try_from(self.0.len())
            .unwrap_or(u64::MAX)
            .saturating_sub(kept))
    }
}

#[async_trait]
impl Transaction for Insert {
    /// How many found no room.
    type Answer = u64;

    async fn make(&self, connection: &mut Connection) -> Result<u64, Failure> {
        if connection.is_postgres() {
            return self.make_at_once(connection).await;
        }
        let mut dropped = 0_u64;
        for row in &self.0 {
            let query = statement(
                "INSERT INTO logout_notices (id, due_at, record)
                 SELECT $1, $2, $3 WHERE (SELECT kept FROM kept_rows WHERE name = 'logout_notices') < $4",
            );
            let query = query.bind(&row.id).bind(row.due_at).bind(&row.record);
            let done = query.bind(number(MAX_NOTICES)).execute(&mut *connection).await?;
            if done == 0 {
                dropped = dropped.saturating_add(1);
            }
        }
        Ok(dropped)
    }
}

struct TakeDue {
    now: i64,
    due_again_at: i64,
    limit: i64,
}

#[async_trait]
impl Transaction for TakeDue {
    type Answer = Vec<LogoutNotice>;

    async fn make(&self, connection: &mut Connection) -> Result<Vec<LogoutNotice>, Failure> {
        let query = statement(
            "SELECT seq, id, record FROM logout_notices WHERE due_at <= $1 ORDER BY due_at, seq LIMIT $2 FOR UPDATE SKIP LOCKED",
        );
        let rows = query
            .bind(self.now)
            .bind(self.limit)
            .fetch_all(&mut *connection)
            .await?;
        let mut due = Vec::with_capacity(rows.len());
        for row in rows {
            let query = statement("UPDATE logout_notices SET due_at = $2 WHERE seq = $1");
            let query = query.bind(row.try_get::<i64>(0)?).bind(self.due_again_at);
            query.execute(&mut *connection).await?;
            let notice: LogoutNotice = from_text("a logout notice", row.try_get(2)?)?;
            if notice.id.as_str() != row.try_get::<&str>(1)? {
                return Err(of_another("a logout notice"));
            }
            due.push(notice);
        }
        Ok(due)
    }
}

struct Remove(String);

#[async_trait]
impl Transaction for Remove {
    type Answer = ();

    async fn make(&self, connection: &mut Connection) -> Result<(), Failure> {
        let query = statement("DELETE FROM logout_notices WHERE id = $1");
        query.bind(&self.0).execute(connection).await?;
        Ok(())
    }
}

struct Postpone(NoticeRow);

#[async_trait]
impl Transaction for Postpone {
    type Answer = ();

    async fn make(&self, connection: &mut Connection) -> Result<(), Failure> {
        let query = statement("UPDATE logout_notices SET due_at = $2, record = $3 WHERE id = $1");
        let query = query.bind(&self.0.id).bind(self.0.due_at).bind(&self.0.record);
        query.execute(connection).await?;
        Ok(())
    }
}

#[async_trait]
impl LogoutStore for SqlStore {
    async fn insert_notices(&self, notices: &[LogoutNotice]) -> Result<u64, GrantStoreError> {
        if notices.is_empty() {
            return Ok(0);
        }
        let rows = notices.iter().map(NoticeRow::of).collect::<Result<_, _>>();
        let rows = rows.map_err(|failure| self.grants_failed(failure))?;
        let dropped = self.write(Insert(rows)).await.map_err(GrantStoreError::new)?;
        self.inner.feed.add_notices();
        Ok(dropped)
    }

    async fn take_due(&self, now: UnixTime, limit: usize) -> Result<Vec<LogoutNotice>, GrantStoreError> {
        let change = TakeDue {
            now: seconds(now),
            due_again_at: seconds(later(now, NOTICE_LEASE)),
            limit: number(page_limit(limit)),
        };
        self.write(change).await.map_err(GrantStoreError::new)
    }

    async fn remove_notice(&self, id: &TokenId) -> Result<(), GrantStoreError> {
        let change = Remove(id.as_str().to_owned());
        self.write(change).await.map_err(GrantStoreError::new)
    }

    async fn postpone_notice(&self, notice: &LogoutNotice) -> Result<(), GrantStoreError> {
        let row = NoticeRow::of(notice).map_err(|failure| self.grants_failed(failure))?;
        self.write(Postpone(row)).await.map_err(GrantStoreError::new)
    }

    async fn next_due(&self) -> Result<Option<UnixTime>, GrantStoreError> {
        let read = async {
            let query = statement("SELECT due_at FROM logout_notices ORDER BY due_at LIMIT 1");
            let Some(row) = query.read_optional(self).await? else {
                return Ok(None);
            };
            let due: i64 = row.try_get(0)?;
            let due = u64::try_from(due).map_err(|_| damaged("a notice is due before every clock"))?;
            Ok(Some(UnixTime::since_unix_epoch(std::time::Duration::from_secs(
                due,
            ))))
        };
        read.await.map_err(|failure: Failure| self.grants_failed(failure))
    }
}
