use std::{
    fs::{self, File, TryLockError},
    io,
    os::unix::fs::{self as unix, MetadataExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use rustls_pki_types::UnixTime;
use zeroize::Zeroizing;

use crate::{
    Credential, FileError, MachinePair, PairError,
    files::{self, private_folder, sync_folder, write_private},
};

/// The link to the generation in use.
const CURRENT: &str = "current";
/// Before what is its number.
const GENERATION: &str = "generation-";
const STATUS: &str = "status.json";
const LOCK: &str = "lock";

/// A folder in which certificate, key and token lie together, and change together.
///
/// Each credential has a folder of its own, `generation-N`, with `certificate.pem`, `private-key.pem`, `combined.pem`
/// (the key, then the chain), `token` and `header` (`Authorization: Bearer …`). `current` is a link that leads to the
/// newest, and is replaced in one step. The generation before stays until the next one comes, for who is about to read
/// it.
#[derive(Debug)]
pub struct StateFolder {
    path: PathBuf,
    _lock: File,
}

impl StateFolder {
    /// Takes a folder for this process; makes it (mode 0700) unless it is there. What a killed process left is removed.
    ///
    /// # Errors
    /// [`FileError::Taken`] while another process has it; [`FileError::Unsafe`] if it is not this user's alone;
    /// [`FileError::Io`].
    pub fn open(path: &Path) -> Result<Self, FileError> {
        private_folder(path)?;
        let lock_path = path.join(LOCK);
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock_path)
            .map_err(|error| FileError::io(&lock_path, "written", error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(FileError::Taken(path.to_owned())),
            Err(TryLockError::Error(error)) => return Err(FileError::io(&lock_path, "locked", error)),
        }
        let this = Self {
            path: path.to_owned(),
            _lock: lock,
        };
        this.clean(&[])?;
        Ok(this)
    }

    /// Whether an agent has the folder now.
    #[must_use]
    pub fn is_taken(path: &Path) -> bool {
        let lock = File::open(path.join(LOCK));
        lock.is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }

    /// The last status that was written into the folder, and when: once a minute at least, unless the disk is full.
    ///
    /// # Errors
    /// [`FileError::Io`].
    pub fn status(path: &Path) -> Result<(String, UnixTime), FileError> {
        let path = path.join(STATUS);
        let found = fs::metadata(&path).map_err(|error| FileError::io(&path, "read", error))?;
        let written = Duration::from_secs(u64::try_from(found.mtime()).unwrap_or_default());
        Ok((files::read_public(&path)?, UnixTime::since_unix_epoch(written)))
    }

    /// The pair that was in use last, if there was one.
    ///
    /// # Errors
    /// [`PairError`] for one that is damaged.
    pub fn pair(&self) -> Result<Option<MachinePair>, PairError> {
        let current = self.path.join(CURRENT);
        if fs::symlink_metadata(&current).is_err() {
            return Ok(None);
        }
        let (certificate, key) = (current.join("certificate.pem"), current.join("private-key.pem"));
        MachinePair::read(&certificate, &key).map(Some)
    }

    /// Puts a credential in place, durably and in one step.
    ///
    /// # Errors
    /// [`FileError::Io`]; what was there before is there still.
    pub fn save(&self, credential: &Credential) -> Result<(), FileError> {
        let before = self.current();
        let name = self.free_name()?;
        let folder = self.path.join(&name);
        let written = self.write(&folder, credential);
        if let Err(error) = written.and_then(|()| self.point_to(&name)) {
            let _ = fs::remove_dir_all(&folder);
            return Err(error);
        }
        let kept: Vec<String> = before.into_iter().chain([name]).collect();
        self.clean(&kept)
    }

    /// Writes the status.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn save_status(&self, text: &[u8]) -> Result<(), FileError> {
        files::replace(&self.path.join(STATUS), text)
    }

    fn write(&self, folder: &Path, credential: &Credential) -> Result<(), FileError> {
        private_folder(folder)?;
        let pair = credential.pair();
        let key = pair.expose_key_pem();
        let token = credential.token().expose();
        let combined = Zeroizing::new(format!("{key}{}", pair.chain_pem()));
        let header = Zeroizing::new(format!("Authorization: Bearer {token}\n"));
        let texts: [(&str, &str); 5] = [
            ("certificate.pem", pair.chain_pem()),
            ("private-key.pem", key),
            ("combined.pem", &combined),
            ("token", token),
            ("header", &header),
        ];
        for (name, text) in texts {
            let path = folder.join(name);
            write_private(&path, text.as_bytes()).map_err(|error| FileError::io(&path, "written", error))?;
        }
        sync_folder(folder)?;
        sync_folder(&self.path)
    }

    fn point_to(&self, name: &str) -> Result<(), FileError> {
        let (current, beside) = (self.path.join(CURRENT), self.path.join(".current"));
        let failed = |error| FileError::io(&current, "written", error);
        match fs::remove_file(&beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        unix::symlink(name, &beside).map_err(failed)?;
        fs::rename(&beside, &current).map_err(failed)?;
        sync_folder(&self.path)
    }

    /// The name of the generation in use.
    fn current(&self) -> Option<String> {
        let target = fs::read_link(self.path.join(CURRENT)).ok()?;
        let name = target.to_str()?;
        name.starts_with(GENERATION).then(|| name.to_owned())
    }

    fn generations(&self) -> Result<Vec<String>, FileError> {
        let failed = |error| FileError::io(&self.path, "read", error);
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            if let Some(name) = name.to_str().filter(|name| name.starts_with(GENERATION)) {
                found.push(name.to_owned());
            }
        }
        Ok(found)
    }

    fn free_name(&self) -> Result<String, FileError> {
        let generations = self.generations()?;
        let number = |name: &String| name.strip_prefix(GENERATION)?.parse::<u64>().ok();
        let last = generations.iter().filter_map(number).max().unwrap_or_default();
        Ok(format!("{GENERATION}{}", last.saturating_add(1)))
    }

    /// Removes all generations but these and the one in use.
    fn clean(&self, kept: &[String]) -> Result<(), FileError> {
        let current = self.current();
        for name in self.generations()? {
            if !kept.contains(&name) && current.as_ref() != Some(&name) {
                let path = self.path.join(&name);
                fs::remove_dir_all(&path).map_err(|error| FileError::io(&path, "removed", error))?;
            }
        }
        Ok(())
    }
}
