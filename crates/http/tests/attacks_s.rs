//! Group S: keys, metadata, paths and headers.

use sealstone_http::Readiness;
use serde_json::Value;
use tower::ServiceExt;

use crate::support::{Ask, GRANT, INTROSPECT, ISSUER, REVOKE, TOKEN, World};

const OPENID: &str = "/v4/oauth2/demo/.well-known/openid-configuration";
const OAUTH: &str = "/.well-known/oauth-authorization-server/v4/oauth2/demo";

#[tokio::test]
async fn s06_no_private_member_in_the_key_set() {
    let world = World::new().await;
    let keys = world.send(Ask::get(&format!("{ISSUER}/jwks"))).await;
    assert_eq!(keys.status, 200);
    assert_eq!(keys.header("content-type"), Some("application/json"));
    let set = keys.json();
    let keys = set["keys"].as_array().unwrap();
    assert!(!keys.is_empty());
    for key in keys {
        for private in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
            assert!(key.get(private).is_none(), "{private}");
        }
        assert_eq!(key["use"], "sig");
        assert!(key["kid"].is_string() && key["alg"].is_string());
    }
}

#[tokio::test]
async fn s13_issuer_is_the_one_fetched() {
    let world = World::new().await;
    for path in [OPENID, OAUTH] {
        // Whatever the request says of itself: the issuer is configured.
        let ask = Ask::get(path)
            .header("host", "evil.example")
            .header("x-forwarded-host", "evil.example");
        let answer = world.send(ask).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.json()["issuer"], "https://id.example/v4/oauth2/demo");
        assert!(!answer.text.contains("evil"));
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("cache-control"), Some("public, max-age=300"));
    }
    let other = world
        .send(Ask::get("/v4/oauth2/elsewhere/.well-known/openid-configuration"))
        .await;
    assert_eq!(other.json()["issuer"], "https://id.example/v4/oauth2/elsewhere");
}

#[tokio::test]
async fn s15_unknown_domain_in_the_path() {
    let world = World::new().await;
    world.token(GRANT).await.is_token();
    let long = "a".repeat(60_000);
    let mut texts = Vec::new();
    for domain in [
        "nobody",
        "DEMO",
        "demo%00",
        "d%65mo",
        ".",
        "..",
        "%2e%2e",
        "%2E%2E%2Fdemo",
        "demo;x",
        "demo@evil",
        &long,
    ] {
        for (method, rest) in [
            ("GET", "/.well-known/openid-configuration"),
            ("GET", "/jwks"),
            ("GET", "/jwks/revocation"),
            ("POST", "/token"),
            ("POST", "/introspect"),
            ("POST", "/revoke"),
        ] {
            let ask = Ask::new(method, &format!("/v4/oauth2/{domain}{rest}")).basic("ci");
            let answer = world
                .send(if method == "POST" { ask.form(GRANT) } else { ask })
                .await;
            answer.is_refused(404, "invalid_request");
            texts.push(answer.text);
        }
        let inserted = format!("/.well-known/oauth-authorization-server/v4/oauth2/{domain}");
        world
            .send(Ask::get(&inserted))
            .await
            .is_refused(404, "invalid_request");
    }
    world
        .send(Ask::get("/no/such/path"))
        .await
        .is_refused(404, "invalid_request");
    texts.push(world.send(Ask::get("/")).await.text);
    assert!(
        texts.iter().all(|text| *text == texts[0]),
        "an unknown domain looks like an unknown path"
    );
    assert_eq!(world.issued(), 1);
}

/// What hyper lets through; the rest is tested on the wire.
#[tokio::test]
async fn s16_two_hosts() {
    let world = World::new().await;
    let good = || Ask::post(TOKEN).basic("ci").form(GRANT);
    world.send(good()).await.is_token();
    let issued = world.issued();
    for ask in [
        good().header("host", "id.example").header("host", "id.example"),
        good().header("host", "id.example").header("host", "evil.example"),
    ] {
        let answer = world.send(ask).await;
        answer.is_refused(400, "invalid_request");
        assert_eq!(answer.header("connection"), Some("close"));
    }
    assert_eq!(world.issued(), issued);
}

