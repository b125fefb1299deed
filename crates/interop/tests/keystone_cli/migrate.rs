//! `sealstone keystone migrate`.

use std::fs;
use std::time::{Duration, Instant};

use sealstone_interop::{KeystoneLab, LabOptions, cadf_judged};
use serde_json::{Value, json};

use crate::way::{Way, telling};
use crate::{data, said};

/// Longer than the slowest machine takes to be quiet for three seconds.
const DEADLINE: Duration = Duration::from_secs(60);

#[test]
fn an_account_comes_off_its_password_and_back_again() {
    let lab = telling();
    let way = Way::new(&lab);
    let path = |name: &str| way.server.setup().path(name).to_str().unwrap().to_owned();
    let (ca, out, password) = (path("machines"), path("ci"), path("owner-password"));
    let made = [
        "--role",
        "member",
        "--owner-password-file",
        &password,
        "--ca",
        &ca,
        "--out",
        &out,
    ];

    // Nothing is made by a rehearsal.
    let mut rehearsed = made.to_vec();
    rehearsed.push("--dry-run");
    assert!(way.register("ci", &rehearsed).status.success());
    assert!(!way.server.setup().path("journal.json").exists() && !way.server.setup().path("ci.pem").exists());

    let registered = way.register("ci", &[&made[..], &["--output", "json"]].concat());
    assert!(registered.status.success(), "{registered:?}");
    let registered = data(&registered);
    let credential = registered["application_credential_id"].as_str().unwrap();
    let found = lab.admin(
        "GET",
        &format!(
            "/users/{}/application_credentials/{credential}",
            way.machine.user_id
        ),
        None,
    );
    let found = &found["application_credential"];
    assert_eq!(found["unrestricted"], false);
    assert!(
        found["roles"]
            .as_array()
            .unwrap()
            .iter()
            .any(|role| role["name"] == "member")
    );
    let journal = fs::read_to_string(path("journal.json")).unwrap();
    assert!(!journal.contains(&way.machine.password));

    // Both ways work side by side, and the password is not turned off while it is used.
    assert_eq!(way.status()["ready"], false);
    let log = way.log();
    let all = ["--all", "--yes", "--keystone-log", &log];
    way.refused("disable-passwords", &all, "has got no token yet");
    assert!(way.client_works("ci"));
    assert!(way.password_works());
    way.refused("disable-passwords", &all, "the password was used");
    let status = way.status();
    assert_eq!(status["last_password_login"]["succeeded"], true, "{status}");
    assert!(status["clients"][0]["last_token_at"].is_string(), "{status}");

    // When it was quiet for long enough, it is.
    let quiet = [&all[..], &["--quiet", "3s"]].concat();
    let begun = Instant::now();
    loop {
        let output = way.run("disable-passwords", &quiet);
        if output.status.success() {
            break;
        }
        assert!(begun.elapsed() < DEADLINE, "{output:?}");
    }
    assert!(!way.password_works());
    assert!(way.client_works("ci"), "the new way goes on");
    let status = way.status();
    assert_eq!(status["password"], "password off");
    assert_eq!(
        status["last_password_login"]["succeeded"], true,
        "a right password: the rule alone refuses it"
    );
    way.refused(
        "remove-passwords",
        &["--all", "--yes"],
        "wait, or give a shorter --off-for",
    );

    // The way back: nobody needs to know the password.
    let restored = way.well("restore-passwords", &["--user", &way.machine.user_name, "--yes"]);
    assert!(said(&restored).contains("good again"), "{restored:?}");
    assert!(way.password_works() && way.client_works("ci"));

    // For good, after it was off.
    let _off = way.well("disable-passwords", &["--all", "--yes", "--without-evidence"]);
    let _gone = way.well("remove-passwords", &["--all", "--yes", "--off-for", "0s"]);
    let restored = way.well("restore-passwords", &["--all", "--yes"]);
    assert!(said(&restored).contains("its password is gone"), "{restored:?}");
    assert!(!way.password_works());
    assert!(way.client_works("ci"));

    let trail = fs::read_to_string(way.server.setup().path("audit.jsonl")).unwrap();
    assert_eq!(cadf_judged(trail.lines()), trail.lines().count());
    let actions: Vec<Value> = way
        .server
        .audit()
        .iter()
        .map(|event| event["action"].clone())
        .collect();
    let count = |action: &str| actions.iter().filter(|found| *found == action).count();
    assert_eq!(count("create/application_credential"), 1);
    assert_eq!(count("update/user"), 5, "{actions:?}");
}

