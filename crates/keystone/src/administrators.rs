//! Who administers clients by a Keystone token: asked of Keystone, in the holder's own name.

use std::collections::BTreeSet;

use async_trait::async_trait;
use sealstone_identity::{
    AdministratorSource, ApplicationCredentialId, Authority, DomainId, IdentityError, IdentitySourceError,
    MAX_ROLES, MachineLogin, Name, ProjectId, ProjectScope, Refusal, RoleName, Scope, TieFacts, TokenHolder,
    UserId, UserRef,
};

use crate::{
    AssignmentFilter, Authentication, KeystoneClient, KeystoneError, KeystoneSession, Login, LoginScope,
    ProjectInToken, ProjectKey, RoleId, Secret, Token, TokenInfo, TokenScope, failure,
};

type Failure = failure::Failure<Refusal>;

/// An [`AdministratorSource`] that asks a Keystone about each token, and remembers nothing: administrators are few, and
/// a token that was revoked counts no longer at once.
///
/// # Security
/// Every question is asked with the token that it is about. What a token says is believed as far as Keystone says it
/// now; roles that no token of ours could carry are left out, which only takes rights away.
#[derive(Debug, Clone)]
pub struct KeystoneAdministrators {
    client: KeystoneClient,
}

impl KeystoneAdministrators {
    /// A source that asks by this client.
    #[must_use]
    pub const fn new(client: KeystoneClient) -> Self {
        Self { client }
    }

    async fn info(&self, text: &str) -> Result<(Token, TokenInfo), Failure> {
        let token = Token::parse(text).map_err(|_bad| Failure::Refused(Refusal::Credential))?;
        let info = self.client.validate(&token, &token).await;
        Ok((token, info.map_err(credential)?))
    }

    async fn log_in(&self, login: &Authentication, refused: Refusal) -> Result<TokenInfo, Failure> {
        match self.client.authenticate(login).await {
            Ok(Login::Complete(issued)) => Ok(issued.info),
            Ok(Login::Incomplete(_receipt)) => Err(Failure::Refused(refused)),
            Err(error) => Err(Failure::of(error, refused)),
        }
    }

    async fn facts(&self, text: &str, login: &MachineLogin<'_>) -> Result<TieFacts, Failure> {
        let (token, holder) = self.info(text).await?;
        let given = match *login {
            MachineLogin::ApplicationCredential { id, secret } => {
                let login = Authentication::application_credential(id.clone(), Secret::from(secret));
                Given::of_token(&self.log_in(&login, Refusal::Credential).await?)?
            }
            MachineLogin::MintedApplicationCredential {
                id,
                user_id,
                project_id,
            } => {
                let named = (id, user_id, project_id);
                self.of_credential(&token, &holder, named).await?
            }
            MachineLogin::MintedUser { user_id, project_id } => {
                self.of_user(&token, &holder, user_id, project_id).await?
            }
        };
        let (project, held) = self.held(&token, &holder, &given.project).await?;
        Ok(TieFacts {
            user_domain: given.user_domain,
            project_domain: project.domain.id,
            within_roles: given.roles.is_subset(&held),
            unrestricted: given.unrestricted,
        })
    }

    async fn of_credential(
        &self,
        token: &Token,
        holder: &TokenInfo,
        (id, user, project): (&ApplicationCredentialId, &UserId, &ProjectId),
    ) -> Result<Given, Failure> {
        let session = self.session(token);
        let found = session
            .application_credential(user, id)
            .await
            .map_err(credential)?;
        if found.project_id != *project {
            return Err(Failure::Refused(Refusal::Credential));
        }
        Ok(Given {
            user_domain: domain_of(&session, holder, user).await?,
            project: found.project_id,
            roles: found.roles.into_iter().map(|role| role.id).collect(),
            unrestricted: found.unrestricted,
        })
    }

    async fn of_user(
        &self,
        token: &Token,
        holder: &TokenInfo,
        user: &UserId,
        project: &ProjectId,
    ) -> Result<Given, Failure> {
        let session = self.session(token);
        let filter = AssignmentFilter {
            user_id: Some(user.clone()),
            project_id: Some(project.clone()),
            effective: true,
            ..AssignmentFilter::default()
        };
        let found = session.assignments(&filter).await;
        let found = found.map_err(|error| Failure::of(error, Refusal::User))?;
        if found.is_empty() {
            return Err(Failure::Refused(Refusal::NoRole));
        }
        Ok(Given {
            user_domain: domain_of(&session, holder, user).await?,
            project: project.clone(),
            roles: found.into_iter().map(|assignment| assignment.role.id).collect(),
            unrestricted: false,
        })
    }

