//! What a thread is asked for again and again, as copies of its own.

use std::cell::RefCell;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::Arc;

use thread_local::ThreadLocal;

/// Places of a thread. Two records that share one take turns in it and are never copied.
const PLACES: usize = 16;
/// The bits of a hash that name a place.
const BITS: u64 = 0xf;
/// How often in a row a record is asked for at its place until it is copied: so seldom that the copies cost nothing.
const OFTEN: u32 = 64;

/// Copies of the records that a thread asks for most.
///
/// To hand out a shared record is to count its holders and to take the lock of the cache: memory that each core takes from
/// the others with every request, at some 60 ns a time. A copy's count is the thread's own.
pub(super) struct Own<K: Send, V: Send + Sync> {
    threads: ThreadLocal<RefCell<[Place<K, V>; PLACES]>>,
    hasher: RandomState,
}

struct Place<K, V> {
    key: Option<K>,
    /// The count of changes for which the record is good.
    count: u64,
    asked: u32,
    copy: Option<Arc<V>>,
}

impl<K, V> Default for Place<K, V> {
    fn default() -> Self {
        Self {
            key: None,
            count: 0,
            asked: 0,
            copy: None,
        }
    }
}

impl<K: Clone + Eq + Hash + Send, V: Clone + Send + Sync> Own<K, V> {
    pub(super) fn new() -> Self {
        Self {
            threads: ThreadLocal::new(),
            hasher: RandomState::new(),
        }
    }

    /// This thread's copy, if it has one that is good for this count.
    pub(super) fn get(&self, key: &K, count: u64) -> Option<Arc<V>> {
        let places = self.threads.get()?.borrow();
        let place = places.get(self.place(key))?;
        let is_meant = place.count == count && place.key.as_ref() == Some(key);
        place.copy.clone().filter(|_| is_meant)
    }

    /// Notes that this record was given to this thread.
    pub(super) fn given(&self, key: &K, count: u64, record: &Arc<V>) {
        let threads = self
            .threads
            .get_or(|| RefCell::new(std::array::from_fn(|_| Place::default())));
        let mut places = threads.borrow_mut();
        let Some(place) = places.get_mut(self.place(key)) else {
            return;
        };
        if place.count != count || place.key.as_ref() != Some(key) {
            *place = Place {
                key: Some(key.clone()),
                count,
                ..Place::default()
            };
        }
        place.asked = place.asked.saturating_add(1);
        if place.asked == OFTEN {
            place.copy = Some(Arc::new(V::clone(record)));
        }
    }

    fn place(&self, key: &K) -> usize {
        usize::try_from(self.hasher.hash_one(key) & BITS).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_comes_after_many_times_and_goes_with_the_count() {
        let own = Own::new();
        let record = Arc::new("record".to_owned());
        for _ in 0..OFTEN {
            assert!(own.get(&1, 7).is_none());
            own.given(&1, 7, &record);
        }
        let copy = own.get(&1, 7).unwrap();
        assert!(*copy == *record && !Arc::ptr_eq(&copy, &record));
        assert!(own.get(&1, 8).is_none(), "something has changed");
        assert!(own.get(&2, 7).is_none(), "another record");
        std::thread::scope(|scope| {
            scope.spawn(|| assert!(own.get(&1, 7).is_none(), "another thread"));
        });
        own.given(&1, 8, &record);
        assert!(own.get(&1, 7).is_none() && own.get(&1, 8).is_none());
    }

    #[test]
    fn records_that_share_a_place_are_not_copied() {
        let own = Own::new();
        let record = Arc::new(());
        let other = (2..).find(|key| own.place(key) == own.place(&1)).unwrap();
        for _ in 0..OFTEN * 2 {
            own.given(&1, 7, &record);
            own.given(&other, 7, &record);
        }
        assert!(own.get(&1, 7).is_none() && own.get(&other, 7).is_none());
        assert_eq!(Arc::strong_count(&record), 1);
    }
}
