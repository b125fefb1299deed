//! Group A: what is in the token's header.

use crate::support::{World, accepted, invalid_token};
use serde_json::json;

#[tokio::test]
async fn a33_wrong_typ() {
    let world = World::new();
    let layer = world.layer();
    accepted(&layer, world.request(&world.token())).await;
    for typ in [
        "JWT",
        "jwt",
        "logout+jwt",
        "at+jwt2",
        "xat+jwt",
        "application/jwt",
        "text/at+jwt",
    ] {
        let token = world.key.token(typ, &world.claims());
        invalid_token(&layer, world.request(&token)).await;
    }
    for header in [
        json!({"alg": "ES256", "kid": "k1"}),
        json!({"alg": "ES256", "kid": "k1", "typ": ""}),
    ] {
        let token = world.key.token_with_header(&header, &world.claims());
        invalid_token(&layer, world.request(&token)).await;
    }
}

#[tokio::test]
async fn a34_typ_in_another_case_or_in_full() {
    let world = World::new();
    let layer = world.layer();
    for typ in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/AT+JWT"] {
        let token = world.key.token(typ, &world.claims());
        accepted(&layer, world.request(&token)).await;
    }
}
