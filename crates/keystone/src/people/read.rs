//! From Keystone's records to a person and what they may do.

use std::{collections::BTreeMap, sync::Arc};

use rustls_pki_types::UnixTime;
use sealstone_identity::{
    Authority, Delegated, DelegationMethod, DomainId, Email, IdentityError, LoginRefusal, MAX_GROUPS,
    MAX_ROLES, Name, Person, PersonProject, ProjectId, ProjectScope, RoleName, UserId, UserRef,
};

use super::Failure;
use crate::{
    Assignee, Assignment, AssignmentScope, DomainRef, Fault, Group, KeystoneError, Label, Project, User,
    identity::role_name,
};

/// More than anybody chooses from.
const MAX_PROJECTS: usize = 1_000;

/// Who the records describe, if they are about whom was asked.
pub(super) fn person(
    id: &UserId,
    user: &User,
    domain: &DomainRef,
    groups: &[Group],
    vouched: bool,
) -> Result<Person, Failure> {
    if user.id != *id || user.domain_id != domain.id {
        return Err(mismatch("user"));
    }
    if !user.enabled {
        return Err(Failure::Refused(LoginRefusal::Person));
    }
    if groups.len() > MAX_GROUPS {
        return Err(Failure::Refused(LoginRefusal::TooLarge));
    }
    let mut person = Person::new(user_ref(id, &user.name, domain)?);
    let mut names = groups
        .iter()
        .map(|group| Name::parse(group.name.as_str()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(too_large)?;
    names.sort_unstable();
    names.dedup();
    person.groups = names;
    // Keystone keeps any text there. One that is no address is none; it decides nothing.
    let email = user.email.as_ref().map(Label::as_str);
    person.email = email.and_then(|address| Email::new(address, vouched).ok());
    Ok(person)
}

pub(super) fn user_ref(id: &UserId, name: &Label, domain: &DomainRef) -> Result<UserRef, Failure> {
    UserRef::new(id.as_str(), name.as_str(), domain.id.as_str())
        .and_then(|user| user.with_domain_name(domain.name.as_str()))
        .map_err(too_large)
}

/// Which of the projects may be chosen, with the roles there; by name.
pub(super) fn projects(
    user: &UserId,
    projects: Vec<Project>,
    assignments: &[Assignment],
    domains: &BTreeMap<DomainId, Option<DomainRef>>,
) -> Result<Vec<PersonProject>, Failure> {
    let roles = roles_by_project(user, assignments)?;
    let mut choice = Vec::new();
    for project in projects {
        let Some(domain_id) = project
            .domain_id
            .filter(|_domain| project.enabled && !project.is_domain)
        else {
            continue;
        };
        let Some(held) = roles.get(&project.id) else {
            continue;
        };
        let domain_name = match domains.get(&domain_id) {
            Some(Some(domain)) => Some(&domain.name),
            // Disabled: nobody acts there.
            Some(None) => continue,
            None => None,
        };
        // A project whose authority no token can hold cannot be chosen.
        let scope = scope(&project.id, &project.name, &domain_id, domain_name);
        let held = role_names(held);
        if let (Ok(project), Ok(roles)) = (scope, held) {
            choice.push(PersonProject { project, roles });
        }
    }
    sorted(choice)
}

/// The same where the person's own token asked, to which Keystone tells no roles.
pub(super) fn own_projects(projects: Vec<Project>, own: &DomainRef) -> Result<Vec<PersonProject>, Failure> {
    let mut choice = Vec::new();
    for project in projects {
        let Some(domain_id) = project
            .domain_id
            .filter(|_domain| project.enabled && !project.is_domain)
        else {
            continue;
        };
        let domain_name = (domain_id == own.id).then_some(&own.name);
        if let Ok(project) = scope(&project.id, &project.name, &domain_id, domain_name) {
            let roles = Vec::new();
            choice.push(PersonProject { project, roles });
        }
    }
    sorted(choice)
}

fn sorted(mut choice: Vec<PersonProject>) -> Result<Vec<PersonProject>, Failure> {
    if choice.len() > MAX_PROJECTS {
        return Err(Failure::Refused(LoginRefusal::TooLarge));
    }
    choice.sort_by(|one, other| {
        let key = |choice: &PersonProject| (choice.project.name().clone(), choice.project.id().clone());
        key(one).cmp(&key(other))
    });
    Ok(choice)
}

fn roles_by_project<'a>(
    user: &UserId,
    assignments: &'a [Assignment],
) -> Result<BTreeMap<ProjectId, Vec<&'a Label>>, Failure> {
    let mut roles: BTreeMap<ProjectId, Vec<&Label>> = BTreeMap::new();
    for assignment in assignments {
        match &assignment.assignee {
            Assignee::User(named) if named.id == *user => {}
            Assignee::User(_) | Assignee::Group(_) => return Err(mismatch("assignment")),
        }
        let AssignmentScope::Project(project) = &assignment.scope else {
            continue;
        };
        if assignment.inherited {
            continue;
        }
        let name = assignment.role.name.as_ref().ok_or_else(|| mismatch("role"))?;
        roles.entry(project.id.clone()).or_default().push(name);
    }
    Ok(roles)
}

fn role_names(names: &[&Label]) -> Result<Vec<RoleName>, Failure> {
    let mut roles = names
        .iter()
        .map(|name| role_name(name.as_str()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_refusal| Failure::Refused(LoginRefusal::TooLarge))?;
    roles.sort_unstable();
    roles.dedup();
    if roles.len() > MAX_ROLES {
        return Err(Failure::Refused(LoginRefusal::TooLarge));
    }
    Ok(roles)
}

/// What the person may do in this project: everything that Keystone says, or nothing.
pub(super) fn authority(
    person: &Person,
    project: &Project,
    domain: &DomainRef,
    assignments: &[Assignment],
    read_at: UnixTime,
) -> Result<Arc<Delegated>, Failure> {
    let is_usable = project.enabled && !project.is_domain;
    if !is_usable || project.domain_id.as_ref() != Some(&domain.id) {
        return Err(Failure::Refused(LoginRefusal::NoRole));
    }
    let roles = roles_by_project(person.user.id(), assignments)?;
    let held = roles.get(&project.id);
    let held = held.ok_or(Failure::Refused(LoginRefusal::NoRole))?;
    let scope = scope(&project.id, &project.name, &domain.id, Some(&domain.name)).map_err(too_large)?;
    let authority = Authority::project(person.user.clone(), scope, role_names(held)?).map_err(too_large)?;
    Ok(Arc::new(Delegated {
        authority,
        method: DelegationMethod::Person,
        application_credential: None,
        expires_at: None,
        read_at,
    }))
}

fn scope(
    id: &ProjectId,
    name: &Label,
    domain_id: &DomainId,
    domain_name: Option<&Label>,
) -> Result<ProjectScope, IdentityError> {
    let scope = ProjectScope::new(id.as_str(), name.as_str(), domain_id.as_str())?;
    match domain_name {
        Some(name) => scope.with_domain_name(name.as_str()),
        None => Ok(scope),
    }
}

pub(super) fn too_large(_error: IdentityError) -> Failure {
    Failure::Refused(LoginRefusal::TooLarge)
}

pub(super) fn mismatch(what: &'static str) -> Failure {
    tracing::error!(what, "Keystone answered about another than was asked");
    Failure::malformed(KeystoneError::Malformed {
        operation: "for a person",
        fault: Fault::Mismatch(what),
        request_id: None,
    })
}
