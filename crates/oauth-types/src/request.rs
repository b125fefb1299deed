use crate::{
    BasicError, CodeVerifier, ErrorCode, Form, FormError, GrantType, OpaqueToken, PresentedClient,
    RedirectUri, ResourceUri, ScopeSet, Secret, TokenTypeHint,
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
    /// RFC 6749 §4.1.3.
    AuthorizationCode {
        /// The code.
        code: OpaqueToken,
        /// The redirect URI of the authorization request, if it had one.
        redirect_uri: Option<RedirectUri>,
        /// The verifier of PKCE (RFC 7636 §4.5).
        verifier: Option<CodeVerifier>,
        /// The resources asked for of those of the authorization request (RFC 8707 §2.2); none asks for all.
        resources: Vec<ResourceUri>,
    },
    /// RFC 6749 §6.
    RefreshToken {
        /// The refresh token.
        token: OpaqueToken,
        /// The scope asked for; `None` asks for all that was granted.
        scope: Option<ScopeSet>,
        /// The resources asked for (RFC 8707 §2.2), in order, each once.
        resources: Vec<ResourceUri>,
    },
    /// RFC 8628 §3.4.
    DeviceCode {
        /// The device code.
        code: OpaqueToken,
        /// The resources asked for of those of the device's request (RFC 8707 §2.2); none asks for all.
        resources: Vec<ResourceUri>,
    },
    /// One of the three above whose parameters cannot be read: told to a client that is known, where the grant is
    /// offered at all.
    Malformed {
        /// Which.
        grant: GrantType,
        /// What is wrong.
        fault: RequestError,
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
    /// A `DPoP` header (RFC 9449 §5): who asks for a token bound to a key gets no other one.
    #[error("tokens are not bound to keys by DPoP here, only to client certificates")]
    Dpop,
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
    /// No `code` (RFC 6749 §4.1.3).
    #[error("the parameter code is missing")]
    MissingCode,
    /// No `refresh_token` (RFC 6749 §6).
    #[error("the parameter refresh_token is missing")]
    MissingRefreshToken,
    /// No `device_code` (RFC 8628 §3.4).
    #[error("the parameter device_code is missing")]
    MissingDeviceCode,
    /// The code, refresh token or device code has not the form of those that are given here.
    #[error("the code or refresh token is not good")]
    OpaqueToken,
    /// `redirect_uri` is none that a code was ever sent to (RFC 6749 §4.1.3).
    #[error("the redirect URI is not that of the authorization request")]
    RedirectUri,
    /// `code_verifier` is not 43 to 128 unreserved characters (RFC 7636 §4.1).
    #[error("the code verifier is not 43 to 128 unreserved characters")]
    CodeVerifier,
}

impl RequestError {
    /// The code of the answer.
    #[must_use]
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::Authorization(_) | Self::AssertionType => ErrorCode::InvalidClient,
            Self::Scope => ErrorCode::InvalidScope,
            Self::Resource => ErrorCode::InvalidTarget,
            Self::OpaqueToken | Self::RedirectUri | Self::CodeVerifier => ErrorCode::InvalidGrant,
            Self::Form(_)
            | Self::ContentType
            | Self::Query
            | Self::ForwardedCertificate
            | Self::Incomplete
            | Self::RepeatedHeader
            | Self::Dpop
            | Self::TwoAuthentications
            | Self::ClientIdMismatch
            | Self::IncompleteAssertion
            | Self::MissingGrantType
            | Self::MissingToken
            | Self::MissingCode
            | Self::MissingRefreshToken
            | Self::MissingDeviceCode => ErrorCode::InvalidRequest,
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
            Self::Dpop => "tokens are not bound to keys by DPoP here, only to client certificates",
            Self::Authorization(_) => "the Authorization header cannot be read",
            Self::TwoAuthentications => "more than one client authentication is used",
            Self::ClientIdMismatch => "the body names another client than the Authorization header",
            Self::AssertionType => "the client assertion is not of the type jwt-bearer",
            Self::IncompleteAssertion => "client_assertion and client_assertion_type belong together",
            Self::MissingGrantType => "the parameter grant_type is missing",
            Self::MissingToken => "the parameter token is missing",
            Self::Scope => "the parameter scope is malformed",
            Self::Resource => "the parameter resource is not an absolute URI without fragment",
            Self::MissingCode => "the parameter code is missing",
            Self::MissingRefreshToken => "the parameter refresh_token is missing",
            Self::MissingDeviceCode => "the parameter device_code is missing",
            Self::OpaqueToken => "the code or refresh token is not good",
            Self::RedirectUri => "the redirect URI is not that of the authorization request",
            Self::CodeVerifier => "the code verifier is not 43 to 128 unreserved characters",
        }
    }
}

