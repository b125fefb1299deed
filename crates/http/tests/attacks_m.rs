//! Group M: introspection and revocation.

use std::num::NonZeroU32;
use std::time::Duration;

use sealstone_http::{Allowance, RateLimit};
use serde_json::json;

use crate::support::{Answer, Ask, GRANT, INTROSPECT, ISSUER, REVOKE, TOKEN, World, secret};

const INACTIVE: &str = r#"{"active":false}"#;

async fn introspect(world: &World, client: &str, token: &str) -> Answer {
    world
        .send(Ask::post(INTROSPECT).basic(client).form(format!("token={token}")))
        .await
}

async fn revoke(world: &World, client: &str, token: &str) -> Answer {
    world
        .send(Ask::post(REVOKE).basic(client).form(format!("token={token}")))
        .await
}

#[track_caller]
fn is_active(answer: &Answer) {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["active"], true, "{answer:?}");
    answer.is_clean();
}

#[track_caller]
fn is_inactive(answer: &Answer) {
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, INACTIVE));
    answer.is_clean();
}

#[tokio::test]
async fn m01_introspection_without_authentication() {
    let world = World::new().await;
    let token = world.token_of("ci").await;
    is_active(&introspect(&world, "gateway", &token).await);
    let form = format!("token={token}");
    let ask = || Ask::post(INTROSPECT).form(form.as_str());
    for ask in [
        ask(),
        ask().header("authorization", format!("Bearer {token}")),
        ask().header("authorization", "Bearer x"),
        ask().basic_with("gateway", "wrong"),
        Ask::post(INTROSPECT).form(format!("{form}&client_id=gateway")),
        Ask::post(INTROSPECT).form(format!(
            "{form}&client_id=gateway&client_secret={}",
            secret("gateway")
        )),
    ] {
        world.send(ask).await.is_refused(401, "invalid_client");
    }
}

#[tokio::test]
async fn m02_introspection_by_a_client_not_allowed() {
    let world = World::new().await;
    let token = world.token_of("ci").await;
    is_active(&introspect(&world, "gateway", &token).await);
    introspect(&world, "ci", &token)
        .await
        .is_refused(403, "insufficient_scope");
    introspect(&world, "other", "x")
        .await
        .is_refused(403, "insufficient_scope");
    introspect(&world, "foreign", &token)
        .await
        .is_refused(401, "invalid_client");
    is_inactive(&introspect(&world, "resource", &token).await);
    let own = world
        .send(
            Ask::post(TOKEN)
                .basic("ci")
                .form(format!("{GRANT}&resource=https://api.example")),
        )
        .await;
    own.is_token();
    is_active(&introspect(&world, "resource", own.json()["access_token"].as_str().unwrap()).await);
}

#[tokio::test]
async fn m03_tokens_that_are_no_good() {
    let world = World::new().await;
    let token = world.token_of("ci").await;
    let answer = introspect(&world, "gateway", &token).await;
    is_active(&answer);
    assert_eq!(answer.json()["sub"], "ci");
    assert!(answer.json()["exp"].is_u64());
    let (head, signature) = token.rsplit_once('.').unwrap();
    let turned: String = signature.chars().rev().collect();
    for bad in [
        "x",
        "a.b.c",
        "%00",
        head,
        &format!("{head}."),
        &format!("{head}.{turned}"),
        &format!("{token}A"),
        &format!("{token}%20"),
        &"A".repeat(20_000),
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiJjaSJ9.",
    ] {
        let answer = introspect(&world, "gateway", bad).await;
        if bad == "%00" {
            answer.is_refused(400, "invalid_request");
        } else {
            is_inactive(&answer);
        }
    }
    for missing in ["", "token=", "Token=x"] {
        let ask = Ask::post(INTROSPECT).basic("gateway").form(missing);
        world.send(ask).await.is_refused(400, "invalid_request");
    }
    let revoked = world.token_of("ci").await;
    assert_eq!(revoke(&world, "ci", &revoked).await.status, 200);
    is_inactive(&introspect(&world, "gateway", &revoked).await);
    is_active(&introspect(&world, "gateway", &token).await);
    world.clock.advance(Duration::from_secs(901));
    is_inactive(&introspect(&world, "gateway", &token).await);
}

