//! The request at the authorization endpoint, in the two stages that decide where a fault is told: up to a known
//! redirect URI on a page, from then on to the client.

mod claims;
mod fault;
mod parameters;
mod values;

pub use claims::{ClaimRequest, ClaimsRequest, RequestedClaims};
pub use fault::{AuthorizationError, AuthorizationFault, AuthorizationHeadError};
pub use parameters::AuthorizationParameters;
pub(crate) use parameters::ParameterFault;
pub use values::{
    Acr, Display, LoginHint, MaxAge, Nonce, Prompt, PromptSet, ResponseMode, ResponseType, State, UiLocales,
};

use crate::{ClientId, CodeChallenge, RedirectUri, ResourceUri, ScopeSet, Secret};

/// Who asks and where the answer shall go: all that is looked at before the redirect URI is known to be the client's.
///
/// # Examples
/// ```
/// use sealstone_oauth_types::{AuthorizationHead, AuthorizationParameters, AuthorizationRequest};
///
/// let query = b"client_id=web&redirect_uri=https%3A%2F%2Fapp.example%2Fcb&response_type=token&state=x";
/// let parameters = AuthorizationParameters::parse(query)?;
/// let head = AuthorizationHead::parse(&parameters)?; // a fault here is told on a page
/// assert_eq!(head.client_id.as_str(), "web");
///
/// // The caller compares client and redirect URI with the registry; only then:
/// let fault = AuthorizationRequest::parse(&parameters).unwrap_err(); // a fault here is told to the client
/// assert_eq!(fault.error.code().as_str(), "unsupported_response_type");
/// assert_eq!(fault.state.unwrap().as_str(), "x");
/// # Ok::<(), sealstone_oauth_types::AuthorizationHeadError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuthorizationHead {
    /// Which client asks. Anybody can say so.
    pub client_id: ClientId,
    /// Where the answer shall go; absent, it is for the client's only redirect URI (RFC 6749 §3.1.2.3).
    pub redirect_uri: Option<RedirectUri>,
}

/// What is asked at the authorization endpoint (RFC 6749 §4.1.1, OpenID Connect Core §3.1.2.1), read and not judged.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuthorizationRequest {
    /// What comes back.
    pub response_type: ResponseType,
    /// How it comes back; [`ResponseMode::Query`] if nothing else is asked for.
    pub response_mode: ResponseMode,
    /// Returned as it came.
    pub state: Option<State>,
    /// The challenge of PKCE (RFC 7636 §4.3), by `S256`.
    pub code_challenge: Option<CodeChallenge>,
    /// The scope asked for; `None` leaves it to the client's default.
    pub scope: Option<ScopeSet>,
    /// The resources asked for (RFC 8707 §2), in order, each once.
    pub resources: Vec<ResourceUri>,
    /// Goes into the ID token.
    pub nonce: Option<Nonce>,
    /// Which pages the client wants or does not want.
    pub prompt: PromptSet,
    /// How long ago the person may have signed in.
    pub max_age: Option<MaxAge>,
    /// The authentication classes asked for, best liked first.
    pub acr_values: Vec<Acr>,
    /// The claims asked for by name.
    pub claims: Option<ClaimsRequest>,
    /// The person's languages, best liked first.
    pub ui_locales: UiLocales,
    /// The size of page asked for.
    pub display: Display,
    /// What the client believes the person to type as name.
    pub login_hint: Option<LoginHint>,
    /// An ID token of the person that the client expects, unverified.
    pub id_token_hint: Option<Secret>,
}

impl AuthorizationHead {
    /// Reads client and redirect URI.
    ///
    /// # Errors
    /// An [`AuthorizationHeadError`], to be told on a page.
    pub fn parse(parameters: &AuthorizationParameters) -> Result<Self, AuthorizationHeadError> {
        parameters.are_readable()?;
        let single = |name| parameters.single(name).map_err(AuthorizationHeadError::of);
        let client_id = single("client_id")?.ok_or(AuthorizationHeadError::MissingClientId)?;
        let client_id = ClientId::parse(client_id).map_err(|_| AuthorizationHeadError::ClientId)?;
        let redirect_uri = single("redirect_uri")?
            .map(RedirectUri::parse)
            .transpose()
            .map_err(|_| AuthorizationHeadError::RedirectUri)?;
        Ok(Self {
            client_id,
            redirect_uri,
        })
    }
}

impl AuthorizationRequest {
    /// The longest `id_token_hint`, in bytes: an ID token is a tenth of it.
    pub const MAX_HINT_LENGTH: usize = 8 * 1024;

