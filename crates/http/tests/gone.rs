//! Whoever asks and goes away: what is on its way is carried through, and recorded.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sealstone_audit::{Action, Outcome, Target};
use sealstone_http::HttpConfig;
use sealstone_identity::DomainId;
use sealstone_oauth_types::ClientId;
use sealstone_registry::{Client, ClientStore, Insertion, Removal, Replacement, StoreError};
use tokio::sync::{Notify, Semaphore};
use tokio::time::timeout;

use crate::administrators::{administration, cloud, refused};
use crate::support::{Ask, Beside, World, send};

/// A store that has written, and answers when it is told to.
struct Slow {
    inner: Arc<dyn ClientStore>,
    written: Arc<Notify>,
    answers: Arc<Semaphore>,
}

impl Slow {
    async fn answer(&self) {
        self.written.notify_one();
        drop(self.answers.acquire().await.unwrap());
    }
}

#[async_trait]
impl ClientStore for Slow {
    async fn client(&self, id: &ClientId) -> Result<Option<Arc<Client>>, StoreError> {
        self.inner.client(id).await
    }

    async fn insert(&self, client: Client) -> Result<Insertion, StoreError> {
        self.inner.insert(client).await
    }

    async fn replace(&self, expected: u64, client: Client) -> Result<Replacement, StoreError> {
        let replaced = self.inner.replace(expected, client).await;
        self.answer().await;
        replaced
    }

    async fn delete(&self, id: &ClientId) -> Result<Removal, StoreError> {
        let removed = self.inner.delete(id).await;
        self.answer().await;
        removed
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

/// A world whose store answers changes of clients when it is told to, after it has told that they are written.
async fn world(change: fn(HttpConfig) -> HttpConfig) -> (World, Arc<Notify>, Arc<Semaphore>) {
    let (written, answers) = (Arc::new(Notify::new()), Arc::new(Semaphore::new(0)));
    let slow = |inner| -> Arc<dyn ClientStore> {
        Arc::new(Slow {
            inner,
            written: Arc::clone(&written),
            answers: Arc::clone(&answers),
        })
    };
    let beside = Beside {
        administration: Some(administration),
        ..Beside::default()
    };
    let world = World::build_beside(change, slow, beside).await;
    (world, written, answers)
}

/// A change may be made although the answer says that the database can't be reached: who repeats it as the documents say
/// does not make it twice.
#[tokio::test]
async fn a_change_that_was_answered_with_503_is_repeated_and_not_made_twice() {
    let short = |config: HttpConfig| config.with_request_deadline(Duration::from_millis(50));
    let (world, written, answers) = world(short).await;
    // The same server for who is not in a hurry.
    let patient = world
        .edge
        .successor(world.provider.clone(), HttpConfig::default());
    let ask = |ask: Ask| send(patient.router(), ask);
    let client = "/v4/oauth2/demo/clients/ci";
    let read = ask(cloud("GET", client)).await;
    let etag = read.header("etag").unwrap().to_owned();
    let rotate = || cloud("POST", &format!("{client}/secret")).header("if-match", &etag);
    let answer = world.send(rotate()).await;
    refused(&answer, 503, "temporarily_unavailable", "the deadline");
    assert!(answer.header("retry-after").is_some());
    written.notified().await;
    answers.add_permits(2);
    let again = ask(rotate()).await;
    refused(&again, 412, "invalid_request", "it was made");
    let now = ask(cloud("GET", client)).await.json();
    assert_eq!(now["version"], read.json()["version"].as_u64().unwrap() + 1);
}

/// S19, CWE-778: a connection that is closed between the change and its event leaves no change without one.
#[tokio::test]
async fn s19_a_change_of_a_client_is_recorded_though_whoever_asked_is_gone() {
    for (method, end, action) in [
        ("POST", "/disable", Action::UpdateClient),
        ("DELETE", "", Action::DeleteClient),
    ] {
        let (world, written, answers) = world(|config| config).await;
        let ask = cloud(method, &format!("/v4/oauth2/demo/clients/ci{end}"));
        let asked = tokio::spawn(send(world.router.clone(), ask));
        written.notified().await;
        asked.abort();
        assert!(asked.await.unwrap_err().is_cancelled());
        answers.add_permits(1);
        let recorded = async {
            loop {
                let events = world.events();
                let found = events.into_iter().find(|event| event.action == action);
                if let Some(event) = found {
                    return event;
                }
                tokio::task::yield_now().await;
            }
        };
        let event = timeout(Duration::from_secs(20), recorded).await.unwrap();
        assert_eq!(event.outcome, Outcome::Success, "{event:?}");
        assert_eq!(event.target, Target::Client("ci".into()));
    }
}
