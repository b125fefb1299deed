use crate::{AccessRule, DomainId, IdentityError, Name, ProjectId, RoleName, UserId};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use std::{fmt, sync::OnceLock};

/// The most roles in one authority: far more than OpenStack's policies tell apart, and still a small token.
pub const MAX_ROLES: usize = 64;
/// The most access rules in one authority: Keystone's own tokens with more no longer fit common header limits.
pub const MAX_ACCESS_RULES: usize = 64;

/// A user, as OpenStack services name one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserRef {
    id: UserId,
    name: Name,
    domain_id: DomainId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    domain_name: Option<Name>,
}

impl UserRef {
    /// A user by id, name and the domain that owns it.
    ///
    /// # Errors
    /// When one of the three is malformed.
    pub fn new(id: &str, name: &str, domain_id: &str) -> Result<Self, IdentityError> {
        Ok(Self {
            id: UserId::parse(id)?,
            name: Name::parse(name)?,
            domain_id: DomainId::parse(domain_id)?,
            domain_name: None,
        })
    }

    /// The same user with the name of the domain that owns it: services that ask for names alone need it.
    ///
    /// # Errors
    /// When the name is malformed.
    pub fn with_domain_name(mut self, name: &str) -> Result<Self, IdentityError> {
        self.domain_name = Some(Name::parse(name)?);
        Ok(self)
    }

    /// The user's id.
    #[must_use]
    pub fn id(&self) -> &UserId {
        &self.id
    }

    /// The user's name.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// The domain that owns the user.
    #[must_use]
    pub fn domain_id(&self) -> &DomainId {
        &self.domain_id
    }

    /// The name of that domain, where it is known.
    #[must_use]
    pub fn domain_name(&self) -> Option<&Name> {
        self.domain_name.as_ref()
    }
}

/// A project, as OpenStack services name one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProjectScope {
    id: ProjectId,
    name: Name,
    domain_id: DomainId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    domain_name: Option<Name>,
}

impl ProjectScope {
    /// A project by id, name and the domain that owns it.
    ///
    /// # Errors
    /// When one of the three is malformed.
    pub fn new(id: &str, name: &str, domain_id: &str) -> Result<Self, IdentityError> {
        Ok(Self {
            id: ProjectId::parse(id)?,
            name: Name::parse(name)?,
            domain_id: DomainId::parse(domain_id)?,
            domain_name: None,
        })
    }

    /// The same project with the name of the domain that owns it: services that ask for names alone need it.
    ///
    /// # Errors
    /// When the name is malformed.
    pub fn with_domain_name(mut self, name: &str) -> Result<Self, IdentityError> {
        self.domain_name = Some(Name::parse(name)?);
        Ok(self)
    }

    /// The project's id.
    #[must_use]
    pub fn id(&self) -> &ProjectId {
        &self.id
    }

    /// The project's name.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// The domain that owns the project.
    #[must_use]
    pub fn domain_id(&self) -> &DomainId {
        &self.domain_id
    }

    /// The name of that domain, where it is known.
    #[must_use]
    pub fn domain_name(&self) -> Option<&Name> {
        self.domain_name.as_ref()
    }
}

/// Where an authority holds: exactly one of Keystone's four scopes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
#[expect(
    clippy::exhaustive_enums,
    reason = "Keystone has these four scopes; all code handles each"
)]
pub enum Scope {
    /// One project.
    Project(ProjectScope),
    /// One domain.
    Domain {
        /// The domain's id.
        id: DomainId,
        /// The domain's name.
        name: Name,
    },
    /// The whole deployment.
    System,
    /// Nowhere: says who acts and grants nothing.
    Unscoped,
}

impl Scope {
    /// `project`, `domain`, `system` or `unscoped`, as in `openstack_context.scope_type`.
    #[must_use]
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::Project(_) => "project",
            Self::Domain { .. } => "domain",
            Self::System => "system",
            Self::Unscoped => "unscoped",
        }
    }
}

