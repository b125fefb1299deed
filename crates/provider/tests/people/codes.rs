//! Codes at the token endpoint.

use super::support::*;
use sealstone_audit::Target;
use sealstone_provider::TokenError;
use serde_json::json;
use std::time::Duration;

fn rule(result: Result<sealstone_oauth_types::TokenResponse, TokenError>) -> String {
    match result {
        Ok(_) => "issued".to_owned(),
        Err(error) => error.code().as_str().to_owned(),
    }
}

#[tokio::test]
async fn a_code_gives_tokens_that_tell_the_truth() {
    let world = world().await;
    let code = world
        .browser()
        .code("&scope=openid%20profile%20email%20groups&nonce=n1")
        .await;
    let token = world.exchange(&code).await.unwrap();
    let access = claims(&token.access_token);
    assert_eq!(access["sub"], "u1");
    assert_eq!(access["client_id"], "web");
    assert_eq!(access["amr"], json!(["pwd"]));
    assert_eq!(access["acr"], "urn:sealstone:acr:one-factor");
    let id = claims(token.id_token.as_deref().unwrap());
    for (claim, want) in [
        ("sub", json!("u1")),
        ("aud", json!("web")),
        ("nonce", json!("n1")),
        ("name", json!("Ada Lovelace")),
        ("preferred_username", json!("ada")),
        ("email", json!("ada@example.org")),
        ("email_verified", json!(true)),
        ("groups", json!(["staff"])),
        ("amr", json!(["pwd"])),
    ] {
        assert_eq!(id[claim], want, "{claim}");
    }
    assert!(id["at_hash"].is_string() && id["sid"].is_string());
    assert!(token.refresh_token.is_some());
    // The trail says whose token it is.
    let events = world.audit.events();
    let event = events.last().unwrap();
    assert_eq!(event.initiator.user_id.as_deref(), Some("u1"));
    assert!(matches!(&event.target, Target::Token(id) if access["jti"] == **id));
}

#[tokio::test]
async fn h04_h05_h06_h10_a_wrong_proof_spends_the_code() {
    let good = VERIFIER;
    let other = "a".repeat(43);
    let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    let uri = encoded(CALLBACK);
    let cases = [
        ("h04 no verifier", format!("redirect_uri={uri}"), true),
        (
            "h05 another verifier",
            format!("redirect_uri={uri}&code_verifier={other}"),
            true,
        ),
        (
            "h05 the challenge",
            format!("redirect_uri={uri}&code_verifier={challenge}"),
            true,
        ),
        (
            "h06 too short",
            format!("redirect_uri={uri}&code_verifier={}", "a".repeat(42)),
            false,
        ),
        (
            "h06 too long",
            format!("redirect_uri={uri}&code_verifier={}", "a".repeat(129)),
            false,
        ),
        (
            "h06 odd",
            format!("redirect_uri={uri}&code_verifier={}", "%20".repeat(43)),
            false,
        ),
        ("h10 no address", format!("code_verifier={good}"), true),
        (
            "h10 another address",
            format!(
                "redirect_uri={}&code_verifier={good}",
                encoded("https://app.example/other")
            ),
            true,
        ),
    ];
    for (name, rest, spends) in cases {
        let world = world().await;
        let code = world.browser().code("").await;
        let answer = world
            .token(&format!("grant_type=authorization_code&code={code}&{rest}"))
            .await;
        let code_of = rule(answer);
        assert!(
            matches!(code_of.as_str(), "invalid_grant" | "invalid_request"),
            "{name}: {code_of}"
        );
        let after = rule(world.exchange(&code).await);
        assert_eq!(after, if spends { "invalid_grant" } else { "issued" }, "{name}");
    }
}

