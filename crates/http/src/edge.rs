mod visit;

use std::convert::Infallible;
use std::fmt;
use std::future::ready;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use axum::{BoxError, Router};
use bytes::Bytes;
use http::request::Parts;
use http::{Method as HttpMethod, Request, Version};
use sealstone_pages::{Brands, ErrorKind};
use sealstone_provider::people::{AbsentEndpoint, Profile};
use sealstone_provider::{Clock, DomainId, Peer, Provider, RequestId, TokenError};
use sealstone_tls::LocalPeer;
use tower::Service;
use tracing::Instrument;

use crate::admin::{self, Readiness};
use crate::administration::Administering;
use crate::answer;
use crate::browser::Visitor;
use crate::caller::Caller;
use crate::certificate::Certificates;
use crate::deadline::caught;
use crate::form::Fields;
use crate::limit::{ClientLimits, LimitClock, Limits};
use crate::metrics::Metrics;
use crate::os_oauth2;
use crate::request_id::RequestIds;
use crate::route::{AdminEndpoint, BrowserEndpoint, Endpoint, FormEndpoint, Method, named};
use crate::token::{Arrived, Place};
use crate::traces::RequestTraces;
use crate::userinfo::Bearer;
use crate::{HttpConfig, TrustedProxy};
use visit::Visit;

/// The HTTP face of a [`Provider`]. A clone is the same edge: limits and counters are shared.
///
/// # Examples
/// ```no_run
/// # fn provider() -> sealstone_provider::Provider { unimplemented!() }
/// use std::sync::Arc;
/// use sealstone_http::{HttpConfig, HttpEdge};
/// use sealstone_provider::SystemClock;
///
/// let edge = HttpEdge::new(provider(), Arc::new(SystemClock), HttpConfig::default());
/// let router: axum::Router = edge.router();
/// ```
#[derive(Clone)]
pub struct HttpEdge(Arc<Edge>);

pub(crate) struct Edge {
    pub(crate) provider: Provider,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) proxies: Vec<TrustedProxy>,
    pub(crate) certificates: Certificates,
    pub(crate) limits: Limits,
    pub(crate) body_deadline: Duration,
    pub(crate) request_deadline: Duration,
    pub(crate) base_path: String,
    pub(crate) brands: Brands,
    strict_transport_security: bool,
    traces: Option<Arc<dyn RequestTraces>>,
    ids: RequestIds,
    metrics: Arc<Metrics>,
}

impl HttpEdge {
    /// An edge before this provider. `clock` is the one that certificates are judged by.
    #[must_use]
    pub fn new(provider: Provider, clock: Arc<dyn Clock>, config: HttpConfig) -> Self {
        Self::counting(provider, clock, config, Arc::default())
    }

    /// The edge that takes this one's place when what it was told has changed: what was counted is counted on, limits
    /// begin anew. Requests under way end at this one.
    #[must_use]
    pub fn successor(&self, provider: Provider, config: HttpConfig) -> Self {
        let (clock, metrics) = (Arc::clone(&self.0.clock), Arc::clone(&self.0.metrics));
        Self::counting(provider, clock, config, metrics)
    }

    fn counting(
        provider: Provider,
        clock: Arc<dyn Clock>,
        config: HttpConfig,
        metrics: Arc<Metrics>,
    ) -> Self {
        let (limit_clock, refusals) = (LimitClock::monotonic(), metrics.refusals());
        let limits = Limits::new(&config.rate_limit, &limit_clock, refusals);
        if let Some(of_clients) = ClientLimits::new(&config.rate_limit, &limit_clock, refusals) {
            provider.limit_clients(Arc::new(of_clients));
        }
        Self(Arc::new(Edge {
            provider,
            clock,
            proxies: config.proxies,
            certificates: Certificates::new(config.client_trust),
            limits,
            body_deadline: config.body_deadline,
            request_deadline: config.request_deadline,
            base_path: config.base_path,
            brands: config.brands,
            strict_transport_security: config.strict_transport_security,
            traces: config.traces,
            ids: RequestIds::new(),
            metrics,
        }))
    }

