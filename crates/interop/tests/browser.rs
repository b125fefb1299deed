//! People at the pages, in a real Chromium.

use sealstone_interop::{DevServer, walk};
use serde_json::{Value, json};

const CALLBACK: &str = "http://127.0.0.1:53113/callback";
/// Of a verifier that nobody needs: these walks end when the browser is back at the client.
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

fn authorize(server: &DevServer, state: &str, more: &str) -> String {
    format!(
        "{}/authorize?response_type=code&client_id=cli&redirect_uri={}&scope=openid%20profile&state={state}\
         &code_challenge={CHALLENGE}&code_challenge_method=S256{more}",
        server.issuer(),
        sealstone_testkit::escaped(CALLBACK),
    )
}

fn parameters(server: &DevServer, walk: &str, user: &str) -> Value {
    let person = server.user(user);
    let origin = server.issuer().split("/v4/").next().unwrap().to_owned();
    json!({
        "walk": walk,
        "issuer": server.issuer(),
        "origin": origin,
        "redirect_uri": CALLBACK,
        "authorize": authorize(server, "first", ""),
        "authorize_other": authorize(server, "second", ""),
        "user": {"name": person.name, "password": person.password, "totp_secret": person.totp_secret},
    })
}

fn walked(server: &DevServer, name: &str, user: &str, more: &Value) -> Value {
    let mut parameters = parameters(server, name, user);
    if let (Value::Object(parameters), Value::Object(more)) = (&mut parameters, more) {
        parameters.extend(more.clone());
    }
    walk("walks.mjs", &parameters)
}

fn is_code(answer: &Value, state: &str) -> bool {
    answer["code"].as_str().is_some_and(|code| code.len() == 43)
        && answer["state"] == state
        && answer["iss"]
            .as_str()
            .is_some_and(|iss| iss.contains("/v4/oauth2/demo"))
}

#[test]
fn signing_in_once_is_enough() {
    let server = DevServer::start();
    let found = walked(&server, "login", "demo", &json!({}));
    assert!(is_code(&found["first"], "first"), "{found}");
    assert!(is_code(&found["second"], "first"), "{found}");
    assert_ne!(found["first"]["code"], found["second"]["code"]);
}

#[test]
fn who_does_not_allow_it_is_believed() {
    let server = DevServer::start();
    let found = walked(&server, "denied", "demo", &json!({}));
    assert_eq!(
        (&found["error"], &found["state"]),
        (&json!("access_denied"), &json!("first"))
    );
    assert_eq!(found["code"], Value::Null);
}

#[test]
fn a_wrong_password_tells_nothing() {
    let server = DevServer::start();
    let found = walked(&server, "wrong_password", "demo", &json!({}));
    assert!(is_code(&found["answer"], "first"), "{found}");
    assert_eq!(found["same"], true, "an unknown name looks the same");
}

#[test]
fn the_keyboard_is_enough() {
    let server = DevServer::start();
    let _found = walked(&server, "keyboard", "demo", &json!({}));
}

#[test]
fn no_script_is_needed() {
    let server = DevServer::start();
    let found = walked(&server, "without_script", "demo", &json!({}));
    assert!(is_code(&found, "first"), "{found}");
}

#[test]
fn a_second_factor_is_asked_for() {
    let server = DevServer::start();
    let found = walked(&server, "mfa", "demo-mfa", &json!({}));
    assert!(is_code(&found, "first"), "{found}");
}

#[test]
fn an_authenticator_app_is_set_up_and_a_recovery_code_counts_once() {
    let server = DevServer::start();
    let found = walked(&server, "enrolment", "demo", &json!({}));
    assert_eq!(
        (&found["once"], &found["twice"]),
        (&json!(true), &json!(false)),
        "{found}"
    );
}

#[test]
fn a_device_is_allowed_and_another_is_not() {
    let server = DevServer::start();
    let https = server.https();
    for decision in ["allow", "deny"] {
        let url = format!("{}/device_authorization", server.issuer());
        let form = [("client_id", "cli"), ("scope", "openid offline_access")];
        let device = https.post(&url, &[], &form).unwrap().json();
        let more = json!({
            "verification_uri": device["verification_uri"],
            "user_code": device["user_code"],
            "decision": decision,
        });
        let _found = walked(&server, "device", "demo", &more);
        let form = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
            ("client_id", "cli"),
            ("device_code", device["device_code"].as_str().unwrap()),
        ];
        let answer = https
            .post(&format!("{}/token", server.issuer()), &[], &form)
            .unwrap();
        if decision == "allow" {
            assert_eq!(answer.status, 200, "{}", answer.text());
        } else {
            assert_eq!(answer.json()["error"], "access_denied");
        }
    }
}

