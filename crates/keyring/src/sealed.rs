use std::{fmt, time::Duration};

use sealstone_jose::{Algorithm, Jwk, KeyId, PrivateKey, json};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    KeyEncryptionKey, KeyReference, KeyRing, KeyRingError, KeyState, RingKey, SealError,
    kek::OneKey,
    key::{PrivatePart, SealedHere},
    time,
};

const FORMAT: u8 = 1;

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

impl StoredRing {
    /// The identifier of the key-encryption key that it is sealed under; `None` when it cannot be read.
    #[must_use]
    pub fn sealed_under(&self) -> Option<String> {
        let record: RingRecord = json::from_slice(self.json.as_bytes()).ok()?;
        Some(record.sealed_under)
    }
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
    /// What its home calls a key that is not in the ring. Left out for all others, as versions without homes write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    held: Option<String>,
}

impl KeyRing {
    /// The ring for the store, as its next generation. Private keys are sealed to `domain`, their `kid` and `alg`.
    ///
    /// # Errors
    /// [`SealError::Seal`] when the cryptographic library refuses; [`SealError::Malformed`] never for a real ring.
    pub fn seal(&self, domain: &str, kek: &KeyEncryptionKey) -> Result<StoredRing, SealError> {
        let kek = kek
            .sealing()
            .ok_or_else(|| SealError::malformed("there is no key-encryption key"))?;
        let keys = self.keys().iter().map(|key| KeyRecord::seal(key, domain, &kek));
        let record = RingRecord {
            version: FORMAT,
            sealed_under: kek.id.clone(),
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
        let Some(kek) = kek.find(&record.sealed_under) else {
            return Err(SealError::OtherKey {
                sealed_under: record.sealed_under,
                given: kek.given(),
            });
        };
        let keys = record.keys.into_iter().map(|key| key.open(domain, &kek));
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
    fn seal(key: &RingKey, domain: &str, kek: &OneKey) -> Result<Self, SealError> {
        let here = key.private.as_ref().and_then(PrivatePart::here);
        let sealed = here.map(|private| {
            let octets = Zeroizing::new(private.key.to_pkcs8_der().to_vec());
            kek.seal(octets, &place(domain, &key.kid, key.algorithm))
                .ok_or_else(|| SealError::Seal(key.kid.clone()))
        });
        let held = key.private.as_ref().and_then(PrivatePart::reference);
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
            held: held.map(|reference| reference.as_str().to_owned()),
        })
    }

    fn open(self, domain: &str, kek: &OneKey) -> Result<RingKey, SealError> {
        let kid = KeyId::parse(&self.kid).map_err(|_| SealError::malformed("a key identifier is not one"))?;
        let algorithm = Algorithm::parse(&self.alg).map_err(|_unknown| {
            SealError::malformed(format!("the key {} has an unknown algorithm", self.kid))
        })?;
        let state = KeyState::parse(&self.state)
            .ok_or_else(|| SealError::malformed(format!("the key {} has an unknown state", self.kid)))?;
        let public =
            Jwk::from_value(&self.public).map_err(|error| SealError::Key(KeyRingError::Key(error)))?;
        let private = self.private(domain, &kid, algorithm, state, kek)?;
        let here = private.as_ref().and_then(PrivatePart::here);
        let named = here.map_or_else(
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

    fn private(
        &self,
        domain: &str,
        kid: &KeyId,
        algorithm: Algorithm,
        state: KeyState,
        kek: &OneKey,
    ) -> Result<Option<PrivatePart>, SealError> {
        let may_sign = matches!(state, KeyState::Published | KeyState::Active);
        match (&self.sealed, &self.held) {
            (Some(sealed), None) if may_sign => {
                let der = kek
                    .open(sealed, &place(domain, kid, algorithm))
                    .ok_or_else(|| SealError::Tampered(kid.clone()))?;
                let key = PrivateKey::from_pkcs8_der(algorithm, &der)
                    .map_err(|error| SealError::Key(KeyRingError::Key(error)))?;
                let here = SealedHere::new(key, kid.clone()).map_err(SealError::Key)?;
                Ok(Some(PrivatePart::Here(here)))
            }
            (None, Some(held)) => {
                let reference = KeyReference::parse(held).ok_or_else(|| {
                    SealError::malformed(format!(
                        "the key {} is held by something that is no name",
                        self.kid
                    ))
                })?;
                Ok(Some(PrivatePart::Elsewhere {
                    reference,
                    signer: None,
                }))
            }
            (None, None) if !may_sign => Ok(None),
            _ => Err(SealError::malformed(format!(
                "the {state} key {} has or lacks a private part",
                self.kid
            ))),
        }
    }
}
