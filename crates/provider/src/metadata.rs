//! What an issuer says of itself: exactly what is served (RFC 8414 §2, OpenID Connect Discovery §3, RFC 8705 §3.3).

use crate::config::ProviderConfig;
use crate::issuer::IssuerKeys;
use crate::people::PeopleConfig;
use sealstone_grants::scopes;
use sealstone_identity::DomainId;
use sealstone_jose::{Algorithm, MacAlgorithm};
use sealstone_login::{Acr, LoginPolicy};
use sealstone_oauth_types::{
    EndpointAliases, GrantType, Issuer, Prompt, ResponseMode, ResponseType, ServerMetadata,
    TokenEndpointAuthMethod,
};

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

/// What an issuer with people adds to it (OpenID Connect Discovery §3, RP-Initiated Logout §2.1, Back-Channel Logout
/// §2.1, RFC 8628 §4, RFC 9207 §3).
pub(crate) fn with_people(metadata: &mut ServerMetadata, people: &PeopleConfig, keys: &IssuerKeys) {
    let issuer = metadata.issuer.clone();
    let endpoint = |name: &str| Some(format!("{issuer}/{name}"));
    metadata.authorization_endpoint = endpoint("authorize");
    metadata.userinfo_endpoint = endpoint("userinfo");
    metadata.end_session_endpoint = endpoint("logout");
    let has_devices = people.offers(GrantType::DeviceCode);
    metadata.device_authorization_endpoint = endpoint("device_authorization").filter(|_| has_devices);
    let grants = [
        GrantType::AuthorizationCode,
        GrantType::RefreshToken,
        GrantType::DeviceCode,
    ];
    let grants = grants.into_iter().filter(|grant| people.offers(*grant));
    metadata
        .grant_types_supported
        .extend(grants.map(|grant| grant.as_str().to_owned()));
    metadata.response_types_supported = vec![ResponseType::Code.as_str().to_owned()];
    let modes = [ResponseMode::Query, ResponseMode::FormPost];
    metadata.response_modes_supported = modes.map(|mode| mode.as_str().to_owned()).to_vec();
    metadata.code_challenge_methods_supported = vec!["S256".to_owned()];
    metadata.subject_types_supported = vec!["public".to_owned(), "pairwise".to_owned()];
    let algorithms: Vec<String> = keys.algorithms().map(str::to_owned).collect();
    metadata.id_token_signing_alg_values_supported = algorithms.clone();
    metadata.userinfo_signing_alg_values_supported = algorithms;
    metadata.scopes_supported = SCOPES.map(str::to_owned).to_vec();
    metadata.claims_supported = CLAIMS.map(str::to_owned).to_vec();
    metadata.claim_types_supported = vec!["normal".to_owned()];
    metadata.acr_values_supported = reachable(&people.policy)
        .map(|acr| acr.as_str().to_owned())
        .collect();
    metadata.prompt_values_supported = [
        Prompt::None,
        Prompt::Login,
        Prompt::Consent,
        Prompt::SelectAccount,
    ]
    .map(|prompt| prompt.as_str().to_owned())
    .to_vec();
    metadata.authorization_response_iss_parameter_supported = Some(true);
    metadata.claims_parameter_supported = Some(true);
    metadata.request_parameter_supported = Some(false);
    // Absent it would mean true (OpenID Connect Discovery §3).
    metadata.request_uri_parameter_supported = Some(false);
    metadata.backchannel_logout_supported = Some(true);
    metadata.backchannel_logout_session_supported = Some(true);
    let none = TokenEndpointAuthMethod::None.as_str().to_owned();
    metadata.token_endpoint_auth_methods_supported.push(none.clone());
    metadata.revocation_endpoint_auth_methods_supported.push(none);
    if let Some(aliases) = &mut metadata.mtls_endpoint_aliases
        && let Some(token) = &aliases.token_endpoint
        && let Some(base) = token.strip_suffix("/token")
    {
        aliases.userinfo_endpoint = Some(format!("{base}/userinfo"));
        aliases.device_authorization_endpoint =
            Some(format!("{base}/device_authorization")).filter(|_| has_devices);
    }
}

const SCOPES: [&str; 6] = [
    scopes::OPENID,
    scopes::PROFILE,
    scopes::EMAIL,
    scopes::GROUPS,
    scopes::OFFLINE_ACCESS,
    scopes::OPENSTACK_API,
];

/// Those of an ID token and of userinfo.
const CLAIMS: [&str; 14] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "iat",
    "auth_time",
    "acr",
    "amr",
    "sid",
    "name",
    "preferred_username",
    "email",
    "email_verified",
    "groups",
];

/// How sure a login can be in this domain.
fn reachable(policy: &LoginPolicy) -> impl Iterator<Item = Acr> {
    let second = policy.kinds.iter().map(|kind| kind.reaches()).max();
    let believed = (policy.first.upstream && policy.believe_upstream_mfa).then_some(Acr::TwoFactor);
    let most = second.max(believed).unwrap_or(Acr::OneFactor);
    Acr::ALL.into_iter().filter(move |acr| *acr <= most)
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
