use super::{Answer, Authorizing, Given, SignedIn};
use crate::{
    PersonGrant,
    code::{CODE_LIFETIME, CODE_MEMORY, CodeRecord},
    consent::{self, Consent},
};
use rustls_pki_types::UnixTime;
use sealstone_identity::ProjectId;
use sealstone_oauth_types::{CodeChallenge, Nonce, OpaqueToken, RedirectUri};
use std::time::Duration;

/// A client gets a code: for what, and what is remembered. Only [`decide`](super::decide) makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approved {
    grant: PersonGrant,
    redirect_uri: Option<RedirectUri>,
    challenge: Option<CodeChallenge>,
    nonce: Option<Nonce>,
    remembers: Option<Consent>,
}

impl Approved {
    pub(super) fn new(
        known: &Authorizing<'_>,
        signed_in: SignedIn<'_>,
        project: Option<ProjectId>,
        now: UnixTime,
    ) -> Self {
        let request = known.request;
        let session = signed_in.session;
        let grant = PersonGrant {
            domain: known.client.domain().clone(),
            client_id: known.client.id().clone(),
            client_created_at: known.client.created_at(),
            user_id: session.user_id().clone(),
            sid: Some(session.sid().clone()),
            session_ends_at: Some(session.ends_at()),
            authenticated_at: session.authenticated_at(),
            amr: session.amr().clone(),
            acr: session.acr(),
            scope: request.scope.clone(),
            resources: request.resources.clone(),
            project,
            claims: request.claims.clone(),
        };
        let is_answer = |given: &Given| {
            given.user_id == *session.user_id() && matches!(given.answer, Answer::Allowed { .. })
        };
        let answered = known.steps.given.is_some_and(is_answer);
        let before = known
            .consent
            .filter(|before| consent::is_of(before, known.client, session));
        let remembers = answered.then(|| consent::remembered(&grant, before, known.client, now));
        Self {
            redirect_uri: request.redirect_uri_sent.then(|| request.redirect_uri.clone()),
            challenge: request.challenge.clone(),
            nonce: request.nonce.clone(),
            grant,
            remembers,
        }
    }

    /// What the code stands for.
    #[must_use]
    pub const fn grant(&self) -> &PersonGrant {
        &self.grant
    }

    /// What is kept in place of the consent before, if the person was asked: before the code is made.
    #[must_use]
    pub const fn remembers(&self) -> Option<&Consent> {
        self.remembers.as_ref()
    }

    /// The code to keep. `code` is of a cryptographic random source, and goes to the client alone.
    #[must_use]
    pub fn into_code(self, code: &OpaqueToken, now: UnixTime) -> CodeRecord {
        let after = |span: Duration| {
            UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs().saturating_add(span.as_secs())))
        };
        CodeRecord {
            hash: code.hash(),
            grant: self.grant,
            redirect_uri: self.redirect_uri,
            challenge: self.challenge,
            nonce: self.nonce,
            issued_at: now,
            expires_at: after(CODE_LIFETIME),
            forget_at: after(CODE_MEMORY),
        }
    }
}
