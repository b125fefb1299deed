use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::attributes::told_as;
use crate::handle::TracerHandle;
use crate::ids::{SpanId, TraceId};
use crate::otlp::{FinishedSpan, Kind, Value};
use crate::queue::add;
use crate::tracer::Inner;

/// Spans of one trace: a login with every part of it has some thirty.
const MAX_SPANS: u32 = 128;
/// Attributes of one span: ours have ten at most.
const MAX_ATTRIBUTES: usize = 16;
/// Characters of a value: the longest statement of the store has fewer.
const MAX_VALUE: usize = 1024;

/// Gathers the spans of traced requests; see [`Tracer::layer`](crate::Tracer::layer).
pub struct TraceLayer(TracerHandle);

impl TraceLayer {
    pub(crate) const fn new(handle: TracerHandle) -> Self {
        Self(handle)
    }

    /// The span as it begins, if it belongs to a trace that is sampled.
    fn open(&self, metadata: &Metadata<'_>, seen: Seen, above: Option<Above>) -> Option<Open> {
        let (tracer, trace, parent, spans) = match (above, seen.trace) {
            (Some(above), _) => (above.tracer, above.trace, Some(above.span), above.spans),
            (None, Some(trace)) if seen.is_sampled => {
                (self.0.inner()?, trace, seen.parent, Arc::new(AtomicU32::new(0)))
            }
            (None, _) => return None,
        };
        if spans.fetch_add(1, Ordering::Relaxed) >= MAX_SPANS {
            add(&tracer.queue.counters.trace_full, 1);
            return None;
        }
        let kind = if seen.trace.is_some() {
            Kind::Server
        } else {
            seen.kind
        };
        Some(Open {
            trace,
            parent,
            span: tracer.span_id()?,
            spans,
            name: metadata.name(),
            kind,
            wall: tracer.clock.wall(),
            ticks: tracer.clock.ticks(),
            attributes: seen.attributes,
            tracer,
        })
    }
}

impl fmt::Debug for TraceLayer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("TraceLayer").finish_non_exhaustive()
    }
}

/// A span that has not ended.
struct Open {
    /// Whose it is, whatever tracer is in use when it ends.
    tracer: Arc<Inner>,
    trace: TraceId,
    parent: Option<SpanId>,
    span: SpanId,
    /// Spans of this trace so far.
    spans: Arc<AtomicU32>,
    name: &'static str,
    kind: Kind,
    wall: Duration,
    ticks: Duration,
    attributes: Vec<(&'static str, Value)>,
}

/// What a span takes from the one around it.
struct Above {
    tracer: Arc<Inner>,
    trace: TraceId,
    span: SpanId,
    spans: Arc<AtomicU32>,
}

impl<S> Layer<S> for TraceLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let above = span.parent().and_then(|parent| {
            let extensions = parent.extensions();
            let open = extensions.get::<Open>()?;
            Some(Above {
                tracer: Arc::clone(&open.tracer),
                trace: open.trace,
                span: open.span,
                spans: Arc::clone(&open.spans),
            })
        });
        let mut seen = Seen::default();
        attributes.record(&mut seen);
        if let Some(open) = self.open(attributes.metadata(), seen, above) {
            span.extensions_mut().insert(open);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut extensions = span.extensions_mut();
        let Some(open) = extensions.get_mut::<Open>() else {
            return;
        };
        let mut seen = Seen {
            attributes: std::mem::take(&mut open.attributes),
            ..Seen::default()
        };
        values.record(&mut seen);
        open.attributes = seen.attributes;
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        let Some(open) = span.extensions_mut().remove::<Open>() else {
            return;
        };
        let tracer = Arc::clone(&open.tracer);
        let taken = tracer.clock.ticks().saturating_sub(open.ticks);
        tracer.queue.put(open.finish(taken));
    }
}

impl Open {
    fn finish(self, taken: Duration) -> FinishedSpan {
        let text = |name: &str| {
            self.attributes.iter().find_map(|(told, value)| match value {
                Value::Text(text) if *told == name => Some(text.as_str()),
                Value::Text(_) | Value::Number(_) | Value::Truth(_) => None,
            })
        };
        // As the conventions name them: a server's by method and route, a client's by method and what is asked.
        let method = text("http.request.method");
        let place = text("http.route").or_else(|| text("url.template"));
        let statement = text("db.operation.name");
        let name = match (method, place, statement) {
            (Some(method), Some(place), _) => format!("{method} {place}"),
            (Some(method), None, _) => method.to_owned(),
            (None, _, Some(statement)) => statement.to_owned(),
            (None, _, None) => self.name.to_owned(),
        };
        let status = self.attributes.iter().find_map(|(told, value)| match value {
            Value::Number(status) if *told == "http.response.status_code" => Some(*status),
            Value::Text(_) | Value::Number(_) | Value::Truth(_) => None,
        });
        let least = match self.kind {
            Kind::Server => 500,
            Kind::Client | Kind::Internal => 400,
        };
        let failed = status.is_some_and(|status| status >= least);
        let is_error = failed || text("error.type").is_some();
        let mut attributes = self.attributes;
        if failed
            && !attributes.iter().any(|(told, _)| *told == "error.type")
            && let Some(status) = status
        {
            attributes.push(("error.type", Value::Text(status.to_string())));
        }
        FinishedSpan {
            trace: self.trace,
            span: self.span,
            parent: self.parent,
            name,
            kind: self.kind,
            begin: self.wall,
            end: self.wall.saturating_add(taken),
            attributes,
            is_error,
        }
    }
}

/// What the fields of a span say.
#[derive(Default)]
struct Seen {
    trace: Option<TraceId>,
    parent: Option<SpanId>,
    is_sampled: bool,
    kind: Kind,
    attributes: Vec<(&'static str, Value)>,
}

impl Seen {
    fn tell(&mut self, field: &Field, value: Value) {
        let Some(told) = told_as(field.name()) else { return };
        if let Some((_, before)) = self.attributes.iter_mut().find(|(other, _)| *other == told) {
            *before = value;
        } else if self.attributes.len() < MAX_ATTRIBUTES {
            self.attributes.push((told, value));
        }
    }

    fn text(&mut self, field: &Field, text: &str) {
        match field.name() {
            "trace.id" => self.trace = TraceId::parse(text),
            "trace.parent" => self.parent = SpanId::parse(text),
            "otel.kind" if text == "client" => self.kind = Kind::Client,
            _other => self.tell(field, Value::Text(text.chars().take(MAX_VALUE).collect())),
        }
    }
}

impl Visit for Seen {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        match field.name() {
            "trace.sampled" => self.is_sampled = value,
            _other => self.tell(field, Value::Truth(value)),
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.tell(field, Value::Number(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.tell(field, Value::Number(i64::try_from(value).unwrap_or(i64::MAX)));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let is_read = matches!(field.name(), "trace.id" | "trace.parent") || told_as(field.name()).is_some();
        if is_read {
            self.text(field, &format!("{value:?}"));
        }
    }
}

#[cfg(test)]
mod tests;
