use super::{Person, Trouble};

/// Name and password, a passkey, or an upstream provider.
///
/// Posts `do` = `password` with `user_name` and `password`, `code` with `credential` of a passkey, `upstream`, or `cancel`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LoginPage {
    /// The application that asks, by its name; `None` for our own pages.
    pub client: Option<String>,
    /// What stands in the field: `login_hint`, or what was typed before.
    pub user_name: String,
    /// The person is known and signs in once more: the name stands and cannot be changed.
    pub again: bool,
    /// Whether a password is taken here.
    pub password: bool,
    /// What the browser's passkey dialogue is asked: `PublicKeyCredentialRequestOptions` as JSON.
    pub passkey: Option<String>,
    /// The upstream provider, by its name.
    pub upstream: Option<String>,
    /// What went wrong before.
    pub trouble: Option<Trouble>,
    /// Whether there is something to go back to.
    pub can_cancel: bool,
}

/// Whether to go on with the account that is signed in. Posts `do` = `continue`, `other` or `cancel`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SelectAccountPage {
    /// The application that asks, by its name.
    pub client: Option<String>,
    /// Who is signed in.
    pub person: Person,
}