#[tokio::test]
async fn m04_token_of_another_issuer() {
    let world = World::new().await;
    is_active(&introspect(&world, "gateway", &world.token_of("ci").await).await);
    let ask = Ask::post("/v4/oauth2/elsewhere/token")
        .basic("foreign")
        .form(GRANT);
    let foreign = world.send(ask).await;
    foreign.is_token();
    let token = foreign.json()["access_token"].as_str().unwrap().to_owned();
    is_inactive(&introspect(&world, "gateway", &token).await);
}

#[tokio::test]
async fn m05_introspection_by_get() {
    let world = World::new().await;
    let token = world.token_of("ci").await;
    for endpoint in [INTROSPECT, REVOKE] {
        for method in ["GET", "HEAD", "PUT", "OPTIONS", "TRACE"] {
            let ask = Ask::new(method, &format!("{endpoint}?token={token}")).basic("gateway");
            let answer = world.send(ask).await;
            answer.is_refused(405, "invalid_request");
            assert_eq!(answer.header("allow"), Some("POST"));
        }
        let ask = Ask::post(&format!("{endpoint}?token={token}"))
            .basic("gateway")
            .form("");
        world.send(ask).await.is_refused(400, "invalid_request");
    }
    is_active(&introspect(&world, "gateway", &token).await);
}

#[tokio::test]
async fn m06_bound_token_shows_its_confirmation() {
    let world = World::new().await;
    let ask = Ask::post(TOKEN)
        .certificate(&world.machine)
        .form(format!("{GRANT}&client_id=machine"));
    let bound = world.send(ask).await;
    bound.is_token();
    let token = bound.json()["access_token"].as_str().unwrap().to_owned();
    let answer = introspect(&world, "gateway", &token).await;
    is_active(&answer);
    assert_eq!(
        answer.json()["cnf"],
        json!({"x5t#S256": world.machine.thumbprint()})
    );
    assert_eq!(answer.json()["client_id"], "machine");
    assert!(
        introspect(&world, "gateway", &world.token_of("ci").await)
            .await
            .json()
            .get("cnf")
            .is_none()
    );
}

#[tokio::test]
async fn m07_wrong_token_type_hint() {
    let world = World::new().await;
    let token = world.token_of("ci").await;
    let plain = introspect(&world, "gateway", &token).await;
    is_active(&plain);
    for hint in ["access_token", "refresh_token", "banana", ""] {
        let form = format!("token={token}&token_type_hint={hint}");
        let answer = world
            .send(Ask::post(INTROSPECT).basic("gateway").form(form))
            .await;
        assert_eq!(answer.text, plain.text, "{hint}");
    }
    let ask = Ask::post(REVOKE)
        .basic("ci")
        .form(format!("token={token}&token_type_hint=refresh_token"));
    assert_eq!(world.send(ask).await.status, 200);
    is_inactive(&introspect(&world, "gateway", &token).await);
}

#[tokio::test]
async fn m08_answers_are_not_cached() {
    let world = World::new().await;
    let token = world.token_of("ci").await;
    for answer in [
        introspect(&world, "gateway", &token).await,
        introspect(&world, "gateway", "x").await,
    ] {
        answer.is_clean();
        assert_eq!(answer.header("pragma"), Some("no-cache"));
        assert_eq!(answer.header("etag"), None);
    }
}

