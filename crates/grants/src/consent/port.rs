use crate::GrantStoreError;
use async_trait::async_trait;
use rustls_pki_types::UnixTime;
use sealstone_identity::{DomainId, ProjectId, UserId, unix_seconds};
use sealstone_oauth_types::{ClientId, ScopeSet};
use serde::{Deserialize, Serialize};

/// What one person lets one client have without being asked again. There is one record for the three together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a stored record: a new member is decided where consents are made"
)]
pub struct Consent {
    /// The domain.
    pub domain: DomainId,
    /// The person.
    pub user_id: UserId,
    /// The client.
    pub client_id: ClientId,
    /// When that client was registered: what was let to it is not let to another of the same id.
    #[serde(with = "unix_seconds")]
    pub client_created_at: UnixTime,
    /// All that was let, by one answer or several.
    pub scope: ScopeSet,
    /// The project that was chosen last for `openstack:api`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<ProjectId>,
    /// When something was let last.
    #[serde(with = "unix_seconds")]
    pub granted_at: UnixTime,
}

/// Keeps consents.
///
/// # Security
/// What an implementation may get wrong, and what it costs:
/// - **A consent of another person, client or domain**: somebody's data goes where they never let it go. All three are
///   compared exactly.
/// - **A consent that comes back** after it was removed, from a cache or a write that came late.
#[async_trait]
pub trait ConsentStore: Send + Sync {
    /// What this person lets this client have.
    ///
    /// # Errors
    /// [`GrantStoreError`] when the store cannot tell.
    async fn consent(
        &self,
        domain: &DomainId,
        user_id: &UserId,
        client_id: &ClientId,
    ) -> Result<Option<Consent>, GrantStoreError>;

    /// Keeps a consent in place of the one before it.
    ///
    /// # Errors
    /// [`GrantStoreError`] when it is not known to be kept.
    async fn put_consent(&self, consent: &Consent) -> Result<(), GrantStoreError>;

    /// The consents of one person in a domain, by client, at most `limit`: for the account page.
    ///
    /// # Errors
    /// [`GrantStoreError`] when the store cannot tell.
    async fn consents_of(
        &self,
        domain: &DomainId,
        user_id: &UserId,
        limit: usize,
    ) -> Result<Vec<Consent>, GrantStoreError>;

    /// Takes a consent back. Says whether there was one. What was issued on it is ended by
    /// [`Ending::UserAtClient`](crate::refresh::Ending::UserAtClient).
    ///
    /// # Errors
    /// [`GrantStoreError`] when it is not known to be gone.
    async fn remove_consent(
        &self,
        domain: &DomainId,
        user_id: &UserId,
        client_id: &ClientId,
    ) -> Result<bool, GrantStoreError>;
}
