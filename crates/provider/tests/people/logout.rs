//! Signing out, the account page, and who hears of it.

use super::support::*;
use sealstone_oauth_types::Form;
use sealstone_provider::people::View;
use serde_json::json;
use std::time::Duration;

async fn hint(world: &World, browser: &mut Browser<'_>) -> String {
    let code = browser.code("&scope=openid").await;
    world.exchange(&code).await.unwrap().id_token.unwrap()
}

fn bye(hint: &str) -> String {
    format!(
        "id_token_hint={}&post_logout_redirect_uri={}&state=%3Cb%3E",
        encoded(hint),
        encoded("https://app.example/bye")
    )
}

#[tokio::test]
async fn n13_a_hint_signs_out_at_once_and_the_session_is_gone() {
    let world = world().await;
    let mut browser = world.browser();
    let hint = hint(&world, &mut browser).await;
    let session = browser.session.clone();
    let answer = browser.logout(&bye(&hint)).await;
    // n09: the state goes along encoded.
    assert_eq!(answer.url(), Some("https://app.example/bye?state=%3Cb%3E"));
    assert!(browser.session.is_none());
    browser.session = session;
    assert_eq!(
        browser.authorize(&request("&prompt=none")).await.kind(),
        "login_required"
    );
    assert_eq!(
        world
            .actions()
            .iter()
            .filter(|action| **action == "revoke/session")
            .count(),
        1
    );
}

/// A script that signs in each time fills nothing, and what a person has, their page shows.
#[tokio::test]
async fn a_person_has_a_hundred_sessions_and_no_more() {
    let world = world().await;
    let mut first = world.browser();
    first.code("&scope=openid").await;
    world.clock.advance(Duration::from_secs(1));
    let mut second = world.browser();
    second.code("&scope=openid").await;
    world.clock.advance(Duration::from_secs(1));
    for _login in 2..100 {
        world.browser().code("&scope=openid").await;
    }
    assert_eq!(first.authorize(&request("&prompt=none")).await.kind(), "code");
    // That was a use: the second one would end first now.
    world.clock.advance(Duration::from_secs(60));
    first.authorize(&request("&prompt=none")).await;
    let mut last = world.browser();
    last.code("&scope=openid").await;
    let rules = world.audit.events();
    let ended: Vec<&str> = rules
        .iter()
        .filter(|event| event.action.as_str() == "revoke/session")
        .map(|event| event.reason.unwrap().rule())
        .collect();
    assert_eq!(ended, ["too_many_sessions"]);
    assert_eq!(
        second.authorize(&request("&prompt=none")).await.kind(),
        "login_required"
    );
    for browser in [&mut first, &mut last] {
        assert_eq!(browser.authorize(&request("&prompt=none")).await.kind(), "code");
    }
    let page = last.account().await;
    let Some(View::Account(view)) = page.view() else {
        panic!("{page:?}");
    };
    assert_eq!(view.sessions.len(), 100);
    assert_eq!(view.sessions.iter().filter(|row| row.is_this).count(), 1);
}

#[tokio::test]
async fn n05_n06_n07_n08_whoever_proves_nothing_makes_nobody_leave() {
    let world = world().await;
    let mut ada = world.browser();
    let good = hint(&world, &mut ada).await;
    let mut bob = world.browser();
    let page = bob.authorize(&request("&scope=openid")).await;
    let code = bob.sign_in_as(&page, "bob").await.parameter("code").unwrap();
    let of_bob = world.exchange(&code).await.unwrap().id_token.unwrap();
    let none = format!(
        "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{}.",
        good.split('.').nth(1).unwrap()
    );
    let to = |uri: &str| format!("&post_logout_redirect_uri={}", encoded(uri));
    let cases = [
        ("n08 nothing", String::new(), true),
        ("n08 a client's name alone", "client_id=web".to_owned(), true),
        (
            "n07 alg none",
            format!("id_token_hint={none}{}", to("https://app.example/bye")),
            true,
        ),
        (
            "n07 another's",
            format!("id_token_hint={of_bob}{}", to("https://app.example/bye")),
            true,
        ),
        ("n07 no token", "id_token_hint=banana".to_owned(), true),
        (
            "n05 unregistered",
            format!("id_token_hint={good}{}", to("https://evil.example/")),
            false,
        ),
        (
            "n06 a query added",
            format!("id_token_hint={good}{}", to("https://app.example/bye?x=1")),
            false,
        ),
    ];
    for (name, query, asks) in cases {
        let mut browser = world.browser();
        let page = browser.authorize(&request("&scope=openid")).await;
        browser.sign_in(&page).await;
        let answer = browser.logout(&query).await;
        assert_eq!(answer.url(), None, "{name}");
        assert_eq!(
            matches!(answer.view(), Some(View::Logout(_))),
            asks,
            "{name}: {answer:?}"
        );
        assert_eq!(browser.session.is_some(), asks, "{name}");
    }
}

