//! Folders of keys: read only where nobody else can read or change what is there, changed so that a reader finds the
//! old or the new and nothing between.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use zeroize::Zeroizing;

use crate::{KeyError, RepositoryError};

/// Whether others may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Secrecy {
    /// The owner alone.
    Private,
    /// Anybody; but nobody else may change it.
    Public,
}

/// Who keeps a repository's files, and so which of them are believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_enums, reason = "callers choose one of two")]
pub enum Custody {
    /// One account of this machine: folder and files belong to it, private ones have no bit for group or others, no
    /// name is a symbolic link.
    #[default]
    Owner,
    /// An orchestrator mounts them, read-only for us: names may be links that stay inside the folder, the group may
    /// read, the folder may belong to another. Nothing is ever written there.
    Mounted,
}

/// The most names that a folder of keys may hold: the most keys there are, and as much again.
const MAX_NAMES: usize = 512;

/// An open folder. What is done by name is done inside it, wherever its path leads by then.
pub(crate) struct Folder {
    path: PathBuf,
    file: File,
    owner: (u32, u32),
    custody: Custody,
}

impl Folder {
    pub(crate) fn open(path: &Path, secrecy: Secrecy, custody: Custody) -> Result<Self, RepositoryError> {
        let mut flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        if custody == Custody::Owner {
            flags |= OFlags::NOFOLLOW;
        }
        let opened = rustix::fs::openat(CWD, path, flags, Mode::empty());
        let file = File::from(opened.map_err(|error| refused(path, "open", error))?);
        let metadata = file.metadata().map_err(RepositoryError::io("look at", path))?;
        let fault = folder_fault(&metadata, secrecy, custody, &file);
        if let Some((fault, advice)) = fault {
            return Err(RepositoryError::unsafe_at(path, fault, advice));
        }
        Ok(Self {
            path: path.to_owned(),
            owner: (metadata.uid(), metadata.gid()),
            file,
            custody,
        })
    }

