//! `sealstone mapping`: what an assertion comes to and why, and rules of others converted.

use std::{fs, path::PathBuf};

use crate::program::{Done, sealstone, text, with_input};
use serde_json::{Value, json};
use tempfile::TempDir;

struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, value: &Value) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, value.to_string()).unwrap();
        path
    }

    fn test(&self, rules: &Value, assertion: &Value, more: &[&str]) -> Done {
        let (rules, assertion) = (
            self.write("rules.json", rules),
            self.write("assertion.json", assertion),
        );
        let mut all = vec!["mapping", "test", text(&rules), "--assertion", text(&assertion)];
        all.extend(more);
        sealstone(&all)
    }
}

fn keystone() -> Value {
    json!([
        {
            "local": [{"user": {"name": "{0}"}}, {"groups": "{1}", "domain": {"id": "d"}}],
            "remote": [{"type": "user"}, {"type": "groups", "blacklist": ["admins"]}, {"type": "mfa", "any_one_of": ["yes"]}],
        },
        {"local": [{"group": {"id": "x"}}], "remote": [{"type": "user", "not_any_of": ["jo"]}]},
    ])
}

#[test]
fn why_a_rule_matched_is_shown_condition_by_condition() {
    let assertion = json!({"user": "jo", "groups": "dev;Admins;ops", "mfa": "yes"});
    let shown = Files::new().test(&keystone(), &assertion, &[]).ok();
    for line in [
        "rule `rule-1`: matched",
        "    yes `groups` exists: \"dev\", \"Admins\", \"ops\"",
        "    yes `mfa` is any of \"yes\": \"yes\"",
        "  ${values.v1}: \"dev\", \"ops\"",
        "rule `rule-2`: did not match",
        "    no  `user` exists and is none of \"jo\": \"jo\"",
        "  user: {\"name\":\"jo\",\"type\":\"ephemeral\"}",
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line}\n{shown}");
    }
}

#[test]
fn programs_read_the_same() {
    let assertion = json!({"user": "jo", "groups": "dev", "mfa": "yes"});
    let shown = Files::new()
        .test(&keystone(), &assertion, &["--output", "json", "--source", "idp"])
        .json();
    assert_eq!(shown["identity"]["user"]["name"], "jo");
    assert_eq!(shown["identity"]["source"], "idp");
    assert_eq!(shown["rules"][0]["outcome"], "matched");
    assert_eq!(
        shown["rules"][1]["when"]["conditions"][0]["outcome"],
        "not_matched"
    );
}

#[test]
fn an_assertion_that_comes_to_nobody_fails_and_still_shows_why() {
    let files = Files::new();
    let done = files.test(&keystone(), &json!({"user": "jo", "groups": "dev"}), &[]);
    assert_eq!(done.status, 1);
    assert!(
        done.out.contains("no  `mfa` is any of \"yes\": no value"),
        "{}",
        done.out
    );
    assert!(done.err.contains("none of the 2 rules matched"), "{}", done.err);
    let done = files.test(
        &keystone(),
        &json!({"user": "jo", "groups": {"a": 1}, "mfa": "yes"}),
        &["--output", "json"],
    );
    assert_eq!(done.status, 1);
    let shown: Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!(shown["rules"][0]["outcome"], "undecidable");
    assert!(shown["error"].as_str().unwrap().contains("can't be decided"));
    // What an assertion holds does not steer the terminal.
    let done = files.test(
        &keystone(),
        &json!({"user": "\u{1b}[2Jjo", "groups": "dev", "mfa": "yes"}),
        &[],
    );
    assert!(
        !done.out.contains('\u{1b}') && !done.err.contains('\u{1b}'),
        "{}",
        done.out
    );
}

