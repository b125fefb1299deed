//! Keystone as the one who takes our tokens: its federation, its scopes, its own tokens.

mod document;
mod scope;

use std::fmt;

use bytes::Bytes;
use http::{Request, header};
use sealstone_https::SetupError;
use sealstone_oauth_types::Secret;
use serde_json::{Value, json};

pub(crate) use self::document::is_token;
pub use self::document::{KeystoneToken, KeystoneUser};
pub use self::scope::{KeystoneScope, ScopeChoice};
use crate::{
    CallError, CallFault, CertificatePair, ClientContext, TokenSet,
    call::{Answer, Caller, secret_header},
    error::visible,
};

const FOR_A_TOKEN: &str = "for a Keystone token";
const FOR_A_CHECK: &str = "whose token it is";
const FOR_SCOPES: &str = "for the scopes of the user";
const TO_REVOKE: &str = "to revoke a token";
const SUBJECT_TOKEN: &str = "x-subject-token";
const AUTH_TOKEN: &str = "x-auth-token";

/// Why Keystone gave nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeystoneError {
    /// The address is none, or an identifier cannot be part of one.
    #[error(
        "{0:?} is no Keystone: write https://HOST[:PORT][/PATH]/v3, and names of letters, digits, - . _ ~"
    )]
    Address(String),
    /// It cannot be asked.
    #[error(transparent)]
    Call(#[from] CallError),
    /// 401: the token is not taken.
    #[error(
        "Keystone does not take the token{}: check identity provider, protocol and mapping, or log in again",
        told(.0.as_deref())
    )]
    Unauthorized(Option<String>),
    /// 403 or 404: the user may not do this, or there is no such thing.
    #[error("Keystone refuses{}: ask for a role in that project, or choose another scope", told(.0.as_deref()))]
    Forbidden(Option<String>),
    /// The user has no role anywhere.
    #[error("the user {0} has no role in any project or domain: ask the cloud's operator for one")]
    NoScope(String),
    /// Nobody chose.
    #[error("several scopes fit ({}): name one of them", .0.join(", "))]
    Ambiguous(Vec<String>),
    /// None of the user's scopes is the one that was named.
    #[error("there is no scope {wanted} for this user: there are {}", .there.join(", "))]
    UnknownScope {
        /// What was named.
        wanted: String,
        /// What there is.
        there: Vec<String>,
    },
    /// TLS cannot be set up.
    #[error(transparent)]
    Setup(#[from] SetupError),
}

fn told(text: Option<&str>) -> String {
    text.map(|text| format!(" ({text})")).unwrap_or_default()
}

/// A Keystone, by its address. Clones share connections.
#[derive(Clone)]
pub struct Keystone {
    auth_url: String,
    caller: Caller,
}

impl Keystone {
    /// The Keystone at this address; `/v3` is added where it is missing, as keystoneauth does.
    ///
    /// With a certificate it is shown where it is asked for: a token that is bound to it needs it.
    ///
    /// # Errors
    /// [`KeystoneError::Address`], [`KeystoneError::Setup`].
    pub fn new(
        context: &ClientContext,
        auth_url: &str,
        certificate: Option<&CertificatePair>,
    ) -> Result<Self, KeystoneError> {
        let caller = Caller::new(context.https(certificate)?, context.clone());
        let trimmed = auth_url.trim_end_matches('/');
        let odd = trimmed.contains(['?', '#', '@', '\\', '%']) || trimmed.contains("..");
        if odd || !caller.admits(trimmed) {
            return Err(KeystoneError::Address(visible(auth_url)));
        }
        let auth_url = if trimmed.ends_with("/v3") {
            trimmed.to_owned()
        } else {
            format!("{trimmed}/v3")
        };
        Ok(Self { auth_url, caller })
    }

    /// Its address, ending in `/v3`.
    #[must_use]
    pub fn auth_url(&self) -> &str {
        &self.auth_url
    }

