//! The broker, whole: `sealstoned serve` between a public client, node oidc-provider upstream and a real privacyIDEA.
//! Tests are named after the rows of the broker's contract.

use sealstone_interop::{
    Browser, Https, Page, PrivacyIdeaLab, ServeServer, ServeSetup, Step, UpstreamServer, UpstreamSetup,
    free_ports,
};
use sealstone_testkit::{base64url, escaped, sha256};
use serde_json::Value;

/// The contract's own client.
const CLIENT: &str = "netkingdom-bootstrap-console";
const CALLBACK: &str = "http://127.0.0.1:8876/oidc/callback";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

struct Broker {
    server: ServeServer,
    upstream: UpstreamServer,
    lab: &'static PrivacyIdeaLab,
}

impl Broker {
    fn start() -> Self {
        Self::with(|_setup| {})
    }

    fn with(change: impl FnOnce(&mut ServeSetup)) -> Self {
        let [public] = free_ports();
        let issuer = format!("https://localhost:{public}/v4/oauth2/demo");
        let callback = format!("{issuer}/callback");
        let upstream = UpstreamServer::start(&UpstreamSetup::new(&callback));
        let lab = PrivacyIdeaLab::shared();
        let mut setup = ServeSetup::new();
        let text = |value: &str| format!("'{value}'");
        setup.write("upstream-ca.pem", upstream.ca());
        setup.write_private("upstream-secret", UpstreamServer::CLIENT_SECRET);
        let (adapter, password) = PrivacyIdeaLab::ADAPTER;
        setup.write_private("privacyidea-password", password);
        for (section, key, value) in [
            ("server", "base_url", text(&format!("https://localhost:{public}"))),
            ("server", "listen", text(&format!("127.0.0.1:{public}"))),
            ("keys", "algorithms", "['RS256']".to_owned()),
            ("people", "source", text("upstream")),
            ("people", "profile", text("broker")),
            ("people", "first_factors", "['upstream']".to_owned()),
            ("people", "second_factors", "['authority']".to_owned()),
            ("people.upstream", "name", text("Example login")),
            ("people.upstream", "issuer", text(&upstream.issuer())),
            (
                "people.upstream",
                "back_channel_url",
                text(&upstream.back_channel()),
            ),
            ("people.upstream", "client_id", text(UpstreamServer::CLIENT_ID)),
            ("people.upstream", "client_secret_file", text("upstream-secret")),
            ("people.upstream", "ca_file", text("upstream-ca.pem")),
            ("people.privacyidea", "url", text(&lab.url())),
            ("people.privacyidea", "realm", text(PrivacyIdeaLab::REALM)),
            ("people.privacyidea", "user_name", text(adapter)),
            (
                "people.privacyidea",
                "password_file",
                text("privacyidea-password"),
            ),
        ] {
            setup.set(section, key, &value);
        }
        change(&mut setup);
        let _made = setup.register(
            CLIENT,
            &[
                "--name",
                "Bootstrap Console",
                "--auth-method",
                "none",
                "--grant",
                "authorization_code",
                "--scope",
                "openid profile email groups",
                "--redirect-uri",
                CALLBACK,
                "--redirect-uri",
                "http://localhost:8876/oidc/callback",
            ],
        );
        let server = setup.start();
        server.wait_for_issuer();
        Self {
            server,
            upstream,
            lab,
        }
    }

    /// A browser that trusts both.
    fn browser(&self) -> Browser {
        let both = format!("{}{}", self.server.setup().ca().pem(), self.upstream.ca());
        Browser::new(Https::trusting(&both))
    }

