//! What can be wrong with the file, and what to do about it.

use std::{
    error::Error,
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::migrations::LATEST;

/// Why the database did not do its work. The text names the file and says what to do.
#[derive(Debug)]
pub struct SqlError {
    kind: SqlErrorKind,
    path: PathBuf,
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
    /// Anything else: the source says what.
    Other,
}

impl SqlError {
    /// What is wrong.
    #[must_use]
    pub const fn kind(&self) -> SqlErrorKind {
        self.kind
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match self.kind {
            SqlErrorKind::Permission => write!(
                f,
                "{path}: no permission: the file and its folder must be readable and writable by the user that runs \
                 this program"
            ),
            SqlErrorKind::NoFolder => write!(
                f,
                "{path}: its folder does not exist: make it, or correct the path"
            ),
            SqlErrorKind::NoFile => write!(
                f,
                "{path}: there is no such file: correct the path, or migrate to make it"
            ),
            SqlErrorKind::Full => {
                write!(
                    f,
                    "{path}: the disk is full: free space; nothing that was acknowledged is lost"
                )
            }
            SqlErrorKind::Busy => write!(
                f,
                "{path}: another process has held the database locked for 5 s: end what works on it, then try again"
            ),
            SqlErrorKind::Corrupt => {
                write!(
                    f,
                    "{path}: the database is damaged: stop the server and restore the file from a backup"
                )
            }
            SqlErrorKind::NotADatabase => {
                write!(
                    f,
                    "{path}: the file is not an SQLite database: correct the path, or move the file away"
                )
            }
            SqlErrorKind::NotOurs => write!(
                f,
                "{path}: the database belongs to another program: give a path of its own to this one"
            ),
            SqlErrorKind::SchemaNewer { found } => write!(
                f,
                "{path}: the database has schema version {found}, this program knows up to {LATEST}: run the newer \
                 program, or restore the backup from before its migration"
            ),
            SqlErrorKind::SchemaOlder { found } => write!(
                f,
                "{path}: the database has schema version {found}, this program needs {LATEST}: make a backup, then \
                 run `sealstoned db migrate`"
            ),
            SqlErrorKind::Device => {
                write!(
                    f,
                    "{path}: reading or writing failed: look at the system's log for the device or file system"
                )
            }
            SqlErrorKind::Closed => write!(f, "{path}: the store is closed: the program is ending"),
            SqlErrorKind::Other => write!(f, "{path}: the database failed"),
        }
    }
}

impl Error for SqlError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.origin()
    }
}

/// A failure before it is told which file it is about.
#[derive(Debug)]
pub(super) enum Failure {
    Sql(sqlx::Error),
    Io(io::Error),
    /// A failure of a whole group of changes.
    Shared(Arc<Self>),
    /// A finding of ours, with its detail.
    Found(SqlErrorKind, String),
    Closed,
}

impl Failure {
    pub(super) fn at(self, path: &Path) -> SqlError {
        SqlError {
            kind: self.kind(),
            path: path.to_owned(),
            source: self,
        }
    }

    pub(super) fn kind(&self) -> SqlErrorKind {
        match self {
            Self::Sql(error) => of_sql(error),
            Self::Io(error) => of_io(error),
            Self::Shared(failure) => failure.kind(),
            Self::Found(kind, _) => *kind,
            Self::Closed => SqlErrorKind::Closed,
        }
    }

    fn origin(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Sql(error) => Some(error),
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

/// By SQLite's primary result code, the low byte of the extended one (<https://sqlite.org/rescode.html>).
fn of_sql(error: &sqlx::Error) -> SqlErrorKind {
    if let sqlx::Error::Io(error) = error {
        return of_io(error);
    }
    if matches!(error, sqlx::Error::PoolTimedOut) {
        return SqlErrorKind::Busy;
    }
    if matches!(error, sqlx::Error::PoolClosed) {
        return SqlErrorKind::Closed;
    }
    let code = error
        .as_database_error()
        .and_then(|error| error.code()?.parse::<u32>().ok());
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
