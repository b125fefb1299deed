//! Group B: key sets that a source answers with.

use std::time::Duration;

use crate::support::{Answer, FakeSource, ISSUER, IssuerKey, World, accepted, invalid_token, refused};
use sealstone_jose::JwkSet;
use serde_json::{Value, json};

const UNAVAILABLE: &str = "temporarily_unavailable";

/// A layer that has not fetched anything meets this key set: refused as ours to mend, and well again with a good one.
async fn refuses_the_set(answer: Answer) {
    let world = World::new();
    accepted(&world.layer(), world.request(&world.token())).await;

    let layer = world.layer();
    world.source.answer(&FakeSource::jwks(), answer);
    refused(&layer, world.request(&world.token()), 503, UNAVAILABLE).await;

    world.source.publish(&[&world.key]);
    world.clock.advance(Duration::from_secs(10));
    accepted(&layer, world.request(&world.token())).await;
}

#[tokio::test]
async fn b13_oversized_key_sets() {
    let world = World::new();
    let mut key: Value = serde_json::to_value(world.key.public_jwk()).unwrap();
    let many: Vec<Value> = (0..10_000)
        .map(|number| {
            key["kid"] = json!(format!("k{number}"));
            key.clone()
        })
        .collect();
    let body = |keys: &[Value]| json!({"keys": keys}).to_string().into_bytes();
    refuses_the_set(Answer::Body(body(&many), None)).await;
    // Within the octets, above the number of keys.
    refuses_the_set(Answer::Body(body(&many[..JwkSet::MAX_KEYS + 1]), None)).await;
    // A source that doesn't keep the limit is held to it.
    refuses_the_set(Answer::Body(vec![b' '; 50 * 1024 * 1024], None)).await;
}

#[tokio::test]
async fn b14_jwks_uri_to_elsewhere() {
    for jwks_uri in [
        "http://169.254.169.254/latest/meta-data/",
        "http://127.0.0.1:5432",
        "https://169.254.169.254/jwks",
        "https://127.0.0.1/jwks",
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "http://id.example/v4/oauth2/demo/jwks",
        "https://id.example.evil.example/jwks",
        "https://id.example:8443/jwks",
        "https://id.example@evil.example/jwks",
        "https://evil.example/https://id.example/jwks",
        "HTTPS://ID.EXAMPLE/jwks",
        "//id.example/jwks",
        "/jwks",
        "",
    ] {
        let world = World::new();
        accepted(&world.layer(), world.request(&world.token())).await;
        let (layer, asked) = (world.layer(), world.source.asked().len());
        world.source.answer_json(
            &FakeSource::metadata(),
            &json!({"issuer": ISSUER, "jwks_uri": jwks_uri}),
        );
        refused(&layer, world.request(&world.token()), 503, UNAVAILABLE).await;
        for url in &world.source.asked()[asked..] {
            assert!(url.starts_with(ISSUER), "{jwks_uri}: asked for {url}");
        }
    }
}

#[tokio::test]
async fn b14_metadata_of_another_issuer() {
    for issuer in [
        "https://id.example/v4/oauth2/other",
        "https://id.example/v4/oauth2/demo/",
        "https://ID.example/v4/oauth2/demo",
        "https://id.example:443/v4/oauth2/demo",
        "https://evil.example",
    ] {
        let world = World::new();
        accepted(&world.layer(), world.request(&world.token())).await;
        let metadata = json!({"issuer": issuer, "jwks_uri": FakeSource::jwks()});
        world.source.answer_json(&FakeSource::metadata(), &metadata);
        refused(&world.layer(), world.request(&world.token()), 503, UNAVAILABLE).await;
    }
}

#[tokio::test]
async fn b15_a_redirect_is_not_a_key_set() {
    for status in [301, 302, 303, 307, 308, 204, 206, 304, 401, 500] {
        refuses_the_set(Answer::Status(status)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn b16_a_source_that_never_ends() {
    let world = World::new();
    accepted(&world.layer(), world.request(&world.token())).await;

    let layer = world.layer();
    world.source.answer(&FakeSource::jwks(), Answer::Hangs);
    let began = tokio::time::Instant::now();
    refused(&layer, world.request(&world.token()), 503, UNAVAILABLE).await;
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());

    // Other clients go on: within the pause nobody waits, and a layer that has keys doesn't ask.
    let began = tokio::time::Instant::now();
    refused(&layer, world.request(&world.token()), 503, UNAVAILABLE).await;
    assert_eq!(began.elapsed(), Duration::ZERO);
    world.source.publish(&[&world.key]);
    world.clock.advance(Duration::from_secs(10));
    accepted(&layer, world.request(&world.token())).await;
}

#[tokio::test(start_paused = true)]
async fn b16_a_source_that_hangs_later_holds_nobody_up() {
    let world = World::new();
    let layer = world.layer();
    accepted(&layer, world.request(&world.token())).await;
    world.source.all(&Answer::Hangs);
    let mut waited = Duration::ZERO;
    for _ in 0..6 {
        world.clock.advance(Duration::from_secs(15));
        let began = tokio::time::Instant::now();
        accepted(&layer, world.request(&world.token())).await;
        waited += began.elapsed();
        // What was begun in the background gives up meanwhile.
        tokio::time::sleep(Duration::from_secs(6)).await;
    }
    assert!(
        waited <= Duration::from_secs(5),
        "only the first waits: {waited:?}"
    );
}

#[tokio::test]
async fn b17_a_flood_of_unknown_kids() {
    let world = World::new();
    let layer = world.layer();
    accepted(&layer, world.request(&world.token())).await;
    assert_eq!(world.source.count(&FakeSource::jwks()), 1);
    let stranger = IssuerKey::new("unknown");

    // Just fetched: nothing is asked.
    for _ in 0..100 {
        invalid_token(&layer, world.request(&stranger.access_token(&world.claims()))).await;
    }
    assert_eq!(world.source.count(&FakeSource::jwks()), 1);

    // After the pause one of a thousand is asked for, one after the other and all at once.
    world.clock.advance(Duration::from_secs(10));
    for number in 0..500 {
        let header = json!({"alg": "ES256", "typ": "at+jwt", "kid": format!("unknown-{number}")});
        let token = stranger.token_with_header(&header, &world.claims());
        invalid_token(&layer, world.request(&token)).await;
    }
    assert_eq!(world.source.count(&FakeSource::jwks()), 2);
    world.clock.advance(Duration::from_secs(10));
    let token = stranger.access_token(&world.claims());
    let all = (0..500).map(|_| invalid_token(&layer, world.request(&token)));
    futures_util::future::join_all(all).await;
    assert_eq!(world.source.count(&FakeSource::jwks()), 3);
    assert_eq!(
        world.source.count(&FakeSource::metadata()),
        1,
        "the address is known"
    );

    // Nor does it get worse while the issuer is away, and good tokens pass.
    world.source.all(&Answer::Away);
    world.clock.advance(Duration::from_secs(10));
    for _ in 0..100 {
        invalid_token(&layer, world.request(&token)).await;
        accepted(&layer, world.request(&world.token())).await;
    }
    assert_eq!(world.source.count(&FakeSource::jwks()), 4);
}
