use std::{fmt, sync::Arc, time::Duration};

use http::Uri;
use rustls::RootCertStore;
use rustls_pki_types::UnixTime;
use sealstone_https::{PlainHttp, Settings, authorities};
use zeroize::Zeroizing;

use crate::ConfigError;

/// privacyIDEA answers in 0.2 s, its login in 1.3 s: in 5 s it is in trouble, and a person waits.
const CALL_DEADLINE: Duration = Duration::from_secs(5);
const CONNECT_DEADLINE: Duration = Duration::from_secs(2);
/// A privacyIDEA has some ten workers; more calls at a time only wait there instead of here.
const MAX_CALLS: usize = 32;
/// Half of the ten wrong codes after which privacyIDEA locks a token by default.
const MAX_WRONG: u8 = 5;
/// How long somebody waits after so many wrong codes.
const WRONG_PAUSE: Duration = Duration::from_secs(300);
/// What privacyIDEA gives a challenge by default.
const CHALLENGE_LIFETIME: Duration = Duration::from_secs(120);
/// Idle connections kept, as many as a burst leaves; and shorter than servers keep them, for an answer that meets a
/// connection just closed is not repeated.
const MAX_IDLE: usize = 8;
const IDLE: Duration = Duration::from_secs(4);
const MAX_REALM: usize = 255;

pub(crate) type Clock = Arc<dyn Fn() -> UnixTime + Send + Sync>;

/// Of whom a second factor is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_enums, reason = "there are these two answers")]
pub enum Demand {
    /// Of everybody: who has no token, or none that works, does not get in.
    #[default]
    Everybody,
    /// Of those to whom privacyIDEA has assigned a token, whatever its state; the others go on without.
    WhoeverHasAToken,
}

/// Where privacyIDEA is, who asks it, and what a call may cost.
#[derive(Clone)]
pub struct PrivacyIdeaConfig {
    pub(crate) base: String,
    pub(crate) realm: String,
    pub(crate) user_name: String,
    pub(crate) password: Zeroizing<String>,
    pub(crate) demand: Demand,
    roots: Option<RootCertStore>,
    plain_http: PlainHttp,
    connect_deadline: Duration,
    pub(crate) call_deadline: Duration,
    pub(crate) max_calls: usize,
    pub(crate) max_wrong: u8,
    pub(crate) wrong_pause: Duration,
    pub(crate) challenge_lifetime: Duration,
    pub(crate) clock: Clock,
}

