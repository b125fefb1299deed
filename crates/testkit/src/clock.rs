//! A clock that moves only when the test says so.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustls_pki_types::UnixTime;

/// Where a [`ManualClock`] starts by default: 2027-01-15 08:00:00 UTC, in seconds since the epoch.
///
/// Certificates of [`CertificateSpec`](crate::CertificateSpec) are valid around it, and around today.
pub const START: u64 = 1_800_000_000;

/// The moment `seconds` after the epoch.
#[must_use]
pub const fn unix_time(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

/// A clock that stands still until it is moved. Clones share the hand.
#[derive(Clone, Debug)]
pub struct ManualClock {
    seconds: Arc<AtomicU64>,
}

impl ManualClock {
    /// A clock that stands at `seconds` after the epoch.
    #[must_use]
    pub fn at(seconds: u64) -> Self {
        Self {
            seconds: Arc::new(AtomicU64::new(seconds)),
        }
    }

    /// The moment at which the clock stands.
    #[must_use]
    pub fn now(&self) -> UnixTime {
        unix_time(self.seconds())
    }

    /// The moment at which the clock stands, in seconds since the epoch.
    #[must_use]
    pub fn seconds(&self) -> u64 {
        self.seconds.load(Ordering::SeqCst)
    }

    /// Moves the clock forward by the whole seconds of `span`, and says what time it is then.
    pub fn advance(&self, span: Duration) -> UnixTime {
        self.seconds.fetch_add(span.as_secs(), Ordering::SeqCst);
        self.now()
    }

    /// Puts the clock to `moment`, which may lie in the past.
    pub fn set(&self, moment: UnixTime) {
        self.seconds.store(moment.as_secs(), Ordering::SeqCst);
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::at(START)
    }
}
