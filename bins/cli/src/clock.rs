//! The only reader of the clock, and how times and spans read.

use std::time::Duration;

use rustls_pki_types::UnixTime;
use time::{OffsetDateTime, macros::format_description};

#[expect(clippy::disallowed_methods, reason = "this is the program's clock")]
pub(crate) fn now() -> UnixTime {
    UnixTime::now()
}

/// The same in milliseconds.
#[expect(clippy::disallowed_methods, reason = "this is the program's clock")]
pub(crate) fn milliseconds() -> u128 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map(|since| since.as_millis()).unwrap_or_default()
}

/// Lets time pass.
#[expect(
    clippy::disallowed_methods,
    reason = "a command that waits has nothing else to do"
)]
pub(crate) fn pause(span: Duration) {
    std::thread::sleep(span);
}

pub(crate) const fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

/// `2026-08-01T12:00:00Z`.
pub(crate) fn date(at: UnixTime) -> String {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
    i64::try_from(at.as_secs())
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .and_then(|date| date.format(&format).ok())
        .unwrap_or_else(|| at.as_secs().to_string())
}

/// `in 59 min`, `3 d ago`.
pub(crate) fn relative(at: UnixTime, now: UnixTime) -> String {
    if at >= now {
        format!("in {}", span(at.as_secs().saturating_sub(now.as_secs())))
    } else {
        format!("{} ago", span(now.as_secs().saturating_sub(at.as_secs())))
    }
}

/// `2026-08-01T12:00:00Z (in 59 min)`.
pub(crate) fn date_and_relative(at: UnixTime, now: UnixTime) -> String {
    format!("{} ({})", date(at), relative(at, now))
}

fn span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// Reads `90s`, `15m`, `24h`, `7d`.
pub(crate) fn parse_span(text: &str) -> Result<Duration, String> {
    let refuse = || "write a number and its unit: 90s, 15m, 24h or 7d".to_owned();
    let (number, factor) = [('s', 1), ('m', 60), ('h', 3600), ('d', 86_400)]
        .into_iter()
        .find_map(|(unit, factor)| text.strip_suffix(unit).map(|number| (number, factor)))
        .ok_or_else(refuse)?;
    let number: u64 = number.parse().map_err(|_| refuse())?;
    number
        .checked_mul(factor)
        .map(Duration::from_secs)
        .ok_or_else(refuse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_well() {
        assert_eq!(date(at(1_785_585_600)), "2026-08-01T12:00:00Z");
        for (then, want) in [
            (1000, "in 0 s"),
            (1119, "in 119 s"),
            (4600, "in 60 min"),
            (0, "16 min ago"),
        ] {
            assert_eq!(relative(at(then), at(1000)), want);
        }
        assert_eq!(relative(at(1000 + 86_400 * 30), at(1000)), "in 30 d");
    }

    #[test]
    fn spans_need_a_unit() {
        assert_eq!(parse_span("15m"), Ok(Duration::from_secs(900)));
        assert_eq!(parse_span("7d"), Ok(Duration::from_secs(604_800)));
        for wrong in [
            "",
            "15",
            "m",
            "-1s",
            "1.5h",
            "99999999999999999999d",
            "300000000000000000d",
        ] {
            assert!(parse_span(wrong).is_err(), "{wrong}");
        }
    }
}
