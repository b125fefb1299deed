use crate::{
    GrantStoreError, PersonGrant,
    code::{Redeemed, Redemption},
};
use async_trait::async_trait;
use rustls_pki_types::UnixTime;
use sealstone_identity::DomainId;
use sealstone_oauth_types::{TokenHash, UserCode};

use super::{DeviceRequest, Poll};

/// What became of a new request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the driver goes on from each")]
pub enum DeviceInsertion {
    /// It is kept.
    Inserted,
    /// Another open request of the domain has the same user code: draw again.
    CodeTaken,
    /// The client, or the domain, has as many open requests as may be.
    Full,
}

/// What a person decided about a request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a store writes each")]
pub enum DeviceDecision {
    /// Yes, for this.
    Approve(Box<PersonGrant>),
    /// No.
    Deny,
}

/// What became of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the driver goes on from each")]
pub enum Decided {
    /// It is written, durably.
    Done,
    /// Nothing was written: the request was decided before, has ended, or never was.
    TooLate,
}

/// Keeps device requests.
///
/// # Security
/// What an implementation may get wrong, and what it costs:
/// - **Two decisions**: a request is decided once, in one atomic step that finds it pending and in date; else a person's
///   "no" is overtaken by another's "yes".
/// - **Two collections**: as for [`CodeStore::redeem`](crate::code::CodeStore::redeem).
/// - **A user code that names two requests** of one domain: a person approves another's device.
/// - **No bound**: anybody may ask for device codes; [`MAX_DEVICE_REQUESTS`](super::MAX_DEVICE_REQUESTS) for each domain
///   and [`MAX_DEVICE_REQUESTS_OF_CLIENT`](super::MAX_DEVICE_REQUESTS_OF_CLIENT) for each client count those that are in
///   date.
#[async_trait]
pub trait DeviceStore: Send + Sync {
    /// Keeps a new request, unless its user code is taken in its domain or there are too many. Requests that have
    /// expired at its `created_at` take no code and no room.
    ///
    /// # Errors
    /// [`GrantStoreError`] when it is not known to be kept.
    async fn insert_device(&self, request: DeviceRequest) -> Result<DeviceInsertion, GrantStoreError>;

    /// The request with this device code, in date or not. Changes nothing: it is asked before the client's right to the
    /// code is known.
    ///
    /// # Errors
    /// [`GrantStoreError`] when the store cannot tell.
    async fn device(&self, hash: &TokenHash) -> Result<Option<Box<DeviceRequest>>, GrantStoreError>;

    /// The request of this domain with this user code, if it is in date at `now`.
    ///
    /// # Errors
    /// [`GrantStoreError`] when the store cannot tell.
    async fn device_by_user_code(
        &self,
        domain: &DomainId,
        user_code: &UserCode,
        now: UnixTime,
    ) -> Result<Option<Box<DeviceRequest>>, GrantStoreError>;

    /// Writes a decision, if the request is pending and in date at `now`.
    ///
    /// # Errors
    /// [`GrantStoreError`] when it is not known whether it is written.
    async fn decide(
        &self,
        hash: &TokenHash,
        decision: &DeviceDecision,
        now: UnixTime,
    ) -> Result<Decided, GrantStoreError>;

    /// Answers a poll and notes it, by [`DeviceRequest::polled`], in one step. `None` if there is no such request.
    ///
    /// A note that is lost in a crash does no harm: it need not be durable.
    ///
    /// # Errors
    /// [`GrantStoreError`] when the store cannot tell.
    async fn poll(&self, hash: &TokenHash, now: UnixTime) -> Result<Option<Poll>, GrantStoreError>;

    /// Spends an approved request for what it gives, as [`CodeStore::redeem`](crate::code::CodeStore::redeem) does; one
    /// that was spent ends what it gave. A pending or denied one is [`Redeemed::Unknown`].
    ///
    /// # Errors
    /// [`GrantStoreError`] when it is not known which: the caller gives nothing.
    async fn redeem_device(
        &self,
        hash: &TokenHash,
        redemption: &Redemption,
        now: UnixTime,
    ) -> Result<Redeemed, GrantStoreError>;

    /// Forgets requests that expired [`CODE_MEMORY`](crate::code::CODE_MEMORY) ago or more. Returns how many.
    ///
    /// # Errors
    /// [`GrantStoreError`].
    async fn purge_devices(&self, now: UnixTime) -> Result<u64, GrantStoreError>;
}
