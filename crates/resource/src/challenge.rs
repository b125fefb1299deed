//! What a request that is not let through is told (RFC 6750 §3).

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use sealstone_mtls::BindingError;
use sealstone_oauth_types::{ErrorCode, ErrorResponse, ScopeSet};
use sealstone_tokens::VerifyError;

/// What `Retry-After` says while the issuer can't be asked, in seconds: half of the default pause between fetches.
const RETRY_AFTER: &str = "5";

/// Why a request was not let through.
///
/// | Variant | Status | `error` |
/// |---|---|---|
/// | `TokenMissing` | 401 | none (RFC 6750 §3.1) |
/// | `AuthorizationRepeated`, `AuthorizationMalformed`, `CertificateHeader` | 400 | `invalid_request` |
/// | `TokenInvalid`, `TokenExpired`, `TokenRevoked`, `TokenElsewhere`, `TokenUnbound`, `CertificateMissing`, `CertificateOther` | 401 | `invalid_token` |
/// | `ScopeMissing`, `AccessRules` | 403 | `insufficient_scope` |
/// | `Unavailable` | 503, `Retry-After: 5` | `temporarily_unavailable`, in the body only |
///
/// The body is the JSON of RFC 6749 §5.2, empty for `TokenMissing`; every answer has `Cache-Control: no-store`, all
/// but 503 have `WWW-Authenticate`. Nothing of the request is repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Challenge {
    /// No `Authorization` header, or one of another scheme.
    TokenMissing,
    /// More than one `Authorization` header.
    AuthorizationRepeated,
    /// `Bearer` without one token behind it.
    AuthorizationMalformed,
    /// A trusted proxy sent a certificate header that is not in its form.
    CertificateHeader,
    /// Not an access token of this issuer: its form, type, signature, key, issuer or claims, or it starts later.
    TokenInvalid,
    /// Its time is over.
    TokenExpired,
    /// It, or the key that signed it, was revoked.
    TokenRevoked,
    /// Meant for another resource.
    TokenElsewhere,
    /// Bound to no certificate, where bound tokens are due.
    TokenUnbound,
    /// Bound to a certificate (or to something else), and the connection proved none (RFC 8705 §3).
    CertificateMissing,
    /// Bound to another certificate than the connection's, or to something that no certificate proves.
    CertificateOther,
    /// A required scope is missing; these are required.
    ScopeMissing(ScopeSet),
    /// The token's access rules don't allow this request, or rules are not judged here.
    AccessRules,
    /// The issuer's keys or revocations are not known, or too old: ours to mend.
    Unavailable,
}

