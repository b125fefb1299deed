//! Revocation lists (RFC 5280 §6.3).

use super::{UNTRUSTED, ready};
use crate::harness::{Refusal, Setup, World, in_seconds};
use sealstone_testkit::{CrlSpec, TestCa};

/// A world whose lists are made by `lists`; `ci` is registered and not yet tried.
async fn listed(lists: impl FnOnce(&mut Setup)) -> World {
    let world = World::with(lists).await;
    world
        .register_tls("ci", "tls_client_auth_subject_dn", "CN=ci")
        .await;
    world
}

#[tokio::test]
async fn d16_revoked() {
    let ca = TestCa::new("Clients");
    let (stolen, middle) = (ca.client("ci"), ca.intermediate("Middle"));
    let under = middle.client("ci");
    let (root_list, middle_list) = (
        ca.crl(&CrlSpec::new(1).revoke(&stolen)),
        middle.crl(&CrlSpec::new(1).revoke(&under)),
    );
    let world = World::with(|setup| {
        setup.trust(&[&ca]);
        setup.ca = ca.clone();
        setup.revocation_lists(&[&root_list, &middle_list]);
    })
    .await;
    ready(&world).await;
    world.accepts("ci", &middle.client("ci")).await;
    world.refuses(&world.holder(&stolen), "ci", UNTRUSTED).await;
    world.refuses(&world.holder(&under), "ci", UNTRUSTED).await;
    world.end().await;
}

#[tokio::test]
async fn d16_revoked_intermediate() {
    let ca = TestCa::new("Clients");
    let (fallen, standing) = (ca.intermediate("Fallen"), ca.intermediate("Standing"));
    let serial = {
        let leaf = fallen.client("ci");
        let above = leaf.chain()[1].clone();
        sealstone_mtls::ClientCertificate::from_der(&above)
            .unwrap()
            .serial_hex()
    };
    let octets: Vec<u8> = (0..serial.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&serial[at..at + 2], 16).unwrap())
        .collect();
    let lists = [
        ca.crl(&CrlSpec::new(1).revoke_serial(&octets, in_seconds(-60))),
        fallen.crl(&CrlSpec::new(1)),
        standing.crl(&CrlSpec::new(1)),
    ];
    let world = listed(|setup| {
        setup.trust(&[&ca]);
        setup.revocation_lists(&lists.each_ref());
    })
    .await;
    world.accepts("ci", &standing.client("ci")).await;
    let under = fallen.client("ci");
    world.refuses(&world.holder(&under), "ci", UNTRUSTED).await;
    world.end().await;
}

/// A list that is late refuses everybody, until somebody says that it shall not; what it names stays refused.
#[tokio::test]
async fn d16_list_expired() {
    let ca = TestCa::new("Clients");
    let (ci, stolen) = (ca.client("ci"), ca.client("ci"));
    let late = CrlSpec::new(1).revoke(&stolen).next_update(in_seconds(-1));
    let late = ca.crl(&late);
    for accepted in [false, true] {
        let world = listed(|setup| {
            setup.trust(&[&ca]);
            setup.revocation_lists(&[&late]);
            setup.set("tls", "dangerous_accept_expired_crl", &accepted.to_string());
        })
        .await;
        if accepted {
            world.accepts("ci", &ci).await;
        } else {
            world
                .refuses(
                    &world.holder(&ci),
                    "ci",
                    Refusal::client("untrusted_certificate/revocation_list_expired"),
                )
                .await;
            // The operator is told why, once.
            let late = |line: &str| line.contains("past its nextUpdate").then_some(());
            world.process.logged(late).await;
            let count = world.process.log().matches("past its nextUpdate").count();
            assert_eq!(count, 1);
        }
        world.refuses(&world.holder(&stolen), "ci", UNTRUSTED).await;
        world.end().await;
    }
}

#[tokio::test]
async fn d16_list_missing() {
    let (ca, other) = (TestCa::new("Clients"), TestCa::new("Others"));
    let ci = ca.client("ci");
    let list = other.crl(&CrlSpec::new(1));
    for accepted in [false, true] {
        let world = listed(|setup| {
            setup.trust(&[&ca, &other]);
            setup.revocation_lists(&[&list]);
            setup.set("tls", "dangerous_accept_missing_crl", &accepted.to_string());
        })
        .await;
        world.accepts("ci", &other.client("ci")).await;
        if accepted {
            world.accepts("ci", &ci).await;
        } else {
            world
                .refuses(
                    &world.holder(&ci),
                    "ci",
                    Refusal::client("untrusted_certificate/revocation_unknown"),
                )
                .await;
        }
        world.end().await;
    }
}

/// A list that somebody else signed in the authority's name counts for nothing, and is not passed over either.
#[tokio::test]
async fn d16_list_signed_by_another() {
    let (ca, impostor) = (TestCa::new("Clients"), TestCa::new("Clients"));
    let ci = ca.client("ci");
    let forged = ca.crl_signed_by(&CrlSpec::new(1), &impostor);
    let world = listed(|setup| {
        setup.trust(&[&ca]);
        setup.revocation_lists(&[&forged]);
    })
    .await;
    world.refuses(&world.holder(&ci), "ci", UNTRUSTED).await;
    let good = ca.crl(&CrlSpec::new(2));
    world.setup.write("clients.crl", good.pem());
    assert!(world.reload().await);
    world.accepts("ci", &ci).await;
    world.end().await;
}
