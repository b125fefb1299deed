use rustls_pki_types::UnixTime;
use sealstone_identity::unix_seconds;
use sealstone_oauth_types::TokenId;
use serde::{Deserialize, Serialize};
use std::error::Error;

/// An access token that was issued, by what it takes to revoke it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "a revocation needs both")]
pub struct IssuedToken {
    /// Its `jti`.
    pub token_id: TokenId,
    /// Its `exp`: from then on it needs no revocation.
    #[serde(with = "unix_seconds")]
    pub expires_at: UnixTime,
}

impl IssuedToken {
    /// Whether a verifier might still take it.
    #[must_use]
    pub fn is_live(&self, now: UnixTime) -> bool {
        now.as_secs() < self.expires_at.as_secs()
    }
}

/// A store of codes, refresh tokens, consents, device requests, interactions or notices gave no answer. It may have
/// written, or not: nothing is granted on it.
#[derive(Debug, thiserror::Error)]
#[error("what people granted can't be read or written")]
pub struct GrantStoreError(#[source] Box<dyn Error + Send + Sync>);

impl GrantStoreError {
    /// For this cause.
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}
