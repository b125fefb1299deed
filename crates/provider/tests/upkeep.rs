//! What keeps a provider true: news do not wait for keys that are made, and nothing older takes the place of what is served.

use async_trait::async_trait;
use rustls_pki_types::UnixTime;
use sealstone_audit::MemorySink;
use sealstone_identity::DomainId;
use sealstone_jose::Algorithm;
use sealstone_keyring::{
    KeyEncryptionKey, KeyRing, KeyStore, KeyStoreError, MaintainError as RingError, Replaced, RotationPolicy,
    RotationSettings, StoredRing,
};
use sealstone_provider::{
    BaseUrl, Clock, KeyWork, MaintainError, Ports, Provider, ProviderConfig, SystemEntropy, Upkeep,
};
use sealstone_registry::{Domain, DomainStore as _, Pepper};
use sealstone_storage::MemoryStore;
use sealstone_testkit::ManualClock;
use sealstone_tokens::{RevocationStore as _, RevokedToken};
use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::yield_now;

#[derive(Debug)]
struct TestClock(ManualClock);

impl Clock for TestClock {
    fn now(&self) -> UnixTime {
        self.0.now()
    }
}

/// Told when it is reached; goes on when it is told to.
type Gate = (oneshot::Sender<()>, oneshot::Receiver<()>);

/// The memory store, slow where a test wants it.
struct SlowKeys {
    store: Arc<MemoryStore>,
    /// Given in the place of the store's ring, whatever domain is asked for.
    put_back: Mutex<Option<StoredRing>>,
    /// The next ring to be stored waits here.
    gate: Mutex<Option<Gate>>,
    /// Makes every reading take so many turns of the others, before and after it; drawn from this.
    turns: AtomicU64,
}

impl SlowKeys {
    fn hold_next_replace(&self) -> (oneshot::Receiver<()>, oneshot::Sender<()>) {
        let ((reached, is_reached), (go_on, goes_on)) = (oneshot::channel(), oneshot::channel());
        *self.gate.lock().unwrap() = Some((reached, goes_on));
        (is_reached, go_on)
    }

    async fn dawdle(&self) {
        if self.turns.load(Ordering::Relaxed) != 0 {
            for _turn in 0..draw(&self.turns, 4) {
                yield_now().await;
            }
        }
    }
}

/// The next number below `below`, of a sequence that the seed decides (xorshift).
fn draw(seed: &AtomicU64, below: u64) -> u64 {
    let mut next = seed.load(Ordering::Relaxed);
    next ^= next << 13;
    next ^= next >> 7;
    next ^= next << 17;
    seed.store(next, Ordering::Relaxed);
    next % below
}

#[async_trait]
impl KeyStore for SlowKeys {
    async fn load(&self, domain: &str) -> Result<Option<StoredRing>, KeyStoreError> {
        self.dawdle().await;
        let put_back = self.put_back.lock().unwrap().clone();
        let stored = match put_back {
            Some(ring) => Ok(Some(ring)),
            None => self.store.load(domain).await,
        };
        self.dawdle().await;
        stored
    }

    async fn replace(
        &self,
        domain: &str,
        expected_generation: Option<u64>,
        ring: &StoredRing,
    ) -> Result<Replaced, KeyStoreError> {
        let gate = self.gate.lock().unwrap().take();
        if let Some((reached, go_on)) = gate {
            reached.send(()).unwrap();
            go_on.await.unwrap();
        }
        self.store.replace(domain, expected_generation, ring).await
    }

    async fn domains(&self) -> Result<Vec<String>, KeyStoreError> {
        KeyStore::domains(&*self.store).await
    }
}

struct World {
    store: Arc<MemoryStore>,
    keys: Arc<SlowKeys>,
    clock: ManualClock,
    provider: Provider,
}

fn domain(name: &str) -> DomainId {
    DomainId::parse(name).unwrap()
}

fn policy() -> RotationPolicy {
    let settings = RotationSettings {
        algorithms: vec![Algorithm::Es256],
        ..RotationSettings::default()
    };
    RotationPolicy::new(settings).unwrap()
}

