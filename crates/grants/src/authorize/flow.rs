use super::{
    AuthorizationAnswer, AuthorizationDenial, Displayed, Redirected, acr, client, grant, max_age, pkce,
    redirect_uri, scope, subject,
};
use crate::interaction::{AuthorizePurpose, LoginDemand};
use sealstone_identity::DomainId;
use sealstone_oauth_types::{
    AuthorizationFault, AuthorizationHead, AuthorizationHeadError, AuthorizationRequest, ClientId,
    RedirectUri, ResponseType, Secret,
};
use sealstone_registry::Client;
use std::sync::Arc;

/// Somebody asks in the name of a client; the registry has not been asked.
#[derive(Debug)]
pub struct NeedsClient {
    head: AuthorizationHead,
}

impl NeedsClient {
    /// Begins with who asks and where the answer shall go.
    ///
    /// # Errors
    /// [`Displayed::Malformed`].
    pub fn new(head: Result<AuthorizationHead, AuthorizationHeadError>) -> Result<Self, Displayed> {
        match head {
            Ok(head) => Ok(Self { head }),
            Err(fault) => Err(Displayed::Malformed(fault)),
        }
    }

    /// The client to look up.
    #[must_use]
    pub const fn client_id(&self) -> &ClientId {
        &self.head.client_id
    }

    /// Goes on with what the registry said, at the issuer of `domain`.
    ///
    /// # Errors
    /// [`Displayed`]: nothing is redirected anywhere.
    pub fn with_client(
        self,
        found: Option<Arc<Client>>,
        domain: &DomainId,
    ) -> Result<NeedsRequest, Displayed> {
        let client = client::check(found, domain)?;
        let redirect_uri = redirect_uri::check(&client, self.head.redirect_uri.as_ref())?;
        Ok(NeedsRequest {
            client,
            redirect_uri,
            redirect_uri_sent: self.head.redirect_uri.is_some(),
        })
    }
}

/// Client and redirect URI belong together; nothing else has been looked at.
#[derive(Debug)]
pub struct NeedsRequest {
    client: Arc<Client>,
    redirect_uri: RedirectUri,
    redirect_uri_sent: bool,
}

impl NeedsRequest {
    /// The client that asks.
    #[must_use]
    pub const fn client(&self) -> &Arc<Client> {
        &self.client
    }

    /// Goes on with the rest of the request.
    ///
    /// # Errors
    /// [`Redirected`]: the client is told.
    pub fn with_request(
        self,
        request: Result<AuthorizationRequest, AuthorizationFault>,
    ) -> Result<NeedsHint, Redirected> {
        let answer = |mode, state| AuthorizationAnswer::new(self.redirect_uri.clone(), mode, state);
        let request = match request {
            Ok(request) => request,
            Err(fault) => {
                return Err(Redirected {
                    answer: answer(fault.response_mode, fault.state),
                    denial: AuthorizationDenial::Malformed(fault.error),
                });
            }
        };
        let refused = |denial| Redirected {
            answer: answer(request.response_mode, request.state.clone()),
            denial,
        };
        match request.response_type {
            ResponseType::Code => grant::check(&self.client).map_err(refused)?,
        }
        pkce::check(&self.client, request.code_challenge.as_ref()).map_err(refused)?;
        let scope = scope::check(&self.client, request.scope.clone()).map_err(refused)?;
        scope::check_target(&self.client, &scope, &request.resources).map_err(refused)?;
        let acr = acr::decide(&self.client, &request.acr_values, request.claims.as_ref()).map_err(refused)?;
        let demand = LoginDemand {
            prompt: request.prompt,
            max_age: max_age::decide(&self.client, request.max_age),
            required_acr: acr.required,
            wished_acr: acr.wished,
            subject: None,
        };
        let purpose = AuthorizePurpose {
            client_id: self.client.id().clone(),
            client_created_at: self.client.created_at(),
            redirect_uri: self.redirect_uri,
            redirect_uri_sent: self.redirect_uri_sent,
            response_mode: request.response_mode,
            state: request.state,
            nonce: request.nonce,
            scope,
            resources: request.resources,
            challenge: request.code_challenge,
            demand,
            claims: request.claims,
            login_hint: request.login_hint,
            ui_locales: request.ui_locales,
        };
        Ok(NeedsHint {
            client: self.client,
            purpose,
            id_token_hint: request.id_token_hint,
        })
    }
}

/// All is checked but whom the client expects.
#[derive(Debug)]
pub struct NeedsHint {
    client: Arc<Client>,
    purpose: AuthorizePurpose,
    id_token_hint: Option<Secret>,
}

/// What is known of an `id_token_hint`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the rules decide on each")]
pub enum Hint {
    /// There is none.
    None,
    /// An ID token that this issuer signed for this very client, in date or not, with this `sub`.
    Of(String),
    /// Anything else: another signer, another client, `alg` none, no ID token at all.
    NotBelieved,
}

impl NeedsHint {
    /// The client that asks.
    #[must_use]
    pub const fn client(&self) -> &Arc<Client> {
        &self.client
    }

    /// The hint to verify, if there is one: signature, issuer, and the client among its audiences. Its end plays no part.
    #[must_use]
    pub const fn id_token_hint(&self) -> Option<&Secret> {
        self.id_token_hint.as_ref()
    }

    /// Goes on with what is known of the hint.
    ///
    /// # Errors
    /// [`Redirected`]: the client is told.
    pub fn with_hint(self, hint: Hint) -> Result<(Arc<Client>, Box<AuthorizePurpose>), Redirected> {
        let mut purpose = Box::new(self.purpose);
        match subject::decide(hint, purpose.claims.as_ref(), purpose.demand.prompt) {
            Ok(subject) => {
                purpose.demand.subject = subject;
                Ok((self.client, purpose))
            }
            Err(denial) => Err(Redirected {
                answer: AuthorizationAnswer::of(&purpose),
                denial,
            }),
        }
    }
}
