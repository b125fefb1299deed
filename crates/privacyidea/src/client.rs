use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rustls_pki_types::UnixTime;
use sealstone_https::{HttpsClient, HttpsError, Limits};
use sealstone_identity::Name;
use tokio::sync::{Mutex, Semaphore};
use tracing::Instrument as _;
use zeroize::Zeroizing;

use crate::{
    ConfigError, Fault, Operation, Outage, PrivacyIdeaConfig, PrivacyIdeaError, PrivacyIdeaRefusal,
    config::Clock,
    wire::{self, Answer, Failure, Polled, Tokens, Triggered},
    wrong_codes::WrongCodes,
};

/// The largest answer: a hundred tokens of a user at a kilobyte each, twice over.
const MAX_ANSWER: usize = 256 * 1024;
/// As many tokens of one person as are listed; those beyond answer no challenge here.
const MAX_TOKENS: &str = "100";
/// After the adapter's password was refused, the next try waits: privacyIDEA may lock administrators too.
const REFUSAL_PAUSE: Duration = Duration::from_secs(30);
/// What a form leaves as it is (RFC 3986 §2.3).
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// privacyIDEA's API, as far as second factors need it. Clones share connections, limits and the adapter's login.
#[derive(Clone)]
pub struct PrivacyIdea {
    inner: Arc<Inner>,
}

struct Inner {
    https: HttpsClient,
    config: PrivacyIdeaConfig,
    calls: Semaphore,
    login: Mutex<LoginState>,
    wrong_codes: WrongCodes,
}

#[derive(Default)]
struct LoginState {
    token: Option<Arc<Zeroizing<String>>>,
    refused_at: Option<UnixTime>,
}

/// A user name as it goes to privacyIDEA, and as it must come back.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AskedUser<'a>(&'a Name);

impl<'a> AskedUser<'a> {
    /// privacyIDEA trims names, and takes an empty one for everybody.
    pub(crate) fn of(name: &'a Name) -> Result<Self, PrivacyIdeaRefusal> {
        let text = name.as_str();
        if text.is_empty() || text.trim() != text {
            Err(PrivacyIdeaRefusal::UserName)
        } else {
            Ok(Self(name))
        }
    }

    /// privacyIDEA takes what follows the last `@` or stands before a `\` for a realm, if there is one of that name:
    /// `bob@lab` would be judged as `bob`. With the realm behind it, the name is what stands before.
    fn on_the_wire(self, realm: &str) -> String {
        let name = self.0.as_str();
        if name.contains(['@', '\\']) {
            format!("{name}@{realm}")
        } else {
            name.to_owned()
        }
    }
}

impl PrivacyIdea {
    /// A client for this privacyIDEA; it connects when it is first asked.
    ///
    /// # Errors
    /// [`ConfigError::PlainHttp`], or [`ConfigError::Tls`] when certificates are missing or do not fit.
    pub fn new(config: PrivacyIdeaConfig) -> Result<Self, ConfigError> {
        let https = HttpsClient::new(config.settings()?);
        let uri = config.base.parse().map_err(|_not_a_uri| ConfigError::Url)?;
        https.admits(&uri).map_err(|_refused| ConfigError::PlainHttp)?;
        Ok(Self {
            inner: Arc::new(Inner {
                https,
                calls: Semaphore::new(config.max_calls.clamp(1, Semaphore::MAX_PERMITS)),
                login: Mutex::default(),
                wrong_codes: WrongCodes::new(config.max_wrong, config.wrong_pause),
                config,
            }),
        })
    }

    /// Logs the adapter in, to see whether privacyIDEA is there and takes its password.
    ///
    /// # Errors
    /// What stands in the way.
    pub async fn probe(&self) -> Result<(), PrivacyIdeaError> {
        self.login(None).await.map(drop)
    }

    pub(crate) fn config(&self) -> &PrivacyIdeaConfig {
        &self.inner.config
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.inner.config.clock
    }

    pub(crate) fn wrong_codes(&self) -> &WrongCodes {
        &self.inner.wrong_codes
    }

    /// The tokens that are assigned to a user, whatever their state.
    pub(crate) async fn tokens(&self, user: AskedUser<'_>) -> Result<Tokens, PrivacyIdeaError> {
        let operation = "which tokens a user has";
        let realm = &self.inner.config.realm;
        let query = form(&[
            ("user", &user.on_the_wire(realm)),
            ("realm", realm),
            ("pagesize", MAX_TOKENS),
        ]);
        let answer = self
            .privileged(Call::get(operation, format!("/token/?{}", *query)))
            .await?;
        wire::tokens(answer, user.0.as_str(), realm).map_err(|fault| malformed(operation, fault))
    }

