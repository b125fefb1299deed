use super::parameters::ParameterFault;
use super::{ResponseMode, State};
use crate::{ErrorCode, FormError};

/// Why it is not known who asks or where an answer goes. It is told on a page, never by a redirect
/// (RFC 6749 §4.1.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(clippy::exhaustive_enums, reason = "the page has a text for each")]
pub enum AuthorizationHeadError {
    /// The request is too large, or has too many parameters.
    #[error(transparent)]
    Form(#[from] FormError),
    /// A name of a parameter, the client's id or the redirect URI is not encoded as a form is.
    #[error("the request is not encoded as a form is")]
    Encoding,
    /// `client_id` or `redirect_uri` is repeated (RFC 6749 §3.1).
    #[error("client_id or redirect_uri is repeated")]
    Repeated,
    /// No `client_id`.
    #[error("the parameter client_id is missing")]
    MissingClientId,
    /// `client_id` is no client id.
    #[error("the client is not known")]
    ClientId,
    /// `redirect_uri` is nothing that can be registered.
    #[error("the redirect URI is not one of the client")]
    RedirectUri,
}

/// What is wrong with a request whose client and redirect URI are good, and how to tell the client.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "every part goes into the answer")]
pub struct AuthorizationFault {
    /// What is wrong.
    pub error: AuthorizationError,
    /// Goes back with it, if it can be read.
    pub state: Option<State>,
    /// How the answer travels: as asked for, if that can be read.
    pub response_mode: ResponseMode,
}

/// Why an authorization request cannot be read. No variant holds a part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(clippy::exhaustive_enums, reason = "each has its code and its description")]
pub enum AuthorizationError {
    /// A parameter comes twice (RFC 6749 §3.1).
    #[error("a parameter is repeated")]
    Repeated,
    /// A value is not encoded as a form is.
    #[error("a parameter is not encoded as a form is")]
    Encoding,
    /// `state` is too long or holds control characters.
    #[error("the parameter state is longer than 2048 bytes or holds control characters")]
    State,
    /// `response_mode` is not offered.
    #[error("the response mode is not offered")]
    ResponseMode,
    /// `request` (OpenID Connect Core §6.1).
    #[error("request objects are not supported")]
    RequestObject,
    /// `request_uri` (OpenID Connect Core §6.2).
    #[error("request_uri is not supported")]
    RequestUri,
    /// `registration` (OpenID Connect Core §7.2.1).
    #[error("the parameter registration is not supported")]
    Registration,
    /// `dpop_jkt` (RFC 9449 §10): who asks for a token bound to a key gets no other one.
    #[error("tokens are not bound to keys by DPoP here, only to client certificates")]
    DpopJkt,
    /// No `response_type` (RFC 6749 §3.1.1).
    #[error("the parameter response_type is missing")]
    MissingResponseType,
    /// Another `response_type` than `code`.
    #[error("the response type is not code")]
    ResponseType,
    /// `code_challenge` is missing beside its method, or is not 43 characters of base64url (RFC 7636 §4.2).
    #[error("the code challenge is not 43 characters of base64url")]
    CodeChallenge,
    /// Another `code_challenge_method` than `S256`, or none, which means `plain` (RFC 7636 §4.3).
    #[error("the code challenge method is not S256")]
    CodeChallengeMethod,
    /// `scope` breaks its grammar (RFC 6749 §3.3).
    #[error("the parameter scope is malformed")]
    Scope,
    /// `resource` is not an absolute URI without fragment (RFC 8707 §2).
    #[error("the parameter resource is not an absolute URI without fragment")]
    Resource,
    /// `nonce` is too long or holds control characters.
    #[error("the parameter nonce is longer than 512 bytes or holds control characters")]
    Nonce,
    /// `prompt` holds an unknown value, or `none` beside another (OpenID Connect Core §3.1.2.1).
    #[error("the parameter prompt is not a list of none, login, consent and select_account, none alone")]
    Prompt,
    /// `max_age` is not a number of seconds.
    #[error("the parameter max_age is not a number of seconds")]
    MaxAge,
    /// `acr_values` holds too many values or a malformed one.
    #[error("the parameter acr_values is malformed")]
    AcrValues,
    /// `claims` is not the JSON of OpenID Connect Core §5.5, or too large.
    #[error("the parameter claims is malformed")]
    Claims,
    /// `id_token_hint` is too long.
    #[error("the parameter id_token_hint is longer than 8192 bytes")]
    IdTokenHint,
}

impl AuthorizationHeadError {
    pub(super) const fn of(fault: ParameterFault) -> Self {
        match fault {
            ParameterFault::Repeated => Self::Repeated,
            ParameterFault::Encoding => Self::Encoding,
        }
    }
}

impl From<ParameterFault> for AuthorizationError {
    fn from(fault: ParameterFault) -> Self {
        match fault {
            ParameterFault::Repeated => Self::Repeated,
            ParameterFault::Encoding => Self::Encoding,
        }
    }
}

impl AuthorizationError {
    /// Every fault, in the order in which they are looked for.
    pub const ALL: &'static [Self] = &[
        Self::Repeated,
        Self::Encoding,
        Self::State,
        Self::ResponseMode,
        Self::RequestObject,
        Self::RequestUri,
        Self::Registration,
        Self::DpopJkt,
        Self::MissingResponseType,
        Self::ResponseType,
        Self::CodeChallenge,
        Self::CodeChallengeMethod,
        Self::Scope,
        Self::Resource,
        Self::Nonce,
        Self::Prompt,
        Self::MaxAge,
        Self::AcrValues,
        Self::Claims,
        Self::IdTokenHint,
    ];

