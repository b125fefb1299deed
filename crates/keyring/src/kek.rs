use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey},
    digest,
};
use sealstone_jose::base64url;
use zeroize::Zeroizing;

use crate::SealError;

const NONCE: usize = 12;
const KEY: usize = 32;
/// What a line of a key file begins with that an HSM must unwrap first.
const WRAPPED: &str = "wrapped.";
/// How many keys open at once: the one in use, its successor, and a few that nobody has removed yet. An unfit secret of
/// a login is tried under each.
const MOST_KEYS: usize = 8;

/// The keys under which private signing keys, and secrets that must be read again, are encrypted at rest (AES-256-GCM).
/// Kept apart from the database.
///
/// One seals; all open, so that one can follow the other while nodes run. A clone is the same:
/// [`replace`](Self::replace) reaches all. `Debug` shows identifiers only; keys are zeroized on drop.
#[derive(Clone)]
pub struct KeyEncryptionKey {
    keys: Arc<RwLock<Vec<Arc<OneKey>>>>,
}

/// One of them.
pub(crate) struct OneKey {
    bytes: Zeroizing<[u8; KEY]>,
    pub(crate) id: String,
}

/// Unwraps key-encryption keys that are kept under a key of an HSM.
///
/// # Security
/// What it returns opens everything that is sealed: it must come from an operation that authenticates what it unwraps.
pub trait UnwrapKey {
    /// The 32 octets that were wrapped as `wrapped`, the text after the first dot of the line.
    ///
    /// # Errors
    /// Why it is not unwrapped; the text says what to do.
    fn unwrap_key(
        &self,
        wrapped: &str,
    ) -> Result<Zeroizing<Vec<u8>>, Box<dyn std::error::Error + Send + Sync>>;
}

impl KeyEncryptionKey {
    /// From 32 random bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; KEY]) -> Self {
        Self::of(vec![Arc::new(OneKey::new(Zeroizing::new(bytes)))])
    }

    fn of(keys: Vec<Arc<OneKey>>) -> Self {
        Self {
            keys: Arc::new(RwLock::new(keys)),
        }
    }

    /// From the text of a key file: a key a line, 32 bytes as 64 hexadecimal digits, or as base64 in either alphabet,
    /// with or without padding. The first seals, all open. White space around a key, empty lines and lines that begin
    /// with `#` are ignored.
    ///
    /// # Errors
    /// [`SealError::NotAKey`] for anything else: an empty, shortened or lengthened file. [`SealError::NotRandom`]
    /// for one repeated byte, [`SealError::KeyTwice`], [`SealError::TooManyKeys`] above eight, and
    /// [`SealError::Wrapped`] for a key that an HSM must unwrap.
    ///
    /// # Security
    /// Who reads the file opens every ring: the caller refuses a file that others than its owner may read.
    ///
    /// # Examples
    /// ```
    /// # use sealstone_keyring::KeyEncryptionKey;
    /// let old = "8Jmq5OTmLrqvTuiUpeGr9ATXgoE4kwJlXNVfqDNVzMY";
    /// let new = "6b1d0c8f7a3e4b5d9c2f1a0e8d7c6b5a493827160f5e4d3c2b1a09f8e7d6c5b4";
    /// let both = KeyEncryptionKey::parse(&format!("{new}\n{old}\n"))?;
    /// assert_eq!(both.id(), KeyEncryptionKey::parse(new)?.id());
    /// assert!(both.opens(&KeyEncryptionKey::parse(old)?.id()));
    /// # Ok::<(), sealstone_keyring::SealError>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, SealError> {
        Self::parse_with(text, None)
    }

    /// As [`parse`](Self::parse), where lines `wrapped.…` are unwrapped by `hsm`.
    ///
    /// # Errors
    /// As [`parse`](Self::parse), and [`SealError::Unwrap`].
    pub fn parse_with(text: &str, hsm: Option<&dyn UnwrapKey>) -> Result<Self, SealError> {
        let lines = text.lines().map(str::trim);
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        let mut keys: Vec<Arc<OneKey>> = Vec::new();
        for line in lines {
            if keys.len() >= MOST_KEYS {
                return Err(SealError::TooManyKeys { limit: MOST_KEYS });
            }
            let key = OneKey::parse(line, hsm)?;
            if keys.iter().any(|other| other.id == key.id) {
                return Err(SealError::KeyTwice { id: key.id });
            }
            keys.push(Arc::new(key));
        }
        if keys.is_empty() {
            return Err(SealError::NotAKey);
        }
        Ok(Self::of(keys))
    }

    /// The line of a key file for a key that an HSM wrapped as `wrapped`.
    #[must_use]
    pub fn wrapped_line(wrapped: &str) -> String {
        format!("{WRAPPED}{wrapped}")
    }

    /// A short identifier of the key that seals, safe to show: 16 hexadecimal digits that tell keys apart.
    #[must_use]
    pub fn id(&self) -> String {
        self.sealing().map_or_else(String::new, |key| key.id.clone())
    }

    /// The identifiers of all keys, the one that seals first.
    #[must_use]
    pub fn ids(&self) -> Vec<String> {
        self.all().iter().map(|key| key.id.clone()).collect()
    }

    /// Whether what is sealed under the key called `id` opens.
    #[must_use]
    pub fn opens(&self, id: &str) -> bool {
        self.find(id).is_some()
    }

    /// Takes the keys of `newer` in the place of its own, here and in every clone.
    pub fn replace(&self, newer: &Self) {
        let keys = newer.all();
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
    }

    fn all(&self) -> Vec<Arc<OneKey>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The key that seals. Whoever seals takes it once, so that what names the key and what is sealed agree.
    pub(crate) fn sealing(&self) -> Option<Arc<OneKey>> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.first().cloned()
    }

    pub(crate) fn find(&self, id: &str) -> Option<Arc<OneKey>> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.iter().find(|key| key.id == id).cloned()
    }

    /// Opens what does not say under which key it is sealed. Says whether it is the key that seals.
    pub(crate) fn open_unnamed(&self, sealed: &str, place: &[u8]) -> Option<(Zeroizing<Vec<u8>>, bool)> {
        let keys = self.all();
        let mut opened = keys
            .iter()
            .zip(std::iter::once(true).chain(std::iter::repeat(false)));
        opened.find_map(|(key, seals)| Some((key.open(sealed, place)?, seals)))
    }

    /// What errors call the keys that were given.
    pub(crate) fn given(&self) -> String {
        self.ids().join(", ")
    }
}

