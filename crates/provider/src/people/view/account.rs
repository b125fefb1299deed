use super::{Fault, PageForm, PersonView};

/// What the person has, each of it to be ended here.
///
/// Every row is a form of its own with [`form`](Self::form) and a hidden field `target` (the row's `id`). Buttons `do`,
/// by what they are about: a session `end_session`, a device `end_device`, a consent `end_consent`, a passkey
/// `remove_passkey`. Without `target`: `end_all` (all sessions and devices), `add_totp`, `remove_totp`, `add_passkey`,
/// `new_recovery_codes`, `logout`.
#[derive(Debug)]
pub struct AccountView {
    /// What every form sends back.
    pub form: PageForm,
    /// Whose account it is.
    pub person: PersonView,
    /// The e-mail address.
    pub email: Option<String>,
    /// Where they are signed in, the newest first.
    pub sessions: Vec<AccountSession>,
    /// What goes on without them: programs that hold a refresh token.
    pub devices: Vec<AccountDevice>,
    /// What they allowed.
    pub consents: Vec<AccountConsent>,
    /// Their passkeys.
    pub passkeys: Vec<AccountPasskey>,
    /// Whether an authenticator app counts here: only then it can be set up or removed.
    pub offers_totp: bool,
    /// Whether passkeys count here.
    pub offers_passkey: bool,
    /// When their authenticator app was set up; `None`: there is none.
    pub totp_since: Option<u64>,
    /// How many recovery codes are left; `None`: they never had any.
    pub recovery_codes_left: Option<usize>,
    /// What went wrong the last time.
    pub fault: Option<Fault>,
}

/// One session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountSession {
    /// The row's id.
    pub id: String,
    /// The browser, as it described itself.
    pub description: Option<String>,
    /// When it began.
    pub since: u64,
    /// When it was last used.
    pub last_used: u64,
    /// Whether it is the one that looks at this page.
    pub is_this: bool,
}

/// One program that holds a refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountDevice {
    /// The row's id.
    pub id: String,
    /// The client's name.
    pub client: String,
    /// Its scope, as text.
    pub scope: String,
    /// The name or id of the project that it acts in.
    pub project: Option<String>,
    /// Since when.
    pub since: u64,
    /// When it last came.
    pub last_used: u64,
}

/// One consent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountConsent {
    /// The row's id.
    pub id: String,
    /// The client's name.
    pub client: String,
    /// What was allowed, as text.
    pub scope: String,
    /// The name or id of the project.
    pub project: Option<String>,
    /// Since when.
    pub since: u64,
}

/// One passkey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountPasskey {
    /// The row's id.
    pub id: String,
    /// What the person calls it.
    pub name: String,
    /// Since when.
    pub since: u64,
    /// When it was last used.
    pub last_used: Option<u64>,
}
