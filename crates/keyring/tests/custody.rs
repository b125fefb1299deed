//! Where private keys are: under which key-encryption key, brought from elsewhere, or in another's hands.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use rustls_pki_types::UnixTime;
use sealstone_jose::{Algorithm, HeldKey, JoseError, Jwk, KeyId, PrivateKey, Signer};
use sealstone_keyring::{
    Administrators, AdministratorsError, HomeKey, KeyEncryptionKey, KeyHome, KeyHomeError, KeyReference,
    KeyRing, KeyRingError, KeyState, KeyStatement, KeyStore, KeyStoreError, MaintainError, Replaced,
    RotationPolicy, RotationSettings, SealError, SecretPlace, SecretPurpose, StoredRing, UnwrapKey, follow,
    maintain, rewrap,
};
use zeroize::Zeroizing;

const OLD: &str = "8Jmq5OTmLrqvTuiUpeGr9ATXgoE4kwJlXNVfqDNVzMY";
const NEW: &str = "6b1d0c8f7a3e4b5d9c2f1a0e8d7c6b5a493827160f5e4d3c2b1a09f8e7d6c5b4";
const LEAD: u64 = 3600;

fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(1_790_000_000 + seconds))
}

fn policy() -> RotationPolicy {
    RotationPolicy::new(RotationSettings::default()).unwrap()
}

fn kek(lines: &[&str]) -> KeyEncryptionKey {
    KeyEncryptionKey::parse(&lines.join("\n")).unwrap()
}

#[derive(Default)]
struct Store {
    rings: Mutex<BTreeMap<String, StoredRing>>,
    /// Another process changes the ring before so many replacements.
    overtaken: Mutex<u32>,
}

#[async_trait]
impl KeyStore for Store {
    async fn load(&self, domain: &str) -> Result<Option<StoredRing>, KeyStoreError> {
        Ok(self.rings.lock().unwrap().get(domain).cloned())
    }

    async fn replace(
        &self,
        domain: &str,
        expected: Option<u64>,
        ring: &StoredRing,
    ) -> Result<Replaced, KeyStoreError> {
        let mut overtaken = self.overtaken.lock().unwrap();
        let mut rings = self.rings.lock().unwrap();
        if *overtaken > 0 {
            *overtaken -= 1;
            if let Some(stored) = rings.get_mut(domain) {
                stored.generation += 1;
            }
            return Ok(Replaced::Conflict);
        }
        if rings.get(domain).map(|stored| stored.generation) != expected {
            return Ok(Replaced::Conflict);
        }
        rings.insert(domain.to_owned(), ring.clone());
        Ok(Replaced::Done)
    }

    async fn domains(&self) -> Result<Vec<String>, KeyStoreError> {
        Ok(self.rings.lock().unwrap().keys().cloned().collect())
    }
}

/// The futures here never wait.
fn now<T>(future: impl Future<Output = T>) -> T {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => unreachable!("nothing here waits"),
    }
}

#[test]
fn the_first_key_of_a_file_seals_and_all_open() {
    let (old, new, both) = (kek(&[OLD]), kek(&[NEW]), kek(&["# new", NEW, "", OLD]));
    assert_eq!(both.ids(), [new.id(), old.id()]);
    let ring = KeyRing::bootstrap(&policy(), at(0)).unwrap();
    let under_old = ring.seal("demo", &old).unwrap();
    let under_both = ring.seal("demo", &both).unwrap();
    assert_eq!(under_both.sealed_under(), Some(new.id()));
    KeyRing::open("demo", &under_old, &both).unwrap();
    KeyRing::open("demo", &under_both, &new).unwrap();
    let refused = KeyRing::open("demo", &under_both, &old).unwrap_err();
    assert!(matches!(refused, SealError::OtherKey { .. }));
    assert!(refused.to_string().contains(&new.id()), "{refused}");
    assert!(!format!("{both:?}").contains(&NEW[..8]));
}

#[test]
fn keys_that_are_replaced_are_so_in_every_clone() {
    let running = kek(&[OLD]);
    let elsewhere = running.clone();
    let place = SecretPlace {
        purpose: SecretPurpose::ClientSecret,
        domain: "demo",
        client: "ci",
    };
    let early = elsewhere.seal_secret(place, "geheim").unwrap();
    running.replace(&kek(&[NEW, OLD]));
    assert_eq!(elsewhere.id(), kek(&[NEW]).id());
    let late = elsewhere.seal_secret(place, "geheim").unwrap();
    assert_eq!(*elsewhere.open_secret(place, &early).unwrap(), "geheim");
    let moved = elsewhere.rewrap_secret(place, &early).unwrap().unwrap();
    assert!(
        elsewhere.rewrap_secret(place, &moved).unwrap().is_none(),
        "once is enough"
    );
    assert!(elsewhere.rewrap_secret(place, &late).unwrap().is_none());
    running.replace(&kek(&[NEW]));
    assert_eq!(*elsewhere.open_secret(place, &moved).unwrap(), "geheim");
    assert!(elsewhere.open_secret(place, &early).is_err());
    assert!(elsewhere.rewrap_secret(place, &early).is_err());
}