/// What somebody may do, where: a user, one scope, the roles held there, and the requests allowed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Authority {
    user: UserRef,
    scope: Scope,
    roles: Vec<RoleName>,
    /// Absent means that the roles alone decide; an empty list allows nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    access_rules: Option<Vec<AccessRule>>,
    #[serde(skip)]
    written: Memo,
}

impl Authority {
    /// An authority over one scope.
    ///
    /// # Errors
    /// [`IdentityError::Roles`] for no role outside [`Scope::Unscoped`], any role within it, a repeated role, or more
    /// than [`MAX_ROLES`].
    pub fn new(user: UserRef, scope: Scope, roles: Vec<RoleName>) -> Result<Self, IdentityError> {
        let unscoped = matches!(scope, Scope::Unscoped);
        let mut sorted: Vec<&RoleName> = roles.iter().collect();
        sorted.sort_unstable();
        sorted.dedup();
        if roles.len() > MAX_ROLES || sorted.len() != roles.len() || unscoped != roles.is_empty() {
            return Err(IdentityError::Roles);
        }
        Ok(Self {
            user,
            scope,
            roles,
            access_rules: None,
            written: Memo::default(),
        })
    }

    /// An authority over one project.
    ///
    /// # Errors
    /// As [`Authority::new`].
    pub fn project(
        user: UserRef,
        project: ProjectScope,
        roles: Vec<RoleName>,
    ) -> Result<Self, IdentityError> {
        Self::new(user, Scope::Project(project), roles)
    }

    /// The same authority, narrowed to these requests.
    ///
    /// # Errors
    /// [`IdentityError::AccessRules`] above [`MAX_ACCESS_RULES`].
    pub fn with_access_rules(mut self, rules: Vec<AccessRule>) -> Result<Self, IdentityError> {
        if rules.len() > MAX_ACCESS_RULES {
            return Err(IdentityError::AccessRules);
        }
        self.access_rules = Some(rules);
        self.written = Memo::default();
        Ok(self)
    }

    /// Whether this authority still allows all that `earlier` did: the same user in the same scope, with at least its
    /// roles and requests. Names play no part.
    ///
    /// ```
    /// # use sealstone_identity::{Authority, ProjectScope, RoleName, UserRef};
    /// let of = |roles: &[&str]| Authority::project(
    ///     UserRef::new("u1", "ci", "demo")?,
    ///     ProjectScope::new("p1", "builds", "demo")?,
    ///     roles.iter().map(|role| RoleName::parse(role)).collect::<Result<_, _>>()?,
    /// );
    /// assert!(of(&["reader", "member"])?.covers(&of(&["member"])?));
    /// assert!(!of(&["reader"])?.covers(&of(&["reader", "member"])?));
    /// # Ok::<(), sealstone_identity::IdentityError>(())
    /// ```
    #[must_use]
    pub fn covers(&self, earlier: &Self) -> bool {
        let same_scope = match (&self.scope, &earlier.scope) {
            (Scope::Project(now), Scope::Project(then)) => now.id == then.id,
            (Scope::Domain { id: now, .. }, Scope::Domain { id: then, .. }) => now == then,
            (Scope::System, Scope::System) | (Scope::Unscoped, Scope::Unscoped) => true,
            (
                Scope::Project(_) | Scope::Domain { .. } | Scope::System | Scope::Unscoped,
                Scope::Project(_) | Scope::Domain { .. } | Scope::System | Scope::Unscoped,
            ) => false,
        };
        let rules_hold = match (&self.access_rules, &earlier.access_rules) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(now), Some(then)) => then.iter().all(|rule| now.contains(rule)),
        };
        same_scope
            && rules_hold
            && self.user.id == earlier.user.id
            && earlier.roles.iter().all(|role| self.roles.contains(role))
    }

    /// Who acts.
    #[must_use]
    pub fn user(&self) -> &UserRef {
        &self.user
    }

    /// Where.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The roles held there.
    #[must_use]
    pub fn roles(&self) -> &[RoleName] {
        &self.roles
    }

    /// The requests allowed; `None` leaves that to the roles.
    #[must_use]
    pub fn access_rules(&self) -> Option<&[AccessRule]> {
        self.access_rules.as_deref()
    }

    /// The authority in the form in which tokens carry it: `write` makes it the first time, and what it returns is kept,
    /// since many tokens carry the same one. There is one such form.
    ///
    /// # Errors
    /// Those of `write`; nothing is kept then.
    pub fn written<E>(&self, write: impl FnOnce(&Self) -> Result<Box<str>, E>) -> Result<&str, E> {
        match self.written.0.get() {
            Some(written) => Ok(written),
            None => {
                let written = write(self)?;
                Ok(self.written.0.get_or_init(|| written))
            }
        }
    }
}

