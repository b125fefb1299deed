//! The ports by which clients and domains are kept.

use std::{error::Error, sync::Arc};

use async_trait::async_trait;
use sealstone_identity::DomainId;
use sealstone_oauth_types::ClientId;

use crate::{client::Client, domain::Domain};

/// The most records one call of a `list` gives, whatever is asked for: a page of some 500 KiB.
pub const MAX_PAGE: usize = 500;

/// Where clients are kept.
///
/// # Security
/// What an implementation may get wrong, and what it costs:
/// - **An answer before the change is durable**: a client whose secret was shown once is gone after a crash, or a
///   disabled client comes back. [`Insertion::Inserted`], [`Replacement::Replaced`] and [`Removal::Removed`] mean that
///   the change survives `kill -9` and loss of power.
/// - **`insert` or `replace` that is not atomic**: of two racing writers exactly one may win; a lost update brings
///   back a secret or a right that somebody has just taken away.
/// - **A stale answer of `client`**: after a change is acknowledged, this process must not see the client as it was,
///   and other processes on the same store must follow within a second.
/// - **`Ok(None)` when the store could not look**: it turns an outage into `invalid_client`. That is
///   [`StoreError::Unavailable`].
/// - **Work or memory that outsiders drive**: `client` is called with the id of a request not yet authenticated; ids
///   that do not exist must not fill a cache.
#[async_trait]
pub trait ClientStore: Send + Sync {
    /// The client with this id, enabled or not; `None` if there is none.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot tell.
    async fn client(&self, id: &ClientId) -> Result<Option<Arc<Client>>, StoreError>;

    /// What [`client`](Self::client) would give, where that is known without asking anybody. `None` says nothing: the
    /// client is to be asked for.
    fn remembered(&self, id: &ClientId) -> Option<Arc<Client>> {
        let _unknown = id;
        None
    }

    /// Stores a new client, unless its id is taken or its domain does not exist.
    ///
    /// # Errors
    /// [`StoreError`] when it is not known to be stored; it may be, after [`StoreError::Unavailable`].
    async fn insert(&self, client: Client) -> Result<Insertion, StoreError>;

    /// Replaces the client of the same id if its stored version is `expected_version`, in one step.
    ///
    /// # Errors
    /// [`StoreError::Misuse`] if `client` does not have the version after `expected_version`, as every change made by
    /// [`Client`]'s own methods has; [`StoreError`] when the outcome is not known.
    async fn replace(&self, expected_version: u64, client: Client) -> Result<Replacement, StoreError>;

    /// Deletes the client. Its id may be registered again; its tokens are the caller's to end.
    ///
    /// # Errors
    /// [`StoreError`] when the outcome is not known.
    async fn delete(&self, id: &ClientId) -> Result<Removal, StoreError>;

    /// Up to `limit` clients of one domain (at most [`MAX_PAGE`]), ordered by id in byte order, beginning behind `after`.
    ///
    /// `after` is only a bound: it need not name a client, so a forged one reaches nothing outside `domain`.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot tell.
    async fn list(
        &self,
        domain: &DomainId,
        after: Option<&ClientId>,
        limit: usize,
    ) -> Result<Vec<Arc<Client>>, StoreError>;
}

/// Where domains are kept.
///
/// # Security
/// As for [`ClientStore`]: acknowledged means durable, and an outage is an error, not an absent domain.
#[async_trait]
pub trait DomainStore: Send + Sync {
    /// The domain with this id, enabled or not; `None` if there is none.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot tell.
    async fn domain(&self, id: &DomainId) -> Result<Option<Arc<Domain>>, StoreError>;

    /// Stores a new domain, unless its id is taken. Never answers [`Insertion::UnknownDomain`].
    ///
    /// # Errors
    /// [`StoreError`] when it is not known to be stored.
    async fn insert_domain(&self, domain: Domain) -> Result<Insertion, StoreError>;

    /// Replaces the domain of the same id; the last writer wins. Never answers [`Replacement::Conflict`].
    ///
    /// # Errors
    /// [`StoreError`] when the outcome is not known.
    async fn replace_domain(&self, domain: Domain) -> Result<Replacement, StoreError>;

    /// Up to `limit` domains (at most [`MAX_PAGE`]), ordered by id in byte order, beginning behind `after`.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot tell.
    async fn list_domains(
        &self,
        after: Option<&DomainId>,
        limit: usize,
    ) -> Result<Vec<Arc<Domain>>, StoreError>;
}

/// What became of an insertion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
#[expect(clippy::exhaustive_enums, reason = "callers must handle every outcome")]
pub enum Insertion {
    /// Stored, durably.
    Inserted,
    /// The id is taken; nothing changed.
    Exists,
    /// The client's domain does not exist; nothing changed.
    UnknownDomain,
}

/// What became of a replacement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
#[expect(clippy::exhaustive_enums, reason = "callers must handle every outcome")]
pub enum Replacement {
    /// Stored, durably.
    Replaced,
    /// Somebody else changed the record since it was read; nothing changed. Read again and decide again.
    Conflict,
    /// There is no such record.
    Missing,
}

/// What became of a deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
#[expect(clippy::exhaustive_enums, reason = "callers must handle every outcome")]
pub enum Removal {
    /// Gone, durably.
    Removed,
    /// There was no such record.
    Missing,
}

/// Why a store gave no answer. None of these is the fault of whoever sent the request.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The store cannot be reached, or cannot do its work now. A change may or may not have been made.
    #[error("the store is not available")]
    Unavailable {
        /// What the backend says; its text says what to do.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// A stored record is not what this version writes.
    #[error("a stored record cannot be read: {what}")]
    Corrupt {
        /// Which record.
        what: String,
        /// What is wrong with it.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The caller broke the port's contract.
    #[error("the store was used wrongly: {reason}")]
    Misuse {
        /// Which rule.
        reason: &'static str,
    },
}

impl StoreError {
    /// [`StoreError::Unavailable`] for this cause.
    pub fn unavailable(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Unavailable {
            source: source.into(),
        }
    }
}
