use std::collections::BTreeSet;

use rustls_pki_types::UnixTime;
use sealstone_jose::{Algorithm, Jwk, JwkSet, KeyId, PrivateKey};

use crate::{KeyReference, KeyRingError, KeyState, RingKey, Rotation, RotationChange, RotationPolicy, time};

/// The signing keys of one domain.
///
/// What always holds: each algorithm has at most one active and one waiting (published) key, at least one key is
/// active, and no `kid` occurs twice.
#[derive(Clone, Debug)]
pub struct KeyRing {
    keys: Vec<RingKey>,
    published: PublishedKeys,
    generation: Option<u64>,
}

impl KeyRing {
    /// Above this many keys in the key set nothing more is published until some have gone.
    const FULL: usize = 48;

    /// A first ring: one key for each algorithm, active at once, because no verifier has cached anything yet.
    ///
    /// # Errors
    /// [`KeyRingError::Key`] when a key cannot be made.
    ///
    /// # Examples
    /// ```
    /// # use std::time::Duration;
    /// # use rustls_pki_types::UnixTime;
    /// # use sealstone_keyring::{KeyRing, RotationPolicy, RotationSettings};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let policy = RotationPolicy::new(RotationSettings::default())?;
    /// let now = UnixTime::since_unix_epoch(Duration::from_secs(1_790_000_000));
    /// let ring = KeyRing::bootstrap(&policy, now)?;
    /// assert!(ring.due(&policy, now).is_empty());
    /// # Ok(())
    /// # }
    /// ```
    pub fn bootstrap(policy: &RotationPolicy, now: UnixTime) -> Result<Self, KeyRingError> {
        let keys = policy.algorithms().iter().map(|algorithm| {
            let mut key = RingKey::generate(*algorithm, policy, now)?;
            key.activate(policy.retire_lifetime(), now);
            Ok(key)
        });
        Self::from_keys(keys.collect::<Result<_, KeyRingError>>()?, None)
    }

    /// The caller has checked what always holds.
    pub(crate) fn from_keys(keys: Vec<RingKey>, generation: Option<u64>) -> Result<Self, KeyRingError> {
        let published = PublishedKeys::of(&keys)?;
        Ok(Self {
            keys,
            published,
            generation,
        })
    }

    /// What the policy wants done now. Pure; after [`apply`](Self::apply) at the same `now` nothing is due.
    ///
    /// However late it is asked, the order holds: a key that was not published for `publish_lead` is published
    /// first and signs later, the old one signs until then, and a key goes only when its last token has died.
    #[must_use]
    pub fn due(&self, policy: &RotationPolicy, now: UnixTime) -> Rotation {
        let mut changes = Vec::new();
        // First: what stops signing in this very step has signed under this policy too.
        changes.extend(self.keys.iter().filter_map(|key| Self::too_short(key, policy)));
        let mut every_algorithm_signs = true;
        for &algorithm in policy.algorithms() {
            let active = self.active(algorithm);
            match (self.waiting(algorithm), active) {
                (Some(next), _) if time::passed(next.published_at, policy.publish_lead(), now) => {
                    changes.push(RotationChange::Activate {
                        kid: next.kid.clone(),
                        retires: active.map(|key| key.kid.clone()),
                    });
                }
                (Some(_), None) => every_algorithm_signs = false,
                (None, None) => {
                    every_algorithm_signs = false;
                    changes.extend(self.publish(algorithm));
                }
                (None, Some(key)) if time::passed(key.since(), policy.successor_age(), now) => {
                    changes.extend(self.publish(algorithm));
                }
                (Some(_) | None, Some(_)) => {}
            }
        }
        for key in &self.keys {
            changes.extend(Self::aged(key, policy, every_algorithm_signs, now));
        }
        Rotation { changes }
    }

    /// An active key whose tokens have become longer than it would be kept for.
    fn too_short(key: &RingKey, policy: &RotationPolicy) -> Option<RotationChange> {
        let short = key.state == KeyState::Active && key.keep_for < policy.retire_lifetime();
        short.then(|| RotationChange::Extend { kid: key.kid.clone() })
    }