    /// A right request, with these parameters set or, when empty, left out.
    fn request(&self, changes: &[(&str, &str)]) -> String {
        let challenge = base64url(&sha256(VERIFIER.as_bytes()));
        let mut parameters = vec![
            ("response_type", "code"),
            ("client_id", CLIENT),
            ("redirect_uri", CALLBACK),
            ("scope", "openid profile email groups"),
            ("state", "s-1"),
            ("nonce", "n-1"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        parameters.retain(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
        parameters.extend(changes.iter().filter(|(_, value)| !value.is_empty()));
        let query: Vec<String> = parameters
            .iter()
            .map(|(name, value)| format!("{name}={}", escaped(value)))
            .collect();
        self.server.public_url(&format!("/authorize?{}", query.join("&")))
    }

    /// Signed in upstream as `name`, and back at our callback: what is shown then.
    fn back_from_upstream(&self, browser: &mut Browser, name: &str) -> Step {
        let sent = browser.open(&self.request(&[])).left();
        assert!(
            sent.starts_with(&format!("{}/auth?", self.upstream.issuer())),
            "{sent}"
        );
        let back = self.upstream.sign_in(browser, &sent, name);
        assert!(back.starts_with(&self.server.public_url("/callback?")), "{back}");
        browser.open(&back)
    }

    fn redeem(&self, code: &str, verifier: &str) -> sealstone_interop::Answer {
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", CLIENT),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", verifier),
        ];
        self.server
            .https()
            .post(&self.server.public_url("/token"), &[], &form)
            .unwrap()
    }

    fn userinfo(&self, access_token: &str) -> sealstone_interop::Answer {
        let bearer = format!("Bearer {access_token}");
        let headers = [("authorization", bearer.as_str())];
        let answer = self
            .server
            .https()
            .get(&self.server.public_url("/userinfo"), &headers);
        answer.unwrap()
    }

    /// Nothing secret was written anywhere.
    fn unseen(&self, secrets: &[&str]) {
        let audit: String = self.server.audit().iter().map(Value::to_string).collect();
        for secret in secrets {
            for (what, text) in [
                ("log", self.server.said()),
                ("audit", audit.clone()),
                ("privacyIDEA's log", self.lab.log()),
            ] {
                assert!(!text.contains(secret), "{secret} is in the {what}");
            }
        }
    }

    /// The reasons of the refused sign-ins so far.
    fn refusals(&self) -> Vec<String> {
        let audit = self.server.audit();
        let refused = audit.iter().filter(|event| event["outcome"] == "failure");
        refused.map(|event| event["reason"].to_string()).collect()
    }
}

fn asks_for_code(page: &Page) -> bool {
    page.forms()
        .iter()
        .any(|form| form.fields.iter().any(|(name, _)| name == "code"))
}

/// The parameter of a redirect.
fn parameter(url: &str, name: &str) -> Option<String> {
    let (_, query) = url.split_once('?')?;
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .find(|(known, _)| *known == name)
        .map(|(_, value)| value.replace("%3A", ":").replace("%2F", "/"))
}

/// Rows 4 to 8, 10 and 11: from the application to its tokens.
#[test]
fn keycape_06_a_code_is_issued_after_the_second_factor_and_not_before() {
    let broker = Broker::start();
    let _alone = broker.lab.alone("dave");
    let mut browser = broker.browser();
    let page = broker.back_from_upstream(&mut browser, "dave").page();
    assert_eq!(page.answer.status, 200);
    // Row 7: who, for which application, and one field.
    assert!(
        asks_for_code(&page) && page.says("dave") && page.says("Bootstrap Console"),
        "{}",
        page.answer.text()
    );
    // Row 5: the browser never saw the internal host.
    assert!(
        broker
            .upstream
            .asked_as("127.0.0.1")
            .iter()
            .any(|line| line == "POST /token")
    );
    assert!(
        !broker
            .upstream
            .asked_as("localhost")
            .iter()
            .any(|line| line == "POST /token")
    );

    // R12: past the page, without the code.
    let skipped = browser.open(&broker.request(&[("prompt", "none")])).left();
    assert_eq!(
        parameter(&skipped, "error").as_deref(),
        Some("login_required"),
        "{skipped}"
    );

    let code = broker.lab.next_code("dave", "HOTPDAVE");
    let wrong = if code == "000000" { "000001" } else { "000000" };
    let again = browser.submit(&page, &[("code", wrong)]).page();
    assert!(asks_for_code(&again), "row 9: a wrong code gets no further");
    // R20, row 7: another browser has no part in it.
    let mut thief = broker.browser();
    let _own = thief.open(&broker.request(&[]));
    let stolen = thief.submit(&again, &[("code", &code)]).page();
    assert!(stolen.answer.status >= 400, "{}", stolen.answer.status);

    let mut step = browser.submit(&again, &[("code", &code)]);
    if let Step::Page(consent) = &step {
        step = browser.press(consent, "allow", &[]);
    }
    let left = step.left();
    assert!(left.starts_with(&format!("{CALLBACK}?")), "{left}");
    assert_eq!(parameter(&left, "state").as_deref(), Some("s-1"));
    assert_eq!(
        parameter(&left, "iss").as_deref(),
        Some(broker.server.public_url("").as_str())
    );
    let granted = parameter(&left, "code").unwrap();

    // The page is over: what was shown once leads nowhere.
    let replayed = browser.submit(&again, &[("code", &code)]).page();
    assert!(replayed.answer.status >= 400);

    let other = broker.redeem(&granted, "another-verifier-another-verifier-another-v");
    assert_eq!(
        (other.status, other.json()["error"].as_str()),
        (400, Some("invalid_grant"))
    );
    // A code that met a wrong verifier is spent: sign in anew, in the session that is there.
    let left = browser.open(&broker.request(&[])).left();
    let granted = parameter(&left, "code").unwrap();
    let tokens = broker.redeem(&granted, VERIFIER);
    assert_eq!(tokens.status, 200, "{}", tokens.text());
    let tokens = tokens.json();
    let claims = claims(tokens["id_token"].as_str().unwrap());
    assert_eq!(claims["nonce"], "n-1");
    assert_eq!(claims["preferred_username"], "dave");
    assert_eq!(claims["email"], "dave@example.org");
    assert_eq!(claims["groups"], serde_json::json!(["staff"]));
    assert_eq!(claims["amr"], serde_json::json!(["mfa", "otp", "pwd"]), "row 11");
    assert_eq!(claims["acr"], "urn:sealstone:acr:two-factor");
    assert_eq!(claims["tenant"], "demo");
    assert_eq!(claims["principal_type"], "user");
    let assurance = &claims["assurance"];
    assert_eq!(assurance["mfa"], true);
    assert_eq!(assurance["methods"], claims["amr"]);
    assert_eq!(assurance["level"], claims["acr"]);
    assert_eq!(assurance["source"], broker.server.public_url(""));
    assert_eq!(assurance["at"], claims["auth_time"]);
    let told = broker.userinfo(tokens["access_token"].as_str().unwrap()).json();
    assert_eq!(told["name"], "Dave Example");
    // Row 10: RS256, by a key of the key set that the metadata names.
    let signed = header(tokens["id_token"].as_str().unwrap());
    assert_eq!(signed["alg"], "RS256", "row 10");
    let document = |url: &str| broker.server.https().get(url, &[]).unwrap().json();
    let metadata = document(&broker.server.public_url("/.well-known/openid-configuration"));
    assert_eq!(metadata["issuer"], broker.server.public_url(""), "row 10");
    let keys = document(metadata["jwks_uri"].as_str().unwrap());
    let keys = keys["keys"].as_array().unwrap();
    assert!(keys.iter().any(|key| key["kid"] == signed["kid"]), "row 10");
    let access = tokens["access_token"].as_str().unwrap();
    assert_eq!(
        header(access)["alg"],
        "RS256",
        "row 10: the token that opens userinfo"
    );
    // Row 10: each scope opens its own claims, and no others.
    for (scope, names) in [
        ("openid", &[][..]),
        ("openid profile", &["name", "preferred_username"]),
        ("openid email", &["email", "email_verified"]),
        ("openid groups", &["groups"]),
    ] {
        let left = browser.open(&broker.request(&[("scope", scope)])).left();
        let tokens = broker.redeem(&parameter(&left, "code").unwrap(), VERIFIER).json();
        let id_token = part(tokens["id_token"].as_str().unwrap(), 1);
        let told = broker.userinfo(tokens["access_token"].as_str().unwrap()).json();
        assert_eq!(told["sub"], id_token["sub"]);
        for claims in [&told, &id_token] {
            for name in ["name", "preferred_username", "email", "email_verified", "groups"] {
                assert_eq!(
                    claims.get(name).is_some(),
                    names.contains(&name),
                    "{scope}: {name}: {claims}"
                );
            }
            assert_eq!(
                claims["tenant"], "demo",
                "what the profile says of the login is always there"
            );
        }
    }
    // Row 10: the process answers, for whoever watches it.
    let alive = document(&broker.server.public_url("/healthz"));
    assert_eq!(alive, serde_json::json!({"status": "live"}));
    broker.unseen(&[
        &code,
        &granted,
        UpstreamServer::CLIENT_SECRET,
        PrivacyIdeaLab::ADAPTER.1,
    ]);
}

fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&sealstone_jose::base64url::decode(part).unwrap()).unwrap()
}

