//! Asks the domain's source about a person.

use super::ports::Realm;
use crate::error::BackendError;
use sealstone_identity::{LoginError, LoginRefusal, LoginSource, Person, UserId};
use std::sync::Arc;
use std::time::Duration;

/// How long a caller is asked to wait while nobody can be asked and the source does not know better.
const RETRY_AFTER: Duration = Duration::from_secs(2);

pub(crate) const SOURCE: &str = "the source of people";
pub(crate) const SECOND_FACTOR: &str = "the authority for second factors";
pub(crate) const UPSTREAM: &str = "the upstream provider";

impl Realm {
    pub(crate) fn source(&self) -> Result<&dyn LoginSource, BackendError> {
        self.source.as_deref().ok_or(BackendError::PersonNotConfigured {
            who: SOURCE,
            needs: "a source of people for this domain",
        })
    }

    /// The person now. A refusal is theirs; everything else is ours, and nothing is granted on it.
    pub(crate) async fn person(
        &self,
        user: &UserId,
    ) -> Result<Result<Arc<Person>, LoginRefusal>, BackendError> {
        answered(self.source()?.person(user).await)
    }
}

/// What the source refused; everything else is ours to mend.
pub(crate) fn answered<T>(answer: Result<T, LoginError>) -> Result<Result<T, LoginRefusal>, BackendError> {
    match answer {
        Ok(answer) => Ok(Ok(answer)),
        Err(LoginError::Refused(refusal)) => Ok(Err(refusal)),
        Err(LoginError::Unavailable { retry_after, source }) => Err(BackendError::PersonUnavailable {
            who: SOURCE,
            retry_after: retry_after.unwrap_or(RETRY_AFTER),
            source,
        }),
        Err(LoginError::Malformed { source }) => Err(unavailable(SOURCE, source)),
        Err(LoginError::NotConfigured { needs }) => {
            Err(BackendError::PersonNotConfigured { who: SOURCE, needs })
        }
    }
}

pub(crate) fn unavailable(
    who: &'static str,
    source: Box<dyn std::error::Error + Send + Sync>,
) -> BackendError {
    BackendError::PersonUnavailable {
        who,
        retry_after: RETRY_AFTER,
        source,
    }
}
