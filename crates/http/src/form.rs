use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use crate::deadline::{Elapsed, within};
use crate::request_id::X_REQUEST_ID;
use axum::BoxError;
use bytes::{Bytes, BytesMut};
use http::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderName, USER_AGENT,
};
use http::{HeaderMap, HeaderValue, Uri};
use http_body::Body;
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

/// The fields of a request's head that say something of it and of its form. They are few, and gone through once.
#[derive(Default)]
pub(crate) struct Fields<'a> {
    /// How often `Host` comes.
    pub(crate) hosts: u8,
    /// What a request is called by who sent it: the first, if there are several.
    pub(crate) request_id: Option<&'a HeaderValue>,
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
            } else if *name == HOST {
                fields.hosts = fields.hosts.saturating_add(1);
            } else if *name == X_REQUEST_ID {
                fields.request_id = fields.request_id.or(Some(value));
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

/// What a body is to be, to be read here.
pub(crate) trait Readable: Body<Data = Bytes, Error: Into<BoxError>> + Unpin + Send + 'static {}

impl<B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin + Send + 'static> Readable for B {}

/// Reads a form of at most 64 KiB, within the deadline.
pub(crate) async fn read(body: impl Readable, deadline: Duration) -> Result<Form, ReadError> {
    let octets = octets(body, deadline).await?;
    Ok(Form::parse(&octets).map_err(RequestError::Form)?)
}

/// Reads at most 64 KiB, within the deadline.
pub(crate) async fn octets(body: impl Readable, deadline: Duration) -> Result<Bytes, ReadError> {
    let mut whole = Whole {
        body,
        first: Bytes::new(),
        more: BytesMut::new(),
    };
    match within(deadline, poll_fn(|context| whole.poll_read(context))).await {
        Err(Elapsed) => Err(ReadError::TooSlow),
        Ok(read) => Ok(read?),
    }
}

/// A body that is being read. Most come in one piece, which is then the whole.
struct Whole<B> {
    body: B,
    first: Bytes,
    /// The first piece and all others, if there are others.
    more: BytesMut,
}

impl<B: Readable> Whole<B> {
    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<Result<Bytes, RequestError>> {
        while !self.body.is_end_stream() {
            let Some(frame) = ready!(Pin::new(&mut self.body).poll_frame(context)) else {
                break;
            };
            let frame = frame.map_err(|_broken| RequestError::Incomplete)?;
            if let Ok(piece) = frame.into_data() {
                self.add(piece)?;
            }
        }
        Poll::Ready(Ok(if self.more.is_empty() {
            std::mem::take(&mut self.first)
        } else {
            std::mem::take(&mut self.more).freeze()
        }))
    }

    fn add(&mut self, piece: Bytes) -> Result<(), RequestError> {
        let length = self.first.len().max(self.more.len());
        if length.saturating_add(piece.len()) > Form::MAX_LENGTH {
            return Err(RequestError::Form(FormError::TooLarge));
        }
        if length == 0 {
            self.first = piece;
            return Ok(());
        }
        if self.more.is_empty() {
            self.more.extend_from_slice(&self.first);
        }
        self.more.extend_from_slice(&piece);
        Ok(())
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
