//! An identity source that answers as the test says.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use rustls_pki_types::UnixTime;
use sealstone_identity::{
    ApplicationCredentialId, Authority, Delegated, DelegationMethod, IdentitySource, IdentitySourceError,
    KeystoneBinding, KeystoneToken, MachineLogin, Name, ProjectScope, Refusal, RoleName,
    UsedApplicationCredential, UserRef,
};

use crate::unix_time;

/// What the fake fails with, until it is told otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "only tests use it")]
pub enum IdentityFault {
    /// [`IdentitySourceError::Refused`].
    Refused(Refusal),
    /// [`IdentitySourceError::Unavailable`] with this many seconds until the next try.
    Unavailable(Option<u64>),
    /// [`IdentitySourceError::Malformed`].
    Malformed,
    /// [`IdentitySourceError::NotConfigured`].
    NotConfigured,
}

impl IdentityFault {
    fn error(self) -> IdentitySourceError {
        match self {
            Self::Refused(refusal) => IdentitySourceError::Refused(refusal),
            Self::Unavailable(retry) => IdentitySourceError::Unavailable {
                retry_after: retry.map(Duration::from_secs),
                source: "keystone is down, as the test says".into(),
            },
            Self::Malformed => IdentitySourceError::malformed("keystone lies, as the test says"),
            Self::NotConfigured => IdentitySourceError::NotConfigured {
                needs: "what the test leaves out",
            },
        }
    }
}

/// What the fake was asked, in text that a test can compare.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "only tests use it")]
pub enum Asked {
    /// An application credential by id and secret.
    ApplicationCredential(String, String),
    /// An application credential without secret: id, user, project.
    MintedApplicationCredential(String, String, String),
    /// A user and a project.
    MintedUser(String, String),
}

impl Asked {
    fn by(login: &MachineLogin<'_>) -> Self {
        match *login {
            MachineLogin::ApplicationCredential { id, secret } => {
                Self::ApplicationCredential(id.to_string(), secret.to_owned())
            }
            MachineLogin::MintedApplicationCredential {
                id,
                user_id,
                project_id,
            } => {
                Self::MintedApplicationCredential(id.to_string(), user_id.to_string(), project_id.to_string())
            }
            MachineLogin::MintedUser { user_id, project_id } => {
                Self::MintedUser(user_id.to_string(), project_id.to_string())
            }
        }
    }
}

/// The user `u1` of `demo` with the role `member` in this project of `demo`.
#[must_use]
pub fn machine_authority(project: &str) -> Authority {
    machine_authority_with(project, &["member"])
}

fn machine_authority_with(project: &str, roles: &[&str]) -> Authority {
    let roles = roles.iter().map(|role| RoleName::parse(role).expect("a role"));
    Authority::project(
        UserRef::new("u1", "ci-runner", "demo")
            .and_then(|user| user.with_domain_name("Demonstration"))
            .expect("a user"),
        ProjectScope::new(project, "builds", "demo")
            .and_then(|project| project.with_domain_name("Demonstration"))
            .expect("a project"),
        roles.collect(),
    )
    .expect("an authority")
}

#[derive(Debug)]
struct State {
    answer: Arc<Delegated>,
    fault: Option<IdentityFault>,
    cannot_bind: bool,
    asked: Vec<Asked>,
}

/// An identity source whose answer and whose faults the test sets. Clones share them.
///
/// It starts with the authority of [`machine_authority`] over `p1`, by an application credential `ac1` without an end.
#[derive(Debug, Clone)]
pub struct FakeIdentity(Arc<Mutex<State>>);

impl Default for FakeIdentity {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(State {
            answer: Arc::new(Delegated {
                authority: machine_authority("p1"),
                method: DelegationMethod::ApplicationCredential,
                application_credential: Some(UsedApplicationCredential {
                    id: ApplicationCredentialId::parse("ac1").expect("an id"),
                    name: Name::parse("ci").expect("a name"),
                    restricted: true,
                }),
                expires_at: None,
                read_at: unix_time(crate::START),
            }),
            fault: None,
            cannot_bind: false,
            asked: Vec::new(),
        })))
    }
}

impl FakeIdentity {
    /// Changes the answer.
    pub fn change(&self, change: impl FnOnce(&mut Delegated)) {
        change(Arc::make_mut(&mut self.state().answer));
    }

    /// Gives the user these roles in the project.
    pub fn set_roles(&self, project: &str, roles: &[&str]) {
        self.change(|answer| answer.authority = machine_authority_with(project, roles));
    }

    /// Fails with this from now on; `None` answers again.
    pub fn set_fault(&self, fault: Option<IdentityFault>) {
        self.state().fault = fault;
    }

    /// Has no key to make tokens with from now on: it is not configured for a bound one.
    pub fn cannot_bind(&self) {
        self.state().cannot_bind = true;
    }

    /// Everything that it was asked since it was last looked at.
    #[must_use]
    pub fn take_asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.state().asked)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, login: &MachineLogin<'_>) -> Result<Arc<Delegated>, IdentitySourceError> {
        let mut state = self.state();
        state.asked.push(Asked::by(login));
        match state.fault {
            Some(fault) => Err(fault.error()),
            None => Ok(state.answer.clone()),
        }
    }
}

#[async_trait]
impl IdentitySource for FakeIdentity {
    async fn machine(&self, login: &MachineLogin<'_>) -> Result<Arc<Delegated>, IdentitySourceError> {
        self.answer(login)
    }

    async fn keystone_token(
        &self,
        login: &MachineLogin<'_>,
        bound_to: Option<KeystoneBinding<'_>>,
        not_after: Option<UnixTime>,
    ) -> Result<KeystoneToken, IdentitySourceError> {
        let answer = self.answer(login)?;
        if bound_to.is_some() && self.state().cannot_bind {
            return Err(IdentityFault::NotConfigured.error());
        }
        let end = answer
            .expires_at
            .map_or(crate::START.saturating_add(3600), |end| end.as_secs());
        let end = bound_to.map_or(end, |bound_to| end.min(bound_to.not_after.as_secs()));
        let end = not_after.map_or(end, |latest| end.min(latest.as_secs()));
        let thumbprint = bound_to.map_or("nothing", |bound_to| bound_to.thumbprint);
        let text = format!("keystone-token-bound-to-{thumbprint}");
        Ok(KeystoneToken::new(
            text,
            UnixTime::since_unix_epoch(Duration::from_secs(end)),
        ))
    }
}
