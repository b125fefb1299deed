//! When something is due. Every time here is drawn from a span, so that a thousand machines that started together do not
//! come back together.

use std::time::Duration;

use rustls_pki_types::UnixTime;

/// Hundredths of a token's life: early enough that a quarter of it is left for an authorization server that is down,
/// late enough that each is used for most of its life.
const TOKEN: (u64, u64) = (60, 75);
/// Hundredths of a certificate's life: due before two thirds of it, so that a third is left for people to notice and act.
const CERTIFICATE: (u64, u64) = (55, 65);
/// No doubling beyond this: 2^20 times any first wait is longer than any longest one.
const MOST_DOUBLINGS: u32 = 20;

/// When the next token is due.
#[must_use]
pub fn token_due(since: UnixTime, until: UnixTime, random: u64) -> UnixTime {
    within(since, until, TOKEN, random)
}

/// When the next certificate is due: between 55 and 65 hundredths of this one's life.
#[must_use]
pub fn certificate_due(not_before: UnixTime, not_after: UnixTime, random: u64) -> UnixTime {
    within(not_before, not_after, CERTIFICATE, random)
}

fn within(since: UnixTime, until: UnixTime, (from, to): (u64, u64), random: u64) -> UnixTime {
    let life = u128::from(until.as_secs().saturating_sub(since.as_secs()));
    let share = |hundredths: u64| {
        let seconds = life.saturating_mul(u128::from(hundredths)) / 100;
        u64::try_from(seconds).unwrap_or(u64::MAX)
    };
    let (first, last) = (share(from), share(to));
    let spread = last.saturating_sub(first).saturating_add(1);
    let seconds = first.saturating_add(random.checked_rem(spread).unwrap_or_default());
    UnixTime::since_unix_epoch(Duration::from_secs(since.as_secs().saturating_add(seconds)))
}

/// How long to wait after failures: twice as long after each, never beyond `longest`, and drawn from the upper half of
/// that.
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
}

impl Backoff {
    /// Waits about `first` after one failure.
    #[must_use]
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self {
            first,
            longest,
            failures: 0,
        }
    }

    /// It failed once more: how long to wait.
    pub fn failed(&mut self, random: u64) -> Duration {
        let doublings = self.failures.min(MOST_DOUBLINGS);
        self.failures = self.failures.saturating_add(1);
        let whole = self
            .first
            .saturating_mul(1_u32.checked_shl(doublings).unwrap_or(u32::MAX))
            .min(self.longest);
        let millis = u64::try_from(whole.as_millis()).unwrap_or(u64::MAX);
        let half = millis / 2;
        let drawn = random.checked_rem(half.saturating_add(1)).unwrap_or_default();
        Duration::from_millis(half.saturating_add(drawn))
    }

    /// It worked.
    pub const fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// How often it failed without a success between.
    #[must_use]
    pub const fn failures(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    #[test]
    fn due_times_lie_within_their_span_whatever_chance_says() {
        let day = 86_400;
        for random in [0, 1, 7, 12_345, u64::MAX / 3, u64::MAX - 1, u64::MAX] {
            let token = token_due(at(1000), at(1000 + 900), random).as_secs() - 1000;
            assert!((540..=675).contains(&token), "{random}: {token}");
            let certificate = certificate_due(at(0), at(90 * day), random).as_secs();
            assert!(certificate >= 90 * day * 55 / 100, "{random}");
            assert!(certificate < 60 * day, "two thirds: {random}");
        }
        // Chance moves it at all.
        assert_ne!(token_due(at(0), at(900), 0), token_due(at(0), at(900), 100));
        // What has no life is due at once, and what cannot be is not a panic.
        assert_eq!(token_due(at(5), at(5), 9), at(5));
        assert_eq!(token_due(at(5), at(2), 9), at(5));
        assert!(certificate_due(at(0), at(u64::MAX), u64::MAX) < at(u64::MAX));
    }

    #[test]
    fn waits_double_up_to_the_longest_and_begin_again_after_a_success() {
        let mut backoff = Backoff::new(Duration::from_secs(2), Duration::from_secs(60));
        let least: Vec<u64> = (0..8).map(|_| backoff.failed(0).as_secs()).collect();
        assert_eq!(least, [1, 2, 4, 8, 16, 30, 30, 30]);
        for random in [1, 999, u64::MAX] {
            let wait = backoff.failed(random);
            assert!((30..=60).contains(&wait.as_secs()), "{wait:?}");
        }
        for _ in 0..100 {
            assert!(backoff.failed(u64::MAX) <= Duration::from_secs(60));
        }
        backoff.succeeded();
        assert!(backoff.failed(u64::MAX) <= Duration::from_secs(2));
        assert_eq!(backoff.failures(), 1);
    }
}
