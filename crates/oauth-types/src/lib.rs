#![doc = include_str!("../README.md")]

mod assertion;
mod authentication;
mod authorization;
mod bearer;
mod device;
mod end_session;
mod error;
mod form;
mod identifier;
mod issuer;
mod metadata;
mod name;
mod opaque;
mod os_oauth2;
mod pkce;
mod redirect_uri;
mod request;
mod resource;
mod response;
mod revocation;
mod scope;
mod secret;
mod user_code;

pub use authentication::{BasicCredentials, BasicError, PresentedClient, PresentedCredential};
pub use authorization::{
    Acr, AuthorizationError, AuthorizationFault, AuthorizationHead, AuthorizationHeadError,
    AuthorizationParameters, AuthorizationRequest, ClaimRequest, ClaimsRequest, Display, LoginHint, MaxAge,
    Nonce, Prompt, PromptSet, RequestedClaims, ResponseMode, ResponseType, State, UiLocales,
};
pub use bearer::{BearerError, UserinfoRequest};
pub use device::{DeviceAuthorizationRequest, DeviceAuthorizationResponse};
pub use end_session::{EndSessionError, EndSessionRequest};
pub use error::{ErrorCode, ErrorResponse};
pub use form::{Form, FormError, form_content_type};
pub use identifier::{ClientId, TokenId, ValueError};
pub use issuer::Issuer;
pub use metadata::{EndpointAliases, ServerMetadata};
pub use name::{GrantType, TokenEndpointAuthMethod, TokenType, TokenTypeHint};
pub use opaque::{OpaqueToken, TokenHash};
pub use os_oauth2::OsOauth2Request;
pub use pkce::{CodeChallenge, CodeVerifier};
pub use redirect_uri::{Loopback, RedirectUri, RedirectUriKind};
pub use request::{GrantRequest, IntrospectionRequest, RequestError, RevocationRequest, TokenRequest};
pub use resource::ResourceUri;
pub use response::{IntrospectionResponse, TokenResponse};
pub use revocation::{ClientEnd, EndedClientId, RevocationDocument, RevokedTokenId};
pub use scope::{ScopeSet, ScopeToken};
pub use secret::Secret;
pub use user_code::UserCode;
