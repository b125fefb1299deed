use std::{fmt, sync::Arc};

use async_trait::async_trait;
use rustls_pki_types::UnixTime;
use zeroize::Zeroizing;

use crate::MachinePair;

/// An access token, and how long it is good. `Debug` does not show it.
#[derive(Clone)]
pub struct AgentToken(Arc<Token>);

struct Token {
    text: Zeroizing<String>,
    scope: Option<String>,
    since: UnixTime,
    until: UnixTime,
}

impl AgentToken {
    /// A token that was asked for at `since` and ends at `until`, by this machine's clock.
    #[must_use]
    pub fn new(text: &str, scope: Option<&str>, since: UnixTime, until: UnixTime) -> Self {
        Self(Arc::new(Token {
            text: Zeroizing::new(text.to_owned()),
            scope: scope.map(str::to_owned),
            since,
            until,
        }))
    }

    /// The token itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0.text
    }

    /// What it allows, if the server said so.
    #[must_use]
    pub fn scope(&self) -> Option<&str> {
        self.0.scope.as_deref()
    }

    /// When it was asked for.
    #[must_use]
    pub fn since(&self) -> UnixTime {
        self.0.since
    }

    /// From when on it is no good.
    #[must_use]
    pub fn until(&self) -> UnixTime {
        self.0.until
    }
}

impl fmt::Debug for AgentToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("AgentToken")
            .field("until", &self.0.until.as_secs())
            .finish_non_exhaustive()
    }
}

/// Why there is no token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenFault {
    /// The server was not reached, or gave no answer that can be read.
    #[error("{0}")]
    Unanswered(String),
    /// The server said no.
    #[error("{0}")]
    Refused(String),
    /// The token is not bound to the certificate that it was asked for with.
    #[error(
        "the server gave a token that is not bound to the certificate, which anybody could use; it is not used. Register the \
         client with tls_client_certificate_bound_access_tokens"
    )]
    Unbound,
    /// The answer cannot be used.
    #[error("the server's answer cannot be used ({0}): tell its operator")]
    Unusable(&'static str),
}

/// Where tokens come from.
///
/// What it gives must be bound to the certificate of `pair`: the agent shows the two together and never asks again.
#[async_trait]
pub trait TokenSource: Send + Sync + fmt::Debug {
    /// A new token for the holder of `pair`.
    ///
    /// # Errors
    /// [`TokenFault`].
    async fn token(&self, pair: &MachinePair, now: UnixTime) -> Result<AgentToken, TokenFault>;
}
