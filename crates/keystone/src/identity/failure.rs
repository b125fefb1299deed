//! A failure that several waiters are told of.

use std::{error::Error, fmt, sync::Arc, time::Duration};

use sealstone_identity::{IdentitySourceError, Refusal};

use crate::{KeystoneError, KeystoneRefusal, MintError, Outage};

#[derive(Debug, Clone)]
pub(super) enum Failure {
    Refused(Refusal),
    Unavailable(Option<Duration>, Cause),
    Malformed(Cause),
    NotConfigured(&'static str),
}

/// One error for several readers.
#[derive(Debug, Clone)]
pub(super) struct Cause(Arc<dyn Error + Send + Sync>);

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl Error for Cause {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

impl Failure {
    /// Keystone's error; a refusal of the credential is `refused`.
    pub(super) fn of(error: KeystoneError, refused: Refusal) -> Self {
        match &error {
            KeystoneError::Refused { refusal, .. } => match refusal {
                KeystoneRefusal::Unauthenticated | KeystoneRefusal::Forbidden | KeystoneRefusal::NotFound => {
                    Self::Refused(refused)
                }
                KeystoneRefusal::BadRequest | KeystoneRefusal::Conflict | KeystoneRefusal::TooMuch => {
                    Self::Malformed(Cause(Arc::new(error)))
                }
            },
            KeystoneError::Unavailable { outage, .. } => {
                let retry_after = match outage {
                    Outage::LeftAlone { retry_after } => Some(*retry_after),
                    Outage::Busy { retry_after } => *retry_after,
                    Outage::Exchange(_) | Outage::Status(_) | Outage::Crowded => None,
                };
                Self::Unavailable(retry_after, Cause(Arc::new(error)))
            }
            KeystoneError::Malformed { .. } => Self::Malformed(Cause(Arc::new(error))),
        }
    }

    pub(super) fn interrupted() -> Self {
        Self::Unavailable(None, Cause(Arc::new(Interrupted)))
    }
}

impl From<MintError> for Failure {
    fn from(error: MintError) -> Self {
        Self::Unavailable(None, Cause(Arc::new(error)))
    }
}

impl From<Failure> for IdentitySourceError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(refusal) => Self::Refused(refusal),
            Failure::Unavailable(retry_after, cause) => Self::Unavailable {
                retry_after,
                source: Box::new(cause),
            },
            Failure::Malformed(cause) => Self::malformed(cause),
            Failure::NotConfigured(needs) => Self::NotConfigured { needs },
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the lookup was given up")]
struct Interrupted;
