//! What a user is to be, before it is one.

use std::collections::BTreeSet;

use sealstone_identity::{DomainId, Email, MAX_GROUPS, MAX_ROLES, Name, PersonProject};

use crate::{RegistrationFault, UserName};

/// The most projects of one user: as many as a page offers for choice without a search.
pub const MAX_PROJECTS: usize = 64;

/// What an administrator says of a new user. The id, the dates and the password come from elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "whoever registers decides on each member"
)]
pub struct UserRegistration {
    /// What the person logs in with.
    pub name: UserName,
    /// The name that people call them by.
    pub full_name: Option<Name>,
    /// Where mail reaches them.
    pub email: Option<Email>,
    /// The groups that they are in.
    pub groups: Vec<Name>,
    /// Where they may act, with which roles.
    pub projects: Vec<PersonProject>,
}

impl UserRegistration {
    /// A user with a name and nothing else.
    #[must_use]
    pub const fn new(name: UserName) -> Self {
        Self {
            name,
            full_name: None,
            email: None,
            groups: Vec::new(),
            projects: Vec::new(),
        }
    }

    pub(crate) fn check(&self, domain: &DomainId) -> Result<(), RegistrationFault> {
        if self.groups.len() > MAX_GROUPS || has_double(&self.groups) {
            return Err(RegistrationFault::Groups);
        }
        let ids: Vec<_> = self.projects.iter().map(|held| held.project.id()).collect();
        let own = self
            .projects
            .iter()
            .all(|held| held.project.domain_id() == domain);
        if self.projects.len() > MAX_PROJECTS || has_double(&ids) || !own {
            return Err(RegistrationFault::Projects);
        }
        let fits =
            |held: &PersonProject| (1..=MAX_ROLES).contains(&held.roles.len()) && !has_double(&held.roles);
        if !self.projects.iter().all(fits) {
            return Err(RegistrationFault::Roles);
        }
        Ok(())
    }
}

/// What is to change. `None` leaves a member as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "whoever changes decides on each member")]
pub struct UserChange {
    /// Another name to log in with.
    pub name: Option<UserName>,
    /// Another full name, or none.
    pub full_name: Option<Option<Name>>,
    /// Another address, or none.
    pub email: Option<Option<Email>>,
    /// Other groups.
    pub groups: Option<Vec<Name>>,
    /// Other projects and roles.
    pub projects: Option<Vec<PersonProject>>,
}

impl UserChange {
    pub(crate) fn apply(self, mut to: UserRegistration) -> UserRegistration {
        if let Some(name) = self.name {
            to.name = name;
        }
        if let Some(full_name) = self.full_name {
            to.full_name = full_name;
        }
        if let Some(email) = self.email {
            to.email = email;
        }
        if let Some(groups) = self.groups {
            to.groups = groups;
        }
        if let Some(projects) = self.projects {
            to.projects = projects;
        }
        to
    }
}

fn has_double<T: Ord>(items: &[T]) -> bool {
    let once: BTreeSet<&T> = items.iter().collect();
    once.len() != items.len()
}
