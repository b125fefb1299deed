//! The end of a file, read back.

use crate::line::{Hash, Line};
use rustls_pki_types::UnixTime;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

/// How far back the last event is looked for. Nothing but torn lines can stand after it, and a full disk leaves one of
/// them: less than a line each time.
const WINDOW: u64 = 4 * 1024 * 1024;

/// What stands at the end of a file.
#[derive(Debug, Default)]
pub(super) struct Tail {
    /// The first event of the file: its number and its time.
    pub(super) first: Option<(u64, UnixTime)>,
    pub(super) last: Option<Line>,
    pub(super) torn: Option<Torn>,
}

/// What stands after the last whole line.
#[derive(Debug, Clone, Copy)]
pub(super) enum Torn {
    /// Nothing, but that line lacks its end.
    End,
    /// These octets.
    Octets { octets: u64, hash: Hash, unended: bool },
}

impl Tail {
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        let from = length.saturating_sub(WINDOW);
        file.seek(SeekFrom::Start(from))?;
        let mut end = Vec::new();
        file.take(WINDOW).read_to_end(&mut end)?;
        let (last, torn) = read(&end);
        let first = if last.is_some() { first(path)? } else { None };
        Ok(Self { first, last, torn })
    }

    /// The last event of the newest file that has one.
    pub(super) fn of_newest(files: Vec<(u64, PathBuf)>) -> io::Result<Option<Line>> {
        for (_, path) in files.into_iter().rev() {
            let tail = Self::of(&path)?;
            if tail.last.is_some() {
                return Ok(tail.last);
            }
        }
        Ok(None)
    }
}

/// The first line that is an event of a chain.
fn first(path: &Path) -> io::Result<Option<(u64, UnixTime)>> {
    let limit = u64::try_from(Line::LONGEST).unwrap_or(u64::MAX);
    let mut line = Vec::new();
    BufReader::new(File::open(path)?)
        .take(limit)
        .read_until(b'\n', &mut line)?;
    let line = Line::parse(line.strip_suffix(b"\n").unwrap_or(&line)).ok();
    // A file whose first line is none of ours has begun all the same.
    Ok(Some(line.map_or(
        (0, UnixTime::since_unix_epoch(std::time::Duration::ZERO)),
        |line| (line.sequence, line.time),
    )))
}

/// The last event in what was read, and what stands after it.
fn read(end: &[u8]) -> (Option<Line>, Option<Torn>) {
    if end.is_empty() {
        return (None, None);
    }
    let unended = end.last() != Some(&b'\n');
    // Where each line begins, the last one first.
    let mut rest = end.strip_suffix(b"\n").unwrap_or(end);
    let mut after = end.len();
    loop {
        let start = rest
            .iter()
            .rposition(|octet| *octet == b'\n')
            .map_or(0, |at| at.saturating_add(1));
        let line = rest.get(start..).unwrap_or_default();
        if let Ok(line) = Line::parse(line) {
            let torn = end.get(after..).unwrap_or_default();
            let torn = match (torn.is_empty(), unended) {
                (true, false) => None,
                (true, true) => Some(Torn::End),
                (false, unended) => Some(set_aside(torn, unended)),
            };
            return (Some(line), torn);
        }
        if start == 0 {
            return (None, Some(set_aside(end, unended)));
        }
        after = start;
        rest = rest.get(..start.saturating_sub(1)).unwrap_or_default();
    }
}

fn set_aside(octets: &[u8], unended: bool) -> Torn {
    let body = octets.strip_suffix(b"\n").unwrap_or(octets);
    Torn::Octets {
        octets: u64::try_from(body.len()).unwrap_or(u64::MAX),
        hash: Hash::of(body),
        unended,
    }
}
