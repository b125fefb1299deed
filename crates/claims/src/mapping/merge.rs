use crate::mapping::assertion::Assertion;
use crate::mapping::error::MappingError;
use crate::mapping::identity::{
    EntityRef, MappedDomain, MappedGroup, MappedIdentity, MappedProject, MappedUser, UserType,
};
use crate::mapping::limits::MAX_OUTPUTS;
use crate::mapping::rule_set::{Mode, Rule};
use crate::mapping::text::Scope;
use std::collections::BTreeMap;

/// What the matching rules put out, so far.
#[derive(Debug)]
pub(crate) struct Merge {
    mode: Mode,
    rules: Vec<String>,
    user: Option<MappedUser>,
    user_domain: Option<EntityRef>,
    groups: Vec<MappedGroup>,
    projects: Vec<MappedProject>,
    domains: Vec<MappedDomain>,
    system_roles: Vec<EntityRef>,
}

impl Merge {
    pub(crate) const fn new(mode: Mode) -> Self {
        Self {
            mode,
            rules: Vec::new(),
            user: None,
            user_domain: None,
            groups: Vec::new(),
            projects: Vec::new(),
            domains: Vec::new(),
            system_roles: Vec::new(),
        }
    }

    /// Adds a matching rule: the first user stays, the last default for its domain counts, the rest adds up.
    pub(crate) fn add(&mut self, rule: &Rule, scope: &Scope<'_>) -> Result<(), MappingError> {
        let output = &rule.output;
        if self.user.is_none() {
            self.user = output.user(scope)?;
        }
        self.user_domain = output.user_domain(scope)?;
        output.groups(scope, &mut self.groups)?;
        if let Some(projects) = output.projects(scope)? {
            if self.mode == (Mode::Merge { last_projects: true }) {
                self.projects.clear();
            }
            self.projects.extend(projects);
        }
        output.domains(scope, &mut self.domains)?;
        self.system_roles.extend(output.system_roles(scope)?);
        self.rules.push(rule.name.clone());
        self.check_size()
    }

    fn check_size(&self) -> Result<(), MappingError> {
        let roles = self.projects.iter().map(|project| project.roles.len());
        let more = self.domains.iter().map(|domain| domain.roles.len());
        let sum = roles
            .chain(more)
            .chain([self.groups.len(), self.system_roles.len()])
            .fold(0, usize::saturating_add);
        if sum > MAX_OUTPUTS {
            Err(MappingError::Outputs)
        } else {
            Ok(())
        }
    }

    /// The whole identity, or why there is none.
    pub(crate) fn finish(self, rules: usize, assertion: &Assertion) -> Result<MappedIdentity, MappingError> {
        if self.rules.is_empty() {
            return Err(MappingError::NoRule { rules });
        }
        let user = self.user.filter(|user| user.id.is_some() || user.name.is_some());
        let Some(mut user) = user else {
            return Err(MappingError::NoUser {
                rules: self.rules.join(", "),
            });
        };
        user.domain = user.domain.or(self.user_domain);
        if user.user_type == UserType::Local && user.id.is_none() && user.domain.is_none() {
            return Err(MappingError::NoDomain);
        }
        Ok(MappedIdentity {
            source: assertion.source().map(str::to_owned),
            user,
            groups: sorted(self.groups),
            projects: joined(self.projects, |project| {
                (project.project, project.domain, project.roles)
            })
            .map(|((project, domain), roles)| MappedProject {
                project,
                domain,
                roles,
            })
            .collect(),
            domains: joined(self.domains, |domain| (domain.domain, (), domain.roles))
                .map(|((domain, ()), roles)| MappedDomain { domain, roles })
                .collect(),
            system_roles: sorted(self.system_roles),
            rules: self.rules,
        })
    }
}

fn sorted<T: Ord>(mut list: Vec<T>) -> Vec<T> {
    list.sort_unstable();
    list.dedup();
    list
}

/// Each scope once, with all its roles.
fn joined<T, K: Ord>(
    list: Vec<T>,
    parts: impl Fn(T) -> (EntityRef, K, Vec<EntityRef>),
) -> impl Iterator<Item = ((EntityRef, K), Vec<EntityRef>)> {
    let mut all: BTreeMap<(EntityRef, K), Vec<EntityRef>> = BTreeMap::new();
    for (scope, within, roles) in list.into_iter().map(parts) {
        all.entry((scope, within)).or_default().extend(roles);
    }
    all.into_iter().map(|(key, roles)| (key, sorted(roles)))
}
