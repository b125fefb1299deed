//! Octet strings that travel as base64url.

use std::fmt;

use aws_lc_rs::digest;
use base64_simd::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::MAX_RESPONSE;

/// WebAuthn §4: a credential id has at most 1023 octets.
const MAX_CREDENTIAL_ID: usize = 1023;

/// What an authenticator signs to show that it answers now: 256 random bits (WebAuthn §13.4.3 asks for 128).
///
/// Kept on the server with the interaction, used for one ceremony and then dropped, whatever came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Challenge([u8; 32]);

impl Challenge {
    /// The challenge of these random octets.
    #[must_use]
    pub const fn from_octets(random: [u8; 32]) -> Self {
        Self(random)
    }

    pub(super) const fn as_octets(&self) -> &[u8; 32] {
        &self.0
    }
}

/// How a person is called at an authenticator: 32 octets that tell nothing of the person (WebAuthn §14.6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct UserHandle([u8; 32]);

impl UserHandle {
    /// The handle of a user of a domain: a hash, the same each time, so that an authenticator keeps one passkey for an
    /// account, and two domains on one host do not overwrite each other's.
    #[must_use]
    pub fn of(domain: &str, user: &str) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        // No id holds a zero octet, so that the parts cannot run into each other.
        context.update(b"sealstone user handle\0");
        context.update(domain.as_bytes());
        context.update(b"\0");
        context.update(user.as_bytes());
        let mut octets = [0_u8; 32];
        octets.copy_from_slice(context.finish().as_ref());
        Self(octets)
    }

    pub(super) const fn from_octets(octets: [u8; 32]) -> Self {
        Self(octets)
    }

    pub(super) const fn as_octets(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The id of a passkey, as its authenticator chose it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CredentialId(Vec<u8>);

impl CredentialId {
    pub(super) fn from_octets(octets: &[u8]) -> Option<Self> {
        (1..=MAX_CREDENTIAL_ID)
            .contains(&octets.len())
            .then(|| Self(octets.to_vec()))
    }

    /// Takes the id in base64url, as [`CredentialId::to_text`] writes it. `None` when it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::from_octets(&decode(text)?)
    }

    /// The id in base64url, for a page's form and for the store.
    #[must_use]
    pub fn to_text(&self) -> String {
        encode(&self.0)
    }
}

pub(super) fn encode(octets: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode_to_string(octets)
}

pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    if text.len() > MAX_RESPONSE {
        return None;
    }
    URL_SAFE_NO_PAD.decode_to_vec(text.as_bytes()).ok()
}

/// Octets of a browser's message, in base64url.
pub(super) struct Octets(pub(super) Vec<u8>);

impl<'de> Deserialize<'de> for Octets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        decode(&text)
            .map(Self)
            .ok_or_else(|| D::Error::custom("not base64url"))
    }
}

impl fmt::Debug for Octets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Octets({})", self.0.len())
    }
}

macro_rules! as_base64url {
    ($type:ident, $from:expr) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&encode(&self.0))
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let octets = Octets::deserialize(deserializer)?.0;
                let from: fn(Vec<u8>) -> Option<Self> = $from;
                from(octets).ok_or_else(|| D::Error::custom("of another length"))
            }
        }
    };
}

as_base64url!(Challenge, |octets| octets.try_into().ok().map(Self));
as_base64url!(UserHandle, |octets| octets.try_into().ok().map(Self));
as_base64url!(CredentialId, |octets| Self::from_octets(&octets));
