//! Clients as people and programs read them.

use sealstone_registry::{Client, ClientStore as _, MAX_PAGE, TokenBinding};
use serde_json::{Map, Value, json};

use super::{ListArguments, OneArguments};
use crate::{
    clock,
    failure::{Failure, Outcome},
    output::{self, Form},
    store,
};

/// Of the list.
pub(super) const COLUMNS: [&str; 7] = ["ID", "DOMAIN", "AUTH", "TOKENS", "STATE", "SCOPE", "NAME"];

pub(super) async fn list(arguments: ListArguments) -> Outcome {
    let opened = arguments.place.places()?.store().await?;
    let mut clients = Vec::new();
    for domain in store::domains(&opened, arguments.domain.as_ref()).await? {
        let mut after = None;
        loop {
            let page = opened.list(&domain, after.as_ref(), MAX_PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id().clone());
            clients.extend(page);
        }
    }
    opened.close().await;
    match arguments.output.output {
        Form::Json => output::json(
            &clients
                .iter()
                .map(|client| document(client))
                .collect::<Result<Vec<_>, Failure>>()?,
        ),
        Form::Table => {
            let rows: Vec<Vec<String>> = clients
                .iter()
                .map(|client| {
                    vec![
                        client.id().to_string(),
                        client.domain().to_string(),
                        client.auth_method().as_str().to_owned(),
                        binding(client).to_owned(),
                        if client.is_enabled() {
                            "enabled"
                        } else {
                            "disabled"
                        }
                        .to_owned(),
                        client.scopes().to_string(),
                        client.name().to_owned(),
                    ]
                })
                .collect();
            output::table(&COLUMNS, &rows)
        }
    }
}

pub(super) async fn show(arguments: OneArguments) -> Outcome {
    let opened = arguments.place.places()?.store().await?;
    let client = opened.client(&arguments.id).await?;
    opened.close().await;
    let client = client.ok_or_else(|| unknown(&arguments.id))?;
    print(&client, None, arguments.output.output)
}

pub(super) fn unknown(id: &sealstone_oauth_types::ClientId) -> Failure {
    Failure::failed(format!(
        "there is no client {id}: `sealstone client list` names them"
    ))
}

/// The client, and its secret if it was made just now.
pub(super) fn print(client: &Client, secret: Option<&str>, form: Form) -> Outcome {
    let mut members = document(client)?;
    if let Some(secret) = secret {
        members.insert("client_secret".to_owned(), secret.into());
    }
    print_members(&members, form)
}

/// What is known of a client, by name.
pub(super) fn print_members(members: &Map<String, Value>, form: Form) -> Outcome {
    match form {
        Form::Json => output::json(members),
        Form::Table => {
            let mut pairs: Vec<(&str, String)> = Vec::new();
            // The identifier and the secret first: they are what is copied.
            for first in ["client_id", "client_secret"] {
                pairs.extend(members.get(first).map(|value| (first, text(value))));
            }
            let rest = members
                .iter()
                .filter(|(name, _)| *name != "client_id" && *name != "client_secret");
            pairs.extend(rest.map(|(name, value)| (name.as_str(), text(value))));
            output::pairs(&pairs)
        }
    }
}

fn binding(client: &Client) -> &'static str {
    match client.token_binding() {
        TokenBinding::CertificateRequired => "bound",
        TokenBinding::Unbound => "bearer",
    }
}

fn text(value: &Value) -> String {
    if let Some(text) = value.as_str() {
        return text.to_owned();
    }
    match value.as_array() {
        Some(items) if items.iter().all(Value::is_string) => items
            .iter()
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
            .join(" "),
        Some(_) | None => value.to_string(),
    }
}

/// The registration under its own names, and what the server added.
fn document(client: &Client) -> Outcome<Map<String, Value>> {
    let date = |at| Value::from(clock::date(at));
    let mut members: Map<String, Value> =
        serde_json::from_value(serde_json::to_value(client.registration())?)?;
    members.insert("client_id".to_owned(), client.id().to_string().into());
    members.insert("domain".to_owned(), client.domain().to_string().into());
    members.insert("version".to_owned(), client.version().into());
    members.insert("created_at".to_owned(), date(client.created_at()));
    members.insert("updated_at".to_owned(), date(client.updated_at()));
    members.insert(
        "effective_token_lifetime_s".to_owned(),
        json!(client.effective_lifetime().as_secs()),
    );
    if let Some(secrets) = client.auth().secrets() {
        let ends = [
            ("secret_expires_at", secrets.expires_at()),
            ("previous_secret_expires_at", secrets.previous_expires_at()),
        ];
        members.extend(
            ends.into_iter()
                .filter_map(|(name, at)| Some((name.to_owned(), date(at?)))),
        );
    }
    Ok(members)
}
