//! One process at a time logs in or refreshes; the others wait for what it gets.

use std::{
    fs::{File, TryLockError},
    io::{Read as _, Seek as _, SeekFrom, Write as _},
};

use crate::cache::{CacheEntry, CacheError, CacheSlot, TokenCache};

/// The most of a note that is kept: a message fits.
const MAX_NOTE: usize = 1024;

/// The right to write one slot of a [`TokenCache`]. It ends when this is dropped, or when the process ends, however
/// that comes about: the system holds the lock, and the file that stays behind means nothing.
#[derive(Debug)]
pub struct CacheLock {
    cache: TokenCache,
    slot: CacheSlot,
    file: File,
    waited: bool,
    failed: bool,
}

impl CacheLock {
    pub(crate) fn attempt(cache: &TokenCache, slot: &CacheSlot) -> Result<Option<Self>, CacheError> {
        let folder = cache.folder()?;
        let file = folder.open_lock(&cache.lock_name(slot))?;
        match file.try_lock() {
            Ok(()) => Self::begin(cache, slot, file, false).map(Some),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(CacheError::write(
                &folder.path().join(cache.lock_name(slot)),
                error,
            )),
        }
    }

    pub(crate) fn wait(
        cache: &TokenCache,
        slot: &CacheSlot,
        waiting: impl FnOnce(&str),
    ) -> Result<Self, CacheError> {
        if let Some(lock) = Self::attempt(cache, slot)? {
            return Ok(lock);
        }
        let folder = cache.folder()?;
        let mut file = folder.open_lock(&cache.lock_name(slot))?;
        let holder = Note::read(&mut file);
        waiting(holder.holder());
        file.lock()
            .map_err(|error| CacheError::write(&folder.path().join(cache.lock_name(slot)), error))?;
        // Its failure is ours, for the person who saw it fail has not asked for nineteen more.
        if let (Note::Held(was), Note::Failed(who, why)) = (&holder, Note::read(&mut file))
            && *was == who
        {
            return Err(CacheError::Elsewhere(why));
        }
        Self::begin(cache, slot, file, true)
    }

    fn begin(cache: &TokenCache, slot: &CacheSlot, file: File, waited: bool) -> Result<Self, CacheError> {
        let mut lock = Self {
            cache: cache.clone(),
            slot: slot.clone(),
            file,
            waited,
            failed: false,
        };
        let name = cache.lock_name(slot);
        // Also finds out that nothing can be written here before anybody is asked to log in.
        lock.note(&format!("held {}", std::process::id()))
            .map_err(|error| CacheError::write(&cache.path().join(name), error))?;
        Ok(lock)
    }

    /// Whether another process held it before.
    #[must_use]
    pub const fn was_waited_for(&self) -> bool {
        self.waited
    }

    /// What is kept.
    ///
    /// # Errors
    /// As [`TokenCache::read`].
    pub fn read(&self) -> Result<Option<CacheEntry>, CacheError> {
        self.cache.read(&self.slot)
    }

    /// Replaces what is kept, as a whole; on an error what was there stays.
    ///
    /// # Errors
    /// [`CacheError`] when it cannot be written.
    pub fn replace(&self, entry: &CacheEntry) -> Result<(), CacheError> {
        let bytes = entry.write(&self.slot, self.cache.key())?;
        let (unfinished, name) = (
            self.cache.unfinished_name(&self.slot),
            self.cache.entry_name(&self.slot),
        );
        self.cache.folder()?.replace(&unfinished, &name, &bytes)
    }

    /// Removes what is kept; whether there was something.
    ///
    /// # Errors
    /// [`CacheError`] when it cannot be removed.
    pub fn remove(&self) -> Result<bool, CacheError> {
        let folder = self.cache.folder()?;
        folder.remove(&self.cache.unfinished_name(&self.slot))?;
        folder.remove(&self.cache.entry_name(&self.slot))
    }

    /// Tells those who wait that nothing came of it, and why; without secrets.
    pub fn fail(mut self, why: &str) {
        let why: String = why
            .chars()
            .filter(|c| !c.is_control())
            .take(MAX_NOTE / 4)
            .collect();
        self.failed = self.note(&format!("failed {} {why}", std::process::id())).is_ok();
    }

    fn note(&mut self, text: &str) -> std::io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(text.as_bytes())
    }
}

impl Drop for CacheLock {
    fn drop(&mut self) {
        if !self.failed {
            let _only_a_note = self.file.set_len(0);
        }
        // Told, so that those who wait go on now and not when the handle is closed.
        let _closing_does_it_too = self.file.unlock();
    }
}

/// What the holder of a lock tells others.
#[derive(Debug, PartialEq, Eq)]
enum Note {
    Held(String),
    Failed(String, String),
    None,
}

impl Note {
    fn read(file: &mut File) -> Self {
        let mut bytes = Vec::new();
        let most = u64::try_from(MAX_NOTE).unwrap_or(u64::MAX);
        let read = file
            .seek(SeekFrom::Start(0))
            .and_then(|_start| file.take(most).read_to_end(&mut bytes));
        let text = read
            .ok()
            .and_then(|_length| String::from_utf8(bytes).ok())
            .unwrap_or_default();
        Self::parse(&text)
    }

    fn parse(text: &str) -> Self {
        let digits = |id: &str| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
        match text.split_once(' ') {
            Some(("held", id)) if digits(id) => Self::Held(id.to_owned()),
            Some(("failed", rest)) => match rest.split_once(' ') {
                Some((id, why)) if digits(id) => Self::Failed(id.to_owned(), why.to_owned()),
                _ => Self::None,
            },
            _ => Self::None,
        }
    }

    fn holder(&self) -> &str {
        match self {
            Self::Held(id) | Self::Failed(id, _) => id,
            Self::None => "",
        }
    }
}
