//! What is let through, and what the others are told.

use std::time::Duration;

use crate::support::{
    FakeSource, IssuerKey, World, accepted, claims, invalid_token, refused, request, send, with_certificate,
    with_header,
};
use http::{Request, StatusCode};
use http_body_util::Full;
use sealstone_resource::{Algorithm, ScopeSet};
use serde_json::{Value, json};

fn with_access_rules(world: &World, rules: Value) -> String {
    let mut claims = world.claims();
    claims["openstack_context"] = json!({
        "user_id": "u1", "user_name": "machine", "user_domain_id": "demo", "scope_type": "project",
        "project_id": "p1", "project_name": "builds", "project_domain_id": "demo", "roles": ["member"],
    });
    if !rules.is_null() {
        claims["openstack_context"]["access_rules"] = rules;
    }
    world.key.access_token(&claims)
}

#[tokio::test]
async fn without_a_token_the_challenge_names_no_error() {
    let world = World::new();
    let layer = world.layer();
    let token = world.token();
    let uri = format!("https://builds.example/?access_token={token}");
    let body = format!("access_token={token}");
    let form = Request::post("/").header("content-type", "application/x-www-form-urlencoded");
    let requests = [
        Request::get("/").body(Full::default()).unwrap(),
        Request::get(uri).body(Full::default()).unwrap(),
        form.body(Full::from(body)).unwrap(),
        with_header(
            Request::get("/").body(Full::default()).unwrap(),
            "authorization",
            "Basic YTpi",
        ),
        with_header(
            Request::get("/").body(Full::default()).unwrap(),
            "authorization",
            &format!("DPoP {token}"),
        ),
        with_header(
            Request::get("/").body(Full::default()).unwrap(),
            "authorization",
            &token,
        ),
    ];
    for request in requests {
        let answered = send(&layer, with_certificate(request, &world.client)).await;
        assert_eq!(answered.status, StatusCode::UNAUTHORIZED);
        assert_eq!(answered.authenticate(), "Bearer realm=\"builds\"");
        assert_eq!(answered.headers["cache-control"], "no-store");
        assert_eq!(answered.body, "");
    }
    assert!(
        world.source.asked().is_empty(),
        "nothing is fetched for a request without a token"
    );
}

#[tokio::test]
async fn the_case_of_the_scheme_does_not_matter() {
    let world = World::new();
    let layer = world.layer();
    for scheme in ["Bearer", "bearer", "BEARER", "beArEr"] {
        let mut request = world.request(&world.token());
        let value = format!("{scheme} {}", world.token()).parse().unwrap();
        request.headers_mut().insert("authorization", value);
        accepted(&layer, request).await;
    }
}

#[tokio::test]
async fn a_malformed_authorization_header_is_an_invalid_request() {
    let world = World::new();
    let layer = world.layer();
    accepted(&layer, world.request(&world.token())).await;
    let twice = with_header(world.request(&world.token()), "authorization", "Bearer x");
    refused(&layer, twice, 400, "invalid_request").await;
    for value in ["Bearer", "Bearer a b", "Bearer \"a\"", "Bearer a,b"] {
        let mut request = world.request("");
        request
            .headers_mut()
            .insert("authorization", value.parse().unwrap());
        refused(&layer, request, 400, "invalid_request").await;
    }
}

#[tokio::test]
async fn what_is_not_a_good_token_is_an_invalid_token() {
    let world = World::new();
    let layer = world.layer();
    accepted(&layer, world.request(&world.token())).await;
    let token = world.token();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let other_key = IssuerKey::new("k1").access_token(&world.claims());
    let header = json!({"alg": "none", "typ": "at+jwt"});
    let none = world.key.token_with_header(&header, &world.claims());
    for token in [
        "a",
        "a.b.c",
        "....",
        signed,
        &format!("{signed}."),
        &format!("{signed}.{}", signature.to_lowercase()),
        &other_key,
        &none,
        &"a".repeat(20_000),
    ] {
        invalid_token(&layer, world.request(token)).await;
    }
    for missing in ["iss", "sub", "aud", "client_id", "iat", "exp", "jti"] {
        let mut claims = world.claims();
        claims.as_object_mut().unwrap().remove(missing);
        invalid_token(&layer, world.request(&world.key.access_token(&claims))).await;
    }
}

#[tokio::test]
async fn an_expired_token_and_one_of_tomorrow() {
    let world = World::new();
    let layer = world.layer();
    let token = world.token();
    accepted(&layer, world.request(&token)).await;
    world.clock.advance(Duration::from_secs(899));
    accepted(&layer, world.request(&token)).await;
    world.clock.advance(Duration::from_secs(1));
    let answered = invalid_token(&layer, world.request(&token)).await;
    assert!(answered.authenticate().contains("has expired"));
    let later = claims(world.clock.seconds() + 61, Some(&world.client.thumbprint()));
    invalid_token(&layer, world.request(&world.key.access_token(&later))).await;
}

#[tokio::test]
async fn an_unbound_token_is_refused_unless_that_is_configured() {
    let world = World::new();
    let unbound = world.key.access_token(&claims(world.clock.seconds(), None));
    let layer = world.layer();
    accepted(&layer, world.request(&world.token())).await;
    invalid_token(&layer, request(&unbound)).await;
    let answered = invalid_token(&layer, world.request(&unbound)).await;
    assert!(answered.authenticate().contains("must be bound"));

    let layer = world.layer_of(world.config().dangerous_accept_bearer_tokens());
    accepted(&layer, request(&unbound)).await;
    accepted(&layer, world.request(&unbound)).await;
    invalid_token(&layer, request(&world.token())).await;
    // A certificate beside an unbound token says nothing about the token.
    let (head, _) = world.request(&unbound).into_parts();
    assert_eq!(layer.authorize(&head).await.unwrap().certificate(), None);
}

