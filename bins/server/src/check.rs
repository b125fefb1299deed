//! `sealstoned check`: everything that `serve` would refuse, and what it would do.

use crate::config::Config;
use crate::{compose, config, db, faults, keystone, storage};
use anyhow::Context as _;
use sealstone_provider::{Clock as _, SystemClock};
use sealstone_storage::{Database, Migrations};
use std::fs;
use std::io::Write as _;
use std::path::Path;

/// Reads everything that `serve` reads, and listens nowhere.
pub(crate) async fn run(path: &Path) -> anyhow::Result<()> {
    let config = config::load(path)?;
    let mut found = Vec::new();
    let composition = compose::compose(&config)
        .map_err(|faults| found.extend(faults))
        .ok();
    let database = database(&config).await.map_err(|fault| found.push(fault)).ok();
    if let Err(fault) = audit(&config) {
        found.push(fault);
    }
    let sinks = crate::sinks::compose(&config)
        .map_err(|fault| found.push(fault))
        .ok();
    let traces = crate::traces::compose(&config, None).map_err(|fault| found.push(fault));
    let (Some(composition), Some(database), true) = (composition, database, found.is_empty()) else {
        return Err(faults(&found));
    };
    let mut lines = vec![
        format!("issuers    {}/v4/oauth2/{{domain_id}}", composition.provider.base),
        format!("listens    {}", config.server.listen),
    ];
    match (&composition.provider.mtls_base, config.server.mtls_listen) {
        (Some(base), Some(address)) => lines.push(format!("mutual TLS {base} on {address}")),
        _ => lines
            .push("mutual TLS off: clients can't authenticate by certificate, no token is bound".to_owned()),
    }
    let admin = config.server.admin_listen.address();
    let admin = admin.map_or_else(|| "off".to_owned(), |address| format!("{address}, without TLS"));
    lines.push(format!("admin      {admin}"));
    lines.push(match &composition.trust {
        Some(_) if config.tls.crl_files.is_empty() => {
            "client CAs trusted, WITHOUT revocation lists (tls.crl_files)".to_owned()
        }
        Some(trust) if trust.next_update().is_some_and(|due| due < SystemClock.now()) => {
            "client CAs trusted, but a revocation list is past its nextUpdate: renew it (tls.crl_files), or clients of its authority are refused".to_owned()
        }
        Some(_) => "client CAs trusted, with revocation lists".to_owned(),
        None => "client CAs none (tls.client_ca_files): tls_client_auth clients are refused".to_owned(),
    });
    if let (Some(keystone), Some(section)) = (&composition.keystone, &config.keystone) {
        lines.extend(keystone::describe(keystone, section).await);
    }
    if let Some(people) = &composition.people {
        lines.extend(people.describe().await);
    }
    lines.push(format!(
        "keys       sealed under {}",
        composition.custody.kek.ids().join(", and readable under ")
    ));
    if let Some(hsm) = &composition.custody.hsm {
        lines.push(format!("PKCS#11    token {}", hsm.check()?));
    }
    if let Some(administrators) = &composition.administrators {
        lines.extend(administrators.describe(&config));
    }
    lines.extend(sinks.and_then(|sinks| sinks.describe()));
    lines.extend(traces.ok().flatten().map(|traces| traces.describe()));
    lines.push(format!("database   {database}"));
    lines.push("The configuration can be used.".to_owned());
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", lines.join("\n")).context("standard output")
}

/// Whether the audit file can be written on, or made.
pub(crate) fn audit(config: &Config) -> anyhow::Result<()> {
    anyhow::ensure!(
        config.storage.postgres.is_none() || config.audit.path.is_some(),
        "audit.path is missing: with [storage.postgres] there is no file to keep the audit file beside; name one on \
         this node's own disk"
    );
    let path = config.audit_path();
    if path.exists() {
        let opened = fs::OpenOptions::new().append(true).open(&path);
        opened.with_context(|| format!("can't append to the audit file {}", path.display()))?;
        return Ok(());
    }
    let folder = path.parent().context("audit.path names no file")?;
    // Beside the database: its absence is told of `storage.path`.
    anyhow::ensure!(
        folder.is_dir() || config.audit.path.is_none(),
        "audit.path: the folder {} does not exist: make it, for the server's user alone",
        folder.display()
    );
    Ok(())
}

async fn database(config: &Config) -> anyhow::Result<String> {
    let database = storage::database(config)?;
    if let Database::File(path) = &database
        && !path.exists()
    {
        let folder = path.parent().context("storage.path names no file")?;
        anyhow::ensure!(
            folder.is_dir(),
            "storage.path: the folder {} does not exist: make it, for the server's user alone",
            folder.display()
        );
        return Ok(format!("{} will be made at the first start", path.display()));
    }
    Ok(format!(
        "{database}, {}",
        db::describe(&Migrations::status(&database).await?)
    ))
}
