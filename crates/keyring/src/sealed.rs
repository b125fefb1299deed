use std::{fmt, time::Duration};

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey},
    digest,
};
use sealstone_jose::{Algorithm, Jwk, KeyId, PrivateKey, base64url, json};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{KeyRing, KeyRingError, KeyState, RingKey, SealError, key::PrivatePart, time};

const FORMAT: u8 = 1;
const NONCE: usize = 12;
const KEY: usize = 32;

/// The key under which private signing keys, and secrets that must be read again, are encrypted at rest (AES-256-GCM).
/// Kept apart from the database.
///
/// `Debug` shows its identifier only; the key is zeroized on drop.
pub struct KeyEncryptionKey {
    bytes: Zeroizing<[u8; KEY]>,
    id: String,
}

impl KeyEncryptionKey {
    /// From 32 random bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; KEY]) -> Self {
        let bytes = Zeroizing::new(bytes);
        let mut named = digest::Context::new(&digest::SHA256);
        named.update(b"sealstone key-encryption key identifier\0");
        named.update(bytes.as_slice());
        let id = named
            .finish()
            .as_ref()
            .iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Self { bytes, id }
    }

    /// From the text of a key file: 32 bytes as 64 hexadecimal digits, or as base64 in either alphabet, with or
    /// without padding; white space around it is ignored.
    ///
    /// # Errors
    /// [`SealError::NotAKey`] for anything else: an empty, shortened or lengthened file. [`SealError::NotRandom`]
    /// for one repeated byte.
    ///
    /// # Security
    /// Who reads the file opens every ring: the caller refuses a file that others than its owner may read.
    pub fn parse(text: &str) -> Result<Self, SealError> {
        let text = text.trim();
        let bytes = if text.len() == 64 {
            Self::hex(text)
        } else {
            Self::base64(text)
        };
        let bytes = bytes.ok_or(SealError::NotAKey)?;
        let bytes = <[u8; KEY]>::try_from(bytes.as_slice()).map_err(|_| SealError::NotAKey)?;
        // A file of zeros is what a disk leaves of a key that was not written out.
        let first = bytes.first().copied().unwrap_or_default();
        if bytes.iter().all(|byte| *byte == first) {
            return Err(SealError::NotRandom);
        }
        Ok(Self::from_bytes(bytes))
    }

    fn hex(text: &str) -> Option<Zeroizing<Vec<u8>>> {
        let digit = |byte: u8| {
            char::from(byte)
                .to_digit(16)
                .and_then(|digit| u8::try_from(digit).ok())
        };
        let pairs = text.as_bytes().chunks_exact(2);
        let bytes = pairs.map(|pair| match pair {
            [high, low] => Some((digit(*high)? << 4) | digit(*low)?),
            _ => None,
        });
        bytes.collect::<Option<Vec<_>>>().map(Zeroizing::new)
    }

    fn base64(text: &str) -> Option<Zeroizing<Vec<u8>>> {
        let text = Zeroizing::new(text.trim_end_matches('=').replace('+', "-").replace('/', "_"));
        base64url::decode(text.as_str()).ok().map(Zeroizing::new)
    }

    /// A short identifier, safe to show: 16 hexadecimal digits that tell keys apart.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    fn cipher(&self) -> Option<RandomizedNonceKey> {
        RandomizedNonceKey::new(&AES_256_GCM, self.bytes.as_slice()).ok()
    }

    pub(crate) fn seal_octets(&self, mut text: Zeroizing<Vec<u8>>, place: &[u8]) -> Option<String> {
        let nonce = self
            .cipher()?
            .seal_in_place_append_tag(Aad::from(place), &mut *text)
            .ok()?;
        let sealed = [nonce.as_ref().as_slice(), text.as_slice()].concat();
        Some(base64url::encode(&sealed))
    }

    pub(crate) fn open_octets(&self, sealed: &str, place: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let sealed = base64url::decode(sealed).ok()?;
        let (nonce, text) = sealed.split_first_chunk::<NONCE>()?;
        let mut text = Zeroizing::new(text.to_vec());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let length = self
            .cipher()?
            .open_in_place(nonce, Aad::from(place), &mut text)
            .ok()?
            .len();
        text.truncate(length);
        Some(text)
    }
}

