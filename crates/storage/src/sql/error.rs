//! What can be wrong with the database, and what to do about it.

mod text;

use std::{error::Error, fmt, io, sync::Arc};

#[cfg(feature = "postgres")]
pub(super) use self::text::of_server;
use super::Database;

/// Why the database did not do its work. The text names the database and says what to do.
#[derive(Debug)]
pub struct SqlError {
    kind: SqlErrorKind,
    database: Box<Database>,
    source: Failure,
}

/// What is wrong, to decide on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SqlErrorKind {
    /// The file or its folder may not be read or written by this user.
    Permission,
    /// The folder of the file does not exist.
    NoFolder,
    /// The file does not exist, and was not to be made.
    NoFile,
    /// The disk is full, or a quota is used up.
    Full,
    /// Another process has held the file locked for 5 seconds.
    Busy,
    /// The file is an SQLite database, and damaged.
    Corrupt,
    /// The file is no SQLite database.
    NotADatabase,
    /// The file is an SQLite database of another program.
    NotOurs,
    /// The schema is of a later version of this program.
    SchemaNewer {
        /// The file's version.
        found: u32,
    },
    /// The schema is of an earlier version; a migration is due.
    SchemaOlder {
        /// The file's version.
        found: u32,
    },
    /// The device failed.
    Device,
    /// The store was closed.
    Closed,
    /// The server does not answer, or the connection to it broke.
    Unreachable,
    /// The server answers and lets nobody in yet: it starts, recovers, or stops.
    NotReady,
    /// The server does not take the user name and password, or the certificate.
    Refused,
    /// The connection could not be encrypted as it must be.
    Tls,
    /// The server has no such database.
    NoDatabase,
    /// The server is a replica, or only lets read.
    ReadOnly,
    /// A statement took longer than it may.
    Slow,
    /// Others kept changing the same rows.
    Contended,
    /// This node does not lead any more: what only the leader may write was not written.
    NotLeading,
    /// This machine's clock and the database's differ by more than tokens forgive.
    Clock {
        /// How many seconds this machine's clock is ahead.
        ahead_s: i64,
    },
    /// Anything else: the source says what.
    Other,
}

impl SqlError {
    /// What is wrong.
    #[must_use]
    pub const fn kind(&self) -> SqlErrorKind {
        self.kind
    }

    /// The database.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.database
    }
}

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.database {
            #[cfg(feature = "sqlite")]
            Database::File(path) => write!(f, "{}: {}", path.display(), text::of_file(self.kind)),
            #[cfg(feature = "postgres")]
            Database::Postgres(config) => write!(f, "{config}: {}", of_server(self.kind)),
        }
    }
}

impl Error for SqlError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.origin()
    }
}

/// A failure before it is told which database it is about.
#[derive(Debug)]
pub(super) enum Failure {
    Sql(sqlx::Error),
    /// Of a PostgreSQL server.
    #[cfg(feature = "postgres")]
    Server(sqlx::Error),
    Io(io::Error),
    /// A failure of a whole group of changes.
    Shared(Arc<Self>),
    /// A finding of ours, with its detail.
    Found(SqlErrorKind, String),
    Closed,
}

impl Failure {
    pub(super) fn at(self, database: &Database) -> SqlError {
        SqlError {
            kind: self.kind(),
            database: Box::new(database.clone()),
            source: self,
        }
    }

    pub(super) fn kind(&self) -> SqlErrorKind {
        match self {
            Self::Sql(error) => of_sql(error),
            #[cfg(feature = "postgres")]
            Self::Server(error) => of_server_error(error),
            Self::Io(error) => of_io(error),
            Self::Shared(failure) => failure.kind(),
            Self::Found(kind, _) => *kind,
            Self::Closed => SqlErrorKind::Closed,
        }
    }

    /// Whether others changed the same at once, so that it may go better at the next try: a serialization failure, a
    /// deadlock, a key that another transaction wrote between a look and an insertion.
    #[cfg(feature = "postgres")]
    pub(super) fn is_conflict(&self) -> bool {
        let Self::Server(error) = self else { return false };
        let code = error.as_database_error().and_then(|error| error.code());
        matches!(code.as_deref(), Some("40001" | "40P01" | "23505"))
    }

