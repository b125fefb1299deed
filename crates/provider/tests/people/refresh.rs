//! Refresh tokens.

use super::support::*;
use sealstone_audit::Target;
use sealstone_oauth_types::{Form, IntrospectionRequest, RevocationRequest, TokenResponse};
use sealstone_provider::TokenError;
use serde_json::json;
use std::time::Duration;

async fn first(world: &World) -> TokenResponse {
    let code = world
        .browser()
        .code("&scope=openid%20profile%20email%20offline_access")
        .await;
    world.exchange(&code).await.unwrap()
}

async fn refresh(world: &World, token: &str, more: &str) -> Result<TokenResponse, String> {
    let answer = world
        .token(&format!("grant_type=refresh_token&refresh_token={token}{more}"))
        .await;
    answer.map_err(|error: TokenError| error.code().as_str().to_owned())
}

fn refresh_token(answer: &TokenResponse) -> String {
    answer.refresh_token.clone().unwrap()
}

#[tokio::test]
async fn k01_a_token_used_again_after_the_grace_ends_the_family() {
    let world = world().await;
    let r0 = refresh_token(&first(&world).await);
    let second = refresh(&world, &r0, "").await.unwrap();
    assert_eq!(world.actions().last(), Some(&"renew/token"));
    world.clock.advance(Duration::from_secs(61));
    assert_eq!(refresh(&world, &r0, "").await.unwrap_err(), "invalid_grant");
    // One event, which says what it was, whose it was, and what ended.
    assert_eq!(world.last_rule(), "refresh_token_reused");
    let events = world.audit.events();
    let [.., before, event] = events.as_slice() else {
        panic!("two events")
    };
    assert_eq!(before.action.as_str(), "renew/token");
    assert_eq!(event.action.as_str(), "deny/reused_refresh_token");
    assert_eq!(event.initiator.user_id.as_deref(), Some("u1"));
    assert_eq!(event.initiator.client_id.as_deref(), Some("web"));
    assert!(matches!(event.target, Target::Grant(_)), "{:?}", event.target);
    assert_eq!(
        refresh(&world, &refresh_token(&second), "").await.unwrap_err(),
        "invalid_grant"
    );
    assert_eq!(
        super::userinfo::read(&world, &second.access_token)
            .await
            .unwrap_err(),
        "InvalidToken"
    );
    // What is refused after that, by whomever, is a refused refresh.
    let _ended = refresh(&world, &r0, "").await.unwrap_err();
    assert_eq!(world.last_rule(), "unknown_refresh_token");
    assert_eq!(world.actions().last(), Some(&"renew/token"));
}