fn kek() -> KeyEncryptionKey {
    KeyEncryptionKey::from_bytes([2; 32])
}

impl World {
    async fn with(domains: &[&str]) -> Self {
        let store = Arc::new(MemoryStore::new());
        let keys = Arc::new(SlowKeys {
            store: store.clone(),
            put_back: Mutex::default(),
            gate: Mutex::default(),
            turns: AtomicU64::new(0),
        });
        let clock = ManualClock::default();
        let ports = Ports {
            clients: store.clone(),
            domains: store.clone(),
            keys: keys.clone(),
            revocations: store.clone(),
            assertions: store.clone(),
            audit: Arc::new(MemorySink::default()),
            identity: None,
            people: None,
            clock: Arc::new(TestClock(clock.clone())),
            entropy: Arc::new(SystemEntropy),
        };
        let config = ProviderConfig {
            base: BaseUrl::parse("https://id.example").unwrap(),
            mtls_base: None,
            rotation: policy(),
            pepper: Pepper::from_bytes([7; 32]),
            key_encryption_key: kek(),
        };
        let world = Self {
            store,
            keys,
            clock,
            provider: Provider::new(config, ports),
        };
        for name in domains {
            world.enable(name, true).await;
        }
        world
    }

    async fn enable(&self, name: &str, is_enabled: bool) {
        let record = || Domain::new(domain(name), name, is_enabled).unwrap();
        let _known = self.store.insert_domain(record()).await.unwrap();
        let _done = self.store.replace_domain(record()).await.unwrap();
    }

    fn served(&self) -> Vec<String> {
        let domains = self.provider.domains();
        domains.iter().map(ToString::to_string).collect()
    }

    fn kids(&self, name: &str) -> String {
        self.provider.jwks(&domain(name)).unwrap().to_string()
    }

    fn revoked_keys(&self, name: &str) -> usize {
        let document = self.provider.revocation_document(&domain(name));
        document.unwrap().revoked_keys.len()
    }

    /// As `sealstone key revoke` does it, on the store: the key that signs goes, a fresh one takes its place.
    async fn revoke_key(&self, name: &str) {
        let stored = self.store.load(name).await.unwrap().unwrap();
        let mut ring = KeyRing::open(name, &stored, &kek()).unwrap();
        let kid = ring.active(Algorithm::Es256).unwrap().kid().clone();
        let _fresh = ring.revoke(&kid, &policy(), self.clock.now()).unwrap();
        let changed = ring.seal(name, &kek()).unwrap();
        let replaced = self.store.replace(name, ring.generation(), &changed).await;
        assert_eq!(replaced.unwrap(), Replaced::Done);
    }
}

#[tokio::test]
async fn each_new_domain_is_served_as_soon_as_its_own_keys_are_there() {
    let world = World::with(&["a", "b", "c"]).await;
    let loaded = world.provider.load(Upkeep::Leads).await.unwrap();
    assert_eq!(
        (loaded.issuers, world.served().len()),
        (0, 0),
        "nothing is made yet"
    );
    let due: Vec<_> = loaded
        .due
        .iter()
        .map(|due| (due.domain.as_str(), due.work))
        .collect();
    let first = KeyWork::First;
    assert_eq!(due, [("a", first), ("b", first), ("c", first)]);
    for (name, others) in [("b", ["a", "c"]), ("a", ["c", "c"])] {
        world.provider.keep_keys(&domain(name)).await.unwrap();
        assert!(world.provider.issuer_exists(&domain(name)));
        for other in others {
            assert!(!world.provider.issuer_exists(&domain(other)));
            assert!(world.provider.is_awaited(other));
        }
    }
    assert!(!world.provider.is_awaited("nobody"));
    let loaded = world.provider.load(Upkeep::Leads).await.unwrap();
    let due: Vec<_> = loaded.due.iter().map(|due| due.domain.as_str()).collect();
    assert_eq!((loaded.issuers, due), (2, vec!["c"]));
}

