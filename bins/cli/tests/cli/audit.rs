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
            // The trail's own checkpoints are another matter.
            .filter(|event: &Value| event["initiator"]["request_id"] != "node")
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
    let before = data.events().len();
    data.run(&["key", "rotate"]).ok();
    let keys = data.json(&["key", "list"]);
    let made: Vec<&Value> = keys
        .as_array()
        .unwrap()
        .iter()
        .skip(1)
        .map(|key| &key["kid"])
        .collect();
    let events = data.events();
    // The successor of the one, and the first of the other algorithm.
    assert_eq!((made.len(), events.len()), (2, before + 2));
    for event in &events[before..] {
        assert_eq!(
            (&event["action"], &event["outcome"]),
            (&"renew/key".into(), &"success".into())
        );
        assert!(made.contains(&&event["target"]["id"]), "{event}");
    }
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
    // A file begins with a checkpoint.
    assert_eq!((events.lines().count(), data.events().len()), (2, 1));
    // The environment goes before the file, as with the server.
    let arguments = ["client", "create", "c", "--config", text(&file)];
    let done = command(&arguments)
        .env("SEALSTONE__AUDIT__PATH", "elsewhere")
        .output()
        .unwrap();
    assert!(done.status.success());
    assert!(data.path().join("elsewhere").exists());
}

