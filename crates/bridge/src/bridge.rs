//! One request through the bridge.

mod node;
mod turn;

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST};
use http::uri::Scheme;
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Body as _, Incoming};
use rustls_pki_types::UnixTime;
use sealstone_tls::PeerAddr;
use tokio::time::timeout;
use tower::Service;

use crate::answer;
use crate::auth_body;
use crate::body::{AnswerBody, RequestBody};
use crate::counts::{Counts, Event, Totals};
use crate::echo::Swaps;
use crate::fields;
use crate::limits::{BridgeLimits, MAX_AUTH_BODY};
use crate::memo::Memo;
use crate::shape::{self, Fault};
use crate::translate::{TokenForm, Translator};
use crate::upstream::Upstream;
use turn::Turn;

/// The time, as the one who runs the bridge reads it.
pub type Clock = Arc<dyn Fn() -> UnixTime + Send + Sync>;

/// Which tokens the node takes: those that it issues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "known, or found out")]
pub enum Target {
    /// Of this form, whatever it issues.
    Fixed(TokenForm),
    /// Of this form, until it issues a token of the other: then of that. So a bridge follows a node whose configuration
    /// it has misread, or that was restarted under it.
    Learned(TokenForm),
}

impl Target {
    const fn form(self) -> TokenForm {
        match self {
            Self::Fixed(form) | Self::Learned(form) => form,
        }
    }
}

/// What is said to the node of where a request came from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "behind a balancer, or in its place")]
pub enum Forwarded {
    /// What the request says: a balancer has written it.
    Pass,
    /// What the connection shows, and nothing that the request says; with the scheme that clients use.
    Replace(Scheme),
}

/// What a bridge translates by: a translator, and what it remembers of it.
#[derive(Debug)]
pub struct Rules {
    translator: Translator,
    memo: Memo,
}

impl Rules {
    /// With nothing remembered.
    #[must_use]
    pub fn new(translator: Translator) -> Self {
        Self {
            translator,
            memo: Memo::new(),
        }
    }
}

/// A reverse proxy before one Keystone that puts tokens into the form which the node takes.
///
/// It is a `tower` service; clones are the same bridge. [`crate::serve`] serves it.
#[derive(Clone)]
pub struct Bridge(Arc<Inner>);

struct Inner {
    rules: ArcSwap<Rules>,
    upstream: Upstream,
    /// Whether the node takes JWS tokens.
    is_jws: AtomicBool,
    is_learning: AtomicBool,
    forwarded: Forwarded,
    public_endpoint: Option<String>,
    limits: BridgeLimits,
    counts: Counts,
    clock: Clock,
}

impl Bridge {
    /// Before this node.
    #[must_use]
    pub fn new(rules: Rules, upstream: Upstream, target: Target, limits: BridgeLimits, clock: Clock) -> Self {
        Self(Arc::new(Inner {
            rules: ArcSwap::from_pointee(rules),
            upstream,
            is_jws: AtomicBool::new(target.form() == TokenForm::Jws),
            is_learning: AtomicBool::new(matches!(target, Target::Learned(_))),
            forwarded: Forwarded::Pass,
            public_endpoint: None,
            limits,
            counts: Counts::default(),
            clock,
        }))
    }

    /// Says to the node where requests come from; by default what they say themselves. To be called before the first
    /// clone: clones keep what they have.
    #[must_use]
    pub fn with_forwarded(mut self, forwarded: Forwarded) -> Self {
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            inner.forwarded = forwarded;
        }
        self
    }

    /// Keystone's `[DEFAULT] public_endpoint`, for the challenge of answers that the bridge gives itself; without it, the
    /// `Host` of the request. To be called before the first clone.
    #[must_use]
    pub fn with_public_endpoint(mut self, endpoint: &str) -> Self {
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            inner.public_endpoint = Some(format!("{}/v3", endpoint.trim_end_matches('/')));
        }
        self
    }

    /// Translates by other keys from now on.
    pub fn replace_rules(&self, rules: Rules) {
        self.0.rules.store(Arc::new(rules));
    }

    /// Says anew which tokens the node takes.
    pub fn set_target(&self, target: Target) {
        self.0
            .is_learning
            .store(matches!(target, Target::Learned(_)), Ordering::Relaxed);
        self.0
            .is_jws
            .store(target.form() == TokenForm::Jws, Ordering::Relaxed);
    }

    /// Which tokens the node takes, as far as is known.
    #[must_use]
    pub fn target(&self) -> TokenForm {
        self.0.target()
    }

    /// What it has done since it was made.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.0.counts.totals()
    }

    /// How long the two sides may take.
    #[must_use]
    pub fn limits(&self) -> BridgeLimits {
        self.0.limits
    }
}

