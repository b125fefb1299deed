use std::pin::pin;
use std::time::Duration;

use crate::deadline::{Elapsed, within};
use axum::body::Body;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, USER_AGENT};
use http::{HeaderMap, HeaderValue, Uri};
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

/// The fields of a request's head that say something of its form. They are few, and gone through once.
#[derive(Default)]
pub(crate) struct Fields<'a> {
    content_type: Field<'a>,
    authorization: Field<'a>,
    content_length: Option<&'a HeaderValue>,
    is_encoded: bool,
    has_proof: bool,
}

/// A field that may come once.
#[derive(Clone, Copy, Default)]
enum Field<'a> {
    #[default]
    Absent,
    Once(&'a HeaderValue),
    Repeated,
}

impl<'a> Field<'a> {
    const fn add(&mut self, value: &'a HeaderValue) {
        *self = match self {
            Self::Absent => Self::Once(value),
            Self::Once(_) | Self::Repeated => Self::Repeated,
        };
    }
}

impl<'a> Fields<'a> {
    pub(crate) fn of(headers: &'a HeaderMap) -> Self {
        let mut fields = Self::default();
        for (name, value) in headers {
            if *name == CONTENT_TYPE {
                fields.content_type.add(value);
            } else if *name == CONTENT_LENGTH {
                fields.content_length = fields.content_length.or(Some(value));
            } else if *name == AUTHORIZATION {
                fields.authorization.add(value);
            } else if *name == CONTENT_ENCODING {
                fields.is_encoded = true;
            } else if *name == DPOP {
                fields.has_proof = true;
            }
        }
        fields
    }

    /// What the head of a request says of its form: no parameters in the URL, no proof of a key that would count for
    /// nothing, the right content type, at most 64 KiB.
    pub(crate) fn head(&self, uri: &Uri) -> Result<(), RequestError> {
        if uri.query().is_some() {
            return Err(RequestError::Query);
        }
        if self.has_proof {
            return Err(RequestError::Dpop);
        }
        self.content_type()?;
        let announced = self
            .content_length
            .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        if announced.is_some_and(|length| length > Form::MAX_LENGTH) {
            return Err(RequestError::Form(FormError::TooLarge));
        }
        Ok(())
    }

    pub(crate) fn content_type(&self) -> Result<(), RequestError> {
        let form = match self.content_type {
            Field::Once(value) => value.to_str().is_ok_and(form_content_type),
            Field::Absent | Field::Repeated => false,
        };
        if form && !self.is_encoded {
            Ok(())
        } else {
            Err(RequestError::ContentType)
        }
    }

    /// The `Authorization` header: none, or one of visible ASCII.
    pub(crate) fn authorization(&self) -> Result<Option<HeaderValue>, RequestError> {
        match self.authorization {
            Field::Absent => Ok(None),
            Field::Once(value) if value.to_str().is_ok() => Ok(Some(value.clone())),
            Field::Once(_) => Err(RequestError::Authorization(BasicError::Malformed)),
            Field::Repeated => Err(RequestError::RepeatedHeader),
        }
    }
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

/// `User-Agent`, if it is one of visible ASCII: its first 256 octets.
pub(crate) fn user_agent(headers: &HeaderMap) -> Option<Box<str>> {
    /// Longer ones say no more to a person.
    const MAX: usize = 256;
    let text = single(headers, USER_AGENT).ok()??.to_str().ok()?;
    Some(text.get(..MAX).unwrap_or(text).into())
}

fn single(headers: &HeaderMap, name: HeaderName) -> Result<Option<&HeaderValue>, RequestError> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (first, None) => Ok(first),
        (_, Some(_)) => Err(RequestError::RepeatedHeader),
    }
}
