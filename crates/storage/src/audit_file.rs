use sealstone_audit::{AuditError, AuditSink, Event};
use std::borrow::Cow;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;

/// CADF events in a file, one JSON document a line, which several processes may append to at once.
///
/// Each event is appended by one write (POSIX `O_APPEND`), so that lines of several writers never mix on a local disk,
/// and is then in the hands of the operating system: it survives the death of the process, not a power failure in the
/// moments after. The file is made with mode 0600 and is never cut, read back or rotated.
///
/// # Security
/// Line ends in an event's texts are escaped as JSON demands: no text forges a second event.
#[derive(Debug)]
pub struct AuditFile {
    path: PathBuf,
    end: Mutex<End>,
}

/// The file, and whether its last line is whole.
#[derive(Debug)]
struct End {
    file: File,
    torn: bool,
}

impl AuditFile {
    /// Opens the file, or makes it for its owner alone.
    ///
    /// # Errors
    /// What the operating system says: no folder, no permission, no space.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            end: Mutex::new(End::of(path)?),
        })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the path anew, after a log rotation has moved the file away.
    ///
    /// # Errors
    /// Those of [`open`](Self::open); the file that was open stays so.
    pub fn reopen(&self) -> io::Result<()> {
        let end = End::of(&self.path)?;
        *self.end.lock() = end;
        Ok(())
    }
}

impl End {
    fn of(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)?;
        Ok(Self {
            file,
            torn: ends_within_a_line(path).unwrap_or(false),
        })
    }

    /// One write. A disk that fills up may take a part of it: the next line then begins on a line of its own.
    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        let whole = if self.torn {
            Cow::Owned([b"\n", line].concat())
        } else {
            Cow::Borrowed(line)
        };
        loop {
            match self.file.write(&whole) {
                Ok(written) if written == whole.len() => {
                    self.torn = false;
                    return Ok(());
                }
                Ok(written) => {
                    self.torn |= written > 0;
                    return Err(io::ErrorKind::StorageFull.into());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// What a full disk left behind before. A file that can't be looked at is taken as whole.
fn ends_within_a_line(path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    if !file.metadata()?.is_file() {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

impl AuditSink for AuditFile {
    fn record(&self, event: &Event<'_>) -> Result<(), AuditError> {
        let mut line = event.to_cadf();
        line.push(b'\n');
        self.end.lock().append(&line).map_err(AuditError::new)
    }
}

#[cfg(test)]
mod tests;