    /// Reads everything but client and redirect URI.
    ///
    /// # Errors
    /// The first fault, with what is needed to tell the client of it: how, and its state.
    pub fn parse(parameters: &AuthorizationParameters) -> Result<Self, AuthorizationFault> {
        let fault = |error| AuthorizationFault {
            error,
            state: read_state(parameters).ok().flatten(),
            response_mode: read_mode(parameters).unwrap_or_default(),
        };
        Self::read(parameters).map_err(fault)
    }

    fn read(parameters: &AuthorizationParameters) -> Result<Self, AuthorizationError> {
        parameters.have_no_repetition()?;
        let state = read_state(parameters)?;
        let response_mode = read_mode(parameters)?;
        let get = |name| parameters.single(name);
        for (name, refusal) in [
            ("request", AuthorizationError::RequestObject),
            ("request_uri", AuthorizationError::RequestUri),
            ("registration", AuthorizationError::Registration),
            ("dpop_jkt", AuthorizationError::DpopJkt),
        ] {
            if get(name)?.is_some() {
                return Err(refusal);
            }
        }
        let response_type = get("response_type")?.ok_or(AuthorizationError::MissingResponseType)?;
        let response_type = ResponseType::parse(response_type).ok_or(AuthorizationError::ResponseType)?;
        let code_challenge = read_challenge(get("code_challenge")?, get("code_challenge_method")?)?;
        let scope = get("scope")?
            .map(ScopeSet::parse)
            .transpose()
            .map_err(|_| AuthorizationError::Scope)?;
        Ok(Self {
            response_type,
            response_mode,
            state,
            code_challenge,
            scope,
            resources: read_resources(parameters)?,
            nonce: read(get("nonce")?, Nonce::parse, AuthorizationError::Nonce)?,
            prompt: get("prompt")?.map_or_else(|| Ok(PromptSet::default()), PromptSet::parse)?,
            max_age: read(get("max_age")?, MaxAge::parse, AuthorizationError::MaxAge)?,
            acr_values: get("acr_values")?.map_or_else(|| Ok(Vec::new()), Acr::parse_list)?,
            claims: read(get("claims")?, ClaimsRequest::parse, AuthorizationError::Claims)?,
            ui_locales: get("ui_locales")?.map(UiLocales::parse).unwrap_or_default(),
            display: get("display")?.and_then(Display::parse).unwrap_or_default(),
            login_hint: get("login_hint")?.and_then(LoginHint::parse),
            id_token_hint: read_hint(get("id_token_hint")?)?,
        })
    }
}

fn read<T>(
    text: Option<&str>,
    parse: impl FnOnce(&str) -> Option<T>,
    error: AuthorizationError,
) -> Result<Option<T>, AuthorizationError> {
    match text {
        None => Ok(None),
        Some(text) => parse(text).map(Some).ok_or(error),
    }
}

fn read_state(parameters: &AuthorizationParameters) -> Result<Option<State>, AuthorizationError> {
    read(
        parameters.single("state")?,
        State::parse,
        AuthorizationError::State,
    )
}

fn read_mode(parameters: &AuthorizationParameters) -> Result<ResponseMode, AuthorizationError> {
    let mode = read(
        parameters.single("response_mode")?,
        ResponseMode::parse,
        AuthorizationError::ResponseMode,
    );
    mode.map(Option::unwrap_or_default)
}

fn read_challenge(
    challenge: Option<&str>,
    method: Option<&str>,
) -> Result<Option<CodeChallenge>, AuthorizationError> {
    match (challenge, method) {
        (None, None) => Ok(None),
        // No method means `plain` (RFC 7636 §4.3), by which whoever sees the request can redeem the code.
        (Some(challenge), Some("S256")) => CodeChallenge::parse(challenge)
            .map(Some)
            .map_err(|_| AuthorizationError::CodeChallenge),
        (Some(_), _) => Err(AuthorizationError::CodeChallengeMethod),
        (None, Some(_)) => Err(AuthorizationError::CodeChallenge),
    }
}

fn read_resources(parameters: &AuthorizationParameters) -> Result<Vec<ResourceUri>, AuthorizationError> {
    let mut resources = Vec::new();
    for text in parameters.all("resource")? {
        let resource = ResourceUri::parse(text).map_err(|_| AuthorizationError::Resource)?;
        if !resources.contains(&resource) {
            resources.push(resource);
        }
    }
    Ok(resources)
}

fn read_hint(text: Option<&str>) -> Result<Option<Secret>, AuthorizationError> {
    match text {
        Some(text) if text.len() > AuthorizationRequest::MAX_HINT_LENGTH => {
            Err(AuthorizationError::IdTokenHint)
        }
        text => Ok(text.map(Secret::from)),
    }
}

#[cfg(test)]
mod tests;
