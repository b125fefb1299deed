use std::{fmt, sync::Arc, time::Duration};

use rustls_pki_types::UnixTime;
use sealstone_jose::{Algorithm, Jwk, KeyId, PrivateKey, Signer};

use crate::{KeyReference, KeyRingError, RotationPolicy, time};

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

/// What signs, wherever it is.
#[derive(Clone)]
pub(crate) enum PrivatePart {
    /// In the ring, sealed at rest.
    Here(SealedHere),
    /// In the ring's home. The signer is found by [`RingKey::attach`].
    Elsewhere {
        reference: KeyReference,
        signer: Option<Arc<Signer>>,
    },
}

/// Parsed once; [`Signer`] is what leaves the crate.
#[derive(Clone)]
pub(crate) struct SealedHere {
    pub(crate) key: Arc<PrivateKey>,
    signer: Arc<Signer>,
}

impl SealedHere {
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

impl PrivatePart {
    pub(crate) const fn here(&self) -> Option<&SealedHere> {
        match self {
            Self::Here(here) => Some(here),
            Self::Elsewhere { .. } => None,
        }
    }

    pub(crate) const fn reference(&self) -> Option<&KeyReference> {
        match self {
            Self::Here(_) => None,
            Self::Elsewhere { reference, .. } => Some(reference),
        }
    }
}

impl RingKey {
    /// A fresh key in state published, made where the policy says.
    pub(crate) fn generate(
        algorithm: Algorithm,
        policy: &RotationPolicy,
        now: UnixTime,
    ) -> Result<Self, KeyRingError> {
        let Some(home) = policy.home() else {
            let key = PrivateKey::generate(algorithm).map_err(KeyRingError::Key)?;
            return Self::of(key, now);
        };
        let made = home.generate(algorithm).map_err(KeyRingError::Home)?;
        let kid = kid_of(&made.public)?;
        let signer = Signer::held_elsewhere(made.key, algorithm, &made.public, kid.clone());
        let signer = signer.map_err(KeyRingError::Key)?;
        let public = signer.public_jwk().clone();
        let private = PrivatePart::Elsewhere {
            reference: made.reference,
            signer: Some(Arc::new(signer)),
        };
        Ok(Self::published_with(kid, algorithm, public, private, now))
    }

    /// A key from elsewhere in state published.
    pub(crate) fn of(key: PrivateKey, now: UnixTime) -> Result<Self, KeyRingError> {
        let (algorithm, kid) = (key.algorithm(), kid_of(key.public_jwk())?);
        let here = SealedHere::new(key, kid.clone())?;
        let public = here.public_jwk();
        let private = PrivatePart::Here(here);
        Ok(Self::published_with(kid, algorithm, public, private, now))
    }

    fn published_with(
        kid: KeyId,
        algorithm: Algorithm,
        public: Jwk,
        private: PrivatePart,
        now: UnixTime,
    ) -> Self {
        Self {
            kid,
            algorithm,
            state: KeyState::Published,
            published_at: now,
            activated_at: None,
            retired_at: None,
            revoked_at: None,
            keep_for: Duration::ZERO,
            public,
            private: Some(private),
        }
    }

    /// Finds the signer of an active key that its home holds.
    pub(crate) fn attach(&mut self, policy: &RotationPolicy) -> Result<(), KeyRingError> {
        let Some(PrivatePart::Elsewhere { reference, signer }) = &mut self.private else {
            return Ok(());
        };
        if self.state != KeyState::Active || signer.is_some() {
            return Ok(());
        }
        let home = policy.home().ok_or_else(|| KeyRingError::NoHome {
            kid: self.kid.clone(),
            reference: reference.as_str().to_owned(),
        })?;
        let held = home
            .find(reference, self.algorithm, &self.public)
            .map_err(KeyRingError::Home)?;
        let found = Signer::held_elsewhere(held, self.algorithm, &self.public, self.kid.clone());
        *signer = Some(Arc::new(found.map_err(KeyRingError::Key)?));
        Ok(())
    }

    pub(crate) fn activate(&mut self, keep_for: Duration, now: UnixTime) {
        self.state = KeyState::Active;
        self.keep_for = keep_for;
        self.activated_at = Some(now);
    }

    pub(crate) fn retire(&mut self, now: UnixTime) {
        self.state = KeyState::Retiring;
        self.retired_at = Some(now);
        self.forget_private();
    }

    pub(crate) fn revoke(&mut self, now: UnixTime) {
        self.state = KeyState::Revoked;
        self.revoked_at = Some(now);
        self.forget_private();
    }

    /// Nothing here can sign any more. What its home calls the key is kept, for whoever destroys it there.
    fn forget_private(&mut self) {
        self.private = match self.private.take() {
            Some(PrivatePart::Elsewhere { reference, .. }) => Some(PrivatePart::Elsewhere {
                reference,
                signer: None,
            }),
            Some(PrivatePart::Here(_)) | None => None,
        };
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
            KeyState::Active => match self.private.as_ref()? {
                PrivatePart::Here(here) => Some(&here.signer),
                PrivatePart::Elsewhere { signer, .. } => signer.as_ref(),
            },
            KeyState::Published | KeyState::Retiring | KeyState::Revoked => None,
        }
    }

    /// What its [`KeyHome`](crate::KeyHome) calls the key; `None` for one that is sealed in the ring.
    #[must_use]
    pub fn held_as(&self) -> Option<&KeyReference> {
        self.private.as_ref().and_then(PrivatePart::reference)
    }

    /// The private key itself, for a file that only its owner reads; `None` for one that stopped signing, or that its
    /// home holds.
    ///
    /// # Security
    /// Whoever has it signs tokens in the issuer's name until the key is revoked.
    #[must_use]
    pub fn dangerous_private_key(&self) -> Option<&PrivateKey> {
        self.private.as_ref()?.here().map(|here| &*here.key)
    }
}

/// A key's `kid` is its RFC 7638 thumbprint, so no two keys share one.
fn kid_of(public: &Jwk) -> Result<KeyId, KeyRingError> {
    KeyId::parse(&public.thumbprint().to_string()).map_err(KeyRingError::Key)
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