    /// What a key needs beside activation: to stop, to go.
    fn aged(key: &RingKey, policy: &RotationPolicy, can_stop: bool, now: UnixTime) -> Option<RotationChange> {
        let kid = key.kid.clone();
        let wanted = policy.algorithms().contains(&key.algorithm);
        match key.state {
            KeyState::Published => (!wanted).then_some(RotationChange::Drop { kid }),
            KeyState::Active => (!wanted && can_stop).then_some(RotationChange::Retire { kid }),
            KeyState::Retiring | KeyState::Revoked => {
                time::passed(key.since(), key.keep_for, now).then_some(RotationChange::Drop { kid })
            }
        }
    }

    /// A plan that publishes a successor of every active key now; [`due`](Self::due) lets it sign after
    /// `publish_lead`. Empty when successors are waiting already. For a stolen key use [`revoke`](Self::revoke).
    #[must_use]
    pub fn rotate_now(&self, policy: &RotationPolicy) -> Rotation {
        let idle = policy
            .algorithms()
            .iter()
            .filter(|algorithm| self.waiting(**algorithm).is_none());
        Rotation {
            changes: idle.filter_map(|algorithm| self.publish(*algorithm)).collect(),
        }
    }

    fn publish(&self, algorithm: Algorithm) -> Option<RotationChange> {
        (self.published.len() < Self::FULL).then_some(RotationChange::Publish { algorithm })
    }

    /// When [`due`](Self::due) will next have something to do; a past time when it has now.
    #[must_use]
    pub fn next_change(&self, policy: &RotationPolicy) -> UnixTime {
        let at_once = time::at(0);
        let full = self.published.len() >= Self::FULL;
        let by_algorithm = policy.algorithms().iter().filter_map(|&algorithm| {
            match (self.waiting(algorithm), self.active(algorithm)) {
                (Some(next), _) => Some(time::after(next.published_at, policy.publish_lead())),
                (None, _) if full => None,
                (None, Some(key)) => Some(time::after(key.since(), policy.successor_age())),
                (None, None) => Some(at_once),
            }
        });
        let every_algorithm_signs = policy
            .algorithms()
            .iter()
            .all(|algorithm| self.active(*algorithm).is_some());
        let by_key = self.keys.iter().filter_map(|key| match key.state {
            KeyState::Retiring | KeyState::Revoked => Some(key.next_change(policy)),
            KeyState::Published | KeyState::Active => {
                let due = Self::aged(key, policy, every_algorithm_signs, at_once);
                due.or_else(|| Self::too_short(key, policy)).map(|_| at_once)
            }
        });
        by_algorithm.chain(by_key).min().unwrap_or(at_once)
    }

    /// Carries a plan out and returns the keys it published. All of it or, on an error, nothing.
    ///
    /// # Errors
    /// [`KeyRingError::Stale`] when the plan does not fit this ring, `policy` and `now`; [`KeyRingError::Key`] when a
    /// key cannot be made.
    pub fn apply(
        &mut self,
        rotation: &Rotation,
        policy: &RotationPolicy,
        now: UnixTime,
    ) -> Result<Vec<KeyId>, KeyRingError> {
        let mut next = self.clone();
        let mut made = Vec::new();
        for change in &rotation.changes {
            made.extend(next.step(change, policy, now)?);
        }
        if !next.keys.iter().any(|key| key.state == KeyState::Active) {
            return Err(KeyRingError::Stale);
        }
        *self = Self::from_keys(next.keys, self.generation)?;
        Ok(made)
    }

