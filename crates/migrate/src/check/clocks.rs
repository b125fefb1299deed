//! What an answer tells of a node's clock.

use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::{Rfc2822, Rfc3339};

/// Between which bounds a node's clock differs from that of the machine that asks, in milliseconds; positive where the
/// node is ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "two bounds")]
pub struct ClockBounds {
    /// At least.
    pub at_least_ms: i64,
    /// At most.
    pub at_most_ms: i64,
}

impl ClockBounds {
    /// Of an answer that told a whole second between these two moments of the machine that asks, in milliseconds since
    /// 1970.
    #[must_use]
    pub const fn of(told_s: i64, before_ms: i64, after_ms: i64) -> Self {
        let told_ms = told_s.saturating_mul(1000);
        Self {
            at_least_ms: told_ms.saturating_sub(after_ms),
            at_most_ms: told_ms.saturating_add(999).saturating_sub(before_ms),
        }
    }

    /// What two answers say together. A clock that was set in between is believed by the last.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let both = Self {
            at_least_ms: self.at_least_ms.max(other.at_least_ms),
            at_most_ms: self.at_most_ms.min(other.at_most_ms),
        };
        if both.at_least_ms > both.at_most_ms {
            other
        } else {
            both
        }
    }

    /// By how much this clock is ahead of the other at least, in milliseconds.
    #[must_use]
    pub const fn ahead_of(&self, other: &Self) -> i64 {
        self.at_least_ms.saturating_sub(other.at_most_ms)
    }
}

/// The second that a `Date` header tells.
pub(super) fn of_date(text: &str) -> Option<i64> {
    let date = OffsetDateTime::parse(text, &Rfc2822).ok()?;
    Some(date.unix_timestamp())
}

/// The second that `issued_at` of a token tells.
pub(super) fn of_issued_at(text: &str) -> Option<i64> {
    let date = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    Some(date.unix_timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_seconds_bound_a_clock() {
        // 10 s told between 9.9 s and 10.2 s: the node is between 0.2 s behind and 1.099 s ahead.
        let bounds = ClockBounds::of(10, 9_900, 10_200);
        assert_eq!((bounds.at_least_ms, bounds.at_most_ms), (-200, 1_099));
        let closer = bounds.and(ClockBounds::of(12, 12_900, 12_950));
        assert_eq!((closer.at_least_ms, closer.at_most_ms), (-200, 99));
        let ahead = ClockBounds::of(130, 10_000, 10_100);
        assert_eq!(ahead.ahead_of(&bounds), 118_801);
        assert!(bounds.ahead_of(&ahead) < 0);
        assert_eq!(bounds.and(ahead), ahead, "it was set meanwhile");
    }

    #[test]
    fn times_of_answers_are_read() {
        for (text, want) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
            ("Sun, 06 Nov 1994 08:49:37", None),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(of_date(text), want, "{text}");
        }
        assert_eq!(of_issued_at("1994-11-06T08:49:37.000000Z"), Some(784_111_777));
        assert_eq!(of_issued_at("1994-11-06 08:49:37"), None);
    }
}
