//! The nested OpenStack claims of an access token.

use crate::written::Written;
use sealstone_identity::{
    AccessRule, Authority, Delegated, DomainId, IdentityError, Name, ProjectScope, RoleName, Scope, UserRef,
};
use serde::ser::Error as _;
use serde::{Deserialize, Serialize};

/// The audience of tokens for the OpenStack services of a domain: `openstack-apis:DOMAIN_ID`.
///
/// ```
/// # use sealstone_identity::DomainId;
/// let domain = DomainId::parse("demo")?;
/// assert_eq!(sealstone_tokens::openstack_audience(&domain), "openstack-apis:demo");
/// # Ok::<(), sealstone_identity::IdentityError>(())
/// ```
#[must_use]
pub fn openstack_audience(domain: &DomainId) -> String {
    format!("openstack-apis:{domain}")
}

/// The claim `openstack_context`: who acts, in which one scope, with which roles.
///
/// Always a nested object: middleware that reads it refuses a flat one.
#[derive(Debug, Serialize)]
pub struct OpenstackContext<'a> {
    user_id: &'a str,
    user_name: &'a str,
    user_domain_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_domain_name: Option<&'a str>,
    scope_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    project_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    project_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    project_domain_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    project_domain_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    domain_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    domain_name: Option<&'a str>,
    roles: &'a [RoleName],
    #[serde(skip_serializing_if = "Option::is_none")]
    access_rules: Option<&'a [AccessRule]>,
}

impl<'a> From<&'a Authority> for OpenstackContext<'a> {
    fn from(authority: &'a Authority) -> Self {
        let project = match authority.scope() {
            Scope::Project(project) => Some(project),
            Scope::Domain { .. } | Scope::System | Scope::Unscoped => None,
        };
        let domain = match authority.scope() {
            Scope::Domain { id, name } => Some((id, name)),
            Scope::Project(_) | Scope::System | Scope::Unscoped => None,
        };
        Self {
            user_id: authority.user().id().as_str(),
            user_name: authority.user().name().as_str(),
            user_domain_id: authority.user().domain_id().as_str(),
            user_domain_name: authority.user().domain_name().map(Name::as_str),
            scope_type: authority.scope().type_name(),
            project_id: project.map(|project| project.id().as_str()),
            project_name: project.map(|project| project.name().as_str()),
            project_domain_id: project.map(|project| project.domain_id().as_str()),
            project_domain_name: project.and_then(ProjectScope::domain_name).map(Name::as_str),
            domain_id: domain.map(|(id, _)| id.as_str()),
            domain_name: domain.map(|(_, name)| name.as_str()),
            roles: authority.roles(),
            access_rules: authority.access_rules(),
        }
    }
}

impl OpenstackContext<'_> {
    /// The context of an authority as JSON.
    pub(crate) fn to_json(authority: &Authority) -> Result<Box<str>, serde_json::Error> {
        let mut json = Vec::with_capacity(512);
        let mut object = Written::open(&mut json);
        OpenstackContext::from(authority).write_into(&mut object)?;
        object.close();
        let json = String::from_utf8(json).map_err(serde_json::Error::custom)?;
        Ok(json.into_boxed_str())
    }

    /// Writes what [`Serialize`] writes, in the same order.
    fn write_into(&self, object: &mut Written<'_>) -> Result<(), serde_json::Error> {
        object.text("user_id", self.user_id);
        object.text("user_name", self.user_name);
        object.text("user_domain_id", self.user_domain_id);
        object.optional_text("user_domain_name", self.user_domain_name);
        object.text("scope_type", self.scope_type);
        object.optional_text("project_id", self.project_id);
        object.optional_text("project_name", self.project_name);
        object.optional_text("project_domain_id", self.project_domain_id);
        object.optional_text("project_domain_name", self.project_domain_name);
        object.optional_text("domain_id", self.domain_id);
        object.optional_text("domain_name", self.domain_name);
        object.texts("roles", self.roles.iter().map(RoleName::as_str));
        match self.access_rules {
            Some(rules) => object.value("access_rules", rules),
            None => Ok(()),
        }
    }
}

/// `openstack_context` as it is read from a token, before it is an [`Authority`].
#[derive(Debug, Deserialize)]
pub(crate) struct OpenstackContextWire {
    user_id: String,
    user_name: String,
    user_domain_id: String,
    user_domain_name: Option<String>,
    scope_type: String,
    project_id: Option<String>,
    project_name: Option<String>,
    project_domain_id: Option<String>,
    project_domain_name: Option<String>,
    domain_id: Option<DomainId>,
    domain_name: Option<Name>,
    #[serde(default)]
    roles: Vec<RoleName>,
    access_rules: Option<Vec<AccessRule>>,
}

impl OpenstackContextWire {
    /// A context that lacks a member of its scope, or has one of another scope, is malformed.
    pub(crate) fn into_authority(self) -> Result<Authority, IdentityError> {
        let scope = match (self.scope_type.as_str(), self.project_id, self.domain_id) {
            ("project", Some(id), None) => {
                let (name, domain) = (self.project_name, self.project_domain_id);
                let project = ProjectScope::new(&id, &name.unwrap_or_default(), &domain.unwrap_or_default())?;
                Scope::Project(match self.project_domain_name {
                    Some(name) => project.with_domain_name(&name)?,
                    None => project,
                })
            }
            ("domain", None, Some(id)) => {
                let name = self.domain_name.ok_or(IdentityError::Name {
                    kind: "a domain name",
                })?;
                Scope::Domain { id, name }
            }
            ("system", None, None) => Scope::System,
            ("unscoped", None, None) => Scope::Unscoped,
            _ => {
                return Err(IdentityError::Identifier {
                    kind: "the scope of an OpenStack context",
                });
            }
        };
        let user = UserRef::new(&self.user_id, &self.user_name, &self.user_domain_id)?;
        let user = match self.user_domain_name {
            Some(name) => user.with_domain_name(&name)?,
            None => user,
        };
        let authority = Authority::new(user, scope, self.roles)?;
        match self.access_rules {
            Some(rules) => authority.with_access_rules(rules),
            None => Ok(authority),
        }
    }
}

/// The claim `delegation_context`: by which delegation the client acts, when there is one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DelegationContext {
    /// How the delegation was proved: `app_cred` for an application credential, `mapped_user` for a user that the
    /// client or its certificate stands for.
    pub auth_method: String,
    /// The only project that it reaches.
    pub delegated_project_id: String,
}

impl DelegationContext {
    /// What the token says of a delegation; `None` for one that is over no single project, which no token carries.
    #[must_use]
    pub fn of(delegated: &Delegated) -> Option<Self> {
        match delegated.authority.scope() {
            Scope::Project(project) => Some(Self {
                auth_method: delegated.method.as_str().to_owned(),
                delegated_project_id: project.id().as_str().to_owned(),
            }),
            Scope::Domain { .. } | Scope::System | Scope::Unscoped => None,
        }
    }
}
