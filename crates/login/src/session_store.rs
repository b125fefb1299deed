use async_trait::async_trait;
use rustls_pki_types::UnixTime;
use sealstone_identity::{DomainId, UserId};
use sealstone_oauth_types::TokenHash;

use crate::{LoginStoreError, Session, Sid, Swap};

/// The most sessions that one call lists: one page of `/account`, which is as many as a person has.
pub const MAX_SESSIONS_PAGE: usize = 100;

/// Where sessions are kept.
///
/// # Security
/// What an implementation may get wrong, and what it costs:
/// - **An answer from memory after an end**: who signed out is still signed in. [`SessionStore::end_session`] counts for every
///   process that shares the store, at once.
/// - **A write that is not compare-and-swap**: a use that was read before an end brings the session back.
///   [`SessionStore::replace_session`] never inserts.
/// - **`Ok(None)` when the store could not look**: harmless here (the person signs in again), and still an error.
/// - **Sessions of another domain**: every list and end is of one domain.
#[async_trait]
pub trait SessionStore: Send + Sync {
    /// Stores a new session. Acknowledged means durable.
    ///
    /// # Errors
    /// [`LoginStoreError`], also for an id that is taken.
    async fn insert_session(&self, session: &Session) -> Result<(), LoginStoreError>;

    /// The session with this id, ended by time or not.
    ///
    /// # Errors
    /// [`LoginStoreError`].
    async fn session(&self, id: &TokenHash) -> Result<Option<Session>, LoginStoreError>;

    /// The session with this name in this domain.
    ///
    /// # Errors
    /// [`LoginStoreError`].
    async fn session_by_sid(&self, domain: &DomainId, sid: &Sid) -> Result<Option<Session>, LoginStoreError>;

    /// Replaces the session of the same `sid` if its version is `expected_version`, in one step. The id may be
    /// another: the one before then finds nothing.
    ///
    /// # Errors
    /// [`LoginStoreError`].
    async fn replace_session(
        &self,
        expected_version: u64,
        session: &Session,
    ) -> Result<Swap, LoginStoreError>;

    /// Ends the session. Returns it as it was; `None` when there was none.
    ///
    /// # Errors
    /// [`LoginStoreError`] when it is not known to be ended.
    async fn end_session(&self, id: &TokenHash) -> Result<Option<Session>, LoginStoreError>;

    /// Ends every session of one person in one domain. Returns them as they were.
    ///
    /// # Errors
    /// [`LoginStoreError`] when they are not known to be ended.
    async fn end_sessions_of(
        &self,
        domain: &DomainId,
        user: &UserId,
    ) -> Result<Vec<Session>, LoginStoreError>;

    /// Up to `limit` sessions of one person in one domain (at most [`MAX_SESSIONS_PAGE`]), ordered by `sid`, beginning
    /// behind `after`.
    ///
    /// # Errors
    /// [`LoginStoreError`].
    async fn sessions_of(
        &self,
        domain: &DomainId,
        user: &UserId,
        after: Option<&Sid>,
        limit: usize,
    ) -> Result<Vec<Session>, LoginStoreError>;

    /// Forgets the sessions whose [`Session::expires_at`] is not after `now`. Returns how many.
    ///
    /// # Errors
    /// [`LoginStoreError`].
    async fn purge_sessions(&self, now: UnixTime) -> Result<u64, LoginStoreError>;
}
