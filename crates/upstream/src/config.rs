use std::{fmt, sync::Arc, time::Duration};

use rustls::RootCertStore;
use rustls_pki_types::UnixTime;
use sealstone_https::{HttpsClient, PlainHttp, Settings, authorities};
use sealstone_jose::Algorithm;
use zeroize::Zeroizing;

use crate::{
    ConfigError,
    bases::{Base, Bases},
};

/// A token endpoint answers in half a second at most, unless it is in trouble; and a person waits.
const CALL_DEADLINE: Duration = Duration::from_secs(5);
const CONNECT_DEADLINE: Duration = Duration::from_secs(2);
/// One login makes two calls; more at a time only wait there instead of here.
const MAX_CALLS: usize = 32;
/// Idle connections kept; shorter than servers keep them, for a code that meets a closed one is not sent again.
const MAX_IDLE: usize = 8;
const IDLE: Duration = Duration::from_secs(4);
/// What most registrations of clients allow.
const MAX_CLIENT_ID: usize = 255;

pub(crate) type Clock = Arc<dyn Fn() -> UnixTime + Send + Sync>;

/// How we prove at the token endpoint who we are. `Debug` leaves secrets out.
#[derive(Clone)]
#[non_exhaustive]
pub enum ClientAuthentication {
    /// Not at all: a public client, which PKCE protects.
    None,
    /// `client_secret_basic`.
    Basic(Zeroizing<String>),
    /// `client_secret_post`.
    Post(Zeroizing<String>),
}

impl fmt::Debug for ClientAuthentication {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::None => "None",
            Self::Basic(_) => "Basic([redacted])",
            Self::Post(_) => "Post([redacted])",
        })
    }
}

/// Which provider, who we are there, and what a call may cost.
#[derive(Clone)]
pub struct UpstreamConfig {
    /// As it stands in `iss`: compared letter by letter.
    pub(crate) issuer: String,
    pub(crate) bases: Bases,
    pub(crate) client_id: String,
    pub(crate) authentication: ClientAuthentication,
    pub(crate) scopes: Vec<String>,
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) asks_userinfo: bool,
    roots: Option<RootCertStore>,
    plain_http: PlainHttp,
    connect_deadline: Duration,
    pub(crate) call_deadline: Duration,
    pub(crate) max_calls: usize,
    pub(crate) clock: Clock,
}

impl UpstreamConfig {
    /// The provider with this issuer identifier, where we are registered as `client_id`.
    ///
    /// `http` is taken for this machine only: `localhost`, `127.0.0.0/8`, `[::1]`. By default browsers and we both
    /// find it at its issuer, it is asked for `openid profile email groups`, signs ID tokens with RS256 and is asked
    /// for userinfo.
    ///
    /// # Errors
    /// [`ConfigError::Url`], [`ConfigError::ClientId`], [`ConfigError::ClientSecret`].
    pub fn new(
        issuer: &str,
        client_id: &str,
        authentication: ClientAuthentication,
    ) -> Result<Self, ConfigError> {
        let base = Base::parse(issuer, "issuer")?;
        let visible = |byte: u8| byte.is_ascii_graphic();
        if client_id.is_empty() || client_id.len() > MAX_CLIENT_ID || !client_id.bytes().all(visible) {
            return Err(ConfigError::ClientId);
        }
        match &authentication {
            ClientAuthentication::Basic(secret) | ClientAuthentication::Post(secret) if secret.is_empty() => {
                return Err(ConfigError::ClientSecret);
            }
            ClientAuthentication::None | ClientAuthentication::Basic(_) | ClientAuthentication::Post(_) => {}
        }
        Ok(Self {
            issuer: issuer.to_owned(),
            bases: Bases {
                issuer: base.clone(),
                browser: base.clone(),
                back_channel: base,
            },
            client_id: client_id.to_owned(),
            authentication,
            scopes: ["openid", "profile", "email", "groups"]
                .map(str::to_owned)
                .to_vec(),
            algorithms: vec![Algorithm::Rs256],
            asks_userinfo: true,
            roots: None,
            plain_http: PlainHttp::Loopback,
            connect_deadline: CONNECT_DEADLINE,
            call_deadline: CALL_DEADLINE,
            max_calls: MAX_CALLS,
            clock: system_clock(),
        })
    }

    /// Where browsers find the provider, if not at its issuer: the host that they are sent to.
    ///
    /// # Errors
    /// [`ConfigError::Url`] for what is no address.
    pub fn with_browser_url(mut self, url: &str) -> Result<Self, ConfigError> {
        self.bases.browser = Base::parse(url, "browser_url")?;
        Ok(self)
    }

