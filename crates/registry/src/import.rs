//! Clients of other servers, read from what those export.

mod hydra;
mod keycloak;
mod keystone;

use std::fmt;

use sealstone_oauth_types::{ClientId, Secret};
use serde_json::{Map, Value};

use crate::{
    client::chosen_client_id,
    error::{RegistrationError, shown},
    registration::ClientRegistration,
};

/// The longest export that is read, in bytes: some ten thousand clients.
pub const MAX_IMPORT: usize = 32 * 1024 * 1024;
/// The most clients of one export.
const MAX_CLIENTS: usize = 20_000;
/// A secret that is taken over is kept as a keyed hash, which defends no secret that can be guessed: 32 characters of a
/// random source have 128 bits at least.
const MIN_SECRET: usize = 32;
/// Of these, so many different ones: what people make up has fewer.
const MIN_DIFFERENT: usize = 12;

/// Whose export it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "each is read in its own way")]
pub enum ImportSource {
    /// Ory Hydra: `hydra list oauth2-clients --format json`, or its administration endpoint.
    Hydra,
    /// Keycloak: the export of a realm, of its clients, or of one client.
    Keycloak,
    /// Keystone: a list of application credentials, of its API or of `openstack application credential`.
    Keystone,
}

/// A client as it would be registered here.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "whoever imports shows all of it")]
pub struct ImportedClient {
    /// What it is called there, in printable characters.
    pub name: String,
    /// Its registration, with the id that it is to have; or why there is none.
    pub registration: Result<(ClientId, Box<ClientRegistration>), ImportRefusal>,
    /// Its secret, if the export holds one that can be kept. Without, one is drawn.
    pub secret: Option<Secret>,
    /// What does not come along, and why.
    pub dropped: Vec<Dropped>,
}

/// A member of the export that does not come along.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "whoever imports shows all of it")]
pub struct Dropped {
    /// Its name there, in printable characters.
    pub member: String,
    /// Why, or what to do instead.
    pub why: &'static str,
}

/// Why a client is not taken over.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ImportRefusal {
    /// It uses what this server does not have.
    #[error("{0}")]
    NotRepresentable(&'static str),
    /// Its registration breaks a rule.
    #[error("{0}")]
    Registration(RegistrationError),
}

impl From<RegistrationError> for ImportRefusal {
    fn from(error: RegistrationError) -> Self {
        Self::Registration(error)
    }
}

/// Why an export can't be read at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// Too long.
    #[error("the export is longer than 32 MiB: export fewer clients at once")]
    TooLarge,
    /// Not JSON, a member twice, or nested too deep.
    #[error("the export is not JSON with each member once: export it anew")]
    Json,
    /// JSON of another shape.
    #[error("the export holds no list of clients: look which program it is of (--from)")]
    Shape,
}

/// Reads an export. Nothing is registered: what comes out is to be checked by the reader and by the rules of
/// [`ClientRegistration`].
///
/// # Errors
/// [`ImportError`] for an export that is none; a client that can't be taken over is among the answers, with its reason.
///
/// # Examples
/// ```
/// # use sealstone_registry::{ImportSource, import_clients};
/// let export = br#"[{"client_id": "app", "redirect_uris": ["https://app.example/cb"], "owner": "me"}]"#;
/// let clients = import_clients(ImportSource::Hydra, export)?;
/// assert!(clients[0].registration.is_ok());
/// assert_eq!(clients[0].dropped[0].member, "owner");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn import_clients(source: ImportSource, export: &[u8]) -> Result<Vec<ImportedClient>, ImportError> {
    if export.len() > MAX_IMPORT {
        return Err(ImportError::TooLarge);
    }
    let document: Value = serde_json::from_slice(export).map_err(|_malformed| ImportError::Json)?;
    let list = match source {
        ImportSource::Hydra => listed(document, "items", "client_id"),
        ImportSource::Keycloak => listed(document, "clients", "clientId"),
        ImportSource::Keystone => listed(document, "application_credentials", "id"),
    }?;
    let read = match source {
        ImportSource::Hydra => hydra::read,
        ImportSource::Keycloak => keycloak::read,
        ImportSource::Keystone => keystone::read,
    };
    Ok(list.into_iter().map(|client| read(Reader::new(client))).collect())
}

