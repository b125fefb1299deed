//! A user of the directory: the record that stores keep.

use rustls_pki_types::UnixTime;
use sealstone_factors::PasswordHash;
use sealstone_identity::{
    Authority, DomainId, Email, IdentityError, Name, Person, PersonProject, ProjectId, UserId, UserRef,
    unix_seconds,
};
use serde::{Deserialize, Serialize};

use crate::{ChangeError, RegistrationFault, UserChange, UserName, UserRegistration};

/// A user, valid by construction. `Debug` shows nothing of the password.
///
/// # Examples
/// ```
/// # use std::time::Duration;
/// # use rustls_pki_types::UnixTime;
/// # use sealstone_directory::{DirectoryUser, UserName, UserRegistration};
/// # use sealstone_identity::DomainId;
/// let now = UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000));
/// let registration = UserRegistration::new(UserName::parse("ada")?);
/// let user = DirectoryUser::register(DomainId::parse("demo")?, registration, [7; 16], now)?;
/// assert_eq!(user.id().as_str(), "07070707070707070707070707070707");
/// assert!(user.password().is_none(), "nobody logs in before a password is set");
/// assert_eq!(user.disabled(now)?.version(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DirectoryUser {
    id: UserId,
    domain: DomainId,
    name: UserName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    full_name: Option<Name>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    email: Option<Email>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    groups: Vec<Name>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    projects: Vec<PersonProject>,
    enabled: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    password: Option<PasswordHash>,
    #[serde(with = "unix_seconds")]
    created_at: UnixTime,
    #[serde(with = "unix_seconds")]
    changed_at: UnixTime,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "unix_seconds::option"
    )]
    valid_since: Option<UnixTime>,
    version: u64,
}

impl DirectoryUser {
    /// A new user, enabled, without a password. `random` becomes the id: 32 hexadecimal digits, as Keystone's.
    ///
    /// # Errors
    /// [`RegistrationFault`].
    pub fn register(
        domain: DomainId,
        registration: UserRegistration,
        random: [u8; 16],
        now: UnixTime,
    ) -> Result<Self, RegistrationFault> {
        registration.check(&domain)?;
        let digits: String = random.iter().map(|octet| format!("{octet:02x}")).collect();
        let UserRegistration {
            name,
            full_name,
            email,
            groups,
            projects,
        } = registration;
        Ok(Self {
            // 32 hexadecimal digits are an id.
            id: UserId::parse(&digits).map_err(|_never| RegistrationFault::UserName)?,
            domain,
            name,
            full_name,
            email,
            groups,
            projects,
            enabled: true,
            password: None,
            created_at: now,
            changed_at: now,
            valid_since: None,
            version: 1,
        })
    }

