use serde::{Deserialize, Deserializer, Serialize};

use crate::JoseError;

/// The `kid` of a key of ours: 1 to 128 characters of visible ASCII without `"` and `\`.
///
/// So it needs no escaping in JSON, in a header or in a log line. Other parties' `kid`s may be any text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct KeyId(String);

impl KeyId {
    /// The greatest length, in bytes.
    pub const MAX: usize = 128;

    /// Takes `text` as it is.
    ///
    /// # Errors
    /// [`JoseError::InvalidKeyId`] if it is empty, too long or holds another character.
    pub fn parse(text: &str) -> Result<Self, JoseError> {
        let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
        if text.is_empty() || text.len() > Self::MAX || !text.bytes().all(plain) {
            return Err(JoseError::InvalidKeyId);
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for KeyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for KeyId {
    type Err = JoseError;

    fn from_str(text: &str) -> Result<Self, JoseError> {
        Self::parse(text)
    }
}

impl AsRef<str> for KeyId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for KeyId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}
