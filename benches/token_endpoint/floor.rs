//! The floor: TLS, HTTP and routing as in the server, the body read, one ES256 signature, an answer of the same size.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use axum::Router;
use axum::body::Bytes;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::routing::post;
use sealstone_tls::{ClientCertificates, ServeLimits, ServerTlsConfig, serve};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpListener;

/// Makes this program the floor.
pub(crate) const FLAG: &str = "--floor-of";

/// What is signed for a token of the demo: header and claims, in base64url.
const SIGNING_INPUT: [u8; 850] = [b'a'; 850];

pub(crate) fn run(data: &Path) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
        let pkcs8 = pkcs8.expect("a key");
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref()).expect("a key");
        let key = Arc::new(key);
        let router = Router::new().route(
            "/token",
            post(move |body: Bytes| {
                let key = Arc::clone(&key);
                async move {
                    assert!(!body.is_empty());
                    let signature = key
                        .sign(&SystemRandom::new(), &SIGNING_INPUT)
                        .expect("a signature");
                    let mut answer = vec![b'a'; 850];
                    answer.extend_from_slice(signature.as_ref());
                    (
                        [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")],
                        answer,
                    )
                }
            }),
        );
        let listen = |client_certificates| {
            let (chain, key) = (data.join("certs/server.pem"), data.join("certs/server.key"));
            let tls = ServerTlsConfig::from_files(&chain, &key).expect("certificates");
            let tls = tls
                .with_client_certificates(client_certificates)
                .into_handle()
                .expect("TLS");
            let router = router.clone();
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
                    router,
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
