use crate::error::{BackendError, TokenError};
use sealstone_oauth_types::BearerError;

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
            // Nobody's browser asks as a client.
            TokenError::UnknownIssuer | TokenError::Denied(_) | TokenError::TooManyRequests { .. } => {
                Self::UnknownIssuer
            }
        }
    }
}

impl<E: Into<BackendError>> From<E> for BrowserError {
    fn from(error: E) -> Self {
        Self::Backend(error.into())
    }
}

/// Why there is no answer to a userinfo request (OpenID Connect Core §5.3.3, RFC 6750 §3.1).
#[derive(Debug, thiserror::Error)]
#[expect(clippy::exhaustive_enums, reason = "the edge answers each arm in its own way")]
pub enum UserinfoError {
    /// No such issuer, or one that serves no people: 404.
    #[error("no such issuer")]
    UnknownIssuer,
    /// The token is presented in no way, or in an odd one.
    #[error("{0}")]
    Malformed(#[source] BearerError),
    /// The token is not ours, has ended, was revoked, is not held by the sender, or is of a person or a client who is
    /// gone: 401 `invalid_token`.
    #[error("the token is not accepted")]
    InvalidToken,
    /// The token is of no person who signed in, or lacks `openid`: 403 `insufficient_scope`.
    #[error("the token lacks the scope openid")]
    InsufficientScope,
    /// We can't answer; it is ours to mend.
    #[error("failed: {0}")]
    Backend(#[source] BackendError),
}

impl<E: Into<BackendError>> From<E> for UserinfoError {
    fn from(error: E) -> Self {
        Self::Backend(error.into())
    }
}
