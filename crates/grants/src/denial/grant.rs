use sealstone_identity::LoginRefusal;
use sealstone_oauth_types::ErrorCode;

/// Why what a person granted gives no token, or no longer: a code, a device code, a refresh token.
///
/// Whoever tries codes and tokens is told that they are not good, and not whether they ever were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(
    clippy::exhaustive_enums,
    reason = "every denial has its code, its rule and its test"
)]
pub enum GrantDenial {
    /// No such code (RFC 6749 §5.2).
    #[error("no such code")]
    UnknownCode,
    /// The code is another client's (RFC 6749 §5.2). It is not spent.
    #[error("the code is another client's")]
    CodeOfAnotherClient,
    /// The code was used before (RFC 6749 §4.1.2): what it gave has ended.
    #[error("the code was used before")]
    CodeSpent,
    /// The code is too old (RFC 6749 §4.1.2).
    #[error("the code has expired")]
    CodeExpired,
    /// The redirect URI is not that of the authorization request (RFC 6749 §4.1.3). The code is spent.
    #[error("the redirect URI is not that of the authorization request")]
    OtherRedirectUri,
    /// The code verifier is missing (RFC 7636 §4.6). The code is spent.
    #[error("the code verifier is missing")]
    NoVerifier,
    /// The code verifier does not belong to the challenge (RFC 7636 §4.6). The code is spent.
    #[error("the code verifier is not that of the challenge")]
    WrongVerifier,
    /// A code verifier for a code without challenge: somebody took the challenge away (RFC 9700 §4.8.2). The code is
    /// spent.
    #[error("a code verifier for a code without challenge")]
    UnexpectedVerifier,
    /// The person signed out between the code and its exchange. The code is spent.
    #[error("the session of the code has ended")]
    SessionEnded,
    /// The person took back what they had let the client have, between the code and its exchange. The code is spent.
    #[error("the consent behind the code was taken back")]
    ConsentEnded,
    /// No such refresh token, or its family has ended (RFC 6749 §5.2).
    #[error("no such refresh token")]
    UnknownRefreshToken,
    /// The refresh token is another client's (RFC 6749 §6). Its family goes on.
    #[error("the refresh token is another client's")]
    RefreshTokenOfAnotherClient,
    /// The refresh token rested too long, or its family is too old.
    #[error("the refresh token has expired")]
    RefreshTokenExpired,
    /// The refresh token was exchanged before (RFC 9700 §4.14.2): its family has ended.
    #[error("the refresh token was used before")]
    RefreshTokenReused,
    /// The refresh token of a public client came without the certificate that it is bound to (RFC 8705 §4).
    #[error("the refresh token is bound to another certificate")]
    OtherBinding,
    /// Too many uses of one refresh token at once; the client tries again.
    #[error("the refresh token is in use")]
    RefreshTokenBusy,
    /// More scope than was granted (RFC 6749 §6).
    #[error("the scope is not within what was granted")]
    ScopeBeyondGrant,
    /// A resource that was not granted (RFC 8707 §2.2).
    #[error("the resource is not within what was granted")]
    TargetBeyondGrant,
    /// The client is registered for nothing any longer that was granted.
    #[error("the client is no longer registered for what was granted")]
    GrantLost,
    /// The client was deleted and registered anew under its id.
    #[error("the client was registered anew since")]
    RegisteredAnew,
    /// The source of people refuses: the person is gone or disabled, or has no role in the project.
    #[error("the person is refused: {0}")]
    PersonRefused(LoginRefusal),
    /// The source of people answered about another person.
    #[error("the source answered about another person")]
    OtherPerson,
    /// The person's authority is not over the project that was granted.
    #[error("the authority is not over the granted project")]
    OtherAuthority,
    /// The person's password was changed, or their logins were ended, since they logged in.
    #[error("the login no longer stands")]
    LoginOutdated,
    /// No such device code (RFC 8628 §3.5).
    #[error("no such device code")]
    UnknownDeviceCode,
    /// The device code is another client's. Nothing happens to it.
    #[error("the device code is another client's")]
    DeviceCodeOfAnotherClient,
    /// The device code gave its tokens before: they have ended.
    #[error("the device code was used before")]
    DeviceCodeSpent,
    /// Nobody has decided yet (RFC 8628 §3.5 `authorization_pending`).
    #[error("nobody has decided about the device")]
    DevicePending,
    /// The device polls too often (RFC 8628 §3.5 `slow_down`).
    #[error("the device polls too often")]
    DeviceTooFast,
    /// The person said no (RFC 8628 §3.5 `access_denied`).
    #[error("the person refused the device")]
    DeviceRefused,
    /// Nobody decided in time (RFC 8628 §3.5 `expired_token`).
    #[error("the device code has expired")]
    DeviceCodeExpired,
    /// The client, or the domain, has too many device codes that nobody has used.
    #[error("too many device codes are open")]
    TooManyDevices,
    /// The token was granted to no person, or without `openid` (OpenID Connect Core §5.3.3, RFC 6750 §3.1).
    #[error("the token is not for the userinfo endpoint")]
    NotForUserinfo,
}

