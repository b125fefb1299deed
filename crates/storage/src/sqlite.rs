//! The ports on an SQLite file.

mod codes;
mod consents;
mod devices;
mod directory;
mod error;
mod factors;
mod families;
mod file;
mod interactions;
mod migrations;
mod notices;
mod poller;
mod ports;
mod revocations;
mod rows;
mod sessions;
mod writer;

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use sqlx::{
    ConnectOptions, Row, SqlitePool,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteSynchronous},
};
use tokio::{
    sync::{Mutex, mpsc, oneshot, watch},
    task::JoinHandle,
};

use self::{
    error::Failure,
    writer::{Job, Transaction, Work},
};
pub use self::{
    error::{SqlError, SqlErrorKind},
    migrations::{Migration, MigrationStatus, Migrations},
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

/// Everything that a server keeps, in one SQLite file. A clone is the same store.
///
/// One task writes: it takes all changes that wait, makes them in one transaction and answers each after the commit,
/// so that many writers share the cost of a durable commit. Reading goes on beside it (write-ahead log). Several
/// processes may use one file: each sees the others' changes within 250 ms ([`SqlStore::changes`]).
///
/// # Security
/// The file holds hashes of secrets and sealed keys; it is made, and kept, with mode 0600. What is acknowledged
/// survives `kill -9` and loss of power (`synchronous=FULL`), on a local disk that tells the truth about flushing.
///
/// # Examples
/// ```
/// # use sealstone_identity::DomainId;
/// # use sealstone_registry::{Domain, DomainStore, Insertion};
/// # use sealstone_storage::SqlStore;
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("sealstone.db");
/// let store = SqlStore::open(&path).await?;
/// let demo = Domain::new(DomainId::parse("demo")?, "Demonstration", true)?;
/// assert_eq!(store.insert_domain(demo).await?, Insertion::Inserted);
/// store.close().await;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct SqlStore {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    readers: SqlitePool,
    jobs: mpsc::Sender<Work>,
    feed: Arc<Feed>,
    /// Not in the file: anybody may begin one, and none is worth a write.
    interactions: OpenInteractions,
    poller: Mutex<Option<JoinHandle<()>>>,
    /// Ends the poller: when it says so, and when it is dropped.
    stop: watch::Sender<bool>,
}

impl SqlStore {
    /// Opens the file, makes it if there is none, and brings it to this version's schema.
    ///
    /// Runs inside a Tokio runtime with time enabled; the store's tasks live there.
    ///
    /// # Errors
    /// [`SqlError`], whose text says what to do; see [`SqlErrorKind`].
    pub async fn open(path: &Path) -> Result<Self, SqlError> {
        Migrations::run(path).await?;
        Self::open_current(path).await
    }

    /// Opens the file as it is, for those who migrate as a step of its own.
    ///
    /// # Errors
    /// As [`SqlStore::open`], and [`SqlErrorKind::SchemaOlder`] when a migration is due.
    pub async fn open_current(path: &Path) -> Result<Self, SqlError> {
        Self::start(path).await.map_err(|failure| failure.at(path))
    }

    async fn start(path: &Path) -> Result<Self, Failure> {
        file::restrict(path)?;
        let options = options(path);
        let mut writer = options.connect().await?;
        migrations::require_current(&mut writer).await?;
        migrations::use_log(&mut writer).await?;
        let feed = Arc::new(Feed::new(writer::counts(&mut writer).await?));
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
        Ok(Self {
            inner: Arc::new(Inner {
                path: path.to_owned(),
                readers,
                jobs,
                feed,
                interactions: OpenInteractions::default(),
                poller,
                stop,
            }),
        })
    }

    /// Finishes the changes that wait, writes the log back into the file and closes it. Every later call answers
    /// [`SqlErrorKind::Closed`].
    pub async fn close(&self) {
        self.inner.stop.send_replace(true);
        if let Some(poller) = self.inner.poller.lock().await.take() {
            // It ends by itself; that it panicked would be no reason not to close.
            let _ = poller.await;
        }
        self.inner.readers.close().await;
        // The writer's is the last connection: closing it writes the log back.
        let (done, closed) = oneshot::channel();
        if self.inner.jobs.send(Work::Close(done)).await.is_ok() {
            // The writer answers when its connection is closed; if it is gone, so is the connection.
            let _ = closed.await;
        }
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// Rises with every committed change of anything: this process's before it is acknowledged, another process's
    /// within 250 ms. It may rise without a change (when the file could not be asked), never the other way round.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.inner.feed.all()
    }

    /// As [`SqlStore::changes`], for clients and domains only.
    #[must_use]
    pub fn client_changes(&self) -> watch::Receiver<u64> {
        self.inner.feed.clients()
    }

    /// As [`SqlStore::changes`], for key rings only.
    #[must_use]
    pub fn key_ring_changes(&self) -> watch::Receiver<u64> {
        self.inner.feed.key_rings()
    }

    /// As [`SqlStore::changes`], for revocations only.
    #[must_use]
    pub fn revocation_changes(&self) -> watch::Receiver<u64> {
        self.inner.feed.revocations()
    }

    /// Rises when this process has kept notices of back-channel logout. Another process's are found by
    /// [`next_due`](sealstone_grants::logout::LogoutStore::next_due).
    #[must_use]
    pub fn notice_changes(&self) -> watch::Receiver<u64> {
        self.inner.feed.notices()
    }

    /// The schema's version and what is pending (nothing, in an open store).
    ///
    /// # Errors
    /// [`SqlError`] when the file cannot be read.
    pub async fn status(&self) -> Result<MigrationStatus, SqlError> {
        Migrations::status(&self.inner.path).await
    }

    /// Reads the whole file and checks it: structure, indexes and references. Takes about a second for 100 MiB.
    ///
    /// # Errors
    /// [`SqlErrorKind::Corrupt`] with SQLite's first finding, or why the file could not be read.
    pub async fn check_integrity(&self) -> Result<(), SqlError> {
        let check = async {
            let row = sqlx::query("PRAGMA integrity_check(1)")
                .fetch_one(&self.inner.readers)
                .await?;
            let finding: String = row.try_get(0)?;
            if finding != "ok" {
                return Err(Failure::Found(SqlErrorKind::Corrupt, finding));
            }
            match sqlx::query("PRAGMA foreign_key_check")
                .fetch_optional(&self.inner.readers)
                .await?
            {
                None => Ok(()),
                Some(_) => Err(Failure::Found(
                    SqlErrorKind::Corrupt,
                    "a client or a user without its domain".to_owned(),
                )),
            }
        };
        check.await.map_err(|failure| failure.at(&self.inner.path))
    }

    /// Hands a change to the writer and waits until it is committed, or was refused.
    async fn write<T: Transaction>(&self, change: T) -> Result<T::Answer, SqlError> {
        let (job, answer) = Job::new(change);
        let closed = || Failure::Closed.at(&self.inner.path);
        self.inner
            .jobs
            .send(Work::Change(job))
            .await
            .map_err(|_| closed())?;
        let outcome = answer.await.map_err(|_| closed())?;
        outcome.map_err(|failure| Failure::Shared(failure).at(&self.inner.path))
    }

    fn failed(&self, failure: impl Into<Failure>) -> SqlError {
        failure.into().at(&self.inner.path)
    }
}

impl fmt::Debug for SqlStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlStore")
            .field("path", &self.inner.path)
            .finish_non_exhaustive()
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
