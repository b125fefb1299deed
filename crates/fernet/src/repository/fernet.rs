//! `[fernet_tokens] key_repository` and `[fernet_receipts] key_repository`.

use std::path::{Path, PathBuf};

use rustls_pki_types::UnixTime;

use super::{NodeName, Warning, marker};
use crate::fernet::{FernetKey, FernetKeys};
use crate::folder::{Custody, Folder, Secrecy};
use crate::limits::MAX_FERNET_KEYS;
use crate::{KeyError, RepositoryError};

/// The longest file of a key: 44 characters and a line feed, with room to tell "too long" from "longer than any".
const MAX_FILE: usize = 64;
const STAGED: u32 = 0;
/// A rotation may remove a key between listing and reading; several in a row do not.
const LOAD_ATTEMPTS: usize = 4;

/// A folder of Fernet keys: files named by numbers, the highest of which is the primary key, that signs; 0 is staged,
/// and becomes the next primary; all of them verify.
#[derive(Debug, Clone)]
pub struct FernetRepository {
    path: PathBuf,
    max_active_keys: usize,
    custody: Custody,
}

/// What a key of a repository is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "Keystone's three")]
pub enum FernetKeyRole {
    /// Verifies; the next rotation makes it primary. Every node must have it by then.
    Staged,
    /// Verifies what it signed when it was primary.
    Secondary,
    /// Signs.
    Primary,
}

/// One key of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FernetKeyFile {
    /// The number that is its name.
    pub number: u32,
    /// What it is for.
    pub role: FernetKeyRole,
    /// [`FernetKey::fingerprint`].
    pub fingerprint: String,
}

/// Everything that is there, and everything that is wrong with it.
#[derive(Debug)]
#[non_exhaustive]
pub struct FernetReport {
    /// The good keys, by number.
    pub keys: Vec<FernetKeyFile>,
    /// Why [`FernetRepository::load`] refuses.
    pub faults: Vec<RepositoryError>,
    /// What works, and may not for long.
    pub warnings: Vec<Warning>,
}

/// What a rotation did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FernetRotation {
    /// The key that signs now.
    pub primary: u32,
    /// The keys that are gone: tokens under them are refused from now on.
    pub removed: Vec<u32>,
}

impl FernetRepository {
    /// Keystone's `max_active_keys` unless configured otherwise.
    pub const DEFAULT_MAX_ACTIVE_KEYS: usize = 3;

    /// A repository of this machine. Nothing is read yet.
    ///
    /// `max_active_keys` counts the staged key, as Keystone's option does. For tokens that live `l` under keys that
    /// change every `p`, it is at least `l / p + 2`, rounded up.
    ///
    /// # Errors
    /// [`RepositoryError::MaxActiveKeys`] outside 2 to 256: with one key, tokens die at each rotation.
    pub fn new(path: impl Into<PathBuf>, max_active_keys: usize) -> Result<Self, RepositoryError> {
        if !(2..=MAX_FERNET_KEYS).contains(&max_active_keys) {
            return Err(RepositoryError::MaxActiveKeys);
        }
        Ok(Self {
            path: path.into(),
            max_active_keys,
            custody: Custody::Owner,
        })
    }

