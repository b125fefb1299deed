//! One function for each rule of a registration.

use std::{collections::BTreeSet, time::Duration};

use sealstone_jose::Algorithm;
use sealstone_mtls::SubjectMatcher;
use sealstone_oauth_types::{ClientId, GrantType, ResourceUri, ScopeSet, TokenEndpointAuthMethod};

use super::{ClientRegistration, members::closest};
use crate::{
    assertion::{AssertionDates, AssertionKeys, AssertionRules, AssertionSecret},
    auth::{ClientAuth, SelfSignedJwks},
    client::{IntrospectionFormat, IntrospectionRight, MIN_LIFETIME, TokenBinding},
    error::RegistrationError,
    name,
    secret_set::{SecretKind, SecretSet},
};

/// The most resources of one client: each is compared with each that a request names.
const MAX_RESOURCES: usize = 32;

const OFFERED_GRANTS: [&str; 4] = [
    "client_credentials",
    "authorization_code",
    "refresh_token",
    "urn:ietf:params:oauth:grant-type:device_code",
];

const OFFERED_METHODS: [&str; 7] = [
    "client_secret_basic",
    "client_secret_post",
    "tls_client_auth",
    "self_signed_tls_client_auth",
    "private_key_jwt",
    "client_secret_jwt",
    "none",
];

/// RFC 7591 §2: `client_secret_basic` unless another is named. A name that nothing reads is refused.
pub(super) fn auth_method(name: Option<&str>) -> Result<TokenEndpointAuthMethod, RegistrationError> {
    let Some(name) = name else {
        return Ok(TokenEndpointAuthMethod::ClientSecretBasic);
    };
    let unknown = || RegistrationError::UnknownAuthMethod {
        suggestion: closest(name, &OFFERED_METHODS),
    };
    TokenEndpointAuthMethod::parse(name).ok_or_else(unknown)
}

/// How the secret of a client with this method is kept; `None` for one that has no secret.
pub(super) const fn secret_kind(method: TokenEndpointAuthMethod) -> Option<SecretKind> {
    match method {
        TokenEndpointAuthMethod::ClientSecretBasic | TokenEndpointAuthMethod::ClientSecretPost => {
            Some(SecretKind::Hashed)
        }
        TokenEndpointAuthMethod::ClientSecretJwt => Some(SecretKind::Sealed),
        TokenEndpointAuthMethod::TlsClientAuth
        | TokenEndpointAuthMethod::SelfSignedTlsClientAuth
        | TokenEndpointAuthMethod::PrivateKeyJwt
        | TokenEndpointAuthMethod::None => None,
    }
}

/// The method with what it takes, and nothing that it does not take (RFC 8705 §2.1.2, §2.2.2).
pub(super) fn auth(
    registration: &ClientRegistration,
    method: TokenEndpointAuthMethod,
    secrets: Option<SecretSet>,
) -> Result<ClientAuth, RegistrationError> {
    let subject = subject(registration)?;
    if let Some(member) = unused(registration, method, subject) {
        return Err(RegistrationError::Unused { member, method });
    }
    let secrets = match (secret_kind(method), secrets) {
        (None, Some(_)) => return Err(RegistrationError::SecretUnused { method }),
        (kind, secrets) => secrets.filter(|set| kind == Some(set.kind())),
    };
    let secrets = secrets.ok_or(RegistrationError::SecretMissing { method });
    let jwks = registration.jwks.as_ref();
    let jwks = jwks.ok_or(RegistrationError::JwksMissing { method });
    let algorithm = registration.token_endpoint_auth_signing_alg.as_deref();
    match method {
        TokenEndpointAuthMethod::ClientSecretBasic => secrets.map(ClientAuth::SecretBasic),
        TokenEndpointAuthMethod::ClientSecretPost => secrets.map(ClientAuth::SecretPost),
        TokenEndpointAuthMethod::TlsClientAuth => {
            let (member, value) = subject.ok_or(RegistrationError::SubjectMissing)?;
            let matcher = SubjectMatcher::parse(member, value).map_err(RegistrationError::Subject)?;
            Ok(ClientAuth::TlsClientAuth(matcher))
        }
        TokenEndpointAuthMethod::SelfSignedTlsClientAuth => {
            Ok(ClientAuth::SelfSignedTlsClientAuth(SelfSignedJwks::parse(jwks?)?))
        }
        TokenEndpointAuthMethod::PrivateKeyJwt => {
            let keys = AssertionKeys::parse(jwks?, algorithm, rules(registration))?;
            Ok(ClientAuth::PrivateKeyJwt(keys))
        }
        TokenEndpointAuthMethod::ClientSecretJwt => {
            let own = AssertionSecret::new(secrets?, algorithm, rules(registration))?;
            Ok(ClientAuth::ClientSecretJwt(own))
        }
        TokenEndpointAuthMethod::None => Ok(ClientAuth::None),
    }
}

