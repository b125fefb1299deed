//! H and K: codes and refresh tokens, sent to the endpoint.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::conformance::pairs;
use crate::people::{Browser, People, register_app, request};
use crate::support::{Answer, Ask, ISSUER, TOKEN, World, secret};

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CALLBACK: &str = "https%3A%2F%2Fapp.example%2Fcb";

async fn world() -> World {
    let world = World::with_people(People::default()).await;
    register_app(&world).await;
    let web = json!({
        "grant_types": ["authorization_code", "refresh_token"],
        "redirect_uris": ["https://app.example/cb"],
        "scope": "openid profile",
    });
    world.register("demo", "web", web).await;
    world
}

async fn code(world: &World, client: &str) -> String {
    let mut browser = Browser::new(world);
    let query = request("").replace("client_id=app", &format!("client_id={client}"));
    let answer = browser.authorize(&query).await;
    let location = answer.header("location").unwrap_or_else(|| panic!("{answer:?}"));
    pairs(location.split_once('?').unwrap().1)["code"].clone()
}

/// The exchange of a public client's code.
async fn exchange(world: &World, code: &str) -> Answer {
    let form = format!(
        "grant_type=authorization_code&client_id=app&redirect_uri={CALLBACK}&code_verifier={VERIFIER}&code={code}"
    );
    world.send(Ask::post(TOKEN).form(form)).await
}

async fn refresh(world: &World, token: &str) -> Answer {
    let form = format!("grant_type=refresh_token&client_id=app&refresh_token={token}");
    world.send(Ask::post(TOKEN).form(form)).await
}

fn text(answer: &Answer, name: &str) -> String {
    answer.json()[name]
        .as_str()
        .unwrap_or_else(|| panic!("{name}: {answer:?}"))
        .to_owned()
}

/// Whether an access token still opens the userinfo endpoint.
async fn lives(world: &World, access_token: &str) -> bool {
    let ask = Ask::get(&format!("{ISSUER}/userinfo"));
    let answer = world
        .send(ask.header("authorization", format!("Bearer {access_token}")))
        .await;
    assert!(matches!(answer.status.as_u16(), 200 | 401), "{answer:?}");
    answer.status == 200
}

async fn begun(world: &World) -> Answer {
    let answer = exchange(world, &code(world, "app").await).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer
}

fn token_id(world: &World, answer: &Answer) -> Value {
    world.claims(answer)["jti"].clone()
}

#[tokio::test]
async fn h08_a_code_sent_twice_ends_what_it_gave() {
    let world = world().await;
    let code = code(&world, "app").await;
    let first = exchange(&world, &code).await;
    let second = refresh(&world, &text(&first, "refresh_token")).await;
    let access_tokens = [&first, &second].map(|answer| text(answer, "access_token"));
    for access_token in &access_tokens {
        assert!(lives(&world, access_token).await);
    }
    world.clock.advance(Duration::from_secs(30));
    exchange(&world, &code).await.is_refused(400, "invalid_grant");
    for access_token in &access_tokens {
        assert!(!lives(&world, access_token).await, "revoked at once");
    }
    refresh(&world, &text(&second, "refresh_token"))
        .await
        .is_refused(400, "invalid_grant");
}

