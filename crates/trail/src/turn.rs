//! Whose turn it is to write: the server, a second one that takes over, the command line.

use crate::names::hidden;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

/// How often a lock is tried anew.
const TRY_EVERY: Duration = Duration::from_millis(1);
/// Tries until the others are taken for stuck: two seconds. Who holds the turn gives it up within a twentieth of a second
/// when somebody waits; a process that was stopped in between must not stop the server for long.
const MOST_TRIES: u32 = 2_000;

/// Two locks of the system (`flock`), so that writers take turns without a system call for each event. Who wants to write
/// queues for `waiting`, then for `writing`, and lets go of `waiting`; who holds `writing` looks from time to time whether
/// `waiting` is taken.
#[derive(Debug)]
pub(crate) struct Turn {
    waiting: File,
    writing: File,
    held: bool,
}

impl Turn {
    /// The lock files beside the trail, made where they are not.
    pub(crate) fn beside(path: &Path) -> io::Result<Self> {
        let open = |ending| {
            OpenOptions::new()
                .append(true)
                .create(true)
                .mode(0o600)
                .open(hidden(path, ending))
        };
        Ok(Self {
            waiting: open(".turn")?,
            writing: open(".lock")?,
            held: false,
        })
    }

    pub(crate) const fn is_held(&self) -> bool {
        self.held
    }

    /// Waits for the turn; a turn that is held stays so.
    pub(crate) fn take(&mut self) -> io::Result<()> {
        if self.held {
            return Ok(());
        }
        lock(&self.waiting)?;
        let taken = lock(&self.writing);
        let released = self.waiting.unlock();
        taken.and(released)?;
        self.held = true;
        Ok(())
    }

    /// Whether somebody waits for the turn.
    pub(crate) fn is_wanted(&self) -> bool {
        match self.waiting.try_lock() {
            Ok(()) => self.waiting.unlock().is_err(),
            Err(_) => true,
        }
    }

    /// Lets others write.
    pub(crate) fn give(&mut self) -> io::Result<()> {
        self.held = false;
        self.writing.unlock()
    }
}

fn lock(file: &File) -> io::Result<()> {
    for _ in 0..MOST_TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) => std::thread::park_timeout(TRY_EVERY),
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Err(io::Error::new(
        io::ErrorKind::TimedOut,
        "another process writes on the audit trail and does not let go: see who holds the .lock file beside it (lslocks)",
    ))
}
