//! Who may administer clients, and how far: nobody gives a client what he does not hold.

mod excess;
mod policy;

use sealstone_claims::ClaimsTemplate;
use sealstone_identity::{Authority, DomainId};
use sealstone_oauth_types::ScopeSet;

use crate::{client::Client, people::ConsentPolicy, registration::OPENSTACK_API_SCOPE, tie::MachineTie};
pub use excess::Excess;
pub use policy::{PolicyError, RegistrationPolicy};

/// The scope whose tokens administer clients: those of the token's own domain, or of every domain if the token is of
/// [`CLOUD_DOMAIN`]'s issuer.
pub const ADMINISTRATION_SCOPE: &str = "sealstone:clients";

/// The scope whose tokens administer signing keys, of every domain, if they are of [`CLOUD_DOMAIN`]'s issuer; of another
/// it gives nothing.
pub const KEYS_SCOPE: &str = "sealstone:keys";

/// The domain whose issuer is the whole cloud's.
pub const CLOUD_DOMAIN: &str = "global";

/// The scopes by which a client learns who signed in. They give nothing of an administrator's own, so every
/// administrator may give them.
pub const LOGIN_SCOPES: &str = "openid profile email groups offline_access";

/// Somebody who administers clients, with what they hold.
///
/// # Security
/// Make one only of what was proved: a token that was verified, a certificate whose chain was, the uid that the system
/// gives for a local socket.
///
/// # Examples
/// ```
/// # use sealstone_identity::DomainId;
/// # use sealstone_oauth_types::ScopeSet;
/// # use sealstone_registry::Administrator;
/// let demo = DomainId::parse("demo")?;
/// let manager = Administrator::of_domain(demo.clone(), ScopeSet::parse("metrics:read")?);
/// assert!(manager.reaches(&demo));
/// assert!(!manager.reaches(&DomainId::parse("elsewhere")?));
/// assert!(Administrator::of_the_cloud().reaches(&demo));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Administrator {
    reach: Reach,
}

#[derive(Debug, Clone)]
enum Reach {
    Cloud,
    Domain(Box<Manager>),
}

#[derive(Debug, Clone)]
struct Manager {
    domain: DomainId,
    holds: ScopeSet,
    authority: Option<Authority>,
}

/// What is known of the Keystone identity that a client is tied to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "whoever asks Keystone says one of these")]
pub enum TieVerdict {
    /// Keystone was asked in the administrator's name, and this is what it leads to.
    Known {
        /// The domain of the user.
        user_domain: DomainId,
        /// The domain of the project.
        project_domain: DomainId,
        /// Whether the administrator holds every role there that it gives.
        within_roles: bool,
        /// Whether it is an unrestricted application credential.
        unrestricted: bool,
    },
    /// Nobody could be asked in the administrator's name.
    Unknown,
}

impl Administrator {
    /// One who may do everything in every domain.
    #[must_use]
    pub const fn of_the_cloud() -> Self {
        Self { reach: Reach::Cloud }
    }

    /// One of a single domain, who holds these scopes.
    #[must_use]
    pub fn of_domain(domain: DomainId, holds: ScopeSet) -> Self {
        let manager = Manager {
            domain,
            holds,
            authority: None,
        };
        Self {
            reach: Reach::Domain(Box::new(manager)),
        }
    }

    /// The same with an authority over OpenStack, as the token carries it.
    #[must_use]
    pub fn with_authority(mut self, authority: Option<Authority>) -> Self {
        if let Reach::Domain(manager) = &mut self.reach {
            manager.authority = authority;
        }
        self
    }

    /// Whether they administer the cloud, and not a single domain.
    #[must_use]
    pub const fn is_of_the_cloud(&self) -> bool {
        matches!(self.reach, Reach::Cloud)
    }

    /// Whether clients of this domain are theirs to administer.
    #[must_use]
    pub fn reaches(&self, domain: &DomainId) -> bool {
        match &self.reach {
            Reach::Cloud => true,
            Reach::Domain(manager) => manager.domain == *domain,
        }
    }

    /// Whether it has to be found out what a client's tie leads to, before [`may_give`](Self::may_give) is asked.
    #[must_use]
    pub fn must_ask_about(&self, tie: &MachineTie) -> bool {
        let leads_to_keystone = matches!(
            tie,
            MachineTie::ApplicationCredential(_) | MachineTie::User { .. }
        );
        leads_to_keystone && matches!(self.reach, Reach::Domain(_))
    }

    /// Whether all that the client is or has is theirs to give. Asked of a client as it is to be, and of a client as it
    /// is before it is changed, switched on or given a secret: whoever may do that may use it.
    ///
    /// # Errors
    /// The first [`Excess`].
    pub fn may_give(&self, client: &Client, tie: &TieVerdict) -> Result<(), Excess> {
        let Reach::Domain(manager) = &self.reach else {
            return Ok(());
        };
        if manager.domain != *client.domain() {
            return Err(Excess::OtherDomain);
        }
        manager.may_give_scopes(client.scopes())?;
        if *client.claims() != ClaimsTemplate::default() {
            return Err(Excess::Claims);
        }
        if client.consent() == ConsentPolicy::Never {
            return Err(Excess::Consent);
        }
        manager.may_give_tie(client.tie(), tie)
    }
}

impl Manager {
    fn may_give_scopes(&self, scopes: &ScopeSet) -> Result<(), Excess> {
        if scopes.contains(ADMINISTRATION_SCOPE) || scopes.contains(KEYS_SCOPE) {
            return Err(Excess::Administration);
        }
        let is_held =
            |scope: &str| self.holds.contains(scope) || LOGIN_SCOPES.split(' ').any(|own| own == scope);
        match scopes.iter().find(|scope| !is_held(scope)) {
            Some(OPENSTACK_API_SCOPE) => Err(Excess::OpenstackApi),
            Some(_) => Err(Excess::Scope),
            None => Ok(()),
        }
    }

    fn may_give_tie(&self, tie: &MachineTie, verdict: &TieVerdict) -> Result<(), Excess> {
        match tie {
            MachineTie::None => return Ok(()),
            // Rules may lead to anybody.
            MachineTie::Mapping { .. } => return Err(Excess::Mapping),
            MachineTie::Static(authority) => {
                let covers = |own: &Authority| own.covers(authority);
                return match &self.authority {
                    Some(own) if covers(own) => Ok(()),
                    Some(_) | None => Err(Excess::Authority),
                };
            }
            MachineTie::ApplicationCredential(credential) if credential.dangerous_unrestricted => {
                return Err(Excess::Unrestricted);
            }
            MachineTie::ApplicationCredential(_) | MachineTie::User { .. } => {}
        }
        match verdict {
            TieVerdict::Unknown => Err(Excess::TieUnknown),
            TieVerdict::Known {
                unrestricted: true, ..
            } => Err(Excess::Unrestricted),
            TieVerdict::Known {
                within_roles: false, ..
            } => Err(Excess::Roles),
            TieVerdict::Known {
                user_domain,
                project_domain,
                ..
            } if *user_domain != self.domain || *project_domain != self.domain => Err(Excess::TieElsewhere),
            TieVerdict::Known { .. } => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
