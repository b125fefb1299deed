//! Password hashes of the embedded directory, on threads that may block: few at once, and few that wait.

use std::{num::NonZero, sync::Arc, thread, time::Duration};

use async_trait::async_trait;
use sealstone_directory::{HashingError, HashingPool};
use sealstone_factors::PasswordHash;
use tokio::{sync::Semaphore, task};
use tracing::Instrument as _;
use zeroize::Zeroizing;

/// 19 MiB each: 304 MiB.
const MOST_AT_ONCE: usize = 16;
/// At 20 ms a hash the last of them waits 1.3 s on one core: longer, and people press the button again.
const MOST_WAITING: usize = 64;
/// As long as the last who waits would.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// Hashes on the runtime's blocking threads, on half of the cores: the other half answers those who ask for no
/// password.
#[derive(Debug)]
pub(crate) struct BlockingHashing {
    running: Arc<Semaphore>,
    admitted: Arc<Semaphore>,
}

impl BlockingHashing {
    pub(crate) fn new() -> Self {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        Self::with((cores / 2).clamp(1, MOST_AT_ONCE))
    }

    fn with(at_once: usize) -> Self {
        Self {
            running: Arc::new(Semaphore::new(at_once)),
            admitted: Arc::new(Semaphore::new(at_once.saturating_add(MOST_WAITING))),
        }
    }
}

#[async_trait]
impl HashingPool for BlockingHashing {
    /// A request that goes away while it waits gives its place back; one whose hash is being computed keeps it to the
    /// end, for its memory is in use.
    async fn matches(&self, hash: PasswordHash, typed: Zeroizing<String>) -> Result<bool, HashingError> {
        let span = tracing::debug_span!("password hash", "error.type" = tracing::field::Empty);
        let judged = self.judge(hash, typed).instrument(span.clone()).await;
        if let Err(error) = &judged {
            let kind = match error {
                HashingError::Busy { .. } => "busy",
                HashingError::Failed => "failed",
            };
            span.record("error.type", kind);
        }
        judged
    }
}

impl BlockingHashing {
    async fn judge(&self, hash: PasswordHash, typed: Zeroizing<String>) -> Result<bool, HashingError> {
        let place = Arc::clone(&self.admitted).try_acquire_owned();
        let place = place.map_err(|_full| HashingError::Busy {
            retry_after: RETRY_AFTER,
        })?;
        let turn = Arc::clone(&self.running).acquire_owned().await;
        let turn = turn.map_err(|_closed| HashingError::Failed)?;
        let work = move || {
            let judged = hash.matches(&typed);
            drop((turn, place));
            judged
        };
        let judged = task::spawn_blocking(work).await;
        Ok(judged.map_err(|_panicked| HashingError::Failed)??)
    }
}

#[cfg(test)]
mod tests {
    use sealstone_factors::NewPassword;
    use tokio::task::JoinSet;

    use super::*;

    fn typed(text: &str) -> Zeroizing<String> {
        Zeroizing::new(text.to_owned())
    }

    /// Lets every task that is ready run until it waits.
    async fn settle() {
        for _round in 0..MOST_WAITING {
            task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_hash_is_judged() {
        let pool = BlockingHashing::new();
        let hash = NewPassword::parse("correct horse")
            .unwrap()
            .hash([1; 16])
            .unwrap();
        assert_eq!(pool.matches(hash.clone(), typed("correct horse")).await, Ok(true));
        assert_eq!(pool.matches(hash, typed("correct hors")).await, Ok(false));
        assert_eq!(pool.matches(PasswordHash::decoy(), typed("")).await, Ok(false));
    }

    /// R13, CWE-400: whoever floods the login page gets no more than a bounded queue.
    #[tokio::test]
    async fn who_comes_when_too_many_wait_is_told_so_at_once() {
        let pool = Arc::new(BlockingHashing::with(1));
        let held = Arc::clone(&pool.running).acquire_owned().await.unwrap();
        let mut waiting = JoinSet::new();
        for _login in 0..=MOST_WAITING {
            let pool = Arc::clone(&pool);
            waiting.spawn(async move { pool.matches(PasswordHash::decoy(), typed("x")).await });
        }
        settle().await;
        let busy = HashingError::Busy {
            retry_after: RETRY_AFTER,
        };
        assert_eq!(pool.matches(PasswordHash::decoy(), typed("x")).await, Err(busy));
        // One goes away: there is a place again.
        waiting.abort_all();
        while waiting.join_next().await.is_some() {}
        drop(held);
        assert_eq!(pool.matches(PasswordHash::decoy(), typed("x")).await, Ok(false));
        assert_eq!(
            pool.admitted.available_permits(),
            MOST_WAITING + 1,
            "every place came back"
        );
    }
}
