mod causes;

use crate::config::{LogFormat, LogLevel, LogSection};
use causes::WithCauses;
use sealstone_telemetry::TracerHandle;
use std::io::IsTerminal as _;
use tracing::Metadata;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing_subscriber::layer::{Context, Filter, Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Registry, fmt, reload};

/// Changes how much is logged while the program runs.
#[derive(Debug, Clone)]
pub(crate) struct LogHandle {
    filter: reload::Handle<Logged, Registry>,
    tracer: TracerHandle,
}

impl LogHandle {
    pub(crate) fn set(&self, level: LogLevel) {
        let logged = Logged {
            level: filter(level),
            tracer: self.tracer.clone(),
        };
        if let Err(error) = self.filter.reload(logged) {
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

/// What the log says: events and spans as its level has them, and, while requests are traced, the span of their request,
/// which names the trace.
///
/// What it says of a place in the code is remembered there, and asked anew when the level or the tracer is replaced.
#[derive(Debug, Clone)]
struct Logged {
    level: LevelFilter,
    tracer: TracerHandle,
}

/// The span that has the trace's id.
const REQUEST: &str = "request";

/// The client of a message broker tells of each connection that it could not make. What matters of that the carrier of
/// the audit trail tells, once.
const REPEATS_ITSELF: &str = "lapin";

impl Logged {
    fn takes(&self, metadata: &Metadata<'_>) -> bool {
        let is_left_out = metadata.target().starts_with(REPEATS_ITSELF) && self.level < LevelFilter::DEBUG;
        *metadata.level() <= self.level && !is_left_out
            || metadata.is_span() && metadata.name() == REQUEST && self.tracer.is_on()
    }
}

impl<S> Filter<S> for Logged {
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
        let traced = if self.tracer.is_on() {
            LevelFilter::DEBUG
        } else {
            LevelFilter::OFF
        };
        Some(self.level.max(traced))
    }
}

/// Starts the log on standard error, and beside it what gathers traces while there is a tracer. Standard output is for
/// what was asked for.
pub(crate) fn start(section: &LogSection, tracer: &TracerHandle) -> LogHandle {
    let logged = Logged {
        level: filter(section.level),
        tracer: tracer.clone(),
    };
    let (logged, handle) = reload::Layer::new(logged);
    let log = fmt::layer().with_writer(std::io::stderr).with_target(false);
    let log = match section.format {
        LogFormat::Text => log.with_ansi(has_colours()).boxed(),
        LogFormat::Json => log
            .json()
            .flatten_event(true)
            .map_event_format(WithCauses)
            .boxed(),
    };
    let registry = tracing_subscriber::registry().with(log.with_filter(logged));
    registry.with(tracer.layer()).init();
    LogHandle {
        filter: handle,
        tracer: tracer.clone(),
    }
}

fn has_colours() -> bool {
    std::io::stderr().is_terminal() && !no_color()
}

/// <https://no-color.org>: set and not empty.
#[expect(clippy::disallowed_methods, reason = "a binary reads its environment")]
fn no_color() -> bool {
    std::env::var("NO_COLOR").is_ok_and(|value| !value.is_empty())
}