#[test]
fn rules_that_are_refused_are_told_fault_by_fault() {
    let files = Files::new();
    let broken = json!([{"local": [{"user": {"name": "{3}"}}], "remote": [{"type": "a", "whitelist": ["("], "regex": true}]}]);
    let told = files
        .test(&broken, &json!({}), &[])
        .refused(1, "rules.json are refused:");
    assert!(told.contains("\n  /0/local/0/user/name: "), "{told}");
    assert!(told.contains("\n  /0/remote/0/whitelist/0: "), "{told}");
    let done = files.test(&broken, &json!({}), &["--output", "json"]);
    assert_eq!(done.status, 1);
    let shown: Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!(shown["faults"].as_array().unwrap().len(), 2);
}

#[test]
fn a_certificate_is_an_assertion() {
    let files = Files::new();
    let (ca, out) = (files.0.path().join("ca"), files.0.path().join("ci"));
    sealstone(&[
        "ca",
        "init",
        "--dir",
        text(&ca),
        "--subject",
        "CN=root_a.lab.test",
    ])
    .ok();
    let subject = "CN=ci-bot,UID=u1,O=Example";
    sealstone(&[
        "ca",
        "issue",
        "--dir",
        text(&ca),
        "--out",
        text(&out),
        "--subject",
        subject,
    ])
    .ok();
    let rules = files.write(
        "rules.json",
        &json!([{
            "local": [{"user": {"name": "{0}", "id": "{1}"}}],
            "remote": [
                {"type": "SSL_CLIENT_SUBJECT_DN_CN"},
                {"type": "SSL_CLIENT_SUBJECT_DN_UID"},
                {"type": "SSL_CLIENT_ISSUER_DN_CN", "any_one_of": ["root_a.lab.test"]},
            ],
        }]),
    );
    let certificate = out.with_extension("pem");
    let arguments = [
        "mapping",
        "test",
        text(&rules),
        "--certificate",
        text(&certificate),
        "--output",
        "json",
    ];
    let shown = sealstone(&arguments).json();
    assert_eq!(
        shown["identity"]["user"],
        json!({"id": "u1", "name": "ci-bot", "type": "ephemeral"})
    );
}

#[test]
fn imported_rules_map_alike() {
    let files = Files::new();
    let given = keystone().to_string();
    let converted = with_input(&["mapping", "import"], given.as_bytes()).json();
    assert_eq!(converted["sealstone_mapping"], 1);
    let assertion = json!({"user": "al", "groups": "dev;ops", "mfa": "yes"});
    let identity =
        |rules: &Value| files.test(rules, &assertion, &["--output", "json"]).json()["identity"].clone();
    assert_eq!(identity(&keystone()), identity(&converted));
    // As Keystone's API and the openstack command give it.
    let shown =
        json!({"mapping": {"id": "m", "schema_version": "2.0", "rules": keystone(), "links": {"self": "x"}}});
    let again = with_input(&["mapping", "import", "-"], shown.to_string().as_bytes()).json();
    assert_eq!(again["rules"].as_array().unwrap().len(), 2);
}

#[test]
fn what_is_left_out_is_noted() {
    let rules = json!({
        "domain_id": "d", "source": {"type": "federation", "idp_id": "okta"}, "enabled": true,
        "domain_resolution_mode": {"type": "fixed"},
        "rules": [{
            "name": "r", "match": {"all_of": []}, "identity": {"user_name": "${claims.sub}"},
            "authorizations": [], "groups": [],
        }],
    });
    let done = with_input(&["mapping", "import"], rules.to_string().as_bytes());
    assert!(
        done.err.contains("note: `source` names a provider"),
        "{}",
        done.err
    );
    let converted = done.json();
    assert_eq!(converted["rules"][0]["user"]["domain"], json!({"id": "d"}));
}

#[test]
fn usage_is_checked() {
    sealstone(&["mapping", "test", "rules.json"]).refused(2, "--assertion");
    sealstone(&["mapping", "test", "r", "--assertion", "a", "--certificate", "c"])
        .refused(2, "cannot be used with");
    sealstone(&["mapping", "test", "-", "--assertion", "-"])
        .refused(2, "standard input holds one of the two");
    with_input(&["mapping", "import"], b"{").refused(1, "not JSON");
    with_input(&["mapping", "import"], b"\"x\"").refused(1, "none of the formats");
}
