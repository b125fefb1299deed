//! `/authorize` and its pages.

use super::support::*;
use sealstone_grants::interaction::MAX_INTERACTIONS_OF_PERSON;
use sealstone_provider::people::{Fault, View};
use serde_json::json;

#[tokio::test]
async fn a_person_signs_in_once_and_every_client_gets_a_code() {
    let world = world().await;
    let mut browser = world.browser();
    let page = browser.authorize(&request("&scope=openid")).await;
    assert!(matches!(page.view(), Some(View::Login(_))), "{page:?}");
    let answer = browser.sign_in(&page).await;
    assert_eq!(answer.parameter("state").as_deref(), Some("s1"));
    assert_eq!(
        answer.parameter("iss").as_deref(),
        Some("https://id.example/v4/oauth2/demo")
    );
    assert!(answer.url().unwrap().starts_with("https://app.example/cb?"));
    assert!(answer.parameter("code").is_some());
    // Signed in: no page.
    assert_eq!(
        browser
            .authorize(&request("&scope=openid&prompt=none"))
            .await
            .kind(),
        "code"
    );
    assert_eq!(
        world.actions(),
        [
            "renew/key",
            "renew/key",
            "authenticate/login",
            "create/authorization_code",
            "create/authorization_code"
        ]
    );
}

#[tokio::test]
async fn wrong_credentials_lead_nowhere_and_are_told_apart_by_nobody() {
    let world = world().await;
    for (name, password) in [
        ("ada", "wrong"),
        ("nobody", PASSWORD),
        ("", PASSWORD),
        ("ada", ""),
    ] {
        let mut browser = world.browser();
        let page = browser.authorize(&request("")).await;
        let fields = [("user_name", name), ("password", password), ("do", "password")];
        let again = browser.send(&page, &fields).await;
        let Some(View::Login(view)) = again.view() else {
            panic!("{again:?}");
        };
        assert_eq!(view.fault, Some(Fault::WrongPassword), "{name}");
        assert!(browser.session.is_none());
        assert_eq!(world.last_rule(), "login_refused/credentials_not_accepted");
    }
}

#[tokio::test]
async fn g24_without_state_there_is_none_in_the_answer() {
    let world = world().await;
    let mut browser = world.browser();
    let query = request("").replace("&state=s1", "");
    let page = browser.authorize(&query).await;
    let answer = browser.sign_in(&page).await;
    assert_eq!(answer.kind(), "code");
    assert_eq!(answer.parameter("state"), None);
}

#[tokio::test]
async fn g25_every_answer_names_its_issuer() {
    let world = world().await;
    let mut browser = world.browser();
    let issuer = "https://id.example/v4/oauth2/demo";
    for more in ["&prompt=none", "&scope=nothing", "&max_age=x"] {
        let answer = browser.authorize(&request(more)).await;
        assert_eq!(answer.parameter("iss").as_deref(), Some(issuer), "{more}");
        assert!(answer.parameter("error").is_some(), "{more}");
    }
    assert_eq!(world.provider.metadata(&demo()).unwrap().issuer.as_str(), issuer);
}

#[tokio::test]
async fn g26_a_machine_is_nobody_at_userinfo_whatever_it_is_called() {
    let world = world().await;
    let machine = json!({"token_endpoint_auth_method": "client_secret_post", "scope": "openid",
                         "grant_types": ["client_credentials"]});
    // The id of a person here; ids of the usual shape can't be chosen at all.
    world.register("u1", machine).await;
    let answer = world
        .token_at("demo", "u1", "grant_type=client_credentials&scope=openid")
        .await;
    let Ok(token) = answer else { return };
    assert_eq!(
        super::userinfo::read(&world, &token.access_token)
            .await
            .unwrap_err(),
        "InsufficientScope"
    );
}

#[tokio::test]
async fn g27_g28_g30_a_silent_request_gets_an_error_and_no_page() {
    let world = world().await;
    let cases = [
        ("&prompt=none", "login_required"),
        ("&prompt=none%20login", "invalid_request"),
        ("&prompt=banana", "invalid_request"),
        ("&max_age=-1", "invalid_request"),
        ("&max_age=abc", "invalid_request"),
        ("&max_age=1e9", "invalid_request"),
        ("&prompt=none&acr_values=phr", "login_required"),
        ("&response_mode=fragment", "invalid_request"),
        ("&response_mode=banana", "invalid_request"),
        ("&request=eyJ", "request_not_supported"),
        (
            "&request_uri=https%3A%2F%2Fapp.example%2Fr",
            "request_uri_not_supported",
        ),
        ("&scope=admin", "invalid_scope"),
        ("&resource=https%3A%2F%2Fother.example", "invalid_target"),
        ("&claims=%7B", "invalid_request"),
    ];
    for (more, want) in cases {
        let answer = world.browser().authorize(&request(more)).await;
        assert_eq!(answer.kind(), want, "{more}");
        assert!(
            answer.url().unwrap().starts_with("https://app.example/cb?"),
            "{more}"
        );
    }
    // An empty max_age is none.
    let page = world.browser().authorize(&request("&max_age=")).await;
    assert!(matches!(page.view(), Some(View::Login(_))));
}

