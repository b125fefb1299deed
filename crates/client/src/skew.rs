use std::fmt;

use rustls_pki_types::UnixTime;
use time::{PrimitiveDateTime, macros::format_description};

/// Less than this is told of nobody: it is what an exchange takes, and what the checks forgive.
const UNREMARKABLE: u64 = 30;

/// How far this machine's clock is from another's, by the `Date` of its answer (RFC 9110 §6.6.1).
///
/// # Security
/// The other side says what time it is: for a message, and for giving up; nothing is believed for its sake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockSkew {
    seconds: u64,
    ahead: bool,
}

impl ClockSkew {
    /// Compares `now` with the text of a `Date` header; `None` if it is none, or hardly differs.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use rustls_pki_types::UnixTime;
    /// # use sealstone_client::ClockSkew;
    /// let now = UnixTime::since_unix_epoch(Duration::from_secs(784_111_777 + 3600));
    /// let skew = ClockSkew::between("Sun, 06 Nov 1994 08:49:37 GMT", now).unwrap();
    /// assert_eq!(skew.to_string(), "this machine's clock is 60 min ahead of the server's: set it");
    /// assert_eq!(ClockSkew::between("yesterday", now), None);
    /// ```
    #[must_use]
    pub fn between(date: &str, now: UnixTime) -> Option<Self> {
        let format = format_description!(
            "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
        );
        let theirs = PrimitiveDateTime::parse(date, &format).ok()?;
        let theirs = u64::try_from(theirs.assume_utc().unix_timestamp()).ok()?;
        let seconds = now.as_secs().abs_diff(theirs);
        (seconds >= UNREMARKABLE).then_some(Self {
            seconds,
            ahead: now.as_secs() > theirs,
        })
    }

    /// By how many seconds they differ.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        self.seconds
    }

    /// Whether it is this machine's clock that is ahead.
    #[must_use]
    pub const fn is_ahead(self) -> bool {
        self.ahead
    }
}

impl fmt::Display for ClockSkew {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = if self.ahead { "ahead of" } else { "behind" };
        let (count, unit) = match self.seconds {
            0..120 => (self.seconds, "s"),
            120..7200 => (self.seconds / 60, "min"),
            7200..172_800 => (self.seconds / 3600, "h"),
            _ => (self.seconds / 86_400, "d"),
        };
        write!(
            formatter,
            "this machine's clock is {count} {unit} {side} the server's: set it"
        )
    }
}
