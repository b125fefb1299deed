//! One function for each rule of a registration.

use std::{collections::BTreeSet, time::Duration};

use sealstone_jose::Algorithm;
use sealstone_mtls::SubjectMatcher;
use sealstone_oauth_types::{ClientId, GrantType, ResourceUri, ScopeSet, TokenEndpointAuthMethod};

use super::{ClientRegistration, members::closest};
use crate::{
    auth::{ClientAuth, SelfSignedJwks},
    client::{MIN_LIFETIME, TokenBinding},
    error::RegistrationError,
    name,
    secret_set::SecretSet,
};

/// The most resources of one client: each is compared with each that a request names.
const MAX_RESOURCES: usize = 32;

const OFFERED_METHODS: [&str; 4] = [
    "client_secret_basic",
    "client_secret_post",
    "tls_client_auth",
    "self_signed_tls_client_auth",
];

/// RFC 7591 §2: `client_secret_basic` unless another is named. A name that nothing reads is refused.
pub(super) fn auth_method(name: Option<&str>) -> Result<TokenEndpointAuthMethod, RegistrationError> {
    let Some(name) = name else {
        return Ok(TokenEndpointAuthMethod::ClientSecretBasic);
    };
    match TokenEndpointAuthMethod::parse(name) {
        None => Err(RegistrationError::UnknownAuthMethod {
            suggestion: closest(name, &OFFERED_METHODS),
        }),
        Some(method @ (TokenEndpointAuthMethod::PrivateKeyJwt | TokenEndpointAuthMethod::None)) => {
            Err(RegistrationError::AuthMethodNotOffered { method })
        }
        Some(
            method @ (TokenEndpointAuthMethod::ClientSecretBasic
            | TokenEndpointAuthMethod::ClientSecretPost
            | TokenEndpointAuthMethod::TlsClientAuth
            | TokenEndpointAuthMethod::SelfSignedTlsClientAuth),
        ) => Ok(method),
    }
}

/// The method with what it takes, and nothing that it does not take (RFC 8705 §2.1.2, §2.2.2).
pub(super) fn auth(
    registration: &ClientRegistration,
    method: TokenEndpointAuthMethod,
    secrets: Option<SecretSet>,
) -> Result<ClientAuth, RegistrationError> {
    let subject = subject(registration)?;
    let jwks = registration.jwks.as_ref();
    if let (Some((member, _)), false) = (subject, method == TokenEndpointAuthMethod::TlsClientAuth) {
        return Err(RegistrationError::Unused { member, method });
    }
    if jwks.is_some() && method != TokenEndpointAuthMethod::SelfSignedTlsClientAuth {
        return Err(RegistrationError::Unused {
            member: "jwks",
            method,
        });
    }
    let missing = RegistrationError::SecretMissing { method };
    match method {
        TokenEndpointAuthMethod::ClientSecretBasic => secrets.map(ClientAuth::SecretBasic).ok_or(missing),
        TokenEndpointAuthMethod::ClientSecretPost => secrets.map(ClientAuth::SecretPost).ok_or(missing),
        TokenEndpointAuthMethod::TlsClientAuth | TokenEndpointAuthMethod::SelfSignedTlsClientAuth
            if secrets.is_some() =>
        {
            Err(RegistrationError::SecretUnused { method })
        }
        TokenEndpointAuthMethod::TlsClientAuth => {
            let (member, value) = subject.ok_or(RegistrationError::SubjectMissing)?;
            let matcher = SubjectMatcher::parse(member, value).map_err(RegistrationError::Subject)?;
            Ok(ClientAuth::TlsClientAuth(matcher))
        }
        TokenEndpointAuthMethod::SelfSignedTlsClientAuth => {
            let jwks = jwks.ok_or(RegistrationError::JwksMissing)?;
            Ok(ClientAuth::SelfSignedTlsClientAuth(SelfSignedJwks::parse(jwks)?))
        }
        TokenEndpointAuthMethod::PrivateKeyJwt | TokenEndpointAuthMethod::None => {
            Err(RegistrationError::AuthMethodNotOffered { method })
        }
    }
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
pub(super) fn grants(names: Option<&[String]>) -> Result<BTreeSet<GrantType>, RegistrationError> {
    let Some(names) = names else {
        return Ok(BTreeSet::from([GrantType::ClientCredentials]));
    };
    let mut grants = BTreeSet::new();
    for name in names {
        if let Some(grant) = ["implicit", "password"].into_iter().find(|grant| grant == name) {
            return Err(RegistrationError::ForbiddenGrantType { grant });
        }
        let unknown = || RegistrationError::UnknownGrantType {
            suggestion: closest(name, &["client_credentials"]),
        };
        match GrantType::parse(name).ok_or_else(unknown)? {
            GrantType::ClientCredentials => {
                if !grants.insert(GrantType::ClientCredentials) {
                    return Err(RegistrationError::GrantTypes);
                }
            }
            grant @ (GrantType::AuthorizationCode
            | GrantType::RefreshToken
            | GrantType::DeviceCode
            | GrantType::TokenExchange) => return Err(RegistrationError::GrantTypeNotOffered { grant }),
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
