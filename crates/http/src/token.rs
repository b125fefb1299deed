use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, Request, StatusCode};
use sealstone_oauth_types::{
    DeviceAuthorizationRequest, Form, IntrospectionRequest, OsOauth2Request, PresentedClient, RequestError,
    RevocationRequest, TokenRequest,
};
use sealstone_provider::{BackendError, DomainId, Peer, TokenError};
use serde_json::Value;
use std::ops::ControlFlow;
use std::pin::Pin;

use crate::answer;
use crate::caller::Caller;
use crate::deadline::{Elapsed, within};
use crate::edge::{Admitted, Edge};
use crate::form::{self, Fields, ReadError};
use crate::limit::Suspect;
use crate::os_oauth2;
use crate::route::FormEndpoint;

/// Where a form was sent to.
pub(crate) enum Place {
    /// An issuer's endpoint.
    Issuer(FormEndpoint, DomainId),
    /// Keystone's own token endpoint.
    Keystone,
}

/// A request of a client, whose form is still to be read.
pub(crate) struct Arrived {
    place: Place,
    peer: Peer,
    /// The `Authorization` header, or what is wrong with the head of the request.
    authorization: Result<Option<HeaderValue>, RequestError>,
    /// What a device calls itself; read only where a person is shown it.
    user_agent: Option<Box<str>>,
}

/// The endpoints that a client authenticates at: `/token`, `/introspect`, `/revoke`.
impl Edge {
    /// What the head of a request tells, before its body is read: from whom it comes, within which limit, with which
    /// certificate.
    pub(crate) fn arrived(
        &self,
        place: Place,
        request: Request<Body>,
        request_id: &str,
    ) -> ControlFlow<Response, Admitted> {
        let (parts, body) = request.into_parts();
        let caller = Caller::of(&parts, &self.proxies);
        if let Err(wait) = self.limits.request(caller.address) {
            tracing::debug!(address = ?caller.address, "too many requests");
            return ControlFlow::Break(answer::too_many(wait));
        }
        let fields = Fields::of(&parts.headers);
        let head = fields.head(&parts.uri);
        let (head, certificate) = match self.certificates.presented(&parts, &caller, self.clock.now()) {
            Ok(certificate) => (head, certificate),
            Err(error) => (head.and(Err(error)), None),
        };
        let peer = Peer {
            address: caller.address,
            certificate,
            request_id: request_id.to_owned(),
        };
        let is_device = matches!(place, Place::Issuer(FormEndpoint::DeviceAuthorization, _));
        let user_agent = is_device.then(|| form::user_agent(&parts.headers)).flatten();
        let arrived = Arrived {
            place,
            peer,
            user_agent,
            authorization: head.and_then(|()| fields.authorization()),
        };
        ControlFlow::Continue(Admitted::Form(arrived, body))
    }

    pub(crate) async fn form(&self, arrived: &Arrived, body: Body) -> Response {
        let peer = &arrived.peer;
        let form = match &arrived.authorization {
            Ok(_) => form::read(body, self.body_deadline).await,
            Err(fault) => Err(ReadError::Request(*fault)),
        };
        let form = match form {
            Ok(form) => Ok(form),
            Err(ReadError::Request(error)) => Err(error),
            Err(ReadError::TooSlow) => return answer::too_slow(),
        };
        // The provider's futures lie in allocations of their own: with this one they are more than the allocator hands
        // out without searching.
        let (endpoint, domain) = match &arrived.place {
            Place::Issuer(endpoint, domain) => (endpoint, domain),
            Place::Keystone => return Box::pin(self.os_oauth2(arrived, form)).await,
        };
        match endpoint {
            FormEndpoint::Token => {
                let request = parsed(arrived, form, TokenRequest::parse);
                let suspect = self.suspect(request.as_ref().ok().map(|request| &request.client), peer);
                let work = Box::pin(self.provider.token(domain, request, peer));
                match self.tried(peer, suspect, work).await {
                    Ok(Ok(token)) => answer::written(StatusCode::OK, token.to_json()),
                    Ok(Err(failure)) => self.refused(domain, suspect, peer, &failure),
                    Err(too_many) => too_many,
                }
            }
            FormEndpoint::Introspection => {
                let request = parsed(arrived, form, IntrospectionRequest::parse);
                let suspect = self.suspect(request.as_ref().ok().map(|request| &request.client), peer);
                let work = Box::pin(self.provider.introspect(domain, request, peer));
                let answer = |found| answer::json(StatusCode::OK, &found);
                self.ask(peer, suspect, work, answer).await
            }
            FormEndpoint::Revocation => {
                let request = parsed(arrived, form, RevocationRequest::parse);
                let suspect = self.suspect(request.as_ref().ok().map(|request| &request.client), peer);
                let work = Box::pin(self.provider.revoke(domain, request, peer));
                let answer = |()| answer::json(StatusCode::OK, &Value::Object(serde_json::Map::new()));
                self.ask(peer, suspect, work, answer).await
            }
            FormEndpoint::DeviceAuthorization => {
                Box::pin(self.device_authorization(domain, arrived, form)).await
            }
        }
    }

