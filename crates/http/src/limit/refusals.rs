//! How many requests each limit has refused.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counted where a request is refused and nowhere else: nothing that is served touches this.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    address: AtomicU64,
    failures: AtomicU64,
    client: AtomicU64,
}

impl Refusals {
    /// By the limit of an address.
    pub(super) fn of_address(&self) {
        self.address.fetch_add(1, Ordering::Relaxed);
    }

    /// By the limit of failures of a client from an address.
    pub(super) fn of_failures(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    /// By the limit of a client.
    pub(super) fn of_client(&self) {
        self.client.fetch_add(1, Ordering::Relaxed);
    }

    /// By name of the limit.
    pub(crate) fn counts(&self) -> [(&'static str, u64); 3] {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        [
            ("address", of(&self.address)),
            ("failures", of(&self.failures)),
            ("client", of(&self.client)),
        ]
    }
}
