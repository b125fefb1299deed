//! Files that are there in full or not at all, and that nobody else reads.

use std::{
    fs::{self, File, Metadata, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

/// More than any key, chain or token has.
const LARGEST: u64 = 1024 * 1024;
/// Its owner alone.
const PRIVATE: u32 = 0o600;

/// Why a file or a folder cannot be used, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// It is not as it must be.
    #[error("{} {reason}", path.display())]
    Unsafe {
        /// Which.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        reason: &'static str,
    },
    /// The file system refused.
    #[error("{} cannot be {action}: {}", path.display(), advice(source))]
    Io {
        /// Which.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// Another agent has the folder.
    #[error("another agent runs with {}: stop it, or give this one a state folder of its own", .0.display())]
    Taken(PathBuf),
}

impl FileError {
    pub(crate) fn io(path: &Path, action: &'static str, source: io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            action,
            source,
        }
    }

    fn unsafe_at(path: &Path, reason: &'static str) -> Self {
        Self::Unsafe {
            path: path.to_owned(),
            reason,
        }
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "of all kinds these have an advice")]
fn advice(error: &io::Error) -> String {
    let told = match error.kind() {
        io::ErrorKind::StorageFull => "the disk is full: make room; it is tried again by itself",
        io::ErrorKind::QuotaExceeded => "the quota is used up: make room; it is tried again by itself",
        io::ErrorKind::ReadOnlyFilesystem => {
            "the file system is read-only: mount it writable, or under systemd name the folder in \
             RuntimeDirectory=, StateDirectory= or ReadWritePaths="
        }
        io::ErrorKind::PermissionDenied => {
            "permission denied: give the folder to the user that the agent runs as"
        }
        io::ErrorKind::NotFound => "there is no such file or folder: make it, or correct the configuration",
        _ => return error.to_string(),
    };
    told.to_owned()
}

/// Writes a file of mode 0600 in one step and durably; what was there is replaced.
///
/// The text goes into a file beside it, whose name is always the same: what a killed process left is used up by the
/// next.
///
/// # Errors
/// [`FileError`], with the old file as it was: for a symbolic link or anything but a plain file in its place, for a file
/// of another user, for a folder that others may write to, and for what the file system refuses.
pub fn replace(path: &Path, text: &[u8]) -> Result<(), FileError> {
    let folder = parent(path);
    check_folder(folder)?;
    match fs::symlink_metadata(path) {
        Ok(found) => check_target(path, &found)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(FileError::io(path, "looked at", error)),
    }
    let name = path
        .file_name()
        .ok_or_else(|| FileError::unsafe_at(path, "names no file: give the file's whole path"))?;
    let temporary = folder.join(format!(".{}.agent", name.to_string_lossy()));
    let failed = |error| {
        let _ = fs::remove_file(&temporary);
        FileError::io(path, "written", error)
    };
    write_private(&temporary, text).map_err(failed)?;
    fs::rename(&temporary, path).map_err(failed)?;
    sync_folder(folder)
}

/// Creates with the final mode: there is no moment at which others could open it.
pub(crate) fn write_private(path: &Path, text: &[u8]) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(PRIVATE);
    let mut file = options.open(path)?;
    file.write_all(text)?;
    file.sync_all()
}

pub(crate) fn sync_folder(path: &Path) -> Result<(), FileError> {
    File::open(path)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| FileError::io(path, "written", error))
}

