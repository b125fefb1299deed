//! How PostgreSQL finds the rows of each statement, when the tables are large and it knows that.

use std::{collections::BTreeSet, path::PathBuf};

use sealstone_storage::Migrations;
use sealstone_testkit::PostgresCluster;
use sqlx::{Connection as _, PgConnection, Row as _};

use super::{cluster, config};

/// Tables that don't grow.
const SMALL: [&str; 4] = ["sealstone_schema", "change_counts", "kept_rows", "leases"];

/// Statements that may read a whole table or index, or sort, and why.
const WHOLE: [(&str, &str); 8] = [
    (
        "FROM key_requests WHERE confirmed_by IS NULL",
        "those that wait for a second administrator: a few",
    ),
    (
        "DELETE FROM codes WHERE record::json",
        "codes live for a minute; when a client ends",
    ),
    (
        "(SELECT count(*) FROM initial_tokens WHERE domain_id",
        "counts a domain's, which are kept from being more than a few hundred",
    ),
    ("SELECT domain_id FROM key_rings", "all domains are asked for"),
    (
        "SELECT token_id, expires_at FROM revoked_tokens",
        "all of a domain are asked for",
    ),
    (
        "FROM ended_clients WHERE domain_id = $1 AND forget_at >",
        "all of a domain are asked for",
    ),
    (
        "SELECT domain_id FROM clients WHERE NOT EXISTS",
        "`db check` looks at everything",
    ),
    (
        "FROM pg_",
        "the server's own tables, when a node starts or somebody asks how it is",
    ),
];

/// Rows of each table that grows.
const ROWS: u32 = 20_000;
/// A purge takes 1,000 rows at a time, of so few that the server would rather read them all: for it, reading pages in their
/// order costs so much more, as in a table of 400,000 rows, which would take the test a minute to make.
const LARGER: u32 = 20;
/// Sorting so many rows is nothing.
const FEW: u64 = 1_000;

/// Every table that grows, full: `{domain}` is the domain of row `i`.
const FILL: &str = "
INSERT INTO domains (id, record) SELECT 'd' || i, '{}' FROM generate_series(0, 999) AS i;
INSERT INTO key_rings SELECT 'd' || i, 1, repeat('r', 900) FROM generate_series(0, 999) AS i;
INSERT INTO clients (client_id, domain_id, version, record) SELECT 'c' || i, {domain}, 1, repeat('r', 200) FROM rows;
INSERT INTO revoked_tokens (domain_id, token_id, expires_at) SELECT {domain}, 't' || i, i FROM rows;
INSERT INTO used_assertions (client_id, assertion_id, forget_at) SELECT 'c' || i / 10, 'a' || i, i FROM rows;
INSERT INTO users (id, domain_id, name_key, version, record) SELECT 'u' || i, {domain}, 'n' || i, 1, repeat('r', 200) FROM rows;
INSERT INTO codes (hash, forget_at, record) SELECT sha256(i::text::bytea), i, json_build_object('grant', '{}'::json) FROM rows;
INSERT INTO refresh_families (id, domain_id, user_id, client_id, sid, generation, created_at, expires_at, record)
    SELECT sha256(i::text::bytea), {domain}, 'u' || i / 4, 'c' || i / 40, 's' || i, 1, i, i, repeat('r', 200) FROM rows;
INSERT INTO device_requests (hash, domain_id, client_id, user_code, expires_at, record)
    SELECT sha256(i::text::bytea), {domain}, 'c' || i / 40, 'u' || i, i, repeat('r', 200) FROM rows;
INSERT INTO consents (domain_id, user_id, client_id, record) SELECT {domain}, 'u' || i / 4, 'c' || i, 'r' FROM rows;
INSERT INTO logout_notices (id, due_at, record) SELECT 'n' || i, i, repeat('r', 200) FROM rows;
INSERT INTO sessions (id, domain_id, sid, user_id, version, expires_at, record)
    SELECT sha256(i::text::bytea), {domain}, 's' || i, 'u' || i / 4, 1, i, repeat('r', 200) FROM rows;
