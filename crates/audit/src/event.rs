use rustls_pki_types::UnixTime;
use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

/// What was attempted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "every action has a CADF name; a new one must be given one"
)]
pub enum Action {
    /// A token request (RFC 6749 §3.2).
    IssueToken,
    /// A refresh token was exchanged, or was to be (RFC 6749 §6).
    RefreshToken,
    /// A refresh token came again that had been exchanged: its family has ended (RFC 9700 §4.14.2).
    DenyReusedRefreshToken,
    /// An authorization code or a device code came again that had been exchanged: what it gave has ended (RFC 6749
    /// §4.1.2).
    DenyReusedCode,
    /// A request for a token of Keystone's own (`POST /v3/OS-OAUTH2/token`).
    IssueKeystoneToken,
    /// An introspection request (RFC 7662).
    IntrospectToken,
    /// A revocation request (RFC 7009).
    RevokeToken,
    /// A key was published, activated, retired or dropped as planned.
    RotateKey,
    /// A key was revoked in an emergency.
    RevokeKey,
    /// A private key was brought in from elsewhere.
    ImportKey,
    /// A private key was given out.
    ExportKey,
    /// The keys of a domain, and what waits for a second administrator, were listed to an administrator over HTTP.
    ReadKeys,
    /// What is sealed in the store was sealed anew under another key-encryption key.
    RewrapKeys,
    /// An administrator asked for a change of a key that another must confirm.
    RequestKeyChange,
    /// An administrator confirmed what another had asked for.
    ConfirmKeyChange,
    /// A domain was made.
    CreateDomain,
    /// A client was registered.
    CreateClient,
    /// A client was changed, or its secret rotated.
    UpdateClient,
    /// A client was deleted.
    DeleteClient,
    /// Clients were listed, or one was shown, to an administrator or to itself.
    ReadClient,
    /// An initial access token was made, by which clients register themselves.
    CreateInitialToken,
    /// Initial access tokens were listed.
    ReadInitialToken,
    /// An initial access token was taken back.
    DeleteInitialToken,
    /// A user of the embedded directory was made.
    CreateUser,
    /// A user of the embedded directory was changed, or how a user of Keystone may log in was changed there.
    UpdateUser,
    /// A user of the embedded directory was deleted.
    DeleteUser,
    /// An application credential was made in Keystone, of a user that it names.
    CreateApplicationCredential,
    /// A person proved who they are, or tried to: password, code, passkey, the word of an upstream provider.
    SignIn,
    /// A session of a person ended: signed out, or ended on the account page.
    EndSession,
    /// A client's authorization request was answered: with a code, or refused.
    Authorize,
    /// A person let a client have what it asked for.
    AllowConsent,
    /// A person let a client have nothing.
    DenyConsent,
    /// A person took a consent back.
    DeleteConsent,
    /// A device asked for codes (RFC 8628 §3.1).
    AskForDevice,
    /// A person let a device have what it asked for.
    AllowDevice,
    /// A person let a device have nothing.
    DenyDevice,
    /// A userinfo request (OpenID Connect Core §5.3).
    ReadUserinfo,
    /// A second factor of a person was set up.
    AddFactor,
    /// A second factor of a person was removed.
    RemoveFactor,
    /// A refresh token was ended by the person, with the access tokens that it gave.
    EndGrant,
    /// A client was told that a session ended, or could not be told (OpenID Connect Back-Channel Logout).
    NotifyLogout,
    /// A node began to serve.
    StartNode,
    /// A node was told to end, and served no more.
    StopNode,
    /// What a node reads at run time was read anew: certificates, authorities, lists, files.
    Reload,
    /// A setting of the configuration changed while a node runs, or was to.
    ChangeSetting,
    /// The database was copied.
    BackUpStore,
    /// A copy was put in the database's place.
    RestoreStore,
    /// The database was brought to another schema.
    MigrateStore,
    /// A node signed its audit trail up to here.
    SignTrail,
    /// What was left of a torn line in the audit trail was set aside.
    MendTrail,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 50] = [
        Self::IssueToken,
        Self::RefreshToken,
        Self::DenyReusedRefreshToken,
        Self::DenyReusedCode,
        Self::IssueKeystoneToken,
        Self::IntrospectToken,
        Self::RevokeToken,
        Self::RotateKey,
        Self::RevokeKey,
        Self::ImportKey,
        Self::ExportKey,
        Self::ReadKeys,
        Self::RewrapKeys,
        Self::RequestKeyChange,
        Self::ConfirmKeyChange,
        Self::CreateDomain,
        Self::CreateClient,
        Self::UpdateClient,
        Self::DeleteClient,
        Self::ReadClient,
        Self::CreateInitialToken,
        Self::ReadInitialToken,
        Self::DeleteInitialToken,
        Self::CreateUser,
        Self::UpdateUser,
        Self::DeleteUser,
        Self::CreateApplicationCredential,
        Self::SignIn,
        Self::EndSession,
        Self::Authorize,
        Self::AllowConsent,
        Self::DenyConsent,
        Self::DeleteConsent,
        Self::AskForDevice,
        Self::AllowDevice,
        Self::DenyDevice,
        Self::ReadUserinfo,
        Self::AddFactor,
        Self::RemoveFactor,
        Self::EndGrant,
        Self::NotifyLogout,
        Self::StartNode,
        Self::StopNode,
        Self::Reload,
        Self::ChangeSetting,
        Self::BackUpStore,
        Self::RestoreStore,
        Self::MigrateStore,
        Self::SignTrail,
        Self::MendTrail,
    ];

    /// The CADF action.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::IssueToken => "authenticate/token",
            Self::RefreshToken => "renew/token",
            Self::DenyReusedRefreshToken => "deny/reused_refresh_token",
            Self::DenyReusedCode => "deny/reused_code",
            Self::IssueKeystoneToken => "authenticate/keystone_token",
            Self::IntrospectToken => "evaluate/token",
            Self::RevokeToken => "revoke/token",
            Self::RotateKey => "renew/key",
            Self::RevokeKey => "revoke/key",
            Self::ImportKey => "create/key",
            Self::ExportKey => "read/key",
            Self::ReadKeys => "read/key_ring",
            Self::RewrapKeys => "update/key_encryption",
            Self::RequestKeyChange => "create/key_request",
            Self::ConfirmKeyChange => "allow/key_request",
            Self::CreateDomain => "create/domain",
            Self::CreateClient => "create/oauth2_client",
            Self::UpdateClient => "update/oauth2_client",
            Self::DeleteClient => "delete/oauth2_client",
            Self::ReadClient => "read/oauth2_client",
            Self::CreateInitialToken => "create/initial_access_token",
            Self::ReadInitialToken => "read/initial_access_token",
            Self::DeleteInitialToken => "delete/initial_access_token",
            Self::CreateUser => "create/user",
            Self::UpdateUser => "update/user",
            Self::DeleteUser => "delete/user",
            Self::CreateApplicationCredential => "create/application_credential",
            Self::SignIn => "authenticate/login",
            Self::EndSession => "revoke/session",
            Self::Authorize => "create/authorization_code",
            Self::AllowConsent => "allow/consent",
            Self::DenyConsent => "deny/consent",
            Self::DeleteConsent => "delete/consent",
            Self::AskForDevice => "create/device_code",
            Self::AllowDevice => "allow/device",
            Self::DenyDevice => "deny/device",
            Self::ReadUserinfo => "read/userinfo",
            Self::AddFactor => "create/factor",
            Self::RemoveFactor => "delete/factor",
            Self::EndGrant => "revoke/refresh_token",
            Self::NotifyLogout => "notify/logout",
            Self::StartNode => "start/node",
            Self::StopNode => "stop/node",
            Self::Reload => "update/configuration",
            Self::ChangeSetting => "configure/node",
            Self::BackUpStore => "backup/store",
            Self::RestoreStore => "restore/store",
            Self::MigrateStore => "update/schema",
            Self::SignTrail => "create/checkpoint",
            Self::MendTrail => "update/trail",
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
    pub(crate) detail: Option<&'static str>,
}

