//! A judgement and how long it stands.

use rustls_pki_types::UnixTime;

use crate::ChainError;

/// The span of seconds, both ends included, in which a judgement stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) from: UnixTime,
    pub(crate) until: UnixTime,
}

impl Window {
    pub(super) const fn only(now: UnixTime) -> Self {
        Self {
            from: now,
            until: now,
        }
    }

    pub(super) fn within(self, other: Self) -> Self {
        Self {
            from: self.from.max(other.from),
            until: self.until.min(other.until),
        }
    }

    pub(crate) fn holds(self, now: UnixTime) -> bool {
        self.from <= now && now <= self.until
    }
}

/// An outcome and how long it stands.
#[derive(Debug, Clone)]
pub(crate) struct Verdict {
    pub(crate) outcome: Result<(), ChainError>,
    pub(crate) window: Window,
}
