use crate::config::{LogFormat, LogLevel, LogSection};
use std::io::IsTerminal as _;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Registry, fmt, reload};

/// Changes how much is logged while the program runs.
#[derive(Debug, Clone)]
pub(crate) struct LogHandle(reload::Handle<LevelFilter, Registry>);

impl LogHandle {
    pub(crate) fn set(&self, level: LogLevel) {
        if let Err(error) = self.0.reload(filter(level)) {
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

/// Starts the log on standard error. Standard output is for what was asked for.
pub(crate) fn start(section: &LogSection) -> LogHandle {
    let (level, handle) = reload::Layer::new(filter(section.level));
    let registry = tracing_subscriber::registry().with(level);
    let log = fmt::layer().with_writer(std::io::stderr).with_target(false);
    match section.format {
        LogFormat::Text => registry
            .with(log.with_ansi(std::io::stderr().is_terminal() && !no_color()))
            .init(),
        LogFormat::Json => registry.with(log.json().flatten_event(true)).init(),
    }
    LogHandle(handle)
}

/// <https://no-color.org>: set and not empty.
#[expect(clippy::disallowed_methods, reason = "a binary reads its environment")]
fn no_color() -> bool {
    std::env::var("NO_COLOR").is_ok_and(|value| !value.is_empty())
}
