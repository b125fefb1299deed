use super::{Source, completion};
use crate::{PersonGrant, refresh::LastIssue, token::Target};
use rustls_pki_types::UnixTime;
use sealstone_identity::{Authority, Delegated, Person};
use sealstone_mtls::ClientCertificate;
use sealstone_oauth_types::{Nonce, ScopeSet};
use sealstone_registry::Client;
use std::sync::Arc;

/// What the checks of a request found, before the person is asked about.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) client: Arc<Client>,
    /// What was granted at first.
    pub(crate) grant: PersonGrant,
    /// What this token allows: within the grant.
    pub(crate) scope: ScopeSet,
    pub(crate) target: Target,
    pub(crate) bound_to: Option<ClientCertificate>,
    pub(crate) nonce: Option<Nonce>,
}

impl Facts {
    pub(crate) fn is_for_openstack(&self) -> bool {
        matches!(self.target, Target::OpenstackServices)
    }
}

/// A token for a person is due: to which client, for what, for whom, bound to which certificate, with whose authority.
/// Only the checks of this crate make one.
#[derive(Debug)]
pub struct PersonGranted {
    pub(super) facts: Facts,
    pub(super) source: Source,
    person: Arc<Person>,
    delegated: Option<Arc<Delegated>>,
}

impl PersonGranted {
    pub(super) const fn new(
        facts: Facts,
        source: Source,
        person: Arc<Person>,
        delegated: Option<Arc<Delegated>>,
    ) -> Self {
        Self {
            facts,
            source,
            person,
            delegated,
        }
    }

    /// The client that gets the token.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.facts.client
    }

    /// The person, as they are now.
    #[must_use]
    pub fn person(&self) -> &Person {
        &self.person
    }

    /// What was granted at first: the login, the session, the claims that were asked for.
    #[must_use]
    pub const fn grant(&self) -> &PersonGrant {
        &self.facts.grant
    }

    /// What the token allows; never more than was granted at first. For a repeated refresh, what the first answer
    /// allowed.
    #[must_use]
    pub fn scope(&self) -> &ScopeSet {
        &self.facts.scope
    }

    /// For whom it is meant.
    #[must_use]
    pub const fn target(&self) -> &Target {
        &self.facts.target
    }

    /// The certificate that it is bound to. `None` only for a client that is registered for unbound tokens.
    #[must_use]
    pub const fn bound_to(&self) -> Option<&ClientCertificate> {
        self.facts.bound_to.as_ref()
    }

    /// The `nonce` for the ID token: of a code alone.
    #[must_use]
    pub const fn nonce(&self) -> Option<&Nonce> {
        self.facts.nonce.as_ref()
    }

    /// Whose authority over OpenStack it carries; `None` exactly if it is for no OpenStack service.
    #[must_use]
    pub fn authority(&self) -> Option<&Authority> {
        self.delegated.as_deref().map(|delegated| &delegated.authority)
    }

    /// What the source gave, with its end and its kind.
    #[must_use]
    pub fn delegated(&self) -> Option<&Delegated> {
        self.delegated.as_deref()
    }

    /// When what the authority stands on ends: nothing that is issued outlives it.
    #[must_use]
    pub fn authority_ends_at(&self) -> Option<UnixTime> {
        self.delegated.as_deref()?.expires_at
    }

    /// The access token that was given for this very refresh token a moment ago. If there is one, the answer names it
    /// again: the same `jti`, `iat` and `exp`.
    #[must_use]
    pub fn again(&self) -> Option<&LastIssue> {
        completion::again(&self.source)
    }
}
