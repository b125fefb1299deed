mod flat;

use crate::error::{BackendError, TokenError};
use crate::identity::Answer;
use crate::issuer::IssuerState;
use crate::peer::Peer;
use crate::provider::Provider;
use rustls_pki_types::UnixTime;
use sealstone_audit::{Action, Target};
use sealstone_grants::Denial;
use sealstone_grants::identity::IdentityQuestion;
use sealstone_grants::inspect::{self, Disclosure, Seen, Standing};
use sealstone_identity::DomainId;
use sealstone_oauth_types::{IntrospectionRequest, IntrospectionResponse, RequestError, TokenId, TokenType};
use sealstone_registry::{Client, IntrospectionFormat};
use sealstone_tokens::{OpenstackContext, Possession, VerifiedToken};

impl Provider {
    /// Tells whether a token is good now, and what it says (RFC 7662).
    ///
    /// A token of another issuer, revoked, expired, malformed, of a client that is gone or disabled, or not for the
    /// caller to know of, is inactive and nothing else.
    ///
    /// # Errors
    /// [`TokenError`] for a caller that may not ask.
    pub async fn introspect(
        &self,
        domain: &DomainId,
        request: Result<IntrospectionRequest, RequestError>,
        peer: &Peer,
    ) -> Result<IntrospectionResponse, TokenError> {
        let issuer = self.issuer(domain)?;
        let client = request.as_ref().ok().map(|request| &request.client);
        let attempt = self.attempt(Action::IntrospectToken, client, peer)?;
        let result = self.look_at(&issuer, request, peer, attempt.now).await;
        let target = match &result {
            Ok(IntrospectionResponse {
                jti: Some(token_id), ..
            }) => Target::Token(token_id.as_str().into()),
            Ok(_) | Err(_) => Target::Issuer(domain.as_str().into()),
        };
        self.record(&attempt, target, result.as_ref().err())?;
        result
    }

    async fn look_at(
        &self,
        issuer: &IssuerState,
        request: Result<IntrospectionRequest, RequestError>,
        peer: &Peer,
        now: UnixTime,
    ) -> Result<IntrospectionResponse, TokenError> {
        let request = request.map_err(Denial::Malformed)?;
        let caller = self.authenticate(request.client, peer, issuer, now).await?;
        inspect::may_introspect(&caller)?;
        let Some(token) = issuer.verify(request.token.expose(), now) else {
            let family = Box::pin(self.look_at_refresh_token(issuer, &caller, &request.token, now));
            return Ok(family.await?);
        };
        let seen = Seen {
            audience: &token.audience,
            issued_to: &token.client_id,
            openstack_audience: &issuer.openstack_audience,
        };
        match inspect::disclosure(caller.client(), seen) {
            Disclosure::Shown => {}
            Disclosure::Hidden => return Ok(IntrospectionResponse::inactive()),
        }
        let owner = self.0.ports.clients.client(&token.client_id).await?;
        let owner = owner.filter(|owner| owner.is_enabled() && owner.domain() == &issuer.domain);
        let Some(owner) = owner else {
            return Ok(IntrospectionResponse::inactive());
        };
        let format = caller.client().introspection_format();
        if token.login().is_some() {
            return Ok(Box::pin(self.describe_of_person(issuer, &owner, token, format, now)).await?);
        }
        let stands = match inspect::standing(&owner, token.authority.as_ref(), token.issued_at) {
            Standing::Stands => true,
            Standing::Lost => false,
            Standing::Ask(question) => Box::pin(self.still_stands(&owner, question, &token, now)).await?,
        };
        if stands {
            Ok(describe(issuer, token, owner.name(), format))
        } else {
            Ok(IntrospectionResponse::inactive())
        }
    }

    /// Whether OpenStack still gives the client all that the token carries: a user disabled or a role removed ends it
    /// here. What can't be asked is an error, never a yes.
    async fn still_stands(
        &self,
        owner: &Client,
        question: IdentityQuestion<'_>,
        token: &VerifiedToken,
        now: UnixTime,
    ) -> Result<bool, BackendError> {
        let Some(carried) = &token.authority else {
            return Ok(true);
        };
        Ok(match self.ask(owner, question).await? {
            Answer::Given(delegated) => inspect::still_stands(owner, &delegated, carried, now),
            Answer::Refused(_) => false,
        })
    }
}

impl IssuerState {
    /// The token if it is one of this issuer's and good now, whoever holds it.
    pub(crate) fn verify(&self, token: &str, now: UnixTime) -> Option<VerifiedToken> {
        let keys = self.keys.load();
        self.verifier
            .verify(token, &keys.verifiers, Possession::LeftToCaller, self, now)
            .ok()
    }
}

pub(crate) fn describe(
    issuer: &IssuerState,
    token: VerifiedToken,
    username: &str,
    format: IntrospectionFormat,
) -> IntrospectionResponse {
    // A binding that can't be told is not left out: whoever asked would take the token from anybody.
    let Ok(cnf) = token.confirmation.map(serde_json::to_value).transpose() else {
        return IntrospectionResponse::inactive();
    };
    let mut answer = IntrospectionResponse::active();
    answer.cnf = cnf;
    answer.iss = Some(issuer.issuer.clone());
    answer.jti = TokenId::parse(&token.token_id).ok();
    answer.scope = Some(token.scope).filter(|scope| !scope.is_empty());
    answer.username = Some(username.to_owned());
    answer.token_type = Some(TokenType::Bearer);
    answer.exp = Some(token.expires_at.as_secs());
    answer.iat = Some(token.issued_at.as_secs());
    answer.nbf = token.not_before.map(|time| time.as_secs());
    answer.sub = Some(token.subject);
    answer.client_id = Some(token.client_id);
    answer.aud = token.audience;
    if format == IntrospectionFormat::Keystonemiddleware {
        // Nothing of a template: one of its claims could bear the name of a member that is left out here.
        let Some((user, members)) = token
            .authority
            .as_ref()
            .and_then(|authority| Some((authority.user(), flat::members(authority)?)))
        else {
            return IntrospectionResponse::inactive();
        };
        answer.username = Some(user.name().as_str().to_owned());
        answer.extra = members;
        return answer;
    }
    answer.extra = token.other;
    if let Some(authority) = &token.authority
        && let Ok(context) = serde_json::to_value(OpenstackContext::from(authority))
    {
        answer.extra.insert("openstack_context".to_owned(), context);
    }
    if let Some(delegation) = &token.delegation
        && let Ok(delegation) = serde_json::to_value(delegation)
    {
        answer.extra.insert("delegation_context".to_owned(), delegation);
    }
    answer
}
