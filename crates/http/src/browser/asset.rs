//! The files that pages load.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use sealstone_provider::DomainId;

use crate::answer;
use crate::edge::Edge;
use crate::route::asset_name;

/// The address changes with the file: pages name its version.
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// Without the version, or with another.
const FOR_A_WHILE: HeaderValue = HeaderValue::from_static("public, max-age=300");
/// A drawing that is opened by itself runs nothing.
const INERT: HeaderValue = HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; sandbox");
const RESOURCES: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

impl Edge {
    pub(crate) fn asset(&self, domain: &DomainId, parts: &Parts) -> Response {
        let brand = self.brands.of(domain.as_str());
        let asset = asset_name(parts.uri.path(), &self.base_path).and_then(|name| brand.asset(name));
        let Some(asset) = asset else {
            return answer::not_found();
        };
        let tag = format!("\"{}\"", asset.version());
        let asked = parts.headers.get_all(IF_NONE_MATCH).iter();
        let known = asked
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|one| one.trim().trim_start_matches("W/") == tag);
        let body = match (known, parts.method == Method::HEAD) {
            (true, _) | (_, true) => Body::empty(),
            (false, false) => Body::from(Bytes::copy_from_slice(asset.content())),
        };
        let mut response = Response::new(body);
        if known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        }
        let versioned = parts.uri.query().and_then(|query| query.strip_prefix("v=")) == Some(asset.version());
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(asset.content_type()));
        if !known {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(asset.content().len()));
        }
        headers.insert(CACHE_CONTROL, if versioned { FOR_EVER } else { FOR_A_WHILE });
        headers.insert(CONTENT_SECURITY_POLICY, INERT);
        headers.insert(RESOURCES, HeaderValue::from_static("same-origin"));
        if let Ok(tag) = HeaderValue::from_str(&tag) {
            headers.insert(ETAG, tag);
        }
        response
    }
}
