use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::registry::LookupSpan;

use crate::handle::TracerHandle;
use crate::ids::{SpanId, TraceId};
use crate::outbox::Outbox;
use crate::parent::TraceParent;
use crate::queue::{Counters, Queue, Standing, add};
use crate::sampling::Sampling;

/// The time, as traces need it.
pub trait TraceClock: Send + Sync + fmt::Debug {
    /// Since 1970, as collectors compare it with other machines'.
    fn wall(&self) -> Duration;
    /// Since any moment, never going back: what a span took.
    fn ticks(&self) -> Duration;
}

/// Fills octets that nobody can foresee; false when there are none.
pub type Entropy = Box<dyn Fn(&mut [u8]) -> bool + Send + Sync>;

/// What may be traced, and how much.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the caller names what differs from the default"
)]
pub struct TracerSettings {
    /// The share of requests that are traced, 0 to 1; 0.01 by default.
    pub sample_ratio: f64,
    /// How many traces may begin in a second, whatever the share; 50 by default.
    pub max_traces_per_s: u32,
    /// Whether the sampled flag of a `traceparent` that was given to [`Tracer::begin`] decides in place of the share.
    /// The limit of a second holds all the same. False by default.
    pub follow_sampled_flag: bool,
    /// Spans that may wait for their delivery; 4,096 by default, some megabytes.
    pub queue: usize,
}

impl Default for TracerSettings {
    fn default() -> Self {
        Self {
            sample_ratio: 0.01,
            max_traces_per_s: 50,
            follow_sampled_flag: false,
            queue: 4096,
        }
    }
}

/// Decides what is traced. A clone is the same tracer.
#[derive(Clone)]
pub struct Tracer(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) queue: Queue,
    pub(crate) clock: Box<dyn TraceClock>,
    entropy: Entropy,
    sampling: Sampling,
    follow_sampled_flag: bool,
}

impl Tracer {
    /// A tracer, and what sends its spans. Until that is run, spans wait, and beyond the queue's size are dropped.
    #[must_use]
    pub fn new(settings: TracerSettings, clock: Box<dyn TraceClock>, entropy: Entropy) -> (Self, Outbox) {
        Self::counting(settings, clock, entropy, Arc::default())
    }

    /// The same, which counts on from this one: for the tracer that takes its place.
    #[must_use]
    pub fn successor(
        &self,
        settings: TracerSettings,
        clock: Box<dyn TraceClock>,
        entropy: Entropy,
    ) -> (Self, Outbox) {
        Self::counting(settings, clock, entropy, Arc::clone(&self.0.queue.counters))
    }

    fn counting(
        settings: TracerSettings,
        clock: Box<dyn TraceClock>,
        entropy: Entropy,
        counters: Arc<Counters>,
    ) -> (Self, Outbox) {
        let (spans, waiting) = mpsc::channel(settings.queue.max(1));
        let queue = Queue {
            spans,
            counters: Arc::clone(&counters),
        };
        let tracer = Self(Arc::new(Inner {
            queue,
            clock,
            entropy,
            sampling: Sampling::new(settings.sample_ratio, settings.max_traces_per_s),
            follow_sampled_flag: settings.follow_sampled_flag,
        }));
        (tracer, Outbox::new(waiting, counters))
    }

    /// How a request's trace begins. `parent` is the request's `traceparent` if its sender may name a trace.
    ///
    /// # Security
    /// Whoever's `parent` is given here chooses ids that are sent to the collector and written into the log, nothing
    /// else.
    #[must_use]
    pub fn begin(&self, parent: Option<TraceParent>) -> Start {
        let mut drawn = [0; 20];
        let has_entropy = (self.0.entropy)(&mut drawn);
        let [id @ .., a, b, c, d] = drawn;
        let own = TraceId::new(id).unwrap_or(TraceId::ANY);
        let wanted = match parent {
            Some(parent) if self.0.follow_sampled_flag => parent.is_sampled,
            // By a draw of our own: the id's chooser is somebody else.
            Some(_) | None => self.0.sampling.is_drawn(u32::from_be_bytes([a, b, c, d])),
        };
        let mut sampled = has_entropy && wanted;
        if sampled && !self.0.sampling.has_room(self.0.clock.ticks()) {
            add(&self.0.queue.counters.traces, 1);
            sampled = false;
        }
        Start {
            trace: parent.map_or(own, |parent| parent.trace),
            parent: parent.map(|parent| parent.span),
            sampled,
        }
    }

    /// What gathers the spans of this program's own crates, to be put onto a registry. It is interested in spans of a
    /// target that begins with `sealstone`, and in no event. A [`TracerHandle`] lets the tracer be replaced.
    #[must_use]
    pub fn layer<S>(&self) -> impl Layer<S> + Send + Sync + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let handle = TracerHandle::default();
        handle.replace(Some(self));
        handle.layer()
    }

    /// What became of spans so far.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.0.queue.standing()
    }
}

impl Inner {
    pub(crate) fn span_id(&self) -> Option<SpanId> {
        let mut id = [0; 8];
        (self.entropy)(&mut id).then(|| SpanId::new(id))?
    }
}

impl fmt::Debug for Tracer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Tracer")
            .field("standing", &self.standing())
            .finish_non_exhaustive()
    }
}

/// How a request's trace begins. The span of the request says it by its fields `trace.id`, `trace.parent` and
/// `trace.sampled`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    trace: TraceId,
    parent: Option<SpanId>,
    sampled: bool,
}

impl Start {
    /// The trace: the caller's, or a new one.
    #[must_use]
    pub const fn id(&self) -> TraceId {
        self.trace
    }

    /// The caller's span, if the trace is the caller's.
    #[must_use]
    pub const fn parent(&self) -> Option<SpanId> {
        self.parent
    }

    /// Whether the trace is gathered and sent.
    #[must_use]
    pub const fn sampled(&self) -> bool {
        self.sampled
    }
}
