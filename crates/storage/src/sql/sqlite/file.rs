//! The database's file: who may read it.
//!
//! A file that SQLite may have open is never opened here: closing any descriptor of a file drops all of the process's
//! POSIX locks on it, SQLite's among them, and then two processes write at once.

use std::{
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use crate::sql::error::{Failure, SqlErrorKind};

/// Makes the file if there is none, readable and writable by its owner only.
///
/// It is made under another name and linked into its place, so that nobody has it open under its own name while it
/// is open here.
pub(super) fn make(path: &Path) -> Result<(), Failure> {
    if fs::symlink_metadata(path).is_ok() {
        return Ok(());
    }
    let new = unused_name(path);
    create(&new)?;
    let linked = fs::hard_link(&new, path);
    fs::remove_file(&new)?;
    match linked {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    sync_folder(path)?;
    Ok(())
}

/// A name beside the file that no other attempt uses.
fn unused_name(path: &Path) -> PathBuf {
    static ATTEMPTS: AtomicU64 = AtomicU64::new(0);
    let attempt = ATTEMPTS.fetch_add(1, Ordering::Relaxed);
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".new-{}-{attempt}", std::process::id()));
    name.into()
}

fn create(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path)?.sync_all()
}

/// A file whose entry in its folder is not durable is gone after a loss of power, with all that is in it.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if cfg!(unix) {
        File::open(folder)?.sync_all()
    } else {
        Ok(())
    }
}

/// A folder, a device or a pipe where the database should be.
pub(super) fn not_a_file() -> Failure {
    Failure::Found(SqlErrorKind::NotADatabase, "not a regular file".to_owned())
}

/// Checks that the file is there and a file; takes from others what rights they have to it.
pub(super) fn restrict(path: &Path) -> Result<(), Failure> {
    let found = fs::metadata(path).map_err(|error| {
        if error.kind() == io::ErrorKind::NotFound {
            Failure::Found(SqlErrorKind::NoFile, String::new())
        } else {
            Failure::Io(error)
        }
    })?;
    if !found.is_file() {
        return Err(not_a_file());
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        if found.permissions().mode() & 0o077 != 0 {
            fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
        }
    }
    Ok(())
}