INSERT INTO user_factors (domain_id, user_id, version, record) SELECT {domain}, 'u' || i, 1, 'r' FROM rows;
INSERT INTO login_throttles (hash, forget_at, record) SELECT sha256(i::text::bytea), i, 'r' FROM rows;
INSERT INTO interactions (id, domain_id, is_stranger, created_at, expires_at, version, record, person)
    SELECT sha256(i::text::bytea), {domain}, i % 2 = 0, i, i, 1, repeat('r', 200),
        CASE WHEN i % 2 = 1 THEN 'u' || i / 4 END FROM rows;
INSERT INTO interaction_counts (domain_id, kept) SELECT 'd' || i, 1 FROM rows ON CONFLICT DO NOTHING;
INSERT INTO ended_clients (client_id, domain_id, until, forget_at) SELECT 'c' || i, {domain}, i, i FROM rows;
INSERT INTO initial_tokens (id, hash, domain_id, created_at, expires_at, uses_left)
    SELECT 'i' || i, sha256(i::text::bytea), {domain}, i, i, 1 FROM rows;
INSERT INTO registration_tokens (client_id, hash) SELECT 'c' || i, sha256(i::text::bytea) FROM rows;
INSERT INTO key_requests (id, domain_id, kid, requested_by, requested_at, expires_at, statement)
    SELECT 'k' || i, {domain}, 'k', 'a', i, i, repeat('r', 200) FROM rows;
";

/// The statements in the sources of the store, as PostgreSQL gets them.
fn statements() -> Vec<String> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src/sql"));
    let mut statements = Vec::new();
    for folder in [folder.join("postgres"), folder] {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "rs") || path.ends_with("sqlite.rs") {
                continue;
            }
            let source = std::fs::read_to_string(&path).unwrap();
            let mut before = "";
            for literal in source.split('"') {
                let is_statement = ["SELECT ", "INSERT ", "UPDATE ", "DELETE "]
                    .iter()
                    .any(|word| literal.starts_with(word));
                // Of two that mean the same, the first is SQLite's.
                if is_statement && !before.trim_end().ends_with("either(") {
                    statements.push(literal.to_owned());
                }
                before = literal;
            }
        }
    }
    statements
}

/// A new database with full tables, whose rows are of many domains, or all of one.
async fn full(cluster: &PostgresCluster, domain: &str) -> PgConnection {
    let url = cluster.database();
    Migrations::run(config(&url)).await.unwrap();
    let rows = format!("generate_series(1, {ROWS}) AS i");
    let fill = FILL.replace("FROM rows", &format!("FROM {rows}"));
    let fill = fill.replace("{domain}", domain);
    let name = url.rsplit('/').next().unwrap();
    cluster.sql(name, &fill);
    // Not within the transaction of the rows.
    cluster.sql(name, "ANALYZE");
    let mut connection = PgConnection::connect(&url).await.unwrap();
    // For these values; a plan for any is used only where it seems as cheap.
    execute(&mut connection, "SET plan_cache_mode = force_custom_plan").await;
    connection
}

async fn execute(connection: &mut PgConnection, text: &str) {
    let made = sqlx::raw_sql(sqlx::AssertSqlSafe(text.to_owned()))
        .execute(connection)
        .await;
    made.unwrap_or_else(|error| panic!("{text}: {error}"));
}

/// What of a statement's plan reads more rows than it needs.
async fn slow_steps(connection: &mut PgConnection, text: &str) -> Vec<String> {
    let is_purge = text.starts_with("DELETE") && text.contains(" ORDER BY ");
    let cost = if is_purge { LARGER } else { 1 };
    execute(
        connection,
        &format!("SET seq_page_cost = {cost}; PREPARE asked AS {text}"),
    )
    .await;
    let types =
        "SELECT array_to_string(parameter_types, ' ') FROM pg_prepared_statements WHERE name = 'asked'";
    let types: String = sqlx::query(types)
        .fetch_one(&mut *connection)
        .await
        .unwrap()
        .get(0);
    let types = types.split_whitespace().enumerate();
    let values: Vec<&str> = types.map(|(place, kind)| value(text, place + 1, kind)).collect();
    let values = if values.is_empty() {
        String::new()
    } else {
        format!("({})", values.join(", "))
    };
    let explain = format!("EXPLAIN (FORMAT JSON) EXECUTE asked{values}");
    let row = sqlx::query(sqlx::AssertSqlSafe(explain))
        .fetch_one(&mut *connection)
        .await;
    let row = row.unwrap_or_else(|error| panic!("{text}: {error}"));
    let plan: serde_json::Value = serde_json::from_str(row.get_unchecked(0)).unwrap();
    execute(connection, "DEALLOCATE asked").await;
    let mut slow = Vec::new();
    look(&plan[0]["Plan"], false, &mut slow);
    slow
}

