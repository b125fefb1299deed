//! Users as people and programs read them.

use std::sync::Arc;

use sealstone_directory::{DirectoryStore as _, DirectoryUser, MAX_USERS_PAGE};
use sealstone_identity::UserId;
use sealstone_storage::SqlStore;
use serde_json::{Map, Value, json};

use super::{ListArguments, OneArguments, WhichArguments};
use crate::{
    clock,
    failure::{Failure, Outcome},
    output::{self, Form},
    store,
};

pub(super) async fn list(arguments: ListArguments) -> Outcome {
    let opened = arguments.store.places()?.store().await?;
    let mut users = Vec::new();
    for domain in store::domains(&opened, arguments.domain.as_ref()).await? {
        let mut after = None;
        loop {
            let page = opened.list_users(&domain, after.as_ref(), MAX_USERS_PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.name().clone());
            users.extend(page);
        }
    }
    opened.close().await;
    match arguments.output.output {
        Form::Json => output::json(&users.iter().map(|user| document(user)).collect::<Vec<_>>()),
        Form::Table => {
            let rows: Vec<Vec<String>> = users.iter().map(|user| row(user)).collect();
            output::table(&["NAME", "ID", "DOMAIN", "STATE", "EMAIL", "FULL NAME"], &rows)
        }
    }
}

fn row(user: &DirectoryUser) -> Vec<String> {
    let email = user.email().map_or("", |email| email.address());
    vec![
        user.name().to_string(),
        user.id().to_string(),
        user.domain().to_string(),
        state(user).to_owned(),
        email.to_owned(),
        user.full_name().map(ToString::to_string).unwrap_or_default(),
    ]
}

const fn state(user: &DirectoryUser) -> &'static str {
    match (user.is_enabled(), user.password()) {
        (false, _) => "disabled",
        (true, None) => "no password",
        (true, Some(_)) => "enabled",
    }
}

pub(super) async fn show(arguments: OneArguments) -> Outcome {
    let opened = arguments.store.places()?.store().await?;
    let user = find(&opened, &arguments.which).await?;
    opened.close().await;
    print(&user, arguments.output.output)
}

/// By name; what is no user's name may be a user's id.
pub(super) async fn find(opened: &SqlStore, which: &WhichArguments) -> Outcome<Arc<DirectoryUser>> {
    let domain = store::domain(opened, which.domain.as_ref()).await?;
    if let Some(user) = opened.user_named(&domain, &which.user).await? {
        return Ok(user);
    }
    let found = match UserId::parse(which.user.as_str()) {
        Ok(id) => opened.user(&id).await?.filter(|user| *user.domain() == domain),
        Err(_no_id) => None,
    };
    found.ok_or_else(|| unknown(which))
}

pub(super) fn unknown(which: &WhichArguments) -> Failure {
    Failure::failed(format!(
        "there is no user {}: `sealstone user list` names them",
        which.user
    ))
}

pub(super) fn print(user: &DirectoryUser, form: Form) -> Outcome {
    let members = document(user);
    match form {
        Form::Json => output::json(&members),
        Form::Table => {
            let mut pairs: Vec<(&str, String)> = Vec::new();
            for first in ["id", "name"] {
                pairs.extend(members.get(first).map(|value| (first, text(value))));
            }
            let rest = members
                .iter()
                .filter(|(name, _)| !matches!(name.as_str(), "id" | "name"));
            pairs.extend(rest.map(|(name, value)| (name.as_str(), text(value))));
            output::pairs(&pairs)
        }
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(" "),
        Value::Object(project) => {
            let member = |name| project.get(name).and_then(Value::as_str).unwrap_or_default();
            let roles = project
                .get("roles")
                .and_then(Value::as_array)
                .into_iter()
                .flatten();
            let roles: Vec<&str> = roles.filter_map(Value::as_str).collect();
            format!("{}:{}:{}", member("id"), member("name"), roles.join(","))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// The user without the password: of that, whether there is one.
fn document(user: &DirectoryUser) -> Map<String, Value> {
    let date = |at| Value::from(clock::date(at));
    let projects = user.projects().iter().map(|held| {
        json!({
            "id": held.project.id().as_str(),
            "name": held.project.name().as_str(),
            "roles": held.roles.iter().map(|role| role.as_str()).collect::<Vec<_>>(),
        })
    });
    let groups = user.groups().iter().map(|group| group.as_str());
    let mut members = Map::new();
    members.insert("id".to_owned(), user.id().as_str().into());
    members.insert("name".to_owned(), user.name().as_str().into());
    members.insert("domain".to_owned(), user.domain().as_str().into());
    if let Some(name) = user.full_name() {
        members.insert("full_name".to_owned(), name.as_str().into());
    }
    if let Some(email) = user.email() {
        members.insert("email".to_owned(), email.address().into());
        members.insert("email_verified".to_owned(), email.is_verified().into());
    }
    members.insert("groups".to_owned(), groups.collect());
    members.insert("projects".to_owned(), projects.collect());
    members.insert("enabled".to_owned(), user.is_enabled().into());
    members.insert("has_password".to_owned(), user.password().is_some().into());
    members.insert("created_at".to_owned(), date(user.created_at()));
    members.insert("changed_at".to_owned(), date(user.changed_at()));
    if let Some(since) = user.valid_since() {
        members.insert("valid_since".to_owned(), date(since));
    }
    members.insert("version".to_owned(), user.version().into());
    members
}
