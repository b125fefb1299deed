use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use http::{HeaderValue, Request, Response, Uri};
use sealstone_https::{HttpsClient, HttpsError, Limits};
use zeroize::Zeroizing;

use crate::answer::rejected_spans;
use crate::otlp::{FinishedSpan, Service, encode};

/// A collector in reach answers in milliseconds; one that needs longer than this holds up what comes after.
const DEADLINE: Duration = Duration::from_secs(10);
/// An answer is a number and a sentence.
const MAX_ANSWER: usize = 64 * 1024;
/// A token of a collector: as long as services accept in a header.
const MAX_BEARER: u64 = 16 * 1024;
/// The longest that a collector may make us wait.
const MAX_RETRY_AFTER: u64 = 60;

/// Where spans go.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_structs, reason = "a collector is told by all of them")]
pub struct CollectorSettings {
    /// The whole address, such as `https://collector.example.org:4318/v1/traces`.
    pub url: Uri,
    /// A file with the bearer token that the collector wants; read for each delivery, so that it may change.
    pub bearer_file: Option<PathBuf>,
    /// Whose spans they are.
    pub service: Service,
}

/// A collector of OTLP over HTTP.
#[derive(Debug, Clone)]
pub struct Collector {
    client: HttpsClient,
    settings: CollectorSettings,
}

/// How a delivery ended.
#[derive(Debug)]
pub(crate) enum Delivery {
    /// Taken, but so many.
    Taken { rejected: usize },
    /// Refused, and would be again.
    Refused(String),
    /// Not taken now; to be tried again, no sooner than the collector says.
    Later {
        why: String,
        retry_after: Option<Duration>,
    },
}

impl Collector {
    /// A collector that this client reaches.
    ///
    /// # Errors
    /// [`HttpsError::Address`] where the client's settings do not admit the address.
    pub fn new(client: HttpsClient, settings: CollectorSettings) -> Result<Self, HttpsError> {
        client.admits(&settings.url)?;
        Ok(Self { client, settings })
    }

    #[cfg(test)]
    pub(crate) const fn settings_mut(&mut self) -> &mut CollectorSettings {
        &mut self.settings
    }

    /// Sends them once.
    pub(crate) async fn deliver(&self, spans: &[FinishedSpan]) -> Delivery {
        let request = match self.request(spans) {
            Ok(request) => request,
            Err(why) => {
                return Delivery::Later {
                    why,
                    retry_after: None,
                };
            }
        };
        let limits = Limits {
            deadline: DEADLINE,
            body: MAX_ANSWER,
        };
        match self.client.exchange(request, limits).await {
            Ok(answer) => judge(&answer, spans.len()),
            // It would end in the same way again.
            Err(error @ (HttpsError::Redirect(_) | HttpsError::TooLarge(_) | HttpsError::Address)) => {
                Delivery::Refused(error.to_string())
            }
            Err(error @ (HttpsError::Connect(_) | HttpsError::Broken(_) | HttpsError::Deadline(_))) => {
                Delivery::Later {
                    why: error.to_string(),
                    retry_after: None,
                }
            }
        }
    }

    fn request(&self, spans: &[FinishedSpan]) -> Result<Request<Bytes>, String> {
        let body = encode(&self.settings.service, spans).map_err(|error| error.to_string())?;
        let mut request = Request::new(Bytes::from(body));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = self.settings.url.clone();
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(USER_AGENT, HeaderValue::from_static("sealstone"));
        if let Some(path) = &self.settings.bearer_file {
            let unreadable = || format!("the bearer token in {} can't be read", path.display());
            let size = std::fs::metadata(path).map_err(|_error| unreadable())?.len();
            if size > MAX_BEARER {
                return Err(format!(
                    "the bearer token in {} is longer than {MAX_BEARER} octets",
                    path.display()
                ));
            }
            let token = Zeroizing::new(std::fs::read_to_string(path).map_err(|_error| unreadable())?);
            let value = Zeroizing::new(format!("Bearer {}", token.trim()));
            let mut value = HeaderValue::from_str(&value)
                .map_err(|_error| format!("{} holds no bearer token", path.display()))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        Ok(request)
    }
}

/// As the protocol says (OTLP/HTTP, failures): 429, 502, 503 and 504 are for later, other refusals for good.
fn judge(answer: &Response<Bytes>, sent: usize) -> Delivery {
    let status = answer.status().as_u16();
    match status {
        200..=299 => Delivery::Taken {
            rejected: rejected_spans(answer.body(), sent),
        },
        408 | 429 | 502..=504 => Delivery::Later {
            why: format!("it answered {status}"),
            retry_after: retry_after(answer),
        },
        _ => Delivery::Refused(format!("it answered {status}")),
    }
}

/// Seconds; a date is left to our own pauses.
fn retry_after(answer: &Response<Bytes>) -> Option<Duration> {
    let text = answer.headers().get(RETRY_AFTER)?.to_str().ok()?;
    let seconds: u64 = text.trim().parse().ok()?;
    Some(Duration::from_secs(seconds.min(MAX_RETRY_AFTER)))
}
