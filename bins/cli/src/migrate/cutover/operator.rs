//! Whoever runs the change, at a terminal or not; and time.

use std::io::{BufRead as _, IsTerminal as _};
use std::time::Duration;

use sealstone_migrate::{Op, Operator, Wait};

use crate::{clock, output};

pub(super) struct Console {
    agrees_to_all: bool,
}

impl Console {
    pub(super) const fn new(agrees_to_all: bool) -> Self {
        Self { agrees_to_all }
    }

    /// Whether there is anybody to ask.
    pub(super) fn is_asked() -> bool {
        std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
    }
}

impl Operator for Console {
    fn can_agree(&self) -> bool {
        self.agrees_to_all || Self::is_asked()
    }

    fn agrees(&mut self, op: &Op, consequence: &str) -> bool {
        if self.agrees_to_all {
            return true;
        }
        if !Self::is_asked() {
            return false;
        }
        output::note(&format!("{op}: {consequence}. Do it? Write yes:"));
        let mut line = String::new();
        let read = std::io::stdin().lock().read_line(&mut line);
        read.is_ok() && line.trim() == "yes"
    }

    fn begins(&mut self, number: usize, of: usize, op: &Op) {
        output::note(&format!("{number} of {of}: {op}"));
    }

    fn told(&mut self, text: &str) {
        output::note(&output::visible(&format!("note: {text}")));
    }
}

/// The system's clock.
pub(super) struct Watch;

impl Wait for Watch {
    fn now(&mut self) -> u64 {
        clock::now().as_secs()
    }

    fn pause(&mut self, span: Duration) {
        clock::pause(span);
    }
}
