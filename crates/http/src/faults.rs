//! Faults of ours, told in the log: each with its causes and its request, and never a flood of them.

use std::error::Error;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sealstone_provider::BackendError;

use crate::latency::now;

/// Lines in a second. While a database is away every request is a fault, each for the same reason: ten show which
/// requests, and leave the disk to those who need it.
const LINES: u32 = 10;
const SECOND: Duration = Duration::from_secs(1);

/// One for the process, as its log is.
static WRITTEN: Mutex<Written> = Mutex::new(Written::NONE);

#[derive(Debug)]
struct Written {
    since: Option<Instant>,
    lines: u32,
    left_out: u64,
}

impl Written {
    const NONE: Self = Self {
        since: None,
        lines: 0,
        left_out: 0,
    };

    /// Whether a line may be written, and of how many faults before it none was.
    fn next(&mut self, now: Instant) -> Option<u64> {
        if self
            .since
            .is_none_or(|since| now.saturating_duration_since(since) >= SECOND)
        {
            (self.since, self.lines) = (Some(now), 0);
        }
        if self.lines < LINES {
            self.lines = self.lines.saturating_add(1);
            return Some(std::mem::take(&mut self.left_out));
        }
        self.left_out = self.left_out.saturating_add(1);
        None
    }
}

/// A fault of ours, with its causes, for the operator.
pub(crate) fn tell(fault: &BackendError, request_id: &str) {
    let next = WRITTEN.lock().unwrap_or_else(PoisonError::into_inner).next(now());
    match next {
        Some(0) => {
            tracing::error!(request.id = request_id, error = %chain(fault), "a request could not be answered");
        }
        Some(left_out) => {
            tracing::error!(
                request.id = request_id,
                error = %chain(fault),
                left_out,
                "a request could not be answered, nor others before it"
            );
        }
        None => {
            tracing::debug!(request.id = request_id, error = %chain(fault), "a request could not be answered");
        }
    }
}

fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{LINES, Written};
    use crate::latency::now;

    fn written(faults: &mut Written, at: Instant, count: u32) -> Vec<u64> {
        (0..count).filter_map(|_| faults.next(at)).collect()
    }

    #[test]
    fn an_outage_fills_no_disk_and_the_log_says_how_many_lines_it_left_out() {
        let (mut faults, start) = (Written::NONE, now());
        assert_eq!(written(&mut faults, start, 5_000).len(), 10);
        let late = start + Duration::from_millis(999);
        assert_eq!(written(&mut faults, late, 10), [0_u64; 0], "of the same second");
        let next = start + Duration::from_secs(1);
        let again = written(&mut faults, next, 12);
        assert_eq!(again.first(), Some(&5_000), "4,990 and 10");
        assert_eq!(again.iter().sum::<u64>(), 5_000, "each is counted once");
        assert_eq!(again.len(), 10);
        assert_eq!(written(&mut faults, next + Duration::from_secs(60), 1), [2]);
    }

    #[test]
    fn a_fault_now_and_then_is_always_told() {
        let (mut faults, start) = (Written::NONE, now());
        for minute in 0..100 {
            let at = start + Duration::from_secs(60 * minute);
            assert_eq!(written(&mut faults, at, LINES), [0; 10]);
        }
    }

    #[test]
    fn a_clock_that_stands_still_or_goes_back_silences_nothing_for_longer() {
        let (mut faults, start) = (Written::NONE, now() + Duration::from_secs(5));
        assert_eq!(written(&mut faults, start, 11).len(), 10);
        assert_eq!(
            written(&mut faults, start - Duration::from_secs(2), 1),
            [0_u64; 0]
        );
        assert_eq!(written(&mut faults, start + Duration::from_secs(1), 1), [2]);
    }
}
