//! L and N, and of G what is sent by POST: devices, userinfo.

use sealstone_jose::{Algorithm, UnverifiedJwt};
use serde_json::json;

use crate::conformance::{pairs, verified};
use crate::people::{Browser, PageForm, People, register_app, request};
use crate::support::{Answer, Ask, ISSUER, TOKEN, World};

const GRANT: &str = "grant_type=urn:ietf:params:oauth:grant-type:device_code&client_id=cli";

async fn world() -> World {
    let world = World::with_people(People::default()).await;
    register_app(&world).await;
    let cli = json!({
        "client_name": "sealstone",
        "token_endpoint_auth_method": "none",
        "application_type": "native",
        "grant_types": ["urn:ietf:params:oauth:grant-type:device_code", "refresh_token"],
        "scope": "openid profile",
    });
    world.register("demo", "cli", cli).await;
    world
}

async fn device(world: &World) -> (String, String) {
    let ask = Ask::post(&format!("{ISSUER}/device_authorization")).form("client_id=cli&scope=openid");
    let answer = world.send(ask).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let text = |name: &str| answer.json()[name].as_str().unwrap().to_owned();
    (text("device_code"), text("user_code"))
}

async fn poll(world: &World, device_code: &str) -> Answer {
    let form = format!("{GRANT}&device_code={device_code}");
    world.send(Ask::post(TOKEN).form(form)).await
}

#[tokio::test]
async fn l01_whoever_guesses_user_codes_is_slowed_down() {
    let world = world().await;
    device(&world).await;
    let mut browser = Browser::new(&world);
    let page = browser.get(&format!("{ISSUER}/device")).await;
    let form = PageForm::of(&page);
    let mut throttled = 0;
    for guess in 0..200_u32 {
        let letters: String = guess
            .to_string()
            .bytes()
            .map(|digit| char::from(b"BCDFGHJKLM"[usize::from(digit - b'0')]))
            .collect();
        let code = format!("{letters:B>8}");
        let answer = browser
            .post(&form.clone().with(&[("user_code", &code), ("do", "continue")]))
            .await;
        if answer.status == 429 {
            assert!(answer.header("retry-after").is_some(), "{answer:?}");
            throttled += 1;
        }
    }
    assert!(throttled >= 180, "{throttled}");
}

#[tokio::test]
async fn l07_a_link_with_the_code_approves_nothing() {
    let world = world().await;
    let (device_code, user_code) = device(&world).await;
    let mut browser = Browser::new(&world);
    // Signed in, so that nothing but the confirmation is missing.
    browser.authorize(&request("")).await;
    for _ in 0..2 {
        let page = browser
            .get(&format!("{ISSUER}/device?user_code={user_code}"))
            .await;
        assert_eq!(page.status, 200, "{page:?}");
        assert!(!page.text.contains(&device_code), "no page has the device code");
    }
    poll(&world, &device_code)
        .await
        .is_refused(400, "authorization_pending");
}

#[tokio::test]
async fn l04_l06_a_device_is_allowed_once_and_collects_once() {
    let world = world().await;
    let (device_code, user_code) = device(&world).await;
    let mut browser = Browser::new(&world);
    browser.authorize(&request("")).await;
    let page = browser.get(&format!("{ISSUER}/device")).await;
    let sent = PageForm::of(&page).with(&[("user_code", &user_code), ("do", "continue")]);
    let page = browser.post(&sent).await;
    let confirm = browser.follow(page).await;
    assert!(confirm.text.contains(&user_code), "{confirm:?}");
    let allow = PageForm::of(&confirm).with(&[("do", "allow")]);
    // L08: without the token of the page nothing is approved.
    let stripped = allow.fields.iter().fold(allow.clone(), |form, (name, _)| {
        if name == "do" { form } else { form.without(name) }
    });
    let refused = browser.post(&stripped).await;
    assert_ne!(refused.status, 303, "{refused:?}");
    poll(&world, &device_code)
        .await
        .is_refused(400, "authorization_pending");
    let done = browser.post(&allow).await;
    browser.follow(done).await;
    world.clock.advance(std::time::Duration::from_secs(5));
    let given = poll(&world, &device_code).await;
    assert_eq!(given.status, 200, "{given:?}");
    assert!(given.json()["refresh_token"].is_string() && given.json()["id_token"].is_string());
    world.clock.advance(std::time::Duration::from_secs(5));
    poll(&world, &device_code).await.is_refused(400, "invalid_grant");
}