/// What a parameter is like in a large database: of the largest domain, from the first row on, with half of all over.
fn value(text: &str, place: usize, kind: &str) -> &'static str {
    let is = |pattern: &str| text.contains(&pattern.replace('$', &format!("${place}")));
    match kind {
        "bytea" => "sha256('7')",
        "json" => "'[]'",
        "text" if is("> $ ") || is("decode($,") => "''",
        "text" if is("domain_id = $") => "'d0'",
        "text" if is("user_id = $") => "'u7'",
        "text" if is("client_id = $") => "'c7'",
        "text" => "'7'",
        "bigint" if is("LIMIT $") => "1000",
        "bigint" | "integer" => "10000",
        other => panic!("{text}: {other}"),
    }
}

fn look(step: &serde_json::Value, is_limited: bool, slow: &mut Vec<String>) {
    let named = |name: &str| step[name].as_str().unwrap_or_default();
    let (kind, table) = (named("Node Type"), named("Relation Name"));
    let is_slow = match kind {
        "Seq Scan" => !SMALL.contains(&table),
        // An index from its one end to its other, unless somebody stops reading.
        "Index Scan" | "Index Only Scan" => {
            step["Index Cond"].is_null() && !is_limited && !SMALL.contains(&table)
        }
        "Sort" | "Incremental Sort" => step["Plan Rows"].as_u64().unwrap() > FEW,
        _ => false,
    };
    if is_slow {
        slow.push(format!("{kind} {table}"));
    }
    let is_limited = match kind {
        "Limit" => true,
        "LockRows" | "Subquery Scan" => is_limited,
        _ => false,
    };
    for below in step["Plans"].as_array().into_iter().flatten() {
        look(below, is_limited, slow);
    }
}

#[tokio::test]
async fn every_statement_finds_its_rows_by_an_index() {
    let Some(cluster) = cluster() else { return };
    let statements = statements();
    assert!(statements.len() > 110, "only {} were found", statements.len());
    let mut used = BTreeSet::new();
    for domain in ["'d' || i % 1000", "'d0'"] {
        let mut connection = full(&cluster, domain).await;
        let empty = cluster.ask(
            connection_name(&mut connection).await.as_str(),
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
             AND reltuples < 1000",
        );
        let unfilled: Vec<&str> = empty.lines().filter(|table| !SMALL.contains(table)).collect();
        assert!(unfilled.is_empty(), "the test fills no {unfilled:?}");
        for slow in [
            "SELECT record FROM clients WHERE version = $1",
            "SELECT id FROM users WHERE id > $1 ORDER BY version",
            "UPDATE sessions SET version = 2 WHERE version = 1",
            "DELETE FROM interactions WHERE version = $1",
            "UPDATE interactions SET record = $3 WHERE domain_id = $1 AND encode(id, 'hex') = $2",
        ] {
            // A domain of twenty logins is looked through.
            if domain != "'d0'" && slow.contains("encode(") {
                continue;
            }
            let steps = slow_steps(&mut connection, slow).await;
            assert!(!steps.is_empty(), "the test does not see: {slow}");
        }
        let mut faults = Vec::new();
        for statement in &statements {
            let steps = slow_steps(&mut connection, statement).await;
            if steps.is_empty() {
                continue;
            }
            match WHOLE.iter().find(|(part, _)| statement.contains(part)) {
                Some((part, _)) => {
                    used.insert(*part);
                }
                None => faults.push(format!("{statement}\n  {steps:?}")),
            }
        }
        assert!(faults.is_empty(), "domains {domain}:\n{}", faults.join("\n"));
    }
    let unused: Vec<&str> = WHOLE
        .map(|(part, _)| part)
        .into_iter()
        .filter(|part| !used.contains(part))
        .collect();
    assert!(unused.is_empty(), "these need no exception: {unused:#?}");
}

async fn connection_name(connection: &mut PgConnection) -> String {
    sqlx::query("SELECT current_database()::text")
        .fetch_one(connection)
        .await
        .unwrap()
        .get(0)
}
