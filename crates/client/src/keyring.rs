//! The key that encrypts the cache, and where the system keeps it.

use std::fmt;

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    digest::{SHA256, digest},
};
use sealstone_jose::base64url;
use zeroize::Zeroizing;

use crate::cache::CacheError;

/// Octets of a key.
pub(crate) const KEY_LENGTH: usize = 32;

/// Encrypts what the cache writes (AES-256-GCM).
#[derive(Clone)]
pub struct SealingKey {
    octets: Zeroizing<[u8; KEY_LENGTH]>,
    id: String,
}

impl SealingKey {
    /// A key of 32 random octets.
    #[must_use]
    pub fn new(octets: [u8; KEY_LENGTH]) -> Self {
        let octets = Zeroizing::new(octets);
        let mut text = b"sealstone cache key id\0".to_vec();
        text.extend_from_slice(octets.as_slice());
        let text = Zeroizing::new(text);
        let digest = digest(&SHA256, &text);
        let id = digest.as_ref().iter().take(8).map(|byte| format!("{byte:02x}"));
        Self {
            id: id.collect(),
            octets,
        }
    }

    /// Which key it is, by its digest.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Nonce and ciphertext, in base64url. `head` is vouched for, and not in it.
    pub(crate) fn seal(&self, head: &[u8], payload: &[u8]) -> Result<String, CacheError> {
        let mut sealed = Zeroizing::new(payload.to_vec());
        let nonce = self
            .cipher()
            .and_then(|cipher| {
                cipher
                    .seal_in_place_append_tag(Aad::from(head), &mut *sealed)
                    .ok()
            })
            .ok_or(CacheError::Seal)?;
        let mut all = nonce.as_ref().to_vec();
        all.extend_from_slice(&sealed);
        Ok(base64url::encode(all))
    }

    /// The payload, if both are as they were sealed.
    pub(crate) fn open(&self, head: &[u8], sealed: &str) -> Option<Zeroizing<String>> {
        let mut all = base64url::decode(sealed).ok()?;
        let (nonce, ciphertext) = all.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let plain = self
            .cipher()?
            .open_in_place(nonce, Aad::from(head), ciphertext)
            .ok()?;
        let text = std::str::from_utf8(plain)
            .ok()
            .map(|text| Zeroizing::new(text.to_owned()));
        zeroize::Zeroize::zeroize(&mut all);
        text
    }

