//! `/authorize`: from the request to the page that is due, and to the answer.

mod answer;
mod next;
mod pages;
mod submit;

pub(crate) use pages::{client_view, project_choices, scopes_shown};
pub(crate) use submit::offered;

use super::browser::{BrowserAnswer, BrowserContext};
use super::error::BrowserError;
use super::sign_in::Renders;
use super::turn::Turn;
use super::underway::{Draft, Underway};
use super::visit::{Step, Stop, Visit};
use crate::provider::Provider;
use sealstone_grants::authorize::{
    AuthorizationAnswer, AuthorizationDenial, Displayed, Hint, NeedsClient, Redirected,
};
use sealstone_grants::interaction::{AuthorizePurpose, Purpose};
use sealstone_identity::DomainId;
use sealstone_oauth_types::{
    AuthorizationHead, AuthorizationHeadError, AuthorizationParameters, AuthorizationRequest, Secret,
};
use sealstone_registry::Client;
use std::sync::Arc;

impl Provider {
    /// `GET` and `POST /authorize` (RFC 6749 §3.1, OpenID Connect Core §3.1.2.1): `encoded` is the query as it
    /// came, or the body of a form. The answer is a page, the client's answer, or a redirect to the upstream provider.
    ///
    /// Nothing is written before somebody has proved something.
    ///
    /// # Errors
    /// [`BrowserError`].
    pub async fn authorize(
        &self,
        domain: &DomainId,
        encoded: &[u8],
        browser: &BrowserContext,
    ) -> Result<BrowserAnswer, BrowserError> {
        let visit = self.visit(domain, browser)?;
        let result = Box::pin(visit.authorize(encoded)).await;
        visit.settle(result)
    }
}

impl Visit<'_> {
    async fn authorize(&self, encoded: &[u8]) -> Step<BrowserAnswer> {
        let (underway, client) = self.authorization_request(encoded).await?;
        let request = self.authorize_purpose(&underway)?;
        let answer = Box::pin(self.go_on_authorizing(underway, client, Turn::new(Renders::Now))).await;
        match answer {
            // Who asks without a page is told without one.
            Err(Stop::Fault(fault)) if request.demand.prompt.none => self.failed_silently(&request, *fault),
            answer => answer,
        }
    }

    /// The request, checked: every fault is told where it may be told.
    pub(crate) async fn authorization_request(&self, encoded: &[u8]) -> Step<(Underway, Arc<Client>)> {
        let parameters = AuthorizationParameters::parse(encoded);
        let parameters =
            parameters.map_err(|fault| Displayed::Malformed(AuthorizationHeadError::Form(fault)));
        let parameters = self.or_displayed(parameters)?;
        let step = self.or_displayed(NeedsClient::new(AuthorizationHead::parse(&parameters)))?;
        let found = self.provider.0.ports.clients.client(step.client_id()).await?;
        let step = self.or_displayed(step.with_client(found, self.domain()))?;
        let client = Arc::clone(step.client());
        let request = AuthorizationRequest::parse(&parameters);
        let step = self.or_redirected(&client, step.with_request(request))?;
        let hint = self.hint(&client, step.id_token_hint());
        let (client, request) = self.or_redirected(&client, step.with_hint(hint))?;
        self.within_profile(&client, &request)?;
        let text = String::from_utf8_lossy(encoded).into_owned();
        let underway = Underway::new(self, Purpose::Authorize(request), Draft::Authorize(text));
        Ok((underway, client))
    }

    /// A broker knows codes with PKCE alone, and compares redirect URIs whole, those on loopback too.
    fn within_profile(&self, client: &Client, request: &AuthorizePurpose) -> Step<()> {
        if !self.is_broker() {
            return Ok(());
        }
        if !client.redirect_uris().contains(&request.redirect_uri) {
            return Err(self.displayed(Displayed::UnregisteredRedirectUri)?);
        }
        if request.challenge.is_none() {
            let redirected = Redirected {
                answer: AuthorizationAnswer::of(request),
                denial: AuthorizationDenial::NoChallenge,
            };
            return Err(self.redirected(client, &redirected)?);
        }
        Ok(())
    }

    fn or_displayed<T>(&self, result: Result<T, Displayed>) -> Step<T> {
        match result {
            Ok(value) => Ok(value),
            Err(displayed) => Err(self.displayed(displayed)?),
        }
    }

    fn or_redirected<T>(&self, client: &Client, result: Result<T, Redirected>) -> Step<T> {
        match result {
            Ok(value) => Ok(value),
            Err(redirected) => Err(self.redirected(client, &redirected)?),
        }
    }

    /// Whom an ID token names that this issuer signed for this very client. It signs nobody in.
    fn hint(&self, client: &Client, sent: Option<&Secret>) -> Hint {
        let Some(sent) = sent else {
            return Hint::None;
        };
        match self.issuer.hint(sent, self.now) {
            Some(hint) if hint.client_id == *client.id() => Hint::Of(hint.subject),
            Some(_) | None => Hint::NotBelieved,
        }
    }
}