    /// One change, checked again: a plan is data and may be old.
    fn step(
        &mut self,
        change: &RotationChange,
        policy: &RotationPolicy,
        now: UnixTime,
    ) -> Result<Option<KeyId>, KeyRingError> {
        match change {
            RotationChange::Publish { algorithm } => {
                if self.waiting(*algorithm).is_some() {
                    return Err(KeyRingError::Stale);
                }
                let key = RingKey::generate(*algorithm, policy, now)?;
                let kid = key.kid.clone();
                self.keys.push(key);
                return Ok(Some(kid));
            }
            RotationChange::Activate { kid, retires } => {
                let key = self.in_state(kid, KeyState::Published)?;
                let known = time::passed(key.published_at, policy.publish_lead(), now);
                let algorithm = key.algorithm;
                if !known || self.active(algorithm).map(RingKey::kid) != retires.as_ref() {
                    return Err(KeyRingError::Stale);
                }
                if let Some(old) = retires {
                    self.in_state(old, KeyState::Active)?.retire(now);
                }
                self.in_state(kid, KeyState::Published)?
                    .activate(policy.retire_lifetime(), now);
            }
            RotationChange::Extend { kid } => {
                let key = self.in_state(kid, KeyState::Active)?;
                key.keep_for = key.keep_for.max(policy.retire_lifetime());
            }
            RotationChange::Retire { kid } => self.in_state(kid, KeyState::Active)?.retire(now),
            RotationChange::Drop { kid } => {
                let kept = self.find(kid).is_none_or(|key| match key.state {
                    KeyState::Published => false,
                    KeyState::Active => true,
                    KeyState::Retiring | KeyState::Revoked => !time::passed(key.since(), key.keep_for, now),
                });
                if kept {
                    return Err(KeyRingError::Stale);
                }
                self.keys.retain(|key| key.kid != *kid);
            }
        }
        Ok(None)
    }

    /// Emergency: `kid` leaves the key set at once and is listed as revoked until the longest token it signed has
    /// died. When it was active, a fresh key takes over in the same step; its identifier is returned.
    ///
    /// The fresh key was published nowhere before: verifiers must fetch the key set again when they meet an unknown
    /// `kid`, as they must anyway for the revocation to reach them. A waiting successor does not take over early: it
    /// lay beside the key that was stolen; revoke it too when the store itself was read.
    ///
    /// # Errors
    /// [`KeyRingError::UnknownKey`], [`KeyRingError::AlreadyRevoked`], or [`KeyRingError::Key`] and
    /// [`KeyRingError::Home`] when the fresh key cannot be made: the ring is unchanged then.
    pub fn revoke(
        &mut self,
        kid: &KeyId,
        policy: &RotationPolicy,
        now: UnixTime,
    ) -> Result<Option<KeyId>, KeyRingError> {
        let mut next = self.clone();
        let mut fresh = None;
        let key = next
            .find_mut(kid)
            .ok_or_else(|| KeyRingError::UnknownKey(kid.clone()))?;
        match key.state {
            KeyState::Revoked => return Err(KeyRingError::AlreadyRevoked(kid.clone())),
            KeyState::Active => {
                let mut successor = RingKey::generate(key.algorithm, policy, now)?;
                successor.activate(key.keep_for, now);
                fresh = Some(successor);
            }
            KeyState::Published | KeyState::Retiring => {}
        }
        key.revoke(now);
        let taken_over = fresh.as_ref().map(|key| key.kid.clone());
        next.keys.extend(fresh);
        *self = Self::from_keys(next.keys, self.generation)?;
        Ok(taken_over)
    }

    /// Takes in a key from elsewhere, which waits for `publish_lead` and signs then. Returns its identifier.
    ///
    /// # Errors
    /// [`KeyRingError::NotWanted`], [`KeyRingError::KnownKey`], [`KeyRingError::Waiting`] while another key waits; the
    /// ring is unchanged then.
    ///
    /// # Security
    /// Who else has the key signs in the issuer's name. A key that was revoked is not taken back.
    pub fn import(
        &mut self,
        key: PrivateKey,
        policy: &RotationPolicy,
        now: UnixTime,
    ) -> Result<KeyId, KeyRingError> {
        let algorithm = key.algorithm();
        if !policy.algorithms().contains(&algorithm) {
            let names: Vec<&str> = policy.algorithms().iter().map(|known| known.as_str()).collect();
            return Err(KeyRingError::NotWanted {
                algorithm,
                issuer: names.join(", "),
            });
        }
        let key = RingKey::of(key, now)?;
        let kid = key.kid.clone();
        if self.find(&kid).is_some() {
            return Err(KeyRingError::KnownKey(kid));
        }
        if let Some(waiting) = self.waiting(algorithm) {
            return Err(KeyRingError::Waiting {
                waiting: waiting.kid.clone(),
                at: waiting.next_change(policy).as_secs(),
            });
        }
        let keys = self.keys.iter().cloned().chain([key]).collect();
        *self = Self::from_keys(keys, self.generation)?;
        Ok(kid)
    }

