use std::fmt;

use sealstone_jose::json;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{KeystoneError, document::KeystoneToken};
use crate::error::visible;

/// The most scopes that are read of one kind: nobody chooses among more.
const MAX_SCOPES: usize = 10_000;

/// Where a Keystone token is good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(clippy::exhaustive_enums, reason = "Keystone knows these three")]
pub enum KeystoneScope {
    /// In a project.
    Project {
        /// Its id.
        id: String,
        /// Its name.
        name: String,
        /// The name of its domain, or the id where Keystone gives no name.
        domain: Option<String>,
    },
    /// In a domain.
    Domain {
        /// Its id.
        id: String,
        /// Its name.
        name: String,
    },
    /// In the whole cloud.
    System,
}

/// Which scope is wanted. Names and ids are as good as each other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "Keystone knows these")]
pub enum ScopeChoice {
    /// The only one there is, else the one that the person chooses.
    #[default]
    Any,
    /// A project.
    Project {
        /// Its name or id.
        project: String,
        /// The name or id of its domain, where several projects have one name.
        domain: Option<String>,
    },
    /// A domain, by name or id.
    Domain(String),
    /// The whole cloud.
    System,
    /// None.
    Unscoped,
}

/// Where Keystone tells the scopes of a token's user, and of what kind they are.
pub(super) const PLACES: [(&str, Kind); 3] = [
    ("projects", Kind::Projects),
    ("domains", Kind::Domains),
    ("system", Kind::System),
];

#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Projects,
    Domains,
    System,
}

#[derive(Deserialize)]
struct Projects {
    projects: Vec<Project>,
}

#[derive(Deserialize)]
struct Project {
    id: String,
    name: String,
    domain_id: Option<String>,
    #[serde(default = "yes")]
    enabled: bool,
}

#[derive(Deserialize)]
struct Domains {
    domains: Vec<Domain>,
}

#[derive(Deserialize)]
struct Domain {
    id: String,
    name: String,
    #[serde(default = "yes")]
    enabled: bool,
}

#[derive(Deserialize)]
struct Systems {
    system: Vec<Value>,
}

const fn yes() -> bool {
    true
}

/// Reads one of the lists; what is disabled is left out.
pub(super) fn read(kind: Kind, body: &[u8]) -> Option<Vec<KeystoneScope>> {
    match kind {
        Kind::Projects => {
            let Projects { projects } = json::from_slice(body).ok()?;
            let enabled = projects.into_iter().filter(|project| project.enabled);
            let scopes = enabled.take(MAX_SCOPES).map(|project| KeystoneScope::Project {
                id: visible(&project.id),
                name: visible(&project.name),
                domain: project.domain_id.map(|id| visible(&id)),
            });
            Some(scopes.collect())
        }
        Kind::Domains => {
            let Domains { domains } = json::from_slice(body).ok()?;
            let enabled = domains.into_iter().filter(|domain| domain.enabled);
            let scopes = enabled.take(MAX_SCOPES).map(|domain| KeystoneScope::Domain {
                id: visible(&domain.id),
                name: visible(&domain.name),
            });
            Some(scopes.collect())
        }
        Kind::System => {
            let Systems { system } = json::from_slice(body).ok()?;
            let all = system
                .iter()
                .any(|entry| entry.get("all") == Some(&Value::Bool(true)));
            Some(all.then_some(KeystoneScope::System).into_iter().collect())
        }
    }
}

impl KeystoneScope {
    /// As Keystone's request has it.
    pub(super) fn to_request(&self) -> Value {
        match self {
            Self::Project { id, .. } => json!({"project": {"id": id}}),
            Self::Domain { id, .. } => json!({"domain": {"id": id}}),
            Self::System => json!({"system": {"all": true}}),
        }
    }
}

impl fmt::Display for KeystoneScope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Project {
                name, domain: None, ..
            } => write!(formatter, "project {name}"),
            Self::Project {
                name,
                domain: Some(domain),
                ..
            } => {
                write!(formatter, "project {name} of domain {domain}")
            }
            Self::Domain { name, .. } => write!(formatter, "domain {name}"),
            Self::System => formatter.write_str("system"),
        }
    }
}

impl ScopeChoice {
    fn fits(&self, scope: &KeystoneScope, domains: &[KeystoneScope]) -> bool {
        match (self, scope) {
            (Self::Any, _) | (Self::System, KeystoneScope::System) => true,
            (Self::Domain(wanted), KeystoneScope::Domain { id, name }) => wanted == id || wanted == name,
            (Self::Project { project, domain: of }, KeystoneScope::Project { id, name, domain }) => {
                let own = domain.as_deref().unwrap_or_default();
                // A project names its domain by id; the name is known where the user has a role in it too.
                let named = domains.iter().any(|known| match known {
                    KeystoneScope::Domain { id, name } => id == own && Some(name) == of.as_ref(),
                    KeystoneScope::Project { .. } | KeystoneScope::System => false,
                });
                project == id || (project == name && of.as_deref().is_none_or(|of| of == own || named))
            }
            _ => false,
        }
    }

    pub(super) fn among<'a>(
        &self,
        scopes: &'a [KeystoneScope],
        token: &KeystoneToken,
        choose: impl FnOnce(&[KeystoneScope]) -> Option<usize>,
    ) -> Result<&'a KeystoneScope, KeystoneError> {
        let names = |scopes: &[KeystoneScope]| scopes.iter().map(ToString::to_string).collect();
        if scopes.is_empty() {
            return Err(KeystoneError::NoScope(token.user().name.clone()));
        }
        let fitting: Vec<&KeystoneScope> = scopes.iter().filter(|scope| self.fits(scope, scopes)).collect();
        match fitting.as_slice() {
            [] => Err(KeystoneError::UnknownScope {
                wanted: self.to_string(),
                there: names(scopes),
            }),
            [only] => Ok(only),
            several => {
                let shown: Vec<KeystoneScope> = several.iter().copied().cloned().collect();
                let chosen = choose(&shown).and_then(|index| several.get(index).copied());
                chosen.ok_or_else(|| KeystoneError::Ambiguous(names(&shown)))
            }
        }
    }
}

impl fmt::Display for ScopeChoice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => formatter.write_str("at all"),
            Self::Project {
                project,
                domain: None,
            } => write!(formatter, "project {project}"),
            Self::Project {
                project,
                domain: Some(domain),
            } => {
                write!(formatter, "project {project} of domain {domain}")
            }
            Self::Domain(domain) => write!(formatter, "domain {domain}"),
            Self::System => formatter.write_str("system"),
            Self::Unscoped => formatter.write_str("none"),
        }
    }
}
