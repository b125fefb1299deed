use http::Method;
use sealstone_identity::{ProjectId, UserId};
use serde::Deserialize;

use crate::{CredentialId, KeystoneError, KeystoneSession, Label, Secret, TrustId, session::Query};

/// A stored credential: an EC2 key, a TOTP secret, or what else a service keeps.
///
/// What it holds (`blob`) is not read: it is the secret.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Credential {
    /// Its id.
    pub id: CredentialId,
    /// `ec2`, `totp`, `cert` or another.
    #[serde(rename = "type")]
    pub credential_type: Label,
    /// Whose it is.
    pub user_id: UserId,
    /// The project that it is for.
    pub project_id: Option<ProjectId>,
}

/// An EC2 key.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Ec2Credential {
    /// The access key, which names it.
    pub access: Label,
    /// The secret key.
    pub secret: Secret,
    /// Whose it is.
    pub user_id: UserId,
    /// The project that it is for.
    #[serde(rename = "tenant_id")]
    pub project_id: Option<ProjectId>,
    /// The trust that it was made with.
    pub trust_id: Option<TrustId>,
}

impl KeystoneSession {
    /// The stored credentials that the token may see: of one type, or of all.
    ///
    /// # Errors
    /// [`KeystoneError`].
    pub async fn credentials(&self, credential_type: Option<&str>) -> Result<Vec<Credential>, KeystoneError> {
        let query = Query::default().with("type", credential_type);
        self.list("for credentials", "/credentials", &query, "credentials")
            .await
    }

    /// A user's EC2 keys.
    ///
    /// # Errors
    /// [`KeystoneError`].
    pub async fn ec2_credentials(&self, user: &UserId) -> Result<Vec<Ec2Credential>, KeystoneError> {
        let path = format!("/users/{user}/credentials/OS-EC2");
        self.list("for EC2 credentials", &path, &Query::default(), "credentials")
            .await
    }

    /// Deletes a stored credential.
    ///
    /// # Errors
    /// [`KeystoneError`].
    pub async fn delete_credential(&self, id: &CredentialId) -> Result<(), KeystoneError> {
        self.bare(
            "to delete a credential",
            Method::DELETE,
            format!("/credentials/{id}"),
        )
        .await
    }
}
