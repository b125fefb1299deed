use rustls_pki_types::UnixTime;
use std::time::Duration;

/// When a token issued `now` ends: after `lifetime`, and never after one of `ends` (the certificate's `notAfter`, the
/// end of an application credential).
///
/// ```
/// # use rustls_pki_types::UnixTime;
/// # use std::time::Duration;
/// let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
/// let certificate_ends = at(1_010);
/// assert_eq!(sealstone_tokens::expiry(at(1_000), Duration::from_secs(900), []), at(1_900));
/// assert_eq!(sealstone_tokens::expiry(at(1_000), Duration::from_secs(900), [certificate_ends]), at(1_010));
/// ```
#[must_use]
pub fn expiry(now: UnixTime, lifetime: Duration, ends: impl IntoIterator<Item = UnixTime>) -> UnixTime {
    let planned = now.as_secs().saturating_add(lifetime.as_secs());
    let end = ends.into_iter().map(|end| end.as_secs()).fold(planned, u64::min);
    UnixTime::since_unix_epoch(Duration::from_secs(end))
}
