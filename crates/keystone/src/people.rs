//! Keystone as the source of people.

mod changes;
mod login;
mod lookup;
mod memory;
mod read;
mod spent;

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use rustls_pki_types::UnixTime;
use sealstone_identity::{
    Delegated, DelegationMethod, DomainId, IdentitySource as _, IdentitySourceError, LoginError,
    LoginRefusal, LoginSource, LoginStep, MachineLogin, OpenLogin, Passcode, PasswordAttempt, Person,
    PersonProject, ProjectId, Refusal, UserId,
};

use self::memory::{KnownAuthority, KnownPerson};
use crate::{DomainKey, IssuedToken, KeystoneClient, KeystoneIdentity, KeystoneSession, memory::Outcome};

pub use self::changes::PeopleChange;
pub(crate) use self::memory::PeopleMemory;

type Failure = crate::failure::Failure<LoginRefusal>;

const NEEDS_EITHER: &str = "a service account, or a signing key that Keystone trusts";

/// A [`LoginSource`] that asks a Keystone: its users, with their passwords and one-time codes.
///
/// | | is answered by |
/// |---|---|
/// | name and password | one login at Keystone; then who it is |
/// | a user whose `multi_factor_auth_rules` want a code as well | Keystone's receipt, kept until the code comes: [`LoginStep::NeedsCode`] |
/// | a person now | the service account, or a token made here; remembered for as long as the identity source's answers (10 s) |
/// | projects and authority | the same |
///
/// It shares the identity source's calls, memory and revocations: [`KeystoneIdentity::follow_revocations`] runs for both,
/// and is begun after this was made. With a service account no person is told of before the revocations are known as of
/// seconds ago: a changed password, or a user who was disabled meanwhile, ends what was granted before
/// ([`Person::valid_since`]). A disabled domain refuses its people for as long as it is disabled. **Without a service
/// account a disabled or deleted user is noticed, and a changed password is not**: Keystone tells nobody else.
///
/// # Security
/// - A token that a login gives is used to look at its own user at most, and dropped. A password is sent, and not kept.
/// - A code is shown to Keystone once by this process: Keystone itself takes one as often as it comes.
/// - Eight logins are with Keystone at a time; others wait for seconds, then fail as an outage.
/// - Names are looked up in one domain, and an answer about a user of another is [`LoginError::Malformed`].
/// - Keystone's revocations go back as far as its tokens live and half an hour more. Who keeps logins for longer follows
///   [`KeystonePeople::changes_after`] and ends them for good: a restart later than that would not find the change.
#[derive(Clone)]
pub struct KeystonePeople {
    inner: Arc<Inner>,
}

struct Inner {
    identity: KeystoneIdentity,
    users_of: Option<DomainKey>,
    vouched: bool,
}

impl KeystonePeople {
    /// People of the Keystone that this source asks; the users of each login page's own domain.
    #[must_use]
    pub fn new(identity: KeystoneIdentity) -> Self {
        identity.inner.people.use_it();
        Self::of(Inner {
            identity,
            users_of: None,
            vouched: false,
        })
    }

    /// The same for the users of this domain, whatever domain the login page is of: for an issuer of a whole cloud.
    #[must_use]
    pub fn with_users_of(self, domain: DomainKey) -> Self {
        Self::of(Inner {
            identity: self.inner.identity.clone(),
            users_of: Some(domain),
            vouched: self.inner.vouched,
        })
    }

    /// The same, where the cloud's operators vouch for the addresses of its users (`email_verified`): nobody sets their
    /// own, and none is of another person.
    #[must_use]
    pub fn with_vouched_addresses(self) -> Self {
        Self::of(Inner {
            identity: self.inner.identity.clone(),
            users_of: self.inner.users_of.clone(),
            vouched: true,
        })
    }