#[tokio::test]
async fn h07_a_verifier_without_a_challenge_is_a_downgrade() {
    let world = world().await;
    world
        .register("lax", with(web(), "require_pkce", json!(false)))
        .await;
    let mut browser = world.browser();
    let query = request_of("lax", "");
    let stripped: String = query
        .split('&')
        .filter(|pair| !pair.starts_with("code_challenge"))
        .collect::<Vec<_>>()
        .join("&");
    let page = browser.authorize(&stripped).await;
    let code = browser.sign_in(&page).await.parameter("code").unwrap();
    assert_eq!(
        rule(world.token_at("demo", "lax", &exchange(&code)).await),
        "invalid_grant"
    );
    // And a client that must send one gets no code without.
    let stripped = stripped.replace("lax", "web");
    assert_eq!(browser.authorize(&stripped).await.kind(), "invalid_request");
}

#[tokio::test]
async fn h08_a_code_twice_ends_what_the_first_use_gave() {
    let world = world().await;
    let code = world.browser().code("&scope=openid").await;
    let first = world.exchange(&code).await.unwrap();
    assert!(super::userinfo::read(&world, &first.access_token).await.is_ok());
    assert_eq!(rule(world.exchange(&code).await), "invalid_grant");
    // The trail says what it was, whose it was, and what ended.
    assert_eq!(world.last_rule(), "code_spent");
    let events = world.audit.events();
    let event = events.last().unwrap();
    assert_eq!(event.action.as_str(), "deny/reused_code");
    assert_eq!(event.initiator.user_id.as_deref(), Some("u1"));
    assert!(matches!(event.target, Target::Grant(_)), "{:?}", event.target);
    assert_eq!(
        super::userinfo::read(&world, &first.access_token)
            .await
            .unwrap_err(),
        "InvalidToken"
    );
    let refresh = first.refresh_token.unwrap();
    let again = world
        .token(&format!("grant_type=refresh_token&refresh_token={refresh}"))
        .await;
    assert_eq!(rule(again), "invalid_grant");
}

/// Without a refresh token it is the access token that ends, and is named.
#[tokio::test]
async fn h08_a_code_twice_without_a_family_names_the_token_that_ended() {
    let world = world().await;
    let only_codes = with(web(), "grant_types", json!(["authorization_code"]));
    world
        .register("codes", with(only_codes, "scope", json!("openid")))
        .await;
    let mut browser = world.browser();
    let asked = request("&scope=openid").replace("client_id=web", "client_id=codes");
    let page = browser.authorize(&asked).await;
    let code = browser.sign_in(&page).await.parameter("code").unwrap();
    let first = world.token_at("demo", "codes", &exchange(&code)).await.unwrap();
    let again = world.token_at("demo", "codes", &exchange(&code)).await;
    assert_eq!(rule(again), "invalid_grant");
    let events = world.audit.events();
    let event = events.last().unwrap();
    assert_eq!(event.action.as_str(), "deny/reused_code");
    let id = claims(&first.access_token)["jti"].clone();
    assert!(
        matches!(&event.target, Target::Token(of) if id == **of),
        "{:?}",
        event.target
    );
}

#[tokio::test]
async fn h09_h16_another_client_or_issuer_learns_and_spends_nothing() {
    let world = world().await;
    world.register("thief", web()).await;
    world.register_in("other", "web2", web()).await;
    let code = world.browser().code("").await;
    assert_eq!(
        rule(world.token_at("demo", "thief", &exchange(&code)).await),
        "invalid_grant"
    );
    assert_eq!(
        rule(world.token_at("other", "web2", &exchange(&code)).await),
        "invalid_grant"
    );
    assert_eq!(
        rule(world.token_at("other", "web", &exchange(&code)).await),
        "invalid_client"
    );
    assert_eq!(rule(world.exchange(&code).await), "issued");
}

#[tokio::test]
async fn a_failed_client_authentication_does_not_consume_the_code() {
    let world = world().await;
    let code = world.browser().code("").await;
    let wrong = format!("client_id=web&client_secret=wrong&{}", exchange(&code));
    assert_eq!(rule(world.token_of("demo", &wrong).await), "invalid_client");
    assert_eq!(rule(world.exchange(&code).await), "issued");
}

