//! `POST /token` after the client is known (RFC 6749 §3.2): one check a file, in this order.

mod binding;
mod client_credentials;
mod scope;
mod target;

pub use client_credentials::client_credentials;
pub use target::Target;

use crate::Denial;
use crate::authenticate::Authenticated;
use rustls_pki_types::UnixTime;
use sealstone_mtls::ClientCertificate;
use sealstone_oauth_types::{GrantRequest, ScopeSet};
use sealstone_registry::Client;
use std::sync::Arc;

/// A token is due: to whom, for what, for whom, and bound to which certificate. Only the checks here make one.
#[derive(Debug)]
pub struct Granted {
    client: Arc<Client>,
    scope: ScopeSet,
    target: Target,
    bound_to: Option<ClientCertificate>,
}

impl Granted {
    /// The client that gets the token.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// What the token allows.
    #[must_use]
    pub const fn scope(&self) -> &ScopeSet {
        &self.scope
    }

    /// For whom it is meant.
    #[must_use]
    pub const fn target(&self) -> &Target {
        &self.target
    }

    /// The certificate that it is bound to. `None` only for a client that is registered for unbound tokens.
    #[must_use]
    pub const fn bound_to(&self) -> Option<&ClientCertificate> {
        self.bound_to.as_ref()
    }
}

/// Decides the grant that was asked for.
///
/// # Errors
/// A [`Denial`] with the RFC's code.
pub fn decide(client: Authenticated, request: GrantRequest, now: UnixTime) -> Result<Granted, Denial> {
    match request {
        GrantRequest::ClientCredentials { scope, resources } => {
            client_credentials(client, scope, resources, now)
        }
        GrantRequest::NotOffered(_) | GrantRequest::Unsupported => Err(Denial::UnsupportedGrantType),
    }
}