fn header(token: &str) -> Value {
    part(token, 0)
}

fn claims(token: &str) -> Value {
    part(token, 1)
}

/// Row 9: unknown to privacyIDEA, without a token, locked, disabled.
#[test]
fn keycape_09_who_cannot_show_a_second_factor_gets_no_code() {
    let broker = Broker::start();
    for name in ["mallory", "erin", "frank", "grace"] {
        let before = broker.refusals().len();
        let page = broker.back_from_upstream(&mut broker.browser(), name).page();
        assert_eq!(page.answer.status, 403, "{name}: {}", page.answer.text());
        assert!(!asks_for_code(&page));
        let refused = broker.refusals();
        assert_eq!(refused.len(), before + 1, "{name}: one event: {refused:?}");
    }
}

/// Row 9: the provider or privacyIDEA is not there.
#[test]
fn keycape_09_an_outage_fails_closed() {
    let [nobody] = free_ports();
    let broker = Broker::with(|setup| {
        setup.set(
            "people.privacyidea",
            "url",
            &format!("'http://127.0.0.1:{nobody}'"),
        );
    });
    let mut browser = broker.browser();
    let page = broker.back_from_upstream(&mut browser, "bob").page();
    assert_eq!(page.answer.status, 503, "{}", page.answer.text());
    assert_eq!(broker.refusals().len(), 1, "{:?}", broker.refusals());
    let silent = browser.open(&broker.request(&[("prompt", "none")])).left();
    assert_eq!(parameter(&silent, "error").as_deref(), Some("login_required"));

    let away = Broker::with(|setup| {
        setup.set(
            "people.upstream",
            "back_channel_url",
            &format!("'https://127.0.0.1:{nobody}'"),
        );
    });
    let page = away.browser().open(&away.request(&[])).page();
    assert_eq!(page.answer.status, 503, "{}", page.answer.text());
}

