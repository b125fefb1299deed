//! Group D: bound tokens.

use crate::support::{World, accepted, invalid_token, request, thumbprint, with_certificate};
use sealstone_testkit::{CertificateSpec, base64url};
use serde_json::{Value, json};

/// The client with its own certificate gets through; then a token with this `cnf`, over the same connection.
async fn refuses_confirmation(confirmation: Value) {
    let world = World::new();
    let layer = world.layer();
    accepted(&layer, world.request(&world.token())).await;
    let mut claims = world.claims();
    claims["cnf"] = confirmation;
    invalid_token(&layer, world.request(&world.key.access_token(&claims))).await;
}

#[tokio::test]
async fn d32_bound_token_without_certificate() {
    let world = World::new();
    for layer in [
        world.layer(),
        world.layer_of(world.config().dangerous_accept_bearer_tokens()),
    ] {
        accepted(&layer, world.request(&world.token())).await;
        let answered = invalid_token(&layer, request(&world.token())).await;
        assert!(answered.authenticate().contains("none was presented"));
    }
}

#[tokio::test]
async fn d33_bound_token_with_another_certificate() {
    let world = World::new();
    let other = world.ca.client("other");
    let same_subject = world.ca.issue(CertificateSpec::same_subject(&world.client));
    for layer in [
        world.layer(),
        world.layer_of(world.config().dangerous_accept_bearer_tokens()),
    ] {
        accepted(&layer, world.request(&world.token())).await;
        for certificate in [&other, &same_subject] {
            let answered =
                invalid_token(&layer, with_certificate(request(&world.token()), certificate)).await;
            assert!(answered.authenticate().contains("another client certificate"));
        }
    }
}

#[tokio::test]
async fn d34_the_same_key_in_a_renewed_certificate() {
    let world = World::new();
    let layer = world.layer();
    accepted(&layer, world.request(&world.token())).await;
    let renewed = world
        .ca
        .issue(CertificateSpec::client("machine").key(world.client.key()));
    assert_ne!(thumbprint(&renewed), thumbprint(&world.client));
    invalid_token(&layer, with_certificate(request(&world.token()), &renewed)).await;
}

#[tokio::test]
async fn d35_a_confirmation_of_another_kind() {
    let jkt = base64url(&[7; 32]);
    for confirmation in [
        json!({"jkt": jkt}),
        json!({"jwk": {}}),
        json!({"kid": "k"}),
        json!({}),
        json!([]),
        json!("x"),
    ] {
        refuses_confirmation(confirmation).await;
    }
}

#[tokio::test]
async fn d36_one_member_right_and_one_not() {
    let world = World::new();
    let right = world.client.thumbprint();
    let layer = world.layer();
    accepted(&layer, world.request(&world.token())).await;
    for other in [
        json!({"jkt": base64url(&[7; 32])}),
        json!({"x5t": "a"}),
        json!({"kid": "k1"}),
    ] {
        let mut claims = world.claims();
        claims["cnf"] = other;
        claims["cnf"]["x5t#S256"] = json!(right);
        invalid_token(&layer, world.request(&world.key.access_token(&claims))).await;
    }
}

#[tokio::test]
async fn d37_forms_of_the_thumbprint() {
    let world = World::new();
    let layer = world.layer();
    accepted(&layer, world.request(&world.token())).await;
    let right = world.client.thumbprint();
    let digest = sealstone_testkit::sha256(world.client.der());
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let of_pem = base64url(&sealstone_testkit::sha256(world.client.pem().as_bytes()));
    let forms = [
        format!("{right}="),
        hex.clone(),
        hex.to_uppercase(),
        right.to_uppercase(),
        of_pem,
        base64url(&digest[..20]),
        format!(" {right}"),
        String::new(),
    ];
    for form in forms {
        let mut claims = world.claims();
        claims["cnf"] = json!({"x5t#S256": form});
        invalid_token(&layer, world.request(&world.key.access_token(&claims))).await;
    }
    let mut claims = world.claims();
    claims["cnf"] = json!({"x5t#S256": [right]});
    invalid_token(&layer, world.request(&world.key.access_token(&claims))).await;
}
