use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::routing::get;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};

use crate::edge::Edge;

/// Whether the program is ready to serve: false until it says so, and again while it shuts down or lacks a part that
/// requests need. A clone is the same.
///
/// # Examples
/// ```
/// let readiness = sealstone_http::Readiness::default();
/// assert!(!readiness.is_ready());
/// readiness.set(true);
/// assert!(readiness.clone().is_ready());
/// readiness.set_part("database", false);
/// assert_eq!(readiness.missing(), ["database"]);
/// assert!(!readiness.is_ready());
/// readiness.set_part("database", true);
/// assert!(readiness.is_ready());
/// ```
#[derive(Debug, Clone)]
pub struct Readiness(Arc<Mutex<BTreeSet<&'static str>>>);

/// The program itself, which has not begun to serve, or ends.
const SERVING: &str = "serving";

impl Default for Readiness {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(BTreeSet::from([SERVING]))))
    }
}

impl Readiness {
    /// Says whether the program serves.
    pub fn set(&self, ready: bool) {
        self.set_part(SERVING, ready);
    }

    /// Says whether a part works without which requests fail. Its name is shown.
    pub fn set_part(&self, part: &'static str, works: bool) {
        let mut missing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if works {
            missing.remove(part);
        } else {
            missing.insert(part);
        }
    }

    /// What is missing, by name.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        let missing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        missing.iter().copied().collect()
    }

    /// Whether the program is ready: nothing is missing.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.missing().is_empty()
    }
}

const JSON: &str = "application/json";
const TEXT: &str = "text/plain; version=0.0.4";

/// Writes metrics of the program's own after those of the edge.
pub(crate) type MoreMetrics = Arc<dyn Fn(&mut String) + Send + Sync>;

pub(crate) fn router(edge: Arc<Edge>, readiness: Readiness, more: MoreMetrics) -> Router {
    let live = || async { answer(StatusCode::OK, JSON, r#"{"status":"live"}"#.to_owned()) };
    let ready = move || async move { ready(&readiness) };
    Router::new()
        .route("/health/live", get(live))
        .route("/health/ready", get(ready.clone()))
        // By the names that Kubernetes' own components have.
        .route("/healthz", get(live))
        .route("/readyz", get(ready))
        .route(
            "/metrics",
            get(move || async move {
                let mut text = edge.metrics_text();
                more(&mut text);
                answer(StatusCode::OK, TEXT, text)
            }),
        )
}

/// Ready, or what is waited for.
fn ready(readiness: &Readiness) -> Answer {
    let missing = readiness.missing();
    if missing.is_empty() {
        return answer(StatusCode::OK, JSON, r#"{"status":"ready"}"#.to_owned());
    }
    // The names are words of the program: nothing in them needs an escape.
    let text = format!(
        r#"{{"status":"not_ready","missing":["{}"]}}"#,
        missing.join("\",\"")
    );
    answer(StatusCode::SERVICE_UNAVAILABLE, JSON, text)
}

type Answer = (StatusCode, [(http::HeaderName, &'static str); 2], String);

fn answer(status: StatusCode, kind: &'static str, text: String) -> Answer {
    (status, [(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-store")], text)
}
