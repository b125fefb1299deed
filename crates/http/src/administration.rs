//! `/clients`, `/initial-access-tokens`, `/keys` and `/register`: who administers clients and keys, and clients that register
//! themselves.

use std::ops::ControlFlow;
use std::panic;
use std::pin::pin;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::response::Response;
use http::header::{
    AUTHORIZATION, CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH, LOCATION, ORIGIN, WWW_AUTHENTICATE,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method as HttpMethod, StatusCode};
use sealstone_provider::{
    AdministrationAnswer, AdministrationDenial, AdministrationError, AdministrationRequest, BackendError,
    Credentials, DomainId, KeysRequest, Peer, Preconditions, RegistrationRequest, RequestId, TokenError,
};
use sealstone_tls::LocalPeer;
use serde::Serialize;
use tracing::Instrument as _;

use crate::answer;
use crate::caller::Caller;
use crate::deadline::{Elapsed, within};
use crate::edge::{Admitted, Edge};
use crate::form::Fields;
use crate::limit::Suspect;
use crate::route::{AdminEndpoint, administered_name, issuer_path};

/// The longest body: a registration with sixteen keys and a full template fits twice.
const MAX_BODY: usize = 128 * 1024;
const X_AUTH_TOKEN: HeaderName = HeaderName::from_static("x-auth-token");
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// What failed authentications are counted under, beside their address: no client's id has a slash.
const SUSPECT: &str = "/clients";

/// A request of an administrator, or of a client about itself, whose body is still to be read.
pub(crate) struct Administering {
    endpoint: AdminEndpoint,
    domain: DomainId,
    method: HttpMethod,
    /// What the path names behind the endpoint, as written.
    name: String,
    query: Option<String>,
    headers: HeaderMap,
    local_user: Option<u32>,
    /// The client certificate's header could not be read.
    is_malformed: bool,
    peer: Peer,
}

impl Administering {
    fn proves_something(&self) -> bool {
        let has = |name| self.headers.contains_key(name);
        has(AUTHORIZATION)
            || has(X_AUTH_TOKEN)
            || self.peer.certificate.is_some()
            || self.local_user.is_some()
    }
}

impl Edge {
    pub(crate) fn administering(
        &self,
        endpoint: AdminEndpoint,
        domain: DomainId,
        parts: &Parts,
        request_id: RequestId,
    ) -> ControlFlow<Response, Admitted> {
        let caller = Caller::of(parts, &self.proxies);
        if let Err(wait) = self.limits.request(caller.address) {
            tracing::debug!(address = ?caller.address, "too many requests");
            return ControlFlow::Break(answer::too_many(wait));
        }
        let presented = self.certificates.presented(parts, &caller, || self.clock.now());
        let peer = Peer {
            address: caller.address,
            certificate: presented.as_ref().ok().cloned().flatten(),
            request_id,
        };
        let is_malformed = presented.is_err();
        let local_user = parts.extensions.get::<LocalPeer>().map(|local| local.user);
        let administering = Arc::new(Administering {
            endpoint,
            domain,
            method: parts.method.clone(),
            name: administered_name(parts.uri.path(), &self.base_path).to_owned(),
            query: parts.uri.query().map(str::to_owned),
            headers: parts.headers.clone(),
            local_user,
            is_malformed,
            peer,
        });
        ControlFlow::Continue(Admitted::Administrator(administering))
    }

    pub(crate) async fn administer(self: &Arc<Self>, asked: &Arc<Administering>, body: Body) -> Response {
        let suspect = self.limits.suspect(asked.peer.address, Some(SUSPECT));
        if let Err(wait) = self.limits.attempt(suspect) {
            tracing::info!(address = ?asked.peer.address, "too many failed authentications");
            return answer::too_many(wait);
        }
        // Of who proves nothing, nothing is read.
        let body = if asked.proves_something() {
            body
        } else {
            Body::empty()
        };
        let whole = pin!(axum::body::to_bytes(body, MAX_BODY));
        let body = match within(self.body_deadline, whole).await {
            Ok(Ok(body)) => body,
            Ok(Err(_too_long)) => return refused(&AdministrationDenial::TooLarge),
            Err(Elapsed) => return answer::too_slow(),
        };
        // A task of its own: whoever goes away once a change is on its way does not keep its event from being recorded, nor
        // a failure from being counted.
        let work = Arc::clone(self).carried_out(Arc::clone(asked), body, suspect);
        let work = tokio::spawn(work.in_current_span());
        match within(self.request_deadline, pin!(work)).await {
            Ok(Ok(response)) => response,
            Ok(Err(ended)) => match ended.try_into_panic() {
                Ok(panic) => panic::resume_unwind(panic),
                Err(_the_server_ends) => answer::fault(StatusCode::SERVICE_UNAVAILABLE),
            },
            Err(Elapsed) => {
                let late = AdministrationError::Backend(BackendError::Deadline);
                self.not_done(late, suspect, &asked.peer)
            }
        }
    }

