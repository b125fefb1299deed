//! The journal: a file to which lines are added, each durable before anything follows from it.

use std::fs::{self, File, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

use super::op::Event;

/// The form of the lines; another number is another form.
const VERSION: u32 = 1;
/// The largest journal, in bytes: a change there and back of a hundred nodes has some 200 KiB.
const MAX_JOURNAL: u64 = 16 * 1024 * 1024;
/// How many octets of the digest a line ends with: against decay and slips of editors, not against forgers.
const DIGEST: usize = 8;

/// Why there is no journal to go by.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The operating system refused.
    #[error("cannot {verb} {}: {source}", path.display())]
    Io {
        /// What was to be done.
        verb: &'static str,
        /// With what.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// Somebody else is at it.
    #[error("another run works with this journal ({} is locked): wait for it to end", .0.display())]
    Locked(PathBuf),
    /// Not a journal, or one that was changed.
    #[error(
        "{}: line {line} is not what this program wrote: name another file, or bring back the one that was there",
        path.display()
    )]
    Line {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
    /// Larger than any.
    #[error("{}: larger than {limit} bytes, it is no journal", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// In bytes.
        limit: u64,
    },
    /// Lines that do not follow from each other.
    #[error("the journal's event {line} does not follow from those before: {fault}")]
    Story {
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        fault: &'static str,
    },
}

/// Where events are written down.
pub trait Journal {
    /// Adds an event: it is durable when this returns.
    ///
    /// # Errors
    /// [`JournalError`]: then nobody may go by it having been written.
    fn append(&mut self, event: &Event) -> Result<(), JournalError>;
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    version: u32,
    event: Event,
}

/// A journal in a file. Nobody else has it while this is held.
///
/// Each line is one event, and ends with a digest over itself and the digest of the line before: a line that is changed,
/// missing or out of place is seen. A last line that is cut off was never acknowledged, and is dropped.
#[derive(Debug)]
pub struct JournalFile {
    path: PathBuf,
    file: File,
    last: String,
}

impl JournalFile {
    /// Opens the journal, or begins one, and reads what it holds.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn open(path: &Path) -> Result<(Self, Vec<Event>), JournalError> {
        let io = |verb| {
            let path = path.to_owned();
            move |source| JournalError::Io { verb, path, source }
        };
        let is_new = !path.exists();
        let mut options = File::options();
        let options = options.read(true).append(true).create(true).mode(0o600);
        let mut file = options.open(path).map_err(io("open"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(JournalError::Locked(path.to_owned())),
            Err(TryLockError::Error(source)) => return Err(io("lock")(source)),
        }
        if is_new {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            let folder = folder.unwrap_or_else(|| Path::new("."));
            File::open(folder)
                .and_then(|folder| folder.sync_all())
                .map_err(io("make"))?;
        }
        let mut bytes = Vec::new();
        let limited = (&mut file).take(MAX_JOURNAL.saturating_add(1));
        let mut limited = limited;
        limited.read_to_end(&mut bytes).map_err(io("read"))?;
        if u64::try_from(bytes.len()).map_or(true, |length| length > MAX_JOURNAL) {
            return Err(JournalError::TooLarge {
                path: path.to_owned(),
                limit: MAX_JOURNAL,
            });
        }
        let read = parse_journal(&bytes).map_err(|line| JournalError::Line {
            path: path.to_owned(),
            line,
        })?;
        if read.whole < bytes.len() {
            // What was being written when the last run was killed.
            let whole = u64::try_from(read.whole).unwrap_or(u64::MAX);
            let cut = file.set_len(whole).and_then(|()| file.seek(SeekFrom::End(0)));
            cut.and_then(|_end| file.sync_all()).map_err(io("mend"))?;
        }
        let journal = Self {
            path: path.to_owned(),
            file,
            last: read.last,
        };
        Ok((journal, read.events))
    }

    /// Whether there is such a file.
    #[must_use]
    pub fn exists(path: &Path) -> bool {
        fs::metadata(path).is_ok()
    }
}

impl Journal for JournalFile {
    fn append(&mut self, event: &Event) -> Result<(), JournalError> {
        let io = |verb| {
            let path = self.path.clone();
            move |source| JournalError::Io { verb, path, source }
        };
        let line = Line {
            version: VERSION,
            event: event.clone(),
        };
        let text = serde_json::to_string(&line)
            .map_err(std::io::Error::from)
            .map_err(io("write"))?;
        let digest = digest(&self.last, &text);
        let written = self.file.write_all(format!("{text} {digest}\n").as_bytes());
        written.and_then(|()| self.file.sync_all()).map_err(io("write"))?;
        self.last = digest;
        Ok(())
    }
}

/// What was read of a journal.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct JournalText {
    /// Its events.
    pub events: Vec<Event>,
    /// How many bytes of it are whole lines.
    pub whole: usize,
    last: String,
}

/// Reads the bytes of a journal; a last line that is cut off is left out.
///
/// # Errors
/// The number of the line that is not what was written, counted from 1.
pub fn parse_journal(bytes: &[u8]) -> Result<JournalText, usize> {
    let mut read = JournalText {
        events: Vec::new(),
        whole: 0,
        last: String::new(),
    };
    let mut lines = bytes
        .split_inclusive(|byte| *byte == b'\n')
        .enumerate()
        .peekable();
    while let Some((place, line)) = lines.next() {
        let number = place.saturating_add(1);
        let is_last = lines.peek().is_none();
        let parsed = line
            .strip_suffix(b"\n")
            .and_then(|line| std::str::from_utf8(line).ok())
            .and_then(|line| line.rsplit_once(' '))
            .filter(|(text, found)| digest(&read.last, text) == *found)
            .and_then(|(text, found)| Some((serde_json::from_str::<Line>(text).ok()?, found)))
            .filter(|(line, _found)| line.version == VERSION);
        match parsed {
            Some((parsed, found)) => {
                read.events.push(parsed.event);
                read.whole = read.whole.saturating_add(line.len());
                found.clone_into(&mut read.last);
            }
            // Written in part, and so never gone by: the line has no end.
            None if is_last && !line.ends_with(b"\n") => {}
            None => return Err(number),
        }
    }
    Ok(read)
}

fn digest(last: &str, text: &str) -> String {
    let mut context = Context::new(&SHA256);
    context.update(last.as_bytes());
    context.update(b"\n");
    context.update(text.as_bytes());
    let digest = context.finish();
    let octets = digest.as_ref().iter().take(DIGEST);
    octets.map(|octet| format!("{octet:02x}")).collect()
}

#[cfg(test)]
mod tests;
