use std::fmt;

use askama::filters::HtmlSafe;
use time::{OffsetDateTime, UtcOffset};

/// A moment as a `time` element: exact for programs, short for people, in UTC.
pub(crate) struct Moment(Option<OffsetDateTime>);

impl Moment {
    pub(crate) fn of(seconds: u64) -> Self {
        let seconds = i64::try_from(seconds).ok();
        let moment = seconds.and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
        Self(moment.map(|moment| moment.to_offset(UtcOffset::UTC)))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(moment) = self.0 else { return Ok(()) };
        let (year, month, day) = moment.to_calendar_date();
        let (month, hour, minute) = (u8::from(month), moment.hour(), moment.minute());
        write!(
            formatter,
            "<time datetime=\"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}Z\">\
             {year:04}-{month:02}-{day:02} {hour:02}:{minute:02} UTC</time>"
        )
    }
}

impl HtmlSafe for Moment {}

#[cfg(test)]
mod tests {
    use super::Moment;

    #[test]
    fn moments() {
        for (seconds, want) in [
            (
                0,
                "<time datetime=\"1970-01-01T00:00Z\">1970-01-01 00:00 UTC</time>",
            ),
            (
                1_789_000_061,
                "<time datetime=\"2026-09-10T00:27Z\">2026-09-10 00:27 UTC</time>",
            ),
            (u64::MAX, ""),
        ] {
            assert_eq!(Moment::of(seconds).to_string(), want);
        }
    }
}
