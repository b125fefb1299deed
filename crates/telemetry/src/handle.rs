use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Metadata, Subscriber, callsite};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, Filter};
use tracing_subscriber::registry::LookupSpan;

use crate::layer::TraceLayer;
use crate::tracer::{Inner, Tracer};

/// The tracer in use, or none: what one clone replaces, the next request of all goes by. A trace that has begun ends
/// where it began.
///
/// # Examples
/// ```
/// use sealstone_telemetry::TracerHandle;
/// use tracing_subscriber::layer::SubscriberExt as _;
///
/// let handle = TracerHandle::default();
/// let subscriber = tracing_subscriber::registry().with(handle.layer());
/// // Later, and back:
/// # fn tracer() -> Option<sealstone_telemetry::Tracer> { None }
/// handle.replace(tracer().as_ref());
/// handle.replace(None);
/// ```
#[derive(Clone, Default)]
pub struct TracerHandle(Arc<ArcSwapOption<Inner>>);

impl TracerHandle {
    /// Puts another tracer in place, or none.
    pub fn replace(&self, tracer: Option<&Tracer>) {
        self.0.store(tracer.map(|tracer| Arc::clone(&tracer.0)));
        // Which spans are made at all is remembered where they are made.
        callsite::rebuild_interest_cache();
    }

    /// Whether there is a tracer.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.0.load().is_some()
    }

    /// What gathers the spans of this program's own crates, to be put onto a registry. It is interested in spans of a
    /// target that begins with `sealstone`, in no event, and in nothing while there is no tracer: then it costs nothing.
    #[must_use]
    pub fn layer<S>(&self) -> impl Layer<S> + Send + Sync + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        TraceLayer::new(self.clone()).with_filter(OwnSpans(self.clone()))
    }

    pub(crate) fn inner(&self) -> Option<Arc<Inner>> {
        self.0.load_full()
    }
}

impl fmt::Debug for TracerHandle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TracerHandle")
            .field("is_on", &self.is_on())
            .finish()
    }
}

/// Spans of this program's own crates, while there is a tracer.
struct OwnSpans(TracerHandle);

impl OwnSpans {
    fn takes(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span()
            && metadata.target().starts_with("sealstone")
            && *metadata.level() <= LevelFilter::DEBUG
            && self.0.is_on()
    }
}

impl<S> Filter<S> for OwnSpans {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        self.takes(metadata)
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.takes(metadata) {
            Interest::always()
        } else {
            Interest::never()
        }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(if self.0.is_on() {
            LevelFilter::DEBUG
        } else {
            LevelFilter::OFF
        })
    }
}
