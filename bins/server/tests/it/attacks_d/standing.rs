//! What stands already: a kept connection or a resumed session excuses nothing (DESIGN §5).

use super::{OTHER, OUT_OF_DATE, UNTRUSTED, world};
use crate::harness::{Https, Refusal, World, eventually, in_seconds, is_rule};
use rustls::HandshakeKind;
use rustls::crypto::aws_lc_rs::ALL_CIPHER_SUITES;
use rustls::version::{TLS12, TLS13};
use sealstone_testkit::{CertificateSpec, CrlSpec, TestCa, TestCertificate};

/// The client in both versions; each resumes its sessions in its own way.
fn holders(world: &World, certificate: &TestCertificate) -> [Https; 2] {
    let root = world.setup.server_ca.certificate_der();
    [&TLS13, &TLS12].map(|version| Https::with(&root, ALL_CIPHER_SUITES, &[version]).presenting(certificate))
}

/// Opens sessions until one is resumed, which gets its token.
async fn resumed(world: &World, https: &Https) {
    eventually("a resumed session", || async {
        let mut connection = https.connect(world.mtls).await.unwrap();
        connection.send(world.token_ask("ci")).await.token();
        connection.kind == HandshakeKind::Resumed
    })
    .await;
}

/// The next connection resumes its session, and is refused.
async fn resumed_and_refused(world: &World, https: &Https, want: Refusal) {
    let mut connection = https.connect(world.mtls).await.unwrap();
    assert_eq!(connection.kind, HandshakeKind::Resumed);
    let answer = connection.send(world.token_ask("ci")).await;
    world.is_refusal(&answer, "ci", want);
}

#[tokio::test]
async fn d16_revoked_while_connected() {
    let ca = TestCa::new("Clients");
    let (stolen, renewed) = (ca.client("ci"), ca.client("ci"));
    let empty = ca.crl(&CrlSpec::new(1));
    let world = World::with(|setup| {
        setup.trust(&[&ca]);
        setup.revocation_lists(&[&empty]);
    })
    .await;
    world
        .register_tls("ci", "tls_client_auth_subject_dn", "CN=ci")
        .await;
    let mut kept = Vec::new();
    for https in holders(&world, &stolen) {
        resumed(&world, &https).await;
        let mut connection = https.connect(world.mtls).await.unwrap();
        connection.send(world.token_ask("ci")).await.token();
        kept.push((https, connection));
    }
    let list = ca.crl(&CrlSpec::new(2).revoke(&stolen));
    world.setup.write("clients.crl", list.pem());
    assert!(world.reload().await);
    for (https, mut connection) in kept {
        let answer = connection.send(world.token_ask("ci")).await;
        world.is_refusal(
            &answer,
            "ci",
            Refusal::client("untrusted_certificate/certificate_revoked"),
        );
        world.refuses(&https, "ci", UNTRUSTED).await;
    }
    world.accepts("ci", &renewed).await;
    world.end().await;
}

#[tokio::test]
async fn d_disabled_while_connected() {
    let (world, ci) = world().await;
    let mut kept = Vec::new();
    for https in holders(&world, &ci) {
        resumed(&world, &https).await;
        kept.push((https.clone(), https.connect(world.mtls).await.unwrap()));
    }
    world.disable("ci").await;
    world
        .comes_to_refuse(&world.holder(&ci), "ci", "disabled_client")
        .await;
    let want = Refusal::client("disabled_client");
    for (https, mut connection) in kept {
        let answer = connection.send(world.token_ask("ci")).await;
        world.is_refusal(&answer, "ci", want);
        resumed_and_refused(&world, &https, want).await;
    }
    world.end().await;
}

/// Another subject is registered: the certificate that was right is so no longer, on no connection.
#[tokio::test]
async fn d_registration_changed_while_connected() {
    let (world, ci) = world().await;
    let https = world.holder(&ci);
    resumed(&world, &https).await;
    let mut connection = https.connect(world.mtls).await.unwrap();
    world
        .change("ci", |client| {
            let mut registration = client.registration();
            registration.tls_client_auth_subject_dn = Some("CN=ci2".to_owned());
            client.updated(registration, None, crate::harness::now()).unwrap()
        })
        .await;
    world
        .comes_to_refuse(&world.holder(&ci), "ci", "other_certificate")
        .await;
    let answer = connection.send(world.token_ask("ci")).await;
    world.is_refusal(&answer, "ci", OTHER);
    resumed_and_refused(&world, &https, OTHER).await;
    world.accepts("ci", &world.setup.ca.client("ci2")).await;
    world.end().await;
}

#[tokio::test]
async fn d07_expires_while_connected() {
    let (world, _) = world().await;
    let spec = CertificateSpec::client("ci").not_after(in_seconds(4));
    let short = world.setup.ca.issue(spec);
    let https = world.holder(&short);
    let mut connection = https.connect(world.mtls).await.unwrap();
    let answer = connection.send(world.token_ask("ci")).await;
    // The token ends with its certificate.
    assert!(answer.json()["expires_in"].as_u64().unwrap() <= 4, "{answer:?}");
    answer.token();
    let connection = tokio::sync::Mutex::new(connection);
    // In its very last second the certificate is good, and a token of it would end at once.
    eventually("the end of the certificate", || async {
        let answer = connection.lock().await.send(world.token_ask("ci")).await;
        let record = &world.records(&answer)[0];
        let untrusted = is_rule(record, UNTRUSTED.rule);
        assert!(answer.status == 200 || untrusted || is_rule(record, OUT_OF_DATE.rule));
        untrusted
    })
    .await;
    let answer = connection.lock().await.send(world.token_ask("ci")).await;
    world.is_refusal(&answer, "ci", UNTRUSTED);
    resumed_and_refused(&world, &https, UNTRUSTED).await;
    world.end().await;
}
