use std::{collections::BTreeMap, sync::Mutex};

use rustls_pki_types::UnixTime;
use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, macros::format_description};
use tokio::sync::watch;

use crate::{Credential, MachinePair, Surroundings};

/// How an agent is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "there are these four")]
pub enum Health {
    /// It has no token yet, and nothing has failed.
    Starting,
    /// All is well.
    Fresh,
    /// Programs are served, and something has to be done before long.
    Degraded,
    /// There is no token that could be given out.
    Failing,
}

/// A certificate in a status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CertificateStatus {
    /// Whose.
    pub subject: String,
    /// `x5t#S256`.
    pub thumbprint: String,
    /// `2026-08-01T12:00:00Z`.
    pub not_before: String,
    /// `2026-08-01T12:00:00Z`.
    pub not_after: String,
}

/// A token in a status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TokenStatus {
    /// `2026-08-01T12:00:00Z`.
    pub until: String,
    /// What it allows, if the server said so.
    pub scope: Option<String>,
}

/// Something that does not work, and is tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FaultStatus {
    /// What: `token`, `certificate`, `files` or `reload`.
    pub work: String,
    /// What happened, and what to do.
    pub message: String,
    /// Since when, `2026-08-01T12:00:00Z`.
    pub since: String,
    /// How often it was tried since then.
    pub attempts: u32,
}

/// What an agent says of itself. It holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Status {
    /// How it is.
    pub health: Health,
    /// When this was written, `2026-08-01T12:00:00Z`.
    pub at: String,
    /// The certificate in use.
    pub certificate: Option<CertificateStatus>,
    /// When another is due, if there is somebody to ask for it.
    pub certificate_due: Option<String>,
    /// The token in use.
    pub token: Option<TokenStatus>,
    /// When another is due.
    pub token_due: Option<String>,
    /// How many certificates were replaced since the start.
    pub rotations: u64,
    /// What does not work.
    pub faults: Vec<FaultStatus>,
}

/// The parts of an agent that can fail on their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Work {
    Token,
    Certificate,
    Reload,
    Files,
}

impl Work {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Certificate => "certificate",
            Self::Reload => "reload",
            Self::Files => "files",
        }
    }
}

#[derive(Debug, Clone)]
struct Fault {
    message: String,
    since: UnixTime,
    attempts: u32,
}

#[derive(Debug, Default)]
struct Known {
    pair: Option<MachinePair>,
    credential: Option<Credential>,
    certificate_due: Option<UnixTime>,
    token_due: Option<UnixTime>,
    rotations: u64,
    faults: BTreeMap<Work, Fault>,
}

/// Where the parts of an agent say how they are.
#[derive(Debug)]
pub(crate) struct Board {
    known: Mutex<Known>,
    changed: watch::Sender<u64>,
}

impl Board {
    pub(crate) fn new(pair: &MachinePair) -> Self {
        Self {
            known: Mutex::new(Known {
                pair: Some(pair.clone()),
                ..Known::default()
            }),
            changed: watch::Sender::new(0),
        }
    }

    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn change(&self, change: impl FnOnce(&mut Known)) {
        // What another thread left half done is a text too many or too few.
        let mut known = self
            .known
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        change(&mut known);
        drop(known);
        self.changed.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Logged when it is new, and kept until it works.
    pub(crate) fn failed(&self, work: Work, message: String, now: UnixTime) {
        self.change(|known| {
            let entry = known.faults.entry(work).or_insert_with(|| Fault {
                message: String::new(),
                since: now,
                attempts: 0,
            });
            entry.attempts = entry.attempts.saturating_add(1);
            if entry.message != message {
                tracing::warn!(work = work.as_str(), reason = %message, "does not work, and is tried again");
                entry.message = message;
            }
        });
    }

    pub(crate) fn works(&self, work: Work) {
        let there = {
            let known = self
                .known
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            known.faults.contains_key(&work)
        };
        if there {
            tracing::info!(work = work.as_str(), "works again");
            self.change(|known| {
                known.faults.remove(&work);
            });
        }
    }

    pub(crate) fn token_due(&self, due: UnixTime) {
        self.change(|known| known.token_due = Some(due));
    }

    pub(crate) fn certificate_due(&self, due: UnixTime) {
        self.change(|known| known.certificate_due = Some(due));
    }

    pub(crate) fn credential(&self, credential: &Credential) {
        self.change(|known| {
            if known.pair.as_ref() != Some(credential.pair()) {
                known.rotations = known.rotations.saturating_add(1);
            }
            known.pair = Some(credential.pair().clone());
            known.credential = Some(credential.clone());
        });
    }

    pub(crate) fn status(&self, surroundings: &dyn Surroundings) -> Status {
        let now = surroundings.now();
        let known = self
            .known
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let good = known
            .credential
            .as_ref()
            .is_some_and(|credential| credential.is_good(now));
        let health = match (good, known.faults.is_empty()) {
            (true, true) => Health::Fresh,
            (true, false) => Health::Degraded,
            (false, true) if known.credential.is_none() => Health::Starting,
            (false, _) => Health::Failing,
        };
        Status {
            health,
            at: date(now),
            certificate: known.pair.as_ref().map(|pair| {
                let certificate = pair.certificate();
                CertificateStatus {
                    subject: certificate.subject().to_string(),
                    thumbprint: certificate.thumbprint().to_string(),
                    not_before: date(certificate.not_before()),
                    not_after: date(certificate.not_after()),
                }
            }),
            certificate_due: known.certificate_due.map(date),
            token: known.credential.as_ref().map(|credential| TokenStatus {
                until: date(credential.token().until()),
                scope: credential.token().scope().map(str::to_owned),
            }),
            token_due: known.token_due.map(date),
            rotations: known.rotations,
            faults: known
                .faults
                .iter()
                .map(|(work, fault)| FaultStatus {
                    work: work.as_str().to_owned(),
                    message: fault.message.clone(),
                    since: date(fault.since),
                    attempts: fault.attempts,
                })
                .collect(),
        }
    }
}

/// `2026-08-01T12:00:00Z`; the seconds where no calendar has them.
pub(crate) fn date(at: UnixTime) -> String {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
    i64::try_from(at.as_secs())
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .and_then(|date| date.format(&format).ok())
        .unwrap_or_else(|| at.as_secs().to_string())
}
