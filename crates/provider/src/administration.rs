//! Administration of clients and keys: who asks, what they may, what is done, and the event of it.

mod answer;
mod caller;
mod change;
mod error;
mod initial;
mod keys;
mod parts;
#[cfg(test)]
mod reference;
mod register;
mod rights;
mod workshop;

use crate::error::BackendError;
use crate::issuer::IssuerState;
use crate::peer::Peer;
use crate::provider::Provider;
use rustls_pki_types::UnixTime;
use sealstone_audit::{Action, Actor, Event, EventId, Outcome, Target, printable};
use sealstone_identity::{AdministratorSource, DomainId, RoleName};
use sealstone_mtls::SubjectMatcher;
use sealstone_oauth_types::ScopeSet;
use sealstone_registry::{ADMINISTRATION_SCOPE, RegistrationPolicy, RegistrationStore};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

pub use answer::AdministrationAnswer;
pub use error::{AdministrationDenial, AdministrationError};
pub use keys::{KeyAdministration, KeysRequest};
pub use parts::{Preconditions, RegistrationRequest};
pub use rights::Credentials;
pub use workshop::{KeyPlace, KeyWorkshop, KeyWorkshopFull};

/// How clients and keys are administered over HTTP. Without it, they are not.
#[derive(Clone)]
#[expect(
    clippy::exhaustive_structs,
    reason = "whoever composes a provider decides on each"
)]
pub struct Administration {
    /// Signing keys.
    pub keys: KeyAdministration,
    /// Initial and registration access tokens.
    pub registrations: Arc<dyn RegistrationStore>,
    /// Who comes with a Keystone token; `None`: nobody does.
    pub keystone: Option<Arc<dyn AdministratorSource>>,
    /// The roles that administer the clients of a domain by a token of that domain's scope.
    pub manager_roles: Vec<RoleName>,
    /// The roles that administer all clients by a token of system scope.
    pub cloud_roles: Vec<RoleName>,
    /// What every administrator of a domain may give beside what they hold.
    pub grantable: ScopeSet,
    /// Who comes with a certificate.
    pub certificates: Vec<AdministratorCertificate>,
    /// The rules for clients that register themselves, for domains without rules of their own; `None`: none do.
    pub policy: Option<RegistrationPolicy>,
    /// The same for single domains.
    pub policies: BTreeMap<DomainId, Option<RegistrationPolicy>>,
}

/// A certificate whose holder administers clients.
#[derive(Debug, Clone)]
#[expect(
    clippy::exhaustive_structs,
    reason = "it is configured; each member is decided"
)]
pub struct AdministratorCertificate {
    /// Which: its chain must be verified besides.
    pub subject: SubjectMatcher,
    /// The only domain, or `None` for every one.
    pub domain: Option<DomainId>,
}

impl fmt::Debug for Administration {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Administration").finish_non_exhaustive()
    }
}

impl Administration {
    pub(crate) fn policy(&self, domain: &DomainId) -> Option<&RegistrationPolicy> {
        match self.policies.get(domain) {
            Some(own) => own.as_ref(),
            None => self.policy.as_ref(),
        }
    }
}

