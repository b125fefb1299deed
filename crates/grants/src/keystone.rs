//! `POST /v3/OS-OAUTH2/token` after the client is known: a token of Keystone's own is due.
//!
//! ```text
//! Authenticated ──decide──▶ NeedsIdentity ──with_identity──▶ Granted
//! ```

use crate::Denial;
use crate::authenticate::Authenticated;
use crate::identity::{self, IdentityQuestion, MappedLogin};
use crate::token::binding;
use rustls_pki_types::UnixTime;
use sealstone_identity::{Delegated, MachineLogin, ProjectId, UserId};
use sealstone_mtls::ClientCertificate;
use sealstone_oauth_types::GrantType;
use sealstone_registry::{Client, ClientAuth, MachineTie};
use std::sync::Arc;

/// The client may have a Keystone token, if Keystone still gives it what it is tied to.
#[derive(Debug)]
pub struct NeedsIdentity {
    client: Arc<Client>,
    bound_to: Option<ClientCertificate>,
    mapped: Option<Box<MappedLogin>>,
}

/// Decides what can be decided without Keystone.
///
/// As Keystone has it, who authenticates by certificate gets a token that is bound to it, whatever the registration
/// says; so does whoever is registered for bound tokens.
///
/// # Errors
/// [`Denial::UnauthorizedGrantType`], [`Denial::NoKeystoneIdentity`], [`Denial::BindingImpossible`],
/// [`Denial::CertificateOutOfDate`].
pub fn decide(authenticated: Authenticated, now: UnixTime) -> Result<NeedsIdentity, Denial> {
    let (client, presented) = authenticated.into_parts();
    if !client.grants().contains(&GrantType::ClientCredentials) {
        return Err(Denial::UnauthorizedGrantType);
    }
    let mapped = identity::mapped(client.tie(), presented.as_ref())?;
    if identity::question(client.tie(), mapped.as_deref()).is_none() {
        return Err(Denial::NoKeystoneIdentity);
    }
    // A token of Keystone's own has all the roles that its user has there.
    if mapped.as_ref().is_some_and(|mapped| mapped.narrows()) {
        return Err(Denial::MappingUndecided("narrower_than_keystone"));
    }
    let bound_to = match client.auth() {
        ClientAuth::TlsClientAuth(_) | ClientAuth::SelfSignedTlsClientAuth(_) => {
            Some(binding::required(presented, now)?)
        }
        ClientAuth::SecretBasic(_)
        | ClientAuth::SecretPost(_)
        | ClientAuth::PrivateKeyJwt(_)
        | ClientAuth::ClientSecretJwt(_)
        | ClientAuth::None => binding::decide(&client, presented, now)?,
    };
    Ok(NeedsIdentity {
        client,
        bound_to,
        mapped,
    })
}

impl NeedsIdentity {
    /// The client that gets the token.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// What to ask the identity source. `None` stands for a tie that can't be asked about, which is then refused.
    #[must_use]
    pub fn question(&self) -> Option<IdentityQuestion<'_>> {
        identity::question(self.client.tie(), self.mapped.as_deref())
    }

    /// Goes on with what the source said.
    ///
    /// # Errors
    /// [`Denial::OtherIdentity`], [`Denial::UnrestrictedCredential`], or [`Denial::KeystoneRefused`] for one at its end.
    pub fn with_identity(self, answer: &Arc<Delegated>, now: UnixTime) -> Result<Granted, Denial> {
        identity::check(self.client.tie(), answer, now).map_err(Denial::at_keystone)?;
        if let Some(mapped) = &self.mapped {
            mapped.narrow(Arc::clone(answer))?;
        }
        let project = identity::project(&answer.authority).ok_or(Denial::OtherIdentity)?;
        Ok(Granted {
            ends_at: identity::ends_at(self.client.tie(), answer),
            user_id: answer.authority.user().id().clone(),
            project_id: project.id().clone(),
            client: self.client,
            bound_to: self.bound_to,
        })
    }
}

/// A Keystone token is due: to whom, and bound to which certificate. Only the checks here make one.
#[derive(Debug)]
pub struct Granted {
    client: Arc<Client>,
    bound_to: Option<ClientCertificate>,
    ends_at: Option<UnixTime>,
    user_id: UserId,
    project_id: ProjectId,
}

impl Granted {
    /// The client that gets the token.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The certificate that it must be bound to. `None` only for a client that neither authenticates by certificate
    /// nor is registered for bound tokens.
    #[must_use]
    pub const fn bound_to(&self) -> Option<&ClientCertificate> {
        self.bound_to.as_ref()
    }

    /// The end of what the token stands on, if it has one: the token does not outlive it.
    #[must_use]
    pub const fn ends_at(&self) -> Option<UnixTime> {
        self.ends_at
    }

    /// By which login the source gets it. Keystone binds no token that it is asked for: one that must be bound is
    /// made by us, for the same credential.
    #[must_use]
    pub fn login(&self) -> Option<IdentityQuestion<'_>> {
        if let MachineTie::Mapping { .. } = self.client.tie() {
            return Some(IdentityQuestion::Login(MachineLogin::MintedUser {
                user_id: &self.user_id,
                project_id: &self.project_id,
            }));
        }
        match (identity::question(self.client.tie(), None)?, self.client.tie()) {
            (IdentityQuestion::Sealed { .. }, MachineTie::ApplicationCredential(tied))
                if self.bound_to.is_some() =>
            {
                Some(IdentityQuestion::Login(
                    MachineLogin::MintedApplicationCredential {
                        id: &tied.id,
                        user_id: &self.user_id,
                        project_id: &self.project_id,
                    },
                ))
            }
            (question, _) => Some(question),
        }
    }
}
