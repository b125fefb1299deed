//! `oidcc-basic-certification-test-plan` and `oidcc-formpost-basic-certification-test-plan`.

use sealstone_jose::{Algorithm, UnverifiedJwt, base64url};
use serde_json::{Value, json};

use super::{
    MODES, NONCE, REDIRECT, arrived, ask, code_of, error_of, is_fault_page, redeem, request, tokens,
    userinfo, verified, wait, world, world_of,
};
use crate::people::{Browser, PageForm, People, escaped};
use crate::support::{Ask, ISSUER, TOKEN, secret};

async fn discovery(world: &crate::support::World) -> Value {
    world
        .send(Ask::get(&format!("{ISSUER}/.well-known/openid-configuration")))
        .await
        .json()
}

#[tokio::test]
async fn oidcc_server() {
    let world = world().await;
    let metadata = discovery(&world).await;
    for mode in MODES {
        let mut browser = Browser::new(&world);
        let got = tokens(&world, &mut browser, mode, "").await;
        let now = world.now();
        let claims = &got.claims;
        assert_eq!(claims["iss"], metadata["issuer"]);
        assert_eq!((&claims["aud"], &claims["nonce"]), (&json!("rp"), &json!(NONCE)));
        assert!(claims["iat"].as_u64().unwrap() <= now && claims["exp"].as_u64().unwrap() > now);
        assert!(
            claims["sub"]
                .as_str()
                .is_some_and(|sub| (1..=255).contains(&sub.len()) && sub.is_ascii())
        );
        let answer = userinfo(&world, &got.access_token).await;
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.json(), json!({"sub": claims["sub"]}));
    }
}

#[tokio::test]
async fn oidcc_response_type_missing() {
    let world = world().await;
    for mode in MODES {
        let mut browser = Browser::new(&world);
        let query = request(mode, "").replace("response_type=code&", "");
        let answer = ask(&mut browser, &query).await;
        assert_eq!(error_of(&answer, mode), "invalid_request");
    }
}

#[tokio::test]
async fn oidcc_idtoken_signature() {
    let people = People {
        algorithms: vec![Algorithm::Es256, Algorithm::Rs256],
        ..People::default()
    };
    let world = world_of(people).await;
    let metadata = discovery(&world).await;
    let offered = metadata["id_token_signing_alg_values_supported"]
        .as_array()
        .unwrap();
    assert!(offered.contains(&json!("RS256")), "{offered:?}");
    let got = tokens(&world, &mut Browser::new(&world), "query", "").await;
    let header = got.id_token.split('.').next().unwrap();
    let header: Value = serde_json::from_slice(&base64url::decode(header).unwrap()).unwrap();
    assert_eq!(header["alg"], "RS256");
    let jwks = world.send(Ask::get(&format!("{ISSUER}/jwks"))).await.json();
    let keys = jwks["keys"].as_array().unwrap();
    assert_eq!(keys.iter().filter(|key| key["kid"] == header["kid"]).count(), 1);
}

/// No client can be registered for unsigned ID tokens, and none are offered.
#[tokio::test]
async fn oidcc_idtoken_unsigned() {
    let world = world().await;
    let metadata = discovery(&world).await;
    for (name, value) in metadata.as_object().unwrap() {
        if name.ends_with("signing_alg_values_supported") {
            assert!(!value.as_array().unwrap().contains(&json!("none")), "{name}");
        }
    }
    let got = tokens(&world, &mut Browser::new(&world), "query", "").await;
    assert!(
        UnverifiedJwt::parse(&got.id_token)
            .unwrap()
            .header()
            .kid
            .is_some()
    );
}

#[tokio::test]
async fn oidcc_userinfo_get() {
    let world = world().await;
    let got = tokens(&world, &mut Browser::new(&world), "query", "&prompt=consent").await;
    assert_eq!(
        userinfo(&world, &got.access_token).await.json()["sub"],
        got.claims["sub"]
    );
    for wrong in ["", "x", &got.id_token, &got.code] {
        let answer = userinfo(&world, wrong).await;
        assert!(matches!(answer.status.as_u16(), 400 | 401), "{wrong}: {answer:?}");
        assert!(
            answer
                .header("www-authenticate")
                .is_none_or(|value| value.starts_with("Bearer"))
        );
    }
}