impl PrivacyIdeaConfig {
    /// The privacyIDEA at this address, `https://HOST[:PORT][/PATH]`, and the realm in which all users are looked for.
    ///
    /// `http` is taken for this machine only: `localhost`, `127.0.0.0/8`, `[::1]`.
    ///
    /// `user_name` and `password` are of an administrator of privacyIDEA that has the rights `triggerchallenge` and
    /// `tokenlist` in that realm, and no others.
    ///
    /// # Errors
    /// [`ConfigError`] for an address that is none, a realm with blanks, an empty name or password.
    pub fn new(
        url: &str,
        realm: &str,
        user_name: &str,
        password: Zeroizing<String>,
    ) -> Result<Self, ConfigError> {
        let uri: Uri = url.parse().map_err(|_not_a_uri| ConfigError::Url)?;
        let odd = uri.query().is_some() || url.contains(['#', '@', '\\', '%']) || url.contains("..");
        let scheme = uri
            .scheme_str()
            .filter(|scheme| matches!(*scheme, "http" | "https"));
        let authority = uri.authority().filter(|authority| !authority.host().is_empty());
        let (Some(scheme), Some(authority), false) = (scheme, authority, odd) else {
            return Err(ConfigError::Url);
        };
        let blank = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '@' | '\\' | ',');
        if realm.is_empty() || realm.len() > MAX_REALM || realm.contains(blank) {
            return Err(ConfigError::Realm);
        }
        if user_name.is_empty() || password.is_empty() {
            return Err(ConfigError::Credentials);
        }
        Ok(Self {
            base: format!("{scheme}://{authority}{}", uri.path().trim_end_matches('/')),
            realm: realm.to_owned(),
            user_name: user_name.to_owned(),
            password,
            demand: Demand::default(),
            roots: None,
            plain_http: PlainHttp::Loopback,
            connect_deadline: CONNECT_DEADLINE,
            call_deadline: CALL_DEADLINE,
            max_calls: MAX_CALLS,
            max_wrong: MAX_WRONG,
            wrong_pause: WRONG_PAUSE,
            challenge_lifetime: CHALLENGE_LIFETIME,
            clock: system_clock(),
        })
    }

    /// Admits `http` to any host.
    ///
    /// # Security
    /// Codes and the adapter's password cross the network readable, and whoever stands on the way can answer that a
    /// code is right.
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

    /// Of whom a second factor is asked; of everybody by default.
    #[must_use]
    pub const fn with_demand(mut self, demand: Demand) -> Self {
        self.demand = demand;
        self
    }

    /// How long one call may take, from the first name lookup to the last octet of the answer; 5 s by default.
    #[must_use]
    pub const fn with_call_deadline(mut self, deadline: Duration) -> Self {
        self.call_deadline = deadline;
        self
    }

    /// How long a TCP handshake may take; 2 s by default.
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

    /// After how many wrong codes of a person in a row privacyIDEA is not asked about them for a while, and how long;
    /// 5 and 300 s by default.
    ///
    /// Keep it below the failures after which privacyIDEA locks a token (10 by default): somebody with another's
    /// password could lock it otherwise.
    #[must_use]
    pub const fn with_wrong_codes(mut self, most: u8, pause: Duration) -> Self {
        self.max_wrong = most;
        self.wrong_pause = pause;
        self
    }

    /// How long a challenge may be answered: privacyIDEA's own setting, 120 s by default.
    #[must_use]
    pub const fn with_challenge_lifetime(mut self, lifetime: Duration) -> Self {
        self.challenge_lifetime = lifetime;
        self
    }

    /// Reads the time here; from the machine by default.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Fn() -> UnixTime + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// The address, without a slash at its end.
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
                    "name the authorities that vouch for privacyIDEA".into(),
                ));
            }
        };
        let plain_http = if in_the_clear {
            self.plain_http
        } else {
            PlainHttp::Never
        };
        let settings = Settings::trusting(roots).map_err(|error| ConfigError::Tls(error.into()))?;
        Ok(settings
            .with_plain_http(plain_http)
            .with_idle_connections(MAX_IDLE, IDLE)
            .with_connect_deadline(self.connect_deadline))
    }
}

impl fmt::Debug for PrivacyIdeaConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("PrivacyIdeaConfig")
            .field("url", &self.base)
            .field("realm", &self.realm)
            .field("user_name", &self.user_name)
            .field("demand", &self.demand)
            .field("call_deadline", &self.call_deadline)
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

    fn at(url: &str, realm: &str) -> Result<PrivacyIdeaConfig, ConfigError> {
        PrivacyIdeaConfig::new(url, realm, "adapter", Zeroizing::new("hush".to_owned()))
    }

    #[test]
    fn addresses_and_realms_are_plain() {
        for (url, want) in [
            ("https://mfa.example", "https://mfa.example"),
            ("https://mfa.example/pi/", "https://mfa.example/pi"),
            ("http://127.0.0.1:5081/", "http://127.0.0.1:5081"),
        ] {
            assert_eq!(at(url, "lab").unwrap().url(), want);
        }
        for url in [
            "",
            "mfa.example",
            "ftp://mfa.example",
            "https://user:password@mfa.example",
            "https://mfa.example/?x=1",
            "https://mfa.example/../pi",
            "https:///pi",
        ] {
            assert!(matches!(at(url, "lab"), Err(ConfigError::Url)), "{url}");
        }
        for realm in ["", "a b", " lab", "lab\n", "a@b", "a\\b", "a,b"] {
            assert!(
                matches!(at("https://mfa.example", realm), Err(ConfigError::Realm)),
                "{realm:?}"
            );
        }
    }

    #[test]
    fn nothing_goes_in_the_clear_unless_it_is_named_dangerous() {
        let away = at("http://mfa.example", "lab").unwrap();
        let uri = "http://mfa.example/auth".parse().unwrap();
        let admits = |config: &PrivacyIdeaConfig| {
            sealstone_https::HttpsClient::new(config.settings().unwrap())
                .admits(&uri)
                .is_ok()
        };
        assert!(!admits(&away));
        assert!(admits(&away.dangerous_with_plain_http()));
        assert!(matches!(
            at("https://mfa.example", "lab").unwrap().settings(),
            Err(ConfigError::Tls(_))
        ));
    }

    #[test]
    fn debug_shows_no_password() {
        let text = format!("{:?}", at("https://mfa.example", "lab").unwrap());
        assert!(text.contains("adapter") && !text.contains("hush"), "{text}");
    }
}
