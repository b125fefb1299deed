use std::{
    fmt, mem,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response, header::AUTHORIZATION, request::Parts};
use http_body_util::{Either, Full};
use sealstone_mtls::{CertificateThumbprint, ClientCertificate};
use sealstone_tokens::{AccessTokenVerifier, Possession, VerifiedToken, VerifyError};
use tower::{Layer, Service};

use crate::{
    Challenge, ConfigError, Confirmed, JwksSource, ResourceConfig, bearer,
    config::AccessRules,
    issuer::{IssuerDocuments, Trust},
};

/// Lets requests through whose access token is good, and answers the others itself ([`Challenge`]).
///
/// The inner service finds [`Confirmed`] among the request's extensions. Clones share keys and revocations.
#[derive(Clone)]
pub struct ResourceLayer(Arc<Gate>);

struct Gate {
    config: ResourceConfig,
    verifier: AccessTokenVerifier,
    documents: IssuerDocuments,
}

impl ResourceLayer {
    /// A layer that fetches the issuer's documents from `source`, the first time with the first request.
    ///
    /// # Errors
    /// [`ConfigError`] for a configuration that can't work.
    pub fn new(config: ResourceConfig, source: impl JwksSource + 'static) -> Result<Self, ConfigError> {
        config.check()?;
        let verifier = AccessTokenVerifier::new(config.issuer.clone(), config.audiences.clone());
        let documents = IssuerDocuments::new(&config, Arc::new(source));
        Ok(Self(Arc::new(Gate {
            config,
            verifier,
            documents,
        })))
    }

    /// Whether tokens can be judged now; fetches what is missing. For a readiness probe, or to warm up.
    ///
    /// Needs a tokio runtime, as the layer itself does.
    pub async fn is_ready(&self) -> bool {
        self.0.documents.current().await.is_some()
    }

    /// Judges the head of a request, for services that use no tower.
    ///
    /// Reads the `Authorization` header, the extension [`ClientCertificate`] and, from a trusted proxy, its header.
    /// Cancelling it is safe.
    ///
    /// # Errors
    /// The [`Challenge`] to answer with.
    pub async fn authorize(&self, head: &Parts) -> Result<Confirmed, Challenge> {
        let outcome = self.0.authorize(head).await;
        if let Err(challenge) = &outcome {
            log(challenge);
        }
        outcome
    }

    /// The realm that challenges name.
    #[must_use]
    pub fn realm(&self) -> &str {
        &self.0.config.realm
    }
}

impl Gate {
    async fn authorize(&self, head: &Parts) -> Result<Confirmed, Challenge> {
        let token = bearer::token(&head.headers)?;
        let presented = self.presented(head)?;
        let trust = self.documents.current().await.ok_or(Challenge::Unavailable)?;
        let verified = match self.verify(token, &trust, presented.as_ref()) {
            Err(VerifyError::UnknownKey) => match self.documents.with_newer_keys(&trust).await {
                Some(trust) => self.verify(token, &trust, presented.as_ref()),
                None => Err(VerifyError::UnknownKey),
            },
            other => other,
        };
        let verified = verified.map_err(|error| {
            tracing::debug!(%error, "access token refused");
            Challenge::of(&error)
        })?;
        self.permit(Confirmed::new(verified, presented), head)
    }

    fn verify(
        &self,
        token: &str,
        trust: &Trust,
        presented: Option<&CertificateThumbprint>,
    ) -> Result<VerifiedToken, VerifyError> {
        let possession = if self.config.accept_bearer {
            Possession::ProvedUnlessBearer(presented)
        } else {
            Possession::Proved(presented)
        };
        let now = (self.config.clock)();
        self.verifier
            .verify(token, &trust.verifiers, possession, trust.revocations(), now)
    }

    /// The certificate whose key the sender proved. The connection's own counts before any header (RFC 9440 §4).
    fn presented(&self, head: &Parts) -> Result<Option<CertificateThumbprint>, Challenge> {
        if let Some(certificate) = head.extensions.get::<ClientCertificate>() {
            return Ok(Some(certificate.thumbprint()));
        }
        if self.config.proxies.is_empty() {
            return Ok(None);
        }
        let Some(peer) = (self.config.peer_address)(&head.extensions) else {
            return Ok(None);
        };
        let mut proxies = self.config.proxies.iter();
        let Some(proxy) = proxies.find(|proxy| proxy.sent(peer.ip(), &head.headers)) else {
            return Ok(None);
        };
        let certificate = proxy.certificate(&head.headers).map_err(|error| {
            tracing::debug!(%error, "forwarded certificate refused");
            Challenge::CertificateHeader
        })?;
        Ok(certificate.map(|certificate| certificate.thumbprint()))
    }

    fn permit(&self, confirmed: Confirmed, head: &Parts) -> Result<Confirmed, Challenge> {
        let required = &self.config.required_scopes;
        if !required.is_subset_of(&confirmed.token().scope) {
            return Err(Challenge::ScopeMissing(required.clone()));
        }
        let allowed = match &self.config.access_rules {
            AccessRules::Refused => !confirmed.has_access_rules(),
            AccessRules::Enforced(service) => {
                confirmed.allows(service, head.method.as_str(), head.uri.path())
            }
            AccessRules::LeftToService => true,
        };
        if allowed {
            Ok(confirmed)
        } else {
            Err(Challenge::AccessRules)
        }
    }
}

fn log(challenge: &Challenge) {
    let denial = challenge.description();
    if *challenge == Challenge::TokenMissing {
        tracing::debug!(denial, "request without an access token");
    } else if *challenge == Challenge::Unavailable {
        tracing::error!(denial, "no access token can be judged");
    } else {
        tracing::info!(denial, "request refused");
    }
}

impl<S> Layer<S> for ResourceLayer {
    type Service = ResourceService<S>;

    fn layer(&self, inner: S) -> ResourceService<S> {
        ResourceService {
            layer: self.clone(),
            inner,
        }
    }
}

/// A service behind a [`ResourceLayer`].
///
/// It answers with the inner service's body on the left and with its own on the right of an [`Either`], which axum,
/// hyper and tonic take as it is when the inner body's data is [`Bytes`].
#[derive(Debug, Clone)]
pub struct ResourceService<S> {
    layer: ResourceLayer,
    inner: S,
}

impl<S, B, R> Service<Request<B>> for ResourceService<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
{
    type Response = Response<Either<R, Full<Bytes>>>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The service that was found ready goes along; a fresh clone stays.
        let next = self.inner.clone();
        let mut inner = mem::replace(&mut self.inner, next);
        let layer = self.layer.clone();
        Box::pin(async move {
            let (mut head, body) = request.into_parts();
            match layer.authorize(&head).await {
                Ok(confirmed) => {
                    // Whoever prints the request doesn't print the token.
                    if let Some(value) = head.headers.get_mut(AUTHORIZATION) {
                        value.set_sensitive(true);
                    }
                    head.extensions.insert(confirmed);
                    let response = inner.call(Request::from_parts(head, body)).await?;
                    Ok(response.map(Either::Left))
                }
                Err(challenge) => Ok(challenge.to_response(layer.realm()).map(Either::Right)),
            }
        })
    }
}

impl fmt::Debug for ResourceLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResourceLayer")
            .field("config", &self.0.config)
            .finish_non_exhaustive()
    }
}
