//! What every store promises, asked of every store: memory and SQLite, bare and behind the cache.

#[cfg(feature = "postgres")]
mod cluster;

use std::{sync::Arc, time::Duration};

use rustls_pki_types::UnixTime;
use sealstone_grants::assertion::{AssertionStore, AssertionUse, MAX_USED_ASSERTIONS, UsedAssertion};
use sealstone_identity::DomainId;
use sealstone_keyring::{KeyStore, Replaced, StoredRing};
use sealstone_oauth_types::{ClientId, TokenId};
use sealstone_registry::{
    Client, ClientRegistration, ClientSecretText, ClientStore, Domain, DomainStore, Insertion, MAX_PAGE,
    Pepper, Removal, Replacement, SecretSet, StoreError,
};
use sealstone_tokens::{RevocationStore, RevokedToken};
use tokio::task::JoinSet;

/// How many writers race in each race.
const RACERS: u64 = 16;

/// Everything a server keeps.
trait Store: ClientStore + DomainStore + KeyStore + RevocationStore + AssertionStore + Clone + 'static {}
impl<S> Store for S where
    S: ClientStore + DomainStore + KeyStore + RevocationStore + AssertionStore + Clone + 'static
{
}

fn at(secs: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(secs))
}

fn domain_id(id: &str) -> DomainId {
    DomainId::parse(id).unwrap()
}

fn client_id(id: &str) -> ClientId {
    ClientId::parse(id).unwrap()
}

fn client(domain: &str, id: &str, name: &str) -> Client {
    let registration = ClientRegistration {
        client_name: Some(name.to_owned()),
        scope: Some("a b".to_owned()),
        ..ClientRegistration::default()
    };
    let hash = ClientSecretText::from_random([1; 32]).hash(&Pepper::from_bytes([7; 32]));
    registration
        .into_client(
            domain_id(domain),
            client_id(id),
            Some(SecretSet::new(hash, None)),
            at(1_000),
        )
        .unwrap()
}

fn renamed(client: &Client, name: &str) -> Client {
    let registration = ClientRegistration {
        client_name: Some(name.to_owned()),
        ..client.registration()
    };
    client.updated(registration, None, at(2_000)).unwrap()
}

fn ring(generation: u64, writer: u64) -> StoredRing {
    StoredRing {
        generation,
        json: format!("{{\"writer\":{writer}}}"),
    }
}

async fn add_domain<S: Store>(store: &S, id: &str) {
    let domain = Domain::new(domain_id(id), "A domain", true).unwrap();
    assert_eq!(store.insert_domain(domain).await.unwrap(), Insertion::Inserted);
}

async fn clients_are_kept_as_given<S: Store>(store: S) {
    add_domain(&store, "demo").await;
    let one = client("demo", "one", "One");
    assert_eq!(store.client(one.id()).await.unwrap(), None);
    assert_eq!(store.insert(one.clone()).await.unwrap(), Insertion::Inserted);
    assert_eq!(*store.client(one.id()).await.unwrap().unwrap(), one);

    let other = client("demo", "one", "Another");
    assert_eq!(store.insert(other).await.unwrap(), Insertion::Exists);
    assert_eq!(
        store.insert(client("nowhere", "two", "Two")).await.unwrap(),
        Insertion::UnknownDomain
    );
    assert_eq!(
        store.insert(client("nowhere", "one", "One")).await.unwrap(),
        Insertion::Exists
    );
    assert_eq!(store.client(&client_id("two")).await.unwrap(), None);
    assert_eq!(*store.client(one.id()).await.unwrap().unwrap(), one);

    let disabled = one.with_enabled(false, at(3_000));
    assert_eq!(
        ClientStore::replace(&store, 1, disabled.clone()).await.unwrap(),
        Replacement::Replaced
    );
    assert_eq!(*store.client(one.id()).await.unwrap().unwrap(), disabled);
    assert_eq!(store.delete(one.id()).await.unwrap(), Removal::Removed);
    assert_eq!(store.client(one.id()).await.unwrap(), None);
    assert_eq!(store.delete(one.id()).await.unwrap(), Removal::Missing);
}

