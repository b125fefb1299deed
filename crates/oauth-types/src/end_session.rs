use crate::authorization::{LoginHint, State, UiLocales};
use crate::{AuthorizationParameters, AuthorizationRequest, ClientId, RedirectUri, Secret};

/// A request to sign out, brought by a browser (OpenID Connect RP-Initiated Logout §2), read and not judged.
///
/// # Examples
/// ```
/// use sealstone_oauth_types::{AuthorizationParameters, EndSessionError, EndSessionRequest};
///
/// let parameters = AuthorizationParameters::parse(b"client_id=web&state=x").unwrap();
/// assert_eq!(EndSessionRequest::parse(&parameters)?.client_id.unwrap().as_str(), "web");
/// let parameters = AuthorizationParameters::parse(b"post_logout_redirect_uri=//evil.example").unwrap();
/// assert_eq!(EndSessionRequest::parse(&parameters).unwrap_err(), EndSessionError::RedirectUri);
/// # Ok::<(), EndSessionError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct EndSessionRequest {
    /// An ID token of the session to end, unverified.
    pub id_token_hint: Option<Secret>,
    /// The client that asks, if it says so.
    pub client_id: Option<ClientId>,
    /// Where the browser shall go afterwards; not yet known to be registered.
    pub post_logout_redirect_uri: Option<RedirectUri>,
    /// Goes along, as it came.
    pub state: Option<State>,
    /// Whom the client believes to be signed in.
    pub logout_hint: Option<LoginHint>,
    /// The person's languages.
    pub ui_locales: UiLocales,
}

/// Why a request to sign out cannot be read: told on a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(clippy::exhaustive_enums, reason = "the page has a text for each")]
pub enum EndSessionError {
    /// A parameter comes twice.
    #[error("a parameter is repeated")]
    Repeated,
    /// A parameter is not encoded as a form is.
    #[error("a parameter is not encoded as a form is")]
    Encoding,
    /// `client_id` is no client id.
    #[error("the client is not known")]
    ClientId,
    /// `post_logout_redirect_uri` is nothing that can be registered.
    #[error("the address to return to is not one of the client")]
    RedirectUri,
    /// `state` is too long or holds control characters.
    #[error("the parameter state is longer than 2048 bytes or holds control characters")]
    State,
    /// `id_token_hint` is too long.
    #[error("the parameter id_token_hint is longer than 8192 bytes")]
    IdTokenHint,
}

impl EndSessionRequest {
    /// Reads the request from a query or a form.
    ///
    /// # Errors
    /// The [`EndSessionError`] of the first fault.
    pub fn parse(parameters: &AuthorizationParameters) -> Result<Self, EndSessionError> {
        parameters.are_readable().map_err(|_| EndSessionError::Encoding)?;
        let get = |name| parameters.single(name).map_err(EndSessionError::of);
        let hint = get("id_token_hint")?;
        if hint.is_some_and(|hint| hint.len() > AuthorizationRequest::MAX_HINT_LENGTH) {
            return Err(EndSessionError::IdTokenHint);
        }
        let state = match get("state")? {
            None => None,
            Some(text) => Some(State::parse(text).ok_or(EndSessionError::State)?),
        };
        Ok(Self {
            id_token_hint: hint.map(Secret::from),
            client_id: get("client_id")?
                .map(ClientId::parse)
                .transpose()
                .map_err(|_| EndSessionError::ClientId)?,
            post_logout_redirect_uri: get("post_logout_redirect_uri")?
                .map(RedirectUri::parse)
                .transpose()
                .map_err(|_| EndSessionError::RedirectUri)?,
            state,
            logout_hint: get("logout_hint")?.and_then(LoginHint::parse),
            ui_locales: get("ui_locales")?.map(UiLocales::parse).unwrap_or_default(),
        })
    }
}

impl EndSessionError {
    const fn of(fault: crate::authorization::ParameterFault) -> Self {
        match fault {
            crate::authorization::ParameterFault::Repeated => Self::Repeated,
            crate::authorization::ParameterFault::Encoding => Self::Encoding,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{EndSessionError, EndSessionRequest};
    use crate::AuthorizationParameters;

    fn read(query: &str) -> Result<EndSessionRequest, EndSessionError> {
        EndSessionRequest::parse(&AuthorizationParameters::parse(query.as_bytes()).unwrap())
    }

    #[test]
    fn a_request_to_sign_out() {
        assert_eq!(read(""), Ok(EndSessionRequest::default()));
        let request = read(
            "id_token_hint=a.b.c&client_id=web&post_logout_redirect_uri=https%3A%2F%2Fapp.example%2Fbye&state=s\
             &logout_hint=demo&ui_locales=de&unknown=x",
        )
        .unwrap();
        assert_eq!(
            request.post_logout_redirect_uri.unwrap().as_str(),
            "https://app.example/bye"
        );
        assert_eq!(request.id_token_hint.unwrap().expose(), "a.b.c");
        assert_eq!(
            (
                request.state.unwrap().as_str(),
                request.logout_hint.unwrap().as_str()
            ),
            ("s", "demo")
        );
        for (query, want) in [
            ("state=a&state=b", EndSessionError::Repeated),
            ("id_token_hint=a&id_token_hint=a", EndSessionError::Repeated),
            (
                "post_logout_redirect_uri=https://a.example/&post_logout_redirect_uri=x",
                EndSessionError::Repeated,
            ),
            ("state=%00", EndSessionError::Encoding),
            ("%ff=x", EndSessionError::Encoding),
            ("state=%0a", EndSessionError::State),
            (&format!("state={}", "s".repeat(2049)), EndSessionError::State),
            ("client_id=a%20b", EndSessionError::ClientId),
            ("post_logout_redirect_uri=/bye", EndSessionError::RedirectUri),
            (
                "post_logout_redirect_uri=//evil.example",
                EndSessionError::RedirectUri,
            ),
            (
                "post_logout_redirect_uri=javascript:alert(1)",
                EndSessionError::RedirectUri,
            ),
            (
                &format!("id_token_hint={}", "a".repeat(8193)),
                EndSessionError::IdTokenHint,
            ),
        ] {
            assert_eq!(read(query), Err(want), "{query:.60}");
            assert!(!want.to_string().is_empty());
        }
        assert!(!format!("{:?}", read("id_token_hint=secret&state=secret")).contains("secret"));
    }
}
