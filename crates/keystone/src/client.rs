use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use rustls_pki_types::UnixTime;
use sealstone_https::{HttpsClient, HttpsError, Limits};
use sealstone_jose::{JoseError, json};
use serde::{Deserialize, de::DeserializeOwned};
use tokio::sync::Semaphore;
use tracing::Instrument as _;
use zeroize::Zeroizing;

use crate::{
    ConfigError, Fault, KeystoneConfig, KeystoneError, KeystoneRefusal, Outage, RequestId, Token,
    breaker::Breaker, config::Clock, error::Operation,
};

/// The largest answer about one thing: a token with the catalog of a hundred services in ten regions.
pub(crate) const MAX_ANSWER: usize = 1024 * 1024;
/// The largest page of a list: Keystone has no pages in most, and 20,000 users take some 10 MiB.
pub(crate) const MAX_PAGE: usize = 16 * 1024 * 1024;

/// Keystone's v3 API: logins, and what is asked about tokens. Clones share connections, limits and breaker.
///
/// What is asked in the name of a token is at [`KeystoneSession`](crate::KeystoneSession).
#[derive(Clone)]
pub struct KeystoneClient {
    inner: Arc<Inner>,
}

struct Inner {
    https: HttpsClient,
    base: String,
    call_deadline: Duration,
    calls: Semaphore,
    breaker: Breaker,
    clock: Clock,
}

impl KeystoneClient {
    /// A client for this Keystone; it connects when it is first asked.
    ///
    /// # Errors
    /// [`ConfigError::PlainHttp`], or [`ConfigError::Tls`] when certificates or key are missing or do not fit.
    pub fn new(config: &KeystoneConfig) -> Result<Self, ConfigError> {
        let https = HttpsClient::new(config.settings()?);
        let uri = config.base.parse().map_err(|_not_a_uri| ConfigError::Url)?;
        https.admits(&uri).map_err(|_refused| ConfigError::PlainHttp)?;
        Ok(Self {
            inner: Arc::new(Inner {
                https,
                base: config.base.clone(),
                call_deadline: config.call_deadline,
                calls: Semaphore::new(config.max_calls.clamp(1, Semaphore::MAX_PERMITS)),
                breaker: Breaker::new(config.breaker_failures, config.breaker_pause),
                clock: Arc::clone(&config.clock),
            }),
        })
    }