/// Of several nodes, those that follow make nothing, and say to whoever asks that there will be an issuer.
#[tokio::test]
async fn who_follows_has_nothing_to_do_and_awaits_the_leader() {
    let world = World::with(&["a"]).await;
    let loaded = world.provider.load(Upkeep::Follows).await.unwrap();
    assert_eq!((loaded.due, loaded.next_change), (Vec::new(), None));
    assert!(world.provider.is_awaited("a"));
    assert!(world.store.load("a").await.unwrap().is_none());
}

#[tokio::test]
async fn news_of_other_domains_do_not_wait_for_a_key_that_is_made() {
    let world = World::with(&["old"]).await;
    world.provider.maintain().await.unwrap();
    world.enable("new", true).await;
    let (is_reached, go_on) = world.keys.hold_next_replace();
    let provider = world.provider.clone();
    let made = tokio::spawn(async move { provider.keep_keys(&domain("new")).await });
    is_reached.await.unwrap();

    let before = world.kids("old");
    world.revoke_key("old").await;
    let revoked = RevokedToken {
        token_id: sealstone_oauth_types::TokenId::parse("stolen").unwrap(),
        expires_at: UnixTime::since_unix_epoch(Duration::from_secs(world.clock.now().as_secs() + 600)),
    };
    world.store.revoke(&domain("old"), &revoked).await.unwrap();
    world.enable("other", true).await;
    world.provider.load(Upkeep::Leads).await.unwrap();
    assert_ne!(world.kids("old"), before);
    let document = world.provider.revocation_document(&domain("old")).unwrap();
    assert_eq!(
        (document.revoked_keys.len(), document.revoked_tokens.len()),
        (1, 1)
    );
    world.provider.keep_keys(&domain("other")).await.unwrap();
    assert_eq!(world.served(), ["old", "other"]);
    assert!(world.provider.is_awaited("new"));

    go_on.send(()).unwrap();
    made.await.unwrap().unwrap();
    assert_eq!(world.served(), ["new", "old", "other"]);
}

/// Whatever overlaps with whatever: what a look that began after a revocation has served is never taken back, and it has
/// it.
#[tokio::test]
async fn an_older_look_never_takes_the_place_of_a_newer() {
    const SEEDS: u64 = 60;
    for seed in 1..=SEEDS {
        let world = World::with(&["a", "b"]).await;
        world.provider.maintain().await.unwrap();
        world
            .keys
            .turns
            .store(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1, Ordering::Relaxed);
        let (done, seen) = (Cell::new(0_usize), Cell::new(0_usize));
        let check = || {
            let served = world.revoked_keys("a");
            assert!(served >= seen.get(), "seed {seed}: {served} after {}", seen.get());
            seen.set(served);
        };
        let thief = async {
            for count in 1..=6 {
                world.keys.dawdle().await;
                world.revoke_key("a").await;
                done.set(count);
                check();
            }
        };
        let look = |keeps: bool| {
            let (world, done, check) = (&world, &done, &check);
            async move {
                for _round in 0..6 {
                    world.keys.dawdle().await;
                    let known = done.get();
                    if keeps {
                        world.provider.keep_keys(&domain("a")).await.unwrap();
                    } else {
                        world.provider.load(Upkeep::Leads).await.unwrap();
                    }
                    check();
                    assert!(world.revoked_keys("a") >= known, "seed {seed}");
                }
            }
        };
        tokio::join!(thief, look(false), look(true), look(false), look(true));
        world.provider.load(Upkeep::Leads).await.unwrap();
        assert_eq!(world.revoked_keys("a"), 6, "seed {seed}");
    }
}

/// A record that somebody damaged is one domain's trouble: the others hear their news, and it is served as before.
#[tokio::test]
async fn one_damaged_ring_keeps_no_other_domain_from_its_news() {
    let world = World::with(&["a", "b", "c"]).await;
    world.provider.maintain().await.unwrap();
    let before = world.kids("a");
    let damaged = StoredRing {
        generation: 9,
        json: "{}".to_owned(),
    };
    let replaced = world.store.replace("a", Some(1), &damaged).await.unwrap();
    assert_eq!(replaced, Replaced::Done);
    world.revoke_key("b").await;
    world.enable("c", false).await;
    let loaded = world.provider.load(Upkeep::Leads).await.unwrap();
    let [
        MaintainError::Ring {
            domain: which,
            source,
        },
    ] = &*loaded.failed
    else {
        panic!("{:?}", loaded.failed);
    };
    assert_eq!(which.as_str(), "a");
    assert!(matches!(source, RingError::Seal(_)), "{source:?}");
    assert_eq!(world.kids("a"), before);
    assert_eq!(world.revoked_keys("b"), 1);
    assert_eq!(world.served(), ["a", "b"]);
    // Whoever asks for all of it at once is told.
    assert!(world.provider.maintain().await.is_err());
}