/// R01: a callback that is forged, replayed, or of another browser.
#[test]
fn r01_a_callback_belongs_to_one_browser_and_works_once() {
    let broker = Broker::start();
    let mut browser = broker.browser();
    let sent = browser.open(&broker.request(&[])).left();
    let back = broker.upstream.sign_in(&mut browser, &sent, "bob");
    let state = parameter(&back, "state").unwrap();
    let refused = |browser: &mut Browser, url: &str| {
        let page = browser.open(url).page();
        assert!(
            page.answer.status >= 400 && !asks_for_code(&page),
            "{url}: {}",
            page.answer.status
        );
    };
    refused(&mut broker.browser(), &back);
    refused(&mut browser, &back.replace(&state, &"A".repeat(state.len())));
    refused(&mut browser, &back.replace(&format!("&state={state}"), ""));
    assert!(
        asks_for_code(&browser.open(&back).page()),
        "the right one, after all those"
    );
    refused(&mut browser, &back);
}

/// Rows 1, 2 and 4: the registered text, and nothing that resembles it.
#[test]
fn keycape_01_another_redirect_uri_is_refused_as_json_and_nobody_is_redirected() {
    let broker = Broker::start();
    for registered in [CALLBACK, "http://localhost:8876/oidc/callback"] {
        let mut browser = broker.browser();
        let sent = browser
            .open(&broker.request(&[("redirect_uri", registered)]))
            .left();
        assert!(sent.starts_with(&broker.upstream.issuer()), "{sent}");
    }
    for other in [
        "http://127.0.0.1:8877/oidc/callback",
        "http://127.0.0.1/oidc/callback",
        "http://127.0.0.1:8876/oidc/callback/",
        "http://127.0.0.1:8876/oidc/Callback",
        "http://127.0.0.1:8876/oidc/callback?x=1",
        "http://127.0.0.1:8876/oidc",
        "http://localhost:8877/oidc/callback",
        "http://[::1]:8876/oidc/callback",
        "http://127.0.0.1:8876.evil.example/oidc/callback",
        "https://127.0.0.1:8876/oidc/callback",
        "https://evil.example/oidc/callback",
    ] {
        let answer = broker
            .browser()
            .ask("GET", &broker.request(&[("redirect_uri", other)]), b"");
        let want = serde_json::json!({
            "error": "invalid_profile_usage",
            "description": "redirect_uri does not match any registered URI",
            "feature": "redirect_uri",
        });
        assert_eq!((answer.status, answer.json()), (400, want), "{other}");
        assert_eq!(answer.header("location"), None, "{other}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("content-type"), Some("application/json"));
    }
}

/// Row 3: each thing that the profile has not, by its own name, with one event.
#[test]
fn keycape_03_what_is_outside_the_profile_is_named() {
    let broker = Broker::start();
    let cases: &[(&str, &[(&str, &str)])] = &[
        ("response_type", &[("response_type", "token")]),
        ("response_type", &[("response_type", "code id_token")]),
        ("response_type", &[("response_type", "")]),
        ("response_mode", &[("response_mode", "fragment")]),
        (
            "code_challenge",
            &[("code_challenge", ""), ("code_challenge_method", "")],
        ),
        ("code_challenge_method", &[("code_challenge_method", "plain")]),
        ("request", &[("request", "e30.e30.")]),
        ("request_uri", &[("request_uri", "https://evil.example/r")]),
        ("registration", &[("registration", "{}")]),
        ("scope", &[("scope", "openid openstack:api")]),
        ("client_id", &[("client_id", "nobody")]),
    ];
    for (feature, changes) in cases {
        let before = broker.refusals().len();
        let answer = broker.browser().ask("GET", &broker.request(changes), b"");
        let body = answer.json();
        assert_eq!(answer.status, 400, "{changes:?}: {body}");
        assert_eq!(body["error"], "invalid_profile_usage", "{changes:?}");
        assert_eq!(body["feature"], *feature, "{changes:?}");
        let members: Vec<&String> = body.as_object().unwrap().keys().collect();
        assert_eq!(members.len(), 3, "{members:?}");
        assert_eq!(answer.header("location"), None, "{changes:?}");
        assert_eq!(broker.refusals().len(), before + 1, "{changes:?}: one event");
    }
    let password = [
        ("grant_type", "password"),
        ("client_id", CLIENT),
        ("username", "bob"),
        ("password", "x"),
    ];
    for (path, form, feature) in [
        ("/token", &password[..], "grant_type"),
        ("/device_authorization", &password[1..2], "grant_type"),
        ("/register", &[], "registration"),
        ("/par", &password[1..2], "pushed_request"),
    ] {
        let before = broker.refusals().len();
        let url = broker.server.public_url(path);
        let answer = broker.server.https().post(&url, &[], form).unwrap();
        let body = answer.json();
        assert_eq!(
            (answer.status, body["feature"].as_str()),
            (400, Some(feature)),
            "{path}"
        );
        assert_eq!(body["error"], "invalid_profile_usage", "{path}");
        assert_eq!(broker.refusals().len(), before + 1, "{path}: one event");
    }
    // What came of a right request goes to the client.
    let left = broker
        .browser()
        .open(&broker.request(&[("prompt", "none")]))
        .left();
    assert_eq!(parameter(&left, "error").as_deref(), Some("login_required"));
}
