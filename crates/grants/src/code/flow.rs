use super::{CodeState, StoredCode, checks};
use crate::{
    Denial, GrantDenial,
    authenticate::Authenticated,
    person::{Facts, NeedsPerson, Refused, Source, narrowing},
    token,
};
use rustls_pki_types::UnixTime;
use sealstone_login::{Session, Sid};
use sealstone_mtls::ClientCertificate;
use sealstone_oauth_types::{CodeVerifier, GrantType, OpaqueToken, RedirectUri, ResourceUri, TokenHash};
use sealstone_registry::Client;
use std::sync::Arc;

/// A client sent a code; it has not been looked up.
#[derive(Debug)]
pub struct NeedsCode {
    client: Arc<Client>,
    bound_to: Option<ClientCertificate>,
    hash: TokenHash,
    proof: CodeProof,
    resources: Vec<ResourceUri>,
}

/// What shows that the code was asked for by who brings it.
#[derive(Debug)]
pub(crate) struct CodeProof {
    pub(crate) redirect_uri: Option<RedirectUri>,
    pub(crate) verifier: Option<CodeVerifier>,
}

/// Begins an exchange (RFC 6749 §4.1.3).
pub(crate) fn begin(
    authenticated: Authenticated,
    code: &OpaqueToken,
    proof: CodeProof,
    resources: Vec<ResourceUri>,
    now: UnixTime,
) -> Result<NeedsCode, Denial> {
    let (client, certificate) = authenticated.into_parts();
    if !client.grants().contains(&GrantType::AuthorizationCode) {
        return Err(Denial::UnauthorizedGrantType);
    }
    let bound_to = token::binding::decide(&client, certificate, now)?;
    Ok(NeedsCode {
        client,
        bound_to,
        hash: code.hash(),
        proof,
        resources,
    })
}

impl NeedsCode {
    /// The client that asks.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The code to look up.
    #[must_use]
    pub const fn hash(&self) -> &TokenHash {
        &self.hash
    }

    /// Goes on with what the store of codes said.
    ///
    /// Whose code it is decides first: another client's request spends nothing. From then on a wrong proof spends it,
    /// and a second use ends what the first gave.
    ///
    /// # Errors
    /// [`Refused`] with [`GrantDenial::UnknownCode`], [`GrantDenial::CodeOfAnotherClient`],
    /// [`GrantDenial::RegisteredAnew`], [`GrantDenial::CodeSpent`], [`GrantDenial::CodeExpired`],
    /// [`GrantDenial::OtherRedirectUri`], [`GrantDenial::NoVerifier`], [`GrantDenial::WrongVerifier`],
    /// [`GrantDenial::UnexpectedVerifier`], [`GrantDenial::GrantLost`] or [`GrantDenial::TargetBeyondGrant`].
    pub fn with_code(self, stored: Option<Box<StoredCode>>, now: UnixTime) -> Result<NeedsSession, Refused> {
        let stored = stored.ok_or(GrantDenial::UnknownCode)?;
        let record = &stored.record;
        if !narrowing::is_of(&self.client, &record.grant) {
            return Err(GrantDenial::CodeOfAnotherClient.into());
        }
        let spend = |denial: GrantDenial| Refused::spending(denial, record.hash);
        if !narrowing::is_same_registration(&self.client, &record.grant) {
            return Err(spend(GrantDenial::RegisteredAnew));
        }
        match &stored.state {
            CodeState::Fresh => {}
            CodeState::Spent(_) => return Err(spend(GrantDenial::CodeSpent)),
        }
        checks::age(record, now).map_err(spend)?;
        checks::redirect_uri(record, self.proof.redirect_uri.as_ref()).map_err(spend)?;
        checks::verifier(record, self.proof.verifier.as_ref()).map_err(spend)?;
        let scope = narrowing::scope(&self.client, &record.grant, None)?;
        let target = narrowing::target(&self.client, &record.grant, &scope, &self.resources)?;
        let facts = Facts {
            client: self.client,
            grant: record.grant.clone(),
            scope,
            target,
            bound_to: self.bound_to,
            nonce: record.nonce.clone(),
        };
        Ok(NeedsSession {
            facts,
            hash: record.hash,
        })
    }
}

/// The code is good; whether the session in which it was given still stands is not known.
#[derive(Debug)]
pub struct NeedsSession {
    facts: Facts,
    hash: TokenHash,
}

impl NeedsSession {
    /// The session to look up, in the domain of the code.
    #[must_use]
    pub const fn sid(&self) -> Option<&Sid> {
        self.facts.grant.sid.as_ref()
    }

    /// Goes on with what the store of sessions said: who signed out while the code was on its way is signed out.
    ///
    /// # Errors
    /// [`Refused`] with [`GrantDenial::SessionEnded`].
    pub fn with_session(self, session: Option<&Session>, now: UnixTime) -> Result<NeedsPerson, Refused> {
        checks::session(&self.facts.grant, session, now)
            .map_err(|denial| Refused::spending(denial, self.hash))?;
        Ok(NeedsPerson {
            facts: self.facts,
            source: Source::Code(self.hash),
        })
    }
}
