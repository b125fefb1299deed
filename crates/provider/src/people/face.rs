//! What the edge calls for browsers.

use super::{BrowserAnswer, BrowserContext, BrowserError, Realm, UserinfoError};
use crate::error::TokenError;
use crate::peer::Peer;
use crate::provider::Provider;
use sealstone_identity::DomainId;
use sealstone_oauth_types::{
    BearerError, DeviceAuthorizationRequest, DeviceAuthorizationResponse, Form, RequestError, UserinfoRequest,
};
use std::sync::Arc;

impl Provider {
    pub(crate) fn realm(&self, domain: &DomainId) -> Option<&Arc<Realm>> {
        self.0.ports.people.as_ref()?.realm(domain)
    }

    /// Whether people sign in at the domain's issuer: else it has none of the pages and endpoints here.
    #[must_use]
    pub fn serves_people(&self, domain: &DomainId) -> bool {
        self.issuer_exists(domain) && self.realm(domain).is_some()
    }

    /// `GET` and `POST /authorize` (RFC 6749 §3.1, OpenID Connect Core §3.1.2.1): `encoded` is the query as it
    /// came, or the body of a form. The answer is a page, the client's answer, or a redirect to the upstream provider.
    ///
    /// # Errors
    /// [`BrowserError`].
    pub async fn authorize(
        &self,
        domain: &DomainId,
        encoded: &[u8],
        browser: &BrowserContext,
    ) -> Result<BrowserAnswer, BrowserError> {
        let _ = (domain, encoded, browser);
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

    /// `GET` and `POST /logout` (OpenID Connect RP-Initiated Logout §2), `encoded` as for [`authorize`](Self::authorize): ends the session at once only for a hint that
    /// proves who asks; else asks the person.
    ///
    /// # Errors
    /// [`BrowserError`].
    pub async fn end_session(
        &self,
        domain: &DomainId,
        encoded: &[u8],
        browser: &BrowserContext,
    ) -> Result<BrowserAnswer, BrowserError> {
        let _ = (domain, encoded, browser);
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

    /// `POST /device_authorization` (RFC 8628 §3.1). `user_agent` is shown to the person who decides.
    ///
    /// # Errors
    /// [`TokenError`]; nothing was made.
    pub async fn device_authorization(
        &self,
        domain: &DomainId,
        request: Result<DeviceAuthorizationRequest, RequestError>,
        user_agent: Option<&str>,
        peer: &Peer,
    ) -> Result<DeviceAuthorizationResponse, TokenError> {
        let _ = (domain, request, user_agent, peer);
        Err(TokenError::UnknownIssuer)
    }

    /// `GET` and `POST /userinfo` (OpenID Connect Core §5.3).
    ///
    /// # Errors
    /// [`UserinfoError`].
    pub async fn userinfo(
        &self,
        domain: &DomainId,
        request: Result<UserinfoRequest, BearerError>,
        peer: &Peer,
    ) -> Result<Userinfo, UserinfoError> {
        let _ = (domain, request, peer);
        Err(UserinfoError::UnknownIssuer)
    }
}

/// Who a token is of (OpenID Connect Core §5.3.2).
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "the edge writes each")]
pub enum Userinfo {
    /// `application/json`: this text.
    Json(Vec<u8>),
    /// `application/jwt`: signed, for a client that is registered so.
    Signed(String),
}
