use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

use http::{Extensions, Uri};
use rustls_pki_types::UnixTime;
use sealstone_jose::Algorithm;
use sealstone_oauth_types::{Issuer, ScopeSet};

use crate::{ConfigError, TrustedProxy};

type Clock = dyn Fn() -> UnixTime + Send + Sync;
type PeerAddress = dyn Fn(&Extensions) -> Option<SocketAddr> + Send + Sync;

/// How old what is known of the issuer may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freshness {
    /// For how long a key set is used before it is fetched again, unless `Cache-Control` says less. 300 s: the issuer
    /// publishes a key that much earlier than it signs with it.
    pub jwks_lifetime: Duration,
    /// How old the revocations may be while the issuer answers: how long a stolen token outlives its revocation.
    /// 10 s. They are fetched anew in the last fifth of it, or by the first request after it.
    pub revocation_interval: Duration,
    /// The least time between two fetches of the key set, whatever the requests name. 10 s.
    pub refetch_interval: Duration,
    /// How long key set and revocations are used while the issuer can't be reached; then every token is answered
    /// with 503. 1 h. Revocations whose document says less (`exp`) are used for less.
    pub max_staleness: Duration,
    /// How long one fetch may take. 5 s.
    pub fetch_deadline: Duration,
}

impl Default for Freshness {
    fn default() -> Self {
        Self {
            jwks_lifetime: Duration::from_secs(300),
            revocation_interval: Duration::from_secs(10),
            refetch_interval: Duration::from_secs(10),
            max_staleness: Duration::from_secs(3600),
            fetch_deadline: Duration::from_secs(5),
        }
    }
}

/// What becomes of a token that has access rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AccessRules {
    /// Refused: nobody here would judge them.
    Refused,
    /// Judged for this service type.
    Enforced(String),
    /// The service asks [`Confirmed::allows`](crate::Confirmed::allows).
    LeftToService,
}

/// Where the issuer's revocations are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Revocations {
    At(String),
    Ignored,
}

/// What a resource accepts: whose tokens, meant for whom, held how.
///
/// # Examples
/// ```
/// use sealstone_resource::{Issuer, ResourceConfig, ScopeSet};
///
/// let issuer = Issuer::parse("https://id.example/v4/oauth2/demo")?;
/// let config = ResourceConfig::new(issuer, ["https://builds.example"])
///     .with_required_scopes(ScopeSet::parse("builds:read")?)
///     .with_realm("builds");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct ResourceConfig {
    pub(crate) issuer: Issuer,
    pub(crate) audiences: Vec<String>,
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) required_scopes: ScopeSet,
    pub(crate) realm: String,
    pub(crate) jwks_uri: Option<String>,
    pub(crate) revocations: Revocations,
    pub(crate) accept_bearer: bool,
    pub(crate) proxies: Vec<TrustedProxy>,
    pub(crate) access_rules: AccessRules,
    pub(crate) freshness: Freshness,
    pub(crate) clock: Arc<Clock>,
    pub(crate) peer_address: Arc<PeerAddress>,
}

impl ResourceConfig {
    /// Tokens of `issuer` that name one of `audiences`: bound to a certificate, signed by ES256, ES384, `EdDSA`,
    /// PS256 or RS256, not revoked.
    pub fn new<A: Into<String>>(issuer: Issuer, audiences: impl IntoIterator<Item = A>) -> Self {
        let revocations = Revocations::At(format!("{issuer}/jwks/revocation"));
        Self {
            issuer,
            audiences: audiences.into_iter().map(Into::into).collect(),
            algorithms: Algorithm::ALL.to_vec(),
            required_scopes: ScopeSet::empty(),
            realm: String::from("sealstone"),
            jwks_uri: None,
            revocations,
            accept_bearer: false,
            proxies: Vec::new(),
            access_rules: AccessRules::Refused,
            freshness: Freshness::default(),
            clock: Arc::new(system_time),
            peer_address: Arc::new(|extensions| extensions.get::<SocketAddr>().copied()),
        }
    }

    /// Takes signatures of these algorithms only.
    #[must_use]
    pub fn with_algorithms(mut self, algorithms: &[Algorithm]) -> Self {
        self.algorithms = algorithms.to_vec();
        self
    }

