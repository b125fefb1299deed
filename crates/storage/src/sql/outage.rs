//! What the log is told of a database that is away: that it is, each minute that it still is, and that it is back.

use std::time::Duration;

use tokio::time::Instant;

use super::error::SqlErrorKind;

/// Between two lines of the same trouble: it is tried several times a second.
const AGAIN: Duration = Duration::from_secs(60);

/// An outage, or none.
#[derive(Debug, Default)]
pub(super) struct Outage(Option<Told>);

#[derive(Debug)]
struct Told {
    since: Instant,
    last: Instant,
    kind: SqlErrorKind,
}

impl Outage {
    /// Whether the log is told now: of a new trouble at once, of the same each minute.
    pub(super) fn failed(&mut self, kind: SqlErrorKind, now: Instant) -> bool {
        let before = self.0.as_ref();
        if before.is_some_and(|told| told.kind == kind && now.duration_since(told.last) < AGAIN) {
            return false;
        }
        let since = before.map_or(now, |told| told.since);
        self.0 = Some(Told {
            since,
            last: now,
            kind,
        });
        true
    }

    /// How long it took, if there was one.
    pub(super) fn over(&mut self, now: Instant) -> Option<Duration> {
        Some(now.duration_since(self.0.take()?.since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_told_at_its_begin_each_minute_and_at_its_end() {
        let begin = Instant::now();
        let after = |seconds| begin + Duration::from_secs(seconds);
        let mut outage = Outage::default();
        assert_eq!(outage.over(begin), None);
        assert!(outage.failed(SqlErrorKind::Unreachable, begin));
        let again: Vec<u64> = (1..=150)
            .filter(|second| outage.failed(SqlErrorKind::Unreachable, after(*second)))
            .collect();
        assert_eq!(again, [60, 120]);
        // Another trouble is told at once: the server answers, and is a replica.
        assert!(outage.failed(SqlErrorKind::ReadOnly, after(151)));
        assert!(!outage.failed(SqlErrorKind::ReadOnly, after(152)));
        assert_eq!(outage.over(after(160)), Some(Duration::from_secs(160)));
        assert_eq!(outage.over(after(161)), None);
        assert!(outage.failed(SqlErrorKind::ReadOnly, after(162)));
    }
}