    /// Everything under every issuer, for the public and the mutual-TLS listener.
    ///
    /// One service for all paths: an issuer's endpoints are few and fixed, and found by a comparison each.
    #[must_use]
    pub fn service(&self) -> IssuersService {
        IssuersService(Arc::clone(&self.0))
    }

    /// The same as a router, to be put beside other routes.
    pub fn router(&self) -> Router {
        Router::new().fallback_service(self.service())
    }

    /// `/health/live`, `/health/ready` and `/metrics`: for the admin listener only.
    pub fn admin_router(&self, readiness: Readiness) -> Router {
        self.admin_router_with(readiness, |_text| {})
    }

    /// The same, with metrics of the program's own: `more` appends them, in the text format of Prometheus.
    pub fn admin_router_with(
        &self,
        readiness: Readiness,
        more: impl Fn(&mut String) + Send + Sync + 'static,
    ) -> Router {
        admin::router(Arc::clone(&self.0), readiness, Arc::new(more))
    }
}

impl fmt::Debug for HttpEdge {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("HttpEdge").finish_non_exhaustive()
    }
}

/// Every issuer's endpoints as a `tower` service: the whole way of a request in one future.
#[derive(Clone)]
pub struct IssuersService(Arc<Edge>);

impl fmt::Debug for IssuersService {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("IssuersService").finish_non_exhaustive()
    }
}

/// An answer that comes.
pub type Answer = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

impl<B> Service<Request<B>> for IssuersService
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Unpin + Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Answer {
        self.answer(request)
    }
}

impl IssuersService {
    /// The way of one request, for whoever holds the service by reference: nobody counts its holders for that.
    ///
    /// What needs no waiting is done here: the future holds no more than reading a form does, since one is allocated
    /// for every request.
    pub fn answer<B>(&self, request: Request<B>) -> Answer
    where
        B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Unpin + Send + 'static,
    {
        let (parts, body) = request.into_parts();
        let fields = Fields::of(&parts.headers);
        let (visit, domain) = Visit::begin(&self.0, &parts, &fields);
        let admit = || {
            self.0
                .admit(visit.endpoint, domain, &parts, &fields, visit.request_id)
        };
        let admitted = catch_unwind(AssertUnwindSafe(|| visit.span.in_scope(admit)));
        match admitted.unwrap_or_else(|_panic| ControlFlow::Break(visit.panicked())) {
            ControlFlow::Break(response) => Box::pin(ready(Ok(visit.end(&self.0, response)))),
            ControlFlow::Continue(Admitted::Form(arrived)) => {
                let edge = Arc::clone(&self.0);
                Box::pin(async move {
                    let outcome = {
                        let work = pin!(edge.form(&arrived, body));
                        caught(work).instrument(visit.span.clone()).await
                    };
                    let response = outcome.unwrap_or_else(|_panic| visit.panicked());
                    Ok(visit.end(&edge, response))
                })
            }
            // A future of its own: those of clients stay as small as they are.
            ControlFlow::Continue(Admitted::Visitor(visitor)) => {
                let (edge, body) = (Arc::clone(&self.0), Body::new(body));
                Box::pin(async move {
                    let outcome = {
                        let work = pin!(edge.visited(&visitor, body));
                        caught(work).instrument(visit.span.clone()).await
                    };
                    let response = outcome.unwrap_or_else(|_panic| {
                        visit.panicked();
                        edge.fault_page(&visitor, ErrorKind::Server)
                    });
                    Ok(visit.end(&edge, response))
                })
            }
            ControlFlow::Continue(Admitted::Administrator(asked)) => {
                let (edge, body) = (Arc::clone(&self.0), Body::new(body));
                Box::pin(async move {
                    let outcome = {
                        let work = pin!(edge.administer(&asked, body));
                        caught(work).instrument(visit.span.clone()).await
                    };
                    let response = outcome.unwrap_or_else(|_panic| visit.panicked());
                    Ok(visit.end(&edge, response))
                })
            }
            ControlFlow::Continue(Admitted::Userinfo(arrived)) => {
                let (edge, body) = (Arc::clone(&self.0), Body::new(body));
                Box::pin(async move {
                    let outcome = {
                        let work = pin!(edge.userinfo(&arrived, body));
                        caught(work).instrument(visit.span.clone()).await
                    };
                    let response = outcome.unwrap_or_else(|_panic| visit.panicked());
                    Ok(visit.end(&edge, response))
                })
            }
        }
    }
}

