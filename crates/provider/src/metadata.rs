//! What an issuer says of itself: exactly what is served (RFC 8414 §2, OpenID Connect Discovery §3, RFC 8705 §3.3).

use crate::config::ProviderConfig;
use sealstone_identity::DomainId;
use sealstone_jose::{Algorithm, MacAlgorithm};
use sealstone_oauth_types::{EndpointAliases, GrantType, Issuer, ServerMetadata, TokenEndpointAuthMethod};

pub(crate) fn metadata(config: &ProviderConfig, issuer: &Issuer, domain: &DomainId) -> ServerMetadata {
    let mut metadata = ServerMetadata::new(issuer.clone());
    metadata.token_endpoint = Some(format!("{issuer}/token"));
    metadata.introspection_endpoint = Some(format!("{issuer}/introspect"));
    metadata.revocation_endpoint = Some(format!("{issuer}/revoke"));
    metadata.jwks_uri = Some(format!("{issuer}/jwks"));
    metadata.grant_types_supported = vec![GrantType::ClientCredentials.as_str().to_owned()];
    let methods = auth_methods(config);
    metadata.token_endpoint_auth_methods_supported = methods.clone();
    metadata.introspection_endpoint_auth_methods_supported = methods.clone();
    metadata.revocation_endpoint_auth_methods_supported = methods;
    let algorithms = assertion_algorithms();
    metadata.token_endpoint_auth_signing_alg_values_supported = algorithms.clone();
    metadata.introspection_endpoint_auth_signing_alg_values_supported = algorithms.clone();
    metadata.revocation_endpoint_auth_signing_alg_values_supported = algorithms;
    if let Some(mtls_base) = &config.mtls_base {
        metadata.tls_client_certificate_bound_access_tokens = Some(true);
        let mut aliases = EndpointAliases::new();
        let endpoint = |name: &str| Some(format!("{mtls_base}/v4/oauth2/{domain}/{name}"));
        aliases.token_endpoint = endpoint("token");
        aliases.introspection_endpoint = endpoint("introspect");
        aliases.revocation_endpoint = endpoint("revoke");
        metadata.mtls_endpoint_aliases = Some(aliases);
    }
    metadata
}

fn auth_methods(config: &ProviderConfig) -> Vec<String> {
    let secret = [
        TokenEndpointAuthMethod::ClientSecretBasic,
        TokenEndpointAuthMethod::ClientSecretPost,
    ];
    let assertion = [
        TokenEndpointAuthMethod::PrivateKeyJwt,
        TokenEndpointAuthMethod::ClientSecretJwt,
    ];
    let certificate = [
        TokenEndpointAuthMethod::TlsClientAuth,
        TokenEndpointAuthMethod::SelfSignedTlsClientAuth,
    ];
    let certificate = certificate
        .into_iter()
        .filter(|_method| config.mtls_base.is_some());
    secret
        .into_iter()
        .chain(assertion)
        .chain(certificate)
        .map(|method| method.as_str().to_owned())
        .collect()
}

/// What client assertions may be signed with: by a key of the client, or under its secret.
fn assertion_algorithms() -> Vec<String> {
    let by_key = Algorithm::ALL.into_iter().map(Algorithm::as_str);
    let under_secret = MacAlgorithm::ALL.into_iter().map(MacAlgorithm::as_str);
    by_key.chain(under_secret).map(str::to_owned).collect()
}
