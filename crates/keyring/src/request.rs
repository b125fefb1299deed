use std::time::Duration;

use async_trait::async_trait;
use rustls_pki_types::UnixTime;

use crate::KeyStoreError;

/// How long a second administrator has to confirm what the first asked for: long enough to be woken up, short enough that
/// nobody confirms yesterday's request by habit.
pub const CONFIRM_WITHIN: Duration = Duration::from_secs(15 * 60);

/// A change of a key that waits for a second administrator.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a request is all of it")]
pub struct KeyRequest {
    /// What it is called, at most 64 characters; proves nothing.
    pub id: String,
    /// The domain of the key.
    pub domain: String,
    /// The key.
    pub kid: String,
    /// Who asked, as the file of administrators calls them.
    pub requested_by: String,
    /// When.
    pub requested_at: UnixTime,
    /// From when on nobody can confirm it.
    pub expires_at: UnixTime,
    /// What the first administrator signed, to be verified by whoever carries it out.
    pub statement: String,
}

/// The answer of [`KeyRequestStore::insert_key_request`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "callers act on both")]
pub enum Requested {
    /// It waits from now on.
    Kept,
    /// There is one of this id already, which stays as it is.
    Taken,
}

/// The answer of [`KeyRequestStore::confirm_key_request`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "callers act on each")]
pub enum Confirmation {
    /// Confirmed now, by this call alone: carry it out.
    Confirmed(KeyRequest),
    /// There is no such request.
    Unknown,
    /// Its time is over.
    Lapsed,
    /// Whoever asked cannot confirm.
    SamePerson,
    /// It was confirmed before.
    Used,
}

/// Where requests wait for a second administrator.
///
/// # Security
/// What an implementation may get wrong, and what that costs: a confirmation that is not one atomic statement lets two
/// confirm one request, or one administrator be both.
#[async_trait]
pub trait KeyRequestStore: Send + Sync {
    /// Keeps a request. One of the same id is not replaced.
    ///
    /// # Errors
    /// [`KeyStoreError`] when the store cannot answer.
    async fn insert_key_request(&self, request: &KeyRequest) -> Result<Requested, KeyStoreError>;

    /// Marks the request as confirmed by `by`, if it waits, its time is not over and `by` is not who asked: in one
    /// atomic and durable step.
    ///
    /// # Errors
    /// [`KeyStoreError`] when the store cannot answer; the request may be confirmed then, and is of no use any more.
    async fn confirm_key_request(
        &self,
        id: &str,
        by: &str,
        now: UnixTime,
    ) -> Result<Confirmation, KeyStoreError>;

    /// The requests that wait now, in the order in which they were made.
    ///
    /// # Errors
    /// [`KeyStoreError`] when the store cannot answer.
    async fn key_requests(&self, now: UnixTime) -> Result<Vec<KeyRequest>, KeyStoreError>;
}
