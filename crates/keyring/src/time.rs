//! Whole seconds, never below zero and never wrapped.

use std::time::Duration;

use rustls_pki_types::UnixTime;

/// `start + span`, held at the end of the representable time.
pub(crate) fn after(start: UnixTime, span: Duration) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(
        start.as_secs().saturating_add(span.as_secs()),
    ))
}

/// Whether at least `span` has passed since `start`. A clock that went back has let nothing pass.
pub(crate) fn passed(start: UnixTime, span: Duration, now: UnixTime) -> bool {
    now >= after(start, span)
}

pub(crate) const fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}
