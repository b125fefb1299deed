use std::fmt;

use serde::{Deserialize, Serialize};

use crate::request::{read_resources, read_scope};
use crate::{Form, OpaqueToken, PresentedClient, RequestError, ResourceUri, ScopeSet, UserCode};

/// What a device asks for (RFC 8628 §3.1), read and not judged.
///
/// # Examples
/// ```
/// use sealstone_oauth_types::{DeviceAuthorizationRequest, Form};
///
/// let request = DeviceAuthorizationRequest::parse(None, &Form::parse(b"client_id=cli&scope=openid")?)?;
/// assert_eq!(request.scope.unwrap().as_str(), "openid");
/// # Ok::<(), sealstone_oauth_types::RequestError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeviceAuthorizationRequest {
    /// Who asks.
    pub client: PresentedClient,
    /// The scope asked for; `None` leaves it to the client's default.
    pub scope: Option<ScopeSet>,
    /// The resources asked for (RFC 8707 §2), in order, each once.
    pub resources: Vec<ResourceUri>,
}

/// What a device gets (RFC 8628 §3.2).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DeviceAuthorizationResponse {
    /// What the device polls with. It never reaches a browser.
    pub device_code: String,
    /// What the person types.
    pub user_code: String,
    /// Where.
    pub verification_uri: String,
    /// The same with the code in it, for a QR code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verification_uri_complete: Option<String>,
    /// How long both codes are good, in seconds.
    pub expires_in: u64,
    /// The least number of seconds between two polls.
    pub interval: u64,
}

impl DeviceAuthorizationRequest {
    /// Reads the request from its `Authorization` header and its form.
    ///
    /// # Errors
    /// The [`RequestError`] of the first fault.
    pub fn parse(authorization: Option<&str>, form: &Form) -> Result<Self, RequestError> {
        Ok(Self {
            client: PresentedClient::parse(authorization, form)?,
            scope: read_scope(form)?,
            resources: read_resources(form)?,
        })
    }
}

impl DeviceAuthorizationResponse {
    /// An answer. `verification_uri` is where the person goes; the complete form of it is made from the code.
    #[must_use]
    pub fn new(
        device_code: &OpaqueToken,
        user_code: UserCode,
        verification_uri: String,
        expires_in: u64,
        interval: u64,
    ) -> Self {
        Self {
            device_code: device_code.expose().to_owned(),
            user_code: user_code.to_string(),
            verification_uri_complete: Some(format!("{verification_uri}?user_code={user_code}")),
            verification_uri,
            expires_in,
            interval,
        }
    }
}

impl fmt::Debug for DeviceAuthorizationResponse {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("DeviceAuthorizationResponse")
            .field("device_code", &format_args!("[redacted]"))
            .field("user_code", &format_args!("[redacted]"))
            .field("verification_uri", &self.verification_uri)
            .field("expires_in", &self.expires_in)
            .field("interval", &self.interval)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::{DeviceAuthorizationRequest, DeviceAuthorizationResponse};
    use crate::{Form, OpaqueToken, RequestError, UserCode};
    use serde_json::json;

    #[test]
    fn the_answer_is_that_of_the_rfc_and_shows_no_code_in_debug() {
        let (device_code, user_code) = (OpaqueToken::from_octets([1; 32]), UserCode::from_octets([1; 8]));
        let answer = DeviceAuthorizationResponse::new(
            &device_code,
            user_code,
            "https://id.example/v4/oauth2/demo/device".into(),
            600,
            5,
        );
        assert_eq!(
            serde_json::to_value(&answer).unwrap(),
            json!({
                "device_code": device_code.expose(),
                "user_code": user_code.to_string(),
                "verification_uri": "https://id.example/v4/oauth2/demo/device",
                "verification_uri_complete":
                    format!("https://id.example/v4/oauth2/demo/device?user_code={user_code}"),
                "expires_in": 600,
                "interval": 5,
            })
        );
        let shown = format!("{answer:?}");
        assert!(!shown.contains(device_code.expose()) && !shown.contains(&user_code.to_string()));
    }

    #[test]
    fn faults_are_those_of_the_token_request() {
        for (body, want) in [
            ("client_id=cli&scope=a%22", RequestError::Scope),
            ("client_id=cli&resource=/x", RequestError::Resource),
            (
                "client_id=cli&client_assertion=x",
                RequestError::IncompleteAssertion,
            ),
        ] {
            let form = Form::parse(body.as_bytes()).unwrap();
            assert_eq!(
                DeviceAuthorizationRequest::parse(None, &form),
                Err(want),
                "{body}"
            );
        }
    }
}
