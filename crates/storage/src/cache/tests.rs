use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Duration,
};

use rustls_pki_types::UnixTime;
use sealstone_registry::{ClientRegistration, ClientSecretText, Pepper, SecretSet};

use super::*;
use crate::MemoryStore;

fn now() -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(1_000))
}

fn id(id: &str) -> ClientId {
    ClientId::parse(id).unwrap()
}

fn client(id: &str) -> Client {
    let hash = ClientSecretText::from_random([1; 32]).hash(&Pepper::from_bytes([7; 32]));
    ClientRegistration::default()
        .into_client(
            DomainId::parse("demo").unwrap(),
            ClientId::parse(id).unwrap(),
            Some(SecretSet::new(hash, None)),
            now(),
        )
        .unwrap()
}

/// Counts the reads, and fails them when told to.
#[derive(Default)]
struct Observed {
    reads: AtomicUsize,
    broken: AtomicBool,
}

struct ObservedStore {
    store: MemoryStore,
    observed: Arc<Observed>,
}

#[async_trait]
impl ClientStore for ObservedStore {
    async fn client(&self, id: &ClientId) -> Result<Option<Arc<Client>>, StoreError> {
        self.observed.reads.fetch_add(1, Ordering::SeqCst);
        if self.observed.broken.load(Ordering::SeqCst) {
            return Err(StoreError::unavailable("broken on purpose"));
        }
        self.store.client(id).await
    }

    async fn insert(&self, client: Client) -> Result<Insertion, StoreError> {
        self.store.insert(client).await
    }

    async fn replace(&self, expected_version: u64, client: Client) -> Result<Replacement, StoreError> {
        self.store.replace(expected_version, client).await
    }

    async fn delete(&self, id: &ClientId) -> Result<Removal, StoreError> {
        self.store.delete(id).await
    }

    async fn list(
        &self,
        domain: &DomainId,
        after: Option<&ClientId>,
        limit: usize,
    ) -> Result<Vec<Arc<Client>>, StoreError> {
        self.store.list(domain, after, limit).await
    }
}

async fn cached(capacity: usize) -> (CachedClients, MemoryStore, Arc<Observed>) {
    let store = MemoryStore::new();
    let demo = Domain::new(DomainId::parse("demo").unwrap(), "Demo", true).unwrap();
    assert_eq!(store.insert_domain(demo).await.unwrap(), Insertion::Inserted);
    assert_eq!(store.insert(client("one")).await.unwrap(), Insertion::Inserted);
    let observed = Arc::new(Observed::default());
    let behind = ObservedStore {
        store: store.clone(),
        observed: Arc::clone(&observed),
    };
    (
        CachedClients::new(Arc::new(behind), store.client_changes(), capacity),
        store,
        observed,
    )
}

#[tokio::test]
async fn a_warm_read_asks_the_store_nothing() {
    let (cached, _store, observed) = cached(10).await;
    let cold = cached.client(&id("one")).await.unwrap().unwrap();
    observed.broken.store(true, Ordering::SeqCst);
    for _ in 0..100 {
        // The same, or after a while the thread's own copy of it.
        assert_eq!(cached.client(&id("one")).await.unwrap().unwrap(), cold);
    }
    assert_eq!(observed.reads.load(Ordering::SeqCst), 1);
}