    /// Shows an access token of an external provider (`OS-FEDERATION`), and gets an unscoped token of Keystone's own.
    ///
    /// # Errors
    /// [`KeystoneError`].
    pub async fn federate(
        &self,
        identity_provider: &str,
        protocol: &str,
        tokens: &TokenSet,
    ) -> Result<KeystoneToken, KeystoneError> {
        let path = federation_path(identity_provider, protocol)?;
        let address = format!("{}/{path}/auth", self.auth_url);
        let bearer = Secret::from(format!("Bearer {}", tokens.access_token().expose()));
        let request = Request::post(&address).header(header::AUTHORIZATION, self.secret(&bearer, &address)?);
        let answer = self.caller.send(FOR_A_TOKEN, &address, request).await?;
        token_of(&answer, None)
    }

    /// What Keystone knows of one of its tokens.
    ///
    /// # Errors
    /// [`KeystoneError::Unauthorized`] if it is none, or no longer.
    pub async fn show(&self, token: &Secret) -> Result<KeystoneToken, KeystoneError> {
        let address = format!("{}/auth/tokens", self.auth_url);
        let value = self.secret(token, &address)?;
        let request = Request::get(&address)
            .header(AUTH_TOKEN, value.clone())
            .header(SUBJECT_TOKEN, value);
        let answer = self.caller.send(FOR_A_CHECK, &address, request).await?;
        token_of(&answer, Some(token))
    }

    /// The projects, the domains and the system, as far as the user has a role there.
    ///
    /// # Errors
    /// [`KeystoneError`].
    pub async fn scopes(&self, token: &KeystoneToken) -> Result<Vec<KeystoneScope>, KeystoneError> {
        let mut scopes = Vec::new();
        for (path, kind) in scope::PLACES {
            let address = format!("{}/auth/{path}", self.auth_url);
            let request = Request::get(&address).header(AUTH_TOKEN, self.secret(token.token(), &address)?);
            let answer = self.caller.send(FOR_SCOPES, &address, request).await?;
            let found = match (answer.status.as_u16(), kind) {
                (200, _) => scope::read(kind, answer.body()),
                // Some clouds hide one or the other; Keystone 30 breaks (500) when a federated user asks for the system.
                (403 | 404, _) | (500, scope::Kind::System) => Some(Vec::new()),
                _ => return Err(refused(&answer)),
            };
            scopes.extend(found.ok_or_else(|| answer.fault(CallFault::Shape))?);
        }
        Ok(scopes)
    }

    /// A token for this scope, by one that is unscoped or scoped otherwise.
    ///
    /// # Errors
    /// [`KeystoneError`].
    pub async fn rescope(
        &self,
        token: &KeystoneToken,
        scope: &KeystoneScope,
    ) -> Result<KeystoneToken, KeystoneError> {
        let address = format!("{}/auth/tokens", self.auth_url);
        let body = json!({"auth": {
            "identity": {"methods": ["token"], "token": {"id": token.token().expose()}},
            "scope": scope.to_request(),
        }});
        let request = Request::post(&address).header(header::CONTENT_TYPE, "application/json");
        let body = Bytes::from(body.to_string());
        let answer = self
            .caller
            .send_body(FOR_A_TOKEN, &address, request, body)
            .await?;
        token_of(&answer, None)
    }

    /// Ends a token at once.
    ///
    /// # Errors
    /// [`KeystoneError`]; none if it had ended already.
    pub async fn revoke(&self, token: &KeystoneToken) -> Result<(), KeystoneError> {
        let address = format!("{}/auth/tokens", self.auth_url);
        let value = self.secret(token.token(), &address)?;
        let request = Request::delete(&address)
            .header(AUTH_TOKEN, value.clone())
            .header(SUBJECT_TOKEN, value);
        let answer = self.caller.send(TO_REVOKE, &address, request).await?;
        match answer.status.as_u16() {
            200 | 204 | 401 | 404 => Ok(()),
            _ => Err(refused(&answer)),
        }
    }

    /// From an access token to a Keystone token in the scope that is wanted: the whole of `OS-FEDERATION`.
    ///
    /// `choose` is asked when several scopes fit, with their names as people write them; `None` gives up.
    ///
    /// # Errors
    /// [`KeystoneError`].
    pub async fn exchange(
        &self,
        (identity_provider, protocol): (&str, &str),
        tokens: &TokenSet,
        wanted: &ScopeChoice,
        choose: impl FnOnce(&[KeystoneScope]) -> Option<usize>,
    ) -> Result<KeystoneToken, KeystoneError> {
        let unscoped = self.federate(identity_provider, protocol, tokens).await?;
        self.scoped(unscoped, wanted, choose).await
    }

