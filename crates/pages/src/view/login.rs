use super::Trouble;

/// Name and password, a passkey, or an upstream provider. Posts `do` = `password`, `passkey`, `upstream` or `cancel`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LoginPage {
    /// The application that asks, by its name; `None` for our own pages.
    pub client: Option<String>,
    /// What stands in the field: `login_hint`, or what was typed before. Posted as `username`.
    pub username: String,
    /// The person is known and signs in once more: the name stands and cannot be changed.
    pub again: bool,
    /// Whether a password is taken here. Posted as `password`.
    pub password: bool,
    /// What the browser's passkey dialogue is asked, as the JSON of `PublicKeyCredentialRequestOptions`; posted back
    /// as `credential`.
    pub passkey: Option<String>,
    /// Other providers. Posted as `upstream`.
    pub upstreams: Vec<Upstream>,
    /// What went wrong before.
    pub trouble: Option<Trouble>,
    /// Whether there is something to go back to.
    pub can_cancel: bool,
}

/// A provider to sign in at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Upstream {
    /// What is posted.
    pub id: String,
    /// What the button says behind "Continue with".
    pub name: String,
}

/// Accounts to choose from. Posts `do` = `account` with `account`, or `do` = `other`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SelectAccountPage {
    /// The application that asks, by its name.
    pub client: Option<String>,
    /// The accounts that are signed in here.
    pub accounts: Vec<AccountLine>,
    /// Whether there is something to go back to.
    pub can_cancel: bool,
}

/// An account that is signed in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccountLine {
    /// What is posted.
    pub id: String,
    /// The person's full name, or the user name.
    pub name: String,
    /// The user name or the e-mail address, if it says more.
    pub detail: Option<String>,
}