    /// Asks the user's tokens for an answer. `None` if none of them can give one.
    pub(crate) async fn trigger_tokens(
        &self,
        user: AskedUser<'_>,
        own: &Tokens,
    ) -> Result<Option<(Triggered, Option<String>)>, PrivacyIdeaError> {
        let operation = "to trigger a challenge";
        let realm = &self.inner.config.realm;
        let body = form(&[("user", &user.on_the_wire(realm)), ("realm", realm)]);
        let call = Call::post(operation, "/validate/triggerchallenge", &body);
        let answer = self.privileged(call).await?;
        wire::triggered(answer, user.0, own).map_err(|fault| malformed(operation, fault))
    }

    /// Answers a challenge with a code; with an empty one where the person agreed on another device.
    ///
    /// Returns the token that answered, or `None` for a refusal. Never sent twice.
    pub(crate) async fn check<'a>(
        &self,
        user: AskedUser<'_>,
        open: &'a Triggered,
        code: &str,
    ) -> Result<Option<&'a wire::OpenToken>, PrivacyIdeaError> {
        let operation = "to check a code";
        let realm = &self.inner.config.realm;
        let body = form(&[
            ("user", &user.on_the_wire(realm)),
            ("realm", realm),
            ("transaction_id", open.transaction.as_str()),
            ("pass", code),
        ]);
        let answer = self
            .send(&Call::post(operation, "/validate/check", &body), None)
            .await?;
        wire::checked(&answer, open, user.0.as_str(), realm).map_err(|fault| malformed(operation, fault))
    }

    /// Whether the person agreed on another device.
    pub(crate) async fn ask_again(&self, open: &Triggered) -> Result<Polled, PrivacyIdeaError> {
        let operation = "what became of a challenge";
        let path = format!("/validate/polltransaction/{}", open.transaction.as_str());
        let answer = self.send(&Call::get(operation, path), None).await?;
        wire::polled(answer).map_err(|fault| malformed(operation, fault))
    }

    /// A call in the adapter's name: with another login, once, when the kept one is no longer accepted.
    async fn privileged(&self, call: Call) -> Result<Answer, PrivacyIdeaError> {
        let token = self.login(None).await?;
        match self.send(&call, Some(&token)).await {
            Err(error) if error.refusal() == Some(PrivacyIdeaRefusal::AdapterToken) => {
                let token = self.login(Some(&token)).await?;
                self.send(&call, Some(&token)).await
            }
            other => other,
        }
    }

    /// The token of the adapter's login: the one that is kept, unless it is `stale`.
    async fn login(
        &self,
        stale: Option<&Arc<Zeroizing<String>>>,
    ) -> Result<Arc<Zeroizing<String>>, PrivacyIdeaError> {
        let operation = "to log the adapter in";
        let mut state = self.inner.login.lock().await;
        if let Some(kept) = &state.token
            && !stale.is_some_and(|stale| Arc::ptr_eq(stale, kept))
        {
            return Ok(Arc::clone(kept));
        }
        state.token = None;
        let now = (self.inner.config.clock)();
        let waits = state
            .refused_at
            .is_some_and(|at| now.as_secs().abs_diff(at.as_secs()) < REFUSAL_PAUSE.as_secs());
        if waits {
            return Err(PrivacyIdeaError::Refused {
                operation,
                refusal: PrivacyIdeaRefusal::AdapterWaits,
            });
        }
        let body = form(&[
            ("username", &self.inner.config.user_name),
            ("password", &self.inner.config.password),
        ]);
        match self.send(&Call::post(operation, "/auth", &body), None).await {
            Ok(answer) => {
                let token = Arc::new(wire::login(answer).map_err(|fault| malformed(operation, fault))?);
                *state = LoginState {
                    token: Some(Arc::clone(&token)),
                    refused_at: None,
                };
                Ok(token)
            }
            Err(error) => {
                if matches!(error, PrivacyIdeaError::Refused { .. }) {
                    state.refused_at = Some(now);
                }
                Err(error)
            }
        }
    }

    async fn send(
        &self,
        call: &Call,
        token: Option<&Arc<Zeroizing<String>>>,
    ) -> Result<Answer, PrivacyIdeaError> {
        let operation = call.operation;
        let unavailable = |outage| PrivacyIdeaError::Unavailable { operation, outage };
        let response = self.exchange(call, token).await;
        let response = match response {
            Ok(response) => response,
            Err(Outage::Exchange(HttpsError::TooLarge(limit))) => {
                return Err(malformed(operation, Fault::TooLarge(limit)));
            }
            Err(Outage::Exchange(HttpsError::Redirect(_))) => {
                return Err(malformed(operation, Fault::Redirect));
            }
            Err(outage) => return Err(unavailable(outage)),
        };
        let status = response.status().as_u16();
        let content_type = response.headers().get(header::CONTENT_TYPE);
        let essence = content_type
            .and_then(|value| value.to_str().ok())
            .and_then(|text| text.split(';').next())
            .map(str::trim);
        let is_json = essence.is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"));
        if !is_json && status < 500 {
            let fault = match status {
                200 => Fault::ContentType,
                other => Fault::Status(other),
            };
            return Err(malformed(operation, fault));
        }
        Answer::read(status, response.body()).map_err(|failure| match failure {
            Failure::Refused(refusal) => PrivacyIdeaError::Refused { operation, refusal },
            Failure::Outage(status) => unavailable(Outage::Status(status)),
            Failure::Fault(fault) => malformed(operation, fault),
        })
    }

    async fn exchange(
        &self,
        call: &Call,
        token: Option<&Arc<Zeroizing<String>>>,
    ) -> Result<Response<Bytes>, Outage> {
        let deadline = self.inner.config.call_deadline;
        // Half of the time for waiting: a call that begins must have time to end.
        let wait = deadline.checked_div(2).unwrap_or_default();
        let _permit = tokio::time::timeout(wait, self.inner.calls.acquire())
            .await
            .map_err(|_elapsed| Outage::Crowded)?
            .map_err(|_closed| Outage::Crowded)?;
        let limits = Limits {
            deadline,
            body: MAX_ANSWER,
        };
        let request = self.request(call, token)?;
        let span = tracing::debug_span!("privacyidea", privacyidea.operation = call.operation);
        let answer = self.inner.https.exchange(request, limits).instrument(span).await;
        answer.map_err(Outage::Exchange)
    }

    fn request(&self, call: &Call, token: Option<&Arc<Zeroizing<String>>>) -> Result<Request<Bytes>, Outage> {
        let no_address = || Outage::Exchange(HttpsError::Address);
        let uri = format!("{}{}", self.inner.config.base, call.path);
        let mut request = Request::new(call.body.clone().unwrap_or_default());
        *request.uri_mut() = uri.parse().map_err(|_not_a_uri| no_address())?;
        *request.method_mut() = call.method.clone();
        let headers = request.headers_mut();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        // Policies of privacyIDEA may tell its callers apart by this.
        headers.insert(header::USER_AGENT, HeaderValue::from_static("sealstone"));
        if call.body.is_some() {
            let form = HeaderValue::from_static("application/x-www-form-urlencoded");
            headers.insert(header::CONTENT_TYPE, form);
        }
        if let Some(token) = token {
            let value = HeaderValue::from_str(token);
            let mut value = value.map_err(|_not_a_value| no_address())?;
            value.set_sensitive(true);
            headers.insert("pi-authorization", value);
        }
        Ok(request)
    }
}

impl fmt::Debug for PrivacyIdea {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("PrivacyIdea")
            .field("url", &self.inner.config.base)
            .field("realm", &self.inner.config.realm)
            .finish_non_exhaustive()
    }
}

struct Call {
    operation: Operation,
    method: Method,
    path: String,
    body: Option<Bytes>,
}

impl Call {
    const fn get(operation: Operation, path: String) -> Self {
        Self {
            operation,
            method: Method::GET,
            path,
            body: None,
        }
    }

    /// The body's memory is overwritten when the call is over.
    fn post(operation: Operation, path: &str, body: &Zeroizing<String>) -> Self {
        let octets = Zeroizing::new(body.as_bytes().to_vec());
        Self {
            operation,
            method: Method::POST,
            path: path.to_owned(),
            body: Some(Bytes::from_owner(octets)),
        }
    }
}

fn form(members: &[(&str, &str)]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(512));
    for (name, value) in members {
        if !text.is_empty() {
            text.push('&');
        }
        text.push_str(name);
        text.push('=');
        text.extend(utf8_percent_encode(value, UNRESERVED));
    }
    text
}

const fn malformed(operation: Operation, fault: Fault) -> PrivacyIdeaError {
    PrivacyIdeaError::Malformed { operation, fault }
}
