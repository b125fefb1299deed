use super::{Person, ScopeLine, Trouble};

/// What the person has here, each of which may be ended.
///
/// Posts `do` with `target` where a line is meant: `end_session`, `end_device`, `end_consent`, `remove_passkey`; and
/// `end_all`, `add_totp`, `remove_totp`, `add_passkey`, `new_recovery_codes`, `logout` without.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccountPage {
    /// Whose it is.
    pub person: Person,
    /// The address, if there is one.
    pub email: Option<String>,
    /// Browsers that are signed in.
    pub sessions: Vec<SessionLine>,
    /// Applications that stay signed in by themselves.
    pub grants: Vec<GrantLine>,
    /// What was allowed and is not asked again.
    pub consents: Vec<ConsentLine>,
    /// Whether an authenticator app counts here. Without it and passkeys nothing of second factors is shown.
    pub takes_totp: bool,
    /// Whether passkeys count here.
    pub takes_passkey: bool,
    /// Passkeys.
    pub passkeys: Vec<PasskeyLine>,
    /// When an authenticator app was set up, in seconds since 1970.
    pub totp_since: Option<u64>,
    /// How many recovery codes are left; `None`: there never were any.
    pub recovery_codes_left: Option<usize>,
    /// What went wrong before.
    pub trouble: Option<Trouble>,
}

/// A browser that is signed in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SessionLine {
    /// What is posted.
    pub id: String,
    /// What the browser says of itself.
    pub device: Option<String>,
    /// When the person signed in, in seconds since 1970.
    pub since: u64,
    /// When it was last used, in seconds since 1970.
    pub last_used_at: u64,
    /// This very browser.
    pub current: bool,
}

/// An application that has a refresh token.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GrantLine {
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
