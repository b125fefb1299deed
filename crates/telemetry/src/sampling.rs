use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Which requests are traced: a share of them, and no more than so many in a second.
#[derive(Debug)]
pub(crate) struct Sampling {
    /// A draw of 32 bits below this is sampled; one more than they can be is everything.
    below: u64,
    per_second: u32,
    /// The second in the upper half, how many began in it in the lower.
    window: AtomicU64,
}

/// All that 32 bits can be.
const DRAWS: f64 = 4_294_967_296.0;

impl Sampling {
    /// `ratio` of 0 to 1; what is outside counts as the nearer end.
    pub(crate) fn new(ratio: f64, per_second: u32) -> Self {
        Self {
            below: whole(ratio.clamp(0.0, 1.0) * DRAWS),
            per_second,
            window: AtomicU64::new(0),
        }
    }

    /// Whether this draw is in the share.
    pub(crate) fn is_drawn(&self, draw: u32) -> bool {
        u64::from(draw) < self.below
    }

    /// Whether one more may begin in this second, and if so counts it.
    pub(crate) fn has_room(&self, ticks: Duration) -> bool {
        let second = ticks.as_secs() & u64::from(u32::MAX);
        let counted = self
            .window
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |window| {
                let begun = if window >> 32 == second {
                    window & u64::from(u32::MAX)
                } else {
                    0
                };
                (begun < u64::from(self.per_second)).then(|| (second << 32) | begun.saturating_add(1))
            });
        counted.is_ok()
    }
}

/// The whole part of what lies between 0 and 2^32.
#[expect(
    clippy::as_conversions,
    reason = "between 0 and 2^32, which a u64 holds; NaN becomes 0"
)]
const fn whole(number: f64) -> u64 {
    number as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_the_draws() {
        for (ratio, least, none) in [
            (0.0, 0_u32, true),
            (1.0, u32::MAX, false),
            (0.5, (1 << 31) - 1, false),
        ] {
            let sampling = Sampling::new(ratio, 1);
            assert_eq!(sampling.is_drawn(least), !none, "{ratio}");
        }
        assert!(!Sampling::new(0.5, 1).is_drawn(1 << 31));
        assert!(!Sampling::new(f64::NAN, 1).is_drawn(0));
    }

    #[test]
    fn no_more_than_so_many_in_a_second() {
        let sampling = Sampling::new(1.0, 3);
        let at = Duration::from_millis;
        let granted = |from: u64| (0..10).filter(|step| sampling.has_room(at(from + step))).count();
        assert_eq!((granted(5_000), granted(5_100), granted(6_000)), (3, 0, 3));
        assert!(!Sampling::new(1.0, 0).has_room(at(0)));
    }
}
