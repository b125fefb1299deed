//! Why an administrator, or a client that registers itself, is refused.

use crate::error::BackendError;
use sealstone_audit::Reason;
use sealstone_identity::Refusal;
use sealstone_registry::{Excess, PolicyError, RegistrationError, RotationError, StoreError};
use std::borrow::Cow;

/// Why a request for administration is not answered with what it asks for.
#[derive(Debug, thiserror::Error)]
#[expect(clippy::exhaustive_enums, reason = "the edge answers each arm in its own way")]
pub enum AdministrationError {
    /// No such issuer, or nobody administers clients here.
    #[error("no such issuer")]
    UnknownIssuer,
    /// The request is refused; it is the caller's to mend.
    #[error("denied: {0}")]
    Denied(#[source] AdministrationDenial),
    /// We can't answer; it is ours to mend.
    #[error("failed: {0}")]
    Backend(#[source] BackendError),
}

/// A refusal, by the rule that decided. What it says goes to somebody who proved who they are, or is fixed text.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[expect(clippy::exhaustive_enums, reason = "each has its status")]
pub enum AdministrationDenial {
    /// Nothing that proves who asks.
    #[error(
        "prove who you are: an access token with the scope sealstone:clients, for keys sealstone:keys; X-Auth-Token; a \
         certificate that is configured; or the server's local socket"
    )]
    NoCredential,
    /// An access token and a Keystone token.
    #[error("two tokens were sent: send Authorization or X-Auth-Token, not both")]
    SeveralCredentials,
    /// A page in a browser sent it.
    #[error("requests of web pages are not answered here: send it from a program")]
    FromAPage,
    /// Malformed, ended, revoked, of another issuer, bound to another certificate, or narrowed to other requests.
    #[error("the token is not accepted")]
    InvalidToken,
    /// The certificate's chain is not verified, or it is out of date.
    #[error("the certificate is not accepted: it is not of a trusted authority, revoked, or out of date")]
    UntrustedCertificate,
    /// A person's access token.
    #[error("an access token of a person who signed in administers nothing: come with their Keystone token")]
    PersonToken,
    /// The token is for other services.
    #[error(
        "the token is for another service: ask for one without `resource`, or with the issuer as `resource`"
    )]
    OtherAudience,
    /// Without the scope.
    #[error("the token lacks the scope {0}, or its client does by now")]
    MissingScope(&'static str),
    /// Known, and no administrator.
    #[error(
        "you do not administer anything here: it takes `admin` on the system, a manager's role on the domain itself \
         (a token of domain scope), or a certificate that is configured"
    )]
    NotAnAdministrator,
    /// Of another domain.
    #[error("you administer the clients of another domain")]
    OtherDomain,
    /// Of a domain, where it takes the cloud.
    #[error(
        "only an administrator of the cloud administers keys: it takes `admin` on the system, a token of the issuer of \
         the domain `global`, or a certificate that is configured for every domain"
    )]
    NotOfTheCloud,
    /// A query that cannot be.
    #[error("the query is not understood: `limit` is 1 to 500, `after` the `next_after` of the page before")]
    Query,
    /// A body that cannot be.
    #[error(
        "the body is not understood: send a JSON object with the members that the documentation names, each once"
    )]
    Body,
    /// A body of another kind.
    #[error("send the body as Content-Type: application/json")]
    ContentType,
    /// A body that is too long.
    #[error("the body is longer than 128 KiB")]
    TooLarge,
    /// No such client in this domain.
    #[error("there is no such client in this domain")]
    UnknownClient,
    /// The id is taken.
    #[error("there is a client of this id already, here or in another domain: choose another")]
    ClientExists,
    /// A change without `If-Match`.
    #[error("send If-Match with the ETag of the client as you read it, so that nobody's change is lost")]
    PreconditionMissing,
    /// The client was changed since.
    #[error("the client was changed since you read it: read it again and decide again")]
    PreconditionFailed,
    /// More than the administrator may give.
    #[error("{0}")]
    Beyond(Excess),
    /// Keystone does not let the administrator see what a tie leads to.
    #[error(
        "Keystone does not confirm the tie in your name ({0}): check ids, roles and what your token may see"
    )]
    Tie(Refusal),
    /// The registration breaks a rule.
    #[error("{0}")]
    Registration(RegistrationError),
    /// The secret can't be rotated so.
    #[error("{0}")]
    Rotation(RotationError),
    /// A life or a number of uses that no initial access token may have.
    #[error("an initial access token lives 60 to 7776000 seconds and registers 1 to 1000 clients")]
    InitialToken,
    /// There are too many of them.
    #[error("the domain has 500 initial access tokens: take back those that nobody needs")]
    TooManyInitialTokens,
    /// No such initial access token.
    #[error("there is no such initial access token in this domain")]
    UnknownInitialToken,
    /// Clients of this domain do not register themselves.
    #[error("clients of this domain do not register themselves: the server's configuration has to say so")]
    RegistrationOff,
    /// An initial access token that registers nothing (any more).
    #[error("the initial access token is not accepted: ask for a new one")]
    WrongInitialToken,
    /// Not this client's registration access token.
    #[error("the registration access token is not accepted")]
    WrongRegistrationToken,
    /// No such key in this domain.
    #[error("there is no such key in this domain: GET `/keys` names those that there are")]
    UnknownKey,
    /// The key counts no longer.
    #[error("the key is revoked already: nothing is to be done")]
    KeyRevoked,
    /// Nobody signed, where two must.
    #[error(
        "two administrators must agree here: send `request`, 16 hexadecimal digits that you draw, and `statement`, \
         which you signed for it; `sealstone key revoke --as NAME --administrator-key FILE` does"
    )]
    TwoAdministrators,
    /// Somebody signed, where nobody needs to.
    #[error("one administrator is enough here, and nothing waits: send no `request` and no `statement`")]
    OneAdministrator,
    /// A statement that proves nothing.
    #[error(
        "the statement is not one that an administrator of the server's file signed for this request and key within \
         the last 15 minutes"
    )]
    AdministratorNotProved,
    /// The id of a request is taken.
    #[error("there is a request of this id already: see `requests` of GET `/keys`, or draw another")]
    RequestExists,
    /// Too many requests wait.
    #[error("64 requests of the domain wait: confirm one, or wait until they lapse, 15 minutes at most")]
    TooManyRequests,
    /// No such request for this key.
    #[error("there is no such request for this key: `requests` of GET `/keys` are those that wait")]
    UnknownRequest,
    /// The request's time is over.
    #[error("its 15 minutes are over: ask anew")]
    LapsedRequest,
    /// The first administrator again.
    #[error("whoever asked cannot confirm: another administrator must")]
    SameAdministrator,
    /// Confirmed before.
    #[error("it was confirmed before: see GET `/keys`")]
    UsedRequest,
    /// A client that registers itself asks for what breaks a rule.
    #[error("{0}")]
    Metadata(RegistrationError),
    /// A client that registers itself asks for more than it may.
    #[error("{0}")]
    Policy(PolicyError),
    /// `client_id` or `client_secret` of an update are not the client's.
    #[error("`client_id` must be the client's own, and `client_secret`, if it is sent, too")]
    OtherClient,
}

