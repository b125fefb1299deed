use std::collections::BTreeMap;

use http::Method;
use rustls_pki_types::UnixTime;
use sealstone_identity::{DomainId, ProjectId, UserId};
use serde::{Deserialize, Serialize, Serializer};

use crate::{
    Group, KeystoneError, KeystoneSession, Label, Project, Secret, moment,
    session::{Change, Query},
};

/// A user.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[non_exhaustive]
pub struct User {
    /// The user's id.
    pub id: UserId,
    /// The user's name.
    pub name: Label,
    /// The domain that owns the user.
    pub domain_id: DomainId,
    /// Whether the user may log in.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// The user's address, if the cloud keeps one.
    pub email: Option<Label>,
    /// What is said about the user.
    pub description: Option<Label>,
    /// Where the user's tokens hold if they do not say.
    pub default_project_id: Option<ProjectId>,
    /// When the password ends. Absent for a password without end, and for a user without one.
    #[serde(default, deserialize_with = "moment::optional")]
    pub password_expires_at: Option<UnixTime>,
    /// When the user last logged in by a password, where Keystone keeps it
    /// (`[security_compliance] disable_user_account_days_inactive`).
    pub last_active_at: Option<Label>,
    /// Keystone's options of this user.
    #[serde(default)]
    pub options: UserOptions,
    /// From which identity providers the user comes; empty for a local one.
    #[serde(default)]
    pub federated: Vec<FederatedOrigin>,
}

const fn yes() -> bool {
    true
}

/// An identity provider that a user comes from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct FederatedOrigin {
    /// The identity provider's id.
    pub idp_id: Label,
}

/// What Keystone may be told about one user alone. Options that are absent are as Keystone has them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct UserOptions {
    /// Whether [`UserOptions::multi_factor_auth_rules`] hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multi_factor_auth_enabled: Option<bool>,
    /// The sets of methods of which one is due. Methods that no rule names stay as they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multi_factor_auth_rules: Option<Vec<Vec<Label>>>,
    /// Whether the user may change the password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lock_password: Option<bool>,
    /// Whether wrong passwords never lock the account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignore_lockout_failure_attempts: Option<bool>,
    /// Whether the password never ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignore_password_expiry: Option<bool>,
    /// Whether the user stays enabled without being active.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignore_user_inactivity: Option<bool>,
    /// Options that this page does not name.
    #[serde(flatten)]
    pub others: BTreeMap<String, serde_json::Value>,
}

/// Which users. By default all that the token may see.
#[derive(Debug, Clone, Default)]
#[expect(clippy::exhaustive_structs, reason = "callers fill what they filter by")]
pub struct UserFilter {
    /// Of this domain.
    pub domain_id: Option<DomainId>,
    /// Of this name.
    pub name: Option<String>,
    /// Enabled, or disabled.
    pub enabled: Option<bool>,
}

/// A change of one user: what is `None` stays.
#[derive(Debug, Clone, Default, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "callers fill what they change")]
pub struct UserUpdate {
    /// Whether the user may log in at all. Disabling revokes every token of the user, at once and for good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// The password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<PasswordChange>,
    /// What is said about the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Options; those that are `None` within stay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub options: Option<UserOptions>,
}

/// What becomes of a password.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_enums, reason = "it is replaced or taken away")]
pub enum PasswordChange {
    /// This is the password from now on. Tokens that were got by the old one are revoked.
    To(Secret),
    /// There is none: nobody logs in by it. Keystone keeps no way back to the old one.
    Removed,
}

impl Serialize for PasswordChange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::To(password) => serializer.serialize_str(password.expose()),
            Self::Removed => serializer.serialize_none(),
        }
    }
}

impl KeystoneSession {
    /// The users that the filter lets through.
    ///
    /// # Errors
    /// [`KeystoneError`].
    pub async fn users(&self, filter: &UserFilter) -> Result<Vec<User>, KeystoneError> {
        let query = Query::default()
            .with("domain_id", filter.domain_id.as_ref().map(DomainId::as_str))
            .with("name", filter.name.as_deref())
            .with(
                "enabled",
                filter
                    .enabled
                    .map(|enabled| if enabled { "true" } else { "false" }),
            );
        self.list("for users", "/users", &query, "users").await
    }

    /// One user.
    ///
    /// # Errors
    /// [`KeystoneError`].
    pub async fn user(&self, id: &UserId) -> Result<User, KeystoneError> {
        self.one("for a user", format!("/users/{id}"), "user").await
    }

    /// Changes a user.
    ///
    /// # Errors
    /// [`KeystoneError`].
    pub async fn update_user(&self, id: &UserId, update: &UserUpdate) -> Result<User, KeystoneError> {
        let change = Change::update("to change a user", format!("/users/{id}"));
        self.change(change, "user", update).await
    }

    /// The groups that a user is in.
    ///
    /// # Errors
    /// [`KeystoneError`].
    pub async fn groups_of(&self, id: &UserId) -> Result<Vec<Group>, KeystoneError> {
        let path = format!("/users/{id}/groups");
        self.list("for a user's groups", &path, &Query::default(), "groups")
            .await
    }

    /// The projects in which a user has a role.
    ///
    /// # Errors
    /// [`KeystoneError`].
    pub async fn projects_of(&self, id: &UserId) -> Result<Vec<Project>, KeystoneError> {
        let path = format!("/users/{id}/projects");
        self.list("for a user's projects", &path, &Query::default(), "projects")
            .await
    }

    /// Deletes a user with all that the user owns.
    ///
    /// # Errors
    /// [`KeystoneError`].
    pub async fn delete_user(&self, id: &UserId) -> Result<(), KeystoneError> {
        self.bare("to delete a user", Method::DELETE, format!("/users/{id}"))
            .await
    }
}
