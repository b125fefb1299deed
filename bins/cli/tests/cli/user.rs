//! Users of the embedded directory, on a database as the server leaves it.

use std::{fs, os::unix::fs::PermissionsExt as _, sync::Arc};

use sealstone_directory::{DirectoryStore as _, DirectoryUser, UserName};
use sealstone_identity::{DomainId, UserId};
use sealstone_login::{FactorStore as _, Kept, Swap, TotpFactor, UserFactors};
use serde_json::{Value, json};

use crate::{
    program::{Done, now, sealstone, text, with_input},
    store::Data,
};

impl Data {
    fn user(&self, name: &str) -> Option<Arc<DirectoryUser>> {
        self.with_store(async |store| {
            let domain = DomainId::parse("demo").unwrap();
            let name = UserName::parse(name).unwrap();
            store.user_named(&domain, &name).await.unwrap()
        })
    }

    fn takes_password(&self, name: &str, password: &str) -> bool {
        let user = self.user(name).unwrap();
        user.is_enabled()
            && user
                .password()
                .is_some_and(|hash| hash.matches(password).unwrap())
    }

    /// As if the person had set an app up.
    fn enrol(&self, user: &str) {
        self.with_store(async |store| {
            let (domain, user) = (DomainId::parse("demo").unwrap(), UserId::parse(user).unwrap());
            let app = TotpFactor::new(Kept::of(&"sealed").unwrap(), 1, now());
            let factors = UserFactors::none(domain, user).with_totp(app);
            assert_eq!(store.replace_factors(&factors).await.unwrap(), Swap::Done);
        });
    }

    fn has_factors(&self, user: &str) -> bool {
        self.with_store(async |store| {
            let (domain, user) = (DomainId::parse("demo").unwrap(), UserId::parse(user).unwrap());
            store.factors(&domain, &user).await.unwrap().is_some()
        })
    }

    /// With the password on standard input.
    fn typed(&self, arguments: &[&str], password: &str) -> Done {
        let more = [
            "--password-file",
            "-",
            "--data",
            text(self.path()),
            "--output",
            "json",
        ];
        with_input(&[arguments, &more].concat(), password.as_bytes())
    }
}

#[test]
fn a_user_from_first_to_last() {
    let data = Data::new();
    let made = data
        .typed(
            &[
                "user",
                "create",
                "ada",
                "--full-name",
                "Ada Lovelace",
                "--email",
                "ada@example.org",
                "--email-verified",
                "true",
                "--group",
                "admins",
                "--group",
                "staff",
                "--project",
                "4be1:my: builds:member,reader",
            ],
            "correct horse\n",
        )
        .json();
    assert_eq!(made["id"].as_str().unwrap().len(), 32);
    assert_eq!(
        (
            &made["domain"],
            &made["enabled"],
            &made["has_password"],
            &made["email_verified"]
        ),
        (&json!("demo"), &json!(true), &json!(true), &json!(true))
    );
    assert_eq!(made["groups"], json!(["admins", "staff"]));
    assert_eq!(
        made["projects"],
        json!([{"id": "4be1", "name": "my: builds", "roles": ["member", "reader"]}])
    );
    assert!(
        data.takes_password("ada", "correct horse"),
        "the line's end is no part of it"
    );
    data.typed(&["user", "create", "ADA"], "correct horse")
        .refused(1, "already");

    let id = made["id"].as_str().unwrap();
    for which in ["ada", "Ada", id] {
        assert_eq!(data.json(&["user", "show", which]), made, "{which}");
    }
    let table = data.run(&["user", "show", "ada"]).ok();
    assert!(
        table.contains("4be1:my: builds:member,reader") && !table.contains("argon2"),
        "{table}"
    );

    let changed = data.json(&[
        "user",
        "update",
        "ada",
        "--email",
        "",
        "--no-projects",
        "--name",
        "ada.l",
    ]);
    assert_eq!(
        (&changed["name"], &changed["email"], &changed["projects"]),
        (&json!("ada.l"), &Value::Null, &json!([]))
    );
    assert_eq!(
        (&changed["full_name"], &changed["groups"]),
        (&made["full_name"], &made["groups"])
    );

    let set = data.typed(&["user", "set-password", "ada.l"], "another horse");
    assert!(set.err.contains("no longer"), "{}", set.err);
    assert!(set.json()["valid_since"].is_string());
    assert!(data.takes_password("ada.l", "another horse") && !data.takes_password("ada.l", "correct horse"));

    data.json(&["user", "disable", "ada.l"]);
    assert!(!data.takes_password("ada.l", "another horse"));
    assert!(
        data.run(&["user", "disable", "ada.l"])
            .err
            .contains("Nothing to do")
    );
    data.json(&["user", "enable", "ada.l"]);
    assert!(data.takes_password("ada.l", "another horse"));

    data.run(&["user", "delete", "ada.l"]).refused(2, "--yes");
    data.run(&["user", "delete", "ada.l", "--yes"]).ok();
    assert_eq!(data.user("ada.l"), None);
    data.run(&["user", "show", "ada.l"]).refused(1, "user list");
    data.run(&["user", "delete", "ada.l", "--yes"])
        .refused(1, "no user");
}

#[test]
fn nobody_logs_in_before_there_is_a_password() {
    let data = Data::new();
    let made = data.json(&["user", "create", "bob", "--no-password"]);
    assert_eq!(made["has_password"], false);
    let list = data.run(&["user", "list"]).ok();
    assert!(list.contains("bob") && list.contains("no password"), "{list}");
    let set = data
        .typed(&["user", "set-password", "bob"], "correct horse")
        .json();
    assert_eq!(set["valid_since"], Value::Null, "there was nothing to end");
    assert!(data.takes_password("bob", "correct horse"));
}

