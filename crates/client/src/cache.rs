//! Tokens on disk: one file for each login, readable by nobody else, replaced as a whole.

mod entry;
mod files;

use std::path::{Path, PathBuf};

pub use entry::{CacheEntry, CacheSlot, SlotKind};

use self::files::Folder;
use crate::{keyring::SealingKey, lock::CacheLock};

/// The largest file that is read: four tokens of 16 KiB, and as much again for what surrounds them.
const MAX_FILE: usize = 128 * 1024;

/// What a file of the cache is called after its slot's name.
const ENTRY: &str = ".login";
const LOCK: &str = ".lock";
/// What a file is called until it is whole. One writer at a time holds the lock, so one name is enough.
const UNFINISHED: &str = ".unfinished";

/// A folder of logins.
///
/// A file is created with its final mode, written, synchronized and then given its name, so that a reader sees the old
/// one or the new one, whatever happens in between. With a [`SealingKey`] it is encrypted (AES-256-GCM).
///
/// # Security
/// The folder must be the caller's own, with nobody else's access; a symbolic link, a file of somebody else, one that
/// others may read, and one with a second name are refused ([`CacheError::Unsafe`]). On systems without Unix modes the
/// folder's own protection is all there is.
///
/// # Examples
/// ```
/// # use sealstone_client::{CacheEntry, CacheSlot, SlotKind, TokenCache};
/// # let home = tempfile::tempdir()?;
/// let cache = TokenCache::open(&home.path().join("sealstone"))?;
/// let slot = CacheSlot::new(SlotKind::OAuth, "https://id.example.org/v4/oauth2/demo", "cli");
/// assert!(cache.read(&slot)?.is_none());
/// let lock = cache.try_lock(&slot)?.expect("nobody else is here");
/// lock.replace(&CacheEntry::new("{}".to_owned().into(), None))?;
/// assert!(cache.read(&slot)?.is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct TokenCache {
    path: PathBuf,
    key: Option<SealingKey>,
}

impl TokenCache {
    /// The cache in `path`, which is made with mode 0700 when it is not there; so are the folders above it.
    ///
    /// # Errors
    /// [`CacheError`] when it cannot be made, or is not the caller's alone.
    pub fn open(path: &Path) -> Result<Self, CacheError> {
        Folder::make(path)?;
        Ok(Self {
            path: path.to_owned(),
            key: None,
        })
    }

