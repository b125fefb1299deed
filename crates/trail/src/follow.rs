//! A trail read while it is written.

use crate::line::Line;
use crate::names::rotated;
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Read at once.
const CHUNK: usize = 256 * 1024;

/// Reads the events of a trail in their order, from a number on, over rotations, and again while more come.
///
/// Only whole lines are given. What is no event of a chain is passed over: verifying is another's work.
#[derive(Debug)]
pub struct Follower {
    path: PathBuf,
    /// The number of the event that is due.
    next: u64,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    file: File,
    identity: (u64, u64),
    /// What was read and not given yet.
    read: Vec<u8>,
    given: usize,
    offset: u64,
}

/// One event that was read.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Read {
    /// Its line, without the end.
    pub text: Vec<u8>,
    /// Its place in the chain.
    pub line: Line,
}

impl Follower {
    /// From the event with this number on; 1 is the first.
    #[must_use]
    pub fn new(path: &Path, from: u64) -> Self {
        Self {
            path: path.to_owned(),
            next: from.max(1),
            open: None,
        }
    }

    /// The number of the event that is due.
    #[must_use]
    pub const fn due(&self) -> u64 {
        self.next
    }

    /// Leaves out what comes before this number.
    pub fn skip_to(&mut self, number: u64) {
        self.next = self.next.max(number);
    }

    /// The next event that is there; none if all were given.
    ///
    /// Events that are gone (a file was taken away) are passed over: the number of the next one says so.
    ///
    /// # Errors
    /// What the operating system says; the next call tries anew.
    pub fn read(&mut self) -> io::Result<Option<Read>> {
        loop {
            if self.open.is_none() {
                self.open = self.find()?;
            }
            let Some(open) = &mut self.open else {
                return Ok(None);
            };
            while let Some(text) = open.line()? {
                if let Ok(line) = Line::parse(&text)
                    && line.sequence >= self.next
                {
                    self.next = line.sequence.saturating_add(1);
                    return Ok(Some(Read { text, line }));
                }
            }
            // All of this file was given: is it still the one that is written on?
            let there = identity(&self.path)?;
            if there.is_none() || there == Some(open.identity) {
                return Ok(None);
            }
            // What was written between the last read and the rotation.
            if open.fill()? {
                continue;
            }
            let before = open.identity;
            let next = self.after(before)?;
            self.open = Some(next);
        }
    }

    /// The file that the due event is in: the newest that does not begin after it.
    fn find(&self) -> io::Result<Option<Open>> {
        let files = rotated(&self.path)?;
        let due = files.iter().rposition(|(first, _)| *first <= self.next);
        for (_, path) in files.iter().skip(due.unwrap_or(0)) {
            if let Some(open) = Open::of(path)? {
                return Ok(Some(open));
            }
        }
        Open::of(&self.path)
    }

    /// The file after one that was read to its end.
    fn after(&self, before: (u64, u64)) -> io::Result<Open> {
        let files = rotated(&self.path)?;
        let mut files = files.into_iter().map(|(_, path)| path).chain([self.path.clone()]);
        // A file that somebody moved away is not among them: then it goes on where the due event is.
        let mut rest = files
            .clone()
            .skip_while(|path| !matches!(identity(path), Ok(Some(found)) if found == before));
        rest.next();
        let next = rest.next().or_else(|| files.next_back());
        let found = match next {
            Some(path) => Open::of(&path)?,
            None => None,
        };
        found.ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Open {
    fn of(path: &Path) -> io::Result<Option<Self>> {
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Ok(None);
        }
        Ok(Some(Self {
            file,
            identity: (metadata.dev(), metadata.ino()),
            read: Vec::new(),
            given: 0,
            offset: 0,
        }))
    }

    /// The next whole line.
    fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            let rest = self.read.get(self.given..).unwrap_or_default();
            if let Some(end) = rest.iter().position(|octet| *octet == b'\n') {
                let line = rest.get(..end).unwrap_or_default().to_vec();
                self.given = self.given.saturating_add(end).saturating_add(1);
                return Ok(Some(line));
            }
            // What never ends is no line of ours.
            if rest.len() > Line::LONGEST {
                self.given = self.read.len();
            }
            if !self.fill()? {
                return Ok(None);
            }
        }
    }

    /// Reads more; false at the end.
    fn fill(&mut self) -> io::Result<bool> {
        self.read.drain(..self.given.min(self.read.len()));
        self.given = 0;
        self.file.seek(SeekFrom::Start(self.offset))?;
        let limit = u64::try_from(CHUNK).unwrap_or(u64::MAX);
        let read = (&mut self.file).take(limit).read_to_end(&mut self.read)?;
        self.offset = self.offset.saturating_add(u64::try_from(read).unwrap_or(0));
        Ok(read > 0)
    }
}

fn identity(path: &Path) -> io::Result<Option<(u64, u64)>> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some((metadata.dev(), metadata.ino()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