impl std::fmt::Debug for Bridge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bridge")
            .field("upstream", &self.0.upstream)
            .field("target", &self.target())
            .finish_non_exhaustive()
    }
}

impl Service<Request<Incoming>> for Bridge {
    type Response = Response<AnswerBody>;
    type Error = std::convert::Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<AnswerBody>, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Incoming>) -> Self::Future {
        let inner = Arc::clone(&self.0);
        Box::pin(async move { Ok(inner.answer(request).await) })
    }
}

/// Why a request ends here.
enum Stop {
    Fault(Fault),
    /// A login by a token that is not passed on; with what the challenge names.
    Unauthorized(Option<String>),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl Inner {
    fn target(&self) -> TokenForm {
        if self.is_jws.load(Ordering::Relaxed) {
            TokenForm::Jws
        } else {
            TokenForm::Fernet
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<AnswerBody> {
        self.counts.count(Event::Request);
        let mut swaps = Swaps::default();
        match self.prepared(request, &mut swaps).await {
            Ok(request) => self.passed_on(request, &swaps).await,
            Err(Stop::Unauthorized(base)) => answer::unauthorized(base.as_deref()),
            Err(Stop::Fault(fault)) => {
                self.counts.count(Event::Malformed);
                tracing::debug!(fault = fault.message(), "request refused");
                answer::malformed(fault)
            }
        }
    }

    /// The request as the node is to have it.
    async fn prepared(
        &self,
        request: Request<Incoming>,
        swaps: &mut Swaps,
    ) -> Result<Request<RequestBody>, Stop> {
        shape::check(&request)?;
        let is_login = *request.method() == Method::POST && auth_body::is_login(request.uri().path());
        let (mut head, body) = request.into_parts();
        let mut turn = Turn::new(self, swaps);
        let body = if is_login {
            let octets = read_login(body, self.limits).await?;
            // First, since a login by a token that is refused goes no further, whatever its fields say.
            let translated = turn.translate_body(&octets);
            let octets = translated
                .map_err(|_refused| Stop::Unauthorized(self.base(&head.headers, head.uri.path())))?
                .map_or(octets, Bytes::from);
            head.headers
                .insert(CONTENT_LENGTH, HeaderValue::from(octets.len()));
            RequestBody::whole(octets)
        } else {
            RequestBody::Stream(body)
        };
        turn.translate_fields(&mut head.headers);
        fields::strip_request(&mut head.headers);
        if let Forwarded::Replace(scheme) = &self.forwarded {
            let peer = head.extensions.get::<PeerAddr>().map(|peer| peer.0);
            fields::forward(&mut head.headers, peer, scheme);
        }
        Ok(Request::from_parts(head, body))
    }

    /// Where Keystone is, as it would say in a challenge.
    fn base(&self, headers: &HeaderMap, path: &str) -> Option<String> {
        if let Some(endpoint) = &self.public_endpoint {
            return Some(endpoint.clone());
        }
        let host = headers.get(HOST)?.to_str().ok()?;
        let is_plain = |octet: u8| octet.is_ascii_alphanumeric() || b".-:[]_".contains(&octet);
        let scheme = match &self.forwarded {
            Forwarded::Replace(scheme) => scheme.as_str(),
            Forwarded::Pass => headers
                .get("x-forwarded-proto")
                .filter(|proto| proto.as_bytes() == b"https")
                .map_or("http", |_proto| "https"),
        };
        let mount = path.split("/v3").next().unwrap_or_default();
        let is_path = |octet: u8| octet.is_ascii_alphanumeric() || b"/-._~".contains(&octet);
        (host.bytes().all(is_plain) && mount.bytes().all(is_path))
            .then(|| format!("{scheme}://{host}{mount}/v3"))
    }
}

/// The whole body of a login.
async fn read_login(body: Incoming, limits: BridgeLimits) -> Result<Bytes, Fault> {
    let most = u64::try_from(MAX_AUTH_BODY).unwrap_or(u64::MAX);
    if body.size_hint().lower() > most {
        return Err(Fault::TooLong);
    }
    let read = timeout(limits.auth_body, Limited::new(body, MAX_AUTH_BODY).collect());
    let read = read.await.map_err(|_elapsed| Fault::TooSlow)?;
    let octets = read.map_err(|error| {
        if error.is::<http_body_util::LengthLimitError>() {
            Fault::TooLong
        } else {
            Fault::Cut
        }
    })?;
    Ok(octets.to_bytes())
}