    /// The address, ending in `/v3`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.inner.base
    }

    pub(crate) fn now(&self) -> UnixTime {
        (self.inner.clock)()
    }

    /// One call: through the breaker, within its deadline, and once more if it is idempotent and found no answer.
    pub(crate) async fn call(&self, call: Call<'_>) -> Result<Answer, KeystoneError> {
        let operation = call.operation;
        let unavailable = |outage| KeystoneError::Unavailable { operation, outage };
        let admitted = self
            .inner
            .breaker
            .admit(self.now())
            .map_err(|retry_after| unavailable(Outage::LeftAlone { retry_after }))?;
        let deadline = self.inner.call_deadline;
        let span = tracing::debug_span!("keystone", keystone.operation = operation);
        let outcome = tokio::time::timeout(deadline, self.attempts(&call))
            .instrument(span)
            .await
            .unwrap_or(Err(Outage::Exchange(HttpsError::Deadline(deadline))));
        let outcome = match outcome {
            Err(Outage::Exchange(error @ (HttpsError::TooLarge(_) | HttpsError::Redirect(_)))) => Err(error),
            Err(Outage::Crowded) => return Err(unavailable(Outage::Crowded)),
            Err(outage) => {
                admitted.failed(self.now());
                return Err(unavailable(outage));
            }
            Ok(response) if matches!(response.status().as_u16(), 502..=504) => {
                admitted.failed(self.now());
                return Err(unavailable(Outage::Status(response.status().as_u16())));
            }
            Ok(response) => Ok(response),
        };
        admitted.succeeded();
        match outcome {
            Ok(response) => Answer::of(&call, response),
            Err(HttpsError::TooLarge(limit)) => Err(call.malformed(Fault::TooLarge(limit), None)),
            Err(_redirect) => Err(call.malformed(Fault::Redirect, None)),
        }
    }

    async fn attempts(&self, call: &Call<'_>) -> Result<Response<Bytes>, Outage> {
        let permit = self.inner.calls.acquire();
        // Half of the time for waiting: a call that begins must have time to end.
        let wait = self.inner.call_deadline.checked_div(2).unwrap_or_default();
        let _permit = tokio::time::timeout(wait, permit)
            .await
            .map_err(|_elapsed| Outage::Crowded)?
            .map_err(|_closed| Outage::Crowded)?;
        let limits = Limits {
            deadline: self.inner.call_deadline,
            body: call.limit,
        };
        let first = self.inner.https.exchange(self.request(call)?, limits).await;
        let outcome = match first {
            Err(HttpsError::Connect(_) | HttpsError::Broken(_)) if call.is_idempotent() => {
                self.inner.https.exchange(self.request(call)?, limits).await
            }
            other => other,
        };
        outcome.map_err(Outage::Exchange)
    }

    fn request(&self, call: &Call<'_>) -> Result<Request<Bytes>, Outage> {
        let mut request = Request::new(call.body.clone().unwrap_or_default());
        let uri = format!("{}{}", self.inner.base, call.path);
        *request.uri_mut() = uri
            .parse()
            .map_err(|_not_a_uri| Outage::Exchange(HttpsError::Address))?;
        *request.method_mut() = call.method.clone();
        let headers = request.headers_mut();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        // Keystone shows tokens with access rules only to those who say that they know them.
        headers.insert("openstack-identity-access-rules", HeaderValue::from_static("1.0"));
        if call.body.is_some() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let secrets = [
            ("x-auth-token", call.token),
            ("x-subject-token", call.subject),
            ("openstack-auth-receipt", call.receipt),
        ];
        for (name, token) in secrets {
            if let Some(token) = token {
                let value = HeaderValue::from_str(token.expose());
                let mut value = value.map_err(|_not_a_value| Outage::Exchange(HttpsError::Address))?;
                value.set_sensitive(true);
                headers.insert(name, value);
            }
        }
        Ok(request)
    }
}

impl fmt::Debug for KeystoneClient {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("KeystoneClient")
            .field("url", &self.inner.base)
            .finish_non_exhaustive()
    }
}

/// What is asked, in whose name, and how much may come back.
pub(crate) struct Call<'a> {
    operation: Operation,
    method: Method,
    path: String,
    limit: usize,
    token: Option<&'a Token>,
    subject: Option<&'a Token>,
    receipt: Option<&'a Token>,
    body: Option<Bytes>,
}

impl<'a> Call<'a> {
    pub(crate) fn new(operation: Operation, method: Method, path: impl Into<String>) -> Self {
        Self {
            operation,
            method,
            path: path.into(),
            limit: MAX_ANSWER,
            token: None,
            subject: None,
            receipt: None,
            body: None,
        }
    }

    pub(crate) const fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    pub(crate) const fn token(mut self, token: &'a Token) -> Self {
        self.token = Some(token);
        self
    }

    pub(crate) const fn subject(mut self, token: &'a Token) -> Self {
        self.subject = Some(token);
        self
    }

    pub(crate) const fn receipt(mut self, receipt: Option<&'a Token>) -> Self {
        self.receipt = receipt;
        self
    }

    /// The body's memory is overwritten when the call is over.
    pub(crate) fn body(mut self, body: Zeroizing<Vec<u8>>) -> Self {
        self.body = Some(Bytes::from_owner(body));
        self
    }

    fn is_idempotent(&self) -> bool {
        matches!(self.method, Method::GET | Method::HEAD)
    }

    const fn malformed(&self, fault: Fault, request_id: Option<RequestId>) -> KeystoneError {
        KeystoneError::Malformed {
            operation: self.operation,
            fault,
            request_id,
        }
    }
}

/// An answer of Keystone's own: a success, or a 401 that may hold a receipt.
pub(crate) struct Answer {
    operation: Operation,
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    request_id: Option<RequestId>,
}

