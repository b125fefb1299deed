//! People who sign in through libraries that others wrote: openid-client, Authlib and the `openidconnect` crate.

use openidconnect::core::{CoreAuthenticationFlow, CoreClient, CoreProviderMetadata, CoreUserInfoClaims};
use openidconnect::{
    AuthorizationCode, ClientId, ClientSecret, CsrfToken, IssuerUrl, Nonce, OAuth2TokenResponse as _,
    PkceCodeChallenge, RedirectUrl, Scope, TokenResponse as _,
};
use sealstone_interop::{Browser, DevServer, Library, Page, RelyingParty, Step};
use serde_json::{Value, json};

const BY_OPENID_CLIENT: Library = Library::OpenidClient;
const BY_AUTHLIB: Library = Library::Authlib;

/// A native client listens where it likes; nobody listens here, for the test is the browser.
const CALLBACK: &str = "http://127.0.0.1:53112/callback";

fn parameters(server: &DevServer, name: &str, more: &Value) -> Value {
    let client = server.client(name).registered().clone();
    let redirect_uri = if name == "web" {
        format!("{}callback", server.relying_party())
    } else {
        CALLBACK.to_owned()
    };
    let mut parameters = json!({
        "issuer": server.issuer(),
        "ca": server.ca_path(),
        "client_id": client.client_id,
        "client_secret": client.client_secret,
        "auth": client.auth,
        "redirect_uri": redirect_uri,
        "scope": "openid profile email groups offline_access",
    });
    if let (Value::Object(parameters), Value::Object(more)) = (&mut parameters, more) {
        parameters.extend(more.clone());
    }
    parameters
}

/// Signs in where the page asks for it, and allows what is asked; returns where the browser went.
fn through(server: &DevServer, browser: &mut Browser, url: &str, name: &str) -> String {
    let mut step = browser.open(url);
    for _ in 0..4 {
        let page = match step {
            Step::Left(url) => return url,
            Step::Page(page) => page,
        };
        step = answered(server, browser, &page, name);
    }
    step.left()
}

fn answered(server: &DevServer, browser: &mut Browser, page: &Page, name: &str) -> Step {
    let has = |field: &str| {
        let mut forms = page.forms().into_iter();
        forms.any(|form| form.fields.iter().any(|(known, _)| known == field))
    };
    let user = server.user(name);
    if has("password") {
        let typed = [("user_name", user.name.as_str()), ("password", &user.password)];
        return browser.submit(page, &typed);
    }
    assert_eq!(page.answer.status, 200, "{}", page.answer.text());
    browser.press(page, "allow", &[])
}

fn signed_in(server: &DevServer, library: Library, name: &str, more: &Value) -> (RelyingParty, Value) {
    let mut party = RelyingParty::start(library, &parameters(server, name, more));
    let asked = party.step("authorize", json!({}));
    let url = asked["url"].as_str().unwrap();
    let back = through(server, &mut server.browser(), url, "demo");
    let told = party.step("callback", json!({ "url": back }));
    assert_eq!(told["error"], Value::Null, "{library:?} {name}: {told}");
    (party, told)
}

/// S2: a stock client logs a person in, is told who it is, and goes on for as long as it may.
#[test]
fn stock_libraries_log_people_in() {
    let server = DevServer::start();
    for library in [BY_OPENID_CLIENT, BY_AUTHLIB] {
        for name in ["web", "cli"] {
            let (mut party, told) = signed_in(&server, library, name, &json!({}));
            let claims = &told["claims"];
            assert_eq!(claims["preferred_username"], "demo", "{library:?} {name}");
            assert_eq!(claims["email_verified"], true);
            assert_eq!(claims["groups"], json!(["demo-users", "ops"]));
            assert_eq!(claims["amr"], json!(["pwd"]));
            let userinfo = party.step("userinfo", json!({}));
            assert_eq!(userinfo["userinfo"]["sub"], claims["sub"]);
            assert_eq!(userinfo["userinfo"]["email"], "demo@demo.test");

            let first = told["tokens"]["refresh_token"].as_str().unwrap().to_owned();
            let again = party.step("refresh", json!({}));
            assert_eq!(again["error"], Value::Null, "{library:?} {name}: {again}");
            assert_ne!(
                again["tokens"]["refresh_token"],
                json!(first),
                "{library:?} {name}"
            );
            assert_eq!(
                again["claims"]["sub"], claims["sub"],
                "a refresh brings an ID token"
            );
            assert_eq!(again["claims"]["auth_time"], claims["auth_time"]);
            assert_eq!(
                again["claims"]["nonce"],
                Value::Null,
                "a nonce is of its own request"
            );

            let revoked = party.step("revoke", json!({}));
            assert_eq!(revoked["revoked"], true, "{library:?} {name}: {revoked}");
            let over = party.step("refresh", json!({}));
            assert_eq!(
                over["error"]["oauth"], "invalid_grant",
                "{library:?} {name}: {over}"
            );
        }
    }
}

