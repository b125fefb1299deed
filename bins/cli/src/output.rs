//! Data on standard output, everything else on standard error.

use std::{
    io::{self, IsTerminal as _, Write as _},
    time::{Duration, Instant},
};

use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::failure::Outcome;

/// How data is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// Text in columns, for people
    #[default]
    Table,
    /// One JSON document, for programs
    Json,
}

#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct OutputArguments {
    /// How data is shown
    #[arg(long, value_enum, default_value_t, value_name = "FORM")]
    pub(crate) output: Form,
}

/// Writes data. A reader that went away ends the output, not in an error.
pub(crate) fn data(text: &str) -> Outcome {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Writes a line of data.
pub(crate) fn line(text: &str) -> Outcome {
    data(&format!("{text}\n"))
}

/// Tells something that is not data, in one piece: what others write to the same terminal comes before it or after it.
/// Without a reader nothing is lost.
pub(crate) fn note(text: &str) {
    let _ = io::stderr().write_all(format!("{text}\n").as_bytes());
}

pub(crate) fn json(value: &impl Serialize) -> Outcome {
    line(&serde_json::to_string_pretty(value)?)
}

/// Columns as wide as their widest cell.
pub(crate) fn table(titles: &[&str], rows: &[Vec<String>]) -> Outcome {
    let titles: Vec<String> = titles.iter().map(|title| (*title).to_owned()).collect();
    let mut text = String::new();
    let all: Vec<&Vec<String>> = [&titles].into_iter().chain(rows).collect();
    let widths: Vec<usize> = (0..titles.len())
        .map(|column| {
            all.iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or_default()
        })
        .collect();
    for row in all {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{:<width$}", visible(cell)));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    data(&text)
}

/// Names and values, one a line.
pub(crate) fn pairs(pairs: &[(&str, String)]) -> Outcome {
    let width = pairs.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let mut text = String::new();
    for (name, value) in pairs {
        text.push_str(format!("{name:<width$}  {}", visible(value)).trim_end());
        text.push('\n');
    }
    data(&text)
}

/// How often a terminal is told how far a long work is.
const PROGRESS: Duration = Duration::from_secs(2);

/// How far a long work is, told on a terminal every other second.
pub(crate) struct Progress {
    what: &'static str,
    done: usize,
    of: usize,
    told: Option<Instant>,
}

impl Progress {
    pub(crate) fn new(what: &'static str, of: usize) -> Self {
        let told = io::stderr().is_terminal().then(instant);
        Self {
            what,
            done: 0,
            of,
            told,
        }
    }

    pub(crate) fn step(&mut self) {
        self.done = self.done.saturating_add(1);
        let Some(told) = self.told else { return };
        let now = instant();
        if now.saturating_duration_since(told) >= PROGRESS {
            self.told = Some(now);
            note(&format!("{} of {} {}", self.done, self.of, self.what));
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "how long this program works, not when")]
fn instant() -> Instant {
    Instant::now()
}

/// What others chose does not steer the terminal.
pub(crate) fn visible(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}
