//! Keys that take long to make: everybody else is answered meanwhile, few wait, and nobody's word is used up for nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use sealstone_audit::{Action, Outcome, Target};
use sealstone_http::BlockingWorkshop;
use sealstone_jose::{Algorithm, HeldKey, JoseError, Jwk, KeyId, PrivateKey, Signer};
use sealstone_keyring::{HomeKey, KeyHome, KeyHomeError, KeyReference};
use sealstone_provider::Administration;
use sealstone_storage::MemoryStore;
use serde_json::json;
use tokio::sync::Notify;
use tokio::task::{self, JoinHandle};

use crate::administrators::{administration, cloud, refused};
use crate::keys::{KEYS, by_two, confirm, revoke, word};
use crate::support::{Administrators, Answer, Ask, Beside, ISSUER, TOKEN, World, send};

/// One place, and the eight who may wait for it.
const ADMITTED: usize = 9;
/// Longer than any test: only code that is wrong waits for so long.
const NEVER: Duration = Duration::from_secs(20);

/// A home whose keys are made when the test says so.
#[derive(Default)]
struct Home {
    keys: Mutex<BTreeMap<String, Arc<Held>>>,
    /// Whether keys are made at once.
    is_shut: Mutex<bool>,
    /// Keys that are made although it is shut: the next ones that somebody wants.
    passes: Mutex<usize>,
    opened: Condvar,
    /// Somebody waits for a key.
    begun: Notify,
}

struct Held(Signer);

impl HeldKey for Held {
    fn sign(&self, message: &[u8], out: &mut Vec<u8>) -> Result<(), JoseError> {
        self.0.sign(message, out)
    }
}

impl fmt::Debug for Home {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Home").finish_non_exhaustive()
    }
}

impl Home {
    fn shut(&self) {
        *self.is_shut.lock() = true;
    }

    /// The next who wants a key gets it; who waits goes on waiting.
    fn let_one_pass(&self) {
        *self.passes.lock() += 1;
    }

    fn passes(&self) -> bool {
        let mut passes = self.passes.lock();
        let left = passes.checked_sub(1);
        *passes = left.unwrap_or_default();
        left.is_some()
    }

    fn open(&self) {
        *self.is_shut.lock() = false;
        self.opened.notify_all();
    }
}

impl KeyHome for Home {
    fn generate(&self, algorithm: Algorithm) -> Result<HomeKey, KeyHomeError> {
        let mut is_shut = self.is_shut.lock();
        if *is_shut && !self.passes() {
            self.begun.notify_one();
            let waited = self
                .opened
                .wait_while_for(&mut is_shut, |is_shut| *is_shut, NEVER);
            if waited.timed_out() {
                return Err(KeyHomeError::new("whoever is to open it waits for this thread"));
            }
        }
        let key = PrivateKey::generate(algorithm).unwrap();
        let mut keys = self.keys.lock();
        let name = format!("key:{}", keys.len());
        let held = Arc::new(Held(Signer::new(&key, KeyId::parse("any").unwrap()).unwrap()));
        keys.insert(name.clone(), held.clone());
        Ok(HomeKey {
            reference: KeyReference::parse(&name).unwrap(),
            public: key.public_jwk().clone(),
            key: held,
        })
    }

    fn find(
        &self,
        reference: &KeyReference,
        _: Algorithm,
        _: &Jwk,
    ) -> Result<Arc<dyn HeldKey>, KeyHomeError> {
        let found = self.keys.lock().get(reference.as_str()).cloned();
        Ok(found.ok_or_else(|| KeyHomeError::new("no such key"))?)
    }

    fn destroy(&self, _: &KeyReference) -> Result<(), KeyHomeError> {
        Ok(())
    }
}

fn one_place(mut administration: Administration) -> Administration {
    administration.keys.workshop = Arc::new(BlockingWorkshop::with_places(1));
    administration
}

fn by_one_in_turn(store: Arc<MemoryStore>) -> Administration {
    one_place(administration(store))
}

fn by_two_in_turn(store: Arc<MemoryStore>) -> Administration {
    one_place(by_two(store))
}

/// A server with one thread for everybody, as `tokio::test` gives it, and a home that is shut.
async fn world(administration: Administrators) -> (World, Arc<Home>) {
    let home = Arc::new(Home::default());
    let beside = Beside {
        administration: Some(administration),
        home: Some(home.clone()),
        ..Beside::default()
    };
    let world = World::build_beside(|config| config, |clients| clients, beside).await;
    home.shut();
    (world, home)
}

/// On its way, whoever waits for it.
fn sent(world: &World, ask: Ask) -> JoinHandle<Answer> {
    tokio::spawn(send(world.router.clone(), ask))
}