/// The `openidconnect` crate, with everything that it checks.
#[test]
fn the_openidconnect_crate_logs_people_in() {
    let server = DevServer::start();
    let https = server.https();
    let transport = |request: openidconnect::HttpRequest| https.transport(&request);
    let issuer = IssuerUrl::new(server.issuer().to_owned()).unwrap();
    let metadata = CoreProviderMetadata::discover(&issuer, &transport).unwrap();
    let web = server.client("web").registered().clone();
    let client = CoreClient::from_provider_metadata(
        metadata,
        ClientId::new(web.client_id),
        web.client_secret.map(ClientSecret::new),
    );
    let callback = format!("{}callback", server.relying_party());
    let client = client.set_redirect_uri(RedirectUrl::new(callback).unwrap());
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let (url, state, nonce) = client
        .authorize_url(
            CoreAuthenticationFlow::AuthorizationCode,
            CsrfToken::new_random,
            Nonce::new_random,
        )
        .add_scopes(["profile", "email", "offline_access"].map(|scope| Scope::new(scope.to_owned())))
        .set_pkce_challenge(challenge)
        .url();
    let back = through(&server, &mut server.browser(), url.as_str(), "demo");
    assert!(back.contains(&format!("state={}", state.secret())), "{back}");
    let code = back.split("code=").nth(1).unwrap().split('&').next().unwrap();
    let tokens = client
        .exchange_code(AuthorizationCode::new(code.to_owned()))
        .unwrap()
        .set_pkce_verifier(verifier)
        .request(&transport)
        .unwrap();
    let id_token = tokens.id_token().unwrap();
    let claims = id_token.claims(&client.id_token_verifier(), &nonce).unwrap();
    assert_eq!(claims.preferred_username().unwrap().as_str(), "demo");
    let hash = openidconnect::AccessTokenHash::from_token(
        tokens.access_token(),
        id_token.signing_alg().unwrap(),
        id_token.signing_key(&client.id_token_verifier()).unwrap(),
    );
    assert_eq!(claims.access_token_hash(), Some(&hash.unwrap()));
    assert!(
        id_token
            .claims(&client.id_token_verifier(), &Nonce::new_random())
            .is_err()
    );
    let userinfo: CoreUserInfoClaims = client
        .user_info(tokens.access_token().clone(), Some(claims.subject().clone()))
        .unwrap()
        .request(&transport)
        .unwrap();
    assert_eq!(userinfo.email().unwrap().as_str(), "demo@demo.test");
    let refreshed = client
        .exchange_refresh_token(tokens.refresh_token().unwrap())
        .unwrap()
        .request(&transport)
        .unwrap();
    assert!(refreshed.id_token().is_some() && refreshed.refresh_token().is_some());
}

/// `form_post` of OpenID Connect: the browser carries the answer in a body.
#[test]
fn the_answer_travels_in_a_form() {
    let server = DevServer::start();
    let more = json!({"authorize": {"response_mode": "form_post"}});
    let mut party = RelyingParty::start(BY_OPENID_CLIENT, &parameters(&server, "cli", &more));
    let asked = party.step("authorize", json!({}));
    let mut browser = server.browser();
    let login = browser.open(asked["url"].as_str().unwrap()).page();
    let consent = answered(&server, &mut browser, &login, "demo").page();
    let form = browser.press(&consent, "allow", &[]).page();
    let posted = browser.submit(&form, &[]).left();
    let (target, body) = posted.split_once('#').unwrap();
    assert_eq!(target, CALLBACK);
    let told = party.step("posted", json!({ "body": body }));
    assert_eq!(told["claims"]["preferred_username"], "demo", "{told}");
}

