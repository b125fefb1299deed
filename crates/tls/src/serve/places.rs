//! Who holds how many of a listener's connections.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
};

use parking_lot::Mutex;
use tokio::sync::Notify;

/// The places of one listener.
#[derive(Clone)]
pub(super) struct Places(Arc<Shared>);

struct Shared {
    seats: Mutex<Seats>,
    /// Told when a place may have become free. Only the accept loop waits.
    freed: Notify,
}

struct Seats {
    all: usize,
    per_address: usize,
    held: usize,
    by_address: BTreeMap<IpAddr, usize>,
}

/// A place that nobody sits in yet; dropping it frees it.
pub(super) struct FreePlace(Places);

/// A place taken by a connection; dropping it frees it.
pub(super) struct Place {
    place: FreePlace,
    address: IpAddr,
}

impl Places {
    pub(super) fn new(all: usize, per_address: usize) -> Self {
        Self(Arc::new(Shared {
            seats: Mutex::new(Seats {
                all,
                per_address,
                held: 0,
                by_address: BTreeMap::new(),
            }),
            freed: Notify::new(),
        }))
    }

    /// More or fewer from now on. Nobody loses a place.
    pub(super) fn resize(&self, all: usize, per_address: usize) {
        let now = (all, per_address);
        let mut seats = self.0.seats.lock();
        let before = (seats.all, seats.per_address);
        (seats.all, seats.per_address) = now;
        drop(seats);
        if before != now {
            self.0.freed.notify_one();
        }
    }

    /// A place, if one is free.
    pub(super) fn try_free(&self) -> Option<FreePlace> {
        let mut seats = self.0.seats.lock();
        if seats.held >= seats.all {
            return None;
        }
        seats.held = seats.held.saturating_add(1);
        Some(FreePlace(self.clone()))
    }

    /// Whether the address holds as many as it may.
    pub(super) fn is_at_share(&self, address: IpAddr) -> bool {
        let seats = self.0.seats.lock();
        let held = seats.by_address.get(&network_of(address)).copied();
        held.unwrap_or(0) >= seats.per_address
    }

    /// Waits for any place to be free.
    pub(super) async fn free(&self) -> FreePlace {
        loop {
            let freed = self.0.freed.notified();
            if let Some(place) = self.try_free() {
                return place;
            }
            freed.await;
        }
    }
}

impl FreePlace {
    /// Seats a connection from `address`; `None` when that address holds its share already.
    pub(super) fn seat(self, address: IpAddr) -> Option<Place> {
        let address = network_of(address);
        let shared = Arc::clone(&self.0.0);
        let mut seats = shared.seats.lock();
        let per_address = seats.per_address;
        let held = seats.by_address.entry(address).or_insert(0);
        if *held >= per_address {
            if *held == 0 {
                seats.by_address.remove(&address);
            }
            // Before the place itself is freed, which takes the lock.
            drop(seats);
            return None;
        }
        *held = held.saturating_add(1);
        drop(seats);
        Some(Place { place: self, address })
    }
}

impl Drop for FreePlace {
    fn drop(&mut self) {
        let shared = &self.0.0;
        let mut seats = shared.seats.lock();
        seats.held = seats.held.saturating_sub(1);
        drop(seats);
        shared.freed.notify_one();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut seats = self.place.0.0.seats.lock();
        if let Some(held) = seats.by_address.get_mut(&self.address) {
            *held = held.saturating_sub(1);
            if *held == 0 {
                seats.by_address.remove(&self.address);
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

    fn seat(places: &Places, address: &str) -> Option<Place> {
        places.try_free().unwrap().seat(address.parse().unwrap())
    }

    #[test]
    fn an_address_holds_its_share_and_no_more() {
        let places = Places::new(8, 2);
        let seat = |address: &str| seat(&places, address);
        let first = seat("10.0.0.1");
        let second = seat("::ffff:10.0.0.1");
        assert!(first.is_some() && second.is_some() && seat("10.0.0.1").is_none());
        let six = (seat("2001:db8::1"), seat("2001:db8::2"));
        assert!(six.0.is_some() && six.1.is_some() && seat("2001:db8::ffff:3").is_none());
        assert!(seat("2001:db8:0:1::1").is_some());
        drop(first);
        assert!(seat("10.0.0.1").is_some());
        drop((second, six));
        let seats = places.0.seats.lock();
        assert!(seats.by_address.is_empty());
        assert_eq!(seats.held, 0);
    }

    #[tokio::test]
    async fn fewer_and_more_places_while_some_are_held() {
        let places = Places::new(3, 3);
        let mut held: Vec<Place> = (0..3).map(|_| seat(&places, "10.0.0.1").unwrap()).collect();
        assert!(places.try_free().is_none());
        places.resize(1, 1);
        // Nobody loses a place, and it takes as many ends as there are too many.
        for _ in 0..2 {
            held.pop();
            assert!(places.try_free().is_none());
        }
        held.pop();
        let one = seat(&places, "10.0.0.1").unwrap();
        assert!(places.try_free().is_none());
        // Whoever waits is told of more.
        let (found, ()) = tokio::join!(places.free(), async { places.resize(2, 1) });
        assert!(
            found.seat("10.0.0.1".parse().unwrap()).is_none(),
            "its share is one now"
        );
        let other = seat(&places, "10.0.0.2");
        assert!(other.is_some());
        // And of an end.
        let (_found, ()) = tokio::join!(places.free(), async { drop(one) });
    }
}
