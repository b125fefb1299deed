use std::{fmt, sync::Arc};

use rustls_pki_types::UnixTime;
use sealstone_jose::{Algorithm, JwkSet, UnverifiedJwt, VerifierSet, json};
use serde::Deserialize;
use tokio::sync::Mutex;

use crate::{
    CallError, CallFault, ClientContext, ClockSkew, DiscoveryError,
    call::{Caller, call_error},
};

const FOR_METADATA: &str = "for its metadata";
const FOR_KEYS: &str = "for its keys";
/// The longest issuer: four times what providers use.
const MAX_ISSUER: usize = 512;

/// An authorization server or OpenID provider, by what it publishes of itself: ours or any other.
///
/// Clones share its keys, which are asked for when an ID token is to be read.
#[derive(Clone)]
pub struct Provider {
    inner: Arc<Inner>,
}

struct Inner {
    document: Arc<[u8]>,
    metadata: Arc<Metadata>,
    algorithms: Vec<Algorithm>,
    caller: Caller,
    keys: Mutex<Option<Arc<VerifierSet>>>,
    skew: Option<ClockSkew>,
}

/// What of the metadata (RFC 8414 §2, OpenID Connect Discovery 1.0 §3) is used here.
#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    pub(crate) issuer: String,
    pub(crate) authorization_endpoint: Option<String>,
    pub(crate) token_endpoint: Option<String>,
    pub(crate) device_authorization_endpoint: Option<String>,
    pub(crate) revocation_endpoint: Option<String>,
    pub(crate) end_session_endpoint: Option<String>,
    pub(crate) jwks_uri: Option<String>,
    #[serde(default)]
    pub(crate) authorization_response_iss_parameter_supported: bool,
    #[serde(default)]
    pub(crate) tls_client_certificate_bound_access_tokens: bool,
    #[serde(default)]
    pub(crate) token_endpoint_auth_methods_supported: Vec<String>,
    #[serde(default)]
    pub(crate) mtls_endpoint_aliases: Aliases,
}

/// The same endpoints where certificates are asked for (RFC 8705 §5).
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Aliases {
    pub(crate) token_endpoint: Option<String>,
    pub(crate) device_authorization_endpoint: Option<String>,
    pub(crate) revocation_endpoint: Option<String>,
}

impl Provider {
    /// Asks the issuer what it is: at the place of OpenID Connect Discovery 1.0 §4, else at that of RFC 8414 §3.
    ///
    /// # Errors
    /// [`DiscoveryError`]; the issuer in the answer must be `issuer`, byte for byte.
    pub async fn discover(context: &ClientContext, issuer: &str) -> Result<Self, DiscoveryError> {
        let places = places(issuer).ok_or_else(|| DiscoveryError::Issuer(crate::error::visible(issuer)))?;
        let caller = Caller::new(context.https(None)?, context.clone());
        for place in places {
            let answer = caller.get(FOR_METADATA, &place).await?;
            match answer.status.as_u16() {
                200 => return Self::read(context, issuer, answer.body(), answer.skew),
                404 => {}
                _ => return Err(answer.status_error().into()),
            }
        }
        Err(DiscoveryError::Unpublished(issuer.to_owned()))
    }

    /// Reads metadata that were kept ([`Provider::document`]): the same checks, without asking anybody.
    ///
    /// # Errors
    /// [`DiscoveryError::Shape`], [`DiscoveryError::OtherIssuer`], [`DiscoveryError::Setup`].
    pub fn from_document(
        context: &ClientContext,
        issuer: &str,
        document: &[u8],
    ) -> Result<Self, DiscoveryError> {
        Self::read(context, issuer, document, None)
    }

    fn read(
        context: &ClientContext,
        issuer: &str,
        document: &[u8],
        skew: Option<ClockSkew>,
    ) -> Result<Self, DiscoveryError> {
        let metadata = Metadata::read(issuer, document)?;
        Ok(Self {
            inner: Arc::new(Inner {
                document: Arc::from(document),
                metadata: Arc::new(metadata),
                algorithms: Algorithm::ALL.to_vec(),
                caller: Caller::new(context.https(None)?, context.clone()),
                keys: Mutex::default(),
                skew,
            }),
        })
    }

