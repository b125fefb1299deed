use std::time::Duration;

use sealstone_keyring::{KeyStore, Replaced, StoredRing};
use sealstone_storage::{Leadership, SqlErrorKind, SqlStore};
use sealstone_tokens::{RevocationStore, RevokedToken};
use tokio::time::timeout;

use super::{cluster, two_nodes};
use crate::fixtures::{at, domain_id, token_id};

fn ring(generation: u64) -> StoredRing {
    StoredRing {
        generation,
        json: "{}".to_owned(),
    }
}

async fn leads(node: &SqlStore) -> u64 {
    let mut leadership = node.leadership();
    let leads = leadership.wait_for(|known| known.is_some_and(Leadership::leads));
    let known = timeout(Duration::from_secs(15), leads).await.expect("a leader");
    match *known.unwrap() {
        Some(Leadership::Leads { term }) => term,
        _ => unreachable!(),
    }
}

/// A leader that was paused, and wakes up after another took over, changes nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_of_an_earlier_term_writes_nothing() {
    let Some(cluster) = cluster() else { return };
    let [one, two] = two_nodes(&cluster).await;
    let domain = domain_id("demo");
    let dead = RevokedToken {
        token_id: token_id("dead"),
        expires_at: at(1_000),
    };
    one.revoke(&domain, &dead).await.unwrap();
    one.seek_leadership([1; 16]).await;
    assert_eq!(leads(&one).await, 1);
    two.seek_leadership([2; 16]).await;
    assert_eq!(*two.leadership().borrow(), Some(Leadership::Follows));
    assert_eq!(
        KeyStore::replace(&one, "demo", None, &ring(1)).await.unwrap(),
        Replaced::Done
    );
    let refused = KeyStore::replace(&two, "demo", Some(1), &ring(2)).await;
    assert!(refused.is_err(), "a follower rotates no key");
    assert_eq!(
        two.purge(at(2_000)).await.unwrap(),
        0,
        "a follower forgets nothing"
    );

    // As if the first had been paused for longer than its lease: another leads, and the first believes that it does.
    cluster.sql("test0", "UPDATE leases SET holder = '\\x99', term = 2");
    assert!(one.leadership().borrow().is_some_and(Leadership::leads));
    let error = KeyStore::replace(&one, "demo", Some(1), &ring(2))
        .await
        .unwrap_err();
    let shown = format!("{error:?}");
    assert!(
        shown.contains(&format!("{:?}", SqlErrorKind::NotLeading)),
        "{shown}"
    );
    assert_eq!(one.load("demo").await.unwrap().unwrap().generation, 1);
    // The same with what it forgets; a round in which it does not lead any more begins nothing.
    drop(one.purge(at(2_000)).await);
    assert_eq!(one.revoked(&domain, at(0)).await.unwrap().len(), 1);

    // That leader is gone: the next one's term is higher, and it may.
    cluster.sql("test0", "UPDATE leases SET expires_at = 0");
    let (one_leads, two_leads) = (leads(&one), leads(&two));
    tokio::pin!(one_leads, two_leads);
    let (term, leader) = tokio::select! {
        term = &mut one_leads => (term, &one),
        term = &mut two_leads => (term, &two),
    };
    assert_eq!(term, 3);
    assert_eq!(
        KeyStore::replace(leader, "demo", Some(1), &ring(2))
            .await
            .unwrap(),
        Replaced::Done
    );
    assert_eq!(leader.purge(at(2_000)).await.unwrap(), 1);
}

/// An administrator asks whichever node the balancer sends him to: his rotation or revocation needs no leader.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_administrator_asks_of_a_follower_is_done() {
    let Some(cluster) = cluster() else { return };
    let [one, two] = two_nodes(&cluster).await;
    one.seek_leadership([1; 16]).await;
    assert_eq!(leads(&one).await, 1);
    two.seek_leadership([2; 16]).await;
    assert_eq!(*two.leadership().borrow(), Some(Leadership::Follows));
    KeyStore::replace(&one, "demo", None, &ring(1)).await.unwrap();
    let asked = two.replace_on_request("demo", Some(1), &ring(2)).await;
    assert_eq!(asked.unwrap(), Replaced::Done);
    // It is compared and swapped all the same.
    let late = two.replace_on_request("demo", Some(1), &ring(3)).await;
    assert_eq!(late.unwrap(), Replaced::Conflict);
    assert_eq!(one.load("demo").await.unwrap().unwrap().generation, 2);
}

/// A node that ends in order leaves the lease to the next at once; an administrator's tool needs none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_ends_is_followed_at_once() {
    let Some(cluster) = cluster() else { return };
    let [one, two] = two_nodes(&cluster).await;
    one.seek_leadership([1; 16]).await;
    two.seek_leadership([2; 16]).await;
    let tool = SqlStore::open_current(two.database()).await.unwrap();
    assert_eq!(*tool.leadership().borrow(), None);
    assert_eq!(
        KeyStore::replace(&tool, "demo", None, &ring(1)).await.unwrap(),
        Replaced::Done
    );
    one.close().await;
    let term = timeout(Duration::from_secs(5), leads(&two)).await;
    assert_eq!(term.expect("within a period"), 2);
}