/// A database that was put back from a copy counts on from there: another ring, of the same generation.
#[tokio::test]
async fn a_ring_of_the_same_generation_that_is_another_is_taken() {
    let world = World::with(&["a"]).await;
    world.provider.maintain().await.unwrap();
    let copy = world.store.load("a").await.unwrap().unwrap();
    world.revoke_key("a").await;
    world.provider.load(Upkeep::Leads).await.unwrap();
    let lost = world.kids("a");
    let elsewhere = World::with(&["a"]).await;
    let _stored = elsewhere.store.replace("a", None, &copy).await.unwrap();
    elsewhere.revoke_key("a").await;
    let other = elsewhere.store.load("a").await.unwrap().unwrap();
    let known = world.store.load("a").await.unwrap().unwrap();
    assert_eq!(other.generation, known.generation);
    *world.keys.put_back.lock().unwrap() = Some(other);
    world.provider.load(Upkeep::Leads).await.unwrap();
    assert_ne!(world.kids("a"), lost);
    let kids: BTreeSet<String> = [elsewhere_kids(&elsewhere).await, world.kids("a")].into();
    assert_eq!(kids.len(), 1, "every node serves what is stored");
}

async fn elsewhere_kids(world: &World) -> String {
    world.provider.load(Upkeep::Follows).await.unwrap();
    world.kids("a")
}

/// A domain that is disabled while its keys are made is not served, and one that is gone before.
#[tokio::test]
async fn who_is_disabled_meanwhile_is_not_served() {
    let world = World::with(&["a"]).await;
    let (is_reached, go_on) = world.keys.hold_next_replace();
    let provider = world.provider.clone();
    let made = tokio::spawn(async move { provider.keep_keys(&domain("a")).await });
    is_reached.await.unwrap();
    world.enable("a", false).await;
    go_on.send(()).unwrap();
    made.await.unwrap().unwrap();
    assert!(world.served().is_empty());
    // Its keys are there for when it is enabled again.
    world.enable("a", true).await;
    let loaded = world.provider.load(Upkeep::Leads).await.unwrap();
    assert_eq!((loaded.issuers, loaded.due), (1, Vec::new()));
}

/// A rotation is told by what it takes, and served on meanwhile; when it is done nothing is due.
#[tokio::test]
async fn a_rotation_is_due_as_what_it_takes() {
    let world = World::with(&["a"]).await;
    world.provider.maintain().await.unwrap();
    let (published, active) = (policy().publish_lead(), policy().active_lifetime());
    for (wait, work) in [
        (active - published, KeyWork::Successor),
        (published, KeyWork::Change),
        (policy().retire_lifetime(), KeyWork::Change),
    ] {
        world.clock.advance(wait - Duration::from_secs(1));
        let early = world.provider.load(Upkeep::Leads).await.unwrap();
        assert_eq!(early.due, Vec::new(), "{work:?}");
        world.clock.advance(Duration::from_secs(1));
        let loaded = world.provider.load(Upkeep::Leads).await.unwrap();
        let due: Vec<_> = loaded.due.iter().map(|due| due.work).collect();
        assert_eq!(due, [work]);
        assert!(loaded.next_change.unwrap() <= world.clock.now());
        assert_eq!(world.provider.keep_keys(&domain("a")).await.unwrap(), 1);
        let after = world.provider.load(Upkeep::Leads).await.unwrap();
        assert_eq!(after.due, Vec::new());
        assert!(after.next_change.unwrap() > world.clock.now());
    }
}
