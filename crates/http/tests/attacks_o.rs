//! Client registry administration: group O, through the router.

use axum::body::Body;
use sealstone_audit::{Action, Outcome, Target};
use sealstone_oauth_types::ClientId;
use sealstone_registry::ClientStore;
use serde_json::{Value, json};

use crate::administrators::{administration, cloud, each_refused, of_keystone, refused, way, ways_of_nobody};
use crate::support::{Answer, Ask, ISSUER, TOKEN, World};

const CLIENTS: &str = "/v4/oauth2/demo/clients";
const INITIAL: &str = "/v4/oauth2/demo/initial-access-tokens";
const REGISTER: &str = "/v4/oauth2/demo/register";

impl World {
    async fn with_administrators() -> Self {
        let world = Self::administered(administration, None).await;
        let scope = json!({ "scope": "sealstone:clients metrics:read read write", "default_scope": "sealstone:clients metrics:read" });
        world.register("demo", "office", scope.clone()).await;
        world.register("elsewhere", "bureau", scope.clone()).await;
        world.register("global", "cloud-office", scope).await;
        world
    }

    async fn office(&self) -> String {
        self.token_at("demo", "office", "grant_type=client_credentials")
            .await
    }

    /// An initial access token, and the way of a client that registered itself by it to its own address.
    async fn registered(&self) -> (String, impl Fn(&str) -> Ask) {
        let initial = cloud("POST", INITIAL).json(&json!({ "uses": 1000 }));
        let initial = self.send(initial).await.json();
        let token = initial["initial_access_token"].as_str().unwrap().to_owned();
        let made = self.send(Ask::post(REGISTER).bearer(&token).json(&app())).await;
        assert_eq!(made.status, 201, "{made:?}");
        let made = made.json();
        let uri = made["registration_client_uri"].as_str().unwrap();
        let uri = uri.replace("https://id.example", "");
        let management = made["registration_access_token"].as_str().unwrap().to_owned();
        (token, move |method: &str| {
            Ask::new(method, &uri).bearer(&management)
        })
    }

    async fn put(&self, id: &str, tag: &str, body: &Value) -> Answer {
        let ask = cloud("PUT", &format!("{CLIENTS}/{id}")).header("if-match", tag);
        self.send(ask.json(body)).await
    }
}

fn app() -> Value {
    json!({ "redirect_uris": ["https://app.example/cb"], "scope": "openid" })
}

#[tokio::test]
async fn o01_who_is_no_administrator_of_the_domain_gets_nothing() {
    let world = World::with_administrators().await;
    let office = world.office().await;
    let elsewhere = world
        .token_at("elsewhere", "bureau", "grant_type=client_credentials")
        .await;
    let plain = world.token_of("ci").await;
    let without = world
        .token_at(
            "demo",
            "office",
            "grant_type=client_credentials&scope=metrics%3Aread",
        )
        .await;
    let mut ways = ways_of_nobody(&world, &office, &without);
    ways.extend([
        way("another issuer's", 401, "invalid_token", |ask| {
            ask.bearer(&elsewhere)
        }),
        way("without the scope", 403, "insufficient_scope", |ask| {
            ask.bearer(&plain)
        }),
        way("narrowed by rules", 401, "invalid_token", of_keystone("narrowed")),
        way("bound elsewhere", 401, "invalid_token", of_keystone("bound")),
        way("a member", 403, "access_denied", of_keystone("member-of-demo")),
    ]);
    let before = world.store.client(&ClientId::parse("ci").unwrap()).await.unwrap();
    each_refused(
        &world,
        &ways,
        &[
            ("GET", CLIENTS),
            ("POST", CLIENTS),
            ("GET", &format!("{CLIENTS}/ci")),
            ("PUT", &format!("{CLIENTS}/ci")),
            ("DELETE", &format!("{CLIENTS}/ci")),
            ("POST", &format!("{CLIENTS}/ci/secret")),
            ("POST", &format!("{CLIENTS}/ci/disable")),
            ("POST", &format!("{CLIENTS}/ci/enable")),
            ("GET", INITIAL),
            ("POST", INITIAL),
            ("DELETE", &format!("{INITIAL}/0011223344556677")),
        ],
    )
    .await;
    assert_eq!(
        world.store.client(&ClientId::parse("ci").unwrap()).await.unwrap(),
        before
    );
    let refusals = world.events();
    let refusals = refusals.iter().filter(|event| {
        matches!(
            event.action,
            Action::ReadClient | Action::UpdateClient | Action::DeleteClient
        ) && event.outcome == Outcome::Failure
    });
    assert!(refusals.count() >= ways.len() * 6, "each refusal is recorded");
    let outage = world
        .send(Ask::get(CLIENTS).header("x-auth-token", "outage"))
        .await;
    assert_eq!(outage.status, 503, "{outage:?}");
    assert!(outage.header("retry-after").is_some());
}

