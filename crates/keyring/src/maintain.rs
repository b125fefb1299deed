use std::collections::BTreeSet;

use rustls_pki_types::UnixTime;
use thiserror::Error;

use crate::{
    KeyEncryptionKey, KeyReference, KeyRing, KeyRingError, KeyStore, KeyStoreError, Replaced, Rotation,
    RotationPolicy, SealError,
};

/// How often a ring that others change meanwhile is tried again.
const TRIES: usize = 8;

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
    for _ in 0..TRIES {
        let (mut ring, created) = match store.load(domain).await? {
            Some(stored) => {
                let mut ring = KeyRing::open(domain, &stored, kek)?;
                ring.attach(policy)?;
                (ring, false)
            }
            None => (KeyRing::bootstrap(policy, now)?, true),
        };
        let done = ring.due(policy, now);
        if done.is_empty() && !created {
            return Ok(Maintained { ring, created, done });
        }
        let before = if created {
            BTreeSet::new()
        } else {
            ring.references()
        };
        ring.apply(&done, policy, now)?;
        let after = ring.references();
        let stored = ring.seal(domain, kek)?;
        match store.replace(domain, ring.generation(), &stored).await? {
            Replaced::Done => {
                destroy(policy, before.difference(&after));
                ring.stored(&stored);
                ring.attach(policy)?;
                return Ok(Maintained { ring, created, done });
            }
            Replaced::Conflict => destroy(policy, after.difference(&before)),
        }
    }
    Err(MaintainError::Contended)
}

/// Keys that no stored ring names. One that stays in its home signs nothing that anybody accepts: the home tells its
/// operator, and the ring is kept all the same.
fn destroy<'a>(policy: &RotationPolicy, references: impl Iterator<Item = &'a KeyReference>) {
    let Some(home) = policy.home() else { return };
    for reference in references {
        let _told = home.destroy(reference);
    }
}

/// Loads the ring of `domain` and changes nothing: for a node that leaves [`maintain`] to another. `None` until that
/// other has made one.
///
/// # Errors
/// [`MaintainError::Store`], [`MaintainError::Seal`], [`MaintainError::Ring`].
pub async fn follow(
    store: &dyn KeyStore,
    domain: &str,
    policy: &RotationPolicy,
    kek: &KeyEncryptionKey,
) -> Result<Option<KeyRing>, MaintainError> {
    let Some(stored) = store.load(domain).await? else {
        return Ok(None);
    };
    let mut ring = KeyRing::open(domain, &stored, kek)?;
    ring.attach(policy)?;
    Ok(Some(ring))
}

/// Changes the ring of `domain`, as an administrator asks for it, and returns it as it is stored, with what the change
/// said. `make` is asked anew for a ring that somebody else stored meanwhile.
///
/// The policy's home is asked for new keys alone: a key can be taken out of use while the home does not answer. Before the
/// ring signs, [`attach`](KeyRing::attach) it.
///
/// # Errors
/// [`MaintainError`]; [`MaintainError::Ring`] for what `make` refuses, and [`MaintainError::Missing`] for a domain without
/// ring. Nothing half-done is stored.
pub async fn change<T: Send>(
    store: &dyn KeyStore,
    domain: &str,
    policy: &RotationPolicy,
    kek: &KeyEncryptionKey,
    make: impl Fn(&mut KeyRing) -> Result<T, KeyRingError> + Send + Sync,
) -> Result<(KeyRing, T), MaintainError> {
    for _ in 0..TRIES {
        let stored = store.load(domain).await?.ok_or(MaintainError::Missing)?;
        let mut ring = KeyRing::open(domain, &stored, kek)?;
        let before = ring.references();
        let said = make(&mut ring)?;
        let after = ring.references();
        let stored = ring.seal(domain, kek)?;
        match store
            .replace_on_request(domain, ring.generation(), &stored)
            .await?
        {
            Replaced::Done => {
                destroy(policy, before.difference(&after));
                ring.stored(&stored);
                return Ok((ring, said));
            }
            Replaced::Conflict => destroy(policy, after.difference(&before)),
        }
    }
    Err(MaintainError::Contended)
}

/// Seals the ring of `domain` under the key that seals now, if it is sealed under an earlier one. Says whether it was.
///
/// # Errors
/// [`MaintainError`]; nothing half-done is stored.
pub async fn rewrap(
    store: &dyn KeyStore,
    domain: &str,
    kek: &KeyEncryptionKey,
) -> Result<bool, MaintainError> {
    for _ in 0..TRIES {
        let Some(stored) = store.load(domain).await? else {
            return Ok(false);
        };
        let ring = KeyRing::open(domain, &stored, kek)?;
        if stored.sealed_under() == Some(kek.id()) {
            return Ok(false);
        }
        let sealed = ring.seal(domain, kek)?;
        match store
            .replace_on_request(domain, ring.generation(), &sealed)
            .await?
        {
            Replaced::Done => return Ok(true),
            Replaced::Conflict => {}
        }
    }
    Err(MaintainError::Contended)
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
    /// The domain has no ring.
    #[error("the domain has no key ring: the server makes one when it first serves the domain")]
    Missing,
    /// Others kept changing the ring.
    #[error("the key ring kept changing under this rotation: try again")]
    Contended,
}
