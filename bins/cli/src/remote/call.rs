//! One request of an administrator, and what its answer means.

use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, header};
use sealstone_https::{HttpsClient, Limits, Settings};
use sealstone_oauth_types::Issuer;
use serde_json::{Map, Value};

use super::{CredentialArguments, credential::Credential};
use crate::{
    discovery,
    failure::{Failure, Outcome},
    http::{self as own_http, HttpClient, HttpError},
};

/// A page of 500 registrations with their keys fits.
const LARGEST: usize = 8 * 1024 * 1024;
/// The server itself ends a request after half of that.
const DEADLINE: Duration = Duration::from_secs(60);
const X_AUTH_TOKEN: HeaderName = HeaderName::from_static("x-auth-token");

/// The administration of what one issuer has.
pub(crate) struct Administration {
    client: HttpsClient,
    base: String,
    credential: Credential,
}

/// What the server answered.
pub(crate) struct Answer {
    pub(crate) members: Map<String, Value>,
    pub(crate) tag: Option<HeaderValue>,
}

impl Administration {
    pub(crate) async fn open(url: &str, arguments: &CredentialArguments) -> Outcome<Self> {
        let issuer = discovery::issuer(url)?;
        let credential = Credential::of(arguments).await?;
        let roots = own_http::authorities(arguments.ca.as_deref())?;
        let Some(pair) = credential.certificate() else {
            let settings = Settings::trusting(roots).context("TLS cannot be set up")?;
            return Ok(Self {
                client: HttpsClient::new(settings),
                base: issuer.as_str().to_owned(),
                credential,
            });
        };
        let base = with_certificates(&issuer, arguments).await?;
        let settings = Settings::presenting(roots, pair.chain, pair.key)
            .context("the private key does not belong to the certificate: give the pair")?;
        Ok(Self {
            client: HttpsClient::new(settings),
            base,
            credential,
        })
    }

    /// A client that must not be there yet.
    pub(crate) async fn only_new(&self, place: &str, body: &Value) -> Outcome<Answer> {
        let request = self
            .request(Method::PUT, place)
            .header(header::IF_NONE_MATCH, "*");
        self.exchange(request, Some(body)).await
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        place: &str,
        tag: Option<&HeaderValue>,
        body: Option<&Value>,
    ) -> Outcome<Answer> {
        let mut request = self.request(method, place);
        if let Some(tag) = tag {
            request = request.header(header::IF_MATCH, tag);
        }
        self.exchange(request, body).await
    }

    fn request(&self, method: Method, place: &str) -> http::request::Builder {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}/{place}", self.base))
            .header(header::ACCEPT, "application/json");
        if let Some(token) = self.credential.access_token() {
            request = request.header(header::AUTHORIZATION, token);
        }
        if let Some(token) = self.credential.keystone_token() {
            request = request.header(X_AUTH_TOKEN, token);
        }
        request
    }

    async fn exchange(&self, request: http::request::Builder, body: Option<&Value>) -> Outcome<Answer> {
        let request = match body {
            Some(body) => request
                .header(header::CONTENT_TYPE, "application/json")
                .body(Bytes::from(body.to_string())),
            None => request.body(Bytes::new()),
        };
        let request = request.map_err(|_| HttpError::Address {
            url: self.base.clone(),
        })?;
        let url = request.uri().to_string();
        let limits = Limits {
            deadline: DEADLINE,
            body: LARGEST,
        };
        let answer = self.client.exchange(request, limits).await;
        let answer = answer.map_err(|error| HttpError::of(url.clone(), error))?;
        let (head, body) = answer.into_parts();
        let read: Option<Value> = serde_json::from_slice(&body).ok();
        if !head.status.is_success() {
            let place = url.strip_prefix(&self.base).unwrap_or_default();
            return Err(refused(&url, place, head.status, read.as_ref()));
        }
        let members = match read {
            Some(Value::Object(members)) => members,
            None if head.status == StatusCode::NO_CONTENT => Map::new(),
            Some(_) | None => return Err(unintelligible(&url)),
        };
        Ok(Answer {
            members,
            tag: head.headers.get(header::ETAG).cloned(),
        })
    }
}

/// Where the issuer asks for certificates: beside its token endpoint there.
async fn with_certificates(issuer: &Issuer, arguments: &CredentialArguments) -> Outcome<String> {
    let plain = HttpClient::new(arguments.ca.as_deref())?;
    let metadata = discovery::metadata(&plain, issuer).await?;
    let alias = metadata
        .mtls_endpoint_aliases
        .and_then(|aliases| aliases.token_endpoint);
    let base = alias
        .as_deref()
        .and_then(|endpoint| endpoint.strip_suffix("/token"));
    base.map(str::to_owned).ok_or_else(|| {
        Failure::failed(format!(
            "{issuer} asks nobody for a certificate (no mtls_endpoint_aliases): leave out --cert, and give a token"
        ))
    })
}

/// In the words of the server, which say what to do, and what else helps here.
fn refused(url: &str, place: &str, status: StatusCode, body: Option<&Value>) -> Failure {
    let member = |name: &str| body.and_then(|body| body.get(name)).and_then(Value::as_str);
    let told = member("error_description").or_else(|| member("error"));
    let Some(told) = told else {
        return HttpError::Status {
            url: url.to_owned(),
            status,
        }
        .into();
    };
    let told = crate::output::visible(told);
    let hint = match status {
        StatusCode::UNAUTHORIZED => {
            "; give another token (--token-file, SEALSTONE_ACCESS_TOKEN), a login at Keystone (--cloud, OS_*), or a \
             certificate (--cert, --key)"
        }
        StatusCode::PRECONDITION_FAILED => "; somebody else changed it just now: look at it and try again",
        StatusCode::NOT_FOUND if place.starts_with("/keys") => {
            "; `sealstone key list` with the same --url names those that there are"
        }
        StatusCode::NOT_FOUND if place.starts_with("/initial-access-tokens") => {
            "; `sealstone client initial-token list` with the same --url names those that there are"
        }
        StatusCode::NOT_FOUND => "; `sealstone client list` with the same --url names those that there are",
        _ => "",
    };
    Failure::failed(format!("refused ({status}): {told}{hint}"))
}

pub(crate) fn unintelligible(url: &str) -> Failure {
    Failure::failed(format!(
        "{url} does not answer as an administration does: check that it is the issuer's address"
    ))
}
