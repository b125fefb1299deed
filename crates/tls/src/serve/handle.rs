//! Limits that may change while a listener serves.

use std::sync::Arc;

use tokio::sync::watch;

use super::ServeLimits;

/// The limits in use. Clones share them: what one replaces, all listeners that serve by it go by from then on.
#[derive(Debug, Clone)]
pub struct LimitsHandle(Arc<watch::Sender<ServeLimits>>);

impl LimitsHandle {
    /// Begins with these.
    #[must_use]
    pub fn new(limits: ServeLimits) -> Self {
        Self(Arc::new(watch::Sender::new(limits)))
    }

    /// Puts others in place. Connections that stand keep their deadlines, and their places: where fewer are allowed from
    /// now on, the next ones wait until so many have ended.
    pub fn replace(&self, limits: ServeLimits) {
        self.0.send_replace(limits);
    }

    /// The limits for the next connection.
    #[must_use]
    pub fn current(&self) -> ServeLimits {
        *self.0.borrow()
    }

    /// Tells of others.
    pub(super) fn follow(&self) -> watch::Receiver<ServeLimits> {
        self.0.subscribe()
    }
}

impl From<ServeLimits> for LimitsHandle {
    fn from(limits: ServeLimits) -> Self {
        Self::new(limits)
    }
}