#[test]
fn a_password_is_one_good_line_and_never_an_option() {
    let data = Data::new();
    for (typed, said) in [
        ("", "too short"),
        ("1234567\n", "too short"),
        ("aaaaaaaaaaaa", "one character"),
        ("correct horse\ncorrect horse\n", "more than one line"),
        ("correct\thorse", "control character"),
        (&"x".repeat(1025), "too long"),
    ] {
        let refused = data.typed(&["user", "create", "eve"], typed).refused(1, said);
        assert!(!refused.contains("horse"), "{refused}");
    }
    data.run(&["user", "create", "eve", "--password", "correct horse"])
        .refused(2, "--password");
    data.run(&["user", "create", "eve"]).refused(2, "--password-file");
    assert_eq!(data.user("eve"), None);

    let file = data.path().join("password");
    fs::write(&file, "correct horse\r\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let made = data.run(&["user", "create", "eve", "--password-file", text(&file)]);
    assert!(made.err.contains("chmod 600"), "{}", made.err);
    made.ok();
    assert!(data.takes_password("eve", "correct horse"));
}

#[test]
fn what_no_user_may_be_is_refused() {
    let data = Data::new();
    for (arguments, status, said) in [
        (&["a b"][..], 2, "user name"),
        (&["jörg"], 2, "user name"),
        (&["x", "--email", "nobody"], 2, "e-mail"),
        (&["x", "--project", "p1"], 2, "member,reader"),
        (&["x", "--project", "../p:n:member"], 2, "project id"),
        (&["x", "--project", "p1:n:"], 2, "role"),
        (&["x", "--project", "p1:n:a,a"], 1, "roles, each once"),
        (
            &["x", "--project", "p1:n:a", "--project", "p1:n:b"],
            1,
            "each named once",
        ),
        (&["x", "--group", "a", "--group", "a"], 1, "groups, in each once"),
        (&["x", "--domain", "other"], 1, "no domain other"),
    ] {
        let all = [&["user", "create", "--no-password"], arguments].concat();
        data.run(&all).refused(status, said);
    }
    assert_eq!(data.json(&["user", "list"]), json!([]));
}

#[test]
fn users_are_listed_by_name_and_domain() {
    let data = Data::new();
    data.run(&[
        "client",
        "create",
        "c",
        "--domain",
        "other",
        "--new-domain",
        "--scope",
        "a",
    ])
    .ok();
    for (name, domain) in [
        ("Zoe", "demo"),
        ("ada", "demo"),
        ("ada", "other"),
        ("bob", "demo"),
    ] {
        data.run(&["user", "create", name, "--domain", domain, "--no-password"])
            .ok();
    }
    let names = |list: Value| -> Vec<String> {
        let name = |user: &Value| format!("{}/{}", user["domain"], user["name"]).replace('"', "");
        list.as_array().unwrap().iter().map(name).collect()
    };
    assert_eq!(
        names(data.json(&["user", "list"])),
        ["demo/ada", "demo/bob", "demo/Zoe", "other/ada"]
    );
    assert_eq!(
        names(data.json(&["user", "list", "--domain", "other"])),
        ["other/ada"]
    );
    data.run(&["user", "show", "ada"]).refused(2, "name the domain");
    let of_demo = data.json(&["user", "show", "ada", "--domain", "demo"])["id"].clone();
    data.run(&["user", "show", of_demo.as_str().unwrap(), "--domain", "other"])
        .refused(1, "no user");
}

#[test]
fn who_lost_every_factor_gets_in_by_the_password_again() {
    let data = Data::new();
    let ada = data.typed(&["user", "create", "ada"], "correct horse").json();
    let id = ada["id"].as_str().unwrap();
    data.run(&["user", "reset-factors", "ada"]).refused(2, "--yes");
    data.run(&["user", "reset-factors", "ada", "--yes"])
        .refused(1, "no second factor");
    for which in ["ada", id, "keystone-user"] {
        let user = if which == "keystone-user" { which } else { id };
        data.enrol(user);
        data.run(&["user", "reset-factors", which, "--yes"]).ok();
        assert!(!data.has_factors(user), "{which}");
    }
    assert!(data.takes_password("ada", "correct horse"), "the password stays");
    let trail = fs::read_to_string(data.path().join("audit.jsonl")).unwrap();
    assert_eq!(trail.matches("delete/factor").count(), 4, "{trail}");
}

#[test]
fn each_change_is_in_the_audit_file_and_no_password_is() {
    let data = Data::new();
    data.typed(&["user", "create", "ada"], "correct horse").json();
    data.typed(&["user", "create", "ada"], "correct horse")
        .refused(1, "already");
    data.typed(&["user", "set-password", "ada"], "another horse")
        .json();
    data.run(&["user", "delete", "ada", "--yes"]).ok();
    let trail = fs::read_to_string(data.path().join("audit.jsonl")).unwrap();
    let events: Vec<Value> = trail
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        // The trail's own checkpoint comes first.
        .filter(|event: &Value| event["initiator"]["request_id"] != "node")
        .collect();
    let told: Vec<(&str, &str)> = events
        .iter()
        .map(|event| {
            (
                event["action"].as_str().unwrap(),
                event["outcome"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("create/user", "success"),
            ("create/user", "failure"),
            ("update/user", "success"),
            ("delete/user", "success"),
        ]
    );
    assert!(!trail.contains("horse") && !trail.contains("argon2"), "{trail}");
    for what in ["user", "client", "key"] {
        let gone = sealstone(&[what, "list", "--data", "/nowhere"]);
        gone.refused(
            1,
            "does not exist: start the server once, or name the right folder",
        );
    }
}
