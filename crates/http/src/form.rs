use std::pin::pin;
use std::time::Duration;

use crate::deadline::{Elapsed, within};
use axum::body::Body;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, USER_AGENT};
use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use sealstone_oauth_types::{BasicError, Form, FormError, RequestError, form_content_type};

/// Where a client proves a key that its token shall be bound to (RFC 9449 §4.1).
const DPOP: HeaderName = HeaderName::from_static("dpop");

/// Why there is no form.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// The request is at fault; the provider records it.
    Request(RequestError),
    /// The body did not arrive within the deadline.
    TooSlow,
}

impl From<RequestError> for ReadError {
    fn from(error: RequestError) -> Self {
        Self::Request(error)
    }
}

/// What the head of a request says of its form: no parameters in the URL, no proof of a key that would count for
/// nothing, the right content type, at most 64 KiB.
pub(crate) fn head(parts: &Parts) -> Result<(), RequestError> {
    if parts.uri.query().is_some() {
        return Err(RequestError::Query);
    }
    if parts.headers.contains_key(DPOP) {
        return Err(RequestError::Dpop);
    }
    content_type(&parts.headers)?;
    let announced = parts
        .headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > Form::MAX_LENGTH) {
        return Err(RequestError::Form(FormError::TooLarge));
    }
    Ok(())
}

/// Reads a form of at most 64 KiB, within the deadline.
pub(crate) async fn read(body: Body, deadline: Duration) -> Result<Form, ReadError> {
    let octets = octets(body, deadline).await?;
    Ok(Form::parse(&octets).map_err(RequestError::Form)?)
}

/// Reads at most 64 KiB, within the deadline.
pub(crate) async fn octets(body: Body, deadline: Duration) -> Result<Bytes, ReadError> {
    let whole = pin!(Limited::new(body, Form::MAX_LENGTH).collect());
    match within(deadline, whole).await {
        Err(Elapsed) => Err(ReadError::TooSlow),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            Err(RequestError::Form(FormError::TooLarge).into())
        }
        Ok(Err(_broken)) => Err(RequestError::Incomplete.into()),
        Ok(Ok(body)) => Ok(body.to_bytes()),
    }
}

/// The `Authorization` header: none, or one of visible ASCII.
pub(crate) fn authorization(headers: &HeaderMap) -> Result<Option<HeaderValue>, RequestError> {
    let value = single(headers, AUTHORIZATION)?;
    match value.map(HeaderValue::to_str) {
        Some(Err(_)) => Err(RequestError::Authorization(BasicError::Malformed)),
        Some(Ok(_)) | None => Ok(value.cloned()),
    }
}

/// `User-Agent`, if it is one of visible ASCII: its first 256 octets.
pub(crate) fn user_agent(headers: &HeaderMap) -> Option<Box<str>> {
    /// Longer ones say no more to a person.
    const MAX: usize = 256;
    let text = single(headers, USER_AGENT).ok()??.to_str().ok()?;
    Some(text.get(..MAX).unwrap_or(text).into())
}

pub(crate) fn content_type(headers: &HeaderMap) -> Result<(), RequestError> {
    let form = match single(headers, CONTENT_TYPE) {
        Ok(Some(value)) => value.to_str().is_ok_and(form_content_type),
        Ok(None) | Err(_) => false,
    };
    if form && !headers.contains_key(CONTENT_ENCODING) {
        Ok(())
    } else {
        Err(RequestError::ContentType)
    }
}

fn single(headers: &HeaderMap, name: HeaderName) -> Result<Option<&HeaderValue>, RequestError> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (first, None) => Ok(first),
        (_, Some(_)) => Err(RequestError::RepeatedHeader),
    }
}
