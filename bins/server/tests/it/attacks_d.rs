//! Group D: client certificates and mutual TLS at the token endpoint.

use crate::harness::{Refusal, World};

#[tokio::test]
async fn d02_certificate_of_another_client() {
    let world = World::start().await;
    let (ci, other) = (world.setup.ca.client("ci"), world.setup.ca.client("other"));
    world
        .register_tls("ci", "tls_client_auth_subject_dn", "CN=ci")
        .await;
    world
        .register_tls("other", "tls_client_auth_subject_dn", "CN=other")
        .await;
    world.accepts("ci", &ci).await;
    world.accepts("other", &other).await;
    world
        .refuses(&world.holder(&other), "ci", Refusal::client("other_certificate"))
        .await;
    world.end().await;
}
