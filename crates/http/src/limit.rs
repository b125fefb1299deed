mod client;
mod refusals;
mod store;

use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use governor::clock::{Clock, MonotonicClock};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::{Quota, RateLimiter};

use crate::IpNetwork;
pub(crate) use client::ClientLimits;
pub(crate) use refusals::Refusals;
use store::{BoundedStore, Cell};

/// So many at once, and one more each interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    burst: NonZeroU32,
    interval: Duration,
}

impl Allowance {
    /// `burst` at once, then one each `interval`. An interval of zero counts as one nanosecond.
    #[must_use]
    pub fn new(burst: NonZeroU32, interval: Duration) -> Self {
        Self {
            burst,
            interval: interval.max(Duration::from_nanos(1)),
        }
    }

    fn quota(self) -> Option<Quota> {
        Quota::with_period(self.interval).map(|quota| quota.allow_burst(self.burst))
    }
}

/// How much the token, introspection and revocation endpoints take from one address, and how many failures.
///
/// Three limits, none of which lets a stranger lock a client out:
/// - by address, before anything is computed: 2,000 requests at once, then one each millisecond, about 3 % of a core;
/// - by address *and* client id, after ten failed authentications: then one each six seconds. It is checked before
///   the secret is. Other clients behind the address, and the same client elsewhere, go on;
/// - by client, from whatever addresses it comes, after it has proved who it is: 10,000 requests at once, then five
///   each millisecond, as much as five addresses may ask for, a sixth of a core. Public clients prove nothing, and are
///   limited by address alone.
///
/// An IPv6 address counts with its /64. Memory is fixed: the table forgets those that are least in debt.
///
/// # Examples
/// ```
/// use std::num::NonZeroU32;
/// use std::time::Duration;
/// use sealstone_http::{Allowance, RateLimit};
///
/// let five_a_minute = Allowance::new(NonZeroU32::new(5).unwrap(), Duration::from_secs(12));
/// let limits = RateLimit::default().with_failures(five_a_minute);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateLimit {
    requests: Option<Allowance>,
    failures: Option<Allowance>,
    client_requests: Option<Allowance>,
    tracked: usize,
    exempt: Vec<IpNetwork>,
}

impl RateLimit {
    /// Addresses, pairs of address and client, and clients that are kept apart: 16 bytes each. Of more that are busy at
    /// once, those that owe least may ask for a burst more.
    pub const DEFAULT_TRACKED: usize = 16_384;

    /// Other numbers for requests of one address.
    #[must_use]
    pub const fn with_requests(mut self, allowance: Allowance) -> Self {
        self.requests = Some(allowance);
        self
    }

    /// Other numbers for failed authentications of one client from one address.
    #[must_use]
    pub const fn with_failures(mut self, allowance: Allowance) -> Self {
        self.failures = Some(allowance);
        self
    }

    /// Other numbers for requests of one client that has proved who it is.
    #[must_use]
    pub const fn with_client_requests(mut self, allowance: Allowance) -> Self {
        self.client_requests = Some(allowance);
        self
    }

    /// How many addresses, pairs and clients are kept apart; at least 64.
    #[must_use]
    pub const fn with_tracked(mut self, tracked: usize) -> Self {
        self.tracked = tracked;
        self
    }

    /// Addresses without limits of their own: those of load tests and of gateways that limit by themselves. Clients behind
    /// them are limited all the same.
    #[must_use]
    pub fn insecure_exempt(mut self, networks: Vec<IpNetwork>) -> Self {
        self.exempt = networks;
        self
    }

    /// No limit for anybody.
    #[must_use]
    pub const fn insecure_off() -> Self {
        Self {
            requests: None,
            failures: None,
            client_requests: None,
            tracked: 0,
            exempt: Vec::new(),
        }
    }
}

impl Default for RateLimit {
    fn default() -> Self {
        let burst = |count| NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN);
        Self {
            requests: Some(Allowance::new(burst(2_000), Duration::from_millis(1))),
            failures: Some(Allowance::new(burst(10), Duration::from_secs(6))),
            client_requests: Some(Allowance::new(burst(10_000), Duration::from_micros(200))),
            tracked: Self::DEFAULT_TRACKED,
            exempt: Vec::new(),
        }
    }
}

/// The time that the limits run by.
#[derive(Debug, Clone)]
pub(crate) enum LimitClock {
    /// Since the process began to serve.
    Monotonic(Instant),
    #[cfg(test)]
    Manual(governor::clock::FakeRelativeClock),
}

impl LimitClock {
    pub(crate) fn monotonic() -> Self {
        Self::Monotonic(MonotonicClock.now())
    }
}

impl Clock for LimitClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        match self {
            Self::Monotonic(start) => Nanos::from(start.elapsed()),
            #[cfg(test)]
            Self::Manual(clock) => clock.now(),
        }
    }
}

type Limiter = RateLimiter<Cell, BoundedStore, LimitClock, NoOpMiddleware<Nanos>>;

/// Whoever authenticates from one address under one client id, as a seeded hash.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Suspect(u64);

/// Wrong codes of devices in all: so many at once, then one a second. With 10,000 codes of 34 bits open, whoever guesses
/// from any number of addresses meets one in a month, and may then let a stranger's device act as himself.
const WRONG_CODES: u32 = 200;
const ONE_IN_ALL: Duration = Duration::from_secs(1);
/// While there are more, an address that has guessed wrong waits for so long; who types a code right is not held up by it.
const AGAIN: Duration = Duration::from_secs(60);
/// All of them together, in the table of their own.
const IN_ALL: u64 = 1;

