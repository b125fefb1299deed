//! A person's session with this server in one browser.

use std::{fmt, time::Duration};

use rustls_pki_types::UnixTime;
use sealstone_identity::{DomainId, Person, UserId, unix_seconds};
use sealstone_oauth_types::{ClientId, OpaqueToken, TokenHash};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use crate::{Acr, Amr, Authenticated};

/// The most clients that are told of a session's end: more than a person uses in a day.
pub const MAX_CLIENTS: usize = 64;
/// What tells one browser from another; longer texts of this kind hold nothing that people read.
const MAX_DEVICE: usize = 160;
/// Coarse, so that a busy session does not write each time; a fifth of the shortest idle limit.
const TOUCH_EVERY: Duration = Duration::from_secs(60);

/// The name of a session in ID tokens and logout tokens (`sid`). It proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Sid(String);

impl Sid {
    /// A name of 16 random octets: 22 characters of base64url.
    #[must_use]
    pub fn from_octets(octets: [u8; 16]) -> Self {
        Self(base64_simd::URL_SAFE_NO_PAD.encode_to_string(octets))
    }

    /// Parses a name as it stands in a token. `None` for anything but 22 characters of base64url.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        (text.len() == 22 && text.bytes().all(word)).then(|| Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Sid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Sid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("a sid is 22 characters of base64url"))
    }
}

/// How long sessions last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "there are these two limits")]
pub struct SessionLimits {
    /// From the last use.
    pub idle: Duration,
    /// From the login, whatever is done since.
    pub absolute: Duration,
}

impl SessionLimits {
    /// The shortest idle limit: less would end sessions between two pages.
    pub const MIN_IDLE: Duration = Duration::from_secs(300);
}

impl Default for SessionLimits {
    /// A working day, and a week.
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(8 * 3600),
            absolute: Duration::from_secs(7 * 24 * 3600),
        }
    }
}

/// Fresh random values of one session: the cookie's, and the public name.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "a session needs these two")]
pub struct SessionSecrets {
    /// The value of the cookie.
    pub token: OpaqueToken,
    /// The name in tokens.
    pub sid: Sid,
}

/// A session: who is signed in, how and since when, in which browser.
///
/// The cookie's value is not in it; [`Session::id`] is its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Session {
    id: TokenHash,
    sid: Sid,
    domain: DomainId,
    version: u64,
    person: Person,
    #[serde(with = "unix_seconds")]
    authenticated_at: UnixTime,
    amr: Amr,
    acr: Acr,
    #[serde(with = "unix_seconds")]
    created_at: UnixTime,
    #[serde(with = "unix_seconds")]
    last_used_at: UnixTime,
    idle_s: u64,
    #[serde(with = "unix_seconds")]
    ends_at: UnixTime,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    clients: Vec<ClientId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    device: Option<String>,
}

/// Why a session counts no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the audit trail names each")]
pub enum SessionEnd {
    /// It was not used for too long.
    Idle,
    /// It is too old, whatever was done since.
    Absolute,
    /// It is of another domain than the one that it was shown to.
    OtherDomain,
    /// The person changed their password, or was disabled, since.
    Changed,
    /// The source answered about another person.
    OtherPerson,
}

impl SessionEnd {
    /// A stable word in snake case, for the audit trail.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "session_idle",
            Self::Absolute => "session_too_old",
            Self::OtherDomain => "session_of_other_domain",
            Self::Changed => "person_changed",
            Self::OtherPerson => "session_of_other_person",
        }
    }
}

impl Session {
    /// A session for a login that was just finished.
    ///
    /// # Security
    /// `secrets` are fresh: no value that a browser sent ever becomes a session's id, so that nobody can plant one
    /// before the login (CWE-384).
    #[must_use]
    pub fn begin(
        secrets: &SessionSecrets,
        domain: DomainId,
        authenticated: &Authenticated,
        limits: SessionLimits,
        now: UnixTime,
    ) -> Self {
        Self {
            id: secrets.token.hash(),
            sid: secrets.sid.clone(),
            domain,
            version: 1,
            person: authenticated.person().clone(),
            authenticated_at: authenticated.at(),
            amr: authenticated.amr().clone(),
            acr: authenticated.acr(),
            created_at: now,
            last_used_at: now,
            idle_s: limits.idle.max(SessionLimits::MIN_IDLE).as_secs(),
            ends_at: after(now, limits.absolute),
            clients: Vec::new(),
            device: None,
        }
    }

    /// The same session after the person proved more, or anew: with a new cookie, the same name and clients.
    ///
    /// `None` when it was another person: theirs is a session of its own.
    #[must_use]
    pub fn renew(&self, token: &OpaqueToken, authenticated: &Authenticated, now: UnixTime) -> Option<Self> {
        if authenticated.person().user.id() != self.user_id() {
            return None;
        }
        Some(Self {
            id: token.hash(),
            version: self.version.saturating_add(1),
            person: authenticated.person().clone(),
            authenticated_at: authenticated.at(),
            amr: authenticated.amr().clone(),
            acr: authenticated.acr(),
            last_used_at: now,
            ..self.clone()
        })
    }

