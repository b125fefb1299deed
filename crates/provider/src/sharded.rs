//! Counters that no two threads write at once.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Copies that there are of a counter: as many threads count without waiting for each other's cache lines.
pub const SHARDS: usize = 8;

static THREADS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Which copy this thread writes to.
    static OWN: usize = THREADS.fetch_add(1, Ordering::Relaxed) % SHARDS;
}

/// A counter, or a table of them, in several copies: each thread has one, which it shares with few others, and whoever
/// reads adds them up. A line of memory that two cores write in turn costs each some 60 ns.
#[derive(Debug, Default)]
pub struct Sharded<T>([Shard<T>; SHARDS]);

/// On lines of its own; processors fetch two at a time.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Shard<T>(T);

impl<T> Sharded<T> {
    /// This thread's copy, and its number below [`SHARDS`].
    pub fn own(&self) -> (&T, usize) {
        let own = OWN.with(|own| *own);
        let [first, ..] = &self.0;
        (&self.0.get(own).unwrap_or(first).0, own)
    }

    /// The sum over all copies.
    #[must_use]
    pub fn sum(&self, of: impl Fn(&T) -> u64) -> u64 {
        let parts = self.0.iter().map(|shard| of(&shard.0));
        parts.fold(0, u64::saturating_add)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::Sharded;

    #[test]
    fn nothing_is_lost_between_threads() {
        let counter = Sharded::<AtomicU64>::default();
        std::thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        counter.own().0.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(counter.sum(|part| part.load(Ordering::Relaxed)), 2_000);
    }
}
