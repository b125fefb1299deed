//! Rows S01 to S06 of the attack table, and what surrounds them.

use std::{collections::BTreeMap, time::Duration};

use rustls_pki_types::UnixTime;
use sealstone_jose::{Algorithm, JoseError, JwtEncoder, KeyId, UnverifiedJwt, VerifierSet};
use sealstone_keyring::{
    KeyEncryptionKey, KeyRing, KeyRingError, KeyState, PolicyError, RingKey, RotationChange, RotationPolicy,
    RotationSettings, SealError, StoredRing,
};

fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(1_790_000_000 + seconds))
}

const LEAD: u64 = 3600;
const RETIRE: u64 = 7200;

fn policy() -> RotationPolicy {
    RotationPolicy::new(RotationSettings::default()).unwrap()
}

fn ring() -> KeyRing {
    KeyRing::bootstrap(&policy(), at(0)).unwrap()
}

fn step(ring: &mut KeyRing, seconds: u64) -> Vec<RotationChange> {
    let due = ring.due(&policy(), at(seconds));
    ring.apply(&due, &policy(), at(seconds)).unwrap();
    due.changes().to_vec()
}

fn rotate_now(ring: &mut KeyRing, seconds: u64) -> KeyId {
    let rotation = ring.rotate_now(&policy());
    ring.apply(&rotation, &policy(), at(seconds)).unwrap().remove(0)
}

fn active(ring: &KeyRing) -> &RingKey {
    ring.active(Algorithm::Es256).unwrap()
}

fn token(ring: &KeyRing) -> String {
    let signer = active(ring).signer().unwrap();
    JwtEncoder::new(signer.clone(), "at+jwt")
        .unwrap()
        .encode_to_string(&BTreeMap::from([("sub", "a")]))
        .unwrap()
}

fn verify(ring: &KeyRing, token: &str) -> Result<(), JoseError> {
    let keys = VerifierSet::new(ring.published().jwk_set(), &[Algorithm::Es256])?;
    keys.verify(UnverifiedJwt::parse(token)?).map(|_| ())
}

#[test]
fn s01_token_signed_by_a_retired_key() {
    let mut ring = ring();
    let token = token(&ring);
    rotate_now(&mut ring, 0);
    step(&mut ring, LEAD);
    verify(&ring, &token).expect("its key retires, and is published");
    assert_eq!(step(&mut ring, LEAD + RETIRE - 1), []);
    verify(&ring, &token).unwrap();

    assert!(matches!(
        step(&mut ring, LEAD + RETIRE).as_slice(),
        [RotationChange::Drop { .. }]
    ));
    assert!(matches!(verify(&ring, &token), Err(JoseError::UnknownKey { .. })));
}

#[test]
fn s02_token_signed_by_a_revoked_key() {
    let mut ring = ring();
    let stolen = active(&ring).kid().clone();
    let token_of_thief = token(&ring);
    verify(&ring, &token_of_thief).unwrap();

    let fresh = ring
        .revoke(&stolen, &policy(), at(10))
        .unwrap()
        .expect("another key signs at once");
    assert_eq!(active(&ring).kid(), &fresh);
    verify(&ring, &token(&ring)).unwrap();
    assert!(matches!(
        verify(&ring, &token_of_thief),
        Err(JoseError::UnknownKey { .. })
    ));
    let listed = |ring: &KeyRing| ring.revoked().map(|key| key.kid().clone()).collect::<Vec<_>>();
    assert_eq!(listed(&ring).as_slice(), std::slice::from_ref(&stolen));
    assert!(ring.find(&stolen).unwrap().signer().is_none());

    assert!(matches!(
        ring.revoke(&stolen, &policy(), at(11)),
        Err(KeyRingError::AlreadyRevoked(_))
    ));
    step(&mut ring, 10 + RETIRE - 1);
    assert_eq!(listed(&ring), [stolen]);
    step(&mut ring, 10 + RETIRE);
    assert_eq!(listed(&ring), [], "its last token has died");
}

#[test]
fn s02_waiting_and_retiring_keys_can_be_revoked_too() {
    let mut ring = ring();
    let first = active(&ring).kid().clone();
    let second = rotate_now(&mut ring, 0);
    step(&mut ring, LEAD);
    let third = rotate_now(&mut ring, LEAD);
    assert_eq!(ring.published().len(), 3);
    for kid in [&first, &third] {
        assert_eq!(
            ring.revoke(kid, &policy(), at(LEAD)).unwrap(),
            None,
            "nothing signs anew"
        );
    }
    assert_eq!(active(&ring).kid(), &second);
    assert_eq!(ring.published().len(), 1);
    step(&mut ring, 3 * LEAD);
    assert_eq!(active(&ring).kid(), &second);
    let nobody = KeyId::parse("nobody").unwrap();
    assert!(matches!(
        ring.revoke(&nobody, &policy(), at(0)),
        Err(KeyRingError::UnknownKey(_))
    ));
}

