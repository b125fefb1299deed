//! What applications that cannot be run here ask of a provider, as their sources have it: one function for each row of
//! `docs/reference/relying-parties.md`. All but one are programs on `golang.org/x/oauth2` and `go-oidc`.

use sealstone_jose::{Algorithm, base64url};
use serde_json::{Value, json};

use crate::conformance::{ask, pairs, verified, world_of};
use crate::people::{Browser, PageForm, People, escaped};
use crate::support::{Answer, Ask, ISSUER, TOKEN, World, secret};

const CHALLENGE: &str =
    "&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// A provider as it is configured when nothing is said: RS256 beside ES256.
async fn world() -> World {
    let people = People {
        algorithms: vec![Algorithm::Es256, Algorithm::Rs256],
        ..People::default()
    };
    world_of(people).await
}

/// A client as `sealstone client create` registers it, with these members besides.
async fn register(world: &World, id: &str, redirect_uri: &str, more: Value) {
    let mut client = json!({
        "grant_types": ["authorization_code", "refresh_token"], "redirect_uris": [redirect_uri],
        "scope": "openid profile email groups offline_access",
    });
    for (name, value) in more.as_object().unwrap() {
        client[name] = value.clone();
    }
    world.register("demo", id, client).await;
}

struct Relying<'a> {
    world: &'a World,
    id: &'static str,
    redirect_uri: &'static str,
    scope: &'static str,
}

