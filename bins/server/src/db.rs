//! `sealstoned db`: the schema, by hand.

use crate::config::Config;
use crate::{audit, config, storage};
use anyhow::Context as _;
use sealstone_audit::{Action, Reason, Target};
use sealstone_storage::{MigrationStatus, Migrations};
use sealstone_trail::TrailFile;
use std::io::Write as _;
use std::path::Path;

/// Brings the database to this program's schema.
pub(crate) async fn migrate(path: &Path) -> anyhow::Result<()> {
    let config = config::load(path)?;
    let database = storage::database(&config)?;
    let trail = audit::open(&config)?;
    let migration = Migration::ahead(&config, &trail).await?;
    let before = migration.recorded(Migrations::run(&database).await)?;
    let after = Migrations::status(&database).await?;
    match steps(&before).as_str() {
        "" => say(&describe(&after)),
        done => say(&format!("{}; done now: {done}", describe(&after))),
    }
}

/// A migration that may have something to do, and the trail that it is recorded in before it is told as done.
pub(crate) struct Migration<'a> {
    trail: &'a TrailFile,
    target: Target<'static>,
    pending: bool,
}

impl<'a> Migration<'a> {
    /// Whether there is something to do. What can't be asked now fails where it is done.
    pub(crate) async fn ahead(config: &Config, trail: &'a TrailFile) -> anyhow::Result<Self> {
        let status = Migrations::status(storage::database(config)?).await;
        Ok(Self {
            trail,
            target: named(config),
            pending: status.is_ok_and(|status| !status.pending.is_empty()),
        })
    }

    /// Records what became of it; where nothing was to be done, nothing.
    pub(crate) fn recorded<T, E: Into<anyhow::Error>>(self, done: Result<T, E>) -> anyhow::Result<T> {
        if self.pending {
            let reason = done.is_err().then(|| Reason::new(503, "backend_failure"));
            audit::tell_of(self.trail, Action::MigrateStore, self.target, reason);
        }
        done.map_err(Into::into)
    }
}

/// The database as an event names it.
fn named(config: &Config) -> Target<'static> {
    const LONGEST: usize = 256;
    let path = config.storage.path.as_deref();
    Target::Store(path.map_or_else(
        || "postgresql".into(),
        |path| path.to_string_lossy().chars().take(LONGEST).collect(),
    ))
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
