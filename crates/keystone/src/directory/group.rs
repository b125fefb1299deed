use sealstone_identity::{DomainId, UserId};
use serde::Deserialize;

use crate::{GroupId, KeystoneError, KeystoneSession, Label, User, session::Query};

/// A group of users.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Group {
    /// Its id.
    pub id: GroupId,
    /// Its name.
    pub name: Label,
    /// The domain that owns it.
    pub domain_id: DomainId,
    /// What is said about it.
    pub description: Option<Label>,
}

impl KeystoneSession {
    /// The groups, of one domain or of all.
    ///
    /// # Errors
    /// [`KeystoneError`].
    pub async fn groups(&self, domain_id: Option<&DomainId>) -> Result<Vec<Group>, KeystoneError> {
        let query = Query::default().with("domain_id", domain_id.map(DomainId::as_str));
        self.list("for groups", "/groups", &query, "groups").await
    }

    /// One group.
    ///
    /// # Errors
    /// [`KeystoneError`].
    pub async fn group(&self, id: &GroupId) -> Result<Group, KeystoneError> {
        self.one("for a group", format!("/groups/{id}"), "group").await
    }

    /// The users in a group.
    ///
    /// # Errors
    /// [`KeystoneError`].
    pub async fn members(&self, id: &GroupId) -> Result<Vec<User>, KeystoneError> {
        let path = format!("/groups/{id}/users");
        self.list("for a group's users", &path, &Query::default(), "users")
            .await
    }

    /// Whether a user is in a group.
    ///
    /// # Errors
    /// [`KeystoneError`].
    pub async fn is_member(&self, group: &GroupId, user: &UserId) -> Result<bool, KeystoneError> {
        let path = format!("/groups/{group}/users/{user}");
        self.holds("whether a user is in a group", path).await
    }
}
