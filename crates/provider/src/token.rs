use crate::audit_trail::Attempt;
use crate::error::{BackendError, TokenError};
use crate::issuer::IssuerState;
use crate::peer::Peer;
use crate::people::token::{Given, OfPerson};
use crate::provider::Provider;
use rustls_pki_types::UnixTime;
use sealstone_audit::{Action, Target as AuditTarget};
use sealstone_claims::ClaimsSubject;
use sealstone_grants::Denial;
use sealstone_grants::authenticate::Authenticated;
use sealstone_grants::token::{self, Granted, NeedsIdentity, Target, TokenStep};
use sealstone_identity::DomainId;
use sealstone_jose::{JwtBuffer, base64url};
use sealstone_oauth_types::{GrantRequest, PresentedClient, RequestError, TokenRequest, TokenResponse};
use sealstone_tokens::{AccessTokenClaims, Audience, DelegationContext, expiry};
use std::cell::RefCell;
use std::pin::Pin;

thread_local! {
    /// Kept from token to token, so that a second one allocates nothing to be built in.
    static BUFFER: RefCell<JwtBuffer> = RefCell::new(JwtBuffer::default());
}

impl Provider {
    /// Answers a token request (RFC 6749 §3.2). `request` is what parsing made of it: a refusal to parse is recorded
    /// like every other.
    ///
    /// # Errors
    /// [`TokenError`]; nothing was issued.
    pub async fn token(
        &self,
        domain: &DomainId,
        request: Result<TokenRequest, RequestError>,
        peer: &Peer,
    ) -> Result<TokenResponse, TokenError> {
        let issuer = self.issuer(domain)?;
        let client = request.as_ref().ok().map(|request| &request.client);
        let attempt = self.attempt(Action::IssueToken, client, peer)?;
        let token_id = base64url::encode(attempt.random.token);
        let result = match request {
            Ok(request) => {
                self.issue(&issuer, request.client, request.grant, &token_id, &attempt)
                    .await
            }
            Err(fault) => Err(Denial::Malformed(fault).into()),
        };
        let of = result.as_ref().ok().and_then(|given| given.of.as_deref());
        let target = match (&result, of) {
            // A repeated answer names the token that it repeats.
            (Ok(_), Some(of)) => AuditTarget::Token(of.token_id.as_str().into()),
            (Ok(_), None) => AuditTarget::Token(token_id.as_str().into()),
            (Err(_), _) => AuditTarget::Issuer(domain.as_str().into()),
        };
        let user = of.map(|of| of.user_id.as_str());
        self.record_of(&attempt, user, target, result.as_ref().err())?;
        result.map(|given| given.response)
    }

