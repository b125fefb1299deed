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
    /// Where it is to be used, as named by the application (RFC 8707).
    pub resources: Vec<String>,
    /// The host that the person goes back to.
    pub destination: Option<String>,
    /// What went wrong before.
    pub trouble: Option<Trouble>,
}

impl ConsentPage {
    pub(crate) fn lacks_project(&self) -> bool {
        lacks_project(&self.scopes, &self.projects)
    }
}

/// OpenStack is asked for, and there is no project to choose.
pub(super) fn lacks_project(scopes: &[ScopeLine], projects: &[ProjectLine]) -> bool {
    projects.is_empty() && scopes.contains(&ScopeLine::OpenStack)
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
    /// The name of its domain.
    pub domain: String,
    /// The names of the roles.
    pub roles: Vec<String>,
    /// Chosen before.
    pub chosen: bool,
}
