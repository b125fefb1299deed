//! Where keys are made for who asks over HTTP: on threads that may block, a few at once, and few that wait.

use std::num::NonZero;
use std::panic;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use sealstone_provider::{KeyPlace, KeyWorkshop, KeyWorkshopFull};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task;

/// An RSA key takes all of a core for as long as it takes: half of the cores, and no more than this.
const MOST_AT_ONCE: usize = 4;
/// Eight RSA keys are made in a few seconds: longer, and who waits would rather be told.
const MOST_WAITING: usize = 8;
/// Revocations at once, and as many as those who have keys made may wait for their turn.
const REVOCATIONS_AT_ONCE: usize = 2;
/// As long as a place takes to come free, most of the time.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// A [`KeyWorkshop`] on the blocking threads of the runtime that asks for a place: half as many places as there are cores,
/// four at most, and eight more requests may wait for one. Revocations have two of their own, and as many may wait.
///
/// # Examples
/// ```
/// use std::sync::Arc;
/// use sealstone_http::BlockingWorkshop;
/// use sealstone_provider::KeyWorkshop;
///
/// let workshop: Arc<dyn KeyWorkshop> = Arc::new(BlockingWorkshop::new());
/// ```
#[derive(Debug)]
pub struct BlockingWorkshop {
    makers: Places,
    revocations: Places,
}

/// So many work, and so many more wait.
#[derive(Debug)]
struct Places {
    working: Arc<Semaphore>,
    admitted: Arc<Semaphore>,
}

impl BlockingWorkshop {
    /// For this machine.
    #[must_use]
    pub fn new() -> Self {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        Self::with_places((cores / 2).clamp(1, MOST_AT_ONCE))
    }

    /// With so many places for those who have keys made, one at least.
    #[must_use]
    pub fn with_places(places: usize) -> Self {
        Self {
            makers: Places::new(places.max(1)),
            revocations: Places::new(REVOCATIONS_AT_ONCE),
        }
    }
}

impl Default for BlockingWorkshop {
    fn default() -> Self {
        Self::new()
    }
}

impl Places {
    fn new(at_once: usize) -> Self {
        Self {
            working: Arc::new(Semaphore::new(at_once)),
            admitted: Arc::new(Semaphore::new(at_once.saturating_add(MOST_WAITING))),
        }
    }

    async fn one(&self) -> Result<KeyPlace, KeyWorkshopFull> {
        let full = || KeyWorkshopFull {
            retry_after: RETRY_AFTER,
        };
        let admitted = Arc::clone(&self.admitted).try_acquire_owned();
        let admitted = admitted.map_err(|_too_many| full())?;
        let turn = Arc::clone(&self.working).acquire_owned().await;
        let turn = turn.map_err(|_closed| full())?;
        let runtime = Handle::current();
        Ok(KeyPlace::new(move |work| {
            // Its place is in use until it ends, whoever waits for it.
            let work = move || {
                runtime.block_on(work);
                drop((turn, admitted));
            };
            let work = task::spawn_blocking(work);
            async move {
                // Cancelled, it is the server that ends, and says so itself.
                if let Err(Ok(panic)) = work.await.map_err(task::JoinError::try_into_panic) {
                    panic::resume_unwind(panic);
                }
            }
            .boxed()
        }))
    }
}

#[async_trait]
impl KeyWorkshop for BlockingWorkshop {
    async fn place(&self) -> Result<KeyPlace, KeyWorkshopFull> {
        self.makers.one().await
    }

    async fn urgent_place(&self) -> Result<KeyPlace, KeyWorkshopFull> {
        self.revocations.one().await
    }
}
