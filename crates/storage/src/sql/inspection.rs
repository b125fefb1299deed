//! What a database is like, for who looks after it.

#[cfg(feature = "postgres")]
use std::time::Duration;

#[cfg(feature = "postgres")]
use rustls_pki_types::UnixTime;

#[cfg(feature = "sqlite")]
use super::MigrationStatus;
#[cfg(feature = "sqlite")]
use super::sqlite::{self, backup::NotPutBack};
use super::{Database, SqlError};
#[cfg(feature = "postgres")]
use super::{error::Failure, postgres};
#[cfg(feature = "sqlite")]
use std::path::Path;

/// What was found about a database. Nothing is changed by looking.
///
/// # Examples
/// ```
/// # use sealstone_storage::{Database, Inspection, Migrations};
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("sealstone.db");
/// # Migrations::run(&path).await?;
/// let found = Database::from(&path).inspect().await?;
/// assert!(matches!(found, Inspection::File));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Inspection {
    /// An SQLite file that a change can be begun in.
    #[cfg(feature = "sqlite")]
    File,
    /// A PostgreSQL server.
    #[cfg(feature = "postgres")]
    Server(ServerFacts),
}

/// What a PostgreSQL server says of itself.
#[cfg(feature = "postgres")]
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerFacts {
    /// Its version as a number: 150004 is 15.4.
    pub version: u32,
    /// Whether this connection is encrypted.
    pub encrypted: bool,
    /// Its clock.
    pub now: UnixTime,
    /// Whether what it has committed survives a loss of power (`fsync`, `full_page_writes`).
    pub durable: bool,
    /// Connections that it takes, and those in use.
    pub connections: u32,
    /// Connections in use now, this one among them.
    pub connections_in_use: u32,
}

impl Database {
    /// Looks at the database as the server would use it: a file must take a change, a server must be the one that takes
    /// changes.
    ///
    /// # Errors
    /// [`SqlError`], whose text says what to do; see [`SqlErrorKind`](super::SqlErrorKind).
    pub async fn inspect(&self) -> Result<Inspection, SqlError> {
        let found = match self {
            #[cfg(feature = "sqlite")]
            Self::File(path) => sqlite::inspection::look(path).await.map(|()| Inspection::File),
            #[cfg(feature = "postgres")]
            Self::Postgres(config) => server(config).await.map(Inspection::Server),
        };
        found.map_err(|failure| failure.at(self))
    }
}

#[cfg(feature = "sqlite")]
impl Database {
    /// Writes a copy of a file's database as it is at one moment, while servers use it: none of them waits. The copy is
    /// whole under its name, or not there; its mode is 0600.
    ///
    /// # Errors
    /// [`SqlError`] of the database, or of the copy; [`SqlErrorKind::Other`](super::SqlErrorKind::Other) for a server,
    /// whose own tools (`pg_dump`) make its copies.
    pub async fn back_up(&self, to: &Path) -> Result<MigrationStatus, SqlError> {
        let made = match self {
            Self::File(path) => sqlite::backup::make(path, to).await,
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => Err(not_a_file()),
        };
        made.map_err(|failure| failure.at(self))
    }

    /// Puts a copy in the place of a file's database: whole, in one step. What was there stays beside it, under
    /// `.before-restore`. `kill -9` at any moment leaves the one or the other.
    ///
    /// # Errors
    /// [`SqlError`], which names the copy, if that is not a whole database of this program; [`SqlErrorKind::Busy`](super::SqlErrorKind::Busy)
    /// while anybody has the database open; as [`back_up`](Self::back_up) for a server.
    pub async fn restore(&self, copy: &Path) -> Result<MigrationStatus, SqlError> {
        match self {
            Self::File(path) => sqlite::backup::put_back(copy, path)
                .await
                .map_err(|not| match not {
                    NotPutBack::Copy(failure) => failure.at(&Self::from(copy)),
                    NotPutBack::Database(failure) => failure.at(self),
                }),
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => Err(not_a_file().at(self)),
        }
    }
}

#[cfg(all(feature = "sqlite", feature = "postgres"))]
fn not_a_file() -> Failure {
    Failure::Found(
        super::SqlErrorKind::Other,
        "the server's own tools make its copies: pg_dump, pg_restore".to_owned(),
    )
}

#[cfg(feature = "postgres")]
async fn server(config: &postgres::PostgresConfig) -> Result<ServerFacts, Failure> {
    use super::connection::statement;
    let mut connection = postgres::connect(config).await?;
    let row = statement(
        "SELECT current_setting('server_version_num')::bigint,
                coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false)::integer::bigint,
                floor(extract(epoch FROM clock_timestamp()))::bigint,
                (current_setting('fsync')::boolean AND current_setting('full_page_writes')::boolean)::integer::bigint,
                current_setting('max_connections')::bigint,
                (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')",
    );
    let row = row.fetch_one(&mut connection).await?;
    let number = |index: usize| -> Result<i64, Failure> { Ok(row.try_get::<i64>(index)?) };
    let small = |index: usize| -> Result<u32, Failure> { Ok(u32::try_from(number(index)?).unwrap_or(0)) };
    let now = u64::try_from(number(2)?).unwrap_or(0);
    let facts = ServerFacts {
        version: small(0)?,
        encrypted: number(1)? == 1,
        now: UnixTime::since_unix_epoch(Duration::from_secs(now)),
        durable: number(3)? == 1,
        connections: small(4)?,
        connections_in_use: small(5)?,
    };
    connection.close().await?;
    Ok(facts)
}
