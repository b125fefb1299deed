//! An application credential, made as the account itself: Keystone lets nobody else.

use anyhow::Context as _;
use sealstone_identity::{AccessRule, ApplicationCredentialId, ProjectId, UserId};
use sealstone_keystone::{
    Authentication, CreatedApplicationCredential, KeystoneClient, KeystoneSession, Login, LoginScope,
    NewApplicationCredential, ProjectKey, RoleKey, Secret, Token, UserKey,
};

use super::TieChoice;
use crate::{
    clock,
    failure::{Failure, Outcome},
    input,
};

/// The account, logged in.
pub(super) struct Owner {
    session: KeystoneSession,
    user_id: UserId,
}

impl Owner {
    pub(super) async fn log_in(
        keystone: &KeystoneClient,
        choice: &TieChoice,
        user_id: &UserId,
        project_id: &ProjectId,
    ) -> Outcome<Self> {
        let scope = LoginScope::Project(ProjectKey::Id(project_id.clone()));
        let login = match (&choice.owner_password_file, &choice.owner_token_file) {
            (Some(path), _) => {
                let password = input::secret(path)?;
                // One line break is the editor's; anything else may be the password's.
                let text = password.strip_suffix('\n').unwrap_or(&password);
                let text = text.strip_suffix('\r').unwrap_or(text);
                Authentication::password(UserKey::Id(user_id.clone()), Secret::from(text)).with_scope(scope)
            }
            (None, Some(path)) => {
                let token = Token::parse(input::secret(path)?.trim())?;
                let found = keystone.validate(&token, &token).await;
                let found = found.context("Keystone does not accept the account's token: get a new one")?;
                let project = crate::openstack::project_of(&found);
                if found.user.id != *user_id || project.is_none_or(|project| project.id != *project_id) {
                    return Err(Failure::failed(
                        "the token is of another account or for another project: get one of the account for the project",
                    ));
                }
                return Ok(Self {
                    session: KeystoneSession::with_token(keystone.clone(), token),
                    user_id: user_id.clone(),
                });
            }
            (None, None) => {
                return Err(Failure::usage(
                    "only the account itself can make its application credential: give --owner-password-file or \
                     --owner-token-file, or take all that it may do by --minted without --role",
                ));
            }
        };
        let refused = "Keystone does not let the account in: check its password";
        match keystone.authenticate(&login).await.context(refused)? {
            Login::Complete(issued) => Ok(Self {
                session: KeystoneSession::with_token(keystone.clone(), issued.token),
                user_id: user_id.clone(),
            }),
            Login::Incomplete(_receipt) => Err(Failure::failed(
                "Keystone wants a second factor of the account: give a token of it by --owner-token-file",
            )),
        }
    }

    /// Makes it: restricted, with these roles and no others. One of the name that a stopped run left is replaced, for
    /// its secret is lost.
    pub(super) async fn make(
        &self,
        name: &str,
        choice: &TieChoice,
        resumed: bool,
    ) -> Outcome<CreatedApplicationCredential> {
        if resumed {
            let all = self.session.application_credentials(&self.user_id).await?;
            for left in all.iter().filter(|credential| credential.name.as_str() == name) {
                self.delete(&left.id).await?;
            }
        }
        let roles = choice
            .role
            .iter()
            .map(|name| RoleKey::Name(name.clone()))
            .collect();
        let mut new = NewApplicationCredential::new(name)
            .with_description("made by `sealstone keystone migrate`: the account's client stands on it")
            .with_roles(roles);
        if let Some(path) = &choice.access_rules {
            let wrong = || {
                format!(
                    "{}: write [{{\"service\", \"method\", \"path\"}}]",
                    path.display()
                )
            };
            let rules: Vec<AccessRule> = serde_json::from_str(&input::text(path)?).with_context(wrong)?;
            new = new.with_access_rules(rules);
        }
        if let Some(span) = choice.expires_in {
            new = new.ending_at(clock::at(clock::now().as_secs().saturating_add(span.as_secs())));
        }
        let made = self
            .session
            .create_application_credential(&self.user_id, &new)
            .await;
        Ok(made.with_context(|| {
            format!(
                "Keystone makes no application credential {name} with {}: the account must have these roles in the \
                 project, and none of that name",
                choice.role.join(", ")
            )
        })?)
    }

    pub(super) async fn delete(&self, id: &ApplicationCredentialId) -> Outcome {
        Ok(self
            .session
            .delete_application_credential(&self.user_id, id)
            .await?)
    }
}
