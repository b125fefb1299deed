//! The database, and the disks that are written on.

use std::{fs, os::unix::fs::MetadataExt as _, path::Path};

use sealstone_storage::{Database, Inspection, Migrations, ServerFacts, SqlError, SqlErrorKind, SqlStore};

use super::{checks, finding::Check, finding::Report, settings::Settings};
use crate::{clock, store::Places};

/// A disk with less than this part of it free fills within days.
const LEAST_PERCENT: u64 = 5;
/// What a disk must have free at least: a day of a busy server's audit events.
const LEAST_FREE: u64 = 64 * 1024 * 1024;
/// Tokens forgive a minute; this is what NTP keeps easily.
const CLOCK_SKEW: u64 = 5;
/// What a node takes if it is not told otherwise, and one that listens.
const CONNECTIONS: u32 = 10;

/// Looks at the database; opens it if it can be used.
pub(super) async fn look(settings: &Settings, places: &Places, report: &mut Report) -> Option<SqlStore> {
    audit(places.audit_file(), report);
    let database = places.database();
    if let Database::File(path) = database {
        let folder = path.parent().unwrap_or_else(|| Path::new("."));
        space(folder, report);
        if !path.exists() {
            report.found(&checks::DATABASE_MISSING, path.display().to_string());
            return None;
        }
        mode(path, report);
    }
    match Migrations::status(database).await {
        Err(error) => {
            refused(&error, report);
            return None;
        }
        Ok(status) if !status.pending.is_empty() => {
            let evidence = format!("{database}: schema {}, needed {}", status.version, status.latest);
            report.found(&checks::DATABASE_OLDER, evidence);
            return None;
        }
        Ok(_) => {}
    }
    match database.inspect().await {
        Ok(Inspection::Server(facts)) => server(&facts, database, settings, report),
        Ok(_) => {}
        Err(error) => refused(&error, report),
    }
    let opened = match SqlStore::open_current(database).await {
        Ok(opened) => opened,
        Err(error) => {
            refused(&error, report);
            return None;
        }
    };
    if let Err(error) = opened.check_integrity().await {
        refused(&error, report);
    }
    Some(opened)
}

fn audit(path: &Path, report: &mut Report) {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or_else(|| Path::new("."));
    if !folder.is_dir() {
        let evidence = format!("{}: there is no such folder", folder.display());
        return report.found(&checks::AUDIT_UNWRITABLE, evidence);
    }
    space(folder, report);
    if path.exists()
        && let Err(error) = fs::OpenOptions::new().append(true).open(path)
    {
        report.found(&checks::AUDIT_UNWRITABLE, format!("{}: {error}", path.display()));
    }
}

fn mode(path: &Path, report: &mut Report) {
    for ending in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        let Ok(found) = fs::metadata(&name) else { continue };
        if found.mode() & 0o077 != 0 {
            let mode = found.mode() & 0o7777;
            let evidence = format!("{} has mode {mode:04o}", Path::new(&name).display());
            report.found(&checks::DATABASE_OPEN, evidence);
        }
    }
}

/// How much of a disk is left.
fn space(folder: &Path, report: &mut Report) {
    let Ok(found) = rustix::fs::statvfs(folder) else {
        return;
    };
    let block = found.f_frsize.max(1);
    let (free, all) = (
        found.f_bavail.saturating_mul(block),
        found.f_blocks.saturating_mul(block),
    );
    let percent = free.saturating_mul(100).checked_div(all).unwrap_or(100);
    if free < LEAST_FREE || percent < LEAST_PERCENT && free < LEAST_FREE.saturating_mul(16) {
        let mib = |octets: u64| octets / (1024 * 1024);
        let evidence = format!("{}: {} MiB free of {} MiB", folder.display(), mib(free), mib(all));
        report.found(&checks::DISK_FULL, evidence);
    }
}

fn server(facts: &ServerFacts, database: &Database, settings: &Settings, report: &mut Report) {
    if !facts.durable {
        let evidence = format!("{database}: fsync or full_page_writes is off");
        report.found(&checks::POSTGRES_NOT_DURABLE, evidence);
    }
    let wanted = settings
        .value("storage.postgres", "connections")
        .and_then(toml::Value::as_integer)
        .and_then(|count| u32::try_from(count).ok())
        .unwrap_or(CONNECTIONS);
    let free = facts.connections.saturating_sub(facts.connections_in_use);
    if free < wanted {
        let evidence = format!(
            "{database}: {} of {} connections are taken; this node may take {wanted}",
            facts.connections_in_use, facts.connections
        );
        report.found(&checks::POSTGRES_CONNECTIONS, evidence);
    }
    let apart = facts.now.as_secs().abs_diff(clock::now().as_secs());
    if apart > CLOCK_SKEW {
        let evidence = format!(
            "{database}: its clock says {}, {apart} s apart",
            clock::date(facts.now)
        );
        report.found(&checks::CLOCK_DATABASE, evidence);
    }
}

fn refused(error: &SqlError, report: &mut Report) {
    let is_file = matches!(error.database(), Database::File(_));
    let check: &'static Check = match error.kind() {
        SqlErrorKind::Busy if is_file => &checks::DATABASE_LOCKED,
        SqlErrorKind::Busy => &checks::POSTGRES_CONNECTIONS,
        SqlErrorKind::Permission => &checks::DATABASE_PERMISSION,
        SqlErrorKind::NoFile | SqlErrorKind::NoFolder => &checks::DATABASE_MISSING,
        SqlErrorKind::Full => &checks::DISK_FULL,
        SqlErrorKind::NotADatabase | SqlErrorKind::NotOurs => &checks::DATABASE_FOREIGN,
        SqlErrorKind::SchemaNewer { .. } => &checks::DATABASE_NEWER,
        SqlErrorKind::SchemaOlder { .. } => &checks::DATABASE_OLDER,
        SqlErrorKind::Refused => &checks::POSTGRES_REFUSED,
        SqlErrorKind::Tls => &checks::POSTGRES_TLS,
        SqlErrorKind::NoDatabase => &checks::POSTGRES_NO_DATABASE,
        SqlErrorKind::ReadOnly => &checks::POSTGRES_READ_ONLY,
        SqlErrorKind::Clock { .. } => &checks::CLOCK_DATABASE,
        SqlErrorKind::Unreachable | SqlErrorKind::NotReady | SqlErrorKind::Slow => {
            &checks::POSTGRES_UNREACHABLE
        }
        SqlErrorKind::Corrupt | SqlErrorKind::Device => &checks::DATABASE_DAMAGED,
        SqlErrorKind::Closed
        | SqlErrorKind::Contended
        | SqlErrorKind::NotLeading
        | SqlErrorKind::Other
        | _ => {
            if is_file {
                &checks::DATABASE_DAMAGED
            } else {
                &checks::POSTGRES_UNREACHABLE
            }
        }
    };
    let mut evidence = error.to_string();
    if let Some(cause) = std::error::Error::source(error) {
        evidence = format!("{evidence} ({cause})");
    }
    report.found(check, evidence);
}
