use sealstone_identity::DomainId;
use serde::Deserialize;

use crate::{KeystoneError, KeystoneSession, Label, RoleId, RoleRef, session::Query};

/// A role.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Role {
    /// Its id.
    pub id: RoleId,
    /// Its name.
    pub name: Label,
    /// The domain that it is of, if it is no role of the whole cloud. Such a role shows in no token: it only implies
    /// others.
    pub domain_id: Option<DomainId>,
    /// What is said about it.
    pub description: Option<Label>,
}

/// Whoever has one role has these, too.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct RoleInference {
    /// The role that is had.
    pub prior_role: RoleRef,
    /// Those that it implies, one step down.
    pub implies: Vec<RoleRef>,
}

impl KeystoneSession {
    /// The roles of the whole cloud, or those of one domain.
    ///
    /// # Errors
    /// [`KeystoneError`].
    pub async fn roles(&self, domain_id: Option<&DomainId>) -> Result<Vec<Role>, KeystoneError> {
        let query = Query::default().with("domain_id", domain_id.map(DomainId::as_str));
        self.list("for roles", "/roles", &query, "roles").await
    }

    /// One role.
    ///
    /// # Errors
    /// [`KeystoneError`].
    pub async fn role(&self, id: &RoleId) -> Result<Role, KeystoneError> {
        self.one("for a role", format!("/roles/{id}"), "role").await
    }

    /// Which roles imply which.
    ///
    /// # Errors
    /// [`KeystoneError`].
    pub async fn role_inferences(&self) -> Result<Vec<RoleInference>, KeystoneError> {
        self.list(
            "which roles imply others",
            "/role_inferences",
            &Query::default(),
            "role_inferences",
        )
        .await
    }

    /// What one role implies, one step down.
    ///
    /// # Errors
    /// [`KeystoneError`].
    pub async fn implied_by(&self, id: &RoleId) -> Result<RoleInference, KeystoneError> {
        self.one(
            "what a role implies",
            format!("/roles/{id}/implies"),
            "role_inference",
        )
        .await
    }
}
