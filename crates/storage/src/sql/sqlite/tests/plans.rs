//! How SQLite finds the rows of each statement.

use std::path::PathBuf;

use super::{connect, prepared};
use crate::sql::connection::LOCKS;
use sqlx::{Row, SqliteConnection};

/// Statements that may read a whole table, or sort, and why.
const WHOLE: [(&str, &str); 10] = [
    (
        "FROM key_requests WHERE confirmed_by IS NULL",
        "those that wait for a second administrator: a few",
    ),
    (
        "DELETE FROM codes WHERE record ->>",
        "codes live for a minute; when a client ends",
    ),
    (
        "FROM initial_tokens WHERE expires_at <=",
        "a few hundred at most; once in a purge",
    ),
    (
        "FROM pragma_application_id",
        "the schema, when the file is opened",
    ),
    ("FROM change_counts", "one row"),
    ("FROM json_each($2)", "groups the tokens that it was given"),
    (
        "ORDER BY expires_at DESC, created_at DESC",
        "sorts a person's families at a client, some 100 at most",
    ),
    ("SELECT domain_id FROM key_rings", "all domains are asked for"),
    (
        "SELECT due_at FROM logout_notices ORDER BY due_at LIMIT 1",
        "the first of an index",
    ),
    (
        "SELECT seq FROM login_throttles ORDER BY forget_at LIMIT 1",
        "the first of an index",
    ),
];

/// The statements in the sources of the store: each string that begins with a statement's first word.
fn statements() -> Vec<String> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src/sql"));
    let mut folders = vec![folder.clone(), folder.join("sqlite")];
    let mut statements = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "rs")
                || path.ends_with("tests.rs")
                || path.ends_with("postgres.rs")
            {
                continue;
            }
            let source = std::fs::read_to_string(&path).unwrap();
            for literal in source.split('"') {
                let is_statement = ["SELECT ", "INSERT ", "UPDATE ", "DELETE "]
                    .iter()
                    .any(|word| literal.starts_with(word));
                let is_postgres = ["::bigint", "::json", "encode(", "decode(", "pg_"]
                    .iter()
                    .any(|word| literal.contains(word));
                if is_statement && !is_postgres {
                    let unlocked = LOCKS.iter().find_map(|lock| literal.strip_suffix(lock));
                    statements.push(unlocked.unwrap_or(literal).to_owned());
                }
            }
        }
    }
    statements
}

/// What of a statement's plan reads more rows than it needs.
async fn slow_steps(connection: &mut SqliteConnection, statement: &str) -> Vec<String> {
    let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
    let rows = sqlx::query(explain).fetch_all(connection).await;
    let rows = rows.unwrap_or_else(|error| panic!("{statement}: {error}"));
    let steps = rows.iter().map(|row| row.get::<String, _>("detail"));
    let is_slow = |step: &String| {
        // A list, or a row, that a statement was given is read whole.
        let is_given = step.contains("json_each") || step.contains("CONSTANT ROW");
        (step.starts_with("SCAN") && !is_given) || step.contains("TEMP B-TREE")
    };
    steps.filter(is_slow).collect()
}

#[tokio::test]
async fn every_statement_finds_its_rows_by_an_index() {
    let (_folder, path) = prepared().await;
    let mut connection = connect(&path).await;
    for slow in [
        "SELECT record FROM clients WHERE version = ?1",
        "SELECT id FROM users WHERE domain_id = ?1 ORDER BY version",
        "UPDATE sessions SET version = 2 WHERE version = 1",
    ] {
        let steps = slow_steps(&mut connection, slow).await;
        assert!(!steps.is_empty(), "the test does not see: {slow}");
    }
    let statements = statements();
    assert!(
        statements.len() > 70,
        "only {} statements were found",
        statements.len()
    );
    let mut faults = Vec::new();
    for statement in &statements {
        let steps = slow_steps(&mut connection, statement).await;
        let may = WHOLE.iter().any(|(part, _)| statement.contains(part));
        if !steps.is_empty() && !may {
            faults.push(format!("{statement}\n  {steps:?}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    for (part, _) in WHOLE {
        assert!(
            statements.iter().any(|statement| statement.contains(part)),
            "nobody asks {part}"
        );
    }
}
