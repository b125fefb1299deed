//! The ports on SQL: an SQLite file, or a PostgreSQL server that several nodes share.

mod change;
mod codes;
mod connection;
mod consents;
mod database;
mod devices;
mod directory;
mod ended_clients;
mod error;
mod factors;
mod families;
mod inspection;
mod interactions;
mod key_requests;
mod leadership;
mod migrations;
mod notices;
mod outage;
mod ports;
#[cfg(feature = "postgres")]
mod postgres;
mod registration;
mod revocations;
mod rewrap;
mod rows;
mod sessions;
mod spans;
#[cfg(feature = "sqlite")]
mod sqlite;
mod transaction;

use std::{fmt, sync::Arc};

use tokio::sync::watch;
use tracing::Instrument as _;

#[cfg(feature = "postgres")]
pub use self::inspection::ServerFacts;
#[cfg(feature = "postgres")]
pub use self::postgres::{PostgresConfig, PostgresConfigError, PostgresPassword};
pub use self::{
    database::Database,
    error::{SqlError, SqlErrorKind},
    inspection::Inspection,
    leadership::Leadership,
    migrations::{Migration, MigrationStatus, Migrations},
    rewrap::{Rewrapping, Sealed, SealedCursor, SealedPage},
};
use self::{error::Failure, transaction::Transaction};
use crate::feed::Feed;

/// Everything that a server keeps, in SQL. A clone is the same store.
///
/// **In one SQLite file**, one task writes: it takes all changes that wait, makes them in one transaction and answers
/// each after the commit, so that many writers share the cost of a durable commit. Reading goes on beside it
/// (write-ahead log). Several processes of one machine may use one file: each sees the others' changes within 250 ms
/// ([`SqlStore::changes`]).
///
/// **On a PostgreSQL server**, each change is a transaction of its own on one of a few connections; the server commits
/// in groups. Any number of nodes may use one database: each hears of the others' changes at their commit.
///
/// # Security
/// The database holds hashes of secrets and sealed keys. An SQLite file is made, and kept, with mode 0600. What is
/// acknowledged survives `kill -9` and loss of power, on a disk that tells the truth about flushing; and the loss of the
/// database's machine where PostgreSQL replicates synchronously.
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
    database: Database,
    backend: Backend,
    feed: Arc<Feed>,
}

/// What there is of each kind of database while it is open.
enum Backend {
    #[cfg(feature = "sqlite")]
    Sqlite(sqlite::OpenFile),
    #[cfg(feature = "postgres")]
    Postgres(postgres::OpenServer),
}

impl Backend {
    /// As the conventions for traces call it.
    const fn system(&self) -> &'static str {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => "sqlite",
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => "postgresql",
        }
    }
}

impl SqlStore {
    /// Opens the database and brings it to this version's schema; a file is made if there is none.
    ///
    /// Runs inside a Tokio runtime with time enabled; the store's tasks live there.
    ///
    /// # Errors
    /// [`SqlError`], whose text says what to do; see [`SqlErrorKind`].
    pub async fn open(database: impl Into<Database>) -> Result<Self, SqlError> {
        let database = database.into();
        Migrations::run(database.clone()).await?;
        Self::open_current(database).await
    }

    /// Opens the database as it is, for those who migrate as a step of its own.
    ///
    /// # Errors
    /// As [`SqlStore::open`], and [`SqlErrorKind::SchemaOlder`] when a migration is due.
    pub async fn open_current(database: impl Into<Database>) -> Result<Self, SqlError> {
        let database = database.into();
        let opened = match &database {
            #[cfg(feature = "sqlite")]
            Database::File(path) => sqlite::OpenFile::start(path)
                .await
                .map(|(file, feed)| (Backend::Sqlite(file), feed)),
            #[cfg(feature = "postgres")]
            Database::Postgres(config) => postgres::OpenServer::start(config)
                .await
                .map(|(server, feed)| (Backend::Postgres(server), feed)),
        };
        let (backend, feed) = opened.map_err(|failure| failure.at(&database))?;
        Ok(Self {
            inner: Arc::new(Inner {
                database,
                backend,
                feed,
            }),
        })
    }

