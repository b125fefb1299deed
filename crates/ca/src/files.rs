//! Files that are there in full or not at all, and private ones that only their owner reads.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use crate::CaError;

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there are no more")]
pub enum Access {
    /// Its owner only (mode 0600).
    Private,
    /// Everybody (mode 0644).
    Public,
}

/// Writes a new file, in one step and durably.
///
/// # Errors
/// [`CaError::Exists`] when something is there already; [`CaError::Io`].
pub fn write_new(path: &Path, bytes: &[u8], access: Access) -> Result<(), CaError> {
    let temporary = temporary(path, bytes, access)?;
    // A link, unlike a rename, never replaces.
    let linked = fs::hard_link(&temporary, path);
    let _ = fs::remove_file(&temporary);
    linked.map_err(|source| {
        let there = source.kind() == io::ErrorKind::AlreadyExists;
        if there {
            CaError::Exists(path.to_owned())
        } else {
            failed(path, "written", source)
        }
    })?;
    sync_folder(path)
}

/// Writes a file, in one step and durably; what was there is replaced.
///
/// # Errors
/// [`CaError::Io`]; the old file is unchanged then.
pub fn replace(path: &Path, bytes: &[u8], access: Access) -> Result<(), CaError> {
    let temporary = temporary(path, bytes, access)?;
    fs::rename(&temporary, path).map_err(|source| {
        let _ = fs::remove_file(&temporary);
        failed(path, "written", source)
    })?;
    sync_folder(path)
}

/// Reads a text file that holds a secret. The buffer is zeroized on drop.
///
/// # Errors
/// [`CaError::Unsafe`] when it is a symbolic link, no plain file, larger than 1 MiB, empty, or when others than its
/// owner may read or change it; [`CaError::Io`].
pub fn read_private(path: &Path) -> Result<Zeroizing<String>, CaError> {
    const LARGEST: u64 = 1024 * 1024;
    let refuse = |reason| CaError::Unsafe {
        path: path.to_owned(),
        reason,
    };
    let named = fs::symlink_metadata(path).map_err(|source| failed(path, "read", source))?;
    if named.file_type().is_symlink() {
        return Err(refuse("is a symbolic link: name the file itself"));
    }
    let file = File::open(path).map_err(|source| failed(path, "read", source))?;
    let opened = file.metadata().map_err(|source| failed(path, "read", source))?;
    if !opened.is_file() {
        return Err(refuse("is not a plain file: name a file"));
    }
    if opened.len() == 0 {
        return Err(refuse("is empty: restore it from a backup"));
    }
    if opened.len() > LARGEST {
        return Err(refuse("is larger than 1 MiB: this is no key"));
    }
    if !private(&opened) {
        return Err(refuse(
            "may be read or changed by others than its owner: run chmod 600 on it",
        ));
    }
    let mut text = Zeroizing::new(String::new());
    file.take(LARGEST)
        .read_to_string(&mut text)
        .map_err(|source| failed(path, "read", source))?;
    Ok(text)
}

/// Makes a folder (mode 0700 when private) with those above it; one that exists is left as it is.
///
/// # Errors
/// [`CaError::Io`].
pub fn create_folder(path: &Path, access: Access) -> Result<(), CaError> {
    if path.exists() && !path.is_dir() {
        let reason = "it is a file: name a folder, there or not";
        return Err(failed(
            path,
            "made",
            io::Error::new(io::ErrorKind::NotADirectory, reason),
        ));
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(
        &mut builder,
        match access {
            Access::Private => 0o700,
            Access::Public => 0o755,
        },
    );
    builder
        .create(path)
        .map_err(|source| failed(path, "made", source))
}

#[cfg(unix)]
fn private(metadata: &fs::Metadata) -> bool {
    std::os::unix::fs::MetadataExt::mode(metadata) & 0o077 == 0
}

#[cfg(not(unix))]
const fn private(_: &fs::Metadata) -> bool {
    true
}

fn temporary(path: &Path, bytes: &[u8], access: Access) -> Result<PathBuf, CaError> {
    let mut random = [0; 8];
    aws_lc_rs::rand::fill(&mut random).map_err(|_| CaError::make("the system has no randomness"))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}.{:016x}", u64::from_be_bytes(random)));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(
        &mut options,
        match access {
            Access::Private => 0o600,
            Access::Public => 0o644,
        },
    );
    let written = options.open(&temporary).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(|source| {
        let _ = fs::remove_file(&temporary);
        failed(path, "written", source)
    })?;
    Ok(temporary)
}

fn sync_folder(path: &Path) -> Result<(), CaError> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or_else(|| Path::new("."));
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|source| failed(path, "written", source))
}

pub(crate) fn failed(path: &Path, action: &'static str, source: io::Error) -> CaError {
    CaError::Io {
        path: path.to_owned(),
        action,
        source,
    }
}
