use std::fmt;

use zeroize::Zeroizing;

use crate::IdentityError;

/// The code of a hardware key that types has 44 characters; nothing that a person types from a device is longer.
const MAX_PASSCODE: usize = 64;

/// A one-time code as a person typed it: of an app, a token, a message or a list of recovery codes.
///
/// Blanks around it, and single blanks or hyphens between its groups, are how people copy codes, and are left out:
/// `123 456` is `123456`. Everything else must be a letter or digit of ASCII. `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Passcode(Zeroizing<String>);

impl Passcode {
    /// Parses what was typed.
    ///
    /// # Errors
    /// [`IdentityError::Passcode`] for nothing, more than 64 characters, or one that is no letter or digit of ASCII: a
    /// sign, a digit of another script, two blanks in a row.
    pub fn parse(typed: &str) -> Result<Self, IdentityError> {
        let trimmed = typed.trim_matches([' ', '\t', '\r', '\n']);
        if trimmed.is_empty() || trimmed.len() > MAX_PASSCODE {
            return Err(IdentityError::Passcode);
        }
        let mut code = Zeroizing::new(String::with_capacity(trimmed.len()));
        let mut between_groups = false;
        for c in trimmed.chars() {
            match c {
                ' ' | '-' if !between_groups && !code.is_empty() => between_groups = true,
                c if c.is_ascii_alphanumeric() => {
                    between_groups = false;
                    code.push(c);
                }
                _ => return Err(IdentityError::Passcode),
            }
        }
        if between_groups {
            return Err(IdentityError::Passcode);
        }
        Ok(Self(code))
    }

    /// The code, without blanks.
    ///
    /// # Security
    /// Whoever has it may log in with it while it is fresh. Never log it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The code if it has the shape of RFC 6238 as apps show it: exactly six digits.
    #[must_use]
    pub fn six_digits(&self) -> Option<&str> {
        (self.0.len() == 6 && self.0.bytes().all(|byte| byte.is_ascii_digit())).then_some(self.0.as_str())
    }
}

impl fmt::Debug for Passcode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Passcode([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r16_codes_are_trimmed_only_as_documented() {
        let cases = [
            ("123456", Some("123456")),
            (" 123456\n", Some("123456")),
            ("123 456", Some("123456")),
            ("123-456", Some("123456")),
            ("abcd-efgh-jkmn", Some("abcdefghjkmn")),
            ("1234567", Some("1234567")),
            ("", None),
            ("   ", None),
            ("-123456", None),
            ("+123456", None),
            ("123456-", None),
            ("123  456", None),
            ("123 -456", None),
            ("123\u{a0}456", None),
            ("\u{ff11}\u{ff12}\u{ff13}\u{ff14}\u{ff15}\u{ff16}", None),
            ("\u{661}\u{662}\u{663}\u{664}\u{665}\u{666}", None),
            ("12345\0", None),
            ("1234.6", None),
            ("123\t456", None),
        ];
        for (typed, want) in cases {
            let got = Passcode::parse(typed).ok();
            assert_eq!(got.as_ref().map(Passcode::expose), want, "{typed:?}");
        }
        assert!(Passcode::parse(&"1".repeat(65)).is_err());
    }

    #[test]
    fn r16_only_six_digits_are_a_totp_code() {
        for (typed, fits) in [
            ("123456", true),
            ("000000", true),
            ("12345", false),
            ("1234567", false),
            ("12345a", false),
        ] {
            let code = Passcode::parse(typed).unwrap();
            assert_eq!(code.six_digits().is_some(), fits, "{typed}");
        }
    }

    #[test]
    fn no_debug_shows_a_code() {
        assert!(!format!("{:?}", Passcode::parse("123456").unwrap()).contains("123"));
    }
}
