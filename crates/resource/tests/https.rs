//! `HttpsSource` against a server on the loopback address.

use std::time::Duration;

use crate::support::{AUDIENCE, World, invalid_token, request};
use axum::{
    Router,
    body::Body,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use sealstone_jose::JwkSet;
use sealstone_resource::{
    Freshness, HttpsSource, Issuer, JwksSource, ResourceConfig, ResourceLayer, SourceError,
};
use sealstone_testkit::TestCa;
use sealstone_tls::{ServeLimits, ServerTlsConfig, serve};
use serde_json::json;
use tokio::net::TcpListener;

/// Starts a server with a certificate of `ca`; returns where.
async fn start(ca: &TestCa, router: impl FnOnce(&str) -> Router) -> String {
    let server = ca.server();
    let tls = ServerTlsConfig::from_pem(server.chain_pem().as_bytes(), server.key_pem().as_bytes())
        .unwrap()
        .into_handle()
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("https://{}", listener.local_addr().unwrap());
    let router = router(&base);
    tokio::spawn(serve(
        listener,
        tls,
        router,
        ServeLimits::default(),
        std::future::pending(),
    ));
    base
}

#[tokio::test]
async fn documents_redirects_lengths_and_strangers() {
    let ca = TestCa::new("Servers");
    let base = start(&ca, |_| {
        let aged = || async { ([(header::CACHE_CONTROL, "public, max-age=60")], "{}") };
        let moved = || async { (StatusCode::FOUND, [(header::LOCATION, "/aged")]) };
        let endless = || async {
            let chunks =
                futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>([b' '; 4096].as_slice()));
            Body::from_stream(chunks).into_response()
        };
        Router::new()
            .route("/aged", get(aged))
            .route("/moved", get(moved))
            .route("/long", get(|| async { " ".repeat(1001) }))
            .route("/endless", get(endless))
    })
    .await;
    let source = HttpsSource::from_ca_pem(ca.pem().as_bytes()).unwrap();
    let fetch = |path: &str, limit| {
        let (source, url) = (source.clone(), format!("{base}{path}"));
        async move { source.fetch(&url, limit).await }
    };
    let fetched = fetch("/aged", 1000).await.unwrap();
    assert_eq!(
        (&fetched.body[..], fetched.max_age),
        (&b"{}"[..], Some(Duration::from_secs(60)))
    );
    assert_eq!(fetch("/long", 1001).await.unwrap().body.len(), 1001);
    assert!(
        matches!(fetch("/moved", 1000).await, Err(SourceError::Status(302))),
        "B15"
    );
    assert!(matches!(
        fetch("/nowhere", 1000).await,
        Err(SourceError::Status(404))
    ));
    assert!(
        matches!(fetch("/long", 1000).await, Err(SourceError::TooLarge(1000))),
        "B13"
    );
    assert!(
        matches!(
            fetch("/endless", 100_000).await,
            Err(SourceError::TooLarge(100_000))
        ),
        "B13"
    );

    let stranger = HttpsSource::from_ca_pem(TestCa::new("Servers").pem().as_bytes()).unwrap();
    let refused = stranger.fetch(&format!("{base}/aged"), 1000).await;
    assert!(matches!(refused, Err(SourceError::Connection(_))), "{refused:?}");
    let wrong_name = base.replace("127.0.0.1", "127.0.0.2");
    let refused = source.fetch(&format!("{wrong_name}/aged"), 1000).await;
    assert!(matches!(refused, Err(SourceError::Connection(_))), "{refused:?}");
}

#[tokio::test]
async fn a_whole_issuer_over_https() {
    let world = World::new();
    let ca = TestCa::new("Servers");
    let set = JwkSet::new(vec![world.key.public_jwk().clone()])
        .unwrap()
        .to_json();
    let base = start(&ca, |base| {
        let issuer = format!("{base}/demo");
        let metadata = json!({"issuer": issuer, "jwks_uri": format!("{issuer}/jwks")}).to_string();
        let revocation =
            json!({"iss": issuer, "iat": 1, "revoked_keys": [], "revoked_tokens": []}).to_string();
        Router::new()
            .route(
                "/demo/.well-known/openid-configuration",
                get(move || async { metadata }),
            )
            .route("/demo/jwks", get(move || async { set }))
            .route("/demo/jwks/revocation", get(move || async { revocation }))
    })
    .await;
    let issuer = format!("{base}/demo");
    let source = HttpsSource::from_ca_pem(ca.pem().as_bytes()).unwrap();
    let clock = world.clock.clone();
    let config = ResourceConfig::new(Issuer::parse(&issuer).unwrap(), [AUDIENCE])
        .with_realm("builds")
        .with_clock(move || clock.now())
        .with_freshness(Freshness::default());
    let layer = ResourceLayer::new(config, source).unwrap();
    assert!(layer.is_ready().await);
    let mut claims = world.claims();
    claims["iss"] = json!(issuer);
    let token = world.key.access_token(&claims);
    crate::support::accepted(&layer, world.request(&token)).await;
    invalid_token(&layer, request(&token)).await;
}
