use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};

/// What is answered: our own text, or what a service streams.
pub(crate) type Body = UnsyncBoxBody<Bytes, hyper::Error>;

pub(crate) fn whole(octets: impl Into<Bytes>) -> Body {
    Full::new(octets.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// Text for a program or a person: what happened, and what to do.
pub(crate) fn told(status: StatusCode, text: &str) -> Response<Body> {
    answer(status, "text/plain; charset=utf-8", format!("{text}\n"))
}

pub(crate) fn answer(status: StatusCode, kind: &'static str, text: impl Into<Bytes>) -> Response<Body> {
    let mut answer = Response::new(whole(text));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