/// The clients of a list, of an object that has one under this name, or of an object that is one itself.
fn listed(document: Value, under: &str, of_one: &str) -> Result<Vec<Map<String, Value>>, ImportError> {
    let list = match document {
        Value::Array(list) => list,
        Value::Object(mut object) => match object.remove(under) {
            Some(Value::Array(list)) => list,
            None if object.contains_key(of_one) => vec![Value::Object(object)],
            Some(_) | None => return Err(ImportError::Shape),
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return Err(ImportError::Shape),
    };
    if list.len() > MAX_CLIENTS {
        return Err(ImportError::TooLarge);
    }
    let object = |client| match client {
        Value::Object(members) => Ok(members),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err(ImportError::Shape)
        }
    };
    list.into_iter().map(object).collect()
}

/// One client of an export: what is taken is out of it, what is left is named.
struct Reader {
    members: Map<String, Value>,
    ours: Map<String, Value>,
    dropped: Vec<Dropped>,
}

impl Reader {
    fn new(members: Map<String, Value>) -> Self {
        Self {
            members,
            ours: Map::new(),
            dropped: Vec::new(),
        }
    }

    /// A member that says something: not null, and neither an empty text, list nor object.
    fn take(&mut self, member: &str) -> Option<Value> {
        self.members.remove(member).filter(says_something)
    }

    fn text(&mut self, member: &str) -> Option<String> {
        Some(self.take(member)?.as_str()?.to_owned())
    }

    fn is_true(&mut self, member: &str) -> bool {
        self.take(member) == Some(Value::Bool(true))
    }

    fn texts(&mut self, member: &str) -> Vec<String> {
        match self.take(member) {
            Some(Value::Array(list)) => {
                let text = |value: Value| value.as_str().map(str::to_owned);
                list.into_iter().filter_map(text).collect()
            }
            Some(Value::String(text)) => vec![text],
            Some(_) | None => Vec::new(),
        }
    }

    /// Takes a member over under the same name.
    fn same(&mut self, member: &'static str) {
        if let Some(value) = self.take(member) {
            self.set(member, value);
        }
    }

    fn set(&mut self, member: &'static str, value: impl Into<Value>) {
        self.ours.insert(member.to_owned(), value.into());
    }

    fn drop(&mut self, member: &str, why: &'static str) {
        self.dropped.push(Dropped {
            member: shown(member),
            why,
        });
    }

    /// Passes over what means nothing here.
    fn ignore(&mut self, members: &[&str]) {
        for member in members {
            self.members.remove(*member);
        }
    }

    /// Names what is left, and gives what was taken to the rules.
    fn done(mut self, name: &str, id: &str, secret: Option<String>) -> ImportedClient {
        for (member, value) in std::mem::take(&mut self.members) {
            if says_something(&value) {
                self.drop(&member, "nothing here reads it");
            }
        }
        let secret = self.kept(secret);
        let registration = self.registration(id);
        ImportedClient {
            name: shown(name),
            registration,
            secret,
            dropped: self.dropped,
        }
    }

    fn refused(mut self, name: &str, why: &'static str) -> ImportedClient {
        ImportedClient {
            name: shown(name),
            registration: Err(ImportRefusal::NotRepresentable(why)),
            secret: None,
            dropped: std::mem::take(&mut self.dropped),
        }
    }

    fn registration(&mut self, id: &str) -> Result<(ClientId, Box<ClientRegistration>), ImportRefusal> {
        let id = chosen_client_id(id)?;
        let members = Value::Object(std::mem::take(&mut self.ours));
        let text = members.to_string();
        let registration = ClientRegistration::from_json(text.as_bytes())?;
        Ok((id, Box::new(registration)))
    }

    /// A secret that nobody guesses.
    fn kept(&mut self, secret: Option<String>) -> Option<Secret> {
        let secret = secret?;
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
        let mut different: Vec<u8> = secret.bytes().collect();
        different.sort_unstable();
        different.dedup();
        let is_random = secret.len() >= MIN_SECRET && different.len() >= MIN_DIFFERENT;
        if is_random && secret.len() <= crate::secret::MAX_SECRET_LENGTH && secret.bytes().all(allowed) {
            return Some(Secret::from(secret));
        }
        let why =
            "too short, hidden, or not of a random source: a new secret is made, to be given to the client";
        self.drop("secret", why);
        None
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Reader")
    }
}

fn says_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(members) => !members.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

#[cfg(test)]
mod tests;
