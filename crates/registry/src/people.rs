//! What a registration says about the people who sign in by way of the client.

use std::time::Duration;

use sealstone_jose::Algorithm;
use sealstone_oauth_types::{Acr, GrantType, MaxAge, RedirectUri, RedirectUriKind, TokenEndpointAuthMethod};
use serde::{Deserialize, Serialize};

use crate::{client::Client, logout_uri::BackchannelLogoutUri};

/// The default absolute life of a refresh token's family: a quarter of a year, then the person signs in again.
pub const DEFAULT_REFRESH_LIFETIME: Duration = Duration::from_secs(90 * 24 * 3600);
/// The longest absolute life of a refresh token's family: a year.
pub const MAX_REFRESH_LIFETIME: Duration = Duration::from_secs(365 * 24 * 3600);
/// The default time after which an unused refresh token ends: 30 days.
pub const DEFAULT_REFRESH_IDLE: Duration = Duration::from_secs(30 * 24 * 3600);
/// The shortest of both: below an hour a refresh token does nothing that an access token does not.
pub const MIN_REFRESH_LIFETIME: Duration = Duration::from_secs(3600);

/// The authentication classes that a login here can come to, the least sure first: those of `sealstone-login`, which this
/// crate does not know. A test of `sealstone-grants`, which knows both, compares them.
pub const AUTHENTICATION_CLASSES: [&str; 3] = [
    "urn:sealstone:acr:one-factor",
    "urn:sealstone:acr:two-factor",
    "phr",
];

/// What kind of program a client is (OpenID Connect Registration §2).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "each has its own redirect URIs")]
pub enum ApplicationType {
    /// A server: each redirect URI is compared as text.
    #[default]
    Web,
    /// A program on the person's machine: it may have private-use schemes, and any port on loopback (RFC 8252 §7).
    Native,
}

/// Who a client's ID tokens say the person is (OpenID Connect Core §8).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "whoever issues decides on each")]
pub enum SubjectType {
    /// The same for every client.
    #[default]
    Public,
    /// Another for every sector, so that two cannot find out that they know the same person.
    Pairwise,
}

/// Whether a person is asked before a client learns who they are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "whoever asks decides on each")]
pub enum ConsentPolicy {
    /// Once for each client and set of scopes.
    #[default]
    Ask,
    /// Not for what the provider of the cloud runs itself. A scope that acts on OpenStack is asked about all the same.
    Never,
}

/// Whether an authorization request must have a code challenge (RFC 7636).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "whoever checks decides on each")]
pub enum Pkce {
    /// One without is refused.
    #[default]
    Required,
    /// One without is taken; one with is held to it. For confidential clients that cannot do it.
    Optional,
}

/// Where a client hears that a session ended (OpenID Connect Back-Channel Logout §2.2).
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "whoever sends needs both")]
pub struct BackchannelLogout {
    /// Where the logout token is posted to.
    pub uri: BackchannelLogoutUri,
    /// Whether it must name the session.
    pub session_required: bool,
}

/// The settings themselves; [`People::default`] is that of a client without people.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct People {
    pub(crate) application_type: ApplicationType,
    pub(crate) redirect_uris: Vec<RedirectUri>,
    pub(crate) post_logout_redirect_uris: Vec<RedirectUri>,
    pub(crate) pkce: Pkce,
    pub(crate) id_token_algorithm: Option<Algorithm>,
    pub(crate) userinfo_algorithm: Option<Algorithm>,
    pub(crate) subject_type: SubjectType,
    pub(crate) sector_identifier: Option<String>,
    pub(crate) default_max_age: Option<MaxAge>,
    pub(crate) default_acr_values: Vec<Acr>,
    pub(crate) minimum_acr: Option<Acr>,
    pub(crate) backchannel_logout: Option<BackchannelLogout>,
    pub(crate) consent: ConsentPolicy,
    pub(crate) refresh_lifetime: Option<Duration>,
    pub(crate) refresh_idle: Option<Duration>,
    pub(crate) client_uri: Option<String>,
}

impl Client {
    /// Whether it may use a grant.
    #[must_use]
    pub fn has_grant(&self, grant: GrantType) -> bool {
        self.grants().contains(&grant)
    }

    /// Whether people sign in by way of it: it has a grant in which one takes part.
    #[must_use]
    pub fn has_people(&self) -> bool {
        self.has_grant(GrantType::AuthorizationCode) || self.has_grant(GrantType::DeviceCode)
    }