/// O13: of two updates of one version, the second is refused.
async fn o13_a_replacement_names_the_version_it_replaces<S: Store>(store: S) {
    add_domain(&store, "demo").await;
    let first = client("demo", "one", "First");
    assert_eq!(
        ClientStore::replace(&store, 1, renamed(&first, "Gone"))
            .await
            .unwrap(),
        Replacement::Missing
    );
    assert_eq!(store.insert(first.clone()).await.unwrap(), Insertion::Inserted);
    let (second, rival) = (renamed(&first, "Second"), renamed(&first, "Rival"));
    assert_eq!(
        ClientStore::replace(&store, 1, second.clone()).await.unwrap(),
        Replacement::Replaced
    );
    assert_eq!(
        ClientStore::replace(&store, 1, rival.clone()).await.unwrap(),
        Replacement::Conflict
    );
    assert_eq!(*store.client(first.id()).await.unwrap().unwrap(), second);
    for (expected, record) in [(2, rival), (0, first.clone()), (u64::MAX, first)] {
        let outcome = ClientStore::replace(&store, expected, record).await;
        match (expected, outcome) {
            (2 | u64::MAX, Err(StoreError::Misuse { .. })) => {}
            // Version 1 is the one after 0, and version 2 is stored.
            (0, Ok(Replacement::Conflict)) => {}
            (expected, outcome) => panic!("{expected}: {outcome:?}"),
        }
    }
    assert_eq!(*store.client(second.id()).await.unwrap().unwrap(), second);

    // The same id in another domain, later, is another client.
    add_domain(&store, "other").await;
    assert_eq!(store.delete(second.id()).await.unwrap(), Removal::Removed);
    let moved = renamed(&client("other", "one", "Moved"), "Moved again");
    assert_eq!(store.insert(moved.clone()).await.unwrap(), Insertion::Inserted);
    let stale = renamed(&second, "Third");
    assert_eq!(
        ClientStore::replace(&store, 2, stale).await.unwrap(),
        Replacement::Conflict
    );
    assert_eq!(*store.client(moved.id()).await.unwrap().unwrap(), moved);
}

/// O17: a page is bounded, in order, and of one domain, whatever cursor and limit say.
async fn o17_lists_are_bounded_and_stay_in_their_domain<S: Store>(store: S) {
    add_domain(&store, "a").await;
    add_domain(&store, "b").await;
    let mut inserts = JoinSet::new();
    for number in 0..MAX_PAGE + 3 {
        let store = store.clone();
        inserts.spawn(async move {
            store
                .insert(client("a", &format!("a-{number:04}"), "A"))
                .await
                .unwrap()
        });
    }
    for id in ["a-0001-of-b", "B", "_", "zz"] {
        assert_eq!(
            store.insert(client("b", id, "B")).await.unwrap(),
            Insertion::Inserted
        );
    }
    while let Some(outcome) = inserts.join_next().await {
        assert_eq!(outcome.unwrap(), Insertion::Inserted);
    }

    let ids = |page: Vec<Arc<Client>>| -> Vec<String> {
        page.iter()
            .map(|client| client.id().as_str().to_owned())
            .collect()
    };
    let (a, b) = (domain_id("a"), domain_id("b"));
    assert_eq!(ids(store.list(&a, None, 2).await.unwrap()), ["a-0000", "a-0001"]);
    let cursor = client_id("a-0001");
    assert_eq!(
        ids(store.list(&a, Some(&cursor), 2).await.unwrap()),
        ["a-0002", "a-0003"]
    );
    // A cursor of the other domain, and one of nobody, are bounds like any other.
    let foreign = client_id("a-0001-of-b");
    assert_eq!(ids(store.list(&a, Some(&foreign), 1).await.unwrap()), ["a-0002"]);
    assert_eq!(
        ids(store.list(&a, Some(&client_id("zzzz")), 1).await.unwrap()),
        Vec::<String>::new()
    );
    assert_eq!(
        ids(store.list(&b, None, 10).await.unwrap()),
        ["B", "_", "a-0001-of-b", "zz"]
    );
    assert_eq!(store.list(&a, None, usize::MAX).await.unwrap().len(), MAX_PAGE);
    assert_eq!(store.list(&a, None, 0).await.unwrap().len(), 0);
    let (mut seen, mut after) = (0, None);
    loop {
        let page = store.list(&a, after.as_ref(), 100).await.unwrap();
        let Some(last) = page.last() else { break };
        seen += page.len();
        after = Some(last.id().clone());
    }
    assert_eq!(seen, MAX_PAGE + 3);
    assert!(store.list(&domain_id("c"), None, 10).await.unwrap().is_empty());
}

