use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::routing::get;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};

use crate::edge::Edge;

/// Whether the program is ready to serve: false until it says so, and again while it shuts down. A clone is the same.
///
/// # Examples
/// ```
/// let readiness = sealstone_http::Readiness::default();
/// assert!(!readiness.is_ready());
/// readiness.set(true);
/// assert!(readiness.clone().is_ready());
/// ```
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// Says whether the program is ready.
    pub fn set(&self, ready: bool) {
        self.0.store(ready, Ordering::Release);
    }

    /// Whether the program is ready.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

const JSON: &str = "application/json";
const TEXT: &str = "text/plain; version=0.0.4";

/// Writes metrics of the program's own after those of the edge.
pub(crate) type MoreMetrics = Arc<dyn Fn(&mut String) + Send + Sync>;

pub(crate) fn router(edge: Arc<Edge>, readiness: Readiness, more: MoreMetrics) -> Router {
    Router::new()
        .route(
            "/health/live",
            get(|| async { answer(StatusCode::OK, JSON, r#"{"status":"live"}"#.to_owned()) }),
        )
        .route(
            "/health/ready",
            get(move || async move {
                let (status, text) = if readiness.is_ready() {
                    (StatusCode::OK, r#"{"status":"ready"}"#)
                } else {
                    (StatusCode::SERVICE_UNAVAILABLE, r#"{"status":"not_ready"}"#)
                };
                answer(status, JSON, text.to_owned())
            }),
        )
        .route(
            "/metrics",
            get(move || async move {
                let mut text = edge.metrics_text();
                more(&mut text);
                answer(StatusCode::OK, TEXT, text)
            }),
        )
}

type Answer = (StatusCode, [(http::HeaderName, &'static str); 2], String);

fn answer(status: StatusCode, kind: &'static str, text: String) -> Answer {
    (status, [(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-store")], text)
}