    /// Finds the signers of active keys that the policy's home holds: a ring from a store knows their names only.
    ///
    /// # Errors
    /// [`KeyRingError::Home`], [`KeyRingError::NoHome`].
    pub fn attach(&mut self, policy: &RotationPolicy) -> Result<(), KeyRingError> {
        self.keys.iter_mut().try_for_each(|key| key.attach(policy))
    }

    /// What homes call the keys of this ring.
    pub(crate) fn references(&self) -> BTreeSet<KeyReference> {
        self.keys.iter().filter_map(RingKey::held_as).cloned().collect()
    }

    /// The key that signs with `algorithm`.
    #[must_use]
    pub fn active(&self, algorithm: Algorithm) -> Option<&RingKey> {
        self.keys
            .iter()
            .find(|key| key.state == KeyState::Active && key.algorithm == algorithm)
    }

    /// The key that signs: with `wanted` exactly, or, when nothing is wanted, with the policy's first algorithm that
    /// signs already. Always some key in the second case.
    #[must_use]
    pub fn signing(&self, policy: &RotationPolicy, wanted: Option<Algorithm>) -> Option<&RingKey> {
        match wanted {
            Some(algorithm) => self.active(algorithm),
            None => policy
                .algorithms()
                .iter()
                .find_map(|algorithm| self.active(*algorithm))
                .or_else(|| self.keys.iter().find(|key| key.state == KeyState::Active)),
        }
    }

    /// What verifiers see: the public halves of all active, waiting and retiring keys.
    #[must_use]
    pub const fn published(&self) -> &PublishedKeys {
        &self.published
    }

    /// The keys whose tokens must be refused although they are in date.
    pub fn revoked(&self) -> impl Iterator<Item = &RingKey> {
        self.keys.iter().filter(|key| key.state == KeyState::Revoked)
    }

    /// Every key, oldest first.
    #[must_use]
    pub fn keys(&self) -> &[RingKey] {
        &self.keys
    }

    /// The key called `kid`, in whatever state.
    #[must_use]
    pub fn find(&self, kid: &KeyId) -> Option<&RingKey> {
        self.keys.iter().find(|key| key.kid == *kid)
    }

    /// The generation under which this ring is stored: what [`KeyStore::replace`](crate::KeyStore::replace) expects.
    #[must_use]
    pub const fn generation(&self) -> Option<u64> {
        self.generation
    }

    pub(crate) const fn set_generation(&mut self, generation: u64) {
        self.generation = Some(generation);
    }

    fn waiting(&self, algorithm: Algorithm) -> Option<&RingKey> {
        self.keys
            .iter()
            .find(|key| key.state == KeyState::Published && key.algorithm == algorithm)
    }

    fn find_mut(&mut self, kid: &KeyId) -> Option<&mut RingKey> {
        self.keys.iter_mut().find(|key| key.kid == *kid)
    }

    fn in_state(&mut self, kid: &KeyId, state: KeyState) -> Result<&mut RingKey, KeyRingError> {
        self.find_mut(kid)
            .filter(|key| key.state == state)
            .ok_or(KeyRingError::Stale)
    }
}

/// The public key set of a ring (RFC 7517 §5): active keys first, then those that wait, then those that retire.
#[derive(Clone, Debug)]
pub struct PublishedKeys {
    set: JwkSet,
    count: usize,
}

impl PublishedKeys {
    fn of(keys: &[RingKey]) -> Result<Self, KeyRingError> {
        let mut public: Vec<Jwk> = Vec::new();
        for state in [KeyState::Active, KeyState::Published, KeyState::Retiring] {
            public.extend(
                keys.iter()
                    .filter(|key| key.state == state)
                    .map(|key| key.public.clone()),
            );
        }
        let count = public.len();
        Ok(Self {
            set: JwkSet::new(public).map_err(KeyRingError::Key)?,
            count,
        })
    }

    /// The set.
    #[must_use]
    pub const fn jwk_set(&self) -> &JwkSet {
        &self.set
    }

    /// The body of the JWKS endpoint: public members only.
    #[must_use]
    pub fn to_json(&self) -> String {
        self.set.to_json()
    }

    /// How many keys are published.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Never: a ring has an active key.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }
}
