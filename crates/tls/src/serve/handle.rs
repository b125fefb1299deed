//! Limits that may change while a listener serves.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tokio::sync::watch;

use super::ServeLimits;

/// The limits in use. Clones share them: what one replaces, all listeners that serve by it go by from then on.
#[derive(Debug, Clone)]
pub struct LimitsHandle(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limits: watch::Sender<ServeLimits>,
    turned_away: AtomicU64,
    beyond_share: AtomicU64,
}

/// Connections that limits kept out, of all listeners that serve by one [`LimitsHandle`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "figures: whoever shows them shows all")]
pub struct KeptOut {
    /// Those that were told that there is no place: 503.
    pub turned_away: u64,
    /// Those that were closed because their address holds its share.
    pub beyond_share: u64,
}

impl LimitsHandle {
    /// Begins with these.
    #[must_use]
    pub fn new(limits: ServeLimits) -> Self {
        Self(Arc::new(Shared {
            limits: watch::Sender::new(limits),
            turned_away: AtomicU64::new(0),
            beyond_share: AtomicU64::new(0),
        }))
    }

    /// Puts others in place. Connections that stand keep their deadlines, and their places: where fewer are allowed from
    /// now on, the next ones wait until so many have ended.
    pub fn replace(&self, limits: ServeLimits) {
        self.0.limits.send_replace(limits);
    }

    /// The limits for the next connection.
    #[must_use]
    pub fn current(&self) -> ServeLimits {
        *self.0.limits.borrow()
    }

    /// What the limits kept out since this handle was made.
    #[must_use]
    pub fn kept_out(&self) -> KeptOut {
        KeptOut {
            turned_away: self.0.turned_away.load(Ordering::Relaxed),
            beyond_share: self.0.beyond_share.load(Ordering::Relaxed),
        }
    }

    pub(super) fn turned_away(&self) {
        self.0.turned_away.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn beyond_share(&self) {
        self.0.beyond_share.fetch_add(1, Ordering::Relaxed);
    }

    /// Tells of others.
    pub(super) fn follow(&self) -> watch::Receiver<ServeLimits> {
        self.0.limits.subscribe()
    }
}

impl From<ServeLimits> for LimitsHandle {
    fn from(limits: ServeLimits) -> Self {
        Self::new(limits)
    }
}