#[test]
fn s03_new_key_not_yet_published() {
    let mut ring = ring();
    let old = active(&ring).kid().clone();
    let new = rotate_now(&mut ring, 100);
    assert!(
        ring.find(&new).unwrap().signer().is_none(),
        "a waiting key hands out no signer"
    );
    for seconds in [100, 101, 100 + LEAD - 1] {
        assert_eq!(step(&mut ring, seconds), []);
        assert_eq!(active(&ring).kid(), &old);
    }
    // A plan made by a clock that is ahead is refused by one that is not.
    let early = ring.due(&policy(), at(100 + LEAD));
    assert!(matches!(
        ring.apply(&early, &policy(), at(100 + LEAD - 1)),
        Err(KeyRingError::Stale)
    ));
    ring.apply(&early, &policy(), at(100 + LEAD)).unwrap();
    assert_eq!(active(&ring).kid(), &new);
    assert!(
        matches!(
            ring.apply(&early, &policy(), at(100 + LEAD)),
            Err(KeyRingError::Stale)
        ),
        "not twice"
    );
}

#[test]
fn s03_after_long_downtime_nothing_signs_before_it_was_published() {
    let mut ring = ring();
    let old = active(&ring).kid().clone();
    let year = 365 * 24 * 3600;
    assert!(matches!(
        step(&mut ring, year).as_slice(),
        [RotationChange::Publish { .. }]
    ));
    assert_eq!(active(&ring).kid(), &old);
    assert_eq!(step(&mut ring, year + LEAD - 1), []);
    assert!(matches!(
        step(&mut ring, year + LEAD).as_slice(),
        [RotationChange::Activate { .. }]
    ));
    assert_ne!(active(&ring).kid(), &old);
}

#[test]
fn s04_clock_behind_on_one_node() {
    let mut ring = ring();
    rotate_now(&mut ring, 0);
    step(&mut ring, LEAD);
    let before = ring.published().to_json();
    // Five minutes behind: nothing is undone, nothing is done early.
    assert_eq!(step(&mut ring, LEAD - 300), []);
    assert_eq!(ring.published().to_json(), before);
    verify(&ring, &token(&ring)).unwrap();
}

#[test]
fn s05_key_encryption_keys_that_are_none() {
    let hex = "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF";
    let key = KeyEncryptionKey::parse(&format!("{hex}\n")).unwrap();
    for same in [
        "ABEiM0RVZneImaq7zN3u_wARIjNEVWZ3iJmqu8zd7v8",
        "ABEiM0RVZneImaq7zN3u/wARIjNEVWZ3iJmqu8zd7v8=\n",
    ] {
        assert_eq!(KeyEncryptionKey::parse(same).unwrap().id(), key.id());
    }
    for weak in ["00".repeat(32), "ff".repeat(32)] {
        assert!(matches!(
            KeyEncryptionKey::parse(&weak),
            Err(SealError::NotRandom)
        ));
    }
    let long = format!("{hex}00");
    for wrong in [
        "",
        "\n",
        &hex[..62],
        &hex[1..],
        &long,
        &hex.replace('2', "x"),
        "AAAA",
    ] {
        assert!(
            matches!(KeyEncryptionKey::parse(wrong), Err(SealError::NotAKey)),
            "{wrong}"
        );
    }
}

fn sealed() -> (KeyRing, StoredRing, KeyEncryptionKey) {
    let kek = KeyEncryptionKey::from_bytes([7; 32]);
    let ring = ring();
    let stored = ring.seal("demo", &kek).unwrap();
    (ring, stored, kek)
}

fn changed(stored: &StoredRing, change: impl FnOnce(&mut serde_json::Value)) -> StoredRing {
    let mut json = serde_json::from_str(&stored.json).unwrap();
    change(&mut json);
    StoredRing {
        generation: stored.generation,
        json: json.to_string(),
    }
}

