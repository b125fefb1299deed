#![doc = include_str!("../README.md")]

mod assertion;
mod authentication;
mod error;
mod form;
mod identifier;
mod issuer;
mod metadata;
mod name;
mod os_oauth2;
mod pkce;
mod request;
mod resource;
mod response;
mod revocation;
mod scope;
mod secret;

pub use authentication::{BasicCredentials, BasicError, PresentedClient, PresentedCredential};
pub use error::{ErrorCode, ErrorResponse};
pub use form::{Form, FormError, form_content_type};
pub use identifier::{ClientId, TokenId, ValueError};
pub use issuer::Issuer;
pub use metadata::{EndpointAliases, ServerMetadata};
pub use name::{GrantType, TokenEndpointAuthMethod, TokenType, TokenTypeHint};
pub use os_oauth2::OsOauth2Request;
pub use pkce::{CodeChallenge, CodeVerifier};
pub use request::{GrantRequest, IntrospectionRequest, RequestError, RevocationRequest, TokenRequest};
pub use resource::ResourceUri;
pub use response::{IntrospectionResponse, TokenResponse};
pub use revocation::{RevocationDocument, RevokedTokenId};
pub use scope::{ScopeSet, ScopeToken};
pub use secret::Secret;