    /// From an unscoped token to one in the scope that is wanted.
    ///
    /// # Errors
    /// [`KeystoneError`].
    pub async fn scoped(
        &self,
        unscoped: KeystoneToken,
        wanted: &ScopeChoice,
        choose: impl FnOnce(&[KeystoneScope]) -> Option<usize>,
    ) -> Result<KeystoneToken, KeystoneError> {
        match wanted {
            ScopeChoice::Unscoped => return Ok(unscoped),
            ScopeChoice::System => return self.rescope(&unscoped, &KeystoneScope::System).await,
            ScopeChoice::Any | ScopeChoice::Project { .. } | ScopeChoice::Domain(_) => {}
        }
        let scopes = self.scopes(&unscoped).await?;
        let scope = wanted.among(&scopes, &unscoped, choose)?;
        self.rescope(&unscoped, scope).await
    }

    pub(crate) fn is_https(&self) -> bool {
        self.auth_url.starts_with("https://")
    }

    pub(crate) fn is_origin(&self, origin: &str) -> bool {
        let rest = self.auth_url.split_once("://").map_or("", |(_, rest)| rest);
        let host = rest.split('/').next().unwrap_or_default();
        let scheme = self.auth_url.split("://").next().unwrap_or_default();
        let own = format!("{scheme}://{host}");
        // A browser leaves the scheme's own port out.
        let bare = match scheme {
            "https" => own.strip_suffix(":443"),
            _ => own.strip_suffix(":80"),
        };
        origin.eq_ignore_ascii_case(bare.unwrap_or(&own))
    }

    fn secret(&self, value: &Secret, address: &str) -> Result<http::HeaderValue, CallError> {
        secret_header(value.expose())
            .map_err(|()| crate::call::call_error(FOR_A_TOKEN, address, CallFault::Shape))
    }
}

/// Where a provider and a protocol are in Keystone's API.
pub(crate) fn federation_path(identity_provider: &str, protocol: &str) -> Result<String, KeystoneError> {
    for name in [identity_provider, protocol] {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if name.is_empty() || !name.bytes().all(plain) || matches!(name, "." | "..") {
            return Err(KeystoneError::Address(visible(name)));
        }
    }
    Ok(format!(
        "OS-FEDERATION/identity_providers/{identity_provider}/protocols/{protocol}"
    ))
}

/// The token in the answer's header, or the one that was asked about.
fn token_of(answer: &Answer, own: Option<&Secret>) -> Result<KeystoneToken, KeystoneError> {
    if !matches!(answer.status.as_u16(), 200 | 201) {
        return Err(refused(answer));
    }
    let shape = || answer.fault(CallFault::Shape);
    let said = answer.response.headers().get(SUBJECT_TOKEN);
    let said = said.and_then(|value| value.to_str().ok()).map(Secret::from);
    let token = own.cloned().or(said).ok_or_else(shape)?;
    Ok(document::read(token, answer.body()).ok_or_else(shape)?)
}

/// Reads a body as a token and as each list of scopes.
#[cfg(fuzzing)]
pub(crate) fn fuzzing_read(body: &[u8]) {
    let _token = document::read(Secret::from("t"), body);
    for (_path, kind) in scope::PLACES {
        for found in scope::read(kind, body).into_iter().flatten() {
            assert!(!found.to_string().chars().any(char::is_control));
        }
    }
}

/// Keystone's message, if it has one.
fn refused(answer: &Answer) -> KeystoneError {
    let body: Option<Value> = sealstone_jose::json::from_slice(answer.body()).ok();
    let message = body.as_ref().and_then(|body| body.pointer("/error/message"));
    let message = message.and_then(Value::as_str).map(visible);
    match answer.status.as_u16() {
        401 => KeystoneError::Unauthorized(message),
        403 | 404 => KeystoneError::Forbidden(message),
        _ => answer.status_error().into(),
    }
}

impl fmt::Debug for Keystone {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Keystone")
            .field("auth_url", &self.auth_url)
            .finish_non_exhaustive()
    }
}