async fn domains_are_kept_as_given<S: Store>(store: S) {
    let domain = |id: &str, name: &str| Domain::new(domain_id(id), name, true).unwrap();
    assert_eq!(store.domain(&domain_id("b")).await.unwrap(), None);
    for id in ["b", "a", "c"] {
        assert_eq!(
            store.insert_domain(domain(id, "First")).await.unwrap(),
            Insertion::Inserted
        );
        assert_eq!(
            store.insert_domain(domain(id, "Second")).await.unwrap(),
            Insertion::Exists
        );
    }
    let off = domain("b", "Third").with_enabled(false);
    assert_eq!(
        store.replace_domain(off.clone()).await.unwrap(),
        Replacement::Replaced
    );
    assert_eq!(
        store.replace_domain(domain("d", "Fourth")).await.unwrap(),
        Replacement::Missing
    );
    assert_eq!(*store.domain(&domain_id("b")).await.unwrap().unwrap(), off);
    let ids = |page: Vec<Arc<Domain>>| -> Vec<String> {
        page.iter()
            .map(|domain| domain.id().as_str().to_owned())
            .collect()
    };
    assert_eq!(ids(store.list_domains(None, 10).await.unwrap()), ["a", "b", "c"]);
    assert_eq!(
        ids(store.list_domains(Some(&domain_id("a")), 1).await.unwrap()),
        ["b"]
    );
    assert!(store.list_domains(None, 0).await.unwrap().is_empty());
}

async fn rings_are_compared_and_swapped<S: Store>(store: S) {
    assert_eq!(store.load("demo").await.unwrap(), None);
    assert_eq!(
        KeyStore::replace(&store, "demo", Some(1), &ring(2, 0))
            .await
            .unwrap(),
        Replaced::Conflict
    );
    assert_eq!(
        KeyStore::replace(&store, "demo", None, &ring(1, 0))
            .await
            .unwrap(),
        Replaced::Done
    );
    assert_eq!(
        KeyStore::replace(&store, "demo", None, &ring(1, 1))
            .await
            .unwrap(),
        Replaced::Conflict
    );
    assert_eq!(
        KeyStore::replace(&store, "demo", Some(2), &ring(3, 1))
            .await
            .unwrap(),
        Replaced::Conflict
    );
    assert_eq!(store.load("demo").await.unwrap(), Some(ring(1, 0)));
    assert_eq!(
        KeyStore::replace(&store, "demo", Some(1), &ring(2, 2))
            .await
            .unwrap(),
        Replaced::Done
    );
    assert!(
        KeyStore::replace(&store, "demo", Some(2), &ring(2, 3))
            .await
            .is_err(),
        "a generation must rise"
    );
    assert_eq!(
        KeyStore::replace(&store, "another", None, &ring(1, 0))
            .await
            .unwrap(),
        Replaced::Done
    );
    assert_eq!(store.load("demo").await.unwrap(), Some(ring(2, 2)));
    assert_eq!(store.domains().await.unwrap(), ["another", "demo"]);
}

async fn revocations_are_kept_until_they_expire<S: Store>(store: S) {
    let token = |id: &str, end| RevokedToken {
        token_id: TokenId::parse(id).unwrap(),
        expires_at: at(end),
    };
    let (a, b) = (domain_id("a"), domain_id("b"));
    for (domain, revoked) in [
        (&a, token("t1", 100)),
        (&a, token("t2", 200)),
        (&b, token("t1", 300)),
    ] {
        store.revoke(domain, &revoked).await.unwrap();
    }
    // Again is the same as once; an earlier end does not shorten it, a later one prolongs it.
    for end in [100, 50, 150] {
        store.revoke(&a, &token("t1", end)).await.unwrap();
    }
    assert_eq!(
        store.revoked(&a, at(0)).await.unwrap(),
        [token("t1", 150), token("t2", 200)]
    );
    assert_eq!(
        store.revoked(&a, at(149)).await.unwrap(),
        [token("t1", 150), token("t2", 200)]
    );
    assert_eq!(store.revoked(&a, at(150)).await.unwrap(), [token("t2", 200)]);
    assert_eq!(store.purge(at(149)).await.unwrap(), 0);
    assert_eq!(store.purge(at(200)).await.unwrap(), 2);
    assert_eq!(store.revoked(&a, at(0)).await.unwrap(), []);
    assert_eq!(store.revoked(&b, at(0)).await.unwrap(), [token("t1", 300)]);
}

/// Runs `RACERS` attempts at once and counts those that won.
async fn winners<F, Fut>(attempt: F) -> usize
where
    F: Fn(u64) -> Fut,
    Fut: Future<Output = bool> + Send + 'static,
{
    let mut racers = JoinSet::new();
    for writer in 0..RACERS {
        racers.spawn(attempt(writer));
    }
    racers.join_all().await.into_iter().filter(|won| *won).count()
}

