//! The userinfo endpoint.

use super::support::*;
use sealstone_oauth_types::{Form, UserinfoRequest};
use sealstone_provider::people::{Userinfo, UserinfoError};
use serde_json::{Value, json};
use std::time::Duration;

pub(crate) async fn read(world: &World, token: &str) -> Result<Value, String> {
    let header = format!("Bearer {token}");
    let request = UserinfoRequest::parse(Some(&header), None);
    match world.provider.userinfo(&demo(), request, &peer()).await {
        Ok(Userinfo::Json(text)) => Ok(serde_json::from_slice(&text).unwrap()),
        Ok(Userinfo::Signed(token)) => Ok(claims(&token)),
        Err(UserinfoError::Malformed(_)) => Err("Malformed".to_owned()),
        Err(error) => Err(format!("{error:?}").split('(').next().unwrap().to_owned()),
    }
}

#[tokio::test]
async fn userinfo_tells_what_the_scope_and_the_request_ask_for() {
    let world = world().await;
    let code = world.browser().code("&scope=openid%20profile").await;
    let token = world.exchange(&code).await.unwrap();
    assert_eq!(
        read(&world, &token.access_token).await.unwrap(),
        json!({"sub": "u1", "name": "Ada Lovelace", "preferred_username": "ada"})
    );
    let asked = encoded(r#"{"userinfo":{"email":{"essential":true},"shoe_size":null}}"#);
    let code = world
        .browser()
        .code(&format!("&scope=openid&claims={asked}"))
        .await;
    let token = world.exchange(&code).await.unwrap();
    let told = read(&world, &token.access_token).await.unwrap();
    assert_eq!(
        told,
        json!({"sub": "u1", "email": "ada@example.org", "email_verified": true})
    );
}

#[tokio::test]
async fn n01_a_token_of_a_machine_or_without_openid_opens_nothing() {
    let world = world().await;
    let machine = json!({"token_endpoint_auth_method": "client_secret_post", "scope": "reports",
                         "grant_types": ["client_credentials"]});
    world.register("job", machine).await;
    let machine = world
        .token_at("demo", "job", "grant_type=client_credentials")
        .await
        .unwrap();
    let code = world.browser().code("&scope=reports").await;
    let person = world.exchange(&code).await.unwrap();
    for (name, token) in [("machine", machine), ("no openid", person)] {
        assert_eq!(
            read(&world, &token.access_token).await.unwrap_err(),
            "InsufficientScope",
            "{name}"
        );
    }
}

#[tokio::test]
async fn n03_a_token_comes_in_one_way() {
    let form = Form::parse(b"access_token=a").unwrap();
    let world = world().await;
    for (header, form) in [
        (Some("Bearer a"), Some(&form)),
        (None, None),
        (Some("Basic a"), None),
    ] {
        let request = UserinfoRequest::parse(header, form);
        let answer = world.provider.userinfo(&demo(), request, &peer()).await;
        assert!(matches!(answer, Err(UserinfoError::Malformed(_))), "{header:?}");
    }
}

#[tokio::test]
async fn n12_k10_other_tokens_are_no_access_tokens() {
    let world = world().await;
    let code = world.browser().code("&scope=openid").await;
    let token = world.exchange(&code).await.unwrap();
    let id_token = token.id_token.unwrap();
    for other in [id_token.as_str(), &token.refresh_token.unwrap(), &code, "banana"] {
        assert_eq!(read(&world, other).await.unwrap_err(), "InvalidToken");
    }
}

#[tokio::test]
async fn what_no_longer_stands_is_not_told() {
    let cases = ["ended", "gone", "changed", "disabled client", "down"];
    for name in cases {
        let world = world().await;
        let code = world.browser().code("&scope=openid").await;
        let token = world.exchange(&code).await.unwrap().access_token;
        assert!(read(&world, &token).await.is_ok());
        let now = world.clock.now();
        match name {
            "ended" => {
                world.clock.advance(Duration::from_secs(900));
            }
            "gone" => world.people.change(|people| people.gone = true),
            "changed" => world
                .people
                .change(|people| people.valid_since = Some(now.as_secs())),
            "disabled client" => {
                world
                    .update("web", |client| client.with_enabled(false, now))
                    .await
            }
            _ => world.people.change(|people| people.down = true),
        }
        let want = if name == "down" { "Backend" } else { "InvalidToken" };
        assert_eq!(read(&world, &token).await.unwrap_err(), want, "{name}");
    }
}

#[tokio::test]
async fn a_signed_answer_is_for_its_client_alone() {
    let world = world().await;
    let signed = with(web(), "userinfo_signed_response_alg", json!("ES256"));
    world.register("signed", signed).await;
    let mut browser = world.browser();
    let page = browser.authorize(&request_of("signed", "&scope=openid")).await;
    let code = browser.sign_in(&page).await.parameter("code").unwrap();
    let token = world.token_at("demo", "signed", &exchange(&code)).await.unwrap();
    let told = read(&world, &token.access_token).await.unwrap();
    assert_eq!(told["aud"], "signed");
    assert_eq!(told["iss"], "https://id.example/v4/oauth2/demo");
}
