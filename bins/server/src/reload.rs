//! What is read anew while connections stand: the configuration, certificates, trust and revocation lists.

mod ask;
mod outcome;

use crate::compose;
use crate::config::{self, Config, Given, TlsSection};
use crate::live::Live;
use crate::logging::LogHandle;
use crate::sinks;
use crate::whole;
use anyhow::Context as _;
pub(crate) use ask::ask;
use outcome::Told;
pub(crate) use outcome::{Reloads, admin};
use rustls_pki_types::UnixTime;
use sealstone_audit::{Action, Reason, Target};
use sealstone_provider::{Clock as _, SystemClock};
use sealstone_tls::{ClientCertificates, TrustHandle};
use sealstone_trail::TrailFile;
use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How often the files are looked at: a renewed certificate or list is in use within this time.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Where the configuration comes from, to be read again.
pub(crate) enum Source<'a> {
    /// From a file.
    File {
        path: &'a Path,
        /// What the server runs with.
        given: Given,
        log: &'a LogHandle,
    },
    /// From the program itself: only files that it names are read again.
    Made,
}

/// SIGHUP. Asked for before anything is made: without a handler the signal kills the process.
pub(crate) fn requests() -> anyhow::Result<Signal> {
    signal(SignalKind::hangup()).context("SIGHUP can't be received")
}

/// Reloads on SIGHUP and when a file has changed. All or nothing: what can't be loaded is said, and what was in use stays.
/// On SIGHUP the configuration is read again too: what of it acts counts from then on, and what needs a restart is named.
pub(crate) async fn follow(
    live: &Live,
    mut source: Source<'_>,
    mut hangup: Signal,
    stop: impl Future<Output = ()>,
) {
    let mut seen = stamps(&live.config().tls);
    let mut told = None;
    tokio::pin!(stop);
    loop {
        if !live.config().tls.dangerous_accept_expired_crl {
            tell_of_late_list(live.trust().as_ref(), &mut told);
        }
        let asked = tokio::select! {
            () = &mut stop => return,
            () = live.watch_upkeep() => return,
            _ = hangup.recv() => true,
            () = tokio::time::sleep(LOOK_EVERY) => false,
        };
        if asked {
            reopen(&live.fixed.lasting.audit);
            match &mut source {
                Source::File { path, given, log } => renew(live, path, given, log).await,
                Source::Made => certificates(live),
            }
            seen = stamps(&live.config().tls);
        } else {
            let now = stamps(&live.config().tls);
            if now != seen {
                seen = now;
                certificates(live);
            }
        }
    }
}

/// The whole configuration, and every file that it names.
async fn renew(live: &Live, path: &Path, given: &mut Given, log: &LogHandle) {
    let audit = &live.fixed.lasting.audit;
    let told = match renewed(live, path, given).await {
        Err(error) => {
            let error = whole(&error);
            refused(audit, &error);
            Told::Refused(error)
        }
        Ok((acting, waiting)) => {
            crate::audit::tell(audit, Action::Reload, None);
            let settings = |keys: &[String], reason| {
                for key in keys {
                    let setting = Target::Setting(key.as_str().into());
                    crate::audit::tell_of(audit, Action::ChangeSetting, setting, reason);
                }
            };
            settings(&acting, None);
            settings(&waiting, Some(Reason::new(409, "restart_needed")));
            if !acting.is_empty() {
                tracing::info!(
                    keys = acting.join(", "),
                    "these keys of the configuration have changed, and are in force"
                );
            }
            if !waiting.is_empty() {
                tracing::warn!(
                    keys = waiting.join(", "),
                    "these keys of the configuration have changed, and count after a restart"
                );
            }
            tracing::info!("configuration, certificates, authorities and revocation lists reloaded");
            // Last: this is still told at the level of before.
            log.set(live.config().log.level);
            Told::Loaded { acting, waiting }
        }
    };
    let good = matches!(told, Told::Loaded { .. });
    live.fixed.reloads.count(good, SystemClock.now());
    live.fixed.reloads.tell(told);
}

/// Keys that act from now on, and those that wait for a restart.
async fn renewed(live: &Live, path: &Path, given: &mut Given) -> anyhow::Result<(Vec<String>, Vec<String>)> {
    let (_whole, fresh): (Config, Given) = config::read(path)?;
    let renewed = given.renewed(&fresh)?;
    let with_sinks = renewed.acting.iter().any(|key| sinks::is_of_receivers(key));
    let prepared = live.prepare(renewed.config, with_sinks).await?;
    live.replace(prepared).await?;
    *given = renewed.given;
    Ok((renewed.acting, renewed.waiting))
}

/// Once for each date: a list that nobody renewed refuses every client of its authority, and each refusal alone does
/// not say why.
fn tell_of_late_list(trust: Option<&TrustHandle>, told: &mut Option<UnixTime>) {
    let due = trust.and_then(|trust| trust.current().next_update());
    let late = due.filter(|due| *due < SystemClock.now());
    if late.is_some() && *told != late {
        tracing::error!(
            "a revocation list is past its nextUpdate: clients of its authority are refused until a renewed one lies in tls.crl_files"
        );
    }
    *told = late;
}

fn reopen(audit: &TrailFile) {
    if let Err(error) = audit.reopen() {
        tracing::error!(%error, "the audit file can't be opened anew; the old one is written on");
    }
}

fn refused(audit: &TrailFile, error: &str) {
    // The answer that the operator would have got.
    crate::audit::tell(audit, Action::Reload, Some(Reason::new(400, "reload_refused")));
    tracing::error!(error, "reload refused; what was in use before stays so");
}

/// Certificates, authorities and lists alone: their files have changed.
fn certificates(live: &Live) {
    let audit = &live.fixed.lasting.audit;
    let replaced = replace(live);
    live.fixed.reloads.count(replaced.is_ok(), SystemClock.now());
    match replaced {
        Ok(()) => {
            crate::audit::tell(audit, Action::Reload, None);
            tracing::info!("certificates, authorities and revocation lists reloaded");
        }
        Err(error) => refused(audit, &whole(&error)),
    }
}

/// All or nothing: everything is read before the first is replaced.
fn replace(live: &Live) -> anyhow::Result<()> {
    let config = live.config();
    let public = compose::tls(&config.tls, ClientCertificates::None)?;
    let mtls = compose::tls(&config.tls, ClientCertificates::Request)?;
    let trust = compose::trust(&config.tls)?;
    live.fixed.replace_tls(public, mtls)?;
    if let (Some(handle), Some(trust)) = (live.trust(), trust) {
        handle.replace(trust);
    }
    Ok(())
}

/// When each file was last written, and how long it is.
fn stamps(section: &TlsSection) -> Vec<Option<(SystemTime, u64)>> {
    let stamp = |path: &PathBuf| {
        let metadata = fs::metadata(path).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    };
    let files = [&section.certificate_file, &section.key_file];
    files
        .into_iter()
        .chain(&section.client_ca_files)
        .chain(&section.crl_files)
        .map(stamp)
        .collect()
}
