//! What Keystone says back: the client sees the token that it sent.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, Response};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};

use crate::fields::SUBJECT;
use crate::limits::MAX_ERROR_BODY;

/// Tokens that were put in place of others in one request.
#[derive(Default)]
pub(crate) struct Swaps(Vec<Swap>);

struct Swap {
    client: HeaderValue,
    node: HeaderValue,
}

impl Swaps {
    pub(crate) fn add(&mut self, client: HeaderValue, node: HeaderValue) {
        self.0.push(Swap { client, node });
    }

    /// What was put in the place of the client's token already.
    pub(crate) fn for_node(&self, client: &HeaderValue) -> Option<&HeaderValue> {
        self.0
            .iter()
            .find(|swap| swap.client == *client)
            .map(|swap| &swap.node)
    }

    fn for_client(&self, node: &HeaderValue) -> Option<&HeaderValue> {
        self.0
            .iter()
            .find(|swap| swap.node == *node)
            .map(|swap| &swap.client)
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Puts the client's token back into `X-Subject-Token`. Whether it stood there.
    pub(crate) fn restore_field(&self, headers: &mut http::HeaderMap) -> bool {
        let found = headers.get(SUBJECT).and_then(|value| self.for_client(value));
        let Some(client) = found.cloned() else {
            return false;
        };
        headers.insert(SUBJECT, client);
        true
    }

    /// May the answer's body hold a token of ours? Keystone names a token that it does not take in what it says of it
    /// (`Could not find token: …`), in JSON of a stated length.
    pub(crate) fn may_be_in_body(&self, answer: &Response<Incoming>) -> bool {
        let status = answer.status();
        let is_json = answer
            .headers()
            .get(CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
        let stated = answer.body().size_hint().exact();
        !self.is_empty()
            && (status.is_client_error() || status.is_server_error())
            && is_json
            && stated.is_some_and(|length| length > 0 && length <= MAX_ERROR_BODY)
    }

    /// Reads such a body, and puts the client's tokens back into it. Whether there was one.
    pub(crate) async fn restore_body(
        &self,
        answer: Response<Incoming>,
    ) -> Result<(Response<Bytes>, bool), hyper::Error> {
        let (mut head, body) = answer.into_parts();
        let octets = body.collect().await?.to_bytes();
        let Some(restored) = self.restored(&octets) else {
            return Ok((Response::from_parts(head, octets), false));
        };
        head.headers
            .insert(CONTENT_LENGTH, HeaderValue::from(restored.len()));
        Ok((Response::from_parts(head, restored.into()), true))
    }

    fn restored(&self, octets: &[u8]) -> Option<String> {
        let text = std::str::from_utf8(octets).ok()?;
        let mut restored: Option<String> = None;
        for swap in &self.0 {
            let (Ok(client), Ok(node)) = (swap.client.to_str(), swap.node.to_str()) else {
                continue;
            };
            let before = restored.as_deref().unwrap_or(text);
            if before.contains(node) {
                restored = Some(before.replace(node, client));
            }
        }
        restored
    }
}