#[tokio::test]
async fn oidcc_userinfo_post_header() {
    let world = world().await;
    let got = tokens(&world, &mut Browser::new(&world), "query", "").await;
    let bearer = format!("Bearer {}", got.access_token);
    let without_body = Ask::new("POST", &format!("{ISSUER}/userinfo")).header("authorization", &bearer);
    let empty_form = Ask::post(&format!("{ISSUER}/userinfo")).header("authorization", &bearer);
    for ask in [without_body, empty_form] {
        let answer = world.send(ask).await;
        assert_eq!(answer.json()["sub"], got.claims["sub"], "{answer:?}");
    }
}

#[tokio::test]
async fn oidcc_userinfo_post_body() {
    let world = world().await;
    let got = tokens(&world, &mut Browser::new(&world), "query", "").await;
    let form = format!("access_token={}", got.access_token);
    let answer = world
        .send(Ask::post(&format!("{ISSUER}/userinfo")).form(form))
        .await;
    assert_eq!(answer.json()["sub"], got.claims["sub"], "{answer:?}");
}

#[tokio::test]
async fn oidcc_ensure_request_without_nonce_succeeds_for_code_flow() {
    let world = world().await;
    for mode in MODES {
        let mut browser = Browser::new(&world);
        let query = request(mode, "").replace(&format!("&nonce={NONCE}"), "");
        let answer = browser.authorize(&query).await;
        let answer = redeem(&world, "rp", &code_of(&answer, mode)).await.json();
        let claims = verified(&world, answer["id_token"].as_str().unwrap()).await;
        assert_eq!(claims.get("nonce"), None);
    }
}

/// What userinfo tells for a scope.
async fn told(scope: &str) -> Value {
    let world = world().await;
    let query = format!("&x=y&prompt=consent&y={}", escaped(scope));
    let query = request("query", &query).replace("scope=openid", &format!("scope={}", escaped(scope)));
    let mut browser = Browser::new(&world);
    let answer = browser.authorize(&query).await;
    let answer = redeem(&world, "rp", &code_of(&answer, "query")).await.json();
    userinfo(&world, answer["access_token"].as_str().unwrap())
        .await
        .json()
}

#[tokio::test]
async fn oidcc_scope_profile() {
    let told = told("openid profile").await;
    assert_eq!(
        (&told["name"], &told["preferred_username"]),
        (&json!("Alice Example"), &json!("alice"))
    );
    assert_eq!(told.get("email"), None);
}

#[tokio::test]
async fn oidcc_scope_email() {
    let told = told("openid email").await;
    assert_eq!(
        (&told["email"], &told["email_verified"]),
        (&json!("alice@example.org"), &json!(true))
    );
    assert_eq!(told.get("name"), None);
}

/// Nothing is known of addresses and telephones: the scopes are not advertised, which is when the suite passes these
/// modules over.
#[tokio::test]
async fn oidcc_scope_address_and_oidcc_scope_phone() {
    let scopes = discovery(&world().await).await["scopes_supported"].clone();
    for absent in ["address", "phone"] {
        assert!(!scopes.as_array().unwrap().contains(&json!(absent)), "{scopes}");
    }
}

#[tokio::test]
async fn oidcc_scope_all() {
    let told = told("openid profile email groups").await;
    for claim in [
        "sub",
        "name",
        "preferred_username",
        "email",
        "email_verified",
        "groups",
    ] {
        assert!(told.get(claim).is_some(), "{claim}: {told}");
    }
}