    async fn carried_out(
        self: Arc<Self>,
        asked: Arc<Administering>,
        body: Bytes,
        suspect: Option<Suspect>,
    ) -> Response {
        match self.administered(&asked, &body).await {
            Ok(done) => self.done(&asked, done),
            Err(error) => self.not_done(error, suspect, &asked.peer),
        }
    }

    async fn administered(
        &self,
        asked: &Administering,
        body: &[u8],
    ) -> Result<AdministrationAnswer, AdministrationError> {
        let fields = Fields::of(&asked.headers);
        let malformed = || AdministrationError::Denied(AdministrationDenial::SeveralCredentials);
        let authorization = fields.authorization().map_err(|_repeated| malformed())?;
        let authorization = authorization.as_ref().and_then(|value| value.to_str().ok());
        let keystone_token = single(&asked.headers, &X_AUTH_TOKEN).map_err(|Repeated| malformed())?;
        if asked.is_malformed {
            return Err(AdministrationDenial::UntrustedCertificate.into());
        }
        let has_query = asked.query.is_some() && asked.endpoint != AdminEndpoint::Clients;
        if has_query || (asked.query.is_some() && asked.method != HttpMethod::GET) {
            return Err(AdministrationDenial::Query.into());
        }
        if !body.is_empty() && !is_json(&asked.headers) {
            return Err(AdministrationDenial::ContentType.into());
        }
        if let Some(request) = of_client(asked, body) {
            let work = self
                .provider
                .register(&asked.domain, request, authorization, &asked.peer);
            return Box::pin(work).await;
        }
        let credentials = Credentials {
            authorization,
            keystone_token,
            local_user: asked.local_user,
            is_of_a_page: is_of_a_page(&asked.headers),
        };
        if let Some(request) = of_keys(asked, body) {
            let work = self
                .provider
                .administer_keys(&asked.domain, request, &credentials, &asked.peer);
            return Box::pin(work).await;
        }
        let request = of_administrator(asked, body).ok_or(AdministrationError::UnknownIssuer)?;
        let preconditions = preconditions(&asked.headers)?;
        let work =
            self.provider
                .administer(&asked.domain, request, &preconditions, &credentials, &asked.peer);
        Box::pin(work).await
    }

    fn done(&self, asked: &Administering, done: AdministrationAnswer) -> Response {
        let status = StatusCode::from_u16(done.status).unwrap_or(StatusCode::OK);
        let mut response = match &done.body {
            Some(body) => answer::json(status, body),
            None => answer::empty(status),
        };
        let headers = response.headers_mut();
        if let Some(tag) = done.tag.and_then(|tag| HeaderValue::try_from(tag).ok()) {
            headers.insert(ETAG, tag);
        }
        if let Some(end) = done.location {
            let issuer = issuer_path(&self.base_path, asked.domain.as_str());
            if let Ok(location) = HeaderValue::try_from(format!("{issuer}/{end}")) {
                headers.insert(LOCATION, location);
            }
        }
        response
    }

    fn not_done(&self, error: AdministrationError, suspect: Option<Suspect>, peer: &Peer) -> Response {
        let denial = match error {
            AdministrationError::UnknownIssuer => return answer::not_found(),
            AdministrationError::Backend(cause) => {
                return answer::token_error(&TokenError::Backend(cause), peer.request_id.as_str());
            }
            AdministrationError::Denied(denial) => denial,
        };
        if denial.status() == 401 && denial != AdministrationDenial::NoCredential {
            self.limits.failure(suspect);
        }
        refused(&denial)
    }
}

/// What a client asks about itself.
fn of_client<'a>(asked: &'a Administering, body: &'a [u8]) -> Option<RegistrationRequest<'a>> {
    Some(match (asked.endpoint, &asked.method) {
        (AdminEndpoint::Register, _) => RegistrationRequest::Register(body),
        (AdminEndpoint::Registered, &HttpMethod::PUT) => RegistrationRequest::Update(&asked.name, body),
        (AdminEndpoint::Registered, &HttpMethod::DELETE) => RegistrationRequest::Delete(&asked.name),
        (AdminEndpoint::Registered, _) => RegistrationRequest::Read(&asked.name),
        (
            AdminEndpoint::Clients
            | AdminEndpoint::Client
            | AdminEndpoint::Secret
            | AdminEndpoint::Enable
            | AdminEndpoint::Disable
            | AdminEndpoint::InitialTokens
            | AdminEndpoint::InitialToken
            | AdminEndpoint::Keys
            | AdminEndpoint::KeyRevocation
            | AdminEndpoint::KeyConfirmation,
            _,
        ) => return None,
    })
}

