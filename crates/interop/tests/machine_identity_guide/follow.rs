//! From the first file of the guide to the way back.

use std::fs;
use std::path::Path;
use std::process::Output;

use sealstone_interop::{Answer, WsgiService, built};
use sealstone_testkit::TestCertificate;

use crate::place::{FORM, Place, claims, command, done, mint_key, public_keys, script};
use crate::{folder, soon};

/// One world for all: a Keystone of its own takes a quarter of a minute.
#[test]
fn an_operator_follows_the_guide() {
    let mut place = Place::start(|_| ());
    let service = place.service();
    keystone_is_as_it_should_be(&place);
    clients_call_the_service(&place, &service);
    a_certificate_is_rotated(&place, &service);
    the_minting_key_is_rotated(&mut place);
    there_is_a_way_back(&place);
    let said = [place.server.said(), service.said()].concat();
    assert!(!said.contains("revocations cannot be followed"), "{said}");
    let secrets = [&place.exporter.credential_secret, &place.ci.password];
    assert!(
        !secrets.iter().any(|secret| said.contains(secret.as_str())),
        "a secret in a log"
    );
}

/// What the guide has its reader ask after the configuration.
fn keystone_is_as_it_should_be(place: &Place) {
    let output = place.server.setup().sealstone(&["keystone", "check"]);
    let said = done(&output);
    for right in ["service account", "revocation events", "minted token"] {
        let line = said.lines().find(|line| line.contains(right));
        assert!(
            line.is_some_and(|line| line.starts_with("right")),
            "{right}: {said}"
        );
    }
}

/// The three clients, each as a program of its own in the machine's folder.
fn clients(place: &Place, service: &WsgiService) -> [(&'static str, Output); 3] {
    let (tokens, url) = (place.url("/token"), format!("{}/v2.1/servers", service.url()));
    let environment = [("TOKEN_ENDPOINT", tokens.as_str()), ("SERVICE", &url)];
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/interop-python/bin/python");
    let file = fs::canonicalize(folder().join("client.py")).unwrap();
    let mut by_python = command(&python, &place.machine());
    by_python.arg(file).envs(environment);
    let build = ["--package", "sealstone-examples", "--example", "machine-client"];
    let mut by_rust = command(
        &built("MACHINE_CLIENT", &build, "machine-client"),
        &place.machine(),
    );
    by_rust.args([&tokens, &url]);
    [
        ("client.sh", script("client.sh", &place.machine(), &environment)),
        ("client.py", by_python.output().unwrap()),
        ("client.rs", by_rust.output().unwrap()),
    ]
}

fn issued(place: &Place) -> usize {
    let audit = place.server.audit();
    let tokens = audit
        .iter()
        .filter(|event| event["action"] == "authenticate/token");
    tokens.filter(|event| event["outcome"] == "success").count()
}

fn clients_call_the_service(place: &Place, service: &WsgiService) {
    let before = issued(place);
    for (name, output) in clients(place, service) {
        let said = done(&output);
        assert!(said.contains(&place.ci.project_id), "{name}: {said}");
        assert!(
            said.contains("\"HTTP_X_IDENTITY_STATUS\": \"Confirmed\""),
            "{name}: {said}"
        );
    }
    // The second request of client.py goes with the token of the first.
    assert_eq!(issued(place), before + 3);

    // With another machine's certificate none of them gets anything, and each says so.
    let (own, other) = (
        place.machine().join("ci.pem"),
        place.machine().join("exporter.pem"),
    );
    let (key, other_key) = (own.with_extension("key"), other.with_extension("key"));
    let kept = [fs::read(&own).unwrap(), fs::read(&key).unwrap()];
    fs::copy(&other, &own).unwrap();
    fs::copy(&other_key, &key).unwrap();
    for (name, output) in clients(place, service) {
        assert!(!output.status.success(), "{name}");
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(said.contains("401"), "{name}: {said}");
    }
    assert_eq!(place.rule().as_deref(), Some("other_certificate"));
    fs::write(&own, &kept[0]).unwrap();
    fs::write(&key, &kept[1]).unwrap();
}

fn call(place: &Place, service: &WsgiService, certificate: &TestCertificate, token: &str) -> Answer {
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str())];
    let url = format!("{}/v2.1/servers", service.url());
    place.https(Some(certificate)).get(&url, &headers).unwrap()
}