    async fn device_authorization(
        &self,
        domain: &DomainId,
        arrived: &Arrived,
        form: Result<Form, RequestError>,
    ) -> Response {
        let (peer, agent) = (&arrived.peer, arrived.user_agent.as_deref());
        let request = parsed(arrived, form, DeviceAuthorizationRequest::parse);
        let suspect = self.suspect(request.as_ref().ok().map(|request| &request.client), peer);
        let work = Box::pin(self.provider.device_authorization(domain, request, agent, peer));
        match self.tried(peer, suspect, work).await {
            Ok(Ok(codes)) => answer::json(StatusCode::OK, &codes),
            Ok(Err(failure)) => self.refused(domain, suspect, peer, &failure),
            Err(too_many) => too_many,
        }
    }

    /// A refusal, in the words of the domain's profile.
    fn refused(
        &self,
        domain: &DomainId,
        suspect: Option<Suspect>,
        peer: &Peer,
        failure: &TokenError,
    ) -> Response {
        match self.provider.outside_profile(domain, failure) {
            Some(refusal) => answer::outside_profile(refusal),
            None => self.blame(suspect, answer::token_error(failure, &peer.request_id)),
        }
    }

    /// Keystone's own token endpoint, in Keystone's own words.
    async fn os_oauth2(&self, arrived: &Arrived, form: Result<Form, RequestError>) -> Response {
        let peer = &arrived.peer;
        let parse = |authorization: Option<&str>, form: &Form| {
            OsOauth2Request::parse(authorization, form, peer.certificate.is_some())
        };
        let request = parsed(arrived, form, parse);
        let suspect = self.suspect(request.as_ref().ok().map(|request| &request.client), peer);
        let work = Box::pin(self.provider.keystone_token(request, peer));
        match self.tried(peer, suspect, work).await {
            Ok(answered) => {
                let response = os_oauth2::answer(&answered, &peer.request_id);
                self.blame(suspect, response)
            }
            Err(too_many) => too_many,
        }
    }

    /// Has the provider do the work, and answers with what it found.
    async fn ask<T, F: Future<Output = Result<T, TokenError>>>(
        &self,
        peer: &Peer,
        suspect: Option<Suspect>,
        work: Pin<Box<F>>,
        answer: impl FnOnce(T) -> Response,
    ) -> Response {
        match self.tried(peer, suspect, work).await {
            Ok(Ok(found)) => answer(found),
            Ok(Err(failure)) => self.blame(suspect, answer::token_error(&failure, &peer.request_id)),
            Err(too_many) => too_many,
        }
    }

    /// Has the provider do the work, unless whoever asks has failed too often already: then no secret is looked at.
    #[expect(
        clippy::manual_async_fn,
        reason = "a function's arguments would lie in its future twice"
    )]
    fn tried<'a, T: 'a, F: Future<Output = Result<T, TokenError>> + 'a>(
        &'a self,
        peer: &'a Peer,
        suspect: Option<Suspect>,
        work: Pin<Box<F>>,
    ) -> impl Future<Output = Result<Result<T, TokenError>, Response>> + 'a {
        async move {
            if let Err(wait) = self.limits.attempt(suspect) {
                tracing::info!(address = ?peer.address, "too many failed authentications");
                return Err(answer::too_many(wait));
            }
            let answered = within(self.request_deadline, work).await;
            Ok(answered.unwrap_or_else(|Elapsed| Err(BackendError::Deadline.into())))
        }
    }

    /// Who is to blame if this authentication fails.
    fn suspect(&self, client: Option<&PresentedClient>, peer: &Peer) -> Option<Suspect> {
        let claimed = client.and_then(|client| client.id.as_deref());
        self.limits.suspect(peer.address, claimed)
    }

    /// Counts a failed authentication.
    fn blame(&self, suspect: Option<Suspect>, response: Response) -> Response {
        if response.status() == StatusCode::UNAUTHORIZED {
            self.limits.failure(suspect);
        }
        response
    }
}

fn parsed<T>(
    arrived: &Arrived,
    form: Result<Form, RequestError>,
    parse: impl FnOnce(Option<&str>, &Form) -> Result<T, RequestError>,
) -> Result<T, RequestError> {
    let form = form?;
    let authorization = arrived.authorization.as_ref().map_err(|fault| *fault)?;
    // Visible ASCII: `form::authorization` has looked.
    let authorization = authorization.as_ref().and_then(|value| value.to_str().ok());
    parse(authorization, &form)
}
