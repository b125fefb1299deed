//! `sealstone keystone check`.

use std::fs;

use sealstone_interop::{KeystoneLab, LabMachine, LabOptions, ServeSetup};
use serde_json::{Value, json};

use crate::{administrator, beside, data, mint_key, serve_as, soon};

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
            "a wrong secret, so that nobody is there to make a token for",
            Box::new(|setup: &mut ServeSetup| setup.write_private("service-secret", "wrong")),
            "unknown",
            "minted token",
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