/// What the demo's relying party shows as a device leads a person with another browser to it, and it says who that was.
#[test]
fn the_demo_signs_in_on_another_device() {
    let server = DevServer::start();
    for (decision, told) in [("allow", "Dana Demo"), ("deny", "said no")] {
        let more = json!({"relying_party": server.relying_party(), "decision": decision});
        let found = walked(&server, "demo_device", "demo", &more);
        assert!(
            found["told"].as_str().unwrap().contains(told),
            "{decision}: {found}"
        );
        let address = found["address"].as_str().unwrap();
        assert_eq!(address, format!("{}/device", server.issuer()));
        // What a telephone reads in the picture is that address with the code in it.
        let complete = format!("{address}?user_code={}", found["code"].as_str().unwrap());
        let drawn = sealstone_factors::QrCode::of(&complete).unwrap().path();
        assert!(found["shown"].as_str().unwrap().contains(&drawn), "{decision}");
        assert_eq!(
            found["again"] == found["told"],
            decision == "allow",
            "a refusal is told once: {found}"
        );
    }
}

/// L07: the link alone allows nothing, even for somebody who is signed in.
#[test]
fn l07_a_link_with_the_code_only_asks() {
    let server = DevServer::start();
    let url = format!("{}/device_authorization", server.issuer());
    let form = [("client_id", "cli"), ("scope", "openid")];
    let device = server.https().post(&url, &[], &form).unwrap().json();
    let more = json!({
        "verification_uri_complete": device["verification_uri_complete"],
        "user_code": device["user_code"],
    });
    let found = walked(&server, "device_link", "demo", &more);
    assert_eq!(found["asked"], true);
    let form = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ("client_id", "cli"),
        ("device_code", device["device_code"].as_str().unwrap()),
    ];
    let answer = server
        .https()
        .post(&format!("{}/token", server.issuer()), &[], &form)
        .unwrap();
    assert_eq!(answer.json()["error"], "authorization_pending");
}

/// N13: after it, not even a silent sign-in works.
#[test]
fn n13_signing_out_is_for_good() {
    let server = DevServer::start();
    let found = walked(&server, "logout", "demo", &json!({}));
    assert_eq!(found["after"]["error"], "login_required", "{found}");
}

#[test]
fn the_back_button_finds_no_password_and_no_loop() {
    let server = DevServer::start();
    let _found = walked(&server, "back_button", "demo", &json!({}));
}

#[test]
fn two_tabs_do_not_meet() {
    let server = DevServer::start();
    let found = walked(&server, "two_tabs", "demo", &json!({}));
    assert!(
        is_code(&found["one"], "first") && is_code(&found["two"], "second"),
        "{found}"
    );
}

#[test]
fn a_page_that_has_done_its_work_says_so() {
    let server = DevServer::start();
    let found = walked(&server, "expired_page", "demo", &json!({}));
    assert_eq!(found["arrived"], 1, "no second code: {found}");
    for page in ["seen", "posted"] {
        let text = found[page].as_str().unwrap();
        assert!(text.contains("This page has expired"), "{page}: {found}");
    }
}

#[test]
fn without_cookies_the_page_says_why() {
    let server = DevServer::start();
    let found = walked(&server, "cookies_off", "demo", &json!({}));
    assert!(
        found["seen"].as_str().unwrap().to_lowercase().contains("cookie"),
        "{found}"
    );
}

/// G22: what the client sent as state comes back as it was, and is never read as markup.
#[test]
fn g22_a_form_carries_the_answer_and_no_markup() {
    let server = DevServer::start();
    let hostile = "\"><script>document.title='owned'</script>";
    let url = authorize(
        &server,
        &sealstone_testkit::escaped(hostile),
        "&response_mode=form_post",
    );
    let found = walked(&server, "form_post", "demo", &json!({ "authorize": url }));
    assert_eq!(found["method"], "POST");
    let body = found["body"].as_str().unwrap();
    assert!(body.contains("state=%22%3E%3Cscript%3E"), "{body}");
}
