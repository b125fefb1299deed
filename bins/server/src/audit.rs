//! This node's audit trail: opened, signed and rotated beside the requests, told of in metrics.

use crate::config::Config;
use anyhow::Context as _;
use axum::Router;
use axum::routing::get;
use http::header::CONTENT_TYPE;
use sealstone_audit::{Action, Actor, AuditSink as _, Event, EventId, Outcome, Reason, Target};
use sealstone_provider::{Clock as _, Entropy as _, SystemClock, SystemEntropy};
use sealstone_trail::{Rotation, TrailFile};
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

/// Octets of a MiB.
const MIB: u64 = 1024 * 1024;

/// Opens what the configuration names.
pub(crate) fn open(config: &Config) -> anyhow::Result<Arc<TrailFile>> {
    let trail = TrailFile::open(&config.audit_path(), &config.audit_key(), rotation(config))?;
    tracing::info!(
        node = %trail.key().node(),
        key = %trail.key().public_jwk().thumbprint(),
        path = %trail.path().display(),
        "the audit trail is signed by this key"
    );
    Ok(Arc::new(trail))
}

/// When a file is closed.
pub(crate) fn rotation(config: &Config) -> Rotation {
    let unless_zero = |number: u64| (number > 0).then_some(number);
    Rotation {
        size: unless_zero(config.audit.rotate_mib).map(|mib| mib.saturating_mul(MIB)),
        age: unless_zero(config.audit.rotate_h).map(|hours| Duration::from_secs(hours.saturating_mul(3600))),
    }
}

/// Tends the trail on a thread of its own until it is dropped or stopped: signing, flushing and rotating wait for the disk.
#[derive(Debug)]
pub(crate) struct Tended {
    stop: mpsc::Sender<()>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Tended {
    /// Records that the node begins, and tends from now on.
    pub(crate) fn start(trail: &Arc<TrailFile>) -> anyhow::Result<Self> {
        tell(trail, Action::StartNode, None);
        let (stop, stopped) = mpsc::channel();
        let trail = Arc::clone(trail);
        let thread = std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || tend(&trail, &stopped))
            .context("the system gives no thread for the audit trail: try again")?;
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }

    /// Records that the node ends, signs, flushes.
    pub(crate) async fn stop(mut self) {
        // The thread ends at once, or has ended.
        let _sent = self.stop.send(());
        if let Some(thread) = self.thread.take() {
            drop(tokio::task::spawn_blocking(move || thread.join()).await);
        }
    }
}

fn tend(trail: &TrailFile, stopped: &mpsc::Receiver<()>) {
    let mut failing = false;
    while matches!(
        stopped.recv_timeout(TrailFile::TEND_EVERY),
        Err(RecvTimeoutError::Timeout)
    ) {
        let tended = trail.tend(SystemClock.now());
        match &tended {
            // Once, and again when it was good in between.
            Err(error) if !failing => tracing::error!(
                %error,
                path = %trail.path().display(),
                "the audit trail can't be signed, flushed or rotated; it is tried again"
            ),
            Ok(()) if failing => tracing::info!("the audit trail is signed, flushed and rotated again"),
            Ok(()) | Err(_) => {}
        }
        failing = tended.is_err();
    }
    tell(trail, Action::StopNode, None);
    if let Err(error) = trail.stop(SystemClock.now()) {
        tracing::error!(%error, "the end of the audit trail could not be signed or flushed");
    }
}

/// Records what this node does by itself. What can't be recorded is logged: there is no request to refuse.
pub(crate) fn tell(trail: &TrailFile, action: Action, reason: Option<Reason>) {
    let node = Target::Node(trail.key().node().as_str().into());
    tell_of(trail, action, node, reason);
}

/// The same of something else than the node itself.
pub(crate) fn tell_of(trail: &TrailFile, action: Action, target: Target<'_>, reason: Option<Reason>) {
    let mut id = [0; 16];
    if let Err(error) = SystemEntropy.fill(&mut id) {
        tracing::error!(%error, "no audit event: the system's random source failed");
        return;
    }
    let event = Event {
        id: EventId::from_random(id),
        time: SystemClock.now(),
        action,
        outcome: if reason.is_none() {
            Outcome::Success
        } else {
            Outcome::Failure
        },
        reason,
        initiator: Actor {
            client_id: Some("sealstone".into()),
            user_id: None,
            address: None,
        },
        target,
        request_id: "node".into(),
    };
    if let Err(error) = trail.record(&event) {
        let cause: &dyn std::error::Error = &error;
        tracing::error!(
            error = cause,
            action = action.as_str(),
            "this could not be recorded"
        );
    }
}

/// `/audit/key` at the admin listener: the public half of the key that signs this node's trail, as a JWK.
pub(crate) fn admin(trail: &TrailFile) -> Router {
    let key = trail.key().public_jwk().to_json();
    let answer = move || async move { ([(CONTENT_TYPE, "application/jwk+json")], key) };
    Router::new().route("/audit/key", get(answer))
}

/// What metrics say of the trail.
pub(crate) fn metrics(trail: &TrailFile, text: &mut String) {
    let standing = trail.standing();
    let node = trail.key().node();
    let lines = [
        (
            "recorded_events_total",
            "counter",
            "Events recorded by this process.",
            standing.recorded,
        ),
        (
            "failed_events_total",
            "counter",
            "Events that could not be recorded: their requests were refused.",
            standing.failed,
        ),
        (
            "sequence",
            "gauge",
            "The last sequence number of this node's trail.",
            standing.sequence,
        ),
        (
            "signed_sequence",
            "gauge",
            "The sequence number of its last checkpoint.",
            standing.signed,
        ),
        (
            "closed",
            "gauge",
            "1 while nothing is recorded, because a required receiver is too far behind.",
            u64::from(standing.closed),
        ),
    ];
    for (name, kind, help, value) in lines {
        let name = format!("sealstone_audit_{name}");
        let labels = if kind == "gauge" {
            format!("{{node=\"{node}\"}}")
        } else {
            String::new()
        };
        // Writing into a String does not fail.
        let _written = writeln!(
            text,
            "# HELP {name} {help}\n# TYPE {name} {kind}\n{name}{labels} {value}"
        );
    }
}
