//! What administrators are told of a client.

use super::parts::tag;
use sealstone_registry::{Client, ClientSecretText, InitialToken, SecretSet};
use serde_json::{Map, Value};

/// What was done, for the edge to write down.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "the edge writes each member")]
pub struct AdministrationAnswer {
    /// 200, 201 or 204.
    pub status: u16,
    /// The entity tag of a client as it is now.
    pub tag: Option<String>,
    /// Where what was made is from now on: the end of a path under the issuer.
    pub location: Option<String>,
    /// The body: a JSON object.
    pub body: Option<Value>,
    /// The client that it was done to.
    pub client: Option<String>,
}

impl AdministrationAnswer {
    /// What a client is, with its secret if that was made just now.
    pub(super) fn of(status: u16, client: &Client, secret: Option<&ClientSecretText>) -> Self {
        let mut members = document(client);
        if let Some(secret) = secret {
            members.insert("client_secret".to_owned(), secret.expose().into());
        }
        Self {
            status,
            tag: Some(tag(client)),
            location: (status == 201).then(|| format!("clients/{}", client.id())),
            body: Some(members.into()),
            client: Some(client.id().to_string()),
        }
    }

    pub(super) const fn plain(status: u16, body: Option<Value>) -> Self {
        Self {
            status,
            tag: None,
            location: None,
            body,
            client: None,
        }
    }
}

/// The registration under its own names, and what the server added; no secret and no hash of one.
pub(super) fn document(client: &Client) -> Map<String, Value> {
    let registration = serde_json::to_value(client.registration());
    let mut members = match registration {
        Ok(Value::Object(members)) => members,
        Ok(_) | Err(_) => Map::new(),
    };
    let mut add = |name: &str, value: Value| members.insert(name.to_owned(), value);
    add("client_id", client.id().as_str().into());
    add("domain_id", client.domain().as_str().into());
    add("client_id_issued_at", client.created_at().as_secs().into());
    add("updated_at", client.updated_at().as_secs().into());
    add("version", client.version().into());
    if let Some(secrets) = client.auth().secrets() {
        // RFC 7591 §3.2.1: 0 is never.
        let end = secrets.expires_at().map_or(0, |end| end.as_secs());
        add("client_secret_expires_at", end.into());
        if let Some(end) = SecretSet::previous_expires_at(secrets) {
            add("previous_client_secret_expires_at", end.as_secs().into());
        }
    }
    members
}

pub(super) fn initial_token(token: &InitialToken) -> Map<String, Value> {
    Map::from_iter([
        ("id".to_owned(), token.id.as_str().into()),
        ("domain_id".to_owned(), token.domain.as_str().into()),
        ("created_at".to_owned(), token.created_at.as_secs().into()),
        ("expires_at".to_owned(), token.expires_at.as_secs().into()),
        ("uses_left".to_owned(), token.uses_left.into()),
    ])
}
