use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};

use crate::{TokenHash, ValueError};

/// The letters of a user code: no vowels, so that no word comes out, and no digit that looks like one
/// (RFC 8628 §6.1).
const ALPHABET: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";

/// The most characters that are read: a code with a separator behind every letter fits.
const MAX_TYPED: usize = 32;

/// What a person types to name a device (RFC 8628 §6.1): eight letters of 20, 34 bits, shown `XXXX-XXXX`.
///
/// # Examples
/// ```
/// use sealstone_oauth_types::UserCode;
///
/// let code = UserCode::from_octets([3, 1, 4, 1, 5, 9, 2, 6]); // of a cryptographic random source
/// let typed = code.to_string().to_lowercase().replace('-', " ");
/// assert_eq!(UserCode::parse(&typed)?, code);
/// # Ok::<(), sealstone_oauth_types::ValueError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserCode([u8; 8]);

impl UserCode {
    /// A code of 8 octets from a cryptographic random source. No code is likelier than another by more than one part
    /// in 700 million.
    #[must_use]
    pub fn from_octets(octets: [u8; 8]) -> Self {
        let mut number = u64::from_be_bytes(octets);
        Self([(); 8].map(|()| {
            let letter = usize::try_from(number % 20).unwrap_or_default();
            number /= 20;
            ALPHABET.get(letter).copied().unwrap_or(b'B')
        }))
    }

    /// Reads what a person typed: letters in either case, with spaces and dashes anywhere.
    ///
    /// # Errors
    /// [`ValueError::UserCode`] if anything but eight letters of the alphabet is left.
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        let separator =
            |c: &char| c.is_whitespace() || matches!(c, '-' | '_' | '.' | '\u{2010}'..='\u{2015}');
        let mut letters = [0; 8];
        let mut typed = text.chars().take(MAX_TYPED.saturating_add(1));
        let mut length = 0_usize;
        for c in typed.by_ref().filter(|c| !separator(c)) {
            let letter = u8::try_from(c)
                .map_err(|_| ValueError::UserCode)?
                .to_ascii_uppercase();
            let place = letters.get_mut(length).ok_or(ValueError::UserCode)?;
            if !ALPHABET.contains(&letter) {
                return Err(ValueError::UserCode);
            }
            *place = letter;
            length = length.saturating_add(1);
        }
        if length == 8 && text.chars().nth(MAX_TYPED).is_none() {
            Ok(Self(letters))
        } else {
            Err(ValueError::UserCode)
        }
    }

    /// What a store may look it up by.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        TokenHash::from_octets(Sha256::digest(self.0).into())
    }
}

impl fmt::Display for UserCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, letter) in self.0.iter().enumerate() {
            if index == 4 {
                formatter.write_str("-")?;
            }
            write!(formatter, "{}", char::from(*letter))?;
        }
        Ok(())
    }
}

impl fmt::Debug for UserCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}

impl Serialize for UserCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for UserCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::UserCode;
    use proptest::prelude::*;

    #[test]
    fn what_people_type() {
        let code = UserCode::parse("WDJB-MJHT").unwrap();
        assert_eq!(code.to_string(), "WDJB-MJHT");
        for typed in [
            "wdjbmjht",
            " WDJB MJHT ",
            "w d j b - m j h t",
            "WDJB\u{2013}MJHT",
            "wdjb--mjht\t",
        ] {
            assert_eq!(UserCode::parse(typed), Ok(code), "{typed:?}");
        }
        let spaced = format!("WDJB-MJHT{}", " ".repeat(60));
        for wrong in [
            "",
            "-",
            "WDJB-MJH",
            "WDJB-MJHTX",
            "WDJB-MJHA",
            "WDJB-MJH0",
            "ＷDJB-MJHT",
            "WDJB+MJHT",
            "WDJB/MJHT",
            "WDJB-MJHT\0",
            "ẆDJB-MJHT",
            &spaced,
        ] {
            assert!(UserCode::parse(wrong).is_err(), "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn a_code_is_read_back_whatever_is_between(octets: [u8; 8], gaps in "[ _.-]{8}") {
            let code = UserCode::from_octets(octets);
            let letters = code.to_string().replace('-', "").to_lowercase();
            let typed: String = letters.chars().zip(gaps.chars()).flat_map(|(c, gap)| [c, gap]).collect();
            prop_assert_eq!(UserCode::parse(&typed), Ok(code));
        }

        #[test]
        fn a_text_names_one_code_or_none(text in "\\PC{0,40}") {
            if let Ok(code) = UserCode::parse(&text) {
                let letters: String = text.chars().filter(char::is_ascii_alphabetic).collect();
                prop_assert_eq!(letters.to_ascii_uppercase(), code.to_string().replace('-', ""));
            }
        }
    }
}