#[tokio::test]
async fn h11_a_code_ends_after_a_minute() {
    for (seconds, want) in [(59, "issued"), (60, "invalid_grant"), (61, "invalid_grant")] {
        let world = world().await;
        let code = world.browser().code("").await;
        world.clock.advance(Duration::from_secs(seconds));
        assert_eq!(rule(world.exchange(&code).await), want, "{seconds}");
    }
}

#[tokio::test]
async fn h12_codes_are_not_guessed() {
    let world = world().await;
    let code = world.browser().code("").await;
    assert_eq!(code.len(), 43, "256 bits");
    let mut bytes = sealstone_testkit::SeededBytes::new(99);
    for _guess in 0..200 {
        let guess = sealstone_jose::base64url::encode(bytes.array::<32>());
        assert_eq!(rule(world.exchange(&guess).await), "invalid_grant");
    }
    assert_eq!(rule(world.exchange(&code).await), "issued");
}

#[tokio::test]
async fn h14_a_person_who_is_gone_or_changed_gets_nothing() {
    for change in [true, false] {
        let world = world().await;
        let code = world.browser().code("").await;
        let now = world.clock.seconds();
        world.people.change(|people| {
            people.gone = change;
            people.valid_since = (!change).then_some(now);
        });
        assert_eq!(rule(world.exchange(&code).await), "invalid_grant");
        // It was given once.
        world.people.change(|people| {
            people.gone = false;
            people.valid_since = None;
        });
        assert_eq!(rule(world.exchange(&code).await), "invalid_grant");
    }
}

#[tokio::test]
async fn a_source_that_gives_no_answer_spends_nothing() {
    let world = world().await;
    let code = world.browser().code("").await;
    world.people.change(|people| people.down = true);
    assert_eq!(rule(world.exchange(&code).await), "temporarily_unavailable");
    world.people.change(|people| people.down = false);
    assert_eq!(rule(world.exchange(&code).await), "issued");
}

#[tokio::test]
async fn h15_a_client_that_lost_the_grant_gets_nothing() {
    let world = world().await;
    let code = world.browser().code("").await;
    let now = world.clock.now();
    world
        .update("web", |client| {
            let machine = json!({"token_endpoint_auth_method": "client_secret_post", "client_name": "Web",
                                 "grant_types": ["client_credentials"], "scope": "reports"});
            let machine = sealstone_registry::ClientRegistration::from_json(machine.to_string().as_bytes());
            client.updated(machine.unwrap(), None, now).unwrap()
        })
        .await;
    assert_eq!(rule(world.exchange(&code).await), "unauthorized_client");
}

#[tokio::test]
async fn a_public_client_proves_itself_by_its_verifier_alone() {
    let world = world().await;
    world
        .register("cli", with(web(), "token_endpoint_auth_method", json!("none")))
        .await;
    let mut browser = world.browser();
    let page = browser.authorize(&request_of("cli", "")).await;
    let code = browser.sign_in(&page).await.parameter("code").unwrap();
    let wrong = format!("client_id=web&client_secret=x&{}", exchange(&code));
    assert_eq!(rule(world.token_of("demo", &wrong).await), "invalid_client");
    let right = format!("client_id=cli&{}", exchange(&code));
    assert_eq!(rule(world.token_of("demo", &right).await), "issued");
}

#[tokio::test]
async fn a_pairwise_client_knows_a_person_by_a_subject_of_its_own() {
    let world = world().await;
    world
        .register("pair", with(web(), "subject_type", json!("pairwise")))
        .await;
    let mut browser = world.browser();
    let page = browser.authorize(&request_of("pair", "&scope=openid")).await;
    let code = browser.sign_in(&page).await.parameter("code").unwrap();
    let token = world.token_at("demo", "pair", &exchange(&code)).await.unwrap();
    let (access, id) = (
        claims(&token.access_token),
        claims(token.id_token.as_deref().unwrap()),
    );
    assert_eq!(access["sub"], id["sub"]);
    assert!(!id.to_string().contains("u1") && id.get("sid").is_none());
    let told = super::userinfo::read(&world, &token.access_token).await.unwrap();
    assert_eq!(told["sub"], id["sub"]);
}