fn assertion(client: &str, id: impl Into<String>, forget_at: u64) -> UsedAssertion {
    UsedAssertion {
        client_id: client_id(client),
        id: id.into(),
        forget_at: at(forget_at),
    }
}

/// C10: an assertion counts once until it is forgotten, each client's apart from the others'.
async fn c10_assertions_are_used_once<S: Store>(store: S) {
    let one = assertion("one", "j1", 100);
    assert_eq!(store.use_once(&one).await.unwrap(), AssertionUse::First);
    assert_eq!(store.use_once(&one).await.unwrap(), AssertionUse::Again);
    let later = assertion("one", "j1", 500);
    assert_eq!(store.use_once(&later).await.unwrap(), AssertionUse::Again);
    for other in [
        assertion("two", "j1", 100),
        assertion("one", "J1", 100),
        assertion("one", "j1 ", 100),
        assertion("one", "ä".repeat(128), 200),
    ] {
        assert_eq!(
            store.use_once(&other).await.unwrap(),
            AssertionUse::First,
            "{other:?}"
        );
    }
    assert_eq!(store.purge_assertions(at(99)).await.unwrap(), 0);
    assert_eq!(store.use_once(&one).await.unwrap(), AssertionUse::Again);
    assert_eq!(store.purge_assertions(at(100)).await.unwrap(), 4);
    assert_eq!(store.use_once(&one).await.unwrap(), AssertionUse::First);
    assert_eq!(store.purge_assertions(at(300)).await.unwrap(), 2);
    for round in 0..8 {
        let won = winners(|_| {
            let (store, used) = (store.clone(), assertion("one", format!("race {round}"), 900));
            async move { store.use_once(&used).await.unwrap() == AssertionUse::First }
        });
        assert_eq!(won.await, 1, "two first uses");
    }
}

/// C12: a client that floods the store is stopped at its bound, and nobody else is.
async fn c12_one_client_fills_its_own_share_only<S: Store>(store: S) {
    let mut uses = JoinSet::new();
    let per_task = MAX_USED_ASSERTIONS / 50;
    for task in 0..50 {
        let store = store.clone();
        uses.spawn(async move {
            for number in 0..per_task {
                let used = assertion("flood", format!("{task}-{number}"), 100);
                assert_eq!(store.use_once(&used).await.unwrap(), AssertionUse::First);
            }
        });
    }
    uses.join_all().await;
    let more = assertion("flood", "more", 100);
    assert_eq!(store.use_once(&more).await.unwrap(), AssertionUse::TooMany);
    let known = assertion("flood", "0-0", 100);
    assert_eq!(store.use_once(&known).await.unwrap(), AssertionUse::Again);
    let other = assertion("other", "more", 100);
    assert_eq!(store.use_once(&other).await.unwrap(), AssertionUse::First);
    assert_eq!(
        store.purge_assertions(at(100)).await.unwrap(),
        MAX_USED_ASSERTIONS + 1
    );
    assert_eq!(store.use_once(&more).await.unwrap(), AssertionUse::First);
}

async fn of_racing_writers_one_wins<S: Store>(store: S) {
    add_domain(&store, "demo").await;
    for round in 0..8 {
        let id = format!("client-{round}");
        let won = winners(|writer| {
            let (store, new) = (store.clone(), client("demo", &id, &format!("Writer {writer}")));
            async move { store.insert(new).await.unwrap() == Insertion::Inserted }
        });
        assert_eq!(won.await, 1, "two inserts of one id");

        let base = store.client(&client_id(&id)).await.unwrap().unwrap();
        let won = winners(|writer| {
            let (store, new) = (store.clone(), renamed(&base, &format!("Writer {writer}")));
            async move { ClientStore::replace(&store, 1, new).await.unwrap() == Replacement::Replaced }
        });
        assert_eq!(won.await, 1, "two replacements of one version");
        assert_eq!(store.client(&client_id(&id)).await.unwrap().unwrap().version(), 2);

        let won = winners(|writer| {
            let store = store.clone();
            async move {
                let expected = (round > 0).then_some(round);
                KeyStore::replace(&store, "demo", expected, &ring(round + 1, writer))
                    .await
                    .unwrap()
                    == Replaced::Done
            }
        });
        assert_eq!(won.await, 1, "two replacements of one generation");
        assert_eq!(store.load("demo").await.unwrap().unwrap().generation, round + 1);

        let won = winners(|_| {
            let (store, id) = (store.clone(), client_id(&id));
            async move { store.delete(&id).await.unwrap() == Removal::Removed }
        });
        assert_eq!(won.await, 1, "two deletions");
    }
}

