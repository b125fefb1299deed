//! Lines of any length, in bounded memory.

use crate::line::{Hash, Line, LineError, Mended};
use std::io::{self, BufRead};

/// Lines without an event that are told one by one, of those that stand together.
const MOST_TOLD: usize = 20;
/// Octets without an event whose hash is looked at: a torn line is shorter than any line, and each try to mend it leaves
/// another.
const MOST_SET_ASIDE: usize = 4 * 1024 * 1024;

pub(super) struct Lines<R> {
    reader: R,
    text: Vec<u8>,
    number: u64,
}

/// One line, its text apart.
pub(super) struct Next {
    pub(super) number: u64,
    /// With its end.
    pub(super) octets: usize,
    /// Whether the text is all of it.
    pub(super) whole: bool,
}

impl<R: BufRead> Lines<R> {
    pub(super) const fn new(reader: R) -> Self {
        Self {
            reader,
            text: Vec::new(),
            number: 0,
        }
    }

    /// The text of the line, without its end, cut above [`Line::LONGEST`].
    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    /// Lines so far.
    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn next(&mut self) -> io::Result<Option<Next>> {
        self.text.clear();
        let (mut octets, mut whole) = (0_usize, true);
        loop {
            let there = match self.reader.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                there => there?,
            };
            if there.is_empty() {
                break;
            }
            let end = there.iter().position(|octet| *octet == b'\n');
            let part = there.get(..end.unwrap_or(there.len())).unwrap_or_default();
            let room = Line::LONGEST.saturating_sub(self.text.len());
            whole &= part.len() <= room;
            self.text.extend(part.iter().take(room));
            let used = part.len().saturating_add(usize::from(end.is_some()));
            octets = octets.saturating_add(used);
            self.reader.consume(used);
            if end.is_some() {
                break;
            }
        }
        if octets == 0 {
            return Ok(None);
        }
        self.number = self.number.saturating_add(1);
        Ok(Some(Next {
            number: self.number,
            octets,
            whole,
        }))
    }
}

/// Lines without an event, between two events.
#[derive(Default)]
pub(super) struct Garbage {
    octets: Vec<u8>,
    told: Vec<(u64, LineError)>,
    untold: u64,
    any: bool,
}

impl Garbage {
    pub(super) fn add(&mut self, number: u64, text: &[u8], error: LineError) {
        if self.any {
            self.octets.push(b'\n');
        }
        self.any = true;
        let room = MOST_SET_ASIDE.saturating_sub(self.octets.len());
        self.octets.extend(text.iter().take(room));
        if self.told.len() < MOST_TOLD {
            self.told.push((number, error));
        } else {
            self.untold = self.untold.saturating_add(1);
        }
    }

    /// As the event after it must tell of it.
    pub(super) fn what(&self) -> Option<Mended> {
        self.any.then(|| Mended {
            octets: u64::try_from(self.octets.len()).unwrap_or(u64::MAX),
            sha256: Hash::of(&self.octets),
        })
    }

    pub(super) fn lines(&self) -> impl Iterator<Item = (u64, LineError)> {
        self.told.iter().copied()
    }

    pub(super) const fn untold(&self) -> std::ops::Range<u64> {
        0..self.untold
    }
}
