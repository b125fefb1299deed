mod grant;

pub use grant::GrantDenial;

use crate::assertion::AssertionFault;
use sealstone_identity::Refusal;
use sealstone_oauth_types::{ErrorCode, RequestError};

/// Why a request is refused. The caller is told the code and a fixed description; the audit trail gets the rule.
///
/// Everything that failed about the client's authentication looks the same from outside: whoever tries ids or secrets
/// learns nothing (RFC 6749 §5.2).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(
    clippy::exhaustive_enums,
    reason = "every denial has its code, its rule and its test"
)]
pub enum Denial {
    /// The request is malformed (RFC 6749 §5.2 `invalid_request`).
    #[error("the request is malformed: {0}")]
    Malformed(RequestError),
    /// No such client in this domain, or its id is no id (RFC 6749 §5.2 `invalid_client`).
    #[error("no such client")]
    UnknownClient,
    /// The client is disabled, or of another domain.
    #[error("the client is disabled here")]
    DisabledClient,
    /// Another authentication method than the registered one (RFC 7591 §2).
    #[error("the client is registered for another authentication method")]
    OtherMethod,
    /// Nothing proves who the client is (RFC 6749 §3.2.1).
    #[error("the client did not authenticate")]
    NoCredential,
    /// The secret is wrong or past its end.
    #[error("the secret is wrong")]
    WrongSecret,
    /// The connection carried no client certificate (RFC 8705 §2).
    #[error("no client certificate was presented")]
    NoCertificate,
    /// The chain of the certificate was not verified (RFC 8705 §2.1), for this reason.
    #[error("the certificate's chain is not trusted: {0}")]
    UntrustedCertificate(&'static str),
    /// The certificate is out of date (RFC 5280 §6.1.3).
    #[error("the certificate is out of date")]
    CertificateOutOfDate,
    /// The certificate is not the registered one (RFC 8705 §2.1.2, §2.2.2).
    #[error("the certificate is not the registered one")]
    OtherCertificate,
    /// The assertion does not prove who the client is (RFC 7523 §3), for this reason.
    #[error("the client assertion is refused: {0}")]
    WrongAssertion(AssertionFault),
    /// The client must get bound tokens, and presented no certificate to bind them to (RFC 8705 §3.4).
    #[error("a bound token was due and no certificate was presented")]
    BindingImpossible,
    /// A grant type that this server does not have (RFC 6749 §5.2 `unsupported_grant_type`).
    #[error("the grant type is not supported")]
    UnsupportedGrantType,
    /// A grant type that the client is not registered for (RFC 6749 §5.2 `unauthorized_client`).
    #[error("the client is not registered for this grant type")]
    UnauthorizedGrantType,
    /// A scope that the client may not have (RFC 6749 §5.2 `invalid_scope`).
    #[error("the scope goes beyond what the client may have")]
    ScopeNotAllowed,
    /// A resource that the client may not name (RFC 8707 §2 `invalid_target`).
    #[error("the resource is not one of the client's")]
    TargetNotAllowed,
    /// `openstack:api` together with a resource that is not the domain's OpenStack services.
    #[error("a token for OpenStack services names no other resource")]
    MixedTargets,
    /// OpenStack refuses the identity that the client is tied to (RFC 6749 §5.2 `invalid_grant`: what the grant stands
    /// on is invalid, expired or revoked).
    #[error("the client's OpenStack identity is refused: {0}")]
    IdentityRefused(Refusal),
    /// The tie leads to another user, project or credential than the registration names.
    #[error("the client's OpenStack identity is not the registered one")]
    OtherIdentity,
    /// The application credential is unrestricted, and the registration does not say that it may be.
    #[error("the client's application credential is unrestricted")]
    UnrestrictedCredential,
    /// The rules of the registration come to no user and project for the client's certificate, for this reason.
    #[error("the certificate is mapped to nobody: {0}")]
    MappingUndecided(&'static str),
    /// A Keystone token was asked for, and the client is tied to no identity of Keystone.
    #[error("the client is tied to no identity of Keystone")]
    NoKeystoneIdentity,
    /// A Keystone token was asked for, and Keystone refuses what it stands on, as it refuses a wrong secret.
    #[error("Keystone refuses a token: {0}")]
    KeystoneRefused(Refusal),
    /// A Keystone token must be bound to the client's certificate, and there is no key to make one: Keystone binds none
    /// that it is asked for.
    #[error("the Keystone token must be bound, and can't be")]
    KeystoneBindingImpossible,
    /// The client may not introspect (RFC 7662 §2.1; the code is that of RFC 6750 §3.1, the nearest one).
    #[error("the client may not introspect tokens")]
    IntrospectionNotAllowed,
    /// What a person granted gives no token.
    #[error(transparent)]
    Grant(GrantDenial),
}

impl From<GrantDenial> for Denial {
    fn from(denial: GrantDenial) -> Self {
        Self::Grant(denial)
    }
}

impl Denial {
    /// The error code on the wire.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Malformed(error) => error.code(),
            Self::UnknownClient
            | Self::DisabledClient
            | Self::OtherMethod
            | Self::NoCredential
            | Self::WrongSecret
            | Self::NoCertificate
            | Self::UntrustedCertificate(_)
            | Self::CertificateOutOfDate
            | Self::OtherCertificate
            | Self::WrongAssertion(_)
            | Self::KeystoneRefused(_) => ErrorCode::InvalidClient,
            Self::BindingImpossible => ErrorCode::InvalidRequest,
            Self::UnsupportedGrantType => ErrorCode::UnsupportedGrantType,
            Self::UnauthorizedGrantType | Self::NoKeystoneIdentity | Self::KeystoneBindingImpossible => {
                ErrorCode::UnauthorizedClient
            }
            Self::ScopeNotAllowed => ErrorCode::InvalidScope,
            Self::TargetNotAllowed | Self::MixedTargets => ErrorCode::InvalidTarget,
            Self::IdentityRefused(_)
            | Self::OtherIdentity
            | Self::UnrestrictedCredential
            | Self::MappingUndecided(_) => ErrorCode::InvalidGrant,
            Self::IntrospectionNotAllowed => ErrorCode::InsufficientScope,
            Self::Grant(denial) => denial.code(),
        }
    }

