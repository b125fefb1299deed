use std::{fmt, sync::Arc, time::Duration};

use http::Uri;
use rustls::RootCertStore;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use sealstone_https::{PlainHttp, Settings, authorities};

use crate::ConfigError;

/// A call to Keystone makes a hundred queries and a password hash there: a second at most, unless it is in trouble.
const CALL_DEADLINE: Duration = Duration::from_secs(10);
const CONNECT_DEADLINE: Duration = Duration::from_secs(3);
/// Common Keystones run some ten workers; more calls at a time only wait there instead of here.
const MAX_CALLS: usize = 32;
/// Fewer could be chance among several Keystones behind one balancer.
const BREAKER_FAILURES: u32 = 5;
/// Long enough for a Keystone to breathe, short enough that its return is noticed at once.
const BREAKER_PAUSE: Duration = Duration::from_secs(5);

/// Idle connections kept, as many as a burst leaves; and shorter than servers keep them (Apache: 5 s), for a login that
/// meets a connection just closed is not repeated.
const MAX_IDLE: usize = 8;
const IDLE: Duration = Duration::from_secs(4);

pub(crate) type Clock = Arc<dyn Fn() -> UnixTime + Send + Sync>;

/// Where Keystone is, whom to believe that, and what a call may cost.
#[derive(Clone)]
pub struct KeystoneConfig {
    pub(crate) base: String,
    roots: Option<RootCertStore>,
    identity: Option<(Vec<CertificateDer<'static>>, Arc<PrivateKeyDer<'static>>)>,
    plain_http: PlainHttp,
    connect_deadline: Duration,
    pub(crate) call_deadline: Duration,
    pub(crate) max_calls: usize,
    pub(crate) breaker_failures: u32,
    pub(crate) breaker_pause: Duration,
    pub(crate) clock: Clock,
}

impl KeystoneConfig {
    /// The Keystone at this address: `https://HOST[:PORT][/PATH]`, with or without `/v3` at its end.
    ///
    /// `http` is taken for this machine only: `localhost`, `127.0.0.0/8`, `[::1]`.
    ///
    /// # Errors
    /// [`ConfigError::Url`] for anything else; [`ConfigError::PlainHttp`] for `http` to another host.
    pub fn new(url: &str) -> Result<Self, ConfigError> {
        Self::at(url, PlainHttp::Loopback)
    }

    /// The same, admitting `http` to any host.
    ///
    /// # Security
    /// Passwords, secrets and tokens cross the network readable, and answers, which decide who may do what, can be
    /// forged by whoever stands on the way.
    ///
    /// # Errors
    /// [`ConfigError::Url`] for what is no address.
    pub fn dangerous_with_plain_http(url: &str) -> Result<Self, ConfigError> {
        Self::at(url, PlainHttp::DangerousAnywhere)
    }

    fn at(url: &str, plain_http: PlainHttp) -> Result<Self, ConfigError> {
        let uri: Uri = url.parse().map_err(|_not_a_uri| ConfigError::Url)?;
        let odd = uri.query().is_some() || url.contains(['#', '@', '\\', '%']) || url.contains("..");
        let scheme = uri
            .scheme_str()
            .filter(|scheme| matches!(*scheme, "http" | "https"));
        let authority = uri.authority().filter(|authority| !authority.host().is_empty());
        let (Some(scheme), Some(authority), false) = (scheme, authority, odd) else {
            return Err(ConfigError::Url);
        };
        let path = uri.path().trim_end_matches('/');
        let path = path.strip_suffix("/v3").unwrap_or(path);
        let config = Self {
            base: format!("{scheme}://{authority}{path}/v3"),
            roots: None,
            identity: None,
            plain_http,
            connect_deadline: CONNECT_DEADLINE,
            call_deadline: CALL_DEADLINE,
            max_calls: MAX_CALLS,
            breaker_failures: BREAKER_FAILURES,
            breaker_pause: BREAKER_PAUSE,
            clock: system_clock(),
        };
        Ok(config)
    }

