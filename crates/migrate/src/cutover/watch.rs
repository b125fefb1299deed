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
    /// How many answers more than that: what chance brings into a small sample, in which one answer is a large share.
    pub slack: u64,
    /// How long users are watched after the pool was changed.
    pub settle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            failed_percent: 1,
            refused_percent: 5,
            refused_percent_after_switch: 50,
            slack: 5,
            settle: Duration::from_secs(30),
        }
    }
}

/// What was answered in one stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Sample {
    /// Answers.
    pub answers: u64,
    /// 4xx.
    pub refused: u64,
    /// 5xx.
    pub failed: u64,
}

impl Sample {
    /// Between two looks. Counters that went back were those of a balancer that was started anew: then all of them
    /// count.
    #[must_use]
    pub const fn between(before: Traffic, after: Traffic) -> Self {
        if after.answers < before.answers {
            return Self {
                answers: after.answers,
                refused: after.refused,
                failed: after.failed,
            };
        }
        Self {
            answers: after.answers.saturating_sub(before.answers),
            refused: after.refused.saturating_sub(before.refused),
            failed: after.failed.saturating_sub(before.failed),
        }
    }

    /// Why the change must stop, if it must.
    #[must_use]
    pub fn judge(&self, before: &Self, limits: &Limits, refusals_are_due: bool) -> Option<String> {
        let refused = if refusals_are_due {
            limits.refused_percent_after_switch
        } else {
            limits.refused_percent
        };
        let failed = self.excess(
            "5xx",
            (self.failed, before.failed),
            before.answers,
            limits.failed_percent,
            limits,
        );
        failed.or_else(|| {
            self.excess(
                "4xx",
                (self.refused, before.refused),
                before.answers,
                refused,
                limits,
            )
        })
    }

    fn excess(
        &self,
        what: &str,
        (now, then): (u64, u64),
        of_then: u64,
        percent: u64,
        limits: &Limits,
    ) -> Option<String> {
        let share = |count: u64, of: u64| count.saturating_mul(100).checked_div(of).unwrap_or_default();
        let was = share(then, of_then);
        let borne = was.saturating_add(percent);
        let most = self.answers.saturating_mul(borne) / 100;
        if now <= most.saturating_add(limits.slack) {
            return None;
        }
        Some(format!(
            "{} of a hundred of the last {} answers were {what}, {was} before; {borne} are borne",
            share(now, self.answers),
            self.answers
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rise_stops_it_and_what_was_always_so_does_not() {
        let sample = |answers, refused, failed| Sample {
            answers,
            refused,
            failed,
        };
        let limits = Limits::default();
        let (quiet, noisy, none) = (sample(1000, 0, 0), sample(1000, 200, 30), Sample::default());
        for (name, now, before, due, stops) in [
            ("as before", sample(1000, 200, 30), noisy, false, false),
            ("few, all bad", sample(5, 5, 5), quiet, false, false),
            (
                "few, and more bad than chance",
                sample(7, 0, 6),
                quiet,
                false,
                true,
            ),
            ("nothing", sample(0, 0, 0), none, false, false),
            ("5xx within", sample(1000, 0, 15), quiet, false, false),
            ("5xx", sample(1000, 0, 16), quiet, false, true),
            ("5xx where some were", sample(1000, 200, 46), noisy, false, true),
            ("4xx within", sample(1000, 55, 0), quiet, false, false),
            ("4xx", sample(1000, 56, 0), quiet, false, true),
            ("4xx that are due", sample(1000, 505, 0), quiet, true, false),
            ("4xx past what is due", sample(1000, 506, 0), quiet, true, true),
            ("5xx are never due", sample(1000, 0, 16), quiet, true, true),
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
        assert_eq!((sample.answers, sample.refused, sample.failed), (100, 10, 25));
        let sample = Sample::between(traffic(1000, 10, 5), traffic(50, 5, 1));
        assert_eq!((sample.answers, sample.refused, sample.failed), (50, 5, 1));
        assert_eq!(
            Sample::between(traffic(5, 1, 1), traffic(5, 1, 1)),
            Sample::default()
        );
    }
}