/// A request whose body is still to be read.
pub(crate) enum Admitted {
    /// Of a client.
    Form(Arrived),
    /// Of whoever holds an access token.
    Userinfo(Box<Bearer>),
    /// Of a person's browser.
    Visitor(Box<Visitor>),
    /// Of who administers clients, or of a client about itself.
    Administrator(Arc<Administering>),
}

impl Edge {
    pub(crate) fn metrics_text(&self) -> String {
        self.metrics.to_text(&self.provider.identity_answers())
    }

    /// Everything that is decided before a body is read; a document is answered here.
    fn admit(
        &self,
        endpoint: Endpoint,
        domain: Option<DomainId>,
        parts: &Parts,
        fields: &Fields<'_>,
        request_id: RequestId,
    ) -> ControlFlow<Response, Admitted> {
        // No `Host` or several (RFC 9112 §3.2): two servers in a row could read them differently. Other such shapes end in
        // hyper; a length beside a transfer coding is dropped there, and the connection closed after the answer (§6.3).
        if parts.version == Version::HTTP_11 && fields.hosts != 1 {
            return ControlFlow::Break(answer::ambiguous());
        }
        if domain.is_none() && self.is_awaited(parts.uri.path()) {
            return ControlFlow::Break(answer::not_yet());
        }
        let served = |method: &Method| self.serves(*method, domain.as_ref());
        let Some(method) = endpoint.method().filter(served) else {
            return ControlFlow::Break(answer::not_found());
        };
        // `GET https://other.example/... HTTP/1.1` is for proxies; HTTP/2 always names an authority.
        if parts.version < Version::HTTP_2 && parts.uri.authority().is_some() {
            return ControlFlow::Break(answer::not_found());
        }
        let (method, is_local) = match (method, domain.as_ref()) {
            (Method::Administration(AdminEndpoint::Register), Some(domain)) if self.is_broker(domain) => {
                (Method::Absent(AbsentEndpoint::Registration), false)
            }
            (method, _) => (method, parts.extensions.get::<LocalPeer>().is_some()),
        };
        // The local socket is for administrators alone: nobody else comes without TLS.
        let is_for_administrators =
            matches!(method, Method::Administration(endpoint) if !endpoint.is_of_clients());
        if is_local && !is_for_administrators {
            return ControlFlow::Break(answer::not_found());
        }
        if let Some(refused) = not_allowed(method, &parts.method) {
            return ControlFlow::Break(refused);
        }
        match (method, domain) {
            (Method::Keystone, _) => self.arrived(Place::Keystone, parts, fields, request_id),
            (Method::Form(endpoint), Some(domain)) => {
                self.arrived(Place::Issuer(endpoint, domain), parts, fields, request_id)
            }
            (Method::Document(document), Some(domain)) => {
                ControlFlow::Break(self.document(document, &domain, parts))
            }
            (Method::Userinfo, Some(domain)) => self.bearer(domain, parts, fields, request_id),
            (Method::Browser(BrowserEndpoint::Assets), Some(domain)) => {
                ControlFlow::Break(self.asset(&domain, parts))
            }
            (Method::Browser(endpoint), Some(domain)) => {
                self.visitor(endpoint, domain, parts, fields, request_id)
            }
            (Method::Health, Some(_)) => ControlFlow::Break(answer::alive()),
            (Method::Absent(endpoint), Some(domain)) => {
                ControlFlow::Break(self.absent(endpoint, &domain, parts, request_id))
            }
            (Method::Administration(endpoint), Some(domain)) => {
                self.administering(endpoint, domain, parts, request_id)
            }
            (
                Method::Form(_)
                | Method::Document(_)
                | Method::Userinfo
                | Method::Browser(_)
                | Method::Health
                | Method::Absent(_)
                | Method::Administration(_),
                None,
            ) => ControlFlow::Break(answer::not_found()),
        }
    }

