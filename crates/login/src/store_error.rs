use std::error::Error;

/// A store of sessions, factors or throttles gave no answer: whoever asked lets nobody in.
#[derive(Debug, thiserror::Error)]
#[error("the logins can't be read or written")]
pub struct LoginStoreError(#[source] Box<dyn Error + Send + Sync>);

impl LoginStoreError {
    /// For this cause.
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}

/// What became of a compare-and-swap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
#[expect(clippy::exhaustive_enums, reason = "callers must handle every outcome")]
pub enum Swap {
    /// Stored, durably.
    Done,
    /// Another was faster, or there is no such record any longer; nothing changed. Read again, and decide anew.
    Conflict,
}
