//! Public keys as JWK (RFC 7517, RFC 7518 §6, RFC 8037 §2).

mod certificate;
pub(crate) mod material;
mod parse;
mod roca;
pub(crate) mod spki;

use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Algorithm, JoseError, Thumbprint, base64url, json};
use material::PublicKey;
pub(crate) use parse::{kid as check_kid, public_key as public_members};

/// What a key is for (RFC 7517 §4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the registry of RFC 7517 §8.2 has two values"
)]
pub enum KeyUse {
    /// `sig`
    Signature,
    /// `enc`
    Encryption,
}

impl KeyUse {
    /// The value of `use`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Signature => "sig",
            Self::Encryption => "enc",
        }
    }
}

/// A public key: P-256, P-384, Ed25519 or RSA, valid by construction, with what its owner says about it.
///
/// The point is on its curve, not the identity and (Ed25519) not of small order; an RSA modulus has 2048 to
/// 8192 bits, is odd and not of the ROCA form, and its exponent is odd, from 3 to 2³²-1.
/// Private members cannot be in it. Members that this crate does not know are dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jwk {
    pub(crate) key: PublicKey,
    kid: Option<String>,
    algorithm: Option<Algorithm>,
    key_use: Option<KeyUse>,
    key_ops: Option<Vec<String>>,
    x5c: Vec<Vec<u8>>,
}

impl Jwk {
    /// The longest JSON of one key, in bytes.
    pub const MAX_BYTES: usize = 64 * 1024;

    pub(crate) const fn of(key: PublicKey) -> Self {
        Self {
            key,
            kid: None,
            algorithm: None,
            key_use: None,
            key_ops: None,
            x5c: Vec::new(),
        }
    }

    /// Reads a JWK of at most [`Jwk::MAX_BYTES`] bytes of strict JSON.
    ///
    /// # Errors
    /// [`JoseError::PrivateMember`] or [`JoseError::SymmetricKey`] if it holds a secret;
    /// [`JoseError::UnsupportedKey`], [`JoseError::MalformedKey`] or [`JoseError::WeakKey`] as they say;
    /// the errors of [`json::from_slice`].
    pub fn parse(text: &[u8]) -> Result<Self, JoseError> {
        if text.len() > Self::MAX_BYTES {
            return Err(JoseError::TooLarge {
                what: "key",
                limit: Self::MAX_BYTES,
            });
        }
        Self::from_value(&json::from_slice(text)?)
    }

    /// Reads a JWK that was parsed already, by a reader that refuses duplicate names.
    ///
    /// # Errors
    /// As [`Jwk::parse`].
    pub fn from_value(value: &serde_json::Value) -> Result<Self, JoseError> {
        parse::jwk(value)
    }

    /// Reads a DER `SubjectPublicKeyInfo` (RFC 5280 §4.1.2.7): named curve, uncompressed point, or
    /// `rsaEncryption`.
    ///
    /// # Errors
    /// [`JoseError::UnsupportedKey`], [`JoseError::MalformedKey`] or [`JoseError::WeakKey`].
    pub fn from_spki_der(der: &[u8]) -> Result<Self, JoseError> {
        spki::decode(der).map(Self::of)
    }

    /// The key's name in its set.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The only algorithm that its owner uses it with.
    #[must_use]
    pub const fn alg(&self) -> Option<Algorithm> {
        self.algorithm
    }

    /// What its owner uses it for.
    #[must_use]
    pub const fn key_use(&self) -> Option<KeyUse> {
        self.key_use
    }

    /// The operations of `key_ops` (RFC 7517 §4.3), if it was given.
    #[must_use]
    pub fn key_ops(&self) -> Option<&[String]> {
        self.key_ops.as_deref()
    }

    /// The certificates of `x5c` in DER, the key's own first; empty if it has none.
    ///
    /// # Security
    /// The first certificate holds this key. Nothing else about the chain is checked.
    #[must_use]
    pub fn x5c(&self) -> &[Vec<u8>] {
        &self.x5c
    }

    /// The same key under the name `kid`.
    ///
    /// # Errors
    /// [`JoseError::MalformedKey`] if it is empty, longer than 256 bytes or holds a NUL.
    pub fn with_kid(mut self, kid: &str) -> Result<Self, JoseError> {
        self.kid = Some(parse::kid(kid)?.to_owned());
        Ok(self)
    }

    /// The same key for signatures (`use: sig`) by one algorithm.
    ///
    /// # Errors
    /// [`JoseError::AlgorithmNotAllowed`] if the key's type does not fit it.
    pub fn with_algorithm(mut self, algorithm: Algorithm) -> Result<Self, JoseError> {
        if !self.key.fits(algorithm) {
            return Err(JoseError::AlgorithmNotAllowed);
        }
        self.algorithm = Some(algorithm);
        self.key_use = Some(KeyUse::Signature);
        self.key_ops = None;
        Ok(self)
    }

    /// Whether signatures by `algorithm` may be verified with this key: its type and curve fit, and its own
    /// `alg`, `use` and `key_ops`, where given, allow it.
    #[must_use]
    pub fn supports(&self, algorithm: Algorithm) -> bool {
        self.key.fits(algorithm)
            && self.algorithm.is_none_or(|own| own == algorithm)
            && self.key_use.is_none_or(|own| own == KeyUse::Signature)
            && self
                .key_ops
                .as_ref()
                .is_none_or(|own| own.iter().any(|op| op == "verify"))
    }

    /// The SHA-256 thumbprint of the key alone (RFC 7638).
    #[must_use]
    pub fn thumbprint(&self) -> Thumbprint {
        self.key.thumbprint()
    }

    /// The key as a DER `SubjectPublicKeyInfo`.
    #[must_use]
    pub fn to_spki_der(&self) -> Vec<u8> {
        spki::encode(&self.key)
    }

    /// Prints the key, its required members first.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Strings and arrays of strings cannot fail to serialize.
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl Serialize for Jwk {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in self.key.members() {
            map.serialize_entry(name, &value)?;
        }
        if let Some(kid) = &self.kid {
            map.serialize_entry("kid", kid)?;
        }
        if let Some(key_use) = self.key_use {
            map.serialize_entry("use", key_use.as_str())?;
        }
        if let Some(key_ops) = &self.key_ops {
            map.serialize_entry("key_ops", key_ops)?;
        }
        if let Some(algorithm) = self.algorithm {
            map.serialize_entry("alg", &algorithm)?;
        }
        if !self.x5c.is_empty() {
            let chain: Vec<String> = self
                .x5c
                .iter()
                .map(|der| base64_simd::STANDARD.encode_to_string(der))
                .collect();
            map.serialize_entry("x5c", &chain)?;
        }
        map.end()
    }
}

/// Reads a JWK inside another document. Duplicate names are the document's reader's business.
impl<'de> Deserialize<'de> for Jwk {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        Self::from_value(&value).map_err(serde::de::Error::custom)
    }
}

/// Base64url of a member, for printing.
pub(crate) fn member(octets: &[u8]) -> String {
    base64url::encode(octets)
}
