//! The SQLite file: one task writes, a few connections read.

pub(super) mod backup;
mod file;
pub(super) mod inspection;
pub(super) mod migrations;
mod poller;
mod writer;

use std::{path::Path, sync::Arc, time::Duration};

use sqlx::{
    ConnectOptions, Row, SqlitePool,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteSynchronous},
};
use tokio::{
    sync::{Mutex, mpsc, oneshot, watch},
    task::JoinHandle,
};

use self::writer::{Job, Work};
use super::{
    Leadership,
    connection::Connection,
    error::{Failure, SqlErrorKind},
    transaction::{Transaction, counts},
};
use crate::{feed::Feed, interactions::OpenInteractions};

/// How long a statement waits for another process's transaction: ours take milliseconds; what holds the file for
/// longer is stuck.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Reading connections. Warm reads come from caches; these serve the first reads after a change.
const READERS: u32 = 4;
/// Changes that may wait for the writer before callers wait for a place: eight full groups.
const WAITING: usize = 1024;
/// Each connection's page cache in KiB: the working set is small, and idle memory is bounded.
const PAGE_CACHE_KIB: &str = "-512";
/// The size to which the write-ahead log is cut back after a burst, in bytes.
const LOG_LIMIT: &str = "16777216";

/// The open file.
pub(super) struct OpenFile {
    pub(super) readers: SqlitePool,
    jobs: mpsc::Sender<Work>,
    /// Not in the file: anybody may begin one, and none is worth a write.
    pub(super) interactions: OpenInteractions,
    poller: Mutex<Option<JoinHandle<()>>>,
    /// Ends the poller: when it says so, and when it is dropped.
    stop: watch::Sender<bool>,
    /// Nobody else is there to lead.
    leadership: watch::Sender<Option<Leadership>>,
    hears: watch::Sender<bool>,
}

impl OpenFile {
    pub(super) async fn start(path: &Path) -> Result<(Self, Arc<Feed>), Failure> {
        file::restrict(path)?;
        let options = options(path);
        let mut writer = options.connect().await?;
        migrations::require_current(&mut writer).await?;
        migrations::use_log(&mut writer).await?;
        let mut writer = Connection::Sqlite(writer);
        let feed = Arc::new(Feed::new(counts(&mut writer).await?));
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .min_connections(0)
            .acquire_timeout(BUSY_TIMEOUT)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .connect_lazy_with(options.clone().pragma("query_only", "ON"));
        let (jobs, queue) = mpsc::channel(WAITING);
        let (stop, stopped) = watch::channel(false);
        let polling = options.clone().pragma("query_only", "ON");
        let poller = Mutex::new(Some(tokio::spawn(poller::run(
            polling,
            Arc::clone(&feed),
            stopped,
        ))));
        tokio::spawn(writer::run(writer, options, queue, Arc::clone(&feed)));
        let file = Self {
            readers,
            jobs,
            interactions: OpenInteractions::default(),
            poller,
            stop,
            leadership: watch::Sender::new(None),
            hears: watch::Sender::new(true),
        };
        Ok((file, feed))
    }

    pub(super) fn leadership(&self) -> watch::Receiver<Option<Leadership>> {
        self.leadership.subscribe()
    }

    pub(super) fn hears(&self) -> watch::Receiver<bool> {
        self.hears.subscribe()
    }

    pub(super) async fn close(&self) {
        self.stop.send_replace(true);
        if let Some(poller) = self.poller.lock().await.take() {
            // It ends by itself; that it panicked would be no reason not to close.
            let _ = poller.await;
        }
        self.readers.close().await;
        // The writer's is the last connection: closing it writes the log back.
        let (done, closed) = oneshot::channel();
        if self.jobs.send(Work::Close(done)).await.is_ok() {
            // The writer answers when its connection is closed; if it is gone, so is the connection.
            let _ = closed.await;
        }
    }

    /// Reads the whole file: structure, indexes, references.
    pub(super) async fn check_integrity(&self) -> Result<(), Failure> {
        let row = sqlx::query("PRAGMA integrity_check(1)")
            .fetch_one(&self.readers)
            .await?;
        let finding: String = row.try_get(0)?;
        if finding != "ok" {
            return Err(Failure::Found(SqlErrorKind::Corrupt, finding));
        }
        match sqlx::query("PRAGMA foreign_key_check")
            .fetch_optional(&self.readers)
            .await?
        {
            None => Ok(()),
            Some(_) => Err(Failure::Found(
                SqlErrorKind::Corrupt,
                "a client or a user without its domain".to_owned(),
            )),
        }
    }

    /// Hands a change to the writer and waits until it is committed, or was refused.
    pub(super) async fn write<T: Transaction>(&self, change: T) -> Result<T::Answer, Failure> {
        let (job, answer) = Job::new(change);
        let sent = self.jobs.send(Work::Change(job)).await;
        sent.map_err(|_| Failure::Closed)?;
        let outcome = answer.await.map_err(|_| Failure::Closed)?;
        outcome.map_err(Failure::Shared)
    }
}

/// How every connection opens the file; it is there already, and uses a write-ahead log.
fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .pragma("cache_size", PAGE_CACHE_KIB)
        .pragma("journal_size_limit", LOG_LIMIT)
        .pragma("trusted_schema", "OFF")
        .thread_name(|number| format!("sealstone-sqlite-{number}"))
        .disable_statement_logging()
}

#[cfg(test)]
mod tests;
