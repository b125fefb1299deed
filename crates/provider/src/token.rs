use crate::audit_trail::Attempt;
use crate::error::{BackendError, TokenError};
use crate::issuer::IssuerState;
use crate::peer::Peer;
use crate::people::token::{Given, OfPerson, Refusal};
use crate::provider::Provider;
use rustls_pki_types::UnixTime;
use sealstone_audit::{Action, Receipt, Target as AuditTarget};
use sealstone_claims::ClaimsSubject;
use sealstone_grants::Denial;
use sealstone_grants::authenticate::{Authenticated, Judged, NeedsClient, NeedsFirstUse, NeedsVerdict};
use sealstone_grants::token::{self, Granted, NeedsIdentity, Target, TokenStep};
use sealstone_identity::DomainId;
use sealstone_jose::{JwtBuffer, base64url};
use sealstone_oauth_types::{GrantRequest, GrantType, RequestError, TokenRequest, TokenResponse};
use sealstone_tokens::{AccessTokenClaims, Audience, DelegationContext, expiry};
use std::cell::RefCell;
use std::fmt;
use std::future::ready;
use std::pin::Pin;
use std::sync::Arc;

thread_local! {
    /// Kept from token to token, so that a second one allocates nothing to be built in.
    static BUFFER: RefCell<JwtBuffer> = RefCell::new(JwtBuffer::default());
}

impl Provider {
    /// Answers a token request (RFC 6749 §3.2). `request` is what parsing made of it: a refusal to parse is recorded
    /// like every other.
    ///
    /// Everything that needs no waiting is done by the call itself: for a machine that is known, all of it.
    pub fn token<'a>(
        &'a self,
        domain: &'a DomainId,
        request: Result<TokenRequest, RequestError>,
        peer: &'a Peer,
    ) -> TokenTurn<'a> {
        let client = request.as_ref().ok().map(|request| &request.client);
        let action = action_of(request.as_ref().ok());
        // Borrowed: a count of who holds it would go from core to core with every token.
        let issuers = self.0.issuers.load();
        let Some(issuer) = issuers.get(domain) else {
            return TokenTurn::Done(Err(TokenError::UnknownIssuer));
        };
        let attempt = match self.attempt(action, client, peer) {
            Ok(attempt) => attempt,
            Err(error) => return TokenTurn::Done(Err(error.into())),
        };
        let mut room = IssuedId::ROOM;
        let token_id = base64url::encode_into(attempt.random.token, &mut room);
        let step = match request {
            Ok(request) => self.begin(issuer, request, token_id, &attempt),
            Err(fault) => Err(Denial::Malformed(fault).into()),
        };
        match step {
            Ok(Step::Waits(waiting)) => {
                let issuer = Arc::clone(issuer);
                let token_id = IssuedId(room);
                TokenTurn::Waits(Box::pin(async move {
                    let token_id = token_id.as_str();
                    let result = self.waited(&issuer, waiting, token_id, attempt.now).await;
                    self.recorded(&issuer, &attempt, token_id, result)
                }))
            }
            Ok(Step::Issued(response)) => {
                let target = AuditTarget::Token(token_id.into());
                match self.begin_record(&attempt, None, target) {
                    Ok(receipt) => TokenTurn::Recorded(Recorded {
                        provider: self,
                        response,
                        receipt,
                    }),
                    Err(error) => TokenTurn::Done(Err(error.into())),
                }
            }
            Err(error) => TokenTurn::Done(self.recorded(issuer, &attempt, token_id, Err(error.into()))),
        }
    }

    /// Nothing is answered before it is recorded.
    fn recorded(
        &self,
        issuer: &IssuerState,
        attempt: &Attempt<'_>,
        token_id: &str,
        result: Result<Given, Refusal>,
    ) -> Result<TokenResponse, TokenError> {
        let given = match result {
            Ok(given) => given,
            Err(refusal) => {
                self.record_refusal(issuer, attempt, &refusal)?;
                return Err(refusal.error);
            }
        };
        let of = given.of.as_deref();
        // A repeated answer names the token that it repeats.
        let id = of.map_or(token_id, |of| of.token_id.as_str());
        let user = of.map(|of| of.user_id.as_str());
        self.record_of(attempt, user, AuditTarget::Token(id.into()), None)?;
        Ok(given.response)
    }

    /// As far as it goes without waiting.
    fn begin(
        &self,
        issuer: &IssuerState,
        request: TokenRequest,
        token_id: &str,
        attempt: &Attempt<'_>,
    ) -> Result<Step, TokenError> {
        let (grant, now) = (request.grant, attempt.now);
        let step = NeedsClient::new(request.client, attempt.peer.certificate.clone());
        let client = match step.client_id() {
            Some(id) => match self.0.ports.clients.remembered(id) {
                Some(client) => Some(client),
                None => return Ok(Step::Waits(Waiting::Client(step, grant))),
            },
            None => None,
        };
        self.judged(issuer, step.with_client(client), grant, token_id, now)
    }

    /// The rest: one thing after the other is waited for.
    async fn waited(
        &self,
        issuer: &IssuerState,
        mut waiting: Waiting,
        token_id: &str,
        now: UnixTime,
    ) -> Result<Given, Refusal> {
        loop {
            let step = match waiting {
                Waiting::Client(step, grant) => {
                    let client = match step.client_id() {
                        Some(id) => self.0.ports.clients.client(id).await?,
                        None => None,
                    };
                    self.judged(issuer, step.with_client(client), grant, token_id, now)?
                }
                Waiting::FirstUse(step, grant) => {
                    let client = self.with_use(*step).await?;
                    self.decide(issuer, client, grant, token_id, now)?
                }
                Waiting::Identity(step) => {
                    let granted = Box::pin(self.with_identity(*step, now)).await?;
                    Step::Issued(mint(issuer, granted, token_id, now)?)
                }
                Waiting::Person(asked) => {
                    return Box::pin(self.for_person(issuer, *asked, token_id, now)).await;
                }
            };
            match step {
                Step::Issued(response) => return Ok(Given::new(response)),
                Step::Waits(next) => waiting = next,
            }
        }
    }

    fn judged(
        &self,
        issuer: &IssuerState,
        step: NeedsVerdict,
        grant: GrantRequest,
        token_id: &str,
        now: UnixTime,
    ) -> Result<Step, TokenError> {
        match self.judge(step, issuer, now)? {
            Judged::Authenticated(client) => self.decide(issuer, client, grant, token_id, now),
            Judged::NeedsFirstUse(step) => Ok(Step::Waits(Waiting::FirstUse(Box::new(step), grant))),
        }
    }

    fn decide(
        &self,
        issuer: &IssuerState,
        client: Authenticated,
        grant: GrantRequest,
        token_id: &str,
        now: UnixTime,
    ) -> Result<Step, TokenError> {
        // From here on the client is who it says. A request too many spends nothing: no code, no refresh token.
        self.counted(&client)?;
        // Where nobody signs in, there is no grant of a person; a broker has fewer than others.
        let grant = match grant.of_person() {
            Some(kind) if !self.offers(&issuer.domain, kind) => GrantRequest::NotOffered(kind),
            Some(_) | None => grant,
        };
        let of_person = |asked| Ok(Step::Waits(Waiting::Person(Box::new(asked))));
        match token::decide(client, grant, now)? {
            TokenStep::Granted(granted) => mint(issuer, granted, token_id, now).map(Step::Issued),
            TokenStep::NeedsIdentity(step) => match self.remembered(&step)? {
                Some(delegated) => {
                    let granted = step.with_identity(delegated, now)?;
                    mint(issuer, granted, token_id, now).map(Step::Issued)
                }
                None => Ok(Step::Waits(Waiting::Identity(Box::new(step)))),
            },
            TokenStep::NeedsCode(step) => of_person(OfPerson::Code(step)),
            TokenStep::NeedsFamily(step) => of_person(OfPerson::Family(step)),
            TokenStep::NeedsDevice(step) => of_person(OfPerson::Device(step)),
        }
    }
}

