//! What is said of a user, in options.

use clap::{ArgAction, Args};
use sealstone_directory::{UserChange, UserName, UserRegistration};
use sealstone_identity::{DomainId, Email, Name, PersonProject, ProjectId, ProjectScope, RoleName};

use crate::failure::{Failure, Outcome};

#[derive(Debug, Args)]
#[command(next_help_heading = "Details")]
pub(super) struct DetailArguments {
    /// The name that people call them by; empty for none
    #[arg(long, value_name = "TEXT")]
    full_name: Option<String>,
    /// Where mail reaches them; empty for none
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    /// Whether you made sure that the address is theirs [default: false]
    #[arg(long, value_name = "true|false", action = ArgAction::Set, requires = "email")]
    email_verified: Option<bool>,
    /// A group that they are in; may be given several times
    #[arg(long, value_name = "NAME")]
    group: Vec<String>,
    /// A project where they may act, and their roles there; may be given several times
    #[arg(long, value_name = "ID:NAME:ROLE,...", value_parser = parse_project)]
    project: Vec<GivenProject>,
}

/// A project as it was named: its domain is the user's.
#[derive(Debug, Clone)]
struct GivenProject {
    id: ProjectId,
    name: Name,
    roles: Vec<RoleName>,
}

impl DetailArguments {
    pub(super) fn registration(&self, name: UserName, domain: &DomainId) -> Outcome<UserRegistration> {
        let given = self.change(domain)?;
        Ok(UserRegistration {
            name,
            full_name: given.full_name.flatten(),
            email: given.email.flatten(),
            groups: given.groups.unwrap_or_default(),
            projects: given.projects.unwrap_or_default(),
        })
    }

    /// What is named is to change.
    pub(super) fn change(&self, domain: &DomainId) -> Outcome<UserChange> {
        let full_name = self.full_name.as_deref().map(|text| or_none(text, Name::parse));
        let verified = self.email_verified.unwrap_or(false);
        let email = self
            .email
            .as_deref()
            .map(|text| or_none(text, |text| Email::new(text, verified)));
        let groups: Result<Vec<Name>, _> = self.group.iter().map(|text| Name::parse(text)).collect();
        let projects: Outcome<Vec<PersonProject>> =
            self.project.iter().map(|given| given.within(domain)).collect();
        Ok(UserChange {
            name: None,
            full_name: full_name.transpose().map_err(usage("--full-name"))?,
            email: email.transpose().map_err(usage("--email"))?,
            groups: Some(groups.map_err(usage("--group"))?).filter(|groups| !groups.is_empty()),
            projects: Some(projects?).filter(|projects| !projects.is_empty()),
        })
    }
}

impl GivenProject {
    fn within(&self, domain: &DomainId) -> Outcome<PersonProject> {
        let project = ProjectScope::new(self.id.as_str(), self.name.as_str(), domain.as_str());
        Ok(PersonProject {
            project: project.map_err(usage("--project"))?,
            roles: self.roles.clone(),
        })
    }
}

/// `ID:NAME:ROLE,ROLE`. An id has no colon and no role's name here has one; the project's own name may.
fn parse_project(text: &str) -> Result<GivenProject, String> {
    let parts = text.split_once(':').and_then(|(id, rest)| {
        let (name, roles) = rest.rsplit_once(':')?;
        Some((id, name, roles))
    });
    let (id, name, roles) =
        parts.ok_or("write the project's id, its name and the roles: 4be1f2:builds:member,reader")?;
    let text = |error: sealstone_identity::IdentityError| error.to_string();
    Ok(GivenProject {
        id: ProjectId::parse(id).map_err(text)?,
        name: Name::parse(name).map_err(text)?,
        roles: roles
            .split(',')
            .map(RoleName::parse)
            .collect::<Result<_, _>>()
            .map_err(text)?,
    })
}

fn or_none<T, E>(text: &str, parse: impl Fn(&str) -> Result<T, E>) -> Result<Option<T>, E> {
    if text.is_empty() {
        return Ok(None);
    }
    parse(text).map(Some)
}

fn usage<E: std::fmt::Display>(option: &'static str) -> impl Fn(E) -> Failure {
    move |error| Failure::usage(format!("{option}: {error}"))
}
