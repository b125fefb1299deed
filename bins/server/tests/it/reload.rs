//! Certificates, authorities, lists and the audit file, replaced while the server runs.

use crate::harness::{Ask, GRANT, INTROSPECT, Refusal, TOKEN, World, secret};
use sealstone_testkit::{CrlSpec, TestCa, TestCertificate};
use serde_json::json;
use std::fs;

fn install(world: &World, server: &TestCertificate) {
    world.setup.write("server.pem", server.chain_pem());
    world.setup.write_private("server.key", server.key_pem());
}

async fn world() -> World {
    let world = World::start().await;
    world.register("basic", json!({})).await;
    world
}

fn ask() -> Ask {
    Ask::post(TOKEN).basic("basic", &secret("basic")).form(GRANT)
}

#[tokio::test]
async fn server_certificate_on_hangup() {
    let world = world().await;
    let mut kept = world.https().connect(world.public).await.unwrap();
    kept.send(ask()).await.token();
    let renewed = world.setup.server_ca.server();
    assert_ne!(kept.server, renewed.certificate_der());
    install(&world, &renewed);
    assert!(world.reload().await);
    for to in [world.public, world.mtls] {
        let mut fresh = world.https().connect(to).await.unwrap();
        assert_eq!(fresh.server, renewed.certificate_der());
        fresh.send(ask()).await.token();
    }
    // What stood before stands on.
    kept.send(ask()).await.token();
    world.end().await;
}

#[tokio::test]
async fn client_authority_on_hangup() {
    let world = world().await;
    world
        .register_tls("ci", "tls_client_auth_subject_dn", "CN=ci")
        .await;
    let (old, next) = (world.setup.ca.clone(), TestCa::new("Next Clients"));
    let (by_old, by_next) = (old.client("ci"), next.client("ci"));
    let untrusted = Refusal::client("untrusted_certificate");
    world.accepts("ci", &by_old).await;
    world.refuses(&world.holder(&by_next), "ci", untrusted).await;
    let mut kept_old = world.holder(&by_old).connect(world.mtls).await.unwrap();
    let mut kept_next = world.holder(&by_next).connect(world.mtls).await.unwrap();
    kept_old.send(world.token_ask("ci")).await.token();
    kept_next
        .send(world.token_ask("ci"))
        .await
        .is_refused(401, "invalid_client");

    world.setup.trust(&[&old, &next]);
    assert!(world.reload().await);
    world.accepts("ci", &by_old).await;
    world.accepts("ci", &by_next).await;

    world.setup.trust(&[&next]);
    assert!(world.reload().await);
    world.accepts("ci", &by_next).await;
    world.refuses(&world.holder(&by_old), "ci", untrusted).await;
    // On connections that stand, too.
    kept_next.send(world.token_ask("ci")).await.token();
    let answer = kept_old.send(world.token_ask("ci")).await;
    world.is_refusal(&answer, "ci", untrusted);
    world.end().await;
}

/// Nobody says anything: the files have changed.
#[tokio::test]
async fn changed_files_are_noticed() {
    let ca = TestCa::new("Clients");
    let ci = ca.client("ci");
    let empty = ca.crl(&CrlSpec::new(1));
    let world = World::with(|setup| {
        setup.trust(&[&ca]);
        setup.revocation_lists(&[&empty]);
    })
    .await;
    world
        .register_tls("ci", "tls_client_auth_subject_dn", "CN=ci")
        .await;
    world.accepts("ci", &ci).await;
    let mut kept = world.holder(&ci).connect(world.mtls).await.unwrap();
    kept.send(world.token_ask("ci")).await.token();
    let line = world.process.log_length();
    let list = ca.crl(&CrlSpec::new(2).revoke(&ci));
    world.setup.write("clients.crl", list.pem());
    assert!(world.reloaded_from(line).await);
    let answer = kept.send(world.token_ask("ci")).await;
    world.is_refusal(
        &answer,
        "ci",
        Refusal::client("untrusted_certificate/certificate_revoked"),
    );
    world.end().await;
}

#[tokio::test]
async fn broken_files_change_nothing() {
    let ca = TestCa::new("Clients");
    let ci = ca.client("ci");
    let empty = ca.crl(&CrlSpec::new(1)).pem();
    let world = World::with(|setup| {
        setup.trust(&[&ca]);
        setup.revocation_lists(&[&ca.crl(&CrlSpec::new(1))]);
    })
    .await;
    world
        .register_tls("ci", "tls_client_auth_subject_dn", "CN=ci")
        .await;
    world.accepts("ci", &ci).await;
    let before = world.https().connect(world.mtls).await.unwrap().server;
    let files = ["server.pem", "server.key", "clients.pem", "clients.crl"];
    let good = files.map(|name| fs::read(world.setup.path(name)).unwrap());
    let mine = fs::read_to_string(world.setup.path("server.key")).unwrap();
    let other_key = world.setup.server_ca.server().key_pem();
    for (name, broken) in [
        ("server.pem", String::new()),
        ("server.pem", "no certificate".to_owned()),
        ("server.pem", mine),
        ("server.key", other_key),
        ("server.key", "-----BEGIN PRIVATE KEY-----\nMIG".to_owned()),
        ("clients.pem", String::new()),
        (
            "clients.pem",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned(),
        ),
        ("clients.pem", ci.pem()),
        ("clients.crl", empty[..empty.len() / 2].to_owned()),
        ("clients.crl", empty.replace('M', "N")),
    ] {
        let line = world.process.log_length();
        world.setup.write_private(name, &broken);
        assert!(!world.reload().await, "{name}: {broken}");
        let said = |log: &str| log.contains("reload refused").then(|| log.to_owned());
        let said = world.process.logged_from(line, said).await;
        assert!(
            said.contains("\"ERROR\"") && said.contains(name),
            "{name}: {said}"
        );
        let now = world.https().connect(world.mtls).await.unwrap().server;
        assert_eq!(now, before);
        world.accepts("ci", &ci).await;
        for (name, text) in files.iter().zip(&good) {
            world.setup.write_private(name, text);
        }
        assert!(world.reload().await);
    }
    world.end().await;
}

/// A log rotation has moved the audit file away.
#[tokio::test]
async fn audit_file_is_opened_anew() {
    let world = world().await;
    let refused = || async {
        let ask = Ask::post(INTROSPECT).basic("basic", "wrong").form("token=x");
        world.https().send(world.public, ask).await
    };
    let (path, moved) = (world.setup.path("audit.jsonl"), world.setup.path("audit.1"));
    let lines = |path| {
        fs::read_to_string(path)
            .unwrap()
            .matches("evaluate/token")
            .count()
    };
    let before = lines(&path);
    refused().await;
    fs::rename(&path, &moved).unwrap();
    refused().await;
    assert_eq!(lines(&moved), before + 2);
    assert!(world.reload().await);
    refused().await;
    assert_eq!((lines(&moved), lines(&path)), (before + 2, 1));
    world.end().await;
}

/// SIGTERM: what is under way is finished, and then it ends with status 0.
#[tokio::test]
async fn an_orderly_end() {
    let mut world = world().await;
    let mut idle = world.https().connect(world.public).await.unwrap();
    idle.send(ask()).await.token();
    crate::harness::signal(world.process.id(), "TERM");
    let status = world.process.ended().await;
    assert!(status.success(), "{status}");
    assert!(idle.try_send(ask()).await.is_err());
    world.start_again().await;
    world.https().send(world.public, ask()).await.token();
    world.end().await;
}