/// What an administrator asks for, as the edge read it.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_enums, reason = "the edge has a route for each")]
pub enum AdministrationRequest<'a> {
    /// The clients of the domain, a page of them; the query of the request.
    List(&'a str),
    /// A new client with an id that is drawn; its registration.
    Create(&'a [u8]),
    /// One client.
    Show(&'a str),
    /// A client's whole registration anew, or a new client with this id.
    Put(&'a str, &'a [u8]),
    /// A new secret; for how long the old one stays good.
    RotateSecret(&'a str, &'a [u8]),
    /// Whether it may do anything.
    Enable(&'a str, bool),
    /// An end for good.
    Delete(&'a str),
    /// The initial access tokens of the domain.
    ListInitialTokens,
    /// A new one; its uses and its life.
    CreateInitialToken(&'a [u8]),
    /// One is taken back.
    DeleteInitialToken(&'a str),
}

/// Who asks, as far as the request says, and when.
#[derive(Clone, Copy)]
pub(crate) struct Asking<'a> {
    credentials: Credentials<'a>,
    peer: &'a Peer,
    now: UnixTime,
    /// What an access token of ours must hold.
    scope: &'static str,
}

impl AdministrationRequest<'_> {
    const fn action(&self) -> Action {
        match self {
            Self::List(_) | Self::Show(_) => Action::ReadClient,
            Self::Create(_) => Action::CreateClient,
            Self::Put(..) | Self::RotateSecret(..) | Self::Enable(..) => Action::UpdateClient,
            Self::Delete(_) => Action::DeleteClient,
            Self::ListInitialTokens => Action::ReadInitialToken,
            Self::CreateInitialToken(_) => Action::CreateInitialToken,
            Self::DeleteInitialToken(_) => Action::DeleteInitialToken,
        }
    }

    /// The client that it names.
    const fn names(&self) -> Option<&str> {
        match self {
            Self::Show(id)
            | Self::Put(id, _)
            | Self::RotateSecret(id, _)
            | Self::Enable(id, _)
            | Self::Delete(id) => Some(id),
            Self::List(_)
            | Self::Create(_)
            | Self::ListInitialTokens
            | Self::CreateInitialToken(_)
            | Self::DeleteInitialToken(_) => None,
        }
    }
}

/// Who asked, as the audit trail names them; empty until they proved it.
#[derive(Debug, Default)]
pub(crate) struct Named {
    pub(crate) client: Option<String>,
    pub(crate) user: Option<String>,
}

impl Provider {
    /// Whether clients of this domain are administered over HTTP.
    #[must_use]
    pub fn administers(&self) -> bool {
        self.0.administration.is_some()
    }

    /// Whether clients of this domain register themselves.
    #[must_use]
    pub fn registers(&self, domain: &DomainId) -> bool {
        let administration = self.0.administration.as_ref();
        administration.is_some_and(|administration| administration.policy(domain).is_some())
    }

    /// Does what an administrator asks for: finds out who it is, what they may, does it, and records it.
    ///
    /// # Errors
    /// [`AdministrationError`]; nothing was changed, but where the store could not tell.
    pub async fn administer(
        &self,
        domain: &DomainId,
        request: AdministrationRequest<'_>,
        preconditions: &Preconditions,
        credentials: &Credentials<'_>,
        peer: &Peer,
    ) -> Result<AdministrationAnswer, AdministrationError> {
        let administration = self.administration()?;
        let issuer = self.issuer_of(domain)?;
        let now = self.0.ports.clock.now();
        let asking = Asking {
            credentials: *credentials,
            peer,
            now,
            scope: ADMINISTRATION_SCOPE,
        };
        let mut named = Named::default();
        let is_new = preconditions.only_new && matches!(request, AdministrationRequest::Put(..));
        let action = if is_new {
            Action::CreateClient
        } else {
            request.action()
        };
        let about = request.names().map(|id| printable(id).into_owned());
        let done = self
            .authorized(
                &issuer,
                administration,
                request,
                preconditions,
                asking,
                &mut named,
            )
            .await;
        let about = match &done {
            Ok(answer) => answer.client.clone().or(about),
            Err(_) => about,
        };
        let target = match &about {
            Some(client) => Target::Client(client.into()),
            None => Target::Issuer(domain.as_str().into()),
        };
        self.record_administration((action, now), &named, target, peer, done.as_ref().err())?;
        done
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one step of the line above, for its length"
    )]
    async fn authorized(
        &self,
        issuer: &Arc<IssuerState>,
        administration: &Administration,
        request: AdministrationRequest<'_>,
        preconditions: &Preconditions,
        asking: Asking<'_>,
        named: &mut Named,
    ) -> Result<AdministrationAnswer, AdministrationError> {
        let acting = self.acting(issuer, administration, asking, named).await?;
        let now = asking.now;
        if !acting.administrator.reaches(&issuer.domain) {
            return Err(AdministrationDenial::OtherDomain.into());
        }
        let domain = &issuer.domain;
        match request {
            AdministrationRequest::List(query) => self.list_clients(domain, query).await,
            AdministrationRequest::Create(body) => self.create_client(domain, None, body, &acting, now).await,
            AdministrationRequest::Show(id) => self.show_client(domain, id).await,
            AdministrationRequest::Put(id, body) if preconditions.only_new => {
                self.create_client(domain, Some(id), body, &acting, now).await
            }
            AdministrationRequest::Put(id, body) => {
                self.replace_client(domain, (id, preconditions), body, &acting, now)
                    .await
            }
            AdministrationRequest::RotateSecret(id, body) => {
                self.rotate_client(domain, (id, preconditions), body, &acting, now)
                    .await
            }
            AdministrationRequest::Enable(id, enabled) => {
                self.enable_client(domain, (id, preconditions), enabled, &acting, now)
                    .await
            }
            AdministrationRequest::Delete(id) => self.delete_client(domain, (id, preconditions), now).await,
            AdministrationRequest::ListInitialTokens => {
                self.list_initial_tokens(administration, domain).await
            }
            AdministrationRequest::CreateInitialToken(body) => {
                self.create_initial_token(administration, domain, body, now).await
            }
            AdministrationRequest::DeleteInitialToken(id) => {
                self.delete_initial_token(administration, domain, id).await
            }
        }
    }

    fn administration(&self) -> Result<&Administration, AdministrationError> {
        let administration = self.0.administration.as_ref();
        administration.ok_or(AdministrationError::UnknownIssuer)
    }

    fn issuer_of(&self, domain: &DomainId) -> Result<Arc<IssuerState>, AdministrationError> {
        self.issuer(domain)
            .map_err(|_none| AdministrationError::UnknownIssuer)
    }

    /// One event for one request, kept before it is answered.
    fn record_administration(
        &self,
        (action, now): (Action, UnixTime),
        named: &Named,
        target: Target<'_>,
        peer: &Peer,
        error: Option<&AdministrationError>,
    ) -> Result<(), BackendError> {
        let event = Event {
            id: EventId::from_random(self.draw()?.event),
            time: now,
            action,
            outcome: if error.is_none() {
                Outcome::Success
            } else {
                Outcome::Failure
            },
            reason: error.map(AdministrationError::reason),
            initiator: Actor {
                client_id: named.client.as_deref().map(Into::into),
                user_id: named.user.as_deref().map(Into::into),
                address: peer.address,
            },
            target,
            request_id: peer.request_id.as_str().into(),
        };
        Ok(self.0.ports.audit.record(&event)?)
    }
}
