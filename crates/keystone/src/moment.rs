//! Keystone's times.

use std::time::Duration;

use rustls_pki_types::UnixTime;
use serde::{Deserialize, Deserializer, de::Error as _};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// The longest that is read as a time: microseconds and a numeric zone.
const MAX_TEXT: usize = 40;

/// A moment as tokens state it: RFC 3339 with its zone. A time without a zone, or before 1970, is none.
pub(crate) fn with_zone(text: &str) -> Option<UnixTime> {
    if text.len() > MAX_TEXT {
        return None;
    }
    let moment = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    let seconds = u64::try_from(moment.unix_timestamp()).ok()?;
    Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
}

/// A moment as records state it: UTC, whether they say so or not.
fn utc(text: &str) -> Option<UnixTime> {
    with_zone(text).or_else(|| (text.len() < MAX_TEXT).then(|| with_zone(&format!("{text}Z")))?)
}

/// The last moment of the year 9999, after which RFC 3339 has no form.
const LAST: &str = "9999-12-31T23:59:59.000000Z";

/// RFC 3339 in UTC with microseconds, as Keystone itself writes it; what lies after the year 9999 is its end.
pub(crate) fn text(moment: UnixTime) -> String {
    let seconds = i64::try_from(moment.as_secs()).ok();
    let moment = seconds.and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    let Some(moment) = moment else {
        return LAST.to_owned();
    };
    let (date, clock) = (moment.date(), moment.time());
    let (hour, minute, second) = (clock.hour(), clock.minute(), clock.second());
    format!("{date}T{hour:02}:{minute:02}:{second:02}.000000Z")
}

/// For members of tokens and events.
pub(crate) fn zoned<'de, D: Deserializer<'de>>(deserializer: D) -> Result<UnixTime, D::Error> {
    let text = String::deserialize(deserializer)?;
    with_zone(&text).ok_or_else(|| D::Error::custom("no time with a zone"))
}

/// For members of records that may be null or absent.
pub(crate) fn optional<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<UnixTime>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| utc(&text).ok_or_else(|| D::Error::custom("no time")))
        .transpose()
}

/// `later - earlier`, or nothing where it is none.
pub(crate) fn since(earlier: UnixTime, later: UnixTime) -> Option<Duration> {
    later
        .as_secs()
        .checked_sub(earlier.as_secs())
        .map(Duration::from_secs)
}

/// The moment that lies `span` after this one.
pub(crate) fn after(moment: UnixTime, span: Duration) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(moment.as_secs()).saturating_add(span))
}

/// The moment that lies `span` before this one, or 1970.
pub(crate) fn before(moment: UnixTime, span: Duration) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(moment.as_secs()).saturating_sub(span))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn q09_times_of_tokens_have_a_zone_and_a_place_in_time() {
        let cases = [
            ("2026-11-21T23:47:11.000000Z", Some(1_795_304_831)),
            ("2026-11-22T00:47:11.000000+01:00", Some(1_795_304_831)),
            ("9999-12-31T23:59:59.999999Z", Some(253_402_300_799)),
            ("2026-11-21T23:47:11.000000", None),
            ("1969-12-31T23:59:59Z", None),
            ("2026-02-30T00:00:00Z", None),
            ("2026-11-21 23:47:11", None),
            ("99999-01-01T00:00:00Z", None),
            ("+292277026596-12-04T15:30:07Z", None),
            ("tomorrow", None),
            ("1795304831", None),
            ("", None),
        ];
        for (text, want) in cases {
            assert_eq!(with_zone(text).map(|moment| moment.as_secs()), want, "{text}");
        }
        assert!(with_zone(&format!("2026-11-21T23:47:11.{}Z", "0".repeat(10_000))).is_none());
        let moment = with_zone("2026-11-21T23:47:11.000000Z").unwrap();
        assert_eq!(text(moment), "2026-11-21T23:47:11.000000Z");
        assert_eq!(text(after(moment, Duration::MAX)), LAST);
        assert_eq!(utc("2026-11-21T23:47:11.000000"), Some(moment));
    }
}