    /// What is to be said beside the kind.
    pub(super) fn origin(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Sql(error) => Some(error),
            #[cfg(feature = "postgres")]
            Self::Server(error) => Some(error),
            Self::Io(error) => Some(error),
            Self::Shared(failure) => failure.as_ref().origin(),
            Self::Found(_, detail) if detail.is_empty() => None,
            Self::Found(..) => Some(self),
            Self::Closed => None,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sql(error) => error.fmt(f),
            #[cfg(feature = "postgres")]
            Self::Server(error) => error.fmt(f),
            Self::Io(error) => error.fmt(f),
            Self::Shared(failure) => failure.fmt(f),
            Self::Found(_, detail) => f.write_str(detail),
            Self::Closed => f.write_str("closed"),
        }
    }
}

impl Error for Failure {}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

const IO_KINDS: [(io::ErrorKind, SqlErrorKind); 7] = [
    (io::ErrorKind::PermissionDenied, SqlErrorKind::Permission),
    (io::ErrorKind::ReadOnlyFilesystem, SqlErrorKind::Permission),
    (io::ErrorKind::NotFound, SqlErrorKind::NoFolder),
    (io::ErrorKind::NotADirectory, SqlErrorKind::NoFolder),
    (io::ErrorKind::StorageFull, SqlErrorKind::Full),
    (io::ErrorKind::QuotaExceeded, SqlErrorKind::Full),
    (io::ErrorKind::IsADirectory, SqlErrorKind::NotADatabase),
];

fn of_io(error: &io::Error) -> SqlErrorKind {
    let known = IO_KINDS.iter().find(|(kind, _)| *kind == error.kind());
    known.map_or(SqlErrorKind::Device, |(_, kind)| *kind)
}

#[expect(clippy::wildcard_enum_match_arm, reason = "of many, these say something")]
fn of_sql(error: &sqlx::Error) -> SqlErrorKind {
    match error {
        sqlx::Error::Io(error) => return of_io(error),
        sqlx::Error::PoolTimedOut => return SqlErrorKind::Busy,
        sqlx::Error::PoolClosed => return SqlErrorKind::Closed,
        _ => {}
    }
    let code = error.as_database_error().and_then(|error| error.code());
    of_result_code(code.and_then(|code| code.parse().ok()))
}

#[cfg(feature = "postgres")]
#[expect(clippy::wildcard_enum_match_arm, reason = "of many, these say something")]
fn of_server_error(error: &sqlx::Error) -> SqlErrorKind {
    match error {
        sqlx::Error::Tls(_) | sqlx::Error::Configuration(_) => SqlErrorKind::Tls,
        // What rustls did not believe.
        sqlx::Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => SqlErrorKind::Tls,
        sqlx::Error::Database(error) => of_state(error.code().as_deref().unwrap_or_default()),
        sqlx::Error::Io(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => SqlErrorKind::Unreachable,
        _ => SqlErrorKind::Other,
    }
}

/// By SQLite's primary result code, the low byte of the extended one (<https://sqlite.org/rescode.html>).
fn of_result_code(code: Option<u32>) -> SqlErrorKind {
    match code.map(|code| code & 0xff) {
        Some(3 | 8 | 14 | 23) => SqlErrorKind::Permission,
        Some(5 | 6) => SqlErrorKind::Busy,
        Some(10) => SqlErrorKind::Device,
        Some(11) => SqlErrorKind::Corrupt,
        Some(13) => SqlErrorKind::Full,
        Some(26) => SqlErrorKind::NotADatabase,
        Some(_) | None => SqlErrorKind::Other,
    }
}

/// By SQLSTATE (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).
#[cfg(feature = "postgres")]
fn of_state(code: &str) -> SqlErrorKind {
    match code {
        "28000" | "28P01" => SqlErrorKind::Refused,
        "3D000" => SqlErrorKind::NoDatabase,
        "42501" => SqlErrorKind::Permission,
        "25006" => SqlErrorKind::ReadOnly,
        "40001" | "40P01" => SqlErrorKind::Contended,
        "53100" => SqlErrorKind::Full,
        "53000" | "53200" | "53300" | "53400" | "55P03" => SqlErrorKind::Busy,
        "57014" => SqlErrorKind::Slow,
        "57P01" | "57P02" | "57P03" => SqlErrorKind::NotReady,
        "58000" | "58030" => SqlErrorKind::Device,
        // A table, a column or a function that the schema's version promises.
        "42P01" | "42703" | "42883" | "42P07" | "XX001" | "XX002" => SqlErrorKind::Corrupt,
        _ if code.starts_with("08") => SqlErrorKind::Unreachable,
        _ => SqlErrorKind::Other,
    }
}