impl Reason {
    /// A status of the HTTP answer and the name of the rule, in snake case.
    #[must_use]
    pub const fn new(status: u16, rule: &'static str) -> Self {
        Self {
            status,
            rule,
            detail: None,
        }
    }

    /// With a word in snake case that says more; the event has it as `rule/detail`.
    #[must_use]
    pub const fn with_detail(self, detail: Option<&'static str>) -> Self {
        Self { detail, ..self }
    }

    /// The rule's name.
    #[must_use]
    pub const fn rule(self) -> &'static str {
        self.rule
    }

    /// What more there is to say.
    #[must_use]
    pub const fn detail(self) -> Option<&'static str> {
        self.detail
    }
}

/// Who attempted it, as far as is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "built by the provider; a new member is a decision for every event"
)]
pub struct Actor<'a> {
    /// The client, as it named itself: not proved when the outcome is a failure. Pass it through [`printable`].
    pub client_id: Option<Cow<'a, str>>,
    /// The id of the person, once they proved who they are.
    pub user_id: Option<Cow<'a, str>>,
    /// The peer's address.
    pub address: Option<IpAddr>,
}

/// What it was done to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "every target has a CADF type; a new one must be given one"
)]
pub enum Target<'a> {
    /// An issuer, by its domain's id.
    Issuer(Cow<'a, str>),
    /// An access token, by its `jti`.
    Token(Cow<'a, str>),
    /// A signing key, by its `kid`.
    Key(Cow<'a, str>),
    /// A client, by its id.
    Client(Cow<'a, str>),
    /// A person, by the user's id.
    User(Cow<'a, str>),
    /// A session of a person, by its public id (`sid`).
    Session(Cow<'a, str>),
    /// What goes on without the person: a refresh token's family, by its id.
    Grant(Cow<'a, str>),
    /// A node of the server, by the name that its audit key gives it.
    Node(Cow<'a, str>),
    /// A setting of the configuration, by its key: `limits.request_burst_per_address`.
    Setting(Cow<'a, str>),
    /// The database, or a copy of it, by its file's name.
    Store(Cow<'a, str>),
}

/// The identity of one event: a random UUID (RFC 9562 §5.4).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventId(u128);

impl EventId {
    /// The id of these random octets.
    ///
    /// ```
    /// let id = sealstone_audit::EventId::from_random([0xff; 16]);
    /// assert_eq!(id.to_string(), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    /// ```
    #[must_use]
    pub const fn from_random(octets: [u8; 16]) -> Self {
        const MASK: u128 = !((0xf << 76) | (0x3 << 62));
        Self((u128::from_be_bytes(octets) & MASK) | (0x4 << 76) | (0x2 << 62))
    }

    /// The 36 characters: groups of digits with hyphens between them. One id is written for every request.
    pub(crate) fn text(self) -> [u8; 36] {
        let digits = self.0.to_be_bytes();
        let digits = digits.map(|octet| [hex_digit(octet >> 4), hex_digit(octet & 0xf)]);
        let digits = digits.as_flattened();
        let mut text = [b'-'; 36];
        let (mut from, mut to) = (digits, text.as_mut_slice());
        for length in [8, 4, 4, 4, 12] {
            let (Some((group, other)), Some((place, rest))) =
                (from.split_at_checked(length), to.split_at_mut_checked(length))
            else {
                break;
            };
            place.copy_from_slice(group);
            from = other;
            to = rest.get_mut(1..).unwrap_or_default();
        }
        text
    }
}

/// Of a number below 16.
const fn hex_digit(number: u8) -> u8 {
    let beyond_nine = if number > 9 { b'a' - b'9' - 1 } else { 0 };
    number.wrapping_add(b'0').wrapping_add(beyond_nine)
}

impl fmt::Display for EventId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(str::from_utf8(&self.text()).unwrap_or_default())
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// One audit event.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "built by the provider; a new member is a decision for every event"
)]
pub struct Event<'a> {
    /// Its identity.
    pub id: EventId,
    /// When.
    pub time: UnixTime,
    /// What was attempted.
    pub action: Action,
    /// How it ended.
    pub outcome: Outcome,
    /// Why.
    pub reason: Option<Reason>,
    /// Who attempted it.
    pub initiator: Actor<'a>,
    /// What it was done to.
    pub target: Target<'a>,
    /// The request's id, which the answer carried too.
    pub request_id: Cow<'a, str>,
}

impl Event<'_> {
    /// The event with everything that it borrows made its own.
    #[must_use]
    pub fn into_owned(self) -> Event<'static> {
        let own = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        Event {
            id: self.id,
            time: self.time,
            action: self.action,
            outcome: self.outcome,
            reason: self.reason,
            initiator: Actor {
                client_id: self.initiator.client_id.map(own),
                user_id: self.initiator.user_id.map(own),
                address: self.initiator.address,
            },
            target: match self.target {
                Target::Issuer(id) => Target::Issuer(own(id)),
                Target::Token(id) => Target::Token(own(id)),
                Target::Key(id) => Target::Key(own(id)),
                Target::Client(id) => Target::Client(own(id)),
                Target::User(id) => Target::User(own(id)),
                Target::Session(id) => Target::Session(own(id)),
                Target::Grant(id) => Target::Grant(own(id)),
                Target::Node(id) => Target::Node(own(id)),
                Target::Setting(id) => Target::Setting(own(id)),
                Target::Store(id) => Target::Store(own(id)),
            },
            request_id: own(self.request_id),
        }
    }
}

/// The longest text of [`printable`].
pub const LONGEST_PRINTABLE: usize = 64;

/// Text of an outsider, made safe to record: visible ASCII only, 64 characters at most, the rest replaced by `?`.
///
/// ```
/// assert_eq!(sealstone_audit::printable("a\nb"), "a?b");
/// ```
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    if text.len() <= LONGEST_PRINTABLE && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Cow::Borrowed(text);
    }
    let shown = |c: char| if c.is_ascii_graphic() { c } else { '?' };
    Cow::Owned(text.chars().take(LONGEST_PRINTABLE).map(shown).collect())
}