impl TokenRequest {
    /// Reads a token request from its `Authorization` header and its form.
    ///
    /// # Errors
    /// The [`RequestError`] of the first fault: client authentication, then `grant_type`, then the parameters of
    /// `client_credentials`. Those of other grants are [`GrantRequest::Malformed`].
    pub fn parse(authorization: Option<&str>, form: &Form) -> Result<Self, RequestError> {
        let client = PresentedClient::parse(authorization, form)?;
        let name = form.get("grant_type").ok_or(RequestError::MissingGrantType)?;
        let grant = match GrantType::parse(name) {
            Some(GrantType::ClientCredentials) => GrantRequest::ClientCredentials {
                scope: read_scope(form)?,
                resources: read_resources(form)?,
            },
            Some(
                grant @ (GrantType::AuthorizationCode | GrantType::RefreshToken | GrantType::DeviceCode),
            ) => of_person(grant, form).unwrap_or_else(|fault| GrantRequest::Malformed { grant, fault }),
            Some(other @ GrantType::TokenExchange) => GrantRequest::NotOffered(other),
            None => GrantRequest::Unsupported,
        };
        Ok(Self { client, grant })
    }
}

impl GrantRequest {
    /// The grant, if it is one in which a person takes part.
    #[must_use]
    pub const fn of_person(&self) -> Option<GrantType> {
        match self {
            Self::AuthorizationCode { .. } => Some(GrantType::AuthorizationCode),
            Self::RefreshToken { .. } => Some(GrantType::RefreshToken),
            Self::DeviceCode { .. } => Some(GrantType::DeviceCode),
            Self::Malformed { grant, .. } => Some(*grant),
            Self::ClientCredentials { .. } | Self::NotOffered(_) | Self::Unsupported => None,
        }
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

/// The parameters of a grant in which a person takes part.
fn of_person(grant: GrantType, form: &Form) -> Result<GrantRequest, RequestError> {
    Ok(match grant {
        GrantType::AuthorizationCode => GrantRequest::AuthorizationCode {
            code: read_opaque(form, "code", RequestError::MissingCode)?,
            redirect_uri: form
                .get("redirect_uri")
                .map(RedirectUri::parse)
                .transpose()
                .map_err(|_| RequestError::RedirectUri)?,
            verifier: form
                .get("code_verifier")
                .map(CodeVerifier::parse)
                .transpose()
                .map_err(|_| RequestError::CodeVerifier)?,
            resources: read_resources(form)?,
        },
        GrantType::RefreshToken => GrantRequest::RefreshToken {
            token: read_opaque(form, "refresh_token", RequestError::MissingRefreshToken)?,
            scope: read_scope(form)?,
            resources: read_resources(form)?,
        },
        GrantType::DeviceCode => GrantRequest::DeviceCode {
            code: read_opaque(form, "device_code", RequestError::MissingDeviceCode)?,
            resources: read_resources(form)?,
        },
        GrantType::ClientCredentials | GrantType::TokenExchange => GrantRequest::NotOffered(grant),
    })
}

pub(crate) fn read_scope(form: &Form) -> Result<Option<ScopeSet>, RequestError> {
    let scope = form.get("scope").map(ScopeSet::parse).transpose();
    scope.map_err(|_| RequestError::Scope)
}

pub(crate) fn read_resources(form: &Form) -> Result<Vec<ResourceUri>, RequestError> {
    let mut resources = Vec::new();
    for text in form.get_all("resource") {
        let resource = ResourceUri::parse(text).map_err(|_| RequestError::Resource)?;
        if !resources.contains(&resource) {
            resources.push(resource);
        }
    }
    Ok(resources)
}

fn read_opaque(form: &Form, name: &str, missing: RequestError) -> Result<OpaqueToken, RequestError> {
    let text = form.get(name).ok_or(missing)?;
    OpaqueToken::parse(text).map_err(|_| RequestError::OpaqueToken)
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
