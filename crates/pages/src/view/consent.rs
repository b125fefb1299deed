use super::Trouble;

/// What an application would get. Posts `do` = `allow` with `project`, or `do` = `deny`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConsentPage {
    /// The application, by its name.
    pub client: String,
    /// Where the application is at home, as registered.
    pub client_uri: Option<String>,
    /// Who allows it.
    pub account: String,
    /// What is asked for.
    pub scopes: Vec<ScopeLine>,
    /// Where the person may act, if the application asks for OpenStack.
    pub projects: Vec<ProjectLine>,
    /// Where the answer goes: the host of the redirect URI, or its scheme; `None` for a device.
    pub destination: Option<String>,
    /// Whether the answer is remembered.
    pub remembered: bool,
    /// What went wrong before.
    pub trouble: Option<Trouble>,
}

impl ConsentPage {
    /// OpenStack is asked for, and there is no project to choose.
    pub(crate) fn lacks_project(&self) -> bool {
        self.projects.is_empty() && self.scopes.contains(&ScopeLine::OpenStack)
    }
}

/// A scope in words.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "each has its text")]
pub enum ScopeLine {
    /// `openid`: who the person is.
    Identity,
    /// `profile`: the names.
    Profile,
    /// `email`: the address.
    Email,
    /// `groups`: the groups.
    Groups,
    /// `offline_access`: also while the person is away.
    Offline,
    /// `openstack:api`: acting in the chosen project.
    OpenStack,
    /// Another scope, by its name.
    Other(String),
}

/// A project with what the person may do there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProjectLine {
    /// What is posted.
    pub id: String,
    /// The project's name.
    pub name: String,
    /// The name of its domain, if it is another than the person's.
    pub domain: Option<String>,
    /// The names of the roles.
    pub roles: Vec<String>,
    /// Chosen before.
    pub chosen: bool,
}
