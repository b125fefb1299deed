use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use sealstone_provider::{DomainId, TokenError};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::answer;
use crate::edge::Edge;
use crate::route::Document;

/// As long as verifiers keep keys: a key is published longer than this before it signs.
const FIVE_MINUTES: HeaderValue = HeaderValue::from_static("public, max-age=300");
/// What is revoked must be known at once: kept, but asked for again each time.
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("no-cache");

/// The public documents: metadata, keys, revocations.
impl Edge {
    pub(crate) fn document(&self, document: Document, domain: &DomainId, parts: &Parts) -> Response {
        let (text, keep) = match document {
            Document::Jwks => (
                self.provider
                    .jwks(domain)
                    .map(|jwks| Bytes::copy_from_slice(jwks.as_bytes())),
                FIVE_MINUTES,
            ),
            Document::Revocations => (
                self.provider
                    .revocation_document(domain)
                    .map(|document| text(&document)),
                ASK_AGAIN,
            ),
            Document::Metadata => {
                let metadata = self.provider.metadata(domain).ok_or(TokenError::UnknownIssuer);
                (metadata.map(|metadata| text(&*metadata)), FIVE_MINUTES)
            }
        };
        match text {
            Ok(text) if text.is_empty() => answer::fault(StatusCode::INTERNAL_SERVER_ERROR),
            Ok(text) => cacheable(text, keep, &parts.method, &parts.headers),
            Err(failure) => answer::token_error(&failure, ""),
        }
    }
}

fn text<T: Serialize>(document: &T) -> Bytes {
    serde_json::to_vec(document).map(Bytes::from).unwrap_or_default()
}

fn cacheable(text: Bytes, keep: HeaderValue, method: &Method, asked: &HeaderMap) -> Response {
    let tag = entity_tag(&text);
    let known = asked
        .get_all(IF_NONE_MATCH)
        .iter()
        .any(|value| names_tag(value, &tag));
    let length = HeaderValue::from(text.len());
    let (status, body) = match (known, method == Method::HEAD) {
        (true, _) => (StatusCode::NOT_MODIFIED, Body::empty()),
        (false, true) => (StatusCode::OK, Body::empty()),
        (false, false) => (StatusCode::OK, Body::from(text)),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    if status == StatusCode::OK {
        headers.insert(CONTENT_TYPE, answer::JSON);
        headers.insert(CONTENT_LENGTH, length);
    }
    headers.insert(CACHE_CONTROL, keep);
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(ETAG, tag);
    }
    response
}

/// A strong tag (RFC 9110 §8.8.3): the same on every node that serves the same octets.
fn entity_tag(text: &[u8]) -> String {
    let digest = Sha256::digest(text);
    let mut tag = String::with_capacity(34);
    tag.push('"');
    for octet in digest.iter().take(16) {
        for digit in [octet >> 4, octet & 0xf] {
            tag.push(char::from_digit(digit.into(), 16).unwrap_or('0'));
        }
    }
    tag.push('"');
    tag
}

fn names_tag(value: &HeaderValue, tag: &str) -> bool {
    let names = |text: &str| {
        text.split(',')
            .map(str::trim)
            .any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag)
    };
    value.to_str().is_ok_and(names)
}
