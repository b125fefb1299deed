use http::Method;
use rustls_pki_types::UnixTime;
use sealstone_identity::{AccessRule as IdentityRule, ApplicationCredentialId, ProjectId, UserId};
use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::SerializeMap as _};

use crate::{
    AccessRuleId, Fault, KeystoneError, KeystoneSession, Label, RoleId, RoleRef, Secret, moment,
    session::{Change, Query},
};

/// An application credential, without its secret: Keystone shows that once.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct ApplicationCredential {
    /// Its id.
    pub id: ApplicationCredentialId,
    /// The name that its owner gave it.
    pub name: Label,
    /// What is said about it.
    pub description: Option<Label>,
    /// Whose it is, where Keystone says so: its older releases leave it out.
    pub user_id: Option<UserId>,
    /// The project that its tokens are for.
    pub project_id: ProjectId,
    /// The roles that it hands on.
    pub roles: Vec<RoleRef>,
    /// When it ends, if it does.
    #[serde(default, deserialize_with = "moment::optional")]
    pub expires_at: Option<UnixTime>,
    /// Whether it may make and delete further credentials and trusts: the dangerous kind. Keystone keeps `null` for
    /// those that were made without a word about it, and takes it for "no".
    #[serde(default, deserialize_with = "null_is_false")]
    pub unrestricted: bool,
    /// The only requests that it allows; `None` leaves that to the roles.
    pub access_rules: Option<Vec<AccessRule>>,
}

fn null_is_false<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// An access rule, as Keystone keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct AccessRule {
    /// Its id.
    pub id: AccessRuleId,
    /// The service's type.
    pub service: Label,
    /// The HTTP method.
    pub method: Label,
    /// The path.
    pub path: Label,
}

/// A role, by id or by name.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "Keystone takes these two")]
pub enum RoleKey {
    /// By id.
    Id(RoleId),
    /// By name.
    Name(String),
}

impl Serialize for RoleKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        match self {
            Self::Id(id) => map.serialize_entry("id", id)?,
            Self::Name(name) => map.serialize_entry("name", name)?,
        }
        map.end()
    }
}

/// A credential to be made, for the project and in the name of the session's token. Keystone lets nobody make one for
/// somebody else.
///
/// It is restricted; without roles it hands on all that the token has.
#[derive(Debug, Clone, Serialize)]
pub struct NewApplicationCredential {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    roles: Vec<RoleKey>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    unrestricted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    access_rules: Option<Vec<IdentityRule>>,
}

impl NewApplicationCredential {
    /// A restricted credential of this name, unique among its owner's.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            description: None,
            roles: Vec::new(),
            expires_at: None,
            unrestricted: false,
            access_rules: None,
        }
    }

    /// Says something about it.
    #[must_use]
    pub fn with_description(mut self, description: &str) -> Self {
        self.description = Some(description.to_owned());
        self
    }

    /// Hands on these roles and no more.
    #[must_use]
    pub fn with_roles(mut self, roles: Vec<RoleKey>) -> Self {
        self.roles = roles;
        self
    }

    /// Allows these requests and no more.
    #[must_use]
    pub fn with_access_rules(mut self, rules: Vec<IdentityRule>) -> Self {
        self.access_rules = Some(rules);
        self
    }

    /// Ends it at this time.
    #[must_use]
    pub fn ending_at(mut self, end: UnixTime) -> Self {
        self.expires_at = Some(moment::text(end));
        self
    }

    /// Lets it make and delete further credentials and trusts.
    ///
    /// # Security
    /// Whoever steals it makes more of them, which outlive it.
    #[must_use]
    pub const fn dangerous_unrestricted(mut self) -> Self {
        self.unrestricted = true;
        self
    }
}

/// A credential just made.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CreatedApplicationCredential {
    /// The credential.
    pub credential: ApplicationCredential,
    /// Its secret, which is never shown again.
    pub secret: Secret,
}

impl KeystoneSession {
    /// A user's application credentials.
    ///
    /// # Errors
    /// [`KeystoneError`].
    pub async fn application_credentials(
        &self,
        user: &UserId,
    ) -> Result<Vec<ApplicationCredential>, KeystoneError> {
        let path = format!("/users/{user}/application_credentials");
        let member = "application_credentials";
        self.list("for application credentials", &path, &Query::default(), member)
            .await
    }

    /// One application credential.
    ///
    /// Keystone finds it by its id alone, whosever it is. That it is `user`'s is checked here: by the answer, or by
    /// the list of the user's credentials where the answer does not say.
    ///
    /// # Errors
    /// [`KeystoneError`]; [`Fault::Mismatch`] if the answer is about another, or another's.
    pub async fn application_credential(
        &self,
        user: &UserId,
        id: &ApplicationCredentialId,
    ) -> Result<ApplicationCredential, KeystoneError> {
        let operation = "for an application credential";
        let path = format!("/users/{user}/application_credentials/{id}");
        let found: ApplicationCredential = self.one(operation, path, "application_credential").await?;
        let is_theirs = match &found.user_id {
            Some(owner) => owner == user,
            None => {
                let theirs = self.application_credentials(user).await?;
                theirs.iter().any(|credential| credential.id == *id)
            }
        };
        let what = if found.id != *id {
            "application credential"
        } else if is_theirs {
            return Ok(found);
        } else {
            "user"
        };
        Err(KeystoneError::Malformed {
            operation,
            fault: Fault::Mismatch(what),
            request_id: None,
        })
    }

    /// Makes an application credential, of `user`, who must be whom the session's token speaks for.
    ///
    /// # Errors
    /// [`KeystoneError`]; [`KeystoneRefusal::Conflict`](crate::KeystoneRefusal::Conflict) if the user has one of that
    /// name.
    pub async fn create_application_credential(
        &self,
        user: &UserId,
        new: &NewApplicationCredential,
    ) -> Result<CreatedApplicationCredential, KeystoneError> {
        #[derive(Deserialize)]
        struct Created {
            secret: Secret,
            #[serde(flatten)]
            credential: ApplicationCredential,
        }
        let path = format!("/users/{user}/application_credentials");
        let change = Change::create("to make an application credential", path);
        let created: Created = self.change(change, "application_credential", new).await?;
        Ok(CreatedApplicationCredential {
            credential: created.credential,
            secret: created.secret,
        })
    }

    /// Deletes an application credential. Its tokens end at once.
    ///
    /// # Errors
    /// [`KeystoneError`].
    pub async fn delete_application_credential(
        &self,
        user: &UserId,
        id: &ApplicationCredentialId,
    ) -> Result<(), KeystoneError> {
        let path = format!("/users/{user}/application_credentials/{id}");
        self.bare("to delete an application credential", Method::DELETE, path)
            .await
    }

    /// The access rules that a user's credentials have, or had: rules outlive credentials.
    ///
    /// # Errors
    /// [`KeystoneError`].
    pub async fn access_rules(&self, user: &UserId) -> Result<Vec<AccessRule>, KeystoneError> {
        let path = format!("/users/{user}/access_rules");
        self.list("for access rules", &path, &Query::default(), "access_rules")
            .await
    }

    /// Deletes an access rule that no credential has.
    ///
    /// # Errors
    /// [`KeystoneError`].
    pub async fn delete_access_rule(&self, user: &UserId, id: &AccessRuleId) -> Result<(), KeystoneError> {
        let path = format!("/users/{user}/access_rules/{id}");
        self.bare("to delete an access rule", Method::DELETE, path).await
    }
}
