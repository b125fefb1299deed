//! What the SQL stores promise of keys: requests that wait for a second administrator, and the way from one
//! key-encryption key to the next. Each promise is asked of SQLite and of PostgreSQL.

#[cfg(feature = "postgres")]
mod cluster;

use std::time::Duration;

use rustls_pki_types::UnixTime;
use sealstone_identity::{DomainId, UserId};
use sealstone_keyring::{
    CONFIRM_WITHIN, Confirmation, KeyEncryptionKey, KeyRequest, KeyRequestStore, Requested, SecretPlace,
    SecretPurpose,
};
use sealstone_login::{FactorStore as _, Kept, Swap, TotpFactor, UserFactors};
use sealstone_oauth_types::ClientId;
use sealstone_registry::{
    Client, ClientRegistration, ClientStore as _, Domain, DomainStore as _, Insertion, SealedSecret,
    SecretSet,
};
use sealstone_storage::{MemoryStore, Rewrapping, Sealed, SealedCursor, SealedPage, SqlStore};
use tokio::task::JoinSet;

const OLD: &str = "8Jmq5OTmLrqvTuiUpeGr9ATXgoE4kwJlXNVfqDNVzMY";
const NEW: &str = "6b1d0c8f7a3e4b5d9c2f1a0e8d7c6b5a493827160f5e4d3c2b1a09f8e7d6c5b4";
/// More than one page of a walk.
const CLIENTS: usize = 1203;

fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

fn kek(lines: &[&str]) -> KeyEncryptionKey {
    KeyEncryptionKey::parse(&lines.join("\n")).unwrap()
}

fn request(id: &str, by: &str, requested_at: u64) -> KeyRequest {
    KeyRequest {
        id: id.to_owned(),
        domain: "demo".to_owned(),
        kid: "the-key".to_owned(),
        requested_by: by.to_owned(),
        requested_at: at(requested_at),
        expires_at: at(requested_at + CONFIRM_WITHIN.as_secs()),
        statement: "signed".to_owned(),
    }
}

async fn a_request_is_confirmed_once_by_another_in_time(store: impl KeyRequestStore) {
    let asked = request("r1", "alice", 1000);
    assert_eq!(store.insert_key_request(&asked).await.unwrap(), Requested::Kept);
    let again = store
        .insert_key_request(&request("r1", "mallory", 1001))
        .await
        .unwrap();
    assert_eq!(again, Requested::Taken);
    let waiting = store.key_requests(at(1500)).await.unwrap();
    assert_eq!(waiting, std::slice::from_ref(&asked));
    let end = 1000 + CONFIRM_WITHIN.as_secs();
    assert_eq!(store.key_requests(at(end)).await.unwrap(), []);
    for (id, by, now, want) in [
        ("r2", "bob", 1500, Confirmation::Unknown),
        ("r1", "alice", 1500, Confirmation::SamePerson),
        ("r1", "alice", end, Confirmation::SamePerson),
        ("r1", "bob", end, Confirmation::Lapsed),
        ("r1", "bob", end + 1, Confirmation::Lapsed),
        ("r1", "bob", end - 1, Confirmation::Confirmed(asked)),
        ("r1", "bob", end - 1, Confirmation::Used),
        ("r1", "carol", end - 1, Confirmation::Used),
        ("r1", "alice", end - 1, Confirmation::SamePerson),
    ] {
        assert_eq!(
            store.confirm_key_request(id, by, at(now)).await.unwrap(),
            want,
            "{id} {by} {now}"
        );
    }
    assert_eq!(store.key_requests(at(1500)).await.unwrap(), []);
}

async fn old_requests_are_forgotten_when_a_new_one_comes(store: SqlStore) {
    for (id, requested_at) in [("r1", 1000), ("r3", 40 * 24 * 3600)] {
        let asked = request(id, "alice", requested_at);
        assert_eq!(store.insert_key_request(&asked).await.unwrap(), Requested::Kept);
    }
    let gone = store.confirm_key_request("r1", "bob", at(1500)).await.unwrap();
    assert_eq!(gone, Confirmation::Unknown);
}