#[tokio::test]
async fn a_person_who_is_asked_decides() {
    let world = world().await;
    for (pressed, stays) in [("stay", true), ("logout", false), ("banana", true)] {
        let mut browser = world.browser();
        browser.code("").await;
        let query = format!(
            "client_id=web&post_logout_redirect_uri={}",
            encoded("https://app.example/bye")
        );
        let page = browser.logout(&query).await;
        let answer = browser.send(&page, &[("do", pressed)]).await;
        assert_eq!(browser.session.is_some(), stays, "{pressed}");
        assert_eq!(answer.url().is_some(), !stays, "{pressed}");
    }
}

async fn with_backchannel() -> World {
    let world = world().await;
    let registration = with(web(), "backchannel_logout_uri", json!("https://app.example/back"));
    world.register("hears", registration).await;
    world
}

async fn join(browser: &mut Browser<'_>, client: &str) {
    let page = browser.authorize(&request_of(client, "&scope=openid")).await;
    let answer = match page.view() {
        Some(View::Login(_)) => browser.sign_in(&page).await,
        _ => page,
    };
    assert_eq!(answer.kind(), "code");
}

#[tokio::test]
async fn clients_of_a_session_hear_of_its_end() {
    let world = with_backchannel().await;
    let mut browser = world.browser();
    let hint = hint(&world, &mut browser).await;
    join(&mut browser, "hears").await;
    let sid = claims(&hint)["sid"].clone();
    browser.logout(&bye(&hint)).await;
    assert_eq!(world.provider.send_logouts().await.unwrap(), None);
    let taken = world.receiver.taken.lock().unwrap().clone();
    let [(address, token)] = &taken[..] else {
        panic!("{taken:?}");
    };
    assert_eq!(address, "https://app.example/back");
    let told = claims(token);
    assert_eq!(
        (&told["aud"], &told["sub"], &told["sid"]),
        (&json!("hears"), &json!("u1"), &sid)
    );
    assert!(told.get("nonce").is_none() && told["events"].is_object());
    // n12: it is neither a hint nor an access token.
    let answer = browser
        .authorize(&request(&format!("&prompt=none&id_token_hint={token}")))
        .await;
    assert_eq!(answer.kind(), "login_required");
    assert_eq!(
        super::userinfo::read(&world, token).await.unwrap_err(),
        "InvalidToken"
    );
}

#[tokio::test]
async fn n11_a_receiver_that_fails_is_told_again_and_given_up_at_last() {
    let world = with_backchannel().await;
    let mut browser = world.browser();
    let hint = hint(&world, &mut browser).await;
    join(&mut browser, "hears").await;
    browser.logout(&bye(&hint)).await;
    *world.receiver.fails.lock().unwrap() = true;
    let mut tries = 0;
    while let Some(due) = world.provider.send_logouts().await.unwrap() {
        tries += 1;
        assert!(due > world.clock.now() && tries < 20);
        world
            .clock
            .advance(Duration::from_secs(due.as_secs() - world.clock.seconds()));
    }
    assert_eq!(world.actions().last(), Some(&"notify/logout"));
    assert_eq!(world.last_rule(), "receiver_failed");
    assert!((3..10).contains(&tries), "{tries}");
    // One that comes back in time is told.
    let mut browser = world.browser();
    join(&mut browser, "hears").await;
    let page = browser.logout("").await;
    browser.send(&page, &[("do", "logout")]).await;
    let due = world.provider.send_logouts().await.unwrap().unwrap();
    *world.receiver.fails.lock().unwrap() = false;
    world
        .clock
        .advance(Duration::from_secs(due.as_secs() - world.clock.seconds()));
    assert_eq!(world.provider.send_logouts().await.unwrap(), None);
    assert_eq!(world.receiver.taken.lock().unwrap().len(), 1);
    assert_eq!(world.last_rule(), "");
}

/// Nobody is signed out while a client would go on without knowing: the person is told, nothing has ended, and the same
/// button ends it all once the store is well.
#[tokio::test]
async fn who_cannot_tell_clients_ends_no_session() {
    let world = with_backchannel().await;
    let mut browser = world.browser();
    join(&mut browser, "hears").await;
    let page = browser.account().await;
    *world.notices.down.lock().unwrap() = true;
    let events = world.actions().len();
    for press in ["end_all", "logout"] {
        let body = page.body(&[("do", press)]);
        let form = Form::parse(body.as_bytes()).map_err(Into::into);
        let answer = world.provider.submit(&demo(), form, &browser.context()).await;
        let told = answer.unwrap_err().to_string();
        assert!(told.contains("could not be read or written"), "{press}: {told}");
    }
    assert!(!world.actions()[events..].contains(&"revoke/session"));
    assert_eq!(browser.authorize(&request("&prompt=none")).await.kind(), "code");
    *world.notices.down.lock().unwrap() = false;
    let page = browser.account().await;
    let answer = browser.send(&page, &[("do", "end_all")]).await;
    assert!(matches!(answer.view(), Some(View::LoggedOut(_))));
    assert_eq!(world.provider.send_logouts().await.unwrap(), None);
    assert_eq!(world.receiver.taken.lock().unwrap().len(), 1);
    assert_eq!(
        browser.authorize(&request("&prompt=none")).await.kind(),
        "login_required"
    );
}

