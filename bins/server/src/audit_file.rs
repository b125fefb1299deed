//! CADF events, one JSON document a line.

use sealstone_audit::{AuditError, AuditSink, Event};
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Appends each event by one write before its request is answered, so that it survives the death of the process.
#[derive(Debug)]
pub(crate) struct AuditFile {
    path: PathBuf,
    file: Mutex<File>,
}

impl AuditFile {
    /// Opens the file, or makes it for its owner alone.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            file: Mutex::new(append(path)?),
        })
    }

    /// Opens the path anew, after a log rotation has moved the file away.
    pub(crate) fn reopen(&self) -> io::Result<()> {
        let file = append(&self.path)?;
        *self.file.lock().unwrap_or_else(PoisonError::into_inner) = file;
        Ok(())
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
}

impl AuditSink for AuditFile {
    fn record(&self, event: &Event<'_>) -> Result<(), AuditError> {
        let mut line = Vec::with_capacity(1024);
        serde_json::to_writer(&mut line, &event.to_cadf()).map_err(AuditError::new)?;
        line.push(b'\n');
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(&line).map_err(AuditError::new)
    }
}
