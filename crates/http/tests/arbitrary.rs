//! Whatever comes: an answer, no fault of ours, nothing issued.

use axum::body::Body;
use http::{HeaderName, HeaderValue, Method, Request, Uri};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use sealstone_http::RateLimit;
use sealstone_identity::Refusal;
use sealstone_testkit::{FakeIdentity, IdentityFault};
use tower::ServiceExt;

use crate::support::World;

fn paths() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "/v4/oauth2/demo/token",
        "/v4/oauth2/demo/introspect",
        "/v4/oauth2/demo/revoke",
        "/v4/oauth2/demo/jwks",
        "/v4/oauth2/demo/jwks/revocation",
        "/v4/oauth2/demo/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server/v4/oauth2/demo",
        "/v3/OS-OAUTH2/token",
    ]);
    (
        known,
        prop_oneof![4 => Just(String::new()), 1 => "[/?%.a-z0-9]{0,12}"],
    )
        .prop_map(|(path, rest)| path.to_owned() + &rest)
}

fn headers() -> impl Strategy<Value = Vec<(String, Vec<u8>)>> {
    let name = prop::sample::select(vec![
        "authorization",
        "content-type",
        "content-length",
        "client-cert",
        "x-forwarded-for",
        "x-request-id",
        "if-none-match",
        "host",
    ]);
    let value = prop_oneof![
        prop::collection::vec(0x20_u8..=0xff, 0..40),
        "(Basic|basic|Bearer) [A-Za-z0-9+/]{0,24}={0,2}".prop_map(String::into_bytes),
        Just(b"application/x-www-form-urlencoded".to_vec()),
    ];
    prop::collection::vec((name.prop_map(str::to_owned), value), 0..5)
}

fn bodies() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        "(grant_type=client_credentials|token=[a-z.]{0,9}|client_id=(ci|machine)|client_secret=[a-z]{0,5}|scope=[a-z+%]{0,9}|&){0,6}"
            .prop_map(String::into_bytes),
    ]
}

#[test]
fn no_request_makes_a_fault() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let keystone = FakeIdentity::default();
    keystone.set_fault(Some(IdentityFault::Refused(Refusal::Credential)));
    let world = runtime.block_on(World::beside_with(keystone, |config| {
        config.with_rate_limit(RateLimit::insecure_off())
    }));
    let method = prop::sample::select(vec![Method::GET, Method::POST, Method::HEAD, Method::TRACE]);
    let requests = (method, paths(), headers(), bodies());
    let mut runner = TestRunner::new(Config {
        cases: 2_000,
        failure_persistence: None,
        ..Config::default()
    });
    let outcome = runner.run(&requests, |(method, path, headers, body)| {
        let Ok(uri) = path.parse::<Uri>() else {
            return Ok(());
        };
        let mut request = Request::new(Body::from(body));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        let host = HeaderValue::from_static("id.example");
        request.headers_mut().insert("host", host);
        for (name, value) in headers {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                request
                    .headers_mut()
                    .append(HeaderName::try_from(name).unwrap(), value);
            }
        }
        let answer = runtime.block_on(world.router.clone().oneshot(request)).unwrap();
        prop_assert!(!answer.status().is_server_error(), "{answer:?}");
        prop_assert_eq!(&answer.headers()["x-content-type-options"], "nosniff");
        prop_assert!(answer.headers().contains_key("x-request-id"));
        prop_assert!(answer.headers().contains_key("cache-control"));
        Ok(())
    });
    outcome.unwrap();
    assert_eq!(world.issued() + world.granted(), 0);
}
