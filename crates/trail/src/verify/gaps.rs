//! Numbers that were not there when their turn came.

use std::collections::BTreeMap;

/// Gaps that are kept in mind: what fills a forgotten one is told as put in, which it then is as far as is known.
const MOST: usize = 1_000;

/// Each by its first number: its last number, and the finding that tells of it.
#[derive(Debug, Default)]
pub(super) struct Gaps(BTreeMap<u64, (u64, Option<usize>)>);

impl Gaps {
    pub(super) fn open(&mut self, from: u64, to: u64, told: Option<usize>) {
        if self.0.len() < MOST {
            self.0.insert(from, (to, told));
        }
    }

    /// This number has come after all. Tells the finding of a gap that is filled by it, so that it is said otherwise.
    pub(super) fn fill(&mut self, number: u64) -> Option<Option<usize>> {
        let (&from, &(to, told)) = self.0.range(..=number).next_back()?;
        if number > to {
            return None;
        }
        self.0.remove(&from);
        if from < number {
            self.open(from, number.saturating_sub(1), told);
        }
        if number < to {
            self.open(number.saturating_add(1), to, told);
        }
        // The rest of the gap may be filled yet, or never.
        let filled = !self.0.values().any(|(_, other)| *other == told);
        Some(told.filter(|_| filled))
    }
}