    /// Finishes the changes that wait and closes the database; a file's log is written back into it. Every later call
    /// answers [`SqlErrorKind::Closed`].
    pub async fn close(&self) {
        match &self.inner.backend {
            #[cfg(feature = "sqlite")]
            Backend::Sqlite(file) => file.close().await,
            #[cfg(feature = "postgres")]
            Backend::Postgres(server) => server.close().await,
        }
    }

    /// Where everything is kept.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.inner.database
    }

    /// Rises with every committed change of anything: this process's before it is acknowledged, another process's
    /// within 250 ms. It may rise without a change (when the database could not be asked), never the other way round.
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

    /// Wants to be the node that does what one does for all: forget what has expired, and rotate keys. From now on this
    /// store forgets nothing and replaces no key ring but while it leads; `holder` is 16 random octets. Returns when it is
    /// known whether it leads. A process with an SQLite file always does.
    pub async fn seek_leadership(&self, holder: [u8; 16]) {
        match &self.inner.backend {
            #[cfg(feature = "sqlite")]
            Backend::Sqlite(_) => {
                let _alone = holder;
            }
            #[cfg(feature = "postgres")]
            Backend::Postgres(server) => server.seek(holder).await,
        }
    }

    /// Whether this process leads, and each change of that. `None` where it need not: it does not want to, or has a file.
    #[must_use]
    pub fn leadership(&self) -> watch::Receiver<Option<Leadership>> {
        match &self.inner.backend {
            #[cfg(feature = "sqlite")]
            Backend::Sqlite(file) => file.leadership(),
            #[cfg(feature = "postgres")]
            Backend::Postgres(server) => server.leadership(),
        }
    }

    /// Whether the database is heard of, so that requests can be answered from it, and each change of that.
    #[must_use]
    pub fn hears(&self) -> watch::Receiver<bool> {
        match &self.inner.backend {
            #[cfg(feature = "sqlite")]
            Backend::Sqlite(file) => file.hears(),
            #[cfg(feature = "postgres")]
            Backend::Postgres(server) => server.hears(),
        }
    }

    /// Whether what one process does for all may be begun here.
    fn may_lead(&self) -> bool {
        match &self.inner.backend {
            #[cfg(feature = "sqlite")]
            Backend::Sqlite(_) => true,
            #[cfg(feature = "postgres")]
            Backend::Postgres(server) => server.may_lead(),
        }
    }

    /// The schema's version and what is pending (nothing, in an open store).
    ///
    /// # Errors
    /// [`SqlError`] when the database cannot be read.
    pub async fn status(&self) -> Result<MigrationStatus, SqlError> {
        Migrations::status(self.inner.database.clone()).await
    }

    /// Reads the whole database and checks it: structure, indexes and references. Takes about a second for 100 MiB.
    /// Of PostgreSQL, which checks pages as it reads them, references alone are looked at.
    ///
    /// # Errors
    /// [`SqlErrorKind::Corrupt`] with the first finding, or why the database could not be read.
    pub async fn check_integrity(&self) -> Result<(), SqlError> {
        let checked = match &self.inner.backend {
            #[cfg(feature = "sqlite")]
            Backend::Sqlite(file) => file.check_integrity().await,
            #[cfg(feature = "postgres")]
            Backend::Postgres(server) => server.check_integrity().await,
        };
        checked.map_err(|failure| self.failed(failure))
    }

    /// Makes a change and waits until it is committed, or was refused.
    async fn write<T: Transaction>(&self, change: T) -> Result<T::Answer, SqlError> {
        let span = spans::change::<T>(self.inner.backend.system());
        let made = async {
            match &self.inner.backend {
                #[cfg(feature = "sqlite")]
                Backend::Sqlite(file) => file.write(change).await,
                #[cfg(feature = "postgres")]
                Backend::Postgres(server) => server.write(change).await,
            }
        };
        let made = made.instrument(span.clone()).await;
        spans::ended(&span, made.is_ok());
        made.map_err(|failure| self.failed(failure))
    }

    fn failed(&self, failure: impl Into<Failure>) -> SqlError {
        failure.into().at(&self.inner.database)
    }
}

impl fmt::Debug for SqlStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlStore")
            .field("database", &self.inner.database)
            .finish_non_exhaustive()
    }
}