#[tokio::test]
async fn a_missing_scope_is_named() {
    let world = World::new();
    let required = |scope| {
        world
            .config()
            .with_required_scopes(ScopeSet::parse(scope).unwrap())
    };
    accepted(
        &world.layer_of(required("builds:write builds:read")),
        world.request(&world.token()),
    )
    .await;
    let layer = world.layer_of(required("builds:read builds:admin"));
    let answered = refused(&layer, world.request(&world.token()), 403, "insufficient_scope").await;
    assert!(
        answered
            .authenticate()
            .ends_with(", scope=\"builds:read builds:admin\"")
    );
    // Who may know which scope is due: only holders of a good token.
    let answered = invalid_token(&layer, request(&world.token())).await;
    assert!(!answered.authenticate().contains("scope="));
}

#[tokio::test]
async fn access_rules_are_enforced_for_the_service() {
    let world = World::new();
    let rules = json!([{"service": "builds", "method": "GET", "path": "/v1/**"}]);
    let layer = world.layer_of(world.config().enforce_access_rules("builds"));
    accepted(&layer, world.request(&with_access_rules(&world, Value::Null))).await;
    accepted(&layer, world.request(&with_access_rules(&world, rules.clone()))).await;
    for rules in [
        json!([]),
        json!([{"service": "compute", "method": "GET", "path": "/v1/**"}]),
        json!([{"service": "builds", "method": "POST", "path": "/v1/**"}]),
        json!([{"service": "builds", "method": "GET", "path": "/v2/**"}]),
    ] {
        let token = with_access_rules(&world, rules);
        refused(&layer, world.request(&token), 403, "insufficient_scope").await;
    }
    let mut climbing = world.request(&with_access_rules(&world, rules));
    *climbing.uri_mut() = "https://builds.example/v1/../v2/admin".parse().unwrap();
    refused(&layer, climbing, 403, "insufficient_scope").await;
}

#[tokio::test]
async fn access_rules_that_nobody_judges_let_nothing_through() {
    let world = World::new();
    let rules = json!([{"service": "builds", "method": "GET", "path": "/**"}]);
    let token = with_access_rules(&world, rules);
    accepted(
        &world.layer(),
        world.request(&with_access_rules(&world, Value::Null)),
    )
    .await;
    refused(&world.layer(), world.request(&token), 403, "insufficient_scope").await;

    let layer = world.layer_of(world.config().dangerous_leave_access_rules_to_service());
    accepted(&layer, world.request(&token)).await;
    let (head, _) = world.request(&token).into_parts();
    let confirmed = layer.authorize(&head).await.unwrap();
    assert!(confirmed.allows("builds", "GET", "/v1/builds"));
    assert!(!confirmed.allows("builds", "POST", "/v1/builds"));
    assert!(confirmed.has_access_rules() && confirmed.has_scope("builds:read"));
    assert_eq!(
        confirmed.certificate().unwrap().to_string(),
        world.client.thumbprint()
    );
}

#[tokio::test]
async fn every_algorithm_that_is_allowed_and_no_other() {
    for algorithm in Algorithm::ALL {
        let mut world = World::new();
        world.key = IssuerKey::of(algorithm, "k1");
        world.source.publish(&[&world.key]);
        accepted(&world.layer(), world.request(&world.token())).await;
        let others: Vec<Algorithm> = Algorithm::ALL
            .into_iter()
            .filter(|other| *other != algorithm)
            .collect();
        let layer = world.layer_of(world.config().with_algorithms(&others));
        invalid_token(&layer, world.request(&world.token())).await;
    }
}

#[tokio::test]
async fn an_explicit_key_set_needs_no_metadata() {
    let world = World::new();
    let layer = world.layer_of(world.config().with_jwks_uri(&FakeSource::jwks()));
    assert!(layer.is_ready().await);
    accepted(&layer, world.request(&world.token())).await;
    assert_eq!(world.source.count(&FakeSource::metadata()), 0);
}

#[tokio::test]
async fn the_token_is_not_printed_by_the_service() {
    use tower::{Layer, ServiceExt};
    let world = World::new();
    let token = world.token();
    let service = world.layer().layer(tower::service_fn(
        |request: Request<Full<bytes::Bytes>>| async move {
            Ok::<_, std::convert::Infallible>(http::Response::new(format!("{:?}", request.headers())))
        },
    ));
    let response = service.oneshot(world.request(&token)).await.unwrap();
    let http_body_util::Either::Left(printed) = response.into_body() else {
        panic!("refused")
    };
    assert!(
        printed.contains("authorization") && !printed.contains(&token),
        "{printed}"
    );
}

#[tokio::test]
async fn an_axum_router_takes_the_layer() {
    use axum::{Extension, Router, routing::get};
    use sealstone_resource::Confirmed;
    use tower::ServiceExt;
    let world = World::new();
    let whoami = |Extension(confirmed): Extension<Confirmed>| async move {
        confirmed.token().client_id.as_str().to_owned()
    };
    let router = Router::new()
        .route("/v1/builds", get(whoami))
        .layer(world.layer());
    let response = router
        .clone()
        .oneshot(world.request(&world.token()).map(axum::body::Body::new))
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    let response = router
        .oneshot(request(&world.token()).map(axum::body::Body::new))
        .await
        .unwrap();
    assert_eq!(response.status(), 401);
}