async fn access_token(world: &World) -> String {
    let mut browser = Browser::new(world);
    let answer = browser.authorize(&request("")).await;
    let location = answer.header("location").unwrap().to_owned();
    let code = pairs(location.split_once('?').unwrap().1)["code"].clone();
    let form = format!(
        "grant_type=authorization_code&client_id=app&redirect_uri=https%3A%2F%2Fapp.example%2Fcb\
         &code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk&code={code}"
    );
    let answer = world.send(Ask::post(TOKEN).form(form)).await;
    answer.json()["access_token"].as_str().unwrap().to_owned()
}

/// OpenID Connect Core §5.3.2: for a client that is registered so, by header and by form.
#[tokio::test]
async fn a_signed_answer_of_userinfo_is_a_jwt_by_a_published_key() {
    let world = World::with_people(People::default()).await;
    let registration = json!({
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code"],
        "redirect_uris": ["https://app.example/cb"],
        "scope": "openid profile",
        "userinfo_signed_response_alg": "ES256",
    });
    world.register("demo", "app", registration).await;
    let token = access_token(&world).await;
    let endpoint = format!("{ISSUER}/userinfo");
    for ask in [
        Ask::get(&endpoint).header("authorization", format!("Bearer {token}")),
        Ask::post(&endpoint).form(format!("access_token={token}")),
    ] {
        let answer = world.send(ask).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/jwt"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let header = UnverifiedJwt::parse(&answer.text).unwrap().header().alg;
        assert_eq!(header, Algorithm::Es256);
        let told = verified(&world, &answer.text).await;
        assert_eq!(
            (&told["sub"], &told["aud"]),
            (&json!("a11ce"), &json!("app")),
            "{told}"
        );
        assert!(told["iss"].as_str().unwrap().ends_with(ISSUER), "{told}");
    }
}

#[tokio::test]
async fn n02_a_token_in_the_address_is_none() {
    let world = world().await;
    let token = access_token(&world).await;
    for ask in [
        Ask::get(&format!("{ISSUER}/userinfo?access_token={token}")),
        Ask::post(&format!("{ISSUER}/userinfo?access_token={token}")).form(""),
    ] {
        let answer = world.send(ask).await;
        assert!(matches!(answer.status.as_u16(), 400 | 401), "{answer:?}");
        assert!(!answer.text.contains("a11ce"), "{answer:?}");
    }
}

#[tokio::test]
async fn n03_a_token_in_two_places_is_refused() {
    let world = world().await;
    let token = access_token(&world).await;
    let ask = Ask::post(&format!("{ISSUER}/userinfo"))
        .header("authorization", format!("Bearer {token}"))
        .form(format!("access_token={token}"));
    let answer = world.send(ask).await;
    assert_eq!(answer.status, 400, "{answer:?}");
    assert_eq!(answer.json()["error"], "invalid_request");
}

#[tokio::test]
async fn n04_no_origin_is_trusted_with_credentials() {
    let world = world().await;
    let token = access_token(&world).await;
    let ask = Ask::get(&format!("{ISSUER}/userinfo"))
        .header("authorization", format!("Bearer {token}"))
        .header("origin", "https://evil.example")
        .header("cookie", "__Host-session-demo=x");
    let answer = world.send(ask).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("access-control-allow-credentials"), None);
    assert!(
        answer
            .header("access-control-allow-origin")
            .is_none_or(|origin| origin == "*")
    );
}

#[tokio::test]
async fn g43_a_request_by_post_is_answered_as_one_by_get() {
    let world = world().await;
    let address = format!("{ISSUER}/authorize");
    for query in [
        request("").replace("cb&", "evil&"),
        request("").replace("client_id=app", "client_id=nobody"),
        request("&redirect_uri=https%3A%2F%2Fapp.example%2Fcb"),
        request("").replace("response_type=code", "response_type=token"),
        request("").replace("=S256", "=plain"),
        request("&prompt=none&state=x"),
        request("&prompt=none+login"),
        request("&max_age=-1"),
        request("&response_mode=fragment"),
    ] {
        let got = Browser::new(&world).get(&format!("{address}?{query}")).await;
        let ask = Ask::post(&address)
            .header("sec-fetch-site", "cross-site")
            .form(query.as_str());
        // The cookies of a form from elsewhere do not come: the browser is sent on with the same parameters.
        let mut browser = Browser::new(&world);
        let posted = browser.send(ask).await;
        let posted = browser.follow(posted).await;
        assert_eq!(got.status, posted.status, "{query}: {posted:?}");
        assert_eq!(got.header("location"), posted.header("location"), "{query}");
        if got.status == 303 {
            let location = got.header("location").unwrap();
            assert!(
                location.starts_with("https://app.example/cb?error="),
                "{location}"
            );
        } else {
            assert_eq!(got.status, 400, "{query}: {got:?}");
        }
    }
}