    /// With what the change says.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub fn changed(&self, change: UserChange, now: UnixTime) -> Result<Self, ChangeError> {
        let wanted = change.apply(UserRegistration {
            name: self.name.clone(),
            full_name: self.full_name.clone(),
            email: self.email.clone(),
            groups: self.groups.clone(),
            projects: self.projects.clone(),
        });
        wanted.check(&self.domain)?;
        let UserRegistration {
            name,
            full_name,
            email,
            groups,
            projects,
        } = wanted;
        Ok(Self {
            name,
            full_name,
            email,
            groups,
            projects,
            ..self.next(now)?
        })
    }

    /// With another password; what was granted on the old one stands no longer.
    ///
    /// # Errors
    /// [`ChangeError::Version`].
    pub fn with_password(&self, password: PasswordHash, now: UnixTime) -> Result<Self, ChangeError> {
        Ok(Self {
            // Nothing was granted to somebody who never had one: the first login may come in the same second.
            valid_since: match self.password {
                Some(_) => Some(self.ended_at(now)),
                None => self.valid_since,
            },
            password: Some(password),
            ..self.next(now)?
        })
    }

    /// Disabled: whatever was granted stands no longer, also when the user is enabled again.
    ///
    /// # Errors
    /// [`ChangeError::Version`].
    pub fn disabled(&self, now: UnixTime) -> Result<Self, ChangeError> {
        Ok(Self {
            enabled: false,
            valid_since: Some(self.ended_at(now)),
            ..self.next(now)?
        })
    }

    /// Enabled again: a login is needed, for nothing of before stands.
    ///
    /// # Errors
    /// [`ChangeError::Version`].
    pub fn enabled(&self, now: UnixTime) -> Result<Self, ChangeError> {
        Ok(Self {
            enabled: true,
            ..self.next(now)?
        })
    }

    /// A clock that was set back brings nothing back.
    fn ended_at(&self, now: UnixTime) -> UnixTime {
        self.valid_since.map_or(now, |before| before.max(now))
    }

    fn next(&self, now: UnixTime) -> Result<Self, ChangeError> {
        Ok(Self {
            changed_at: now,
            version: self.version.checked_add(1).ok_or(ChangeError::Version)?,
            ..self.clone()
        })
    }

    /// The person as tokens name one. `domain_name` is the name of the user's domain, where there is one.
    ///
    /// # Errors
    /// [`IdentityError`] when the domain's name is none that a token may hold.
    pub fn person(&self, domain_name: Option<&Name>) -> Result<Person, IdentityError> {
        Ok(Person {
            user: self.reference(domain_name)?,
            full_name: self.full_name.clone(),
            email: self.email.clone(),
            groups: self.groups.clone(),
            valid_since: self.valid_since,
        })
    }

    /// The authority in one project; `None` without a role there.
    ///
    /// # Errors
    /// As [`DirectoryUser::person`].
    pub fn authority(
        &self,
        project: &ProjectId,
        domain_name: Option<&Name>,
    ) -> Result<Option<Authority>, IdentityError> {
        let Some(held) = self.projects.iter().find(|held| held.project.id() == project) else {
            return Ok(None);
        };
        let mut scope = held.project.clone();
        if let Some(name) = domain_name {
            scope = scope.with_domain_name(name.as_str())?;
        }
        Authority::project(self.reference(domain_name)?, scope, held.roles.clone()).map(Some)
    }

    fn reference(&self, domain_name: Option<&Name>) -> Result<UserRef, IdentityError> {
        let user = UserRef::new(self.id.as_str(), self.name.as_str(), self.domain.as_str())?;
        match domain_name {
            Some(name) => user.with_domain_name(name.as_str()),
            None => Ok(user),
        }
    }

    /// The id, drawn by the server.
    #[must_use]
    pub const fn id(&self) -> &UserId {
        &self.id
    }

    /// The domain that owns the user.
    #[must_use]
    pub const fn domain(&self) -> &DomainId {
        &self.domain
    }

    /// What the person logs in with.
    #[must_use]
    pub const fn name(&self) -> &UserName {
        &self.name
    }

    /// The name that people call them by.
    #[must_use]
    pub const fn full_name(&self) -> Option<&Name> {
        self.full_name.as_ref()
    }

    /// Where mail reaches them.
    #[must_use]
    pub const fn email(&self) -> Option<&Email> {
        self.email.as_ref()
    }

    /// The groups that they are in.
    #[must_use]
    pub fn groups(&self) -> &[Name] {
        &self.groups
    }

    /// Where they may act, with which roles.
    #[must_use]
    pub fn projects(&self) -> &[PersonProject] {
        &self.projects
    }

    /// Whether they may log in at all.
    #[must_use]
    pub const fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// What is kept of the password; nobody logs in without one.
    #[must_use]
    pub const fn password(&self) -> Option<&PasswordHash> {
        self.password.as_ref()
    }

    /// When the user was made.
    #[must_use]
    pub const fn created_at(&self) -> UnixTime {
        self.created_at
    }

    /// When the user was changed last.
    #[must_use]
    pub const fn changed_at(&self) -> UnixTime {
        self.changed_at
    }

    /// What was granted at or before this moment stands no longer.
    #[must_use]
    pub const fn valid_since(&self) -> Option<UnixTime> {
        self.valid_since
    }

    /// Counts the changes: stores compare it before they replace.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }
}

#[cfg(test)]
mod tests;