/// A store for each promise; `$make` gives a new one, and what must live as long.
macro_rules! each {
    ($module:ident, $make:tt, [$($promise:ident),+ $(,)?]) => {
        mod $module {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $promise() {
                    let (store, _keep) = $make.await;
                    super::$promise(store).await;
                }
            )+
        }
    };
}

/// One PostgreSQL server for all promises, and a database for each.
#[cfg(feature = "postgres")]
macro_rules! together {
    ($module:ident, (), [$($promise:ident),+ $(,)?]) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $module() {
            let Some(cluster) = cluster::cluster() else { return };
            $(
                eprintln!("{}", stringify!($promise));
                let store = cluster::store(&cluster).await;
                $promise(store.clone()).await;
                store.close().await;
            )+
        }
    };
}

/// The suite for one kind of store.
macro_rules! store_contract {
    ($how:ident, $module:ident, $make:tt) => {
        $how!(
            $module,
            $make,
            [
                clients_are_kept_as_given,
                o13_a_replacement_names_the_version_it_replaces,
                o17_lists_are_bounded_and_stay_in_their_domain,
                domains_are_kept_as_given,
                rings_are_compared_and_swapped,
                revocations_are_kept_until_they_expire,
                c10_assertions_are_used_once,
                c12_one_client_fills_its_own_share_only,
                of_racing_writers_one_wins,
            ]
        );
    };
}

store_contract!(each, memory, {
    async { (sealstone_storage::MemoryStore::new(), ()) }
});

#[cfg(feature = "sqlite")]
store_contract!(each, sqlite, {
    async {
        let folder = tempfile::tempdir().unwrap();
        (
            sealstone_storage::SqlStore::open(&folder.path().join("test.db"))
                .await
                .unwrap(),
            folder,
        )
    }
});

#[cfg(feature = "postgres")]
store_contract!(together, postgres, ());

#[cfg(feature = "sqlite")]
mod two_processes {
    use sealstone_storage::SqlStore;

    use super::*;

    /// Two stores on one file are what two processes are: each has its own writer.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn of_writers_racing_from_two_stores_one_wins() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.db");
        let stores = [
            SqlStore::open(&path).await.unwrap(),
            SqlStore::open(&path).await.unwrap(),
        ];
        add_domain(&stores[0], "demo").await;
        for round in 0..8 {
            let id = format!("client-{round}");
            let won = winners(|writer| {
                let store = stores[usize::from(writer % 2 == 0)].clone();
                let new = client("demo", &id, &format!("Writer {writer}"));
                async move { store.insert(new).await.unwrap() == Insertion::Inserted }
            });
            assert_eq!(won.await, 1);
            let won = winners(|writer| {
                let store = stores[usize::from(writer % 2 == 0)].clone();
                async move {
                    let expected = (round > 0).then_some(round);
                    let ring = ring(round + 1, writer);
                    KeyStore::replace(&store, "demo", expected, &ring).await.unwrap() == Replaced::Done
                }
            });
            assert_eq!(won.await, 1);
            let won = winners(|writer| {
                let store = stores[usize::from(writer % 2 == 0)].clone();
                let used = assertion("one", format!("race {round}"), 900);
                async move { store.use_once(&used).await.unwrap() == AssertionUse::First }
            });
            assert_eq!(won.await, 1);
        }
        stores[0].check_integrity().await.unwrap();
    }

    /// A change made by another process is announced without being asked for.
    #[tokio::test]
    async fn a_change_by_another_process_is_announced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.db");
        let (server, tool) = (
            SqlStore::open(&path).await.unwrap(),
            SqlStore::open(&path).await.unwrap(),
        );
        add_domain(&server, "demo").await;
        let (mut clients, mut all) = (server.client_changes(), server.changes());
        let rings = server.key_ring_changes();
        clients.mark_unchanged();
        all.mark_unchanged();
        assert_eq!(
            tool.insert(client("demo", "one", "One")).await.unwrap(),
            Insertion::Inserted
        );
        clients.changed().await.unwrap();
        all.changed().await.unwrap();
        assert!(!rings.has_changed().unwrap(), "nothing happened to a ring");
    }
}
