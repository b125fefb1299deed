//! How much one client may ask for, once it has proved who it is; and that nobody else spends it.

use crate::harness::{Answer, Ask, Connection, GRANT, INTROSPECT, REVOKE, Setup, TOKEN, World, secret};
use serde_json::json;

/// So few that a test comes to the end of it, and so slow that it stays there while a few requests are answered.
const BURST: usize = 5;

fn few(setup: &mut Setup) {
    setup.set("limits", "requests_per_s_per_client", "1");
    setup.set("limits", "request_burst_per_client", &BURST.to_string());
}

async fn world() -> World {
    let world = World::with(few).await;
    for client in ["busy", "quiet"] {
        world.register(client, json!({"introspection": "domain"})).await;
    }
    world
}

fn ask_as(client: &str, secret: &str) -> Ask {
    Ask::post(TOKEN).basic(client, secret).form(GRANT)
}

fn token_of(client: &str) -> Ask {
    ask_as(client, &secret(client))
}

/// Asks until it is too much: one request is paid for each second.
async fn until_limited(connection: &mut Connection, ask: &Ask) -> Answer {
    for _ in 0..10_000 {
        let answer = connection.send(ask.clone()).await;
        if answer.status != 200 {
            return answer;
        }
    }
    panic!("10,000 requests, and no limit");
}

#[tokio::test]
async fn nobody_spends_what_a_client_may_ask_for() {
    let world = world().await;
    let mut connection = world.https().connect(world.public).await.unwrap();
    // Outsiders, many more than the limit: by a wrong secret, by another method, by no credential.
    for _ in 0..BURST * 10 {
        let id_alone = Ask::post(TOKEN).form(format!("{GRANT}&client_id=busy"));
        let posted =
            Ask::post(TOKEN).form(format!("{GRANT}&client_id=busy&client_secret={}", secret("busy")));
        for wrong in [ask_as("busy", &secret("quiet")), id_alone, posted] {
            connection.send(wrong).await.is_refused(401, "invalid_client");
        }
    }
    for _ in 0..BURST {
        connection.send(token_of("busy")).await.token();
    }
    let limited = until_limited(&mut connection, &world.numbered(token_of("busy"))).await;
    limited.is_refused(429, "temporarily_unavailable");
    assert_eq!(limited.header("retry-after"), Some("1"), "{limited:?}");
    let records = world.records(&limited);
    let last = records.last().unwrap();
    assert_eq!(last["reason"]["policyId"], "client_limit", "{last}");
    assert_eq!(last["reason"]["reasonCode"], "429", "{last}");
    assert_eq!(last["initiator"]["id"], "busy", "{last}");
    // A wrong secret is told nothing of it, and nobody else notices.
    let wrong = ask_as("busy", &secret("quiet"));
    connection.send(wrong).await.is_refused(401, "invalid_client");
    connection.send(token_of("quiet")).await.token();
    let metrics = world.plain("/metrics").await;
    assert!(!metrics.contains("sealstone_http_limited_total{limit=\"client\"} 0\n"));
    assert!(metrics.contains("sealstone_http_limited_total{limit=\"failures\"} 0\n"));
    world.end().await;
}

#[tokio::test]
async fn all_endpoints_count_together() {
    let world = world().await;
    let mut connection = world.https().connect(world.public).await.unwrap();
    let token = connection.send(token_of("quiet")).await.token();
    for endpoint in [INTROSPECT, REVOKE] {
        // What was spent at one endpoint is not there at another.
        until_limited(&mut connection, &token_of("busy")).await;
        let asked = Ask::post(endpoint)
            .basic("busy", &secret("busy"))
            .form(format!("token={token}"));
        let limited = until_limited(&mut connection, &asked).await;
        limited.is_refused(429, "temporarily_unavailable");
        assert!(limited.header("retry-after").is_some(), "{limited:?}");
    }
    // Its own token was not revoked by a request that was refused.
    let asked = Ask::post(INTROSPECT)
        .basic("quiet", &secret("quiet"))
        .form(format!("token={token}"));
    assert_eq!(connection.send(asked).await.json()["active"], true);
    world.end().await;
}

#[tokio::test]
async fn a_public_client_has_nothing_that_others_could_spend() {
    let world = World::with(|setup| {
        few(setup);
        setup.set("people", "source", "'directory'");
    })
    .await;
    let public = json!({
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code"],
        "redirect_uris": ["https://app.example.test/back"],
    });
    world.register("public", public).await;
    let mut connection = world.https().connect(world.public).await.unwrap();
    let guess = "grant_type=authorization_code&client_id=public&code=guessed&code_verifier=\
                 0123456789012345678901234567890123456789012&redirect_uri=https://app.example.test/back";
    for _ in 0..BURST * 4 {
        let answer = connection.send(Ask::post(TOKEN).form(guess)).await;
        answer.is_refused(400, "invalid_grant");
    }
    world.end().await;
}

#[tokio::test]
async fn a_reload_changes_it() {
    let mut world = world().await;
    let mut connection = world.https().connect(world.public).await.unwrap();
    until_limited(&mut connection, &token_of("busy")).await;
    world.setup.set("limits", "requests_per_s_per_client", "1000");
    world.setup.set("limits", "request_burst_per_client", "1000");
    assert!(world.reload_written().await);
    for _ in 0..BURST * 10 {
        connection.send(token_of("busy")).await.token();
    }
    world.setup.set("limits", "request_burst_per_client", "0");
    assert!(!world.reload_written().await, "nobody could ask for anything");
    connection.send(token_of("busy")).await.token();
    few(&mut world.setup);
    assert!(world.reload_written().await);
    until_limited(&mut connection, &token_of("busy"))
        .await
        .is_refused(429, "temporarily_unavailable");
    world.end().await;
}