impl Challenge {
    /// The HTTP status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::AuthorizationRepeated | Self::AuthorizationMalformed | Self::CertificateHeader => {
                StatusCode::BAD_REQUEST
            }
            Self::TokenMissing
            | Self::TokenInvalid
            | Self::TokenExpired
            | Self::TokenRevoked
            | Self::TokenElsewhere
            | Self::TokenUnbound
            | Self::CertificateMissing
            | Self::CertificateOther => StatusCode::UNAUTHORIZED,
            Self::ScopeMissing(_) | Self::AccessRules => StatusCode::FORBIDDEN,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// `error`; `None` for a request without a token, which made no mistake (RFC 6750 §3.1).
    #[must_use]
    pub const fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::TokenMissing => None,
            Self::AuthorizationRepeated | Self::AuthorizationMalformed | Self::CertificateHeader => {
                Some(ErrorCode::InvalidRequest)
            }
            Self::TokenInvalid
            | Self::TokenExpired
            | Self::TokenRevoked
            | Self::TokenElsewhere
            | Self::TokenUnbound
            | Self::CertificateMissing
            | Self::CertificateOther => Some(ErrorCode::InvalidToken),
            Self::ScopeMissing(_) | Self::AccessRules => Some(ErrorCode::InsufficientScope),
            Self::Unavailable => Some(ErrorCode::TemporarilyUnavailable),
        }
    }

    /// `error_description`: a fixed text in the characters of RFC 6750 §3.
    #[must_use]
    pub const fn description(&self) -> &'static str {
        match self {
            Self::TokenMissing => "an access token is required",
            Self::AuthorizationRepeated => "send one Authorization header",
            Self::AuthorizationMalformed => "send Authorization: Bearer, a space and the access token",
            Self::CertificateHeader => "the forwarded client certificate is malformed",
            Self::TokenInvalid => "the access token is not valid",
            Self::TokenExpired => "the access token has expired",
            Self::TokenRevoked => "the access token was revoked",
            Self::TokenElsewhere => "the access token is meant for another resource",
            Self::TokenUnbound => "the access token must be bound to a client certificate",
            Self::CertificateMissing => {
                "the access token is bound to a client certificate, and none was presented"
            }
            Self::CertificateOther => "the access token is bound to another client certificate",
            Self::ScopeMissing(_) => "the access token lacks a required scope",
            Self::AccessRules => "the access rules of the token do not allow this request",
            Self::Unavailable => "the keys of the token issuer cannot be fetched now",
        }
    }

    /// The value of `WWW-Authenticate`; `None` with [`Challenge::Unavailable`].
    ///
    /// `realm` must be printable ASCII without quotes and backslashes.
    #[must_use]
    pub fn www_authenticate(&self, realm: &str) -> Option<HeaderValue> {
        let mut value = format!("Bearer realm=\"{realm}\"");
        match (self, self.code()) {
            (Self::Unavailable, _) => return None,
            (_, None) => {}
            (_, Some(code)) => {
                value.push_str(&format!(
                    ", error=\"{code}\", error_description=\"{}\"",
                    self.description()
                ));
            }
        }
        if let Self::ScopeMissing(required) = self {
            value.push_str(&format!(", scope=\"{required}\""));
        }
        HeaderValue::try_from(value).ok()
    }

    /// The whole answer.
    #[must_use]
    pub fn to_response(&self, realm: &str) -> Response<Full<Bytes>> {
        let body = self
            .code()
            .map(|code| ErrorResponse::new(code, self.description()).to_json());
        let has_body = body.is_some();
        let mut response = Response::new(Full::from(body.unwrap_or_default()));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if has_body {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if let Some(value) = self.www_authenticate(realm) {
            headers.insert(header::WWW_AUTHENTICATE, value);
        }
        if *self == Self::Unavailable {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER));
        }
        response
    }

    /// What the sender of a refused token is told. What is not named here says no more than that it is refused.
    pub(crate) fn of(error: &VerifyError) -> Self {
        match error {
            VerifyError::Expired => Self::TokenExpired,
            VerifyError::Revoked | VerifyError::KeyRevoked => Self::TokenRevoked,
            VerifyError::Audience => Self::TokenElsewhere,
            VerifyError::Unbound => Self::TokenUnbound,
            VerifyError::Binding(BindingError::CertificateMissing) => Self::CertificateMissing,
            VerifyError::Binding(_) => Self::CertificateOther,
            VerifyError::Jose(_)
            | VerifyError::UnknownKey
            | VerifyError::Type
            | VerifyError::Claims
            | VerifyError::Issuer
            | VerifyError::NotYetValid
            | _ => Self::TokenInvalid,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<Challenge> {
        vec![
            Challenge::TokenMissing,
            Challenge::AuthorizationRepeated,
            Challenge::AuthorizationMalformed,
            Challenge::CertificateHeader,
            Challenge::TokenInvalid,
            Challenge::TokenExpired,
            Challenge::TokenRevoked,
            Challenge::TokenElsewhere,
            Challenge::TokenUnbound,
            Challenge::CertificateMissing,
            Challenge::CertificateOther,
            Challenge::ScopeMissing(ScopeSet::parse("builds:read builds:write").unwrap()),
            Challenge::AccessRules,
            Challenge::Unavailable,
        ]
    }

    #[test]
    fn every_answer_is_no_store_and_keeps_to_the_characters_of_the_rfc() {
        for challenge in all() {
            let response = challenge.to_response("builds");
            assert_eq!(response.headers()["cache-control"], "no-store");
            assert_eq!(response.status(), challenge.status());
            let allowed = |byte: u8| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e);
            assert!(challenge.description().bytes().all(allowed), "{challenge:?}");
            let authenticate = response.headers().get("www-authenticate");
            assert_eq!(authenticate.is_none(), challenge == Challenge::Unavailable);
            // Only RFC 6750 gives the status of a missing scope.
            let of_code = challenge.code().map_or(401, ErrorCode::status);
            assert_eq!(challenge.status().as_u16(), of_code, "{challenge:?}");
        }
    }

    #[test]
    fn the_three_forms_of_the_header() {
        let header = |challenge: &Challenge| challenge.www_authenticate("builds").unwrap();
        assert_eq!(header(&Challenge::TokenMissing), "Bearer realm=\"builds\"");
        assert_eq!(
            header(&Challenge::TokenExpired),
            "Bearer realm=\"builds\", error=\"invalid_token\", error_description=\"the access token has expired\""
        );
        assert_eq!(
            header(&Challenge::ScopeMissing(ScopeSet::parse("a b").unwrap())),
            "Bearer realm=\"builds\", error=\"insufficient_scope\", \
             error_description=\"the access token lacks a required scope\", scope=\"a b\""
        );
    }
}