    /// The description on the wire: fixed text, never input.
    #[must_use]
    pub const fn description(&self) -> &'static str {
        match self {
            Self::Malformed(error) => error.description(),
            Self::UnknownClient
            | Self::DisabledClient
            | Self::OtherMethod
            | Self::NoCredential
            | Self::WrongSecret
            | Self::NoCertificate
            | Self::UntrustedCertificate(_)
            | Self::CertificateOutOfDate
            | Self::OtherCertificate
            | Self::WrongAssertion(_)
            | Self::KeystoneRefused(_) => {
                "Client authentication failed: check the client id, its registered method, and its secret, certificate or assertion"
            }
            Self::BindingImpossible => {
                "This client gets certificate-bound tokens only: send the request with its certificate to the mutual TLS endpoint"
            }
            Self::UnsupportedGrantType => "This server does not have that grant type",
            Self::UnauthorizedGrantType => "The client is not registered for that grant type",
            Self::ScopeNotAllowed => "The scope goes beyond what the client is registered for",
            Self::TargetNotAllowed => "The resource is not one that the client is registered for",
            Self::MixedTargets => {
                "A token with openstack:api is for the OpenStack services alone: ask for another token for other resources"
            }
            Self::IdentityRefused(_) => {
                "OpenStack does not accept the identity that this client is tied to: ask the administrator who registered it"
            }
            Self::OtherIdentity | Self::UnrestrictedCredential | Self::MappingUndecided(_) => {
                "The OpenStack identity of this client is not what it is registered for: ask the administrator who registered it"
            }
            Self::NoKeystoneIdentity => {
                "This client is tied to no identity of Keystone: ask the administrator who registered it"
            }
            Self::KeystoneBindingImpossible => {
                "This client gets certificate-bound tokens only, and Keystone binds none: the operator must let this server sign them, [keystone.mint]"
            }
            Self::IntrospectionNotAllowed => "The client is not registered to introspect tokens",
            Self::Grant(denial) => denial.description(),
        }
    }

    /// The rule that decided, for the audit trail and metrics.
    #[must_use]
    pub const fn rule(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed_request",
            Self::UnknownClient => "unknown_client",
            Self::DisabledClient => "disabled_client",
            Self::OtherMethod => "other_authentication_method",
            Self::NoCredential => "no_credential",
            Self::WrongSecret => "wrong_secret",
            Self::NoCertificate => "no_certificate",
            Self::UntrustedCertificate(_) => "untrusted_certificate",
            Self::CertificateOutOfDate => "certificate_out_of_date",
            Self::OtherCertificate => "other_certificate",
            Self::WrongAssertion(_) => "wrong_assertion",
            Self::BindingImpossible => "binding_impossible",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UnauthorizedGrantType => "unauthorized_grant_type",
            Self::ScopeNotAllowed => "scope_not_allowed",
            Self::TargetNotAllowed => "target_not_allowed",
            Self::MixedTargets => "mixed_targets",
            Self::IdentityRefused(_) => "identity_refused",
            Self::OtherIdentity => "other_identity",
            Self::MappingUndecided(_) => "mapping_undecided",
            Self::UnrestrictedCredential => "unrestricted_application_credential",
            Self::NoKeystoneIdentity => "no_keystone_identity",
            Self::KeystoneRefused(_) => "keystone_refused",
            Self::KeystoneBindingImpossible => "keystone_binding_impossible",
            Self::IntrospectionNotAllowed => "introspection_not_allowed",
            Self::Grant(denial) => denial.rule(),
        }
    }

    /// What more the audit trail is told beside the [rule](Self::rule): a stable word in snake case.
    #[must_use]
    pub const fn detail(&self) -> Option<&'static str> {
        match self {
            Self::UntrustedCertificate(reason) | Self::MappingUndecided(reason) => Some(reason),
            Self::WrongAssertion(fault) => Some(fault.as_str()),
            Self::IdentityRefused(refusal) | Self::KeystoneRefused(refusal) => Some(refusal.as_str()),
            Self::Grant(denial) => denial.detail(),
            Self::Malformed(_)
            | Self::UnknownClient
            | Self::DisabledClient
            | Self::OtherMethod
            | Self::NoCredential
            | Self::WrongSecret
            | Self::NoCertificate
            | Self::CertificateOutOfDate
            | Self::OtherCertificate
            | Self::BindingImpossible
            | Self::UnsupportedGrantType
            | Self::UnauthorizedGrantType
            | Self::ScopeNotAllowed
            | Self::TargetNotAllowed
            | Self::MixedTargets
            | Self::OtherIdentity
            | Self::UnrestrictedCredential
            | Self::NoKeystoneIdentity
            | Self::KeystoneBindingImpossible
            | Self::IntrospectionNotAllowed => None,
        }
    }

    /// The same at Keystone's own endpoint, where a refused identity is answered as Keystone answers it.
    pub(crate) const fn at_keystone(self) -> Self {
        if let Self::IdentityRefused(refusal) = self {
            Self::KeystoneRefused(refusal)
        } else {
            self
        }
    }
}
