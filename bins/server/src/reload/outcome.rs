//! What became of the last reload, for whoever asked for it: `/reload` at the admin listener.

use axum::Router;
use axum::routing::get;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A clone is the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reloads(Arc<Mutex<Outcome>>);

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
        let mut last = self.0.lock();
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

pub(super) const LOADED: &str = "loaded";

/// For the admin listener.
pub(crate) fn admin(reloads: &Reloads) -> Router {
    let reloads = reloads.clone();
    let answer = move || async move {
        // Numbers and texts are always JSON.
        let text = serde_json::to_string(&*reloads.0.lock()).unwrap_or_default();
        let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")];
        (headers, text)
    };
    Router::new().route("/reload", get(answer))
}
