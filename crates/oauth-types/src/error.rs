use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::name::wire_names;

/// An error code of the OAuth registry, as it goes into `error`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "every code has one status; a new one must be given its own"
)]
pub enum ErrorCode {
    /// RFC 6749 §5.2: a parameter is missing, repeated or malformed.
    InvalidRequest,
    /// RFC 6749 §5.2: the client did not authenticate.
    InvalidClient,
    /// RFC 6749 §5.2: the code, refresh token or assertion is not good.
    InvalidGrant,
    /// RFC 6749 §5.2: the client may not use this grant.
    UnauthorizedClient,
    /// RFC 6749 §5.2: the server does not know or offer this grant.
    UnsupportedGrantType,
    /// RFC 6749 §5.2: the scope is malformed or more than is allowed.
    InvalidScope,
    /// RFC 8707 §2: the resource is malformed, unknown or not allowed.
    InvalidTarget,
    /// RFC 8628 §3.5: the person said no.
    AccessDenied,
    /// RFC 6749 §4.1.2.1: a fault of the server.
    ServerError,
    /// RFC 6749 §4.1.2.1: too busy, or a dependency is away.
    TemporarilyUnavailable,
    /// RFC 6750 §3.1: the access token is not good.
    InvalidToken,
    /// RFC 6750 §3.1: the access token does not reach that far.
    InsufficientScope,
    /// RFC 7591 §3.2.2: the registration is refused.
    InvalidClientMetadata,
    /// RFC 7009 §2.2.1: tokens of this kind are not revoked here.
    UnsupportedTokenType,
    /// RFC 8628 §3.5: polled too often.
    SlowDown,
    /// RFC 8628 §3.5: the person has not decided yet.
    AuthorizationPending,
    /// RFC 8628 §3.5: the device code has ended.
    ExpiredToken,
    /// RFC 6749 §4.1.2.1: the authorization endpoint does not give this.
    UnsupportedResponseType,
    /// OpenID Connect Core §3.1.2.6: a page would be needed, and none may be shown.
    InteractionRequired,
    /// OpenID Connect Core §3.1.2.6: the person must sign in, and no page may be shown.
    LoginRequired,
    /// OpenID Connect Core §3.1.2.6: the person must choose an account, and no page may be shown.
    AccountSelectionRequired,
    /// OpenID Connect Core §3.1.2.6: the person must consent, and no page may be shown.
    ConsentRequired,
    /// OpenID Connect Core §3.1.2.6: `request` is not read.
    RequestNotSupported,
    /// OpenID Connect Core §3.1.2.6: `request_uri` is not read.
    RequestUriNotSupported,
    /// OpenID Connect Core §3.1.2.6: `registration` is not read.
    RegistrationNotSupported,
    /// OpenID Connect Core Unmet Authentication Requirements §2: the person cannot sign in the way that is demanded.
    UnmetAuthenticationRequirements,
}

wire_names!(ErrorCode {
    InvalidRequest => "invalid_request",
    InvalidClient => "invalid_client",
    InvalidGrant => "invalid_grant",
    UnauthorizedClient => "unauthorized_client",
    UnsupportedGrantType => "unsupported_grant_type",
    InvalidScope => "invalid_scope",
    InvalidTarget => "invalid_target",
    AccessDenied => "access_denied",
    ServerError => "server_error",
    TemporarilyUnavailable => "temporarily_unavailable",
    InvalidToken => "invalid_token",
    InsufficientScope => "insufficient_scope",
    InvalidClientMetadata => "invalid_client_metadata",
    UnsupportedTokenType => "unsupported_token_type",
    SlowDown => "slow_down",
    AuthorizationPending => "authorization_pending",
    ExpiredToken => "expired_token",
    UnsupportedResponseType => "unsupported_response_type",
    InteractionRequired => "interaction_required",
    LoginRequired => "login_required",
    AccountSelectionRequired => "account_selection_required",
    ConsentRequired => "consent_required",
    RequestNotSupported => "request_not_supported",
    RequestUriNotSupported => "request_uri_not_supported",
    RegistrationNotSupported => "registration_not_supported",
    UnmetAuthenticationRequirements => "unmet_authentication_requirements",
});

