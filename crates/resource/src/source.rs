//! Where the issuer's documents come from.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;

/// A document as it was fetched.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Fetched {
    /// Its octets, no more than were asked for.
    pub body: Bytes,
    /// How long the answer says that it stays fresh (`Cache-Control`, RFC 9111 §5.2.2), if it does.
    pub max_age: Option<Duration>,
}

impl Fetched {
    /// A document without an age of its own.
    #[must_use]
    pub fn new(body: impl Into<Bytes>) -> Self {
        Self {
            body: body.into(),
            max_age: None,
        }
    }

    /// The same document, fresh for `max_age`.
    #[must_use]
    pub const fn with_max_age(mut self, max_age: Duration) -> Self {
        self.max_age = Some(max_age);
        self
    }
}

/// Why a document was not had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// Not an `https` URL, or not one at all.
    #[error("only `https` URLs are fetched")]
    Url,
    /// No connection, no trusted certificate, or the answer broke off.
    #[error("the issuer could not be reached")]
    Connection(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Another status than 200. Redirects are not followed.
    #[error("the issuer answered with status {0} instead of 200")]
    Status(u16),
    /// Longer than is read.
    #[error("the answer is longer than {0} octets")]
    TooLarge(usize),
    /// Not there within the deadline.
    #[error("no complete answer within the deadline")]
    Deadline,
}

/// Fetches the documents that an issuer publishes: its metadata, its key set, its revocations.
///
/// [`HttpsSource`](crate::HttpsSource) is the one to use; a service that keeps keys elsewhere, or a test, brings
/// its own. [`ResourceLayer`](crate::ResourceLayer) bounds each call in time, calls at most once at a time for each
/// document, and asks for `https` URLs only.
///
/// # Security
/// Whoever controls the answer decides which tokens are good. An implementation must authenticate the server
/// against roots that the caller chose, must not follow redirects (one could lead to another host, or to a private
/// address), and must not read more than `limit` octets.
#[async_trait]
pub trait JwksSource: Send + Sync + fmt::Debug {
    /// Fetches the document at `url`, of at most `limit` octets.
    ///
    /// # Errors
    /// A [`SourceError`]. It is logged and the last good document stays in use; [`SourceError::Status`] with 404
    /// makes discovery try the other well-known place.
    async fn fetch(&self, url: &str, limit: usize) -> Result<Fetched, SourceError>;
}
