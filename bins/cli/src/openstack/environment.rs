//! The `OS_*` variables, as the OpenStack clients read them.

use std::path::PathBuf;

use sealstone_identity::{ApplicationCredentialId, DomainId, ProjectId, UserId};
use sealstone_keystone::{Authentication, DomainKey, Factor, LoginScope, ProjectKey, Secret, Token, UserKey};
use serde_json::{Value, json};

use crate::failure::{Failure, Outcome};

/// What the environment says of Keystone and of who asks.
#[derive(Default)]
pub(crate) struct Environment {
    pub(crate) auth_url: Option<String>,
    pub(crate) ca_file: Option<PathBuf>,
    token: Option<String>,
    application_credential: Option<(String, String)>,
    user: Name,
    user_domain: Name,
    password: Option<String>,
    project: Name,
    project_domain: Name,
    domain: Name,
    system: bool,
}

/// An id, a name, or neither.
#[derive(Default)]
struct Name {
    id: Option<String>,
    name: Option<String>,
}

/// How to log in.
#[derive(Debug)]
pub(crate) enum Credentials {
    Token(Token),
    Login(Box<Authentication>),
}

impl Environment {
    /// Reads the variables of this process.
    pub(crate) fn read() -> Self {
        Self::from(|name| std::env::var_os(name)?.into_string().ok())
    }

    fn from(variable: impl Fn(&str) -> Option<String>) -> Self {
        // A variable that is set to nothing is not set: that is how shells take one away for a command.
        let get = |name: &str| variable(name).filter(|text| !text.is_empty());
        let pair = |id: &str, name: &str| Name {
            id: get(id),
            name: get(name),
        };
        let default_domain = |mut domain: Name| {
            if domain.id.is_none() && domain.name.is_none() {
                domain = pair("OS_DEFAULT_DOMAIN_ID", "OS_DEFAULT_DOMAIN_NAME");
            }
            domain
        };
        Self {
            auth_url: get("OS_AUTH_URL"),
            ca_file: get("OS_CACERT").map(PathBuf::from),
            token: get("OS_TOKEN"),
            application_credential: get("OS_APPLICATION_CREDENTIAL_ID")
                .zip(get("OS_APPLICATION_CREDENTIAL_SECRET")),
            user: pair("OS_USER_ID", "OS_USERNAME"),
            user_domain: default_domain(pair("OS_USER_DOMAIN_ID", "OS_USER_DOMAIN_NAME")),
            password: get("OS_PASSWORD"),
            project: pair("OS_PROJECT_ID", "OS_PROJECT_NAME"),
            project_domain: default_domain(pair("OS_PROJECT_DOMAIN_ID", "OS_PROJECT_DOMAIN_NAME")),
            domain: pair("OS_DOMAIN_ID", "OS_DOMAIN_NAME"),
            system: get("OS_SYSTEM_SCOPE").is_some_and(|scope| scope == "all"),
        }
    }

    /// What a cloud of `clouds.yaml` says, by the same names.
    pub(crate) fn of_cloud(cloud: &sealstone_client::Cloud) -> Self {
        Self::from(|name| {
            let name = name.strip_prefix("OS_")?.to_lowercase();
            cloud
                .auth(&name)
                .or_else(|| cloud.setting(&name))
                .map(str::to_owned)
        })
    }

    /// Whether a password is all that is missing.
    pub(crate) const fn lacks_password(&self) -> bool {
        !self.names_somebody() && (self.user.name.is_some() || self.user.id.is_some())
    }

    pub(crate) fn user_name(&self) -> &str {
        self.user
            .name
            .as_deref()
            .or(self.user.id.as_deref())
            .unwrap_or_default()
    }

    pub(crate) fn with_password(&mut self, password: String) {
        self.password = Some(password);
    }

    /// Whether it says who asks at all.
    pub(crate) const fn names_somebody(&self) -> bool {
        self.token.is_some() || self.application_credential.is_some() || self.password.is_some()
    }

    /// The way to log in: a token before an application credential before a password.
    pub(crate) fn credentials(self) -> Outcome<Credentials> {
        if let Some(token) = &self.token {
            return Ok(Credentials::Token(Token::parse(token)?));
        }
        if let Some((id, secret)) = self.application_credential {
            let id = ApplicationCredentialId::parse(&id)?;
            let login = Authentication::application_credential(id, Secret::from(secret));
            return Ok(Credentials::Login(Box::new(login)));
        }
        let Some(password) = self.password else {
            return Err(Failure::failed(
                "nothing says who you are in Keystone: set OS_TOKEN, or OS_APPLICATION_CREDENTIAL_ID and \
                 OS_APPLICATION_CREDENTIAL_SECRET, or OS_USERNAME, OS_USER_DOMAIN_NAME and OS_PASSWORD",
            ));
        };
        let user = match (self.user.id, self.user.name) {
            (Some(id), _) => UserKey::Id(UserId::parse(&id)?),
            (None, Some(name)) => UserKey::Name {
                name,
                domain: self
                    .user_domain
                    .domain("OS_USER_DOMAIN_NAME or OS_USER_DOMAIN_ID")?,
            },
            (None, None) => return Err(Failure::failed("set OS_USERNAME or OS_USER_ID")),
        };
        let factor = Factor::Password {
            user,
            password: Secret::from(password),
        };
        let scope = if self.system {
            LoginScope::System
        } else {
            match (self.project.id, self.project.name) {
                (Some(id), _) => LoginScope::Project(ProjectKey::Id(ProjectId::parse(&id)?)),
                (None, Some(name)) => LoginScope::Project(ProjectKey::Name {
                    name,
                    domain: self
                        .project_domain
                        .domain("OS_PROJECT_DOMAIN_NAME or OS_PROJECT_DOMAIN_ID")?,
                }),
                (None, None) if self.domain.id.is_some() || self.domain.name.is_some() => {
                    LoginScope::Domain(self.domain.domain("OS_DOMAIN_ID")?)
                }
                (None, None) => LoginScope::Default,
            }
        };
        Ok(Credentials::Login(Box::new(
            Authentication::new(factor).with_scope(scope),
        )))
    }
}

