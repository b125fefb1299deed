//! Keys and revocations as they age, rotate and get lost. Rows of group S among them.

use std::time::Duration;

use crate::support::{
    Answer, FakeSource, ISSUER, IssuerKey, World, accepted, claims, invalid_token, refused,
};
use sealstone_jose::JwkSet;
use sealstone_resource::{Freshness, ResourceLayer};
use serde_json::json;

const UNAVAILABLE: &str = "temporarily_unavailable";

impl World {
    /// A new token of the client gets through now.
    async fn works(&self, layer: &ResourceLayer) {
        accepted(layer, self.request(&self.token())).await;
    }

    /// Lets a renewal that a request began in the background end.
    async fn settle(&self) {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }

    fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

#[tokio::test]
async fn s01_a_retired_key() {
    let mut world = World::new();
    let layer = world.layer();
    world.works(&layer).await;
    let retired = std::mem::replace(&mut world.key, IssuerKey::new("k2"));
    world.source.publish(&[&world.key]);
    // While the set is fresh the old key still counts; the first request after that begins the renewal.
    let old = || retired.access_token(&world.claims());
    accepted(&layer, world.request(&old())).await;
    world.advance(300);
    accepted(&layer, world.request(&old())).await;
    world.settle().await;
    invalid_token(&layer, world.request(&old())).await;
    world.works(&layer).await;
}

#[tokio::test]
async fn s02_a_revoked_key_inside_the_life_of_the_cached_set() {
    let world = World::new();
    let layer = world.layer();
    let token = world.token();
    let without_kid = json!({"alg": "ES256", "typ": "at+jwt"});
    let without_kid = world.key.token_with_header(&without_kid, &world.claims());
    accepted(&layer, world.request(&token)).await;
    // Nobody could tell whether the key of this one was revoked: it is never accepted.
    invalid_token(&layer, world.request(&without_kid)).await;

    // Revoked, and still in the key set that is cached and even published.
    world.source.revoke(world.clock.seconds(), &["k1"], &[]);
    world.advance(10);
    let answered = invalid_token(&layer, world.request(&token)).await;
    assert!(answered.authenticate().contains("revoked"));
    // The thief signs on, with and without naming the key.
    invalid_token(&layer, world.request(&world.token())).await;
    invalid_token(&layer, world.request(&without_kid)).await;
    invalid_token(&layer, world.request(&without_kid)).await;
}

#[tokio::test]
async fn s02_a_successor_takes_over_at_once() {
    let mut world = World::new();
    let layer = world.layer();
    world.works(&layer).await;
    world.advance(10);
    world.source.revoke(world.clock.seconds(), &["k1"], &[]);
    world.key = IssuerKey::new("k2");
    world.source.publish(&[&world.key]);
    world.works(&layer).await;
    assert_eq!(
        world.source.count(&FakeSource::jwks()),
        2,
        "fetched again for the unknown kid"
    );
}

#[tokio::test]
async fn a_revoked_token_is_refused_after_the_interval_at_the_latest() {
    // After 10 s, or after a night, the first request waits for the revocations.
    for idle in [10, 800] {
        let world = World::new();
        let layer = world.layer();
        let token = world.token();
        accepted(&layer, world.request(&token)).await;
        world.source.revoke(world.clock.seconds(), &[], &["token-1"]);
        world.advance(idle);
        invalid_token(&layer, world.request(&token)).await;
        let mut other = world.claims();
        other["jti"] = json!("token-2");
        accepted(&layer, world.request(&world.key.access_token(&other))).await;
    }
}

#[tokio::test]
async fn o14_a_client_that_ended_and_came_back_in_one_second() {
    let world = World::new();
    let (layer, now) = (world.layer(), world.clock.seconds());
    let of = |version: Option<u64>| {
        let mut claims = world.claims();
        claims["client_version"] = json!(version);
        world.key.access_token(&claims)
    };
    for version in [None, Some(1), Some(3)] {
        accepted(&layer, world.request(&of(version))).await;
    }
    let client = world.claims()["client_id"].clone();
    let document = |version: Option<u64>| {
        let mut end = json!({"client_id": client, "until": now + 1, "exp": now + 3_600});
        if let Some(version) = version {
            end["version"] = json!(version);
        }
        json!({"iss": ISSUER, "iat": now, "exp": now + 600, "revoked_keys": [], "revoked_tokens": [],
            "ended_clients": [end]})
    };
    world
        .source
        .answer_json(&FakeSource::revocation(), &document(Some(2)));
    world.advance(10);
    for version in [None, Some(1)] {
        let claims = world.claims();
        assert!(
            claims["iat"].as_u64().unwrap() < now + 20,
            "within what clocks differ by"
        );
        invalid_token(&layer, world.request(&of(version))).await;
    }
    for version in [2, 3] {
        accepted(&layer, world.request(&of(Some(version)))).await;
    }
    // As a node of the version before says it: by the second alone.
    world
        .source
        .answer_json(&FakeSource::revocation(), &document(None));
    world.advance(10);
    let old = |iat: u64| {
        let mut claims = world.claims();
        (claims["iat"], claims["nbf"], claims["client_version"]) = (json!(iat), json!(iat), json!(9));
        world.key.access_token(&claims)
    };
    invalid_token(&layer, world.request(&old(now + 1))).await;
    accepted(&layer, world.request(&old(now + 2))).await;
}

#[tokio::test]
async fn revocations_are_renewed_before_anybody_waits() {
    let world = World::new();
    let layer = world.layer();
    let token = world.token();
    accepted(&layer, world.request(&token)).await;
    world.source.revoke(world.clock.seconds(), &[], &["token-1"]);
    world.advance(7);
    accepted(&layer, world.request(&token)).await;
    world.settle().await;
    accepted(&layer, world.request(&token)).await;
    world.advance(1);
    accepted(&layer, world.request(&token)).await;
    world.settle().await;
    invalid_token(&layer, world.request(&token)).await;
    assert_eq!(world.source.count(&FakeSource::revocation()), 2);
}

#[tokio::test]
async fn s03_a_key_published_before_its_use_is_known_without_a_fetch() {
    let mut world = World::new();
    let next = IssuerKey::new("k2");
    world.source.publish(&[&world.key, &next]);
    let layer = world.layer();
    world.works(&layer).await;
    world.key = next;
    world.works(&layer).await;
    assert_eq!(world.source.count(&FakeSource::jwks()), 1);
}

#[tokio::test]
async fn s04_clocks_apart_within_the_documented_skew() {
    let world = World::new();
    let layer = world.layer();
    world.works(&layer).await;
    let at = |seconds| {
        world
            .key
            .access_token(&claims(seconds, Some(&world.client.thumbprint())))
    };
    // The issuer's clock is ahead of ours by a minute; then by more; then behind by five.
    accepted(&layer, world.request(&at(world.clock.seconds() + 60))).await;
    invalid_token(&layer, world.request(&at(world.clock.seconds() + 61))).await;
    accepted(&layer, world.request(&at(world.clock.seconds() - 300))).await;
    // Its revocations are dated by its own clock: no difference matters.
    for made in [world.clock.seconds() - 300, world.clock.seconds() + 300] {
        let document =
            json!({"iss": ISSUER, "iat": made, "exp": made + 60, "revoked_keys": [], "revoked_tokens": []});
        world.source.answer_json(&FakeSource::revocation(), &document);
        world.works(&world.layer()).await;
    }
}

#[tokio::test]
async fn an_unreachable_issuer_is_survived_for_the_stated_time_and_no_longer() {
    let world = World::new();
    let layer = world.layer();
    world.works(&layer).await;
    world.source.all(&Answer::Away);
    for _ in 0..35 {
        world.advance(100);
        world.works(&layer).await;
    }
    world.advance(100);
    refused(&layer, world.request(&world.token()), 503, UNAVAILABLE).await;
    assert!(!layer.is_ready().await);

    world.source.publish(&[&world.key]);
    world.source.revoke(world.clock.seconds(), &[], &[]);
    world.advance(10);
    world.works(&layer).await;
    assert!(layer.is_ready().await);
}

#[tokio::test]
async fn lost_revocations_alone_fail_closed() {
    let world = World::new();
    let freshness = Freshness {
        max_staleness: Duration::from_secs(600),
        ..Freshness::default()
    };
    let layer = world.layer_of(world.config().with_freshness(freshness));
    world.works(&layer).await;
    world
        .source
        .answer(&FakeSource::revocation(), Answer::Status(500));
    world.advance(599);
    world.works(&layer).await;
    world.advance(1);
    refused(&layer, world.request(&world.token()), 503, UNAVAILABLE).await;

    // And from the start; unless nobody wants them.
    refused(&world.layer(), world.request(&world.token()), 503, UNAVAILABLE).await;
    world
        .works(&world.layer_of(world.config().dangerous_ignore_revocations()))
        .await;
}

#[tokio::test]
async fn revocations_are_used_no_longer_than_they_say() {
    let world = World::new();
    let now = world.clock.seconds();
    let document =
        json!({"iss": ISSUER, "iat": now, "exp": now + 60, "revoked_keys": [], "revoked_tokens": []});
    world.source.answer_json(&FakeSource::revocation(), &document);
    let layer = world.layer();
    world.works(&layer).await;
    world.source.answer(&FakeSource::revocation(), Answer::Away);
    world.advance(59);
    world.works(&layer).await;
    world.advance(1);
    refused(&layer, world.request(&world.token()), 503, UNAVAILABLE).await;
}

#[tokio::test]
async fn revocations_that_are_not_the_issuers_or_not_strict() {
    let good = json!({"iss": ISSUER, "iat": 1, "revoked_keys": [], "revoked_tokens": []});
    let mut other = good.clone();
    other["iss"] = json!("https://id.example/v4/oauth2/other");
    let mut ended = good.clone();
    ended["exp"] = json!(1);
    let mut bare = good.clone();
    bare.as_object_mut().unwrap().remove("revoked_keys");
    let twice = good
        .to_string()
        .replace("\"iat\":1", "\"iat\":1,\"revoked_keys\":[]");
    for wrong in [
        other.to_string(),
        ended.to_string(),
        bare.to_string(),
        twice,
        "[]".into(),
        String::new(),
    ] {
        let world = World::new();
        world.source.answer_json(&FakeSource::revocation(), &good);
        world.works(&world.layer()).await;
        world.source.answer(
            &FakeSource::revocation(),
            Answer::Body(wrong.clone().into_bytes(), None),
        );
        refused(&world.layer(), world.request(&world.token()), 503, UNAVAILABLE).await;
    }
}

#[tokio::test]
async fn many_first_requests_fetch_once() {
    let world = World::new();
    let layer = world.layer();
    let all = (0..200).map(|_| world.works(&layer));
    futures_util::future::join_all(all).await;
    let mut asked = world.source.asked();
    asked.sort();
    assert_eq!(
        asked,
        [
            FakeSource::metadata(),
            FakeSource::jwks(),
            FakeSource::revocation()
        ]
    );
}

#[tokio::test]
async fn a_request_that_is_given_up_does_not_stop_the_fetch() {
    let world = World::new();
    let layer = world.layer();
    {
        let first = layer.is_ready();
        futures_util::pin_mut!(first);
        assert!(futures_util::poll!(first).is_pending());
    }
    world.settle().await;
    assert_eq!(world.source.count(&FakeSource::jwks()), 1);
    world.works(&layer).await;
    assert_eq!(world.source.count(&FakeSource::jwks()), 1);
}

#[tokio::test]
async fn cache_control_shortens_the_life_of_the_set_and_never_below_the_pause() {
    for (max_age, idle) in [(60, 59), (0, 9), (86_400, 299)] {
        let world = World::new();
        let set = JwkSet::new(vec![world.key.public_jwk().clone()])
            .unwrap()
            .to_json();
        let age = Some(Duration::from_secs(max_age));
        world
            .source
            .answer(&FakeSource::jwks(), Answer::Body(set.into_bytes(), age));
        let layer = world.layer();
        world.works(&layer).await;
        world.advance(idle);
        world.works(&layer).await;
        world.settle().await;
        assert_eq!(world.source.count(&FakeSource::jwks()), 1, "max-age={max_age}");
        world.advance(1);
        world.works(&layer).await;
        world.settle().await;
        assert_eq!(world.source.count(&FakeSource::jwks()), 2, "max-age={max_age}");
    }
}

#[tokio::test]
async fn metadata_is_found_at_either_well_known_place() {
    let world = World::new();
    world.source.answer(&FakeSource::metadata(), Answer::Status(404));
    refused(&world.layer(), world.request(&world.token()), 503, UNAVAILABLE).await;
    let other = "https://id.example/.well-known/oauth-authorization-server/v4/oauth2/demo";
    world
        .source
        .answer_json(other, &json!({"issuer": ISSUER, "jwks_uri": FakeSource::jwks()}));
    world.works(&world.layer()).await;
}

#[tokio::test]
async fn a_key_set_that_moved_is_found_again() {
    let world = World::new();
    let layer = world.layer();
    world.works(&layer).await;
    let moved = format!("{ISSUER}/keys");
    let set = JwkSet::new(vec![world.key.public_jwk().clone()])
        .unwrap()
        .to_json();
    world.source.answer(&moved, Answer::Body(set.into_bytes(), None));
    world.source.answer(&FakeSource::jwks(), Answer::Status(404));
    world.source.answer_json(
        &FakeSource::metadata(),
        &json!({"issuer": ISSUER, "jwks_uri": moved}),
    );
    for _ in 0..2 {
        world.advance(300);
        world.works(&layer).await;
        world.settle().await;
    }
    assert_eq!(world.source.count(&moved), 1);
}

#[tokio::test]
async fn a_set_with_a_secret_in_it_is_not_used() {
    let world = World::new();
    world.works(&world.layer()).await;
    let set = json!({"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "k1"}]});
    world.source.answer_json(&FakeSource::jwks(), &set);
    refused(&world.layer(), world.request(&world.token()), 503, UNAVAILABLE).await;
}

#[tokio::test]
async fn a_clock_that_is_put_back_asks_again() {
    let world = World::new();
    let layer = world.layer();
    world.works(&layer).await;
    world
        .clock
        .set(sealstone_testkit::unix_time(world.clock.seconds() - 86_400));
    world.works(&layer).await;
    world.settle().await;
    assert_eq!(world.source.count(&FakeSource::jwks()), 2);
    assert_eq!(world.source.count(&FakeSource::revocation()), 2);
}

#[test]
fn without_a_runtime_there_is_an_answer_too() {
    let world = World::new();
    let request = world.request(&world.token());
    let layer = world.layer();
    futures_util::FutureExt::now_or_never(refused(&layer, request, 503, UNAVAILABLE)).unwrap();
}
