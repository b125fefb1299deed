//! The schema's versions. SQLite's `user_version` holds the file's; each migration sets it in its own transaction.

use std::{fs, io, path::Path, time::Duration};

use sqlx::{ConnectOptions, Connection, Executor, Row, SqliteConnection, sqlite::SqliteConnectOptions};

use super::{BUSY_TIMEOUT, file, options};
use crate::sql::{
    Migration, MigrationStatus,
    error::{Failure, SqlErrorKind},
    migrations::status_of,
};

/// Between two attempts to switch the file to a write-ahead log.
const PAUSE: Duration = Duration::from_millis(10);

/// The version that this program reads and writes.
pub(in crate::sql) const LATEST: u32 = 6;
/// "SEAL", in `application_id`.
const APPLICATION_ID: i64 = 0x5345_414c;

pub(super) const ALL: [Migration; 6] = [
    Migration {
        version: 1,
        name: "domains, clients, key rings, revoked tokens",
        sql: include_str!("../../../migrations/sqlite/0001_registry_and_keys.sql"),
    },
    Migration {
        version: 2,
        name: "used client assertions",
        sql: include_str!("../../../migrations/sqlite/0002_used_assertions.sql"),
    },
    Migration {
        version: 3,
        name: "people: codes, refresh tokens, device requests, consents, sessions, factors, directory",
        sql: include_str!("../../../migrations/sqlite/0003_people.sql"),
    },
    Migration {
        version: 4,
        name: "clients that ended, initial and registration access tokens",
        sql: include_str!("../../../migrations/sqlite/0004_registration.sql"),
    },
    Migration {
        version: 5,
        name: "changes of keys that wait for a second administrator",
        sql: include_str!("../../../migrations/sqlite/0005_key_requests.sql"),
    },
    Migration {
        version: 6,
        name: "ends of clients, by version",
        sql: include_str!("../../../migrations/sqlite/0006_ends_of_clients.sql"),
    },
];

/// Where the file stands. Changes nothing, and makes no file.
pub(in crate::sql) async fn status(path: &Path) -> Result<MigrationStatus, Failure> {
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(status_of(0, &ALL)),
        Err(error) => return Err(Failure::Io(error)),
        Ok(found) if !found.is_file() => return Err(file::not_a_file()),
        Ok(_) => {}
    }
    let mut connection = plain(path).connect().await?;
    let version = version(&mut connection).await?;
    connection.close().await?;
    Ok(status_of(version, &ALL))
}

/// Makes the file if there is none and runs what is pending. Returns the status from before.
pub(in crate::sql) async fn run(path: &Path) -> Result<MigrationStatus, Failure> {
    file::make(path)?;
    file::restrict(path)?;
    let mut connection = plain(path).connect().await?;
    // Before the file is changed to a write-ahead log: it may be somebody else's.
    version(&mut connection).await?;
    connection.close().await?;
    let mut connection = options(path).connect().await?;
    use_log(&mut connection).await?;
    connection.execute("BEGIN IMMEDIATE").await?;
    let before = status_of(version(&mut connection).await?, &ALL);
    for migration in &before.pending {
        sqlx::raw_sql(migration.sql).execute(&mut connection).await?;
    }
    connection.execute("COMMIT").await?;
    connection.close().await?;
    Ok(before)
}

/// Opens a file without changing anything about it.
fn plain(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .busy_timeout(BUSY_TIMEOUT)
        .disable_statement_logging()
}

/// The file's schema version, if the file is ours or empty and not of a later program.
async fn version(connection: &mut SqliteConnection) -> Result<u32, Failure> {
    let row = connection
        .fetch_one(
            "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema)
             FROM pragma_application_id, pragma_user_version",
        )
        .await?;
    let (application, version, objects): (i64, i64, i64) =
        (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    if application == 0 && version == 0 && objects == 0 {
        return Ok(0);
    }
    let not_ours = |_| Failure::Found(SqlErrorKind::NotOurs, format!("user_version {version}"));
    let version = u32::try_from(version).map_err(not_ours)?;
    if application != APPLICATION_ID || version == 0 {
        return Err(Failure::Found(
            SqlErrorKind::NotOurs,
            format!("application_id {application}"),
        ));
    }
    if version > LATEST {
        return Err(Failure::Found(
            SqlErrorKind::SchemaNewer { found: version },
            String::new(),
        ));
    }
    Ok(version)
}

/// Switches the file to a write-ahead log, if it does not use one: once, and for all its connections.
///
/// SQLite answers "busy" at once, without its usual patience, when another process is doing the same.
pub(super) async fn use_log(connection: &mut SqliteConnection) -> Result<(), Failure> {
    let mut patience = BUSY_TIMEOUT;
    loop {
        let mode: String = connection.fetch_one("PRAGMA journal_mode").await?.try_get(0)?;
        if mode == "wal" {
            return Ok(());
        }
        let failure = match connection.fetch_one("PRAGMA journal_mode = wal").await {
            // What it says is looked at above; a file system without shared memory stays at "delete".
            Ok(row) if row.try_get::<&str, _>(0)? == "wal" => return Ok(()),
            Ok(_) => {
                let detail = "the file system cannot hold a write-ahead log: use a local disk".to_owned();
                return Err(Failure::Found(SqlErrorKind::Device, detail));
            }
            Err(error) => Failure::Sql(error),
        };
        patience = patience.saturating_sub(PAUSE);
        if failure.kind() != SqlErrorKind::Busy || patience.is_zero() {
            return Err(failure);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Refuses a file that a migration must change first.
pub(super) async fn require_current(connection: &mut SqliteConnection) -> Result<(), Failure> {
    match version(connection).await? {
        LATEST => Ok(()),
        found => Err(Failure::Found(SqlErrorKind::SchemaOlder { found }, String::new())),
    }
}