fn a_certificate_is_rotated(place: &Place, service: &WsgiService) {
    let old = place.certificate("ci");
    let token = place.token(&place.url("/token"), &old);
    let home = place.home.path().join("ca").to_string_lossy().into_owned();
    let etc = place.server.setup().path("").to_string_lossy().into_owned();
    let issuer = place.issuer();
    let environment = [
        ("CA", home.as_str()),
        ("ISSUER", &issuer),
        ("SEALSTONE_ETC", &etc),
    ];
    let _said = done(&script("rotate.sh", &place.machine(), &environment));

    let new = place.certificate("ci");
    assert_ne!(old.thumbprint(), new.thumbprint());
    assert_ne!(old.key_pem(), new.key_pem());
    for (name, output) in clients(place, service) {
        assert!(done(&output).contains(&place.ci.project_id), "{name}");
    }
    // A program that has not been restarted goes on with what it has; nothing is mixed.
    assert_eq!(call(place, service, &old, &token).status, 200);
    assert_eq!(call(place, service, &new, &token).status, 401);
    let fresh = place.token(&place.url("/token"), &new);
    assert_eq!(claims(&fresh)["cnf"]["x5t#S256"], *new.thumbprint());
    assert_eq!(claims(&fresh)["sub"], claims(&token)["sub"]);

    let _said = done(&script("rotate-end.sh", &place.machine(), &environment));
    assert!(!place.machine().join("ci-old.key").exists());
    soon("the old certificate is revoked", || {
        let answer = place
            .https(Some(&old))
            .post(&place.url("/token"), &[], &FORM)
            .unwrap();
        answer.status == 401
    });
    assert_eq!(
        place.rule().as_deref(),
        Some("untrusted_certificate/certificate_revoked")
    );
    let _fresh = place.token(&place.url("/token"), &new);
}

/// `mint-key.sh` once more: both keys are believed until the last token of the old one has ended.
fn the_minting_key_is_rotated(place: &mut Place) {
    let own = place.certificate("ci");
    let before = place.token(&place.os_oauth2(), &own);
    let old: Vec<_> = ours(&place.lab).collect();
    assert_eq!(old.len(), 1, "{old:?}");
    // Two keys of one second would have one name.
    soon("another second", || !old[0].to_string_lossy().contains(&second()));
    let new = mint_key(place.server.setup(), &place.lab);
    place.server.restart(|_| ());
    let after = place.token(&place.os_oauth2(), &own);
    assert!(place.lab.validated(&before).is_some() && place.lab.validated(&after).is_some());
    fs::remove_file(&old[0]).unwrap();
    assert!(place.lab.validated(&before).is_none(), "its key is gone");
    assert!(place.lab.validated(&after).is_some());
    assert_eq!(ours(&place.lab).collect::<Vec<_>>(), [new]);
}

fn second() -> String {
    let output = std::process::Command::new("date")
        .args(["-u", "+%Y%m%d%H%M%S"])
        .output();
    done(&output.unwrap()).trim().to_owned()
}

/// The keys of ours that Keystone believes.
fn ours(lab: &sealstone_interop::KeystoneLab) -> impl Iterator<Item = std::path::PathBuf> {
    let files = fs::read_dir(public_keys(lab)).unwrap();
    let paths = files.map(|entry| fs::canonicalize(entry.unwrap().path()).unwrap());
    paths.filter(|path| {
        path.file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with("sealstone-")
    })
}

fn there_is_a_way_back(place: &Place) {
    let own = place.certificate("ci");
    let minted = place.token(&place.os_oauth2(), &own);
    let config = place
        .server
        .setup()
        .path("sealstoned.toml")
        .to_string_lossy()
        .into_owned();
    let public = public_keys(&place.lab);
    let environment = [("CONFIG", config.as_str()), ("PUBLIC", &public)];
    let _said = done(&script("rollback.sh", place.home.path(), &environment));
    soon("nobody gets a token", || {
        let answer = place
            .https(Some(&own))
            .post(&place.url("/token"), &[], &FORM)
            .unwrap();
        answer.status == 401
    });
    assert_eq!(place.rule().as_deref(), Some("disabled_client"));
    assert_eq!(ours(&place.lab).count(), 0);
    assert!(place.lab.validated(&minted).is_none());
    // What the machines had before is as it was.
    let ci = &place.ci;
    let _token = place
        .lab
        .password_token(&ci.user_id, &ci.password, &ci.project_id);

    // And back again: `exporter` needs no key of ours.
    let enabled = place.server.setup().sealstone(&["client", "enable", "exporter"]);
    assert!(enabled.status.success(), "{enabled:?}");
    let form = [FORM[0], ("client_id", "exporter"), FORM[2]];
    let exporter = place.certificate("exporter");
    soon("it gets tokens again", || {
        let answer = place
            .https(Some(&exporter))
            .post(&place.url("/token"), &[], &form)
            .unwrap();
        answer.status == 200
    });
}
