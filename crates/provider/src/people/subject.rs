//! By which subject a client knows a person.

use crate::error::BackendError;
use crate::provider::Provider;
use sealstone_identity::UserId;
use sealstone_registry::Client;
use sealstone_tokens::{PairwiseError, PairwiseSubjects, VerifiedToken};

/// The key of pairwise subjects follows from the pepper, which never changes.
const PURPOSE: &str = "pairwise subjects";

impl Provider {
    fn pairwise(&self) -> Result<PairwiseSubjects, PairwiseError> {
        PairwiseSubjects::new(&self.0.config.pepper.derived_key(PURPOSE))
    }

    /// `sub` of this person for this client.
    pub(crate) fn subject(&self, client: &Client, user: &UserId) -> Result<String, BackendError> {
        Ok(match client.sector_identifier() {
            None => user.as_str().to_owned(),
            Some(sector) => self.pairwise()?.subject(sector, user.as_str())?,
        })
    }

    /// The person that a verified access token of this client is of; `None` for a machine's.
    pub(crate) fn person_of(
        &self,
        client: &Client,
        token: &VerifiedToken,
    ) -> Result<Option<UserId>, BackendError> {
        if token.login().is_none() {
            return Ok(None);
        }
        let user = match client.sector_identifier() {
            None => Some(token.subject.clone()),
            Some(sector) => self.pairwise()?.user_id(sector, &token.subject),
        };
        Ok(user.and_then(|user| UserId::parse(&user).ok()))
    }
}