#[test]
fn s05_stored_rings_that_are_none() {
    let (ring, stored, kek) = sealed();
    assert_eq!(stored.generation, 1);
    let opened = KeyRing::open("demo", &stored, &kek).unwrap();
    assert_eq!(opened.generation(), Some(1));
    assert_eq!(opened.published().to_json(), ring.published().to_json());
    assert_eq!(opened.seal("demo", &kek).unwrap().generation, 2);
    verify(&opened, &token(&opened)).unwrap();

    let other = KeyEncryptionKey::from_bytes([8; 32]);
    let error = KeyRing::open("demo", &stored, &other).unwrap_err();
    assert!(matches!(error, SealError::OtherKey { .. }));
    assert!(
        error.to_string().contains(&kek.id()) && error.to_string().contains(&other.id()),
        "{error}"
    );
    assert!(matches!(
        KeyRing::open("other-domain", &stored, &kek),
        Err(SealError::Tampered(_))
    ));
}

#[test]
fn s05_stored_rings_that_were_changed() {
    let (_, stored, kek) = sealed();
    KeyRing::open("demo", &stored, &kek).unwrap();
    let other_ring: serde_json::Value = serde_json::from_str(&sealed().1.json).unwrap();
    let two_active = changed(&stored, |json| {
        json["keys"]
            .as_array_mut()
            .unwrap()
            .push(other_ring["keys"][0].clone())
    });
    let message = KeyRing::open("demo", &two_active, &kek).unwrap_err().to_string();
    assert!(message.contains("two active ES256 keys"), "{message}");
    let twice = changed(&stored, |json| {
        let key = json["keys"][0].clone();
        json["keys"].as_array_mut().unwrap().push(key);
    });
    assert!(
        KeyRing::open("demo", &twice, &kek)
            .unwrap_err()
            .to_string()
            .contains("twice")
    );

    let swapped = changed(&stored, |json| {
        json["keys"][0]["sealed"] = other_ring["keys"][0]["sealed"].clone()
    });
    assert!(matches!(
        KeyRing::open("demo", &swapped, &kek),
        Err(SealError::Tampered(_))
    ));
    let impostor = changed(&stored, |json| {
        json["keys"][0]["public"] = other_ring["keys"][0]["public"].clone()
    });
    assert!(matches!(
        KeyRing::open("demo", &impostor, &kek),
        Err(SealError::Tampered(_))
    ));
    for broken in [
        changed(&stored, |json| json["keys"] = serde_json::json!([])),
        changed(&stored, |json| json["version"] = 2.into()),
        changed(&stored, |json| json["surprise"] = true.into()),
        changed(&stored, |json| json["keys"][0]["state"] = "signing".into()),
        changed(&stored, |json| json["keys"][0]["alg"] = "HS256".into()),
        changed(&stored, |json| json["keys"][0]["state"] = "retiring".into()),
        changed(&stored, |json| {
            drop(json["keys"][0].as_object_mut().unwrap().remove("sealed"))
        }),
        changed(&stored, |json| {
            drop(json["keys"][0].as_object_mut().unwrap().remove("activated_at"))
        }),
        StoredRing {
            generation: 1,
            json: stored.json[..stored.json.len() / 2].to_owned(),
        },
        StoredRing {
            generation: 1,
            json: String::new(),
        },
    ] {
        assert!(
            matches!(
                KeyRing::open("demo", &broken, &kek),
                Err(SealError::Malformed { .. })
            ),
            "{}",
            broken.json
        );
    }
}