#[tokio::test]
async fn h08_exchanges_at_once_give_one_answer_at_most() {
    let world = world().await;
    let code = code(&world, "app").await;
    let answers = join_all((0..16).map(|_| exchange(&world, &code))).await;
    let (given, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert_eq!(given.len(), 1);
    refused
        .iter()
        .for_each(|answer| answer.is_refused(400, "invalid_grant"));
    assert!(!lives(&world, &text(given[0], "access_token")).await);
}

/// Go's `oauth2` tries Basic first and, refused, the form: the code must still be there.
#[tokio::test]
async fn h09_a_failed_authentication_and_another_client_spend_nothing() {
    let world = world().await;
    let code = code(&world, "web").await;
    let form =
        format!("grant_type=authorization_code&redirect_uri={CALLBACK}&code_verifier={VERIFIER}&code={code}");
    let wrong = Ask::post(TOKEN).basic_with("web", "wrong").form(form.as_str());
    world.send(wrong).await.is_refused(401, "invalid_client");
    let in_form = format!("{form}&client_id=web&client_secret={}", secret("web"));
    world
        .send(Ask::post(TOKEN).form(in_form))
        .await
        .is_refused(401, "invalid_client");
    let other = format!("{form}&client_id=app");
    world
        .send(Ask::post(TOKEN).form(other))
        .await
        .is_refused(400, "invalid_grant");
    let right = world.send(Ask::post(TOKEN).basic("web").form(form)).await;
    assert_eq!(right.status, 200, "{right:?}");
}

#[tokio::test]
async fn k01_a_refresh_token_past_its_grace_ends_the_family() {
    let world = world().await;
    let first = begun(&world).await;
    let second = refresh(&world, &text(&first, "refresh_token")).await;
    world.clock.advance(Duration::from_secs(61));
    refresh(&world, &text(&first, "refresh_token"))
        .await
        .is_refused(400, "invalid_grant");
    refresh(&world, &text(&second, "refresh_token"))
        .await
        .is_refused(400, "invalid_grant");
    for answer in [&first, &second] {
        assert!(!lives(&world, &text(answer, "access_token")).await);
    }
}

#[tokio::test]
async fn k02_fifty_uses_at_once_give_one_answer() {
    let world = world().await;
    let first = begun(&world).await;
    let token = text(&first, "refresh_token");
    let answers = join_all((0..50).map(|_| refresh(&world, &token))).await;
    let given: BTreeSet<(String, String)> = answers
        .iter()
        .map(|answer| {
            assert_eq!(answer.status, 200, "{answer:?}");
            answer.is_clean();
            (
                text(answer, "refresh_token"),
                token_id(&world, answer).to_string(),
            )
        })
        .collect();
    assert_eq!(given.len(), 1, "one child, one access token");
    let next = refresh(&world, &given.first().unwrap().0).await;
    assert_eq!(next.status, 200, "{next:?}");
}

#[tokio::test]
async fn k03_a_repeated_refresh_is_answered_as_before() {
    let world = world().await;
    let first = begun(&world).await;
    let token = text(&first, "refresh_token");
    let second = refresh(&world, &token).await;
    world.clock.advance(Duration::from_secs(30));
    let again = refresh(&world, &token).await;
    assert_eq!(text(&again, "refresh_token"), text(&second, "refresh_token"));
    assert_eq!(token_id(&world, &again), token_id(&world, &second));
    let [then, now] = [&second, &again].map(|answer| world.claims(answer));
    for claim in ["exp", "iat", "scope", "sub", "aud"] {
        assert_eq!(then[claim], now[claim], "{claim}");
    }
    assert_eq!(
        second.json()["expires_in"].as_u64().unwrap() - 30,
        again.json()["expires_in"].as_u64().unwrap()
    );
    assert!(
        again.json()["id_token"].is_string(),
        "a refresh answers who it was"
    );
}

#[tokio::test]
async fn k10_tokens_of_another_kind_are_refused() {
    let world = world().await;
    let first = begun(&world).await;
    refresh(&world, &text(&first, "access_token"))
        .await
        .is_refused(400, "invalid_grant");
    refresh(&world, &text(&first, "id_token"))
        .await
        .is_refused(400, "invalid_grant");
    assert!(!lives(&world, &text(&first, "refresh_token")).await);
    assert!(!lives(&world, &text(&first, "id_token")).await);
}

#[tokio::test]
async fn n13_a_sign_out_ends_refresh_tokens_of_the_session() {
    let world = world().await;
    let mut browser = Browser::new(&world);
    let answer = browser.authorize(&request("")).await;
    let location = answer.header("location").unwrap().to_owned();
    let code = pairs(location.split_once('?').unwrap().1)["code"].clone();
    let first = exchange(&world, &code).await;
    let hint = text(&first, "id_token");
    let signed_out = browser
        .get(&format!("{ISSUER}/logout?id_token_hint={hint}"))
        .await;
    assert_eq!(signed_out.status, 200, "{signed_out:?}");
    refresh(&world, &text(&first, "refresh_token"))
        .await
        .is_refused(400, "invalid_grant");
    assert!(!lives(&world, &text(&first, "access_token")).await);
}

/// Who asks for a token that is bound to a key gets none that is not: there is no `DPoP` here (RFC 9449 §5, §10).
#[tokio::test]
async fn h13_a_key_that_would_bind_nothing_is_refused() {
    let world = world().await;
    let mut browser = Browser::new(&world);
    let query = request("&dpop_jkt=0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
    let ask = Ask::get(&format!("{ISSUER}/authorize?{query}"));
    let answer = browser.send(ask).await;
    let location = answer.header("location").unwrap_or_else(|| panic!("{answer:?}"));
    assert_eq!(
        pairs(location.split_once('?').unwrap().1)["error"],
        "invalid_request"
    );

    let code = code(&world, "app").await;
    let form = format!(
        "grant_type=authorization_code&client_id=app&redirect_uri={CALLBACK}&code_verifier={VERIFIER}&code={code}"
    );
    for proof in ["e30.e30.e30", ""] {
        let ask = Ask::post(TOKEN).form(form.as_str()).header("dpop", proof);
        world.send(ask).await.is_refused(400, "invalid_request");
    }
    let machine = Ask::post(TOKEN).basic("ci").form("grant_type=client_credentials");
    let refused = world.send(machine.header("dpop", "e30.e30.e30")).await;
    refused.is_refused(400, "invalid_request");
    // The code was not spent by that.
    assert_eq!(world.send(Ask::post(TOKEN).form(form)).await.status, 200);
}
