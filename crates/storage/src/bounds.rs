//! How much is done at once, and moments beside others.

use std::time::Duration;

use rustls_pki_types::UnixTime;
use sealstone_registry::MAX_PAGE;

/// The most expired rows that one transaction deletes: some milliseconds, for which every other change waits.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) const BATCH: u64 = 1_000;

/// How many records a list gives, whatever was asked for.
pub(crate) fn page_limit(limit: usize) -> usize {
    limit.min(MAX_PAGE)
}

/// So much after a moment.
pub(crate) fn later(moment: UnixTime, by: Duration) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(moment.as_secs()).saturating_add(by))
}

/// So much before a moment, or the beginning of time.
pub(crate) fn earlier(moment: UnixTime, by: Duration) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(moment.as_secs()).saturating_sub(by))
}
