//! A failure that several waiters are told of.

use std::{error::Error, fmt, sync::Arc, time::Duration};

use sealstone_identity::{IdentitySourceError, LoginError, LoginRefusal, Refusal};

use crate::{KeystoneError, KeystoneRefusal, MintError, Outage};

/// `R` tells refusals apart.
#[derive(Debug, Clone)]
pub(crate) enum Failure<R> {
    Refused(R),
    Unavailable(Option<Duration>, Cause),
    Malformed(Cause),
    NotConfigured(&'static str),
}

/// One error for several readers.
#[derive(Debug, Clone)]
pub(crate) struct Cause(Arc<dyn Error + Send + Sync>);

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

impl<R> Failure<R> {
    /// Keystone's error; a refusal of whom or what was asked about is `refused`.
    pub(crate) fn of(error: KeystoneError, refused: R) -> Self {
        let about = error.refusal().is_some_and(|refusal| {
            matches!(
                refusal,
                KeystoneRefusal::Unauthenticated | KeystoneRefusal::Forbidden | KeystoneRefusal::NotFound
            )
        });
        if about {
            Self::Refused(refused)
        } else {
            Self::of_outage(error)
        }
    }

    /// Keystone's error, where no refusal is about whom or what was asked about: our own account may not ask.
    pub(crate) fn of_ours(error: KeystoneError, needs: &'static str) -> Self {
        match &error {
            KeystoneError::Refused {
                refusal: KeystoneRefusal::Forbidden,
                ..
            } => Self::NotConfigured(needs),
            KeystoneError::Refused { .. } => Self::Unavailable(None, Cause(Arc::new(error))),
            KeystoneError::Unavailable { .. } | KeystoneError::Malformed { .. } => Self::of_outage(error),
        }
    }

    fn of_outage(error: KeystoneError) -> Self {
        match &error {
            KeystoneError::Unavailable { outage, .. } => {
                let retry_after = match outage {
                    Outage::LeftAlone { retry_after } => Some(*retry_after),
                    Outage::Busy { retry_after } => *retry_after,
                    Outage::Exchange(_) | Outage::Status(_) | Outage::Crowded => None,
                };
                Self::Unavailable(retry_after, Cause(Arc::new(error)))
            }
            KeystoneError::Refused { .. } | KeystoneError::Malformed { .. } => {
                Self::Malformed(Cause(Arc::new(error)))
            }
        }
    }

    /// An answer that cannot be believed, for this reason.
    pub(crate) fn malformed(error: impl Error + Send + Sync + 'static) -> Self {
        Self::Malformed(Cause(Arc::new(error)))
    }

    pub(crate) fn interrupted() -> Self {
        Self::Unavailable(None, Cause(Arc::new(Interrupted)))
    }
}

impl<R> From<MintError> for Failure<R> {
    fn from(error: MintError) -> Self {
        Self::Unavailable(None, Cause(Arc::new(error)))
    }
}

impl From<Failure<Refusal>> for IdentitySourceError {
    fn from(failure: Failure<Refusal>) -> Self {
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

impl From<Failure<LoginRefusal>> for LoginError {
    fn from(failure: Failure<LoginRefusal>) -> Self {
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