    /// Makes the folder (0700 when private, else 0755) unless it is there, and opens it.
    pub(crate) fn create(path: &Path, secrecy: Secrecy) -> Result<Self, RepositoryError> {
        let mode = match secrecy {
            Secrecy::Private => 0o700,
            Secrecy::Public => 0o755,
        };
        let mut builder = std::fs::DirBuilder::new();
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, mode);
        match builder.create(path) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(RepositoryError::io("make", path)(error)),
        }
        Self::open(path, secrecy, Custody::Owner)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps other processes that ask here from changing the folder until the answer is dropped.
    pub(crate) fn lock(&self) -> Result<Lock, RepositoryError> {
        if self.custody == Custody::Mounted {
            return Err(RepositoryError::ReadOnly {
                path: self.path.clone(),
            });
        }
        let file = self
            .file
            .try_clone()
            .map_err(RepositoryError::io("lock", &self.path))?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Lock { file }),
            Err(Errno::WOULDBLOCK) => Err(RepositoryError::Busy {
                path: self.path.clone(),
            }),
            Err(error) => Err(RepositoryError::io("lock", &self.path)(error.into())),
        }
    }

    /// The names inside, in order, without those that begin with a dot.
    pub(crate) fn names(&self) -> Result<Vec<String>, RepositoryError> {
        let mut names = self.all_names()?;
        names.retain(|name| !name.starts_with('.'));
        Ok(names)
    }

    /// The names inside, in order.
    pub(crate) fn all_names(&self) -> Result<Vec<String>, RepositoryError> {
        let failed = |error: Errno| RepositoryError::io("list", &self.path)(error.into());
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.file).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            // An orchestrator's own: the version of the folder that its links lead to.
            if name == "." || name == ".." || (self.custody == Custody::Mounted && name.starts_with("..")) {
                continue;
            }
            if names.len() >= MAX_NAMES {
                return Err(RepositoryError::Crowded {
                    path: self.path.clone(),
                    limit: MAX_NAMES,
                });
            }
            names.push(name);
        }
        names.sort();
        Ok(names)
    }

    /// Reads a file of at most `limit` bytes.
    pub(crate) fn read(
        &self,
        name: &str,
        secrecy: Secrecy,
        limit: usize,
    ) -> Result<Zeroizing<Vec<u8>>, RepositoryError> {
        let path = self.path.join(name);
        let file = self
            .open_file(name)
            .map_err(|error| refused(&path, "open", error))?;
        let metadata = file.metadata().map_err(RepositoryError::io("look at", &path))?;
        let owner = (self.custody == Custody::Owner).then_some(self.owner.0);
        if let Some((fault, advice)) = file_fault(&metadata, secrecy, self.custody, owner) {
            return Err(RepositoryError::unsafe_at(&path, fault, advice));
        }
        read_bounded(file, &path, limit)
    }

    /// As [`Folder::read`]; `None` where there is no such name.
    pub(crate) fn read_if_there(
        &self,
        name: &str,
        secrecy: Secrecy,
        limit: usize,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, RepositoryError> {
        match self.read(name, secrecy, limit) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(RepositoryError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn open_file(&self, name: &str) -> Result<File, Errno> {
        // NONBLOCK: a pipe in the folder must not hold us up.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        #[cfg(target_os = "linux")]
        if self.custody == Custody::Mounted {
            let beneath = rustix::fs::ResolveFlags::BENEATH;
            return rustix::fs::openat2(&self.file, name, flags, Mode::empty(), beneath).map(File::from);
        }
        rustix::fs::openat(&self.file, name, flags | OFlags::NOFOLLOW, Mode::empty()).map(File::from)
    }

    /// Puts a file in place, whole or not at all: written under another name beside it, made durable, renamed.
    pub(crate) fn write(&self, name: &str, bytes: &[u8], secrecy: Secrecy) -> Result<(), RepositoryError> {
        let temporary = temporary_name(name);
        self.write_new(&temporary, bytes, secrecy)?;
        self.rename(&temporary, name)
    }

    /// Makes a file that is durable, owned as the folder is, and replaces what another run left under that name.
    pub(crate) fn write_new(
        &self,
        name: &str,
        bytes: &[u8],
        secrecy: Secrecy,
    ) -> Result<(), RepositoryError> {
        let path = self.path.join(name);
        self.remove_if_there(name)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = match secrecy {
            Secrecy::Private => Mode::RUSR | Mode::WUSR,
            Secrecy::Public => Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::ROTH,
        };
        let failed = |error: Errno| RepositoryError::io("write", &path)(error.into());
        let mut file = File::from(rustix::fs::openat(&self.file, name, flags, mode).map_err(failed)?);
        // The umask may have taken bits from a public file; a private one has none to lose.
        rustix::fs::fchmod(&file, mode).map_err(failed)?;
        let metadata = file.metadata().map_err(RepositoryError::io("look at", &path))?;
        let (user, group) = self.owner;
        if (metadata.uid(), metadata.gid()) != self.owner {
            let (user, group) = (rustix::fs::Uid::from_raw(user), rustix::fs::Gid::from_raw(group));
            rustix::fs::fchown(&file, Some(user), Some(group)).map_err(failed)?;
        }
        file.write_all(bytes)
            .map_err(RepositoryError::io("write", &path))?;
        file.sync_all().map_err(RepositoryError::io("write", &path))
    }

    /// Renames inside the folder, durably.
    pub(crate) fn rename(&self, from: &str, to: &str) -> Result<(), RepositoryError> {
        self.rename_into(from, self, to)
    }

    /// Renames into another folder of the same file system, durably.
    pub(crate) fn rename_into(&self, from: &str, folder: &Self, to: &str) -> Result<(), RepositoryError> {
        let path = folder.path.join(to);
        let renamed = rustix::fs::renameat(&self.file, from, &folder.file, to);
        renamed.map_err(|error| RepositoryError::io("put in place", &path)(error.into()))?;
        folder.sync()
    }

    /// Removes a file, durably.
    pub(crate) fn remove(&self, name: &str) -> Result<(), RepositoryError> {
        let path = self.path.join(name);
        let removed = rustix::fs::unlinkat(&self.file, name, AtFlags::empty());
        removed.map_err(|error| RepositoryError::io("remove", &path)(error.into()))?;
        self.sync()
    }

    pub(crate) fn remove_if_there(&self, name: &str) -> Result<(), RepositoryError> {
        match rustix::fs::unlinkat(&self.file, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(RepositoryError::io("remove", &self.path.join(name))(error.into())),
        }
    }

    fn sync(&self) -> Result<(), RepositoryError> {
        self.file
            .sync_all()
            .map_err(RepositoryError::io("write", &self.path))
    }

    /// The name of the file system, if it is one that machines share.
    pub(crate) fn shared_file_system(&self) -> Option<&'static str> {
        shared_file_system(&self.file)
    }
}

/// Held while a folder is changed.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Said, not left to closing: a child that another thread is just starting has the file open too.
        let _released_by_closing_else = rustix::fs::flock(&self.file, FlockOperation::Unlock);
    }
}

