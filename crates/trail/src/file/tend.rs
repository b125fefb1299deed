//! What is done between the requests: signing, flushing, rotating, letting others write.

use super::append::Occasion;
use super::{Alone, State, TrailFile};
use crate::names::rotated_name;
#[cfg(target_os = "linux")]
use rustix::fs::{Advice, fadvise};
use rustls_pki_types::UnixTime;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::sync::Arc;
use std::time::Duration;

/// Events that stand unsigned at most while there are calls of [`TrailFile::tend`]: a signature costs some 15 µs, a
/// thousandth of what ten thousand events cost.
const MOST_UNSIGNED: u64 = 10_000;
/// Events stand unsigned no longer than this: what an attacker with the file, but without the key, could cut off unseen.
const LONGEST_UNSIGNED: Duration = Duration::from_secs(10);

impl TrailFile {
    /// How often [`tend`](Self::tend) is to be called: another process waits for its turn so long at most.
    pub const TEND_EVERY: Duration = Duration::from_millis(50);

    /// Signs if it is due, flushes what was signed to the disk, rotates if it is due, and gives the turn to a process that
    /// waits for it.
    ///
    /// # Errors
    /// What the operating system says; it is tried anew the next time.
    pub fn tend(&self, now: UnixTime) -> io::Result<()> {
        let unflushed = {
            let Alone { mut state, _writing } = self.alone();
            // Of those who did not wait for their answer.
            let settled = state.settle(self);
            let tended = settled.and_then(|()| state.tend(self, now));
            let given = state.yield_turn();
            tended.and(given)?;
            std::mem::take(&mut state.unflushed)
        };
        flush(unflushed)
    }

    /// Signs what is there and flushes it, at the end of the process.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn stop(&self, now: UnixTime) -> io::Result<()> {
        let unflushed = {
            let Alone { mut state, _writing } = self.alone();
            state.settle(self)?;
            if state.unsigned > 0 {
                state.checkpoint(self, now, Occasion::Stop)?;
            }
            if state.turn.is_held() {
                state.turn.give()?;
            }
            std::mem::take(&mut state.unflushed)
        };
        flush(unflushed)
    }

    /// Lets go of the turn, unsigned: for a process that writes once and ends. Who tends the trail signs for it.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn leave(&self) -> io::Result<()> {
        let Alone { mut state, _writing } = self.alone();
        let settled = state.settle(self);
        let given = state.turn.give();
        settled.and(given)
    }
}

impl State {
    fn tend(&mut self, trail: &TrailFile, now: UnixTime) -> io::Result<()> {
        if self.unsigned == 0 {
            return Ok(());
        }
        if self.is_full(now) {
            return self.rotate(trail, now);
        }
        let waited = now.as_secs().saturating_sub(self.signed_at.as_secs());
        if self.unsigned >= MOST_UNSIGNED || waited >= LONGEST_UNSIGNED.as_secs() {
            self.checkpoint(trail, now, Occasion::Interval)?;
        }
        Ok(())
    }

    /// A checkpoint at the end as it is now, to be flushed.
    fn checkpoint(&mut self, trail: &TrailFile, now: UnixTime, occasion: Occasion) -> io::Result<()> {
        if !(self.turn.is_held() && self.known) {
            self.look(trail, now)?;
        }
        self.sign(trail, now, occasion)?;
        self.unflushed.push(Arc::clone(&self.file));
        Ok(())
    }

    fn is_full(&self, now: UnixTime) -> bool {
        let since = |time: UnixTime| Duration::from_secs(now.as_secs().saturating_sub(time.as_secs()));
        let too_large = self.rotation.size.is_some_and(|size| self.size >= size);
        let too_old = || {
            let (age, (sequence, first)) = self.rotation.age.zip(self.first)?;
            Some(sequence > 0 && since(first) >= age)
        };
        too_large || too_old().unwrap_or(false)
    }

    /// Closes the file with a checkpoint, gives it its name, and begins the next one with another.
    fn rotate(&mut self, trail: &TrailFile, now: UnixTime) -> io::Result<()> {
        self.checkpoint(trail, now, Occasion::Rotate)?;
        let there = fs::metadata(&trail.path)?;
        let (Some((first, _)), true) = (self.first, (there.dev(), there.ino()) == self.identity) else {
            return Ok(());
        };
        let name = rotated_name(&trail.path, first);
        if name.try_exists()? {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                format!("{} is there already and is not written over", name.display()),
            ));
        }
        fs::rename(&trail.path, &name)?;
        self.reopen(&trail.path)?;
        self.unflushed
            .push(Arc::new(File::open(crate::names::folder(&trail.path))?));
        self.look(trail, now)
    }

    /// Others write when they wait, or when there was nothing to write for a while.
    fn yield_turn(&mut self) -> io::Result<()> {
        let idle = std::mem::replace(&mut self.seen, self.sequence) == self.sequence;
        if self.turn.is_held() && (idle || self.turn.is_wanted()) {
            self.turn.give()?;
        }
        Ok(())
    }
}

/// What is on the disk need not stay in memory too: nobody here reads it again, and the next events are written faster
/// into pages that were just used than into ones that the system must find first.
fn flush(files: Vec<Arc<File>>) -> io::Result<()> {
    for file in files {
        match file.sync_data() {
            // A device or a pipe has nothing to flush.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {}
            synced => {
                synced?;
                // Advice, which a file system may not take; macOS knows none.
                #[cfg(target_os = "linux")]
                let _taken = fadvise(&*file, 0, None, Advice::DontNeed);
            }
        }
    }
    Ok(())
}