#[test]
fn a_stopped_run_is_taken_up_and_a_failed_one_leaves_nothing() {
    let lab = telling();
    let way = Way::new(&lab);
    let path = |name: &str| way.server.setup().path(name).to_str().unwrap().to_owned();
    let (ca, out, password) = (path("machines"), path("ci"), path("owner-password"));
    let made = [
        "--role",
        "member",
        "--owner-password-file",
        &password,
        "--ca",
        &ca,
        "--out",
        &out,
    ];
    let credentials = || {
        let all = lab.admin(
            "GET",
            &format!("/users/{}/application_credentials", way.machine.user_id),
            None,
        );
        let all = all["application_credentials"].as_array().unwrap().clone();
        all.iter().filter(|one| one["name"] == "sealstone-ci").count()
    };

    // The subject of its certificate is taken by another client only when it is registered: nothing stays behind.
    fs::write(way.server.setup().path("ci.pem"), "in the way").unwrap();
    let output = way.register("ci", &made);
    assert!(
        !output.status.success() && said(&output).contains("deleted again"),
        "{output:?}"
    );
    assert_eq!(credentials(), 0);
    fs::remove_file(way.server.setup().path("ci.pem")).unwrap();

    // A run that was stopped after it made the credential: its secret is lost, so another takes its place.
    let token = lab.password_token(
        &way.machine.user_id,
        &way.machine.password,
        &way.machine.project_id,
    );
    let left = json!({"application_credential": {"name": "sealstone-ci", "roles": [{"name": "member"}]}});
    let path_of = format!("/users/{}/application_credentials", way.machine.user_id);
    assert_eq!(
        lab.request("POST", &path_of, Some(&token), Some(&left)).status,
        201
    );
    let output = way.register("ci", &made);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(credentials(), 1);
    assert!(way.client_works("ci"));

    // A run that was stopped between Keystone and the journal.
    let _off = way.well("disable-passwords", &["--all", "--yes", "--without-evidence"]);
    let journal = fs::read_to_string(path("journal.json")).unwrap();
    let stopped = journal.replace("\"state\": \"off\"", "\"state\": \"turning_off\"");
    assert_ne!(stopped, journal);
    fs::write(way.server.setup().path("journal.json"), stopped).unwrap();
    let _off = way.well("disable-passwords", &["--all", "--yes", "--without-evidence"]);
    let _on = way.well("restore-passwords", &["--all", "--yes"]);
    assert!(way.password_works(), "what was there before the first run");
}

#[test]
fn an_account_s_own_rules_are_there_again_afterwards() {
    let lab = KeystoneLab::start(&LabOptions::new().jws());
    let way = Way::new(&lab);
    let rules =
        json!({"multi_factor_auth_enabled": false, "multi_factor_auth_rules": [["password", "totp"]]});
    let user = format!("/users/{}", way.machine.user_id);
    lab.change("PATCH", &user, Some(&json!({"user": {"options": rules}})));
    let subject = ["--subject-dn", "CN=ci", "--minted"];
    let output = way.register("ci", &subject);
    assert!(output.status.success(), "{output:?}");
    let _off = way.well("disable-passwords", &["--all", "--yes", "--without-evidence"]);
    assert!(!way.password_works());
    let _on = way.well("restore-passwords", &["--all", "--yes"]);
    let options = &lab.admin("GET", &user, None)["user"]["options"];
    assert_eq!(options["multi_factor_auth_enabled"], false);
    assert_eq!(
        options["multi_factor_auth_rules"],
        rules["multi_factor_auth_rules"]
    );
    assert!(way.password_works());
}

