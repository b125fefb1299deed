use std::{fs, os::unix::fs::MetadataExt as _, path::PathBuf};

use crate::{FileError, MachinePair, PairError};

/// Size, node and time of change of both files.
type Mark = [(u64, u64, i64, i64); 2];

/// A pair of files that others replace: a person, a configuration management, another renewer.
///
/// A new pair is taken when both files are in place and fit each other; until then the one before stays in use.
#[derive(Debug)]
pub struct WatchedPair {
    certificate: PathBuf,
    key: PathBuf,
    seen: Option<Mark>,
}

impl WatchedPair {
    /// Watches these files, which have been read by now.
    #[must_use]
    pub fn new(certificate: PathBuf, key: PathBuf) -> Self {
        let mut this = Self {
            certificate,
            key,
            seen: None,
        };
        this.seen = this.mark().ok();
        this
    }

    /// What is in the files, when they have changed since the last time.
    ///
    /// # Errors
    /// [`PairError`]; it is said again at the next look, until the files are right.
    pub fn look(&mut self) -> Result<Option<MachinePair>, PairError> {
        let mark = self.mark()?;
        if self.seen == Some(mark) {
            return Ok(None);
        }
        let pair = MachinePair::read(&self.certificate, &self.key)?;
        self.seen = Some(mark);
        Ok(Some(pair))
    }

    pub(crate) const fn look_again(&mut self) {
        self.seen = None;
    }

    fn mark(&self) -> Result<Mark, PairError> {
        let of = |path: &PathBuf| {
            let found = fs::metadata(path).map_err(|error| FileError::io(path, "read", error))?;
            Ok::<_, PairError>((found.size(), found.ino(), found.ctime(), found.ctime_nsec()))
        };
        Ok([of(&self.certificate)?, of(&self.key)?])
    }
}