impl AdministrationDenial {
    /// The rule's name, for the audit trail.
    #[must_use]
    pub const fn rule(&self) -> &'static str {
        match self {
            Self::NoCredential => "no_credential",
            Self::SeveralCredentials => "several_credentials",
            Self::FromAPage => "from_a_page",
            Self::InvalidToken => "invalid_token",
            Self::UntrustedCertificate => "untrusted_certificate",
            Self::PersonToken => "token_of_a_person",
            Self::OtherAudience => "other_audience",
            Self::MissingScope(_) => "missing_scope",
            Self::NotAnAdministrator => "not_an_administrator",
            Self::OtherDomain => "other_domain",
            Self::NotOfTheCloud => "not_of_the_cloud",
            Self::Query => "malformed_query",
            Self::Body => "malformed_body",
            Self::ContentType => "content_type",
            Self::TooLarge => "body_too_large",
            Self::UnknownClient => "unknown_client",
            Self::ClientExists => "client_exists",
            Self::PreconditionMissing => "precondition_missing",
            Self::PreconditionFailed => "precondition_failed",
            Self::Beyond(_) => "beyond_own_rights",
            Self::Tie(_) => "tie_refused",
            Self::Registration(_) => "registration",
            Self::Rotation(_) => "rotation",
            Self::InitialToken => "initial_token_bounds",
            Self::TooManyInitialTokens => "too_many_initial_tokens",
            Self::UnknownInitialToken => "unknown_initial_token",
            Self::RegistrationOff => "registration_off",
            Self::WrongInitialToken => "wrong_initial_token",
            Self::WrongRegistrationToken => "wrong_registration_token",
            Self::UnknownKey => "unknown_key",
            Self::KeyRevoked => "already_revoked",
            Self::TwoAdministrators => "two_administrators",
            Self::OneAdministrator => "one_administrator",
            Self::AdministratorNotProved => "administrator_not_proved",
            Self::RequestExists => "request_exists",
            Self::TooManyRequests => "too_many_requests",
            Self::UnknownRequest => "unknown_request",
            Self::LapsedRequest => "lapsed_request",
            Self::SameAdministrator => "same_administrator",
            Self::UsedRequest => "used_request",
            Self::Metadata(_) => "client_metadata",
            Self::Policy(_) => "registration_policy",
            Self::OtherClient => "other_client",
        }
    }

    /// What more the audit trail is told.
    #[must_use]
    pub const fn detail(&self) -> Option<&'static str> {
        match self {
            Self::Beyond(excess) => Some(excess.as_str()),
            Self::Tie(refusal) => Some(refusal.as_str()),
            Self::Policy(fault) => Some(fault.as_str()),
            Self::NoCredential
            | Self::SeveralCredentials
            | Self::FromAPage
            | Self::InvalidToken
            | Self::UntrustedCertificate
            | Self::PersonToken
            | Self::OtherAudience
            | Self::MissingScope(_)
            | Self::NotAnAdministrator
            | Self::OtherDomain
            | Self::NotOfTheCloud
            | Self::Query
            | Self::Body
            | Self::ContentType
            | Self::TooLarge
            | Self::UnknownClient
            | Self::ClientExists
            | Self::PreconditionMissing
            | Self::PreconditionFailed
            | Self::Registration(_)
            | Self::Rotation(_)
            | Self::InitialToken
            | Self::TooManyInitialTokens
            | Self::UnknownInitialToken
            | Self::RegistrationOff
            | Self::WrongInitialToken
            | Self::WrongRegistrationToken
            | Self::UnknownKey
            | Self::KeyRevoked
            | Self::TwoAdministrators
            | Self::OneAdministrator
            | Self::AdministratorNotProved
            | Self::RequestExists
            | Self::TooManyRequests
            | Self::UnknownRequest
            | Self::LapsedRequest
            | Self::SameAdministrator
            | Self::UsedRequest
            | Self::Metadata(_)
            | Self::OtherClient => None,
        }
    }

    /// The status of the answer.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::NoCredential
            | Self::InvalidToken
            | Self::UntrustedCertificate
            | Self::WrongInitialToken
            | Self::WrongRegistrationToken => 401,
            Self::FromAPage
            | Self::PersonToken
            | Self::OtherAudience
            | Self::MissingScope(_)
            | Self::NotAnAdministrator
            | Self::OtherDomain
            | Self::NotOfTheCloud
            | Self::Beyond(_)
            | Self::Tie(_)
            | Self::TwoAdministrators
            | Self::AdministratorNotProved
            | Self::SameAdministrator
            | Self::RegistrationOff => 403,
            Self::SeveralCredentials
            | Self::Query
            | Self::Body
            | Self::Metadata(_)
            | Self::Policy(_)
            | Self::OtherClient => 400,
            Self::UnknownClient | Self::UnknownInitialToken | Self::UnknownKey | Self::UnknownRequest => 404,
            Self::ClientExists
            | Self::TooManyInitialTokens
            | Self::KeyRevoked
            | Self::OneAdministrator
            | Self::RequestExists
            | Self::TooManyRequests
            | Self::LapsedRequest
            | Self::UsedRequest => 409,
            Self::PreconditionFailed => 412,
            Self::TooLarge => 413,
            Self::ContentType => 415,
            Self::Registration(_) | Self::Rotation(_) | Self::InitialToken => 422,
            Self::PreconditionMissing => 428,
        }
    }

    /// The code of the answer (RFC 6750 §3.1, RFC 7591 §3.2.2).
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoCredential
            | Self::InvalidToken
            | Self::UntrustedCertificate
            | Self::WrongInitialToken
            | Self::WrongRegistrationToken => "invalid_token",
            Self::PersonToken | Self::OtherAudience | Self::MissingScope(_) => "insufficient_scope",
            Self::FromAPage
            | Self::NotAnAdministrator
            | Self::OtherDomain
            | Self::NotOfTheCloud
            | Self::Beyond(_)
            | Self::Tie(_)
            | Self::TwoAdministrators
            | Self::AdministratorNotProved
            | Self::SameAdministrator
            | Self::RegistrationOff => "access_denied",
            Self::Registration(error) | Self::Metadata(error) if error.is_of_redirect() => {
                "invalid_redirect_uri"
            }
            Self::Policy(PolicyError::RedirectHost) => "invalid_redirect_uri",
            Self::Registration(_) | Self::Metadata(_) | Self::Policy(_) | Self::OtherClient => {
                "invalid_client_metadata"
            }
            Self::SeveralCredentials
            | Self::Query
            | Self::Body
            | Self::ContentType
            | Self::TooLarge
            | Self::UnknownClient
            | Self::ClientExists
            | Self::PreconditionMissing
            | Self::PreconditionFailed
            | Self::Rotation(_)
            | Self::InitialToken
            | Self::TooManyInitialTokens
            | Self::UnknownInitialToken
            | Self::UnknownKey
            | Self::KeyRevoked
            | Self::OneAdministrator
            | Self::RequestExists
            | Self::TooManyRequests
            | Self::UnknownRequest
            | Self::LapsedRequest
            | Self::UsedRequest => "invalid_request",
        }
    }

    /// What is said of it.
    #[must_use]
    pub fn description(&self) -> Cow<'static, str> {
        Cow::Owned(self.to_string())
    }
}

impl AdministrationError {
    pub(super) const fn reason(&self) -> Reason {
        match self {
            Self::UnknownIssuer => Reason::new(404, "unknown_issuer"),
            Self::Denied(denial) => Reason::new(denial.status(), denial.rule()).with_detail(denial.detail()),
            Self::Backend(cause) => {
                Reason::new(cause.code().status(), "backend_failure").with_detail(cause.detail())
            }
        }
    }
}

impl From<AdministrationDenial> for AdministrationError {
    fn from(denial: AdministrationDenial) -> Self {
        Self::Denied(denial)
    }
}

impl From<RegistrationError> for AdministrationError {
    fn from(error: RegistrationError) -> Self {
        Self::Denied(AdministrationDenial::Registration(error))
    }
}

impl From<RotationError> for AdministrationError {
    fn from(error: RotationError) -> Self {
        Self::Denied(AdministrationDenial::Rotation(error))
    }
}

impl From<BackendError> for AdministrationError {
    fn from(error: BackendError) -> Self {
        Self::Backend(error)
    }
}

impl From<StoreError> for AdministrationError {
    fn from(error: StoreError) -> Self {
        Self::Backend(error.into())
    }
}