    fn of(inner: Inner) -> Self {
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Whose logins stand no longer: waits until anything changed after `seen` (0 at first), then tells all of it, and
    /// the number to go on with. At first that is everything that Keystone still keeps.
    pub async fn changes_after(&self, seen: u64) -> (u64, Vec<PeopleChange>) {
        self.inner.identity.inner.people.changes.after(seen).await
    }

    fn client(&self) -> &KeystoneClient {
        &self.inner.identity.inner.client
    }

    fn service(&self) -> Option<&KeystoneSession> {
        self.inner.identity.inner.service.as_ref()
    }

    fn memory(&self) -> &PeopleMemory {
        &self.inner.identity.inner.people
    }

    fn users_of(&self, page: &DomainId) -> DomainKey {
        self.inner
            .users_of
            .clone()
            .unwrap_or_else(|| DomainKey::Id(page.clone()))
    }

    /// Who has just logged in, read anew.
    async fn logged_in(&self, issued: IssuedToken, asked_at: UnixTime) -> Result<Arc<Person>, Failure> {
        let id = issued.info.user.id.clone();
        let person = match self.service() {
            Some(service) => self.read_by_service(service, &id).await?,
            None => {
                let domain = &issued.info.user.domain;
                self.read_as(&issued.token, &id, domain, LoginRefusal::Credentials)
                    .await?
            }
        };
        let mut person = person;
        // Changes until now are of before this login, as far as whole seconds tell.
        person.valid_since = self.valid_since(&person).filter(|since| *since < asked_at);
        Ok(Arc::new(person))
    }

    fn valid_since(&self, person: &Person) -> Option<UnixTime> {
        let changes = &self.memory().changes;
        changes.valid_since(person.user.id(), person.domain_id())
    }

    async fn known_person(&self, id: &UserId) -> Outcome<KnownPerson> {
        let (client, this, asked) = (self.client().clone(), self.clone(), id.clone());
        let look_up = |_before| async move {
            let read_at = this.client().now();
            let person = Arc::new(this.read_person(&asked, read_at).await?);
            Ok(Arc::new(KnownPerson { person, read_at }))
        };
        self.memory().persons.ask(id, move || client.now(), look_up).await
    }

    async fn known_authority(&self, user: &UserId, project: &ProjectId) -> Outcome<KnownAuthority> {
        let (client, this) = (self.client().clone(), self.clone());
        let (asked_user, asked_project) = (user.clone(), project.clone());
        let look_up = |_before| async move {
            let service = this.service().ok_or(Failure::NotConfigured(NEEDS_EITHER))?;
            let delegated = this.read_authority(service, &asked_user, &asked_project).await?;
            Ok(Arc::new(KnownAuthority {
                delegated,
                user: asked_user,
                project: asked_project,
            }))
        };
        let question = (user.clone(), project.clone());
        let authorities = &self.memory().authorities;
        authorities.ask(&question, move || client.now(), look_up).await
    }

    /// By a token made here, which Keystone judges with all that it is made of.
    async fn minted_authority(
        &self,
        user: &UserId,
        project: &ProjectId,
    ) -> Result<Arc<Delegated>, LoginError> {
        let login = MachineLogin::MintedUser {
            user_id: user,
            project_id: project,
        };
        let delegated = self.inner.identity.machine(&login).await.map_err(login_error)?;
        let mut delegated = Arc::unwrap_or_clone(delegated);
        delegated.method = DelegationMethod::Person;
        Ok(Arc::new(delegated))
    }
}

#[async_trait]
impl LoginSource for KeystonePeople {
    async fn begin(&self, attempt: &PasswordAttempt<'_>) -> Result<LoginStep, LoginError> {
        Ok(self.password(attempt).await?)
    }

    async fn go_on(&self, open: &OpenLogin, code: &Passcode) -> Result<LoginStep, LoginError> {
        Ok(self.code(open, code).await?)
    }

    async fn person(&self, user: &UserId) -> Result<Arc<Person>, LoginError> {
        let known = self.known_person(user).await?;
        let since = self.valid_since(&known.person);
        if since.is_none() {
            return Ok(Arc::clone(&known.person));
        }
        let mut person = Person::clone(&known.person);
        person.valid_since = since;
        Ok(Arc::new(person))
    }

    async fn projects(&self, user: &UserId) -> Result<Vec<PersonProject>, LoginError> {
        Ok(self.known_projects(user).await?)
    }

    async fn authority(&self, user: &UserId, project: &ProjectId) -> Result<Arc<Delegated>, LoginError> {
        if self.inner.identity.inner.mint.is_none() {
            return Ok(Arc::clone(&self.known_authority(user, project).await?.delegated));
        }
        // Keystone says the same of a person who is gone and of one without a role: which it is, is asked first.
        let _person = self.known_person(user).await?;
        self.minted_authority(user, project).await
    }
}

fn login_error(error: IdentitySourceError) -> LoginError {
    match error {
        IdentitySourceError::Refused(refusal) => LoginError::Refused(match refusal {
            Refusal::Credential | Refusal::User | Refusal::NoRole | Refusal::Ended => LoginRefusal::NoRole,
            Refusal::TooLarge => LoginRefusal::TooLarge,
        }),
        IdentitySourceError::Unavailable { retry_after, source } => {
            LoginError::Unavailable { retry_after, source }
        }
        IdentitySourceError::Malformed { source } => LoginError::Malformed { source },
        IdentitySourceError::NotConfigured { needs } => LoginError::NotConfigured { needs },
    }
}

impl fmt::Debug for KeystonePeople {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("KeystonePeople")
            .field("client", self.client())
            .field("users_of", &self.inner.users_of)
            .finish_non_exhaustive()
    }
}