    /// Where we find it, if not at its issuer: metadata, keys, tokens and userinfo are asked there, and only there.
    ///
    /// # Errors
    /// [`ConfigError::Url`] for what is no address.
    pub fn with_back_channel_url(mut self, url: &str) -> Result<Self, ConfigError> {
        self.bases.back_channel = Base::parse(url, "back_channel_url")?;
        Ok(self)
    }

    /// Admits `http` to any host.
    ///
    /// # Security
    /// Codes and secrets cross the network readable, and whoever stands on the way can log in as anybody.
    #[must_use]
    pub const fn dangerous_with_plain_http(mut self) -> Self {
        self.plain_http = PlainHttp::DangerousAnywhere;
        self
    }

    /// Trusts the authorities in this PEM text. There are none by default: an `https` address needs this.
    ///
    /// # Errors
    /// [`ConfigError::Tls`] if it holds none, or something else.
    pub fn with_authorities(mut self, pem: &[u8]) -> Result<Self, ConfigError> {
        let roots = authorities(pem).map_err(|error| ConfigError::Tls(error.into()))?;
        self.roots = Some(roots);
        Ok(self)
    }

    /// What it is asked for, `openid` among them.
    ///
    /// # Errors
    /// [`ConfigError::Scopes`] without `openid`, or with what is no scope.
    pub fn with_scopes(mut self, scopes: Vec<String>) -> Result<Self, ConfigError> {
        let word = |scope: &String| {
            let allowed = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
            !scope.is_empty() && scope.bytes().all(allowed)
        };
        if scopes.iter().all(word) && scopes.iter().any(|scope| scope == "openid") {
            self.scopes = scopes;
            Ok(self)
        } else {
            Err(ConfigError::Scopes)
        }
    }

    /// The algorithms that ID tokens may be signed with; RS256 by default. What the provider's metadata says does not
    /// change it.
    ///
    /// # Errors
    /// [`ConfigError::Algorithms`] for none.
    pub fn with_algorithms(mut self, algorithms: Vec<Algorithm>) -> Result<Self, ConfigError> {
        if algorithms.is_empty() {
            return Err(ConfigError::Algorithms);
        }
        self.algorithms = algorithms;
        Ok(self)
    }

    /// Whether userinfo is asked for what the ID token lacks; it is by default, where the provider has it.
    #[must_use]
    pub const fn with_userinfo(mut self, asks: bool) -> Self {
        self.asks_userinfo = asks;
        self
    }

    /// How long one call may take, from the first name lookup to the last octet of the answer; 5 s by default.
    #[must_use]
    pub const fn with_call_deadline(mut self, deadline: Duration) -> Self {
        self.call_deadline = deadline;
        self
    }

    /// How many calls may run at one time; 32 by default. Others wait within their deadline.
    #[must_use]
    pub const fn with_max_calls(mut self, calls: usize) -> Self {
        self.max_calls = calls;
        self
    }

    /// Reads the time here; from the machine by default.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Fn() -> UnixTime + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// The issuer identifier.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    pub(crate) fn client(&self) -> Result<HttpsClient, ConfigError> {
        let ours = self.bases.back_channel.as_str();
        let in_the_clear = ours.starts_with("http://");
        let roots = match &self.roots {
            Some(roots) => roots.clone(),
            None if in_the_clear => RootCertStore::empty(),
            None => {
                return Err(ConfigError::Tls(
                    "name the authorities that vouch for the upstream provider".into(),
                ));
            }
        };
        let settings = Settings::trusting(roots).map_err(|error| ConfigError::Tls(error.into()))?;
        let settings = settings
            .with_plain_http(self.plain_http)
            .with_idle_connections(MAX_IDLE, IDLE)
            .with_connect_deadline(self.connect_deadline);
        let client = HttpsClient::new(settings);
        for (name, base) in [
            ("back_channel_url", &self.bases.back_channel),
            ("browser_url", &self.bases.browser),
        ] {
            let uri = base
                .as_str()
                .parse()
                .map_err(|_not_a_uri| ConfigError::Url(name))?;
            client
                .admits(&uri)
                .map_err(|_refused| ConfigError::PlainHttp(name))?;
        }
        Ok(client)
    }
}

impl fmt::Debug for UpstreamConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("UpstreamConfig")
            .field("issuer", &self.issuer)
            .field("browser_url", &self.bases.browser.as_str())
            .field("back_channel_url", &self.bases.back_channel.as_str())
            .field("client_id", &self.client_id)
            .field("authentication", &self.authentication)
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