    /// The project with the roles that the holder has there: of this token, or of one for that project.
    async fn held(
        &self,
        token: &Token,
        holder: &TokenInfo,
        project_id: &ProjectId,
    ) -> Result<(ProjectInToken, BTreeSet<RoleId>), Failure> {
        let other;
        let info = match &holder.scope {
            TokenScope::Project { project, .. } if project.id == *project_id => holder,
            TokenScope::Project { .. }
            | TokenScope::Domain(_)
            | TokenScope::System
            | TokenScope::Unscoped => {
                let scope = LoginScope::Project(ProjectKey::Id(project_id.clone()));
                let login = Authentication::token(token.clone()).with_scope(scope);
                other = self.log_in(&login, Refusal::NoRole).await?;
                &other
            }
        };
        match &info.scope {
            TokenScope::Project { project, .. } if project.id == *project_id => {
                let roles = info.roles.iter().map(|role| role.id.clone()).collect();
                Ok((project.clone(), roles))
            }
            TokenScope::Project { .. }
            | TokenScope::Domain(_)
            | TokenScope::System
            | TokenScope::Unscoped => Err(Failure::Refused(Refusal::NoRole)),
        }
    }

    fn session(&self, token: &Token) -> KeystoneSession {
        KeystoneSession::with_token(self.client.clone(), token.clone())
    }
}

/// What the tie would give.
struct Given {
    user_domain: DomainId,
    project: ProjectId,
    roles: BTreeSet<RoleId>,
    unrestricted: bool,
}

impl Given {
    fn of_token(info: &TokenInfo) -> Result<Self, Failure> {
        let TokenScope::Project { project, .. } = &info.scope else {
            return Err(Failure::Refused(Refusal::NoRole));
        };
        let used = info.application_credential.as_ref();
        Ok(Self {
            user_domain: info.user.domain.id.clone(),
            project: project.id.clone(),
            roles: info.roles.iter().map(|role| role.id.clone()).collect(),
            unrestricted: used.is_none_or(|used| !used.restricted),
        })
    }
}

async fn domain_of(
    session: &KeystoneSession,
    holder: &TokenInfo,
    user: &UserId,
) -> Result<DomainId, Failure> {
    if *user == holder.user.id {
        return Ok(holder.user.domain.id.clone());
    }
    let found = session.user(user).await;
    Ok(found
        .map_err(|error| Failure::of(error, Refusal::User))?
        .domain_id)
}

fn credential(error: KeystoneError) -> Failure {
    Failure::of(error, Refusal::Credential)
}

fn too_large(_error: IdentityError) -> Failure {
    Failure::Refused(Refusal::TooLarge)
}

fn holder_of(info: &TokenInfo) -> Result<TokenHolder, Failure> {
    let scope = scope_of(info).map_err(too_large)?;
    // Of roles that no token of ours could carry none is one that administers clients.
    let mut roles: Vec<RoleName> = info
        .roles
        .iter()
        .filter_map(|role| RoleName::parse(role.name.as_str()).ok())
        .collect();
    roles.sort_unstable();
    roles.dedup();
    roles.truncate(MAX_ROLES);
    let user = UserRef::new(
        info.user.id.as_str(),
        info.user.name.as_str(),
        info.user.domain.id.as_str(),
    );
    let scope = if roles.is_empty() { Scope::Unscoped } else { scope };
    if scope == Scope::Unscoped {
        roles.clear();
    }
    let authority = Authority::new(user.map_err(too_large)?, scope, roles).map_err(too_large)?;
    let rules = info.application_credential.as_ref();
    Ok(TokenHolder {
        authority,
        is_narrowed: rules.is_some_and(|used| used.access_rules.is_some()),
        certificate_thumbprint: info.certificate_thumbprint.clone(),
    })
}

fn scope_of(info: &TokenInfo) -> Result<Scope, IdentityError> {
    Ok(match &info.scope {
        TokenScope::Project { project, .. } => Scope::Project(ProjectScope::new(
            project.id.as_str(),
            project.name.as_str(),
            project.domain.id.as_str(),
        )?),
        TokenScope::Domain(domain) => Scope::Domain {
            id: domain.id.clone(),
            name: Name::parse(domain.name.as_str())?,
        },
        TokenScope::System => Scope::System,
        TokenScope::Unscoped => Scope::Unscoped,
    })
}

#[async_trait]
impl AdministratorSource for KeystoneAdministrators {
    async fn holder(&self, token: &str) -> Result<TokenHolder, IdentitySourceError> {
        let (_token, info) = self.info(token).await?;
        // Who was lent another's rights does not hold them.
        if info.trust.is_some() {
            return Err(IdentitySourceError::Refused(Refusal::Credential));
        }
        Ok(holder_of(&info)?)
    }

    async fn tie(&self, token: &str, login: &MachineLogin<'_>) -> Result<TieFacts, IdentitySourceError> {
        Ok(self.facts(token, login).await?)
    }
}
