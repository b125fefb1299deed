//! Holds `docs/reference/audit-events.md` to the events.

use rustls_pki_types::UnixTime;
use sealstone_audit::{Action, Actor, Event, EventId, Outcome, Reason, Target};
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;

const DOCUMENT: &str = include_str!("../../../docs/reference/audit-events.md");

fn section(name: &str) -> Vec<Vec<&'static str>> {
    let table = DOCUMENT.split(&format!("## {name}\n")).nth(1).unwrap();
    let table = table.split("\n## ").next().unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    rows.filter(|row| !row.contains("| When |"))
        .map(|row| row.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect()
}

fn firsts(rows: &[Vec<&'static str>]) -> BTreeSet<String> {
    rows.iter()
        .map(|row| row[0].trim_matches('`').to_owned())
        .collect()
}

/// Every action is in the list of all: a new one does not compile here, and the list is looked at below.
const fn is_listed(action: Action) -> bool {
    match action {
        Action::IssueToken
        | Action::RefreshToken
        | Action::DenyReusedRefreshToken
        | Action::DenyReusedCode
        | Action::IssueKeystoneToken
        | Action::IntrospectToken
        | Action::RevokeToken
        | Action::RotateKey
        | Action::RevokeKey
        | Action::ImportKey
        | Action::ExportKey
        | Action::ReadKeys
        | Action::RewrapKeys
        | Action::RequestKeyChange
        | Action::ConfirmKeyChange
        | Action::CreateDomain
        | Action::CreateClient
        | Action::UpdateClient
        | Action::DeleteClient
        | Action::ReadClient
        | Action::CreateInitialToken
        | Action::ReadInitialToken
        | Action::DeleteInitialToken
        | Action::CreateUser
        | Action::UpdateUser
        | Action::DeleteUser
        | Action::CreateApplicationCredential
        | Action::SignIn
        | Action::EndSession
        | Action::Authorize
        | Action::AllowConsent
        | Action::DenyConsent
        | Action::DeleteConsent
        | Action::AskForDevice
        | Action::AllowDevice
        | Action::DenyDevice
        | Action::ReadUserinfo
        | Action::AddFactor
        | Action::RemoveFactor
        | Action::EndGrant
        | Action::NotifyLogout
        | Action::StartNode
        | Action::StopNode
        | Action::Reload
        | Action::ChangeSetting
        | Action::BackUpStore
        | Action::RestoreStore
        | Action::MigrateStore
        | Action::SignTrail
        | Action::MendTrail => true,
    }
}

/// As many as there are arms above.
const COUNT: usize = 50;

fn event(target: Target<'static>) -> Value {
    let event = Event {
        id: EventId::from_random([7; 16]),
        time: UnixTime::since_unix_epoch(Duration::from_secs(1_767_322_984)),
        action: Action::IssueToken,
        outcome: Outcome::Failure,
        reason: Some(Reason::new(401, "wrong_secret")),
        initiator: Actor {
            client_id: Some("ci".into()),
            user_id: Some("u1".into()),
            address: Some([192, 0, 2, 7].into()),
        },
        target,
        request_id: "r".into(),
    };
    serde_json::from_slice(&event.to_cadf()).unwrap()
}

fn members(prefix: &str, value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                let path = if prefix.is_empty() {
                    name.clone()
                } else {
                    format!("{prefix}.{name}")
                };
                members(&path, value, found);
            }
        }
        _ => {
            found.insert(prefix.to_owned());
        }
    }
}

#[test]
fn every_member_is_listed() {
    let event = event(Target::Issuer("demo".into()));
    let mut found = BTreeSet::new();
    members("", &event, &mut found);
    let mut rows = section("Members");
    // The trail adds them.
    rows.retain(|row| row[0] != "`attachments`");
    assert_eq!(firsts(&rows), found);
    // Values that never change are listed as they are.
    for row in &rows {
        let path = format!("/{}", row[0].trim_matches('`').replace('.', "/"));
        let value = event.pointer(&path).unwrap().as_str().unwrap();
        let fixed = path.ends_with("typeURI")
            || path.ends_with("Type")
            || path == "/observer/id"
            || path == "/eventTime";
        if fixed && !path.starts_with("/target") {
            assert!(row[1].starts_with(&format!("`{value}`")), "{path} is {value}");
        }
    }
}

#[test]
fn every_action_is_listed() {
    assert!(Action::ALL.into_iter().all(is_listed));
    let names: BTreeSet<String> = Action::ALL
        .iter()
        .map(|action| action.as_str().to_owned())
        .collect();
    assert_eq!(names.len(), COUNT, "each action has a name of its own");
    assert_eq!(firsts(&section("Actions")), names);
    assert!(DOCUMENT.contains(&format!(
        "`{}` or `{}`",
        Outcome::Success.as_str(),
        Outcome::Failure.as_str()
    )));
}

#[test]
fn every_target_is_listed() {
    let targets = [
        Target::Issuer("x".into()),
        Target::Token("x".into()),
        Target::Key("x".into()),
        Target::Client("x".into()),
        Target::User("x".into()),
        Target::Session("x".into()),
        Target::Grant("x".into()),
        Target::Node("x".into()),
        Target::Setting("x".into()),
        Target::Store("x".into()),
    ];
    let types: BTreeSet<String> = targets
        .into_iter()
        .map(|target| event(target)["target"]["typeURI"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(firsts(&section("Targets")), types);
}
