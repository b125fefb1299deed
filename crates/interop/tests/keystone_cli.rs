//! `sealstone keystone ...` before a real Keystone.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test: what it cannot read has failed"
)]

use std::fs;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use sealstone_interop::{KeystoneLab, LabMachine, LabOptions, ServeServer, ServeSetup, built};
use sealstone_testkit::{KeyKind, TestCertificate, TestKey, pem};
use serde_json::{Value, json};

/// Longer than the slowest machine takes to be quiet for three seconds.
const DEADLINE: Duration = Duration::from_secs(60);

/// A server beside this Keystone, with an account of its own there and a key that this Keystone believes.
fn beside(lab: &KeystoneLab, name: &str) -> ServeSetup {
    let mut setup = ServeSetup::new();
    setup.set("keystone", "url", &format!("'{}'", lab.url()));
    serve_as(&mut setup, &lab.machine(&["service"]));
    let key = mint_key(&mut setup);
    lab.trust_jws_key(name, &key);
    setup
}

fn serve_as(setup: &mut ServeSetup, account: &LabMachine) {
    setup.write_private("service-secret", &account.credential_secret);
    let id = format!("'{}'", account.credential_id);
    setup.set("keystone.service", "application_credential_id", &id);
    let file = "'service-secret'";
    setup.set("keystone.service", "application_credential_secret_file", file);
}

/// A new key to mint with; its public half in PEM.
fn mint_key(setup: &mut ServeSetup) -> String {
    let key = TestKey::generate(KeyKind::P256);
    setup.write_private("mint.pem", &key.pkcs8_pem());
    setup.set("keystone.mint", "private_key_file", "'mint.pem'");
    pem("PUBLIC KEY", &key.spki_der())
}

/// The variables of the administrator of the whole cloud.
fn administrator(lab: &KeystoneLab) -> Vec<(&str, &str)> {
    let own = lab
        .environment()
        .iter()
        .filter(|(name, _)| name.starts_with("OS_"));
    let own = own.map(|(name, value)| (name.as_str(), value.as_str()));
    own.chain([("OS_SYSTEM_SCOPE", "all")]).collect()
}

/// `sealstone`, without a server.
fn program() -> Command {
    let build = ["--package", "sealstone-cli", "--bin", "sealstone"];
    Command::new(built("SEALSTONE", &build, "sealstone"))
}

/// What went to standard error.
fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[track_caller]
fn data(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| unreachable!("{output:?}"))
}

/// What `check` finds, as `verdict check subject`, and whether it ended well.
fn check(setup: &ServeSetup, more: &[&str], environment: &[(&str, &str)]) -> (Vec<Value>, bool) {
    let mut arguments = vec!["keystone", "check", "--output", "json"];
    arguments.extend(more);
    let output = setup.sealstone_as(&arguments, environment);
    let found = data(&output).as_array().unwrap().clone();
    (found, output.status.success())
}

/// The findings of one kind that have this verdict.
fn found<'a>(findings: &'a [Value], verdict: &str, check: &str) -> Vec<&'a Value> {
    let fits = |finding: &&Value| finding["verdict"] == verdict && finding["check"] == check;
    findings.iter().filter(fits).collect()
}

#[test]
fn a_keystone_that_is_set_up_well_is_told_so() {
    let lab = KeystoneLab::shared_jws();
    let setup = beside(lab, "cli-check-right");
    let machine = lab.machine(&["reader"]);
    let _made = setup.register("reader", &tied_user(&machine));
    let (findings, right) = check(&setup, &[], &administrator(lab));
    let wrong: Vec<&Value> = findings
        .iter()
        .filter(|finding| finding["verdict"] == "wrong")
        .collect();
    // The domain of tests is none of Keystone's.
    assert_eq!(wrong.len(), 1, "{wrong:?}");
    assert_eq!(found(&findings, "wrong", "domain")[0]["subject"], "demo");
    assert!(!right);
    for kind in [
        "configuration",
        "reachable",
        "tls",
        "api version",
        "access rules",
        "keystone oauth2",
        "clock",
        "service account",
        "revocation events",
        "mint key",
        "token provider",
        "minted token",
        "client",
    ] {
        assert!(
            !found(&findings, "right", kind).is_empty(),
            "{kind}: {findings:?}"
        );
    }
    // Nobody but the administrator is shown the domain: that is said, and not taken for a fault.
    let (findings, _) = check(&setup, &[], &[]);
    let domain = findings
        .iter()
        .find(|finding| finding["check"] == "domain")
        .unwrap();
    assert_ne!(domain["verdict"], "right", "{domain}");
}

