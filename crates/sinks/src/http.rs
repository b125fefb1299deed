use crate::receiver::{DeliveryError, Receiver};
use async_trait::async_trait;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Request, Uri};
use sealstone_https::{HttpsClient, Limits};
use sealstone_trail::Read;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;
use zeroize::Zeroizing;

/// An answer's body is not looked at.
const ANSWER: usize = 64 * 1024;
/// Whoever stores five hundred events takes no longer.
const DEADLINE: Duration = Duration::from_secs(15);

/// Where events are posted.
#[derive(Debug, Clone)]
#[expect(
    clippy::exhaustive_structs,
    reason = "built by the program from its configuration"
)]
pub struct HttpSettings {
    /// The address.
    pub url: Uri,
    /// A file with a bearer token, read for each request: it may be replaced while the server runs.
    pub bearer_file: Option<PathBuf>,
}

/// Posts events, a line each (`application/x-ndjson`), to an address. Any 2xx says that they are kept.
///
/// `Idempotency-Key` is `NODE-FIRST-LAST`, by sequence numbers: what is repeated has the same.
#[derive(Debug)]
pub struct Http {
    client: HttpsClient,
    settings: HttpSettings,
}

impl Http {
    /// By this client.
    #[must_use]
    pub const fn new(client: HttpsClient, settings: HttpSettings) -> Self {
        Self { client, settings }
    }

    fn request(&self, events: &[Read]) -> Result<Request<Bytes>, DeliveryError> {
        let mut body = Vec::new();
        for event in events {
            body.extend_from_slice(&event.text);
            body.push(b'\n');
        }
        let number = |event: Option<&Read>| event.map_or(0, |event| event.line.sequence);
        let node = events.first().map_or("", |event| event.line.node.as_str());
        let key = format!("{node}-{}-{}", number(events.first()), number(events.last()));
        let mut request = Request::post(&self.settings.url)
            .header(CONTENT_TYPE, "application/x-ndjson")
            .header("idempotency-key", key);
        if let Some(path) = &self.settings.bearer_file {
            let token = fs::read_to_string(path).map_err(DeliveryError::settings)?;
            let line = Zeroizing::new(format!("Bearer {}", Zeroizing::new(token).trim()));
            let mut value = HeaderValue::from_str(&line).map_err(DeliveryError::settings)?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        request.body(body.into()).map_err(DeliveryError::settings)
    }
}

#[async_trait]
impl Receiver for Http {
    async fn deliver(&mut self, events: &[Read]) -> Result<(), DeliveryError> {
        let limits = Limits {
            deadline: DEADLINE,
            body: ANSWER,
        };
        let answer = self.client.exchange(self.request(events)?, limits).await;
        let status = answer.map_err(DeliveryError::connection)?.status();
        if status.is_success() {
            return Ok(());
        }
        Err(DeliveryError::Refused(format!("HTTP status {}", status.as_u16())))
    }
}
