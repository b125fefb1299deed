use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::mpsc;

use crate::otlp::FinishedSpan;

/// What became of spans so far, for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Standing {
    /// Spans that the collector took.
    pub delivered: u64,
    /// Spans that found the queue full.
    pub dropped_queue_full: u64,
    /// Spans of traces that had too many.
    pub dropped_trace_full: u64,
    /// Spans that the collector refused for good.
    pub dropped_refused: u64,
    /// Spans that could not be delivered in the tries that they have, or before the end.
    pub dropped_undelivered: u64,
    /// Requests that would have been traced but for the limit of a second.
    pub dropped_traces: u64,
    /// Deliveries that failed.
    pub failures: u64,
    /// Spans that wait.
    pub waiting: u64,
    /// Whether the last delivery failed.
    pub failing: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) delivered: AtomicU64,
    pub(crate) queue_full: AtomicU64,
    pub(crate) trace_full: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) undelivered: AtomicU64,
    pub(crate) traces: AtomicU64,
    pub(crate) failures: AtomicU64,
    pub(crate) failing: AtomicBool,
}

/// Adds to a counter.
pub(crate) fn add(counter: &AtomicU64, count: usize) {
    counter.fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Ordering::Relaxed);
}

/// Where finished spans are put: never waits.
#[derive(Debug, Clone)]
pub(crate) struct Queue {
    pub(crate) spans: mpsc::Sender<FinishedSpan>,
    pub(crate) counters: Arc<Counters>,
}

impl Queue {
    pub(crate) fn put(&self, span: FinishedSpan) {
        if self.spans.try_send(span).is_err() {
            add(&self.counters.queue_full, 1);
        }
    }

    pub(crate) fn standing(&self) -> Standing {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let waiting = self.spans.max_capacity().saturating_sub(self.spans.capacity());
        Standing {
            delivered: of(&self.counters.delivered),
            dropped_queue_full: of(&self.counters.queue_full),
            dropped_trace_full: of(&self.counters.trace_full),
            dropped_refused: of(&self.counters.refused),
            dropped_undelivered: of(&self.counters.undelivered),
            dropped_traces: of(&self.counters.traces),
            failures: of(&self.counters.failures),
            waiting: u64::try_from(waiting).unwrap_or(u64::MAX),
            failing: self.counters.failing.load(Ordering::Relaxed),
        }
    }
}
