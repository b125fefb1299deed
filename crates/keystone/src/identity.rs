//! Keystone as the source of OpenStack identities.

mod follower;
mod known;
mod login;
mod read;

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use parking_lot::Mutex;
use rustls_pki_types::UnixTime;
use sealstone_identity::{
    Delegated, IdentitySource, IdentitySourceError, KeystoneBinding, KeystoneToken, MachineLogin, Refusal,
};

pub(crate) use self::read::role_name;
use self::{
    follower::Followed,
    known::Known,
    login::{Key, OwnedLogin},
    read::Reading,
};
use crate::{
    Authentication, IssuedToken, KeystoneClient, KeystoneError, KeystoneSession, Login, TokenMint,
    memory::{Memory, Outcome},
    mint::Minted,
    moment,
    people::PeopleMemory,
};

/// As old as identities may be unless told otherwise: what "at once" means to an operator who disables a user.
const MAX_AGE: Duration = Duration::from_secs(10);
/// Five times within the stated age, and one small call.
const POLL_INTERVAL: Duration = Duration::from_secs(2);
/// Some 20 MiB: more machines than a cloud has, in the worst case.
const CAPACITY: usize = 10_000;
const NEEDS_MINT: &str = "a signing key that Keystone trusts: set `[keystone.mint]`";
type Failure = crate::failure::Failure<Refusal>;

const NEEDS_MINT_TO_BIND: &str =
    "a signing key that Keystone trusts: Keystone binds no token of an application credential";

/// An [`IdentitySource`] that asks a Keystone, and remembers for seconds what it said.
///
/// | A login | is answered |
/// |---|---|
/// | known, younger than half of the stated age | at once |
/// | known, younger than the stated age | at once, and asked about in the background, once a second at most |
/// | unknown, older, or past its end | after one call, whoever else waits for the same (two, where it was known and the token that it gave is not taken any longer) |
/// | refused, or failed, within this second | as before |
///
/// An answer is as old as the call that brought it. While Keystone does not answer, what is known is served inside its
/// stated age, then [`IdentitySourceError::Unavailable`]. Clones share everything.
///
/// # Security
/// A login's secret is sent to Keystone and not kept; what it gave is remembered by its SHA-256. An answer about
/// another user, project or credential than was asked about is [`IdentitySourceError::Malformed`], and so is a token
/// whose times cannot be. An identity that does not fit a token of ours whole is refused: more than 64 roles or access
/// rules, or a name with control characters, or a role with a comma or an outer blank, which services would read as others.
#[derive(Clone)]
pub struct KeystoneIdentity {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) client: KeystoneClient,
    pub(crate) mint: Option<TokenMint>,
    pub(crate) service: Option<KeystoneSession>,
    pub(crate) max_age: Duration,
    poll_interval: Duration,
    known: Memory<Key, Known>,
    followed: tokio::sync::Mutex<Followed>,
    followed_at: Mutex<Option<UnixTime>>,
    pub(crate) people: PeopleMemory,
}

/// What a [`KeystoneIdentity`] is made of.
#[derive(Debug)]
pub struct KeystoneIdentityBuilder {
    client: KeystoneClient,
    mint: Option<TokenMint>,
    service: Option<Authentication>,
    max_age: Duration,
    poll_interval: Duration,
    capacity: usize,
}

impl KeystoneIdentityBuilder {
    /// Makes tokens with this key, for logins without a secret.
    #[must_use]
    pub fn with_mint(mut self, mint: TokenMint) -> Self {
        self.mint = Some(mint);
        self
    }

    /// Follows revocations in the name of this account, which needs the role `admin` or `service`.
    #[must_use]
    pub fn with_service_account(mut self, authentication: Authentication) -> Self {
        self.service = Some(authentication);
        self
    }

    /// How old an identity may be; 10 s by default, at least 1 s.
    #[must_use]
    pub fn with_max_age(mut self, max_age: Duration) -> Self {
        self.max_age = max_age.max(Duration::from_secs(1));
        self
    }

