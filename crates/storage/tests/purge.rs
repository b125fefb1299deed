//! What has expired is forgotten a batch at a time, and others' changes are made between the batches.

#![cfg(feature = "sqlite")]

#[cfg(feature = "postgres")]
#[expect(dead_code, reason = "one test needs one store, and the name of its database")]
mod cluster;

use std::{cell::Cell, time::Duration};

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

/// Forgets all, while tokens are revoked one after the other, and somebody looks how many are left: whole batches go, one at
/// a time, and changes are made between them.
async fn forgets_beside_changes(store: &SqlStore, total: usize) {
    assert_eq!(left(store).await, total);
    let is_over = Cell::new(false);
    let purge = async {
        let gone = store.purge(at(EXPIRY)).await.unwrap();
        is_over.set(true);
        gone
    };
    let changes = async {
        let mut made = 0;
        while !is_over.get() {
            revoke(store, &format!("new-{made}"), EXPIRY * 2).await;
            made += 1;
        }
        made
    };
    let looks = async {
        let mut seen = Vec::new();
        while seen.last() != Some(&0) {
            seen.push(left(store).await);
        }
        seen
    };
    let (gone, made, seen) = tokio::join!(purge, changes, looks);
    assert_eq!(gone, total as u64);
    let kept = store.revoked(&demo(), at(EXPIRY)).await.unwrap().len();
    assert_eq!(kept, made, "what is not over stays");
    assert!(seen.is_sorted_by(|before, after| before >= after), "{seen:?}");
    for left in &seen {
        assert!(*left == 0 || (total - left).is_multiple_of(BATCH), "{seen:?}");
    }
    // A change waits for one batch, not for all of them.
    assert!(
        made >= total / BATCH / 2,
        "{made} changes while {total} rows went"
    );
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
    forgets_beside_changes(&store, TOTAL).await;
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
    forgets_beside_changes(&store, TOTAL).await;
    store.close().await;
}