    /// Who keeps the files.
    #[must_use]
    pub const fn with_custody(mut self, custody: Custody) -> Self {
        self.custody = custody;
        self
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the folder (0700) and the first keys: one that signs, one that is staged.
    ///
    /// Killed in the middle, it is finished by being called again.
    ///
    /// # Errors
    /// [`RepositoryError::AlreadyThere`] if there are keys; the others as [`FernetRepository::rotate`].
    pub fn create(&self, node: &NodeName, now: UnixTime) -> Result<FernetRotation, RepositoryError> {
        let folder = Folder::create(&self.path, Secrecy::Private)?;
        let _lock = folder.lock()?;
        let numbers = numbers(&folder)?;
        if numbers.iter().any(|number| *number != STAGED) {
            return Err(RepositoryError::AlreadyThere {
                path: self.path.clone(),
            });
        }
        if numbers.is_empty() {
            write(&folder, STAGED, &new_key(&folder)?)?;
        }
        self.rotate_in(&folder, node, now)
    }

    /// The keys in the order in which they are tried.
    ///
    /// # Errors
    /// The first of what [`FernetRepository::check`] calls faults: a repository that is not wholly good is not used.
    pub fn load(&self) -> Result<FernetKeys, RepositoryError> {
        let folder = Folder::open(&self.path, Secrecy::Private, self.custody)?;
        let mut read = self.read_all(&folder);
        for _attempt in 1..LOAD_ATTEMPTS {
            match read {
                Err(RepositoryError::Io { ref source, .. })
                    if source.kind() == std::io::ErrorKind::NotFound =>
                {
                    read = self.read_all(&folder);
                }
                read => return read,
            }
        }
        read
    }

    fn read_all(&self, folder: &Folder) -> Result<FernetKeys, RepositoryError> {
        let mut keys = Vec::new();
        for number in numbers(folder)?.into_iter().rev() {
            keys.push(read(folder, number)?);
        }
        if keys.is_empty() {
            return Err(RepositoryError::Empty {
                path: self.path.clone(),
            });
        }
        FernetKeys::new(keys).map_err(|error| RepositoryError::key(&self.path, error))
    }

    /// Lists the keys and tells what is wrong: permissions, owners, links, names, damaged keys; and what to look at:
    /// a shared file system, another node's changes, a staged key missing, one key twice, too many keys, strays.
    ///
    /// # Errors
    /// [`RepositoryError`] if the folder itself is refused, so that nothing in it can be told.
    pub fn check(&self, node: &NodeName) -> Result<FernetReport, RepositoryError> {
        let folder = Folder::open(&self.path, Secrecy::Private, self.custody)?;
        let mut report = FernetReport {
            keys: Vec::new(),
            faults: Vec::new(),
            warnings: Vec::new(),
        };
        let mut numbers = Vec::new();
        for name in folder.names()? {
            match key_number(&folder, &name) {
                Ok(Some(number)) => numbers.push(number),
                Ok(None) => report.warnings.push(Warning::Stray {
                    path: self.path.join(&name),
                }),
                Err(fault) => report.faults.push(fault),
            }
        }
        numbers.sort_unstable();
        if numbers.is_empty() {
            report.faults.push(RepositoryError::Empty {
                path: self.path.clone(),
            });
        }
        let primary = numbers.last().copied();
        for number in &numbers {
            match read(&folder, *number) {
                Ok(key) => report.keys.push(FernetKeyFile {
                    number: *number,
                    role: role(*number, primary),
                    fingerprint: key.fingerprint(),
                }),
                Err(fault) => report.faults.push(fault),
            }
        }
        self.warn(&folder, &numbers, node, &mut report)?;
        Ok(report)
    }

    fn warn(
        &self,
        folder: &Folder,
        numbers: &[u32],
        node: &NodeName,
        report: &mut FernetReport,
    ) -> Result<(), RepositoryError> {
        let path = || self.path.clone();
        let file = |number: u32| self.path.join(number.to_string());
        if let Some(file_system) = folder.shared_file_system() {
            report.warnings.push(Warning::SharedFileSystem {
                path: path(),
                file_system,
            });
        }
        if let Some(other) = marker::read(folder)?.filter(|other| other != node) {
            report.warnings.push(Warning::OtherNode {
                path: path(),
                node: other.to_string(),
            });
        }
        if !numbers.contains(&STAGED) {
            report.warnings.push(Warning::NoStagedKey { path: path() });
        }
        for (place, key) in report.keys.iter().enumerate() {
            let same = report
                .keys
                .iter()
                .take(place)
                .find(|other| other.fingerprint == key.fingerprint);
            if let Some(same) = same {
                let (first, second) = (file(same.number), file(key.number));
                report.warnings.push(Warning::SameKey { first, second });
            }
        }
        if numbers.len() > self.max_active_keys {
            let (found, limit) = (numbers.len(), self.max_active_keys);
            report.warnings.push(Warning::TooManyKeys {
                path: path(),
                found,
                limit,
            });
        }
        Ok(())
    }

    /// Makes the staged key primary, stages a new one, and removes the oldest keys above `max_active_keys`.
    ///
    /// At no moment is a key missing that a token may need, and killed in the middle it is finished by being called
    /// again: readers find either the old keys or the new. Before the next rotation every node must have the new
    /// staged key.
    ///
    /// # Errors
    /// [`RepositoryError::RotatedElsewhere`] if another node rotated last: two nodes that rotate one repository, or
    /// copies of it, soon refuse each other's tokens. [`RepositoryError::Busy`] while another process rotates; else
    /// as [`FernetRepository::load`].
    pub fn rotate(&self, node: &NodeName, now: UnixTime) -> Result<FernetRotation, RepositoryError> {
        self.rotate_for(node, now, false)
    }

    /// As [`FernetRepository::rotate`], from a node other than the one that rotated last. That one must not rotate
    /// any more.
    ///
    /// # Errors
    /// As [`FernetRepository::rotate`].
    pub fn rotate_taking_over(
        &self,
        node: &NodeName,
        now: UnixTime,
    ) -> Result<FernetRotation, RepositoryError> {
        self.rotate_for(node, now, true)
    }

    fn rotate_for(
        &self,
        node: &NodeName,
        now: UnixTime,
        take_over: bool,
    ) -> Result<FernetRotation, RepositoryError> {
        let folder = Folder::open(&self.path, Secrecy::Private, self.custody)?;
        let _lock = folder.lock()?;
        if let Some(other) = marker::read(&folder)?.filter(|other| other != node && !take_over) {
            let (path, node) = (self.path.clone(), other.to_string());
            return Err(RepositoryError::RotatedElsewhere { path, node });
        }
        self.rotate_in(&folder, node, now)
    }

    fn rotate_in(
        &self,
        folder: &Folder,
        node: &NodeName,
        now: UnixTime,
    ) -> Result<FernetRotation, RepositoryError> {
        let mut numbers = numbers(folder)?;
        let old = *numbers.last().ok_or_else(|| RepositoryError::Empty {
            path: self.path.clone(),
        })?;
        // All are read before anything changes: what is damaged stops the rotation, not the service.
        for number in &numbers {
            read(folder, *number)?;
        }
        marker::write(folder, node, now)?;
        let primary = self.promote(folder, &numbers, old)?;
        write(folder, STAGED, &new_key(folder)?)?;
        numbers.retain(|number| *number != STAGED && *number != primary);
        // The staged and the primary key count too.
        let kept = self.max_active_keys.saturating_sub(2);
        let excess = numbers.len().saturating_sub(kept);
        let removed: Vec<u32> = numbers.into_iter().take(excess).collect();
        for number in &removed {
            folder.remove(&number.to_string())?;
        }
        Ok(FernetRotation { primary, removed })
    }

    /// Gives the staged key the next number. It keeps its own until a new one takes that place: Keystone fails on a
    /// repository without it.
    fn promote(&self, folder: &Folder, numbers: &[u32], old: u32) -> Result<u32, RepositoryError> {
        let key = if numbers.contains(&STAGED) {
            let staged = read(folder, STAGED)?;
            if old != STAGED && staged == read(folder, old)? {
                // Cut after this step the last time.
                return Ok(old);
            }
            staged
        } else {
            new_key(folder)?
        };
        let path = || self.path.join(old.to_string());
        let number = old
            .checked_add(1)
            .ok_or_else(|| RepositoryError::Numbers { path: path() })?;
        write(folder, number, &key)?;
        Ok(number)
    }
}

fn role(number: u32, primary: Option<u32>) -> FernetKeyRole {
    if Some(number) == primary {
        FernetKeyRole::Primary
    } else if number == STAGED {
        FernetKeyRole::Staged
    } else {
        FernetKeyRole::Secondary
    }
}

fn new_key(folder: &Folder) -> Result<FernetKey, RepositoryError> {
    FernetKey::generate().map_err(|error| RepositoryError::key(folder.path(), error))
}

fn write(folder: &Folder, number: u32, key: &FernetKey) -> Result<(), RepositoryError> {
    folder.write(&number.to_string(), key.expose().as_bytes(), Secrecy::Private)
}

fn read(folder: &Folder, number: u32) -> Result<FernetKey, RepositoryError> {
    let name = number.to_string();
    let bytes = folder.read(&name, Secrecy::Private, MAX_FILE)?;
    let key = std::str::from_utf8(&bytes)
        .map_err(|_error| KeyError::Fernet)
        .and_then(FernetKey::parse);
    key.map_err(|error| RepositoryError::key(&folder.path().join(name), error))
}

/// The numbers of the keys, ascending.
fn numbers(folder: &Folder) -> Result<Vec<u32>, RepositoryError> {
    let mut numbers = Vec::new();
    for name in folder.names()? {
        numbers.extend(key_number(folder, &name)?);
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// The number that a name is; none for what Keystone skips; an error for what only Keystone takes for one.
fn key_number(folder: &Folder, name: &str) -> Result<Option<u32>, RepositoryError> {
    match name.parse::<u32>() {
        Ok(number) if number.to_string() == name => Ok(Some(number)),
        _ if python_reads(name) => Err(RepositoryError::OddName {
            path: folder.path().join(name),
        }),
        _ => Ok(None),
    }
}

/// May Python's `int` take the name? It lets white space, a sign, single underscores and digits of any script pass.
fn python_reads(name: &str) -> bool {
    let digits = name.trim().trim_start_matches(['+', '-']);
    !digits.is_empty()
        && digits
            .chars()
            .all(|character| character.is_numeric() || character == '_')
}
