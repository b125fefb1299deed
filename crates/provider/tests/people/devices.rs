//! The device grant.

use super::support::*;
use sealstone_oauth_types::{DeviceAuthorizationRequest, DeviceAuthorizationResponse, Form, TokenResponse};
use sealstone_provider::people::{Fault, View};
use serde_json::json;
use std::time::Duration;

async fn ask_as(world: &World, client: &str, more: &str) -> Result<DeviceAuthorizationResponse, String> {
    let form = world.form(client, more);
    let request = DeviceAuthorizationRequest::parse(None, &form);
    let answer = world
        .provider
        .device_authorization(&demo(), request, Some("tv/1"), &peer())
        .await;
    answer.map_err(|error| error.code().as_str().to_owned())
}

async fn ask(world: &World) -> DeviceAuthorizationResponse {
    ask_as(world, "web", "scope=openid").await.unwrap()
}

async fn poll_as(world: &World, client: &str, code: &str) -> Result<TokenResponse, String> {
    let body =
        format!("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&device_code={code}");
    let answer = world.token_at("demo", client, &body).await;
    answer.map_err(|error| error.code().as_str().to_owned())
}

async fn poll(world: &World, code: &str) -> Result<TokenResponse, String> {
    poll_as(world, "web", code).await
}

/// From the empty page to the one that asks.
async fn typed(browser: &mut Browser<'_>, user_code: &str) -> Answer {
    let page = browser.device_page("").await;
    let page = browser
        .send(&page, &[("user_code", user_code), ("do", "user_code")])
        .await;
    match page.view() {
        Some(View::Login(_)) => browser.sign_in(&page).await,
        _ => page,
    }
}

#[tokio::test]
async fn a_device_gets_its_tokens_once_a_person_has_said_yes() {
    let world = world().await;
    let device = ask(&world).await;
    assert_eq!(
        device.verification_uri,
        "https://id.example/v4/oauth2/demo/device"
    );
    assert_eq!(
        poll(&world, &device.device_code).await.unwrap_err(),
        "authorization_pending"
    );
    let mut browser = world.browser();
    let page = typed(&mut browser, &device.user_code.to_lowercase().replace('-', " ")).await;
    let Some(View::DeviceConfirm(view)) = page.view() else {
        panic!("{page:?}");
    };
    assert_eq!(view.user_code, device.user_code);
    assert_eq!(view.client.name, "Web");
    assert_eq!(view.address.as_deref(), Some("192.0.2.7"));
    assert_eq!(view.agent.as_deref(), Some("tv/1"));
    assert!(
        !format!("{view:?}").contains(&device.device_code),
        "the device code reaches no browser"
    );
    let done = browser.send(&page, &[("do", "allow")]).await;
    assert!(
        matches!(done.view(), Some(View::DeviceDone(done)) if done.allowed),
        "{done:?}"
    );
    world.clock.advance(Duration::from_secs(5));
    let token = poll(&world, &device.device_code).await.unwrap();
    assert_eq!(claims(&token.access_token)["sub"], "u1");
    assert_eq!(
        poll(&world, &device.device_code).await.unwrap_err(),
        "invalid_grant",
        "l06: once"
    );
    assert!(
        super::userinfo::read(&world, &token.access_token).await.is_ok(),
        "a late poll ends nothing"
    );
}

#[tokio::test]
async fn l03_polling_too_fast_slows_down_and_in_time_does_not() {
    let world = world().await;
    let device = ask(&world).await;
    let mut answers = Vec::new();
    for wait in [0, 5, 4, 1, 5, 10] {
        world.clock.advance(Duration::from_secs(wait));
        answers.push(poll(&world, &device.device_code).await.unwrap_err());
    }
    let (pending, slow) = ("authorization_pending", "slow_down");
    assert_eq!(answers, [pending, pending, pending, slow, slow, slow]);
}

#[tokio::test]
async fn l04_a_refusal_and_the_end_are_told() {
    let world = world().await;
    let device = ask(&world).await;
    let mut browser = world.browser();
    let page = typed(&mut browser, &device.user_code).await;
    let done = browser.send(&page, &[("do", "deny")]).await;
    assert!(
        matches!(done.view(), Some(View::DeviceDone(done)) if !done.allowed),
        "{done:?}"
    );
    assert_eq!(
        poll(&world, &device.device_code).await.unwrap_err(),
        "access_denied"
    );
    let device = ask(&world).await;
    world.clock.advance(Duration::from_secs(600));
    assert_eq!(
        poll(&world, &device.device_code).await.unwrap_err(),
        "expired_token"
    );
    let late = typed(&mut browser, &device.user_code).await;
    assert!(
        matches!(late.view(), Some(View::DeviceEnter(view)) if view.fault == Some(Fault::UnknownUserCode))
    );
}

