//! The directory's users as people who log in.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use rustls_pki_types::UnixTime;
use sealstone_factors::PasswordHash;
use sealstone_identity::{
    AuthMethod, Delegated, DelegationMethod, IdentityError, LoggedIn, LoginError, LoginRefusal, LoginSource,
    LoginStep, OpenLogin, Passcode, PasswordAttempt, Person, PersonProject, ProjectId, UserId,
};
use zeroize::Zeroizing;

use crate::{DirectoryStore, DirectoryStoreError, DirectoryUser, HashingError, HashingPool, UserName};

type Clock = Arc<dyn Fn() -> UnixTime + Send + Sync>;

/// The directory as a [`LoginSource`]: name and password; second factors are kept beside it, for all sources alike.
#[derive(Clone)]
pub struct EmbeddedDirectory {
    users: Arc<dyn DirectoryStore>,
    hashing: Arc<dyn HashingPool>,
    clock: Clock,
}

impl EmbeddedDirectory {
    /// Over a store and a place to hash passwords. `clock` dates what is read.
    pub fn new(
        users: Arc<dyn DirectoryStore>,
        hashing: Arc<dyn HashingPool>,
        clock: impl Fn() -> UnixTime + Send + Sync + 'static,
    ) -> Self {
        Self {
            users,
            hashing,
            clock: Arc::new(clock),
        }
    }

    async fn found(&self, attempt: &PasswordAttempt<'_>) -> Result<Option<Arc<DirectoryUser>>, LoginError> {
        match UserName::parse(attempt.user_name) {
            Ok(name) => Ok(self
                .users
                .user_named(attempt.domain, &name)
                .await
                .map_err(outage)?),
            Err(_no_name) => Ok(None),
        }
    }

    async fn person_of(&self, user: &DirectoryUser) -> Result<Arc<Person>, LoginError> {
        let domain_name = self.users.domain_name(user.domain()).await.map_err(outage)?;
        let person = user.person(domain_name.as_ref()).map_err(|_text| TOO_LARGE)?;
        Ok(Arc::new(person))
    }

    /// The user, if they may still log in.
    async fn standing(&self, id: &UserId) -> Result<Arc<DirectoryUser>, LoginError> {
        let user = self.users.user(id).await.map_err(outage)?;
        user.filter(|user| user.id() == id && user.is_enabled())
            .ok_or(LoginError::Refused(LoginRefusal::Person))
    }
}

impl fmt::Debug for EmbeddedDirectory {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("EmbeddedDirectory")
            .finish_non_exhaustive()
    }
}

const TOO_LARGE: LoginError = LoginError::Refused(LoginRefusal::TooLarge);

#[async_trait]
impl LoginSource for EmbeddedDirectory {
    /// Whatever is wrong, one hash is computed and one answer is given: nobody learns who has an account, who has no
    /// password or who is disabled.
    async fn begin(&self, attempt: &PasswordAttempt<'_>) -> Result<LoginStep, LoginError> {
        let user = self.found(attempt).await?;
        let hash = user.as_ref().and_then(|user| user.password().cloned());
        let typed = Zeroizing::new(attempt.password.to_owned());
        let right = self
            .hashing
            .matches(hash.unwrap_or_else(PasswordHash::decoy), typed)
            .await
            .map_err(busy)?;
        let user = user.filter(|user| {
            right && user.is_enabled() && user.password().is_some() && user.domain() == attempt.domain
        });
        let user = user.ok_or(LoginError::Refused(LoginRefusal::Credentials))?;
        Ok(LoginStep::Done(LoggedIn {
            person: self.person_of(&user).await?,
            methods: vec![AuthMethod::Password],
        }))
    }

    /// The directory leaves no login open.
    async fn go_on(&self, _open: &OpenLogin, _code: &Passcode) -> Result<LoginStep, LoginError> {
        Err(LoginError::Refused(LoginRefusal::Ended))
    }

    async fn person(&self, user: &UserId) -> Result<Arc<Person>, LoginError> {
        let user = self.standing(user).await?;
        self.person_of(&user).await
    }

    async fn projects(&self, user: &UserId) -> Result<Vec<PersonProject>, LoginError> {
        let user = self.standing(user).await?;
        let mut projects = user.projects().to_vec();
        projects.sort_by(|one, other| {
            let key = |held: &PersonProject| (held.project.name().clone(), held.project.id().clone());
            key(one).cmp(&key(other))
        });
        Ok(projects)
    }

    async fn authority(&self, user: &UserId, project: &ProjectId) -> Result<Arc<Delegated>, LoginError> {
        let read_at = (self.clock)();
        let user = self.standing(user).await?;
        let domain_name = self.users.domain_name(user.domain()).await.map_err(outage)?;
        let authority = user
            .authority(project, domain_name.as_ref())
            .map_err(|_roles: IdentityError| TOO_LARGE)?
            .ok_or(LoginError::Refused(LoginRefusal::NoRole))?;
        Ok(Arc::new(Delegated {
            authority,
            method: DelegationMethod::Person,
            application_credential: None,
            expires_at: None,
            read_at,
        }))
    }
}

fn outage(error: DirectoryStoreError) -> LoginError {
    LoginError::unavailable(error)
}

fn busy(error: HashingError) -> LoginError {
    LoginError::Unavailable {
        retry_after: match error {
            HashingError::Busy { retry_after } => Some(retry_after),
            HashingError::Failed => None,
        },
        source: error.into(),
    }
}

#[cfg(test)]
mod tests;
