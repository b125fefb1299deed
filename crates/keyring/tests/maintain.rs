//! The round that every node runs, against a store with compare-and-swap.

use std::{
    collections::BTreeMap,
    future::Future,
    pin::pin,
    sync::Mutex,
    task::{Context, Poll, Waker},
    time::Duration,
};

use async_trait::async_trait;
use rustls_pki_types::UnixTime;
use sealstone_keyring::{
    KeyEncryptionKey, KeyRing, KeyRingError, KeyStore, KeyStoreError, MaintainError, Replaced,
    RotationPolicy, RotationSettings, SealError, StoredRing, change, maintain,
};

/// Loses the first `lost` races to a rival that stores `rival`.
#[derive(Default)]
struct Store {
    rings: Mutex<BTreeMap<String, StoredRing>>,
    rival: Mutex<Vec<StoredRing>>,
}

#[async_trait]
impl KeyStore for Store {
    async fn load(&self, domain: &str) -> Result<Option<StoredRing>, KeyStoreError> {
        Ok(self.rings.lock().unwrap().get(domain).cloned())
    }

    async fn replace(
        &self,
        domain: &str,
        expected_generation: Option<u64>,
        ring: &StoredRing,
    ) -> Result<Replaced, KeyStoreError> {
        let mut rings = self.rings.lock().unwrap();
        if let Some(rival) = self.rival.lock().unwrap().pop() {
            rings.insert(domain.to_owned(), rival);
        }
        if rings.get(domain).map(|stored| stored.generation) != expected_generation {
            return Ok(Replaced::Conflict);
        }
        rings.insert(domain.to_owned(), ring.clone());
        Ok(Replaced::Done)
    }

    async fn domains(&self) -> Result<Vec<String>, KeyStoreError> {
        Ok(self.rings.lock().unwrap().keys().cloned().collect())
    }
}

/// The store never waits, so one poll is enough.
fn now_or_never<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the store waited"),
    }
}

fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(1_790_000_000 + seconds))
}

#[test]
fn rings_are_made_once_and_kept_up() {
    let (store, kek) = (Store::default(), KeyEncryptionKey::from_bytes([1; 32]));
    let policy = RotationPolicy::new(RotationSettings::default()).unwrap();
    let round = |seconds| now_or_never(maintain(&store, "demo", &policy, &kek, at(seconds))).unwrap();
    let made = round(0);
    assert!(made.created && made.ring.generation() == Some(1));
    let same = round(1);
    assert!(!same.created && same.done.is_empty() && same.ring.generation() == Some(1));
    assert_eq!(same.ring.published().to_json(), made.ring.published().to_json());

    let next = made.ring.next_change(&policy);
    let rotated = now_or_never(maintain(&store, "demo", &policy, &kek, next)).unwrap();
    assert_eq!(rotated.ring.generation(), Some(2));
    assert_eq!(rotated.ring.published().len(), 2);
    assert_eq!(now_or_never(store.domains()).unwrap(), ["demo"]);
}

#[test]
fn who_loses_the_race_takes_what_the_winner_stored() {
    let (store, kek) = (Store::default(), KeyEncryptionKey::from_bytes([1; 32]));
    let policy = RotationPolicy::new(RotationSettings::default()).unwrap();
    let winner = KeyRing::bootstrap(&policy, at(0)).unwrap();
    store
        .rival
        .lock()
        .unwrap()
        .push(winner.seal("demo", &kek).unwrap());
    let kept = now_or_never(maintain(&store, "demo", &policy, &kek, at(0))).unwrap();
    assert!(!kept.created);
    assert_eq!(kept.ring.published().to_json(), winner.published().to_json());
}

#[test]
fn a_ring_that_does_not_open_is_left_alone() {
    let (store, kek) = (Store::default(), KeyEncryptionKey::from_bytes([1; 32]));
    let policy = RotationPolicy::new(RotationSettings::default()).unwrap();
    now_or_never(maintain(&store, "demo", &policy, &kek, at(0))).unwrap();
    let before = now_or_never(store.load("demo")).unwrap();
    let other = KeyEncryptionKey::from_bytes([2; 32]);
    let error = now_or_never(maintain(&store, "demo", &policy, &other, at(0))).unwrap_err();
    assert!(matches!(error, MaintainError::Seal(SealError::OtherKey { .. })));
    assert_eq!(now_or_never(store.load("demo")).unwrap(), before);
}

#[test]
fn an_administrators_change_is_made_on_the_ring_that_is_stored() {
    let (store, kek) = (Store::default(), KeyEncryptionKey::from_bytes([1; 32]));
    let policy = RotationPolicy::new(RotationSettings::default()).unwrap();
    let none = now_or_never(change(&store, "demo", &policy, &kek, |_ring| Ok(())));
    assert!(matches!(none, Err(MaintainError::Missing)));
    let made = now_or_never(maintain(&store, "demo", &policy, &kek, at(0))).unwrap();
    let stolen = made.ring.keys()[0].kid().clone();
    // Somebody publishes a successor meanwhile: it is not lost.
    let mut rival = made.ring.clone();
    let rotation = rival.rotate_now(&policy);
    let published = rival.apply(&rotation, &policy, at(1)).unwrap();
    store
        .rival
        .lock()
        .unwrap()
        .push(rival.seal("demo", &kek).unwrap());
    let revoke = |ring: &mut KeyRing| ring.revoke(&stolen, &policy, at(2));
    let (ring, fresh) = now_or_never(change(&store, "demo", &policy, &kek, revoke)).unwrap();
    assert_eq!(ring.generation(), Some(3));
    assert!(ring.find(&published[0]).is_some() && fresh.is_some());
    assert_eq!(ring.revoked().next().unwrap().kid(), &stolen);
    // What is refused changes nothing.
    let before = now_or_never(store.load("demo")).unwrap();
    let again = now_or_never(change(&store, "demo", &policy, &kek, revoke));
    assert!(matches!(
        again,
        Err(MaintainError::Ring(KeyRingError::AlreadyRevoked(_)))
    ));
    assert_eq!(now_or_never(store.load("demo")).unwrap(), before);
}
