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
