use crate::{
    BasicError, ErrorCode, Form, FormError, GrantType, PresentedClient, ResourceUri, ScopeSet, Secret,
    TokenTypeHint,
};

/// A token request (RFC 6749 §3.2), read and not judged.
///
/// # Examples
/// ```
/// use sealstone_oauth_types::{Form, GrantRequest, TokenRequest};
///
/// let form = Form::parse(b"grant_type=client_credentials&client_id=ci&scope=read")?;
/// let request = TokenRequest::parse(None, &form)?;
/// assert_eq!(request.client.id.as_deref(), Some("ci"));
/// assert!(matches!(request.grant, GrantRequest::ClientCredentials { .. }));
/// # Ok::<(), sealstone_oauth_types::RequestError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenRequest {
    /// Who asks.
    pub client: PresentedClient,
    /// What for.
    pub grant: GrantRequest,
}

/// What a token request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the token endpoint handles every grant it parses"
)]
pub enum GrantRequest {
    /// RFC 6749 §4.4.2.
    ClientCredentials {
        /// The scope asked for; `None` leaves it to the client's default.
        scope: Option<ScopeSet>,
        /// The resources asked for (RFC 8707 §2), in order.
        resources: Vec<ResourceUri>,
    },
    /// A grant type of a registry that this server does not offer.
    NotOffered(GrantType),
    /// A grant type that this server does not know.
    Unsupported,
}

/// A token to look at (RFC 7662 §2.1).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct IntrospectionRequest {
    /// Who asks.
    pub client: PresentedClient,
    /// The token, as sent.
    pub token: Secret,
    /// What the caller believes it to be; an unknown hint is none.
    pub hint: Option<TokenTypeHint>,
}

/// A token to revoke (RFC 7009 §2.1).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RevocationRequest {
    /// Who asks.
    pub client: PresentedClient,
    /// The token, as sent.
    pub token: Secret,
    /// What the caller believes it to be; an unknown hint is none.
    pub hint: Option<TokenTypeHint>,
}

/// Why a request cannot be read. No variant holds a part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The body is not a form, or a parameter is repeated (RFC 6749 §3.2).
    #[error(transparent)]
    Form(#[from] FormError),
    /// The content type is not that of a form (RFC 6749 §3.2).
    #[error("the content type is not application/x-www-form-urlencoded")]
    ContentType,
    /// Parameters in the URL, where logs and proxies keep them (RFC 6749 §2.3.1).
    #[error("the URL carries parameters")]
    Query,
    /// A header of a trusted proxy that should hold the client's certificate does not (RFC 9440 §2.2), or the
    /// certificate comes in two ways.
    #[error("the forwarded client certificate cannot be read")]
    ForwardedCertificate,
    /// The body did not arrive whole.
    #[error("the body is incomplete")]
    Incomplete,
    /// More than one `Authorization` header (RFC 9110 §5.3).
    #[error("the Authorization header is repeated")]
    RepeatedHeader,
    /// The `Authorization` header cannot be read (RFC 6749 §2.3.1).
    #[error(transparent)]
    Authorization(#[from] BasicError),
    /// More than one way of client authentication (RFC 6749 §2.3).
    #[error("more than one client authentication is used")]
    TwoAuthentications,
    /// `client_id` of the body is not that of the header.
    #[error("the body names another client than the Authorization header")]
    ClientIdMismatch,
    /// `client_assertion_type` is not jwt-bearer (RFC 7521 §4.2, RFC 7523 §2.2).
    #[error("the client assertion is not of the type jwt-bearer")]
    AssertionType,
    /// One of `client_assertion` and `client_assertion_type` without the other (RFC 7521 §4.2).
    #[error("client_assertion and client_assertion_type belong together")]
    IncompleteAssertion,
    /// No `grant_type` (RFC 6749 §5.2).
    #[error("the parameter grant_type is missing")]
    MissingGrantType,
    /// No `token` (RFC 7662 §2.1, RFC 7009 §2.1).
    #[error("the parameter token is missing")]
    MissingToken,
    /// `scope` breaks its grammar (RFC 6749 §3.3).
    #[error("the parameter scope is malformed")]
    Scope,
    /// `resource` is not an absolute URI without fragment (RFC 8707 §2).
    #[error("the parameter resource is not an absolute URI without fragment")]
    Resource,
}

impl RequestError {
    /// The code of the answer.
    #[must_use]
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::Authorization(_) | Self::AssertionType => ErrorCode::InvalidClient,
            Self::Scope => ErrorCode::InvalidScope,
            Self::Resource => ErrorCode::InvalidTarget,
            Self::Form(_)
            | Self::ContentType
            | Self::Query
            | Self::ForwardedCertificate
            | Self::Incomplete
            | Self::RepeatedHeader
            | Self::TwoAuthentications
            | Self::ClientIdMismatch
            | Self::IncompleteAssertion
            | Self::MissingGrantType
            | Self::MissingToken => ErrorCode::InvalidRequest,
        }
    }

    /// The HTTP status: that of the code, but 413 for a body above the limit (RFC 9110 §15.5.14).
    #[must_use]
    pub const fn status(self) -> u16 {
        if matches!(self, Self::Form(FormError::TooLarge)) {
            413
        } else {
            self.code().status()
        }
    }

    /// The fixed description of the answer.
    #[must_use]
    pub const fn description(self) -> &'static str {
        match self {
            Self::Form(FormError::TooLarge) => "the body is larger than 65536 bytes",
            Self::Form(FormError::TooManyParameters) => "the body has more than 64 parameters",
            Self::Form(FormError::Repeated) => "a parameter is repeated",
            Self::Form(FormError::Encoding) => {
                "the body is not well-formed application/x-www-form-urlencoded"
            }
            Self::ContentType => "the content type is not application/x-www-form-urlencoded",
            Self::Query => "parameters belong into the body, not into the URL",
            Self::ForwardedCertificate => "the forwarded client certificate cannot be read",
            Self::Incomplete => "the body is incomplete",
            Self::RepeatedHeader => "the Authorization header is repeated",
            Self::Authorization(_) => "the Authorization header cannot be read",
            Self::TwoAuthentications => "more than one client authentication is used",
            Self::ClientIdMismatch => "the body names another client than the Authorization header",
            Self::AssertionType => "the client assertion is not of the type jwt-bearer",
            Self::IncompleteAssertion => "client_assertion and client_assertion_type belong together",
            Self::MissingGrantType => "the parameter grant_type is missing",
            Self::MissingToken => "the parameter token is missing",
            Self::Scope => "the parameter scope is malformed",
            Self::Resource => "the parameter resource is not an absolute URI without fragment",
        }
    }
}