#[tokio::test]
async fn a_refresh_token_without_offline_access_ends_with_its_session() {
    let world = world().await;
    for (scope, lives) in [("openid", false), ("openid%20offline_access", true)] {
        let mut browser = world.browser();
        let code = browser.code(&format!("&scope={scope}")).await;
        let token = world.exchange(&code).await.unwrap();
        browser.logout(&bye(&token.id_token.unwrap())).await;
        let refresh = token.refresh_token.unwrap();
        let answer = world
            .token(&format!("grant_type=refresh_token&refresh_token={refresh}"))
            .await;
        assert_eq!(answer.is_ok(), lives, "{scope}");
        let read = super::userinfo::read(&world, &token.access_token).await;
        assert_eq!(read.is_ok(), lives, "{scope}");
    }
}

#[tokio::test]
async fn the_account_shows_what_there_is_and_ends_it() {
    let world = world().await;
    world.register("asks", with(web(), "consent", json!("ask"))).await;
    let mut browser = world.browser();
    let page = browser
        .authorize(&request_of("asks", "&scope=openid%20offline_access"))
        .await;
    let page = browser.sign_in(&page).await;
    let answer = browser.send(&page, &[("do", "allow")]).await;
    let body = exchange(&answer.parameter("code").unwrap());
    let token = world.token_at("demo", "asks", &body).await.unwrap();
    let mut other = world.browser();
    other.code("").await;
    let page = browser.account().await;
    let Some(View::Account(view)) = page.view() else {
        panic!("{page:?}");
    };
    assert_eq!(
        (view.sessions.len(), view.devices.len(), view.consents.len()),
        (2, 1, 1)
    );
    let elsewhere = view.sessions.iter().find(|row| !row.is_this).unwrap().id.clone();
    let (device, consent) = (view.devices[0].id.clone(), view.consents[0].id.clone());
    assert_eq!(view.sessions[0].description.as_deref(), Some("Test/1.0"));
    // Another person ends nothing of it.
    let mut bob = world.browser();
    let login = bob.account().await;
    let bobs = bob.sign_in_as(&login, "bob").await;
    for (pressed, target) in [
        ("end_session", &elsewhere),
        ("end_device", &device),
        ("end_consent", &consent),
    ] {
        bob.send(&bobs, &[("do", pressed), ("target", target)]).await;
    }
    assert!(super::userinfo::read(&world, &token.access_token).await.is_ok());
    assert_eq!(other.authorize(&request("&prompt=none")).await.kind(), "code");
    browser
        .send(&page, &[("do", "end_session"), ("target", &elsewhere)])
        .await;
    assert_eq!(
        other.authorize(&request("&prompt=none")).await.kind(),
        "login_required"
    );
    let in_flight = browser
        .authorize(&request_of("asks", "&scope=openid%20offline_access"))
        .await;
    browser
        .send(&page, &[("do", "end_consent"), ("target", &consent)])
        .await;
    assert!(super::userinfo::read(&world, &token.access_token).await.is_err());
    let body = exchange(&in_flight.parameter("code").unwrap());
    assert!(world.token_at("demo", "asks", &body).await.is_err());
    let page = browser.account().await;
    let Some(View::Account(view)) = page.view() else {
        panic!("{page:?}");
    };
    assert_eq!(
        (view.sessions.len(), view.devices.len(), view.consents.len()),
        (1, 0, 0)
    );
    let silent = request_of("asks", "&scope=openid%20offline_access&prompt=none");
    assert_eq!(browser.authorize(&silent).await.kind(), "consent_required");
}

#[tokio::test]
async fn signing_out_everywhere_ends_every_session_and_device() {
    let world = world().await;
    let (mut one, mut two) = (world.browser(), world.browser());
    let code = one.code("&scope=openid%20offline_access").await;
    let token = world.exchange(&code).await.unwrap();
    two.code("").await;
    let page = one.account().await;
    let answer = one.send(&page, &[("do", "end_all")]).await;
    assert!(matches!(answer.view(), Some(View::LoggedOut(view)) if view.ended && view.everywhere));
    for browser in [&mut one, &mut two] {
        assert_eq!(
            browser.authorize(&request("&prompt=none")).await.kind(),
            "login_required"
        );
    }
    let refresh = token.refresh_token.unwrap();
    let answer = world
        .token(&format!("grant_type=refresh_token&refresh_token={refresh}"))
        .await;
    assert!(answer.is_err());
    assert!(super::userinfo::read(&world, &token.access_token).await.is_err());
}
