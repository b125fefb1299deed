use crate::error::{BackendError, TokenError};

/// Why a browser gets neither page nor redirect of its flow. What is wrong with a request is a page
/// ([`View::Error`](super::View::Error)) or goes back to the client.
#[derive(Debug, thiserror::Error)]
#[expect(clippy::exhaustive_enums, reason = "the edge answers each arm in its own way")]
pub enum BrowserError {
    /// No such issuer, or one that serves no people: 404.
    #[error("no such issuer")]
    UnknownIssuer,
    /// We can't answer; it is ours to mend: 503 or 500, a page with the request's id.
    #[error("failed: {0}")]
    Backend(#[source] BackendError),
}

impl From<TokenError> for BrowserError {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Backend(error) => Self::Backend(error),
            TokenError::UnknownIssuer | TokenError::Denied(_) => Self::UnknownIssuer,
        }
    }
}

impl<E: Into<BackendError>> From<E> for BrowserError {
    fn from(error: E) -> Self {
        Self::Backend(error.into())
    }
}
