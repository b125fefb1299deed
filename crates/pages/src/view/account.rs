use super::ScopeLine;

/// What the person has here, each of which may be ended.
///
/// Posts `do` with `id` where a line is meant: `end_session`, `end_all`, `end_grant`, `revoke_consent`,
/// `remove_passkey`, `remove_totp`, `add_totp`, `add_passkey`, `new_recovery_codes`, `sign_out`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccountPage {
    /// The person's full name, or the user name.
    pub name: String,
    /// The user name.
    pub account: String,
    /// The address, if there is one.
    pub email: Option<String>,
    /// What was done just now.
    pub notice: Option<Notice>,
    /// Browsers that are signed in.
    pub sessions: Vec<SessionLine>,
    /// Applications that stay signed in by themselves.
    pub grants: Vec<GrantLine>,
    /// What was allowed and is not asked again.
    pub consents: Vec<ConsentLine>,
    /// Whether factors are kept here; else the three that follow are not shown.
    pub own_factors: bool,
    /// Passkeys.
    pub passkeys: Vec<PasskeyLine>,
    /// When an authenticator app was set up, in seconds since 1970.
    pub totp_since: Option<u64>,
    /// How many recovery codes are left.
    pub recovery_codes_left: Option<u64>,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "each has its text")]
pub enum Notice {
    /// Something was ended or removed.
    Ended,
    /// A factor was set up.
    FactorAdded,
    /// The factor is needed and cannot be removed.
    FactorNeeded,
}

/// A browser that is signed in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SessionLine {
    /// What is posted.
    pub id: String,
    /// What the browser says of itself, in few words.
    pub device: Option<String>,
    /// From where.
    pub address: Option<String>,
    /// When the person signed in, in seconds since 1970.
    pub signed_in_at: u64,
    /// When it was last used, in seconds since 1970.
    pub last_used_at: u64,
    /// With two factors or a passkey.
    pub strong: bool,
    /// This very browser.
    pub current: bool,
    /// Applications that were signed in to.
    pub clients: Vec<String>,
}

/// An application that has a refresh token.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GrantLine {
    /// What is posted.
    pub id: String,
    /// The application, by its name.
    pub client: String,
    /// The OpenStack project in which it acts.
    pub project: Option<String>,
    /// Since when, in seconds since 1970.
    pub since: u64,
    /// When it was last used, in seconds since 1970.
    pub last_used_at: u64,
}

/// What was allowed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConsentLine {
    /// What is posted.
    pub id: String,
    /// The application, by its name.
    pub client: String,
    /// What it may know or do.
    pub scopes: Vec<ScopeLine>,
    /// The OpenStack project in which it acts.
    pub project: Option<String>,
    /// Since when, in seconds since 1970.
    pub since: u64,
}

/// A passkey of the person.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PasskeyLine {
    /// What is posted.
    pub id: String,
    /// What the person called it.
    pub name: String,
    /// Since when, in seconds since 1970.
    pub since: u64,
    /// When it was last used, in seconds since 1970.
    pub last_used_at: Option<u64>,
}