    /// The same, with what is written encrypted. What was written without the key is not found any more.
    #[must_use]
    pub fn sealed(mut self, key: SealingKey) -> Self {
        self.key = Some(key);
        self
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether what it writes is encrypted.
    #[must_use]
    pub const fn is_sealed(&self) -> bool {
        self.key.is_some()
    }

    /// The file of a slot.
    #[must_use]
    pub fn file(&self, slot: &CacheSlot) -> PathBuf {
        self.path.join(self.name(slot, ENTRY))
    }

    /// What is kept for a slot. A file that is none of ours, or whose key is gone, counts as nothing.
    ///
    /// # Errors
    /// [`CacheError`] when the folder or the file cannot be read, or is not the caller's alone.
    pub fn read(&self, slot: &CacheSlot) -> Result<Option<CacheEntry>, CacheError> {
        let folder = Folder::open(&self.path)?;
        let bytes = folder.read(&self.name(slot, ENTRY), MAX_FILE)?;
        Ok(bytes.and_then(|bytes| CacheEntry::parse(&bytes, Some(slot), self.key.as_ref())))
    }

    /// Whether something is kept for a slot that cannot be read here, for it is encrypted by another key: one that the
    /// system's keyring gives no more, or not now.
    ///
    /// # Errors
    /// [`CacheError`] when the folder cannot be read, or is not the caller's alone.
    pub fn is_sealed_otherwise(&self, slot: &CacheSlot) -> Result<bool, CacheError> {
        let folder = Folder::open(&self.path)?;
        let names = folder.names()?;
        Ok(names.iter().filter(|name| name.ends_with(ENTRY)).any(|name| {
            let found = folder.read(name, MAX_FILE).ok().flatten();
            found.is_some_and(|bytes| CacheEntry::is_sealed_otherwise(&bytes, slot, self.key.as_ref()))
        }))
    }

    /// Every slot that something is kept for, with it; in no special order. What cannot be read is left out.
    ///
    /// # Errors
    /// [`CacheError`] when the folder cannot be read, or is not the caller's alone.
    pub fn list(&self) -> Result<Vec<(CacheSlot, CacheEntry)>, CacheError> {
        let folder = Folder::open(&self.path)?;
        let mut found = Vec::new();
        for name in folder.names()?.iter().filter(|name| name.ends_with(ENTRY)) {
            let Ok(Some(bytes)) = folder.read(name, MAX_FILE) else {
                continue;
            };
            if let Some((slot, entry)) = CacheEntry::parse_with_slot(&bytes, self.key.as_ref()) {
                found.push((slot, entry));
            }
        }
        Ok(found)
    }

    /// Removes every login, those too that another key encrypted; how many there were. Locks stay.
    ///
    /// # Errors
    /// [`CacheError`] when one cannot be removed.
    pub fn clear(&self) -> Result<usize, CacheError> {
        let folder = self.folder()?;
        let mut removed: usize = 0;
        for name in folder.names()? {
            if name.ends_with(ENTRY) {
                removed = removed.saturating_add(usize::from(folder.remove(&name)?));
            } else if name.ends_with(UNFINISHED) {
                folder.remove(&name)?;
            }
        }
        Ok(removed)
    }

    /// The one right to write a slot, if nobody has it now.
    ///
    /// # Errors
    /// [`CacheError`] when the lock's file cannot be made.
    pub fn try_lock(&self, slot: &CacheSlot) -> Result<Option<CacheLock>, CacheError> {
        CacheLock::attempt(self, slot)
    }

    /// The same, waited for: `waiting` is told once who holds it, if it has to be waited for. The system gives the
    /// lock back when its holder ends, however that comes about.
    ///
    /// # Errors
    /// [`CacheError::Elsewhere`] when the holder that was waited for failed: to try the same again is the person's
    /// decision. [`CacheError`] when the lock's file cannot be made.
    pub fn lock(&self, slot: &CacheSlot, waiting: impl FnOnce(&str)) -> Result<CacheLock, CacheError> {
        CacheLock::wait(self, slot, waiting)
    }

    pub(crate) fn folder(&self) -> Result<Folder, CacheError> {
        Folder::open(&self.path)
    }

    pub(crate) const fn key(&self) -> Option<&SealingKey> {
        self.key.as_ref()
    }

    pub(crate) fn entry_name(&self, slot: &CacheSlot) -> String {
        self.name(slot, ENTRY)
    }

    pub(crate) fn lock_name(&self, slot: &CacheSlot) -> String {
        self.name(slot, LOCK)
    }

    pub(crate) fn unfinished_name(&self, slot: &CacheSlot) -> String {
        self.name(slot, UNFINISHED)
    }

    fn name(&self, slot: &CacheSlot, kind: &str) -> String {
        // A home that several machines share has a file for each machine's key.
        format!("{}{kind}", slot.name(self.key.as_ref().map(SealingKey::id)))
    }
}

/// Why the cache cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CacheError {
    /// It is not the caller's alone.
    #[error("{path} is not safe to keep logins in: {fault}", path = .path.display())]
    Unsafe {
        /// Which file or folder.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        fault: UnsafePath,
    },
    /// No room is left.
    #[error(
        "no room is left for {path}: make room, or keep logins elsewhere by SEALSTONE_CACHE_DIR; nothing was changed there",
        path = .path.display()
    )]
    Full {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It cannot be written.
    #[error(
        "{path} cannot be written ({source}): name a folder of yours by SEALSTONE_CACHE_DIR, or go without by --no-cache",
        path = .path.display()
    )]
    Write {
        /// Which file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It cannot be read.
    #[error("{path} cannot be read ({source}): check whose it is, or remove it", path = .path.display())]
    Read {
        /// Which file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Encryption failed.
    #[error("the login cannot be encrypted: try again, or go without by --no-cache")]
    Seal,
    /// Another process was waited for, and failed.
    #[error("another process failed to log in ({0}): run the command again to try it yourself")]
    Elsewhere(String),
}

impl CacheError {
    pub(crate) fn write(path: &Path, source: std::io::Error) -> Self {
        let path = path.to_owned();
        let full = [
            std::io::ErrorKind::StorageFull,
            std::io::ErrorKind::QuotaExceeded,
            std::io::ErrorKind::FileTooLarge,
        ];
        if full.contains(&source.kind()) {
            Self::Full { path, source }
        } else {
            Self::Write { path, source }
        }
    }

    pub(crate) fn read(path: &Path, source: std::io::Error) -> Self {
        Self::Read {
            path: path.to_owned(),
            source,
        }
    }

    pub(crate) fn not_safe(path: &Path, fault: UnsafePath) -> Self {
        Self::Unsafe {
            path: path.to_owned(),
            fault,
        }
    }
}

/// Why a path is not the caller's alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnsafePath {
    /// A symbolic link.
    #[error("it is a symbolic link, which somebody else may have put there; remove it")]
    Link,
    /// Neither a file nor a folder, as it should be.
    #[error("it is not what it should be; remove it")]
    OddKind,
    /// Another user's.
    #[error("it belongs to another user; remove it, or set SEALSTONE_CACHE_DIR to a folder of yours")]
    Foreign,
    /// Others have access.
    #[error("others have access to it; take it from them by `chmod go=`")]
    Open,
    /// The file has a second name.
    #[error("the file has a second name somewhere; remove it")]
    Linked,
    /// The file is larger than any of ours.
    #[error("the file is larger than any login; remove it")]
    Large,
}

#[cfg(fuzzing)]
pub(crate) use entry::fuzzing_read;

#[cfg(test)]
mod tests;