/// Lets every task that is ready run until it waits.
async fn settle() {
    for _round in 0..64 {
        task::yield_now().await;
    }
}

async fn until(mut is_so: impl FnMut() -> bool) {
    let waits = async {
        while !is_so() {
            task::yield_now().await;
        }
    };
    tokio::time::timeout(NEVER, waits).await.unwrap();
}

/// So many rotations that no more may wait.
async fn full(world: &World, home: &Home) -> Vec<JoinHandle<Answer>> {
    let first = sent(world, cloud("POST", KEYS));
    home.begun.notified().await;
    let rest = (1..ADMITTED).map(|_| sent(world, cloud("POST", KEYS)));
    let all = std::iter::once(first).chain(rest).collect();
    settle().await;
    all
}

#[tokio::test]
async fn others_are_answered_while_a_key_is_made() {
    let (world, home) = world(by_one_in_turn).await;
    let before = world.active().await;
    for ask in [cloud("POST", KEYS), revoke(&before)] {
        home.shut();
        let asked = sent(&world, ask);
        home.begun.notified().await;
        let token = world.token_of("ci").await;
        assert!(world.is_active(&token).await);
        for uri in [&format!("{ISSUER}/jwks"), KEYS, "/v4/oauth2/demo/clients"] {
            assert_eq!(world.send(cloud("GET", uri)).await.status, 200, "{uri}");
        }
        assert!(!asked.is_finished());
        assert_eq!(world.active().await, before, "nothing is changed by halves");
        home.open();
        let answer = asked.await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    assert_ne!(world.active().await, before);
}

#[tokio::test]
async fn who_comes_when_too_many_keys_are_made_is_told_so_at_once() {
    let (world, home) = world(by_one_in_turn).await;
    let kid = world.active().await;
    let waiting = full(&world, &home).await;
    assert!(waiting.iter().all(|one| !one.is_finished()));
    let answer = world.send(cloud("POST", KEYS)).await;
    refused(&answer, 503, "temporarily_unavailable", "one too many");
    assert_eq!(answer.header("retry-after"), Some("2"));
    let told = world.of(Action::RotateKey, Outcome::Failure);
    assert!(format!("{told:?}").contains("keys_busy"), "{told:?}");
    // Whom no key is made for is not told to wait.
    let nobody = world.send(Ask::post(KEYS).bearer("x.y.z")).await;
    refused(&nobody, 401, "invalid_token", "nobody");
    home.open();
    let mut published = Vec::new();
    for asked in waiting {
        let answer = asked.await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
        published.extend(answer.json()["published"].as_array().unwrap().clone());
    }
    assert_eq!(published.len(), 1, "the rest find a successor that waits");
    assert_eq!(world.send(revoke(&kid)).await.status, 200, "there is room again");
}

/// The urgent one: whoever has keys made, and however many, does not stand before it.
#[tokio::test]
async fn a_revocation_does_not_wait_for_those_who_have_keys_made() {
    let (world, home) = world(by_one_in_turn).await;
    let kid = world.active().await;
    let waiting = full(&world, &home).await;
    home.let_one_pass();
    let answer = world.send(revoke(&kid)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(!world.is_published(&kid).await);
    assert!(waiting.iter().all(|one| !one.is_finished()));
    home.open();
    for asked in waiting {
        assert_eq!(asked.await.unwrap().status, 200);
    }
    assert!(!world.is_published(&kid).await, "nobody brings it back");
}

#[tokio::test]
async fn nor_does_the_second_administrators_word() {
    let (world, home) = world(by_two_in_turn).await;
    let kid = world.active().await;
    let id = "00112233445566aa";
    let asked = revoke(&kid).json(&word("alice", id, &kid).body(&world));
    assert_eq!(world.send(asked).await.status, 202);
    let waiting = full(&world, &home).await;
    home.let_one_pass();
    let agreed = confirm(&kid).json(&word("bob", id, &kid).body(&world));
    assert_eq!(world.send(agreed).await.status, 200);
    assert_ne!(world.active().await, kid);
    assert!(waiting.iter().all(|one| !one.is_finished()));
    home.open();
    for asked in waiting {
        assert_eq!(asked.await.unwrap().status, 200);
    }
}

/// Two at once, and eight who may wait.
const REVOCATIONS: usize = 10;

#[tokio::test]
async fn too_many_revocations_are_told_so_and_a_second_administrators_word_is_not_used_up() {
    let (world, home) = world(by_two_in_turn).await;
    let kid = world.active().await;
    let ids: Vec<String> = (0..=REVOCATIONS).map(|number| format!("{number:016x}")).collect();
    for id in &ids {
        let asked = revoke(&kid).json(&word("alice", id, &kid).body(&world));
        assert_eq!(world.send(asked).await.status, 202);
    }
    let agreed = |id: &str| confirm(&kid).json(&word("bob", id, &kid).body(&world));
    let (last, first) = ids.split_last().unwrap();
    let waiting: Vec<_> = first.iter().map(|id| sent(&world, agreed(id))).collect();
    home.begun.notified().await;
    settle().await;
    let answer = world.send(agreed(last)).await;
    refused(&answer, 503, "temporarily_unavailable", "no place");
    assert_eq!(answer.header("retry-after"), Some("2"));
    let told = world.of(Action::ConfirmKeyChange, Outcome::Failure);
    assert!(format!("{told:?}").contains("keys_busy"), "{told:?}");
    home.open();
    let mut done = Vec::new();
    for asked in waiting {
        done.push(asked.await.unwrap().status.as_u16());
    }
    done.sort_unstable();
    assert_eq!(done[0], 200, "{done:?}");
    assert!(done[1..].iter().all(|status| *status == 409), "{done:?}");
    // The last administrator's word was not used up: it is spent now.
    let again = world.send(agreed(last)).await;
    refused(&again, 409, "invalid_request", "too late");
    assert!(again.text.contains("the key is revoked already"), "{again:?}");
    let third = world.send(agreed(last)).await;
    assert!(third.text.contains("it was confirmed before"), "{third:?}");
}

/// A thief of a token could else change keys and leave no trace: send, and close the connection.
#[tokio::test]
async fn s19_a_change_is_recorded_though_whoever_asked_is_gone() {
    let (world, home) = world(by_one_in_turn).await;
    let kid = world.active().await;
    let asked = sent(&world, revoke(&kid));
    home.begun.notified().await;
    asked.abort();
    assert!(asked.await.unwrap_err().is_cancelled());
    home.open();
    until(|| !world.of(Action::RevokeKey, Outcome::Success).is_empty()).await;
    let recorded = world.of(Action::RevokeKey, Outcome::Success);
    assert_eq!(recorded[0].target, Target::Key(kid.as_str().into()));
    assert_ne!(world.active().await, kid);
    assert!(!world.is_published(&kid).await);
}

/// What is asked of one node is confirmed at another, and lapses there by the clock; so is the key out of use.
#[tokio::test]
async fn s02_two_administrators_agree_at_two_nodes() {
    let (world, home) = world(by_two_in_turn).await;
    home.open();
    let (other, router) = world.another(by_two_in_turn, home.clone()).await;
    let there = |ask: Ask| send(router.clone(), ask);
    let kid = world.active().await;
    let token = world.token_of("ci").await;
    let ask = |id: &str| revoke(&kid).json(&word("alice", id, &kid).body(&world));
    let agree = |id: &str| confirm(&kid).json(&word("bob", id, &kid).body(&world));
    let (lapses, stands) = ("000000000000000a", "000000000000000b");

    assert_eq!(world.send(ask(lapses)).await.status, 202);
    refused(
        &there(ask(lapses)).await,
        409,
        "invalid_request",
        "the same, there",
    );
    let told = there(cloud("GET", KEYS)).await.json();
    assert_eq!(told["requests"][0]["request"], lapses);
    world.clock.advance(Duration::from_secs(15 * 60));
    refused(&there(agree(lapses)).await, 409, "invalid_request", "too late");
    assert_eq!(there(cloud("GET", KEYS)).await.json()["requests"], json!([]));
    assert_eq!(world.active().await, kid);

    assert_eq!(world.send(ask(stands)).await.status, 202);
    let own = confirm(&kid).json(&word("alice", stands, &kid).body(&world));
    refused(&there(own).await, 403, "access_denied", "the same administrator");
    let done = there(agree(stands)).await;
    assert_eq!(done.status, 200, "{done:?}");
    refused(
        &world.send(agree(stands)).await,
        409,
        "invalid_request",
        "again, here",
    );

    // The node that was asked second acts at once; the first as soon as it is told.
    let jwks = || Ask::get(&format!("{ISSUER}/jwks"));
    assert!(!there(jwks()).await.text.contains(&kid));
    assert!(world.is_published(&kid).await, "not told yet");
    world
        .provider
        .load(sealstone_provider::Upkeep::Follows)
        .await
        .unwrap();
    other.load(sealstone_provider::Upkeep::Follows).await.unwrap();
    assert!(!world.is_published(&kid).await && !world.is_active(&token).await);
    let fresh = done.json()["signs_now"].as_str().unwrap().to_owned();
    let new = there(Ask::post(TOKEN).basic("ci").form("grant_type=client_credentials")).await;
    assert!(world.is_published(&fresh).await);
    assert!(
        world
            .is_active(new.json()["access_token"].as_str().unwrap())
            .await
    );
}
