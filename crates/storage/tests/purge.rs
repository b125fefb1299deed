//! What has expired is forgotten a batch at a time, and others' changes are made between the batches.

#![cfg(feature = "sqlite")]

#[cfg(feature = "postgres")]
#[expect(dead_code, reason = "one test needs one store, and the name of its database")]
mod cluster;

use std::{collections::BTreeSet, time::Duration};

use rustls_pki_types::UnixTime;
use sealstone_identity::DomainId;
use sealstone_oauth_types::TokenId;
use sealstone_registry::{Domain, DomainStore as _, Insertion};
use sealstone_storage::SqlStore;
use sealstone_tokens::{RevocationStore as _, RevokedToken};
use tokio::task::JoinSet;

/// The most rows that one transaction deletes, for which every other change may have to wait: a promise of
/// `docs/reference/performance.md`.
const BATCH: usize = 1_000;
const EXPIRY: u64 = 2_000;

fn at(secs: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(secs))
}

fn demo() -> DomainId {
    DomainId::parse("demo").unwrap()
}

async fn add_domain(store: &SqlStore) {
    let domain = Domain::new(demo(), "Demo", true).unwrap();
    assert_eq!(store.insert_domain(domain).await.unwrap(), Insertion::Inserted);
}

async fn revoke(store: &SqlStore, id: &str, expires_at: u64) {
    let token = RevokedToken {
        token_id: TokenId::parse(id).unwrap(),
        expires_at: at(expires_at),
    };
    store.revoke(&demo(), &token).await.unwrap();
}

/// How many of those are left that are to be forgotten.
async fn left(store: &SqlStore) -> usize {
    let all = store.revoked(&demo(), at(EXPIRY - 1)).await.unwrap();
    all.iter().filter(|token| token.expires_at == at(EXPIRY)).count()
}

/// Forgets all, while tokens are revoked one after the other; returns how many were left after each of these.
async fn purged_beside_changes(store: &SqlStore, total: usize) -> Vec<usize> {
    assert_eq!(left(store).await, total);
    let purge = async { store.purge(at(EXPIRY)).await.unwrap() };
    let changes = async {
        let mut seen = Vec::new();
        while seen.last() != Some(&0) {
            revoke(store, &format!("new-{}", seen.len()), EXPIRY * 2).await;
            seen.push(left(store).await);
        }
        seen
    };
    let (gone, seen) = tokio::join!(purge, changes);
    assert_eq!(gone, total as u64);
    let kept = store.revoked(&demo(), at(EXPIRY)).await.unwrap().len();
    assert_eq!(kept, seen.len(), "what is not over stays");
    seen
}

/// Whole batches go, one at a time, and changes came between them.
fn are_whole_batches(seen: &[usize], total: usize) {
    assert!(seen.is_sorted_by(|before, after| before >= after), "{seen:?}");
    for left in seen {
        assert!(*left == 0 || (total - left).is_multiple_of(BATCH), "{seen:?}");
    }
    let between: BTreeSet<_> = seen.iter().filter(|left| (1..total).contains(*left)).collect();
    assert!(between.len() > 1, "no change came between batches: {seen:?}");
}

#[tokio::test]
async fn sqlite_makes_changes_between_the_batches_of_a_purge() {
    const TOTAL: usize = 8 * BATCH + 500;
    let folder = tempfile::tempdir().unwrap();
    let store = SqlStore::open(&folder.path().join("test.db")).await.unwrap();
    add_domain(&store).await;
    let mut callers = JoinSet::new();
    for caller in 0..100 {
        let store = store.clone();
        callers.spawn(async move {
            for number in 0..TOTAL / 100 {
                revoke(&store, &format!("old-{caller}-{number}"), EXPIRY).await;
            }
        });
    }
    callers.join_all().await;
    let seen = purged_beside_changes(&store, TOTAL).await;
    are_whole_batches(&seen, TOTAL);
    store.close().await;
}

#[cfg(feature = "postgres")]
#[tokio::test]
async fn postgres_makes_changes_between_the_batches_of_a_purge() {
    const TOTAL: usize = 30 * BATCH + 500;
    let Some(cluster) = cluster::cluster() else { return };
    let database = cluster.database();
    let store = SqlStore::open(cluster::config(&database)).await.unwrap();
    add_domain(&store).await;
    let (_, name) = database.rsplit_once('/').unwrap();
    let name = name.split('?').next().unwrap();
    cluster.sql(
        name,
        &format!(
            "INSERT INTO revoked_tokens (domain_id, token_id, expires_at)
             SELECT 'demo', 'old-' || number, {EXPIRY} FROM generate_series(1, {TOTAL}) AS number"
        ),
    );
    let seen = purged_beside_changes(&store, TOTAL).await;
    are_whole_batches(&seen, TOTAL);
    store.close().await;
}