#[test]
fn a_login_under_way_outlives_the_change() {
    let (old, both) = (kek(&[OLD]), kek(&[NEW, OLD]));
    let sealed = old.seal_login(&[1; 32], "half a login").unwrap();
    assert_eq!(*both.open_login(&[1; 32], &sealed).unwrap(), "half a login");
    assert!(
        both.rewrap_login(&[2; 32], &sealed).is_err(),
        "it is bound to its id"
    );
    let moved = both.rewrap_login(&[1; 32], &sealed).unwrap().unwrap();
    assert_eq!(*kek(&[NEW]).open_login(&[1; 32], &moved).unwrap(), "half a login");
    assert!(both.rewrap_login(&[1; 32], &moved).unwrap().is_none());
    assert!(old.open_login(&[1; 32], &moved).is_err());
}

#[test]
fn key_files_that_cannot_be_meant_are_refused() {
    let nine: Vec<String> = (0..9).map(|n| format!("{n}{}", &NEW[1..])).collect();
    let cases: &[(&str, String, &str)] = &[
        ("empty", "\n# nothing\n".to_owned(), "64 hexadecimal digits"),
        ("twice", format!("{OLD}\n{OLD}"), "twice"),
        (
            "a cut line",
            format!("{NEW}\n{}", &NEW[..40]),
            "64 hexadecimal digits",
        ),
        (
            "a repeated byte",
            format!("{NEW}\n{}", "00".repeat(32)),
            "not random",
        ),
        ("too many", nine.join("\n"), "more than 8"),
        ("wrapped, without an HSM", "wrapped.abc".to_owned(), "[pkcs11]"),
    ];
    for (name, text, want) in cases {
        let error = KeyEncryptionKey::parse(text).unwrap_err().to_string();
        assert!(error.contains(want), "{name}: {error}");
        assert!(!error.contains(&NEW[..12]), "{name}: {error}");
    }
}

