use sealstone_identity::{DomainId, ProjectId, UserId};
use serde::Deserialize;

use crate::{GroupId, KeystoneError, KeystoneSession, Label, RoleId, session::Query};

/// Something with an id, and with its name where names were asked for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Named<Id> {
    /// Its id.
    pub id: Id,
    /// Its name.
    pub name: Option<Label>,
}

/// Who has a role.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "Keystone assigns roles to these two")]
pub enum Assignee {
    /// A user.
    User(Named<UserId>),
    /// Every user of a group.
    Group(Named<GroupId>),
}

/// Where somebody has a role.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "Keystone assigns roles on these three")]
pub enum AssignmentScope {
    /// In a project.
    Project(Named<ProjectId>),
    /// In a domain.
    Domain(Named<DomainId>),
    /// In the whole deployment.
    System,
}

/// One role of one user or group in one place.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Wire")]
#[non_exhaustive]
pub struct Assignment {
    /// Which role.
    pub role: Named<RoleId>,
    /// Whose.
    pub assignee: Assignee,
    /// Where.
    pub scope: AssignmentScope,
    /// Whether it holds in the projects below, and not in the place itself.
    pub inherited: bool,
}

#[derive(Deserialize)]
struct Wire {
    role: Named<RoleId>,
    user: Option<Named<UserId>>,
    group: Option<Named<GroupId>>,
    scope: ScopeWire,
}

#[derive(Deserialize)]
struct ScopeWire {
    project: Option<Named<ProjectId>>,
    domain: Option<Named<DomainId>>,
    system: Option<std::collections::BTreeMap<String, bool>>,
    #[serde(rename = "OS-INHERIT:inherited_to")]
    inherited_to: Option<String>,
}

impl TryFrom<Wire> for Assignment {
    type Error = &'static str;

    fn try_from(wire: Wire) -> Result<Self, Self::Error> {
        let assignee = match (wire.user, wire.group) {
            (Some(user), None) => Assignee::User(user),
            (None, Some(group)) => Assignee::Group(group),
            _ => return Err("an assignment to a user or to a group"),
        };
        let scope = match (wire.scope.project, wire.scope.domain, wire.scope.system) {
            (Some(project), None, None) => AssignmentScope::Project(project),
            (None, Some(domain), None) => AssignmentScope::Domain(domain),
            (None, None, Some(system)) if system.get("all") == Some(&true) => AssignmentScope::System,
            _ => return Err("an assignment in one place"),
        };
        let inherited = match wire.scope.inherited_to.as_deref() {
            None => false,
            Some("projects") => true,
            Some(_) => return Err("an assignment inherited to projects"),
        };
        Ok(Self {
            role: wire.role,
            assignee,
            scope,
            inherited,
        })
    }
}

/// Which assignments. By default all that are written down, as they are written.
#[derive(Debug, Clone, Default)]
#[expect(clippy::exhaustive_structs, reason = "callers fill what they filter by")]
pub struct AssignmentFilter {
    /// Of this user.
    pub user_id: Option<UserId>,
    /// Of this group; not with [`AssignmentFilter::effective`].
    pub group_id: Option<GroupId>,
    /// Of this role.
    pub role_id: Option<RoleId>,
    /// In this project.
    pub project_id: Option<ProjectId>,
    /// In this domain.
    pub domain_id: Option<DomainId>,
    /// In the whole deployment.
    pub system: bool,
    /// What users have in effect: groups taken apart, inherited and implied roles written out.
    pub effective: bool,
    /// With names.
    pub names: bool,
}

impl KeystoneSession {
    /// The role assignments that the filter lets through.
    ///
    /// # Errors
    /// [`KeystoneError`].
    pub async fn assignments(&self, filter: &AssignmentFilter) -> Result<Vec<Assignment>, KeystoneError> {
        let query = Query::default()
            .with("user.id", filter.user_id.as_ref().map(UserId::as_str))
            .with("group.id", filter.group_id.as_ref().map(GroupId::as_str))
            .with("role.id", filter.role_id.as_ref().map(RoleId::as_str))
            .with(
                "scope.project.id",
                filter.project_id.as_ref().map(ProjectId::as_str),
            )
            .with("scope.domain.id", filter.domain_id.as_ref().map(DomainId::as_str))
            .with("scope.system", filter.system.then_some("all"))
            .with("effective", filter.effective.then_some("true"))
            .with("include_names", filter.names.then_some("true"));
        self.list(
            "for role assignments",
            "/role_assignments",
            &query,
            "role_assignments",
        )
        .await
    }
}
