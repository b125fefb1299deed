//! The trail's file: events appended, chained, signed, rotated.

mod append;
mod draft;
mod pending;
mod tail;
mod tend;

use crate::key::{KeyError, NodeKey};
use crate::line::Hash;
use crate::turn::Turn;
use draft::Draft;
use pending::Pending;
use rustls_pki_types::UnixTime;
use sealstone_audit::{AuditError, AuditSink, Batch, BatchEnd, Event, Receipt};
use std::cell::RefCell;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LockResult, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// When a file is closed and the next one begun; nothing is ever deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the two measures of a file")]
pub struct Rotation {
    /// Above this size in octets.
    pub size: Option<u64>,
    /// When its first event is older than this.
    pub age: Option<Duration>,
}

/// The trail could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrailError {
    /// The file, or a lock beside it.
    #[error("can't append to the audit file {}", .0.display())]
    File(PathBuf, #[source] io::Error),
    /// The key.
    #[error(transparent)]
    Key(#[from] KeyError),
}

thread_local! {
    /// Where a thread makes its lines: an event has some 700 octets.
    static LINE: RefCell<Vec<u8>> = RefCell::new(Vec::with_capacity(1024));
}

/// Events in a file, one JSON document a line, chained by hash and signed from time to time; an [`AuditSink`].
///
/// Each event carries its sequence number and the SHA-256 of the line before it, and is appended by one write (POSIX
/// `O_APPEND`) before [`record`](AuditSink::record) returns: it is then in the hands of the operating system and survives
/// the death of the process. What is [begun](AuditSink::begin) has its place at once, and is written with all that has one by
/// then when the first receipt is [settled](AuditSink::settle), or by the next call of another method.
/// [`tend`](Self::tend), called from time to time, signs what has come, flushes it to the disk, rotates the file, and lets
/// other processes write: several may hold the same trail, and take turns.
///
/// What a full disk or a power failure left of a line is set aside by the next writer: it stays in the file, and the event
/// after it says how long it is and which hash it has.
///
/// # Security
/// Whoever can write the file and read the key can forge everything. Without the key, [`Verification`] finds every line
/// that is changed, removed, inserted or moved before the last checkpoint; how many events there were after it the file
/// alone can't tell. Line ends in an event's texts are escaped as JSON demands: no text forges a second event.
///
/// [`Verification`]: crate::Verification
#[derive(Debug)]
pub struct TrailFile {
    path: PathBuf,
    key: NodeKey,
    gate: Gate,
    told: Told,
    /// Held while octets go to the file: who has it may wait for the system, and others go on giving events their places.
    /// Taken before the state's lock, never after it.
    writing: Mutex<()>,
    /// Held for less than a microsecond of each request, for longer only with `writing`.
    state: Mutex<State>,
}

/// Nobody writes, and nobody gives an event its place.
struct Alone<'t> {
    state: MutexGuard<'t, State>,
    _writing: MutexGuard<'t, ()>,
}

/// What others say to the trail without its lock: read for each event, and seldom written.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Gate {
    closed: AtomicBool,
    failed: AtomicU64,
}

/// What the trail tells others without its lock: written by who holds it, on a cache line that goes from core to core
/// with the lock's own.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Told {
    recorded: AtomicU64,
    sequence: AtomicU64,
    signed: AtomicU64,
}

/// Where the trail stands, for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Standing {
    /// Events recorded by this process.
    pub recorded: u64,
    /// Events that could not be recorded.
    pub failed: u64,
    /// The last sequence number that this process wrote or read.
    pub sequence: u64,
    /// The sequence number of its last checkpoint.
    pub signed: u64,
    /// Whether nothing is recorded, because a required receiver is too far behind.
    pub closed: bool,
}

/// What is known of the file's end. What each event needs comes first, on two cache lines with the lock.
#[derive(Debug)]
#[repr(C)]
struct State {
    turn: Turn,
    file: Arc<File>,
    /// Whether the end is known: no other process may have written, no write failed.
    known: bool,
    /// Whether there was an event in this process or in the file before: then an empty file goes on from it.
    began: bool,
    previous: Hash,
    sequence: u64,
    /// Lines that have their place in the chain and are not written yet: none where the end is not known.
    pending: Pending,
    /// Room for the next ones.
    spare: Vec<u8>,
    size: u64,
    /// Events after the last checkpoint.
    unsigned: u64,
    /// Of the first line of the file.
    first: Option<(u64, UnixTime)>,
    /// The sequence when the trail was last tended.
    seen: u64,
    signed_at: UnixTime,
    /// Device and inode.
    identity: (u64, u64),
    /// Files with events that are not flushed yet.
    unflushed: Vec<Arc<File>>,
    rotation: Rotation,
}

impl TrailFile {
    /// Opens the trail at `path`, or makes it for its owner alone, with the key in `key_file`, which is made too.
    ///
    /// # Errors
    /// [`TrailError`]: no folder, no permission, a key that is none.
    pub fn open(path: &Path, key_file: &Path, rotation: Rotation) -> Result<Self, TrailError> {
        let fault = |error| TrailError::File(path.to_owned(), error);
        let key = NodeKey::load_or_make(key_file)?;
        let turn = Turn::beside(path).map_err(fault)?;
        let state = State::open(path, turn, rotation).map_err(fault)?;
        Ok(Self {
            path: path.to_owned(),
            key,
            gate: Gate::default(),
            told: Told::default(),
            writing: Mutex::new(()),
            state: Mutex::new(state),
        })
    }