#[tokio::test]
async fn oidcc_alternate_happy_flow() {
    let world = world().await;
    for mode in MODES {
        let mut browser = Browser::new(&world);
        let query = format!(
            "nonce={NONCE}&response_mode={mode}&state=af0ifjsldkj&scope=email%20openid%20profile\
             &redirect_uri={}&response_type=code&client_id=rp",
            escaped(REDIRECT)
        );
        let answer = browser.authorize(&query).await;
        let answer = redeem(&world, "rp", &code_of(&answer, mode)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

/// Parameters that change how a page looks, if anything.
async fn causes_no_error(parameters: &[&str]) {
    let world = world().await;
    for mode in MODES {
        for parameter in parameters {
            let got = tokens(&world, &mut Browser::new(&world), mode, parameter).await;
            assert_eq!(got.claims["aud"], "rp", "{parameter}");
        }
    }
}

#[tokio::test]
async fn oidcc_display_page_and_oidcc_display_popup() {
    causes_no_error(&["&display=page", "&display=popup"]).await;
}

#[tokio::test]
async fn oidcc_prompt_login() {
    let world = world().await;
    for mode in MODES {
        let mut browser = Browser::new(&world);
        let first = tokens(&world, &mut browser, mode, "").await;
        wait(&world, 5);
        let page = ask(&mut browser, &request(mode, "&prompt=login")).await;
        assert!(page.text.contains("name=\"password\""), "{page:?}");
        let second = tokens(&world, &mut browser, mode, "&prompt=login").await;
        let time = |claims: &Value| claims["auth_time"].as_u64().unwrap();
        assert!(time(&second.claims) >= time(&first.claims) + 5);
        assert_eq!(second.claims["sub"], first.claims["sub"]);
    }
}

#[tokio::test]
async fn oidcc_prompt_none_not_logged_in() {
    let world = world().await;
    for mode in MODES {
        let answer = ask(&mut Browser::new(&world), &request(mode, "&prompt=none")).await;
        assert_eq!(error_of(&answer, mode), "login_required");
    }
}

#[tokio::test]
async fn oidcc_prompt_none_logged_in() {
    let world = world().await;
    for mode in MODES {
        let mut browser = Browser::new(&world);
        let first = tokens(&world, &mut browser, mode, "").await;
        let answer = ask(&mut browser, &request(mode, "&prompt=none")).await;
        let answer = redeem(&world, "rp", &code_of(&answer, mode)).await.json();
        let claims = verified(&world, answer["id_token"].as_str().unwrap()).await;
        assert_eq!(
            (&claims["sub"], &claims["auth_time"]),
            (&first.claims["sub"], &first.claims["auth_time"])
        );
    }
}

#[tokio::test]
async fn oidcc_max_age_1() {
    let world = world().await;
    for mode in MODES {
        let mut browser = Browser::new(&world);
        let first = tokens(&world, &mut browser, mode, "").await;
        wait(&world, 2);
        let page = ask(&mut browser, &request(mode, "&max_age=1")).await;
        assert!(page.text.contains("name=\"password\""), "{page:?}");
        let second = tokens(&world, &mut browser, mode, "&max_age=1").await;
        let time = |claims: &Value| claims["auth_time"].as_u64().unwrap();
        assert!(time(&second.claims) > time(&first.claims));
        assert!(world.now() - time(&second.claims) <= 1);
    }
}

#[tokio::test]
async fn oidcc_max_age_10000() {
    let world = world().await;
    for mode in MODES {
        let mut browser = Browser::new(&world);
        let first = tokens(&world, &mut browser, mode, "").await;
        wait(&world, 100);
        let answer = ask(&mut browser, &request(mode, "&max_age=10000&prompt=none")).await;
        let answer = redeem(&world, "rp", &code_of(&answer, mode)).await.json();
        let claims = verified(&world, answer["id_token"].as_str().unwrap()).await;
        assert_eq!(claims["auth_time"], first.claims["auth_time"]);
    }
}

#[tokio::test]
async fn oidcc_ensure_request_with_unknown_parameter_succeeds() {
    causes_no_error(&["&extra=foobar"]).await;
}

#[tokio::test]
async fn oidcc_id_token_hint() {
    let world = world().await;
    for mode in MODES {
        let mut browser = Browser::new(&world);
        let first = tokens(&world, &mut browser, mode, "").await;
        let query = request(mode, &format!("&prompt=none&id_token_hint={}", first.id_token));
        let answer = ask(&mut browser, &query).await;
        let answer = redeem(&world, "rp", &code_of(&answer, mode)).await.json();
        let claims = verified(&world, answer["id_token"].as_str().unwrap()).await;
        assert_eq!(claims["sub"], first.claims["sub"]);
    }
}

#[tokio::test]
async fn oidcc_login_hint() {
    causes_no_error(&["&login_hint=buffy%40rp.example"]).await;
}

#[tokio::test]
async fn oidcc_ui_locales_and_oidcc_claims_locales() {
    causes_no_error(&["&ui_locales=se", "&ui_locales=de+en", "&claims_locales=se"]).await;
}

#[tokio::test]
async fn oidcc_ensure_request_with_acr_values_succeeds() {
    let world = world().await;
    let classes = discovery(&world).await["acr_values_supported"].clone();
    for acr in ["urn:sealstone:acr:one-factor", "urn:other urn:another"] {
        let more = format!("&acr_values={}", escaped(acr));
        let got = tokens(&world, &mut Browser::new(&world), "query", &more).await;
        assert!(
            classes.as_array().unwrap().contains(&got.claims["acr"]),
            "{}",
            got.claims
        );
    }
}

#[tokio::test]
async fn oidcc_codereuse() {
    let world = world().await;
    for mode in MODES {
        let got = tokens(&world, &mut Browser::new(&world), mode, "").await;
        redeem(&world, "rp", &got.code)
            .await
            .is_refused(400, "invalid_grant");
    }
}

#[tokio::test]
async fn oidcc_codereuse_30seconds() {
    let world = world().await;
    for mode in MODES {
        let got = tokens(&world, &mut Browser::new(&world), mode, "").await;
        assert_eq!(userinfo(&world, &got.access_token).await.status, 200);
        wait(&world, 30);
        redeem(&world, "rp", &got.code)
            .await
            .is_refused(400, "invalid_grant");
        assert_eq!(
            userinfo(&world, &got.access_token).await.status,
            401,
            "its tokens died"
        );
    }
}

#[tokio::test]
async fn oidcc_ensure_registered_redirect_uri() {
    let world = world().await;
    for mode in MODES {
        for other in [
            "https://rp.example/callback/x",
            "https://evil.example/",
            "https://rp.example/callback?x=1",
        ] {
            let query = request(mode, "").replace(&escaped(REDIRECT), &escaped(other));
            is_fault_page(&ask(&mut Browser::new(&world), &query).await);
        }
    }
}

#[tokio::test]
async fn oidcc_ensure_post_request_succeeds() {
    let world = world().await;
    for mode in MODES {
        let mut browser = Browser::new(&world);
        let post = Ask::post(&format!("{ISSUER}/authorize")).header("sec-fetch-site", "cross-site");
        // What another site posts comes without our cookies, and is asked for again as a link.
        let page = browser.send(post.form(request(mode, ""))).await;
        let page = browser.follow(page).await;
        let mut answer = browser.sign_in(&page).await;
        if answer.text.contains("value=\"allow\"") {
            let form = PageForm::of(&answer).with(&[("do", "allow")]);
            answer = browser.post(&form).await;
            answer = browser.follow(answer).await;
        }
        let answer = redeem(&world, "rp", &code_of(&answer, mode)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

#[tokio::test]
async fn oidcc_server_client_secret_post() {
    let world = world().await;
    for mode in MODES {
        let query = request(mode, "").replace("client_id=rp", "client_id=rp-post");
        let answer = Browser::new(&world).authorize(&query).await;
        let code = code_of(&answer, mode);
        let form = format!(
            "grant_type=authorization_code&code={code}&redirect_uri={}&client_id=rp-post&client_secret={}",
            escaped(REDIRECT),
            secret("rp-post")
        );
        let answer = world.send(Ask::post(TOKEN).form(form)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(answer.json()["id_token"].is_string());
    }
}

#[tokio::test]
async fn oidcc_request_uri_unsigned_supported_correctly_or_rejected_as_unsupported() {
    let world = world().await;
    for mode in MODES {
        let query = request(mode, "&request_uri=https%3A%2F%2Frp.example%2Frequest.jwt");
        let answer = ask(&mut Browser::new(&world), &query).await;
        assert_eq!(error_of(&answer, mode), "request_uri_not_supported");
    }
    assert_eq!(discovery(&world).await["request_uri_parameter_supported"], false);
}

/// `{"alg":"none"}` over a request with another redirect URI in it.
fn request_object() -> String {
    let claims = json!({"client_id": "rp", "redirect_uri": "https://evil.example/", "state": "inside"});
    format!(
        "{}.{}.",
        base64url::encode(r#"{"alg":"none"}"#),
        base64url::encode(claims.to_string())
    )
}

#[tokio::test]
async fn oidcc_unsigned_request_object_supported_correctly_or_rejected_as_unsupported() {
    let world = world().await;
    for mode in MODES {
        let query = request(mode, &format!("&request={}", request_object()));
        let answer = ask(&mut Browser::new(&world), &query).await;
        assert_eq!(error_of(&answer, mode), "request_not_supported");
    }
    assert_eq!(discovery(&world).await["request_parameter_supported"], false);
}

#[tokio::test]
async fn oidcc_claims_essential() {
    let world = world().await;
    let claims =
        json!({"userinfo": {"name": {"essential": true}}, "id_token": {"email": {"essential": true}}});
    let more = format!("&claims={}", escaped(&claims.to_string()));
    let got = tokens(&world, &mut Browser::new(&world), "query", &more).await;
    assert_eq!(
        userinfo(&world, &got.access_token).await.json()["name"],
        "Alice Example"
    );
    assert_eq!(got.claims["email"], "alice@example.org");
}

#[tokio::test]
async fn oidcc_ensure_request_object_with_redirect_uri() {
    let world = world().await;
    let object = format!("&request={}", request_object());
    // Without one outside there are two that it could be, and none is guessed at.
    let outside = format!("&redirect_uri={}", escaped(REDIRECT));
    let query = request("query", &object).replace(&outside, "");
    let answer = ask(&mut Browser::new(&world), &query).await;
    let location = answer.header("location").unwrap_or_default();
    assert!(
        !location.contains("evil.example") && !location.contains("code="),
        "{answer:?}"
    );
    let query = request("query", &object).replace(&escaped(REDIRECT), &escaped("https://evil.example/"));
    is_fault_page(&ask(&mut Browser::new(&world), &query).await);
}

#[tokio::test]
async fn oidcc_refresh_token() {
    let world = world().await;
    let more = "&prompt=consent";
    let query = request("query", more).replace("scope=openid", "scope=openid%20offline_access");
    let answer = Browser::new(&world).authorize(&query).await;
    let answer = redeem(&world, "rp", &code_of(&answer, "query")).await.json();
    let before = verified(&world, answer["id_token"].as_str().unwrap()).await;
    let form = format!(
        "grant_type=refresh_token&refresh_token={}",
        answer["refresh_token"].as_str().unwrap()
    );
    let foreign = world.send(Ask::post(TOKEN).basic("rp2").form(form.clone())).await;
    foreign.is_refused(400, "invalid_grant");
    wait(&world, 2);
    let again = world.send(Ask::post(TOKEN).basic("rp").form(form)).await;
    again.is_clean();
    let again = again.json();
    assert_ne!(again["access_token"], answer["access_token"]);
    let after = verified(&world, again["id_token"].as_str().unwrap()).await;
    for same in ["iss", "sub", "aud", "auth_time"] {
        assert_eq!(after[same], before[same], "{same}");
    }
    assert!(after["iat"].as_u64() > before["iat"].as_u64() && after.get("nonce").is_none());
}

#[tokio::test]
async fn oidcc_ensure_request_with_valid_pkce_succeeds() {
    let world = world().await;
    let more = "&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";
    for mode in MODES {
        let mut browser = Browser::new(&world);
        let answer = browser.authorize(&request(mode, more)).await;
        let form = format!(
            "grant_type=authorization_code&code={}&redirect_uri={}\
             &code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
            code_of(&answer, mode),
            escaped(REDIRECT)
        );
        let answer = world.send(Ask::post(TOKEN).basic("rp").form(form)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let answer = browser.authorize(&request(mode, more)).await;
        let without = redeem(&world, "rp", &code_of(&answer, mode)).await;
        without.is_refused(400, "invalid_grant");
        assert!(arrived(&answer, mode).is_some());
    }
}