async fn of_racing_administrators_one_confirms(store: SqlStore) {
    store
        .insert_key_request(&request("r1", "alice", 1000))
        .await
        .unwrap();
    let mut racers = JoinSet::new();
    for number in 0..16 {
        let store = store.clone();
        racers.spawn(async move {
            let by = format!("admin-{number}");
            store.confirm_key_request("r1", &by, at(1001)).await.unwrap()
        });
    }
    let ended = racers.join_all().await;
    let won = ended
        .iter()
        .filter(|end| matches!(end, Confirmation::Confirmed(_)));
    assert_eq!(won.count(), 1);
    assert!(ended.iter().filter(|end| **end == Confirmation::Used).count() == 15);
}

fn client(number: usize, kek: &KeyEncryptionKey) -> Client {
    let id = format!("client-{number:05}");
    let place = SecretPlace {
        purpose: SecretPurpose::ClientSecret,
        domain: "demo",
        client: &id,
    };
    let sealed = kek.seal_secret(place, &format!("secret {id}")).unwrap();
    let registration = ClientRegistration {
        client_name: Some("v1.looks like it".to_owned()),
        scope: Some("a".to_owned()),
        token_endpoint_auth_method: Some("client_secret_jwt".to_owned()),
        ..ClientRegistration::default()
    };
    let set = SecretSet::new(SealedSecret::parse(&sealed).unwrap(), None);
    let id = ClientId::parse(&id).unwrap();
    registration
        .into_client(DomainId::parse("demo").unwrap(), id, Some(set), at(0))
        .unwrap()
}

async fn fill(store: &SqlStore, kek: &KeyEncryptionKey, clients: usize) {
    let demo = DomainId::parse("demo").unwrap();
    let demo_domain = Domain::new(demo.clone(), "Demo", true).unwrap();
    let inserted = store.insert_domain(demo_domain).await.unwrap();
    assert_eq!(inserted, Insertion::Inserted);
    let mut writes = JoinSet::new();
    for number in 0..clients {
        let (store, client) = (store.clone(), client(number, kek));
        writes.spawn(async move { store.insert(client).await.unwrap() });
        // So many at once that none waits too long for a connection, however slow the machine is.
        if number % 64 == 63 {
            while let Some(kept) = writes.join_next().await {
                assert_eq!(kept.unwrap(), Insertion::Inserted);
            }
        }
    }
    writes.join_all().await;
    let place = SecretPlace {
        purpose: SecretPurpose::OneTimeCodes,
        domain: "demo",
        client: "alice",
    };
    let sealed = kek.seal_secret(place, "GEZDGNBV").unwrap();
    let totp = TotpFactor::new(Kept::of(&sealed).unwrap(), 0, at(0));
    let factors = UserFactors::none(demo, UserId::parse("alice").unwrap()).with_totp(totp);
    assert_eq!(store.replace_factors(&factors).await.unwrap(), Swap::Done);
}

async fn walk(store: &SqlStore, sealed: Sealed, kek: &KeyEncryptionKey, how: Rewrapping) -> SealedPage {
    let mut all = SealedPage::default();
    let mut from = Some(SealedCursor::default());
    while let Some(cursor) = from {
        let page = store.rewrap(sealed, &cursor, kek, how).await.unwrap();
        all.sealed += page.sealed;
        all.earlier += page.earlier;
        all.moved += page.moved;
        all.overtaken += page.overtaken;
        all.unreadable.extend(page.unreadable);
        from = page.next;
    }
    all
}

/// The sealed secret of a record: the text that names its key.
fn sealed_in(record: &str) -> String {
    let mut texts = record.split(['"', '\\']);
    let found = texts.find(|text| text.starts_with("v1.") && text.split('.').count() == 3);
    found.unwrap().to_owned()
}

fn secret_of(client: &Client, kek: &KeyEncryptionKey) -> Option<String> {
    let place = SecretPlace {
        purpose: SecretPurpose::ClientSecret,
        domain: "demo",
        client: client.id().as_str(),
    };
    let sealed = sealed_in(&client.to_record().unwrap());
    Some(kek.open_secret(place, &sealed).ok()?.to_string())
}

