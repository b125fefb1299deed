//! `migrate status`: where each account stands.

use serde_json::json;

use super::{
    StatusArguments, address,
    evidence::{Evidence, Readiness},
};
use crate::{
    clock,
    failure::Outcome,
    keystone::journal::{Absent, AccountRecord, Journal, PasswordState},
    output::{self, Form},
};

pub(super) fn run(arguments: &StatusArguments) -> Outcome {
    let places = arguments.store.places()?;
    let journal = Journal::open(&arguments.journal.journal, &address(&places)?, Absent::IsAFault)?;
    let evidence = Evidence::read(&arguments.evidence, places.audit_file())?;
    match arguments.output.output {
        Form::Json => {
            let accounts = journal.accounts().iter();
            let documents: Vec<_> = accounts
                .map(|(id, record)| document(id, record, &evidence))
                .collect();
            output::json(&documents)
        }
        Form::Table => {
            let accounts = journal.accounts().iter();
            let rows: Vec<_> = accounts
                .flat_map(|(id, record)| rows(id, record, &evidence))
                .collect();
            output::table(
                &["ACCOUNT", "CLIENT", "NEW WAY", "OLD WAY", "STATE", "NEXT"],
                &rows,
            )
        }
    }
}

/// What to do next.
fn next(id: &str, record: &AccountRecord, evidence: &Evidence) -> String {
    match &record.password {
        PasswordState::On | PasswordState::Restored { .. } => {
            match evidence.readiness(id, record, clock::now()) {
                Readiness::Ready => "disable-passwords".to_owned(),
                Readiness::Not(why) => why,
            }
        }
        PasswordState::TurningOff { .. } => "disable-passwords again: a run was stopped".to_owned(),
        PasswordState::Off { .. } => "remove-passwords, after a while; or restore-passwords".to_owned(),
        PasswordState::Removing { .. } => "remove-passwords again: a run was stopped".to_owned(),
        PasswordState::Removed { .. } => "nothing".to_owned(),
    }
}

/// The last use of the old way, or what is not known about it.
fn old_way(id: &str, evidence: &Evidence) -> String {
    match (evidence.old_way(id), evidence.old.since()) {
        (Some(login), _) => {
            let refused = if login.succeeded { "" } else { ", refused" };
            let whence = login.address.as_deref().unwrap_or("somewhere");
            let agent = login.agent.as_deref().unwrap_or("something");
            format!(
                "{} from {whence} ({agent}){refused}",
                clock::relative(login.at, clock::now())
            )
        }
        (None, Some(since)) => format!("not since {}", clock::date(since)),
        (None, None) => "unknown".to_owned(),
    }
}

fn rows(id: &str, record: &AccountRecord, evidence: &Evidence) -> Vec<Vec<String>> {
    let now = clock::now();
    let client = |client: &crate::keystone::journal::ClientRecord| {
        let last = evidence.new.of(&client.client_id);
        vec![
            record.name.clone(),
            client.client_id.clone(),
            last.map_or_else(|| "never".to_owned(), |last| clock::relative(last, now)),
            old_way(id, evidence),
            record.password.as_str().to_owned(),
            next(id, record, evidence),
        ]
    };
    record.clients.iter().map(client).collect()
}

fn document(id: &str, record: &AccountRecord, evidence: &Evidence) -> serde_json::Value {
    let clients: Vec<_> = record
        .clients
        .iter()
        .map(|client| {
            json!({
                "client_id": client.client_id,
                "project_id": client.project_id,
                "application_credential_id": client.application_credential_id,
                "registered_at": client.registered_at,
                "last_token_at": evidence.new.of(&client.client_id).map(clock::date),
            })
        })
        .collect();
    let ready = evidence.readiness(id, record, clock::now()) == Readiness::Ready;
    json!({
        "user_id": id,
        "name": record.name,
        "clients": clients,
        "password": record.password.as_str(),
        "last_password_login": evidence.old_way(id),
        "password_logins_known_since": evidence.old.since().map(clock::date),
        "ready": ready,
        "next": next(id, record, evidence),
    })
}
