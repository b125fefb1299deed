//! What Grafana, Argo CD, Harbor, Kubernetes, oauth2-proxy and `OpenBao` ask of a provider, and how Go asks.
//! They are not run here: each test sends what that program's source sends, and looks for what it insists on. Their
//! settings are in `docs/guides/login-with-openstack.md`.

use sealstone_interop::{Answer, DevServer, Step};
use sealstone_testkit::{base64url, escaped};
use serde_json::{Value, json};

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// A client registered as the guide says.
struct Party<'a> {
    server: &'a DevServer,
    id: &'a str,
    secret: Option<String>,
    redirect_uri: &'a str,
}

impl<'a> Party<'a> {
    fn register(
        server: &'a DevServer,
        id: &'a str,
        redirect_uri: &'a str,
        scope: &str,
        more: &[&str],
    ) -> Self {
        let mut arguments = vec![
            "client",
            "create",
            id,
            "--redirect-uri",
            redirect_uri,
            "--scope",
            scope,
        ];
        arguments.extend_from_slice(more);
        if !more.contains(&"--grant") {
            arguments.extend_from_slice(&["--grant", "authorization_code", "--grant", "refresh_token"]);
        }
        let made = server.administer(&arguments);
        let secret = made["client_secret"].as_str().map(str::to_owned);
        Self {
            server,
            id,
            secret,
            redirect_uri,
        }
    }

    /// Where the browser ends that was sent to the authorization endpoint with these parameters.
    fn asked(&self, scope: &str, more: &str) -> String {
        let url = format!(
            "{}/authorize?client_id={}&redirect_uri={}&response_type=code&scope={}&state=abc{more}",
            self.server.issuer(),
            self.id,
            escaped(self.redirect_uri),
            escaped(scope),
        );
        let mut browser = self.server.browser();
        let person = self.server.user("demo");
        let mut step = browser.open(&url);
        for _ in 0..4 {
            let page = match step {
                Step::Left(url) => return url,
                Step::Page(page) => page,
            };
            let has = |name: &str| {
                let mut forms = page.forms().into_iter();
                forms.any(|form| form.fields.iter().any(|(known, _)| known == name))
            };
            step = if has("password") {
                browser.submit(
                    &page,
                    &[("user_name", &person.name), ("password", &person.password)],
                )
            } else {
                browser.press(&page, "allow", &[])
            };
        }
        step.left()
    }

    fn code(&self, scope: &str, more: &str) -> String {
        let back = self.asked(scope, more);
        assert!(back.starts_with(self.redirect_uri), "{back}");
        let code = back.split("code=").nth(1).expect(&back);
        code.split('&').next().unwrap().to_owned()
    }

    /// Form-encoded inside Basic, as RFC 6749 says and Go does.
    fn basic(&self, secret: &str) -> String {
        let pair = format!("{}:{}", escaped(self.id), escaped(secret));
        let text = base64url(pair.as_bytes()).replace('-', "+").replace('_', "/");
        format!("Basic {text}{}", "=".repeat((4 - text.len() % 4) % 4))
    }

    fn post(&self, authorization: Option<&str>, form: &[(&str, &str)]) -> Answer {
        let headers: Vec<(&str, &str)> = authorization
            .iter()
            .map(|value| ("authorization", *value))
            .collect();
        let url = format!("{}/token", self.server.issuer());
        self.server.https().post(&url, &headers, form).unwrap()
    }

    fn redeemed(&self, code: &str, verifier: Option<&str>) -> Value {
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", self.redirect_uri),
        ];
        form.extend(verifier.map(|verifier| ("code_verifier", verifier)));
        let basic = self.secret.as_deref().map(|secret| self.basic(secret));
        if basic.is_none() {
            form.push(("client_id", self.id));
        }
        let answer = self.post(basic.as_deref(), &form);
        assert_eq!(answer.status, 200, "{}: {}", self.id, answer.text());
        answer.json()
    }

    fn userinfo(&self, tokens: &Value) -> Value {
        let bearer = format!("Bearer {}", tokens["access_token"].as_str().unwrap());
        let url = format!("{}/userinfo", self.server.issuer());
        let answer = self
            .server
            .https()
            .get(&url, &[("authorization", &bearer)])
            .unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }
}

