//! The database's file: who may read it.

use std::{
    fs::{self, File, OpenOptions},
    io,
    path::Path,
};

use super::error::{Failure, SqlErrorKind};

/// Makes the file if there is none, readable and writable by its owner only.
pub(super) fn make(path: &Path) -> Result<(), Failure> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    match options.open(path) {
        Ok(file) => {
            file.sync_all()?;
            sync_folder(path)?;
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// A file whose entry in its folder is not durable is gone after a loss of power, with all that is in it.
fn sync_folder(path: &Path) -> io::Result<()> {
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

/// Checks that the file is there, a file, and ours to write; takes from others what rights they have to it.
pub(super) fn restrict(path: &Path) -> Result<(), Failure> {
    let found = fs::metadata(path).map_err(|error| {
        if error.kind() == io::ErrorKind::NotFound {
            Failure::Found(SqlErrorKind::NoFile, String::new())
        } else {
            Failure::Io(error)
        }
    })?;
    if !found.is_file() {
        return Err(Failure::Found(
            SqlErrorKind::NotADatabase,
            "not a regular file".to_owned(),
        ));
    }
    OpenOptions::new().read(true).write(true).open(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        if found.permissions().mode() & 0o077 != 0 {
            fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
        }
    }
    Ok(())
}
