//! Certificates, trust and revocation lists, replaced while connections stand.

use crate::compose;
use crate::config::TlsSection;
use crate::whole;
use anyhow::Context as _;
use rustls_pki_types::UnixTime;
use sealstone_audit::{Action, Reason};
use sealstone_provider::{Clock as _, SystemClock};
use sealstone_tls::{ClientCertificates, TlsHandle, TrustHandle};
use sealstone_trail::TrailFile;
use std::fs;
use std::future::Future;
use std::path::PathBuf;
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

/// SIGHUP. Asked for before anything is made: without a handler the signal kills the process.
pub(crate) fn requests() -> anyhow::Result<Signal> {
    signal(SignalKind::hangup()).context("SIGHUP can't be received")
}

/// Reloads on SIGHUP and when a file has changed. What can't be loaded is said, and what was in use stays.
pub(crate) async fn follow(
    section: &TlsSection,
    reloadable: Reloadable,
    mut hangup: Signal,
    stop: impl Future<Output = ()>,
) {
    let mut seen = stamps(section);
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
        let now = stamps(section);
        if asked {
            reopen(&reloadable.audit);
        } else if now == seen {
            continue;
        }
        seen = now;
        reload(section, &reloadable);
    }
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

fn reload(section: &TlsSection, reloadable: &Reloadable) {
    let replaced = replace(section, reloadable);
    // The answer that the operator would have got.
    let reason = replaced.is_err().then(|| Reason::new(400, "reload_refused"));
    crate::audit::tell(&reloadable.audit, Action::Reload, reason);
    let Err(error) = replaced else {
        tracing::info!("certificates, authorities and revocation lists reloaded");
        return;
    };
    refused(&whole(&error));
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
