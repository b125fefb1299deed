//! The port to an upstream OpenID provider, which does the login in our place.

use std::{error::Error, fmt, time::Duration};

use async_trait::async_trait;
use rustls_pki_types::UnixTime;
use sealstone_identity::{DomainId, Email, IdentityError, MAX_GROUPS, Name, Person, UserRef, unix_seconds};
use sealstone_oauth_types::OpaqueToken;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// What is asked of the upstream provider.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[expect(
    clippy::exhaustive_structs,
    reason = "an adapter that forgets one of these must not compile"
)]
pub struct UpstreamAsk {
    /// Where the browser comes back to: our callback, as it is registered there.
    pub redirect_uri: String,
    /// `prompt`, where the person must sign in anew (`login`) or choose an account (`select_account`).
    pub prompt: Option<String>,
    /// `max_age`: how long ago the upstream login may be.
    pub max_age: Option<Duration>,
    /// `login_hint`, as our client sent it.
    pub login_hint: Option<String>,
    /// `acr_values`, in the upstream provider's words.
    pub acr_values: Vec<String>,
    /// `ui_locales`, as our client sent them.
    pub ui_locales: Vec<String>,
}

/// Three fresh random values: each of its own octets, for this one login.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "a login needs these three")]
pub struct UpstreamSecrets {
    /// `state`.
    pub state: OpaqueToken,
    /// `nonce`.
    pub nonce: OpaqueToken,
    /// `code_verifier`: 43 characters, as RFC 7636 §4.1 has it.
    pub verifier: OpaqueToken,
}

/// A browser sent upstream, and what is kept of it.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "one goes to the browser, one stays")]
pub struct UpstreamRedirect {
    /// Where the browser goes.
    pub url: String,
    /// What stays here.
    pub pending: PendingUpstream,
}

/// A login under way upstream. It stays on the server: it never goes to a browser.
///
/// `Debug` leaves the secrets out.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PendingUpstream {
    issuer: String,
    redirect_uri: String,
    state: Zeroizing<String>,
    nonce: Zeroizing<String>,
    verifier: Zeroizing<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_age_s: Option<u64>,
    #[serde(with = "unix_seconds")]
    started_at: UnixTime,
}

impl PendingUpstream {
    /// A login begun now at this issuer.
    #[must_use]
    pub fn new(issuer: &str, ask: &UpstreamAsk, secrets: &UpstreamSecrets, now: UnixTime) -> Self {
        let kept = |token: &OpaqueToken| Zeroizing::new(token.expose().to_owned());
        Self {
            issuer: issuer.to_owned(),
            redirect_uri: ask.redirect_uri.clone(),
            state: kept(&secrets.state),
            nonce: kept(&secrets.nonce),
            verifier: kept(&secrets.verifier),
            max_age_s: ask.max_age.map(|age| age.as_secs()),
            started_at: now,
        }
    }

    /// The issuer that the browser was sent to.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Where the browser was told to come back to.
    #[must_use]
    pub fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    /// The `state` that must come back.
    #[must_use]
    pub fn expose_state(&self) -> &str {
        &self.state
    }

    /// The `nonce` that the ID token must hold.
    #[must_use]
    pub fn expose_nonce(&self) -> &str {
        &self.nonce
    }

    /// The verifier to redeem the code with.
    ///
    /// # Security
    /// With it and the code, anybody finishes the login. Never log it.
    #[must_use]
    pub fn expose_verifier(&self) -> &str {
        &self.verifier
    }

    /// How long ago the upstream login may be, where that was asked: `auth_time` is then due.
    #[must_use]
    pub fn max_age(&self) -> Option<Duration> {
        self.max_age_s.map(Duration::from_secs)
    }

    /// When the browser was sent.
    #[must_use]
    pub const fn started_at(&self) -> UnixTime {
        self.started_at
    }
}

impl fmt::Debug for PendingUpstream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("PendingUpstream")
            .field("issuer", &self.issuer)
            .field("started_at", &self.started_at)
            .finish_non_exhaustive()
    }
}

/// What the browser brought back, as received. `Debug` leaves code and state out.
#[derive(Clone, Copy, Default)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the parameters of RFC 6749 §4.1.2 and RFC 9207"
)]
pub struct UpstreamCallback<'a> {
    /// `code`.
    pub code: Option<&'a str>,
    /// `state`.
    pub state: Option<&'a str>,
    /// `iss` (RFC 9207).
    pub iss: Option<&'a str>,
    /// `error`.
    pub error: Option<&'a str>,
}

impl fmt::Debug for UpstreamCallback<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("UpstreamCallback")
            .field("iss", &self.iss)
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}

/// What the upstream provider says of a person, from a verified ID token and, where asked, its userinfo.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "an adapter that forgets one of these must not compile"
)]
pub struct UpstreamIdentity {
    /// `iss`.
    pub issuer: String,
    /// `sub`.
    pub subject: String,
    /// All claims, for rules.
    pub claims: Map<String, Value>,
    /// `amr`.
    pub amr: Vec<String>,
    /// `acr`.
    pub acr: Option<String>,
    /// `auth_time`: when the person really signed in.
    pub auth_time: Option<UnixTime>,
}

