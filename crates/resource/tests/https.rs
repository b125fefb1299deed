//! `HttpsSource` and the layer on real connections over the loopback address.

use std::{sync::Arc, time::Duration};

use crate::support::{AUDIENCE, World};
use axum::{
    Extension, Router,
    body::Body,
    http::{Request, StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use sealstone_jose::JwkSet;
use sealstone_resource::{
    Confirmed, HttpsSource, Issuer, JwksSource, ResourceConfig, ResourceLayer, SourceError,
};
use sealstone_testkit::{CertificateSpec, TestCa, TestCertificate};
use sealstone_tls::{ClientCertificates, ServeLimits, ServerTlsConfig, serve};
use serde_json::json;
use tokio::net::TcpListener;

/// Starts a server with a certificate of `ca` that asks for client certificates; returns where.
async fn start(ca: &TestCa, router: impl FnOnce(&str) -> Router) -> String {
    let server = ca.server();
    let tls = ServerTlsConfig::from_pem(server.chain_pem().as_bytes(), server.key_pem().as_bytes())
        .unwrap()
        .with_client_certificates(ClientCertificates::Request)
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

/// An issuer at `{base}/demo` with the key of `world`.
async fn start_issuer(ca: &TestCa, world: &World) -> String {
    let set = JwkSet::new(vec![world.key.public_jwk().clone()])
        .unwrap()
        .to_json();
    let base = start(ca, |base| {
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
    format!("{base}/demo")
}

/// What the service at `url` answers to `token`, sent with this certificate.
async fn call(
    ca: &TestCa,
    url: &str,
    token: &str,
    certificate: Option<&TestCertificate>,
) -> (StatusCode, String) {
    let mut roots = RootCertStore::empty();
    roots.add(ca.certificate_der()).unwrap();
    let tls = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let tls = match certificate {
        Some(own) => tls
            .with_client_auth_cert(own.chain(), own.private_key_der())
            .unwrap(),
        None => tls.with_no_client_auth(),
    };
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_only()
        .enable_http1()
        .build();
    let request = Request::get(url).header("authorization", format!("Bearer {token}"));
    let request = request.body(Empty::<Bytes>::new()).unwrap();
    let response = Client::builder(TokioExecutor::new())
        .build(connector)
        .request(request)
        .await
        .unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn a_bound_token_over_mutual_tls_and_the_same_token_stolen() {
    let world = World::new();
    let ca = TestCa::new("Servers");
    let issuer = start_issuer(&ca, &world).await;
    let clock = world.clock.clone();
    let config =
        ResourceConfig::new(Issuer::parse(&issuer).unwrap(), [AUDIENCE]).with_clock(move || clock.now());
    let layer = ResourceLayer::new(config, HttpsSource::from_ca_pem(ca.pem().as_bytes()).unwrap()).unwrap();
    assert!(layer.is_ready().await);
    let whoami = |Extension(confirmed): Extension<Confirmed>| async move {
        confirmed
            .certificate()
            .map_or_else(String::new, ToString::to_string)
    };
    let base = start(&ca, |_| Router::new().route("/", get(whoami)).layer(layer)).await;
    let url = format!("{base}/");

    let mut claims = world.claims();
    claims["iss"] = json!(issuer);
    let token = world.key.access_token(&claims);
    let answered = call(&ca, &url, &token, Some(&world.client)).await;
    assert_eq!(answered, (StatusCode::OK, world.client.thumbprint()));
    // D32, D33, D34 and a self-signed certificate of the same name.
    let renewed = world
        .ca
        .issue(CertificateSpec::client("machine").key(world.client.key()));
    let self_signed = CertificateSpec::client("machine").self_signed();
    for thief in [
        None,
        Some(&world.ca.client("other")),
        Some(&renewed),
        Some(&self_signed),
    ] {
        let (status, body) = call(&ca, &url, &token, thief).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{body}");
        assert!(body.contains("invalid_token"));
    }
}
