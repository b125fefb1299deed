//! Revocation events, and the catalog of a token.

use rustls_pki_types::UnixTime;
use sealstone_identity::{DomainId, ProjectId, UserId};
use serde::Deserialize;

use crate::{AuditId, Catalog, KeystoneError, KeystoneSession, RoleId, TrustId, moment, session::Query};

/// What Keystone revoked: all tokens that have everything named here and were issued until then.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct RevocationEvent {
    /// Tokens of this user.
    pub user_id: Option<UserId>,
    /// Tokens for this project.
    pub project_id: Option<ProjectId>,
    /// Tokens of this domain.
    pub domain_id: Option<DomainId>,
    /// Tokens with this role.
    pub role_id: Option<RoleId>,
    /// Tokens by this trust.
    #[serde(rename = "OS-TRUST:trust_id")]
    pub trust_id: Option<TrustId>,
    /// This token.
    pub audit_id: Option<AuditId>,
    /// This token and all that were made from it.
    pub audit_chain_id: Option<AuditId>,
    /// Tokens issued at this time or earlier.
    #[serde(deserialize_with = "moment::zoned")]
    pub issued_before: UnixTime,
    /// When it was revoked.
    #[serde(default, deserialize_with = "moment::optional")]
    pub revoked_at: Option<UnixTime>,
}

impl KeystoneSession {
    /// The revocations at or after a time by Keystone's clock, or all that it still keeps.
    ///
    /// # Errors
    /// [`KeystoneError`]; [`KeystoneRefusal::Forbidden`](crate::KeystoneRefusal::Forbidden) for a token that is
    /// neither an administrator's nor a service's.
    pub async fn revocations(&self, since: Option<UnixTime>) -> Result<Vec<RevocationEvent>, KeystoneError> {
        let since = since.map(moment::text);
        let query = Query::default().with("since", since.as_deref());
        self.list("for revocations", "/OS-REVOKE/events", &query, "events")
            .await
    }

    /// The services that the token may use.
    ///
    /// # Errors
    /// [`KeystoneError`].
    pub async fn catalog(&self) -> Result<Catalog, KeystoneError> {
        self.one("for the catalog", "/auth/catalog".to_owned(), "catalog")
            .await
    }
}
