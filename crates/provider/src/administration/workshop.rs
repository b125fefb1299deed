//! Where keys are made for who asks over HTTP: away from the threads that answer everybody else.

use async_trait::async_trait;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A port: where the work on a key ring is done, which takes a processor for as long as an RSA key takes to be found, or
/// waits for a hardware security module.
///
/// # Security
/// Only who has proved to administer the cloud is given a place. An implementation bounds how many there are, and how many
/// wait for one: else one administrator's program, gone wrong, could take every thread.
#[async_trait]
pub trait KeyWorkshop: Send + Sync {
    /// A place to work at, once one is free. Dropping it gives it back.
    ///
    /// # Errors
    /// [`KeyWorkshopFull`], when too many wait already.
    async fn place(&self) -> Result<KeyPlace, KeyWorkshopFull>;

    /// A place for a revocation. Those who only have keys made can't fill these: what a thief holds is taken from them
    /// whatever else is going on.
    ///
    /// # Errors
    /// [`KeyWorkshopFull`], when too many revocations wait already.
    async fn urgent_place(&self) -> Result<KeyPlace, KeyWorkshopFull>;
}

/// Too many keys are being made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "there is no more to say")]
pub struct KeyWorkshopFull {
    /// When there may be a place again.
    pub retry_after: Duration,
}

type Work = BoxFuture<'static, ()>;

/// A place in a [`KeyWorkshop`], for one piece of work.
pub struct KeyPlace(Box<dyn FnOnce(Work) -> Work + Send>);

impl KeyPlace {
    /// A place where work is run by `run`: to its end, whether anybody still waits for it or not, and where it may block its
    /// thread. What `run` owns is given back with the work's end.
    #[must_use]
    pub fn new(run: impl FnOnce(BoxFuture<'static, ()>) -> BoxFuture<'static, ()> + Send + 'static) -> Self {
        Self(Box::new(run))
    }

    /// What the work said; `None` if it did not come to its end.
    pub(super) async fn run<T: Send + 'static>(
        self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let said = Arc::new(Mutex::new(None));
        let heard = Arc::clone(&said);
        let work = async move { *said.lock() = Some(work.await) };
        (self.0)(work.boxed()).await;
        heard.lock().take()
    }
}

impl fmt::Debug for KeyPlace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("KeyPlace").finish_non_exhaustive()
    }
}
