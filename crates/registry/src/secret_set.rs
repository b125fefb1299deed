//! The secrets of one client: the current one, and the one before it for as long as both are good.

use std::time::Duration;

use rustls_pki_types::UnixTime;
use sealstone_oauth_types::Secret;

use crate::{
    sealed_secret::SealedSecret,
    secret::{Pepper, SecretHash},
};

/// The longest time two secrets of one client may both be good: 30 days.
///
/// Long enough for one release cycle of whoever holds the old secret, short enough that a leaked one dies.
pub const MAX_SECRET_OVERLAP: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// How a secret is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "whoever draws a secret keeps it in one of these ways"
)]
pub enum SecretKind {
    /// As a keyed hash: the client sends the secret itself.
    Hashed,
    /// Sealed, to be read again: the client sends what only the secret makes (`client_secret_jwt`).
    Sealed,
}

/// A secret as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a secret is kept in one of these ways")]
pub enum KeptSecret {
    /// As a keyed hash.
    Hash(SecretHash),
    /// Sealed under the key-encryption key.
    Sealed(SealedSecret),
}

impl KeptSecret {
    /// Which of the two.
    #[must_use]
    pub const fn kind(&self) -> SecretKind {
        match self {
            Self::Hash(_) => SecretKind::Hashed,
            Self::Sealed(_) => SecretKind::Sealed,
        }
    }

    /// The hash to compare with; one that no secret has for a sealed secret.
    const fn hash(&self) -> &SecretHash {
        match self {
            Self::Hash(hash) => hash,
            Self::Sealed(_) => &SecretHash::ZERO,
        }
    }
}

impl From<SecretHash> for KeptSecret {
    fn from(hash: SecretHash) -> Self {
        Self::Hash(hash)
    }
}

impl From<SealedSecret> for KeptSecret {
    fn from(sealed: SealedSecret) -> Self {
        Self::Sealed(sealed)
    }
}

/// The secrets of one client, as they are kept: a current one and, during a rotation, the previous one until it expires.
///
/// # Examples
/// ```
/// # use std::time::Duration;
/// # use rustls_pki_types::UnixTime;
/// # use sealstone_registry::{ClientSecretText, Pepper, SecretSet};
/// let pepper = Pepper::from_bytes([7; 32]);
/// let (old, new) = (ClientSecretText::from_random([1; 32]), ClientSecretText::from_random([2; 32]));
/// let at = |secs| UnixTime::since_unix_epoch(Duration::from_secs(secs));
///
/// let set = SecretSet::new(old.hash(&pepper), None);
/// let set = set.rotate(new.hash(&pepper), None, Duration::from_secs(60), at(1_000))?;
/// assert!(set.verify(&pepper, old.secret(), at(1_059)) && set.verify(&pepper, new.secret(), at(1_059)));
/// assert!(!set.verify(&pepper, old.secret(), at(1_060)));
/// # Ok::<(), sealstone_registry::RotationError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretSet {
    current: StoredSecret,
    previous: Option<StoredSecret>,
}

/// One kept secret and the moment from which it is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredSecret {
    pub(crate) kept: KeptSecret,
    pub(crate) expires_at: Option<UnixTime>,
}

impl StoredSecret {
    fn good_at(&self, now: UnixTime) -> bool {
        self.expires_at
            .is_none_or(|expiry| now.as_secs() < expiry.as_secs())
    }
}

impl SecretSet {
    /// A single secret, good until `expires_at` (`None`: until it is rotated).
    #[must_use]
    pub fn new(secret: impl Into<KeptSecret>, expires_at: Option<UnixTime>) -> Self {
        Self {
            current: StoredSecret {
                kept: secret.into(),
                expires_at,
            },
            previous: None,
        }
    }

    /// How its secrets are kept.
    #[must_use]
    pub const fn kind(&self) -> SecretKind {
        self.current.kept.kind()
    }

    /// The sealed secrets that are good at `now`, the current one first; none if they are hashed.
    pub fn sealed(&self, now: UnixTime) -> impl Iterator<Item = &SealedSecret> {
        let both = [Some(&self.current), self.previous.as_ref()];
        both.into_iter()
            .flatten()
            .filter(move |secret| secret.good_at(now))
            .filter_map(|secret| match &secret.kept {
                KeptSecret::Sealed(sealed) => Some(sealed),
                KeptSecret::Hash(_) => None,
            })
    }

    /// The set of a client that does not exist: [`SecretSet::verify`] answers `false` to every secret, at the cost
    /// of a real check.
    #[must_use]
    pub const fn decoy() -> Self {
        let never = StoredSecret {
            kept: KeptSecret::Hash(SecretHash::ZERO),
            expires_at: Some(UnixTime::since_unix_epoch(Duration::ZERO)),
        };
        Self {
            current: never,
            previous: None,
        }
    }

