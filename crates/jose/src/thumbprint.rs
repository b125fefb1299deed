use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{JoseError, base64url};

/// The SHA-256 thumbprint of a public key (RFC 7638), as in `jkt`. Printed in base64url, 43 characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Thumbprint([u8; 32]);

impl Thumbprint {
    /// Takes a digest computed elsewhere.
    #[must_use]
    pub const fn from_bytes(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// Reads the 43 characters of a `jkt`.
    ///
    /// # Errors
    /// [`JoseError::InvalidThumbprint`] for any other text.
    pub fn parse(text: &str) -> Result<Self, JoseError> {
        let octets = base64url::decode(text).map_err(|_error| JoseError::InvalidThumbprint)?;
        octets
            .try_into()
            .map(Self)
            .map_err(|_octets| JoseError::InvalidThumbprint)
    }

    /// The digest.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The URI form of RFC 9278 §4.
    #[must_use]
    pub fn to_uri(&self) -> String {
        format!("urn:ietf:params:oauth:jwk-thumbprint:sha-256:{self}")
    }
}

impl std::fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&base64url::encode(self.0))
    }
}

impl std::str::FromStr for Thumbprint {
    type Err = JoseError;

    fn from_str(text: &str) -> Result<Self, JoseError> {
        Self::parse(text)
    }
}

impl Serialize for Thumbprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Thumbprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}
