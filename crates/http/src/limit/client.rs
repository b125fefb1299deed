//! How much one client may ask for, once it has proved who it is.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governor::clock::Clock as _;
use governor::nanos::Nanos;
use governor::state::StateStore as _;
use sealstone_oauth_types::ClientId;
use sealstone_provider::{ClientLimit, SHARDS, Sharded};

use super::store::{BoundedStore, Cell};
use super::{Allowance, LimitClock, RateLimit, Refusals};

/// Clients whose requests a thread keeps in store. Two that share a place take turns in it, and lose nothing.
const PLACES: usize = 64;
/// The bits of a fingerprint that name a place.
const BITS: u64 = 0x3f;
/// What threads keep in store is at most this part of what a client may ask for at once, all of them together: by so much
/// may a limit be overstepped.
const OVERSTEPPED: u32 = 32;
/// With more, nothing is won: the shared memory is then touched by one request of so many.
const MOST_KEPT: u32 = 32;

/// The limit of each client, in a table of fixed size.
///
/// What a client may ask for is one number, and its requests come by all threads: memory that each core would take from
/// the others with every request, at some 60 ns a time. So each thread fetches a few requests at once, and counts them
/// off where only it writes.
#[derive(Debug)]
pub(crate) struct ClientLimits {
    burst: u64,
    /// Nanoseconds that a request costs.
    interval: u64,
    /// Requests that a thread fetches at once.
    kept: u32,
    clients: BoundedStore,
    threads: Sharded<Mutex<Kept>>,
    clock: LimitClock,
    hasher: RandomState,
    refusals: Arc<Refusals>,
}

/// What a thread has fetched, by client.
#[derive(Debug)]
struct Kept([Share; PLACES]);

#[derive(Debug, Clone, Copy)]
struct Share {
    fingerprint: u64,
    left: u32,
}

impl Default for Kept {
    fn default() -> Self {
        Self(
            [Share {
                fingerprint: 0,
                left: 0,
            }; PLACES],
        )
    }
}

impl ClientLimits {
    /// `None` where clients are not limited.
    pub(crate) fn new(settings: &RateLimit, clock: &LimitClock, refusals: &Arc<Refusals>) -> Option<Self> {
        let Allowance { burst, interval } = settings.client_requests?;
        let threads = u32::try_from(SHARDS).unwrap_or(u32::MAX);
        let part = burst.get().checked_div(OVERSTEPPED.saturating_mul(threads));
        Some(Self {
            burst: u64::from(burst.get()),
            interval: Nanos::from(interval).as_u64().max(1),
            kept: part.unwrap_or_default().clamp(1, MOST_KEPT),
            clients: BoundedStore::new(settings.tracked),
            threads: Sharded::default(),
            clock: clock.clone(),
            hasher: RandomState::new(),
            refusals: Arc::clone(refusals),
        })
    }

    /// Some requests of what the client has left, at least one.
    fn fetch(&self, fingerprint: u64) -> Result<u32, Duration> {
        let now = self.clock.now().as_u64();
        let most = self.burst.saturating_mul(self.interval);
        self.clients
            .measure_and_replace(&Cell::spend(fingerprint), |paid| {
                let paid = paid.map_or(0, Nanos::as_u64).max(now);
                let debt = paid.saturating_sub(now);
                let left = most.saturating_sub(debt).checked_div(self.interval);
                let left = u32::try_from(left.unwrap_or_default()).unwrap_or(u32::MAX);
                let fetched = left.min(self.kept);
                if fetched == 0 {
                    // Until one is paid for.
                    let wait = debt.saturating_add(self.interval).saturating_sub(most);
                    return Err(Duration::from_nanos(wait));
                }
                let cost = self.interval.saturating_mul(u64::from(fetched));
                Ok((fetched, Nanos::new(paid.saturating_add(cost))))
            })
    }

    /// What a thread did not count off: another client takes its place there.
    fn give_back(&self, share: Share) {
        let worth = self.interval.saturating_mul(u64::from(share.left));
        // A client that is forgotten owes nothing.
        let _given: Result<(), ()> =
            self.clients
                .measure_and_replace(&Cell::spend(share.fingerprint), |paid| {
                    let paid = paid.ok_or(())?.as_u64();
                    Ok(((), Nanos::new(paid.saturating_sub(worth))))
                });
    }

    fn count(&self, client: &str) -> Result<(), Duration> {
        let fingerprint = self.hasher.hash_one(client);
        let (own, _) = self.threads.own();
        let mut kept = own.lock().unwrap_or_else(PoisonError::into_inner);
        let place = usize::try_from(fingerprint & BITS).unwrap_or_default();
        let Some(share) = kept.0.get_mut(place) else {
            return Ok(());
        };
        if share.fingerprint != fingerprint {
            if share.left > 0 {
                self.give_back(*share);
            }
            *share = Share { fingerprint, left: 0 };
        }
        if share.left == 0 {
            share.left = self.fetch(fingerprint)?;
        }
        share.left = share.left.saturating_sub(1);
        Ok(())
    }
}

impl ClientLimit for ClientLimits {
    fn request(&self, client: &ClientId) -> Result<(), Duration> {
        let counted = self.count(client.as_str());
        if counted.is_err() {
            self.refusals.of_client();
            tracing::debug!(client.id = client.as_str(), "too many requests of this client");
        }
        counted
    }
}

#[cfg(test)]
mod tests;
