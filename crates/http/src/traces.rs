use std::fmt;
use std::net::IpAddr;

use http::request::Parts;
use http::{HeaderMap, Method, Version};
use sealstone_tls::{LocalPeer, PeerAddr};
use tracing::Span;

use crate::route::Endpoint;

/// Says of each request whether it is traced, and as part of which trace.
///
/// # Security
/// It is asked of every request of everybody: an answer that believes the headers of whoever sends them lets outsiders
/// decide what is traced.
pub trait RequestTraces: Send + Sync + fmt::Debug {
    /// How the trace of a request begins that came from this address (of the connection, never a forwarded one).
    fn begin(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> TraceStart;
}

/// How a request's trace begins. The request's span has it as `trace.id`, `trace.parent` and `trace.sampled`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "whoever traces says all of it")]
pub struct TraceStart {
    /// The trace, as a number of 16 octets.
    pub trace_id: u128,
    /// The span that the request was sent by, as a number of 8 octets.
    pub parent_id: Option<u64>,
    /// Whether spans of it are gathered.
    pub is_sampled: bool,
}

impl TraceStart {
    /// Of a request, if somebody wants to know.
    pub(crate) fn of(traces: &dyn RequestTraces, parts: &Parts) -> Self {
        let peer = parts.extensions.get::<PeerAddr>();
        traces.begin(peer.map(|peer| peer.0.ip().to_canonical()), &parts.headers)
    }

    pub(crate) fn id(&self) -> TraceId {
        TraceId(self.trace_id)
    }

    pub(crate) fn parent(&self) -> Option<tracing::field::DisplayValue<SpanId>> {
        self.parent_id.map(SpanId).map(tracing::field::display)
    }

    /// Fills in what the conventions want of a server's span. Neither path nor query: both may hold what was not meant
    /// for anybody else.
    pub(crate) fn describe(&self, span: &Span, endpoint: Endpoint, base_path: &str, parts: &Parts) {
        if !self.is_sampled {
            return;
        }
        span.record("http.request.method", method(&parts.method));
        span.record("url.scheme", scheme(parts));
        span.record("network.protocol.version", version(parts.version));
        if let Some(route) = endpoint.path(base_path) {
            span.record("http.route", route);
        }
    }
}

/// The methods that the conventions know; anybody may send any other.
fn method(method: &Method) -> &'static str {
    let known = [
        Method::GET,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::HEAD,
        Method::OPTIONS,
        Method::CONNECT,
        Method::TRACE,
    ];
    let names = [
        "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "CONNECT", "TRACE",
    ];
    let mut both = known.iter().zip(names);
    both.find(|(known, _)| *known == method)
        .map_or("_OTHER", |(_, name)| name)
}

fn scheme(parts: &Parts) -> &'static str {
    match parts.extensions.get::<LocalPeer>() {
        Some(_local) => "http",
        None => "https",
    }
}

fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_2 => "2",
        Version::HTTP_3 => "3",
        Version::HTTP_10 => "1.0",
        _ => "1.1",
    }
}

/// 32 hexadecimal digits.
pub(crate) struct TraceId(u128);

/// 16 hexadecimal digits.
pub(crate) struct SpanId(u64);

impl fmt::Display for TraceId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:032x}", self.0)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}", self.0)
    }
}
