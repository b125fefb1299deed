//! Each change leaves one event in the server's audit file, before success is told.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
};

use serde_json::{Value, json};

use crate::{
    program::{command, sealstone, text},
    store::Data,
};

impl Data {
    fn events(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.path().join("audit.jsonl")).unwrap_or_default();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// The one event of this command: action, target, outcome, rule.
    fn event_of(&self, arguments: &[&str], status: i32) -> [String; 4] {
        let before = self.events().len();
        let done = self.run(arguments);
        assert_eq!(done.status, status, "{}", done.err);
        let after = self.events();
        let [event] = &after[before..] else {
            panic!("{arguments:?} left {:?}", &after[before..]);
        };
        ["/action", "/target/id", "/outcome", "/reason/policyId"].map(|place| {
            let value = event.pointer(place).and_then(Value::as_str);
            value.unwrap_or_default().to_owned()
        })
    }
}

#[test]
fn every_change_of_a_client_is_recorded() {
    let data = Data::new();
    let secret = ["client", "create", "exporter", "--output", "json"];
    let done = |arguments: &[&str], action: &str| {
        assert_eq!(
            data.event_of(arguments, 0),
            [action, "exporter", "success", ""],
            "{arguments:?}"
        );
    };
    done(&secret, "create/oauth2_client");
    done(
        &["client", "update", "exporter", "--name", "E"],
        "update/oauth2_client",
    );
    done(&["client", "rotate-secret", "exporter"], "update/oauth2_client");
    done(&["client", "disable", "exporter"], "update/oauth2_client");
    done(&["client", "enable", "exporter"], "update/oauth2_client");
    done(&["client", "delete", "exporter", "--yes"], "delete/oauth2_client");

    // What reads, or has nothing to do, leaves none.
    let count = data.events().len();
    data.run(&["client", "create", "other"]).ok();
    for arguments in [
        &["client", "list"][..],
        &["client", "show", "other"],
        &["client", "enable", "other"],
        &["key", "list"],
    ] {
        data.run(arguments).ok();
    }
    assert_eq!(data.events().len(), count + 1);
}

#[test]
fn refused_changes_are_recorded() {
    let data = Data::new();
    data.run(&["client", "create", "a"]).ok();
    let refused = |arguments: &[&str], event: [&str; 3]| {
        let [action, target, rule] = event;
        assert_eq!(
            data.event_of(arguments, 1),
            [action, target, "failure", rule],
            "{arguments:?}"
        );
    };
    refused(
        &["client", "create", "a"],
        ["create/oauth2_client", "a", "client_exists"],
    );
    refused(
        &["client", "create", "b", "--domain", "other"],
        ["create/oauth2_client", "b", "unknown_domain"],
    );
    for arguments in [
        &["client", "update", "nobody", "--name", "N"][..],
        &["client", "rotate-secret", "nobody"],
        &["client", "disable", "nobody"],
        &["client", "enable", "nobody"],
    ] {
        refused(arguments, ["update/oauth2_client", "nobody", "unknown_client"]);
    }
    refused(
        &["client", "delete", "nobody", "--yes"],
        ["delete/oauth2_client", "nobody", "unknown_client"],
    );
    refused(
        &["key", "revoke", "nokey"],
        ["revoke/key", "nokey", "unknown_key"],
    );
}

#[test]
fn a_new_domain_is_an_event_of_its_own() {
    let data = Data::new();
    let create = |id: &'static str| ["client", "create", id, "--domain", "other", "--new-domain"];
    data.run(&create("a")).ok();
    let events = data.events();
    let actions: Vec<&Value> = events.iter().map(|event| &event["action"]).collect();
    assert_eq!(actions, ["create/domain", "create/oauth2_client"]);
    assert_eq!(
        events[0]["target"],
        json!({"id": "other", "typeURI": "service/security"})
    );
    let runs = [&events[0], &events[1]].map(|event| event["initiator"]["request_id"].clone());
    assert_eq!(runs[0], runs[1], "one run of the program");
    assert_ne!(events[0]["id"], events[1]["id"]);
    // It is there already: nothing was made.
    assert_eq!(data.event_of(&create("b"), 0)[0], "create/oauth2_client");
}

