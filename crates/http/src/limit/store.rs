use std::sync::{Mutex, PoisonError};

use governor::nanos::Nanos;
use governor::state::StateStore;

/// Slots that one fingerprint may lie in.
const WAYS: usize = 8;

/// Who is counted, as a seeded hash, and whether this look counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Cell {
    fingerprint: u64,
    counts: bool,
}

impl Cell {
    /// Takes one from the allowance.
    pub(super) const fn spend(fingerprint: u64) -> Self {
        Self {
            fingerprint,
            counts: true,
        }
    }

    /// Asks whether one could be taken, and takes none.
    pub(super) const fn look(fingerprint: u64) -> Self {
        Self {
            fingerprint,
            counts: false,
        }
    }
}

/// A table of fixed size. A fingerprint has eight places; when they are taken, the one least in debt is forgotten.
#[derive(Debug)]
pub(super) struct BoundedStore {
    buckets: Box<[Mutex<[Slot; WAYS]>]>,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    fingerprint: u64,
    /// When the debt is paid, in the limiter's time; zero in an empty slot.
    paid: u64,
}

impl Slot {
    const EMPTY: Self = Self {
        fingerprint: 0,
        paid: 0,
    };
}

impl BoundedStore {
    /// Room for at least `tracked` fingerprints, and for 64.
    pub(super) fn new(tracked: usize) -> Self {
        let buckets = tracked.div_ceil(WAYS).clamp(8, 1 << 20);
        Self {
            buckets: (0..buckets).map(|_| Mutex::new([Slot::EMPTY; WAYS])).collect(),
        }
    }

    fn bucket(&self, fingerprint: u64) -> Option<&Mutex<[Slot; WAYS]>> {
        let count = u64::try_from(self.buckets.len()).ok()?;
        let index = fingerprint.checked_rem(count)?;
        self.buckets.get(usize::try_from(index).ok()?)
    }
}

impl StateStore for BoundedStore {
    type Key = Cell;

    fn measure_and_replace<T, F, E>(&self, key: &Cell, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let Some(bucket) = self.bucket(key.fingerprint) else {
            return decide(None).map(|(outcome, _)| outcome);
        };
        let mut slots = bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let known = slots
            .iter()
            .find(|slot| slot.paid != 0 && slot.fingerprint == key.fingerprint)
            .map(|slot| slot.paid);
        let (outcome, paid) = decide(known.map(Nanos::new))?;
        if key.counts {
            let place = |slot: &&mut Slot| match known {
                Some(_) if slot.fingerprint == key.fingerprint => 0,
                _ => slot.paid.saturating_add(1),
            };
            if let Some(slot) = slots.iter_mut().min_by_key(place) {
                *slot = Slot {
                    fingerprint: key.fingerprint,
                    paid: paid.as_u64().max(1),
                };
            }
        }
        Ok(outcome)
    }
}

#[cfg(test)]
mod tests {
    use governor::nanos::Nanos;
    use governor::state::StateStore;

    use super::{BoundedStore, Cell, WAYS};

    fn put(store: &BoundedStore, fingerprint: u64, paid: u64) -> Option<u64> {
        let cell = Cell::spend(fingerprint);
        store
            .measure_and_replace::<_, _, ()>(&cell, |old| Ok((old.map(Nanos::as_u64), Nanos::new(paid))))
            .unwrap()
    }

    #[test]
    fn f26_memory_is_fixed_and_the_debtor_is_remembered() {
        let store = BoundedStore::new(0);
        let buckets = store.buckets.len() as u64;
        assert_eq!(put(&store, 0, 1_000_000), None);
        for stranger in 1..1_000 {
            put(&store, stranger * buckets, stranger);
        }
        assert_eq!(put(&store, 0, 1_000_001), Some(1_000_000));
        assert_eq!(store.buckets.len() * WAYS, 64);
    }

    #[test]
    fn a_look_changes_nothing() {
        let store = BoundedStore::new(100);
        let look = |fingerprint| {
            store
                .measure_and_replace::<_, _, ()>(&Cell::look(fingerprint), |old| Ok((old, Nanos::new(7))))
                .unwrap()
                .map(Nanos::as_u64)
        };
        assert_eq!(look(5), None);
        assert_eq!(look(5), None);
        put(&store, 5, 40);
        assert_eq!(look(5), Some(40));
        assert_eq!(look(5), Some(40));
    }

    #[test]
    fn a_refusal_is_not_stored() {
        let store = BoundedStore::new(100);
        let cell = Cell::spend(9);
        put(&store, 9, 3);
        let refused = store.measure_and_replace::<(), _, _>(&cell, |_| Err("no"));
        assert_eq!(refused, Err("no"));
        assert_eq!(put(&store, 9, 4), Some(3));
    }
}
