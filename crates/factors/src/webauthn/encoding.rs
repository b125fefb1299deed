//! Octet strings that travel as base64url.

use std::{fmt, str};

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

/// How a person is called at an authenticator: at most 64 octets (WebAuthn §5.4.3) that tell an account and no name.
///
/// The same each time, so that an authenticator keeps one passkey for an account, and another for each domain, so that
/// two domains on one host do not overwrite each other's. A login that asks for no name reads the user id back from it;
/// what it says is proved by the passkey's signature alone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UserHandle(Vec<u8>);

impl UserHandle {
    /// The handle of a user of a domain.
    #[must_use]
    pub fn of(domain: &str, user: &str) -> Self {
        let mut octets = domain_mark(domain).to_vec();
        match packed(user) {
            // Keystone's ids and ours are hexadecimal digits.
            Some(id) => {
                octets.push(PACKED);
                octets.extend(id);
            }
            None if user.len() <= LONGEST_PLAIN => {
                octets.push(PLAIN);
                octets.extend(user.as_bytes());
            }
            None => {
                octets.push(HASHED);
                octets.extend(digest::digest(&digest::SHA256, user.as_bytes()).as_ref());
            }
        }
        Self(octets)
    }

    /// The user's id, if this is the handle of a user of the domain and short enough to hold it.
    #[must_use]
    pub fn user_of(&self, domain: &str) -> Option<String> {
        let (kind, id) = self.0.strip_prefix(&domain_mark(domain))?.split_first()?;
        let user = match *kind {
            PACKED => id.iter().map(|octet| format!("{octet:02x}")).collect(),
            PLAIN => str::from_utf8(id).ok()?.to_owned(),
            _ => return None,
        };
        // Written in its one form, or not at all.
        (Self::of(domain, &user) == *self).then_some(user)
    }

    pub(super) fn from_octets(octets: Vec<u8>) -> Option<Self> {
        (1..=MAX_HANDLE).contains(&octets.len()).then_some(Self(octets))
    }

    pub(super) fn as_octets(&self) -> &[u8] {
        &self.0
    }
}

/// WebAuthn §5.4.3.
const MAX_HANDLE: usize = 64;
const DOMAIN_MARK: usize = 8;
/// What is left of 64 octets beside the domain's mark and the kind.
const LONGEST_PLAIN: usize = 55;
const PACKED: u8 = 1;
const PLAIN: u8 = 2;
const HASHED: u8 = 3;

/// Tells the domains of one host apart.
fn domain_mark(domain: &str) -> [u8; DOMAIN_MARK] {
    let hash = digest::digest(&digest::SHA256, domain.as_bytes());
    hash.as_ref().first_chunk().copied().unwrap_or_default()
}

/// The octets of an id of 32 or 64 hexadecimal digits in lower case.
fn packed(id: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => byte.checked_sub(b'0'),
        b'a'..=b'f' => byte.checked_sub(b'a')?.checked_add(10),
        _ => None,
    };
    if !matches!(id.len(), 32 | 64) {
        return None;
    }
    let (pairs, _none) = id.as_bytes().as_chunks::<2>();
    let octet = |[high, low]: &[u8; 2]| Some((digit(*high)? << 4) | digit(*low)?);
    pairs.iter().map(octet).collect()
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
as_base64url!(UserHandle, Self::from_octets);
as_base64url!(CredentialId, |octets| Self::from_octets(&octets));
