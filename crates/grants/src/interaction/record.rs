use rustls_pki_types::UnixTime;
use sealstone_identity::{DomainId, ProjectId, UserId, unix_seconds};
use sealstone_login::{Acr, LoginProgress, Sid};
use sealstone_oauth_types::{
    ClaimsRequest, ClientId, CodeChallenge, LoginHint, MaxAge, Nonce, PromptSet, RedirectUri, ResourceUri,
    ResponseMode, ScopeSet, State, TokenHash, UiLocales,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long a person has from the request to its answer: long enough to find a telephone and a forgotten password.
pub const INTERACTION_LIFETIME: Duration = Duration::from_secs(900);

/// How many interactions are under way in one domain at once: some 100 MB. Beyond it, the oldest that nobody has logged
/// in to makes room.
pub const MAX_INTERACTIONS: u64 = 20_000;

/// How many of them are one person's: more than anybody has tabs. One more, and the oldest of that person makes room, so
/// that nobody who may sign in keeps everybody else from it.
pub const MAX_INTERACTIONS_OF_PERSON: u64 = 200;

/// What is under way in one browser, by the hash of its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a stored record: a new member is decided where interactions are made"
)]
pub struct Interaction {
    /// The hash of its id.
    pub id: TokenHash,
    /// The domain; the login is one of its people.
    pub domain: DomainId,
    /// The hash of the cookie of the browser that began it.
    pub browser: TokenHash,
    /// When it began.
    #[serde(with = "unix_seconds")]
    pub created_at: UnixTime,
    /// From when it counts no more.
    #[serde(with = "unix_seconds")]
    pub expires_at: UnixTime,
    /// One more with each change; [`replace_interaction`](super::InteractionStore::replace_interaction) compares it.
    pub version: u64,
    /// What it is for.
    pub purpose: Purpose,
    /// Who has proved by a first factor or a session that it is theirs: it takes one of their places. A store keeps it
    /// beside the record, and what a change does not name stays.
    #[serde(skip)]
    pub person: Option<UserId>,
    /// What was proved so far.
    pub login: LoginProgress,
    /// The session that was begun, or renewed, by a login in this very interaction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logged_in: Option<Sid>,
    /// The session that was asked for a surer login in this interaction, and got as far as its person can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stepped_up: Option<Sid>,
    /// The session whose person chose to go on with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selected: Option<Sid>,
    /// What the person answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given: Option<Given>,
}

/// What an interaction is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "the driver goes on from each")]
pub enum Purpose {
    /// A client's authorization request.
    Authorize(Box<AuthorizePurpose>),
    /// A device's request, by the hash of its device code: the person has typed its user code.
    Device {
        /// The hash of the device code.
        hash: TokenHash,
    },
    /// The person's own page.
    Account,
    /// A request to sign out that the person must confirm.
    Logout(Box<LogoutPurpose>),
}

/// An authorization request that passed every check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a stored record: a new member is decided where requests are checked"
)]
pub struct AuthorizePurpose {
    /// The client.
    pub client_id: ClientId,
    /// When it was registered.
    #[serde(with = "unix_seconds")]
    pub client_created_at: UnixTime,
    /// Where the answer goes: registered, and checked.
    pub redirect_uri: RedirectUri,
    /// Whether the request named it, so that the token request must too.
    pub redirect_uri_sent: bool,
    /// How the answer goes there.
    pub response_mode: ResponseMode,
    /// What the answer repeats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// What the ID token repeats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<Nonce>,
    /// What is asked for.
    pub scope: ScopeSet,
    /// The resources that are named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<ResourceUri>,
    /// The PKCE challenge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub challenge: Option<CodeChallenge>,
    /// What is asked of the login.
    pub demand: LoginDemand,
    /// The claims that are asked for by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims: Option<ClaimsRequest>,
    /// What to write into the user name's field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login_hint: Option<LoginHint>,
    /// In which languages.
    #[serde(default, skip_serializing_if = "UiLocales::is_empty")]
    pub ui_locales: UiLocales,
}

/// What a request asks of the login and of the person.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "the rules decide on each member")]
pub struct LoginDemand {
    /// `prompt`: which pages must be shown, or that none may.
    pub prompt: PromptSet,
    /// `max_age`, or the client's default: how old the login may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<MaxAge>,
    /// What the login must reach: the client's minimum, or an essential claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required_acr: Option<Acr>,
    /// What the login should reach if the person can: `acr_values`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wished_acr: Option<Acr>,
    /// The `sub`, as this client knows it, that the person must have: of `id_token_hint` or of the claim `sub`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
}

/// A request to sign out that waits for the person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a stored record: a new member is decided where requests are checked"
)]
pub struct LogoutPurpose {
    /// The client that asks, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<ClientId>,
    /// Where to go afterwards: registered for that client, and checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect_uri: Option<RedirectUri>,
    /// What the redirect repeats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
}

/// What a person answered, and as whom: an answer of one person is none of another's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "the rules decide on both")]
pub struct Given {
    /// The person.
    pub user_id: UserId,
    /// What they answered.
    pub answer: Answer,
}

/// What a person answered when asked what a client, or a device, may have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "the rules decide on each")]
pub enum Answer {
    /// All that was asked for, in this project if it is for OpenStack.
    Allowed {
        /// The project.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        project: Option<ProjectId>,
    },
    /// Nothing.
    Refused,
}

impl Interaction {
    /// Whether its time is over.
    #[must_use]
    pub fn is_expired(&self, now: UnixTime) -> bool {
        self.expires_at.as_secs() <= now.as_secs()
    }
}
