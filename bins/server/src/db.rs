//! `sealstoned db`: the schema, by hand.

use crate::{config, storage};
use anyhow::Context as _;
use sealstone_storage::{MigrationStatus, Migrations};
use std::io::Write as _;
use std::path::Path;

/// Brings the database to this program's schema.
pub(crate) async fn migrate(path: &Path) -> anyhow::Result<()> {
    let config = config::load(path)?;
    let database = storage::database(&config)?;
    let before = Migrations::run(&database).await?;
    let after = Migrations::status(&database).await?;
    match steps(&before).as_str() {
        "" => say(&describe(&after)),
        done => say(&format!("{}; done now: {done}", describe(&after))),
    }
}

/// Shows where the schema stands.
pub(crate) async fn status(path: &Path) -> anyhow::Result<()> {
    let config = config::load(path)?;
    say(&describe(&Migrations::status(storage::database(&config)?).await?))
}

fn say(line: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").context("standard output")
}

/// One line for an operator.
pub(crate) fn describe(status: &MigrationStatus) -> String {
    if status.version > status.latest {
        return format!(
            "schema {}, of a later program that left what this one needs, schema {}: finish the upgrade of all nodes",
            status.version, status.latest
        );
    }
    if status.pending.is_empty() {
        return format!("schema {}, which is this program's", status.version);
    }
    format!(
        "schema {}, this program needs {}: run `sealstoned db migrate`, or just start it; to come: {}",
        status.version,
        status.latest,
        steps(status)
    )
}

/// The steps that were missing.
fn steps(status: &MigrationStatus) -> String {
    let steps: Vec<String> = status
        .pending
        .iter()
        .map(|step| format!("{} ({})", step.version, step.name))
        .collect();
    steps.join(", ")
}
