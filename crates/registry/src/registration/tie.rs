//! From the flat `openstack_*` members of a registration to its tie, and back.

use std::{sync::Arc, time::Duration};

use rustls_pki_types::UnixTime;
use sealstone_claims::RuleSet;
use sealstone_oauth_types::{Secret, TokenEndpointAuthMethod};

use super::ClientRegistration;
use crate::{
    error::RegistrationError,
    sealed_secret::SealedSecret,
    tie::{CredentialLogin, MachineTie, TiedCredential},
};

impl ClientRegistration {
    /// Seals the secret that came with the registration, if one did: `seal` is given it, and what it returns is kept.
    ///
    /// # Errors
    /// Those of `seal`; the registration then still holds the plain secret and makes no client.
    pub fn seal_application_credential_secret<E>(
        &mut self,
        seal: impl FnOnce(&Secret) -> Result<SealedSecret, E>,
    ) -> Result<(), E> {
        if let Some(secret) = &self.openstack_application_credential_secret {
            self.sealed_application_credential_secret = Some(seal(secret)?);
            self.openstack_application_credential_secret = None;
        }
        Ok(())
    }

    /// Keeps the sealed secret of the client's former tie, if this registration is of the same credential, is not to
    /// do without a secret and brings no other.
    pub(crate) fn keep_secret_of(&mut self, tie: &MachineTie) {
        let MachineTie::ApplicationCredential(credential) = tie else {
            return;
        };
        let is_same = self.openstack_application_credential_id.as_ref() == Some(&credential.id);
        if is_same
            && self.sealed_application_credential_secret.is_none()
            && self.openstack_minted != Some(true)
        {
            self.sealed_application_credential_secret = tie.sealed_secret().cloned();
        }
    }

    pub(super) fn tie(&mut self, method: TokenEndpointAuthMethod) -> Result<MachineTie, RegistrationError> {
        if self.openstack_application_credential_secret.is_some() {
            return Err(RegistrationError::SecretNotSealed);
        }
        self.check_one()?;
        if let Some(authority) = self.authority.take() {
            return Ok(MachineTie::Static(authority));
        }
        if let Some(document) = self.openstack_mapping.take() {
            if method != TokenEndpointAuthMethod::TlsClientAuth {
                return Err(RegistrationError::MappingMethod);
            }
            return Ok(MachineTie::Mapping {
                rules: Arc::new(RuleSet::parse(&document).map_err(RegistrationError::Mapping)?),
                project_id: self.openstack_project_id.take(),
            });
        }
        if let Some(id) = self.openstack_application_credential_id.take() {
            return Ok(MachineTie::ApplicationCredential(TiedCredential {
                id,
                login: self.credential_login()?,
                dangerous_unrestricted: self
                    .dangerous_unrestricted_application_credential
                    .unwrap_or_default(),
                ends_at: self
                    .openstack_application_credential_expires_at
                    .map(|seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds))),
            }));
        }
        self.user()
    }

    /// Members of one tie only.
    fn check_one(&self) -> Result<(), RegistrationError> {
        let several = |first, members: &[Option<&'static str>]| {
            members.iter().flatten().next().map_or(Ok(()), |&member| {
                Err(RegistrationError::SeveralTies { first, member })
            })
        };
        let [credential, secret, end, user, project, minted, dangerous, mapping] = self.tie_members();
        if self.authority.is_some() {
            let others = [credential, secret, end, user, project, minted, dangerous, mapping];
            return several("authority", &others);
        }
        if mapping.is_some() {
            return several(
                "openstack_mapping",
                &[credential, secret, end, user, minted, dangerous],
            );
        }
        match secret.or(end).or(dangerous) {
            Some(member) if credential.is_none() => {
                Err(RegistrationError::NoApplicationCredential { member })
            }
            Some(_) | None => Ok(()),
        }
    }

    fn credential_login(&mut self) -> Result<CredentialLogin, RegistrationError> {
        let (user_id, project_id) = (self.openstack_user_id.take(), self.openstack_project_id.take());
        match (
            self.sealed_application_credential_secret.take(),
            self.openstack_minted,
        ) {
            (Some(_), Some(true)) => Err(RegistrationError::SecretAndMinted),
            (Some(sealed), Some(false) | None) => Ok(CredentialLogin::Secret {
                sealed,
                user_id,
                project_id,
            }),
            (None, Some(true)) => match (user_id, project_id) {
                (Some(user_id), Some(project_id)) => Ok(CredentialLogin::Minted { user_id, project_id }),
                _ => Err(RegistrationError::MintedIncomplete),
            },
            (None, Some(false) | None) => Err(RegistrationError::ApplicationCredentialSecretMissing),
        }
    }

    fn user(&mut self) -> Result<MachineTie, RegistrationError> {
        match (
            self.openstack_user_id.take(),
            self.openstack_project_id.take(),
            self.openstack_minted,
        ) {
            (None, None, None) => Ok(MachineTie::None),
            (Some(user_id), Some(project_id), None | Some(true)) => {
                Ok(MachineTie::User { user_id, project_id })
            }
            _ => Err(RegistrationError::MintedIncomplete),
        }
    }

    /// The members of a tie that are there, by name.
    fn tie_members(&self) -> [Option<&'static str>; 8] {
        let named = |present: bool, member| present.then_some(member);
        [
            named(
                self.openstack_application_credential_id.is_some(),
                "openstack_application_credential_id",
            ),
            named(
                self.sealed_application_credential_secret.is_some(),
                "openstack_application_credential_secret",
            ),
            named(
                self.openstack_application_credential_expires_at.is_some(),
                "openstack_application_credential_expires_at",
            ),
            named(self.openstack_user_id.is_some(), "openstack_user_id"),
            named(self.openstack_project_id.is_some(), "openstack_project_id"),
            named(self.openstack_minted.is_some(), "openstack_minted"),
            named(
                self.dangerous_unrestricted_application_credential == Some(true),
                "dangerous_unrestricted_application_credential",
            ),
            named(self.openstack_mapping.is_some(), "openstack_mapping"),
        ]
    }

    /// Writes a tie back as the members that it came from; its secret is not among them.
    pub(super) fn set_tie(&mut self, tie: &MachineTie) {
        self.openstack_user_id = tie.user_id().cloned();
        self.openstack_project_id = tie.project_id().cloned();
        match tie {
            MachineTie::None | MachineTie::User { .. } => {}
            MachineTie::Mapping { rules, .. } => {
                self.openstack_mapping = serde_json::to_value(rules.as_ref()).ok()
            }
            MachineTie::Static(authority) => self.authority = Some(authority.clone()),
            MachineTie::ApplicationCredential(credential) => {
                self.openstack_application_credential_id = Some(credential.id.clone());
                self.openstack_application_credential_expires_at =
                    credential.ends_at.map(|end| end.as_secs());
                self.dangerous_unrestricted_application_credential =
                    credential.dangerous_unrestricted.then_some(true);
                self.openstack_minted = match credential.login {
                    CredentialLogin::Minted { .. } => Some(true),
                    CredentialLogin::Secret { .. } => None,
                };
            }
        }
    }
}