    #[expect(
        clippy::manual_async_fn,
        reason = "a function's arguments would lie in its future twice"
    )]
    fn issue<'a>(
        &'a self,
        issuer: &'a IssuerState,
        client: PresentedClient,
        grant: GrantRequest,
        token_id: &'a str,
        attempt: &'a Attempt<'a>,
    ) -> impl Future<Output = Result<Given, TokenError>> + Send + 'a {
        async move {
            let (peer, now) = (attempt.peer, attempt.now);
            let client = self.authenticate(client, peer, issuer, now).await?;
            let pending = match self.decide(issuer, client, grant, token_id, now)? {
                Decided::Issued(response) => return Ok(Given::new(response)),
                Decided::Pending(pending) => pending,
            };
            pending.await
        }
    }

    /// Apart from the future above, which stays as small as a machine's token needs it.
    fn of_person<'a>(
        &'a self,
        issuer: &'a IssuerState,
        asked: OfPerson,
        token_id: &'a str,
        now: UnixTime,
    ) -> Decided<'a> {
        Decided::Pending(Box::pin(self.for_person(issuer, asked, token_id, now)))
    }

    async fn of_tie(
        &self,
        issuer: &IssuerState,
        step: NeedsIdentity,
        token_id: &str,
        now: UnixTime,
    ) -> Result<Given, TokenError> {
        let granted = self.with_identity(step, now).await?;
        mint(issuer, granted, token_id, now).map(Given::new)
    }

    /// Not in the future above: what it works with would lie there as long as the longest request.
    fn decide<'a>(
        &'a self,
        issuer: &'a IssuerState,
        client: Authenticated,
        grant: GrantRequest,
        token_id: &'a str,
        now: UnixTime,
    ) -> Result<Decided<'a>, TokenError> {
        // Where nobody signs in, there is no grant of a person; a broker has fewer than others.
        let grant = match grant.of_person() {
            Some(kind) if !self.offers(&issuer.domain, kind) => GrantRequest::NotOffered(kind),
            Some(_) | None => grant,
        };
        match token::decide(client, grant, now)? {
            TokenStep::Granted(granted) => mint(issuer, granted, token_id, now).map(Decided::Issued),
            TokenStep::NeedsIdentity(step) => match self.remembered(&step)? {
                Some(delegated) => {
                    let granted = step.with_identity(delegated, now)?;
                    mint(issuer, granted, token_id, now).map(Decided::Issued)
                }
                None => Ok(Decided::Pending(Box::pin(
                    self.of_tie(issuer, step, token_id, now),
                ))),
            },
            TokenStep::NeedsCode(step) => Ok(self.of_person(issuer, OfPerson::Code(step), token_id, now)),
            TokenStep::NeedsFamily(step) => Ok(self.of_person(issuer, OfPerson::Family(step), token_id, now)),
            TokenStep::NeedsDevice(step) => Ok(self.of_person(issuer, OfPerson::Device(step), token_id, now)),
        }
    }
}

/// How far a request comes without asking anybody.
enum Decided<'a> {
    Issued(TokenResponse),
    Pending(Pin<Box<dyn Future<Output = Result<Given, TokenError>> + Send + 'a>>),
}

/// From what was granted to the answer: claims, lifetime, signature.
fn mint(
    issuer: &IssuerState,
    granted: Granted,
    token_id: &str,
    now: UnixTime,
) -> Result<TokenResponse, TokenError> {
    let client = granted.client();
    let audience = match granted.target() {
        Target::Client => Audience::One(client.id().as_str()),
        Target::OpenstackServices => Audience::One(&issuer.openstack_audience),
        Target::Resources(resources) => Audience::Resources(resources),
    };
    let authority = granted.authority();
    let delegation = granted.delegated().and_then(DelegationContext::of);
    let subject = ClaimsSubject {
        subject: client.id().as_str(),
        client_id: client.id().as_str(),
        client_name: client.name(),
        domain: &issuer.domain,
        authority,
    };
    let certificate_end = granted
        .bound_to()
        .map(sealstone_mtls::ClientCertificate::not_after);
    let ends = [certificate_end, granted.authority_ends_at()];
    let expires_at = expiry(now, client.effective_lifetime(), ends.into_iter().flatten());
    let thumbprint = granted
        .bound_to()
        .map(sealstone_mtls::ClientCertificate::thumbprint);
    let claims = AccessTokenClaims {
        issuer: &issuer.issuer,
        subject: client.id().as_str(),
        audience,
        client_id: client.id(),
        issued_at: now,
        expires_at,
        token_id,
        scope: granted.scope(),
        bound_to: thumbprint.as_ref(),
        login: None,
        userinfo: &[],
        authority,
        delegation: delegation.as_ref(),
        mapped: client.claims().map(&subject)?,
    };
    let keys = issuer.keys.load();
    let wanted = client.signing_algorithm();
    let mint = keys.mint(wanted).ok_or(BackendError::NoKey(wanted))?;
    let access_token = BUFFER.with_borrow_mut(|buffer| mint.mint(&claims, buffer).map(str::to_owned))?;
    let expires_in = expires_at.as_secs().saturating_sub(now.as_secs());
    Ok(TokenResponse::new(
        access_token,
        expires_in,
        Some(granted.into_scope()),
    ))
}