struct Hsm(Result<Vec<u8>, &'static str>);

impl UnwrapKey for Hsm {
    fn unwrap_key(
        &self,
        wrapped: &str,
    ) -> Result<Zeroizing<Vec<u8>>, Box<dyn std::error::Error + Send + Sync>> {
        assert_eq!(wrapped, "one.two");
        Ok(Zeroizing::new(self.0.clone()?))
    }
}

#[test]
fn a_wrapped_key_is_what_the_hsm_says() {
    let bytes: Vec<u8> = (0..32).collect();
    let text = format!("{}\n{OLD}\n", KeyEncryptionKey::wrapped_line("one.two"));
    let keys = KeyEncryptionKey::parse_with(&text, Some(&Hsm(Ok(bytes.clone())))).unwrap();
    let plain = KeyEncryptionKey::from_bytes(bytes.try_into().unwrap());
    assert_eq!(keys.ids(), [plain.id(), kek(&[OLD]).id()]);
    for (hsm, want) in [
        (Hsm(Err("the PIN is wrong")), "the PIN is wrong"),
        (Hsm(Ok(vec![1; 31])), "64 hexadecimal digits"),
        (Hsm(Ok(vec![0; 32])), "not random"),
    ] {
        let error = KeyEncryptionKey::parse_with(&text, Some(&hsm)).unwrap_err();
        assert!(error.to_string().contains(want), "{error}");
    }
}

#[test]
fn a_ring_moves_to_the_new_key_once_whoever_else_changes_it() {
    let store = Store::default();
    let (old, both) = (kek(&[OLD]), kek(&[NEW, OLD]));
    assert!(!now(rewrap(&store, "demo", &both)).unwrap(), "nothing there");
    let made = now(maintain(&store, "demo", &policy(), &old, at(0))).unwrap();
    *store.overtaken.lock().unwrap() = 2;
    assert!(now(rewrap(&store, "demo", &both)).unwrap());
    assert!(
        !now(rewrap(&store, "demo", &both)).unwrap(),
        "it goes on where it was"
    );
    let ring = now(follow(&store, "demo", &policy(), &kek(&[NEW])))
        .unwrap()
        .unwrap();
    assert_eq!(ring.published().to_json(), made.ring.published().to_json());
    assert!(
        now(rewrap(&store, "demo", &old)).is_err(),
        "not readable, not touched"
    );
    assert!(now(follow(&store, "demo", &policy(), &kek(&[NEW]))).is_ok());
    *store.overtaken.lock().unwrap() = 100;
    store
        .rings
        .lock()
        .unwrap()
        .insert("demo".to_owned(), ring.seal("demo", &old).unwrap());
    assert!(matches!(
        now(rewrap(&store, "demo", &both)),
        Err(MaintainError::Contended)
    ));
}

#[test]
fn an_imported_key_waits_and_signs() {
    let mut ring = KeyRing::bootstrap(&policy(), at(0)).unwrap();
    let key = PrivateKey::generate(Algorithm::Es256).unwrap();
    let kid = ring.import(key.clone(), &policy(), at(10)).unwrap();
    assert_eq!(kid.as_str(), key.public_jwk().thumbprint().to_string());
    assert_eq!(ring.find(&kid).unwrap().state(), KeyState::Published);
    let due = ring.due(&policy(), at(10 + LEAD - 1));
    assert!(due.is_empty(), "verifiers learn it first");
    let due = ring.due(&policy(), at(10 + LEAD));
    ring.apply(&due, &policy(), at(10 + LEAD)).unwrap();
    assert_eq!(ring.active(Algorithm::Es256).unwrap().kid(), &kid);
    let exported = ring.find(&kid).unwrap().dangerous_private_key().unwrap();
    assert_eq!(*exported.to_pkcs8_der(), *key.to_pkcs8_der());
}

#[test]
fn keys_that_are_not_to_come_in_are_refused() {
    let mut ring = KeyRing::bootstrap(&policy(), at(0)).unwrap();
    let new = || PrivateKey::generate(Algorithm::Es256).unwrap();
    let own = ring
        .active(Algorithm::Es256)
        .unwrap()
        .dangerous_private_key()
        .unwrap()
        .clone();
    let own_kid = ring.active(Algorithm::Es256).unwrap().kid().clone();
    let unwanted = PrivateKey::generate(Algorithm::EdDsa).unwrap();
    assert!(matches!(
        ring.import(unwanted, &policy(), at(1)),
        Err(KeyRingError::NotWanted { .. })
    ));
    assert!(matches!(
        ring.import(own.clone(), &policy(), at(1)),
        Err(KeyRingError::KnownKey(_))
    ));
    ring.revoke(&own_kid, &policy(), at(2)).unwrap();
    let error = ring.import(own, &policy(), at(3)).unwrap_err();
    assert!(
        matches!(error, KeyRingError::KnownKey(_)),
        "stolen once, gone for good: {error}"
    );
    ring.import(new(), &policy(), at(4)).unwrap();
    let before = ring.keys().len();
    assert!(matches!(
        ring.import(new(), &policy(), at(5)),
        Err(KeyRingError::Waiting { .. })
    ));
    assert_eq!(ring.keys().len(), before);
    assert!(ring.find(&own_kid).unwrap().dangerous_private_key().is_none());
}

/// A module in this process, which can be taken away.
#[derive(Debug, Default)]
struct Module {
    keys: Mutex<BTreeMap<String, Arc<Held>>>,
    is_away: Mutex<bool>,
    made: Mutex<u32>,
}

struct Held(Signer);

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Held")
    }
}

impl HeldKey for Held {
    fn sign(&self, message: &[u8], out: &mut Vec<u8>) -> Result<(), JoseError> {
        self.0.sign(message, out)
    }
}

impl Module {
    fn there(&self) -> Result<(), KeyHomeError> {
        if *self.is_away.lock().unwrap() {
            return Err(KeyHomeError::new("the module is away"));
        }
        Ok(())
    }

    fn names(&self) -> Vec<String> {
        self.keys.lock().unwrap().keys().cloned().collect()
    }
}

impl KeyHome for Module {
    fn generate(&self, algorithm: Algorithm) -> Result<HomeKey, KeyHomeError> {
        self.there()?;
        let key = PrivateKey::generate(algorithm).unwrap();
        let public = key.public_jwk().clone();
        let mut made = self.made.lock().unwrap();
        *made += 1;
        let name = format!("module:{made}");
        let held = Arc::new(Held(Signer::new(&key, KeyId::parse("any").unwrap()).unwrap()));
        self.keys.lock().unwrap().insert(name.clone(), held.clone());
        Ok(HomeKey {
            reference: KeyReference::parse(&name).unwrap(),
            public,
            key: held,
        })
    }

