use std::pin::pin;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::request::Parts;
use http::{Request, StatusCode};
use sealstone_oauth_types::{
    Form, IntrospectionRequest, PresentedClient, RequestError, RevocationRequest, TokenRequest,
};
use sealstone_provider::{BackendError, DomainId, Peer, TokenError};
use serde_json::Value;

use crate::answer;
use crate::caller::Caller;
use crate::deadline::{Elapsed, within};
use crate::edge::Edge;
use crate::form::{self, ReadError};
use crate::limit::Suspect;
use crate::route::FormEndpoint;

/// The endpoints that a client authenticates at: `/token`, `/introspect`, `/revoke`.
impl Edge {
    pub(crate) async fn form(
        &self,
        endpoint: FormEndpoint,
        domain: &DomainId,
        request: Request<Body>,
        request_id: &str,
    ) -> Response {
        let (parts, body) = request.into_parts();
        let caller = Caller::of(&parts, &self.proxies);
        if let Err(wait) = self.limits.request(caller.address) {
            tracing::debug!(address = ?caller.address, "too many requests");
            return answer::too_many(wait);
        }
        let form = match form::read(&parts, body, self.body_deadline).await {
            Ok(form) => Ok(form),
            Err(ReadError::Request(error)) => Err(error),
            Err(ReadError::TooSlow) => return answer::too_slow(),
        };
        let (form, certificate) = match self.certificates.presented(&parts, &caller, self.clock.now()) {
            Ok(certificate) => (form, certificate),
            Err(error) => (form.and(Err(error)), None),
        };
        let peer = Peer {
            address: caller.address,
            certificate,
            request_id: request_id.to_owned(),
        };
        match endpoint {
            FormEndpoint::Introspection => self.introspect(domain, &parts, form, &peer).await,
            FormEndpoint::Revocation => self.revoke(domain, &parts, form, &peer).await,
            FormEndpoint::Token => self.token(domain, &parts, form, &peer).await,
        }
    }

    async fn token(
        &self,
        domain: &DomainId,
        parts: &Parts,
        form: Result<Form, RequestError>,
        peer: &Peer,
    ) -> Response {
        let request = form.and_then(|form| TokenRequest::parse(form::authorization(&parts.headers)?, &form));
        let suspect = match self.suspect(request.as_ref().map(|request| &request.client), peer) {
            Ok(suspect) => suspect,
            Err(wait) => return answer::too_many(wait),
        };
        let work = pin!(self.provider.token(domain, request, peer));
        let answered = within(self.request_deadline, work).await;
        match answered.unwrap_or_else(|Elapsed| Err(BackendError::Deadline.into())) {
            Ok(token) => answer::written(StatusCode::OK, token.to_json()),
            Err(failure) => self.refuse(&failure, suspect, peer),
        }
    }

    async fn introspect(
        &self,
        domain: &DomainId,
        parts: &Parts,
        form: Result<Form, RequestError>,
        peer: &Peer,
    ) -> Response {
        let request =
            form.and_then(|form| IntrospectionRequest::parse(form::authorization(&parts.headers)?, &form));
        let suspect = match self.suspect(request.as_ref().map(|request| &request.client), peer) {
            Ok(suspect) => suspect,
            Err(wait) => return answer::too_many(wait),
        };
        let work = pin!(self.provider.introspect(domain, request, peer));
        let answered = within(self.request_deadline, work).await;
        match answered.unwrap_or_else(|Elapsed| Err(BackendError::Deadline.into())) {
            Ok(found) => answer::json(StatusCode::OK, &found),
            Err(failure) => self.refuse(&failure, suspect, peer),
        }
    }

    async fn revoke(
        &self,
        domain: &DomainId,
        parts: &Parts,
        form: Result<Form, RequestError>,
        peer: &Peer,
    ) -> Response {
        let request =
            form.and_then(|form| RevocationRequest::parse(form::authorization(&parts.headers)?, &form));
        let suspect = match self.suspect(request.as_ref().map(|request| &request.client), peer) {
            Ok(suspect) => suspect,
            Err(wait) => return answer::too_many(wait),
        };
        let work = pin!(self.provider.revoke(domain, request, peer));
        let answered = within(self.request_deadline, work).await;
        match answered.unwrap_or_else(|Elapsed| Err(BackendError::Deadline.into())) {
            Ok(()) => answer::json(StatusCode::OK, &Value::Object(serde_json::Map::new())),
            Err(failure) => self.refuse(&failure, suspect, peer),
        }
    }

    /// Who is to blame if this authentication fails. Refused already if that happened too often: no secret is looked at.
    fn suspect(
        &self,
        client: Result<&PresentedClient, &RequestError>,
        peer: &Peer,
    ) -> Result<Option<Suspect>, Duration> {
        let claimed = client.ok().and_then(|client| client.id.as_deref());
        let suspect = self.limits.suspect(peer.address, claimed);
        self.limits
            .attempt(suspect)
            .map(|()| suspect)
            .inspect_err(|_wait| {
                tracing::info!(address = ?peer.address, "too many failed authentications");
            })
    }

    fn refuse(&self, failure: &TokenError, suspect: Option<Suspect>, peer: &Peer) -> Response {
        let response = answer::token_error(failure, &peer.request_id);
        if response.status() == StatusCode::UNAUTHORIZED {
            self.limits.failure(suspect);
        }
        response
    }
}