#[tokio::test]
async fn every_way_in_leads_to_what_it_may() {
    let world = World::with_administrators().await;
    let cloud_token = world
        .token_at("global", "cloud-office", "grant_type=client_credentials")
        .await;
    let office = world.office().await;
    let (operator, manager) = (world.ca.client("operator"), world.ca.client("manager"));
    type Way<'a> = Box<dyn Fn(Ask) -> Ask + 'a>;
    let ways: Vec<(&str, Way<'_>, bool)> = vec![
        (
            "the cloud's token",
            Box::new(|ask: Ask| ask.bearer(&cloud_token)),
            true,
        ),
        (
            "the domain's token",
            Box::new(|ask: Ask| ask.bearer(&office)),
            false,
        ),
        (
            "Keystone's administrator",
            Box::new(|ask: Ask| ask.header("x-auth-token", "system-admin")),
            true,
        ),
        (
            "Keystone's manager",
            Box::new(|ask: Ask| ask.header("x-auth-token", "manager-of-demo")),
            false,
        ),
        (
            "the operator's certificate",
            Box::new(|ask: Ask| ask.certificate(&operator)),
            true,
        ),
        (
            "the manager's certificate",
            Box::new(|ask: Ask| ask.certificate(&manager)),
            false,
        ),
    ];
    for (name, way, is_cloud) in ways {
        let made = world.send(way(Ask::post(CLIENTS).json(&app()))).await;
        assert_eq!(made.status, 201, "{name}: {made:?}");
        let id = made.json()["client_id"].as_str().unwrap().to_owned();
        assert_eq!(made.header("location"), Some(format!("{CLIENTS}/{id}").as_str()));
        let shown = world.send(way(Ask::get(&format!("{CLIENTS}/{id}")))).await;
        assert_eq!(shown.status, 200, "{name}");
        assert_eq!(shown.header("etag"), made.header("etag"));
        assert_eq!(shown.json()["redirect_uris"], json!(["https://app.example/cb"]));
        let elsewhere = "/v4/oauth2/elsewhere/clients";
        let there = world.send(way(Ask::post(elsewhere).json(&app()))).await;
        let wide = world
            .send(way(Ask::post(CLIENTS).json(&json!({ "scope": "billing:write" }))))
            .await;
        if is_cloud {
            assert_eq!(
                (there.status.as_u16(), wide.status.as_u16()),
                (201, 201),
                "{name}"
            );
        } else {
            assert!([401, 403].contains(&there.status.as_u16()), "{name}: {there:?}");
            refused(&wide, 403, "access_denied", name);
        }
    }
}

#[tokio::test]
async fn o02_another_tenants_client_is_as_unknown_as_none() {
    let world = World::with_administrators().await;
    let office = world.office().await;
    let mut answers = Vec::new();
    for id in ["foreign", "nobody", "%2e%2e", "x y", "\u{e4}"] {
        for (method, end) in [
            ("GET", ""),
            ("DELETE", ""),
            ("PUT", ""),
            ("POST", "/disable"),
            ("POST", "/enable"),
            ("POST", "/secret"),
        ] {
            let uri = format!(
                "{CLIENTS}/{}{end}",
                id.replace(' ', "%20").replace('\u{e4}', "%c3%a4")
            );
            let ask = Ask::new(method, &uri).bearer(&office);
            let ask = match method {
                "PUT" => ask.header("if-match", "\"1-1\"").json(&app()),
                _ => ask,
            };
            let answer = world.send(ask).await;
            refused(&answer, 404, "invalid_request", &format!("{method} {uri}"));
            answers.push(answer.text);
        }
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "the answer does not tell one from another");
    assert!(
        world
            .store
            .client(&ClientId::parse("foreign").unwrap())
            .await
            .unwrap()
            .is_some()
    );
}

#[tokio::test]
async fn o03_what_the_server_sets_is_never_set() {
    let world = World::with_administrators().await;
    let ci = format!("{CLIENTS}/ci");
    let shown = world.send(cloud("GET", &ci)).await;
    let tag = shown.header("etag").unwrap().to_owned();
    for member in [
        "client_id",
        "domain_id",
        "created_at",
        "client_secret_hash",
        "client_secret",
        "pre_authorized",
        "version",
    ] {
        let mut body = app();
        body[member] = json!("x");
        let changed = world.put("ci", &tag, &body).await;
        for answer in [world.send(cloud("POST", CLIENTS).json(&body)).await, changed] {
            refused(&answer, 422, "invalid_client_metadata", member);
            let told = answer.json();
            assert!(told["error_description"].as_str().unwrap().contains(member));
        }
        // Who registers itself may say it (RFC 7591 §2), and it counts for nothing.
        let (token, own) = world.registered().await;
        let made = world.send(Ask::post(REGISTER).bearer(&token).json(&body)).await;
        assert!([201, 400].contains(&made.status.as_u16()), "{member}: {made:?}");
        assert!(made.json().get(member) != Some(&json!("x")), "{member}: {made:?}");
        let changed = world.send(own("PUT").json(&body)).await;
        assert!(
            [200, 400].contains(&changed.status.as_u16()),
            "{member}: {changed:?}"
        );
        assert!(
            changed.json().get(member) != Some(&json!("x")),
            "{member}: {changed:?}"
        );
    }
    assert_eq!(world.send(cloud("GET", &ci)).await.text, shown.text);
}