    /// What a broker's profile leaves out, asked for by its address: nothing of it is read.
    fn absent(
        &self,
        endpoint: AbsentEndpoint,
        domain: &DomainId,
        parts: &Parts,
        request_id: RequestId,
    ) -> Response {
        let address = Caller::of(parts, &self.proxies).address;
        if let Err(wait) = self.limits.request(address) {
            return answer::too_many(wait);
        }
        let peer = Peer {
            address,
            certificate: None,
            request_id,
        };
        match self.provider.refuse_endpoint(domain, endpoint, &peer) {
            Ok(refusal) => answer::outside_profile(refusal),
            Err(error) => answer::token_error(&TokenError::Backend(error), request_id.as_str()),
        }
    }

    fn is_broker(&self, domain: &DomainId) -> bool {
        self.provider.profile(domain) == Some(Profile::Broker)
    }

    /// Whether the path is of a domain that has no issuer yet, and will have one.
    fn is_awaited(&self, path: &str) -> bool {
        let (_, domain) = named(path, &self.base_path);
        domain.is_some_and(|domain| self.provider.is_awaited(domain))
    }

    fn serves(&self, method: Method, domain: Option<&DomainId>) -> bool {
        match method {
            Method::Keystone => self.provider.speaks_for_keystone(),
            Method::Browser(BrowserEndpoint::Device) => {
                domain.is_some_and(|domain| self.provider.profile(domain) == Some(Profile::Standard))
            }
            Method::Form(FormEndpoint::DeviceAuthorization) | Method::Userinfo | Method::Browser(_) => {
                domain.is_some_and(|domain| self.provider.serves_people(domain))
            }
            Method::Health | Method::Absent(_) => domain.is_some_and(|domain| self.is_broker(domain)),
            Method::Administration(AdminEndpoint::Register) => {
                domain.is_some_and(|domain| self.is_broker(domain) || self.provider.registers(domain))
            }
            Method::Administration(AdminEndpoint::Registered) => {
                domain.is_some_and(|domain| !self.is_broker(domain) && self.provider.registers(domain))
            }
            Method::Administration(_) => domain.is_some() && self.provider.administers(),
            Method::Form(FormEndpoint::Token | FormEndpoint::Introspection | FormEndpoint::Revocation)
            | Method::Document(_) => true,
        }
    }
}

/// The answer to a method that the endpoint does not take.
fn not_allowed(method: Method, used: &HttpMethod) -> Option<Response> {
    let allow = match method {
        Method::Form(_) | Method::Keystone => "POST",
        Method::Document(_) | Method::Health => "GET, HEAD",
        Method::Userinfo => "GET, POST",
        Method::Browser(endpoint) => endpoint.methods(),
        Method::Administration(endpoint) => endpoint.methods(),
        Method::Absent(_) => return None,
    };
    let taken = allow == used.as_str() || allow.split(", ").any(|one| one == used.as_str());
    (!taken).then(|| match method {
        Method::Keystone => os_oauth2::method_not_allowed(),
        Method::Form(_)
        | Method::Document(_)
        | Method::Userinfo
        | Method::Browser(_)
        | Method::Health
        | Method::Administration(_)
        | Method::Absent(_) => answer::method_not_allowed(allow),
    })
}

#[cfg(test)]
mod tests {
    use super::{Arrived, Body, Edge};

    fn size<F>(_: impl FnOnce(&'static Edge, &'static Arrived, Body) -> F) -> usize {
        size_of::<F>()
    }

    /// One is allocated for every request of a client: what browsers need lies in allocations of its own.
    #[test]
    fn the_future_of_a_clients_request_stays_small() {
        let size = size(|edge, arrived, body| edge.form(arrived, body));
        assert!(size <= 768, "{size}");
    }
}
