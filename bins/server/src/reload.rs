//! Certificates, trust and revocation lists, replaced while connections stand.

use crate::compose;
use crate::config::{self, Config, TlsSection};
use crate::logging::LogHandle;
use crate::whole;
use anyhow::Context as _;
use rustls_pki_types::UnixTime;
use sealstone_audit::{Action, Reason};
use sealstone_provider::{Clock as _, SystemClock};
use sealstone_tls::{ClientCertificates, TlsHandle, TrustHandle};
use sealstone_trail::TrailFile;
use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How often the files are looked at: a renewed certificate or list is in use within this time.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// What a reload replaces.
pub(crate) struct Reloadable {
    pub(crate) public_tls: TlsHandle,
    pub(crate) mtls_tls: Option<TlsHandle>,
    pub(crate) trust: Option<TrustHandle>,
    pub(crate) audit: Arc<TrailFile>,
}

/// Where the configuration comes from, to be read again.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    /// The file; `None` for what has none.
    pub(crate) path: Option<&'a Path>,
    pub(crate) log: Option<&'a LogHandle>,
}

/// SIGHUP. Asked for before anything is made: without a handler the signal kills the process.
pub(crate) fn requests() -> anyhow::Result<Signal> {
    signal(SignalKind::hangup()).context("SIGHUP can't be received")
}

/// Reloads on SIGHUP and when a file has changed. What can't be loaded is said, and what was in use stays. On SIGHUP the
/// configuration is read again too: `[tls]` and `log.level` count from then on, and what needs a restart is named.
pub(crate) async fn follow(
    config: &Config,
    source: Source<'_>,
    reloadable: Reloadable,
    mut hangup: Signal,
    stop: impl Future<Output = ()>,
) {
    let mut section = config.tls.clone();
    let mut seen = stamps(&section);
    let mut told = None;
    tokio::pin!(stop);
    loop {
        if !section.dangerous_accept_expired_crl {
            tell_of_late_list(reloadable.trust.as_ref(), &mut told);
        }
        let asked = tokio::select! {
            () = &mut stop => return,
            _ = hangup.recv() => true,
            () = tokio::time::sleep(LOOK_EVERY) => false,
        };
        let fresh = match (asked, source.path) {
            (true, Some(path)) => match config::load(path) {
                Ok(fresh) => Some(fresh),
                Err(error) => {
                    reopen(&reloadable.audit);
                    let reason = Some(Reason::new(400, "reload_refused"));
                    crate::audit::tell(&reloadable.audit, Action::Reload, reason);
                    refused(&error.to_string());
                    continue;
                }
            },
            _ => None,
        };
        let wanted = fresh.as_ref().map_or(&section, |fresh| &fresh.tls).clone();
        let now = stamps(&wanted);
        if asked {
            reopen(&reloadable.audit);
        } else if now == seen {
            continue;
        }
        seen = now;
        if !reload(&wanted, &reloadable) {
            continue;
        }
        section = wanted;
        if let Some(fresh) = fresh {
            if let Some(log) = source.log {
                log.set(fresh.log.level);
            }
            tell_of_the_rest(config, &fresh);
        }
    }
}

/// Names the sections that have changed since the start and count from the next one on.
fn tell_of_the_rest(started: &Config, fresh: &Config) {
    let changed: Vec<&str> = sections(started)
        .into_iter()
        .zip(sections(fresh))
        .filter(|((_, before), (_, after))| before != after)
        .map(|((name, _), _)| name)
        .collect();
    if !changed.is_empty() {
        tracing::warn!(
            sections = changed.join(", "),
            "these sections of the configuration have changed, and count after a restart"
        );
    }
}

/// Everything but `[tls]` and `[log]`, to be compared. No secret is in it: those have files.
fn sections(config: &Config) -> [(&'static str, String); 11] {
    [
        ("server", format!("{:?}", config.server)),
        ("storage", format!("{:?}", config.storage)),
        ("secrets", format!("{:?}", config.secrets)),
        ("keys", format!("{:?}", config.keys)),
        ("limits", format!("{:?}", config.limits)),
        ("proxy", format!("{:?}", config.proxy)),
        ("keystone", format!("{:?}", config.keystone)),
        ("people", format!("{:?} {:?}", config.people, config.people_of)),
        ("logout, pages", format!("{:?} {:?}", config.logout, config.pages)),
        ("audit", format!("{:?}", config.audit)),
        ("traces", format!("{:?}", config.traces)),
    ]
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

/// Whether it was taken.
fn reload(section: &TlsSection, reloadable: &Reloadable) -> bool {
    let replaced = replace(section, reloadable);
    // The answer that the operator would have got.
    let reason = replaced.is_err().then(|| Reason::new(400, "reload_refused"));
    crate::audit::tell(&reloadable.audit, Action::Reload, reason);
    let Err(error) = replaced else {
        tracing::info!("certificates, authorities and revocation lists reloaded");
        return true;
    };
    refused(&whole(&error));
    false
}

fn refused(error: &str) {
    tracing::error!(error, "reload refused; what was in use before stays so");
}

/// All or nothing: everything is read before the first is replaced.
fn replace(section: &TlsSection, reloadable: &Reloadable) -> anyhow::Result<()> {
    let public = compose::tls(section, ClientCertificates::None)?;
    let mtls = compose::tls(section, ClientCertificates::Request)?;
    let trust = compose::trust(section)?;
    reloadable.public_tls.replace(public)?;
    if let Some(handle) = &reloadable.mtls_tls {
        handle.replace(mtls)?;
    }
    if let (Some(handle), Some(trust)) = (&reloadable.trust, trust) {
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