fn rules(registration: &ClientRegistration) -> AssertionRules {
    AssertionRules {
        audience: registration.client_assertion_audience.unwrap_or_default(),
        dates: match registration.accept_assertion_dates_as_text {
            Some(true) => AssertionDates::NumbersOrText,
            Some(false) | None => AssertionDates::Numbers,
        },
    }
}

/// A member that the method does not read.
fn unused(
    registration: &ClientRegistration,
    method: TokenEndpointAuthMethod,
    subject: Option<(&'static str, &str)>,
) -> Option<&'static str> {
    let (takes_subject, takes_jwks, takes_assertions) = match method {
        TokenEndpointAuthMethod::ClientSecretBasic
        | TokenEndpointAuthMethod::ClientSecretPost
        | TokenEndpointAuthMethod::None => (false, false, false),
        TokenEndpointAuthMethod::TlsClientAuth => (true, false, false),
        TokenEndpointAuthMethod::SelfSignedTlsClientAuth => (false, true, false),
        TokenEndpointAuthMethod::PrivateKeyJwt => (false, true, true),
        TokenEndpointAuthMethod::ClientSecretJwt => (false, false, true),
    };
    let of_assertions = [
        (
            registration.token_endpoint_auth_signing_alg.is_some(),
            "token_endpoint_auth_signing_alg",
        ),
        (
            registration.client_assertion_audience.is_some(),
            "client_assertion_audience",
        ),
        (
            registration.accept_assertion_dates_as_text.is_some(),
            "accept_assertion_dates_as_text",
        ),
    ];
    let of_assertions = of_assertions
        .into_iter()
        .find(|(present, _)| *present && !takes_assertions);
    let subject = subject.filter(|_| !takes_subject).map(|(member, _)| member);
    let jwks = registration.jwks.is_some() && !takes_jwks;
    subject
        .or_else(|| jwks.then_some("jwks"))
        .or_else(|| of_assertions.map(|(_, member)| member))
}

/// The one `tls_client_auth_*` member that is there.
fn subject(registration: &ClientRegistration) -> Result<Option<(&'static str, &str)>, RegistrationError> {
    let mut present = registration
        .subjects()
        .into_iter()
        .filter_map(|(member, value)| Some((member, value?)));
    let first = present.next();
    match (first, present.next()) {
        (Some((first, _)), Some((second, _))) => Err(RegistrationError::SeveralSubjects { first, second }),
        (first, _) => Ok(first),
    }
}