/// Refused when a client is made of it, and when one is changed to it; and no client that registers itself gets it.
async fn never_registered(cases: &[(Value, &str)]) {
    let world = World::with_administrators().await;
    let victim = cloud("PUT", &format!("{CLIENTS}/victim")).header("if-none-match", "*");
    let made = world.send(victim.json(&app())).await;
    assert_eq!(made.status, 201, "{made:?}");
    let tag = made.header("etag").unwrap();
    for (body, code) in cases {
        let answer = world.send(cloud("POST", CLIENTS).json(body)).await;
        refused(&answer, 422, code, &body.to_string());
        refused(
            &world.put("victim", tag, body).await,
            422,
            code,
            &body.to_string(),
        );
        let (token, own) = world.registered().await;
        let mut change = body.clone();
        change["client_id"] = world.send(own("GET")).await.json()["client_id"].clone();
        for ask in [
            Ask::post(REGISTER).bearer(&token).json(body),
            own("PUT").json(&change),
        ] {
            let answer = world.send(ask).await;
            let told = answer.json();
            if answer.status == 400 {
                let codes = ["invalid_client_metadata", "invalid_redirect_uri"];
                assert!(
                    codes.contains(&told["error"].as_str().unwrap()),
                    "{body}: {answer:?}"
                );
                continue;
            }
            // Left out, as RFC 7591 §3.2.1 lets a server do.
            assert!(answer.status.is_success(), "{body}: {answer:?}");
            let plain = app();
            let mut asked = body.as_object().unwrap().iter();
            let is_kept =
                asked.all(|(name, value)| plain.get(name) == Some(value) || told.get(name) == Some(value));
            assert!(!is_kept, "{body}: {answer:?}");
        }
    }
}

fn web(uri: &str) -> (Value, &'static str) {
    (
        json!({ "redirect_uris": [uri], "scope": "openid" }),
        "invalid_redirect_uri",
    )
}

fn with(member: &str, value: Value) -> (Value, &'static str) {
    let mut body = app();
    body[member] = value;
    (body, "invalid_client_metadata")
}

#[tokio::test]
async fn o04_wildcards_are_no_redirect_uris() {
    never_registered(&[web("https://*.example.com/cb"), web("https://app/*")]).await;
}

#[tokio::test]
async fn o05_a_web_client_is_answered_over_https() {
    never_registered(&[web("http://app.example/cb"), web("http://10.0.0.1/cb")]).await;
}

#[tokio::test]
async fn o06_schemes_that_run_are_no_redirect_uris() {
    never_registered(&[
        web("javascript:alert(1)"),
        web("data:text/html,x"),
        web("file:///etc/passwd"),
    ])
    .await;
}

#[tokio::test]
async fn o07_a_public_client_has_pkce() {
    let (mut body, code) = with("require_pkce", json!(false));
    body["token_endpoint_auth_method"] = json!("none");
    never_registered(&[(body, code)]).await;
}

#[tokio::test]
async fn o08_neither_implicit_nor_password() {
    never_registered(&[
        with("grant_types", json!(["implicit"])),
        with("grant_types", json!(["authorization_code", "password"])),
        with("response_types", json!(["token"])),
    ])
    .await;
}

#[tokio::test]
async fn o12_addresses_of_pages_that_nobody_fetches() {
    never_registered(&[
        with("logo_uri", json!("javascript:alert(1)")),
        with("policy_uri", json!("https://10.0.0.1/")),
        with("client_uri", json!("http://app.example/")),
        with("client_uri", json!("javascript:alert(1)")),
    ])
    .await;
}

#[tokio::test]
async fn o09_a_secret_is_shown_once() {
    let world = World::with_administrators().await;
    let made = world
        .send(cloud("POST", CLIENTS).json(&json!({ "scope": "read" })))
        .await;
    let (id, secret) = (
        made.json()["client_id"].clone(),
        made.json()["client_secret"].clone(),
    );
    let (id, secret) = (id.as_str().unwrap(), secret.as_str().unwrap().to_owned());
    let log = crate::support::Log::capture();
    let mut later = vec![
        world.send(cloud("GET", &format!("{CLIENTS}/{id}"))).await,
        world.send(cloud("GET", CLIENTS)).await,
    ];
    let tag = later[0].header("etag").unwrap().to_owned();
    later.push(world.put(id, &tag, &json!({ "scope": "read write" })).await);
    later.push(
        world
            .send(cloud("POST", &format!("{CLIENTS}/{id}/disable")))
            .await,
    );
    later.push(world.send(cloud("POST", &format!("{CLIENTS}/{id}/enable"))).await);
    for answer in &later {
        assert_eq!(answer.status, 200, "{answer:?}");
        for hidden in [secret.as_str(), "client_secret\"", "hmac", "sealed"] {
            assert!(!answer.text.contains(hidden), "{hidden}: {}", answer.text);
        }
    }
    assert!(!log.text().contains(&secret));
    assert!(!format!("{:?}", world.events()).contains(&secret));
    let grant = Ask::post(TOKEN)
        .basic_with(id, &secret)
        .form("grant_type=client_credentials");
    assert_eq!(world.send(grant).await.status, 200, "it works all the same");
}