#[tokio::test]
async fn nothing_is_redirected_to_an_address_that_was_not_checked() {
    let world = world().await;
    world.register_in("other", "foreign", web()).await;
    world.register("off", web()).await;
    let at = world.clock.now();
    world.update("off", |client| client.with_enabled(false, at)).await;
    let evil = request("").replace(&encoded(CALLBACK), &encoded("https://evil.example/cb"));
    let twice = format!("{}&redirect_uri={}", request(""), encoded(CALLBACK));
    let cases = [
        ("an unknown client", request_of("nobody", "")),
        ("a disabled client", request_of("off", "")),
        ("another domain's client", request_of("foreign", "")),
        ("another address", evil),
        ("two addresses", twice),
        ("no client", "response_type=code".to_owned()),
        ("nothing", String::new()),
    ];
    for (name, query) in cases {
        let answer = world.browser().authorize(&query).await;
        assert_eq!(answer.kind(), "Request", "{name}");
        assert_eq!(
            world.actions().last(),
            Some(&"create/authorization_code"),
            "{name}"
        );
    }
}

#[tokio::test]
async fn g29_a_new_login_is_a_login_and_moves_auth_time() {
    for more in ["&prompt=login", "&max_age=0"] {
        let world = world().await;
        let mut browser = world.browser();
        let code = browser.code("&scope=openid").await;
        let first = claims(&world.exchange(&code).await.unwrap().id_token.unwrap());
        world.clock.advance(std::time::Duration::from_secs(30));
        let query = request(&format!("&scope=openid{more}"));
        let page = browser.authorize(&query).await;
        assert!(matches!(page.view(), Some(View::Login(_))), "{more}");
        let answer = browser.sign_in(&page).await;
        let code = answer.parameter("code").unwrap();
        let second = claims(&world.exchange(&code).await.unwrap().id_token.unwrap());
        let moved = second["auth_time"].as_u64().unwrap() - first["auth_time"].as_u64().unwrap();
        assert_eq!(moved, 30, "{more}");
        assert_eq!(
            second["sid"], first["sid"],
            "the session of the same person goes on"
        );
        // Asked for once more, it is a login once more.
        let page = browser.authorize(&query).await;
        assert!(matches!(page.view(), Some(View::Login(_))), "{more}");
    }
}

#[tokio::test]
async fn g31_a_hint_of_somebody_else_signs_nobody_in() {
    let world = world().await;
    let mut ada = world.browser();
    let code = ada.code("&scope=openid").await;
    let hint = world.exchange(&code).await.unwrap().id_token.unwrap();
    let silent = |hint: &str| {
        request(&format!(
            "&scope=openid&prompt=none&id_token_hint={}",
            encoded(hint)
        ))
    };
    assert_eq!(ada.authorize(&silent(&hint)).await.kind(), "code");
    // Its end does not matter.
    world.clock.advance(std::time::Duration::from_secs(7200));
    assert_eq!(ada.authorize(&silent(&hint)).await.kind(), "code");
    let mut bob = world.browser();
    let page = bob.authorize(&request("&scope=openid")).await;
    assert_eq!(bob.sign_in_as(&page, "bob").await.kind(), "code");
    let none = format!(
        "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{}.",
        hint.split('.').nth(1).unwrap()
    );
    let mut altered = hint.clone();
    altered.replace_range(altered.len() - 8..altered.len() - 7, "!");
    assert_eq!(
        bob.authorize(&silent(&hint)).await.kind(),
        "login_required",
        "another person"
    );
    for (name, hint) in [
        ("alg none", none),
        ("altered", altered),
        ("no token", "banana".to_owned()),
    ] {
        assert_eq!(
            ada.authorize(&silent(&hint)).await.kind(),
            "login_required",
            "{name}"
        );
    }
    assert_eq!(
        world.browser().authorize(&silent(&hint)).await.kind(),
        "login_required"
    );
}

#[tokio::test]
async fn g36_no_cookie_from_before_the_login_is_a_session_after_it() {
    let world = world().await;
    let mut browser = world.browser();
    browser.session = Some("A".repeat(43));
    let page = browser.authorize(&request("")).await;
    let before = browser.session.clone();
    browser.sign_in(&page).await;
    let first = browser.session.clone().unwrap();
    assert_ne!(Some(&first), before.as_ref());
    // A second login of the same person gives another one, and the first is worth nothing.
    let page = browser.authorize(&request("&prompt=login")).await;
    browser.sign_in(&page).await;
    let second = browser.session.replace(first).unwrap();
    assert_eq!(
        browser.authorize(&request("&prompt=none")).await.kind(),
        "login_required"
    );
    browser.session = Some(second);
    assert_eq!(browser.authorize(&request("&prompt=none")).await.kind(), "code");
}

