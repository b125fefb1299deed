//! How far a receiver has everything, kept over restarts.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// A file that holds one number. It is replaced as a whole; after a power failure it may say less than was delivered, and
/// then events come again.
#[derive(Debug)]
pub(crate) struct Cursor {
    path: PathBuf,
    new: PathBuf,
}

impl Cursor {
    pub(crate) fn at(path: &Path) -> Self {
        let mut new = path.as_os_str().to_owned();
        new.push(".new");
        Self {
            path: path.to_owned(),
            new: new.into(),
        }
    }

    /// The number of the last event that was delivered; none if there is no file, or it holds something else.
    pub(crate) fn read(&self) -> io::Result<Option<u64>> {
        match fs::read_to_string(&self.path) {
            Ok(text) => Ok(text.trim().parse().ok()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn write(&self, number: u64) -> io::Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&self.new)?;
        file.write_all(format!("{number}\n").as_bytes())?;
        fs::rename(&self.new, &self.path)
    }
}
