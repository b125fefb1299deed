//! What was acknowledged survives `kill -9` at any moment.

use crate::harness::{Ask, GRANT, INTROSPECT, ISSUER, REVOKE, TOKEN, World, secret};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use tokio::task::JoinSet;

const ROUNDS: usize = 16;
/// Clients that revoke at the same time.
const REVOKERS: usize = 4;

fn token() -> Ask {
    Ask::post(TOKEN).basic("basic", &secret("basic")).form(GRANT)
}

fn revoke(token: &str) -> Ask {
    Ask::post(REVOKE)
        .basic("basic", &secret("basic"))
        .form(format!("token={token}"))
}

/// The names of the keys that the server publishes.
async fn keys(world: &World) -> Vec<String> {
    let jwks = Ask::get(&format!("{ISSUER}/jwks"));
    let jwks = world.https().send(world.public, jwks).await.json();
    let keys = jwks["keys"].as_array().unwrap();
    keys.iter()
        .map(|key| key["kid"].as_str().unwrap().to_owned())
        .collect()
}

async fn active(world: &World, tokens: &[String]) -> Vec<bool> {
    let mut connection = world.https().connect(world.public).await.unwrap();
    let mut active = Vec::new();
    for token in tokens {
        let ask = Ask::post(INTROSPECT)
            .basic("gateway", &secret("gateway"))
            .form(format!("token={token}"));
        let answer = connection.send(ask).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        active.push(answer.json()["active"].as_bool().unwrap());
    }
    active
}

/// Gets tokens and revokes them until the server is killed; says what was acknowledged.
async fn revoke_until_the_end(world: &World, enough: usize) -> (Vec<String>, Vec<String>) {
    let acknowledged = Arc::new(Mutex::new(Vec::new()));
    let asked = Arc::new(Mutex::new(BTreeSet::new()));
    let mut running = JoinSet::new();
    for _ in 0..REVOKERS {
        let (https, to) = (world.https(), world.public);
        let (acknowledged, asked) = (Arc::clone(&acknowledged), Arc::clone(&asked));
        running.spawn(async move {
            let Ok(mut connection) = https.connect(to).await else {
                return;
            };
            while let Ok(answer) = connection.try_send(token()).await {
                let token = answer.token();
                asked.lock().unwrap().insert(token.clone());
                match connection.try_send(revoke(&token)).await {
                    Ok(answer) if answer.status == 200 => acknowledged.lock().unwrap().push(token),
                    Ok(answer) => panic!("{answer:?}"),
                    Err(_) => return,
                }
            }
        });
    }
    let reached = Arc::clone(&acknowledged);
    let process = world.process.id();
    crate::harness::eventually("revocations", || async {
        reached.lock().unwrap().len() >= enough
    })
    .await;
    crate::harness::signal(process, "KILL");
    while let Some(ended) = running.join_next().await {
        ended.unwrap();
    }
    let acknowledged = acknowledged.lock().unwrap().clone();
    let asked = asked.lock().unwrap().iter().cloned().collect();
    (acknowledged, asked)
}

#[tokio::test]
async fn nothing_acknowledged_is_lost() {
    let mut world = World::start().await;
    world.register("basic", json!({})).await;
    world
        .register("gateway", json!({"introspection": "domain"}))
        .await;
    let first_keys = keys(&world).await;
    let (mut good, mut revoked) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let kept = world.https().send(world.public, token()).await.token();
        // A client of this round, and what became of it before the death of the server.
        let id = format!("round-{round}");
        world.register(&id, json!({})).await;
        let as_it = || Ask::post(TOKEN).basic(&id, &secret(&id)).form(GRANT);
        world.https().send(world.public, as_it()).await.token();
        if round % 2 == 0 {
            world.disable(&id).await;
        }
        let (acknowledged, _) = revoke_until_the_end(&world, 1 + round).await;
        assert!(!world.process.ended().await.success());
        good.push(kept);
        revoked.extend(acknowledged);

        world.start_again().await;
        assert_eq!(keys(&world).await, first_keys);
        let answer = world.https().send(world.public, as_it()).await;
        assert_eq!(answer.status, if round % 2 == 0 { 401 } else { 200 });
        let last = revoked.len().saturating_sub(40);
        assert!(
            !active(&world, &revoked[last..]).await.contains(&true),
            "a revocation is lost"
        );
        assert!(!active(&world, &good).await.contains(&false), "a token is lost");
    }
    assert!(
        !active(&world, &revoked).await.contains(&true),
        "a revocation is lost"
    );
    // An acknowledged request has its record, each on a line of its own.
    let audit = world.audit();
    let of = |action: &str| audit.iter().filter(|record| record["action"] == action).count();
    assert!(
        of("revoke/token") >= revoked.len(),
        "{} records",
        of("revoke/token")
    );
    world.store.check_integrity().await.unwrap();
    world.end().await;
}