    /// Trusts the authorities in this PEM text.
    ///
    /// # Errors
    /// [`ConfigError::Tls`] if it holds none, or something else.
    pub fn with_authorities(self, pem: &[u8]) -> Result<Self, ConfigError> {
        let roots = authorities(pem).map_err(|error| ConfigError::Tls(error.into()))?;
        Ok(self.with_roots(roots))
    }

    /// Trusts these authorities. There are none by default: an `https` address needs this or
    /// [`KeystoneConfig::with_authorities`].
    #[must_use]
    pub fn with_roots(mut self, roots: RootCertStore) -> Self {
        self.roots = Some(roots);
        self
    }

    /// Presents this certificate where Keystone's front asks for one.
    #[must_use]
    pub fn with_client_certificate(
        mut self,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Self {
        self.identity = Some((chain, Arc::new(key)));
        self
    }

    /// How long one call may take, from the first name lookup to the last octet of the answer; 10 s by default.
    #[must_use]
    pub const fn with_call_deadline(mut self, deadline: Duration) -> Self {
        self.call_deadline = deadline;
        self
    }

    /// How long a TCP handshake may take; 3 s by default.
    #[must_use]
    pub const fn with_connect_deadline(mut self, deadline: Duration) -> Self {
        self.connect_deadline = deadline;
        self
    }

    /// How many calls may run at one time; 32 by default. Others wait within their deadline.
    #[must_use]
    pub const fn with_max_calls(mut self, calls: usize) -> Self {
        self.max_calls = calls;
        self
    }

    /// After how many failures in a row Keystone is left alone, and for how long; 5 and 5 s by default.
    #[must_use]
    pub const fn with_breaker(mut self, failures: u32, pause: Duration) -> Self {
        self.breaker_failures = failures;
        self.breaker_pause = pause;
        self
    }

    /// Reads the time here; from the machine by default.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Fn() -> UnixTime + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// The address, ending in `/v3`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.base
    }

    pub(crate) fn settings(&self) -> Result<Settings, ConfigError> {
        let in_the_clear = self.base.starts_with("http://");
        let roots = match &self.roots {
            Some(roots) => roots.clone(),
            None if in_the_clear => RootCertStore::empty(),
            None => {
                return Err(ConfigError::Tls(
                    "name the authorities that vouch for Keystone".into(),
                ));
            }
        };
        let settings = match &self.identity {
            Some((chain, key)) => Settings::presenting(roots, chain.clone(), key.clone_key()),
            None => Settings::trusting(roots),
        };
        let settings = settings.map_err(|error| ConfigError::Tls(error.into()))?;
        let plain_http = if in_the_clear {
            self.plain_http
        } else {
            PlainHttp::Never
        };
        Ok(settings
            .with_plain_http(plain_http)
            .with_idle_connections(MAX_IDLE, IDLE)
            .with_connect_deadline(self.connect_deadline))
    }
}

impl fmt::Debug for KeystoneConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("KeystoneConfig")
            .field("url", &self.base)
            .field("call_deadline", &self.call_deadline)
            .field("max_calls", &self.max_calls)
            .finish_non_exhaustive()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the clock of those who give none: this is an edge"
)]
fn system_clock() -> Clock {
    Arc::new(UnixTime::now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_of_keystone() {
        for (url, want) in [
            (
                "https://keystone.example:5000",
                "https://keystone.example:5000/v3",
            ),
            (
                "https://keystone.example:5000/v3",
                "https://keystone.example:5000/v3",
            ),
            (
                "https://cloud.example/identity/v3/",
                "https://cloud.example/identity/v3",
            ),
            ("http://127.0.0.1:5000/v3", "http://127.0.0.1:5000/v3"),
        ] {
            assert_eq!(KeystoneConfig::new(url).unwrap().url(), want);
        }
        for url in [
            "",
            "keystone.example",
            "/v3",
            "ftp://keystone.example/v3",
            "file:///etc/passwd",
            "https://user:password@keystone.example/v3",
            "https://keystone.example/v3?x=1",
            "https://keystone.example/../v3",
            "https:///v3",
        ] {
            assert!(KeystoneConfig::new(url).is_err(), "{url}");
        }
    }
}
