//! The person, and what they may do, now.

use crate::error::BackendError;
use crate::issuer::IssuerState;
use crate::people::persons::answered;
use crate::people::ports::Realm;
use crate::people::sessions::is_upstream;
use crate::provider::Provider;
use rustls_pki_types::UnixTime;
use sealstone_grants::{PersonGrant, inspect};
use sealstone_identity::{AuthMethod, Delegated, DomainId, LoginRefusal, Person, ProjectId, UserId};
use sealstone_login::Sid;
use sealstone_registry::Client;
use sealstone_tokens::VerifiedToken;
use std::sync::Arc;

impl Provider {
    fn realm_of(&self, domain: &DomainId) -> Result<&Arc<Realm>, BackendError> {
        self.realm(domain).ok_or(BackendError::PersonNotConfigured {
            who: crate::people::persons::SOURCE,
            needs: "people in this domain",
        })
    }

    /// The person of a grant, now. Whom an upstream provider vouched for, the session knows, as long as it stands.
    pub(crate) async fn person_now(
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

impl Provider {
    /// The person of a verified access token, if they and their login still stand; `None` for a machine's.
    pub(crate) async fn person_of_token(
        &self,
        issuer: &IssuerState,
        owner: &Client,
        token: &VerifiedToken,
        now: UnixTime,
    ) -> Result<Option<Arc<Person>>, BackendError> {
        let (Some(login), Some(user)) = (token.login(), self.person_of(owner, token)?) else {
            return Ok(None);
        };
        let sid = login.sid.and_then(Sid::parse);
        let realm = self.realm_of(&issuer.domain)?;
        let vouched = if realm.config.policy.first.upstream {
            self.upstream_person(issuer, &user, sid.as_ref(), now).await?
        } else {
            None
        };
        let answer = match vouched {
            Some(answer) => answer,
            None if realm.source.is_none() => Err(LoginRefusal::Person),
            None => self.person_of_source(issuer, &user).await?,
        };
        let stands = inspect::person_stands(
            answer.as_deref().map_err(|refusal| *refusal),
            &user,
            login.auth_time,
        );
        Ok(answer.ok().filter(|_| stands))
    }

    /// Whom an upstream provider vouched for, the session knows; `None` for everybody else.
    async fn upstream_person(
        &self,
        issuer: &IssuerState,
        user: &UserId,
        sid: Option<&Sid>,
        now: UnixTime,
    ) -> Result<Option<Result<Arc<Person>, LoginRefusal>>, BackendError> {
        let (Some(people), Some(sid)) = (&self.0.ports.people, sid) else {
            return Ok(None);
        };
        let session = people.sessions.session_by_sid(&issuer.domain, sid).await?;
        match session.filter(is_upstream) {
            Some(_) => Ok(Some(self.person_of_session(issuer, user, Some(sid), now).await?)),
            None => Ok(None),
        }
    }

    /// Whether a person's token still stands with all that it carries: for whoever introspects it.
    pub(crate) async fn persons_token_stands(
        &self,
        issuer: &IssuerState,
        owner: &Client,
        token: &VerifiedToken,
        now: UnixTime,
    ) -> Result<Option<Arc<Person>>, BackendError> {
        let Some(person) = self.person_of_token(issuer, owner, token, now).await? else {
            return Ok(None);
        };
        let Some(carried) = &token.authority else {
            return Ok(Some(person));
        };
        let Some(project) = inspect::person_project(carried) else {
            return Ok(None);
        };
        let answer = self.authority_now(issuer, person.user.id(), project).await?;
        let stands = answer.is_ok_and(|now_given| inspect::person_authority_stands(&now_given, carried, now));
        Ok(stands.then_some(person))
    }
}
