use async_trait::async_trait;
use rustls_pki_types::UnixTime;
use sealstone_identity::DomainId;
use sealstone_oauth_types::{ClientEnd, ClientId, TokenId};
use std::fmt;

/// A token revoked before its end (RFC 7009).
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a stored row: a new member is a migration"
)]
pub struct RevokedToken {
    /// Its `jti`.
    pub token_id: TokenId,
    /// Its `exp`: from then on it needs no mention.
    pub expires_at: UnixTime,
}

/// A client that was disabled or deleted, with what it got until then.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a stored row: a new member is a migration"
)]
pub struct EndedClient {
    /// The client.
    pub client_id: ClientId,
    /// Which of its tokens no longer count.
    pub end: ClientEnd,
    /// When the last of them would have ended: from then on it needs no mention.
    pub forget_at: UnixTime,
}

/// What a verifier asks about a token whose signature is good.
pub trait Revocations: Send + Sync {
    /// Whether this token was revoked.
    fn is_token_revoked(&self, token_id: &str) -> bool;
    /// Whether the key that signed it was revoked: then nothing it signed counts.
    fn is_key_revoked(&self, key_id: &str) -> bool;
    /// Up to where this client's tokens ended with it; `None` for one that did not end.
    fn client_end(&self, client_id: &ClientId) -> Option<ClientEnd>;
}

/// Nothing is revoked: for those who check revocation elsewhere.
#[derive(Debug, Clone, Copy, Default)]
pub struct NothingRevoked;

impl Revocations for NothingRevoked {
    fn is_token_revoked(&self, _token_id: &str) -> bool {
        false
    }

    fn is_key_revoked(&self, _key_id: &str) -> bool {
        false
    }

    fn client_end(&self, _client_id: &ClientId) -> Option<ClientEnd> {
        None
    }
}

/// The revocations could not be read or kept.
#[derive(Debug, thiserror::Error)]
#[error("the revocation store is unavailable")]
pub struct RevocationStoreError(#[source] Box<dyn std::error::Error + Send + Sync>);

impl RevocationStoreError {
    /// Wraps the cause.
    pub fn new(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(cause.into())
    }
}

/// Keeps revoked tokens until they would have expired.
///
/// # Security
/// `revoke` returns only when the revocation is durable: the caller is told that the token is dead.
#[async_trait]
pub trait RevocationStore: Send + Sync + fmt::Debug {
    /// Revokes a token of a domain. Again is the same as once.
    ///
    /// # Errors
    /// When the revocation could not be made durable.
    async fn revoke(&self, domain: &DomainId, token: &RevokedToken) -> Result<(), RevocationStoreError>;

    /// The tokens of a domain that are revoked and not yet expired at `now`.
    ///
    /// # Errors
    /// When the store can't be read.
    async fn revoked(
        &self,
        domain: &DomainId,
        now: UnixTime,
    ) -> Result<Vec<RevokedToken>, RevocationStoreError>;

    /// The clients of a domain that ended, and whose tokens may still be in date at `now`. They are written where a
    /// client is replaced by a disabled one, in the same step.
    ///
    /// # Errors
    /// When the store can't be read.
    async fn ended_clients(
        &self,
        domain: &DomainId,
        now: UnixTime,
    ) -> Result<Vec<EndedClient>, RevocationStoreError>;

    /// Forgets revocations of tokens that have expired at `now`, and clients that ended long enough ago; returns how
    /// many.
    ///
    /// # Errors
    /// When the store can't be written.
    async fn purge(&self, now: UnixTime) -> Result<u64, RevocationStoreError>;
}
