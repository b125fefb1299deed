use async_trait::async_trait;
use sealstone_trail::Read;

/// Events could not be delivered; they are tried again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeliveryError {
    /// Nobody takes the connection, or it broke.
    #[error("the connection failed")]
    Connection(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It was answered with a refusal.
    #[error("it refused the events: {0}")]
    Refused(String),
    /// Nothing was heard in time.
    #[error("it did not answer in time")]
    Deadline,
    /// What is needed to reach it can't be read.
    #[error("its settings can't be used")]
    Settings(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl DeliveryError {
    /// A connection that failed.
    pub fn connection(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Connection(cause.into())
    }

    /// Settings that can't be used.
    pub fn settings(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Settings(cause.into())
    }
}

/// Takes events of a trail.
#[async_trait]
pub trait Receiver: Send {
    /// Delivers these, in this order. It returns when the receiver has them all; otherwise all of them come again.
    ///
    /// # Errors
    /// [`DeliveryError`]. Whatever is connected then is not used again.
    async fn deliver(&mut self, events: &[Read]) -> Result<(), DeliveryError>;
}
