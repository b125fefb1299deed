//! An issuer, a client with its certificate, a clock, and a service behind the layer.

mod issuer;
mod source;

pub(crate) use issuer::{AUDIENCE, ISSUER, IssuerKey, claims, thumbprint};
pub(crate) use source::{Answer, FakeSource};

use std::{convert::Infallible, net::SocketAddr};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use sealstone_resource::{ClientCertificate, Confirmed, Issuer, ResourceConfig, ResourceLayer};
use sealstone_testkit::{ManualClock, TestCa, TestCertificate};
use serde_json::Value;
use tower::{Layer, ServiceExt, service_fn};

/// Everything a test changes one thing of.
pub(crate) struct World {
    pub(crate) clock: ManualClock,
    pub(crate) key: IssuerKey,
    pub(crate) source: FakeSource,
    pub(crate) ca: TestCa,
    pub(crate) client: TestCertificate,
}

impl World {
    /// An issuer with one key that has revoked nothing.
    pub(crate) fn new() -> Self {
        let clock = ManualClock::default();
        let key = IssuerKey::new("k1");
        let source = FakeSource::default();
        source.publish(&[&key]);
        source.revoke(clock.seconds(), &[], &[]);
        let ca = TestCa::new("Clients");
        let client = ca.client("machine");
        Self {
            clock,
            key,
            source,
            ca,
            client,
        }
    }

    /// The configuration that most tests start from.
    pub(crate) fn config(&self) -> ResourceConfig {
        let clock = self.clock.clone();
        ResourceConfig::new(Issuer::parse(ISSUER).unwrap(), [AUDIENCE])
            .with_realm("builds")
            .with_clock(move || clock.now())
    }

    /// A layer of that configuration.
    pub(crate) fn layer(&self) -> ResourceLayer {
        self.layer_of(self.config())
    }

    pub(crate) fn layer_of(&self, config: ResourceConfig) -> ResourceLayer {
        ResourceLayer::new(config, self.source.clone()).unwrap()
    }

    /// Claims of a token that is bound to the client's certificate and good for 15 minutes.
    pub(crate) fn claims(&self) -> Value {
        claims(self.clock.seconds(), Some(&self.client.thumbprint()))
    }

    /// A token with those claims.
    pub(crate) fn token(&self) -> String {
        self.key.access_token(&self.claims())
    }

    /// A request with the token, over a connection that proved the client's certificate.
    pub(crate) fn request(&self, token: &str) -> Request<Full<Bytes>> {
        with_certificate(request(token), &self.client)
    }
}

/// A request with a token and without a certificate.
pub(crate) fn request(token: &str) -> Request<Full<Bytes>> {
    Request::get("https://builds.example/v1/builds")
        .header("authorization", format!("Bearer {token}"))
        .body(Full::default())
        .unwrap()
}

/// The request over a connection that proved `certificate`.
pub(crate) fn with_certificate(
    mut request: Request<Full<Bytes>>,
    certificate: &TestCertificate,
) -> Request<Full<Bytes>> {
    let certificate = ClientCertificate::from_der(certificate.der()).unwrap();
    request.extensions_mut().insert(certificate);
    request
}

/// The request over a connection from `address`.
pub(crate) fn from_peer(mut request: Request<Full<Bytes>>, address: &str) -> Request<Full<Bytes>> {
    let address = SocketAddr::new(address.parse().unwrap(), 40_000);
    request.extensions_mut().insert(address);
    request
}

/// The request with one more header field.
pub(crate) fn with_header(
    mut request: Request<Full<Bytes>>,
    name: &'static str,
    value: &str,
) -> Request<Full<Bytes>> {
    request.headers_mut().append(name, value.parse().unwrap());
    request
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answered {
    pub(crate) fn authenticate(&self) -> &str {
        self.headers
            .get("www-authenticate")
            .map_or("", |value| value.to_str().unwrap())
    }
}

/// Sends a request to a service behind the layer that answers `hello CLIENT_ID`.
pub(crate) async fn send(layer: &ResourceLayer, request: Request<Full<Bytes>>) -> Answered {
    let service = layer.layer(service_fn(|request: Request<Full<Bytes>>| async move {
        let confirmed = request.extensions().get::<Confirmed>().unwrap();
        let hello = format!("hello {}", confirmed.token().client_id);
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(hello)))
    }));
    let response = service.oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let body = String::from_utf8(body.to_vec()).unwrap();
    Answered {
        status: head.status,
        headers: head.headers,
        body,
    }
}

/// The request gets through.
pub(crate) async fn accepted(layer: &ResourceLayer, request: Request<Full<Bytes>>) {
    let answered = send(layer, request).await;
    assert_eq!(answered.status, StatusCode::OK, "{answered:?}");
    assert_eq!(answered.body, "hello machine");
}

/// The request is answered with this status and `error`, without the service.
pub(crate) async fn refused(
    layer: &ResourceLayer,
    request: Request<Full<Bytes>>,
    status: u16,
    error: &str,
) -> Answered {
    let token = request.headers().get("authorization").cloned();
    let answered = send(layer, request).await;
    assert_eq!(answered.status.as_u16(), status, "{answered:?}");
    assert_eq!(answered.headers["cache-control"], "no-store");
    if status == 503 {
        assert_eq!(answered.headers["retry-after"], "5");
        assert_eq!(answered.authenticate(), "");
    } else {
        let start = format!("Bearer realm=\"builds\", error=\"{error}\", error_description=\"");
        assert!(answered.authenticate().starts_with(&start), "{answered:?}");
    }
    let body: Value = serde_json::from_str(&answered.body).unwrap();
    assert_eq!(body["error"], error);
    let echoed = token
        .as_ref()
        .and_then(|value| value.to_str().ok()?.split(' ').nth(1));
    if let Some(token) = echoed.filter(|token| token.len() > 16) {
        assert!(!format!("{answered:?}").contains(token), "an echo of the token");
    }
    answered
}

/// 401 `invalid_token`.
pub(crate) async fn invalid_token(layer: &ResourceLayer, request: Request<Full<Bytes>>) -> Answered {
    refused(layer, request, 401, "invalid_token").await
}
