use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::{Secret, ValueError};

/// A value that says nothing and cannot be guessed: 256 random bits, 43 characters of base64url on the wire.
///
/// For whatever is looked up by itself: codes, refresh tokens, device codes, ids of sessions and of what is under way
/// in a browser. Stores keep its [`TokenHash`] only.
///
/// # Examples
/// ```
/// use sealstone_oauth_types::OpaqueToken;
///
/// let token = OpaqueToken::from_octets([7; 32]); // 32 octets of a cryptographic random source
/// let sent = OpaqueToken::parse(token.expose())?;
/// assert_eq!(sent.hash(), token.hash());
/// assert_eq!(format!("{token:?}"), "[redacted]");
/// # Ok::<(), sealstone_oauth_types::ValueError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct OpaqueToken(
    /// Apart, so that a request of a machine, which has none, is not made larger by it.
    Box<Secret>,
);

/// SHA-256 of an [`OpaqueToken`]'s text: what is stored and compared.
///
/// A fast hash is enough: nobody guesses 256 random bits, and who reads the store cannot go back.
///
/// # Examples
/// ```
/// use sealstone_oauth_types::{OpaqueToken, TokenHash};
///
/// let hash = OpaqueToken::from_octets([7; 32]).hash();
/// assert_eq!(TokenHash::from_octets(*hash.as_octets()), hash);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenHash([u8; 32]);

impl OpaqueToken {
    /// The length of its text.
    pub const LENGTH: usize = 43;

    /// A token of 32 octets from a cryptographic random source.
    #[must_use]
    pub fn from_octets(octets: [u8; 32]) -> Self {
        let octets = Zeroizing::new(octets);
        let text = base64_simd::URL_SAFE_NO_PAD.encode_to_string(octets.as_slice());
        Self(Box::new(Secret::from(text)))
    }

    /// Parses the text of a token. One spelling is accepted: no padding, no other alphabet, no stray bits.
    ///
    /// # Errors
    /// [`ValueError::OpaqueToken`] for anything but 43 characters that encode 32 octets.
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        if text.len() != Self::LENGTH {
            return Err(ValueError::OpaqueToken);
        }
        let octets = base64_simd::URL_SAFE_NO_PAD
            .decode_to_vec(text)
            .map(Zeroizing::new)
            .map_err(|_| ValueError::OpaqueToken)?;
        if octets.len() == 32 {
            Ok(Self(Box::new(Secret::from(text))))
        } else {
            Err(ValueError::OpaqueToken)
        }
    }

    /// The text.
    ///
    /// # Security
    /// It goes to the party it was made for and nowhere else: no log, no error, no store.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// What a store keeps of it.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        TokenHash(Sha256::digest(self.expose()).into())
    }
}

impl fmt::Debug for OpaqueToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}

impl TokenHash {
    /// The hash of these octets, as a store kept it.
    #[must_use]
    pub const fn from_octets(octets: [u8; 32]) -> Self {
        Self(octets)
    }

    /// The octets, for a store.
    #[must_use]
    pub const fn as_octets(&self) -> &[u8; 32] {
        &self.0
    }

    /// Parses the text that `Display` writes: 43 characters of base64url.
    ///
    /// # Errors
    /// [`ValueError::TokenHash`] for anything else.
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        let octets = base64_simd::URL_SAFE_NO_PAD
            .decode_to_vec(text)
            .map_err(|_| ValueError::TokenHash)?;
        octets.try_into().map(Self).map_err(|_| ValueError::TokenHash)
    }
}

impl fmt::Display for TokenHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&base64_simd::URL_SAFE_NO_PAD.encode_to_string(self.0))
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "TokenHash({self})")
    }
}

impl Serialize for TokenHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TokenHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::{OpaqueToken, TokenHash};
    use proptest::prelude::*;

    #[test]
    fn other_texts_are_no_tokens() {
        let good = OpaqueToken::from_octets([0xfb; 32]);
        let text = good.expose();
        assert_eq!(text.len(), OpaqueToken::LENGTH);
        let swapped = text.replace(['-', '_'], "+");
        let stray = format!("{}{}", text.get(..42).unwrap(), "9");
        for wrong in [
            "",
            text.get(1..).unwrap(),
            &format!("{text}="),
            &format!("{text}A"),
            &format!(" {text}"),
            &format!("{}\n", text.get(1..).unwrap()),
            &swapped,
            &stray,
            &"é".repeat(22),
        ] {
            assert!(OpaqueToken::parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn the_hash_is_of_the_text_and_neither_shows_the_token() {
        let token = OpaqueToken::from_octets([1; 32]);
        assert!(!format!("{token:?} {:?}", token.hash()).contains(token.expose()));
        let json = serde_json::to_string(&token.hash()).unwrap();
        assert_eq!(serde_json::from_str::<TokenHash>(&json).unwrap(), token.hash());
        for wrong in ["\"\"", "7", "\"AA\"", "\"!\""] {
            assert!(serde_json::from_str::<TokenHash>(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn parse_gives_back_what_was_made(octets: [u8; 32], other: [u8; 32]) {
            let token = OpaqueToken::from_octets(octets);
            prop_assert_eq!(OpaqueToken::parse(token.expose()).unwrap().hash(), token.hash());
            prop_assert_eq!(octets == other, token.hash() == OpaqueToken::from_octets(other).hash());
        }
    }
}
