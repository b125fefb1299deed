//! `/interaction` and `/callback`: going on with what is under way.

use super::browser::{BrowserAnswer, BrowserContext};
use super::error::BrowserError;
use super::sign_in::{Refused, Renders};
use super::turn::Turn;
use super::underway::{Draft, Sent, Underway};
use super::view::PageErrorKind;
use super::visit::{Step, Visit};
use crate::provider::Provider;
use sealstone_grants::authorize::AuthorizationDenial;
use sealstone_grants::interaction::Purpose;
use sealstone_identity::DomainId;
use sealstone_login::UpstreamCallback;
use sealstone_oauth_types::{Form, RequestError};

impl Provider {
    /// `GET /interaction?id=…`: the page that a kept interaction stands at. Pages that wait load themselves anew here.
    ///
    /// # Errors
    /// [`BrowserError`].
    pub async fn interaction(
        &self,
        domain: &DomainId,
        parameters: Result<Form, RequestError>,
        browser: &BrowserContext,
    ) -> Result<BrowserAnswer, BrowserError> {
        let visit = self.visit(domain, browser)?;
        let result = Box::pin(visit.show(parameters)).await;
        visit.settle(result)
    }

    /// `POST /interaction`: what a page of ours sends. Every form of every [`View`](super::View) comes here.
    ///
    /// # Errors
    /// [`BrowserError`].
    pub async fn submit(
        &self,
        domain: &DomainId,
        form: Result<Form, RequestError>,
        browser: &BrowserContext,
    ) -> Result<BrowserAnswer, BrowserError> {
        let visit = self.visit(domain, browser)?;
        let result = Box::pin(visit.submit(form)).await;
        visit.settle(result)
    }

    /// `GET /callback`: back from the upstream provider.
    ///
    /// # Errors
    /// [`BrowserError`].
    pub async fn callback(
        &self,
        domain: &DomainId,
        parameters: Result<Form, RequestError>,
        browser: &BrowserContext,
    ) -> Result<BrowserAnswer, BrowserError> {
        let visit = self.visit(domain, browser)?;
        let result = Box::pin(visit.callback(parameters)).await;
        visit.settle(result)
    }
}

impl Visit<'_> {
    fn readable(&self, form: Result<Form, RequestError>) -> Step<Form> {
        form.map_err(|_malformed| self.stop(PageErrorKind::Request))
    }

    async fn show(&self, parameters: Result<Form, RequestError>) -> Step<BrowserAnswer> {
        let parameters = self.readable(parameters)?;
        let underway = self.stored(parameters.get("id").unwrap_or_default()).await?;
        self.go_on(underway, Turn::new(Renders::Now)).await
    }

    /// Goes on with what it is for.
    async fn go_on(&self, underway: Underway, turn: Turn) -> Step<BrowserAnswer> {
        match &underway.interaction.purpose {
            Purpose::Authorize(_) => {
                let client = self.client_of(&underway).await?;
                Box::pin(self.go_on_authorizing(underway, client, turn)).await
            }
            Purpose::Device { hash } => {
                let hash = *hash;
                Box::pin(self.go_on_with_device(underway, &hash, turn)).await
            }
            Purpose::Account => Box::pin(self.go_on_with_account(underway, turn)).await,
            Purpose::Logout(_) => Box::pin(self.ask_to_sign_out(underway)).await,
        }
    }

    async fn submit(&self, form: Result<Form, RequestError>) -> Step<BrowserAnswer> {
        let form = self.readable(form)?;
        let underway = match self.sent(&form).await? {
            Sent::Stored(underway) => *underway,
            Sent::Draft(Draft::Authorize(query)) => {
                let (underway, client) = self.authorization_request(query.as_bytes()).await?;
                return Box::pin(self.submit_authorize(underway, client, &form)).await;
            }
            Sent::Draft(Draft::Device(code)) => {
                let code = form.get("user_code").unwrap_or(&code).to_owned();
                match self.device_by_code(&code).await? {
                    Ok(underway) => underway,
                    Err(page) => return Ok(page),
                }
            }
            Sent::Draft(Draft::Account) => self.account_underway(),
            Sent::Draft(Draft::Logout(query)) => {
                return Box::pin(self.submit_logout_request(query.as_bytes(), &form)).await;
            }
        };
        match &underway.interaction.purpose {
            Purpose::Authorize(_) => {
                let client = self.client_of(&underway).await?;
                Box::pin(self.submit_authorize(underway, client, &form)).await
            }
            Purpose::Device { hash } => {
                let hash = *hash;
                Box::pin(self.submit_device(underway, &hash, &form)).await
            }
            Purpose::Account => Box::pin(self.submit_account(underway, &form)).await,
            Purpose::Logout(_) => Box::pin(self.submit_logout(underway, &form)).await,
        }
    }

    /// The `state` is the id of the interaction, so that it is this browser's or nobody's; whether it is the one that
    /// was sent is judged again by who sent it.
    async fn callback(&self, parameters: Result<Form, RequestError>) -> Step<BrowserAnswer> {
        let parameters = self.readable(parameters)?;
        let mut underway = self.stored(parameters.get("state").unwrap_or_default()).await?;
        let callback = UpstreamCallback {
            code: parameters.get("code"),
            state: parameters.get("state"),
            iss: parameters.get("iss"),
            error: parameters.get("error"),
        };
        let refused = match self.back_from_upstream(&mut underway, &callback).await? {
            Ok(()) => return self.go_on(underway, Turn::new(Renders::Later)).await,
            Err(refused) => refused,
        };
        self.sign_in_failed(&underway, &refused, underway.client())?;
        match (refused, &underway.interaction.purpose) {
            (Refused::Denied(denial), Purpose::Authorize(request)) => {
                let denial = AuthorizationDenial::LoginFailed(denial);
                self.refuse(&underway, &request.clone(), None, denial).await
            }
            (Refused::Denied(_) | Refused::Fault(..), _) => Err(self.stop(PageErrorKind::UpstreamRefused)),
        }
    }
}