impl ErrorCode {
    /// The HTTP status that goes with the code where its RFC names no other.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::InvalidRequest
            | Self::InvalidGrant
            | Self::UnauthorizedClient
            | Self::UnsupportedGrantType
            | Self::InvalidScope
            | Self::InvalidTarget
            | Self::AccessDenied
            | Self::InvalidClientMetadata
            | Self::UnsupportedTokenType
            | Self::SlowDown
            | Self::AuthorizationPending
            | Self::ExpiredToken
            | Self::UnsupportedResponseType
            | Self::InteractionRequired
            | Self::LoginRequired
            | Self::AccountSelectionRequired
            | Self::ConsentRequired
            | Self::RequestNotSupported
            | Self::RequestUriNotSupported
            | Self::RegistrationNotSupported
            | Self::UnmetAuthenticationRequirements => 400,
            Self::InvalidClient | Self::InvalidToken => 401,
            Self::InsufficientScope => 403,
            Self::ServerError => 500,
            Self::TemporarilyUnavailable => 503,
        }
    }
}

/// The body of an error answer (RFC 6749 §5.2).
///
/// A description is a text of the program, never of the request: the constructor takes `&'static str` only.
///
/// # Examples
/// ```
/// use sealstone_oauth_types::{ErrorCode, ErrorResponse};
///
/// let answer = ErrorResponse::new(ErrorCode::InvalidRequest, "a parameter is repeated");
/// assert_eq!(answer.to_json(), r#"{"error":"invalid_request","error_description":"a parameter is repeated"}"#);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ErrorResponse {
    /// The code.
    pub error: ErrorCode,
    /// A sentence for the developer of the client; ASCII without `"` and `\` (RFC 6749 §5.2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_description: Option<Cow<'static, str>>,
}

impl ErrorResponse {
    /// An answer with a fixed description. A description outside the set of RFC 6749 §5.2
    /// (`%x20-21 / %x23-5B / %x5D-7E`) is left out.
    #[must_use]
    pub fn new(error: ErrorCode, description: &'static str) -> Self {
        let allowed = |byte: u8| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        let fine = !description.is_empty() && description.bytes().all(allowed);
        Self {
            error,
            error_description: fine.then_some(Cow::Borrowed(description)),
        }
    }

    /// The JSON text.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Neither a code nor a description of the set above needs an escape; one that came from elsewhere might.
        serde_json::to_string(self).unwrap_or_else(|_| String::from("{\"error\":\"server_error\"}"))
    }
}

#[cfg(test)]
mod tests {
    use super::{ErrorCode, ErrorResponse};

    #[test]
    fn every_code_has_a_name_and_a_status() {
        assert_eq!(ErrorCode::ALL.len(), 26);
        for code in ErrorCode::ALL {
            assert_eq!(ErrorCode::parse(code.as_str()), Some(*code));
            assert!(matches!(code.status(), 400 | 401 | 403 | 500 | 503));
        }
        assert_eq!(ErrorCode::InvalidClient.status(), 401);
        assert_eq!(ErrorCode::SlowDown.status(), 400);
    }

    #[test]
    fn f27_description_outside_the_set_is_left_out() {
        for wrong in ["", "a \"quoted\" word", "back\\slash", "line\nend", "é", "\u{7f}"] {
            let answer = ErrorResponse::new(ErrorCode::InvalidScope, wrong);
            assert_eq!(answer.to_json(), r#"{"error":"invalid_scope"}"#, "{wrong:?}");
        }
        assert!(
            ErrorResponse::new(ErrorCode::InvalidScope, "plain words [1]")
                .error_description
                .is_some()
        );
    }
}
