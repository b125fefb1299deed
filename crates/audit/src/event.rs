use rustls_pki_types::UnixTime;

/// What was attempted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "every action has a CADF name; a new one must be given one"
)]
pub enum Action {
    /// A token request (RFC 6749 §3.2).
    IssueToken,
    /// An introspection request (RFC 7662).
    IntrospectToken,
    /// A revocation request (RFC 7009).
    RevokeToken,
    /// A key was published, activated, retired or dropped as planned.
    RotateKey,
    /// A key was revoked in an emergency.
    RevokeKey,
    /// A client was registered.
    CreateClient,
    /// A client was changed, or its secret rotated.
    UpdateClient,
    /// A client was deleted.
    DeleteClient,
}

impl Action {
    /// The CADF action.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::IssueToken => "authenticate/token",
            Self::IntrospectToken => "evaluate/token",
            Self::RevokeToken => "revoke/token",
            Self::RotateKey => "renew/key",
            Self::RevokeKey => "revoke/key",
            Self::CreateClient => "create/oauth2_client",
            Self::UpdateClient => "update/oauth2_client",
            Self::DeleteClient => "delete/oauth2_client",
        }
    }
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "an attempt ends in one of these two ways")]
pub enum Outcome {
    /// It was done.
    Success,
    /// It was refused, or could not be done.
    Failure,
}

impl Outcome {
    /// The CADF outcome.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
        }
    }
}

/// Why it ended so: the HTTP status, and the rule that decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reason {
    pub(crate) status: u16,
    pub(crate) rule: &'static str,
}

impl Reason {
    /// A status of the HTTP answer and the name of the rule, in snake case.
    #[must_use]
    pub const fn new(status: u16, rule: &'static str) -> Self {
        Self { status, rule }
    }

    /// The rule's name.
    #[must_use]
    pub const fn rule(self) -> &'static str {
        self.rule
    }
}

/// Who attempted it, as far as is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "built by the provider; a new member is a decision for every event"
)]
pub struct Actor {
    /// The client, as it named itself: not proved when the outcome is a failure. Pass it through [`printable`].
    pub client_id: Option<String>,
    /// The peer's address.
    pub address: Option<String>,
}

/// What it was done to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "every target has a CADF type; a new one must be given one"
)]
pub enum Target {
    /// An issuer, by its domain's id.
    Issuer(String),
    /// An access token, by its `jti`.
    Token(String),
    /// A signing key, by its `kid`.
    Key(String),
    /// A client, by its id.
    Client(String),
}

/// One audit event.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "built by the provider; a new member is a decision for every event"
)]
pub struct Event {
    /// A UUID.
    pub id: String,
    /// When.
    pub time: UnixTime,
    /// What was attempted.
    pub action: Action,
    /// How it ended.
    pub outcome: Outcome,
    /// Why.
    pub reason: Option<Reason>,
    /// Who attempted it.
    pub initiator: Actor,
    /// What it was done to.
    pub target: Target,
    /// The request's id, which the answer carried too.
    pub request_id: String,
}

/// Text of an outsider, made safe to record: visible ASCII only, 64 characters at most, the rest replaced by `?`.
///
/// ```
/// assert_eq!(sealstone_audit::printable("a\nb"), "a?b");
/// ```
#[must_use]
pub fn printable(text: &str) -> String {
    text.chars()
        .take(64)
        .map(|c| if c.is_ascii_graphic() { c } else { '?' })
        .collect()
}
