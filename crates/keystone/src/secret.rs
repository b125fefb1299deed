//! What must not be seen: passwords, secrets, tokens, receipts.

use std::fmt;

use serde::{Deserialize, Deserializer, de::Error as _};
use zeroize::Zeroizing;

/// The largest token: twice what the largest JWS tokens of Keystone need, and what common servers take in a header.
const MAX_TOKEN: usize = 8 * 1024;

/// A password, the secret of a credential, or a one-time code.
///
/// Its memory is overwritten when dropped; `Debug` prints `[redacted]`; there is neither `Display` nor `Serialize`.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// The text itself.
    ///
    /// # Security
    /// Only to send it or to hash it; never into a log or an error.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

/// A Keystone token, or the receipt of an unfinished login: what goes into a header and opens doors.
///
/// `Debug` prints `[redacted]`.
#[derive(Clone)]
pub struct Token(Zeroizing<String>);

/// A text that cannot be a token: empty, longer than 8 KiB, or with a character that a header must not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a token has 1 to 8,192 characters of A-Z a-z 0-9 - . _ ~ + / =")]
#[expect(clippy::exhaustive_structs, reason = "there is nothing more to tell")]
pub struct BadToken;

impl Token {
    /// Parses what a header or a file held.
    ///
    /// # Errors
    /// [`BadToken`]; the text is not repeated.
    pub fn parse(text: &str) -> Result<Self, BadToken> {
        let allowed = |byte: u8| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=')
        };
        if !text.is_empty() && text.len() <= MAX_TOKEN && text.bytes().all(allowed) {
            Ok(Self(Zeroizing::new(text.to_owned())))
        } else {
            Err(BadToken)
        }
    }

    /// The text itself.
    ///
    /// # Security
    /// Whoever has it acts with it. Never into a log or an error.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}

impl<'de> Deserialize<'de> for Token {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        Self::parse(&text).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Secret::from("hush")), "[redacted]");
        assert_eq!(format!("{:?}", Token::parse("gAAAA").unwrap()), "[redacted]");
    }

    #[test]
    fn a_token_fits_one_header() {
        for refused in ["", "a b", "a\r\nX-Other: 1", "ä", "a\0", &"a".repeat(8193)] {
            assert_eq!(Token::parse(refused).unwrap_err(), BadToken, "{refused:?}");
        }
        assert_eq!(
            Token::parse("eyJ.eyJ9-_.c2ln").unwrap().expose(),
            "eyJ.eyJ9-_.c2ln"
        );
    }
}
