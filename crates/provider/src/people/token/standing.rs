//! The person, and what they may do, now.

use crate::error::BackendError;
use crate::issuer::IssuerState;
use crate::people::persons::answered;
use crate::people::ports::Realm;
use crate::provider::Provider;
use rustls_pki_types::UnixTime;
use sealstone_grants::PersonGrant;
use sealstone_identity::{AuthMethod, Delegated, DomainId, LoginRefusal, Person, ProjectId, UserId};
use sealstone_login::Sid;
use std::sync::Arc;

impl Provider {
    fn realm_of(&self, domain: &DomainId) -> Result<&Arc<Realm>, BackendError> {
        self.realm(domain).ok_or(BackendError::PersonNotConfigured {
            who: crate::people::persons::SOURCE,
            needs: "people in this domain",
        })
    }

    /// The person of a grant, now. Whom an upstream provider vouched for, the session knows, as long as it stands.
    pub(super) async fn person_now(
        &self,
        issuer: &IssuerState,
        grant: &PersonGrant,
        now: UnixTime,
    ) -> Result<Result<Arc<Person>, LoginRefusal>, BackendError> {
        if grant.amr.methods().any(|method| method == AuthMethod::Upstream) {
            return self
                .person_of_session(issuer, &grant.user_id, grant.sid.as_ref(), now)
                .await;
        }
        self.person_of_source(issuer, &grant.user_id).await
    }

    pub(crate) async fn person_of_source(
        &self,
        issuer: &IssuerState,
        user: &UserId,
    ) -> Result<Result<Arc<Person>, LoginRefusal>, BackendError> {
        self.realm_of(&issuer.domain)?.person(user).await
    }

    pub(crate) async fn person_of_session(
        &self,
        issuer: &IssuerState,
        user: &UserId,
        sid: Option<&Sid>,
        now: UnixTime,
    ) -> Result<Result<Arc<Person>, LoginRefusal>, BackendError> {
        let (Some(people), Some(sid)) = (&self.0.ports.people, sid) else {
            return Ok(Err(LoginRefusal::Person));
        };
        let session = people.sessions.session_by_sid(&issuer.domain, sid).await?;
        let session = session
            .filter(|session| session.user_id() == user && session.standing(&issuer.domain, now).is_ok());
        Ok(session
            .map(|session| Arc::new(session.person().clone()))
            .ok_or(LoginRefusal::Person))
    }

    pub(crate) async fn authority_now(
        &self,
        issuer: &IssuerState,
        user: &UserId,
        project: &ProjectId,
    ) -> Result<Result<Arc<Delegated>, LoginRefusal>, BackendError> {
        let source = self.realm_of(&issuer.domain)?.source()?;
        answered(source.authority(user, project).await)
    }
}