/// What an administrator asks of signing keys.
fn of_keys<'a>(asked: &'a Administering, body: &'a [u8]) -> Option<KeysRequest<'a>> {
    let kid = asked.name.as_str();
    Some(match (asked.endpoint, &asked.method) {
        (AdminEndpoint::Keys, &HttpMethod::POST) => KeysRequest::Rotate(body),
        (AdminEndpoint::Keys, _) => KeysRequest::List,
        (AdminEndpoint::KeyRevocation, _) => KeysRequest::Revoke(kid, body),
        (AdminEndpoint::KeyConfirmation, _) => KeysRequest::Confirm(kid, body),
        (
            AdminEndpoint::Register
            | AdminEndpoint::Registered
            | AdminEndpoint::Clients
            | AdminEndpoint::Client
            | AdminEndpoint::Secret
            | AdminEndpoint::Enable
            | AdminEndpoint::Disable
            | AdminEndpoint::InitialTokens
            | AdminEndpoint::InitialToken,
            _,
        ) => return None,
    })
}

fn of_administrator<'a>(asked: &'a Administering, body: &'a [u8]) -> Option<AdministrationRequest<'a>> {
    let name = asked.name.as_str();
    let query = asked.query.as_deref().unwrap_or_default();
    Some(match (asked.endpoint, &asked.method) {
        (AdminEndpoint::Clients, &HttpMethod::POST) => AdministrationRequest::Create(body),
        (AdminEndpoint::Clients, _) => AdministrationRequest::List(query),
        (AdminEndpoint::Client, &HttpMethod::PUT) => AdministrationRequest::Put(name, body),
        (AdminEndpoint::Client, &HttpMethod::DELETE) => AdministrationRequest::Delete(name),
        (AdminEndpoint::Client, _) => AdministrationRequest::Show(name),
        (AdminEndpoint::Secret, _) => AdministrationRequest::RotateSecret(name, body),
        (AdminEndpoint::Enable, _) => AdministrationRequest::Enable(name, true),
        (AdminEndpoint::Disable, _) => AdministrationRequest::Enable(name, false),
        (AdminEndpoint::InitialTokens, &HttpMethod::POST) => AdministrationRequest::CreateInitialToken(body),
        (AdminEndpoint::InitialTokens, _) => AdministrationRequest::ListInitialTokens,
        (AdminEndpoint::InitialToken, _) => AdministrationRequest::DeleteInitialToken(name),
        (
            AdminEndpoint::Register
            | AdminEndpoint::Registered
            | AdminEndpoint::Keys
            | AdminEndpoint::KeyRevocation
            | AdminEndpoint::KeyConfirmation,
            _,
        ) => return None,
    })
}

fn preconditions(headers: &HeaderMap) -> Result<Preconditions, AdministrationError> {
    let malformed = |Repeated| AdministrationError::Denied(AdministrationDenial::PreconditionFailed);
    let if_match = single(headers, &IF_MATCH).map_err(malformed)?;
    let if_none_match = single(headers, &IF_NONE_MATCH).map_err(malformed)?;
    Ok(Preconditions {
        only_new: if_none_match == Some("*"),
        if_match: if_match.map(str::to_owned),
    })
}

/// Browsers name the page that a request comes from; programs do not.
fn is_of_a_page(headers: &HeaderMap) -> bool {
    headers.contains_key(ORIGIN) || headers.contains_key(SEC_FETCH_SITE)
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = single(headers, &CONTENT_TYPE).ok().flatten().unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}

struct Repeated;

/// The header's value, if it is there once and visible ASCII.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Repeated> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_binary| Repeated),
        (Some(_), Some(_)) => Err(Repeated),
    }
}

fn refused(denial: &AdministrationDenial) -> Response {
    #[derive(Serialize)]
    struct Refusal<'a> {
        error: &'a str,
        error_description: &'a str,
    }
    let status = StatusCode::from_u16(denial.status()).unwrap_or(StatusCode::BAD_REQUEST);
    let description = denial.description();
    let body = Refusal {
        error: denial.code(),
        error_description: &description,
    };
    let mut response = answer::json(status, &body);
    let why = if *denial == AdministrationDenial::NoCredential {
        String::new()
    } else if let AdministrationDenial::MissingScope(scope) = denial {
        format!(", error=\"insufficient_scope\", scope=\"{scope}\"")
    } else if status == StatusCode::UNAUTHORIZED {
        ", error=\"invalid_token\"".to_owned()
    } else {
        return response;
    };
    let challenge = format!("Bearer realm=\"sealstone\"{why}");
    if let Ok(challenge) = HeaderValue::try_from(challenge) {
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    response
}
