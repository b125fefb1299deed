//! What became of the last reload, for whoever asked for it: `/reload` at the admin listener.

use axum::Router;
use axum::routing::get;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use parking_lot::Mutex;
use rustls_pki_types::UnixTime;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::sync::Arc;

/// A clone is the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reloads(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    last: Mutex<Outcome>,
    counts: Mutex<Counts>,
}

/// Also of files that were read anew because they have changed.
#[derive(Debug, Default)]
struct Counts {
    loaded: u64,
    refused: u64,
    /// Whether the last one was refused.
    stale: bool,
    /// When the last good one was, in seconds since 1970.
    last_loaded: u64,
}

/// What one reload came to.
pub(crate) enum Told {
    /// It is in force, but for the keys that wait for a restart.
    Loaded {
        acting: Vec<String>,
        waiting: Vec<String>,
    },
    /// Nothing has changed.
    Refused(String),
}

/// As it is answered: names of keys, never a value.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Outcome {
    /// Of the process that answers.
    pub(super) process: u32,
    /// Reloads that were asked for since it began.
    pub(super) number: u64,
    /// `none`, `loaded` or `refused`.
    pub(super) outcome: String,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
    /// Keys that have another value since, and act.
    pub(super) acting: Vec<String>,
    /// Keys that have another value in the file, and wait.
    pub(super) restart_needed: Vec<String>,
}

impl Default for Outcome {
    fn default() -> Self {
        Self {
            process: std::process::id(),
            number: 0,
            outcome: "none".to_owned(),
            error: None,
            acting: Vec::new(),
            restart_needed: Vec::new(),
        }
    }
}

impl Reloads {
    pub(super) fn tell(&self, told: Told) {
        let mut last = self.0.last.lock();
        let number = last.number.saturating_add(1);
        *last = match told {
            Told::Loaded { acting, waiting } => Outcome {
                number,
                outcome: LOADED.to_owned(),
                acting,
                restart_needed: waiting,
                ..Outcome::default()
            },
            Told::Refused(error) => Outcome {
                number,
                outcome: "refused".to_owned(),
                error: Some(error),
                // What waited before waits on.
                restart_needed: std::mem::take(&mut last.restart_needed),
                ..Outcome::default()
            },
        };
    }
}

/// What metrics say of reloads.
impl Reloads {
    /// The process has begun, with what it read then.
    pub(crate) fn began(&self, now: UnixTime) {
        self.0.counts.lock().last_loaded = now.as_secs();
    }

    /// Counts one that was asked for, or that a changed file was the reason of.
    pub(super) fn count(&self, good: bool, now: UnixTime) {
        let mut counts = self.0.counts.lock();
        counts.stale = !good;
        if good {
            counts.loaded = counts.loaded.saturating_add(1);
            counts.last_loaded = now.as_secs();
        } else {
            counts.refused = counts.refused.saturating_add(1);
        }
    }

    /// Appends them in the text format of Prometheus.
    pub(crate) fn metrics(&self, text: &mut String) {
        let counts = self.0.counts.lock();
        let name = "sealstone_reloads_total";
        // Writing into a String does not fail.
        let _ = writeln!(
            text,
            "# HELP {name} Reloads by outcome.\n# TYPE {name} counter\n\
             {name}{{outcome=\"loaded\"}} {}\n{name}{{outcome=\"refused\"}} {}",
            counts.loaded, counts.refused
        );
        let mut gauge = |name: &str, help: &str, value: u64| {
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}");
        };
        gauge(
            "sealstone_reload_refused",
            "1 while the last reload was refused.",
            u64::from(counts.stale),
        );
        gauge(
            "sealstone_last_good_reload_time_seconds",
            "When configuration or certificates were last loaded.",
            counts.last_loaded,
        );
    }
}

pub(super) const LOADED: &str = "loaded";

/// For the admin listener.
pub(crate) fn admin(reloads: &Reloads) -> Router {
    let reloads = reloads.clone();
    let answer = move || async move {
        // Numbers and texts are always JSON.
        let text = serde_json::to_string(&*reloads.0.last.lock()).unwrap_or_default();
        let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")];
        (headers, text)
    };
    Router::new().route("/reload", get(answer))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::time::Duration;

    const DOCUMENT: &str = include_str!("../../../../docs/reference/metrics.md");

    #[test]
    fn reloads_are_counted_and_documented() {
        let reloads = Reloads::default();
        let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let says = |lines: &[&str]| {
            let mut text = String::new();
            reloads.metrics(&mut text);
            for line in lines {
                assert!(text.lines().any(|found| found == *line), "{line} in {text}");
            }
            text
        };
        reloads.began(at(1_000));
        says(&[
            "sealstone_reloads_total{outcome=\"loaded\"} 0",
            "sealstone_reload_refused 0",
            "sealstone_last_good_reload_time_seconds 1000",
        ]);
        reloads.count(true, at(1_100));
        reloads.count(false, at(1_200));
        let text = says(&[
            "sealstone_reloads_total{outcome=\"loaded\"} 1",
            "sealstone_reloads_total{outcome=\"refused\"} 1",
            "sealstone_reload_refused 1",
            "sealstone_last_good_reload_time_seconds 1100",
        ]);
        reloads.count(true, at(1_300));
        says(&[
            "sealstone_reload_refused 0",
            "sealstone_last_good_reload_time_seconds 1300",
        ]);
        let names: BTreeSet<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
            .collect();
        let section = DOCUMENT.split("\n## Reloads\n").nth(1).unwrap();
        let section = section.split("\n## ").next().unwrap();
        let rows: BTreeSet<&str> = section
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
            .collect();
        assert_eq!(rows, names);
    }
}
