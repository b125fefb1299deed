//! Asks the identity source on behalf of the flows.

use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::UnixTime;
use sealstone_grants::Denial;
use sealstone_grants::identity::IdentityQuestion;
use sealstone_grants::token::{Granted, NeedsIdentity};
use sealstone_identity::{Delegated, IdentitySourceError, MachineLogin, Refusal};
use sealstone_keyring::{SecretPlace, SecretPurpose};
use sealstone_registry::Client;

use crate::error::{BackendError, TokenError};
use crate::provider::Provider;

/// How long a caller is asked to wait while OpenStack can't be asked and the source does not know better: about as long
/// as a node of Keystone takes to be replaced behind its balancer.
const RETRY_AFTER: Duration = Duration::from_secs(2);

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

    /// Opens the secret if there is one, asks, and tells what is theirs from what is ours.
    pub(crate) async fn ask(
        &self,
        client: &Client,
        question: IdentityQuestion<'_>,
    ) -> Result<Answer, BackendError> {
        let source = self
            .0
            .ports
            .identity
            .as_deref()
            .ok_or(BackendError::IdentityNotConfigured {
                needs: "[keystone] in the server's configuration",
            })?;
        let answer = match question {
            IdentityQuestion::Login(login) => source.machine(&login).await,
            IdentityQuestion::Sealed { id, secret } => {
                let place = SecretPlace {
                    purpose: SecretPurpose::ApplicationCredential,
                    domain: client.domain().as_str(),
                    client: client.id().as_str(),
                };
                let kek = &self.0.config.key_encryption_key;
                let secret = kek.open_secret(place, secret.as_str())?;
                let login = MachineLogin::ApplicationCredential { id, secret: &secret };
                source.machine(&login).await
            }
        };
        match answer {
            Ok(delegated) => Ok(Answer::Given(delegated)),
            Err(IdentitySourceError::Refused(refusal)) => Ok(Answer::Refused(refusal)),
            Err(IdentitySourceError::Unavailable { retry_after, source }) => {
                Err(BackendError::IdentityUnavailable {
                    retry_after: retry_after.unwrap_or(RETRY_AFTER),
                    source,
                })
            }
            Err(IdentitySourceError::Malformed { source }) => Err(BackendError::IdentityMalformed {
                retry_after: RETRY_AFTER,
                source,
            }),
            Err(IdentitySourceError::NotConfigured { needs }) => {
                Err(BackendError::IdentityNotConfigured { needs })
            }
        }
    }
}