impl Relying<'_> {
    fn request(&self, more: &str) -> String {
        format!(
            "client_id={}&redirect_uri={}&response_type=code&scope={}&state=Ab3dEf{more}",
            self.id,
            escaped(self.redirect_uri),
            self.scope.replace(' ', "+")
        )
    }

    /// Signs in and allows; the code that arrives.
    async fn code(&self, browser: &mut Browser<'_>, more: &str) -> String {
        let answer = browser.authorize(&self.request(more)).await;
        let location = answer.header("location").unwrap_or_else(|| panic!("{answer:?}"));
        let (uri, query) = location.split_once('?').unwrap();
        assert_eq!(uri, self.redirect_uri);
        let mut sent = pairs(query);
        assert_eq!(sent.remove("state").as_deref(), Some("Ab3dEf"));
        sent.remove("code").unwrap_or_else(|| panic!("{location}"))
    }

    fn exchange(&self, code: &str, more: &str) -> String {
        format!(
            "grant_type=authorization_code&code={code}&redirect_uri={}{more}",
            escaped(self.redirect_uri)
        )
    }

    async fn tokens(&self, more: &str, proof: &str) -> Value {
        let code = self.code(&mut Browser::new(self.world), more).await;
        let form = self.exchange(&code, proof);
        let answer = self.world.send(Ask::post(TOKEN).basic(self.id).form(form)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    async fn claims(&self, tokens: &Value) -> Value {
        verified(self.world, tokens["id_token"].as_str().unwrap()).await
    }
}

async fn discovery(world: &World) -> Value {
    let ask = Ask::get(&format!("{ISSUER}/.well-known/openid-configuration"));
    world.send(ask).await.json()
}

async fn userinfo(world: &World, tokens: &Value) -> Value {
    let bearer = format!("Bearer {}", tokens["access_token"].as_str().unwrap());
    let ask = Ask::get(&format!("{ISSUER}/userinfo")).header("authorization", bearer);
    world.send(ask).await.json()
}

fn offered(metadata: &Value, member: &str, value: &str) -> bool {
    metadata[member]
        .as_array()
        .is_some_and(|list| list.contains(&json!(value)))
}

/// The style of client authentication is found out by trying: what is refused must not have spent the code.
#[tokio::test]
async fn golang_oauth2_tries_basic_before_the_body() {
    let world = world().await;
    let poster = Relying {
        world: &world,
        id: "rp-post",
        redirect_uri: "https://rp.example/callback",
        scope: "openid",
    };
    let code = poster.code(&mut Browser::new(&world), "").await;
    let form = poster.exchange(&code, "");
    let first = world
        .send(Ask::post(TOKEN).basic("rp-post").form(form.clone()))
        .await;
    assert_eq!(first.status, 401, "{first:?}");
    let form = format!("{form}&client_id=rp-post&client_secret={}", secret("rp-post"));
    let second = world.send(Ask::post(TOKEN).form(form)).await;
    assert_eq!(second.status, 200, "{second:?}");

    // A public client sends Basic with an empty secret first.
    let uri = "http://localhost:8085/auth/callback";
    register(
        &world,
        "argo-cli",
        uri,
        json!({"token_endpoint_auth_method": "none"}),
    )
    .await;
    let public = Relying {
        id: "argo-cli",
        redirect_uri: uri,
        ..poster
    };
    let code = public.code(&mut Browser::new(&world), CHALLENGE).await;
    let form = public.exchange(&code, &format!("&code_verifier={VERIFIER}"));
    let first = world
        .send(Ask::post(TOKEN).basic_with("argo-cli", "").form(form.clone()))
        .await;
    assert_eq!(first.status, 401, "{first:?}");
    let second = world
        .send(Ask::post(TOKEN).form(format!("{form}&client_id=argo-cli")))
        .await;
    assert_eq!(second.status, 200, "{second:?}");
}

#[tokio::test]
async fn go_oidc_reads_discovery_and_verifies() {
    let world = world().await;
    let metadata = discovery(&world).await;
    assert_eq!(metadata["issuer"], "https://id.example/v4/oauth2/demo");
    for algorithm in ["RS256", "ES256"] {
        assert!(offered(
            &metadata,
            "id_token_signing_alg_values_supported",
            algorithm
        ));
    }
    let rp = Relying {
        world: &world,
        id: "rp",
        redirect_uri: "https://rp.example/callback",
        scope: "openid",
    };
    let tokens = rp.tokens("", "").await;
    let claims = rp.claims(&tokens).await;
    assert!(claims["aud"] == "rp" && claims["exp"].is_u64());
    assert!(tokens["expires_in"].is_u64());
}

#[tokio::test]
async fn grafana() {
    let world = world().await;
    let uri = "https://grafana.example/login/generic_oauth";
    let bye = "https://grafana.example/login";
    register(
        &world,
        "grafana",
        uri,
        json!({"post_logout_redirect_uris": [bye]}),
    )
    .await;
    let grafana = Relying {
        world: &world,
        id: "grafana",
        redirect_uri: uri,
        scope: "openid profile email groups offline_access",
    };
    // `use_pkce` makes verifiers of 128 characters.
    let verifier = "0123456789abcdef".repeat(8);
    let challenge = sealstone_oauth_types::CodeVerifier::parse(&verifier)
        .unwrap()
        .challenge();
    let challenge = format!("&code_challenge={challenge}&code_challenge_method=S256");
    let tokens = grafana
        .tokens(&challenge, &format!("&code_verifier={verifier}"))
        .await;
    assert!(tokens["refresh_token"].is_string());
    for document in [grafana.claims(&tokens).await, userinfo(&world, &tokens).await] {
        assert_eq!(document["email"], "alice@example.org");
        assert_eq!(document["name"], "Alice Example");
        assert_eq!(document["preferred_username"], "alice");
        assert_eq!(document["groups"], json!(["staff"]));
    }
    // `signout_redirect_url`, to which it adds the ID token.
    let mut browser = Browser::new(&world);
    let query = format!(
        "post_logout_redirect_uri={}&id_token_hint={}",
        escaped(bye),
        tokens["id_token"].as_str().unwrap()
    );
    let page = browser.get(&format!("{ISSUER}/logout?{query}")).await;
    let page = browser.follow(page).await;
    let answer = if page.status == 200 && page.text.contains("<form") {
        let answer = browser.post(&PageForm::of(&page).with(&[("do", "logout")])).await;
        browser.follow(answer).await
    } else {
        page
    };
    assert_eq!(answer.header("location"), Some(bye), "{answer:?}");
}

#[tokio::test]
async fn argo_cd() {
    let world = world().await;
    let metadata = discovery(&world).await;
    assert!(offered(&metadata, "response_types_supported", "code"));
    assert!(offered(&metadata, "scopes_supported", "offline_access"));
    let uri = "https://argo.example/auth/callback";
    register(&world, "argo-cd", uri, json!({})).await;
    let argo = Relying {
        world: &world,
        id: "argo-cd",
        redirect_uri: uri,
        scope: "openid profile email groups",
    };
    // `requestedIDTokenClaims`, and what it sends for every provider.
    let claims = escaped(&json!({"id_token": {"groups": {"essential": true}}}).to_string());
    let more = format!("{CHALLENGE}&claims={claims}&access_type=offline");
    let tokens = argo.tokens(&more, &format!("&code_verifier={VERIFIER}")).await;
    let claims = argo.claims(&tokens).await;
    assert_eq!(
        (&claims["aud"], &claims["groups"]),
        (&json!("argo-cd"), &json!(["staff"]))
    );
    assert_eq!(claims["email"], "alice@example.org");
    assert_eq!(userinfo(&world, &tokens).await["sub"], claims["sub"]);
    // The command line comes from one port of `localhost` and no other.
    let cli = "http://localhost:8085/auth/callback";
    register(
        &world,
        "argo-cli",
        cli,
        json!({"token_endpoint_auth_method": "none", "application_type": "native"}),
    )
    .await;
    let cli = Relying {
        id: "argo-cli",
        redirect_uri: cli,
        ..argo
    };
    cli.code(&mut Browser::new(&world), CHALLENGE).await;
    let other = cli.request(CHALLENGE).replace("8085", "8086");
    assert_eq!(ask(&mut Browser::new(&world), &other).await.status, 400);
}

#[tokio::test]
async fn harbor() {
    let world = world().await;
    let uri = "https://harbor.example/c/oidc/callback";
    register(&world, "harbor", uri, json!({})).await;
    let harbor = Relying {
        world: &world,
        id: "harbor",
        redirect_uri: uri,
        scope: "openid profile email groups offline_access",
    };
    let tokens = harbor
        .tokens(CHALLENGE, &format!("&code_verifier={VERIFIER}"))
        .await;
    let claims = harbor.claims(&tokens).await;
    let told = userinfo(&world, &tokens).await;
    assert_eq!(told["sub"], claims["sub"]);
    assert!(told["groups"].is_array() && told["name"].is_string() && told["email"].is_string());
    let refreshed = refresh(&world, "harbor", &tokens).await.json();
    assert_eq!(harbor.claims(&refreshed).await["sub"], claims["sub"]);
}

async fn refresh(world: &World, client: &str, tokens: &Value) -> Answer {
    let token = tokens["refresh_token"].as_str().unwrap();
    let form = format!("grant_type=refresh_token&refresh_token={token}");
    world.send(Ask::post(TOKEN).basic(client).form(form)).await
}

#[tokio::test]
async fn kubernetes() {
    let world = world().await;
    let uri = "http://localhost:8000";
    register(&world, "kubernetes", uri, json!({})).await;
    let kubectl = Relying {
        world: &world,
        id: "kubernetes",
        redirect_uri: uri,
        scope: "openid email groups offline_access",
    };
    let tokens = kubectl
        .tokens(
            &format!("{CHALLENGE}&nonce=x"),
            &format!("&code_verifier={VERIFIER}"),
        )
        .await;
    let id_token = tokens["id_token"].as_str().unwrap();
    let header = base64url::decode(id_token.split('.').next().unwrap()).unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    // `--oidc-signing-algs` is RS256 unless said otherwise, and EdDSA is taken nowhere.
    assert_eq!(header["alg"], "RS256");
    let claims = kubectl.claims(&tokens).await;
    assert!(claims["iss"].as_str().unwrap().starts_with("https://"));
    assert_eq!(
        (&claims["aud"], &claims["email_verified"]),
        (&json!("kubernetes"), &json!(true))
    );
    assert!(claims["sub"].is_string() && claims["email"].is_string());
    assert!(claims["groups"].as_array().unwrap().iter().all(Value::is_string));
    // One refresh for every ID token that ends.
    let refreshed = refresh(&world, "kubernetes", &tokens).await.json();
    assert!(refreshed["id_token"].is_string());
}

#[tokio::test]
async fn oauth2_proxy() {
    let world = world().await;
    let uri = "https://app.example/oauth2/callback";
    register(&world, "strict", uri, json!({})).await;
    register(&world, "proxy", uri, json!({"require_pkce": false})).await;
    // Without `--code-challenge-method=S256` it does no PKCE, whatever discovery lists: it is told what is missing.
    let strict = Relying {
        world: &world,
        id: "strict",
        redirect_uri: uri,
        scope: "openid email profile",
    };
    let answer = ask(&mut Browser::new(&world), &strict.request("")).await;
    let sent = pairs(answer.header("location").unwrap().split_once('?').unwrap().1);
    assert_eq!(sent["error"], "invalid_request");
    assert!(sent["error_description"].contains("code_challenge"), "{sent:?}");
    let proxy = Relying {
        id: "proxy",
        ..strict
    };
    let tokens = proxy.tokens("", "").await;
    let claims = proxy.claims(&tokens).await;
    assert_eq!(
        (&claims["email"], &claims["email_verified"]),
        (&json!("alice@example.org"), &json!(true))
    );
    assert_eq!(claims.get("nonce"), None);
}

#[tokio::test]
async fn openbao() {
    let world = world().await;
    assert!(discovery(&world).await["device_authorization_endpoint"].is_string());
    let (cli, ui) = (
        "http://localhost:8250/oidc/callback",
        "https://bao.example/ui/vault/auth/oidc/oidc/callback",
    );
    register(&world, "openbao", cli, json!({"redirect_uris": [cli, ui]})).await;
    for redirect_uri in [cli, ui] {
        let bao = Relying {
            world: &world,
            id: "openbao",
            redirect_uri,
            scope: "openid groups",
        };
        let more = format!("{CHALLENGE}&nonce=n_1234567890abcdefghij");
        let tokens = bao.tokens(&more, &format!("&code_verifier={VERIFIER}")).await;
        let claims = bao.claims(&tokens).await;
        assert_eq!(
            (&claims["nonce"], &claims["groups"]),
            (&json!("n_1234567890abcdefghij"), &json!(["staff"]))
        );
    }
}

#[test]
fn the_page_lists_every_application_that_is_tested() {
    let page = include_str!("../../../docs/reference/relying-parties.md");
    let listed = page.lines().filter(|line| line.starts_with("| ")).skip(1);
    let mut listed: Vec<&str> = listed
        .filter_map(|row| row.rsplit('`').nth(1))
        .filter(|name| !name.contains(' '))
        .collect();
    let source = include_str!("relying_parties.rs");
    let mut tested: Vec<&str> = source
        .split("#[tokio::test]\nasync fn ")
        .skip(1)
        .map(|rest| rest.split('(').next().unwrap())
        .collect();
    listed.sort_unstable();
    tested.sort_unstable();
    assert_eq!(listed, tested);
}
