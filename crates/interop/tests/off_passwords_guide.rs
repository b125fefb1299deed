//! `docs/guides/off-passwords.md`, run as it is written before a real Keystone.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test: what it cannot read has failed"
)]

#[path = "documents/script.rs"]
mod script;

use script::{Document, Surroundings};
use sealstone_interop::{KeystoneLab, LabOptions};
use sealstone_testkit::{KeyKind, TestKey, pem};
use serde_json::{Value, json};

const PASSWORD: &str = "runner-Pw-1";

fn id(made: &Value) -> &str {
    made["id"].as_str().unwrap()
}

/// The machine's account as the guide has it: a user, one project, a few roles and an application credential.
fn runner(lab: &KeystoneLab) {
    let make = |kind: &str, path: &str, object: Value| {
        lab.admin("POST", path, Some(&json!({kind: object})))[kind].clone()
    };
    let project = make(
        "project",
        "/projects",
        json!({"name": "builds", "domain_id": "default"}),
    );
    let user = make(
        "user",
        "/users",
        json!({"name": "ci-runner", "domain_id": "default", "password": PASSWORD, "default_project_id": id(&project)}),
    );
    let (user, project) = (id(&user), id(&project));
    for role in ["member", "manager"] {
        let role = lab.seed().role(role);
        lab.change(
            "PUT",
            &format!("/projects/{project}/users/{user}/roles/{role}"),
            None,
        );
    }
    let token = lab.password_token(user, PASSWORD, project);
    let credential = json!({"application_credential": {"name": "old", "roles": [{"name": "member"}]}});
    let path = format!("/users/{user}/application_credentials");
    assert_eq!(
        lab.request("POST", &path, Some(&token), Some(&credential)).status,
        201
    );
}

#[test]
fn guide_off_passwords() {
    let options = LabOptions::new()
        .jws()
        .set("oslo_messaging_notifications.driver", "log");
    let options = options.set("DEFAULT.notification_format", "cadf");
    let lab = KeystoneLab::start(&options.set("DEFAULT.notification_opt_out", ""));
    runner(&lab);
    let service = lab.machine(&["service"]);
    let key = TestKey::generate(KeyKind::P256);
    lab.trust_jws_key("guide", &pem("PUBLIC KEY", &key.spki_der()));
    let own = lab
        .environment()
        .iter()
        .filter(|(name, _)| name.starts_with("OS_"));
    let mut prelude: String = own
        .map(|(name, value)| format!("export {name}='{value}'\n"))
        .collect();
    for (name, value) in [
        ("OS_SYSTEM_SCOPE", "all"),
        ("SERVICE_ID", &service.credential_id),
        ("SERVICE_SECRET", &service.credential_secret),
        ("MINT_KEY", &key.pkcs8_pem()),
        ("RUNNER_PASSWORD", PASSWORD),
        ("PYTHONWARNINGS", "ignore"),
    ] {
        prelude += &format!("export {name}='{value}'\n");
    }
    let programs = lab.program("openstack");
    // The openstack of the lab alone: its folder has other programs, too.
    prelude += &format!("ln -s '{}' \"$ROOT/bin/openstack\"\n", programs.display());
    prelude += "unset OS_PROJECT_NAME OS_PROJECT_DOMAIN_ID\n";
    let log = lab.folder().join("node1/keystone.log");
    let surroundings = Surroundings {
        replaced: vec![
            ("https://keystone.example.org:5000/v3", lab.url().to_owned()),
            ("/var/log/keystone/keystone.log", log.display().to_string()),
            ("--quiet 7d", "--quiet 3s".to_owned()),
            ("--off-for 30d", "--off-for 0s".to_owned()),
        ],
        prelude,
    };
    let documents = ["guides/serve.md", "guides/off-passwords.md"].map(Document::read);
    assert!(documents.iter().all(|document| !document.is_empty()));
    script::run(&documents, &surroundings);
}
