//! Copies of the file, made while it is used, and put back in one step.

use std::{
    ffi::OsString,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use sqlx::{ConnectOptions, Connection, Executor, Row, sqlite::SqliteConnectOptions};

use super::{file, migrations, options};
use crate::sql::{
    MigrationStatus,
    error::{Failure, SqlErrorKind},
};

/// Whoever has the file open keeps it open: to wait for longer does not help.
const PATIENCE: Duration = Duration::from_secs(1);

/// Writes a copy of the database as it is at one moment. Who writes to the database meanwhile does not wait.
///
/// The copy is made under another name and renamed: under `to` there is a whole one, or what was there before.
pub(in crate::sql) async fn make(path: &Path, to: &Path) -> Result<MigrationStatus, Failure> {
    let status = migrations::status(path).await?;
    let partial = beside(to, ".partial");
    remove(&partial)?;
    file::make(&partial)?;
    let mut connection = options(path).connect().await?;
    let name = partial.to_str().ok_or_else(not_text)?;
    sqlx::query("VACUUM INTO ?1")
        .bind(name)
        .execute(&mut connection)
        .await?;
    connection.close().await?;
    verify(&partial).await?;
    settle(&partial, to)?;
    Ok(status)
}

/// Puts a copy in the database's place, if it is whole and nobody has the database open. What was there stays beside it
/// under `.before-restore`.
pub(in crate::sql) async fn put_back(copy: &Path, path: &Path) -> Result<MigrationStatus, NotPutBack> {
    // A file that is not there would be made.
    let found = fs::metadata(copy).map_err(|error| NotPutBack::Copy(error.into()))?;
    let status = migrations::status(copy).await.map_err(NotPutBack::Copy)?;
    if status.version == 0 || !found.is_file() {
        return Err(NotPutBack::Copy(Failure::Found(
            SqlErrorKind::NotOurs,
            "there is nothing in it".to_owned(),
        )));
    }
    let new = beside(path, ".restoring");
    remove(&new)?;
    file::make(&new)?;
    fs::copy(copy, &new)?;
    file::restrict(&new)?;
    verify(&new).await.map_err(NotPutBack::Copy)?;
    if path.exists() {
        alone(path).await?;
        let before = beside(path, ".before-restore");
        remove(&before)?;
        fs::hard_link(path, &before)?;
    }
    settle(&new, path)?;
    Ok(status)
}

/// Which file is to blame: an operator must not take the database for damaged because a copy is.
#[derive(Debug)]
pub(in crate::sql) enum NotPutBack {
    Copy(Failure),
    Database(Failure),
}

impl<E: Into<Failure>> From<E> for NotPutBack {
    fn from(error: E) -> Self {
        Self::Database(error.into())
    }
}

/// Takes the database for oneself, so that its log can be written back and removed. A log that stayed would be taken for
/// that of the next file.
async fn alone(path: &Path) -> Result<(), Failure> {
    let own = options(path)
        .busy_timeout(PATIENCE)
        .pragma("locking_mode", "EXCLUSIVE");
    let taken = async {
        let mut connection = own.connect().await?;
        connection.execute("BEGIN EXCLUSIVE").await?;
        connection.execute("COMMIT").await?;
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").await?;
        connection.execute("PRAGMA journal_mode = DELETE").await?;
        connection.close().await?;
        Ok::<(), Failure>(())
    };
    match taken.await {
        Ok(()) => {}
        Err(failure) if failure.kind() == SqlErrorKind::Busy => return Err(failure),
        // Damaged, or no database at all: nobody serves from it. Its log goes where it goes.
        Err(_damaged) => {}
    }
    for ending in ["-wal", "-shm"] {
        let log = beside(path, ending);
        if log.exists() {
            fs::rename(&log, beside(path, &format!(".before-restore{ending}")))?;
        }
    }
    Ok(())
}

/// Reads the whole copy.
async fn verify(path: &Path) -> Result<(), Failure> {
    let plain = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .disable_statement_logging();
    let mut connection = plain.connect().await?;
    let row = connection.fetch_one("PRAGMA integrity_check(1)").await?;
    let finding: String = row.try_get(0)?;
    connection.close().await?;
    if finding == "ok" {
        Ok(())
    } else {
        Err(Failure::Found(SqlErrorKind::Corrupt, finding))
    }
}

/// Durable first, then in its place.
fn settle(new: &Path, path: &Path) -> Result<(), Failure> {
    File::open(new)?.sync_all()?;
    fs::rename(new, path)?;
    file::sync_folder(path)?;
    Ok(())
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn not_text() -> Failure {
    Failure::Io(io::Error::new(
        io::ErrorKind::InvalidInput,
        "the name of a copy must be text",
    ))
}