/// One part of a JWT. Its signature is looked at elsewhere.
fn part(token: &Value, index: usize) -> Value {
    let text = token.as_str().unwrap().split('.').nth(index).unwrap();
    serde_json::from_slice(&sealstone_jose::base64url::decode(text).unwrap()).unwrap()
}

fn pkce() -> String {
    format!("&code_challenge={CHALLENGE}&code_challenge_method=S256")
}

/// golang.org/x/oauth2 tries Basic, and on any error the same grant at once with the secret in the body.
#[test]
fn go_oauth2_may_try_both_ways_to_authenticate() {
    let server = DevServer::start();
    for method in ["client_secret_basic", "client_secret_post"] {
        let id = format!("go-{method}").replace('_', "-");
        let party = Party::register(
            &server,
            &id,
            "https://go.example/cb",
            "openid",
            &["--auth-method", method],
        );
        let code = party.code("openid", &pkce());
        let secret = party.secret.clone().unwrap();
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", party.redirect_uri),
            ("code_verifier", VERIFIER),
        ];
        let mut in_body = form.to_vec();
        in_body.extend([("client_id", id.as_str()), ("client_secret", &secret)]);
        let first = party.post(Some(&party.basic(&secret)), &form);
        let answer = if first.status == 200 {
            first
        } else {
            assert_eq!(first.status, 401, "{}", first.text());
            party.post(None, &in_body)
        };
        assert_eq!(
            answer.status,
            200,
            "{method}: the failed try spent the code: {}",
            answer.text()
        );
        assert!(answer.json()["expires_in"].is_u64());
    }
}

/// A public client of Go's library sends Basic with an empty secret first.
#[test]
fn go_oauth2_public_clients_fall_back_to_the_body() {
    let server = DevServer::start();
    let party = Party::register(
        &server,
        "go-public",
        "http://127.0.0.1/cb",
        "openid",
        &["--public", "--native"],
    );
    let code = party.code("openid", &pkce());
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", party.redirect_uri),
        ("code_verifier", VERIFIER),
    ];
    let first = party.post(Some(&party.basic("")), &form);
    if first.status != 200 {
        assert_eq!(first.status, 401, "{}", first.text());
        let _tokens = party.redeemed(&code, Some(VERIFIER));
    }
}

/// Grafana `generic_oauth`: typed-in addresses, a verifier of 128 characters, e-mail and groups.
#[test]
fn grafana() {
    let server = DevServer::start();
    let party = Party::register(
        &server,
        "grafana",
        "https://grafana.example/login/generic_oauth",
        "openid profile email groups offline_access",
        &[],
    );
    let verifier = "v".repeat(128);
    let challenge =
        base64url(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, verifier.as_bytes()).as_ref());
    let asked = format!("&code_challenge={challenge}&code_challenge_method=S256&access_type=online");
    let code = party.code("openid profile email groups offline_access", &asked);
    let tokens = party.redeemed(&code, Some(&verifier));
    assert!(tokens["refresh_token"].is_string());
    for told in [part(&tokens["id_token"], 1), party.userinfo(&tokens)] {
        assert_eq!(told["email"], "demo@demo.test");
        assert_eq!(told["preferred_username"], "demo");
        assert_eq!(told["groups"], json!(["demo-users", "ops"]));
    }
}