#[tokio::test]
async fn r20_a_form_of_another_browser_or_without_cookies_does_nothing() {
    let world = world().await;
    let mut ada = world.browser();
    let page = ada.authorize(&request("")).await;
    let fields = [("user_name", "ada"), ("password", PASSWORD), ("do", "password")];
    let body = page.body(&fields);
    let mut other = world.browser();
    assert_eq!(other.post(&body).await.kind(), "NoCookie");
    other.authorize(&request("")).await;
    assert_eq!(other.post(&body).await.kind(), "Expired");
    assert!(other.session.is_none());
    let forged = body.replace("anti_forgery=%", "anti_forgery=A%");
    assert_eq!(ada.post(&forged).await.kind(), "Expired");
    let another = body.replace(&encoded("state=s1"), &encoded("state=s2"));
    assert_eq!(
        ada.post(&another).await.kind(),
        "Expired",
        "another request than the page's"
    );
    assert_eq!(ada.post(&body).await.kind(), "code");
}

#[tokio::test]
async fn consent_is_asked_for_once_and_can_be_refused() {
    let world = world().await;
    world.register("asks", with(web(), "consent", json!("ask"))).await;
    let query = request_of("asks", "&scope=openid%20profile");
    let mut browser = world.browser();
    let page = browser.authorize(&query).await;
    let consent = browser.sign_in(&page).await;
    assert!(matches!(consent.view(), Some(View::Consent(_))), "{consent:?}");
    let silent = format!("{query}&prompt=none");
    assert_eq!(browser.authorize(&silent).await.kind(), "consent_required");
    let refused = browser.send(&consent, &[("do", "deny")]).await;
    assert_eq!(refused.kind(), "access_denied");
    assert_eq!(refused.parameter("state").as_deref(), Some("s1"));
    // The page that was answered is over.
    assert_eq!(browser.send(&consent, &[("do", "allow")]).await.kind(), "Expired");
    let page = browser.authorize(&query).await;
    assert_eq!(browser.send(&page, &[("do", "allow")]).await.kind(), "code");
    assert_eq!(browser.authorize(&silent).await.kind(), "code");
    let wider = request_of("asks", "&scope=openid%20profile%20email&prompt=none");
    assert_eq!(browser.authorize(&wider).await.kind(), "consent_required");
    let again = format!("{query}&prompt=consent");
    let page = browser.authorize(&again).await;
    assert!(matches!(page.view(), Some(View::Consent(_))));
}

#[tokio::test]
async fn a_project_is_chosen_of_those_that_there_are() {
    let world = world().await;
    let query = request("&scope=openid%20openstack:api");
    let mut browser = world.browser();
    let page = browser.authorize(&query).await;
    let page = browser.sign_in(&page).await;
    let Some(View::Consent(view)) = page.view() else {
        panic!("{page:?}");
    };
    assert_eq!(view.projects.len(), 2);
    for fields in [vec![("do", "allow")], vec![("do", "allow"), ("project", "p9")]] {
        let again = browser.send(&page, &fields).await;
        let Some(View::Consent(view)) = again.view() else {
            panic!("{again:?}");
        };
        assert_eq!(view.fault, Some(Fault::NoProject));
    }
    let answer = browser.send(&page, &[("do", "allow"), ("project", "p2")]).await;
    let token = world.exchange(&answer.parameter("code").unwrap()).await.unwrap();
    let access = claims(&token.access_token);
    assert_eq!(access["openstack_context"]["project_id"], "p2");
    assert_eq!(access["aud"], "openstack-apis:demo");
    // Who may act nowhere gets nothing.
    let mut bob = world.browser();
    let page = bob.authorize(&query).await;
    assert_eq!(bob.sign_in_as(&page, "bob").await.kind(), "access_denied");
}

#[tokio::test]
async fn select_account_shows_who_is_signed_in_and_lets_another_in() {
    let world = world().await;
    let mut browser = world.browser();
    browser.code("").await;
    let query = request("&prompt=select_account");
    let page = browser.authorize(&query).await;
    assert!(matches!(page.view(), Some(View::SelectAccount(_))), "{page:?}");
    assert_eq!(browser.send(&page, &[("do", "continue")]).await.kind(), "code");
    let page = browser.authorize(&query).await;
    let login = browser.send(&page, &[("do", "other")]).await;
    assert!(matches!(login.view(), Some(View::Login(_))), "{login:?}");
    let answer = browser.sign_in_as(&login, "bob").await;
    let token = world.exchange(&answer.parameter("code").unwrap()).await.unwrap();
    assert_eq!(claims(&token.access_token)["sub"], "u2");
}