#[test]
fn what_cannot_be_done_is_refused_before_anything_is_made() {
    let lab = KeystoneLab::shared_jws();
    let way = Way::new(lab);
    let path = |name: &str| way.server.setup().path(name).to_str().unwrap().to_owned();
    let (password, wrong) = (path("owner-password"), path("wrong-password"));
    way.server.setup().write_private("wrong-password", "wrong");
    let dn = ["--subject-dn", "CN=ci"];
    let cases: [(&[&str], &str); 8] = [
        (&[], "say what the client's work needs"),
        (&["--minted"], "say which certificate"),
        (&["--minted", "--subject-dn", "nonsense"], ""),
        (
            &["--role", "member", "--subject-dn", "CN=ci"],
            "only the account itself",
        ),
        (
            &[
                "--role",
                "admin",
                "--owner-password-file",
                &password,
                "--subject-dn",
                "CN=ci",
            ],
            "does not have the role admin",
        ),
        (
            &[
                "--role",
                "member",
                "--owner-password-file",
                &wrong,
                "--subject-dn",
                "CN=ci",
            ],
            "does not let the account in",
        ),
        (
            &["--minted", "--project", "0b21", "--subject-dn", "CN=ci"],
            "Keystone has no project 0b21",
        ),
        (
            &["--application-credential", "0b21", "--subject-dn", "CN=ci"],
            "secret",
        ),
    ];
    for (more, why) in cases {
        let output = way.register("ci", more);
        assert!(!output.status.success(), "{more:?}");
        assert!(said(&output).contains(why), "{more:?}: {output:?}");
    }
    let taken = way.register("other", &[&dn[..], &["--minted"]].concat());
    assert!(
        said(&taken).contains("there is a client other already"),
        "{taken:?}"
    );
    let elsewhere = lab.machine(&["reader"]).project_id;
    let foreign = way.register("ci", &[&dn[..], &["--minted", "--project", &elsewhere]].concat());
    assert!(said(&foreign).contains("has no role in"), "{foreign:?}");
    let unknown = way.run(
        "register",
        &[
            "--user",
            "nobody-has-this-name",
            "--minted",
            "--subject-dn",
            "CN=x",
        ],
    );
    assert!(said(&unknown).contains("Keystone has no user"), "{unknown:?}");
    // Whoever holds less than the account does not hand on what it has.
    let other = lab.machine(&["reader"]);
    let own = [
        ("OS_AUTH_URL", lab.url()),
        ("OS_USER_ID", other.user_id.as_str()),
        ("OS_PASSWORD", &other.password),
        ("OS_PROJECT_ID", &other.project_id),
    ];
    let journal = path("other.json");
    let arguments = [
        "keystone",
        "migrate",
        "register",
        "--user",
        &way.machine.user_id,
        "--domain",
        "demo",
        "--minted",
        "--subject-dn",
        "CN=ci",
        "--journal",
        &journal,
        "--client",
        "ci",
    ];
    let output = way.server.setup().sealstone_as(&arguments, &own);
    assert!(!output.status.success(), "{output:?}");
    let shown = way.server.setup().sealstone(&["client", "show", "ci"]);
    assert!(!shown.status.success(), "no client was registered: {shown:?}");
    // Without anybody to ask, and without a journal, nothing is changed.
    let _made = way.register("ci", &[&dn[..], &["--minted"]].concat());
    way.refused("disable-passwords", &["--all", "--without-evidence"], "add --yes");
    way.refused(
        "disable-passwords",
        &["--user", "nobody", "--yes"],
        "the journal has no account",
    );
    assert!(way.password_works());
    // Nobody turns off the password that he needs for the way back.
    let projects = lab.admin("GET", "/projects?name=admin&domain_id=default", None);
    let admin = [
        "--user",
        "admin",
        "--user-domain",
        "default",
        "--project",
        projects["projects"][0]["id"].as_str().unwrap(),
        "--domain",
        "demo",
        "--client",
        "admin",
        "--minted",
        "--subject-dn",
        "CN=admin",
    ];
    let _made = way.well("register", &admin);
    way.refused(
        "disable-passwords",
        &["--user", "admin", "--yes", "--without-evidence"],
        "that is you",
    );
    // A token of the account does as well as its password, if it is for the project.
    let token = lab.password_token(
        &way.machine.user_id,
        &way.machine.password,
        &way.machine.project_id,
    );
    way.server.setup().write_private("owner-token", &token);
    way.server
        .setup()
        .write_private("other-token", &lab.admin_token());
    for (file, works) in [("other-token", false), ("owner-token", true)] {
        let file = path(file);
        let more = [
            "--role",
            "member",
            "--owner-token-file",
            &file,
            "--subject-dn",
            "CN=by-token",
        ];
        let output = way.register("by-token", &more);
        assert_eq!(output.status.success(), works, "{output:?}");
        assert!(
            works || said(&output).contains("of another account"),
            "{output:?}"
        );
    }
    let empty = path("empty.log");
    fs::write(&empty, "no event").unwrap();
    way.refused(
        "disable-passwords",
        &["--all", "--yes", "--keystone-log", &empty],
        "notification_opt_out",
    );
    lab.distrust_jws_key("cli-way");
}