#[tokio::test]
async fn o10_bodies_that_cannot_be_are_refused_and_bounded() {
    let world = World::with_administrators().await;
    let post = |body: String| {
        cloud("POST", CLIENTS)
            .header("content-type", "application/json")
            .body(Body::from(body))
    };
    let cases = [
        ("no JSON", "{".to_owned(), 422),
        ("a list", "[]".to_owned(), 422),
        (
            "a member twice",
            r#"{"scope": "a", "scope": "b"}"#.to_owned(),
            422,
        ),
        ("an unknown member", r#"{"scop": "a"}"#.to_owned(), 422),
        (
            "a wrong type",
            r#"{"redirect_uris": "https://app.example/cb"}"#.to_owned(),
            422,
        ),
        (
            "depth",
            format!(
                "{}{}",
                r#"{"claims":"#.to_owned() + &"[".repeat(10_000),
                "]".repeat(10_000) + "}"
            ),
            422,
        ),
        (
            "10 MiB",
            format!(r#"{{"client_name": "{}"}}"#, "a".repeat(10 * 1024 * 1024)),
            413,
        ),
    ];
    for (name, body, status) in cases {
        let answer = world.send(post(body)).await;
        assert_eq!(answer.status.as_u16(), status, "{name}: {answer:?}");
        answer.is_clean();
        assert!(answer.text.len() < 1024, "{name}");
    }
    let (token, own) = world.registered().await;
    let elsewhere: [(&str, &dyn Fn() -> Ask); 5] = [
        ("a change", &|| {
            cloud("PUT", &format!("{CLIENTS}/ci")).header("if-match", "*")
        }),
        ("a secret", &|| cloud("POST", &format!("{CLIENTS}/ci/secret"))),
        ("an initial access token", &|| cloud("POST", INITIAL)),
        ("a registration", &|| Ask::post(REGISTER).bearer(&token)),
        ("a change of one's own", &|| own("PUT")),
    ];
    let deep = format!(r#"{{"jwks":{}{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
    let long = format!(r#"{{"client_name":"{}"}}"#, "a".repeat(10 * 1024 * 1024));
    let before = world.send(cloud("GET", CLIENTS)).await.text;
    for (name, ask) in elsewhere {
        for body in [
            "{",
            "[]",
            r#"{"scope":"a","scope":"b"}"#,
            r#"{"uses":"1","overlap_s":"1","redirect_uris":1}"#,
            &deep,
            &long,
        ] {
            let ask = ask().header("content-type", "application/json");
            let answer = world.send(ask.body(Body::from(body.to_owned()))).await;
            let start: String = body.chars().take(40).collect();
            let expected = if body.len() > 128 * 1024 {
                vec![413]
            } else {
                vec![400, 412, 422]
            };
            assert!(
                expected.contains(&answer.status.as_u16()),
                "{name}: {start}: {answer:?}"
            );
            answer.is_clean();
            assert!(answer.text.len() < 1024, "{name}: {start}");
        }
    }
    assert_eq!(world.send(cloud("GET", CLIENTS)).await.text, before);
    let form = cloud("POST", CLIENTS).form("scope=read");
    refused(&world.send(form).await, 415, "invalid_request", "a form");
    for body in [
        r#"{"overlap_s": -1}"#,
        r#"{"overlap": 1}"#,
        "[]",
        r#"{"overlap_s": "1"}"#,
    ] {
        let rotate =
            cloud("POST", &format!("{CLIENTS}/ci/secret")).header("content-type", "application/json");
        refused(
            &world.send(rotate.body(Body::from(body))).await,
            400,
            "invalid_request",
            body,
        );
    }
    for (method, uri) in [
        ("PATCH", CLIENTS),
        ("PUT", CLIENTS),
        ("GET", REGISTER),
        ("DELETE", INITIAL),
    ] {
        let answer = world.send(cloud(method, uri)).await;
        assert_eq!(answer.status, 405, "{method} {uri}");
        assert!(answer.header("allow").is_some());
    }
}

#[tokio::test]
async fn o11_names_that_mislead_are_refused_over_http() {
    let world = World::with_administrators().await;
    for name in [
        "a\u{202e}b".to_owned(),
        "x".repeat(10 * 1024),
        "a\nb".to_owned(),
        String::new(),
    ] {
        let mut body = app();
        body["client_name"] = json!(name);
        refused(
            &world.send(cloud("POST", CLIENTS).json(&body)).await,
            422,
            "invalid_client_metadata",
            &name,
        );
    }
}

#[tokio::test]
async fn o13_of_two_writers_the_second_is_told() {
    let world = World::with_administrators().await;
    let shown = world.send(cloud("GET", &format!("{CLIENTS}/ci"))).await;
    let tag = shown.header("etag").unwrap().to_owned();
    let blind = cloud("PUT", &format!("{CLIENTS}/ci")).json(&json!({ "scope": "read" }));
    refused(&world.send(blind).await, 428, "invalid_request", "blind");
    assert_eq!(
        world.put("ci", &tag, &json!({ "scope": "read" })).await.status,
        200
    );
    refused(
        &world.put("ci", &tag, &json!({ "scope": "write" })).await,
        412,
        "invalid_request",
        "second",
    );
    for end in ["/disable", "/enable", "/secret"] {
        let ask = cloud("POST", &format!("{CLIENTS}/ci{end}")).header("if-match", &tag);
        refused(&world.send(ask).await, 412, "invalid_request", end);
    }
    let delete = cloud("DELETE", &format!("{CLIENTS}/ci")).header("if-match", "W/\"1-1\"");
    refused(&world.send(delete).await, 412, "invalid_request", "weak");
    let again = cloud("PUT", &format!("{CLIENTS}/ci"))
        .header("if-none-match", "*")
        .json(&app());
    refused(&world.send(again).await, 409, "invalid_request", "taken");
    let scope = world
        .store
        .client(&ClientId::parse("ci").unwrap())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(scope.scopes().as_str(), "read");
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// Of many who write with one version at once, on threads of their own, one wins.
#[tokio::test]
async fn o13_of_writers_at_once_one_wins() {
    let world = World::with_administrators().await;
    let uri = format!("{CLIENTS}/ci");
    for round in 0..8 {
        let shown = world.send(cloud("GET", &uri)).await;
        let tag = shown.header("etag").unwrap();
        let writing = ["read", "write", "metrics:read", "logs:read"].map(|scope| {
            let ask = cloud("PUT", &uri).header("if-match", tag);
            let ask = ask.json(&json!({ "scope": scope, "client_name": format!("{round}") }));
            let sent = crate::support::send(world.router.clone(), ask);
            (scope, std::thread::spawn(|| runtime().block_on(sent)))
        });
        let mut won = Vec::new();
        for (scope, writing) in writing {
            let answer = writing.join().unwrap();
            match answer.status.as_u16() {
                200 => won.push(scope),
                _ => refused(&answer, 412, "invalid_request", scope),
            }
        }
        assert_eq!(won.len(), 1, "{won:?}");
        let kept = world.send(cloud("GET", &uri)).await.json();
        assert_eq!(
            (&kept["scope"], &kept["client_name"]),
            (&json!(won[0]), &json!(format!("{round}")))
        );
    }
}

#[tokio::test]
async fn o14_what_a_client_got_ends_with_it() {
    for end in ["disable", "delete"] {
        let world = World::with_administrators().await;
        let token = world.token_of("ci").await;
        let describe = async |token: &str| {
            let form = format!("token={token}");
            let ask = Ask::post(crate::support::INTROSPECT).basic("gateway").form(form);
            world.send(ask).await.json()
        };
        let seen = async |token: &str| describe(token).await["active"].clone();
        let mut secret = String::new();
        assert_eq!(seen(&token).await, true);
        let ended = match end {
            "disable" => world.send(cloud("POST", &format!("{CLIENTS}/ci/disable"))).await,
            _ => world.send(cloud("DELETE", &format!("{CLIENTS}/ci"))).await,
        };
        assert!(ended.status.is_success(), "{ended:?}");
        assert_eq!(seen(&token).await, false, "{end}");
        let refused = world.token("grant_type=client_credentials").await;
        refused.is_refused(401, "invalid_client");
        // What a running server does at each change of the store.
        world.provider.maintain().await.unwrap();
        let document = world
            .send(Ask::get(&format!("{ISSUER}/jwks/revocation")))
            .await
            .json();
        assert_eq!(document["ended_clients"][0]["client_id"], "ci", "{document}");
        assert!(document["ended_clients"][0]["until"].as_u64().unwrap() >= world.now());

        // Back again, in its own name or as another of the same id: what ended stays so, what comes is good at once.
        if end == "disable" {
            assert_eq!(
                world
                    .send(cloud("POST", &format!("{CLIENTS}/ci/enable")))
                    .await
                    .status,
                200
            );
        } else {
            let again = cloud("PUT", &format!("{CLIENTS}/ci"))
                .header("if-none-match", "*")
                .json(&json!({ "client_name": "CI", "scope": "read" }));
            let made = world.send(again).await;
            assert_eq!(made.status, 201, "{made:?}");
            secret = made.json()["client_secret"].as_str().unwrap().to_owned();
        }
        // The clock stands still: it is the same second.
        for waited in [0, 1, 59, 60] {
            world.clock.advance(std::time::Duration::from_secs(waited));
            world.provider.maintain().await.unwrap();
            assert_eq!(seen(&token).await, false, "{end} and back, after {waited} s");
            let ask = Ask::post(TOKEN).form("grant_type=client_credentials");
            let ask = if secret.is_empty() {
                ask.basic("ci")
            } else {
                ask.basic_with("ci", &secret)
            };
            let fresh = world.send(ask).await.json();
            let fresh = fresh["access_token"].as_str().unwrap();
            let described = describe(fresh).await;
            assert_eq!(described["active"], true, "{end} and back, after {waited} s");
            assert!(described.get("client_version").is_none(), "{described}");
        }
    }
}

#[tokio::test]
async fn o15_ids_are_the_servers_or_of_its_pattern() {
    let world = World::with_administrators().await;
    for id in [
        "..",
        "a.b",
        "a%2fb",
        "%C3%A4",
        "a%00",
        &"a".repeat(65),
        "7a6c1f0e5b3d42c8a9e0d1f2b3c4d5e6",
    ] {
        let ask = cloud("PUT", &format!("{CLIENTS}/{id}"))
            .header("if-none-match", "*")
            .json(&app());
        refused(&world.send(ask).await, 422, "invalid_client_metadata", id);
    }
    let drawn = world.send(cloud("POST", CLIENTS).json(&app())).await.json();
    let drawn = drawn["client_id"].as_str().unwrap().to_owned();
    assert!(drawn.len() == 32 && drawn.bytes().all(|byte| byte.is_ascii_hexdigit()));
}

#[tokio::test]
async fn o16_a_rotated_secret_dies_with_its_overlap() {
    let world = World::with_administrators().await;
    let rotate = |body: Value| cloud("POST", &format!("{CLIENTS}/ci/secret")).json(&body);
    let grant = "grant_type=client_credentials";
    for (name, body) in [
        ("an overlap of a year", json!({ "overlap_s": 31_536_000 })),
        ("an end that is over", json!({ "expires_in_s": 0 })),
    ] {
        refused(&world.send(rotate(body)).await, 422, "invalid_request", name);
    }
    let rotated = world.send(rotate(json!({ "overlap_s": 60 }))).await;
    assert_eq!(rotated.status, 200, "{rotated:?}");
    let new = rotated.json()["client_secret"].as_str().unwrap().to_owned();
    let with_new = || Ask::post(TOKEN).basic_with("ci", &new).form(grant);
    world.clock.advance(std::time::Duration::from_secs(59));
    assert_eq!(world.token(grant).await.status, 200, "both are good");
    assert_eq!(world.send(with_new()).await.status, 200);
    world.clock.advance(std::time::Duration::from_secs(1));
    world.token(grant).await.is_refused(401, "invalid_client");
    assert_eq!(world.send(with_new()).await.status, 200);
    let none = cloud("POST", &format!("{CLIENTS}/machine/secret"));
    refused(
        &world.send(none).await,
        422,
        "invalid_request",
        "a client without a secret",
    );
}

#[tokio::test]
async fn o17_lists_are_bounded_and_stay_in_their_domain_over_http() {
    let world = World::with_administrators().await;
    let office = world.office().await;
    for query in [
        "limit=1e9",
        "limit=-1",
        "limit=0",
        "limit=501",
        "limit=",
        "after=..",
        "after=%00",
        "page=1",
        "limit=1&limit=2",
        "limit=99999999999999999999",
    ] {
        let answer = world
            .send(Ask::get(&format!("{CLIENTS}?{query}")).bearer(&office))
            .await;
        if query == "limit=" {
            assert_eq!(answer.status, 200, "an empty parameter is none");
            continue;
        }
        refused(&answer, 400, "invalid_request", query);
    }
    let mut found = Vec::new();
    let mut after = String::new();
    loop {
        let answer = world
            .send(Ask::get(&format!("{CLIENTS}?limit=3{after}")).bearer(&office))
            .await
            .json();
        let page = answer["clients"].as_array().unwrap().clone();
        assert!(page.len() <= 3);
        found.extend(
            page.iter()
                .map(|client| client["client_id"].as_str().unwrap().to_owned()),
        );
        let Some(next) = answer["next_after"].as_str() else {
            break;
        };
        after = format!("&after={next}");
    }
    assert!(found.is_sorted() && found.len() > 6, "{found:?}");
    assert!(!found.contains(&"foreign".to_owned()) && !found.contains(&"bureau".to_owned()));
    // A cursor that names another tenant's client is a place in the order, and nothing else.
    let forged = world
        .send(Ask::get(&format!("{CLIENTS}?after=foreign")).bearer(&office))
        .await
        .json();
    let own = forged["clients"]
        .as_array()
        .unwrap()
        .iter()
        .all(|client| client["domain_id"] == "demo");
    assert!(own, "{forged}");
}

/// Nobody gives what he does not hold, neither at once nor by way of a client that has it already.
#[tokio::test]
async fn o01_a_manager_does_not_reach_above_himself_over_http() {
    let world = World::with_administrators().await;
    let manager = |method: &str, end: &str| {
        Ask::new(method, &format!("{CLIENTS}{end}")).header("x-auth-token", "manager-of-demo")
    };
    let tied = |user: &str, project: &str| json!({ "scope": "openstack:api", "openstack_user_id": user, "openstack_project_id": project });
    for (name, body) in [
        ("another scope", json!({ "scope": "metrics:read" })),
        ("his own office", json!({ "scope": "sealstone:clients" })),
        ("a user with more roles", tied("mighty-demo", "p-demo")),
        ("a user elsewhere", tied("u-elsewhere", "p-demo")),
        ("a project elsewhere", tied("u-demo", "p-elsewhere")),
        ("a user whom he may not see", tied("hidden", "p-demo")),
        (
            "no consent",
            json!({ "redirect_uris": ["https://app.example/cb"], "consent": "never" }),
        ),
    ] {
        refused(
            &world.send(manager("POST", "").json(&body)).await,
            403,
            "access_denied",
            name,
        );
    }
    assert_eq!(
        world
            .send(manager("POST", "").json(&tied("u-demo", "p-demo")))
            .await
            .status,
        201
    );
    assert_eq!(
        world
            .send(manager("POST", "").json(&json!({ "scope": "logs:read" })))
            .await
            .status,
        201
    );
    // `office` has what he could not give: its secret, its rights and its return are not his to have.
    let tag = world.send(manager("GET", "/office")).await;
    let tag = tag.header("etag").unwrap().to_owned();
    let smaller = manager("PUT", "/office")
        .header("if-match", &tag)
        .json(&json!({ "scope": "logs:read" }));
    refused(&world.send(smaller).await, 403, "access_denied", "takes over");
    refused(
        &world.send(manager("POST", "/office/secret")).await,
        403,
        "access_denied",
        "a new secret",
    );
    assert_eq!(
        world.send(manager("POST", "/office/disable")).await.status,
        200,
        "but he may end it"
    );
    refused(
        &world.send(manager("POST", "/office/enable")).await,
        403,
        "access_denied",
        "back again",
    );
    assert_eq!(world.send(manager("DELETE", "/office")).await.status, 204);
}

#[tokio::test]
async fn a_client_registers_itself_and_manages_what_it_registered() {
    let world = World::with_administrators().await;
    let initial = world
        .send(cloud("POST", INITIAL).json(&json!({ "uses": 2, "expires_in_s": 600 })))
        .await;
    assert_eq!(initial.status, 201, "{initial:?}");
    let token = initial.json()["initial_access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    let listed = world.send(cloud("GET", INITIAL)).await;
    assert!(!listed.text.contains(&token), "shown once");
    let mut body = app();
    body.as_object_mut().unwrap().remove("scope");
    body["contacts"] = json!(["me@app.example"]);
    body["logo_uri"] = json!("https://app.example/logo.png");
    body["client_id"] = json!("admin");
    let register = || Ask::post(REGISTER).bearer(&token).json(&body);
    let made = world.send(register()).await;
    assert_eq!(made.status, 201, "{made:?}");
    let information = made.json();
    assert_ne!(information["client_id"], "admin");
    assert_eq!(information["scope"], "openid profile email groups");
    assert!(information.get("logo_uri").is_none() && information["client_secret"].is_string());
    let uri = information["registration_client_uri"]
        .as_str()
        .unwrap()
        .replace("https://id.example", "");
    let management = information["registration_access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    let own = |method: &str| Ask::new(method, &uri).bearer(&management);
    let read = world.send(own("GET")).await;
    assert_eq!(read.status, 200, "{read:?}");
    assert!(read.json().get("client_secret").is_none());

    let mut change =
        json!({ "client_id": information["client_id"], "redirect_uris": ["https://app.example/other"] });
    assert_eq!(
        world.send(own("PUT").json(&change)).await.json()["redirect_uris"],
        json!(["https://app.example/other"])
    );
    change["client_secret"] = json!("wrong");
    refused(
        &world.send(own("PUT").json(&change)).await,
        400,
        "invalid_client_metadata",
        "another secret",
    );
    change.as_object_mut().unwrap().remove("client_secret");
    change["client_id"] = json!("ci");
    refused(
        &world.send(own("PUT").json(&change)).await,
        400,
        "invalid_client_metadata",
        "another client",
    );

    assert_eq!(world.send(own("DELETE")).await.status, 204);
    refused(&world.send(own("GET")).await, 401, "invalid_token", "deleted");
    assert_eq!(world.send(register()).await.status, 201);
    refused(&world.send(register()).await, 401, "invalid_token", "used up");
    let events = world.events();
    let by_token = events.iter().filter(|event| {
        event.action == Action::CreateClient
            && event
                .initiator
                .client_id
                .as_deref()
                .is_some_and(|id| id.starts_with("initial-access-token:"))
            && matches!(event.target, Target::Client(_))
    });
    assert_eq!(by_token.count(), 2);
}

#[tokio::test]
async fn o01_registration_needs_its_token_its_domain_and_its_policy() {
    let world = World::with_administrators().await;
    let initial = world
        .send(cloud("POST", INITIAL).json(&json!({ "uses": 9 })))
        .await
        .json();
    let token = initial["initial_access_token"].as_str().unwrap().to_owned();
    let post = |body: &Value| Ask::post(REGISTER).bearer(&token).json(body);
    for ask in [
        Ask::post(REGISTER).json(&app()),
        Ask::post(REGISTER).bearer("x").json(&app()),
        Ask::post(REGISTER)
            .header("x-auth-token", "system-admin")
            .json(&app()),
        Ask::post(REGISTER).bearer(&world.office().await).json(&app()),
    ] {
        refused(
            &world.send(ask).await,
            401,
            "invalid_token",
            "no initial access token",
        );
    }
    let with = |member: &str, value: Value| {
        let mut body = app();
        body[member] = value;
        body
    };
    for (name, body, code) in [
        ("a scope", with("scope", json!("read")), "invalid_client_metadata"),
        (
            "the office",
            with("scope", json!("sealstone:clients")),
            "invalid_client_metadata",
        ),
        (
            "openstack",
            with("scope", json!("openstack:api")),
            "invalid_client_metadata",
        ),
        (
            "a machine",
            json!({ "grant_types": ["client_credentials"] }),
            "invalid_client_metadata",
        ),
        (
            "introspection",
            with("introspection", json!("domain")),
            "invalid_client_metadata",
        ),
        (
            "no consent",
            with("consent", json!("never")),
            "invalid_client_metadata",
        ),
        (
            "a wildcard",
            with("redirect_uris", json!(["https://*.example/cb"])),
            "invalid_redirect_uri",
        ),
        (
            "no TLS",
            with("redirect_uris", json!(["http://app.example/cb"])),
            "invalid_redirect_uri",
        ),
        (
            "a script",
            with("redirect_uris", json!(["javascript:alert(1)"])),
            "invalid_redirect_uri",
        ),
    ] {
        refused(&world.send(post(&body)).await, 400, code, name);
    }
    // The metadata say where, and say nothing where it is off.
    let endpoint = async |domain: &str| {
        let metadata = format!("/v4/oauth2/{domain}/.well-known/openid-configuration");
        world.send(Ask::get(&metadata)).await.json()["registration_endpoint"].clone()
    };
    assert_eq!(endpoint("demo").await, format!("https://id.example{REGISTER}"));
    assert_eq!(endpoint("elsewhere").await, Value::Null);
    // Off is off: another domain's address is not there.
    let off = Ask::post("/v4/oauth2/elsewhere/register")
        .bearer(&token)
        .json(&app());
    assert_eq!(world.send(off).await.status, 404);
    let off = world
        .send(cloud("POST", "/v4/oauth2/elsewhere/initial-access-tokens"))
        .await;
    refused(&off, 403, "access_denied", "off");
    // Nobody manages an administrator's client by a token, nor another's.
    for id in ["ci", "nobody", "foreign"] {
        let ask = Ask::get(&format!("{REGISTER}/{id}")).bearer(&token);
        refused(&world.send(ask).await, 401, "invalid_token", id);
    }
    world.clock.advance(std::time::Duration::from_secs(24 * 3600));
    refused(&world.send(post(&app())).await, 401, "invalid_token", "ended");
    let id = initial["id"].as_str().unwrap();
    assert_eq!(
        world
            .send(cloud("DELETE", &format!("{INITIAL}/{id}")))
            .await
            .status,
        204
    );
    refused(
        &world.send(cloud("DELETE", &format!("{INITIAL}/{id}"))).await,
        404,
        "invalid_request",
        "gone",
    );
    for body in [
        json!({ "uses": 0 }),
        json!({ "uses": 1001 }),
        json!({ "expires_in_s": 59 }),
        json!({ "expires_in_s": 7_776_001 }),
    ] {
        refused(
            &world.send(cloud("POST", INITIAL).json(&body)).await,
            422,
            "invalid_request",
            "bounds",
        );
    }
}

#[tokio::test]
async fn nobody_administers_where_nothing_is_configured() {
    let world = World::new().await;
    for uri in [
        CLIENTS,
        INITIAL,
        REGISTER,
        "/v4/oauth2/demo/clients/ci",
        "/v4/oauth2/demo/register/ci",
    ] {
        assert_eq!(world.send(cloud("GET", uri)).await.status, 404, "{uri}");
    }
}
