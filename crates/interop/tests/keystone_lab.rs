//! The lab itself: what other tests take for granted.

use std::net::TcpStream;

use sealstone_interop::{Https, KeystoneLab, LabFront, LabOptions};
use serde_json::json;

fn application_credential(id: &str, secret: &str) -> serde_json::Value {
    json!({"auth": {"identity": {
        "methods": ["application_credential"],
        "application_credential": {"id": id, "secret": secret},
    }}})
}

#[test]
fn a_machine_of_ones_own_logs_in() {
    let lab = KeystoneLab::shared();
    let machine = lab.machine(&["member"]);
    let token = lab.login(&application_credential(
        &machine.credential_id,
        &machine.credential_secret,
    ));
    let said = lab.validated(&token).unwrap();
    assert_eq!(said["project"]["id"], *machine.project_id);
    assert_eq!(said["user"]["id"], *machine.user_id);
    assert_eq!(said["application_credential"]["id"], *machine.credential_id);
    let wrong = application_credential(&machine.credential_id, "wrong");
    assert_eq!(
        lab.request("POST", "/auth/tokens", None, Some(&wrong)).status,
        401
    );
    assert_eq!(lab.validated("gAAAAA").as_ref(), None);
}

#[test]
fn the_openstack_command_works_against_it() {
    let lab = KeystoneLab::shared();
    let output = lab
        .openstack(&["project", "list", "-f", "value", "-c", "Name"])
        .output();
    let output = output.unwrap();
    assert!(output.status.success(), "{output:?}");
    let names = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(names.lines().any(|name| name == "web"), "{names}");
}

#[test]
fn each_front_passes_a_certificate_on() {
    let lab = KeystoneLab::shared();
    let seed = lab.seed();
    let client = Https::trusting(&seed.ca_pem()).with_certificate(&seed.certificate("ci-bot"));
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", seed.user("ci-bot").id.as_str()),
    ];
    for front in [LabFront::Nginx, LabFront::Apache] {
        let url = format!("{}/OS-OAUTH2/token", lab.tls(front));
        let answer = client.post(&url, &[], &form).unwrap();
        assert_eq!(answer.status, 200, "{front:?}: {}", answer.text());
        let token = answer.json()["access_token"].as_str().unwrap().to_owned();
        let said = lab.validated(&token).unwrap();
        assert!(said["oauth2_credential"]["x5t#S256"].is_string(), "{said}");
    }
}

#[test]
fn a_lab_of_ones_own_stops_starts_again_and_leaves_nothing() {
    let mut lab = KeystoneLab::start(&LabOptions::new().jws().nodes(2).balancer());
    let folder = lab.folder().to_owned();
    assert_eq!(lab.nodes().len(), 2);
    let credential = lab.seed().application_credential("restricted").clone();
    let auth = application_credential(&credential.id, &credential.secret);
    let token = lab.login(&auth);
    assert!(token.starts_with("eyJ"), "a JWS token");
    lab.stop();
    lab.restart(&[]);
    assert!(lab.validated(&token).is_some(), "the keys are the same");
    let listens =
        |url: &str| TcpStream::connect(url.trim_start_matches("http://").trim_end_matches("/v3")).is_ok();
    let urls: Vec<String> = lab
        .nodes()
        .into_iter()
        .chain(lab.balancer())
        .map(str::to_owned)
        .collect();
    assert_eq!(urls.len(), 3);
    assert!(urls.iter().all(|url| listens(url)), "{urls:?}");
    drop(lab);
    assert!(!folder.exists());
    assert!(!urls.iter().any(|url| listens(url)), "{urls:?}");
}

/// What one test removes must not stand in the way of the next.
#[test]
fn a_removed_machine_leaves_nothing_behind() {
    let lab = KeystoneLab::shared();
    for _ in 0..3 {
        let machine = lab.machine(&["member", "reader"]);
        lab.change("DELETE", &format!("/users/{}", machine.user_id), None);
        let auth = application_credential(&machine.credential_id, &machine.credential_secret);
        assert_eq!(lab.request("POST", "/auth/tokens", None, Some(&auth)).status, 404);
    }
}

/// The second lab is a copy of the first as it was seeded, at its own address.
#[test]
fn a_copied_cloud_is_whole() {
    drop(KeystoneLab::start(&LabOptions::new()));
    let lab = KeystoneLab::start(&LabOptions::new().tls());
    let seed = lab.seed();
    let credential = seed.application_credential("access_rules");
    let token = lab.login(&application_credential(&credential.id, &credential.secret));
    assert!(lab.validated(&token).is_some());
    let endpoints = lab.admin("GET", "/endpoints", None);
    let text = endpoints.to_string();
    assert!(text.contains(lab.url()), "{text} {}", lab.url());
    assert!(seed.ca.starts_with(lab.folder()), "{:?}", seed.ca);
    let client = Https::trusting(&seed.ca_pem()).with_certificate(&seed.certificate("alice"));
    let url = format!("{}/auth/tokens", lab.tls(LabFront::Apache));
    assert_eq!(client.get(&url, &[]).unwrap().status, 401);
}
