//! Group C: tokens meant for another use, from another issuer, for somebody else.

use crate::support::{ISSUER, World, accepted, invalid_token};
use serde_json::{Value, json};

async fn refuses_with(change: impl Fn(&mut Value)) {
    let world = World::new();
    let layer = world.layer();
    accepted(&layer, world.request(&world.token())).await;
    let mut claims = world.claims();
    change(&mut claims);
    invalid_token(&layer, world.request(&world.key.access_token(&claims))).await;
}

#[tokio::test]
async fn c16_id_token_as_access_token() {
    let world = World::new();
    let layer = world.layer();
    accepted(&layer, world.request(&world.token())).await;
    let mut claims = world.claims();
    claims["nonce"] = json!("n");
    claims["at_hash"] = json!("h");
    invalid_token(&layer, world.request(&world.key.token("JWT", &claims))).await;
    let header = json!({"alg": "ES256", "kid": "k1"});
    invalid_token(
        &layer,
        world.request(&world.key.token_with_header(&header, &claims)),
    )
    .await;
}

#[tokio::test]
async fn c17_another_issuer_with_the_same_key() {
    for issuer in [
        "https://id.example/v4/oauth2/other",
        &format!("{ISSUER}/"),
        "https://ID.example/v4/oauth2/demo",
        "",
    ] {
        refuses_with(|claims| claims["iss"] = json!(issuer)).await;
    }
    refuses_with(|claims| claims["iss"] = json!([ISSUER])).await;
}

#[tokio::test]
async fn c18_another_audience() {
    for audience in [
        json!("https://other.example"),
        json!("https://builds.example/"),
        json!("HTTPS://BUILDS.EXAMPLE"),
        json!("openstack-apis:demo"),
        json!(["https://a.example", "https://b.example"]),
        json!([]),
        json!(""),
        json!("https://builds.example https://other.example"),
        Value::Null,
        json!({"https://builds.example": true}),
    ] {
        refuses_with(|claims| claims["aud"] = audience.clone()).await;
    }
    let world = World::new();
    let mut claims = world.claims();
    claims["aud"] = json!(["https://other.example", "https://builds.example"]);
    accepted(&world.layer(), world.request(&world.key.access_token(&claims))).await;
}
