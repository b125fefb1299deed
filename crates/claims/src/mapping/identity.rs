use sealstone_identity::Name;
use serde::Serialize;

/// Whether a user exists in the identity service.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(
    clippy::exhaustive_enums,
    reason = "Keystone has these two; whoever logs a user in handles each"
)]
pub enum UserType {
    /// Known by the assertion alone.
    #[default]
    Ephemeral,
    /// Stored in the identity service, and to be found there.
    Local,
}

/// Something of the identity service, by id, by name or by both; never by neither.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct EntityRef {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<Name>,
}

impl EntityRef {
    /// A reference, unless both are missing.
    #[must_use]
    pub fn new(id: Option<Name>, name: Option<Name>) -> Option<Self> {
        (id.is_some() || name.is_some()).then_some(Self { id, name })
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> Option<&Name> {
        self.id.as_ref()
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> Option<&Name> {
        self.name.as_ref()
    }
}

/// The user that somebody was mapped to: there is an id or a name, and a local user that has no id has a domain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MappedUser {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) email: Option<Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) domain: Option<EntityRef>,
    #[serde(rename = "type")]
    pub(crate) user_type: UserType,
}

impl MappedUser {
    /// The id.
    #[must_use]
    pub const fn id(&self) -> Option<&Name> {
        self.id.as_ref()
    }

    /// The name.
    #[must_use]
    pub const fn name(&self) -> Option<&Name> {
        self.name.as_ref()
    }

    /// The e-mail address.
    #[must_use]
    pub const fn email(&self) -> Option<&Name> {
        self.email.as_ref()
    }

    /// The domain. `None` is the domain of whoever vouched: the identity provider's, or the issuer's.
    #[must_use]
    pub const fn domain(&self) -> Option<&EntityRef> {
        self.domain.as_ref()
    }

    /// Whether the user exists in the identity service.
    #[must_use]
    pub const fn user_type(&self) -> UserType {
        self.user_type
    }
}

/// A group that somebody is mapped into: by id, or by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct MappedGroup {
    #[serde(flatten)]
    pub(crate) group: EntityRef,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) domain: Option<EntityRef>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) create: bool,
}

impl MappedGroup {
    /// The group itself.
    #[must_use]
    pub const fn group(&self) -> &EntityRef {
        &self.group
    }

    /// The domain that its name is unique in. `None` only beside an id, or for the domain of whoever vouched.
    #[must_use]
    pub const fn domain(&self) -> Option<&EntityRef> {
        self.domain.as_ref()
    }

    /// Whether a group that does not exist is to be made.
    #[must_use]
    pub const fn create(&self) -> bool {
        self.create
    }
}

/// Roles on one project; there is at least one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct MappedProject {
    #[serde(flatten)]
    pub(crate) project: EntityRef,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) domain: Option<EntityRef>,
    pub(crate) roles: Vec<EntityRef>,
}

impl MappedProject {
    /// The project itself.
    #[must_use]
    pub const fn project(&self) -> &EntityRef {
        &self.project
    }

    /// The project's domain. `None` is the domain of whoever vouched.
    #[must_use]
    pub const fn domain(&self) -> Option<&EntityRef> {
        self.domain.as_ref()
    }

    /// The roles.
    #[must_use]
    pub fn roles(&self) -> &[EntityRef] {
        &self.roles
    }
}

/// Roles on one domain; there is at least one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct MappedDomain {
    pub(crate) domain: EntityRef,
    pub(crate) roles: Vec<EntityRef>,
}

impl MappedDomain {
    /// The domain itself.
    #[must_use]
    pub const fn domain(&self) -> &EntityRef {
        &self.domain
    }

    /// The roles.
    #[must_use]
    pub fn roles(&self) -> &[EntityRef] {
        &self.roles
    }
}

/// What an assertion came to; only [`RuleSet::map`](crate::RuleSet::map) makes one, and never a half-filled one.
///
/// Groups, projects, domains and roles are sorted and each there once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MappedIdentity {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) source: Option<String>,
    pub(crate) user: MappedUser,
    pub(crate) groups: Vec<MappedGroup>,
    pub(crate) projects: Vec<MappedProject>,
    pub(crate) domains: Vec<MappedDomain>,
    pub(crate) system_roles: Vec<EntityRef>,
    pub(crate) rules: Vec<String>,
}

impl MappedIdentity {
    /// Who vouched for the assertion, as given to [`AssertionBuilder::source`](crate::AssertionBuilder::source).
    ///
    /// # Security
    /// The same user at another source is another identity: keep both together (OpenID Connect Core §5.7).
    #[must_use]
    pub fn source(&self) -> Option<&str> {
        self.source.as_deref()
    }

    /// The user.
    #[must_use]
    pub const fn user(&self) -> &MappedUser {
        &self.user
    }

    /// The groups.
    #[must_use]
    pub fn groups(&self) -> &[MappedGroup] {
        &self.groups
    }

    /// Roles on projects.
    #[must_use]
    pub fn projects(&self) -> &[MappedProject] {
        &self.projects
    }

    /// Roles on domains.
    #[must_use]
    pub fn domains(&self) -> &[MappedDomain] {
        &self.domains
    }

    /// Roles on the whole deployment.
    #[must_use]
    pub fn system_roles(&self) -> &[EntityRef] {
        &self.system_roles
    }

    /// The names of the rules that this came from, in their order; for the audit trail.
    #[must_use]
    pub fn rules(&self) -> &[String] {
        &self.rules
    }
}