impl Answer {
    fn of(call: &Call<'_>, response: Response<Bytes>) -> Result<Self, KeystoneError> {
        let (head, body) = response.into_parts();
        let request_id = head
            .headers
            .get("x-openstack-request-id")
            .and_then(|value| value.to_str().ok())
            .and_then(RequestId::parse);
        let answer = Self {
            operation: call.operation,
            status: head.status,
            headers: head.headers,
            body,
            request_id,
        };
        match answer.status.as_u16() {
            200..=299 => Ok(answer),
            401 if answer.headers.contains_key("openstack-auth-receipt") => Ok(answer),
            429 => Err(KeystoneError::Unavailable {
                operation: answer.operation,
                outage: Outage::Busy {
                    retry_after: answer.retry_after(),
                },
            }),
            status @ 500..=599 => Err(KeystoneError::Unavailable {
                operation: answer.operation,
                outage: Outage::Status(status),
            }),
            // Answers to HEAD have no body to be told apart by.
            401 if call.method == Method::HEAD => Err(answer.refused(KeystoneRefusal::Unauthenticated)),
            403 if call.method == Method::HEAD => Err(answer.refused(KeystoneRefusal::Forbidden)),
            404 if call.method == Method::HEAD => Err(answer.refused(KeystoneRefusal::NotFound)),
            status => Err(answer.refusal(status)),
        }
    }

    /// A refusal counts as Keystone's only in Keystone's own form: a front that stands before it has none.
    fn refusal(self, status: u16) -> KeystoneError {
        #[derive(Deserialize)]
        struct Document {
            error: Inner,
        }
        #[derive(Deserialize)]
        struct Inner {
            code: u16,
        }
        let own = self
            .json::<Document>()
            .is_ok_and(|document| document.error.code == status);
        let refusal = match status {
            400 => KeystoneRefusal::BadRequest,
            401 => KeystoneRefusal::Unauthenticated,
            403 => KeystoneRefusal::Forbidden,
            404 => KeystoneRefusal::NotFound,
            409 => KeystoneRefusal::Conflict,
            413 => KeystoneRefusal::TooMuch,
            _ => return self.malformed(Fault::Status(status)),
        };
        if own {
            self.refused(refusal)
        } else {
            self.malformed(Fault::Status(status))
        }
    }

    fn refused(self, refusal: KeystoneRefusal) -> KeystoneError {
        KeystoneError::Refused {
            operation: self.operation,
            refusal,
            request_id: self.request_id,
        }
    }

    pub(crate) fn malformed(&self, fault: Fault) -> KeystoneError {
        KeystoneError::Malformed {
            operation: self.operation,
            fault,
            request_id: self.request_id.clone(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        let text = self.headers.get(header::RETRY_AFTER)?.to_str().ok()?;
        text.parse().ok().map(Duration::from_secs)
    }

    pub(crate) const fn status(&self) -> StatusCode {
        self.status
    }

    /// Whether the status is the one that this call is answered with.
    pub(crate) fn expect(&self, status: StatusCode) -> Result<(), KeystoneError> {
        if self.status == status {
            Ok(())
        } else {
            Err(self.malformed(Fault::Status(self.status.as_u16())))
        }
    }

    /// The one header of this name, if it is a token.
    pub(crate) fn one_token(&self, name: &str) -> Option<Token> {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next()?;
        let token = Token::parse(value.to_str().ok()?).ok()?;
        values.next().is_none().then_some(token)
    }

    /// The body, which is JSON by its own account.
    pub(crate) fn json_text(&self) -> Result<&[u8], KeystoneError> {
        let content_type = self.headers.get(header::CONTENT_TYPE);
        let essence = content_type
            .and_then(|value| value.to_str().ok())
            .and_then(|text| text.split(';').next())
            .map(str::trim);
        if essence.is_some_and(|essence| essence.eq_ignore_ascii_case("application/json")) {
            Ok(&self.body)
        } else {
            Err(self.malformed(Fault::ContentType))
        }
    }

    /// The body, strictly read: each name once, nested at most 32 deep.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, KeystoneError> {
        json::from_slice(self.json_text()?).map_err(|error| {
            let is_strict = error == JoseError::UnexpectedJson;
            self.malformed(if is_strict { Fault::Shape } else { Fault::Json })
        })
    }
}