/// What the command line wrote is a trail: verified, read, and found out when somebody had a hand in it.
#[test]
fn the_trail_is_verified_and_read() {
    let data = Data::new();
    for id in ["a", "b", "c"] {
        data.run(&["client", "create", id]).ok();
    }
    let file = data.path().join("audit.jsonl");
    let key = sealstone(&["audit", "key", "--data", text(data.path())]).ok();
    let jwk = data.path().join("node.jwk");
    fs::write(&jwk, key).unwrap();

    let verify = |arguments: &[&str]| {
        let all = [
            &["audit", "verify", "--output", "json", "--key", text(&jwk)],
            arguments,
        ]
        .concat();
        let done = sealstone(&all);
        let report: Value = serde_json::from_str(&done.out).unwrap_or_else(|_| panic!("{}", done.err));
        (done.status, report)
    };
    let (status, report) = verify(&["--from-start", "--through", "4", text(&file)]);
    assert_eq!((status, &report["sound"]), (0, &json!(true)), "{report}");
    assert_eq!(
        (&report["first"], &report["last"], &report["unsigned"]),
        (&json!(1), &json!(4), &json!(3))
    );
    assert_eq!(
        sealstone(&["audit", "verify", "--data", text(data.path())]).status,
        0
    );

    // More than is there.
    let (status, report) = verify(&["--through", "5", text(&file)]);
    assert_eq!(
        (status, &report["findings"][0]["what"]),
        (4, &json!("end_missing"))
    );

    // A line is taken away.
    let whole = fs::read_to_string(&file).unwrap();
    let cut: Vec<&str> = whole
        .lines()
        .filter(|line| !line.contains(r#""target":{"id":"b""#))
        .collect();
    let copy = data.path().join("copy");
    fs::write(&copy, cut.join("\n") + "\n").unwrap();
    let (status, report) = verify(&[text(&copy)]);
    let finding = &report["findings"][0];
    assert_eq!(
        (status, &finding["what"], &finding["line"]),
        (4, &json!("missing"), &json!(3)),
        "{report}"
    );
    let told = sealstone(&["audit", "verify", "--key", text(&jwk), text(&copy)]);
    assert_eq!(told.status, 4);
    assert!(
        told.out
            .contains("copy:3: comes after a gap: events 3 to 3 were removed"),
        "{}",
        told.out
    );
    assert!(told.err.contains("keep these files as they are"), "{}", told.err);

    // Of the last events, those that are asked for.
    let tail = |arguments: &[&str]| {
        let all = [&["audit", "tail", "--data", text(data.path())], arguments].concat();
        sealstone(&all)
            .ok()
            .lines()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let created = tail(&["--action", "create/", "-n", "2"]);
    assert!(
        created.len() == 2 && created[1].contains("target=c"),
        "{created:?}"
    );
    assert!(tail(&["--outcome", "failure"]).is_empty());
    assert_eq!(
        tail(&["--output", "json", "-n", "1"]),
        [whole.lines().last().unwrap()]
    );
}

#[test]
fn what_is_no_trail_or_no_key_is_said_to_be_none() {
    let data = Data::new();
    data.run(&["client", "create", "a"]).ok();
    let file = data.path().join("audit.jsonl");
    sealstone(&["audit", "verify"]).refused(2, "FILE..., --data DIR or --config FILE");
    sealstone(&["audit", "tail"]).refused(2, "name the file");
    sealstone(&["audit", "verify", "nowhere"]).refused(1, "nowhere can't be read");
    sealstone(&["audit", "tail", "nowhere"]).refused(1, "nowhere can't be read");
    sealstone(&["audit", "verify", "--key", text(&file), text(&file)]).refused(1, "is no public key");
    let empty = data.path().join("empty");
    fs::write(&empty, "").unwrap();
    let told = sealstone(&["audit", "verify", text(&empty)]);
    assert_eq!(told.status, 4);
    assert!(told.err.contains("not as its node wrote it"), "{}", told.err);
    fs::remove_file(data.path().join("audit.key")).unwrap();
    sealstone(&["audit", "key", "--data", text(data.path())]).refused(1, "audit.key");
}

/// A copy of the database is worth as much as the database: whoever made or used one is on record.
#[test]
fn copies_of_the_database_are_recorded() {
    let data = Data::new();
    let (copy, database) = (data.path().join("copy.db"), data.path().join("sealstone.db"));
    let (copy, database) = (text(&copy), text(&database));
    assert_eq!(
        data.event_of(&["db", "backup", "--to", copy], 0),
        ["backup/store", copy, "success", ""]
    );
    let event = data.events().pop().unwrap();
    let who = event["initiator"]["id"].as_str().unwrap();
    assert!(who.starts_with("os-user:"), "{who}");
    assert_eq!(
        data.event_of(&["db", "restore", "--from", copy], 0),
        ["restore/store", database, "success", ""]
    );
    // Neither a copy that can't be written nor one that is none leaves no trace.
    assert_eq!(
        data.event_of(&["db", "backup", "--to", "/dev/null/copy.db"], 1),
        ["backup/store", "/dev/null/copy.db", "failure", "backend_failure"]
    );
    fs::write(copy, "no database").unwrap();
    assert_eq!(
        data.event_of(&["db", "restore", "--from", copy], 1),
        ["restore/store", database, "failure", "backend_failure"]
    );
    // What can't be recorded is not done.
    let audit = data.path().join("audit.jsonl");
    fs::remove_file(&audit).unwrap();
    fs::create_dir(&audit).unwrap();
    let other = data.path().join("other.db");
    data.run(&["db", "backup", "--to", text(&other)])
        .refused(1, "nothing was changed");
    assert!(!other.exists());
}

/// After a loss there is nothing but the copy: it can be put back, and a trail begins with that.
#[test]
fn a_copy_is_put_back_where_nothing_is_left() {
    let data = Data::new();
    data.run(&["client", "create", "a"]).ok();
    let copy = data.path().join("copy.db");
    data.run(&["db", "backup", "--to", text(&copy)]).ok();
    for lost in ["sealstone.db", "audit.jsonl", "audit.key"] {
        fs::remove_file(data.path().join(lost)).unwrap();
    }
    assert_eq!(
        data.event_of(&["db", "restore", "--from", text(&copy)], 0)[0],
        "restore/store"
    );
    data.run(&["client", "show", "a"]).ok();
}

#[test]
fn a_trail_that_is_not_there_yet_and_a_key_that_is_gone_are_told_apart() {
    let data = Data::new();
    let folder = tempfile::tempdir().unwrap();
    for command in ["verify", "key"] {
        let none = sealstone(&["audit", command, "--data", text(folder.path())]);
        let said = none.refused(1, "there is no audit trail at");
        assert!(said.contains("start the server once"), "{said}");
    }
    data.run(&["client", "create", "exporter"]).ok();
    let key = data.path().join("audit.key");
    assert!(key.exists());
    fs::rename(&key, folder.path().join("kept")).unwrap();
    data.run(&["audit", "verify"])
        .refused(1, "put it back from a copy");
    data.run(&["audit", "key"]).refused(1, "put it back from a copy");
    fs::rename(folder.path().join("kept"), &key).unwrap();
    data.run(&["audit", "verify"]).ok();
}
