//! Whoever uses this program, towards Keystone: logged in by the `OS_*` variables of the OpenStack clients.

mod environment;

use std::time::Duration;

use anyhow::Context as _;
use sealstone_identity::{ProjectId, UserId};
use sealstone_keystone::{
    Authentication, KeystoneClient, KeystoneConfig, KeystoneSession, Login, LoginScope, ProjectInToken,
    ProjectKey, RoleRef, Token, TokenInfo, TokenScope,
};

use crate::failure::{Failure, Outcome};
pub(crate) use environment::{Credentials, Environment, PlainAuth};

/// Where Keystone is, and who vouches for it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Place {
    pub(crate) url: Option<String>,
    pub(crate) ca_file: Option<std::path::PathBuf>,
    pub(crate) dangerous_plain_http: bool,
}

/// What the server's configuration says of its own logins: `[keystone.service]` and `[keystone.mint]`.
#[derive(Debug, Clone, Default)]
pub(crate) struct ServerLogins {
    pub(crate) service_id: Option<String>,
    pub(crate) service_secret_file: Option<std::path::PathBuf>,
    pub(crate) mint_key_file: Option<std::path::PathBuf>,
    pub(crate) mint_algorithm: Option<String>,
}

/// Somebody logged in at Keystone.
pub(crate) struct Operator {
    keystone: KeystoneClient,
    token: Token,
    info: TokenInfo,
}

/// The users of a large cloud in one answer, which Keystone takes longer to write than anything that a server asks.
const PATIENCE: Duration = Duration::from_secs(120);

/// Whether a Keystone is on this very machine, so that nobody listens on the way.
pub(crate) fn is_loopback(url: &str) -> bool {
    ["http://127.0.0.1", "http://[::1]", "http://localhost"]
        .iter()
        .filter_map(|start| url.strip_prefix(start))
        .any(|rest| rest.is_empty() || rest.starts_with([':', '/']))
}

/// A client of the Keystone at `place`; what it does not say comes from the environment.
pub(crate) fn keystone(place: &Place, environment: &Environment) -> Outcome<KeystoneClient> {
    Ok(connect(&config(place, environment)?)?)
}

/// The same, for answers that take long.
pub(crate) fn patient(place: &Place, environment: &Environment) -> Outcome<KeystoneClient> {
    Ok(connect(
        &config(place, environment)?.with_call_deadline(PATIENCE),
    )?)
}

fn connect(config: &KeystoneConfig) -> anyhow::Result<KeystoneClient> {
    let url = config.url();
    KeystoneClient::new(config).with_context(|| {
        format!("{url}: for https, OS_CACERT or `ca_file` in [keystone] names its authorities")
    })
}

fn config(place: &Place, environment: &Environment) -> Outcome<KeystoneConfig> {
    let url = place
        .url
        .as_deref()
        .or(environment.auth_url.as_deref())
        .ok_or_else(|| {
            Failure::failed(
                "no Keystone is named: set OS_AUTH_URL, or `url` in [keystone] of the server's configuration",
            )
        })?;
    let config = if place.dangerous_plain_http {
        KeystoneConfig::dangerous_with_plain_http(url)?
    } else {
        KeystoneConfig::new(url)?
    };
    let ca_file = place.ca_file.as_ref().or(environment.ca_file.as_ref());
    match ca_file {
        Some(path) => {
            let pem = std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
            Ok(config
                .with_authorities(&pem)
                .with_context(|| path.display().to_string())?)
        }
        None => Ok(config),
    }
}

impl Operator {
    /// Logs in as the environment says.
    pub(crate) async fn log_in(keystone: KeystoneClient, environment: Environment) -> Outcome<Self> {
        let failed =
            "Keystone does not let you in: check the OS_* variables, as `openstack token issue` does";
        let (token, info) = match environment.credentials()? {
            Credentials::Token(token) => {
                let info = keystone.validate(&token, &token).await.context(failed)?;
                (token, info)
            }
            Credentials::Login(login) => match keystone.authenticate(&login).await.context(failed)? {
                Login::Complete(issued) => (issued.token, issued.info),
                Login::Incomplete(_receipt) => {
                    return Err(Failure::failed(
                        "Keystone wants a second factor: give its token, OS_TOKEN=$(openstack token issue -f value -c id)",
                    ));
                }
            },
        };
        Ok(Self {
            keystone,
            token,
            info,
        })
    }

    /// Calls in the operator's name.
    pub(crate) fn session(&self) -> KeystoneSession {
        KeystoneSession::with_token(self.keystone.clone(), self.token.clone())
    }

    pub(crate) const fn keystone(&self) -> &KeystoneClient {
        &self.keystone
    }

    pub(crate) const fn user_id(&self) -> &UserId {
        &self.info.user.id
    }

    pub(crate) fn domain_id(&self) -> &str {
        self.info.user.domain.id.as_str()
    }

    /// Whether the whole deployment is the operator's: `admin` on the system.
    pub(crate) fn is_system_admin(&self) -> bool {
        matches!(self.info.scope, TokenScope::System)
            && self.info.roles.iter().any(|role| role.name.as_str() == "admin")
    }

    /// The project with the roles that the operator has there: of this token, or of one for that project.
    pub(crate) async fn roles_in(&self, project_id: &ProjectId) -> Outcome<(ProjectInToken, Vec<RoleRef>)> {
        if let Some(project) = project_of(&self.info)
            && project.id == *project_id
        {
            return Ok((project.clone(), self.info.roles.clone()));
        }
        let scope = LoginScope::Project(ProjectKey::Id(project_id.clone()));
        let login = Authentication::token(self.token.clone()).with_scope(scope);
        let none = || {
            format!(
                "you hold no role in the project {project_id} (Keystone gives you no token for it): have somebody \
                 register the client who does"
            )
        };
        match self.keystone.authenticate(&login).await.with_context(none)? {
            Login::Complete(issued) => {
                let project = project_of(&issued.info).cloned();
                let project = project.ok_or_else(|| Failure::failed(none()))?;
                Ok((project, issued.info.roles))
            }
            Login::Incomplete(_receipt) => Err(Failure::failed(none())),
        }
    }
}

pub(crate) fn project_of(info: &TokenInfo) -> Option<&ProjectInToken> {
    match &info.scope {
        TokenScope::Project { project, .. } => Some(project),
        TokenScope::Domain(_) | TokenScope::System | TokenScope::Unscoped => None,
    }
}
