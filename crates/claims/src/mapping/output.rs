use crate::mapping::error::MappingError;
use crate::mapping::identity::{EntityRef, MappedDomain, MappedGroup, MappedProject, MappedUser, UserType};
use crate::mapping::json_output;
use crate::mapping::text::{Scope, TextTemplate};

/// Something by id, by name or by both.
#[derive(Debug, Clone, Default)]
pub(crate) struct EntityTemplate {
    pub(crate) id: Option<TextTemplate>,
    pub(crate) name: Option<TextTemplate>,
}

#[derive(Debug, Clone)]
pub(crate) struct UserTemplate {
    pub(crate) who: EntityTemplate,
    pub(crate) email: Option<TextTemplate>,
    pub(crate) domain: Option<EntityTemplate>,
    pub(crate) user_type: UserType,
}

#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "nearly all are of the large one")]
pub(crate) enum GroupTemplate {
    Named {
        group: EntityTemplate,
        domain: Option<EntityTemplate>,
        create: bool,
    },
    /// Each value is `JSON:{"name": …, "domain": {…}}`.
    Json(TextTemplate),
}

#[derive(Debug, Clone)]
pub(crate) enum ProjectTemplate {
    Named {
        project: EntityTemplate,
        domain: Option<EntityTemplate>,
        roles: Vec<EntityTemplate>,
    },
    /// The value is `[{"name": …, "domain": {…}, "roles": [{"name": …}]}]`.
    Json {
        text: TextTemplate,
        domain: Option<EntityTemplate>,
    },
}

#[derive(Debug, Clone)]
pub(crate) struct DomainTemplate {
    pub(crate) domain: EntityTemplate,
    pub(crate) roles: Vec<EntityTemplate>,
}

/// What a rule puts out.
#[derive(Debug, Clone, Default)]
pub(crate) struct Output {
    pub(crate) user: Option<UserTemplate>,
    pub(crate) groups: Vec<GroupTemplate>,
    /// `None` says nothing about projects, `Some` of an empty list that there are none.
    pub(crate) projects: Option<Vec<ProjectTemplate>>,
    pub(crate) domains: Vec<DomainTemplate>,
    pub(crate) system_roles: Vec<EntityTemplate>,
    /// The domain of a user that states none.
    pub(crate) user_domain: Option<EntityTemplate>,
}

impl EntityTemplate {
    /// At most one, by whichever of id and name came out.
    pub(crate) fn one(&self, scope: &Scope<'_>) -> Result<Option<EntityRef>, MappingError> {
        let id = self.id.as_ref().map(|id| id.one(scope)).transpose()?.flatten();
        let name = self
            .name
            .as_ref()
            .map(|name| name.one(scope))
            .transpose()?
            .flatten();
        Ok(EntityRef::new(id, name))
    }

    /// One for each value, where one of id and name is stated.
    pub(crate) fn all(&self, scope: &Scope<'_>) -> Result<Vec<EntityRef>, MappingError> {
        let all = match (&self.id, &self.name) {
            (Some(id), None) => id
                .names(scope)?
                .into_iter()
                .map(|id| EntityRef::new(Some(id), None))
                .collect(),
            (None, Some(name)) => {
                let names = name.names(scope)?.into_iter();
                names.map(|name| EntityRef::new(None, Some(name))).collect()
            }
            _ => vec![self.one(scope)?],
        };
        Ok(all.into_iter().flatten().collect())
    }
}

fn domain_of(domain: Option<&EntityTemplate>, scope: &Scope<'_>) -> Result<Option<EntityRef>, MappingError> {
    domain
        .map(|domain| domain.one(scope))
        .transpose()
        .map(Option::flatten)
}

fn all_roles(roles: &[EntityTemplate], scope: &Scope<'_>) -> Result<Vec<EntityRef>, MappingError> {
    let mut all = Vec::new();
    for role in roles {
        all.extend(role.all(scope)?);
    }
    Ok(all)
}

impl Output {
    pub(crate) fn user(&self, scope: &Scope<'_>) -> Result<Option<MappedUser>, MappingError> {
        let Some(template) = &self.user else {
            return Ok(None);
        };
        let one = |field: &Option<TextTemplate>| match field {
            Some(field) => field.one(scope),
            None => Ok(None),
        };
        Ok(Some(MappedUser {
            id: one(&template.who.id)?,
            name: one(&template.who.name)?,
            email: one(&template.email)?,
            domain: domain_of(template.domain.as_ref(), scope)?,
            user_type: template.user_type,
        }))
    }