#[tokio::test]
async fn k02_uses_at_once_leave_one_family() {
    let world = std::sync::Arc::new(world().await);
    let r0 = refresh_token(&first(&world).await);
    let mut uses = tokio::task::JoinSet::new();
    for _use in 0..50 {
        let (world, r0) = (world.clone(), r0.clone());
        uses.spawn(async move { refresh(&world, &r0, "").await });
    }
    let mut children = std::collections::BTreeSet::new();
    let mut ids = std::collections::BTreeSet::new();
    while let Some(answer) = uses.join_next().await {
        if let Ok(answer) = answer.unwrap() {
            children.insert(refresh_token(&answer));
            ids.insert(claims(&answer.access_token)["jti"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(children.len(), 1, "one child");
    assert_eq!(ids.len(), 1, "one access token");
}

#[tokio::test]
async fn k03_k12_a_lost_answer_is_repeated_and_gives_nothing_new() {
    let world = world().await;
    let r0 = refresh_token(&first(&world).await);
    let answer = refresh(&world, &r0, "").await.unwrap();
    for seconds in [0, 30, 29] {
        world.clock.advance(Duration::from_secs(seconds));
        let again = refresh(&world, &r0, "").await.unwrap();
        assert_eq!(refresh_token(&again), refresh_token(&answer));
        let (now, then) = (claims(&again.access_token), claims(&answer.access_token));
        assert_eq!((&now["jti"], &now["exp"]), (&then["jti"], &then["exp"]));
    }
    assert!(refresh(&world, &refresh_token(&answer), "").await.is_ok());
}

#[tokio::test]
async fn k04_another_client_ends_nothing() {
    let world = world().await;
    world.register("thief", web()).await;
    let r0 = refresh_token(&first(&world).await);
    let body = format!("grant_type=refresh_token&refresh_token={r0}");
    let answer = world.token_at("demo", "thief", &body).await;
    assert_eq!(answer.unwrap_err().code().as_str(), "invalid_grant");
    let wrong = format!("client_id=web&client_secret=x&{body}");
    assert_eq!(
        world.token_of("demo", &wrong).await.unwrap_err().code().as_str(),
        "invalid_client"
    );
    assert!(refresh(&world, &r0, "").await.is_ok());
}

#[tokio::test]
async fn k05_k06_a_scope_is_narrowed_and_widened_within_the_grant() {
    let world = world().await;
    let r0 = refresh_token(&first(&world).await);
    assert_eq!(
        refresh(&world, &r0, "&scope=openid%20groups").await.unwrap_err(),
        "invalid_scope"
    );
    let narrow = refresh(&world, &r0, "&scope=openid").await.unwrap();
    assert_eq!(narrow.scope.as_ref().unwrap().as_str(), "openid");
    let wide = refresh(&world, &refresh_token(&narrow), "").await.unwrap();
    let scope = wide.scope.unwrap();
    for token in ["openid", "profile", "email", "offline_access"] {
        assert!(scope.contains(token), "{token}");
    }
}

#[tokio::test]
async fn k07_a_token_that_rests_too_long_ends() {
    for (rest, want) in [
        (30 * 86_400 - 1, true),
        (30 * 86_400, false),
        (30 * 86_400 + 1, false),
    ] {
        let world = world().await;
        let r0 = refresh_token(&first(&world).await);
        world.clock.advance(Duration::from_secs(rest));
        assert_eq!(refresh(&world, &r0, "").await.is_ok(), want, "{rest}");
    }
}

#[tokio::test]
async fn k08_the_person_is_asked_about_each_time() {
    let world = world().await;
    let r0 = refresh_token(&first(&world).await);
    world.clock.advance(Duration::from_secs(10));
    world.people.change(|people| people.gone = true);
    assert_eq!(refresh(&world, &r0, "").await.unwrap_err(), "invalid_grant");
    world.people.change(|people| {
        people.gone = false;
        people.down = true;
    });
    assert_eq!(
        refresh(&world, &r0, "").await.unwrap_err(),
        "temporarily_unavailable"
    );
    world.people.change(|people| people.down = false);
    let r1 = refresh_token(&refresh(&world, &r0, "").await.unwrap());
    let now = world.clock.seconds();
    world.people.change(|people| people.valid_since = Some(now));
    assert_eq!(refresh(&world, &r1, "").await.unwrap_err(), "invalid_grant");
    // A changed password ends it for good.
    world.people.change(|people| people.valid_since = None);
    assert_eq!(refresh(&world, &r1, "").await.unwrap_err(), "invalid_grant");
}

#[tokio::test]
async fn k08_fewer_roles_are_fewer_roles_and_none_is_a_refusal() {
    let world = world().await;
    let mut browser = world.browser();
    let page = browser
        .authorize(&request("&scope=openstack:api%20offline_access"))
        .await;
    let page = browser.sign_in(&page).await;
    let answer = browser.send(&page, &[("do", "allow"), ("project", "p1")]).await;
    let token = world.exchange(&answer.parameter("code").unwrap()).await.unwrap();
    let roles = |token: &TokenResponse| claims(&token.access_token)["openstack_context"]["roles"].clone();
    assert_eq!(roles(&token), json!(["member", "reader"]));
    world
        .people
        .change(|people| people.roles = vec!["reader".to_owned()]);
    let token = refresh(&world, &refresh_token(&token), "").await.unwrap();
    assert_eq!(roles(&token), json!(["reader"]));
    world.people.change(|people| people.roles = Vec::new());
    assert_eq!(
        refresh(&world, &refresh_token(&token), "").await.unwrap_err(),
        "invalid_grant"
    );
}

#[tokio::test]
async fn k09_a_client_registered_anew_gets_nothing_of_the_old_one() {
    use sealstone_registry::ClientStore as _;
    let world = world().await;
    let r0 = refresh_token(&first(&world).await);
    let id = sealstone_oauth_types::ClientId::parse("web").unwrap();
    let _ = world.store.delete(&id).await.unwrap();
    world.clock.advance(Duration::from_secs(1));
    world.register("web", web()).await;
    assert_eq!(refresh(&world, &r0, "").await.unwrap_err(), "invalid_grant");
}

#[tokio::test]
async fn k10_k11_other_and_altered_tokens_are_unknown() {
    let world = world().await;
    let answer = first(&world).await;
    let r0 = refresh_token(&answer);
    assert_eq!(
        refresh(&world, &answer.access_token, "").await.unwrap_err(),
        "invalid_grant"
    );
    // The first 13 characters name the family: altered there it is nobody's, elsewhere one that was used before.
    for place in 0..13 {
        let mut altered = r0.clone().into_bytes();
        altered[place] = if altered[place] == b'A' { b'B' } else { b'A' };
        let altered = String::from_utf8(altered).unwrap();
        assert_eq!(
            refresh(&world, &altered, "").await.unwrap_err(),
            "invalid_grant",
            "{place}"
        );
    }
    let r1 = refresh_token(&refresh(&world, &r0, "").await.unwrap());
    let mut altered = r1.clone();
    altered.replace_range(30..31, if r1.as_bytes()[30] == b'A' { "B" } else { "A" });
    assert_eq!(refresh(&world, &altered, "").await.unwrap_err(), "invalid_grant");
    assert_eq!(refresh(&world, &r1, "").await.unwrap_err(), "invalid_grant");
}

#[tokio::test]
async fn a_refresh_token_is_told_of_and_ended_by_its_client() {
    let world = world().await;
    world
        .register("other", with(web(), "introspection", json!("own")))
        .await;
    world
        .update("web", |client| {
            let mut registration = client.registration();
            registration.introspection = Some(sealstone_registry::IntrospectionRight::Own);
            client.updated(registration, None, client.updated_at()).unwrap()
        })
        .await;
    let answer = first(&world).await;
    let r0 = refresh_token(&answer);
    let look = async |client: &str, token: &str| {
        let form = world.form(client, &format!("token={token}"));
        let request = IntrospectionRequest::parse(None, &form);
        world
            .provider
            .introspect(&demo(), request, &peer())
            .await
            .unwrap()
    };
    assert!(look("web", &r0).await.active);
    assert!(look("web", &answer.access_token).await.active);
    assert_eq!(
        look("web", &answer.access_token).await.username.as_deref(),
        Some("ada")
    );
    assert!(!look("other", &r0).await.active);
    world.people.change(|people| people.gone = true);
    assert!(!look("web", &r0).await.active);
    assert!(!look("web", &answer.access_token).await.active);
    world.people.change(|people| people.gone = false);
    let end = async |client: &str| {
        let form: Form = world.form(client, &format!("token={r0}"));
        let request = RevocationRequest::parse(None, &form);
        world.provider.revoke(&demo(), request, &peer()).await.unwrap();
    };
    end("other").await;
    assert!(look("web", &r0).await.active);
    end("web").await;
    assert!(!look("web", &r0).await.active);
    assert!(
        !look("web", &answer.access_token).await.active,
        "what lived of it is revoked"
    );
    assert_eq!(refresh(&world, &r0, "").await.unwrap_err(), "invalid_grant");
}
