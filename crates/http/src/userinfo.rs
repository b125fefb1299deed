use std::ops::ControlFlow;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE, PRAGMA, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode};
use sealstone_oauth_types::{BearerError, ErrorCode, Form, RequestError, UserinfoRequest};
use sealstone_provider::people::{Userinfo, UserinfoError};
use sealstone_provider::{BackendError, DomainId, Peer, RequestId, TokenError};

use crate::answer;
use crate::caller::Caller;
use crate::deadline::{Elapsed, within};
use crate::edge::{Admitted, Edge};
use crate::form::{self, Fields, ReadError};

/// Whoever holds an access token, at `/userinfo`.
pub(crate) struct Bearer {
    domain: DomainId,
    is_post: bool,
    /// A POST without a form has its token in the header, or none.
    has_form: bool,
    /// The `Authorization` header, or what is wrong with the head of the request.
    authorization: Result<Option<HeaderValue>, RequestError>,
    peer: Peer,
}

impl Edge {
    /// What the head of the request tells. A token in the address is not looked at (RFC 9700 §4.3.2).
    pub(crate) fn bearer(
        &self,
        domain: DomainId,
        parts: &Parts,
        fields: &Fields<'_>,
        request_id: RequestId,
    ) -> ControlFlow<Response, Admitted> {
        let caller = Caller::of(parts, &self.proxies);
        if let Err(wait) = self.limits.request(caller.address) {
            tracing::debug!(address = ?caller.address, "too many requests");
            return ControlFlow::Break(answer::too_many(wait));
        }
        let (head, certificate) = match self.certificates.presented(parts, &caller, || self.clock.now()) {
            Ok(certificate) => (Ok(()), certificate),
            Err(error) => (Err(error), None),
        };
        let is_post = parts.method == Method::POST;
        let bearer = Box::new(Bearer {
            domain,
            has_form: is_post && fields.content_type().is_ok(),
            is_post,
            authorization: head.and_then(|()| fields.authorization()),
            peer: Peer {
                address: caller.address,
                certificate,
                request_id,
            },
        });
        ControlFlow::Continue(Admitted::Userinfo(bearer))
    }

    pub(crate) async fn userinfo(&self, bearer: &Bearer, body: Body) -> Response {
        let body = if bearer.has_form { body } else { Body::empty() };
        let form = if bearer.is_post {
            match form::octets(body, self.body_deadline).await {
                Ok(octets) => Form::parse(&octets)
                    .map(Some)
                    .map_err(|_fault| BearerError::Malformed),
                Err(ReadError::TooSlow) => return answer::too_slow(),
                Err(ReadError::Request(_)) => Err(BearerError::Malformed),
            }
        } else {
            Ok(None)
        };
        let request = match &bearer.authorization {
            Ok(header) => {
                let header = header.as_ref().and_then(|value| value.to_str().ok());
                form.and_then(|form| UserinfoRequest::parse(header, form.as_ref()))
            }
            Err(_fault) => Err(BearerError::Malformed),
        };
        let work = Box::pin(self.provider.userinfo(&bearer.domain, request, &bearer.peer));
        let answered = within(self.request_deadline, work).await;
        match answered.unwrap_or_else(|Elapsed| Err(UserinfoError::Backend(BackendError::Deadline))) {
            Ok(Userinfo::Json(json)) => content(answer::JSON, Bytes::from(json)),
            Ok(Userinfo::Signed(jwt)) => {
                content(HeaderValue::from_static("application/jwt"), Bytes::from(jwt))
            }
            Err(error) => refused(error, bearer.peer.request_id.as_str()),
        }
    }
}

fn content(kind: HeaderValue, body: Bytes) -> Response {
    let mut response = Response::new(Body::from(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, kind);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}

/// RFC 6750 §3: the challenge says what is wrong, unless nothing was presented.
fn refused(error: UserinfoError, request_id: &str) -> Response {
    let (status, code, description) = match error {
        UserinfoError::UnknownIssuer => return answer::not_found(),
        UserinfoError::Backend(error) => {
            return answer::token_error(&TokenError::Backend(error), request_id);
        }
        UserinfoError::Malformed(fault) => (fault.status(), fault.code(), fault.description()),
        UserinfoError::InvalidToken => (
            401,
            Some(ErrorCode::InvalidToken),
            "the access token is not accepted",
        ),
        UserinfoError::InsufficientScope => (
            403,
            Some(ErrorCode::InsufficientScope),
            "the access token lacks the scope openid",
        ),
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::UNAUTHORIZED);
    let challenge = match code {
        Some(code) => format!(
            "Bearer realm=\"sealstone\", error=\"{}\", error_description=\"{description}\"",
            code.as_str()
        ),
        None => "Bearer realm=\"sealstone\"".to_owned(),
    };
    let mut response = match code {
        Some(code) => answer::error(status, code, description),
        None => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = status;
            response
                .headers_mut()
                .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response
        }
    };
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    if let Ok(challenge) = HeaderValue::try_from(challenge) {
        headers.insert(WWW_AUTHENTICATE, challenge);
    }
    response
}