async fn everything_sealed_moves_and_nothing_else_changes(store: SqlStore) {
    let (old, both, new) = (kek(&[OLD]), kek(&[NEW, OLD]), kek(&[NEW]));
    fill(&store, &old, CLIENTS).await;
    let before = client(7, &old);
    let counted = walk(&store, Sealed::Clients, &both, Rewrapping::Count).await;
    assert_eq!(
        (counted.sealed, counted.earlier, counted.moved),
        (CLIENTS, CLIENTS, 0)
    );

    // Broken off after a page, begun anew: what was moved is not moved again.
    let first = store
        .rewrap(Sealed::Clients, &SealedCursor::default(), &both, Rewrapping::Do)
        .await
        .unwrap();
    assert!(first.moved > 0 && first.next.is_some());
    let rest = walk(&store, Sealed::Clients, &both, Rewrapping::Do).await;
    assert_eq!(first.moved + rest.moved, CLIENTS);
    assert_eq!((rest.overtaken, rest.unreadable.as_slice()), (0, [].as_slice()));
    let factors = walk(&store, Sealed::Factors, &both, Rewrapping::Do).await;
    assert_eq!((factors.sealed, factors.moved), (1, 1));
    for sealed in Sealed::ALL {
        let left = walk(&store, sealed, &both, Rewrapping::Count).await;
        assert_eq!(
            (left.earlier, left.unreadable.as_slice()),
            (0, [].as_slice()),
            "{sealed:?}"
        );
    }

    let id = before.id().clone();
    let after = store.client(&id).await.unwrap().unwrap();
    assert_eq!(secret_of(&after, &new).as_deref(), Some("secret client-00007"));
    assert_eq!(after.version(), before.version());
    assert_eq!(
        after.registration().client_name,
        before.registration().client_name
    );
    let factors = store
        .factors(before.domain(), &UserId::parse("alice").unwrap())
        .await
        .unwrap();
    let sealed = sealed_in(&serde_json::to_string(&factors).unwrap());
    let place = SecretPlace {
        purpose: SecretPurpose::OneTimeCodes,
        domain: "demo",
        client: "alice",
    };
    assert_eq!(*new.open_secret(place, &sealed).unwrap(), "GEZDGNBV");
}

async fn what_does_not_open_is_named_and_left_alone(store: SqlStore) {
    let (old, new) = (kek(&[OLD]), kek(&[NEW]));
    fill(&store, &old, 2).await;
    for how in [Rewrapping::Count, Rewrapping::Do] {
        let page = walk(&store, Sealed::Clients, &new, how).await;
        assert_eq!(page.unreadable, ["demo/client-00000", "demo/client-00001"]);
        assert_eq!((page.sealed, page.moved), (2, 0));
        assert_eq!(
            walk(&store, Sealed::Factors, &new, how).await.unreadable,
            ["demo/alice"]
        );
    }
    let untouched = store
        .client(&ClientId::parse("client-00001").unwrap())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        secret_of(&untouched, &old).as_deref(),
        Some("secret client-00001")
    );
}

async fn a_change_is_announced_to_caches(store: SqlStore) {
    fill(&store, &kek(&[OLD]), 1).await;
    let changes = store.client_changes();
    let before = *changes.borrow();
    walk(&store, Sealed::Clients, &kek(&[NEW, OLD]), Rewrapping::Do).await;
    assert!(*changes.borrow() > before);
}

macro_rules! promises {
    ($($promise:ident),+ $(,)?) => {
        #[cfg(feature = "sqlite")]
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $promise() {
                    let folder = tempfile::tempdir().unwrap();
                    let store = super::SqlStore::open(&folder.path().join("s.db")).await.unwrap();
                    super::$promise(store.clone()).await;
                    store.close().await;
                }
            )+
        }

        #[cfg(feature = "postgres")]
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn postgres() {
            let Some(cluster) = cluster::cluster() else { return };
            $(
                let store = cluster::store(&cluster).await;
                $promise(store.clone()).await;
                store.close().await;
            )+
        }
    };
}

/// The same of the store in memory.
#[tokio::test]
async fn a_request_is_confirmed_once_by_another_in_time_in_memory() {
    a_request_is_confirmed_once_by_another_in_time(MemoryStore::new()).await;
}

promises!(
    a_request_is_confirmed_once_by_another_in_time,
    old_requests_are_forgotten_when_a_new_one_comes,
    of_racing_administrators_one_confirms,
    everything_sealed_moves_and_nothing_else_changes,
    what_does_not_open_is_named_and_left_alone,
    a_change_is_announced_to_caches,
);
