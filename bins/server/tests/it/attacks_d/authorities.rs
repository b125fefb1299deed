//! Chains, dates and purposes.

use super::{UNTRUSTED, ready, world};
use crate::harness::{Refusal, World, in_seconds};
use sealstone_testkit::{CaSpec, CertificateSpec, ExtendedKeyUsage, KeyKind, TestCa};

#[tokio::test]
async fn d07_expired() {
    let (world, _) = world().await;
    let spec = CertificateSpec::client("ci");
    let expired = world.setup.ca.issue(spec.not_after(in_seconds(-1)));
    world
        .refuses(
            &world.holder(&expired),
            "ci",
            Refusal::client("untrusted_certificate/certificate_expired"),
        )
        .await;
    world.end().await;
}

#[tokio::test]
async fn d08_not_yet_valid() {
    let (world, _) = world().await;
    let spec = CertificateSpec::client("ci");
    let early = world.setup.ca.issue(spec.not_before(in_seconds(3600)));
    world
        .refuses(
            &world.holder(&early),
            "ci",
            Refusal::client("untrusted_certificate/certificate_not_yet_valid"),
        )
        .await;
    world.end().await;
}

#[tokio::test]
async fn d09_for_servers_only() {
    let (world, _) = world().await;
    for usages in [
        &[ExtendedKeyUsage::ServerAuth][..],
        &[ExtendedKeyUsage::CodeSigning],
        &[ExtendedKeyUsage::ServerAuth, ExtendedKeyUsage::CodeSigning],
    ] {
        let odd = world.setup.ca.issue(CertificateSpec::client("ci").usages(usages));
        world
            .refuses(
                &world.holder(&odd),
                "ci",
                Refusal::client("untrusted_certificate/not_for_clients"),
            )
            .await;
    }
    let both = [ExtendedKeyUsage::ServerAuth, ExtendedKeyUsage::ClientAuth];
    let both = CertificateSpec::client("ci").usages(&both);
    world.accepts("ci", &world.setup.ca.issue(both)).await;
    world.end().await;
}

/// D10, the documented answers: without the extension accepted, `anyExtendedKeyUsage` alone refused.
#[tokio::test]
async fn d10_no_or_any_extended_key_usage() {
    let (world, _) = world().await;
    let without = CertificateSpec::client("ci").no_usages();
    world.accepts("ci", &world.setup.ca.issue(without)).await;
    let any = CertificateSpec::client("ci").usages(&[ExtendedKeyUsage::Any]);
    let any = world.setup.ca.issue(any);
    world.refuses(&world.holder(&any), "ci", UNTRUSTED).await;
    world.end().await;
}

#[tokio::test]
async fn d11_authority_as_client() {
    let (world, _) = world().await;
    let authority = world.setup.ca.issue(CertificateSpec::client("ci").ca());
    world.refuses(&world.holder(&authority), "ci", UNTRUSTED).await;
    // The trusted root itself.
    world
        .register_tls("root", "tls_client_auth_subject_dn", "CN=Clients")
        .await;
    let root = world.https().presenting_authority(&world.setup.ca);
    world.refuses(&root, "root", UNTRUSTED).await;
    world.end().await;
}

#[tokio::test]
async fn d12_leaf_signed_by_a_leaf() {
    let (world, ci) = world().await;
    let forged = TestCa::from_leaf(&ci).client("ci");
    world.refuses(&world.holder(&forged), "ci", UNTRUSTED).await;
    let no_authority = CaSpec::new("Nobody").not_a_ca();
    let forged = world.setup.ca.intermediate_with(no_authority).client("ci");
    world.refuses(&world.holder(&forged), "ci", UNTRUSTED).await;
    world.end().await;
}

#[tokio::test]
async fn d13_path_length() {
    let (world, _) = world().await;
    let last = world
        .setup
        .ca
        .intermediate_with(CaSpec::new("Last").path_length(0));
    world.accepts("ci", &last.client("ci")).await;
    let beyond = last.intermediate("Beyond").client("ci");
    world
        .refuses(
            &world.holder(&beyond),
            "ci",
            Refusal::client("untrusted_certificate/path_length"),
        )
        .await;
    world.end().await;
}

#[tokio::test]
async fn d14_name_constraints() {
    let (world, _) = world().await;
    world
        .register_tls("inside", "tls_client_auth_san_dns", "a.inside.example")
        .await;
    world
        .register_tls("outside", "tls_client_auth_san_dns", "a.outside.example")
        .await;
    let constrained = CaSpec::new("Constrained").permit_dns("inside.example");
    let constrained = world.setup.ca.intermediate_with(constrained);
    let named = |name: &str| constrained.issue(CertificateSpec::client("x").san_dns(name));
    world.accepts("inside", &named("a.inside.example")).await;
    let outside = named("a.outside.example");
    world.refuses(&world.holder(&outside), "outside", UNTRUSTED).await;
    world.end().await;
}

#[tokio::test]
async fn d15_expired_intermediate() {
    let (world, _) = world().await;
    let good = world.setup.ca.intermediate("Good").client("ci");
    world.accepts("ci", &good).await;
    let expired = CaSpec::new("Expired").not_after(in_seconds(-1));
    let expired = world.setup.ca.intermediate_with(expired).client("ci");
    world.refuses(&world.holder(&expired), "ci", UNTRUSTED).await;
    let early = CaSpec::new("Early").not_before(in_seconds(3600));
    let early = world.setup.ca.intermediate_with(early).client("ci");
    world.refuses(&world.holder(&early), "ci", UNTRUSTED).await;
    world.end().await;
}

/// D15, the documented answer: a trust anchor's dates count too.
#[tokio::test]
async fn d15_expired_root() {
    let expired = CaSpec::new("Old Clients").not_after(in_seconds(-1)).root();
    let old = expired.clone();
    let world = World::with(|setup| setup.trust(&[&setup.ca, &old])).await;
    ready(&world).await;
    let certificate = expired.client("ci");
    world.refuses(&world.holder(&certificate), "ci", UNTRUSTED).await;
    world.end().await;
}

#[tokio::test]
async fn d_chains_of_several_lengths_and_keys() {
    let (world, _) = world().await;
    let kinds = [KeyKind::P384, KeyKind::Ed25519, KeyKind::Rsa2048];
    let mut authority = world.setup.ca.clone();
    for kind in kinds {
        authority = authority.intermediate_with(CaSpec::new(&format!("{kind:?}")).key_kind(kind));
        let spec = CertificateSpec::client("ci").key_kind(kind);
        let certificate = authority.issue(spec);
        world.accepts("ci", &certificate).await;
        let alone = certificate.without_chain();
        world.refuses(&world.holder(&alone), "ci", UNTRUSTED).await;
        // RFC 5246 asks for the right order; whatever order comes, the path is the same.
        let mut chain = certificate.chain();
        chain[1..].reverse();
        let https = world
            .https()
            .presenting_chain(chain, &certificate.private_key_der());
        https.send(world.mtls, world.token_ask("ci")).await.token();
    }
    world.end().await;
}