impl TokenRequest {
    /// Reads a token request from its `Authorization` header and its form.
    ///
    /// # Errors
    /// The [`RequestError`] of the first fault: client authentication, then `grant_type`, then its parameters.
    pub fn parse(authorization: Option<&str>, form: &Form) -> Result<Self, RequestError> {
        let client = PresentedClient::parse(authorization, form)?;
        let name = form.get("grant_type").ok_or(RequestError::MissingGrantType)?;
        let grant = match GrantType::parse(name) {
            Some(GrantType::ClientCredentials) => client_credentials(form)?,
            Some(other) => GrantRequest::NotOffered(other),
            None => GrantRequest::Unsupported,
        };
        Ok(Self { client, grant })
    }
}

impl IntrospectionRequest {
    /// Reads an introspection request from its `Authorization` header and its form.
    ///
    /// # Errors
    /// The [`RequestError`] of the first fault.
    pub fn parse(authorization: Option<&str>, form: &Form) -> Result<Self, RequestError> {
        let (client, token, hint) = token_and_hint(authorization, form)?;
        Ok(Self { client, token, hint })
    }
}

impl RevocationRequest {
    /// Reads a revocation request from its `Authorization` header and its form.
    ///
    /// # Errors
    /// The [`RequestError`] of the first fault.
    pub fn parse(authorization: Option<&str>, form: &Form) -> Result<Self, RequestError> {
        let (client, token, hint) = token_and_hint(authorization, form)?;
        Ok(Self { client, token, hint })
    }
}

fn client_credentials(form: &Form) -> Result<GrantRequest, RequestError> {
    let scope = form
        .get("scope")
        .map(ScopeSet::parse)
        .transpose()
        .map_err(|_| RequestError::Scope)?;
    let mut resources = Vec::new();
    for text in form.get_all("resource") {
        let resource = ResourceUri::parse(text).map_err(|_| RequestError::Resource)?;
        if !resources.contains(&resource) {
            resources.push(resource);
        }
    }
    Ok(GrantRequest::ClientCredentials { scope, resources })
}

fn token_and_hint(
    authorization: Option<&str>,
    form: &Form,
) -> Result<(PresentedClient, Secret, Option<TokenTypeHint>), RequestError> {
    let client = PresentedClient::parse(authorization, form)?;
    let token = form
        .get("token")
        .map(Secret::from)
        .ok_or(RequestError::MissingToken)?;
    Ok((
        client,
        token,
        form.get("token_type_hint").and_then(TokenTypeHint::parse),
    ))
}

#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;
