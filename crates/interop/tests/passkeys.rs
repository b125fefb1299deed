//! Passkeys of a real Chromium, through the pages' own script.

use std::net::TcpListener;
use std::path::Path;

use sealstone_factors::{
    AssertionResponse, Challenge, KeyAlgorithm, RegistrationResponse, RelyingParty, UserHandle,
    UserVerification, WebAuthnError,
};
use sealstone_interop::{DevServer, walk};
use serde_json::{Value, json};

const CREATED: Challenge = Challenge::from_octets([3; 32]);
const ASKED: Challenge = Challenge::from_octets([4; 32]);

/// The options go to the browser as the server writes them, and the answers come back as the page sends them.
#[test]
fn a_browser_registers_a_passkey_and_signs_in_with_it() {
    let port = free_port();
    let party = RelyingParty::of_origin(&format!("http://localhost:{port}"), "Example Cloud").unwrap();
    let user = UserHandle::of("demo", "u1");
    let create = party.creation_options(
        &CREATED,
        (&user, "ada", "Ada Lovelace"),
        &[],
        UserVerification::Required,
    );
    let get = party.request_options(&ASKED, &[], UserVerification::Required);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../pages/assets/passkey.js");
    let found = walk(
        "passkey.mjs",
        &json!({"port": port, "script": script, "create": create.to_json(), "get": get.to_json()}),
    );
    assert_eq!(
        found["passkeys"], 1,
        "the authenticator stayed out the second time"
    );

    let registration = RegistrationResponse::parse(text(&found, "registration")).unwrap();
    let passkey = party
        .register(&CREATED, &user, UserVerification::Required, &registration)
        .unwrap();
    assert_eq!(passkey.algorithm(), KeyAlgorithm::Es256);
    assert!(passkey.can_verify_user());
    assert_eq!(passkey.transports(), ["internal"]);
    let stored = serde_json::to_string(&passkey).unwrap();
    let passkey = serde_json::from_str(&stored).unwrap();

    let assertion = AssertionResponse::parse(text(&found, "assertion")).unwrap();
    assert_eq!(
        assertion.user(),
        Some(user),
        "a login without a name finds the person"
    );
    let judged = party
        .assert(&ASKED, UserVerification::Required, &assertion, &passkey)
        .unwrap();
    assert!(judged.user_verified);
    let again = party.assert(&ASKED, UserVerification::Required, &assertion, &judged.passkey);
    assert_eq!(again, Err(WebAuthnError::Challenge), "an answer counts once");
    let elsewhere = RelyingParty::of_origin("http://localhost:1", "Example Cloud").unwrap();
    let judged = elsewhere.assert(&ASKED, UserVerification::Required, &assertion, &passkey);
    assert_eq!(judged, Err(WebAuthnError::Origin));
}

/// Set up on the person's own page, then used instead of the password and beside it.
#[test]
fn a_person_signs_in_with_a_passkey() {
    const CALLBACK: &str = "http://127.0.0.1:53113/callback";
    let server = DevServer::start_with(&["--localhost"]);
    let person = server.user("demo");
    let origin = server.issuer().split("/v4/").next().unwrap();
    assert!(origin.starts_with("https://localhost:"), "{origin}");
    let authorize = format!(
        "{}/authorize?response_type=code&client_id=cli&redirect_uri={}&scope=openid&state=s\
         &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256",
        server.issuer(),
        sealstone_testkit::escaped(CALLBACK),
    );
    let found = walk(
        "walks.mjs",
        &json!({
            "walk": "passkey",
            "issuer": server.issuer(),
            "origin": origin,
            "redirect_uri": CALLBACK,
            "authorize": authorize,
            "user": {"name": person.name, "password": person.password},
        }),
    );
    for way in ["alone", "beside"] {
        assert!(found[way]["code"].is_string(), "{way}: {found}");
    }
    assert_ne!(found["alone"]["code"], found["beside"]["code"]);
}

fn text<'a>(found: &'a Value, member: &str) -> &'a str {
    found[member].as_str().expect("the form was sent")
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("localhost:0").unwrap();
    listener.local_addr().unwrap().port()
}
