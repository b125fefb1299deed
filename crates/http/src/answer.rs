use std::sync::LazyLock;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, PRAGMA, RETRY_AFTER, STRICT_TRANSPORT_SECURITY,
    WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, StatusCode};
use sealstone_oauth_types::{ErrorCode, ErrorResponse};
use sealstone_provider::people::ProfileRefusal;
use sealstone_provider::{Denial, TokenError};
use serde::Serialize;

use crate::faults;
use crate::request_id::X_REQUEST_ID;

pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");
pub(crate) const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");
pub(crate) const TWO_YEARS: HeaderValue = HeaderValue::from_static("max-age=63072000");
/// Never sent: `Visit::end` puts the request's id in its place.
pub(crate) const UNNAMED: HeaderValue = HeaderValue::from_static("unnamed");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");
const CHALLENGE: HeaderValue = HeaderValue::from_static("Basic realm=\"sealstone\"");

/// A JSON answer that nobody may keep (RFC 6749 §5.1).
pub(crate) fn json<T: Serialize>(status: StatusCode, body: &T) -> Response {
    // Large enough for a token answer, so that it is written without growing.
    let mut text = Vec::with_capacity(1_536);
    if let Err(error) = serde_json::to_writer(&mut text, body) {
        tracing::error!(%error, "an answer could not be written");
        return fault(StatusCode::INTERNAL_SERVER_ERROR);
    }
    no_store(status, Body::from(text))
}

/// 200 or another status with JSON that is written already.
pub(crate) fn written(status: StatusCode, json: Vec<u8>) -> Response {
    no_store(status, Body::from(json))
}

/// When to come again after an outage of ours: a database that restarts, or another node, serves within seconds.
pub(crate) const OUTAGE: Duration = Duration::from_secs(2);

/// An error answer (RFC 6749 §5.2). A 401 carries a challenge whichever way the client took, and 503 when to come again.
pub(crate) fn error(status: StatusCode, code: ErrorCode, description: &'static str) -> Response {
    let body = ErrorResponse::new(code, description).to_json();
    let mut response = no_store(status, Body::from(body));
    if status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(WWW_AUTHENTICATE, CHALLENGE);
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        return retry_after(response, OUTAGE);
    }
    response
}

/// What is outside a broker's profile: a shape of its own, of exactly these three members.
pub(crate) fn outside_profile(refusal: ProfileRefusal) -> Response {
    #[derive(Serialize)]
    struct Body {
        error: &'static str,
        description: &'static str,
        feature: &'static str,
    }
    let body = Body {
        error: "invalid_profile_usage",
        description: refusal.description,
        feature: refusal.feature,
    };
    json(StatusCode::BAD_REQUEST, &body)
}

/// What the provider would not or could not do. Our own faults are logged here, with their causes, once.
pub(crate) fn token_error(failure: &TokenError, request_id: &str) -> Response {
    let status = match failure {
        TokenError::UnknownIssuer => return not_found(),
        TokenError::Denied(Denial::Malformed(request)) => request.status(),
        TokenError::Denied(denial) => denial.code().status(),
        TokenError::TooManyRequests { .. } => StatusCode::TOO_MANY_REQUESTS.as_u16(),
        TokenError::Backend(cause) => {
            faults::tell(cause, request_id);
            failure.code().status()
        }
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let response = error(status, failure.code(), failure.description());
    match failure.retry_after() {
        Some(wait) => retry_after(response, wait),
        None => response,
    }
}

/// A fault of ours, with its causes, for the operator.
pub(crate) fn log(failure: &TokenError, request_id: &str) {
    if let TokenError::Backend(cause) = failure {
        faults::tell(cause, request_id);
    }
}

/// A status that says it all.
pub(crate) fn empty(status: StatusCode) -> Response {
    let mut response = no_store(status, Body::empty());
    response.headers_mut().remove(CONTENT_TYPE);
    response
}

/// The process answers. Whether it should be asked is the admin listener's to tell.
pub(crate) fn alive() -> Response {
    no_store(StatusCode::OK, Body::from(r#"{"status":"live"}"#))
}

/// A path that names nothing, or a domain without issuer: the two look the same.
pub(crate) fn not_found() -> Response {
    error(
        StatusCode::NOT_FOUND,
        ErrorCode::InvalidRequest,
        "there is nothing at this address",
    )
}

/// A new domain: it is served once its keys are made.
pub(crate) fn not_yet() -> Response {
    error(
        StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::TemporarilyUnavailable,
        "this domain is new and its keys are being made: try again in a moment",
    )
}

/// Another method than the endpoint takes.
pub(crate) fn method_not_allowed(allow: &'static str) -> Response {
    let mut response = error(
        StatusCode::METHOD_NOT_ALLOWED,
        ErrorCode::InvalidRequest,
        "this endpoint does not take that method: see the Allow header",
    );
    response
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static(allow));
    response
}

/// Too many requests, or too many failures: how long to wait, in whole seconds and at least one.
pub(crate) fn too_many(wait: Duration) -> Response {
    let response = error(
        StatusCode::TOO_MANY_REQUESTS,
        ErrorCode::TemporarilyUnavailable,
        "too many requests or failures: wait as long as Retry-After says",
    );
    retry_after(response, wait)
}

/// In whole seconds, and at least one (RFC 9110 §10.2.3).
pub(crate) fn retry_after(mut response: Response, wait: Duration) -> Response {
    let seconds = wait
        .as_secs()
        .saturating_add(u64::from(wait.subsec_nanos() > 0))
        .max(1);
    response
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from(seconds));
    response
}

/// The body did not come in time; the connection is of no more use (RFC 9110 §15.5.9).
pub(crate) fn too_slow() -> Response {
    let response = error(
        StatusCode::REQUEST_TIMEOUT,
        ErrorCode::InvalidRequest,
        "the body did not arrive in time",
    );
    closing(response)
}

/// A request that a proxy may have read otherwise than we do: what follows it on the connection is not believed.
pub(crate) fn ambiguous() -> Response {
    let response = error(
        StatusCode::BAD_REQUEST,
        ErrorCode::InvalidRequest,
        "a request has exactly one Host",
    );
    closing(response)
}

fn closing(mut response: Response) -> Response {
    response
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// A fault of ours that has no better name.
pub(crate) fn fault(status: StatusCode) -> Response {
    let code = if status == StatusCode::SERVICE_UNAVAILABLE {
        ErrorCode::TemporarilyUnavailable
    } else {
        ErrorCode::ServerError
    };
    error(
        status,
        code,
        "the server could not answer: tell its operator the request id",
    )
}

fn no_store(status: StatusCode, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = TEMPLATE.clone();
    response
}

/// Copied for every answer, with all that `Visit::end` gives others: only the request's id is still to be put in its
/// place.
static TEMPLATE: LazyLock<HeaderMap> = LazyLock::new(|| {
    let mut headers = HeaderMap::with_capacity(8);
    headers.extend([
        (CONTENT_TYPE, JSON),
        (CACHE_CONTROL, NO_STORE),
        (PRAGMA, NO_CACHE),
        (X_CONTENT_TYPE_OPTIONS, NOSNIFF),
        (STRICT_TRANSPORT_SECURITY, TWO_YEARS),
        (X_REQUEST_ID, UNNAMED),
    ]);
    headers
});
