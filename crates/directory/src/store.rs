//! The port by which users are kept.

use std::sync::Arc;

use async_trait::async_trait;
use sealstone_identity::{DomainId, Name, UserId};

use crate::{DirectoryStoreError, DirectoryUser, UserName};

/// The most users that one call of [`DirectoryStore::list_users`] gives.
pub const MAX_USERS_PAGE: usize = 500;

/// Where the directory's users are kept.
///
/// # Security
/// What an implementation may get wrong, and what it costs:
/// - **An answer before the change is durable**: a user who was disabled, or whose password was taken away, is back
///   after a crash.
/// - **`replace_user` that is not atomic**: of two racing writers exactly one may win; a lost update brings back an old
///   password or role.
/// - **A stale answer**: after a change is acknowledged, this process must not see the user as it was, and others on
///   the same store must follow within a second.
/// - **Two names that differ in case alone** within a domain: one of them logs in as the other. Names are one when
///   their [`UserName::key`] is.
/// - **`Ok(None)` when the store could not look**: it turns an outage into a wrong password, and ends sessions.
/// - **Memory that outsiders drive**: `user_named` is asked with whatever is typed on the login page; names that do not
///   exist must not fill a cache.
#[async_trait]
pub trait DirectoryStore: Send + Sync {
    /// The user with this id, enabled or not; `None` if there is none.
    ///
    /// # Errors
    /// [`DirectoryStoreError`] when the store cannot tell.
    async fn user(&self, id: &UserId) -> Result<Option<Arc<DirectoryUser>>, DirectoryStoreError>;

    /// The user of this domain whose name has the same key, enabled or not; `None` if there is none.
    ///
    /// # Errors
    /// [`DirectoryStoreError`] when the store cannot tell.
    async fn user_named(
        &self,
        domain: &DomainId,
        name: &UserName,
    ) -> Result<Option<Arc<DirectoryUser>>, DirectoryStoreError>;

    /// Stores a new user, unless the id or the name is taken or the domain does not exist.
    ///
    /// # Errors
    /// [`DirectoryStoreError`] when it is not known to be stored.
    async fn insert_user(&self, user: DirectoryUser) -> Result<UserInsertion, DirectoryStoreError>;

    /// Replaces the user of the same id if its stored version is `expected_version`, in one step.
    ///
    /// # Errors
    /// [`DirectoryStoreError`] when the outcome is not known.
    async fn replace_user(
        &self,
        expected_version: u64,
        user: DirectoryUser,
    ) -> Result<UserReplacement, DirectoryStoreError>;

    /// Deletes the user, and with it, in the same transaction, what hangs on the id: factors, sessions, consents,
    /// refresh tokens. The id is never given out again; the name may be.
    ///
    /// # Errors
    /// [`DirectoryStoreError`] when the outcome is not known.
    async fn delete_user(&self, id: &UserId) -> Result<UserRemoval, DirectoryStoreError>;

    /// Up to `limit` users of one domain (at most [`MAX_USERS_PAGE`]), ordered by the key of their name in byte order,
    /// beginning behind `after`. `after` is only a bound: it need not name a user.
    ///
    /// # Errors
    /// [`DirectoryStoreError`] when the store cannot tell.
    async fn list_users(
        &self,
        domain: &DomainId,
        after: Option<&UserName>,
        limit: usize,
    ) -> Result<Vec<Arc<DirectoryUser>>, DirectoryStoreError>;

    /// The name of a domain, for services that ask for names alone; `None` if there is no such domain.
    ///
    /// # Errors
    /// [`DirectoryStoreError`] when the store cannot tell.
    async fn domain_name(&self, domain: &DomainId) -> Result<Option<Name>, DirectoryStoreError>;
}

/// What became of an insertion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
#[expect(clippy::exhaustive_enums, reason = "callers must handle every outcome")]
pub enum UserInsertion {
    /// Stored, durably.
    Inserted,
    /// The id is taken; nothing changed.
    Exists,
    /// Another user of the domain has the name; nothing changed.
    NameTaken,
    /// The domain does not exist; nothing changed.
    UnknownDomain,
}

/// What became of a replacement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
#[expect(clippy::exhaustive_enums, reason = "callers must handle every outcome")]
pub enum UserReplacement {
    /// Stored, durably.
    Replaced,
    /// Somebody else changed the user since it was read; nothing changed. Read again and decide again.
    Conflict,
    /// Another user of the domain has the name; nothing changed.
    NameTaken,
    /// There is no such user.
    Missing,
}

/// What became of a deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
#[expect(clippy::exhaustive_enums, reason = "callers must handle every outcome")]
pub enum UserRemoval {
    /// Gone, durably.
    Removed,
    /// There was no such user.
    Missing,
}
