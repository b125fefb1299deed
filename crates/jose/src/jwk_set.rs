use std::collections::BTreeSet;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::{JoseError, Jwk, json};

/// A set of public keys (RFC 7517 §5): at most 64, no two with one `kid`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct JwkSet {
    keys: Vec<Jwk>,
}

/// What a reader does with a key that it does not know.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unknown {
    Ignore,
    Refuse,
}

impl JwkSet {
    /// The longest JSON of a set, in bytes.
    pub const MAX_BYTES: usize = 256 * 1024;
    /// The most keys of a set.
    pub const MAX_KEYS: usize = 64;

    /// Makes a set of keys.
    ///
    /// # Errors
    /// [`JoseError::TooManyKeys`], [`JoseError::DuplicateKeyId`].
    pub fn new(keys: Vec<Jwk>) -> Result<Self, JoseError> {
        if keys.len() > Self::MAX_KEYS {
            return Err(JoseError::TooManyKeys {
                limit: Self::MAX_KEYS,
            });
        }
        let mut names = BTreeSet::new();
        if keys.iter().filter_map(Jwk::kid).any(|kid| !names.insert(kid)) {
            return Err(JoseError::DuplicateKeyId);
        }
        Ok(Self { keys })
    }

    /// Reads a published set as RFC 7517 §5 asks: a key of a type, curve, use, algorithm or size that this crate
    /// does not know, or one that is malformed, is left out.
    ///
    /// # Errors
    /// [`JoseError::PrivateMember`] or [`JoseError::SymmetricKey`] if any key is not public: a set that
    /// publishes secrets is no proof of anything. [`JoseError::TooLarge`] above [`JwkSet::MAX_BYTES`],
    /// [`JoseError::TooManyKeys`], [`JoseError::DuplicateKeyId`], [`JoseError::UnexpectedJson`] without an array
    /// `keys`, and the errors of [`json::from_slice`].
    pub fn parse(text: &[u8]) -> Result<Self, JoseError> {
        Self::read(text, Unknown::Ignore)
    }

    /// Reads a set that somebody registers: every key must be good.
    ///
    /// # Errors
    /// As [`JwkSet::parse`], and the error of the first key that is refused by [`Jwk::from_value`].
    pub fn parse_strict(text: &[u8]) -> Result<Self, JoseError> {
        Self::read(text, Unknown::Refuse)
    }

    fn read(text: &[u8], unknown: Unknown) -> Result<Self, JoseError> {
        if text.len() > Self::MAX_BYTES {
            return Err(JoseError::TooLarge {
                what: "key set",
                limit: Self::MAX_BYTES,
            });
        }
        Self::from_value(&json::from_slice(text)?, unknown)
    }

    fn from_value(value: &Value, unknown: Unknown) -> Result<Self, JoseError> {
        let items = value
            .get("keys")
            .and_then(Value::as_array)
            .ok_or(JoseError::UnexpectedJson)?;
        if items.len() > Self::MAX_KEYS {
            return Err(JoseError::TooManyKeys {
                limit: Self::MAX_KEYS,
            });
        }
        let mut keys = Vec::with_capacity(items.len());
        for item in items {
            match Jwk::from_value(item) {
                Ok(key) => keys.push(key),
                Err(JoseError::UnsupportedKey(_) | JoseError::MalformedKey(_) | JoseError::WeakKey(_))
                    if unknown == Unknown::Ignore => {}
                Err(error) => return Err(error),
            }
        }
        Self::new(keys)
    }

    /// The keys, in the order of the set.
    #[must_use]
    pub fn keys(&self) -> &[Jwk] {
        &self.keys
    }

    /// The key named `kid`.
    #[must_use]
    pub fn find(&self, kid: &str) -> Option<&Jwk> {
        self.keys.iter().find(|key| key.kid() == Some(kid))
    }

    /// Prints the set.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Strings and arrays of strings cannot fail to serialize.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Reads a set inside another document, as strictly as [`JwkSet::parse_strict`] but for duplicate names and
/// length, which are the document's reader's business.
impl<'de> Deserialize<'de> for JwkSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Self::from_value(&value, Unknown::Refuse).map_err(serde::de::Error::custom)
    }
}