fn tied_user(machine: &LabMachine) -> Vec<&str> {
    vec![
        "--subject-dn",
        "CN=reader",
        "--scope",
        "openstack:api",
        "--openstack-user",
        &machine.user_id,
        "--openstack-project",
        &machine.project_id,
        "--dangerous-without-keystone-check",
    ]
}

#[test]
fn what_is_wrong_is_told_one_by_one() {
    let lab = KeystoneLab::shared_jws();
    let member = lab.machine(&["member"]);
    let fernet = KeystoneLab::shared();
    type Change<'a> = Box<dyn Fn(&mut ServeSetup) + 'a>;
    let other = |url: &'static str| move |setup: &mut ServeSetup| setup.set("keystone", "url", url);
    let cases: Vec<(&str, Change<'_>, &str, &str)> = vec![
        (
            "refused connection",
            Box::new(other("'http://127.0.0.1:1/v3'")),
            "wrong",
            "reachable",
        ),
        (
            "no Keystone there",
            Box::new(other("'http://127.0.0.1:1'")),
            "wrong",
            "reachable",
        ),
        (
            "plain http elsewhere",
            Box::new(other("'http://keystone.example/v3'")),
            "wrong",
            "configuration",
        ),
        (
            "a wrong secret",
            Box::new(|setup: &mut ServeSetup| setup.write_private("service-secret", "wrong")),
            "wrong",
            "service account",
        ),
        (
            "an account that may not read revocations",
            Box::new(|setup: &mut ServeSetup| serve_as(setup, &member)),
            "wrong",
            "revocation events",
        ),
        (
            "a key that Keystone does not know",
            Box::new(|setup: &mut ServeSetup| drop(mint_key(setup))),
            "wrong",
            "minted token",
        ),
        (
            "a key that is none",
            Box::new(|setup: &mut ServeSetup| setup.write_private("mint.pem", "no key")),
            "wrong",
            "mint key",
        ),
        (
            "a key that others may read",
            Box::new(|setup: &mut ServeSetup| {
                use std::os::unix::fs::PermissionsExt as _;
                fs::set_permissions(setup.path("mint.pem"), fs::Permissions::from_mode(0o644)).unwrap();
            }),
            "wrong",
            "mint key",
        ),
        (
            "Fernet tokens, and a key to mint with",
            Box::new(|setup: &mut ServeSetup| {
                setup.set("keystone", "url", &format!("'{}'", fernet.url()));
                serve_as(setup, &fernet.machine(&["service"]));
            }),
            "wrong",
            "token provider",
        ),
    ];
    for (name, change, verdict, kind) in cases {
        let mut setup = beside(lab, "cli-check-wrong");
        change(&mut setup);
        let (findings, right) = check(&setup, &[], &[]);
        assert!(!right, "{name}");
        let told = found(&findings, verdict, kind);
        assert!(!told.is_empty(), "{name}: {findings:?}");
        assert!(
            told[0]["advice"]
                .as_str()
                .is_some_and(|advice| !advice.is_empty()),
            "{name}: {told:?}"
        );
    }
    lab.distrust_jws_key("cli-check-wrong");
}

