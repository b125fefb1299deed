#![doc = include_str!("../README.md")]

mod answer;
mod attributes;
mod collector;
mod handle;
mod ids;
mod layer;
mod otlp;
mod outbox;
mod parent;
mod queue;
mod sampling;
mod tracer;

pub use answer::rejected_spans;
pub use attributes::ATTRIBUTES;
pub use collector::{Collector, CollectorSettings};
pub use handle::TracerHandle;
pub use ids::{SpanId, TraceId};
pub use layer::TraceLayer;
pub use otlp::Service;
pub use outbox::Outbox;
pub use parent::{ParentError, TraceParent};
pub use queue::Standing;
pub use tracer::{Entropy, Start, TraceClock, Tracer, TracerSettings};
