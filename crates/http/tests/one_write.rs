//! Requests that are there at the same time have one write of the audit trail, and none is answered before it.

use std::sync::Arc;
use std::sync::Mutex;

use sealstone_audit::{AuditError, AuditSink, Batch, BatchEnd, Event, Receipt};
use sealstone_registry::ClientStore;
use sealstone_storage::CachedClients;
use tokio::sync::watch;

use crate::support::{Ask, Beside, GRANT, TOKEN, World};

/// Keeps in batches, and notes how many events each write had.
#[derive(Debug, Default)]
struct Batches(Mutex<Noted>);

#[derive(Debug, Default)]
struct Noted {
    open: Arc<Batch>,
    waiting: usize,
    writes: Vec<usize>,
    fails: bool,
}

impl AuditSink for Batches {
    fn record(&self, _event: &Event<'_>) -> Result<(), AuditError> {
        Ok(())
    }

    fn begin(&self, _event: &Event<'_>) -> Result<Receipt, AuditError> {
        let mut noted = self.0.lock().unwrap();
        noted.waiting += 1;
        Ok(Receipt::of(Arc::clone(&noted.open)))
    }

    fn settle(&self, receipt: Receipt) -> Result<(), AuditError> {
        let batch = receipt.batch().unwrap();
        let mut noted = self.0.lock().unwrap();
        if batch.outcome() == BatchEnd::Open {
            let waited = std::mem::take(&mut noted.waiting);
            noted.writes.push(waited);
            std::mem::take(&mut noted.open).end(!noted.fails);
        }
        match batch.outcome() {
            BatchEnd::Kept => Ok(()),
            BatchEnd::Open | BatchEnd::Lost => Err(AuditError::new("disk full")),
        }
    }
}

/// A world that remembers its clients as long as the third is there.
async fn world() -> (World, Arc<Batches>, watch::Sender<u64>) {
    let batches = Arc::new(Batches::default());
    let beside = Beside {
        audit: Some(batches.clone()),
        ..Beside::default()
    };
    let (changes, seen) = watch::channel(0);
    let remembering = |clients| -> Arc<dyn ClientStore> { Arc::new(CachedClients::new(clients, seen, 10)) };
    let world = World::build_beside(|config| config, remembering, beside).await;
    world.token_of("ci").await;
    batches.0.lock().unwrap().writes.clear();
    (world, batches, changes)
}

fn ask() -> Ask {
    Ask::post(TOKEN).basic("ci").form(GRANT)
}

#[tokio::test]
async fn tokens_that_are_asked_for_at_the_same_time_are_recorded_with_one_write() {
    let (world, batches, _changes) = world().await;
    let (a, b, c) = tokio::join!(world.send(ask()), world.send(ask()), world.send(ask()));
    for answer in [a, b, c] {
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    assert_eq!(batches.0.lock().unwrap().writes, [3]);
}

#[tokio::test]
async fn when_that_write_fails_nobody_gets_a_token() {
    let (world, batches, _changes) = world().await;
    batches.0.lock().unwrap().fails = true;
    let (a, b) = tokio::join!(world.send(ask()), world.send(ask()));
    for answer in [a, b] {
        assert_eq!(answer.status, 503, "{answer:?}");
        assert!(
            !answer.text.contains("access_token") && !answer.text.contains("disk"),
            "{answer:?}"
        );
    }
    batches.0.lock().unwrap().fails = false;
    assert_eq!(world.send(ask()).await.status, 200);
}