#[tokio::test]
async fn l05_another_clients_device_code_is_nobodys() {
    let world = world().await;
    world.register("thief", web()).await;
    let device = ask(&world).await;
    assert_eq!(
        poll_as(&world, "thief", &device.device_code).await.unwrap_err(),
        "invalid_grant"
    );
    assert_eq!(
        poll(&world, &device.device_code).await.unwrap_err(),
        "authorization_pending"
    );
    assert_eq!(poll(&world, &"A".repeat(43)).await.unwrap_err(), "invalid_grant");
}

#[tokio::test]
async fn l07_a_link_approves_nothing() {
    let world = world().await;
    let device = ask(&world).await;
    let mut browser = world.browser();
    browser.code("").await;
    let page = browser
        .device_page(&format!("user_code={}", device.user_code))
        .await;
    let Some(View::DeviceEnter(view)) = page.view() else {
        panic!("{page:?}");
    };
    assert_eq!(view.user_code.as_deref(), Some(device.user_code.as_str()));
    assert_eq!(
        poll(&world, &device.device_code).await.unwrap_err(),
        "authorization_pending"
    );
}

#[tokio::test]
async fn l08_nobody_elses_page_approves() {
    let world = world().await;
    let device = ask(&world).await;
    let mut ada = world.browser();
    let page = typed(&mut ada, &device.user_code).await;
    let body = page.body(&[("do", "allow")]);
    let mut other = world.browser();
    other.code("").await;
    for (name, body) in [
        ("another browser's form", body.clone()),
        ("no token", body.replace("anti_forgery", "anti")),
    ] {
        assert_eq!(other.post(&body).await.kind(), "Expired", "{name}");
    }
    assert_eq!(
        ada.post(&body.replace("anti_forgery", "anti")).await.kind(),
        "Expired"
    );
    assert_eq!(
        poll(&world, &device.device_code).await.unwrap_err(),
        "authorization_pending"
    );
}

#[tokio::test]
async fn l09_l10_a_client_asks_for_what_it_may_have() {
    let world = world().await;
    let no_grant = with(
        with(web(), "grant_types", json!(["authorization_code"])),
        "scope",
        json!("openid"),
    );
    world.register("nogrant", no_grant).await;
    world
        .register("narrow", with(web(), "scope", json!("openid")))
        .await;
    for (client, more, want) in [
        ("nogrant", "scope=openid", "unauthorized_client"),
        ("narrow", "scope=openstack:api", "invalid_scope"),
        ("narrow", "scope=%22", "invalid_scope"),
        ("web", "resource=https%3A%2F%2Fother.example", "invalid_target"),
    ] {
        assert_eq!(
            ask_as(&world, client, more).await.unwrap_err(),
            want,
            "{client} {more}"
        );
    }
}

#[tokio::test]
async fn a_device_acts_in_the_project_that_was_chosen() {
    let world = world().await;
    let device = ask_as(&world, "web", "scope=openstack:api").await.unwrap();
    let mut browser = world.browser();
    let page = typed(&mut browser, &device.user_code).await;
    let again = browser.send(&page, &[("do", "allow"), ("project", "p9")]).await;
    assert!(matches!(again.view(), Some(View::DeviceConfirm(view)) if view.fault == Some(Fault::NoProject)));
    browser.send(&again, &[("do", "allow"), ("project", "p2")]).await;
    let token = poll(&world, &device.device_code).await.unwrap();
    assert_eq!(
        claims(&token.access_token)["openstack_context"]["project_id"],
        "p2"
    );
}

#[tokio::test]
async fn unknown_user_codes_are_told_apart_from_nothing() {
    let world = world().await;
    let mut browser = world.browser();
    for wrong in ["BCDF-GHJK", "", "1234", "<script>"] {
        let page = browser.device_page("").await;
        let page = browser
            .send(&page, &[("user_code", wrong), ("do", "user_code")])
            .await;
        assert!(
            matches!(page.view(), Some(View::DeviceEnter(view)) if view.fault == Some(Fault::UnknownUserCode)),
            "{wrong}"
        );
    }
    let form = Form::parse(b"user_code=%3Cscript%3E").map_err(Into::into);
    let answer = world
        .provider
        .device_page(&demo(), form, &browser.context())
        .await
        .unwrap();
    let page = browser.keep(answer);
    assert!(matches!(page.view(), Some(View::DeviceEnter(view)) if view.user_code.is_none()));
}