#[test]
fn each_node_is_asked_whether_it_takes_our_tokens() {
    let lab = KeystoneLab::shared_jws();
    let setup = beside(lab, "cli-check-nodes");
    let front = KeystoneLab::shared().url();
    let (findings, right) = check(
        &setup,
        &["--endpoint", front, "--endpoint", "http://127.0.0.1:1/v3"],
        &[],
    );
    assert!(!right);
    let (taken, refused) = (
        found(&findings, "right", "minted token"),
        found(&findings, "wrong", "minted token"),
    );
    assert_eq!(taken.len(), 1, "{findings:?}");
    assert_eq!(refused.len(), 1, "{findings:?}");
    assert_eq!(taken[0]["subject"], lab.url());
    assert_eq!(refused[0]["subject"], front);
    assert_eq!(found(&findings, "wrong", "reachable").len(), 1);
    lab.distrust_jws_key("cli-check-nodes");
}

#[test]
fn clients_whose_ties_are_gone_or_too_wide_are_named() {
    let lab = KeystoneLab::shared_jws();
    let setup = beside(lab, "cli-check-clients");
    let gone = lab.machine(&["member"]);
    let wide = lab.machine_with(&["member"], &json!({"unrestricted": true}));
    let mighty = lab.machine(&["admin"]);
    let good = lab.machine(&["reader"]);
    let late = lab.machine_with(&["reader"], &json!({"expires_at": soon()}));
    for (id, machine) in [
        ("gone", &gone),
        ("wide", &wide),
        ("mighty", &mighty),
        ("good", &good),
        ("late", &late),
    ] {
        setup.write_private("secret", &machine.credential_secret);
        let (subject, path) = (format!("CN={id}"), setup.path("secret"));
        let arguments = [
            "--subject-dn",
            &subject,
            "--scope",
            "openstack:api",
            "--openstack-application-credential",
            &machine.credential_id,
            "--openstack-application-credential-secret-file",
            path.to_str().unwrap(),
            "--dangerous-unrestricted-application-credential",
            "--dangerous-without-keystone-check",
        ];
        let _made = setup.register(id, &arguments);
    }
    let minted = [&tied_user(&gone)[..], &["--subject-dn", "CN=disabled"]].concat();
    let minted: Vec<&str> = minted.into_iter().skip(2).collect();
    let _made = setup.register("disabled", &minted);
    let token = lab.admin_token();
    let credential = format!(
        "/users/{}/application_credentials/{}",
        gone.user_id, gone.credential_id
    );
    assert_eq!(lab.request("DELETE", &credential, Some(&token), None).status, 204);
    lab.change(
        "PATCH",
        &format!("/users/{}", gone.user_id),
        Some(&json!({"user": {"enabled": false}})),
    );
    let (findings, right) = check(&setup, &[], &administrator(lab));
    assert!(!right);
    let named = |verdict: &str| {
        let mut named: Vec<String> = found(&findings, verdict, "client")
            .into_iter()
            .map(|finding| finding["subject"].as_str().unwrap().to_owned())
            .collect();
        named.sort();
        named.dedup();
        named
    };
    assert_eq!(named("wrong"), ["disabled", "gone", "wide"], "{findings:?}");
    assert_eq!(named("weak"), ["mighty"], "{findings:?}");
    assert_eq!(named("right"), ["good", "late"], "{findings:?}");
    lab.distrust_jws_key("cli-check-clients");
}

/// A year ahead, as Keystone writes it.
fn soon() -> &'static str {
    "2099-01-01T00:00:00.000000Z"
}

fn inventory(lab: &KeystoneLab, more: &[&str], environment: &[(&str, &str)]) -> (Value, String) {
    let output = program()
        .args(["keystone", "inventory", "--output", "json"])
        .args(more)
        .env("OS_AUTH_URL", lab.url())
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    (
        data(&output),
        String::from_utf8_lossy(&output.stdout).into_owned() + &said(&output),
    )
}