/// What is given without asking is what asking would give, or nothing.
#[tokio::test]
async fn only_what_is_current_is_remembered() {
    let (cached, store, observed) = cached(10).await;
    assert!(cached.remembered(&id("one")).is_none());
    let first = cached.client(&id("one")).await.unwrap().unwrap();
    assert!(Arc::ptr_eq(&cached.remembered(&id("one")).unwrap(), &first));
    assert_eq!(
        store.replace(1, first.with_enabled(false, now())).await.unwrap(),
        Replacement::Replaced
    );
    assert!(cached.remembered(&id("one")).is_none());
    assert!(!cached.client(&id("one")).await.unwrap().unwrap().is_enabled());
    assert!(!cached.remembered(&id("one")).unwrap().is_enabled());
    assert!(cached.remembered(&id("nobody")).is_none());
    drop(store);
    assert_eq!(observed.reads.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn after_an_acknowledged_change_no_older_record_is_given() {
    let (cached, store, _) = cached(10).await;
    let first = cached.client(&id("one")).await.unwrap().unwrap();
    assert!(first.is_enabled());
    // Through the cache, and past it.
    let second = first.with_enabled(false, now());
    assert_eq!(
        cached.replace(1, second.clone()).await.unwrap(),
        Replacement::Replaced
    );
    assert_eq!(*cached.client(&id("one")).await.unwrap().unwrap(), second);
    assert_eq!(
        store.replace(2, second.with_enabled(true, now())).await.unwrap(),
        Replacement::Replaced
    );
    assert!(cached.client(&id("one")).await.unwrap().unwrap().is_enabled());
    assert_eq!(cached.delete(&id("one")).await.unwrap(), Removal::Removed);
    assert_eq!(cached.client(&id("one")).await.unwrap(), None);
    assert_eq!(cached.insert(client("one")).await.unwrap(), Insertion::Inserted);
    assert_eq!(cached.client(&id("one")).await.unwrap().unwrap().version(), 1);
}

#[tokio::test]
async fn an_old_record_is_not_given_when_the_store_fails() {
    let (cached, store, observed) = cached(10).await;
    let first = cached.client(&id("one")).await.unwrap().unwrap();
    assert_eq!(
        store.replace(1, first.with_enabled(false, now())).await.unwrap(),
        Replacement::Replaced
    );
    observed.broken.store(true, Ordering::SeqCst);
    assert!(matches!(
        cached.client(&id("one")).await,
        Err(StoreError::Unavailable { .. })
    ));
}

#[tokio::test]
async fn absent_clients_cost_no_memory_and_present_ones_a_bounded_amount() {
    let (cached, store, _) = cached(16).await;
    for number in 0..1_000 {
        assert_eq!(
            cached.client(&id(&format!("nobody-{number}"))).await.unwrap(),
            None
        );
    }
    assert!(cached.is_empty());
    for number in 0..200 {
        let new = client(&format!("client-{number}"));
        assert_eq!(store.insert(new.clone()).await.unwrap(), Insertion::Inserted);
        assert_eq!(*cached.client(new.id()).await.unwrap().unwrap(), new);
    }
    assert!((1..=16).contains(&cached.len()), "{}", cached.len());
}

#[tokio::test]
async fn without_its_feed_a_cache_is_passed_by() {
    let store = MemoryStore::new();
    let demo = Domain::new(DomainId::parse("demo").unwrap(), "Demo", true).unwrap();
    assert_eq!(store.insert_domain(demo).await.unwrap(), Insertion::Inserted);
    assert_eq!(store.insert(client("one")).await.unwrap(), Insertion::Inserted);
    let (sender, changes) = watch::channel(0);
    let observed = Arc::new(Observed::default());
    let behind = ObservedStore {
        store,
        observed: Arc::clone(&observed),
    };
    let cached = CachedClients::new(Arc::new(behind), changes, 10);
    for reads in [1, 1] {
        assert!(cached.client(&id("one")).await.unwrap().is_some());
        assert_eq!(observed.reads.load(Ordering::SeqCst), reads);
    }
    drop(sender);
    for reads in [2, 3] {
        assert!(cached.client(&id("one")).await.unwrap().is_some());
        assert_eq!(observed.reads.load(Ordering::SeqCst), reads);
    }
}

#[tokio::test]
async fn domains_are_remembered_and_forgotten_alike() {
    let store = MemoryStore::new();
    let cached = CachedDomains::new(Arc::new(store.clone()), store.client_changes(), 10);
    let demo = Domain::new(DomainId::parse("demo").unwrap(), "Demo", true).unwrap();
    assert_eq!(
        cached.insert_domain(demo.clone()).await.unwrap(),
        Insertion::Inserted
    );
    let first = cached.domain(demo.id()).await.unwrap().unwrap();
    assert!(Arc::ptr_eq(
        &first,
        &cached.domain(demo.id()).await.unwrap().unwrap()
    ));
    assert_eq!(
        store
            .replace_domain(demo.clone().with_enabled(false))
            .await
            .unwrap(),
        Replacement::Replaced
    );
    assert!(!cached.domain(demo.id()).await.unwrap().unwrap().is_enabled());
    assert_eq!(cached.list_domains(None, 10).await.unwrap().len(), 1);
}
