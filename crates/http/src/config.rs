use std::sync::Arc;
use std::time::Duration;

use sealstone_pages::Brands;
use sealstone_tls::TrustHandle;

use crate::{RateLimit, RequestTraces, TrustedProxy};

/// What the edge is told once. The default trusts no proxy and no certificate authority, and limits everybody.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use sealstone_http::HttpConfig;
///
/// let config = HttpConfig::default().with_body_deadline(Duration::from_secs(5)).with_strict_transport_security();
/// ```
#[derive(Debug, Clone)]
pub struct HttpConfig {
    pub(crate) rate_limit: RateLimit,
    pub(crate) proxies: Vec<TrustedProxy>,
    pub(crate) client_trust: Option<TrustHandle>,
    pub(crate) base_path: String,
    pub(crate) body_deadline: Duration,
    pub(crate) request_deadline: Duration,
    pub(crate) strict_transport_security: bool,
    pub(crate) brands: Brands,
    pub(crate) traces: Option<Arc<dyn RequestTraces>>,
}

impl HttpConfig {
    /// Other limits.
    #[must_use]
    pub fn with_rate_limit(mut self, limit: RateLimit) -> Self {
        self.rate_limit = limit;
        self
    }

    /// One more proxy that is believed; the first that fits a connection counts.
    #[must_use]
    pub fn with_trusted_proxy(mut self, proxy: TrustedProxy) -> Self {
        self.proxies.push(proxy);
        self
    }

    /// The authorities whose client certificates count as verified. Without them no chain is verified, and no client
    /// of `tls_client_auth` gets in.
    #[must_use]
    pub fn with_client_trust(mut self, trust: TrustHandle) -> Self {
        self.client_trust = Some(trust);
        self
    }

    /// The path of the public address, if it has one: `/identity` for `https://cloud.example/identity`.
    #[must_use]
    pub fn with_base_path(mut self, path: &str) -> Self {
        path.trim_end_matches('/').clone_into(&mut self.base_path);
        self
    }

    /// How the pages of each domain look; without it, as ours do.
    #[must_use]
    pub fn with_brands(mut self, brands: Brands) -> Self {
        self.brands = brands;
        self
    }

    /// Who says which requests are traced; without it, none is.
    #[must_use]
    pub fn with_traces(mut self, traces: Arc<dyn RequestTraces>) -> Self {
        self.traces = Some(traces);
        self
    }

    /// How long a body may take to arrive; 10 s by default.
    #[must_use]
    pub const fn with_body_deadline(mut self, deadline: Duration) -> Self {
        self.body_deadline = deadline;
        self
    }

    /// How long a whole request may take; 30 s by default. Then the answer is 503.
    #[must_use]
    pub const fn with_request_deadline(mut self, deadline: Duration) -> Self {
        self.request_deadline = deadline;
        self
    }

    /// Sends `Strict-Transport-Security` for two years. For whoever terminates TLS (RFC 6797 §7.2).
    #[must_use]
    pub const fn with_strict_transport_security(mut self) -> Self {
        self.strict_transport_security = true;
        self
    }
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            rate_limit: RateLimit::default(),
            proxies: Vec::new(),
            client_trust: None,
            base_path: String::new(),
            body_deadline: Duration::from_secs(10),
            request_deadline: Duration::from_secs(30),
            strict_transport_security: false,
            brands: Brands::plain(),
            traces: None,
        }
    }
}
