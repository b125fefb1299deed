//! Whoever brings an access token to `/userinfo`, and devices that ask for a code.

use serde_json::json;

use crate::conformance::{tokens, world};
use crate::people::{Browser, PageForm};
use crate::support::{Answer, Ask, ISSUER, World};

fn userinfo(method: &str) -> Ask {
    Ask::new(method, &format!("{ISSUER}/userinfo"))
}

#[track_caller]
fn is_challenged(answer: &Answer, status: u16, error: Option<&str>) {
    assert_eq!(answer.status, status, "{answer:?}");
    let challenge = answer.header("www-authenticate").unwrap();
    assert!(challenge.starts_with("Bearer realm=\"sealstone\""), "{challenge}");
    match error {
        Some(error) => {
            assert!(challenge.contains(&format!("error=\"{error}\"")), "{challenge}");
            assert_eq!(answer.json()["error"], error);
        }
        None => assert!(!challenge.contains("error"), "RFC 6750 §3.1: {challenge}"),
    }
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn userinfo_takes_a_token_in_the_header_or_in_a_posted_form_and_in_no_address() {
    let world = world().await;
    let token = tokens(&world, &mut Browser::new(&world), "query", "")
        .await
        .access_token;
    let bearer = format!("Bearer {token}");
    for ask in [
        userinfo("GET").header("authorization", &bearer),
        userinfo("GET").header("authorization", format!("bEARER {token}")),
        userinfo("POST").header("authorization", &bearer),
        userinfo("POST").header("authorization", &bearer).form("x=1"),
        userinfo("POST").form(format!("access_token={token}")),
    ] {
        let answer = world.send(ask).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert!(answer.json()["sub"].is_string());
    }
    let in_address = Ask::get(&format!("{ISSUER}/userinfo?access_token={token}"));
    is_challenged(&world.send(in_address).await, 401, None);
    let in_address = Ask::post(&format!("{ISSUER}/userinfo?access_token={token}")).form("");
    is_challenged(&world.send(in_address).await, 401, None);
}

#[tokio::test]
async fn userinfo_says_what_is_wrong_with_a_token_and_no_more() {
    let world = world().await;
    let token = tokens(&world, &mut Browser::new(&world), "query", "")
        .await
        .access_token;
    is_challenged(&world.send(userinfo("GET")).await, 401, None);
    let machine = world.token_of("ci").await;
    for (ask, status, error) in [
        (
            userinfo("GET").header("authorization", "Bearer x"),
            401,
            "invalid_token",
        ),
        (
            userinfo("GET").header("authorization", format!("Bearer {token}x")),
            401,
            "invalid_token",
        ),
        (
            userinfo("GET").header("authorization", "Basic YTpi"),
            400,
            "invalid_request",
        ),
        (
            userinfo("GET").header("authorization", "Bearer"),
            400,
            "invalid_request",
        ),
        (
            userinfo("GET")
                .header("authorization", format!("Bearer {token}"))
                .header("authorization", format!("Bearer {token}")),
            400,
            "invalid_request",
        ),
        (
            userinfo("POST")
                .header("authorization", format!("Bearer {token}"))
                .form(format!("access_token={token}")),
            400,
            "invalid_request",
        ),
        (
            userinfo("POST").form(format!("access_token={token}&access_token={token}")),
            400,
            "invalid_request",
        ),
        (
            userinfo("GET").header("authorization", format!("Bearer {machine}")),
            403,
            "insufficient_scope",
        ),
    ] {
        is_challenged(&world.send(ask).await, status, Some(error));
    }
}

async fn device_world() -> World {
    let world = world().await;
    let tv = json!({
        "client_name": "Living room", "token_endpoint_auth_method": "none", "application_type": "native",
        "grant_types": ["urn:ietf:params:oauth:grant-type:device_code"], "scope": "openid",
    });
    world.register("demo", "tv", tv).await;
    world
}

fn device(body: &str) -> Ask {
    Ask::post(&format!("{ISSUER}/device_authorization"))
        .header("user-agent", "tv/1.0 \"><script>")
        .form(body)
}

#[tokio::test]
async fn a_device_is_shown_with_what_it_says_of_itself_before_anybody_allows_it() {
    let world = device_world().await;
    let answer = world.send(device("client_id=tv&scope=openid")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.is_clean();
    let answer = answer.json();
    let (user_code, device_code) = (&answer["user_code"], answer["device_code"].as_str().unwrap());
    let mut browser = Browser::new(&world);
    let link = answer["verification_uri_complete"].as_str().unwrap();
    let page = browser
        .get(link.strip_prefix("https://id.example").unwrap())
        .await;
    assert!(page.text.contains(user_code.as_str().unwrap()), "{page:?}");
    let form = PageForm::of(&page).with(&[("user_code", user_code.as_str().unwrap()), ("do", "user_code")]);
    let page = browser.post(&form).await;
    let page = browser.follow(page).await;
    let page = browser.sign_in(&page).await;
    for shown in [
        "Living room",
        "192.0.2.10",
        "tv/1.0 &#34;&#62;&#60;script&#62;",
        user_code.as_str().unwrap(),
        "Did somebody send you this code or link?",
    ] {
        assert!(page.text.contains(shown), "{shown}: {page:?}");
    }
    assert!(
        !page.text.contains(device_code),
        "the device code reaches no browser"
    );
    assert!(!browser.cookies.values().any(|value| value == device_code));
    let done = browser.post(&PageForm::of(&page).with(&[("do", "allow")])).await;
    let done = browser.follow(done).await;
    assert!(done.text.contains("Device connected"), "{done:?}");
    let poll = format!(
        "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&client_id=tv&device_code={device_code}"
    );
    let tokens = world.send(Ask::post(&format!("{ISSUER}/token")).form(poll)).await;
    assert_eq!(tokens.status, 200, "{tokens:?}");
}

#[tokio::test]
async fn a_device_authorization_is_refused_as_at_every_clients_endpoint() {
    let world = device_world().await;
    for (body, status, error) in [
        ("client_id=nobody", 401, "invalid_client"),
        ("client_id=rp", 401, "invalid_client"),
        ("", 401, "invalid_client"),
        ("client_id=tv&scope=profile", 400, "invalid_scope"),
        ("client_id=tv&client_id=tv", 400, "invalid_request"),
    ] {
        world.send(device(body)).await.is_refused(status, error);
    }
}
