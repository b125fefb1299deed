//! Whether users are worse off than before.

use std::time::Duration;

use crate::balancer::Traffic;

/// When the change stops by itself. Shares are in hundredths of the answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "callers say what their users bear")]
pub struct Limits {
    /// How many of a hundred answers more than before may be 5xx: one. A node that fails one request in three is one
    /// among three that serve, ten times this.
    pub failed_percent: u64,
    /// How many of a hundred answers more than before may be 4xx: five. Clients that log in with a wrong password are
    /// in both counts; a pool that refuses its own tokens goes to a half at once.
    pub refused_percent: u64,
    /// The same behind a switch without bridges, where each holder of a token of before is refused once, logs in and
    /// asks again: one answer in three. Above a half, logging in does not help.
    pub refused_percent_after_switch: u64,
    /// How many answers make a share: below, a single one would be five of a hundred.
    pub fewest: u64,
    /// How long users are watched after the pool was changed.
    pub settle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            failed_percent: 1,
            refused_percent: 5,
            refused_percent_after_switch: 50,
            fewest: 20,
            settle: Duration::from_secs(30),
        }
    }
}

/// The shares of one stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Sample {
    /// Answers.
    pub answers: u64,
    /// 4xx of a hundred.
    pub refused_percent: u64,
    /// 5xx of a hundred.
    pub failed_percent: u64,
}

impl Sample {
    /// Between two looks. Counters that went back were those of a balancer that was started anew: then all of them
    /// count.
    #[must_use]
    pub fn between(before: Traffic, after: Traffic) -> Self {
        let restarted = after.answers < before.answers;
        let since = |after: u64, before: u64| {
            if restarted {
                after
            } else {
                after.saturating_sub(before)
            }
        };
        let answers = since(after.answers, before.answers);
        let percent = |count: u64| {
            let share = count.saturating_mul(100).checked_div(answers);
            share.unwrap_or_default()
        };
        Self {
            answers,
            refused_percent: percent(since(after.refused, before.refused)),
            failed_percent: percent(since(after.failed, before.failed)),
        }
    }

    /// Why the change must stop, if it must.
    #[must_use]
    pub fn judge(&self, before: &Self, limits: &Limits, refusals_are_due: bool) -> Option<String> {
        if self.answers < limits.fewest {
            return None;
        }
        let refused = if refusals_are_due {
            limits.refused_percent_after_switch
        } else {
            limits.refused_percent
        };
        let failed = before.failed_percent.saturating_add(limits.failed_percent);
        let refused = before.refused_percent.saturating_add(refused);
        let told = |what: &str, found: u64, was: u64, most: u64| {
            Some(format!(
                "{found} of a hundred of the last {} answers were {what}, {was} before; {most} are borne",
                self.answers
            ))
        };
        if self.failed_percent > failed {
            return told("5xx", self.failed_percent, before.failed_percent, failed);
        }
        if self.refused_percent > refused {
            return told("4xx", self.refused_percent, before.refused_percent, refused);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rise_stops_it_and_what_was_always_so_does_not() {
        let sample = |answers, refused_percent, failed_percent| Sample {
            answers,
            refused_percent,
            failed_percent,
        };
        let limits = Limits::default();
        let (quiet, noisy) = (sample(1000, 0, 0), sample(1000, 20, 3));
        for (name, now, before, due, stops) in [
            ("as before", sample(100, 20, 3), noisy, false, false),
            ("few", sample(19, 100, 100), quiet, false, false),
            ("nothing", sample(0, 0, 0), quiet, false, false),
            ("5xx within", sample(100, 0, 1), quiet, false, false),
            ("5xx", sample(100, 0, 2), quiet, false, true),
            ("5xx where some were", sample(100, 20, 5), noisy, false, true),
            ("4xx within", sample(100, 5, 0), quiet, false, false),
            ("4xx", sample(100, 6, 0), quiet, false, true),
            ("4xx that are due", sample(100, 50, 0), quiet, true, false),
            ("4xx past what is due", sample(100, 51, 0), quiet, true, true),
            ("5xx are never due", sample(100, 0, 2), quiet, true, true),
        ] {
            assert_eq!(now.judge(&before, &limits, due).is_some(), stops, "{name}");
        }
    }

    #[test]
    fn counters_that_begin_anew_are_taken_whole() {
        let traffic = |answers, refused, failed| Traffic {
            answers,
            refused,
            failed,
        };
        let sample = Sample::between(traffic(1000, 10, 5), traffic(1100, 20, 30));
        assert_eq!(
            (sample.answers, sample.refused_percent, sample.failed_percent),
            (100, 10, 25)
        );
        let sample = Sample::between(traffic(1000, 10, 5), traffic(50, 5, 1));
        assert_eq!(
            (sample.answers, sample.refused_percent, sample.failed_percent),
            (50, 10, 2)
        );
        assert_eq!(
            Sample::between(traffic(5, 1, 1), traffic(5, 1, 1)),
            Sample::default()
        );
    }
}
