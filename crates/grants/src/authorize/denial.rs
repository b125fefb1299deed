use sealstone_login::LoginDenial;
use sealstone_oauth_types::{AuthorizationError, AuthorizationHeadError, ErrorCode};

/// Why an authorization request is answered by a page and by nothing else (RFC 6749 §4.1.2.1): there is no address that
/// is known to be the client's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(clippy::exhaustive_enums, reason = "the page has a text for each")]
pub enum Displayed {
    /// Who asks, or where the answer goes, can't be read.
    #[error("the request cannot be read: {0}")]
    Malformed(AuthorizationHeadError),
    /// No such client in this domain.
    #[error("no such client")]
    UnknownClient,
    /// The client is disabled.
    #[error("the client is disabled")]
    DisabledClient,
    /// The redirect URI is not the client's, or is missing where the client has several.
    #[error("the redirect URI is not registered")]
    UnregisteredRedirectUri,
}

impl Displayed {
    /// All of them; the first with one of its faults.
    pub const ALL: [Self; 4] = [
        Self::Malformed(AuthorizationHeadError::MissingClientId),
        Self::UnknownClient,
        Self::DisabledClient,
        Self::UnregisteredRedirectUri,
    ];

    /// The rule that decided, for the audit trail and metrics.
    #[must_use]
    pub const fn rule(self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed_request",
            Self::UnknownClient => "unknown_client",
            Self::DisabledClient => "disabled_client",
            Self::UnregisteredRedirectUri => "unregistered_redirect_uri",
        }
    }
}

/// Why a client gets no code. It is told the error code and a fixed description.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(
    clippy::exhaustive_enums,
    reason = "every denial has its code, its rule and its test"
)]
pub enum AuthorizationDenial {
    /// The request is malformed.
    #[error("the request is malformed: {0}")]
    Malformed(AuthorizationError),
    /// The client is not registered for codes (RFC 6749 §4.1.2.1).
    #[error("the client may not use authorization codes")]
    UnauthorizedClient,
    /// No code challenge, where one is due (RFC 7636 §4.4.1).
    #[error("the code challenge is missing")]
    NoChallenge,
    /// More scope than the client is registered for.
    #[error("the scope is not within the client's registration")]
    ScopeNotAllowed,
    /// A resource that the client is not registered for (RFC 8707 §2).
    #[error("the resource is not registered for the client")]
    TargetNotAllowed,
    /// `openstack:api` together with another resource.
    #[error("OpenStack services and another resource in one token")]
    MixedTargets,
    /// Nobody is signed in, or not as the request demands, and no page may be shown (OpenID Connect Core §3.1.2.6).
    #[error("the person must sign in, and no page may be shown")]
    LoginRequired,
    /// The person must choose, and no page may be shown.
    #[error("the person must choose an account, and no page may be shown")]
    AccountSelectionRequired,
    /// The person must be asked, and no page may be shown.
    #[error("the person must be asked, and no page may be shown")]
    ConsentRequired,
    /// Another person than the one that the client expects signed in (OpenID Connect Core §3.1.2.1).
    #[error("another person signed in")]
    OtherPerson,
    /// Nobody here can sign in as surely as is demanded.
    #[error("the login is not as sure as is demanded")]
    AcrUnmet,
    /// The person did not get in. Where they have no factor that is sure enough, it is
    /// [`AcrUnmet`](Self::AcrUnmet) to the client.
    #[error("the login failed: {0}")]
    LoginFailed(LoginDenial),
    /// The person said no.
    #[error("the person refused")]
    Refused,
    /// The person has no role in any project that a token for OpenStack could be for.
    #[error("the person may act in no project")]
    NoProject,
    /// The request is over, by time or because the client changed.
    #[error("the request is over")]
    Outdated,
    /// There are too many requests under way.
    #[error("too many requests are under way")]
    TooMany,
    /// We can't be sure of something now: a source or a store gave no answer.
    #[error("something that must be asked gives no answer")]
    Unavailable,
    /// A fault of ours.
    #[error("the server failed")]
    Failed,
}

