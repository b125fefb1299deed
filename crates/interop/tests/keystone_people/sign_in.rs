//! A server beside the lab: its people at the pages, and what ends with a change in Keystone.

use std::time::{Duration, Instant};

use sealstone_interop::{Answer, Browser, KeystoneLab, Page, ServeServer, ServeSetup, Step, free_ports};
use sealstone_testkit::escaped;
use serde_json::{Value, json};

use crate::world::{Somebody, code};

/// "Within seconds": the revocation poll of 2 s, or the age of 10 s, and a slow machine.
const SECONDS: Duration = Duration::from_secs(30);
const CALLBACK: &str = "http://127.0.0.1/callback";
/// RFC 7636, Appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

fn server(lab: &KeystoneLab) -> ServeServer {
    let mut setup = ServeSetup::new();
    // Browsers say from which page a form comes: the address is the one that they know.
    let [port] = free_ports();
    setup.set("server", "base_url", &format!("'https://localhost:{port}'"));
    setup.set("server", "listen", &format!("'127.0.0.1:{port}'"));
    setup.set("keystone", "url", &format!("'{}'", lab.url()));
    let admin = lab.machine(&["admin"]);
    let id = format!("'{}'", admin.credential_id);
    setup.set("keystone.service", "application_credential_id", &id);
    let file = "'service-secret'";
    setup.set("keystone.service", "application_credential_secret_file", file);
    setup.write_private("service-secret", &admin.credential_secret);
    setup.set("people", "source", "'keystone'");
    let acme = format!("'{}'", lab.seed().domain("acme"));
    setup.set("people", "keystone_domain_id", &acme);
    let _made = setup.register(
        "cli",
        &[
            "--public",
            "--native",
            "--grant",
            "authorization_code",
            "--grant",
            "refresh_token",
            "--redirect-uri",
            CALLBACK,
            "--scope",
            "openid profile email groups offline_access openstack:api",
        ],
    );
    setup.start()
}

fn address(server: &ServeServer, scope: &str, more: &str) -> String {
    let query = format!(
        "client_id=cli&response_type=code&redirect_uri={}&scope={}&code_challenge={CHALLENGE}\
         &code_challenge_method=S256&nonce=n1{more}",
        escaped(CALLBACK),
        escaped(scope),
    );
    server.public_url(&format!("/authorize?{query}"))
}

fn has(page: &Page, field: &str) -> bool {
    let mut fields = page.forms().into_iter().flat_map(|form| form.fields);
    fields.any(|(name, _value)| name == field)
}

/// Name and password; what comes then.
fn begin(browser: &mut Browser, url: &str, somebody: &Somebody, password: &str) -> Page {
    begun(browser, url, somebody, password).page()
}

fn begun(browser: &mut Browser, url: &str, somebody: &Somebody, password: &str) -> Step {
    let page = browser.open(url).page();
    assert!(has(&page, "password"), "{}", page.answer.text());
    let typed = [
        ("user_name", somebody.made.user_name.as_str()),
        ("password", password),
    ];
    browser.submit(&page, &typed)
}

