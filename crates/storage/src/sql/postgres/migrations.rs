//! The schema's versions, in a table of one row; each migration sets them in its own transaction.

use super::{PostgresConfig, connector::Connector};
use crate::sql::{
    Migration, MigrationStatus,
    connection::{Connection, statement},
    error::{Failure, SqlErrorKind},
    migrations::status_of,
};

/// The version that this program reads and writes.
pub(in crate::sql) const LATEST: u32 = 6;

pub(in crate::sql) const ALL: [Migration; 6] = [
    Migration {
        version: 1,
        name: "all that SQLite has: registry, keys, revocations, what people granted, directory",
        sql: include_str!("../../../migrations/postgres/0001_all.sql"),
    },
    Migration {
        version: 2,
        name: "several nodes: the leader's lease, logins under way",
        sql: include_str!("../../../migrations/postgres/0002_several_nodes.sql"),
    },
    Migration {
        version: 3,
        name: "clients that ended, initial and registration access tokens",
        sql: include_str!("../../../migrations/postgres/0003_registration.sql"),
    },
    Migration {
        version: 4,
        name: "changes of keys that wait for a second administrator",
        sql: include_str!("../../../migrations/postgres/0004_key_requests.sql"),
    },
    Migration {
        version: 5,
        name: "ends of clients, by version",
        sql: include_str!("../../../migrations/postgres/0005_ends_of_clients.sql"),
    },
    Migration {
        version: 6,
        name: "logins under way, by whose they are",
        sql: include_str!("../../../migrations/postgres/0006_logins_of_people.sql"),
    },
];

/// Where the database stands. Changes nothing.
pub(in crate::sql) async fn status(config: &PostgresConfig) -> Result<MigrationStatus, Failure> {
    let mut connection = Connector::new(config.clone()).connect().await?;
    let version = version(&mut connection).await?;
    connection.close().await?;
    Ok(status_of(version, &ALL))
}

/// Runs what is pending, one node at a time. Returns the status from before.
pub(in crate::sql) async fn run(config: &PostgresConfig) -> Result<MigrationStatus, Failure> {
    let mut connection = Connector::new(config.clone()).connect().await?;
    let before = status_of(version(&mut connection).await?, &ALL);
    if before.pending.is_empty() {
        connection.close().await?;
        return Ok(before);
    }
    // Indexes of a large database take their time, and the other nodes wait for it here.
    connection.command("SET statement_timeout = 0").await?;
    connection.command("SET lock_timeout = '10min'").await?;
    connection.command("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
    connection
        .command("SELECT pg_advisory_xact_lock(1397047628)")
        .await?;
    let before = status_of(version(&mut connection).await?, &ALL);
    for migration in &before.pending {
        connection.command(migration.sql).await?;
        let query = statement("UPDATE sealstone_schema SET version = $1 WHERE id = 1");
        query
            .bind(i64::from(migration.version))
            .execute(&mut connection)
            .await?;
    }
    connection.command("COMMIT").await?;
    connection.close().await?;
    Ok(before)
}

/// The database's schema version, if the database is ours or empty, and this program can work with it.
async fn version(connection: &mut Connection) -> Result<u32, Failure> {
    let row = statement(
        "SELECT (to_regclass('sealstone_schema') IS NOT NULL)::integer::bigint,
                (SELECT count(*) FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
                 WHERE nspname = current_schema() AND relkind IN ('r', 'p', 'v', 'm'))",
    );
    let row = row.fetch_one(connection).await?;
    let (is_ours, objects): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
    if is_ours == 0 && objects == 0 {
        return Ok(0);
    }
    let not_ours = |why: &str| Failure::Found(SqlErrorKind::NotOurs, why.to_owned());
    if is_ours == 0 {
        return Err(not_ours(
            "it has tables, and none that tells the schema's version",
        ));
    }
    let row = statement("SELECT version::bigint, oldest::bigint FROM sealstone_schema WHERE id = 1");
    let row = row.fetch_optional(connection).await?;
    let row = row.ok_or_else(|| not_ours("nothing tells the schema's version"))?;
    let number = |index: usize| -> Result<u32, Failure> {
        u32::try_from(row.try_get::<i64>(index)?).map_err(|_| not_ours("no version of a schema"))
    };
    let (version, oldest) = (number(0)?, number(1)?);
    if version == 0 || oldest > version {
        return Err(not_ours("no version of a schema"));
    }
    if oldest > LATEST {
        return Err(Failure::Found(
            SqlErrorKind::SchemaNewer { found: version },
            String::new(),
        ));
    }
    Ok(version)
}

/// Refuses a database that a migration must change first. A later one that only added something is worked with.
pub(super) async fn require_current(connection: &mut Connection) -> Result<(), Failure> {
    match version(connection).await? {
        found if found >= LATEST => Ok(()),
        found => Err(Failure::Found(SqlErrorKind::SchemaOlder { found }, String::new())),
    }
}
