//! Between records and rows.

use async_trait::async_trait;
use rustls_pki_types::UnixTime;
use serde::{Serialize, de::DeserializeOwned};

use super::{
    SqlError, SqlStore,
    connection::{Connection, statement},
    error::{Failure, SqlErrorKind},
    transaction::Transaction,
};
use crate::bounds::BATCH;

/// A record as text for its column.
pub(super) fn to_text<R: Serialize>(record: &R) -> Result<String, Failure> {
    serde_json::to_string(record).map_err(|error| unreadable("a record to write", &error))
}

/// A record from its column. `what` names it in the error.
pub(super) fn from_text<R: DeserializeOwned>(what: &'static str, text: &str) -> Result<R, Failure> {
    serde_json::from_str(text).map_err(|error| unreadable(what, &error))
}

/// Tells where, and not what stands there: it may be a secret.
fn unreadable(what: &'static str, error: &serde_json::Error) -> Failure {
    let (line, column) = (error.line(), error.column());
    damaged(format!("{what} is malformed at line {line} column {column}"))
}

/// A finding about what is stored.
pub(super) fn damaged(finding: impl Into<String>) -> Failure {
    Failure::Found(SqlErrorKind::Corrupt, finding.into())
}

/// A record that is not the one its row says.
pub(super) fn of_another(what: &'static str) -> Failure {
    damaged(format!(
        "{what} is not the one that its row names: restore the file from a backup"
    ))
}

/// A time for an `INTEGER` column; what does not fit is beyond every clock.
pub(super) fn seconds(time: UnixTime) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}

/// A number for an `INTEGER` column; what does not fit is above every other.
pub(super) fn number(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

/// Deletes one batch of what has expired: `$1` is the time, `$2` the most rows.
pub(super) struct PurgeBatch {
    pub(super) statement: &'static str,
    pub(super) now: i64,
}

#[async_trait]
impl Transaction for PurgeBatch {
    type Answer = u64;

    async fn make(&self, connection: &mut Connection) -> Result<u64, Failure> {
        let query = statement(self.statement).bind(self.now).bind(number(BATCH));
        Ok(query.execute(connection).await?)
    }

    fn is_counted(&self, answer: &u64) -> bool {
        *answer > 0
    }

    fn is_led(&self) -> bool {
        true
    }
}

impl SqlStore {
    /// Deletes what has expired, a batch in each transaction, so that no other change waits for long.
    pub(super) async fn purge_batches(
        &self,
        statement: &'static str,
        now: UnixTime,
    ) -> Result<u64, SqlError> {
        let now = seconds(now);
        let mut gone = 0_u64;
        if !self.may_lead() {
            return Ok(gone);
        }
        loop {
            let rows = self.write(PurgeBatch { statement, now }).await?;
            gone = gone.saturating_add(rows);
            if rows < BATCH {
                return Ok(gone);
            }
        }
    }
}
