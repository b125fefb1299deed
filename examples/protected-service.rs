//! An HTTP service that answers only to holders of bound access tokens, and says whom it saw.
//!
//! With `sealstoned dev` running:
//! `cargo run --example protected-service -- ISSUER openstack-apis:demo 127.0.0.1:9443 CA.pem SERVER.pem SERVER.key`
//! and then `curl --cacert CA.pem --cert CLIENT.pem --key CLIENT.key -H "Authorization: Bearer $TOKEN"
//! https://127.0.0.1:9443/`.
use axum::{Extension, Json, Router, routing::get};
use sealstone_identity::Scope;
use sealstone_resource::{Confirmed, HttpsSource, Issuer, ResourceConfig, ResourceLayer};
use sealstone_tls::{ClientCertificates, ServeLimits, ServerTlsConfig, serve};
use serde_json::{Value, json};
use std::{env, error::Error, fs, path::Path};

/// Only requests with a good token come here; `Confirmed` is what it says.
async fn whoami(Extension(confirmed): Extension<Confirmed>) -> Json<Value> {
    let token = confirmed.token();
    let project = token
        .authority
        .as_ref()
        .and_then(|authority| match authority.scope() {
            Scope::Project(project) => Some(project.id().as_str()),
            Scope::Domain { .. } | Scope::System | Scope::Unscoped => None,
        });
    Json(json!({"client_id": token.client_id, "project": project, "scope": token.scope}))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [issuer, audience, listen, ca, certificate, key] = arguments.as_slice() else {
        return Err("usage: protected-service ISSUER AUDIENCE LISTEN CA_PEM CERTIFICATE_PEM KEY_PEM".into());
    };

    let config = ResourceConfig::new(Issuer::parse(issuer)?, [audience]).with_realm("example");
    let layer = ResourceLayer::new(config, HttpsSource::from_ca_pem(&fs::read(ca)?)?)?;
    let router = Router::new().route("/", get(whoami)).layer(layer);

    // Ask for client certificates: the layer compares them with the token's `cnf`.
    let tls = ServerTlsConfig::from_files(Path::new(certificate), Path::new(key))?
        .with_client_certificates(ClientCertificates::Request)
        .into_handle()?;
    let listener = tokio::net::TcpListener::bind(listen.as_str()).await?;
    eprintln!("serving https://{}/", listener.local_addr()?);
    serve(
        listener,
        tls,
        router,
        ServeLimits::default(),
        std::future::pending(),
    )
    .await;
    Ok(())
}
