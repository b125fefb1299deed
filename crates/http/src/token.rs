use axum::response::Response;
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use sealstone_oauth_types::{
    DeviceAuthorizationRequest, Form, IntrospectionRequest, OsOauth2Request, PresentedClient, RequestError,
    RevocationRequest, TokenRequest, TokenResponse,
};
use sealstone_provider::{BackendError, DomainId, Peer, Recorded, RequestId, TokenError, TokenTurn};
use serde_json::Value;
use std::ops::ControlFlow;
use std::pin::Pin;
use tokio::task::yield_now;

use crate::answer;
use crate::caller::Caller;
use crate::deadline::{Elapsed, within};
use crate::edge::{Admitted, Edge};
use crate::form::{self, Fields, ReadError, Readable};
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

/// An answer that is at hand, or comes.
enum Turn<'a> {
    Done(Response),
    /// Of whoever may be suspected, once others had their turn.
    Settles(Recorded<'a>, &'a DomainId, Option<Suspect>),
    Waits(Pin<Box<dyn Future<Output = Response> + Send + 'a>>),
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
        parts: &Parts,
        fields: &Fields<'_>,
        request_id: RequestId,
    ) -> ControlFlow<Response, Admitted> {
        let caller = Caller::of(parts, &self.proxies);
        if let Err(wait) = self.limits.request(caller.address) {
            tracing::debug!(address = ?caller.address, "too many requests");
            return ControlFlow::Break(answer::too_many(wait));
        }
        let head = fields.head(&parts.uri);
        let (head, certificate) = match self.certificates.presented(parts, &caller, || self.clock.now()) {
            Ok(certificate) => (head, certificate),
            Err(error) => (head.and(Err(error)), None),
        };
        let peer = Peer {
            address: caller.address,
            certificate,
            request_id,
        };
        let is_device = matches!(place, Place::Issuer(FormEndpoint::DeviceAuthorization, _));
        let user_agent = is_device.then(|| form::user_agent(&parts.headers)).flatten();
        let arrived = Arrived {
            place,
            peer,
            user_agent,
            authorization: head.and_then(|()| fields.authorization()),
        };
        ControlFlow::Continue(Admitted::Form(arrived))
    }

    pub(crate) async fn form(&self, arrived: &Arrived, body: impl Readable) -> Response {
        let form = match &arrived.authorization {
            Ok(_) => form::read(body, self.body_deadline).await,
            Err(fault) => Err(ReadError::Request(*fault)),
        };
        let form = match form {
            Ok(form) => Ok(form),
            Err(ReadError::Request(error)) => Err(error),
            Err(ReadError::TooSlow) => return answer::too_slow(),
        };
        match self.turn(arrived, form) {
            Turn::Done(response) => response,
            Turn::Settles(recorded, domain, suspect) => {
                // One write for the events of all requests that are there.
                yield_now().await;
                match recorded.settle() {
                    Ok(token) => answer::written(StatusCode::OK, TokenResponse::to_json(&token)),
                    Err(failure) => self.refused(domain, suspect, &arrived.peer, &failure),
                }
            }
            Turn::Waits(work) => work.await,
        }
    }

    /// What a client gets without anybody being waited for; all else lies in an allocation of its own, so that a machine's
    /// token costs no more than it needs.
    fn turn<'a>(&'a self, arrived: &'a Arrived, form: Result<Form, RequestError>) -> Turn<'a> {
        let (endpoint, domain) = match &arrived.place {
            Place::Issuer(endpoint, domain) => (endpoint, domain),
            Place::Keystone => return Turn::Waits(Box::pin(self.os_oauth2(arrived, form))),
        };
        Turn::Waits(match endpoint {
            FormEndpoint::Token => return self.token(domain, arrived, form),
            FormEndpoint::Introspection => Box::pin(self.introspection(domain, arrived, form)),
            FormEndpoint::Revocation => Box::pin(self.revocation(domain, arrived, form)),
            FormEndpoint::DeviceAuthorization => Box::pin(self.device_authorization(domain, arrived, form)),
        })
    }

    fn token<'a>(
        &'a self,
        domain: &'a DomainId,
        arrived: &'a Arrived,
        form: Result<Form, RequestError>,
    ) -> Turn<'a> {
        let peer = &arrived.peer;
        let request = parsed(arrived, form, TokenRequest::parse);
        let suspect = self.suspect(request.as_ref().ok().map(|request| &request.client), peer);
        if let Err(too_many) = self.attempt(peer, suspect) {
            return Turn::Done(too_many);
        }
        let answer = move |answered| match answered {
            Ok(token) => answer::written(StatusCode::OK, TokenResponse::to_json(&token)),
            Err(failure) => self.refused(domain, suspect, peer, &failure),
        };
        match self.provider.token(domain, request, peer) {
            TokenTurn::Done(answered) => Turn::Done(answer(answered)),
            TokenTurn::Recorded(recorded) => Turn::Settles(recorded, domain, suspect),
            TokenTurn::Waits(work) => Turn::Waits(Box::pin(async move {
                let answered = within(self.request_deadline, work).await;
                answer(answered.unwrap_or_else(|Elapsed| Err(BackendError::Deadline.into())))
            })),
        }
    }

    async fn introspection(
        &self,
        domain: &DomainId,
        arrived: &Arrived,
        form: Result<Form, RequestError>,
    ) -> Response {
        let peer = &arrived.peer;
        let request = parsed(arrived, form, IntrospectionRequest::parse);
        let suspect = self.suspect(request.as_ref().ok().map(|request| &request.client), peer);
        let work = Box::pin(self.provider.introspect(domain, request, peer));
        let answer = |found| answer::json(StatusCode::OK, &found);
        self.ask(peer, suspect, work, answer).await
    }

    async fn revocation(
        &self,
        domain: &DomainId,
        arrived: &Arrived,
        form: Result<Form, RequestError>,
    ) -> Response {
        let peer = &arrived.peer;
        let request = parsed(arrived, form, RevocationRequest::parse);
        let suspect = self.suspect(request.as_ref().ok().map(|request| &request.client), peer);
        let work = Box::pin(self.provider.revoke(domain, request, peer));
        let answer = |()| answer::json(StatusCode::OK, &Value::Object(serde_json::Map::new()));
        self.ask(peer, suspect, work, answer).await
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
            None => self.blame(suspect, answer::token_error(failure, peer.request_id.as_str())),
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
                let response = os_oauth2::answer(&answered, peer.request_id.as_str());
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
            Ok(Err(failure)) => self.blame(suspect, answer::token_error(&failure, peer.request_id.as_str())),
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
            self.attempt(peer, suspect)?;
            let answered = within(self.request_deadline, work).await;
            Ok(answered.unwrap_or_else(|Elapsed| Err(BackendError::Deadline.into())))
        }
    }

    /// Whether whoever asks may try.
    #[expect(clippy::result_large_err, reason = "the error is the answer")]
    fn attempt(&self, peer: &Peer, suspect: Option<Suspect>) -> Result<(), Response> {
        self.limits.attempt(suspect).map_err(|wait| {
            tracing::info!(address = ?peer.address, "too many failed authentications");
            answer::too_many(wait)
        })
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