impl fmt::Debug for KeyEncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyEncryptionKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// What binds a sealed key to its place: domain, `kid` and algorithm, each with its length before it.
fn place(domain: &str, kid: &KeyId, algorithm: Algorithm) -> Vec<u8> {
    place_of(
        b"sealstone signing key\0",
        [domain, kid.as_str(), algorithm.as_str()],
    )
}

/// What something sealed is bound to: what it is, then each part with its length before it.
pub(crate) fn place_of(what: &[u8], parts: [&str; 3]) -> Vec<u8> {
    let mut place = what.to_vec();
    for part in parts {
        place.extend(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        place.extend(part.as_bytes());
    }
    place
}

/// A ring as a store keeps it: JSON in which every private key is sealed.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredRing {
    /// Counts the ring's changes from 1; [`KeyStore::replace`](crate::KeyStore::replace) compares and swaps on it.
    pub generation: u64,
    /// The ring; its shape is this crate's own business and carries a version.
    pub json: String,
}

impl fmt::Debug for StoredRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredRing")
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RingRecord {
    version: u8,
    sealed_under: String,
    keys: Vec<KeyRecord>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyRecord {
    kid: String,
    alg: String,
    state: String,
    published_at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    activated_at: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retired_at: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<u64>,
    keep_for_s: u64,
    public: serde_json::Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    sealed: Option<String>,
}

impl KeyRing {
    /// The ring for the store, as its next generation. Private keys are sealed to `domain`, their `kid` and `alg`.
    ///
    /// # Errors
    /// [`SealError::Seal`] when the cryptographic library refuses; [`SealError::Malformed`] never for a real ring.
    pub fn seal(&self, domain: &str, kek: &KeyEncryptionKey) -> Result<StoredRing, SealError> {
        let keys = self.keys().iter().map(|key| KeyRecord::seal(key, domain, kek));
        let record = RingRecord {
            version: FORMAT,
            sealed_under: kek.id().to_owned(),
            keys: keys.collect::<Result<_, SealError>>()?,
        };
        let json = serde_json::to_string(&record).map_err(|error| SealError::malformed(error.to_string()))?;
        Ok(StoredRing {
            generation: self.generation().unwrap_or(0).saturating_add(1),
            json,
        })
    }

    /// Opens a stored ring and checks what always holds of one.
    ///
    /// # Errors
    /// [`SealError::OtherKey`] for another key-encryption key; [`SealError::Tampered`] when a sealed key was changed
    /// or moved; [`SealError::Malformed`] when the record is not a sound ring: not ours, no active key, two active
    /// keys of one algorithm, a `kid` twice.
    pub fn open(domain: &str, stored: &StoredRing, kek: &KeyEncryptionKey) -> Result<Self, SealError> {
        let record: RingRecord = json::from_slice(stored.json.as_bytes())
            .map_err(|error| SealError::malformed(error.to_string()))?;
        if record.version != FORMAT {
            return Err(SealError::malformed(format!(
                "its format is version {}",
                record.version
            )));
        }
        if record.sealed_under != kek.id() {
            return Err(SealError::OtherKey {
                sealed_under: record.sealed_under,
                given: kek.id().to_owned(),
            });
        }
        let keys = record.keys.into_iter().map(|key| key.open(domain, kek));
        let keys = keys.collect::<Result<Vec<_>, SealError>>()?;
        check(&keys)?;
        Self::from_keys(keys, Some(stored.generation)).map_err(SealError::Key)
    }

    /// Notes that [`KeyStore::replace`](crate::KeyStore::replace) took `stored`: the next change builds on it.
    pub const fn stored(&mut self, stored: &StoredRing) {
        self.set_generation(stored.generation);
    }
}

/// What [`KeyRing`] promises, of a ring from outside.
fn check(keys: &[RingKey]) -> Result<(), SealError> {
    if !keys.iter().any(|key| key.state == KeyState::Active) {
        return Err(SealError::malformed("it has no active key"));
    }
    for (place, key) in keys.iter().enumerate() {
        let mut earlier = keys.iter().take(place);
        if earlier.clone().any(|other| other.kid == key.kid) {
            return Err(SealError::malformed(format!(
                "the key {} is in it twice",
                key.kid.as_str()
            )));
        }
        let single = matches!(key.state, KeyState::Active | KeyState::Published);
        if single && earlier.any(|other| other.state == key.state && other.algorithm == key.algorithm) {
            return Err(SealError::malformed(format!(
                "it has two {} {} keys",
                key.state,
                key.algorithm.as_str()
            )));
        }
    }
    Ok(())
}

impl KeyRecord {
    fn seal(key: &RingKey, domain: &str, kek: &KeyEncryptionKey) -> Result<Self, SealError> {
        let sealed = key.private.as_ref().map(|private| {
            let octets = Zeroizing::new(private.key.to_pkcs8_der().to_vec());
            kek.seal_octets(octets, &place(domain, &key.kid, key.algorithm))
                .ok_or_else(|| SealError::Seal(key.kid.clone()))
        });
        let public =
            serde_json::to_value(&key.public).map_err(|error| SealError::malformed(error.to_string()))?;
        Ok(Self {
            kid: key.kid.as_str().to_owned(),
            alg: key.algorithm.as_str().to_owned(),
            state: key.state.as_str().to_owned(),
            published_at: key.published_at.as_secs(),
            activated_at: key.activated_at.map(|at| at.as_secs()),
            retired_at: key.retired_at.map(|at| at.as_secs()),
            revoked_at: key.revoked_at.map(|at| at.as_secs()),
            keep_for_s: key.keep_for.as_secs(),
            public,
            sealed: sealed.transpose()?,
        })
    }

    fn open(self, domain: &str, kek: &KeyEncryptionKey) -> Result<RingKey, SealError> {
        let kid = KeyId::parse(&self.kid).map_err(|_| SealError::malformed("a key identifier is not one"))?;
        let algorithm = Algorithm::parse(&self.alg).map_err(|_unknown| {
            SealError::malformed(format!("the key {} has an unknown algorithm", self.kid))
        })?;
        let state = KeyState::parse(&self.state)
            .ok_or_else(|| SealError::malformed(format!("the key {} has an unknown state", self.kid)))?;
        let public =
            Jwk::from_value(&self.public).map_err(|error| SealError::Key(KeyRingError::Key(error)))?;
        let private = match (state, &self.sealed) {
            (KeyState::Published | KeyState::Active, Some(sealed)) => {
                let der = kek
                    .open_octets(sealed, &place(domain, &kid, algorithm))
                    .ok_or_else(|| SealError::Tampered(kid.clone()))?;
                let key = PrivateKey::from_pkcs8_der(algorithm, &der)
                    .map_err(|error| SealError::Key(KeyRingError::Key(error)))?;
                Some(PrivatePart::new(key, kid.clone()).map_err(SealError::Key)?)
            }
            (KeyState::Retiring | KeyState::Revoked, None) => None,
            _ => {
                return Err(SealError::malformed(format!(
                    "the {state} key {} has or lacks a private part",
                    self.kid
                )));
            }
        };
        let named = private.as_ref().map_or_else(
            || public.thumbprint(),
            |private| private.public_jwk().thumbprint(),
        );
        if public.thumbprint() != named || named.to_string() != self.kid {
            return Err(SealError::Tampered(kid));
        }
        let (activated_at, retired_at) = (self.activated_at.map(time::at), self.retired_at.map(time::at));
        let revoked_at = self.revoked_at.map(time::at);
        let complete = match state {
            KeyState::Published => true,
            KeyState::Active => activated_at.is_some(),
            KeyState::Retiring => retired_at.is_some(),
            KeyState::Revoked => revoked_at.is_some(),
        };
        if !complete {
            return Err(SealError::malformed(format!(
                "the {state} key {} lacks its time",
                self.kid
            )));
        }
        Ok(RingKey {
            kid,
            algorithm,
            state,
            published_at: time::at(self.published_at),
            activated_at,
            retired_at,
            revoked_at,
            keep_for: Duration::from_secs(self.keep_for_s),
            public,
            private,
        })
    }
}