#[tokio::test]
async fn s17_method_and_path_oddities() {
    let world = World::new().await;
    world.token(GRANT).await.is_token();
    for path in [
        "/v4/oauth2/demo//token",
        "//v4/oauth2/demo/token",
        "/v4/oauth2//demo/token",
        "/v4//oauth2/demo/token",
        "/v4/oauth2/demo/token/",
        "/v4/oauth2/demo/TOKEN",
        "/V4/oauth2/demo/token",
        "/v4/oauth2/demo/token%2f",
        "/v4/oauth2/demo/%74oken",
        "/v4/oauth2/demo%2ftoken",
        "/v4/oauth2/demo/token;x=1",
        "/v4/oauth2/demo/./token",
        "/v4/oauth2/demo/x/../token",
        "/v4/oauth2/demo/%2e/token",
        "/v4/oauth2/demo",
        "/v4/oauth2/",
        "*",
        "https://id.example/v4/oauth2/demo/token",
        "http://evil.example/v4/oauth2/demo/token",
    ] {
        let answer = world.send(Ask::post(path).basic("ci").form(GRANT)).await;
        answer.is_refused(404, "invalid_request");
    }
    for method in ["TRACE", "CONNECT", "GET", "token", "POSTX", "post"] {
        let answer = world.send(Ask::new(method, TOKEN).basic("ci").form(GRANT)).await;
        answer.is_refused(405, "invalid_request");
    }
    for path in [
        OPENID,
        OAUTH,
        "/v4/oauth2/demo/jwks",
        "/v4/oauth2/demo/jwks/revocation",
    ] {
        for method in ["POST", "TRACE", "OPTIONS", "DELETE"] {
            let answer = world.send(Ask::new(method, path)).await;
            answer.is_refused(405, "invalid_request");
            assert_eq!(answer.header("allow"), Some("GET, HEAD"));
        }
    }
    assert_eq!((world.issued(), world.requests()), (1, 1));
}

#[tokio::test]
async fn s17_head_and_conditional_requests() {
    let world = World::new().await;
    for path in [
        OPENID,
        OAUTH,
        "/v4/oauth2/demo/jwks",
        "/v4/oauth2/demo/jwks/revocation",
    ] {
        let whole = world.send(Ask::get(path)).await;
        assert_eq!(whole.status, 200);
        let head = world.send(Ask::new("HEAD", path)).await;
        assert_eq!((head.status.as_u16(), head.text.as_str()), (200, ""));
        assert_eq!(
            head.header("content-length"),
            Some(whole.text.len().to_string().as_str())
        );
        let tag = whole.header("etag").unwrap().to_owned();
        assert_eq!(head.header("etag"), Some(tag.as_str()));
        for known in [tag.clone(), format!("\"other\", W/{tag}"), "*".to_owned()] {
            let again = world.send(Ask::get(path).header("if-none-match", &known)).await;
            assert_eq!((again.status.as_u16(), again.text.as_str()), (304, ""), "{known}");
            assert_eq!(again.header("etag"), Some(tag.as_str()));
        }
        for other in ["\"x\"", "", "x", "\"*\""] {
            let again = world.send(Ask::get(path).header("if-none-match", other)).await;
            assert_eq!(
                (again.status.as_u16(), again.text),
                (200, whole.text.clone()),
                "{other}"
            );
        }
    }
}

#[tokio::test]
async fn s18_security_headers() {
    let plain = World::new().await;
    let ours = World::with(sealstone_http::HttpConfig::with_strict_transport_security).await;
    for ask in [
        Ask::post(TOKEN).basic("ci").form(GRANT),
        Ask::post(TOKEN).form(""),
        Ask::post(INTROSPECT).basic("gateway").form("token=x"),
        Ask::post(REVOKE).basic("ci").form("token=x"),
        Ask::get(TOKEN),
        Ask::get(OPENID),
        Ask::get(OAUTH),
        Ask::get("/v4/oauth2/demo/jwks"),
        Ask::get("/v4/oauth2/demo/jwks/revocation"),
        Ask::get("/"),
    ] {
        let answer = ours.send(ask.clone()).await;
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(
            answer.header("strict-transport-security"),
            Some("max-age=63072000")
        );
        assert!(answer.header("x-request-id").is_some());
        assert_eq!(
            (answer.header("server"), answer.header("x-powered-by")),
            (None, None)
        );
        let answer = plain.send(ask).await;
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(
            answer.header("strict-transport-security"),
            None,
            "the proxy's to say"
        );
    }
}

#[tokio::test]
async fn admin_listener_tells_health_and_counts() {
    let world = World::new().await;
    world.token(GRANT).await.is_token();
    world
        .send(Ask::get(TOKEN))
        .await
        .is_refused(405, "invalid_request");
    let readiness = Readiness::default();
    let admin = world.edge.admin_router(readiness.clone());
    let get = async |path: &str| {
        let response = admin
            .clone()
            .oneshot(Ask::get(path).into_request())
            .await
            .unwrap();
        let status = response.status().as_u16();
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    };
    assert_eq!(get("/health/live").await.0, 200);
    assert_eq!(get("/health/ready").await.0, 503);
    readiness.set(true);
    let (status, text) = get("/health/ready").await;
    assert_eq!(
        (
            status,
            serde_json::from_str::<Value>(&text).unwrap()["status"].as_str()
        ),
        (200, Some("ready"))
    );
    let (_, metrics) = get("/metrics").await;
    assert!(
        metrics.contains("{endpoint=\"token\",status=\"200\"} 1"),
        "{metrics}"
    );
    assert!(
        metrics.contains("{endpoint=\"token\",status=\"405\"} 1"),
        "{metrics}"
    );
    assert_eq!(get(TOKEN).await.0, 404);
    for path in ["/metrics", "/health/live", "/health/ready"] {
        world
            .send(Ask::get(path))
            .await
            .is_refused(404, "invalid_request");
    }
}