    /// A thread that panicked left the end of the file in doubt, at most, which the next one looks at.
    fn state(&self) -> MutexGuard<'_, State> {
        awake(&self.state).unwrap_or_else(|poisoned: PoisonError<_>| {
            let mut state = poisoned.into_inner();
            state.lose();
            self.state.clear_poison();
            state
        })
    }

    fn writing(&self) -> MutexGuard<'_, ()> {
        awake(&self.writing).unwrap_or_else(|poisoned: PoisonError<_>| {
            // What was written is not known: nobody may take it for kept.
            self.state().lose();
            self.writing.clear_poison();
            poisoned.into_inner()
        })
    }

    /// Waits until no write is under way, too.
    fn alone(&self) -> Alone<'_> {
        let writing = self.writing();
        Alone {
            state: self.state(),
            _writing: writing,
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The key that signs it.
    #[must_use]
    pub const fn key(&self) -> &NodeKey {
        &self.key
    }

    /// Opens the path anew, after a log rotation has moved the file away; the chain goes on in the new file.
    ///
    /// # Errors
    /// Those of [`open`](Self::open); the file that was open stays so.
    pub fn reopen(&self) -> io::Result<()> {
        let mut alone = self.alone();
        // Who waits for what is lost by that is told by the receipt.
        let _written = alone.state.settle(self);
        alone.state.reopen(&self.path)
    }

    /// Other measures of a file: the one that is written now is closed by them too, when it is tended after its
    /// next event.
    pub fn set_rotation(&self, rotation: Rotation) {
        self.state().rotation = rotation;
    }

    /// From now on nothing is recorded, or again everything. A required receiver that is too far behind closes the trail:
    /// what can't be told is not done.
    pub fn close(&self, closed: bool) {
        self.gate.closed.store(closed, Ordering::Relaxed);
    }

    /// Where the trail stands.
    #[must_use]
    pub fn standing(&self) -> Standing {
        Standing {
            recorded: self.told.recorded.load(Ordering::Relaxed),
            failed: self.gate.failed.load(Ordering::Relaxed),
            sequence: self.told.sequence.load(Ordering::Relaxed),
            signed: self.told.signed.load(Ordering::Relaxed),
            closed: self.gate.closed.load(Ordering::Relaxed),
        }
    }
}

/// Nothing is recorded while a required receiver does not take what is there.
#[derive(Debug, thiserror::Error)]
#[error(
    "a required receiver of the audit trail is too far behind: nothing is done until it takes events again"
)]
struct Closed;

/// Waited for awake: giving the thread up and being woken costs more than the others' turns take.
fn awake<T>(lock: &Mutex<T>) -> LockResult<MutexGuard<'_, T>> {
    /// Some 4 µs in all where a pause is the shortest there is (10 ns): a write's worth. The standard library's lock waits
    /// for a quarter of that, then sleeps.
    const LOOKS: u32 = 25;
    const PAUSES: u32 = 16;
    for _ in 0..LOOKS {
        if let Ok(held) = lock.try_lock() {
            return Ok(held);
        }
        for _ in 0..PAUSES {
            std::hint::spin_loop();
        }
    }
    lock.lock()
}

/// The write that was to keep this event, and others with it, failed.
#[derive(Debug, thiserror::Error)]
#[error("the write of the audit trail that held this event failed")]
struct Lost;

impl TrailFile {
    /// Makes the event's line, and has it taken by whoever holds the trail.
    fn with_draft<T>(
        &self,
        event: &Event<'_>,
        take: impl FnOnce(Draft<'_>) -> io::Result<T>,
    ) -> Result<T, AuditError> {
        let taken = if self.gate.closed.load(Ordering::Relaxed) {
            Err(AuditError::new(Closed))
        } else {
            LINE.with_borrow_mut(|line| {
                line.clear();
                take(Draft::of(self, event, &[], line))
            })
            .map_err(AuditError::new)
        };
        if taken.is_err() {
            self.gate.failed.fetch_add(1, Ordering::Relaxed);
        }
        taken
    }

    /// Writes what waits, unless the batch has ended meanwhile; others give their events places in the next one.
    fn write(&self, batch: &Batch) -> io::Result<()> {
        let _writing = self.writing();
        let outgoing = {
            let mut state = self.state();
            if batch.outcome() != BatchEnd::Open {
                return Ok(());
            }
            state.take_pending()
        };
        let Some(outgoing) = outgoing else {
            return Ok(());
        };
        let written = outgoing.write();
        self.state().wrote(self, outgoing, written)
    }
}

impl AuditSink for TrailFile {
    fn record(&self, event: &Event<'_>) -> Result<(), AuditError> {
        self.with_draft(event, |draft| self.alone().state.append(self, draft, event.time))
    }

    fn begin(&self, event: &Event<'_>) -> Result<Receipt, AuditError> {
        self.with_draft(event, |draft| {
            let mut state = self.state();
            if state.takes_more() {
                return Ok(state.begin(draft, event.time));
            }
            drop(state);
            let mut alone = self.alone();
            alone.state.ready(self, event.time)?;
            Ok(alone.state.begin(draft, event.time))
        })
    }

    fn settle(&self, receipt: Receipt) -> Result<(), AuditError> {
        let Some(batch) = receipt.batch() else {
            return Ok(());
        };
        let mut fault = None;
        if batch.outcome() == BatchEnd::Open {
            fault = self.write(batch).err();
        }
        if batch.outcome() == BatchEnd::Kept {
            return Ok(());
        }
        self.gate.failed.fetch_add(1, Ordering::Relaxed);
        Err(fault.map_or_else(|| AuditError::new(Lost), AuditError::new))
    }
}

#[cfg(test)]
mod tests;
