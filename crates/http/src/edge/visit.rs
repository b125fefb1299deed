//! What every request has: its name, its span, its count, and the header fields of its answer.

use std::time::Instant;

use axum::response::Response;
use http::header::{STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS};
use http::request::Parts;
use http::{HeaderName, HeaderValue, StatusCode};
use sealstone_provider::{DomainId, RequestId};
use tracing::field::Empty;

use super::Edge;
use crate::answer;
use crate::form::Fields;
use crate::latency;
use crate::request_id::X_REQUEST_ID;
use crate::route::{Endpoint, named};
use crate::traces::TraceStart;

/// By what OpenStack's clients name a request in their logs.
const X_OPENSTACK_REQUEST_ID: HeaderName = HeaderName::from_static("x-openstack-request-id");

/// One request from its first look to its answer.
pub(super) struct Visit {
    pub(super) request_id: RequestId,
    pub(super) endpoint: Endpoint,
    pub(super) span: tracing::Span,
    began: Instant,
}

impl Visit {
    /// The visit, and the domain whose issuer it is to, if there is one.
    pub(super) fn begin(edge: &Edge, parts: &Parts, fields: &Fields<'_>) -> (Self, Option<DomainId>) {
        let request_id = edge.ids.of(fields.request_id);
        let (endpoint, domain) = named(parts.uri.path(), &edge.base_path);
        let domain = domain.and_then(|text| edge.provider.issuer_named(text));
        // Never the path or the query: both may hold what was not meant for a log. The span is for those who look for
        // something; whoever reads only faults finds the request's id in the fault itself.
        let trace = edge.traces.as_deref().map(|traces| TraceStart::of(traces, parts));
        let span = tracing::debug_span!(
            "request",
            request.id = %request_id,
            endpoint = endpoint.as_str(),
            domain.id = domain.as_ref().map(DomainId::as_str),
            trace.id = trace.map(|trace| tracing::field::display(trace.id())),
            trace.parent = trace.and_then(|trace| trace.parent()),
            trace.sampled = trace.map(|trace| trace.is_sampled),
            http.request.method = Empty,
            http.route = Empty,
            url.scheme = Empty,
            network.protocol.version = Empty,
            status = Empty,
        );
        if let Some(trace) = trace {
            trace.describe(&span, endpoint, &edge.base_path, parts);
        }
        let visit = Self {
            request_id,
            endpoint,
            span,
            began: latency::now(),
        };
        (visit, domain)
    }

    pub(super) fn panicked(&self) -> Response {
        tracing::error!(
            request.id = %self.request_id,
            endpoint = self.endpoint.as_str(),
            "a request ended in a panic"
        );
        answer::fault(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The same headers on every answer.
    pub(super) fn end(self, edge: &Edge, mut response: Response) -> Response {
        self.span.record("status", response.status().as_u16());
        edge.metrics
            .count(self.endpoint, response.status(), self.began.elapsed());
        let headers = response.headers_mut();
        // Made of characters that a header may have.
        let request_id = HeaderValue::from_bytes(self.request_id.as_bytes()).unwrap_or(answer::UNNAMED);
        if self.endpoint == Endpoint::OsOauth2 {
            headers.insert(X_OPENSTACK_REQUEST_ID, request_id.clone());
        }
        match headers.get_mut(X_REQUEST_ID) {
            // One of `answer::template`, which has the others.
            Some(place) => *place = request_id,
            None => {
                headers.insert(X_REQUEST_ID, request_id);
                headers.insert(X_CONTENT_TYPE_OPTIONS, answer::NOSNIFF);
                headers.insert(STRICT_TRANSPORT_SECURITY, answer::TWO_YEARS);
            }
        }
        if !edge.strict_transport_security {
            headers.remove(STRICT_TRANSPORT_SECURITY);
        }
        response
    }
}
