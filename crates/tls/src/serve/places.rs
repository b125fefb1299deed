//! Who holds how many of a listener's connections.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
};

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The places of one listener.
#[derive(Clone)]
pub(super) struct Places {
    all: Arc<Semaphore>,
    by_address: Arc<Mutex<BTreeMap<IpAddr, usize>>>,
    per_address: usize,
}

/// A place taken by a connection; dropping it frees it.
pub(super) struct Place {
    places: Places,
    address: IpAddr,
    _permit: OwnedSemaphorePermit,
}

impl Places {
    pub(super) fn new(all: usize, per_address: usize) -> Self {
        Self {
            all: Arc::new(Semaphore::new(all)),
            by_address: Arc::default(),
            per_address,
        }
    }

    /// Waits for any place to be free. `None` is never seen: the semaphore is not closed.
    pub(super) async fn free(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.all).acquire_owned().await.ok()
    }

    /// Seats a connection from `address`; `None` when that address holds its share already.
    pub(super) fn seat(&self, address: IpAddr, permit: OwnedSemaphorePermit) -> Option<Place> {
        let address = network_of(address);
        let mut by_address = self.by_address.lock();
        let held = by_address.entry(address).or_insert(0);
        if *held >= self.per_address {
            return None;
        }
        *held = held.saturating_add(1);
        Some(Place {
            places: self.clone(),
            address,
            _permit: permit,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut by_address = self.places.by_address.lock();
        if let Some(held) = by_address.get_mut(&self.address) {
            *held = held.saturating_sub(1);
            if *held == 0 {
                by_address.remove(&self.address);
            }
        }
    }
}

/// One subscriber has a whole /64 of IPv6, and an IPv4 address may come mapped into IPv6.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(six) => {
            let [a, b, c, d, ..] = six.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        four @ IpAddr::V4(_) => four,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_holds_its_share_and_no_more() {
        let places = Places::new(8, 2);
        let seat = |address: &str| {
            let permit = Arc::clone(&places.all).try_acquire_owned().unwrap();
            places.seat(address.parse().unwrap(), permit)
        };
        let first = seat("10.0.0.1");
        let second = seat("::ffff:10.0.0.1");
        assert!(first.is_some() && second.is_some() && seat("10.0.0.1").is_none());
        let six = (seat("2001:db8::1"), seat("2001:db8::2"));
        assert!(six.0.is_some() && six.1.is_some() && seat("2001:db8::ffff:3").is_none());
        assert!(seat("2001:db8:0:1::1").is_some());
        drop(first);
        assert!(seat("10.0.0.1").is_some());
        drop((second, six));
        assert!(places.by_address.lock().is_empty());
        assert_eq!(places.all.available_permits(), 8);
    }
}
