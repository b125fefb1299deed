//! What ends when the source of people says that logins stand no longer.

use rustls_pki_types::UnixTime;
use sealstone_audit::{Action, Outcome};
use sealstone_identity::UserId;
use serde_json::Value;
use std::time::Duration;

use crate::people::{Browser, People, request};
use crate::support::{Answer, Ask, ISSUER, TOKEN, World};

/// Of the challenge in [`request`] (RFC 7636, Appendix B).
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

struct Held {
    refresh_token: String,
    access_token: String,
}

async fn token(world: &World, form: &str) -> Answer {
    world.send(Ask::post(TOKEN).form(form)).await
}

/// Signs in, if need be, and gets tokens.
async fn tokens(world: &World, browser: &mut Browser<'_>, scope: &str) -> Held {
    let query = request("").replace("scope=openid", &format!("scope={scope}"));
    let answer = browser.authorize(&query).await;
    let location = answer.header("location").unwrap().to_owned();
    let code = location.split("code=").nth(1).unwrap().split('&').next().unwrap();
    let form = format!(
        "client_id=app&grant_type=authorization_code&code={code}&code_verifier={VERIFIER}\
         &redirect_uri=https%3A%2F%2Fapp.example%2Fcb"
    );
    let answer = token(world, &form).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let body: Value = serde_json::from_str(&answer.text).unwrap();
    let text = |name: &str| body[name].as_str().unwrap().to_owned();
    Held {
        refresh_token: text("refresh_token"),
        access_token: text("access_token"),
    }
}

async fn refresh(world: &World, held: &Held) -> Answer {
    let form = format!(
        "client_id=app&grant_type=refresh_token&refresh_token={}",
        held.refresh_token
    );
    token(world, &form).await
}

async fn is_signed_in(browser: &mut Browser<'_>) -> bool {
    let page = browser
        .get(&format!("{ISSUER}/authorize?{}", request("&prompt=none")))
        .await;
    let page = browser.follow(page).await;
    !page
        .header("location")
        .unwrap_or_default()
        .contains("login_required")
}

async fn is_good(world: &World, held: &Held) -> bool {
    let form = format!("token={}", held.access_token);
    let ask = Ask::post(crate::support::INTROSPECT).basic("gateway").form(form);
    let answer = world.send(ask).await;
    answer.json()["active"] == true
}

#[tokio::test]
async fn what_stands_on_earlier_logins_ends_and_what_stands_on_later_ones_stays() {
    // With the session, or by itself where the person allowed access while they are away.
    for (scope, count) in [("openid", 1), ("openid%20offline_access", 2)] {
        ends_with_the_login(scope, count).await;
    }
}

async fn ends_with_the_login(scope: &str, count: usize) {
    let world = World::with_people(People::default()).await;
    let app = serde_json::json!({
        "client_name": "Grafana",
        "token_endpoint_auth_method": "none",
        "application_type": "web",
        "grant_types": ["authorization_code", "refresh_token"],
        "redirect_uris": ["https://app.example/cb"],
        "scope": "openid offline_access",
    });
    world.register("demo", "app", app).await;
    let (mut early, mut late) = (Browser::new(&world), Browser::new(&world));
    let first = tokens(&world, &mut early, scope).await;
    let changed_at = world.clock.now();
    world.clock.advance(Duration::from_secs(1));
    let second = tokens(&world, &mut late, scope).await;
    assert!(is_signed_in(&mut early).await && is_good(&world, &first).await);

    let alice = UserId::parse("a11ce").unwrap();
    let before = UnixTime::since_unix_epoch(Duration::from_secs(changed_at.as_secs() - 1));
    assert_eq!(world.provider.end_logins(&alice, before).await.unwrap(), 0);
    let nobody = UserId::parse("b0b").unwrap();
    let now = world.clock.now();
    assert_eq!(world.provider.end_logins(&nobody, now).await.unwrap(), 0);

    assert_eq!(
        world.provider.end_logins(&alice, changed_at).await.unwrap(),
        count
    );
    assert!(!is_signed_in(&mut early).await);
    assert!(!is_good(&world, &first).await, "its access token, too");
    let refused = refresh(&world, &first).await;
    assert_eq!(refused.status, 400, "{refused:?}");
    assert_eq!(refused.json()["error"], "invalid_grant");
    assert!(is_signed_in(&mut late).await && is_good(&world, &second).await);
    assert_eq!(refresh(&world, &second).await.status, 200);

    let again = world.provider.end_logins(&alice, changed_at).await.unwrap();
    assert_eq!(again, 0, "once");
    let told = |event: &&sealstone_audit::Event<'_>| {
        event.action == Action::EndSession && event.outcome == Outcome::Failure
    };
    assert_eq!(world.events().iter().filter(told).count(), 1);
}