/// Reads a text that holds a secret; the buffer is zeroized on drop.
///
/// # Errors
/// [`FileError::Unsafe`] for a symbolic link, anything but a plain file, one that is empty or larger than 1 MiB, one
/// that others than its owner may read or change, and one of a user who is neither this one nor root;
/// [`FileError::Io`].
pub fn read_private(path: &Path) -> Result<Zeroizing<String>, FileError> {
    let named = fs::symlink_metadata(path).map_err(|error| FileError::io(path, "read", error))?;
    if named.file_type().is_symlink() {
        return Err(FileError::unsafe_at(
            path,
            "is a symbolic link: name the file itself",
        ));
    }
    let file = File::open(path).map_err(|error| FileError::io(path, "read", error))?;
    let opened = file
        .metadata()
        .map_err(|error| FileError::io(path, "read", error))?;
    let reason = if !opened.is_file() {
        Some("is not a plain file: name a file")
    } else if opened.len() == 0 {
        Some("is empty: restore it, or issue the machine another certificate")
    } else if opened.len() > LARGEST {
        Some("is larger than 1 MiB: this is no key")
    } else if opened.mode() & 0o077 != 0 {
        Some("may be read or changed by others than its owner: run chmod 600 on it")
    } else if !is_ours(&opened) {
        Some("belongs to another user: give it to the user that the agent runs as")
    } else {
        None
    };
    if let Some(reason) = reason {
        return Err(FileError::unsafe_at(path, reason));
    }
    let mut text = Zeroizing::new(String::new());
    file.take(LARGEST)
        .read_to_string(&mut text)
        .map_err(|error| FileError::io(path, "read", error))?;
    Ok(text)
}

/// Reads a text that everybody may know.
///
/// # Errors
/// [`FileError`] for one that is larger than 1 MiB or not text, or cannot be read.
pub fn read_public(path: &Path) -> Result<String, FileError> {
    let file = File::open(path).map_err(|error| FileError::io(path, "read", error))?;
    let mut text = String::new();
    let read = file
        .take(LARGEST)
        .read_to_string(&mut text)
        .map_err(|error| FileError::io(path, "read", error))?;
    if u64::try_from(read).is_ok_and(|read| read < LARGEST) {
        return Ok(text);
    }
    Err(FileError::unsafe_at(
        path,
        "is larger than 1 MiB: name the right file",
    ))
}

/// Makes a folder of mode 0700 unless it is there.
///
/// # Errors
/// [`FileError::Unsafe`] for one that is another user's, a symbolic link, or open to others; [`FileError::Io`].
pub fn private_folder(path: &Path) -> Result<(), FileError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder
        .create(path)
        .map_err(|error| FileError::io(path, "made", error))?;
    let found = fs::symlink_metadata(path).map_err(|error| FileError::io(path, "looked at", error))?;
    if !found.is_dir() {
        return Err(FileError::unsafe_at(path, "is not a folder: name a folder"));
    }
    if found.uid() != own_uid() {
        return Err(FileError::unsafe_at(
            path,
            "belongs to another user: give it to the user that the agent runs as",
        ));
    }
    if found.mode() & 0o077 != 0 {
        return Err(FileError::unsafe_at(
            path,
            "is open to others than its owner: run chmod 700 on it",
        ));
    }
    Ok(())
}

/// A folder in which others could put something in a file's place.
pub(crate) fn check_folder(path: &Path) -> Result<(), FileError> {
    let found = fs::metadata(path).map_err(|error| FileError::io(path, "used", error))?;
    // With the sticky bit, as /tmp has it, only owners rename and remove.
    let sticky = found.mode() & 0o1000 != 0;
    if found.mode() & 0o022 != 0 && !sticky {
        return Err(FileError::unsafe_at(
            path,
            "may be written to by others than its owner: run chmod go-w on it, or use another folder",
        ));
    }
    if !is_ours(&found) {
        return Err(FileError::unsafe_at(
            path,
            "belongs to another user, who could replace what is in it: use another folder",
        ));
    }
    Ok(())
}

fn check_target(path: &Path, found: &Metadata) -> Result<(), FileError> {
    if found.file_type().is_symlink() {
        return Err(FileError::unsafe_at(
            path,
            "is a symbolic link, which is not followed: remove it, or name the file itself",
        ));
    }
    if !found.is_file() {
        return Err(FileError::unsafe_at(
            path,
            "is not a plain file: use another name",
        ));
    }
    if found.uid() != own_uid() {
        return Err(FileError::unsafe_at(
            path,
            "belongs to another user: remove it, or use another name",
        ));
    }
    Ok(())
}

pub(crate) fn parent(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or_else(|| Path::new("."))
}

pub(crate) fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Of this user, or of root, who may do anything anyway.
fn is_ours(found: &Metadata) -> bool {
    found.uid() == own_uid() || found.uid() == 0
}