    /// How often revocations are asked for; every 2 s by default.
    #[must_use]
    pub const fn with_poll_interval(mut self, interval: Duration) -> Self {
        self.poll_interval = interval;
        self
    }

    /// How many logins are remembered; 10,000 by default.
    #[must_use]
    pub const fn with_capacity(mut self, logins: usize) -> Self {
        self.capacity = logins;
        self
    }

    /// The source.
    #[must_use]
    pub fn build(self) -> KeystoneIdentity {
        let client = self.client.clone();
        KeystoneIdentity {
            inner: Arc::new(Inner {
                service: self
                    .service
                    .map(|account| KeystoneSession::login(client, account)),
                client: self.client,
                mint: self.mint,
                max_age: self.max_age,
                poll_interval: self.poll_interval,
                known: Memory::new(self.capacity, self.max_age),
                followed: tokio::sync::Mutex::default(),
                followed_at: Mutex::default(),
                people: PeopleMemory::new(self.capacity, self.max_age),
            }),
        }
    }
}

impl KeystoneIdentity {
    /// A source that asks by this client.
    #[must_use]
    pub const fn builder(client: KeystoneClient) -> KeystoneIdentityBuilder {
        KeystoneIdentityBuilder {
            client,
            mint: None,
            service: None,
            max_age: MAX_AGE,
            poll_interval: POLL_INTERVAL,
            capacity: CAPACITY,
        }
    }

    /// When the revocations were last known to be complete; `None` before the first time, or without a service account.
    #[must_use]
    pub fn followed_at(&self) -> Option<UnixTime> {
        *self.inner.followed_at.lock()
    }

    /// Forgets everything: the next request of each login asks Keystone.
    pub fn forget_all(&self) {
        self.inner.known.forget_all();
        self.inner.people.forget_all();
    }

    async fn look_up(&self, login: &OwnedLogin, before: Option<&Known>) -> Outcome<Known> {
        let client = &self.inner.client;
        let asked_at = client.now();
        if let Some(minted) = login.minted() {
            let token = self.mint()?.lookup(&minted, asked_at)?;
            let info = client
                .validate(&token, &token)
                .await
                .map_err(|error| Failure::of(error, Refusal::User))?;
            let reading = Reading {
                asked_at,
                ends_at: None,
                token: None,
            };
            return read::known(login, info, reading);
        }
        if let Some(known) = self.look_again(login, before, asked_at).await? {
            return Ok(known);
        }
        let IssuedToken { token, info, ends_at } = self.log_in(login).await?;
        let lifetime = moment::since(asked_at, ends_at).unwrap_or_default();
        let reading = Reading {
            asked_at,
            ends_at: Some(ends_at),
            token: Some((
                token,
                moment::after(asked_at, lifetime.checked_div(2).unwrap_or_default()),
            )),
        };
        read::known(login, info, reading)
    }

    /// Asks again with the token that the login gave, which costs Keystone no password hash. `None` when there is no
    /// such token, or Keystone does not take it any longer: then the login itself decides.
    async fn look_again(
        &self,
        login: &OwnedLogin,
        before: Option<&Known>,
        asked_at: UnixTime,
    ) -> Result<Option<Arc<Known>>, Failure> {
        let Some((known, (token, until))) = before.and_then(|known| Some((known, known.token.as_ref()?)))
        else {
            return Ok(None);
        };
        if asked_at >= *until {
            return Ok(None);
        }
        let info = match self.inner.client.validate(token, token).await {
            Ok(info) => info,
            Err(KeystoneError::Refused { .. }) => return Ok(None),
            Err(error) => return Err(Failure::of(error, Refusal::Credential)),
        };
        if info.user.id != known.user.id {
            return Ok(None);
        }
        let reading = Reading {
            asked_at,
            ends_at: known.delegated.expires_at,
            token: known.token.clone(),
        };
        read::known(login, info, reading).map(Some)
    }

