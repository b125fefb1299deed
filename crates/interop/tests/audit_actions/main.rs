//! Every action of the audit trail is CADF as `pycadf` has it: made to happen by the programs themselves.

mod logout;
mod operator;
mod person;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use rustls_pki_types::UnixTime;
use sealstone_audit::{Action, Actor, Event, EventId, Outcome, Reason, Target};
use sealstone_interop::{DevServer, cadf_judged};
use serde_json::Value;

/// Where an event of an action comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    /// A server of people, a person and an administrator of its data.
    Dev,
    /// A configured server, its operator and two administrators of its keys.
    Serve,
    /// Programs too, in the test that is named; its trail is judged there.
    Elsewhere(&'static str),
    /// A configured server whose client is told of a logout, where the test may give the client's name an address.
    Names,
}

/// An action that is added does not compile until it is said where its event comes from.
const fn from(action: Action) -> From {
    match action {
        Action::IssueToken
        | Action::RefreshToken
        | Action::DenyReusedRefreshToken
        | Action::DenyReusedCode
        | Action::IntrospectToken
        | Action::RevokeToken
        | Action::RotateKey
        | Action::RevokeKey
        | Action::ExportKey
        | Action::CreateDomain
        | Action::CreateClient
        | Action::UpdateClient
        | Action::DeleteClient
        | Action::CreateInitialToken
        | Action::DeleteInitialToken
        | Action::CreateUser
        | Action::UpdateUser
        | Action::DeleteUser
        | Action::SignIn
        | Action::EndSession
        | Action::Authorize
        | Action::AllowConsent
        | Action::DenyConsent
        | Action::DeleteConsent
        | Action::AskForDevice
        | Action::AllowDevice
        | Action::DenyDevice
        | Action::AddFactor
        | Action::RemoveFactor
        | Action::EndGrant
        | Action::ReadUserinfo
        | Action::StartNode
        | Action::Reload
        | Action::BackUpStore
        | Action::MigrateStore
        | Action::SignTrail => From::Dev,
        Action::IssueKeystoneToken
        | Action::ImportKey
        | Action::ReadKeys
        | Action::RewrapKeys
        | Action::RequestKeyChange
        | Action::ConfirmKeyChange
        | Action::ReadClient
        | Action::ReadInitialToken
        | Action::StopNode
        | Action::ChangeSetting
        | Action::RestoreStore
        | Action::MendTrail => From::Serve,
        Action::CreateApplicationCredential => From::Elsewhere("keystone_cli/migrate.rs"),
        Action::NotifyLogout => From::Names,
    }
}

/// What happened, by the trail at this path: every line of it is judged.
#[track_caller]
fn happened(trail: &Path) -> BTreeMap<String, usize> {
    let trail = fs::read_to_string(trail).unwrap();
    // A torn line is set aside where it is.
    let lines: Vec<&str> = trail.lines().filter(|line| line.ends_with('}')).collect();
    assert_eq!(cadf_judged(&lines), lines.len());
    let all: BTreeSet<&str> = Action::ALL.iter().map(|action| action.as_str()).collect();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for line in lines {
        let event: Value = serde_json::from_str(line).unwrap();
        let action = event["action"].as_str().unwrap();
        assert!(all.contains(action), "{action} is in no list");
        *seen.entry(action.to_owned()).or_default() += 1;
    }
    seen
}

#[track_caller]
fn all_happened(seen: &BTreeMap<String, usize>, wanted: From) {
    let missing: Vec<&str> = Action::ALL
        .into_iter()
        .filter(|action| from(*action) == wanted)
        .map(Action::as_str)
        .filter(|action| !seen.contains_key(*action))
        .collect();
    assert!(missing.is_empty(), "{missing:?} did not happen; {seen:?}");
}

fn event(action: Action, outcome: Outcome, target: Target<'static>, number: u8) -> Event<'static> {
    Event {
        id: EventId::from_random([number; 16]),
        time: UnixTime::since_unix_epoch(std::time::Duration::from_secs(1_767_322_984)),
        action,
        outcome,
        reason: (outcome == Outcome::Failure)
            .then(|| Reason::new(400, "invalid_request").with_detail(Some("detail"))),
        initiator: Actor {
            client_id: Some("\u{1f5ff} a forged\nline \"and more\"".into()),
            user_id: Some("u1".into()),
            address: Some([192, 0, 2, 7].into()),
        },
        target,
        request_id: "r".into(),
    }
}

#[test]
fn s19_every_action_and_every_target_can_be_recorded() {
    let targets = || {
        [
            Target::Issuer("x".into()),
            Target::Token("x".into()),
            Target::Key("x".into()),
            Target::Client("x".into()),
            Target::User("x".into()),
            Target::Session("x".into()),
            Target::Grant("x".into()),
            Target::Node("x".into()),
            Target::Setting("a.b".into()),
            Target::Store("/x \u{0} y".into()),
        ]
    };
    let mut lines = Vec::new();
    for action in Action::ALL {
        for outcome in [Outcome::Success, Outcome::Failure] {
            for target in targets() {
                let line = event(action, outcome, target, 7).to_cadf();
                lines.push(String::from_utf8(line).expect("text"));
            }
        }
    }
    assert_eq!(cadf_judged(&lines), lines.len());
    // It judges: an action that is none of CADF's, and a failure without a reason, are not taken.
    for wrong in [
        lines[0].replace("\"authenticate/token\"", "\"approve/key_request\""),
        lines[0].replace("\"success\"", "\"failure\""),
        lines[0].replace("service/security\"},\"typeURI\"", "nothing/known\"},\"typeURI\""),
    ] {
        assert_ne!(wrong, lines[0]);
        assert_eq!(cadf_judged([wrong]), 0);
    }
}

#[test]
fn s19_what_people_and_administrators_do_is_recorded_as_cadf() {
    let mut server = DevServer::start();
    person::signs_in_and_works(&server);
    operator::administers(&server);
    server.signal("HUP");
    server.wait_until_said("revocation lists reloaded");
    all_happened(&happened(&server.data().join("audit.jsonl")), From::Dev);
}

#[test]
fn s19_what_operators_do_is_recorded_as_cadf() {
    let server = operator::operates();
    all_happened(&happened(&server.setup().path("audit.jsonl")), From::Serve);
}

#[test]
fn s19_that_a_client_is_told_of_a_logout_is_recorded_as_cadf() {
    if let Some(server) = logout::is_told() {
        all_happened(&happened(&server.setup().path("audit.jsonl")), From::Names);
    }
}

/// What another test judges is judged there.
#[test]
fn s19_what_happens_elsewhere_is_judged_there() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    for action in Action::ALL {
        let From::Elsewhere(file) = from(action) else {
            continue;
        };
        let text = fs::read_to_string(tests.join(file)).unwrap();
        assert!(
            text.contains("cadf_judged") && text.contains(action.as_str()),
            "{file}: {}",
            action.as_str()
        );
    }
}