/// The limits at work.
#[derive(Debug)]
pub(crate) struct Limits {
    requests: Option<Limiter>,
    failures: Option<Limiter>,
    wrong_codes: Option<Limiter>,
    wrong_again: Option<Limiter>,
    exempt: Vec<IpNetwork>,
    clock: LimitClock,
    hasher: RandomState,
    refusals: Arc<Refusals>,
}

impl Limits {
    pub(crate) fn new(settings: &RateLimit, clock: &LimitClock, refusals: &Arc<Refusals>) -> Self {
        let sized = |allowance: Option<Allowance>, tracked| {
            let quota = allowance.and_then(Allowance::quota)?;
            Some(RateLimiter::new(quota, BoundedStore::new(tracked), clock.clone()))
        };
        let limiter = |allowance| sized(allowance, settings.tracked);
        // Whoever limits nothing limits no codes either.
        let codes = |burst: u32, interval, tracked| {
            let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
            let allowance = settings.failures.map(|_limited| Allowance::new(burst, interval));
            sized(allowance, tracked)
        };
        Self {
            requests: limiter(settings.requests),
            failures: limiter(settings.failures),
            wrong_codes: codes(WRONG_CODES, ONE_IN_ALL, 1),
            wrong_again: codes(1, AGAIN, settings.tracked),
            exempt: settings.exempt.clone(),
            clock: clock.clone(),
            hasher: RandomState::new(),
            refusals: Arc::clone(refusals),
        }
    }

    /// Counts a request of this address.
    ///
    /// # Errors
    /// How long to wait, when there were too many.
    pub(crate) fn request(&self, address: Option<IpAddr>) -> Result<(), Duration> {
        match (&self.requests, self.counted(address)) {
            (Some(limiter), Some(network)) => self
                .check(limiter, Cell::spend(self.hasher.hash_one(network)))
                .inspect_err(|_wait| self.refusals.of_address()),
            _ => Ok(()),
        }
    }

    /// Address and client id together; `None` if failures do not count, or no client is named: then nobody's secret
    /// is guessed at.
    pub(crate) fn suspect(&self, address: Option<IpAddr>, client: Option<&str>) -> Option<Suspect> {
        self.failures.as_ref()?;
        let client = client?;
        self.counted(address)
            .map(|network| Suspect(self.hasher.hash_one((network, client))))
    }

    /// Whether the suspect may try to authenticate; counts nothing.
    ///
    /// # Errors
    /// How long to wait, when it failed too often.
    pub(crate) fn attempt(&self, suspect: Option<Suspect>) -> Result<(), Duration> {
        match (&self.failures, suspect) {
            (Some(limiter), Some(Suspect(fingerprint))) => self
                .check(limiter, Cell::look(fingerprint))
                .inspect_err(|_wait| self.refusals.of_failures()),
            _ => Ok(()),
        }
    }

    /// Counts a failed authentication.
    pub(crate) fn failure(&self, suspect: Option<Suspect>) {
        if let (Some(limiter), Some(Suspect(fingerprint))) = (&self.failures, suspect) {
            // Refused means already in debt: nothing more to remember.
            drop(limiter.check_key(&Cell::spend(fingerprint)));
        }
    }

    /// Whether the suspect may try a code of a device (RFC 8628 §5.1); counts nothing.
    ///
    /// # Errors
    /// How long to wait, when it guessed wrong too often, or has guessed wrong while too many do.
    pub(crate) fn guess(&self, suspect: Option<Suspect>) -> Result<(), Duration> {
        self.attempt(suspect)?;
        let (Some(in_all), Some(again), Some(Suspect(fingerprint))) =
            (&self.wrong_codes, &self.wrong_again, suspect)
        else {
            return Ok(());
        };
        match self.check(in_all, Cell::look(IN_ALL)) {
            Ok(()) => Ok(()),
            Err(_too_many) => self
                .check(again, Cell::look(fingerprint))
                .inspect_err(|_wait| self.refusals.of_failures()),
        }
    }

    /// Counts a wrong code of a device.
    pub(crate) fn wrong_guess(&self, suspect: Option<Suspect>) {
        self.failure(suspect);
        let Some(Suspect(fingerprint)) = suspect else {
            return;
        };
        for (limiter, key) in [(&self.wrong_codes, IN_ALL), (&self.wrong_again, fingerprint)] {
            if let Some(limiter) = limiter {
                drop(limiter.check_key(&Cell::spend(key)));
            }
        }
    }

    fn check(&self, limiter: &Limiter, cell: Cell) -> Result<(), Duration> {
        limiter
            .check_key(&cell)
            .map_err(|refused| refused.wait_time_from(self.clock.now()))
    }

    /// The network that an address counts for; `None` if it is exempt. Requests without address count together.
    fn counted(&self, address: Option<IpAddr>) -> Option<IpAddr> {
        let address = address
            .unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED))
            .to_canonical();
        if self.exempt.iter().any(|network| network.contains(address)) {
            return None;
        }
        Some(match address {
            IpAddr::V4(_) => address,
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        })
    }
}

#[cfg(test)]
mod tests;