#[test]
fn keys_are_recorded_by_their_id() {
    let data = Data::new();
    let first = data.json(&["key", "list"])[0]["kid"].as_str().unwrap().to_owned();
    let [action, target, outcome, _] = data.event_of(&["key", "rotate"], 0);
    assert_eq!((action.as_str(), outcome.as_str()), ("renew/key", "success"));
    let keys = data.json(&["key", "list"]);
    assert_eq!(keys[1]["kid"], target.as_str(), "the key that was made");
    // A successor waits already: nothing was made.
    let count = data.events().len();
    data.run(&["key", "rotate"]).ok();
    assert_eq!(data.events().len(), count);

    let revoke = ["key", "revoke", &first];
    assert_eq!(data.event_of(&revoke, 0), ["revoke/key", &first, "success", ""]);
    assert_eq!(
        data.event_of(&revoke, 1),
        ["revoke/key", &first, "failure", "already_revoked"]
    );
}

#[test]
fn the_initiator_is_the_operating_systems_user() {
    let data = Data::new();
    let uid = fs::metadata(data.path()).unwrap().uid();
    let create = |name: &str, id: &str| {
        let arguments = ["client", "create", id, "--data", text(data.path())];
        let done = command(&arguments).env("USER", name).output().unwrap();
        assert!(done.status.success());
        data.events().pop().unwrap()["initiator"].clone()
    };
    let initiator = create("alice", "a");
    assert_eq!(initiator["id"], format!("os-user:{uid}/alice"));
    assert!(initiator["request_id"].as_str().unwrap().starts_with("cli-"));
    // The environment may lie about the name, never about the number, and forges no second event.
    let initiator = create("al ice\n{}", "b");
    assert_eq!(initiator["id"], format!("os-user:{uid}/al?ice?{{}}"));
    data.run(&["client", "create", "c"]).ok();
    assert_eq!(
        data.events().pop().unwrap()["initiator"]["id"],
        format!("os-user:{uid}")
    );
}

#[test]
fn no_event_holds_a_secret() {
    let data = Data::new();
    let made = data.json(&["client", "create", "a"]);
    let rotated = data.json(&["client", "rotate-secret", "a"]);
    let file = data.path().join("audit.jsonl");
    let mode = fs::metadata(&file).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    let events = fs::read_to_string(file).unwrap();
    for answer in [made, rotated] {
        assert!(!events.contains(answer["client_secret"].as_str().unwrap()));
    }
}

#[test]
fn what_cannot_be_recorded_is_not_done_or_not_told_as_done() {
    let data = Data::new();
    let file = data.path().join("audit.jsonl");
    fs::create_dir(&file).unwrap();
    data.run(&["client", "create", "a"])
        .refused(1, "nothing was changed");
    data.run(&["client", "show", "a"]).refused(1, "client list");
    fs::remove_dir(&file).unwrap();
    // The disk fills up between the two: no secret is shown, and what happened is said.
    symlink("/dev/full", &file).unwrap();
    let said = data
        .run(&["client", "create", "a"])
        .refused(1, "the change is made, but");
    assert!(said.contains("No space left"), "{said}");
    fs::remove_file(&file).unwrap();
    assert_eq!(data.event_of(&["client", "rotate-secret", "a"], 0)[2], "success");
}

#[test]
fn the_configuration_says_where_the_events_go() {
    let data = Data::new();
    let file = data.path().join("sealstoned.toml");
    let config = "[storage]\npath = \"sealstone.db\"\n[secrets]\npepper_file = \"secrets/pepper\"\n\
        key_encryption_key_file = \"secrets/kek\"\n";
    let create = |config: &str, id: &str| {
        fs::write(&file, config).unwrap();
        sealstone(&["client", "create", id, "--config", text(&file)]).ok();
    };
    create(config, "a");
    assert_eq!(data.events().len(), 1, "beside the database");
    create(&format!("{config}[audit]\npath = \"events\"\n"), "b");
    let events = fs::read_to_string(data.path().join("events")).unwrap();
    assert_eq!((events.lines().count(), data.events().len()), (1, 1));
    // The environment goes before the file, as with the server.
    let arguments = ["client", "create", "c", "--config", text(&file)];
    let done = command(&arguments)
        .env("SEALSTONE__AUDIT__PATH", "elsewhere")
        .output()
        .unwrap();
    assert!(done.status.success());
    assert!(data.path().join("elsewhere").exists());
}