/// As what a token request is recorded: with a refresh token it is something else than without.
const fn action_of(request: Option<&TokenRequest>) -> Action {
    match request {
        Some(TokenRequest {
            grant:
                GrantRequest::RefreshToken { .. }
                | GrantRequest::Malformed {
                    grant: GrantType::RefreshToken,
                    ..
                },
            ..
        }) => Action::RefreshToken,
        Some(_) | None => Action::IssueToken,
    }
}

/// The answer to a token request: at hand, or still to be waited for.
#[must_use = "what waits is not answered before it is awaited"]
#[expect(clippy::exhaustive_enums, reason = "whoever asks does one or the other")]
pub enum TokenTurn<'a> {
    /// All is done, and recorded.
    Done(Result<TokenResponse, TokenError>),
    /// All is done, and recorded with the next write of the audit trail.
    Recorded(Recorded<'a>),
    /// Somebody must be asked first.
    Waits(TokenFuture<'a>),
}

/// A token whose event has its place in the audit trail, and is not written yet.
#[must_use = "nobody gets the token before it is settled"]
#[derive(Debug)]
pub struct Recorded<'a> {
    provider: &'a Provider,
    response: TokenResponse,
    receipt: Receipt,
}

impl Recorded<'_> {
    /// The answer, once its event is kept. Who lets other requests have their turn before has one write for the events of
    /// all of them.
    ///
    /// # Errors
    /// [`TokenError::Backend`]: the event could not be kept, and nobody gets the token.
    pub fn settle(self) -> Result<TokenResponse, TokenError> {
        let kept = self.provider.0.ports.audit.settle(self.receipt);
        kept.map_err(BackendError::from)?;
        Ok(self.response)
    }
}

/// What is left to do of a token request.
pub type TokenFuture<'a> = Pin<Box<dyn Future<Output = Result<TokenResponse, TokenError>> + Send + 'a>>;

impl fmt::Debug for TokenTurn<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Done(_) => "TokenTurn::Done",
            Self::Recorded(_) => "TokenTurn::Recorded",
            Self::Waits(_) => "TokenTurn::Waits",
        })
    }
}

impl<'a> IntoFuture for TokenTurn<'a> {
    type Output = Result<TokenResponse, TokenError>;
    type IntoFuture = TokenFuture<'a>;

    fn into_future(self) -> TokenFuture<'a> {
        match self {
            Self::Done(result) => Box::pin(ready(result)),
            Self::Recorded(recorded) => Box::pin(ready(recorded.settle())),
            Self::Waits(waiting) => waiting,
        }
    }
}

/// How far a request comes without waiting.
enum Step {
    Issued(TokenResponse),
    Waits(Waiting),
}

/// What is waited for.
enum Waiting {
    /// The registry.
    Client(NeedsClient, GrantRequest),
    /// The store of assertions.
    FirstUse(Box<NeedsFirstUse>, GrantRequest),
    /// What a tie gives.
    Identity(Box<NeedsIdentity>),
    /// What a person did.
    Person(Box<OfPerson>),
}

/// The `jti` of the token that may be issued: 16 octets in base64url, where it lies.
struct IssuedId([u8; 22]);

impl IssuedId {
    const ROOM: [u8; 22] = [0; 22];

    fn as_str(&self) -> &str {
        // Base64url is ASCII.
        str::from_utf8(&self.0).unwrap_or_default()
    }
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
        client_version: client.stated_version(now),
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
