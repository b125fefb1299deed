//! The floor: TLS and HTTP as in the server, the form read, one ES256 signature over as many octets, and the same
//! answer: its header fields and as many octets of body. Nothing else.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use axum::body::{Body, to_bytes};
use axum::http::header::{CONTENT_LENGTH, DATE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use hyper::body::Incoming;
use sealstone_tls::{ClientCertificates, ServeLimits, ServerTlsConfig, serve};
use std::convert::Infallible;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpListener;
use tower::service_fn;

/// Makes this program the floor.
pub(crate) const FLAG: &str = "--floor-of";

/// As the server's limit.
const LONGEST_FORM: usize = 64 * 1024;

/// Octets of an ES256 signature.
const SIGNATURE: usize = 64;

/// An answer of the server, as far as the floor gives the same.
struct Answer {
    /// But those that hyper writes.
    headers: HeaderMap,
    body: usize,
    /// What is signed for its token: header and claims, in base64url.
    signed: usize,
}

impl Answer {
    fn read(path: &Path) -> Self {
        let answer = fs::read_to_string(path).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        let token = body.split('"').nth(3).expect("a token");
        let fields = head.lines().skip(1).filter_map(|line| line.split_once(": "));
        let fields = fields.map(|(name, value)| {
            let name = HeaderName::try_from(name).expect("a name");
            // As the server's own: a fixed text, which costs nothing to clone.
            let value = HeaderValue::from_static(value.to_owned().leak());
            (name, value)
        });
        Self {
            headers: fields
                .filter(|(name, _)| *name != CONTENT_LENGTH && *name != DATE)
                .collect(),
            body: body.len(),
            signed: token.rfind('.').expect("a signature"),
        }
    }
}

/// Serves `path` with as much as the answer in the file.
pub(crate) fn run(data: &Path, answer: &Path, path: &str) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
        let pkcs8 = pkcs8.expect("a key");
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref()).expect("a key");
        let Answer {
            headers,
            body: length,
            signed,
        } = Answer::read(answer);
        let made = Arc::new((key, headers, vec![b'a'; signed]));
        let path: Arc<str> = Arc::from(path);
        let service = service_fn(move |request: Request<Incoming>| {
            assert_eq!(request.uri().path(), &*path);
            let made = Arc::clone(&made);
            async move {
                let form = to_bytes(Body::new(request.into_body()), LONGEST_FORM).await;
                assert!(!form.expect("a form").is_empty());
                let (key, headers, signing_input) = &*made;
                let signature = key
                    .sign(&SystemRandom::new(), signing_input)
                    .expect("a signature");
                let mut body = Vec::with_capacity(length);
                body.resize(length - SIGNATURE, b'a');
                body.extend_from_slice(signature.as_ref());
                let mut response = Response::new(Body::from(body));
                *response.headers_mut() = headers.clone();
                Ok::<_, Infallible>(response)
            }
        });
        let listen = |client_certificates| {
            let (chain, key) = (data.join("certs/server.pem"), data.join("certs/server.key"));
            let tls = ServerTlsConfig::from_files(&chain, &key).expect("certificates");
            let tls = tls
                .with_client_certificates(client_certificates)
                .into_handle()
                .expect("TLS");
            let service = service.clone();
            async move {
                let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
                writeln!(
                    std::io::stdout(),
                    "{}",
                    listener.local_addr().expect("an address")
                )
                .expect("output");
                let serving = serve(
                    listener,
                    tls,
                    service,
                    ServeLimits::default(),
                    std::future::pending(),
                );
                (tokio::spawn(serving),)
            }
        };
        let (public,) = listen(ClientCertificates::None).await;
        let (mtls,) = listen(ClientCertificates::Request).await;
        let _ended = tokio::join!(public, mtls);
    });
}