    /// Takes ID tokens by these algorithms alone; by default by any that a private key makes
    /// ([`Algorithm::ALL`]). Keys that were fetched are forgotten.
    #[must_use]
    pub fn with_algorithms(self, algorithms: &[Algorithm]) -> Self {
        Self {
            inner: Arc::new(Inner {
                document: Arc::clone(&self.inner.document),
                metadata: Arc::clone(&self.inner.metadata),
                algorithms: algorithms.to_vec(),
                caller: self.inner.caller.clone(),
                keys: Mutex::default(),
                skew: self.inner.skew,
            }),
        }
    }

    /// Its name, as it is in tokens.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.metadata().issuer
    }

    /// The metadata as they came, to keep.
    #[must_use]
    pub fn document(&self) -> &[u8] {
        &self.inner.document
    }

    /// Whether it can log people in by a browser.
    #[must_use]
    pub fn offers_browser_login(&self) -> bool {
        self.metadata().authorization_endpoint.is_some()
    }

    /// Whether it can log people in by a code that they enter elsewhere (RFC 8628).
    #[must_use]
    pub fn offers_device_login(&self) -> bool {
        self.metadata().device_authorization_endpoint.is_some()
    }

    /// Whether it binds tokens to certificates (RFC 8705 §3.3).
    #[must_use]
    pub fn offers_bound_tokens(&self) -> bool {
        self.metadata().tls_client_certificate_bound_access_tokens
    }

    /// How far this machine's clock was from the provider's when it was asked; `None` if hardly, or if nobody was asked.
    #[must_use]
    pub fn clock_skew(&self) -> Option<ClockSkew> {
        self.inner.skew
    }

    pub(crate) fn metadata(&self) -> &Metadata {
        &self.inner.metadata
    }

    pub(crate) fn caller(&self) -> &Caller {
        &self.inner.caller
    }

    pub(crate) fn now(&self) -> UnixTime {
        self.inner.caller.now()
    }

    /// The keys among which this token's is: as they are known, else asked for once more.
    pub(crate) async fn keys_for(&self, token: &UnverifiedJwt<'_>) -> Result<Arc<VerifierSet>, CallError> {
        let mut known = self.inner.keys.lock().await;
        if let Some(keys) = &*known
            && token.header().kid.as_deref().is_none_or(|kid| keys.contains(kid))
        {
            return Ok(Arc::clone(keys));
        }
        let address = self.metadata().jwks_uri.as_deref().unwrap_or_default();
        let answer = self.inner.caller.get(FOR_KEYS, address).await?;
        if answer.status.as_u16() != 200 {
            return Err(answer.status_error());
        }
        let shape = || call_error(FOR_KEYS, address, CallFault::Shape);
        let set = JwkSet::parse(answer.body()).map_err(|_not_keys| shape())?;
        let keys = VerifierSet::new(&set, &self.inner.algorithms).map_err(|_not_keys| shape())?;
        let keys = Arc::new(keys);
        *known = Some(Arc::clone(&keys));
        Ok(keys)
    }
}

impl Metadata {
    pub(crate) fn read(issuer: &str, document: &[u8]) -> Result<Self, DiscoveryError> {
        let metadata: Self =
            json::from_slice(document).map_err(|_not_it| DiscoveryError::Shape(issuer.to_owned()))?;
        if metadata.issuer != issuer {
            return Err(DiscoveryError::OtherIssuer {
                issuer: issuer.to_owned(),
                said: crate::error::visible(&metadata.issuer),
            });
        }
        Ok(metadata)
    }
}

/// Where an issuer's metadata may lie; `None` if it is no issuer.
fn places(issuer: &str) -> Option<[String; 2]> {
    let (scheme, rest) = issuer.split_once("://")?;
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"?#@\\%\"<>".contains(&byte);
    if !matches!(scheme, "https" | "http") || issuer.len() > MAX_ISSUER || !issuer.bytes().all(plain) {
        return None;
    }
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let path = path.trim_end_matches('/');
    let dots = path.split('/').any(|segment| matches!(segment, "." | ".."));
    if host.is_empty() || dots {
        return None;
    }
    let path = if path.is_empty() {
        String::new()
    } else {
        format!("/{path}")
    };
    Some([
        format!("{scheme}://{host}{path}/.well-known/openid-configuration"),
        format!("{scheme}://{host}/.well-known/oauth-authorization-server{path}"),
    ])
}

impl fmt::Debug for Provider {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Provider")
            .field("issuer", &self.issuer())
            .finish_non_exhaustive()
    }
}
