use std::{future::Future, pin::Pin, time::Duration};

use bytes::Bytes;
use http::{Method, Request, Response, header};
use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use sealstone_https::{HttpsClient, HttpsError, Limits};
use sealstone_jose::json;
use tokio::sync::Semaphore;
use tracing::Instrument as _;

use crate::{
    ConfigError, Outage, UpstreamConfig,
    error::{Failure, FaultKind, Step},
};

/// The largest answer: a key set of 64 keys, or a token answer with three tokens of 16 KiB.
const MAX_ANSWER: usize = 256 * 1024;

/// Our calls to the provider: strict, bounded, and never to a place that it was not told.
pub(crate) struct BackChannel {
    https: HttpsClient,
    deadline: Duration,
    calls: Semaphore,
}

impl BackChannel {
    pub(crate) fn new(config: &UpstreamConfig) -> Result<Self, ConfigError> {
        Ok(Self {
            https: config.client()?,
            deadline: config.call_deadline,
            calls: Semaphore::new(config.max_calls.clamp(1, Semaphore::MAX_PERMITS)),
        })
    }

    /// What is at this address: JSON by its own account, and strict.
    pub(crate) async fn get(&self, step: Step, url: &str, bearer: Option<&str>) -> Result<Bytes, Failure> {
        let shapeless = |_not_a_request| Failure::fault(step, FaultKind::AccessToken);
        let mut request = Request::builder()
            .method(Method::GET)
            .uri(url)
            .header(header::ACCEPT, "application/json");
        if let Some(bearer) = bearer {
            request = request.header(header::AUTHORIZATION, format!("Bearer {bearer}"));
        }
        let mut request = request.body(Bytes::new()).map_err(shapeless)?;
        if let Some(value) = request.headers_mut().get_mut(header::AUTHORIZATION) {
            value.set_sensitive(true);
        }
        let answer = self.exchange(step, request).await?;
        match answer.status().as_u16() {
            200 => Ok(answer.into_body()),
            status => Err(Failure::fault(step, FaultKind::Status(status))),
        }
    }

    /// One exchange. A refusal of the provider's own (4xx) is returned as it is, if it is JSON.
    async fn exchange(&self, step: Step, request: Request<Bytes>) -> Result<Response<Bytes>, Failure> {
        // Half of the time for waiting: a call that begins must have time to end.
        let wait = self.deadline.checked_div(2).unwrap_or_default();
        let permit = tokio::time::timeout(wait, self.calls.acquire()).await;
        let Ok(Ok(_permit)) = permit else {
            return Err(Failure::Outage(Outage::Crowded));
        };
        let limits = Limits {
            deadline: self.deadline,
            body: MAX_ANSWER,
        };
        let span = tracing::debug_span!("upstream", upstream.step = step);
        let answer = self.https.exchange(request, limits).instrument(span).await;
        let answer = answer.map_err(|source| match source {
            HttpsError::TooLarge(limit) => Failure::fault(step, FaultKind::TooLarge(limit)),
            HttpsError::Redirect(_) => Failure::fault(step, FaultKind::Redirect),
            source @ (HttpsError::Address
            | HttpsError::Connect(_)
            | HttpsError::Broken(_)
            | HttpsError::Deadline(_)) => Failure::Outage(Outage::Exchange { step, source }),
        })?;
        let status = answer.status().as_u16();
        match status {
            200 | 400 | 401 => {}
            429 | 500..=599 => return Err(Failure::Outage(Outage::Status { step, status })),
            _ => return Err(Failure::fault(step, FaultKind::Status(status))),
        }
        let fault = if is_json(&answer) {
            json::check(answer.body()).err().map(|_error| FaultKind::Json)
        } else {
            Some(FaultKind::ContentType)
        };
        match fault {
            None => Ok(answer),
            Some(fault) if status == 200 => Err(Failure::fault(step, fault)),
            // What stands before the provider has no JSON to refuse with.
            Some(_foreign) => Err(Failure::fault(step, FaultKind::Status(status))),
        }
    }
}

fn is_json(answer: &Response<Bytes>) -> bool {
    let content_type = answer.headers().get(header::CONTENT_TYPE);
    let essence = content_type
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.split(';').next())
        .map(str::trim);
    essence.is_some_and(|essence| {
        essence.eq_ignore_ascii_case("application/json")
            || essence.eq_ignore_ascii_case("application/jwk-set+json")
    })
}

/// A call of `openidconnect` that did not come to an answer.
#[derive(Debug, thiserror::Error)]
#[error("the call failed")]
pub(crate) struct CallFailed(pub(crate) Failure);

impl<'c> AsyncHttpClient<'c> for BackChannel {
    type Error = CallFailed;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, CallFailed>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let answer = self.exchange("for tokens", request.map(Bytes::from)).await;
            answer
                .map(|answer| answer.map(|body| body.to_vec()))
                .map_err(CallFailed)
        })
    }
}
