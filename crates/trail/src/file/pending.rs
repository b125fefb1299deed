//! Events that wait for one write.

use super::draft::Draft;
use super::{State, TrailFile};
use crate::line::Hash;
use rustls_pki_types::UnixTime;
use sealstone_audit::{Batch, Receipt};
use std::fs::File;
use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Octets that wait at most: some ninety events. More would make the next write a long one.
const MOST_PENDING: usize = 64 * 1024;

/// Lines that have their place in the chain and are not written yet.
#[derive(Debug, Default)]
pub(super) struct Pending {
    lines: Vec<u8>,
    events: u64,
    batch: Arc<Batch>,
    /// Where the chain stood before the first of them.
    before: Option<Place>,
}

/// Where the chain stands.
#[derive(Debug, Clone, Copy)]
struct Place {
    previous: Hash,
    sequence: u64,
    began: bool,
    unsigned: u64,
    first: Option<(u64, UnixTime)>,
}

/// What waited, on its way to the file.
#[derive(Debug)]
pub(super) struct Outgoing {
    file: Arc<File>,
    pending: Pending,
    before: Place,
    /// The number of the last line.
    last: u64,
}

/// What a write did.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) octets: usize,
    pub(super) result: io::Result<()>,
}

impl Outgoing {
    pub(super) fn write(&self) -> Written {
        put(&self.file, &self.pending.lines)
    }

    #[cfg(test)]
    pub(super) fn lines(&self) -> &[u8] {
        &self.pending.lines
    }
}

/// One write. A disk that fills up may take a part of it: the end is then looked at anew.
pub(super) fn put(mut file: &File, octets: &[u8]) -> Written {
    loop {
        return match file.write(octets) {
            Ok(written) if written == octets.len() => Written {
                octets: written,
                result: Ok(()),
            },
            Ok(written) => Written {
                octets: written,
                result: Err(io::ErrorKind::StorageFull.into()),
            },
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Written {
                octets: 0,
                result: Err(error),
            },
        };
    }
}

impl State {
    /// Whether an event may have its place now: the end is known, and not too much waits.
    pub(super) const fn takes_more(&self) -> bool {
        self.turn.is_held() && self.known && self.pending.lines.len() < MOST_PENDING
    }

    /// Finds the end, writes what waits: for who is alone.
    pub(super) fn ready(&mut self, trail: &TrailFile, now: UnixTime) -> io::Result<()> {
        self.settle(trail)?;
        if !(self.turn.is_held() && self.known) {
            self.look(trail, now)?;
        }
        Ok(())
    }

    /// Gives an event its place. It is written with those that come before its receipt is settled.
    pub(super) fn begin(&mut self, draft: Draft<'_>, now: UnixTime) -> Receipt {
        self.add(draft, now);
        self.count();
        Receipt::of(Arc::clone(&self.pending.batch))
    }

    /// The event's line, linked, after those that wait.
    pub(super) fn add(&mut self, mut draft: Draft<'_>, now: UnixTime) {
        let before = Place {
            previous: self.previous,
            sequence: self.sequence,
            began: self.began,
            unsigned: self.unsigned,
            first: self.first,
        };
        self.pending.before.get_or_insert(before);
        let hash = Hash::of(draft.linked(&self.previous, self.sequence));
        self.pending.lines.extend_from_slice(draft.ended());
        self.sequence = self.sequence.saturating_add(1);
        self.previous = hash;
        self.began = true;
        self.first.get_or_insert((self.sequence, now));
        self.unsigned = self.unsigned.saturating_add(1);
    }

    /// The event that was added is one of those that were asked for.
    pub(super) const fn count(&mut self) {
        self.pending.events = self.pending.events.saturating_add(1);
    }

    /// Writes what waits, in one write, and tells all who wait for it: for who is alone.
    pub(super) fn settle(&mut self, trail: &TrailFile) -> io::Result<()> {
        let Some(outgoing) = self.take_pending() else {
            return Ok(());
        };
        let written = outgoing.write();
        self.wrote(trail, outgoing, written)
    }

    /// What waits, to be written by who holds `writing`, and to be told of by [`wrote`](Self::wrote).
    pub(super) fn take_pending(&mut self) -> Option<Outgoing> {
        let before = self.pending.before.take()?;
        let next = Pending {
            lines: std::mem::take(&mut self.spare),
            ..Pending::default()
        };
        Some(Outgoing {
            file: Arc::clone(&self.file),
            pending: std::mem::replace(&mut self.pending, next),
            before,
            last: self.sequence,
        })
    }

    /// Tells all who wait for it how it went. What got its place after a write that failed is lost with it: its links
    /// lead to nothing.
    pub(super) fn wrote(
        &mut self,
        trail: &TrailFile,
        outgoing: Outgoing,
        written: Written,
    ) -> io::Result<()> {
        let Outgoing {
            mut pending,
            before,
            last,
            ..
        } = outgoing;
        self.size = self
            .size
            .saturating_add(u64::try_from(written.octets).unwrap_or(0));
        if written.result.is_ok() {
            // Nobody else adds: the lock is held.
            let recorded = trail.told.recorded.load(Ordering::Relaxed);
            let recorded = recorded.saturating_add(pending.events);
            trail.told.recorded.store(recorded, Ordering::Relaxed);
            trail.told.sequence.store(last, Ordering::Relaxed);
        } else {
            self.lose();
            self.go_back(before);
        }
        pending.batch.end(written.result.is_ok());
        pending.lines.clear();
        self.spare = pending.lines;
        written.result
    }

    /// What waits is lost with whatever made the end of the file doubtful.
    pub(super) fn lose(&mut self) {
        self.known = false;
        self.pending.lines.clear();
        self.pending.events = 0;
        if let Some(before) = self.pending.before.take() {
            self.go_back(before);
        }
        std::mem::take(&mut self.pending.batch).end(false);
    }

    /// The end of the file is looked at anew before the next event: a part of what was lost may stand there.
    fn go_back(&mut self, before: Place) {
        self.known = false;
        self.previous = before.previous;
        self.sequence = before.sequence;
        self.began = before.began;
        self.unsigned = before.unsigned;
        self.first = before.first;
    }
}

#[cfg(test)]
mod tests;
