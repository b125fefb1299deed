use rustls_pki_types::UnixTime;
use thiserror::Error;

use crate::{
    KeyEncryptionKey, KeyRing, KeyRingError, KeyStore, KeyStoreError, Replaced, Rotation, RotationPolicy,
    SealError,
};

/// A ring that is up to date, and what was done for that.
#[derive(Debug)]
#[non_exhaustive]
pub struct Maintained {
    /// The ring, stored.
    pub ring: KeyRing,
    /// Whether it was made just now.
    pub created: bool,
    /// What was due and has been done; for the audit trail.
    pub done: Rotation,
}

/// Loads the ring of `domain`, makes it if there is none, and does what is due; to be called at start, at
/// [`KeyRing::next_change`] and when the store says that something changed.
///
/// Any number of nodes may do this at once: who loses the race takes what the winner stored.
///
/// # Errors
/// [`MaintainError`]: the store, the key-encryption key or a signing key failed; nothing half-done is stored.
pub async fn maintain(
    store: &dyn KeyStore,
    domain: &str,
    policy: &RotationPolicy,
    kek: &KeyEncryptionKey,
    now: UnixTime,
) -> Result<Maintained, MaintainError> {
    const TRIES: usize = 8;
    for _ in 0..TRIES {
        let (mut ring, created) = match store.load(domain).await? {
            Some(stored) => (KeyRing::open(domain, &stored, kek)?, false),
            None => (KeyRing::bootstrap(policy, now)?, true),
        };
        let done = ring.due(policy, now);
        if done.is_empty() && !created {
            return Ok(Maintained { ring, created, done });
        }
        ring.apply(&done, policy, now)?;
        let stored = ring.seal(domain, kek)?;
        match store.replace(domain, ring.generation(), &stored).await? {
            Replaced::Done => {
                ring.stored(&stored);
                return Ok(Maintained { ring, created, done });
            }
            Replaced::Conflict => {}
        }
    }
    Err(MaintainError::Contended)
}

/// Loads the ring of `domain` and changes nothing: for a node that leaves [`maintain`] to another. `None` until that
/// other has made one.
///
/// # Errors
/// [`MaintainError::Store`], [`MaintainError::Seal`].
pub async fn follow(
    store: &dyn KeyStore,
    domain: &str,
    kek: &KeyEncryptionKey,
) -> Result<Option<KeyRing>, MaintainError> {
    let stored = store.load(domain).await?;
    let ring = stored.map(|stored| KeyRing::open(domain, &stored, kek));
    Ok(ring.transpose()?)
}

/// A ring that could not be brought up to date.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum MaintainError {
    /// The store did not answer.
    #[error("the key ring cannot be loaded or stored")]
    Store(#[from] KeyStoreError),
    /// The stored ring does not open.
    #[error("the stored key ring cannot be opened")]
    Seal(#[from] SealError),
    /// The change cannot be made.
    #[error("the key ring cannot be rotated")]
    Ring(#[from] KeyRingError),
    /// Others kept changing the ring.
    #[error("the key ring kept changing under this rotation: try again")]
    Contended,
}
