//! What a person does, in a browser and by programs that act for them.

use std::time::SystemTime;

use rustls_pki_types::UnixTime;
use sealstone_factors::TotpSecret;
use sealstone_interop::{Answer, Browser, DevServer, Page, Step};
use serde_json::Value;

/// RFC 7636 appendix B.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// Signs the demo's person in where the page asks for it, until it asks something else.
fn signed_in(server: &DevServer, browser: &mut Browser, mut step: Step) -> Step {
    for _ in 0..4 {
        let page = match step {
            Step::Left(url) => return Step::Left(url),
            Step::Page(page) => page,
        };
        let mut fields = page.forms().into_iter().flat_map(|form| form.fields);
        if !fields.any(|(name, _)| name == "password") {
            return Step::Page(page);
        }
        let user = server.user("demo");
        step = browser.submit(&page, &[("user_name", &user.name), ("password", &user.password)]);
    }
    step
}

/// Where the browser went once the person answered what the client asks for.
fn through(server: &DevServer, browser: &mut Browser, url: &str, answer: &str) -> String {
    let step = browser.open(url);
    match signed_in(server, browser, step) {
        Step::Left(url) => url,
        Step::Page(page) => browser.press(&page, answer, &[]).left(),
    }
}

struct Person<'a> {
    server: &'a DevServer,
    authorization: String,
    callback: String,
}

impl Person<'_> {
    fn authorize(&self, browser: &mut Browser, answer: &str) -> String {
        let url = format!(
            "{}/authorize?response_type=code&client_id={}&redirect_uri={}&scope=openid+profile+offline_access&\
             prompt=consent&code_challenge={CHALLENGE}&code_challenge_method=S256&state=s",
            self.server.issuer(),
            self.server.client("web").registered().client_id,
            self.callback
        );
        through(self.server, browser, &url, answer)
    }

    fn code(&self, browser: &mut Browser) -> String {
        let back = self.authorize(browser, "allow");
        let code = back.split(['?', '&']).find_map(|pair| pair.strip_prefix("code="));
        code.unwrap_or_else(|| panic!("{back}")).to_owned()
    }

    fn ask(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        let url = format!("{}{path}", self.server.issuer());
        let headers = [("authorization", self.authorization.as_str())];
        self.server.https().post(&url, &headers, form).unwrap()
    }

    fn exchange(&self, code: &str) -> Answer {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &self.callback),
            ("code_verifier", VERIFIER),
        ];
        self.ask("/token", &form)
    }

    fn refresh(&self, token: &str) -> Answer {
        self.ask(
            "/token",
            &[("grant_type", "refresh_token"), ("refresh_token", token)],
        )
    }
}

fn basic(id: &str, secret: &str) -> String {
    let credentials = base64_simd::STANDARD.encode_to_string(format!("{id}:{secret}"));
    format!("Basic {credentials}")
}

/// A person logs in, gets tokens, and somebody brings what was used before.
pub(crate) fn signs_in_and_works(server: &DevServer) {
    let client = server.client("web").registered().clone();
    let secret = client.client_secret.unwrap();
    let person = Person {
        server,
        authorization: basic(&client.client_id, &secret),
        callback: format!("{}callback", server.relying_party()),
    };
    let mut browser = server.browser();
    let code = person.code(&mut browser);
    let given = person.exchange(&code).json();
    let token = given["access_token"]
        .as_str()
        .unwrap_or_else(|| panic!("{given}"));
    let bearer = format!("Bearer {token}");
    let userinfo = format!("{}/userinfo", server.issuer());
    let answer = server
        .https()
        .get(&userinfo, &[("authorization", &bearer)])
        .unwrap();
    assert_eq!(answer.status, 200);
    let gateway = server.client("gateway").registered().clone();
    let gateway = basic(&gateway.client_id, &gateway.client_secret.unwrap());
    let introspect = format!("{}/introspect", server.issuer());
    let headers = [("authorization", gateway.as_str())];
    let answer = server
        .https()
        .post(&introspect, &headers, &[("token", token)])
        .unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(person.ask("/revoke", &[("token", token)]).status, 200);
    let text = |answer: &Answer, member: &str| answer.json()[member].as_str().unwrap_or_default().to_owned();
    let first = given["refresh_token"].as_str().unwrap().to_owned();
    let second = text(&person.refresh(&first), "refresh_token");
    let third = text(&person.refresh(&second), "refresh_token");
    assert!(!third.is_empty());
    assert_eq!(person.refresh(&first).status, 400);
    let code = person.code(&mut browser);
    assert_eq!(person.exchange(&code).status, 200);
    assert_eq!(person.exchange(&code).status, 400);
    let refused = person.authorize(&mut browser, "deny");
    assert!(refused.contains("error=access_denied"), "{refused}");
    let again = person.code(&mut browser);
    assert_eq!(
        person.exchange(&again).status,
        200,
        "something for the account page to end"
    );
    lets_devices_in(server, &mut browser);
    looks_after_the_account(server, &mut browser);
}

/// One device is let in, the other is not.
fn lets_devices_in(server: &DevServer, browser: &mut Browser) {
    let device = server.client("cli").registered().client_id.clone();
    let url = format!("{}/device_authorization", server.issuer());
    for answer in ["allow", "deny"] {
        let asked = server.https().post(&url, &[], &[("client_id", &device)]).unwrap();
        assert_eq!(asked.status, 200, "{}", asked.text());
        let asked: Value = asked.json();
        let page = browser
            .open(asked["verification_uri_complete"].as_str().unwrap())
            .page();
        let page = browser.press(&page, "user_code", &[]).page();
        let page = signed_in(server, browser, Step::Page(page)).page();
        assert!(page.says(asked["user_code"].as_str().unwrap()));
        assert_eq!(browser.press(&page, answer, &[]).page().answer.status, 200);
    }
}

/// A consent, a program's access, a second factor and the session itself: each ends on the person's own page.
fn looks_after_the_account(server: &DevServer, browser: &mut Browser) {
    let url = format!("{}/account", server.issuer());
    let account = |browser: &mut Browser| browser.open(&url).page();
    for button in ["end_device", "end_consent"] {
        let page = account(browser);
        let page = browser.press(&page, button, &[]).page();
        assert_eq!(page.answer.status, 200, "{button}: {}", page.answer.text());
    }
    let page = account(browser);
    let page = browser.press(&page, "add_totp", &[]).page();
    let secret = TotpSecret::parse(&totp_secret(&page)).unwrap();
    let code = secret.code_at(now());
    let page = browser.press(&page, "confirm", &[("code", code.expose())]).page();
    assert!(page.says("recovery"), "{}", page.answer.text());
    assert_eq!(page.answer.status, 200, "{}", page.answer.text());
    let page = account(browser);
    let _gone = browser.press(&page, "logout", &[]);
}

/// What the page says to type into the app.
fn totp_secret(page: &Page) -> String {
    let text = page.answer.text();
    let (_, rest) = text
        .split_once("<code class=\"key\" translate=\"no\">")
        .unwrap_or_else(|| panic!("{text}"));
    let secret: String = rest.split('<').next().unwrap().split_whitespace().collect();
    sealstone_testkit::keep_secret(&secret);
    secret
}

fn now() -> UnixTime {
    UnixTime::since_unix_epoch(SystemTime::UNIX_EPOCH.elapsed().unwrap())
}