#[tokio::test]
async fn m09_scanning_tokens() {
    let burst = NonZeroU32::new(500).unwrap();
    let limit = RateLimit::default().with_requests(Allowance::new(burst, Duration::from_secs(3600)));
    let world = World::with(|config| config.with_rate_limit(limit)).await;
    let token = world.token_of("ci").await;
    is_active(&introspect(&world, "gateway", &token).await);
    let (mut looked, mut throttled) = (0, 0);
    for guess in 0..10_000 {
        let answer = introspect(&world, "gateway", &format!("eyJhbGciOiJFUzI1NiJ9.e30.{guess}")).await;
        if answer.status == 429 {
            throttled += 1;
        } else {
            is_inactive(&answer);
            looked += 1;
        }
    }
    assert_eq!((looked, throttled), (498, 9_502));
    let elsewhere = Ask::post(INTROSPECT)
        .basic("gateway")
        .peer("192.0.2.77")
        .form(format!("token={token}"));
    is_active(&world.send(elsewhere).await);
}

#[tokio::test]
async fn m10_revoking_another_clients_token() {
    let world = World::new().await;
    let token = world.token_of("ci").await;
    for client in ["other", "gateway"] {
        let answer = revoke(&world, client, &token).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, "{}"));
        is_active(&introspect(&world, "gateway", &token).await);
    }
    assert_eq!(revoke(&world, "ci", &token).await.status, 200);
    is_inactive(&introspect(&world, "gateway", &token).await);
}

#[tokio::test]
async fn m11_revoking_an_unknown_token() {
    let world = World::new().await;
    let token = world.token_of("ci").await;
    for unknown in ["x", "a.b.c", &format!("{token}A"), &"A".repeat(20_000)] {
        let answer = revoke(&world, "ci", unknown).await;
        assert_eq!(
            (answer.status.as_u16(), answer.text.as_str()),
            (200, "{}"),
            "{unknown}"
        );
        answer.is_clean();
    }
    assert_eq!(revoke(&world, "ci", &token).await.text, "{}");
    assert_eq!(revoke(&world, "ci", &token).await.text, "{}", "a second time too");
    world
        .send(Ask::post(REVOKE).basic("ci").form(""))
        .await
        .is_refused(400, "invalid_request");
}

/// There are no refresh tokens: what is revoked is the access token, everywhere it can be.
#[tokio::test]
async fn m12_a_revoked_token_is_listed() {
    let world = World::new().await;
    let token = world.token_of("ci").await;
    let id = introspect(&world, "gateway", &token).await.json()["jti"]
        .as_str()
        .unwrap()
        .to_owned();
    let listed = async || {
        let document = world.send(Ask::get(&format!("{ISSUER}/jwks/revocation"))).await;
        assert_eq!(document.header("cache-control"), Some("no-cache"));
        assert_eq!(document.json()["iss"], format!("https://id.example{ISSUER}"));
        document.json()["revoked_tokens"]
            .as_array()
            .unwrap()
            .iter()
            .any(|entry| entry["jti"] == id.as_str())
    };
    assert!(!listed().await);
    assert_eq!(revoke(&world, "ci", &token).await.status, 200);
    assert!(listed().await);
    is_inactive(&introspect(&world, "gateway", &token).await);
    let refresh = Ask::post(TOKEN)
        .basic("ci")
        .form("grant_type=refresh_token&refresh_token=x");
    world
        .send(refresh)
        .await
        .is_refused(400, "unsupported_grant_type");
}

#[tokio::test]
async fn m13_revocation_without_authentication() {
    let world = World::new().await;
    let token = world.token_of("ci").await;
    let form = format!("token={token}");
    for ask in [
        Ask::post(REVOKE).form(form.as_str()),
        Ask::post(REVOKE).form(format!("{form}&client_id=ci")),
        Ask::post(REVOKE).basic_with("ci", "wrong").form(form.as_str()),
        Ask::post(REVOKE)
            .header("authorization", format!("Bearer {token}"))
            .form(form.as_str()),
    ] {
        world.send(ask).await.is_refused(401, "invalid_client");
    }
    is_active(&introspect(&world, "gateway", &token).await);
    assert_eq!(revoke(&world, "ci", &token).await.status, 200);
    is_inactive(&introspect(&world, "gateway", &token).await);
}