#[test]
fn the_inventory_holds_every_way_to_log_in_and_no_secret() {
    let lab = KeystoneLab::shared();
    let machine = lab.machine_with(
        &["member", "reader"],
        &json!({"unrestricted": true, "roles": [{"name": "reader"}]}),
    );
    let trustee = lab.machine(&["reader"]);
    let token = lab.password_token(&machine.user_id, &machine.password, &machine.project_id);
    let ec2 = format!("/users/{}/credentials/OS-EC2", machine.user_id);
    let ec2 = lab.request(
        "POST",
        &ec2,
        Some(&token),
        Some(&json!({"tenant_id": machine.project_id})),
    );
    assert_eq!(ec2.status, 201, "{}", ec2.text());
    let trust = json!({"trust": {
        "trustor_user_id": machine.user_id, "trustee_user_id": trustee.user_id, "project_id": machine.project_id,
        "impersonation": true, "roles": [{"name": "reader"}], "expires_at": soon(),
    }});
    let trust = lab.request("POST", "/OS-TRUST/trusts", Some(&token), Some(&trust));
    assert_eq!(trust.status, 201, "{}", trust.text());
    let ruled = lab.machine_with(
        &["reader"],
        &json!({"access_rules": [{"service": "compute", "method": "GET", "path": "/v2.1/servers"}]}),
    );
    let users = [
        "--user",
        &machine.user_name,
        "--user",
        &ruled.user_id,
        "--user-domain",
        &machine.domain_id,
    ];
    let (document, all) = inventory(lab, &users, &administrator(lab));
    let items = document["items"].as_array().unwrap();
    let of = |owner: &str, kind: &str| {
        let fits = |item: &&Value| item["owner"]["id"] == owner && item["kind"] == kind;
        let fitting: Vec<&Value> = items.iter().filter(fits).collect();
        assert_eq!(fitting.len(), 1, "{kind}: {items:?}");
        fitting[0].clone()
    };
    let password = of(&machine.user_id, "password");
    assert_eq!(password["scope"][0]["id"], machine.project_id);
    assert_eq!(password["scope"][0]["roles"], json!(["member", "reader"]));
    assert_eq!(password["last_use"]["known"], "unknown");
    let credential = of(&machine.user_id, "application_credential");
    assert_eq!(credential["restricted"], false);
    assert_eq!(credential["scope"][0]["roles"], json!(["reader"]));
    assert!(
        credential["becomes"].as_str().unwrap().contains("restricted one"),
        "{credential}"
    );
    let ec2_key = of(&machine.user_id, "ec2");
    assert_eq!(ec2_key["scope"][0]["id"], machine.project_id);
    let lent = of(&machine.user_id, "trust");
    assert_eq!(lent["scope"][0]["roles"], json!(["reader"]));
    assert_eq!(lent["expires_at"], "2099-01-01T00:00:00Z");
    let ruled_credential = of(&ruled.user_id, "application_credential");
    assert_eq!(ruled_credential["access_rules"], 1);
    assert_eq!(ruled_credential["restricted"], true);
    let ec2 = ec2.json();
    let ec2_secret = ec2["credential"]["secret"].as_str().unwrap();
    for secret in [
        &machine.credential_secret,
        &ruled.credential_secret,
        &machine.password,
        ec2_secret,
    ] {
        assert!(!all.contains(secret), "a secret is shown");
    }
    // Who may not see all is told what is missing.
    let own = [
        ("OS_USER_ID", machine.user_id.as_str()),
        ("OS_PASSWORD", &machine.password),
        ("OS_PROJECT_ID", &machine.project_id),
    ];
    let (document, _) = inventory(lab, &["--user", &machine.user_id], &own);
    assert_eq!(document["items"][0]["owner"]["id"], machine.user_id);
}

/// A lab whose log tells of password logins.
fn telling() -> KeystoneLab {
    let options = LabOptions::new().jws();
    let options = options.set("oslo_messaging_notifications.driver", "log");
    let options = options.set("DEFAULT.notification_format", "cadf");
    KeystoneLab::start(&options.set("DEFAULT.notification_opt_out", ""))
}

/// One account on its way, with its server running.
struct Way<'a> {
    lab: &'a KeystoneLab,
    server: ServeServer,
    machine: LabMachine,
}

