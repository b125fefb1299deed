use sealstone_jose::{Algorithm, KeyId};

/// One step of a rotation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "sibling crates audit every step")]
pub enum RotationChange {
    /// Make a key and put it into the key set.
    Publish {
        /// For this algorithm.
        algorithm: Algorithm,
    },
    /// Let a published key sign; `retires` is the key that stops in the same step.
    Activate {
        /// The key that signs from now on.
        kid: KeyId,
        /// The key that signed until now; none when the algorithm is new to the ring.
        retires: Option<KeyId>,
    },
    /// Tokens have become longer since this key began to sign: keep it for longer after it stops.
    Extend {
        /// The key.
        kid: KeyId,
    },
    /// Stop signing with a key whose algorithm the policy no longer has.
    Retire {
        /// The key.
        kid: KeyId,
    },
    /// Take a key out of the ring: no living token needs it.
    Drop {
        /// The key.
        kid: KeyId,
    },
}

/// What is to be done now: a plan, made by [`KeyRing::due`](crate::KeyRing::due) without changing anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rotation {
    pub(crate) changes: Vec<RotationChange>,
}

impl Rotation {
    /// Whether there is nothing to do.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// The steps, in the order in which they are taken.
    #[must_use]
    pub fn changes(&self) -> &[RotationChange] {
        &self.changes
    }
}
