//! Group D at the token endpoint: who may be a client, by certificate. What a bound token is worth at a resource
//! (D32 to D37) is tested in the `resource` crate.

mod authorities;
mod names;
mod revocation;
mod standing;

use crate::harness::{Ask, GRANT, Refusal, TOKEN, World, claims, secret};
use sealstone_testkit::{CertificateSpec, TestCa, TestCertificate};
use serde_json::{Value, json};

const NO_CERTIFICATE: Refusal = Refusal::client("no_certificate");
const UNTRUSTED: Refusal = Refusal::client("untrusted_certificate");
const OTHER: Refusal = Refusal::client("other_certificate");
const OUT_OF_DATE: Refusal = Refusal::client("certificate_out_of_date");

/// A world with the client `ci`, known as `CN=ci`, which gets tokens with the certificate given along.
async fn world() -> (World, TestCertificate) {
    let world = World::start().await;
    let ci = ready(&world).await;
    (world, ci)
}

/// Registers `ci` and shows that it gets a token.
async fn ready(world: &World) -> TestCertificate {
    world
        .register_tls("ci", "tls_client_auth_subject_dn", "CN=ci")
        .await;
    let ci = world.setup.ca.client("ci");
    world.accepts("ci", &ci).await;
    ci
}

/// The public key with a certificate of it (RFC 7517 §4.7).
fn key_with_certificate(certificate: &TestCertificate) -> Value {
    let mut key = certificate.key().public_jwk();
    key["x5c"] = json!([base64_simd::STANDARD.encode_to_string(certificate.der())]);
    key
}

#[tokio::test]
async fn d01_no_certificate_where_one_is_due() {
    let (world, ci) = world().await;
    world.refuses(&world.https(), "ci", NO_CERTIFICATE).await;
    // The other listener asks for none: what the client holds stays at home.
    for https in [world.https(), world.holder(&ci)] {
        let ask = world.token_ask("ci");
        world
            .refuses_ask(&https, world.public, ask, "ci", NO_CERTIFICATE)
            .await;
    }
    let alone = CertificateSpec::client("alone").self_signed();
    world
        .register_self_signed("alone", alone.key().public_jwk())
        .await;
    world.accepts("alone", &alone).await;
    world.refuses(&world.https(), "alone", NO_CERTIFICATE).await;
    world.end().await;
}

#[tokio::test]
async fn d02_certificate_of_another_client() {
    let (world, ci) = world().await;
    world
        .register_tls("other", "tls_client_auth_san_dns", "other.example")
        .await;
    let other = CertificateSpec::client("other").san_dns("other.example");
    let other = world.setup.ca.issue(other);
    world.accepts("other", &other).await;
    world.refuses(&world.holder(&other), "ci", OTHER).await;
    world.refuses(&world.holder(&ci), "other", OTHER).await;
    world
        .refuses(&world.holder(&ci), "nobody", Refusal::client("unknown_client"))
        .await;
    world.end().await;
}

#[tokio::test]
async fn d03_untrusted_authority() {
    let (world, ci) = world().await;
    let same = CertificateSpec::same_subject(&ci);
    for impostor in ["Impostors", "Clients"] {
        let forged = TestCa::new(impostor).issue(same.clone());
        world.refuses(&world.holder(&forged), "ci", UNTRUSTED).await;
        // With the trusted authority in the chain, too.
        let mut chain = forged.chain();
        chain.push(world.setup.ca.certificate_der());
        let https = world.https().presenting_chain(chain, &forged.private_key_der());
        world.refuses(&https, "ci", UNTRUSTED).await;
    }
    let broken = ci.with_broken_signature();
    world.refuses(&world.holder(&broken), "ci", UNTRUSTED).await;
    // The authority of the server's own certificate vouches for no client.
    let by_server_ca = world.setup.server_ca.issue(same);
    world.refuses(&world.holder(&by_server_ca), "ci", UNTRUSTED).await;
    world.end().await;
}

/// What a thief of the certificate can do without its key: the handshake fails.
#[tokio::test]
async fn d03_certificate_without_its_key() {
    let (world, ci) = world().await;
    let issued = world.issued();
    let thief = CertificateSpec::client("ci").self_signed();
    let https = world
        .https()
        .presenting_chain(ci.chain(), &thief.private_key_der());
    let answer = https.try_send(world.mtls, world.token_ask("ci")).await;
    assert!(answer.is_err(), "{answer:?}");
    assert_eq!(world.issued(), issued);
    world.accepts("ci", &ci).await;
    world.end().await;
}

#[tokio::test]
async fn d04_self_signed_where_an_authority_is_due() {
    let (world, ci) = world().await;
    for spec in [
        CertificateSpec::same_subject(&ci),
        CertificateSpec::same_subject(&ci).key(ci.key()),
        CertificateSpec::same_subject(&ci).ca(),
    ] {
        let alone = spec.self_signed();
        world.refuses(&world.holder(&alone), "ci", UNTRUSTED).await;
    }
    world.end().await;
}