    async fn log_in(&self, login: &OwnedLogin) -> Result<IssuedToken, Failure> {
        let OwnedLogin::Credential { id, secret } = login else {
            return Err(Failure::NotConfigured(NEEDS_MINT));
        };
        let authentication = Authentication::application_credential(id.clone(), secret.clone());
        match self.inner.client.authenticate(&authentication).await {
            Ok(Login::Complete(issued)) => Ok(issued),
            Ok(Login::Incomplete(_receipt)) => Err(Failure::Refused(Refusal::Credential)),
            Err(error) => Err(Failure::of(error, Refusal::Credential)),
        }
    }

    fn mint(&self) -> Result<&TokenMint, Failure> {
        self.inner.mint.as_ref().ok_or(Failure::NotConfigured(NEEDS_MINT))
    }

    /// A token that outlives neither what it stands on nor the certificate that it is bound to.
    fn minted(
        &self,
        minted: &Minted<'_>,
        bound_to: Option<KeystoneBinding<'_>>,
        ends_at: Option<UnixTime>,
    ) -> Result<KeystoneToken, Failure> {
        let now = self.inner.client.now();
        let latest = [ends_at, bound_to.map(|bound_to| bound_to.not_after)];
        let latest = latest.into_iter().flatten().min();
        if latest.is_some_and(|end| end <= now) {
            return Err(Failure::Refused(Refusal::Ended));
        }
        let thumbprint = bound_to.map(|bound_to| bound_to.thumbprint);
        let (token, ends_at) = self.mint()?.token(minted, thumbprint, now, latest)?;
        Ok(KeystoneToken::new(token.expose().to_owned(), ends_at))
    }
}

#[async_trait]
impl IdentitySource for KeystoneIdentity {
    async fn machine(&self, login: &MachineLogin<'_>) -> Result<Arc<Delegated>, IdentitySourceError> {
        let (client, this) = (self.inner.client.clone(), self.clone());
        let look_up = |before: Option<Arc<Known>>| {
            let login = OwnedLogin::of(login);
            async move { this.look_up(&login, before.as_deref()).await }
        };
        let known = &self.inner.known;
        let known = known.ask(&Key::of(login), move || client.now(), look_up).await?;
        Ok(Arc::clone(&known.delegated))
    }

    fn remembered(&self, login: &MachineLogin<'_>) -> Option<Arc<Delegated>> {
        let now = self.inner.client.now();
        self.inner
            .known
            .remembered(&Key::of(login), now, |known| Arc::clone(&known.delegated))
    }

    /// A token that Keystone issues anew for an application credential with its secret; else one made here, after
    /// [`IdentitySource::machine`] found that Keystone would take it.
    async fn keystone_token(
        &self,
        login: &MachineLogin<'_>,
        bound_to: Option<KeystoneBinding<'_>>,
        not_after: Option<UnixTime>,
    ) -> Result<KeystoneToken, IdentitySourceError> {
        let owned = OwnedLogin::of(login);
        if let Some(minted) = owned.minted() {
            self.mint()?;
            let delegated = self.machine(login).await?;
            let ends_at = delegated.expires_at.into_iter().chain(not_after).min();
            return Ok(self.minted(&minted, bound_to, ends_at)?);
        }
        if bound_to.is_some() {
            return Err(Failure::NotConfigured(NEEDS_MINT_TO_BIND).into());
        }
        let issued = self.log_in(&owned).await?;
        Ok(KeystoneToken::new(
            issued.token.expose().to_owned(),
            issued.ends_at,
        ))
    }
}

impl fmt::Debug for KeystoneIdentity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("KeystoneIdentity")
            .field("client", &self.inner.client)
            .field("max_age", &self.inner.max_age)
            .finish_non_exhaustive()
    }
}