/// What a thief of an answer meets: each of these is refused by the client, by the server, or by both.
#[test]
fn an_answer_is_good_for_its_own_client_once() {
    let server = DevServer::start();
    let mut party = RelyingParty::start(BY_OPENID_CLIENT, &parameters(&server, "cli", &json!({})));
    let asked = party.step("authorize", json!({}));
    let back = through(
        &server,
        &mut server.browser(),
        asked["url"].as_str().unwrap(),
        "demo",
    );

    // R02: an answer that names another issuer.
    let issuer = sealstone_testkit::escaped(server.issuer());
    assert!(back.contains(&issuer), "RFC 9207: {back}");
    let other = back.replace(&issuer, "https%3A%2F%2Fevil.example");
    let refused = party.step("callback", json!({ "url": other }));
    assert_ne!(refused["error"], Value::Null);
    // R01: another state.
    let refused = party.step("callback", json!({ "url": back.replace("state=", "state=x") }));
    assert_ne!(refused["error"], Value::Null);

    // H05: another run of the same client has another verifier; the code is spent by that.
    let mut thief = RelyingParty::start(BY_AUTHLIB, &parameters(&server, "cli", &json!({})));
    let _url = thief.step("authorize", json!({}));
    let code = back.split("code=").nth(1).unwrap().split('&').next().unwrap();
    let https = server.https();
    let redeem = |verifier: &str| {
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", "cli"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", verifier),
        ];
        let answer = https
            .post(&format!("{}/token", server.issuer()), &[], &form)
            .unwrap();
        (answer.status, answer.json())
    };
    let (status, body) = redeem(&"v".repeat(43));
    assert_eq!((status, &body["error"]), (400, &json!("invalid_grant")));
    let (status, body) = redeem(asked["verifier"].as_str().unwrap());
    assert_eq!((status, &body["error"]), (400, &json!("invalid_grant")), "spent");
}

/// H08: the second use of a code ends what the first one brought.
#[test]
fn h08_a_code_that_comes_twice_takes_its_tokens_along() {
    let server = DevServer::start();
    let mut party = RelyingParty::start(BY_OPENID_CLIENT, &parameters(&server, "web", &json!({})));
    let asked = party.step("authorize", json!({}));
    let back = through(
        &server,
        &mut server.browser(),
        asked["url"].as_str().unwrap(),
        "demo",
    );
    let first = party.step("callback", json!({ "url": back }));
    assert_eq!(first["error"], Value::Null, "{first}");
    let active = |party: &mut RelyingParty| party.step("userinfo", json!({}))["error"] == Value::Null;
    assert!(active(&mut party));
    let second = party.step("callback", json!({ "url": back }));
    assert_eq!(second["error"]["oauth"], "invalid_grant", "{second}");
    assert!(!active(&mut party), "the access token of the first use is dead");
    let refreshed = party.step("refresh", json!({}));
    assert_eq!(refreshed["error"]["oauth"], "invalid_grant", "{refreshed}");
}

/// RFC 8628 by openid-client: the code comes to the browser as a short one only, and the tokens to the device alone.
#[test]
fn a_device_is_let_in_from_a_browser() {
    let server = DevServer::start();
    let mut party = RelyingParty::start(BY_OPENID_CLIENT, &parameters(&server, "cli", &json!({})));
    let device = party.step("device", json!({}))["device"].clone();
    let complete = device["verification_uri_complete"].as_str().unwrap();
    assert!(!complete.contains(device["device_code"].as_str().unwrap()));
    let mut browser = server.browser();
    let mut page = browser.open(complete).page();
    // The code is in the address; it must still be sent, and the person must sign in and say yes.
    if page
        .forms()
        .iter()
        .any(|form| form.fields.iter().any(|(name, _)| name == "user_code"))
    {
        page = browser.press(&page, "user_code", &[]).page();
    }
    page = answered(&server, &mut browser, &page, "demo").page();
    assert!(
        page.says(device["user_code"].as_str().unwrap()),
        "{}",
        page.answer.text()
    );
    let done = browser.press(&page, "allow", &[]).page();
    assert_eq!(done.answer.status, 200);
    let told = party.step("poll", json!({}));
    assert_eq!(told["claims"]["preferred_username"], "demo", "{told}");
}

/// The demo's own page, as a newcomer clicks through it.
#[test]
fn the_demo_can_be_clicked_through() {
    let server = DevServer::start();
    // The page itself speaks plain HTTP, which this browser does not: curl takes its first step.
    let output = std::process::Command::new("curl")
        .args(["--silent", "--include", "--max-time", "30"])
        .arg(format!("{}login", server.relying_party()))
        .output()
        .unwrap();
    let head = String::from_utf8(output.stdout).unwrap();
    let line = |name: &str| {
        let found = head
            .lines()
            .find(|line| line.to_ascii_lowercase().starts_with(name));
        found.unwrap().split_once(": ").unwrap().1.trim().to_owned()
    };
    let cookie = line("set-cookie").split(';').next().unwrap().to_owned();
    let back = through(&server, &mut server.browser(), &line("location"), "demo");
    assert!(
        back.starts_with(&format!("{}callback?", server.relying_party())),
        "{back}"
    );
    let output = std::process::Command::new("curl")
        .args(["--silent", "--location", "--max-time", "30", "--header"])
        .arg(format!("cookie: {cookie}"))
        .arg(back)
        .output()
        .unwrap();
    let page = String::from_utf8(output.stdout).unwrap();
    assert!(
        page.contains("Dana Demo") && page.contains("demo@demo.test"),
        "{page}"
    );
}
