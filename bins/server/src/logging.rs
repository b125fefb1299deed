use crate::config::{LogFormat, LogLevel, LogSection};
use sealstone_telemetry::Tracer;
use std::io::IsTerminal as _;
use tracing::Metadata;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing_subscriber::layer::{Context, Filter, Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Registry, fmt, reload};

/// Changes how much is logged while the program runs.
#[derive(Debug, Clone)]
pub(crate) struct LogHandle(Handle);

/// What is changed: the level of everything, or of the log alone beside traces.
#[derive(Debug, Clone)]
enum Handle {
    Alone(reload::Handle<LevelFilter, Registry>),
    BesideTraces(reload::Handle<BesideTraces, Registry>),
}

impl LogHandle {
    pub(crate) fn set(&self, level: LogLevel) {
        let changed = match &self.0 {
            Handle::Alone(handle) => handle.reload(filter(level)),
            Handle::BesideTraces(handle) => handle.reload(BesideTraces(filter(level))),
        };
        if let Err(error) = changed {
            tracing::error!(%error, "log.level can't be changed now");
        }
    }
}

const fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    }
}

/// What the log says while requests are traced: events as its level has them, and the span of their request, which
/// names the trace.
#[derive(Debug, Clone, Copy)]
struct BesideTraces(LevelFilter);

/// The span that has the trace's id.
const REQUEST: &str = "request";

impl<S> Filter<S> for BesideTraces {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        *metadata.level() <= self.0 || metadata.is_span() && metadata.name() == REQUEST
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        // Asked anew: the level may be changed.
        if metadata.is_span() && metadata.name() == REQUEST {
            Interest::always()
        } else {
            Interest::sometimes()
        }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.0.max(LevelFilter::DEBUG))
    }
}

/// Starts the log on standard error, and traces if there are to be any. Standard output is for what was asked for.
pub(crate) fn start(section: &LogSection, tracer: Option<&Tracer>) -> LogHandle {
    LogHandle(match tracer {
        Some(tracer) => Handle::BesideTraces(beside_traces(section, tracer)),
        None => Handle::Alone(alone(section)),
    })
}

fn alone(section: &LogSection) -> reload::Handle<LevelFilter, Registry> {
    let (level, handle) = reload::Layer::new(filter(section.level));
    let registry = tracing_subscriber::registry().with(level);
    let log = fmt::layer().with_writer(std::io::stderr).with_target(false);
    match section.format {
        LogFormat::Text => registry.with(log.with_ansi(has_colours())).init(),
        LogFormat::Json => registry.with(log.json().flatten_event(true)).init(),
    }
    handle
}

fn beside_traces(section: &LogSection, tracer: &Tracer) -> reload::Handle<BesideTraces, Registry> {
    let (level, handle) = reload::Layer::new(BesideTraces(filter(section.level)));
    let log = fmt::layer().with_writer(std::io::stderr).with_target(false);
    let log = match section.format {
        LogFormat::Text => log.with_ansi(has_colours()).boxed(),
        LogFormat::Json => log.json().flatten_event(true).boxed(),
    };
    let registry = tracing_subscriber::registry().with(log.with_filter(level));
    registry.with(tracer.layer()).init();
    handle
}

fn has_colours() -> bool {
    std::io::stderr().is_terminal() && !no_color()
}

/// <https://no-color.org>: set and not empty.
#[expect(clippy::disallowed_methods, reason = "a binary reads its environment")]
fn no_color() -> bool {
    std::env::var("NO_COLOR").is_ok_and(|value| !value.is_empty())
}