    /// The same session with a description of the browser: the start of `User-Agent`, without control characters.
    #[must_use]
    pub fn on_device(mut self, user_agent: &str) -> Self {
        let clean = user_agent.chars().filter(|c| !c.is_control());
        let text: String = clean.take(MAX_DEVICE).collect();
        self.device = (!text.is_empty()).then_some(text);
        self
    }

    /// The session as used now, if that is to be written down: once a minute at most.
    #[must_use]
    pub fn touched(&self, now: UnixTime) -> Option<Self> {
        let due = since(self.last_used_at, now).is_some_and(|age| age >= TOUCH_EVERY);
        due.then(|| Self {
            last_used_at: now,
            version: self.version.saturating_add(1),
            ..self.clone()
        })
    }

    /// The session with one more client that is told of its end; `None` when it is in there already.
    ///
    /// Beyond [`MAX_CLIENTS`] the oldest is forgotten: it learns of the end by its refresh tokens.
    #[must_use]
    pub fn joined(&self, client: &ClientId) -> Option<Self> {
        if self.clients.contains(client) {
            return None;
        }
        let beyond = self.clients.len().saturating_add(1).saturating_sub(MAX_CLIENTS);
        let mut clients: Vec<ClientId> = self.clients.iter().skip(beyond).cloned().collect();
        clients.push(client.clone());
        Some(Self {
            clients,
            version: self.version.saturating_add(1),
            ..self.clone()
        })
    }

    /// Whether it counts now in this domain, as far as it tells itself.
    ///
    /// # Errors
    /// [`SessionEnd`]: whoever brings it is not signed in.
    pub fn standing(&self, domain: &DomainId, now: UnixTime) -> Result<(), SessionEnd> {
        if self.domain != *domain {
            return Err(SessionEnd::OtherDomain);
        }
        if now >= self.ends_at {
            return Err(SessionEnd::Absolute);
        }
        if now >= after(self.last_used_at, Duration::from_secs(self.idle_s)) {
            return Err(SessionEnd::Idle);
        }
        Ok(())
    }

    /// Whether it still counts for the person as the source knows them now.
    ///
    /// # Errors
    /// [`SessionEnd`]: the session is to be ended.
    pub fn still_of(&self, person: &Person) -> Result<(), SessionEnd> {
        if person.user.id() != self.user_id() || person.domain_id() != self.person.domain_id() {
            return Err(SessionEnd::OtherPerson);
        }
        if !person.stands_since(self.authenticated_at) {
            return Err(SessionEnd::Changed);
        }
        Ok(())
    }

    /// Whether the login is at most this old (`max_age`, OpenID Connect Core §3.1.2.1). Never for a login from the
    /// future: somebody's clock is wrong.
    #[must_use]
    pub fn is_fresh(&self, max_age: Duration, now: UnixTime) -> bool {
        since(self.authenticated_at, now).is_some_and(|age| age <= max_age)
    }

    /// The hash of the cookie's value: what it is looked up by.
    #[must_use]
    pub const fn id(&self) -> TokenHash {
        self.id
    }

    /// Its name in tokens.
    #[must_use]
    pub const fn sid(&self) -> &Sid {
        &self.sid
    }

    /// The domain whose issuer it is a session with.
    #[must_use]
    pub const fn domain(&self) -> &DomainId {
        &self.domain
    }

    /// Rises by one with every change.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// Who is signed in, as known at the login.
    #[must_use]
    pub const fn person(&self) -> &Person {
        &self.person
    }

    /// The id of who is signed in.
    #[must_use]
    pub fn user_id(&self) -> &UserId {
        self.person.user.id()
    }

    /// When the person proved who they are: no factor of the login is older (`auth_time`).
    #[must_use]
    pub const fn authenticated_at(&self) -> UnixTime {
        self.authenticated_at
    }

    /// By which ways.
    #[must_use]
    pub const fn amr(&self) -> &Amr {
        &self.amr
    }

    /// How sure that is.
    #[must_use]
    pub const fn acr(&self) -> Acr {
        self.acr
    }

    /// When it began.
    #[must_use]
    pub const fn created_at(&self) -> UnixTime {
        self.created_at
    }

    /// When it was last used, to a minute.
    #[must_use]
    pub const fn last_used_at(&self) -> UnixTime {
        self.last_used_at
    }

    /// When it ends, whatever is done until then.
    #[must_use]
    pub const fn ends_at(&self) -> UnixTime {
        self.ends_at
    }

    /// When it ends if it is not used again: rows of the past may be purged.
    #[must_use]
    pub fn expires_at(&self) -> UnixTime {
        after(self.last_used_at, Duration::from_secs(self.idle_s)).min(self.ends_at)
    }

    /// The clients that are told of its end; the oldest first.
    #[must_use]
    pub fn clients(&self) -> &[ClientId] {
        &self.clients
    }

    /// What the browser said of itself.
    #[must_use]
    pub fn device(&self) -> Option<&str> {
        self.device.as_deref()
    }
}

fn after(moment: UnixTime, span: Duration) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(
        moment.as_secs().saturating_add(span.as_secs()),
    ))
}

fn since(earlier: UnixTime, later: UnixTime) -> Option<Duration> {
    later
        .as_secs()
        .checked_sub(earlier.as_secs())
        .map(Duration::from_secs)
}

#[cfg(test)]
mod tests;