    /// Demands every one of these scopes; a token without is answered 403.
    #[must_use]
    pub fn with_required_scopes(mut self, scopes: ScopeSet) -> Self {
        self.required_scopes = scopes;
        self
    }

    /// The realm that challenges name: printable ASCII without quotes and backslashes. `sealstone` by default.
    #[must_use]
    pub fn with_realm(mut self, realm: &str) -> Self {
        realm.clone_into(&mut self.realm);
        self
    }

    /// Fetches the key set from this `https` URL instead of asking the issuer's metadata for it.
    #[must_use]
    pub fn with_jwks_uri(mut self, url: &str) -> Self {
        self.jwks_uri = Some(url.to_owned());
        self
    }

    /// Fetches the revocations from this `https` URL instead of `{issuer}/jwks/revocation`.
    #[must_use]
    pub fn with_revocation_uri(mut self, url: &str) -> Self {
        self.revocations = Revocations::At(url.to_owned());
        self
    }

    /// Asks for no revocations: for issuers that publish none.
    ///
    /// # Security
    /// A stolen token is accepted until it ends, a stolen key until it has left the key set and the set here has
    /// aged.
    #[must_use]
    pub fn dangerous_ignore_revocations(mut self) -> Self {
        self.revocations = Revocations::Ignored;
        self
    }

    /// Takes tokens that are bound to no certificate. A bound one still needs its certificate.
    ///
    /// # Security
    /// Whoever sees such a token can use it.
    #[must_use]
    pub const fn dangerous_accept_bearer_tokens(mut self) -> Self {
        self.accept_bearer = true;
        self
    }

    /// Believes this proxy's certificate header, on connections without a certificate of their own. Several may be
    /// named; the first that the peer's address (and the shared secret) fits counts.
    ///
    /// The peer's address is the request extension [`SocketAddr`], or what
    /// [`with_peer_address`](Self::with_peer_address) finds; without one no header is believed.
    #[must_use]
    pub fn with_trusted_proxy(mut self, proxy: TrustedProxy) -> Self {
        self.proxies.push(proxy);
        self
    }

    /// Finds the address of the socket's other end among the request's extensions: axum's `ConnectInfo`, tonic's
    /// `TcpConnectInfo`, `PeerAddr` of `sealstone-tls`.
    ///
    /// # Security
    /// It must be the address of the socket, never one that a header names.
    #[must_use]
    pub fn with_peer_address(
        mut self,
        find: impl Fn(&Extensions) -> Option<SocketAddr> + Send + Sync + 'static,
    ) -> Self {
        self.peer_address = Arc::new(find);
        self
    }

    /// Holds tokens with access rules to them: a request that no rule allows for `service_type`, a type of the
    /// OpenStack catalog as `compute`, is answered 403.
    ///
    /// The path is the one that this layer sees: put the layer outside of anything that rewrites it.
    #[must_use]
    pub fn enforce_access_rules(mut self, service_type: &str) -> Self {
        self.access_rules = AccessRules::Enforced(service_type.to_owned());
        self
    }

    /// Lets tokens with access rules through: the service itself asks
    /// [`Confirmed::allows`](crate::Confirmed::allows).
    ///
    /// Without this and without [`enforce_access_rules`](Self::enforce_access_rules) such tokens are answered 403:
    /// whoever restricted a token must not find it unrestricted here.
    #[must_use]
    pub fn dangerous_leave_access_rules_to_service(mut self) -> Self {
        self.access_rules = AccessRules::LeftToService;
        self
    }

    /// Other ages.
    #[must_use]
    pub const fn with_freshness(mut self, freshness: Freshness) -> Self {
        self.freshness = freshness;
        self
    }

    /// Another clock, for tests.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Fn() -> UnixTime + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        if self.audiences.is_empty() || self.audiences.iter().any(String::is_empty) {
            return Err(ConfigError::Audiences);
        }
        if self.algorithms.is_empty() {
            return Err(ConfigError::Algorithms);
        }
        let in_realm = |byte: u8| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        if !self.realm.bytes().all(in_realm) {
            return Err(ConfigError::Realm);
        }
        if self.jwks_uri.as_deref().is_some_and(|url| !is_https(url)) {
            return Err(ConfigError::Url("jwks_uri"));
        }
        match &self.revocations {
            Revocations::At(url) if !is_https(url) => return Err(ConfigError::Url("revocation_uri")),
            Revocations::At(_) | Revocations::Ignored => {}
        }
        self.freshness.check()
    }
}

