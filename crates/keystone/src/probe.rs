//! What an unknown Keystone has and takes, found out without changing anything.

use http::{Method, StatusCode};
use sealstone_identity::ApplicationCredentialId;

use crate::{Authentication, Fault, KeystoneClient, KeystoneError, KeystoneRefusal, Secret, client::Call};

/// No application credential has this id: Keystone draws them at random.
const NOBODY: &str = "00000000000000000000000000000000";

impl KeystoneClient {
    /// Whether it serves `POST /v3/OS-OAUTH2/token` (since its release 21): asked by a method that the address does not
    /// take.
    ///
    /// # Errors
    /// [`KeystoneError`] for anything but its own "method not allowed" and "not found".
    pub async fn serves_oauth2(&self) -> Result<bool, KeystoneError> {
        let call = Call::new("whether it serves OAuth 2.0", Method::GET, "/OS-OAUTH2/token");
        match self.call(call).await {
            Err(KeystoneError::Malformed {
                fault: Fault::Status(405),
                ..
            }) => Ok(true),
            Err(KeystoneError::Malformed {
                fault: Fault::Status(404),
                ..
            }) => Ok(false),
            Err(error) if error.refusal() == Some(KeystoneRefusal::NotFound) => Ok(false),
            Err(error) => Err(error),
            Ok(answer) => answer.expect(StatusCode::METHOD_NOT_ALLOWED).map(|()| true),
        }
    }

    /// Whether it lets anybody log in by an application credential (`[auth] methods`): asked with one that does not
    /// exist, of which only a Keystone that has the method says so.
    ///
    /// # Errors
    /// [`KeystoneError`].
    pub async fn takes_application_credentials(&self) -> Result<bool, KeystoneError> {
        let Ok(nobody) = ApplicationCredentialId::parse(NOBODY) else {
            return Ok(false);
        };
        let login = Authentication::application_credential(nobody, Secret::from("none"));
        match self.authenticate(&login).await {
            Err(error) if error.refusal() == Some(KeystoneRefusal::NotFound) => Ok(true),
            Err(error) if error.refusal() == Some(KeystoneRefusal::Unauthenticated) => Ok(false),
            Err(error) => Err(error),
            Ok(_nobody_logged_in) => Ok(false),
        }
    }
}