/// Reads one file by its path, which must not be a symbolic link.
pub(crate) fn read_file(
    path: &Path,
    secrecy: Secrecy,
    limit: usize,
) -> Result<Zeroizing<Vec<u8>>, RepositoryError> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOFOLLOW;
    let opened = rustix::fs::openat(CWD, path, flags, Mode::empty());
    let file = File::from(opened.map_err(|error| refused(path, "open", error))?);
    let metadata = file.metadata().map_err(RepositoryError::io("look at", path))?;
    if let Some((fault, advice)) = file_fault(&metadata, secrecy, Custody::Owner, None) {
        return Err(RepositoryError::unsafe_at(path, fault, advice));
    }
    read_bounded(file, path, limit)
}

fn read_bounded(file: File, path: &Path, limit: usize) -> Result<Zeroizing<Vec<u8>>, RepositoryError> {
    let most = limit.saturating_add(1);
    // Room for all of it: a buffer that grows would leave copies of a key behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(most));
    let mut bounded = file.take(u64::try_from(most).unwrap_or(u64::MAX));
    bounded
        .read_to_end(&mut bytes)
        .map_err(RepositoryError::io("read", path))?;
    if bytes.len() > limit {
        return Err(RepositoryError::key(path, KeyError::TooLong { limit }));
    }
    Ok(bytes)
}

type Fault = Option<(&'static str, &'static str)>;

fn file_fault(metadata: &std::fs::Metadata, secrecy: Secrecy, custody: Custody, owner: Option<u32>) -> Fault {
    let (mode, user) = (metadata.mode(), metadata.uid());
    let us = rustix::process::geteuid().as_raw();
    let secret_from = match custody {
        Custody::Owner => 0o077,
        Custody::Mounted => 0o027,
    };
    if !metadata.is_file() {
        Some(("not a regular file", "put the key itself there"))
    } else if secrecy == Secrecy::Private && mode & secret_from != 0 {
        Some(("others can read or change it", "chmod 600"))
    } else if mode & 0o022 != 0 {
        Some(("others can change it", "chmod go-w"))
    } else if owner.is_some_and(|owner| user != owner && user != us) {
        Some((
            "it belongs to another account than its folder",
            "chown it to that of the folder",
        ))
    } else if owner.is_none() && custody == Custody::Owner && user != us && user != 0 && us != 0 {
        Some((
            "it belongs to another account",
            "chown it to the account that reads it",
        ))
    } else {
        None
    }
}

fn folder_fault(metadata: &std::fs::Metadata, secrecy: Secrecy, custody: Custody, file: &File) -> Fault {
    let mode = metadata.mode();
    let us = rustix::process::geteuid().as_raw();
    if custody == Custody::Mounted {
        let read_only = rustix::fs::fstatvfs(file)
            .is_ok_and(|found| found.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY));
        let fault = ("others can change what is in it", "mount it read-only");
        return (!read_only && mode & 0o022 != 0).then_some(fault);
    }
    if secrecy == Secrecy::Private && mode & 0o077 != 0 {
        Some(("others can look into it", "chmod 700"))
    } else if mode & 0o022 != 0 {
        Some(("others can change what is in it", "chmod go-w"))
    } else if us != 0 && metadata.uid() != us {
        Some(("it belongs to another account", "run as the account that owns it"))
    } else {
        None
    }
}

fn refused(path: &Path, verb: &'static str, error: Errno) -> RepositoryError {
    match error {
        Errno::LOOP => RepositoryError::unsafe_at(path, "a symbolic link", "put the file itself there"),
        Errno::XDEV => {
            RepositoryError::unsafe_at(path, "a link out of its folder", "keep the keys inside it")
        }
        Errno::NOTDIR => {
            RepositoryError::unsafe_at(path, "not a folder, or a symbolic link", "name the folder itself")
        }
        error => RepositoryError::io(verb, path)(error.into()),
    }
}

pub(crate) fn temporary_name(name: &str) -> String {
    format!(".sealstone-{name}.tmp")
}

#[cfg(target_os = "linux")]
fn shared_file_system(file: &File) -> Option<&'static str> {
    // From statfs(2).
    const KNOWN: [(u32, &str); 7] = [
        (0x6969, "NFS"),
        (0xff53_4d42, "CIFS"),
        (0xfe53_4d42, "SMB"),
        (0x00c3_6400, "CephFS"),
        (0x0116_1970, "GFS2"),
        (0x7461_636f, "OCFS2"),
        (0x0bd0_0bd0, "Lustre"),
    ];
    let kind = rustix::fs::fstatfs(file).ok()?.f_type;
    let known = KNOWN.iter().find(|(magic, _name)| kind == i64::from(*magic));
    known.map(|(_magic, name)| *name)
}

#[cfg(not(target_os = "linux"))]
const fn shared_file_system(_file: &File) -> Option<&'static str> {
    None
}
