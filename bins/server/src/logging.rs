use crate::config::{LogFormat, LogLevel, LogSection};
use std::io::IsTerminal as _;
use tracing::Level;

/// Starts the log on standard error. Standard output is for what was asked for.
pub(crate) fn start(section: &LogSection) {
    let level = match section.level {
        LogLevel::Error => Level::ERROR,
        LogLevel::Warn => Level::WARN,
        LogLevel::Info => Level::INFO,
        LogLevel::Debug => Level::DEBUG,
    };
    let log = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .with_target(false);
    match section.format {
        LogFormat::Text => log
            .with_ansi(std::io::stderr().is_terminal() && !no_color())
            .init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
}

/// <https://no-color.org>: set and not empty.
#[expect(clippy::disallowed_methods, reason = "a binary reads its environment")]
fn no_color() -> bool {
    std::env::var("NO_COLOR").is_ok_and(|value| !value.is_empty())
}
