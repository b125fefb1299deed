//! `POST /token` after the client is known (RFC 6749 §3.2): one check a file, in this order.

pub(crate) mod binding;
mod client_credentials;
pub(crate) mod scope;
pub(crate) mod target;

pub use client_credentials::client_credentials;
pub use target::Target;

use crate::Denial;
use crate::authenticate::Authenticated;
use crate::code::{self, CodeProof, NeedsCode};
use crate::device::{self, NeedsDevice};
use crate::identity::{self, IdentityQuestion, MappedLogin};
use crate::refresh::{self, NeedsFamily};
use rustls_pki_types::UnixTime;
use sealstone_identity::{Authority, Delegated};
use sealstone_mtls::ClientCertificate;
use sealstone_oauth_types::{GrantRequest, ScopeSet};
use sealstone_registry::Client;
use std::sync::Arc;

/// A token is due: to whom, for what, for whom, bound to which certificate, with whose authority. Only the checks here
/// make one.
#[derive(Debug)]
pub struct Granted {
    client: Arc<Client>,
    scope: ScopeSet,
    target: Target,
    bound_to: Option<ClientCertificate>,
    delegated: Option<Arc<Delegated>>,
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

    /// What the token allows, once it is made.
    #[must_use]
    pub fn into_scope(self) -> ScopeSet {
        self.scope
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

    /// Whose authority over OpenStack it carries; `None` exactly if it is for no OpenStack service.
    #[must_use]
    pub fn authority(&self) -> Option<&Authority> {
        match (&self.target, &self.delegated) {
            (Target::Client | Target::Resources(_), _) => None,
            (Target::OpenstackServices, Some(delegated)) => Some(&delegated.authority),
            (Target::OpenstackServices, None) => self.client.authority(),
        }
    }

    /// When what the authority stands on ends: nothing that is issued outlives it.
    #[must_use]
    pub fn authority_ends_at(&self) -> Option<UnixTime> {
        let delegated = self.delegated.as_deref()?;
        identity::ends_at(self.client.tie(), delegated)
    }

    /// What the client's tie gave, for a client whose registration does not say it all itself.
    #[must_use]
    pub fn delegated(&self) -> Option<&Delegated> {
        self.delegated.as_deref()
    }
}

/// A token for OpenStack services is due, and the client's tie says where its authority comes from.
#[derive(Debug)]
pub struct NeedsIdentity {
    granted: Granted,
    mapped: Option<Box<MappedLogin>>,
}

impl NeedsIdentity {
    /// The client that gets the token.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.granted.client
    }

    /// What to ask the identity source. `None` stands for a tie that can't be asked about, which is then refused.
    #[must_use]
    pub fn question(&self) -> Option<IdentityQuestion<'_>> {
        identity::question(self.granted.client.tie(), self.mapped.as_deref())
    }

    /// Goes on with what the source said.
    ///
    /// # Errors
    /// [`Denial::OtherIdentity`], [`Denial::UnrestrictedCredential`], [`Denial::MappingUndecided`], or
    /// [`Denial::IdentityRefused`] for one at its end.
    pub fn with_identity(self, answer: Arc<Delegated>, now: UnixTime) -> Result<Granted, Denial> {
        identity::check(self.granted.client.tie(), &answer, now)?;
        let answer = match &self.mapped {
            Some(mapped) => mapped.narrow(answer)?,
            None => answer,
        };
        Ok(Granted {
            delegated: Some(answer),
            ..self.granted
        })
    }
}

/// How far the decision came.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "the driver goes on from each")]
pub enum TokenStep {
    /// All is decided.
    Granted(Granted),
    /// All but the authority over OpenStack.
    NeedsIdentity(NeedsIdentity),
    /// A person let the client have it, and the code is to be looked up.
    NeedsCode(NeedsCode),
    /// A person let the client have it, and the refresh token's family is to be looked up.
    NeedsFamily(NeedsFamily),
    /// A person was asked, and the device code is to be looked up.
    NeedsDevice(NeedsDevice),
}

impl TokenStep {
    /// A token for OpenStack services of a client whose registration does not state its authority needs one more step.
    fn of(granted: Granted, mapped: Option<Box<MappedLogin>>) -> Self {
        match granted.target {
            Target::OpenstackServices if granted.client.authority().is_none() => {
                Self::NeedsIdentity(NeedsIdentity { granted, mapped })
            }
            Target::OpenstackServices | Target::Client | Target::Resources(_) => Self::Granted(granted),
        }
    }
}

/// Decides the grant that was asked for.
///
/// # Errors
/// A [`Denial`] with the RFC's code.
pub fn decide(client: Authenticated, request: GrantRequest, now: UnixTime) -> Result<TokenStep, Denial> {
    match request {
        GrantRequest::ClientCredentials { scope, resources } => {
            client_credentials(client, scope, resources, now)
        }
        GrantRequest::AuthorizationCode {
            code,
            redirect_uri,
            verifier,
            resources,
        } => {
            let proof = CodeProof {
                redirect_uri,
                verifier,
            };
            code::begin(client, &code, proof, resources, now).map(TokenStep::NeedsCode)
        }
        GrantRequest::RefreshToken {
            token,
            scope,
            resources,
        } => refresh::begin(client, token, scope, resources, now).map(TokenStep::NeedsFamily),
        GrantRequest::DeviceCode { code, resources } => {
            device::begin(client, &code, resources, now).map(TokenStep::NeedsDevice)
        }
        GrantRequest::Malformed { fault, .. } => Err(Denial::Malformed(fault)),
        GrantRequest::NotOffered(_) | GrantRequest::Unsupported => Err(Denial::UnsupportedGrantType),
    }
}