    /// Whether it cannot keep a secret, and so proves nothing of itself (RFC 6749 §2.1).
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.auth_method() == TokenEndpointAuthMethod::None
    }

    /// A server, or a program on the person's machine.
    #[must_use]
    pub const fn application_type(&self) -> ApplicationType {
        self.people().application_type
    }

    /// Where its answers may go; empty exactly if it lacks the grant `authorization_code`.
    #[must_use]
    pub fn redirect_uris(&self) -> &[RedirectUri] {
        &self.people().redirect_uris
    }

    /// Where the answer to a request goes that asks for this redirect URI: there, if it is the client's, else nowhere.
    /// A request without one is answered at the client's only one (RFC 6749 §3.1.2.3).
    ///
    /// Two URIs are the same if their texts are. A native client's port on `127.0.0.1` and `[::1]` is not compared
    /// (RFC 8252 §7.3), nor that on `localhost` if it is registered without one; everything else is.
    ///
    /// # Security
    /// Only what this gives may be answered to; a code sent elsewhere is a stranger's.
    #[must_use]
    pub fn redirect_uri(&self, asked: Option<&RedirectUri>) -> Option<RedirectUri> {
        let registered = self.redirect_uris();
        match (asked, registered) {
            (None, [only]) => Some(only.clone()),
            (None, _) => None,
            (Some(asked), registered) => {
                let is_native = self.application_type() == ApplicationType::Native;
                let fits =
                    |own: &RedirectUri| own == asked || (is_native && differs_in_port_only(own, asked));
                registered.iter().any(fits).then(|| asked.clone())
            }
        }
    }

    /// Where the browser may go after a sign-out.
    #[must_use]
    pub fn post_logout_redirect_uris(&self) -> &[RedirectUri] {
        &self.people().post_logout_redirect_uris
    }

    /// Whether the browser may go there after a sign-out: compared as text, whatever the client is
    /// (OpenID Connect RP-Initiated Logout §2).
    #[must_use]
    pub fn may_return_to(&self, asked: &RedirectUri) -> bool {
        self.post_logout_redirect_uris().contains(asked)
    }

    /// Whether its authorization requests must have a code challenge: always for a public client.
    #[must_use]
    pub const fn pkce(&self) -> Pkce {
        self.people().pkce
    }

    /// The algorithm its ID and logout tokens are signed with; `None`: RS256 where the issuer has it, else the issuer's
    /// default.
    #[must_use]
    pub const fn id_token_algorithm(&self) -> Option<Algorithm> {
        self.people().id_token_algorithm
    }

    /// The algorithm its userinfo answers are signed with; `None`: they are plain JSON.
    #[must_use]
    pub const fn userinfo_algorithm(&self) -> Option<Algorithm> {
        self.people().userinfo_algorithm
    }

    /// Whether its subjects are its sector's own.
    #[must_use]
    pub const fn subject_type(&self) -> SubjectType {
        self.people().subject_type
    }

    /// The sector whose clients know a person by the same subject: a host name. `None` exactly for
    /// [`SubjectType::Public`].
    #[must_use]
    pub fn sector_identifier(&self) -> Option<&str> {
        self.people().sector_identifier.as_deref()
    }

    /// How long ago the person may have signed in, for a request that does not say.
    #[must_use]
    pub const fn default_max_age(&self) -> Option<MaxAge> {
        self.people().default_max_age
    }

    /// The authentication classes asked for by a request that names none.
    #[must_use]
    pub fn default_acr_values(&self) -> &[Acr] {
        &self.people().default_acr_values
    }

    /// The authentication class below which nobody gets in, whatever the request says.
    #[must_use]
    pub const fn minimum_acr(&self) -> Option<&Acr> {
        self.people().minimum_acr.as_ref()
    }

    /// Where it hears that a session ended.
    #[must_use]
    pub const fn backchannel_logout(&self) -> Option<&BackchannelLogout> {
        self.people().backchannel_logout.as_ref()
    }

    /// Whether people are asked for consent.
    #[must_use]
    pub const fn consent(&self) -> ConsentPolicy {
        self.people().consent
    }

    /// How long a refresh token and its successors are good, however much they are used.
    #[must_use]
    pub fn refresh_lifetime(&self) -> Duration {
        self.people().refresh_lifetime.unwrap_or(DEFAULT_REFRESH_LIFETIME)
    }

    /// How long a refresh token is good without being used; never longer than [`Client::refresh_lifetime`].
    #[must_use]
    pub fn refresh_idle(&self) -> Duration {
        let idle = self.people().refresh_idle.unwrap_or(DEFAULT_REFRESH_IDLE);
        idle.min(self.refresh_lifetime())
    }

    /// The client's page for people, to show beside its name.
    #[must_use]
    pub fn client_uri(&self) -> Option<&str> {
        self.people().client_uri.as_deref()
    }

    const fn people(&self) -> &People {
        &self.settings.people
    }
}

/// RFC 8252 §7.3: the port of a loopback redirect is the system's to give. A port on `localhost` is compared if one is
/// registered: the name may lead elsewhere (§8.3), and it is there for clients that cannot do without.
fn differs_in_port_only(own: &RedirectUri, asked: &RedirectUri) -> bool {
    let (Some(own), Some(asked)) = (own.loopback(), asked.loopback()) else {
        return false;
    };
    let port_is_open = own.host != "localhost" || own.port.is_none();
    port_is_open && own.host == asked.host && own.rest == asked.rest
}

/// Whether a redirect URI may be registered for a client of this type.
pub(crate) fn is_registrable(uri: &RedirectUri, application_type: ApplicationType) -> bool {
    match (uri.kind(), application_type) {
        (RedirectUriKind::Https | RedirectUriKind::Loopback, _)
        | (RedirectUriKind::PrivateUse, ApplicationType::Native) => true,
        (RedirectUriKind::Http, _) | (RedirectUriKind::PrivateUse, ApplicationType::Web) => false,
    }
}
