//! What the provider says of itself (OpenID Connect Discovery 1.0), as far as we use it.

use sealstone_jose::{Algorithm, Jwk, JwkSet, VerifierSet, json};
use serde::Deserialize;

use openidconnect::{
    AuthUrl, TokenUrl,
    core::{CoreJsonWebKeySet, CoreJwsSigningAlgorithm},
};

use crate::{
    UpstreamConfig,
    error::{Failure, FaultKind, Step},
};

pub(crate) const FOR_METADATA: Step = "for its metadata";
pub(crate) const FOR_KEYS: Step = "for its keys";

/// The provider's addresses, each as the side that uses it finds it.
#[derive(Debug, Clone)]
pub(crate) struct Metadata {
    pub(crate) authorization: AuthUrl,
    pub(crate) token: TokenUrl,
    pub(crate) userinfo: Option<String>,
    pub(crate) jwks: String,
    /// It says `iss` with each answer (RFC 9207): one without is another's.
    pub(crate) says_iss: bool,
}

impl Metadata {
    pub(crate) fn read(body: &[u8], config: &UpstreamConfig) -> Result<Self, Failure> {
        #[derive(Deserialize)]
        struct Document {
            issuer: String,
            authorization_endpoint: String,
            token_endpoint: String,
            #[serde(default)]
            userinfo_endpoint: Option<String>,
            jwks_uri: String,
            #[serde(default)]
            authorization_response_iss_parameter_supported: bool,
        }
        let fail = |kind| Failure::fault(FOR_METADATA, kind);
        let shape = || fail(FaultKind::Shape);
        let document: Document = json::from_slice(body).map_err(|_error| shape())?;
        if document.issuer != config.issuer {
            return Err(fail(FaultKind::Issuer));
        }
        let bases = &config.bases;
        let browser = bases.for_browsers(&document.authorization_endpoint, "authorization_endpoint");
        let token = bases.for_us(&document.token_endpoint, "token_endpoint");
        let userinfo = document.userinfo_endpoint.as_deref();
        let userinfo = userinfo
            .map(|url| bases.for_us(url, "userinfo_endpoint"))
            .transpose();
        let jwks = bases.for_us(&document.jwks_uri, "jwks_uri");
        Ok(Self {
            authorization: AuthUrl::new(browser.map_err(fail)?).map_err(|_not_a_url| shape())?,
            token: TokenUrl::new(token.map_err(fail)?).map_err(|_not_a_url| shape())?,
            userinfo: userinfo.map_err(fail)?,
            jwks: jwks.map_err(fail)?,
            says_iss: document.authorization_response_iss_parameter_supported,
        })
    }
}

/// The provider's keys, of those algorithms that are configured.
pub(crate) struct Keys {
    /// For the signature and the form of the token.
    pub(crate) verifiers: VerifierSet,
    /// For what `openidconnect` checks of the claims: the same keys, without those that protect nothing.
    pub(crate) set: CoreJsonWebKeySet,
}

impl Keys {
    pub(crate) fn read(body: &[u8], algorithms: &[Algorithm]) -> Result<Self, Failure> {
        let fail = |kind| Failure::fault(FOR_KEYS, kind);
        let set = JwkSet::parse(body).map_err(|_error| fail(FaultKind::Shape))?;
        let usable = |key: &Jwk| algorithms.iter().any(|algorithm| key.supports(*algorithm));
        if !set.keys().iter().any(usable) {
            return Err(fail(FaultKind::NoKey));
        }
        let verifiers = VerifierSet::new(&set, algorithms).map_err(|_error| fail(FaultKind::NoKey))?;
        let set = serde_json::from_str(&set.to_json()).map_err(|_error| fail(FaultKind::Shape))?;
        Ok(Self { verifiers, set })
    }
}

pub(crate) const fn core_algorithm(algorithm: Algorithm) -> CoreJwsSigningAlgorithm {
    match algorithm {
        Algorithm::Es256 => CoreJwsSigningAlgorithm::EcdsaP256Sha256,
        Algorithm::Es384 => CoreJwsSigningAlgorithm::EcdsaP384Sha384,
        Algorithm::EdDsa => CoreJwsSigningAlgorithm::EdDsa,
        Algorithm::Rs256 => CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
        Algorithm::Ps256 => CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    }
}