impl ClientRegistration {
    fn subjects(&self) -> [(&'static str, Option<&str>); 5] {
        [
            (
                "tls_client_auth_subject_dn",
                self.tls_client_auth_subject_dn.as_deref(),
            ),
            ("tls_client_auth_san_dns", self.tls_client_auth_san_dns.as_deref()),
            ("tls_client_auth_san_uri", self.tls_client_auth_san_uri.as_deref()),
            ("tls_client_auth_san_ip", self.tls_client_auth_san_ip.as_deref()),
            (
                "tls_client_auth_san_email",
                self.tls_client_auth_san_email.as_deref(),
            ),
        ]
    }

    /// Writes a matcher back as the member that it came from.
    pub(super) fn set_subject(&mut self, matcher: &SubjectMatcher) {
        match matcher {
            SubjectMatcher::SubjectDn(name) => self.tls_client_auth_subject_dn = Some(name.to_string()),
            SubjectMatcher::SanDns(name) => self.tls_client_auth_san_dns = Some(name.clone()),
            SubjectMatcher::SanUri(uri) => self.tls_client_auth_san_uri = Some(uri.clone()),
            SubjectMatcher::SanIp(address) => self.tls_client_auth_san_ip = Some(address.to_string()),
            SubjectMatcher::SanEmail(address) => self.tls_client_auth_san_email = Some(address.clone()),
        }
    }
}

/// Bound by default where the client has a certificate to be bound to; with a secret, when asked for.
pub(super) const fn token_binding(asked: Option<bool>, method: TokenEndpointAuthMethod) -> TokenBinding {
    let bound = match (asked, method) {
        (Some(asked), _) => asked,
        (None, TokenEndpointAuthMethod::TlsClientAuth | TokenEndpointAuthMethod::SelfSignedTlsClientAuth) => {
            true
        }
        (
            None,
            TokenEndpointAuthMethod::ClientSecretBasic
            | TokenEndpointAuthMethod::ClientSecretPost
            | TokenEndpointAuthMethod::PrivateKeyJwt
            | TokenEndpointAuthMethod::ClientSecretJwt
            | TokenEndpointAuthMethod::None,
        ) => false,
    };
    if bound {
        TokenBinding::CertificateRequired
    } else {
        TokenBinding::Unbound
    }
}

pub(super) fn name(name: Option<String>, id: &ClientId) -> Result<String, RegistrationError> {
    let Some(name) = name else {
        return Ok(id.as_str().to_owned());
    };
    name::check(&name).map_err(RegistrationError::from_name)?;
    Ok(name)
}

/// RFC 9700 §2.1.2 and §2.4: implicit and password never; of the others those that the server offers.
/// RFC 7591 §2 has the code as default; without a redirect URI there is no code.
pub(super) fn grants(
    names: Option<&[String]>,
    has_redirect_uris: bool,
) -> Result<BTreeSet<GrantType>, RegistrationError> {
    let Some(names) = names else {
        let default = if has_redirect_uris {
            GrantType::AuthorizationCode
        } else {
            GrantType::ClientCredentials
        };
        return Ok(BTreeSet::from([default]));
    };
    let mut grants = BTreeSet::new();
    for name in names {
        if let Some(grant) = ["implicit", "password"].into_iter().find(|grant| grant == name) {
            return Err(RegistrationError::ForbiddenGrantType { grant });
        }
        let unknown = || RegistrationError::UnknownGrantType {
            suggestion: closest(name, &OFFERED_GRANTS),
        };
        match GrantType::parse(name).ok_or_else(unknown)? {
            grant @ GrantType::TokenExchange => return Err(RegistrationError::GrantTypeNotOffered { grant }),
            grant @ (GrantType::ClientCredentials
            | GrantType::AuthorizationCode
            | GrantType::RefreshToken
            | GrantType::DeviceCode) => {
                if !grants.insert(grant) {
                    return Err(RegistrationError::GrantTypes);
                }
            }
        }
    }
    if grants.is_empty() {
        Err(RegistrationError::GrantTypes)
    } else {
        Ok(grants)
    }
}

pub(super) fn scope(member: &'static str, text: Option<&str>) -> Result<ScopeSet, RegistrationError> {
    match text {
        None | Some("") => Ok(ScopeSet::default()),
        Some(text) => ScopeSet::parse(text).map_err(|_| RegistrationError::Scope { member }),
    }
}

/// RFC 8707 §2, kept as received.
pub(super) fn resources(uris: &[String]) -> Result<Vec<ResourceUri>, RegistrationError> {
    if uris.len() > MAX_RESOURCES {
        return Err(RegistrationError::Resources { limit: MAX_RESOURCES });
    }
    let mut resources = Vec::with_capacity(uris.len());
    for (index, uri) in uris.iter().enumerate() {
        let uri = ResourceUri::parse(uri).map_err(|_| RegistrationError::Resource { index })?;
        if resources.contains(&uri) {
            return Err(RegistrationError::Resources { limit: MAX_RESOURCES });
        }
        resources.push(uri);
    }
    Ok(resources)
}

pub(super) fn signing_algorithm(name: Option<&str>) -> Result<Option<Algorithm>, RegistrationError> {
    name.map(Algorithm::parse)
        .transpose()
        .map_err(|_| RegistrationError::SigningAlgorithm)
}

/// A format means nothing to a client that gets no answers.
pub(super) fn introspection_format(
    format: Option<IntrospectionFormat>,
    right: Option<IntrospectionRight>,
) -> Result<IntrospectionFormat, RegistrationError> {
    let format = format.unwrap_or_default();
    let may_ask = right.unwrap_or_default() != IntrospectionRight::None;
    if format != IntrospectionFormat::default() && !may_ask {
        return Err(RegistrationError::IntrospectionFormatUnused);
    }
    Ok(format)
}

pub(super) fn lifetime(
    seconds: Option<u64>,
    binding: TokenBinding,
) -> Result<Option<Duration>, RegistrationError> {
    let Some(seconds) = seconds else { return Ok(None) };
    let lifetime = Duration::from_secs(seconds);
    if lifetime < MIN_LIFETIME || lifetime > binding.max_lifetime() {
        return Err(RegistrationError::Lifetime { binding });
    }
    Ok(Some(lifetime))
}
