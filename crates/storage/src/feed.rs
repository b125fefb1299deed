//! How caches hear of changes: a number for each kind of record, which grows with every committed change.

use parking_lot::Mutex;
use tokio::sync::watch;

/// How often each kind of record has changed since the database was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) clients: u64,
    pub(crate) key_rings: u64,
    pub(crate) revocations: u64,
}

impl Counts {
    const fn total(self) -> u64 {
        self.clients
            .saturating_add(self.key_rings)
            .saturating_add(self.revocations)
    }

    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    fn max(self, other: Self) -> Self {
        Self {
            clients: self.clients.max(other.clients),
            key_rings: self.key_rings.max(other.key_rings),
            revocations: self.revocations.max(other.revocations),
        }
    }
}

/// The sending side. What it publishes never falls.
#[derive(Debug)]
pub(crate) struct Feed {
    state: Mutex<State>,
    all: watch::Sender<u64>,
    clients: watch::Sender<u64>,
    key_rings: watch::Sender<u64>,
    revocations: watch::Sender<u64>,
    /// Notices are counted here alone: whoever sends them looks now and then anyway, and nobody caches them.
    notices: watch::Sender<u64>,
}

#[derive(Debug)]
struct State {
    counts: Counts,
    /// Added to every count: rises when changes may have been missed.
    doubts: u64,
}

impl Feed {
    pub(crate) fn new(counts: Counts) -> Self {
        Self {
            state: Mutex::new(State { counts, doubts: 0 }),
            all: watch::Sender::new(counts.total()),
            clients: watch::Sender::new(counts.clients),
            key_rings: watch::Sender::new(counts.key_rings),
            revocations: watch::Sender::new(counts.revocations),
            notices: watch::Sender::new(0),
        }
    }

    /// Publishes what the database has counted. An older reading changes nothing.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn publish(&self, counts: Counts) {
        let mut state = self.state.lock();
        state.counts = state.counts.max(counts);
        self.send(&state);
    }

    /// Publishes what a look at the database found. Counts that fell are those of another database, a replica or a
    /// backup that took the place of the one before: everything may have changed.
    #[cfg(feature = "postgres")]
    pub(crate) fn observe(&self, counts: Counts) {
        let mut state = self.state.lock();
        let known = state.counts;
        let fell = known.max(counts) != counts;
        if fell {
            let most = |a: u64, b: u64| a.saturating_sub(b);
            let by = most(known.clients, counts.clients)
                .max(most(known.key_rings, counts.key_rings))
                .max(most(known.revocations, counts.revocations));
            // Three kinds make the total: it must rise too.
            state.doubts = state
                .doubts
                .saturating_add(by.saturating_mul(3))
                .saturating_add(1);
        }
        state.counts = counts;
        self.send(&state);
    }

    /// Publishes one more change of each kind.
    pub(crate) fn add(&self, clients: u64, key_rings: u64, revocations: u64) {
        let mut state = self.state.lock();
        let counts = &mut state.counts;
        counts.clients = counts.clients.saturating_add(clients);
        counts.key_rings = counts.key_rings.saturating_add(key_rings);
        counts.revocations = counts.revocations.saturating_add(revocations);
        self.send(&state);
    }

    /// Says that any record may have changed, because the database could not be asked.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn doubt(&self) {
        let mut state = self.state.lock();
        state.doubts = state.doubts.saturating_add(1);
        self.send(&state);
    }

    pub(crate) fn all(&self) -> watch::Receiver<u64> {
        self.all.subscribe()
    }

    pub(crate) fn clients(&self) -> watch::Receiver<u64> {
        self.clients.subscribe()
    }

    pub(crate) fn key_rings(&self) -> watch::Receiver<u64> {
        self.key_rings.subscribe()
    }

    pub(crate) fn revocations(&self) -> watch::Receiver<u64> {
        self.revocations.subscribe()
    }

    pub(crate) fn notices(&self) -> watch::Receiver<u64> {
        self.notices.subscribe()
    }

    /// Says that there are notices to send.
    pub(crate) fn add_notices(&self) {
        self.notices.send_modify(|count| *count = count.saturating_add(1));
    }

    /// Called with the state locked, so that two publishers cannot overtake each other.
    fn send(&self, state: &State) {
        let counts = state.counts;
        for (sender, count) in [
            (&self.clients, counts.clients),
            (&self.key_rings, counts.key_rings),
            (&self.revocations, counts.revocations),
            (&self.all, counts.total()),
        ] {
            let count = count.saturating_add(state.doubts);
            sender.send_if_modified(|published| {
                let rises = count > *published;
                if rises {
                    *published = count;
                }
                rises
            });
        }
    }
}

#[cfg(all(test, any(feature = "sqlite", feature = "postgres")))]
mod tests {
    use super::*;

    #[test]
    fn what_is_published_never_falls_and_kinds_stay_apart() {
        let feed = Feed::new(Counts {
            clients: 5,
            key_rings: 1,
            revocations: 0,
        });
        let (all, clients, rings) = (feed.all(), feed.clients(), feed.key_rings());
        feed.publish(Counts {
            clients: 7,
            key_rings: 1,
            revocations: 0,
        });
        assert_eq!((*all.borrow(), *clients.borrow(), *rings.borrow()), (8, 7, 1));
        assert!(clients.has_changed().expect("open") && !rings.has_changed().expect("open"));
        feed.publish(Counts {
            clients: 6,
            key_rings: 2,
            revocations: 0,
        });
        assert_eq!((*all.borrow(), *clients.borrow(), *rings.borrow()), (9, 7, 2));
        feed.add(0, 0, 1);
        assert_eq!((*all.borrow(), *feed.revocations().borrow()), (10, 1));
    }

    #[test]
    fn a_doubt_makes_everything_old_and_later_changes_still_count() {
        let feed = Feed::new(Counts::default());
        let clients = feed.clients();
        feed.doubt();
        assert_eq!(*clients.borrow(), 1);
        feed.publish(Counts {
            clients: 1,
            ..Counts::default()
        });
        assert_eq!(*clients.borrow(), 2);
    }

    /// A replica that took over without the last changes, and counts its own from there.
    #[cfg(feature = "postgres")]
    #[test]
    fn counts_that_fell_make_everything_old() {
        let at = |clients| Counts {
            clients,
            key_rings: 2,
            revocations: 9,
        };
        let feed = Feed::new(at(100));
        let (mut clients, mut all) = (feed.clients(), feed.all());
        for seen in [at(98), at(99), at(100)] {
            feed.observe(seen);
            assert!(
                clients.has_changed().unwrap() && all.has_changed().unwrap(),
                "{seen:?}"
            );
            clients.mark_unchanged();
            all.mark_unchanged();
        }
        feed.observe(at(100));
        assert!(!clients.has_changed().unwrap(), "nothing happened");
    }
}
