//! Answers of `POST /v3/OS-OAUTH2/token`, word for word as Keystone gives them where it is right to.

use axum::response::Response;
use http::header::ALLOW;
use http::{HeaderValue, StatusCode};
use sealstone_oauth_types::{ErrorCode, RequestError};
use sealstone_provider::{Denial, IssuedKeystoneToken, TokenError};
use serde::Serialize;

use crate::answer;

const AUTHENTICATION_REQUIRED: &str = "The request you have made requires authentication.";
const AUTHENTICATION_FAILED: &str = "Client authentication failed.";
const GRANT_TYPE_REQUIRED: &str = "The parameter grant_type is required.";
/// Keystone repeats the value here.
const GRANT_TYPE_NOT_SUPPORTED: &str = "The parameter grant_type is not supported.";
const METHOD_NOT_ALLOWED: &str = "The method is not allowed for the requested URL.";

#[cfg(test)]
pub(crate) const DESCRIPTIONS: [&str; 5] = [
    AUTHENTICATION_REQUIRED,
    AUTHENTICATION_FAILED,
    GRANT_TYPE_REQUIRED,
    GRANT_TYPE_NOT_SUPPORTED,
    METHOD_NOT_ALLOWED,
];

/// In the order of Keystone's members.
#[derive(Serialize)]
struct Token<'a> {
    access_token: &'a str,
    expires_in: u64,
    token_type: &'static str,
}

/// Keystone's code for what RFC 6749 has none for.
#[derive(Serialize)]
struct OtherError {
    error: &'static str,
    error_description: &'static str,
}

pub(crate) fn answer(answered: &Result<IssuedKeystoneToken, TokenError>, request_id: &str) -> Response {
    let failure = match answered {
        Ok(issued) => {
            let token = Token {
                access_token: issued.expose(),
                expires_in: issued.expires_in(),
                token_type: "Bearer",
            };
            return answer::json(StatusCode::OK, &token);
        }
        Err(failure) => failure,
    };
    match words(failure) {
        Some((status, code, description)) => answer::error(status, code, description),
        None => answer::token_error(failure, request_id),
    }
}

/// What Keystone says of it; `None` for what Keystone does not know.
const fn words(failure: &TokenError) -> Option<(StatusCode, ErrorCode, &'static str)> {
    let TokenError::Denied(denial) = failure else {
        return None;
    };
    Some(match denial {
        // Keystone reads no parameters from there, and so finds none.
        Denial::Malformed(
            RequestError::MissingGrantType | RequestError::ContentType | RequestError::Query,
        ) => (
            StatusCode::BAD_REQUEST,
            ErrorCode::InvalidRequest,
            GRANT_TYPE_REQUIRED,
        ),
        Denial::UnsupportedGrantType => (
            StatusCode::BAD_REQUEST,
            ErrorCode::UnsupportedGrantType,
            GRANT_TYPE_NOT_SUPPORTED,
        ),
        // The second is told like the others: a secret sent for an id shows nothing of how the id is registered.
        Denial::WrongSecret | Denial::OtherMethod | Denial::KeystoneRefused(_) => (
            StatusCode::UNAUTHORIZED,
            ErrorCode::InvalidClient,
            AUTHENTICATION_REQUIRED,
        ),
        Denial::UnknownClient
        | Denial::DisabledClient
        | Denial::NoCredential
        | Denial::NoCertificate
        | Denial::UntrustedCertificate(_)
        | Denial::CertificateOutOfDate
        | Denial::OtherCertificate
        | Denial::WrongAssertion(_) => (
            StatusCode::UNAUTHORIZED,
            ErrorCode::InvalidClient,
            AUTHENTICATION_FAILED,
        ),
        Denial::Malformed(_)
        | Denial::BindingImpossible
        | Denial::UnauthorizedGrantType
        | Denial::ScopeNotAllowed
        | Denial::TargetNotAllowed
        | Denial::MixedTargets
        | Denial::IdentityRefused(_)
        | Denial::OtherIdentity
        | Denial::UnrestrictedCredential
        | Denial::MappingUndecided(_)
        | Denial::NoKeystoneIdentity
        | Denial::KeystoneBindingImpossible
        | Denial::IntrospectionNotAllowed
        | Denial::Grant(_) => return None,
    })
}

pub(crate) fn method_not_allowed() -> Response {
    let body = OtherError {
        error: "other_error",
        error_description: METHOD_NOT_ALLOWED,
    };
    let mut response = answer::json(StatusCode::METHOD_NOT_ALLOWED, &body);
    response
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static("POST"));
    response
}
