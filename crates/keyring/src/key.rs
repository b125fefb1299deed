use std::{fmt, sync::Arc, time::Duration};

use rustls_pki_types::UnixTime;
use sealstone_jose::{Algorithm, Jwk, KeyId, PrivateKey, Signer};

use crate::{KeyRingError, RotationPolicy, time};

/// Where a key stands in its life. It only ever moves downwards in this list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(clippy::exhaustive_enums, reason = "sibling crates show every state")]
pub enum KeyState {
    /// In the key set, not yet signing: verifiers learn it.
    Published,
    /// In the key set and signing.
    Active,
    /// In the key set, no longer signing: its last tokens live. Its private part is erased.
    Retiring,
    /// Not in the key set, but on the revocation list. Its private part is erased.
    Revoked,
}

impl KeyState {
    /// The name in stored rings and tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Active => "active",
            Self::Retiring => "retiring",
            Self::Revoked => "revoked",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Published, Self::Active, Self::Retiring, Self::Revoked]
            .into_iter()
            .find(|s| s.as_str() == text)
    }
}

impl fmt::Display for KeyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One signing key of a ring, with its story.
///
/// `Debug` shows the identifier, algorithm, state and times; nothing prints or serialises the private part.
#[derive(Clone)]
pub struct RingKey {
    pub(crate) kid: KeyId,
    pub(crate) algorithm: Algorithm,
    pub(crate) state: KeyState,
    pub(crate) published_at: UnixTime,
    pub(crate) activated_at: Option<UnixTime>,
    pub(crate) retired_at: Option<UnixTime>,
    pub(crate) revoked_at: Option<UnixTime>,
    /// For how long it is needed after it stopped signing: the longest `retire_lifetime` it signed under.
    pub(crate) keep_for: Duration,
    pub(crate) public: Jwk,
    pub(crate) private: Option<PrivatePart>,
}

/// Parsed once; [`Signer`] is what leaves the crate.
#[derive(Clone)]
pub(crate) struct PrivatePart {
    pub(crate) key: Arc<PrivateKey>,
    signer: Arc<Signer>,
}

impl PrivatePart {
    pub(crate) fn new(key: PrivateKey, kid: KeyId) -> Result<Self, KeyRingError> {
        let signer = Signer::new(&key, kid).map_err(KeyRingError::Key)?;
        Ok(Self {
            key: Arc::new(key),
            signer: Arc::new(signer),
        })
    }

    pub(crate) fn public_jwk(&self) -> Jwk {
        self.signer.public_jwk().clone()
    }
}

impl RingKey {
    /// A fresh key in state published. Its `kid` is its RFC 7638 thumbprint, so no two keys share one.
    pub(crate) fn generate(algorithm: Algorithm, now: UnixTime) -> Result<Self, KeyRingError> {
        let key = PrivateKey::generate(algorithm).map_err(KeyRingError::Key)?;
        let kid = KeyId::parse(&key.public_jwk().thumbprint().to_string()).map_err(KeyRingError::Key)?;
        let private = PrivatePart::new(key, kid.clone())?;
        Ok(Self {
            kid,
            algorithm,
            state: KeyState::Published,
            published_at: now,
            activated_at: None,
            retired_at: None,
            revoked_at: None,
            keep_for: Duration::ZERO,
            public: private.public_jwk(),
            private: Some(private),
        })
    }

    pub(crate) fn activate(&mut self, keep_for: Duration, now: UnixTime) {
        self.state = KeyState::Active;
        self.keep_for = keep_for;
        self.activated_at = Some(now);
    }

    pub(crate) fn retire(&mut self, now: UnixTime) {
        self.state = KeyState::Retiring;
        self.retired_at = Some(now);
        self.private = None;
    }

    pub(crate) fn revoke(&mut self, now: UnixTime) {
        self.state = KeyState::Revoked;
        self.revoked_at = Some(now);
        self.private = None;
    }

    /// The `kid`: base64url of the key's RFC 7638 thumbprint.
    #[must_use]
    pub const fn kid(&self) -> &KeyId {
        &self.kid
    }

    /// The one algorithm this key signs with.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Where the key stands.
    #[must_use]
    pub const fn state(&self) -> KeyState {
        self.state
    }

    /// Since when it stands there.
    #[must_use]
    pub fn since(&self) -> UnixTime {
        match self.state {
            KeyState::Published => None,
            KeyState::Active => self.activated_at,
            KeyState::Retiring => self.retired_at,
            KeyState::Revoked => self.revoked_at,
        }
        .unwrap_or(self.published_at)
    }

    /// When it entered the key set.
    #[must_use]
    pub const fn published_at(&self) -> UnixTime {
        self.published_at
    }

    /// When it began to sign, if it did.
    #[must_use]
    pub const fn activated_at(&self) -> Option<UnixTime> {
        self.activated_at
    }

    /// When it stopped signing for a successor, if it did.
    #[must_use]
    pub const fn retired_at(&self) -> Option<UnixTime> {
        self.retired_at
    }

    /// When it was revoked, if it was.
    #[must_use]
    pub const fn revoked_at(&self) -> Option<UnixTime> {
        self.revoked_at
    }

    /// When the policy moves it on: to active, to retiring, out of the ring.
    #[must_use]
    pub fn next_change(&self, policy: &RotationPolicy) -> UnixTime {
        let span = match self.state {
            KeyState::Published => policy.publish_lead(),
            KeyState::Active => policy.active_lifetime(),
            KeyState::Retiring | KeyState::Revoked => self.keep_for,
        };
        time::after(self.since(), span)
    }

    /// The public half, with `kid`, `alg` and `use: sig`.
    #[must_use]
    pub const fn public(&self) -> &Jwk {
        &self.public
    }

    /// The signer, while the key is active: no other state signs.
    #[must_use]
    pub fn signer(&self) -> Option<&Arc<Signer>> {
        match self.state {
            KeyState::Active => self.private.as_ref().map(|private| &private.signer),
            KeyState::Published | KeyState::Retiring | KeyState::Revoked => None,
        }
    }
}

impl fmt::Debug for RingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RingKey")
            .field("kid", &self.kid)
            .field("algorithm", &self.algorithm)
            .field("state", &self.state)
            .field("since", &self.since())
            .finish_non_exhaustive()
    }
}