impl GrantDenial {
    /// All of them; those with a refusal with one of each.
    pub const ALL: [Self; 33] = [
        Self::UnknownCode,
        Self::CodeOfAnotherClient,
        Self::CodeSpent,
        Self::CodeExpired,
        Self::OtherRedirectUri,
        Self::NoVerifier,
        Self::WrongVerifier,
        Self::UnexpectedVerifier,
        Self::SessionEnded,
        Self::ConsentEnded,
        Self::UnknownRefreshToken,
        Self::RefreshTokenOfAnotherClient,
        Self::RefreshTokenExpired,
        Self::RefreshTokenReused,
        Self::OtherBinding,
        Self::RefreshTokenBusy,
        Self::ScopeBeyondGrant,
        Self::TargetBeyondGrant,
        Self::GrantLost,
        Self::RegisteredAnew,
        Self::PersonRefused(LoginRefusal::Person),
        Self::OtherPerson,
        Self::OtherAuthority,
        Self::LoginOutdated,
        Self::UnknownDeviceCode,
        Self::DeviceCodeOfAnotherClient,
        Self::DeviceCodeSpent,
        Self::DevicePending,
        Self::DeviceTooFast,
        Self::DeviceRefused,
        Self::DeviceCodeExpired,
        Self::TooManyDevices,
        Self::NotForUserinfo,
    ];