impl fmt::Debug for KeyEncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyEncryptionKey")
            .field("ids", &self.ids())
            .finish_non_exhaustive()
    }
}

impl OneKey {
    fn new(bytes: Zeroizing<[u8; KEY]>) -> Self {
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

    fn parse(line: &str, hsm: Option<&dyn UnwrapKey>) -> Result<Self, SealError> {
        let bytes = match (line.strip_prefix(WRAPPED), hsm) {
            (Some(wrapped), Some(hsm)) => hsm.unwrap_key(wrapped).map_err(SealError::Unwrap)?,
            (Some(_), None) => return Err(SealError::Wrapped),
            (None, _) if line.len() == 64 => hex(line).ok_or(SealError::NotAKey)?,
            (None, _) => base64(line).ok_or(SealError::NotAKey)?,
        };
        let bytes = <[u8; KEY]>::try_from(bytes.as_slice()).map_err(|_| SealError::NotAKey)?;
        let bytes = Zeroizing::new(bytes);
        // A file of zeros is what a disk leaves of a key that was not written out.
        let first = bytes.first().copied().unwrap_or_default();
        if bytes.iter().all(|byte| *byte == first) {
            return Err(SealError::NotRandom);
        }
        Ok(Self::new(bytes))
    }

    fn cipher(&self) -> Option<RandomizedNonceKey> {
        RandomizedNonceKey::new(&AES_256_GCM, self.bytes.as_slice()).ok()
    }

    pub(crate) fn seal(&self, mut text: Zeroizing<Vec<u8>>, place: &[u8]) -> Option<String> {
        let nonce = self
            .cipher()?
            .seal_in_place_append_tag(Aad::from(place), &mut *text)
            .ok()?;
        let sealed = [nonce.as_ref().as_slice(), text.as_slice()].concat();
        Some(base64url::encode(&sealed))
    }

    pub(crate) fn open(&self, sealed: &str, place: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
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
