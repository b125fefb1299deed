//! Adds up what the test runners say of themselves.

/// Tests that ran, by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    passed: u64,
    failed: u64,
    skipped: u64,
}

impl Counts {
    /// Adds another count to this one.
    pub(crate) const fn add(&mut self, other: Self) {
        self.passed = self.passed.saturating_add(other.passed);
        self.failed = self.failed.saturating_add(other.failed);
        self.skipped = self.skipped.saturating_add(other.skipped);
    }

    /// One check of ours that is no test runner's.
    pub(crate) const fn of_one_check() -> Self {
        Self {
            passed: 1,
            failed: 0,
            skipped: 0,
        }
    }

    /// The same, failed.
    pub(crate) const fn of_one_failure() -> Self {
        Self {
            passed: 0,
            failed: 1,
            skipped: 0,
        }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.passed == 0 && self.failed == 0 && self.skipped == 0
    }

    /// A command that failed without naming a failed test counts as one failure.
    pub(crate) fn fail_at_least_one(&mut self) {
        self.failed = self.failed.max(1);
    }

    pub(crate) fn line(&self) -> String {
        format!(
            "{} passed, {} failed, {} skipped",
            self.passed, self.failed, self.skipped
        )
    }

    /// Reads one line of a runner: `test result: ok. 3 passed; 0 failed; 1 ignored; …` of cargo, or
    /// `Summary [ 1.0s] 3 tests run: 3 passed (1 slow), 1 skipped` of nextest.
    pub(crate) fn read(&mut self, line: &str) {
        let plain = without_colours(line);
        // Nextest shows a failed test's own output indented: only a line of cargo's begins with its first character.
        let figures = match (
            plain.strip_prefix("test result: "),
            plain.trim_start().strip_prefix("Summary ["),
        ) {
            (Some(rest), _) => rest.split_once(". ").map(|(_, figures)| figures),
            (None, Some(rest)) => rest.split_once(" run: ").map(|(_, figures)| figures),
            (None, None) => None,
        };
        for figure in figures.unwrap_or_default().split([',', ';']) {
            let mut words = figure.split_whitespace();
            let (Some(Ok(count)), Some(word)) = (words.next().map(str::parse::<u64>), words.next()) else {
                continue;
            };
            let total = match word {
                "passed" => &mut self.passed,
                "failed" | "timed" | "exec" => &mut self.failed,
                "ignored" | "skipped" => &mut self.skipped,
                _ => continue,
            };
            *total = total.saturating_add(count);
        }
    }

    /// Reads a line of [`line`](Self::line) back, at the end of a failure's message.
    pub(crate) fn of_message(message: &str) -> Self {
        let mut counts = Self::default();
        if let Some(line) = message.lines().last() {
            counts.read(&format!("test result: x. {line}"));
        }
        counts
    }
}

fn without_colours(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' {
            let _ = characters.by_ref().find(char::is_ascii_alphabetic);
        } else {
            plain.push(character);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::Counts;

    #[test]
    fn counts_are_read_from_each_runner() {
        let cases = [
            (
                "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.00s",
                (3, 0, 1),
            ),
            (
                "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out",
                (1, 2, 0),
            ),
            (
                "     Summary [   0.512s] 7 tests run: 7 passed (1 slow), 4 skipped",
                (7, 0, 4),
            ),
            (
                "     Summary [   0.512s] 7/9 tests run: 5 passed, 1 failed, 1 timed out, 4 skipped",
                (5, 2, 4),
            ),
            (
                "\u{1b}[32;1m     Summary\u{1b}[0m [   0.1s] \u{1b}[1m2\u{1b}[0m tests run: \u{1b}[1m2\u{1b}[0m \u{1b}[32;1mpassed\u{1b}[0m, 0 skipped",
                (2, 0, 0),
            ),
            (
                "    test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 2 filtered out",
                (0, 0, 0),
            ),
            ("running 3 tests", (0, 0, 0)),
        ];
        for (line, (passed, failed, skipped)) in cases {
            let mut counts = Counts::default();
            counts.read(line);
            assert_eq!(
                counts,
                Counts {
                    passed,
                    failed,
                    skipped
                },
                "{line}"
            );
        }
    }

    #[test]
    fn a_message_carries_its_counts() {
        let counts = Counts {
            passed: 4,
            failed: 1,
            skipped: 2,
        };
        assert_eq!(
            Counts::of_message(&format!("it failed\n{}", counts.line())),
            counts
        );
    }
}