    /// The error code on the wire.
    #[must_use]
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::UnknownCode
            | Self::CodeOfAnotherClient
            | Self::CodeSpent
            | Self::CodeExpired
            | Self::OtherRedirectUri
            | Self::NoVerifier
            | Self::WrongVerifier
            | Self::UnexpectedVerifier
            | Self::SessionEnded
            | Self::ConsentEnded
            | Self::UnknownRefreshToken
            | Self::RefreshTokenOfAnotherClient
            | Self::RefreshTokenExpired
            | Self::RefreshTokenReused
            | Self::OtherBinding
            | Self::GrantLost
            | Self::RegisteredAnew
            | Self::PersonRefused(_)
            | Self::OtherPerson
            | Self::OtherAuthority
            | Self::LoginOutdated
            | Self::UnknownDeviceCode
            | Self::DeviceCodeOfAnotherClient
            | Self::DeviceCodeSpent => ErrorCode::InvalidGrant,
            Self::ScopeBeyondGrant => ErrorCode::InvalidScope,
            Self::TargetBeyondGrant => ErrorCode::InvalidTarget,
            Self::DevicePending => ErrorCode::AuthorizationPending,
            Self::DeviceTooFast => ErrorCode::SlowDown,
            Self::DeviceRefused => ErrorCode::AccessDenied,
            Self::DeviceCodeExpired => ErrorCode::ExpiredToken,
            Self::RefreshTokenBusy | Self::TooManyDevices => ErrorCode::TemporarilyUnavailable,
            Self::NotForUserinfo => ErrorCode::InsufficientScope,
        }
    }

    /// The description on the wire: fixed text, never input.
    #[must_use]
    pub const fn description(self) -> &'static str {
        match self {
            Self::UnknownCode | Self::CodeOfAnotherClient | Self::CodeSpent | Self::CodeExpired => {
                "The code is not good: it is unknown, too old, used, or was given to another client"
            }
            Self::OtherRedirectUri => "The redirect_uri is not that of the authorization request",
            Self::NoVerifier | Self::WrongVerifier | Self::UnexpectedVerifier => {
                "The code_verifier does not belong to the code_challenge of the authorization request"
            }
            Self::UnknownRefreshToken
            | Self::RefreshTokenOfAnotherClient
            | Self::RefreshTokenExpired
            | Self::RefreshTokenReused
            | Self::RegisteredAnew
            | Self::OtherBinding => {
                "The refresh token is not good: it is unknown, too old, used, or was given to another client or certificate"
            }
            Self::RefreshTokenBusy => "The refresh token is used many times at once: try again in a moment",
            Self::ScopeBeyondGrant => "The scope goes beyond what was granted",
            Self::TargetBeyondGrant => "The resource is not one that was granted",
            Self::GrantLost => "The client is no longer registered for what was granted",
            Self::SessionEnded
            | Self::ConsentEnded
            | Self::PersonRefused(_)
            | Self::OtherPerson
            | Self::OtherAuthority
            | Self::LoginOutdated => "The login no longer stands: the person must sign in again",
            Self::UnknownDeviceCode | Self::DeviceCodeOfAnotherClient | Self::DeviceCodeSpent => {
                "The device code is not good: it is unknown, used, or was given to another client"
            }
            Self::DevicePending => "Nobody has decided yet: ask again after the interval",
            Self::DeviceTooFast => "Asked too soon: wait five seconds longer between requests from now on",
            Self::DeviceRefused => "The person refused",
            Self::DeviceCodeExpired => "The device code has ended: begin anew",
            Self::TooManyDevices => "Too many device codes are open: try again in a few minutes",
            Self::NotForUserinfo => {
                "The access token is not one for the userinfo endpoint: it needs the scope openid"
            }
        }
    }

    /// The rule that decided, for the audit trail and metrics.
    #[must_use]
    pub const fn rule(self) -> &'static str {
        match self {
            Self::UnknownCode => "unknown_code",
            Self::CodeOfAnotherClient => "code_of_another_client",
            Self::CodeSpent => "code_spent",
            Self::CodeExpired => "code_expired",
            Self::OtherRedirectUri => "other_redirect_uri",
            Self::NoVerifier => "no_code_verifier",
            Self::WrongVerifier => "wrong_code_verifier",
            Self::UnexpectedVerifier => "unexpected_code_verifier",
            Self::SessionEnded => "session_ended",
            Self::ConsentEnded => "consent_ended",
            Self::UnknownRefreshToken => "unknown_refresh_token",
            Self::RefreshTokenOfAnotherClient => "refresh_token_of_another_client",
            Self::RefreshTokenExpired => "refresh_token_expired",
            Self::RefreshTokenReused => "refresh_token_reused",
            Self::OtherBinding => "refresh_token_bound_elsewhere",
            Self::RefreshTokenBusy => "refresh_token_busy",
            Self::ScopeBeyondGrant => "scope_beyond_grant",
            Self::TargetBeyondGrant => "target_beyond_grant",
            Self::GrantLost => "grant_lost",
            Self::RegisteredAnew => "client_registered_anew",
            Self::PersonRefused(_) => "person_refused",
            Self::OtherPerson => "other_person",
            Self::OtherAuthority => "other_authority",
            Self::LoginOutdated => "login_outdated",
            Self::UnknownDeviceCode => "unknown_device_code",
            Self::DeviceCodeOfAnotherClient => "device_code_of_another_client",
            Self::DeviceCodeSpent => "device_code_spent",
            Self::DevicePending => "device_pending",
            Self::DeviceTooFast => "device_too_fast",
            Self::DeviceRefused => "device_refused",
            Self::DeviceCodeExpired => "device_code_expired",
            Self::TooManyDevices => "too_many_devices",
            Self::NotForUserinfo => "not_for_userinfo",
        }
    }

    /// What more the audit trail is told beside the [rule](Self::rule).
    #[must_use]
    pub const fn detail(self) -> Option<&'static str> {
        if let Self::PersonRefused(refusal) = self {
            Some(refusal.as_str())
        } else {
            None
        }
    }
}