    fn find(
        &self,
        reference: &KeyReference,
        _algorithm: Algorithm,
        public: &Jwk,
    ) -> Result<Arc<dyn HeldKey>, KeyHomeError> {
        self.there()?;
        let found = self.keys.lock().unwrap().get(reference.as_str()).cloned();
        let found = found.ok_or_else(|| KeyHomeError::new("no such key"))?;
        if found.0.public_jwk().thumbprint() != public.thumbprint() {
            return Err(KeyHomeError::new("another key"));
        }
        Ok(found)
    }

    fn destroy(&self, reference: &KeyReference) -> Result<(), KeyHomeError> {
        self.there()?;
        self.keys.lock().unwrap().remove(reference.as_str());
        Ok(())
    }
}

#[test]
fn keys_live_and_end_in_their_home() {
    let (store, module) = (Store::default(), Arc::new(Module::default()));
    let policy = policy().with_home(module.clone());
    let keys = kek(&[OLD]);
    let made = now(maintain(&store, "demo", &policy, &keys, at(0))).unwrap();
    let first = made.ring.active(Algorithm::Es256).unwrap();
    assert!(first.signer().is_some());
    assert_eq!(first.held_as().unwrap().as_str(), "module:1");
    assert!(first.dangerous_private_key().is_none(), "it cannot be taken out");
    let json = store.rings.lock().unwrap()["demo"].json.clone();
    assert!(
        json.contains("module:1") && !json.contains("\"sealed\""),
        "{json}"
    );

    let follower = now(follow(&store, "demo", &policy, &keys)).unwrap().unwrap();
    let mut signature = Vec::new();
    follower
        .active(Algorithm::Es256)
        .unwrap()
        .signer()
        .unwrap()
        .sign(b"text", &mut signature)
        .unwrap();
    assert_eq!(signature.len(), 64);

    // A whole life: successor published, signing; the first retires, and goes.
    let span = 30 * 24 * 3600;
    for seconds in [span - LEAD, span, span + 3 * 3600] {
        now(maintain(&store, "demo", &policy, &keys, at(seconds))).unwrap();
    }
    assert_eq!(module.names(), ["module:2"], "destroyed when nobody needs it");
}

#[test]
fn who_loses_a_race_leaves_no_key_behind() {
    let (store, module) = (Store::default(), Arc::new(Module::default()));
    let policy = policy().with_home(module.clone());
    now(maintain(&store, "demo", &policy, &kek(&[OLD]), at(0))).unwrap();
    *store.overtaken.lock().unwrap() = 3;
    now(maintain(
        &store,
        "demo",
        &policy,
        &kek(&[OLD]),
        at(30 * 24 * 3600),
    ))
    .unwrap();
    assert_eq!(module.names().len(), 2, "{:?}", module.names());
}

#[test]
fn a_home_that_fails_fails_closed() {
    let (store, module) = (Store::default(), Arc::new(Module::default()));
    let with_home = policy().with_home(module.clone());
    let keys = kek(&[OLD]);
    let mut made = now(maintain(&store, "demo", &with_home, &keys, at(0))).unwrap();
    let kid = made.ring.active(Algorithm::Es256).unwrap().kid().clone();

    let error = now(follow(&store, "demo", &policy(), &keys)).unwrap_err();
    assert!(
        matches!(error, MaintainError::Ring(KeyRingError::NoHome { .. })),
        "{error}"
    );

    *module.is_away.lock().unwrap() = true;
    assert!(now(follow(&store, "demo", &with_home, &keys)).is_err());
    let before = store.rings.lock().unwrap()["demo"].clone();
    assert!(now(maintain(&store, "demo", &with_home, &keys, at(30 * 24 * 3600))).is_err());
    assert!(
        before == store.rings.lock().unwrap()["demo"],
        "nothing half-done is stored"
    );
    let error = made.ring.revoke(&kid, &with_home, at(1)).unwrap_err();
    assert!(matches!(error, KeyRingError::Home(_)), "{error}");
    assert_eq!(
        made.ring.find(&kid).unwrap().state(),
        KeyState::Active,
        "unchanged"
    );
    // In an emergency the ring itself can make the next key.
    let fresh = made.ring.revoke(&kid, &policy(), at(1)).unwrap().unwrap();
    assert!(made.ring.find(&fresh).unwrap().held_as().is_none());

    // Another key under the name that the ring knows does not sign.
    *module.is_away.lock().unwrap() = false;
    let stranger = module.generate(Algorithm::Es256).unwrap();
    let swapped = module.keys.lock().unwrap()[stranger.reference.as_str()].clone();
    module.keys.lock().unwrap().insert("module:1".to_owned(), swapped);
    assert!(now(follow(&store, "demo", &with_home, &keys)).is_err());
}

