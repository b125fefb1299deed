use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What happens when a receiver falls behind further than it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a receiver is needed or it is not")]
pub enum Mode {
    /// Nothing more is recorded, and so nothing is done, until it has caught up.
    Required,
    /// The oldest events that it does not have are passed over, and counted.
    BestEffort,
}

/// Where one receiver stands; a clone is the same.
#[derive(Debug, Clone)]
pub struct Standing(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    name: &'static str,
    mode: Mode,
    delivered: AtomicU64,
    lost: AtomicU64,
    failures: AtomicU64,
    behind: AtomicU64,
    failing: AtomicBool,
    over: AtomicBool,
}

/// The numbers of a [`Standing`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SinkStanding {
    /// What the receiver is called.
    pub name: &'static str,
    /// Events that it took from this process.
    pub delivered: u64,
    /// Events that it was not told of, since it was too far behind or the file was gone.
    pub lost: u64,
    /// Deliveries that failed, each tried again.
    pub failures: u64,
    /// Events that it does not have yet.
    pub behind: u64,
    /// Whether the last delivery failed.
    pub failing: bool,
}

impl Standing {
    /// Of a receiver that has everything.
    #[must_use]
    pub fn new(name: &'static str, mode: Mode) -> Self {
        Self(Arc::new(Inner {
            name,
            mode,
            delivered: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            behind: AtomicU64::new(0),
            failing: AtomicBool::new(false),
            over: AtomicBool::new(false),
        }))
    }

    /// The numbers now.
    #[must_use]
    pub fn now(&self) -> SinkStanding {
        SinkStanding {
            name: self.0.name,
            delivered: self.0.delivered.load(Ordering::Relaxed),
            lost: self.0.lost.load(Ordering::Relaxed),
            failures: self.0.failures.load(Ordering::Relaxed),
            behind: self.0.behind.load(Ordering::Relaxed),
            failing: self.0.failing.load(Ordering::Relaxed),
        }
    }

    /// Whether a required receiver is further behind than it may be: the trail is to be closed.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.0.mode == Mode::Required && self.0.over.load(Ordering::Relaxed)
    }

    pub(crate) fn mode(&self) -> Mode {
        self.0.mode
    }

    pub(crate) fn name(&self) -> &'static str {
        self.0.name
    }

    pub(crate) fn took(&self, events: u64) {
        self.0.delivered.fetch_add(events, Ordering::Relaxed);
    }

    pub(crate) fn lose(&self, events: u64) {
        self.0.lost.fetch_add(events, Ordering::Relaxed);
    }

    /// Whether that is news.
    pub(crate) fn fail(&self, failing: bool) -> bool {
        if failing {
            self.0.failures.fetch_add(1, Ordering::Relaxed);
        }
        self.0.failing.swap(failing, Ordering::Relaxed) != failing
    }

    /// Whether that is news.
    pub(crate) fn is_behind(&self, events: u64, most: u64) -> bool {
        self.0.behind.store(events, Ordering::Relaxed);
        let over = events > most;
        self.0.over.swap(over, Ordering::Relaxed) != over
    }
}