impl<'a> Way<'a> {
    fn new(lab: &'a KeystoneLab) -> Self {
        let mut setup = beside(lab, "cli-way");
        let folder = setup.path("machines");
        let made = program()
            .args(["ca", "init", "--subject", "CN=Machines 2", "--dir"])
            .arg(folder)
            .output();
        assert!(made.as_ref().is_ok_and(|made| made.status.success()), "{made:?}");
        setup.set("tls", "client_ca_files", "['ca.pem', 'machines/ca.pem']");
        let _first = setup.register("other", &["--subject-dn", "CN=other", "--scope", "a:b"]);
        let machine = lab.machine(&["member"]);
        setup.write_private("owner-password", &format!("{}\n", machine.password));
        Self {
            lab,
            server: setup.start(),
            machine,
        }
    }

    fn run(&self, step: &str, more: &[&str]) -> Output {
        let journal = self.server.setup().path("journal.json");
        let mut arguments = vec![
            "keystone",
            "migrate",
            step,
            "--journal",
            journal.to_str().unwrap(),
        ];
        arguments.extend(more);
        self.server
            .setup()
            .sealstone_as(&arguments, &administrator(self.lab))
    }

    #[track_caller]
    fn well(&self, step: &str, more: &[&str]) -> Output {
        let output = self.run(step, more);
        assert!(output.status.success(), "{output:?}");
        output
    }

    #[track_caller]
    fn refused(&self, step: &str, more: &[&str], why: &str) {
        let output = self.run(step, more);
        assert!(!output.status.success(), "{output:?}");
        assert!(said(&output).contains(why), "{output:?}");
    }

    fn register(&self, client: &str, more: &[&str]) -> Output {
        let mut arguments = vec![
            "--user",
            &self.machine.user_id,
            "--client",
            client,
            "--domain",
            "demo",
        ];
        arguments.extend(more);
        self.run("register", &arguments)
    }

    fn log(&self) -> String {
        let path = self.lab.folder().join("node1/keystone.log");
        path.to_str().unwrap().to_owned()
    }

    /// Whether Keystone lets the account in by its password.
    fn password_works(&self) -> bool {
        let user = json!({"id": self.machine.user_id, "password": self.machine.password});
        let auth = json!({"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}});
        match self.lab.request("POST", "/auth/tokens", None, Some(&auth)).status {
            201 => true,
            401 => false,
            other => unreachable!("{other}"),
        }
    }

    /// Whether the client gets a token with its certificate.
    fn client_works(&self, client: &str) -> bool {
        let file = |ending: &str| {
            let path = self.server.setup().path(&format!("{client}.{ending}"));
            fs::read_to_string(path).unwrap()
        };
        let certificate = TestCertificate::from_pem(&file("pem"), &file("key"));
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", client),
            ("scope", "openstack:api"),
        ];
        let https = self.server.holder(&certificate);
        let answer = https.post(&self.server.mtls_url("/token"), &[], &form).unwrap();
        answer.status == 200
    }

    fn status(&self) -> Value {
        let output = self.well("status", &["--output", "json", "--keystone-log", &self.log()]);
        data(&output)[0].clone()
    }
}

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
    let empty = path("empty.log");
    fs::write(&empty, "no event").unwrap();
    way.refused(
        "disable-passwords",
        &["--all", "--yes", "--keystone-log", &empty],
        "notification_opt_out",
    );
    lab.distrust_jws_key("cli-way");
}

#[test]
fn one_bad_file_among_keystone_s_keys_is_named() {
    let lab = KeystoneLab::start(&LabOptions::new().jws());
    let setup = beside(&lab, "cli-repository");
    // Keystone reads its files in the folder's order, until one fits or cannot be read: here none fits.
    lab.distrust_jws_key("cli-repository");
    lab.trust_jws_key("half-written", "");
    let (findings, right) = check(&setup, &[], &[]);
    assert!(!right);
    let told = found(&findings, "wrong", "minted token");
    let advice = told.first().and_then(|finding| finding["advice"].as_str());
    assert!(
        advice.is_some_and(|advice| advice.contains("one file there that is no public key")),
        "{findings:?}"
    );
}