#[test]
fn s06_look_for_private_members() {
    let (mut ring, _, kek) = sealed();
    rotate_now(&mut ring, 0);
    step(&mut ring, LEAD);
    rotate_now(&mut ring, LEAD);
    let stored = ring.seal("demo", &kek).unwrap();
    let jwks: serde_json::Value = serde_json::from_str(&ring.published().to_json()).unwrap();
    let keys = jwks["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 3);
    assert_eq!(
        keys[0]["kid"],
        active(&ring).kid().as_str(),
        "the active key comes first"
    );
    for key in keys {
        let members: Vec<_> = key.as_object().unwrap().keys().map(String::as_str).collect();
        for member in members {
            assert!(
                ["kty", "crv", "x", "y", "kid", "alg", "use"].contains(&member),
                "{member}"
            );
        }
    }
    let record: serde_json::Value = serde_json::from_str(&stored.json).unwrap();
    let retiring = record["keys"]
        .as_array()
        .unwrap()
        .iter()
        .find(|key| key["state"] == "retiring")
        .unwrap();
    assert!(retiring.get("sealed").is_none(), "what no longer signs is erased");
    let sealed = record["keys"][1]["sealed"].as_str().unwrap();
    let debug = format!("{ring:?} {stored:?} {kek:?} {:?}", ring.keys());
    assert!(
        !debug.contains(sealed) && !debug.contains("07070707") && !debug.contains("7, 7, 7, 7"),
        "{debug}"
    );
    assert_ne!(
        ring.seal("demo", &kek).unwrap().json,
        stored.json,
        "a nonce is used once"
    );
}

fn refused(change: impl FnOnce(&mut RotationSettings)) -> PolicyError {
    let mut settings = RotationSettings::default();
    change(&mut settings);
    RotationPolicy::new(settings).unwrap_err()
}

#[test]
fn policies_that_cannot_be_safe() {
    let s = Duration::from_secs;
    assert_eq!(refused(|p| p.algorithms.clear()), PolicyError::NoAlgorithm);
    let twice = refused(|p| p.algorithms = vec![Algorithm::Es256; 2]);
    assert_eq!(twice, PolicyError::AlgorithmTwice(Algorithm::Es256));
    let lead = refused(|p| p.publish_lead = s(359));
    assert_eq!(
        lead,
        PolicyError::LeadTooShort {
            given_s: 359,
            least_s: 360
        }
    );
    let retire = refused(|p| p.retire_lifetime = s(4019));
    assert_eq!(
        retire,
        PolicyError::RetiredTooSoon {
            given_s: 4019,
            least_s: 4020
        }
    );
    assert!(matches!(
        refused(|p| p.active_lifetime = s(3600)),
        PolicyError::ActiveTooShort { .. }
    ));
    assert_eq!(refused(|p| p.longest_token = s(0)), PolicyError::NoTokenLifetime);
    let unit = refused(|p| p.active_lifetime = s(400_000_000));
    assert!(matches!(
        unit,
        PolicyError::TooLong {
            name: "active_lifetime",
            ..
        }
    ));
    let crowd = refused(|p| (p.active_lifetime, p.retire_lifetime) = (s(3601), s(3601 * 31)));
    assert!(matches!(crowd, PolicyError::TooManyKeys { .. }));

    let shortest = RotationSettings {
        publish_lead: s(360),
        retire_lifetime: s(4020),
        active_lifetime: s(361),
        ..RotationSettings::default()
    };
    RotationPolicy::new(shortest).unwrap();
}

#[test]
fn a_new_algorithm_is_published_first_and_an_old_one_stops_when_all_others_sign() {
    let mut ring = ring();
    let eddsa = RotationPolicy::new(RotationSettings {
        algorithms: vec![Algorithm::EdDsa],
        ..RotationSettings::default()
    })
    .unwrap();
    let mut step = |seconds| {
        let due = ring.due(&eddsa, at(seconds));
        ring.apply(&due, &eddsa, at(seconds)).unwrap();
        (
            due.changes().len(),
            ring.signing(&eddsa, None).unwrap().algorithm(),
        )
    };
    assert_eq!(step(10), (1, Algorithm::Es256));
    assert_eq!(step(10 + LEAD - 1), (0, Algorithm::Es256));
    assert_eq!(step(10 + LEAD), (2, Algorithm::EdDsa));
    assert_eq!(step(10 + LEAD), (0, Algorithm::EdDsa));
    assert_eq!(step(10 + LEAD + RETIRE), (1, Algorithm::EdDsa));
    assert_eq!(ring.keys().len(), 1);
    assert_eq!(
        ring.signing(&eddsa, Some(Algorithm::Es256)).map(RingKey::state),
        None
    );
    assert_eq!(
        ring.active(Algorithm::EdDsa).map(RingKey::state),
        Some(KeyState::Active)
    );
}

#[test]
fn tokens_that_became_longer_keep_their_key_for_longer() {
    let mut ring = ring();
    let long = RotationSettings {
        longest_token: Duration::from_secs(10 * 3600),
        retire_lifetime: Duration::from_secs(12 * 3600),
        ..RotationSettings::default()
    };
    let long = RotationPolicy::new(long).unwrap();
    let first = active(&ring).kid().clone();
    let due = ring.due(&long, at(1));
    assert_eq!(due.changes(), [RotationChange::Extend { kid: first.clone() }]);
    ring.apply(&due, &long, at(1)).unwrap();
    // Back to the short policy: the long tokens signed in between still live.
    rotate_now(&mut ring, 2);
    step(&mut ring, 2 + LEAD);
    assert_eq!(step(&mut ring, 2 + LEAD + 12 * 3600 - 1), []);
    assert!(ring.published().jwk_set().find(first.as_str()).is_some());
    step(&mut ring, 2 + LEAD + 12 * 3600);
    assert!(ring.published().jwk_set().find(first.as_str()).is_none());
}
