//! The schema's steps, of each kind of database.

#[cfg(feature = "postgres")]
use super::postgres;
#[cfg(feature = "sqlite")]
use super::sqlite;
use super::{Database, SqlError};

/// One step of the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Migration {
    /// The version that it brings the schema to.
    pub version: u32,
    /// What it adds.
    pub name: &'static str,
    pub(super) sql: &'static str,
}

/// Where a database stands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MigrationStatus {
    /// The database's schema version; 0 for one that is empty, or a file that does not exist.
    pub version: u32,
    /// The version that this program works with.
    pub latest: u32,
    /// The steps between them, in order. None, too, for a later version that this program can work with.
    pub pending: Vec<Migration>,
}

/// The schema's steps, embedded in the program. SQLite and PostgreSQL have their own, counted apart.
#[derive(Debug, Clone, Copy)]
pub struct Migrations;

impl Migrations {
    /// Where the database stands. Changes nothing, and makes no file.
    ///
    /// # Errors
    /// [`SchemaNewer`](super::SqlErrorKind::SchemaNewer) for a database of a later program that this one cannot work
    /// with; [`NotOurs`](super::SqlErrorKind::NotOurs) and [`NotADatabase`](super::SqlErrorKind::NotADatabase) for
    /// something else; or why it could not be read.
    pub async fn status(database: impl Into<Database>) -> Result<MigrationStatus, SqlError> {
        let database = database.into();
        let status = match &database {
            #[cfg(feature = "sqlite")]
            Database::File(path) => sqlite::migrations::status(path).await,
            #[cfg(feature = "postgres")]
            Database::Postgres(config) => postgres::migrations::status(config).await,
        };
        status.map_err(|failure| failure.at(&database))
    }

    /// Runs what is pending, in one transaction: after a failure, or `kill -9`, the database is as it was before. Two
    /// processes may run this at once; one of them finds nothing to do. A file is made if there is none.
    ///
    /// Returns the status from before.
    ///
    /// # Errors
    /// As [`Migrations::status`], or why the database could not be written.
    pub async fn run(database: impl Into<Database>) -> Result<MigrationStatus, SqlError> {
        let database = database.into();
        let before = match &database {
            #[cfg(feature = "sqlite")]
            Database::File(path) => sqlite::migrations::run(path).await,
            #[cfg(feature = "postgres")]
            Database::Postgres(config) => postgres::migrations::run(config).await,
        };
        before.map_err(|failure| failure.at(&database))
    }
}

/// The status of a database at this version, where the steps are these.
pub(super) fn status_of(version: u32, all: &[Migration]) -> MigrationStatus {
    let pending = all.iter().filter(|migration| migration.version > version);
    MigrationStatus {
        version,
        latest: all.last().map_or(0, |migration| migration.version),
        pending: pending.copied().collect(),
    }
}