fn redeem(server: &ServeServer, left: &str) -> Value {
    let answer = redeemed(server, left);
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

fn redeemed(server: &ServeServer, left: &str) -> Answer {
    let code = left.split("code=").nth(1).unwrap().split('&').next().unwrap();
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", "cli"),
        ("code", code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    token(server, &form)
}

fn token(server: &ServeServer, form: &[(&str, &str)]) -> Answer {
    server
        .https()
        .post(&server.public_url("/token"), &[], form)
        .unwrap()
}

fn refresh(server: &ServeServer, tokens: &Value) -> Answer {
    let refresh_token = tokens["refresh_token"].as_str().unwrap();
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", "cli"),
        ("refresh_token", refresh_token),
    ];
    token(server, &form)
}

fn claims(tokens: &Value, name: &str) -> Value {
    let payload = tokens[name].as_str().unwrap().split('.').nth(1).unwrap();
    let octets = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(payload).unwrap();
    serde_json::from_slice(&octets).unwrap()
}

/// Whether a visit without a question finds somebody signed in.
fn is_signed_in(server: &ServeServer, browser: &mut Browser) -> bool {
    let left = browser.open(&address(server, "openid", "&prompt=none")).left();
    !left.contains("error=login_required")
}

/// Waits until a use of the tokens is refused, as it must be within seconds.
fn refused_within_seconds(server: &ServeServer, mut tokens: Value) {
    let begun = Instant::now();
    loop {
        let answer = refresh(server, &tokens);
        if answer.status != 200 {
            assert_eq!(
                (answer.status, &answer.json()["error"]),
                (400, &json!("invalid_grant"))
            );
            return;
        }
        assert!(begun.elapsed() < SECONDS, "it is still refreshed");
        tokens = answer.json();
    }
}

#[test]
fn a_person_chooses_a_project_and_acts_there_until_disabled() {
    let lab = KeystoneLab::shared();
    let server = server(lab);
    let somebody = Somebody::new(lab, &["deployer"]);
    let mut browser = Browser::new(server.https());
    let url = address(&server, "openid profile email offline_access openstack:api", "");
    let wrong = begin(&mut browser, &url, &somebody, "wrong");
    assert!(has(&wrong, "password"), "{}", wrong.answer.text());
    let consent = begin(&mut browser, &url, &somebody, &somebody.made.password);
    for said in ["acme", "deployer", "member", "reader", &somebody.made.user_name] {
        assert!(consent.says(said), "{said}: {}", consent.answer.text());
    }
    let chosen = [("project", somebody.made.project_id.as_str())];
    let left = browser.press(&consent, "allow", &chosen).left();
    let tokens = redeem(&server, &left);

    let id_token = claims(&tokens, "id_token");
    assert_eq!(id_token["sub"], json!(somebody.made.user_id));
    assert_eq!(id_token["amr"], json!(["pwd"]));
    assert_eq!(id_token["acr"], json!("urn:sealstone:acr:one-factor"));
    let access = claims(&tokens, "access_token");
    let context = &access["openstack_context"];
    assert_eq!(context["user_id"], json!(somebody.made.user_id));
    assert_eq!(context["project_id"], json!(somebody.made.project_id));
    assert_eq!(context["project_domain_id"], json!(somebody.made.domain_id));
    assert_eq!(context["roles"], json!(["deployer", "member", "reader"]));
    assert_eq!(access["delegation_context"]["auth_method"], json!("person"));

    let again = refresh(&server, &tokens);
    assert_eq!(again.status, 200, "{}", again.text());
    assert!(is_signed_in(&server, &mut browser));
    somebody.change(&json!({"enabled": false}));
    refused_within_seconds(&server, again.json());
    assert!(!is_signed_in(&server, &mut browser));
    somebody.change(&json!({"enabled": true}));
    assert!(!is_signed_in(&server, &mut browser), "what ended stays ended");
    let audit = server.audit();
    let text = serde_json::to_string(&audit).unwrap();
    assert!(!text.contains(&somebody.made.password));
}

#[test]
fn r14_a_person_with_a_rule_needs_a_code_and_a_code_counts_once() {
    let lab = KeystoneLab::shared();
    let server = server(lab);
    let somebody = Somebody::with_code(lab);
    let url = address(&server, "openid", "");
    let (mut first, mut second) = (Browser::new(server.https()), Browser::new(server.https()));
    let page = begin(&mut first, &url, &somebody, &somebody.made.password);
    let other = begin(&mut second, &url, &somebody, &somebody.made.password);
    for page in [&page, &other] {
        assert!(has(page, "code"), "{}", page.answer.text());
    }
    let wrong = first.press(&page, "code", &[("code", "000000")]).page();
    assert!(has(&wrong, "code"), "{}", wrong.answer.text());
    let used = code(0);
    let consent = first.press(&wrong, "code", &[("code", used.expose())]).page();
    let left = first.press(&consent, "allow", &[]).left();
    let id_token = claims(&redeem(&server, &left), "id_token");
    assert_eq!(id_token["amr"], json!(["mfa", "otp", "pwd"]));
    assert_eq!(id_token["acr"], json!("urn:sealstone:acr:two-factor"));
    match second.press(&other, "code", &[("code", used.expose())]) {
        Step::Page(page) => assert!(has(&page, "code"), "{}", page.answer.text()),
        Step::Left(url) => panic!("let in: {url}"),
    }
    let log = server.said();
    let audit = serde_json::to_string(&server.audit()).unwrap();
    for secret in [used.expose(), &somebody.made.password] {
        assert!(!log.contains(secret) && !audit.contains(secret));
    }
}

/// The tokens of a new login, as soon as one stands.
fn stands(server: &ServeServer, url: &str, somebody: &Somebody, password: &str) -> Value {
    let since = Instant::now();
    loop {
        let mut browser = Browser::new(server.https());
        let left = begun(&mut browser, url, somebody, password).left();
        let answer = redeemed(server, &left);
        if answer.status == 200 {
            return answer.json();
        }
        assert_eq!(answer.json()["error"], "invalid_grant", "{}", answer.text());
        assert!(since.elapsed() < SECONDS, "no login stands");
    }
}

#[test]
fn a_changed_password_ends_sessions_and_refresh_tokens() {
    let lab = KeystoneLab::shared();
    let server = server(lab);
    let somebody = Somebody::new(lab, &["member"]);
    let mut browser = Browser::new(server.https());
    let url = address(&server, "openid offline_access", "");
    let consent = begin(&mut browser, &url, &somebody, &somebody.made.password);
    let tokens = redeem(&server, &browser.press(&consent, "allow", &[]).left());
    somebody.change(&json!({"password": "another-Pw-2"}));
    refused_within_seconds(&server, tokens);
    assert!(!is_signed_in(&server, &mut browser));
    let page = begin(&mut browser, &url, &somebody, &somebody.made.password);
    assert!(has(&page, "password"), "the old one");
    // What was allowed before is remembered. The change counts from when it was seen, to the second: a login of that very
    // second falls with the others, and the next one stands.
    let tokens = stands(&server, &url, &somebody, "another-Pw-2");
    let again = refresh(&server, &tokens);
    assert_eq!(
        again.status,
        200,
        "a login of after the change stands: {}",
        again.text()
    );
}