/// Requests that were begun without end by one who is signed in displace each other, and nobody else's.
#[tokio::test]
async fn r13_who_begins_without_end_takes_their_own_places() {
    let world = world().await;
    world.register("asks", with(web(), "consent", json!("ask"))).await;
    let query = request_of("asks", "&scope=openid&prompt=select_account");
    let mut bob = world.browser();
    let page = bob.authorize(&request_of("asks", "&scope=openid")).await;
    let of_bob = bob.sign_in_as(&page, "bob").await;
    assert!(matches!(of_bob.view(), Some(View::Consent(_))), "{of_bob:?}");

    let mut ada = world.browser();
    ada.code("").await;
    let mut kept = Vec::new();
    for _ in 0..=MAX_INTERACTIONS_OF_PERSON {
        let page = ada.authorize(&query).await;
        kept.push(ada.send(&page, &[("do", "continue")]).await);
        world.clock.advance(std::time::Duration::from_secs(1));
    }
    let [first, second, .., last] = &kept[..] else {
        panic!("{kept:?}")
    };
    assert!(matches!(first.view(), Some(View::Consent(_))), "{first:?}");
    assert_eq!(
        ada.send(first, &[("do", "deny")]).await.kind(),
        "Expired",
        "made room"
    );
    for page in [second, last] {
        assert_eq!(ada.send(page, &[("do", "deny")]).await.kind(), "access_denied");
    }
    assert_eq!(bob.send(&of_bob, &[("do", "allow")]).await.kind(), "code");
}

#[tokio::test]
async fn a_login_can_be_left() {
    let world = world().await;
    let mut browser = world.browser();
    let page = browser.authorize(&request("")).await;
    let answer = browser.send(&page, &[("do", "cancel")]).await;
    assert_eq!(answer.kind(), "access_denied");
    assert_eq!(world.last_rule(), "consent_refused");
}

#[tokio::test]
async fn a_source_that_gives_no_answer_lets_nobody_in() {
    let world = world().await;
    let mut browser = world.browser();
    let page = browser.authorize(&request("")).await;
    world.people.change(|people| people.down = true);
    let body = page.body(&[("user_name", "ada"), ("password", PASSWORD), ("do", "password")]);
    let form = sealstone_oauth_types::Form::parse(body.as_bytes()).map_err(Into::into);
    let answer = world.provider.submit(&demo(), form, &browser.context()).await;
    assert!(answer.is_err());
    world.people.change(|people| people.down = false);
    browser.sign_in(&page).await;
    // Nor does it keep anybody in.
    world.people.change(|people| people.down = true);
    let silent = browser.authorize(&request("&prompt=none")).await;
    assert_eq!(silent.kind(), "temporarily_unavailable");
    let shown = request("");
    let answer = world
        .provider
        .authorize(&demo(), shown.as_bytes(), &browser.context())
        .await;
    assert!(answer.is_err());
}

#[tokio::test]
async fn form_post_carries_the_answer_in_a_form() {
    let world = world().await;
    let mut browser = world.browser();
    let page = browser.authorize(&request("&response_mode=form_post")).await;
    let answer = browser.sign_in(&page).await;
    let sealstone_provider::people::BrowserContent::FormPost(form) = answer.0 else {
        panic!("{answer:?}");
    };
    assert_eq!(form.action, CALLBACK);
    assert_eq!(form.origin, "https://app.example");
    let names: Vec<&str> = form.fields.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["code", "state", "iss"]);
}

#[tokio::test]
async fn a_session_ends_by_its_limits_and_with_what_the_source_says() {
    let silent = request("&prompt=none");
    for (name, seconds, change) in [
        ("idle", 8 * 3600, None),
        ("password changed", 60, Some(true)),
        ("gone", 60, Some(false)),
    ] {
        let world = world().await;
        let mut browser = world.browser();
        browser.code("").await;
        assert_eq!(browser.authorize(&silent).await.kind(), "code", "{name}");
        world.clock.advance(std::time::Duration::from_secs(seconds));
        let now = world.clock.seconds();
        match change {
            Some(true) => world.people.change(|people| people.valid_since = Some(now)),
            Some(false) => world.people.change(|people| people.gone = true),
            None => {}
        }
        assert_eq!(
            browser.authorize(&silent).await.kind(),
            "login_required",
            "{name}"
        );
        // It does not come back.
        world.people.change(|people| {
            people.valid_since = None;
            people.gone = false;
        });
        assert_eq!(
            browser.authorize(&silent).await.kind(),
            "login_required",
            "{name}"
        );
    }
}
