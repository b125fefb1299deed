use serde::{Deserialize, Serialize};

use crate::JoseError;

/// A signature algorithm of JOSE (RFC 7518 §3.1, RFC 8037 §3.1).
///
/// There is no `none` and no HMAC: what verifies by one of these, only the holder of a private key can make. HMAC has
/// types of its own ([`MacAlgorithm`](crate::MacAlgorithm)) that none of these can become.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[expect(
    clippy::exhaustive_enums,
    reason = "callers choose a policy for every algorithm"
)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// ECDSA on P-384 with SHA-384.
    #[serde(rename = "ES384")]
    Es384,
    /// Ed25519 (the only curve of `EdDSA` taken here).
    #[serde(rename = "EdDSA")]
    EdDsa,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    #[serde(rename = "RS256")]
    Rs256,
    /// RSASSA-PSS with SHA-256, MGF1 with SHA-256, a salt of 32 octets.
    #[serde(rename = "PS256")]
    Ps256,
}

impl Algorithm {
    /// Every algorithm of this crate, in the order of preference for new keys.
    pub const ALL: [Self; 5] = [Self::Es256, Self::EdDsa, Self::Es384, Self::Ps256, Self::Rs256];

    /// The name in a JOSE header.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
        }
    }

    /// Reads the name of a JOSE header, case-sensitively.
    ///
    /// # Errors
    /// [`JoseError::AlgorithmNotAllowed`] for every other text, `none` and `HS256` among them.
    pub fn parse(name: &str) -> Result<Self, JoseError> {
        match name {
            "ES256" => Ok(Self::Es256),
            "ES384" => Ok(Self::Es384),
            "EdDSA" => Ok(Self::EdDsa),
            "RS256" => Ok(Self::Rs256),
            "PS256" => Ok(Self::Ps256),
            _ => Err(JoseError::AlgorithmNotAllowed),
        }
    }
}

impl std::fmt::Display for Algorithm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Algorithm {
    type Err = JoseError;

    fn from_str(name: &str) -> Result<Self, JoseError> {
        Self::parse(name)
    }
}
