use crate::{
    GrantStoreError, IssuedToken,
    refresh::{EndedFamily, RefreshFamily},
};
use async_trait::async_trait;
use rustls_pki_types::UnixTime;
use sealstone_oauth_types::TokenHash;

use super::{CodeRecord, StoredCode};

/// What is given for a code, or for a device code: written in the step that spends it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a store writes all of it")]
pub struct Redemption {
    /// The access token.
    pub token: IssuedToken,
    /// The refresh family that begins, if one does.
    pub family: Option<RefreshFamily>,
}

/// What became of an exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the driver goes on from each")]
pub enum Redeemed {
    /// It is spent, and what it gave is kept, durably: the answer may be given.
    Done,
    /// It was spent before. What that gave has ended now.
    Spent(Spending),
    /// There is no such code.
    Unknown,
}

/// What a second use ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "an audit event names all of it")]
pub struct Spending {
    /// The family, if it still stood.
    pub family: Option<EndedFamily>,
    /// The access token of the first use, if it still lived: revoked.
    pub revoked: Option<IssuedToken>,
}

/// Keeps authorization codes.
///
/// # Security
/// What an implementation may get wrong, and what it costs:
/// - **Read, then write**: two exchanges of one code both give tokens. [`CodeStore::redeem`] is one atomic step for all
///   processes that share the store: the code is fresh, and is marked, and the family is inserted, or nothing is.
/// - **An answer before the mark is durable**: after a crash the code is good again.
/// - **Forgetting the spent early**: whoever exchanges a stolen code first keeps its tokens. Until
///   [`CodeRecord::forget_at`] a spent code is kept with what it gave.
/// - **Ending in two steps**: a second use removes the family, and revokes its live access tokens and the first one, in
///   the step that finds the code spent.
#[async_trait]
pub trait CodeStore: Send + Sync {
    /// Keeps a new code.
    ///
    /// # Errors
    /// [`GrantStoreError`] when it is not known to be kept.
    async fn insert_code(&self, code: CodeRecord) -> Result<(), GrantStoreError>;

    /// The code with this hash, spent or not, expired or not. Changes nothing: it is asked before the client's right to
    /// the code is known.
    ///
    /// # Errors
    /// [`GrantStoreError`] when the store cannot tell.
    async fn code(&self, hash: &TokenHash) -> Result<Option<Box<StoredCode>>, GrantStoreError>;

    /// Spends a fresh code for what it gives; a spent one ends what it gave.
    ///
    /// Of the person's other families at the client the 99 that would end last stay, and the rest end in the same step:
    /// [`MAX_FAMILIES_AT_CLIENT`](crate::refresh::MAX_FAMILIES_AT_CLIENT). Ties are broken by what began first, then by id.
    ///
    /// # Errors
    /// [`GrantStoreError`] when it is not known which: the caller gives nothing.
    async fn redeem(
        &self,
        hash: &TokenHash,
        redemption: &Redemption,
        now: UnixTime,
    ) -> Result<Redeemed, GrantStoreError>;

    /// Spends a fresh code for nothing: its client brought a wrong proof. A spent one ends what it gave.
    ///
    /// # Errors
    /// [`GrantStoreError`] when it is not known whether it is spent.
    async fn spend(&self, hash: &TokenHash, now: UnixTime) -> Result<Redeemed, GrantStoreError>;

    /// Forgets codes whose `forget_at` is not after `now`. Returns how many.
    ///
    /// # Errors
    /// [`GrantStoreError`].
    async fn purge_codes(&self, now: UnixTime) -> Result<u64, GrantStoreError>;
}
