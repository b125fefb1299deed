//! `sealstone keystone inventory`.

use sealstone_interop::KeystoneLab;
use serde_json::{Value, json};

use crate::{administrator, data, program, said, soon};

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