impl Freshness {
    fn check(&self) -> Result<(), ConfigError> {
        let second = Duration::from_secs(1);
        let spans = [
            self.jwks_lifetime,
            self.revocation_interval,
            self.refetch_interval,
            self.fetch_deadline,
        ];
        if spans.iter().any(|span| *span < second) {
            return Err(ConfigError::Freshness("every duration is at least a second"));
        }
        if self.max_staleness < self.jwks_lifetime.max(self.revocation_interval) {
            return Err(ConfigError::Freshness(
                "max_staleness is at least jwks_lifetime and revocation_interval",
            ));
        }
        Ok(())
    }
}

impl fmt::Debug for ResourceConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResourceConfig")
            .field("issuer", &self.issuer.as_str())
            .field("audiences", &self.audiences)
            .field("algorithms", &self.algorithms)
            .field("required_scopes", &self.required_scopes)
            .field("jwks_uri", &self.jwks_uri)
            .field("revocations", &self.revocations)
            .field("accept_bearer", &self.accept_bearer)
            .field("proxies", &self.proxies)
            .field("access_rules", &self.access_rules)
            .field("freshness", &self.freshness)
            .finish_non_exhaustive()
    }
}

/// An absolute `https` URL without user information and fragment. (`Uri` drops a fragment silently.)
pub(crate) fn is_https(url: &str) -> bool {
    let Ok(uri) = url.parse::<Uri>() else { return false };
    uri.scheme_str() == Some("https")
        && uri
            .authority()
            .is_some_and(|authority| !authority.as_str().contains('@'))
        && uri.host().is_some_and(|host| !host.is_empty())
        && !url.contains('#')
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the default clock; tests inject another"
)]
fn system_time() -> UnixTime {
    UnixTime::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> ResourceConfig {
        ResourceConfig::new(Issuer::parse("https://id.example/v4/oauth2/demo").unwrap(), ["a"])
    }

    #[test]
    fn what_cannot_work_is_refused_before_the_first_request() {
        assert!(config().check().is_ok());
        let none: [&str; 0] = [];
        let issuer = config().issuer;
        assert!(matches!(
            ResourceConfig::new(issuer.clone(), none).check(),
            Err(ConfigError::Audiences)
        ));
        assert!(matches!(
            ResourceConfig::new(issuer, [""]).check(),
            Err(ConfigError::Audiences)
        ));
        assert!(matches!(
            config().with_algorithms(&[]).check(),
            Err(ConfigError::Algorithms)
        ));
        for realm in ["a\"b", "a\\b", "a\r\nb", "ä"] {
            assert!(
                matches!(config().with_realm(realm).check(), Err(ConfigError::Realm)),
                "{realm:?}"
            );
        }
        let short = Freshness {
            max_staleness: Duration::from_secs(299),
            ..Freshness::default()
        };
        assert!(matches!(
            config().with_freshness(short).check(),
            Err(ConfigError::Freshness(_))
        ));
        let zero = Freshness {
            refetch_interval: Duration::ZERO,
            ..Freshness::default()
        };
        assert!(matches!(
            config().with_freshness(zero).check(),
            Err(ConfigError::Freshness(_))
        ));
    }

    #[test]
    fn b14_configured_urls_are_https() {
        assert!(
            config()
                .with_jwks_uri("https://id.example/keys?v=1")
                .check()
                .is_ok()
        );
        for url in [
            "http://169.254.169.254/",
            "file:///etc/passwd",
            "gopher://x/",
            "/jwks",
            "https:///jwks",
            "",
            "https://user@id.example/",
            "https://id.example/#a",
            "https://",
            "https://id example/",
        ] {
            assert!(
                matches!(config().with_jwks_uri(url).check(), Err(ConfigError::Url(_))),
                "{url}"
            );
            assert!(
                matches!(
                    config().with_revocation_uri(url).check(),
                    Err(ConfigError::Url(_))
                ),
                "{url}"
            );
        }
    }
}
