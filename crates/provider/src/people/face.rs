//! What the edge calls for browsers.

use super::{BrowserAnswer, BrowserContext, BrowserError};
use crate::provider::Provider;
use sealstone_identity::DomainId;
use sealstone_oauth_types::{Form, RequestError};

impl Provider {
    /// Whether people sign in at the domain's issuer: else it has none of the pages and endpoints here.
    #[must_use]
    pub fn serves_people(&self, domain: &DomainId) -> bool {
        self.issuer_exists(domain) && self.0.ports.people.is_some()
    }

    /// `GET` and `POST /authorize` (RFC 6749 §3.1, OpenID Connect Core §3.1.2.1): `parameters` are those of the query, or
    /// of the body. The answer is a page, the client's answer, or a redirect to the upstream provider.
    ///
    /// # Errors
    /// [`BrowserError`].
    pub async fn authorize(
        &self,
        domain: &DomainId,
        parameters: Result<Form, RequestError>,
        browser: &BrowserContext,
    ) -> Result<BrowserAnswer, BrowserError> {
        let _ = (domain, parameters, browser);
        Err(BrowserError::UnknownIssuer)
    }

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
        let _ = (domain, parameters, browser);
        Err(BrowserError::UnknownIssuer)
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
        let _ = (domain, form, browser);
        Err(BrowserError::UnknownIssuer)
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
        let _ = (domain, parameters, browser);
        Err(BrowserError::UnknownIssuer)
    }

    /// `GET /device`, with `user_code` or without (RFC 8628 §3.3): the page to type the code. It approves nothing.
    ///
    /// # Errors
    /// [`BrowserError`].
    pub async fn device_page(
        &self,
        domain: &DomainId,
        parameters: Result<Form, RequestError>,
        browser: &BrowserContext,
    ) -> Result<BrowserAnswer, BrowserError> {
        let _ = (domain, parameters, browser);
        Err(BrowserError::UnknownIssuer)
    }

    /// `GET` and `POST /logout` (OpenID Connect RP-Initiated Logout §2): ends the session at once only for a hint that
    /// proves who asks; else asks the person.
    ///
    /// # Errors
    /// [`BrowserError`].
    pub async fn end_session(
        &self,
        domain: &DomainId,
        parameters: Result<Form, RequestError>,
        browser: &BrowserContext,
    ) -> Result<BrowserAnswer, BrowserError> {
        let _ = (domain, parameters, browser);
        Err(BrowserError::UnknownIssuer)
    }

    /// `GET /account`: the person's own page; first the login, for a browser without session.
    ///
    /// # Errors
    /// [`BrowserError`].
    pub async fn account(
        &self,
        domain: &DomainId,
        browser: &BrowserContext,
    ) -> Result<BrowserAnswer, BrowserError> {
        let _ = (domain, browser);
        Err(BrowserError::UnknownIssuer)
    }
}