/// A login in the words of Keystone's API, for requests that are compared with one another. It holds a secret.
pub(crate) struct PlainAuth {
    /// The member `identity` of `auth`.
    pub(crate) identity: Value,
    /// Which needs no scope, and takes none.
    pub(crate) is_application_credential: bool,
    /// The project that the variables name, as a scope has it.
    pub(crate) project: Option<Value>,
}

impl Environment {
    /// The login as Keystone's API has it; never one by a token, which would be revoked with those that come of it.
    pub(crate) fn plain_auth(&self) -> Outcome<PlainAuth> {
        if let Some((id, secret)) = &self.application_credential {
            let credential = json!({ "id": id, "secret": secret });
            let methods = ["application_credential"];
            return Ok(PlainAuth {
                identity: json!({ "methods": methods, "application_credential": credential }),
                is_application_credential: true,
                project: None,
            });
        }
        let missing = "set OS_USERNAME (or OS_USER_ID), OS_USER_DOMAIN_NAME (or OS_USER_DOMAIN_ID) and OS_PASSWORD, or \
                       the variables of an application credential; a token of yours is not used, since tokens are \
                       revoked here";
        let (Some(mut user), Some(password)) = (self.user.scoped(&self.user_domain), &self.password) else {
            return Err(Failure::failed(missing));
        };
        if let Some(members) = user.as_object_mut() {
            members.insert("password".to_owned(), json!(password));
        }
        Ok(PlainAuth {
            identity: json!({ "methods": ["password"], "password": { "user": user } }),
            is_application_credential: false,
            project: self.project.scoped(&self.project_domain),
        })
    }
}

impl Name {
    /// By its id, or by its name in a domain.
    fn scoped(&self, domain: &Self) -> Option<Value> {
        if let Some(id) = &self.id {
            return Some(json!({ "id": id }));
        }
        let domain = match (&domain.id, &domain.name) {
            (Some(id), _) => json!({ "id": id }),
            (None, Some(name)) => json!({ "name": name }),
            (None, None) => return None,
        };
        Some(json!({ "name": self.name.as_ref()?, "domain": domain }))
    }

    fn domain(self, variables: &str) -> Outcome<DomainKey> {
        match (self.id, self.name) {
            (Some(id), _) => Ok(DomainKey::Id(DomainId::parse(&id)?)),
            (None, Some(name)) => Ok(DomainKey::Name(name)),
            (None, None) => Err(Failure::failed(format!("set {variables}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(variables: &[(&str, &str)]) -> Outcome<Credentials> {
        let find = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Environment::from(find).credentials()
    }

    #[test]
    fn the_variables_of_openstack_clients_are_read() {
        let user = [("OS_USERNAME", "alice"), ("OS_PASSWORD", "hush")];
        let domain = ("OS_USER_DOMAIN_NAME", "acme");
        let cases: [(&[(&str, &str)], &str); 4] = [
            (&[("OS_TOKEN", "gAAAA"), user[0], user[1]], "Token([redacted])"),
            (
                &[
                    ("OS_APPLICATION_CREDENTIAL_ID", "ac1"),
                    ("OS_APPLICATION_CREDENTIAL_SECRET", "hush"),
                ],
                "ApplicationCredential",
            ),
            (&[user[0], user[1], domain], "scope: Default"),
            (
                &[
                    user[0],
                    user[1],
                    domain,
                    ("OS_SYSTEM_SCOPE", "all"),
                    ("OS_PROJECT_ID", "p1"),
                ],
                "scope: System",
            ),
        ];
        for (variables, want) in cases {
            let found = format!("{:?}", credentials(variables).unwrap());
            assert!(found.contains(want) && !found.contains("hush"), "{found}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let cases: [(&[(&str, &str)], &str); 5] = [
            (&[], "OS_TOKEN"),
            (&[("OS_TOKEN", "")], "OS_TOKEN"),
            (&[("OS_PASSWORD", "x")], "OS_USERNAME"),
            (
                &[("OS_PASSWORD", "x"), ("OS_USERNAME", "a")],
                "OS_USER_DOMAIN_NAME",
            ),
            (
                &[
                    ("OS_PASSWORD", "x"),
                    ("OS_USER_ID", "u1"),
                    ("OS_PROJECT_NAME", "web"),
                ],
                "OS_PROJECT_DOMAIN_NAME",
            ),
        ];
        for (variables, want) in cases {
            let error = credentials(variables).unwrap_err().to_string();
            assert!(error.contains(want), "{error}");
        }
    }
}