    /// The code of the answer.
    #[must_use]
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::RequestObject => ErrorCode::RequestNotSupported,
            Self::RequestUri => ErrorCode::RequestUriNotSupported,
            Self::Registration => ErrorCode::RegistrationNotSupported,
            Self::ResponseType => ErrorCode::UnsupportedResponseType,
            Self::Scope => ErrorCode::InvalidScope,
            Self::Resource => ErrorCode::InvalidTarget,
            Self::Repeated
            | Self::Encoding
            | Self::State
            | Self::ResponseMode
            | Self::DpopJkt
            | Self::MissingResponseType
            | Self::CodeChallenge
            | Self::CodeChallengeMethod
            | Self::Nonce
            | Self::Prompt
            | Self::MaxAge
            | Self::AcrValues
            | Self::Claims
            | Self::IdTokenHint => ErrorCode::InvalidRequest,
        }
    }

    /// The fixed description of the answer.
    #[must_use]
    pub const fn description(self) -> &'static str {
        match self {
            Self::Repeated => "a parameter is repeated",
            Self::Encoding => "a parameter is not encoded as a form is",
            Self::State => "the parameter state is longer than 2048 bytes or holds control characters",
            Self::ResponseMode => "the response mode is not offered",
            Self::RequestObject => "request objects are not supported",
            Self::RequestUri => "request_uri is not supported",
            Self::Registration => "the parameter registration is not supported",
            Self::DpopJkt => "tokens are not bound to keys by DPoP here, only to client certificates",
            Self::MissingResponseType => "the parameter response_type is missing",
            Self::ResponseType => "the response type is not code",
            Self::CodeChallenge => "the code challenge is not 43 characters of base64url",
            Self::CodeChallengeMethod => "the code challenge method is not S256",
            Self::Scope => "the parameter scope is malformed",
            Self::Resource => "the parameter resource is not an absolute URI without fragment",
            Self::Nonce => "the parameter nonce is longer than 512 bytes or holds control characters",
            Self::Prompt => {
                "the parameter prompt is not a list of none, login, consent and select_account, none alone"
            }
            Self::MaxAge => "the parameter max_age is not a number of seconds",
            Self::AcrValues => "the parameter acr_values is malformed",
            Self::Claims => "the parameter claims is malformed",
            Self::IdTokenHint => "the parameter id_token_hint is longer than 8192 bytes",
        }
    }
}