#[tokio::test]
async fn d05_authority_signed_where_self_signed_is_registered() {
    let world = World::start().await;
    let alone = CertificateSpec::client("alone").self_signed();
    world
        .register_self_signed("alone", alone.key().public_jwk())
        .await;
    world.accepts("alone", &alone).await;
    let signed = world.setup.ca.issue(CertificateSpec::same_subject(&alone));
    world.refuses(&world.holder(&signed), "alone", OTHER).await;
    let other = CertificateSpec::same_subject(&alone).self_signed();
    world.refuses(&world.holder(&other), "alone", OTHER).await;
    // The dates of a self-signed certificate count, though nobody vouches for it.
    for spec in [
        CertificateSpec::client("alone").not_after(crate::harness::in_seconds(-1)),
        CertificateSpec::client("alone").not_before(crate::harness::in_seconds(3600)),
    ] {
        let odd = spec.key(alone.key()).self_signed();
        world.refuses(&world.holder(&odd), "alone", OUT_OF_DATE).await;
    }
    world.end().await;
}

/// D06, the documented answer: a key registered with `x5c` is that certificate; a key alone is any of its certificates.
#[tokio::test]
async fn d06_registered_key_in_another_certificate() {
    let world = World::start().await;
    let old = CertificateSpec::client("alone").self_signed();
    let renewed = CertificateSpec::same_subject(&old).key(old.key()).self_signed();
    world
        .register_self_signed("pinned", key_with_certificate(&old))
        .await;
    world.register_self_signed("keyed", old.key().public_jwk()).await;
    world.accepts("pinned", &old).await;
    world.accepts("keyed", &old).await;
    world.accepts("keyed", &renewed).await;
    world.refuses(&world.holder(&renewed), "pinned", OTHER).await;
    world.end().await;
}

#[tokio::test]
async fn d30_two_members_registered() {
    let world = World::start().await;
    let two = json!({
        "token_endpoint_auth_method": "tls_client_auth",
        "tls_client_auth_subject_dn": "CN=two",
        "tls_client_auth_san_dns": "two.example",
    });
    let refused = world.try_register("two", two).await.unwrap_err();
    assert_eq!(
        refused.code(),
        sealstone_oauth_types::ErrorCode::InvalidClientMetadata
    );
    let both = CertificateSpec::client("two").san_dns("two.example");
    let both = world.setup.ca.issue(both);
    for (id, member, value) in [
        ("one", "tls_client_auth_subject_dn", "CN=two"),
        ("other", "tls_client_auth_san_dns", "two.example"),
    ] {
        world.register_tls(id, member, value).await;
        world.accepts(id, &both).await;
    }
    world
        .refuses(&world.holder(&both), "two", Refusal::client("unknown_client"))
        .await;
    world.end().await;
}

/// D38: there are no refresh tokens to be bound, and none is made.
#[tokio::test]
async fn d38_refresh_is_not_offered() {
    let (world, ci) = world().await;
    let answer = world.holder(&ci).send(world.mtls, world.token_ask("ci")).await;
    assert!(answer.json().get("refresh_token").is_none(), "{answer:?}");
    let body = "grant_type=refresh_token&refresh_token=abc&client_id=ci";
    let want = Refusal::new(400, "unsupported_grant_type", "unsupported_grant_type");
    for certificate in [&ci, &world.setup.ca.client("ci")] {
        let ask = Ask::post(TOKEN).form(body);
        world
            .refuses_ask(&world.holder(certificate), world.mtls, ask, "ci", want)
            .await;
    }
    world.end().await;
}

#[tokio::test]
async fn d39_bound_tokens_asked_for_and_none_presented() {
    let world = World::start().await;
    world
        .register(
            "both",
            json!({"tls_client_certificate_bound_access_tokens": true}),
        )
        .await;
    world.register("bearer", json!({})).await;
    let any = CertificateSpec::client("any").self_signed();
    let ask = |id: &str| Ask::post(TOKEN).basic(id, &secret(id)).form(GRANT);
    let bound = world.holder(&any).send(world.mtls, ask("both")).await.token();
    assert_eq!(claims(&bound)["cnf"]["x5t#S256"], any.thumbprint());
    let bearer = world.https().send(world.public, ask("bearer")).await.token();
    assert_eq!(claims(&bearer)["cnf"], Value::Null);
    let want = Refusal::new(400, "invalid_request", "binding_impossible");
    for to in [world.public, world.mtls] {
        world
            .refuses_ask(&world.https(), to, ask("both"), "both", want)
            .await;
    }
    // Where nobody asks for it, a certificate is not presented.
    world
        .refuses_ask(&world.holder(&any), world.public, ask("both"), "both", want)
        .await;
    // The certificate does not stand in for the secret.
    let wrong = Ask::post(TOKEN).basic("both", "wrong").form(GRANT);
    world
        .refuses_ask(
            &world.holder(&any),
            world.mtls,
            wrong,
            "both",
            Refusal::client("wrong_secret"),
        )
        .await;
    world.end().await;
}
