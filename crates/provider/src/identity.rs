//! Asks the identity source on behalf of the flows.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustls_pki_types::UnixTime;
use sealstone_grants::Denial;
use sealstone_grants::identity::IdentityQuestion;
use sealstone_grants::token::{Granted, NeedsIdentity};
use sealstone_identity::{Delegated, IdentitySource, IdentitySourceError, MachineLogin, Refusal};
use sealstone_keyring::{SecretPlace, SecretPurpose};
use sealstone_registry::Client;

use crate::error::{BackendError, TokenError};
use crate::provider::Provider;
use crate::sharded::Sharded;

/// How long a caller is asked to wait while OpenStack can't be asked and the source does not know better: about as long
/// as a node of Keystone takes to be replaced behind its balancer.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// Counts what the source said.
#[derive(Debug, Default)]
pub(crate) struct IdentityAnswers {
    /// Those that were remembered are as many as requests.
    given: Sharded<AtomicU64>,
    refused: AtomicU64,
    failed: AtomicU64,
}

impl IdentityAnswers {
    fn count(&self, answer: &Result<Answer, BackendError>) {
        let counter = match answer {
            Ok(Answer::Given(_)) => self.given.own().0,
            Ok(Answer::Refused(_)) => &self.refused,
            Err(_) => &self.failed,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// What the source said of a tie.
pub(crate) enum Answer {
    Given(Arc<Delegated>),
    Refused(Refusal),
}

impl Provider {
    pub(crate) async fn with_identity(
        &self,
        step: NeedsIdentity,
        now: UnixTime,
    ) -> Result<Granted, TokenError> {
        let question = step.question().ok_or(Denial::OtherIdentity)?;
        match self.ask(step.client(), question).await? {
            Answer::Given(delegated) => Ok(step.with_identity(delegated, now)?),
            Answer::Refused(refusal) => Err(Denial::IdentityRefused(refusal).into()),
        }
    }

    /// The same without waiting, where the source remembers the answer; `None`: it is to be asked.
    pub(crate) fn remembered(&self, step: &NeedsIdentity) -> Result<Option<Arc<Delegated>>, TokenError> {
        let (Some(source), Some(question)) = (self.0.ports.identity.as_deref(), step.question()) else {
            return Ok(None);
        };
        let remembered = source.remembered(&self.login(step.client(), question)?);
        if remembered.is_some() {
            self.0
                .identity_answers
                .given
                .own()
                .0
                .fetch_add(1, Ordering::Relaxed);
        }
        Ok(remembered)
    }

    /// Opens the secret if there is one, asks, and tells what is theirs from what is ours.
    pub(crate) async fn ask(
        &self,
        client: &Client,
        question: IdentityQuestion<'_>,
    ) -> Result<Answer, BackendError> {
        let source = self.identity_source()?;
        let login = self.login(client, question)?;
        let answer = match source.machine(&login).await {
            Ok(delegated) => Ok(Answer::Given(delegated)),
            Err(error) => refusal(error).map(Answer::Refused),
        };
        self.0.identity_answers.count(&answer);
        answer
    }

    /// What the identity source answered since the start: `given`, `refused` and `failed`, each with its count.
    #[must_use]
    pub fn identity_answers(&self) -> [(&'static str, u64); 3] {
        let answers = &self.0.identity_answers;
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        [
            ("given", answers.given.sum(load)),
            ("refused", load(&answers.refused)),
            ("failed", load(&answers.failed)),
        ]
    }

    pub(crate) fn identity_source(&self) -> Result<&dyn IdentitySource, BackendError> {
        let source = self.0.ports.identity.as_deref();
        source.ok_or(BackendError::IdentityNotConfigured {
            needs: "[keystone] in the server's configuration",
        })
    }

    /// The login that a question is about, with its secret in the clear if it has one.
    pub(crate) fn login<'a>(
        &self,
        client: &Client,
        question: IdentityQuestion<'a>,
    ) -> Result<MachineLogin<'a>, BackendError> {
        match question {
            IdentityQuestion::Login(login) => Ok(login),
            IdentityQuestion::Sealed { id, secret } => {
                let place = SecretPlace {
                    purpose: SecretPurpose::ApplicationCredential,
                    domain: client.domain().as_str(),
                    client: client.id().as_str(),
                };
                let kek = &self.0.config.key_encryption_key;
                let secret = secret.opened(|text| kek.open_secret(place, text))?;
                Ok(MachineLogin::ApplicationCredential { id, secret })
            }
        }
    }
}

/// What OpenStack refuses; everything else is ours to mend.
pub(crate) fn refusal(error: IdentitySourceError) -> Result<Refusal, BackendError> {
    match error {
        IdentitySourceError::Refused(refusal) => Ok(refusal),
        IdentitySourceError::Unavailable { retry_after, source } => Err(BackendError::IdentityUnavailable {
            retry_after: retry_after.unwrap_or(RETRY_AFTER),
            source,
        }),
        IdentitySourceError::Malformed { source } => Err(BackendError::IdentityMalformed {
            retry_after: RETRY_AFTER,
            source,
        }),
        IdentitySourceError::NotConfigured { needs } => Err(BackendError::IdentityNotConfigured { needs }),
    }
}
