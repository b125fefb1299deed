use crate::{GrantStoreError, IssuedToken};
use async_trait::async_trait;
use rustls_pki_types::UnixTime;
use sealstone_identity::{DomainId, UserId};
use sealstone_login::Sid;
use sealstone_oauth_types::ClientId;

use super::{FamilyId, RefreshFamily};

/// One use of a family, as the rules decided it: what the store writes, in one step.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a store writes all of it")]
pub struct RefreshRotation {
    /// The generation that the decision was made on.
    pub expected_generation: u64,
    /// The family as it is to be: one generation on.
    pub next: RefreshFamily,
    /// Access tokens of the family that there is no more room for: revoked in the same step.
    pub revoked: Vec<IssuedToken>,
}

/// What became of a use.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the driver goes on from each")]
pub enum Rotation {
    /// Written, durably: the answer may be given.
    Rotated,
    /// Nothing was written: another use came before this one, and this is the family now. The rules judge it again.
    Changed(Box<RefreshFamily>),
    /// Nothing was written: the family has ended.
    Ended,
}

/// Which families are to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a store finds each")]
pub enum Ending<'a> {
    /// This one.
    Family(&'a FamilyId),
    /// Those of [`FamilyLifetime::Session`](super::FamilyLifetime::Session) made in this session.
    Session {
        /// The domain.
        domain: &'a DomainId,
        /// The session.
        sid: &'a Sid,
    },
    /// All of one person.
    User {
        /// The domain.
        domain: &'a DomainId,
        /// The person.
        user_id: &'a UserId,
    },
    /// All of one person at one client: the consent was taken back.
    UserAtClient {
        /// The domain.
        domain: &'a DomainId,
        /// The person.
        user_id: &'a UserId,
        /// The client.
        client_id: &'a ClientId,
    },
    /// All of one client: it was disabled or deleted.
    Client(&'a ClientId),
}

/// A family that has ended, for the audit trail.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "an audit event names all of it")]
pub struct EndedFamily {
    /// Which family.
    pub id: FamilyId,
    /// Whose.
    pub user_id: UserId,
    /// Of which client.
    pub client_id: ClientId,
    /// The access tokens that were revoked with it.
    pub revoked: Vec<IssuedToken>,
}

/// Keeps refresh families. They are made by [`CodeStore::redeem`](crate::code::CodeStore::redeem) and
/// [`DeviceStore::redeem_device`](crate::device::DeviceStore::redeem_device), in one step with what they are given for.
///
/// # Security
/// What an implementation may get wrong, and what it costs:
/// - **Read, then write** in [`RefreshStore::rotate`]: two uses of one token make two descendants. The comparison with
///   what is stored and the write are one atomic step, for all processes that share the store.
/// - **An answer before the write is durable**: after a crash the parent counts again, and its child, which the client
///   has, is one that nobody made.
/// - **Ending without revoking**: [`RefreshStore::end`] puts every live access token of a family into the revocations in
///   the step that removes the family, or a thief keeps them.
/// - **Losing what does not fit**: `rotate` revokes [`RefreshRotation::revoked`] in the same step.
/// - **Looking up by text**: families are found by [`FamilyId`], a hash; comparing hashes tells nothing.
#[async_trait]
pub trait RefreshStore: Send + Sync {
    /// The family with this id, whether its dates have passed or not; `None` if it ended or never was.
    ///
    /// # Errors
    /// [`GrantStoreError`] when the store cannot tell.
    async fn family(&self, id: &FamilyId) -> Result<Option<Box<RefreshFamily>>, GrantStoreError>;

    /// Writes one use, as [`RefreshRotation::onto`] says for the family that is stored, in one step. A statement that
    /// compares `expected_generation` does for most.
    ///
    /// # Errors
    /// [`GrantStoreError`] when it is not known whether it is written.
    async fn rotate(&self, rotation: &RefreshRotation) -> Result<Rotation, GrantStoreError>;

    /// Ends families and revokes their access tokens that live at `now`, in one step. Returns which. None is no error.
    ///
    /// # Errors
    /// [`GrantStoreError`] when it is not known whether they ended.
    async fn end(&self, which: Ending<'_>, now: UnixTime) -> Result<Vec<EndedFamily>, GrantStoreError>;

    /// The families of one person in a domain, the newest first, at most `limit`: for the account page.
    ///
    /// # Errors
    /// [`GrantStoreError`] when the store cannot tell.
    async fn families_of(
        &self,
        domain: &DomainId,
        user_id: &UserId,
        limit: usize,
    ) -> Result<Vec<RefreshFamily>, GrantStoreError>;

    /// Forgets families that have [expired](RefreshFamily::expires_at). Their access tokens have ended, or end by
    /// themselves within their life. Returns how many.
    ///
    /// # Errors
    /// [`GrantStoreError`].
    async fn purge_families(&self, now: UnixTime) -> Result<u64, GrantStoreError>;
}
