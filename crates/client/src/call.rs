//! One exchange: what is sent, what may come back.

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, Uri, header};
use rustls_pki_types::UnixTime;
use sealstone_https::{HttpsClient, HttpsError, Limits};
use zeroize::Zeroizing;

use crate::{CallError, CallFault, ClientContext, ClockSkew, error::Step};

/// The largest answer: a key set of 64 keys, three tokens of 16 KiB, a Keystone token with a large catalog.
const MAX_ANSWER: usize = 1024 * 1024;

/// Where one context's exchanges go, with or without a certificate.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    https: HttpsClient,
    context: ClientContext,
}

/// A whole answer, and how far the clocks are apart.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) response: Response<Bytes>,
    pub(crate) skew: Option<ClockSkew>,
    address: String,
    step: Step,
}

/// A form, or the query of an address. A text, because the serializer is not `Send` and callers' futures are to be.
pub(crate) struct Fields(Zeroizing<String>);

impl Caller {
    pub(crate) const fn new(https: HttpsClient, context: ClientContext) -> Self {
        Self { https, context }
    }

    pub(crate) const fn context(&self) -> &ClientContext {
        &self.context
    }

    pub(crate) fn now(&self) -> UnixTime {
        self.context.now()
    }

    /// Whether a request, or a browser, may go there.
    pub(crate) fn admits(&self, address: &str) -> bool {
        let uri: Result<Uri, _> = address.parse();
        uri.is_ok_and(|uri| self.https.admits(&uri).is_ok())
    }

    pub(crate) async fn get(&self, step: Step, address: &str) -> Result<Answer, CallError> {
        self.send(step, address, Request::get(address)).await
    }

    /// Posts a form, with `Authorization` if there is one.
    pub(crate) async fn form(
        &self,
        step: Step,
        address: &str,
        fields: Fields,
        authorization: Option<&str>,
    ) -> Result<Answer, CallError> {
        let mut builder =
            Request::post(address).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(value) = authorization
            .map(secret_header)
            .transpose()
            .map_err(|()| shapeless(step, address))?
        {
            builder = builder.header(header::AUTHORIZATION, value);
        }
        let body = fields.finish();
        self.send_body(step, address, builder, Bytes::copy_from_slice(body.as_bytes()))
            .await
    }

    pub(crate) async fn send(
        &self,
        step: Step,
        address: &str,
        builder: http::request::Builder,
    ) -> Result<Answer, CallError> {
        self.send_body(step, address, builder, Bytes::new()).await
    }

    pub(crate) async fn send_body(
        &self,
        step: Step,
        address: &str,
        builder: http::request::Builder,
        body: Bytes,
    ) -> Result<Answer, CallError> {
        let request = builder
            .header(header::ACCEPT, "application/json")
            .body(body)
            .map_err(|_not_a_request| shapeless(step, address))?;
        let limits = Limits {
            deadline: self.context.call_deadline(),
            body: MAX_ANSWER,
        };
        let response = self.https.exchange(request, limits).await;
        let response = response.map_err(|error| {
            let fault = match error {
                HttpsError::Address => CallFault::Address,
                error @ (HttpsError::Connect(_)
                | HttpsError::Broken(_)
                | HttpsError::Redirect(_)
                | HttpsError::TooLarge(_)
                | HttpsError::Deadline(_)) => CallFault::Https(error),
            };
            call_error(step, address, fault)
        })?;
        // An answer out of a cache on the way tells when that asked (RFC 9111 §5.1).
        let is_kept = response.headers().contains_key(header::AGE);
        let date = response.headers().get(header::DATE).filter(|_date| !is_kept);
        let date = date.and_then(|date| date.to_str().ok());
        Ok(Answer {
            status: response.status(),
            skew: date.and_then(|date| ClockSkew::between(date, self.now())),
            response,
            address: address.to_owned(),
            step,
        })
    }
}

impl Answer {
    pub(crate) fn body(&self) -> &[u8] {
        self.response.body()
    }

    pub(crate) fn fault(&self, fault: CallFault) -> CallError {
        call_error(self.step, &self.address, fault)
    }

    /// The status, as an error.
    pub(crate) fn status_error(&self) -> CallError {
        self.fault(CallFault::Status(self.status.as_u16()))
    }
}

impl Fields {
    pub(crate) fn new() -> Self {
        Self(Zeroizing::new(String::new()))
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        let text = std::mem::take(&mut *self.0);
        *self.0 = form_urlencoded::Serializer::new(text)
            .append_pair(name, value)
            .finish();
        self
    }

    pub(crate) fn with_all<'a>(self, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        pairs
            .into_iter()
            .fold(self, |fields, (name, value)| fields.with(name, value))
    }

    pub(crate) fn finish(self) -> Zeroizing<String> {
        self.0
    }

    /// `address` with these as its query, beside those that it has.
    pub(crate) fn into_query_of(self, address: &str) -> String {
        let joint = if address.contains('?') { '&' } else { '?' };
        format!("{address}{joint}{}", *self.finish())
    }
}

/// A header that no log shows.
pub(crate) fn secret_header(value: &str) -> Result<HeaderValue, ()> {
    let mut value = HeaderValue::from_str(value).map_err(|_not_a_value| ())?;
    value.set_sensitive(true);
    Ok(value)
}

fn shapeless(step: Step, address: &str) -> CallError {
    call_error(step, address, CallFault::Address)
}

pub(crate) fn call_error(step: Step, address: &str, fault: CallFault) -> CallError {
    let shown = address.split(['?', '#']).next().unwrap_or_default();
    CallError {
        address: crate::error::visible(shown),
        step,
        fault,
    }
}
