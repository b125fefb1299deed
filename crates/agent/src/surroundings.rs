use std::{fmt, time::Duration};

use async_trait::async_trait;
use rustls_pki_types::UnixTime;

/// What an agent asks of the machine that it runs on: the time, waiting, and chance.
///
/// A test brings its own, and nothing is waited for.
#[async_trait]
pub trait Surroundings: Send + Sync + fmt::Debug {
    /// What time it is.
    fn now(&self) -> UnixTime;

    /// Returns when this span is over.
    async fn sleep(&self, span: Duration);

    /// Any number, each as likely as the others: it parts what many machines would do at the same moment.
    fn random(&self) -> u64;
}