    pub(crate) fn user_domain(&self, scope: &Scope<'_>) -> Result<Option<EntityRef>, MappingError> {
        domain_of(self.user_domain.as_ref(), scope)
    }

    pub(crate) fn groups(&self, scope: &Scope<'_>, into: &mut Vec<MappedGroup>) -> Result<(), MappingError> {
        for template in &self.groups {
            match template {
                GroupTemplate::Named {
                    group,
                    domain,
                    create,
                } => {
                    let groups = group.all(scope)?;
                    if groups.is_empty() {
                        continue;
                    }
                    let domain = domain_of(domain.as_ref(), scope)?;
                    into.extend(groups.into_iter().map(|group| MappedGroup {
                        group,
                        domain: domain.clone(),
                        create: *create,
                    }));
                }
                GroupTemplate::Json(text) => {
                    for value in text.raw(scope)? {
                        into.push(
                            json_output::group(&value).map_err(|detail| json_error(scope, text, detail))?,
                        );
                    }
                }
            }
        }
        Ok(())
    }

    pub(crate) fn projects(&self, scope: &Scope<'_>) -> Result<Option<Vec<MappedProject>>, MappingError> {
        let Some(templates) = &self.projects else {
            return Ok(None);
        };
        let mut all = Vec::new();
        for template in templates {
            match template {
                ProjectTemplate::Named {
                    project,
                    domain,
                    roles,
                } => {
                    let projects = project.all(scope)?;
                    let roles = all_roles(roles, scope)?;
                    if projects.is_empty() || roles.is_empty() {
                        continue;
                    }
                    let domain = domain_of(domain.as_ref(), scope)?;
                    all.extend(projects.into_iter().map(|project| MappedProject {
                        project,
                        domain: domain.clone(),
                        roles: roles.clone(),
                    }));
                }
                ProjectTemplate::Json { text, domain } => {
                    let domain = domain_of(domain.as_ref(), scope)?;
                    for value in text.raw(scope)? {
                        let projects = json_output::projects(&value, domain.as_ref());
                        all.extend(projects.map_err(|detail| json_error(scope, text, detail))?);
                    }
                }
            }
        }
        Ok(Some(all))
    }

    pub(crate) fn domains(
        &self,
        scope: &Scope<'_>,
        into: &mut Vec<MappedDomain>,
    ) -> Result<(), MappingError> {
        for template in &self.domains {
            let roles = all_roles(&template.roles, scope)?;
            if let (Some(domain), false) = (template.domain.one(scope)?, roles.is_empty()) {
                into.push(MappedDomain { domain, roles });
            }
        }
        Ok(())
    }

    pub(crate) fn system_roles(&self, scope: &Scope<'_>) -> Result<Vec<EntityRef>, MappingError> {
        all_roles(&self.system_roles, scope)
    }

    /// The first thing that keeps it from coming out.
    pub(crate) fn fault(&self, scope: &Scope<'_>) -> Option<MappingError> {
        let all = || {
            self.user(scope)?;
            self.user_domain(scope)?;
            self.groups(scope, &mut Vec::new())?;
            self.projects(scope)?;
            self.domains(scope, &mut Vec::new())?;
            self.system_roles(scope)
        };
        all().err()
    }

    /// The fields that say who somebody is, and so take no unverified address. A name or an id does for everybody,
    /// the address itself for a local user, who is found by it.
    pub(crate) fn identifying(&self) -> impl Iterator<Item = &TextTemplate> {
        let user = self.user.as_ref();
        let who = user.map(|user| &user.who);
        let local = user.filter(|user| user.user_type == UserType::Local);
        let id = who.and_then(|who| who.id.as_ref());
        let name = who.and_then(|who| who.name.as_ref());
        let email = local.and_then(|user| user.email.as_ref());
        [id, name, email].into_iter().flatten()
    }
}

fn json_error(scope: &Scope<'_>, text: &TextTemplate, detail: &'static str) -> MappingError {
    MappingError::Json {
        rule: scope.rule.to_owned(),
        field: text.field.clone(),
        detail,
    }
}