    fn cipher(&self) -> Option<RandomizedNonceKey> {
        RandomizedNonceKey::new(&AES_256_GCM, self.octets.as_slice()).ok()
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealingKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// Where a system keeps keys for a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there are these two")]
pub enum SystemKeyring {
    /// The Linux kernel's persistent keyring of the user (feature `keyring`): in memory only, gone with the machine, and
    /// forgotten after three days without use. What was encrypted by it is then of no use to anybody, and the next
    /// command logs in anew.
    Kernel,
    /// The desktop's (feature `desktop-keyring`): the Secret Service, as GNOME Keyring and `KWallet` offer it; macOS's
    /// Keychain; Windows' Credential Manager. It lasts, and is open while somebody is logged in to the desktop.
    Desktop,
}

impl SystemKeyring {
    /// The key that it keeps already; `None` too where it is not there, or this build does not ask it.
    ///
    /// The desktop's may ask its user to be opened: this waits for a minute at most.
    #[must_use]
    pub fn known(self) -> Option<SealingKey> {
        let octets = match self {
            Self::Kernel => kernel::known(),
            Self::Desktop => desktop::known(),
        };
        octets.map(|octets| SealingKey::new(*octets))
    }

    /// The key that it keeps, made with `fresh` octets if there is none.
    ///
    /// # Security
    /// `fresh` must be random. Two processes that make the key at once may end up with two: hold a lock.
    #[must_use]
    pub fn key(self, fresh: [u8; KEY_LENGTH]) -> Option<SealingKey> {
        let fresh = Zeroizing::new(fresh);
        let octets = match self {
            Self::Kernel => kernel::key(&fresh),
            Self::Desktop => desktop::key(&fresh),
        };
        octets.map(|octets| SealingKey::new(*octets))
    }
}

/// The key that the system keeps for this user, made with `fresh` octets if there is none; `None` where the system
/// keeps no keys, or this build asks none.
///
/// The desktop's keyring keeps it where there is one, and the kernel's remembers it: most commands ask that alone.
///
/// # Security
/// `fresh` must be random. Two processes that make the key at once may end up with two: hold a lock.
#[must_use]
pub fn system_key(fresh: [u8; KEY_LENGTH]) -> Option<SealingKey> {
    let fresh = Zeroizing::new(fresh);
    let octets = match desktop::key(&fresh) {
        Some(kept) => Some(kernel::key(&kept).unwrap_or(kept)),
        None => kernel::key(&fresh),
    };
    octets.map(|octets| SealingKey::new(*octets))
}

/// The key that the system keeps already.
#[must_use]
pub fn known_system_key() -> Option<SealingKey> {
    let octets = kernel::known().or_else(|| {
        let kept = desktop::known()?;
        Some(kernel::key(&kept).unwrap_or(kept))
    });
    octets.map(|octets| SealingKey::new(*octets))
}

#[cfg(all(feature = "keyring", target_os = "linux"))]
mod kernel {
    use linux_keyutils::{Key, KeyError, KeyPermissionsBuilder, KeyRing, KeyRingIdentifier, Permission};
    use zeroize::Zeroizing;

    use super::KEY_LENGTH;

    const NAME: &str = "sealstone:cache";

    /// The user's keyring, which outlives the session; where the kernel has none such, the user's own.
    fn ring() -> Option<KeyRing> {
        KeyRing::get_persistent(KeyRingIdentifier::Process)
            .or_else(|_| KeyRing::from_special_id(KeyRingIdentifier::User, true))
            .ok()
    }

    fn octets(key: &Key) -> Option<Zeroizing<[u8; KEY_LENGTH]>> {
        let mut octets = Zeroizing::new([0; KEY_LENGTH]);
        let length = key.read(&mut octets.as_mut_slice()).ok()?;
        (length == KEY_LENGTH).then_some(octets)
    }

    pub(super) fn known() -> Option<Zeroizing<[u8; KEY_LENGTH]>> {
        octets(&ring()?.search(NAME).ok()?)
    }

    pub(super) fn key(fresh: &[u8; KEY_LENGTH]) -> Option<Zeroizing<[u8; KEY_LENGTH]>> {
        let ring = ring()?;
        match ring.search(NAME) {
            Ok(key) => octets(&key),
            Err(KeyError::KeyDoesNotExist | KeyError::KeyExpired | KeyError::KeyRevoked) => {
                let key = ring.add_key(NAME, fresh.as_slice()).ok()?;
                // The possessor's and the user's processes, nobody else's.
                let own = KeyPermissionsBuilder::builder()
                    .posessor(Permission::ALL)
                    .user(Permission::ALL)
                    .build();
                key.set_perms(own).ok()?;
                octets(&key)
            }
            Err(_) => None,
        }
    }
}

#[cfg(not(all(feature = "keyring", target_os = "linux")))]
mod kernel {
    use zeroize::Zeroizing;

    use super::KEY_LENGTH;

    pub(super) const fn known() -> Option<Zeroizing<[u8; KEY_LENGTH]>> {
        None
    }

    pub(super) const fn key(_fresh: &[u8; KEY_LENGTH]) -> Option<Zeroizing<[u8; KEY_LENGTH]>> {
        None
    }
}

#[cfg(feature = "desktop-keyring")]
mod desktop {
    use std::{
        sync::{
            atomic::{AtomicBool, Ordering},
            mpsc,
        },
        thread,
        time::Duration,
    };

    use ::keyring::v1::{Entry, Error};
    use zeroize::Zeroizing;

    use super::KEY_LENGTH;

    /// What people read in their keyring's list.
    const SERVICE: &str = "sealstone";
    const NAME: &str = "cache";
    /// Long enough to type the keyring's password.
    const PATIENCE: Duration = Duration::from_secs(60);

    /// Nobody opened it: it is not asked, and its user is not waited for, a second time.
    static IS_SILENT: AtomicBool = AtomicBool::new(false);

    type Octets = Zeroizing<[u8; KEY_LENGTH]>;

    /// Beside this thread: the keyring may wait for its user, and has a runtime of its own, which no other runtime's
    /// thread may wait for.
    fn asked(ask: impl FnOnce() -> Option<Octets> + Send + 'static) -> Option<Octets> {
        if IS_SILENT.load(Ordering::Relaxed) {
            return None;
        }
        let (sender, answer) = mpsc::channel();
        thread::spawn(move || {
            let _nobody_waits_any_more = sender.send(ask());
        });
        let answer = answer.recv_timeout(PATIENCE);
        if matches!(answer, Err(mpsc::RecvTimeoutError::Timeout)) {
            IS_SILENT.store(true, Ordering::Relaxed);
        }
        answer.ok()?
    }

    fn entry() -> Option<Entry> {
        Entry::new(SERVICE, NAME).ok()
    }

    fn octets(secret: &[u8]) -> Option<Octets> {
        Some(Zeroizing::new(secret.try_into().ok()?))
    }

    pub(super) fn known() -> Option<Octets> {
        asked(|| octets(&Zeroizing::new(entry()?.get_secret().ok()?)))
    }

    pub(super) fn key(fresh: &Octets) -> Option<Octets> {
        let fresh = fresh.clone();
        asked(move || {
            let entry = entry()?;
            match entry.get_secret() {
                Ok(kept) => octets(&Zeroizing::new(kept)),
                Err(Error::NoEntry) => {
                    entry.set_secret(fresh.as_slice()).ok()?;
                    octets(&Zeroizing::new(entry.get_secret().ok()?))
                }
                // Locked, refused or broken: a second key would shut out what the first one sealed.
                Err(_) => None,
            }
        })
    }
}

#[cfg(not(feature = "desktop-keyring"))]
mod desktop {
    use zeroize::Zeroizing;

    use super::KEY_LENGTH;

    pub(super) const fn known() -> Option<Zeroizing<[u8; KEY_LENGTH]>> {
        None
    }

    pub(super) const fn key(_fresh: &Zeroizing<[u8; KEY_LENGTH]>) -> Option<Zeroizing<[u8; KEY_LENGTH]>> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_not_shown() {
        let key = SealingKey::new([7; 32]);
        assert_eq!(key.id().len(), 16);
        assert!(!format!("{key:?}").contains("7, 7"));
        assert_ne!(key.id(), SealingKey::new([8; 32]).id());
    }

    #[test]
    fn a_changed_octet_is_noticed_wherever_it_is() {
        let key = SealingKey::new([7; 32]);
        let sealed = key.seal(b"head", b"payload").unwrap();
        assert_eq!(key.open(b"head", &sealed).unwrap().as_str(), "payload");
        assert_ne!(
            sealed,
            key.seal(b"head", b"payload").unwrap(),
            "a nonce of its own each time"
        );
        assert!(key.open(b"Head", &sealed).is_none());
        let bytes = base64url::decode(&sealed).unwrap();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(key.open(b"head", &base64url::encode(changed)).is_none(), "{at}");
        }
        for cut in 0..sealed.len() {
            assert!(key.open(b"head", &sealed[..cut]).is_none(), "{cut}");
        }
    }

    #[cfg(all(feature = "keyring", target_os = "linux"))]
    #[test]
    fn the_system_gives_the_same_key_again() {
        let Some(key) = system_key([9; 32]) else {
            // A kernel or a container without keyrings: then there is nothing to give.
            assert!(known_system_key().is_none());
            return;
        };
        assert_eq!(system_key([10; 32]).unwrap().id(), key.id());
        assert_eq!(known_system_key().unwrap().id(), key.id());
    }
}
