use super::{ClientView, Fault, PageForm, PasskeyQuestion, PersonView};

/// User name and password, or other ways to sign in.
///
/// Fields: `user_name`, `password`, or `credential` of the passkey's script.
/// Buttons `do`: `password` (first), `upstream` if [`upstream`](Self::upstream) is there, `cancel` if
/// [`may_cancel`](Self::may_cancel).
#[derive(Debug)]
pub struct LoginView {
    /// What the form sends back.
    pub form: PageForm,
    /// Who asks; `None` for the person's own account page.
    pub client: Option<ClientView>,
    /// What to put into the field `user_name`.
    pub user_name: Option<String>,
    /// Whether the person is known and only has to sign in anew: the name is shown, not asked for.
    pub is_same_person: bool,
    /// Whether there is a password to ask for.
    pub asks_password: bool,
    /// A passkey instead of the password, where that is on.
    pub passkey: Option<PasskeyQuestion>,
    /// The name of the upstream provider, for the button that leads there.
    pub upstream: Option<String>,
    /// Whether the person can go back to the client without signing in.
    pub may_cancel: bool,
    /// What went wrong the last time.
    pub fault: Option<Fault>,
}

/// What a code can come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeKind {
    /// An authenticator app: six digits.
    Totp,
    /// One of the person's recovery codes.
    Recovery,
    /// What the identity source asks for besides the password.
    Source,
    /// The second factor of another authority: its own message says more.
    Authority,
}

/// A code of a second factor.
///
/// Fields: `code`, or `credential` of the passkey's script.
/// Buttons `do`: `code` (first), `cancel`.
#[derive(Debug)]
pub struct CodeView {
    /// What the form sends back.
    pub form: PageForm,
    /// Who asks.
    pub client: Option<ClientView>,
    /// Who is signing in.
    pub person: PersonView,
    /// What the code may come from: one field takes each. Empty where only a passkey will do.
    pub kinds: Vec<CodeKind>,
    /// What the second factor's authority says to the person: its text, escaped like every other.
    pub message: Option<String>,
    /// A passkey instead of a code.
    pub passkey: Option<PasskeyQuestion>,
    /// What went wrong the last time.
    pub fault: Option<Fault>,
}

/// The person confirms on another device.
///
/// The page loads itself anew ([`refresh_s`](Self::refresh_s)), by [`path`](Self::path).
/// Fields: `code` if [`takes_code`](Self::takes_code).
/// Buttons `do`: `code` if a code is taken, `poll` (look again at once), `cancel`.
#[derive(Debug)]
pub struct WaitView {
    /// What the form sends back.
    pub form: PageForm,
    /// Who asks.
    pub client: Option<ClientView>,
    /// Who is signing in.
    pub person: PersonView,
    /// What the second factor's authority says to the person.
    pub message: Option<String>,
    /// Where the page is, behind the issuer's address.
    pub path: String,
    /// After how many seconds to look again.
    pub refresh_s: u32,
    /// Whether a code is taken too.
    pub takes_code: bool,
    /// What went wrong the last time.
    pub fault: Option<Fault>,
}

/// Go on as this person, or as another.
///
/// Buttons `do`: `continue` (first), `other`, `cancel`.
#[derive(Debug)]
pub struct SelectAccountView {
    /// What the form sends back.
    pub form: PageForm,
    /// Who asks.
    pub client: Option<ClientView>,
    /// Who is signed in.
    pub person: PersonView,
}

/// What the client will be allowed.
///
/// Fields: `project` (one of [`projects`](Self::projects) by id), if there are any.
/// Buttons `do`: `allow` (first), `deny`.
#[derive(Debug)]
pub struct ConsentView {
    /// What the form sends back.
    pub form: PageForm,
    /// Who asks.
    pub client: ClientView,
    /// Who is asked.
    pub person: PersonView,
    /// What for.
    pub scopes: Vec<ConsentScope>,
    /// The resources named (RFC 8707).
    pub resources: Vec<String>,
    /// For `openstack:api`: where the person may act. Exactly one is chosen; empty when it is not asked for.
    pub projects: Vec<ProjectChoice>,
    /// What went wrong the last time.
    pub fault: Option<Fault>,
}

/// One scope of a consent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConsentScope {
    /// `openid`: who the person is, by an id.
    Openid,
    /// `profile`: names.
    Profile,
    /// `email`: the address.
    Email,
    /// `groups`: the groups.
    Groups,
    /// `offline_access`: for longer than the person is there.
    OfflineAccess,
    /// `openstack:api`: acting in OpenStack, in the chosen project with the roles there.
    Openstack,
    /// Any other, by its name.
    Other(String),
}

/// A project to choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectChoice {
    /// Its id: the value of the field `project`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The name of the domain that owns it, or its id where the name is not known.
    pub domain: String,
    /// The roles that the client will have there.
    pub roles: Vec<String>,
    /// Whether it is the one chosen so far.
    pub is_chosen: bool,
}