impl UpstreamIdentity {
    /// The person without rules: the user's id is the hash of issuer and subject, the name `preferred_username` or
    /// `sub`, and `name`, `email`, `email_verified` and `groups` are what they say.
    ///
    /// Two issuers never make the same person, and no upstream value chooses an id.
    ///
    /// # Errors
    /// [`IdentityError`] when a name does not fit, or there are too many groups: nothing is left out silently.
    pub fn person(&self, domain: &DomainId) -> Result<Person, IdentityError> {
        let text = |name: &str| {
            self.claims
                .get(name)
                .and_then(Value::as_str)
                .filter(|text| !text.is_empty())
        };
        let name = text("preferred_username").unwrap_or(&self.subject);
        let mut person = Person::new(UserRef::new(&self.user_id(), name, domain.as_str())?);
        person.full_name = text("name").map(Name::parse).transpose()?;
        let verified = self.claims.get("email_verified") == Some(&Value::Bool(true));
        person.email = text("email")
            .map(|address| Email::new(address, verified))
            .transpose()?;
        person.groups = self.groups()?;
        Ok(person)
    }

    /// 64 hexadecimal digits of SHA-256 over issuer, a zero octet and subject: the shape of Keystone's federated users.
    #[must_use]
    pub fn user_id(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(self.issuer.as_bytes());
        hash.update([0]);
        hash.update(self.subject.as_bytes());
        hash.finalize()
            .iter()
            .map(|octet| format!("{octet:02x}"))
            .collect()
    }

    fn groups(&self) -> Result<Vec<Name>, IdentityError> {
        let Some(Value::Array(groups)) = self.claims.get("groups") else {
            return Ok(Vec::new());
        };
        let refused = IdentityError::Name { kind: "a group" };
        if groups.len() > MAX_GROUPS {
            return Err(refused);
        }
        let mut names = groups
            .iter()
            .map(|group| Name::parse(group.as_str().ok_or_else(|| refused.clone())?))
            .collect::<Result<Vec<_>, _>>()?;
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }
}

/// An upstream OpenID provider.
///
/// # Security
/// What an implementation may get wrong, and what it costs:
/// - **`state` or `iss` not compared**, in constant time and before anything is asked: a login of another browser, or
///   of another provider (mix-up), is taken for this one.
/// - **An ID token believed for less than its signature, issuer, audience, `nonce` and dates**: anybody's token of the
///   same provider logs in here. `auth_time` is held against [`PendingUpstream::max_age`].
/// - **Userinfo of another `sub`** merged into the login.
/// - **A browser-facing address used for the back channel, or the reverse**: tokens go where browsers can read.
#[async_trait]
pub trait UpstreamLogin: Send + Sync {
    /// Where to send the browser.
    ///
    /// # Errors
    /// [`UpstreamError`]; nobody is sent anywhere.
    async fn begin(
        &self,
        ask: &UpstreamAsk,
        secrets: UpstreamSecrets,
    ) -> Result<UpstreamRedirect, UpstreamError>;

    /// Who came back. `pending` was taken from its record before: a second callback finds none.
    ///
    /// # Errors
    /// [`UpstreamError`]; nobody gets in.
    async fn finish(
        &self,
        pending: &PendingUpstream,
        callback: &UpstreamCallback<'_>,
    ) -> Result<UpstreamIdentity, UpstreamError>;
}

/// Why an upstream login let nobody in.
#[derive(Debug, thiserror::Error)]
#[expect(clippy::exhaustive_enums, reason = "the page says something else for each")]
pub enum UpstreamError {
    /// The provider, or the person there, said no: its `error` came back.
    #[error("the upstream provider refuses: {0}")]
    Refused(UpstreamRefusal),
    /// The provider could not be asked, or did not answer in time.
    #[error("the upstream provider is not available")]
    Unavailable {
        /// What happened.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The provider answered with something that cannot be believed.
    #[error("the upstream provider answered with something that cannot be believed")]
    Malformed {
        /// What is wrong with it.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The provider does not know us, or we lack what it wants.
    #[error("the upstream provider is not set up for this: {needs}")]
    NotConfigured {
        /// What is missing, for an administrator.
        needs: &'static str,
    },
}

/// What was refused of an upstream login.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[expect(clippy::exhaustive_enums, reason = "the audit trail names each")]
pub enum UpstreamRefusal {
    /// The person, or the provider for them, declined (`access_denied`).
    #[error("the person declined")]
    Declined,
    /// The provider answered with another error.
    #[error("the provider answered with an error")]
    Error,
    /// `state` is missing, or not the one that was sent.
    #[error("the answer belongs to another login")]
    State,
    /// `iss` is another provider's, or missing though it is announced.
    #[error("the answer is another provider's")]
    Issuer,
    /// There is no code, or the provider does not take it.
    #[error("the code is not accepted")]
    Code,
    /// The ID token is not to be believed: signature, audience, `nonce`, dates, `auth_time`.
    #[error("the ID token is not accepted")]
    IdToken,
    /// The claims make no person here: a rule refuses them, or they do not fit.
    #[error("the claims make no person here")]
    Claims,
}

impl UpstreamRefusal {
    /// Each of them.
    pub const ALL: [Self; 7] = [
        Self::Declined,
        Self::Error,
        Self::State,
        Self::Issuer,
        Self::Code,
        Self::IdToken,
        Self::Claims,
    ];

    /// A stable word in snake case, for the audit trail and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Declined => "upstream_declined",
            Self::Error => "upstream_error",
            Self::State => "upstream_state",
            Self::Issuer => "upstream_issuer",
            Self::Code => "upstream_code",
            Self::IdToken => "upstream_id_token",
            Self::Claims => "upstream_claims",
        }
    }
}

impl UpstreamError {
    /// [`UpstreamError::Unavailable`] for this cause.
    pub fn unavailable(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Unavailable {
            source: source.into(),
        }
    }

    /// [`UpstreamError::Malformed`] for this cause.
    pub fn malformed(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Malformed {
            source: source.into(),
        }
    }
}

#[cfg(test)]
mod tests;