#[test]
fn references_are_what_a_ring_can_hold() {
    for wrong in ["", "with space", "umläut", "line\nbreak", &"x".repeat(129)] {
        assert!(KeyReference::parse(wrong).is_none(), "{wrong:?}");
    }
    let ring = KeyRing::bootstrap(&policy(), at(0)).unwrap();
    let stored = ring.seal("demo", &kek(&[OLD])).unwrap();
    for wrong in [
        "\"held\":\"\",\"sealed\"",
        "\"held\":\"pkcs11:1\",\"sealed\"",
        "\"held\":7,\"sealed\"",
    ] {
        let changed = StoredRing {
            generation: 1,
            json: stored.json.replacen("\"sealed\"", wrong, 1),
        };
        assert!(KeyRing::open("demo", &changed, &kek(&[OLD])).is_err(), "{wrong}");
    }
}

fn administrators(people: &[(&str, &PrivateKey)]) -> Result<Administrators, AdministratorsError> {
    let keys = people.iter().map(|(name, key)| {
        let named = key.public_jwk().clone().with_kid(name).unwrap();
        named.to_json()
    });
    let keys = keys.collect::<Vec<_>>().join(",");
    Administrators::parse(&format!("{{\"keys\":[{keys}]}}"))
}

const REVOKE: KeyStatement<'_> = KeyStatement {
    request: "r1",
    domain: "demo",
    kid: "stolen",
};

#[test]
fn statements_are_of_one_person_for_one_key_for_a_while() {
    let [alice, bob] = [(); 2].map(|()| PrivateKey::generate(Algorithm::Es256).unwrap());
    let all = administrators(&[("alice", &alice), ("bob", &bob)]).unwrap();
    let signed = REVOKE.sign(&alice, "alice", at(100)).unwrap();
    assert_eq!(all.verify(&signed, REVOKE, at(100 + 900)).unwrap(), "alice");
    let by_bobs_key = REVOKE.sign(&bob, "alice", at(100)).unwrap();
    let by_mallory = REVOKE.sign(&bob, "mallory", at(100)).unwrap();
    let cut = &signed[..signed.len() - 4];
    let other = KeyStatement {
        kid: "healthy",
        ..REVOKE
    };
    for (name, statement, wanted, seconds) in [
        ("another's key", by_bobs_key.as_str(), REVOKE, 100),
        ("nobody", &by_mallory, REVOKE, 100),
        ("cut", cut, REVOKE, 100),
        ("nothing", "", REVOKE, 100),
        ("another key's", &signed, other, 100),
        (
            "another domain's",
            &signed,
            KeyStatement {
                domain: "prod",
                ..REVOKE
            },
            100,
        ),
        (
            "another request's",
            &signed,
            KeyStatement {
                request: "r2",
                ..REVOKE
            },
            100,
        ),
        ("too old", &signed, REVOKE, 100 + 900 + 61),
        ("of the future", &signed, REVOKE, 39),
    ] {
        assert!(all.verify(statement, wanted, at(seconds)).is_err(), "{name}");
    }
}

#[test]
fn a_file_of_administrators_has_two_people() {
    let [alice, bob] = [(); 2].map(|()| PrivateKey::generate(Algorithm::Es256).unwrap());
    assert!(matches!(administrators(&[]), Err(AdministratorsError::TooFew(0))));
    assert!(matches!(
        administrators(&[("alice", &alice)]),
        Err(AdministratorsError::TooFew(1))
    ));
    assert!(matches!(
        administrators(&[("alice", &alice), ("bob", &alice)]),
        Err(AdministratorsError::Twice { .. })
    ));
    assert!(administrators(&[("alice", &alice), ("alice", &bob)]).is_err());
    let nameless = format!(
        "{{\"keys\":[{},{}]}}",
        alice.public_jwk().to_json(),
        bob.public_jwk().to_json()
    );
    assert!(matches!(
        Administrators::parse(&nameless),
        Err(AdministratorsError::Nameless)
    ));
    let private = alice.to_private_jwk().unwrap();
    for wrong in [
        "",
        "[]",
        "{}",
        "{\"keys\":7}",
        &format!("{{\"keys\":[{}]}}", &*private),
    ] {
        assert!(Administrators::parse(wrong).is_err(), "{wrong}");
    }
}
