//! `/logout` (OpenID Connect RP-Initiated Logout): who may end a session, and where the browser goes then.

use super::authorize::client_view;
use super::browser::{BrowserAnswer, BrowserContent, BrowserContext, SessionCookie};
use super::error::BrowserError;
use super::sign_in::person_view;
use super::underway::{Draft, Underway};
use super::view::{LoggedOutView, LogoutView, PageErrorKind, View};
use super::visit::{Step, Visit};
use crate::provider::Provider;
use sealstone_grants::interaction::{LogoutPurpose, Purpose, SignedIn as Known};
use sealstone_grants::logout::{AfterLogout, LogoutHint, LogoutNext, NeedsHint};
use sealstone_identity::DomainId;
use sealstone_oauth_types::{AuthorizationParameters, EndSessionError, EndSessionRequest, Form, Secret};

impl Provider {
    /// `GET` and `POST /logout` (OpenID Connect RP-Initiated Logout §2), `encoded` as for
    /// [`authorize`](Self::authorize): ends the session at once only for a hint that proves who asks; else asks the
    /// person.
    ///
    /// # Errors
    /// [`BrowserError`].
    pub async fn end_session(
        &self,
        domain: &DomainId,
        encoded: &[u8],
        browser: &BrowserContext,
    ) -> Result<BrowserAnswer, BrowserError> {
        let visit = self.visit(domain, browser)?;
        let result = Box::pin(visit.end_session(encoded)).await;
        visit.settle(result)
    }
}

impl Visit<'_> {
    async fn end_session(&self, encoded: &[u8]) -> Step<BrowserAnswer> {
        let signed_in = self.session().await?;
        match self.logout_due(encoded, signed_in.as_ref()).await? {
            LogoutNext::Ask(purpose) => {
                let text = String::from_utf8_lossy(encoded).into_owned();
                let underway = Underway::new(self, Purpose::Logout(purpose), Draft::Logout(text));
                Box::pin(self.ask_to_sign_out(underway)).await
            }
            LogoutNext::End(after) => {
                if let Some(signed_in) = signed_in {
                    self.sign_out(&signed_in.session).await?;
                }
                Ok(leave(after, true).with_session(SessionCookie::Clear))
            }
            LogoutNext::NobodySignedIn(after) => Ok(leave(after, true).with_session(SessionCookie::Clear)),
        }
    }

    /// What a request to sign out comes to, for who is signed in.
    async fn logout_due(
        &self,
        encoded: &[u8],
        signed_in: Option<&super::sessions::SignedIn>,
    ) -> Step<LogoutNext> {
        let parameters = AuthorizationParameters::parse(encoded).map_err(|_fault| EndSessionError::Encoding);
        let request = parameters.and_then(|parameters| EndSessionRequest::parse(&parameters));
        let step = NeedsHint::new(request);
        let hint = self.logout_hint(step.id_token_hint());
        let step = step.with_hint(hint);
        let found = match step.client_id() {
            Some(id) => self.provider.0.ports.clients.client(id).await?,
            None => None,
        };
        let asked = step.with_client(found, self.domain());
        let subject = match (asked.client(), signed_in) {
            (Some(client), Some(signed_in)) => self.provider.subject(client, signed_in.session.user_id())?,
            _ => String::new(),
        };
        Ok(asked.decide(signed_in.map(|signed_in| Known {
            session: &signed_in.session,
            subject: &subject,
        })))
    }

    fn logout_hint(&self, sent: Option<&Secret>) -> LogoutHint {
        match sent.map(|sent| self.issuer.hint(sent, self.now)) {
            None => LogoutHint::None,
            Some(Some(hint)) => LogoutHint::Of {
                client_id: hint.client_id,
                subject: hint.subject,
            },
            Some(None) => LogoutHint::NotBelieved,
        }
    }

    /// The page that asks; for a browser in which nobody is signed in, the one that says so.
    pub(crate) async fn ask_to_sign_out(&self, underway: Underway) -> Step<BrowserAnswer> {
        let Purpose::Logout(purpose) = &underway.interaction.purpose else {
            return Err(self.stop(PageErrorKind::Expired));
        };
        let Some(signed_in) = self.session().await? else {
            return Ok(leave(None, true));
        };
        let client = match &purpose.client_id {
            Some(id) => self.provider.0.ports.clients.client(id).await?,
            None => None,
        };
        Ok(BrowserAnswer::page(View::Logout(LogoutView {
            form: underway.form(self),
            client: client.map(|client| client_view(&client, purpose.redirect_uri.as_ref())),
            person: person_view(&signed_in.person),
        })))
    }

    /// The request that the page carried is judged anew: it asks the person again, or not.
    pub(crate) async fn submit_logout_request(&self, encoded: &[u8], form: &Form) -> Step<BrowserAnswer> {
        let signed_in = self.session().await?;
        match self.logout_due(encoded, signed_in.as_ref()).await? {
            LogoutNext::Ask(purpose) => self.pressed(&purpose, form).await,
            LogoutNext::End(after) | LogoutNext::NobodySignedIn(after) => {
                if let Some(signed_in) = signed_in {
                    self.sign_out(&signed_in.session).await?;
                }
                Ok(leave(after, true).with_session(SessionCookie::Clear))
            }
        }
    }

    pub(crate) async fn submit_logout(&self, underway: Underway, form: &Form) -> Step<BrowserAnswer> {
        self.take(&underway).await?;
        match &underway.interaction.purpose {
            Purpose::Logout(purpose) => self.pressed(purpose, form).await,
            Purpose::Authorize(_) | Purpose::Device { .. } | Purpose::Account => {
                Err(self.stop(PageErrorKind::Expired))
            }
        }
    }

    async fn pressed(&self, purpose: &LogoutPurpose, form: &Form) -> Step<BrowserAnswer> {
        if form.get("do") != Some("logout") {
            return Ok(leave(None, false));
        }
        if let Some(signed_in) = self.session().await? {
            self.sign_out(&signed_in.session).await?;
        }
        Ok(leave(AfterLogout::of(purpose), true).with_session(SessionCookie::Clear))
    }
}

/// To the client's registered address, or the page that says how it is.
fn leave(after: Option<AfterLogout>, ended: bool) -> BrowserAnswer {
    match after {
        Some(after) => BrowserAnswer::new(BrowserContent::Leave(Secret::from(after.url()))),
        None => BrowserAnswer::page(View::LoggedOut(LoggedOutView {
            ended,
            everywhere: false,
        })),
    }
}