    pub(crate) const fn from_parts(current: StoredSecret, previous: Option<StoredSecret>) -> Self {
        Self { current, previous }
    }

    pub(crate) const fn current(&self) -> &StoredSecret {
        &self.current
    }

    pub(crate) const fn previous(&self) -> Option<&StoredSecret> {
        self.previous.as_ref()
    }

    /// Makes `new` the current secret; the one it replaces stays good for `overlap`, and no longer than its own
    /// expiry. A still older one dies at once: at most two are ever good.
    ///
    /// `overlap` of zero is the emergency rotation: the old secret is dropped.
    ///
    /// # Errors
    /// [`RotationError::OverlapTooLong`] above [`MAX_SECRET_OVERLAP`]; [`RotationError::Unchanged`] if `new` is the
    /// current secret; [`RotationError::OtherKind`] if it is kept in another way; [`RotationError::AlreadyExpired`] if `expires_at` is not after `now`.
    pub fn rotate(
        &self,
        new: impl Into<KeptSecret>,
        expires_at: Option<UnixTime>,
        overlap: Duration,
        now: UnixTime,
    ) -> Result<Self, RotationError> {
        if overlap > MAX_SECRET_OVERLAP {
            return Err(RotationError::OverlapTooLong { asked: overlap });
        }
        let kept = new.into();
        if self.current.kept == kept {
            return Err(RotationError::Unchanged);
        }
        if self.kind() != kept.kind() {
            return Err(RotationError::OtherKind);
        }
        let new = StoredSecret { kept, expires_at };
        if !new.good_at(now) {
            return Err(RotationError::AlreadyExpired);
        }
        let end = now.as_secs().saturating_add(overlap.as_secs());
        let end = self.current.expires_at.map_or(end, |own| own.as_secs().min(end));
        let old = StoredSecret {
            kept: self.current.kept.clone(),
            expires_at: Some(UnixTime::since_unix_epoch(Duration::from_secs(end))),
        };
        Ok(Self {
            current: new,
            previous: old.good_at(now).then_some(old),
        })
    }

    /// Whether `presented` is one of the hashed secrets good at `now`.
    ///
    /// # Security
    /// One keyed hash and two constant-time comparisons, whatever the set holds and whichever secret matches: the
    /// time tells neither a wrong secret from an expired one nor the first from the second. Call it for an unknown
    /// client too, on [`SecretSet::decoy`].
    #[must_use]
    pub fn verify(&self, pepper: &Pepper, presented: &Secret, now: UnixTime) -> bool {
        let hash = pepper.hash(presented);
        let absent = StoredSecret {
            kept: KeptSecret::Hash(SecretHash::ZERO),
            expires_at: Some(UnixTime::since_unix_epoch(Duration::ZERO)),
        };
        let previous = self.previous.as_ref().unwrap_or(&absent);
        let current_matches = (*self.current.kept.hash() == hash) & self.current.good_at(now);
        let previous_matches = (*previous.kept.hash() == hash) & previous.good_at(now);
        current_matches | previous_matches
    }

    /// From when the current secret is refused; `None` if it does not expire (RFC 7591 §3.2.1
    /// `client_secret_expires_at` of 0).
    #[must_use]
    pub const fn expires_at(&self) -> Option<UnixTime> {
        self.current.expires_at
    }

    /// Until when the previous secret is accepted beside the current one, if there is one.
    #[must_use]
    pub fn previous_expires_at(&self) -> Option<UnixTime> {
        self.previous.as_ref().and_then(|previous| previous.expires_at)
    }
}

/// Why a secret was not rotated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RotationError {
    /// The old secret would stay good for too long.
    #[error(
        "the old secret would stay good for {} s, the limit is {} s: shorten the overlap",
        asked.as_secs(),
        MAX_SECRET_OVERLAP.as_secs()
    )]
    OverlapTooLong {
        /// The overlap asked for.
        asked: Duration,
    },
    /// The new secret is the current one.
    #[error("the new secret is the current one: draw a new one")]
    Unchanged,
    /// The new secret would expire before its first use.
    #[error("the new secret would already be expired: give an expiry in the future, or none")]
    AlreadyExpired,
    /// The client has no secret: it authenticates by certificate or key.
    #[error("this client authenticates by certificate or key and has no secret to rotate")]
    NoSecret,
    /// The new secret is not kept as the client's method asks.
    #[error(
        "the new secret is kept in another way than the client's method reads: this is a fault of the program"
    )]
    OtherKind,
}

#[cfg(test)]
mod tests;
