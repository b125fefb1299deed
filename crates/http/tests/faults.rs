//! Faults of ours: never the caller's code, never a detail, and the next request is served.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sealstone_identity::DomainId;
use sealstone_oauth_types::ClientId;
use sealstone_registry::{Client, ClientStore, Insertion, Removal, Replacement, StoreError};

use crate::support::{Ask, GRANT, INTROSPECT, Log, REVOKE, TOKEN, World};

/// How the store fails when it is asked for the client `other`.
#[derive(Clone, Copy)]
enum Fault {
    Unavailable,
    Panics,
    Hangs,
}

struct Faulty {
    inner: Arc<dyn ClientStore>,
    fault: Fault,
}

#[async_trait]
impl ClientStore for Faulty {
    async fn client(&self, id: &ClientId) -> Result<Option<Arc<Client>>, StoreError> {
        if id.as_str() != "other" {
            return self.inner.client(id).await;
        }
        match self.fault {
            Fault::Unavailable => Err(StoreError::Unavailable {
                source: "disk 7 at 10.0.0.3 is gone".into(),
            }),
            Fault::Panics => panic!("the inner life of the server"),
            Fault::Hangs => std::future::pending().await,
        }
    }

    async fn insert(&self, client: Client) -> Result<Insertion, StoreError> {
        self.inner.insert(client).await
    }

    async fn replace(&self, expected: u64, client: Client) -> Result<Replacement, StoreError> {
        self.inner.replace(expected, client).await
    }

    async fn delete(&self, id: &ClientId) -> Result<Removal, StoreError> {
        self.inner.delete(id).await
    }

    async fn list(
        &self,
        domain: &DomainId,
        after: Option<&ClientId>,
        limit: usize,
    ) -> Result<Vec<Arc<Client>>, StoreError> {
        self.inner.list(domain, after, limit).await
    }
}

async fn world(fault: Fault) -> World {
    World::build(
        |config| config.with_request_deadline(Duration::from_secs(3)),
        |inner| Arc::new(Faulty { inner, fault }),
    )
    .await
}

async fn fails(fault: Fault, status: u16, code: &str, logged: &str) {
    let world = world(fault).await;
    for (endpoint, form) in [(TOKEN, GRANT), (INTROSPECT, "token=x"), (REVOKE, "token=x")] {
        let log = Log::capture();
        let answer = world.send(Ask::post(endpoint).basic("other").form(form)).await;
        answer.is_refused(status, code);
        for inner in ["disk", "10.0.0.3", "inner life", "panic"] {
            assert!(!answer.text.contains(inner), "{answer:?}");
        }
        let log = log.text();
        assert!(log.contains("ERROR") && log.contains(logged), "{log}");
        assert!(log.contains(answer.header("x-request-id").unwrap()));
        world.token(GRANT).await.is_token();
    }
    assert_eq!(world.issued(), 3);
}

#[tokio::test]
async fn storage_away_is_503() {
    fails(
        Fault::Unavailable,
        503,
        "temporarily_unavailable",
        "disk 7 at 10.0.0.3 is gone",
    )
    .await;
}

#[tokio::test]
async fn panic_is_500() {
    fails(Fault::Panics, 500, "server_error", "a request ended in a panic").await;
}

#[tokio::test(start_paused = true)]
async fn hanging_storage_is_503_at_the_deadline() {
    fails(
        Fault::Hangs,
        503,
        "temporarily_unavailable",
        "a request took longer than its deadline",
    )
    .await;
}

/// Our faults are not the client's failures: they do not count against it.
#[tokio::test]
async fn faults_do_not_throttle_a_client() {
    let world = world(Fault::Unavailable).await;
    for _ in 0..50 {
        let answer = world.send(Ask::post(TOKEN).basic("other").form(GRANT)).await;
        answer.is_refused(503, "temporarily_unavailable");
    }
}