impl AuthorizationDenial {
    /// All of them; those with a cause with one of each.
    pub const ALL: [Self; 18] = [
        Self::Malformed(AuthorizationError::Repeated),
        Self::UnauthorizedClient,
        Self::NoChallenge,
        Self::ScopeNotAllowed,
        Self::TargetNotAllowed,
        Self::MixedTargets,
        Self::LoginRequired,
        Self::AccountSelectionRequired,
        Self::ConsentRequired,
        Self::OtherPerson,
        Self::AcrUnmet,
        Self::LoginFailed(LoginDenial::TooManyAttempts),
        Self::Refused,
        Self::NoProject,
        Self::Outdated,
        Self::TooMany,
        Self::Unavailable,
        Self::Failed,
    ];

    /// The error code for the client.
    #[must_use]
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::Malformed(error) => error.code(),
            Self::UnauthorizedClient => ErrorCode::UnauthorizedClient,
            Self::NoChallenge => ErrorCode::InvalidRequest,
            Self::ScopeNotAllowed => ErrorCode::InvalidScope,
            Self::TargetNotAllowed | Self::MixedTargets => ErrorCode::InvalidTarget,
            Self::LoginRequired | Self::OtherPerson => ErrorCode::LoginRequired,
            Self::AccountSelectionRequired => ErrorCode::AccountSelectionRequired,
            Self::ConsentRequired => ErrorCode::ConsentRequired,
            Self::AcrUnmet | Self::LoginFailed(LoginDenial::NoFactor | LoginDenial::AcrUnreachable) => {
                ErrorCode::UnmetAuthenticationRequirements
            }
            Self::LoginFailed(_) | Self::Refused | Self::NoProject | Self::Outdated => {
                ErrorCode::AccessDenied
            }
            Self::TooMany | Self::Unavailable => ErrorCode::TemporarilyUnavailable,
            Self::Failed => ErrorCode::ServerError,
        }
    }

    /// The description for the client: fixed text, never input.
    #[must_use]
    pub const fn description(self) -> &'static str {
        match self {
            Self::Malformed(error) => error.description(),
            Self::UnauthorizedClient => "The client is not registered for authorization codes",
            Self::NoChallenge => {
                "The parameter code_challenge is missing: this client must use PKCE with S256"
            }
            Self::ScopeNotAllowed => "The scope goes beyond what the client is registered for",
            Self::TargetNotAllowed => "The resource is not one that the client is registered for",
            Self::MixedTargets => {
                "A token with openstack:api is for the OpenStack services alone: ask for another token for other resources"
            }
            Self::LoginRequired => "The person must sign in, and prompt=none allows no page",
            Self::AccountSelectionRequired => {
                "The person must choose an account, and prompt=none allows no page"
            }
            Self::ConsentRequired => "The person must be asked, and prompt=none allows no page",
            Self::OtherPerson => "Another person signed in than the one that was expected",
            Self::AcrUnmet | Self::LoginFailed(LoginDenial::NoFactor | LoginDenial::AcrUnreachable) => {
                "The person cannot sign in as surely as is demanded"
            }
            Self::LoginFailed(_) => "The person did not sign in",
            Self::Refused => "The person refused",
            Self::NoProject => "The person may act in no project",
            Self::Outdated => "The request took too long: begin anew",
            Self::TooMany => "Too many requests are under way: try again in a few minutes",
            Self::Unavailable => "The server can't ask about the person now: try again in a moment",
            Self::Failed => "The server could not answer",
        }
    }

    /// The rule that decided, for the audit trail and metrics.
    #[must_use]
    pub const fn rule(self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed_request",
            Self::UnauthorizedClient => "unauthorized_grant_type",
            Self::NoChallenge => "no_code_challenge",
            Self::ScopeNotAllowed => "scope_not_allowed",
            Self::TargetNotAllowed => "target_not_allowed",
            Self::MixedTargets => "mixed_targets",
            Self::LoginRequired => "login_required",
            Self::AccountSelectionRequired => "account_selection_required",
            Self::ConsentRequired => "consent_required",
            Self::OtherPerson => "other_person",
            Self::AcrUnmet => "acr_unmet",
            Self::LoginFailed(_) => "login_failed",
            Self::Refused => "consent_refused",
            Self::NoProject => "no_project",
            Self::Outdated => "request_outdated",
            Self::TooMany => "too_many_interactions",
            Self::Unavailable => "source_unavailable",
            Self::Failed => "backend_failure",
        }
    }

    /// What more the audit trail is told beside the [rule](Self::rule).
    #[must_use]
    pub const fn detail(self) -> Option<&'static str> {
        if let Self::LoginFailed(denial) = self {
            Some(denial.as_str())
        } else {
            None
        }
    }
}
