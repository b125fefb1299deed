use http::Method;
use rustls_pki_types::UnixTime;
use sealstone_identity::{ProjectId, UserId};
use serde::{Deserialize, Serialize};

use crate::{
    KeystoneError, KeystoneSession, RoleKey, RoleRef, TrustId, moment,
    session::{Change, Query},
};

/// A trust: roles in one project that one user lends to another.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Trust {
    /// Its id.
    pub id: TrustId,
    /// Who lends.
    pub trustor_user_id: UserId,
    /// Who uses it.
    pub trustee_user_id: UserId,
    /// The project that it is for.
    pub project_id: Option<ProjectId>,
    /// Whether its tokens are in the trustor's name.
    pub impersonation: bool,
    /// When it ends, if it does.
    #[serde(default, deserialize_with = "moment::optional")]
    pub expires_at: Option<UnixTime>,
    /// How often it may still be used, if that is counted.
    pub remaining_uses: Option<u64>,
    /// The roles that it lends; lists leave them out.
    pub roles: Option<Vec<RoleRef>>,
}

/// A trust to be made by the trustor.
#[derive(Debug, Clone, Serialize)]
pub struct NewTrust {
    trustor_user_id: UserId,
    trustee_user_id: UserId,
    project_id: ProjectId,
    impersonation: bool,
    roles: Vec<RoleKey>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remaining_uses: Option<u64>,
}

impl NewTrust {
    /// A trust in the trustee's own name, without end.
    #[must_use]
    pub const fn new(trustor: UserId, trustee: UserId, project: ProjectId, roles: Vec<RoleKey>) -> Self {
        Self {
            trustor_user_id: trustor,
            trustee_user_id: trustee,
            project_id: project,
            impersonation: false,
            roles,
            expires_at: None,
            remaining_uses: None,
        }
    }

    /// Its tokens are in the trustor's name.
    #[must_use]
    pub const fn impersonating(mut self) -> Self {
        self.impersonation = true;
        self
    }

    /// Ends it at this time.
    #[must_use]
    pub fn ending_at(mut self, end: UnixTime) -> Self {
        self.expires_at = Some(moment::text(end));
        self
    }

    /// Ends it after that many tokens.
    #[must_use]
    pub const fn with_uses(mut self, uses: u64) -> Self {
        self.remaining_uses = Some(uses);
        self
    }
}

impl KeystoneSession {
    /// The trusts that the token may see: all of them, or those that `trustor` lends.
    ///
    /// # Errors
    /// [`KeystoneError`].
    pub async fn trusts(&self, trustor: Option<&UserId>) -> Result<Vec<Trust>, KeystoneError> {
        let query = Query::default().with("trustor_user_id", trustor.map(UserId::as_str));
        self.list("for trusts", "/OS-TRUST/trusts", &query, "trusts")
            .await
    }

    /// One trust, with its roles.
    ///
    /// # Errors
    /// [`KeystoneError`].
    pub async fn trust(&self, id: &TrustId) -> Result<Trust, KeystoneError> {
        self.one("for a trust", format!("/OS-TRUST/trusts/{id}"), "trust")
            .await
    }

    /// Makes a trust; the session's token must be the trustor's.
    ///
    /// # Errors
    /// [`KeystoneError`].
    pub async fn create_trust(&self, new: &NewTrust) -> Result<Trust, KeystoneError> {
        let change = Change::create("to make a trust", "/OS-TRUST/trusts".to_owned());
        self.change(change, "trust", new).await
    }

    /// Deletes a trust. Its tokens end at once.
    ///
    /// # Errors
    /// [`KeystoneError`].
    pub async fn delete_trust(&self, id: &TrustId) -> Result<(), KeystoneError> {
        self.bare(
            "to delete a trust",
            Method::DELETE,
            format!("/OS-TRUST/trusts/{id}"),
        )
        .await
    }
}
