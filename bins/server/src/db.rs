//! `sealstoned db`: the schema, by hand.

use crate::config;
use anyhow::Context as _;
use sealstone_storage::{MigrationStatus, Migrations};
use std::io::Write as _;
use std::path::Path;

/// Brings the database to this program's schema.
pub(crate) async fn migrate(path: &Path) -> anyhow::Result<()> {
    let config = config::load(path)?;
    say(&Migrations::run(&config.storage.path).await?)
}

/// Shows where the schema stands.
pub(crate) async fn status(path: &Path) -> anyhow::Result<()> {
    let config = config::load(path)?;
    say(&Migrations::status(&config.storage.path).await?)
}

fn say(status: &MigrationStatus) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", describe(status)).context("standard output")
}

/// One line for an operator.
pub(crate) fn describe(status: &MigrationStatus) -> String {
    if status.pending.is_empty() {
        return format!("schema {}, which is this program's", status.version);
    }
    let steps: Vec<String> = status
        .pending
        .iter()
        .map(|step| format!("{} ({})", step.version, step.name))
        .collect();
    format!(
        "schema {}, this program needs {}: run `sealstoned db migrate`, or just start it; to come: {}",
        status.version,
        status.latest,
        steps.join(", ")
    )
}
