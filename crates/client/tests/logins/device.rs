use std::{cell::RefCell, time::Duration};

use sealstone_client::{DeviceLogin, LoginError, TokenError, TokenSet};
use serde_json::{Value, json};

use crate::support::{Fake, Said, TestClock, said};

const CODE: &str = "POST /device_authorization";

fn offer(members: &Value) -> Said {
    let mut body = json!({
        "device_code": "dc-secret", "user_code": "BDWP-HQPK", "verification_uri": "https://id.example/device",
        "verification_uri_complete": "https://id.example/device?user_code=BDWP-HQPK", "expires_in": 600,
    });
    for (name, value) in members.as_object().unwrap() {
        body[name] = value.clone();
    }
    body.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    said(200, &body)
}

fn refusal(code: &str) -> Said {
    said(400, &json!({"error": code}))
}

/// Waits by moving the clock; tells the pauses, in seconds.
async fn wait(fake: &Fake, members: &Value) -> (Result<TokenSet, LoginError>, Vec<u64>) {
    let clock = TestClock::new();
    fake.says(CODE, offer(members));
    let party = fake.party(&clock).await;
    let login = DeviceLogin::begin(&party, "openid", &[]).await.unwrap();
    let pauses = RefCell::new(Vec::new());
    let ended = login
        .wait(|span| {
            pauses.borrow_mut().push(span.as_secs());
            clock.advance(span);
            std::future::ready(())
        })
        .await;
    (ended, pauses.into_inner())
}

#[tokio::test]
async fn a_code_is_shown_and_waited_for() {
    let fake = Fake::start().await;
    fake.says(CODE, offer(&json!({"interval": 3})));
    let party = fake.party(&TestClock::new()).await;
    let resources = ["https://api.example".to_owned()];
    let login = DeviceLogin::begin(&party, "openid offline_access", &resources)
        .await
        .unwrap();
    assert_eq!(login.user_code(), "BDWP-HQPK");
    assert_eq!(login.verification_uri(), "https://id.example/device");
    assert_eq!(login.interval(), Duration::from_secs(3));
    assert!(!format!("{login:?}").contains("dc-secret"));
    let asked = fake.asked(CODE)[0].fields();
    assert_eq!(
        (asked["client_id"].as_str(), asked["resource"].as_str()),
        ("terminal", "https://api.example")
    );

    fake.says_in_turn(
        "POST /token",
        vec![
            refusal("authorization_pending"),
            refusal("authorization_pending"),
            fake.grants(None, &json!({})),
        ],
    );
    let (ended, pauses) = wait(&fake, &json!({"interval": 3})).await;
    assert_eq!(ended.unwrap().person().unwrap().subject, "u1");
    assert_eq!(pauses, [3, 3, 3]);
    let sent = fake.asked("POST /token")[0].fields();
    assert_eq!(sent["grant_type"], "urn:ietf:params:oauth:grant-type:device_code");
    assert_eq!(sent["device_code"], "dc-secret");
}

#[tokio::test]
async fn slow_down_429_and_faults_of_the_server_lengthen_the_pause() {
    let fake = Fake::start().await;
    fake.says_in_turn(
        "POST /token",
        vec![
            refusal("slow_down"),
            refusal("authorization_pending"),
            Said(429, Vec::new(), String::new()),
            Said(503, Vec::new(), "<html>".to_owned()),
            fake.grants(None, &json!({})),
        ],
    );
    let (ended, pauses) = wait(&fake, &json!({})).await;
    ended.unwrap();
    assert_eq!(pauses, [5, 10, 10, 15, 20]);
}

#[tokio::test]
async fn a_lost_network_is_waited_out_until_the_code_ends() {
    let fake = Fake::start().await;
    // Nobody is there for tokens.
    fake.publishes(&json!({"token_endpoint": "http://127.0.0.1:1/token"}));
    let (ended, pauses) = wait(&fake, &json!({"expires_in": 120})).await;
    assert!(matches!(ended, Err(LoginError::Expired)));
    assert!(
        pauses.len() >= 4 && pauses.iter().sum::<u64>() >= 120,
        "{pauses:?}"
    );
}

#[tokio::test]
async fn ends_are_told_apart() {
    let fake = Fake::start().await;
    for (code, want) in [
        ("access_denied", "the login was refused"),
        ("expired_token", "the code is no longer good"),
        ("invalid_grant", "the provider refused with invalid_grant"),
        ("invalid_client", "the provider refused with invalid_client"),
    ] {
        fake.says("POST /token", refusal(code));
        let (ended, pauses) = wait(&fake, &json!({})).await;
        let text = ended.unwrap_err().to_string();
        assert!(text.starts_with(want), "{code}: {text}");
        assert_eq!(pauses.len(), 1);
    }
    // Never granted: it ends by itself, whatever the provider goes on saying.
    fake.says("POST /token", refusal("authorization_pending"));
    let (ended, pauses) = wait(&fake, &json!({"expires_in": 60})).await;
    assert!(matches!(ended, Err(LoginError::Expired)));
    assert_eq!(pauses.len(), 12);
    // Whatever it calls a life, an hour is enough, and a look a second too.
    let (ended, pauses) = wait(&fake, &json!({"expires_in": u64::MAX, "interval": 0})).await;
    assert!(matches!(ended, Err(LoginError::Expired)));
    assert_eq!(pauses.len(), 3600);
    let (ended, pauses) = wait(&fake, &json!({"interval": 86_400})).await;
    assert!(matches!(ended, Err(LoginError::Expired)));
    assert_eq!(pauses[0], 60);
}

#[tokio::test]
async fn what_is_no_offer_is_refused() {
    let fake = Fake::start().await;
    let party = fake.party(&TestClock::new()).await;
    for (name, answer) in [
        ("no code", offer(&json!({"device_code": null}))),
        ("empty code", offer(&json!({"device_code": ""}))),
        ("no user code", offer(&json!({"user_code": null}))),
        ("long user code", offer(&json!({"user_code": "A".repeat(65)}))),
        ("no address", offer(&json!({"verification_uri": null}))),
        (
            "script",
            offer(&json!({"verification_uri": "javascript:alert(1)"})),
        ),
        (
            "terminal",
            offer(&json!({"verification_uri": "https://id.example/\u{1b}[2J"})),
        ),
        ("no end", offer(&json!({"expires_in": null}))),
        ("page", Said(200, Vec::new(), "<html>".to_owned())),
    ] {
        fake.says(CODE, answer);
        let error = DeviceLogin::begin(&party, "openid", &[]).await.unwrap_err();
        assert!(matches!(error, TokenError::Call(_)), "{name}: {error}");
        assert!(error.to_string().contains("for a device code"), "{name}: {error}");
    }
    fake.says(CODE, refusal("unauthorized_client"));
    let error = DeviceLogin::begin(&party, "openid", &[]).await.unwrap_err();
    assert_eq!(error.to_string(), "the provider refused with unauthorized_client");

    fake.publishes(&json!({"device_authorization_endpoint": null}));
    let party = fake.party(&TestClock::new()).await;
    let error = DeviceLogin::begin(&party, "openid", &[]).await.unwrap_err();
    assert!(matches!(error, TokenError::NoEndpoint { .. }), "{error}");
}
