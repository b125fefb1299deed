//! How signing goes, counted.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use sealstone_keyring::{HomeFigures, SIGNATURE_TIMES};

#[derive(Debug, Default)]
pub(crate) struct Figures {
    signed: AtomicU64,
    failed: AtomicU64,
    nanoseconds: AtomicU64,
    within: [AtomicU64; SIGNATURE_TIMES.len()],
}

impl Figures {
    /// Does the work, and counts how it ended and how long it took.
    pub(crate) fn counted<T, E>(&self, work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let begun = now();
        let done = work();
        self.count(begun.elapsed(), done.is_ok());
        done
    }

    fn count(&self, taken: Duration, is_signed: bool) {
        let ended = if is_signed { &self.signed } else { &self.failed };
        ended.fetch_add(1, Ordering::Relaxed);
        let nanoseconds = u64::try_from(taken.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
        for (limit, count) in SIGNATURE_TIMES.iter().zip(&self.within) {
            if taken <= *limit {
                count.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    pub(crate) fn read(&self, answers: bool) -> HomeFigures {
        let mut within = [0; SIGNATURE_TIMES.len()];
        for (read, count) in within.iter_mut().zip(&self.within) {
            *read = count.load(Ordering::Relaxed);
        }
        HomeFigures {
            signed: self.signed.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            within,
            taken: Duration::from_nanos(self.nanoseconds.load(Ordering::Relaxed)),
            answers,
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long a module takes is measured around it, and decides nothing"
)]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_counted_where_it_belongs() {
        let figures = Figures::default();
        figures.count(Duration::from_micros(200), true);
        figures.count(Duration::from_millis(3), true);
        figures.count(Duration::from_secs(9), false);
        let read = figures.read(true);
        assert_eq!((read.signed, read.failed), (2, 1));
        assert_eq!(read.within, [1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2]);
        assert_eq!(read.taken, Duration::from_micros(9_003_200));
        let refused: Result<(), ()> = figures.counted(|| Err(()));
        assert!(refused.is_err());
        assert_eq!(figures.read(false).failed, 2);
    }
}
