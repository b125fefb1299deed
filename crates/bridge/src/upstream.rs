//! The node: one Keystone, over HTTP or HTTPS.

use std::net::IpAddr;

use http::header::{CONNECTION, HOST, TE};
use http::uri::{Authority, Parts, PathAndQuery, Scheme};
use http::{HeaderValue, Method, Request, Response, Uri, Version};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;

use crate::body::RequestBody;
use crate::limits::{BridgeLimits, IDLE, MAX_ANSWER_FIELDS, MAX_ANSWER_HEAD, MAX_IDLE};

/// Why an address is no node's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UpstreamError {
    /// Not `scheme://host[:port]`.
    #[error("not the address of a node: write http://127.0.0.1:5000 or https://host:port, without a path")]
    Address,
    /// Tokens would cross a network readable.
    #[error("tokens would cross the network readable: use https, or the loopback address")]
    PlainHttp,
    /// HTTPS, and nobody whom to trust.
    #[error("an https node needs a TLS configuration that says whom to trust")]
    Tls,
}

/// Sends requests to one node.
///
/// What may be repeated (`GET`, `HEAD` and `OPTIONS` without a body) goes over connections that are kept, and is sent once
/// more over a new one if the node ended the connection without an answer: servers close idle connections at any time.
/// Everything else goes over a connection of its own, once.
#[derive(Clone)]
pub struct Upstream {
    scheme: Scheme,
    authority: Authority,
    host: HeaderValue,
    kept: Client<HttpsConnector<HttpConnector>, RequestBody>,
    fresh: Client<HttpsConnector<HttpConnector>, RequestBody>,
}

impl Upstream {
    /// A node at `http://` on this machine, or at `https://` anywhere.
    ///
    /// # Errors
    /// [`UpstreamError`].
    pub fn new(node: &Uri, tls: Option<ClientConfig>, limits: &BridgeLimits) -> Result<Self, UpstreamError> {
        let host = node.host().unwrap_or_default();
        if node.scheme() == Some(&Scheme::HTTP) && !is_loopback(host) {
            return Err(UpstreamError::PlainHttp);
        }
        Self::dangerous_with_plain_http(node, tls, limits)
    }

    /// A node at `http://` on another machine too.
    ///
    /// # Security
    /// Whoever reads the network between has every token, and may answer in the node's place.
    ///
    /// # Errors
    /// [`UpstreamError::Address`], [`UpstreamError::Tls`].
    pub fn dangerous_with_plain_http(
        node: &Uri,
        tls: Option<ClientConfig>,
        limits: &BridgeLimits,
    ) -> Result<Self, UpstreamError> {
        let scheme = node
            .scheme()
            .filter(|scheme| [Scheme::HTTP, Scheme::HTTPS].contains(scheme));
        let authority = node
            .authority()
            .filter(|authority| !authority.host().is_empty() && !authority.as_str().contains('@'));
        let (Some(scheme), Some(authority)) = (scheme, authority) else {
            return Err(UpstreamError::Address);
        };
        if !matches!(node.path(), "" | "/") || node.query().is_some() {
            return Err(UpstreamError::Address);
        }
        if *scheme == Scheme::HTTPS && tls.is_none() {
            return Err(UpstreamError::Tls);
        }
        let tls = tls.map_or_else(trusting_nobody, Ok)?;
        Ok(Self {
            scheme: scheme.clone(),
            authority: authority.clone(),
            host: HeaderValue::from_str(authority.as_str()).map_err(|_error| UpstreamError::Address)?,
            kept: client(tls.clone(), limits, MAX_IDLE),
            fresh: client(tls, limits, 0),
        })
    }

    /// Sends one request; its target is a path.
    pub(crate) async fn send(
        &self,
        mut request: Request<RequestBody>,
    ) -> Result<Response<Incoming>, SendError> {
        self.address(&mut request)?;
        let is_safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
        if !is_safe || !request.body().is_end_stream() {
            return Ok(self.fresh.request(once(request)).await?);
        }
        let mut again = Request::new(RequestBody::whole(""));
        again.method_mut().clone_from(request.method());
        again.uri_mut().clone_from(request.uri());
        again.headers_mut().clone_from(request.headers());
        match self.kept.request(request).await {
            Err(error) if !error.is_connect() => {
                tracing::debug!(%error, "the node ended a connection without an answer; asking once more");
                Ok(self.fresh.request(once(again)).await?)
            }
            answered => Ok(answered?),
        }
    }

    fn address(&self, request: &mut Request<RequestBody>) -> Result<(), SendError> {
        let path = request.uri().path_and_query().cloned();
        let mut parts = Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
        *request.uri_mut() = Uri::from_parts(parts).map_err(|_error| SendError::Target)?;
        *request.version_mut() = Version::HTTP_11;
        if !request.headers().contains_key(HOST) {
            request.headers_mut().insert(HOST, self.host.clone());
        }
        Ok(())
    }
}

impl std::fmt::Debug for Upstream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Upstream({}://{})", self.scheme, self.authority)
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SendError {
    #[error("the request's target is not a path")]
    Target,
    #[error("the node did not answer: {}", causes(.0))]
    Client(#[from] hyper_util::client::legacy::Error),
}

/// The client's own message says little more than that it failed.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

fn once(mut request: Request<RequestBody>) -> Request<RequestBody> {
    let headers = request.headers_mut();
    let options = if headers.contains_key(TE) {
        "close, te"
    } else {
        "close"
    };
    headers.insert(CONNECTION, HeaderValue::from_static(options));
    request
}

fn client(
    tls: ClientConfig,
    limits: &BridgeLimits,
    idle: usize,
) -> Client<HttpsConnector<HttpConnector>, RequestBody> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(limits.connect));
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp);
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(idle)
        .http1_max_buf_size(MAX_ANSWER_HEAD)
        .http1_max_headers(MAX_ANSWER_FIELDS)
        .build(connector)
}

/// For a node without TLS: every handshake would fail.
fn trusting_nobody() -> Result<ClientConfig, UpstreamError> {
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_error| UpstreamError::Tls)?;
    Ok(builder
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth())
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_matches(['[', ']']);
    host.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