/// Argo CD: the web page with a secret, and its program on a machine, public, on `localhost:8085`, with the ID token.
#[test]
fn argo_cd() {
    let server = DevServer::start();
    let metadata = format!("{}/.well-known/openid-configuration", server.issuer());
    let metadata = server.https().get(&metadata, &[]).unwrap().json();
    let lists = |name: &str, value: &str| {
        metadata[name]
            .as_array()
            .is_some_and(|all| all.contains(&json!(value)))
    };
    assert!(lists("response_types_supported", "code") && lists("scopes_supported", "offline_access"));
    let scope = "openid profile email groups";
    let party = Party::register(
        &server,
        "argocd-cli",
        "http://localhost:8085/auth/callback",
        "openid profile email groups offline_access",
        &["--public", "--native"],
    );
    let claims = escaped(r#"{"id_token":{"groups":{"essential":true}}}"#);
    let code = party.code(scope, &format!("{}&access_type=offline&claims={claims}", pkce()));
    let tokens = party.redeemed(&code, Some(VERIFIER));
    let claims = part(&tokens["id_token"], 1);
    assert_eq!(
        (&claims["aud"], &claims["nonce"]),
        (&json!("argocd-cli"), &Value::Null)
    );
    assert_eq!(claims["groups"], json!(["demo-users", "ops"]));
    // Another port of `localhost` is another address.
    let other = format!(
        "{}/authorize?client_id=argocd-cli&redirect_uri={}&response_type=code&scope=openid{}",
        server.issuer(),
        escaped("http://localhost:8086/auth/callback"),
        pkce(),
    );
    assert_eq!(server.browser().open(&other).page().answer.status, 400);
}

/// Harbor panics on an answer without `id_token`, and keeps its secrets alive by refreshing for a new one.
#[test]
fn harbor() {
    let server = DevServer::start();
    let scope = "openid profile email groups offline_access";
    let party = Party::register(
        &server,
        "harbor",
        "https://harbor.example/c/oidc/callback",
        scope,
        &[],
    );
    let tokens = party.redeemed(&party.code(scope, &pkce()), Some(VERIFIER));
    assert!(tokens["id_token"].is_string());
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", tokens["refresh_token"].as_str().unwrap()),
    ];
    let answer = party.post(Some(&party.basic(party.secret.as_deref().unwrap())), &form);
    let again = answer.json();
    assert!(again["id_token"].is_string(), "{again}");
    assert_eq!(part(&again["id_token"], 1)["sub"], party.userinfo(&again)["sub"]);
}

/// The Kubernetes API server reads a JWT and nothing else: `https` issuer, RS256, one audience, boolean `email_verified`.
#[test]
fn kubernetes() {
    let server = DevServer::start();
    let party = Party::register(
        &server,
        "kubernetes",
        "http://localhost:8000",
        "openid email groups offline_access",
        &["--public", "--native"],
    );
    let tokens = party.redeemed(
        &party.code("openid email groups offline_access", &pkce()),
        Some(VERIFIER),
    );
    let (header, claims) = (part(&tokens["id_token"], 0), part(&tokens["id_token"], 1));
    assert_eq!(
        header["alg"], "RS256",
        "EdDSA is refused everywhere, ES256 unless it is switched on"
    );
    assert!(claims["iss"].as_str().unwrap().starts_with("https://"));
    assert_eq!(claims["aud"], "kubernetes");
    assert_eq!(claims["email_verified"], json!(true));
    assert!(claims["sub"].is_string() && claims["groups"].is_array());
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", tokens["refresh_token"].as_str().unwrap()),
        ("client_id", "kubernetes"),
    ];
    assert!(party.post(None, &form).json()["id_token"].is_string());
}

/// oauth2-proxy sends no PKCE unless it is told to: it must hear which parameter is missing, or be registered without.
#[test]
fn oauth2_proxy() {
    let server = DevServer::start();
    let redirect_uri = "https://app.example/oauth2/callback";
    let strict = Party::register(&server, "proxy", redirect_uri, "openid email profile", &[]);
    let back = strict.asked("openid email profile", "&approval_prompt=force&nonce=n");
    assert!(back.contains("error=invalid_request"), "{back}");
    assert!(back.contains("code_challenge"), "{back}");
    let told = Party::register(
        &server,
        "proxy-plain",
        redirect_uri,
        "openid email profile",
        &["--require-pkce", "false"],
    );
    let code = told.code("openid email profile", "&approval_prompt=force&nonce=n");
    let tokens = told.redeemed(&code, None);
    let claims = part(&tokens["id_token"], 1);
    assert_eq!(
        (&claims["email"], &claims["nonce"]),
        (&json!("demo@demo.test"), &json!("n"))
    );
}

/// `OpenBao` and Vault: PKCE and nonce always, two addresses, groups as an array of strings.
#[test]
fn openbao() {
    let server = DevServer::start();
    let web = "https://bao.example/ui/vault/auth/oidc/oidc/callback";
    let party = Party::register(
        &server,
        "openbao",
        "http://localhost:8250/oidc/callback",
        "openid groups",
        &["--redirect-uri", web],
    );
    let asked = format!("{}&nonce=n_1", pkce());
    let tokens = party.redeemed(&party.code("openid groups", &asked), Some(VERIFIER));
    let claims = part(&tokens["id_token"], 1);
    assert_eq!(claims["nonce"], "n_1");
    assert_eq!(claims["groups"], json!(["demo-users", "ops"]));
    let by_page = Party {
        redirect_uri: web,
        ..party
    };
    let _code = by_page.code("openid groups", &asked);
}
