//! Answers of the bridge's own, in Keystone's shape.

use http::header::{CONNECTION, CONTENT_TYPE, VARY, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use serde_json::json;

use crate::body::AnswerBody;

fn keystone(status: StatusCode, message: &str) -> Response<AnswerBody> {
    let title = status.canonical_reason().unwrap_or("Error");
    let body = json!({"error": {"code": status.as_u16(), "title": title, "message": message}});
    let mut answer = Response::new(AnswerBody::whole(body.to_string()));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(VARY, HeaderValue::from_static("X-Auth-Token"));
    answer
}

/// For a token in a login that is not passed on: what Keystone answers to one that it does not take.
pub(crate) fn unauthorized(base: Option<&str>) -> Response<AnswerBody> {
    let mut answer = keystone(
        StatusCode::UNAUTHORIZED,
        "The request you have made requires authentication.",
    );
    let challenge = base.and_then(|base| HeaderValue::try_from(format!("Keystone uri=\"{base}\"")).ok());
    if let Some(challenge) = challenge {
        answer.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    answer
}

/// For a request that is not passed on. What follows on its connection is not believed.
pub(crate) fn malformed(fault: crate::shape::Fault) -> Response<AnswerBody> {
    let mut answer = keystone(fault.status(), fault.message());
    answer
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}

/// For a node that cannot be reached, or ended the connection without an answer.
pub(crate) fn bad_gateway() -> Response<AnswerBody> {
    keystone(
        StatusCode::BAD_GATEWAY,
        "The Keystone behind this bridge did not answer.",
    )
}

/// For a node that took too long.
pub(crate) fn gateway_timeout() -> Response<AnswerBody> {
    keystone(
        StatusCode::GATEWAY_TIMEOUT,
        "The Keystone behind this bridge did not answer in time.",
    )
}
