//! Clients tied to OpenStack, as the command line registers them; with a Keystone they are in
//! `crates/interop/tests/machine_identity.rs`.

use std::fs;

use crate::{
    program::{Done, text},
    store::{Data, KEK},
};
use sealstone_keyring::{KeyEncryptionKey, SecretPlace, SecretPurpose};
use sealstone_registry::{Client, MachineTie};
use serde_json::json;

const SECRET: &str = "keystone-made-this-one";
const UNCHECKED: &str = "--dangerous-without-keystone-check";

fn create(data: &Data, id: &str, more: &[&str]) -> Done {
    let base = [
        "client",
        "create",
        id,
        "--subject-dn",
        "CN=ci",
        "--scope",
        "openstack:api",
    ];
    data.run(&[&base, more].concat())
}

fn with_secret(data: &Data, id: &str, more: &[&str]) -> Done {
    let path = data.path().join("keystone");
    fs::write(&path, format!("{SECRET}\n")).unwrap();
    let tie = [
        "--openstack-application-credential",
        "ac1",
        "--openstack-application-credential-secret-file",
        text(&path),
    ];
    create(data, id, &[&tie, more].concat())
}

/// What the server reads of the client's sealed secret.
fn opened(client: &Client) -> String {
    let place = SecretPlace {
        purpose: SecretPurpose::ApplicationCredential,
        domain: "demo",
        client: client.id().as_str(),
    };
    let sealed = client.tie().sealed_secret().unwrap().as_str();
    let kek = KeyEncryptionKey::parse(KEK).unwrap();
    kek.open_secret(place, sealed).unwrap().to_string()
}

#[test]
fn a_tie_is_not_registered_without_asking_keystone_unless_that_is_said() {
    let data = Data::new();
    let ties: [&[&str]; 3] = [
        &["--openstack-user", "u1", "--openstack-project", "p1"],
        &[
            "--openstack-application-credential",
            "ac1",
            "--openstack-minted",
            "--openstack-user",
            "u1",
            "--openstack-project",
            "p1",
        ],
        &[],
    ];
    for tie in ties {
        let done = match tie {
            [] => with_secret(&data, "ci", &[]),
            tie => create(&data, "ci", tie),
        };
        let said = done.refused(1, "");
        assert!(said.contains("OS_AUTH_URL") && said.contains(UNCHECKED), "{said}");
        assert!(!said.contains(SECRET), "{said}");
    }
    let nobody = data.json(&["client", "list"]);
    assert_eq!(nobody, json!([]), "nothing was registered");
}

/// O09: the secret goes in by a file, is kept sealed to this client, and nothing shows it.
#[test]
fn o09_a_secret_goes_in_and_never_comes_out() {
    let data = Data::new();
    let made = with_secret(&data, "ci", &[UNCHECKED]);
    for word in ["No Keystone was asked", "has no [keystone]"] {
        assert!(made.err.contains(word), "{}", made.err);
    }
    let shown = data.run(&["client", "show", "ci"]);
    for text in [&made.out, &made.err, &shown.out] {
        assert!(!text.contains(SECRET), "{text}");
    }
    let database = fs::read(data.path().join("sealstone.db")).unwrap();
    let trail = fs::read_to_string(data.path().join("audit.jsonl")).unwrap();
    let holds = |octets: &[u8]| {
        octets
            .windows(SECRET.len())
            .any(|window| window == SECRET.as_bytes())
    };
    assert!(!holds(&database) && !holds(trail.as_bytes()));
    assert_eq!(opened(&data.client("ci")), SECRET);
}

#[test]
fn a_secret_stays_with_its_credential_and_a_new_tie_takes_its_place() {
    let data = Data::new();
    let _made = with_secret(&data, "ci", &[UNCHECKED]);
    let _shown = data.run(&["client", "update", "ci", "--name", "renamed"]).ok();
    assert_eq!(opened(&data.client("ci")), SECRET);

    let other = [
        "client",
        "update",
        "ci",
        "--openstack-application-credential",
        "ac2",
        UNCHECKED,
    ];
    let said = data.run(&other).refused(1, "");
    assert!(said.contains("openstack_application_credential_secret"), "{said}");

    let user = [
        "client",
        "update",
        "ci",
        "--openstack-user",
        "u1",
        "--openstack-project",
        "p1",
        UNCHECKED,
    ];
    let _shown = data.run(&user).ok();
    let client = data.client("ci");
    assert!(
        matches!(client.tie(), MachineTie::User { .. }),
        "{:?}",
        client.tie()
    );
    assert!(client.tie_changed_at().is_some());

    let path = data.path().join("rules.json");
    let rules = json!({"rules": [{"local": [{"user": {"id": "{0}"}}],
                                  "remote": [{"type": "SSL_CLIENT_SUBJECT_DN_UID"}]}]});
    fs::write(&path, rules.to_string()).unwrap();
    let mapped = [
        "client",
        "update",
        "ci",
        "--openstack-mapping",
        text(&path),
        "--openstack-project",
        "p1",
        UNCHECKED,
    ];
    let _shown = data.run(&mapped).ok();
    assert!(matches!(data.client("ci").tie(), MachineTie::Mapping { .. }));
    assert_eq!(data.json(&["client", "show", "ci"])["openstack_mapping"], rules);
}

#[test]
fn what_makes_no_tie_is_refused() {
    let data = Data::new();
    let path = data.path().join("rules.json");
    fs::write(&path, r#"{"rules": [{"local": []}]}"#).unwrap();
    let cases: [(&[&str], &str); 4] = [
        (&["--openstack-user", "u1"], "openstack_project_id"),
        (
            &["--openstack-application-credential", "ac1", "--openstack-minted"],
            "openstack_user_id",
        ),
        (&["--openstack-mapping", text(&path)], "openstack_mapping"),
        (
            &[
                "--openstack-user",
                "u1",
                "--openstack-project",
                "p1",
                "--dangerous-unrestricted-application-credential",
            ],
            "openstack_application_credential_id",
        ),
    ];
    for (tie, word) in cases {
        let said = create(&data, "ci", &[tie, &[UNCHECKED]].concat()).refused(1, "");
        assert!(said.contains(word), "{tie:?}: {said}");
    }
    let odd = create(&data, "ci", &["--openstack-user", "../u1"]);
    assert!(odd.err.contains("a user id must be"), "{}", odd.err);
}