/// What follows from the value that it lies in: it plays no part when two are compared, and a copy makes its own.
#[derive(Default)]
struct Memo(OnceLock<Box<str>>);

impl Clone for Memo {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for Memo {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

impl Eq for Memo {}

impl fmt::Debug for Memo {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Memo")
    }
}

impl<'de> Deserialize<'de> for Authority {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Wire {
            user: UserRef,
            scope: Scope,
            #[serde(default)]
            roles: Vec<RoleName>,
            #[serde(default)]
            access_rules: Option<Vec<AccessRule>>,
        }
        let wire = Wire::deserialize(deserializer)?;
        let authority = Self::new(wire.user, wire.scope, wire.roles).map_err(D::Error::custom)?;
        match wire.access_rules {
            Some(rules) => authority.with_access_rules(rules).map_err(D::Error::custom),
            None => Ok(authority),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user() -> UserRef {
        UserRef::new("u1", "ci", "demo").unwrap()
    }

    #[test]
    fn what_is_written_is_kept_with_the_value_that_it_is_of() {
        let project = ProjectScope::new("p1", "builds", "demo").unwrap();
        let member = RoleName::parse("member").unwrap();
        let authority = Authority::project(user(), project, vec![member]).unwrap();
        assert_eq!(authority.written(|_| Err("no")), Err("no"));
        assert_eq!(authority.written(|_| Ok::<_, ()>("a".into())), Ok("a"));
        assert_eq!(authority.written(|_| Ok::<_, ()>("b".into())), Ok("a"));
        assert_eq!(authority.clone().written(|_| Ok::<_, ()>("b".into())), Ok("b"));
        let narrowed = authority.clone().with_access_rules(vec![]).unwrap();
        assert_eq!(narrowed.written(|_| Ok::<_, ()>("c".into())), Ok("c"));
        let narrowed = authority.with_access_rules(vec![]).unwrap();
        assert_eq!(narrowed.written(|_| Ok::<_, ()>("d".into())), Ok("d"));
    }

    #[test]
    fn a_scope_without_a_role_and_an_unscoped_role_are_refused() {
        let project = ProjectScope::new("p1", "builds", "demo").unwrap();
        let member = RoleName::parse("member").unwrap();
        assert!(Authority::project(user(), project.clone(), vec![member.clone()]).is_ok());
        assert_eq!(
            Authority::project(user(), project.clone(), vec![]),
            Err(IdentityError::Roles)
        );
        assert_eq!(
            Authority::project(user(), project, vec![member.clone(), member.clone()]),
            Err(IdentityError::Roles)
        );
        assert!(Authority::new(user(), Scope::Unscoped, vec![]).is_ok());
        assert_eq!(
            Authority::new(user(), Scope::Unscoped, vec![member]),
            Err(IdentityError::Roles)
        );
    }

    #[test]
    fn an_authority_covers_what_is_no_more_than_itself() {
        let of = |user: &str, project: &str, roles: &[&str]| {
            Authority::project(
                UserRef::new(user, "any", "demo").unwrap(),
                ProjectScope::new(project, "any", "demo").unwrap(),
                roles.iter().map(|role| RoleName::parse(role).unwrap()).collect(),
            )
            .unwrap()
        };
        let ruled = |rules: &[&str]| {
            let rules = rules
                .iter()
                .map(|path| AccessRule::new("compute", "GET", path).unwrap());
            of("u1", "p1", &["member"])
                .with_access_rules(rules.collect())
                .unwrap()
        };
        let now = of("u1", "p1", &["reader", "member"]);
        let domain = Scope::Domain {
            id: DomainId::parse("p1").unwrap(),
            name: Name::parse("p1").unwrap(),
        };
        let domain = Authority::new(user(), domain, vec![RoleName::parse("member").unwrap()]).unwrap();
        let cases = [
            ("a renamed user and project", &now, user_renamed(), true),
            ("fewer roles", &now, of("u1", "p1", &["member"]), true),
            ("another role", &now, of("u1", "p1", &["admin"]), false),
            ("another user", &now, of("u2", "p1", &["member"]), false),
            ("another project", &now, of("u1", "p2", &["member"]), false),
            ("another scope", &now, domain, false),
            (
                "requests narrowed since",
                &ruled(&["/a"]),
                of("u1", "p1", &["member"]),
                false,
            ),
            (
                "a request taken away",
                &ruled(&["/a"]),
                ruled(&["/a", "/b"]),
                false,
            ),
            ("a request added", &ruled(&["/a", "/b"]), ruled(&["/b"]), true),
            ("requests no longer narrowed", &now, ruled(&["/a"]), true),
            ("nothing allowed any more", &ruled(&[]), ruled(&["/a"]), false),
        ];
        for (name, now, earlier, want) in cases {
            assert_eq!(now.covers(&earlier), want, "{name}");
        }
    }

    fn user_renamed() -> Authority {
        Authority::project(
            UserRef::new("u1", "was called so", "demo").unwrap(),
            ProjectScope::new("p1", "too", "demo").unwrap(),
            vec![
                RoleName::parse("member").unwrap(),
                RoleName::parse("reader").unwrap(),
            ],
        )
        .unwrap()
    }

    #[test]
    fn names_of_domains_are_kept_where_they_are_known() {
        let named = Authority::project(
            user().with_domain_name("Demo").unwrap(),
            ProjectScope::new("p1", "builds", "other")
                .unwrap()
                .with_domain_name("Other")
                .unwrap(),
            vec![RoleName::parse("member").unwrap()],
        )
        .unwrap();
        let text = serde_json::to_string(&named).unwrap();
        assert_eq!(serde_json::from_str::<Authority>(&text).unwrap(), named);
        assert_eq!(named.user().domain_name().map(Name::as_str), Some("Demo"));
        assert!(user().with_domain_name("").is_err());
        assert!(serde_json::from_str::<Authority>(&text.replace("\"Other\"", "\"\"")).is_err());
    }

    #[test]
    fn serde_round_trips_and_validates() {
        let authority = Authority::project(
            user(),
            ProjectScope::new("p1", "builds", "demo").unwrap(),
            vec![RoleName::parse("member").unwrap()],
        )
        .unwrap()
        .with_access_rules(vec![
            AccessRule::new("compute", "GET", "/v2.1/servers/**").unwrap(),
        ])
        .unwrap();
        let text = serde_json::to_string(&authority).unwrap();
        assert_eq!(serde_json::from_str::<Authority>(&text).unwrap(), authority);
        assert!(serde_json::from_str::<Authority>(&text.replace("\"member\"", "")).is_err());
        assert!(serde_json::from_str::<Authority>(&text.replace("GET", "get")).is_err());
        assert!(!text.contains("domain_name"));
        assert!(serde_json::from_str::<Authority>(&text.replacen('{', "{\"extra\":1,", 1)).is_err());
    }
}
