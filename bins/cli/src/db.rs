//! `sealstone db`: copies of the server's database, made while it serves and put back in one step.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use sealstone_audit::{Action, Target};
use sealstone_storage::{Database, MigrationStatus, SqlError, SqlErrorKind};
use serde_json::json;

use crate::{
    failure::{Failure, Outcome},
    output::{self, Form, OutputArguments},
    store::StoreArguments,
};

const EXAMPLES: &str = "\
Examples:
  Every night, while the server serves:
    sealstone db backup --config /etc/sealstone/sealstoned.toml --to /backup/sealstone.db

  After a loss, while it is stopped:
    sealstone db restore --config /etc/sealstone/sealstoned.toml --from /backup/sealstone.db

A copy is worth nothing without the pepper and the key encryption key: keep those too, and elsewhere.
Of PostgreSQL, `pg_dump --format=custom` makes copies, and `pg_restore --clean --exit-on-error` puts them back.";

#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum DbCommand {
    /// Copy the database as it is at one moment; nobody waits for it
    Backup(BackupArguments),
    /// Put a copy in the database's place; the server must be stopped
    Restore(RestoreArguments),
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  sealstone db backup --config sealstoned.toml --to /backup/sealstone.db\n\n\
    The copy is read once as a whole before it takes its name: under that name is a whole one or none."
)]
pub(crate) struct BackupArguments {
    /// The file to write; one of that name is replaced when the new one is whole
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    #[command(flatten)]
    store: StoreArguments,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  sealstone db restore --config sealstoned.toml --from /backup/sealstone.db\n\n\
    What was there stays beside it as FILE.before-restore. What was changed after the copy is lost: revocations\n\
    first, go through the audit file from its date on (docs/runbooks/database.md)."
)]
pub(crate) struct RestoreArguments {
    /// The copy
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    #[command(flatten)]
    store: StoreArguments,
    #[command(flatten)]
    output: OutputArguments,
}

pub(crate) async fn run(command: DbCommand) -> Outcome {
    match command {
        DbCommand::Backup(arguments) => {
            let places = arguments.store.places()?;
            let database = file(places.database(), "pg_dump --format=custom --file COPY \"URL\"")?;
            let trail = places.trail()?;
            let copied = trail.change(Action::BackUpStore, named(&arguments.to));
            let status = copied.stored(database.back_up(&arguments.to).await)?;
            copied.done()?;
            say(&arguments.to, &status, arguments.output.output)
        }
        DbCommand::Restore(arguments) => {
            let places = arguments.store.places()?;
            let how =
                "pg_restore --clean --if-exists --exit-on-error --single-transaction --dbname \"URL\" COPY";
            let database = file(places.database(), how)?;
            let Database::File(path) = database else {
                return Ok(());
            };
            // The trail is beside the database and not in it: what it tells of stays told.
            let trail = places.trail()?;
            let restored = trail.change(Action::RestoreStore, named(path));
            let done = database.restore(&arguments.from).await;
            let status = restored.stored(done.map_err(|error| not_restored(&error, &arguments.from)))?;
            restored.done()?;
            output::note(
                "note: what was revoked, disabled or spent after the copy is good again: see docs/runbooks/database.md",
            );
            say(path, &status, arguments.output.output)
        }
    }
}

/// Whether the copy or the database is at fault, and that nothing was changed.
fn not_restored(error: &SqlError, copy: &Path) -> Failure {
    let is_of_copy = matches!(error.database(), Database::File(path) if path == copy);
    let shown = copy.display();
    let why = || {
        let source = std::error::Error::source(error);
        source.map_or_else(|| error.to_string(), ToString::to_string)
    };
    let kind = error.kind();
    let is = |kinds: &[SqlErrorKind]| kinds.contains(&kind);
    let said = if is_of_copy && is(&[SqlErrorKind::NoFile, SqlErrorKind::NoFolder]) {
        format!("there is no {shown}: name the copy")
    } else if is_of_copy
        && is(&[
            SqlErrorKind::Corrupt,
            SqlErrorKind::NotADatabase,
            SqlErrorKind::NotOurs,
        ])
    {
        let why = why();
        format!("{shown} is no whole copy of a database of this program ({why}): name another copy")
    } else if is(&[SqlErrorKind::Busy]) {
        format!("{error}: stop the server that this is the database of")
    } else {
        error.to_string()
    };
    Failure::failed(format!("{said}; nothing was changed"))
}

/// A file by its path, as far as an event has room for it.
fn named(path: &Path) -> Target<'static> {
    const LONGEST: usize = 256;
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    Target::Store(whole.to_string_lossy().chars().take(LONGEST).collect())
}

/// A server's copies are made by its own tools, which know how.
fn file<'d>(database: &'d Database, how: &str) -> Outcome<&'d Database> {
    if matches!(database, Database::File(_)) {
        return Ok(database);
    }
    Err(Failure::usage(format!(
        "this server's database is on PostgreSQL, whose own tools make copies: {how}"
    )))
}

fn say(path: &Path, status: &MigrationStatus, form: Form) -> Outcome {
    match form {
        Form::Json => output::json(&json!({"file": path, "schema": status.version})),
        Form::Table => output::line(&path.display().to_string()),
    }
}
