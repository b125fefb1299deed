//! The port by which passwords are hashed: where blocking is allowed, and so many at once.

use std::time::Duration;

use async_trait::async_trait;
use sealstone_factors::{HashError, PasswordHash};
use zeroize::Zeroizing;

/// Where password hashes are computed: tens of milliseconds of one core and 19 MiB each.
///
/// # Security
/// Anybody who sees the login page drives this work. An implementation bounds how many run at once, for their memory,
/// and how many wait, for the time that people wait; what does not fit is [`HashingError::Busy`]. It runs them off the
/// threads that answer other requests.
#[async_trait]
pub trait HashingPool: Send + Sync {
    /// [`PasswordHash::matches`].
    ///
    /// # Errors
    /// [`HashingError`]; nobody is let in.
    async fn matches(&self, hash: PasswordHash, typed: Zeroizing<String>) -> Result<bool, HashingError>;
}

/// Why no hash was computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(clippy::exhaustive_enums, reason = "a source answers each")]
pub enum HashingError {
    /// Too many wait already.
    #[error("too many logins at once")]
    Busy {
        /// When it makes sense to try again.
        retry_after: Duration,
    },
    /// There was no memory, or the pool is gone.
    #[error("a password could not be hashed")]
    Failed,
}

impl From<HashError> for HashingError {
    fn from(_memory: HashError) -> Self {
        Self::Failed
    }
}

/// Hashes on the thread that asks: for commands and tests, not for a server.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::exhaustive_structs, reason = "there is nothing to set")]
pub struct InlineHashing;

#[async_trait]
impl HashingPool for InlineHashing {
    async fn matches(&self, hash: PasswordHash, typed: Zeroizing<String>) -> Result<bool, HashingError> {
        Ok(hash.matches(&typed)?)
    }
}
