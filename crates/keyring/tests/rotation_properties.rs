//! Through planned rotations no verifier with a 300 s cache meets an unknown `kid`, whenever it fetches, and a ring
//! always signs.

use std::{collections::BTreeMap, time::Duration};

use proptest::{collection::vec, prelude::*};
use rustls_pki_types::UnixTime;
use sealstone_jose::{Algorithm, UnverifiedJwt, VerifierSet};
use sealstone_jose::{JwtEncoder, KeyId};
use sealstone_keyring::{KeyEncryptionKey, KeyRing, KeyState, RotationPolicy, RotationSettings};

const START: u64 = 1_790_000_000;
const CACHE: u64 = 300;
const MARGIN: u64 = 60;

fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

#[derive(Clone, Debug)]
enum Action {
    /// What the clock wants.
    Tick,
    /// An operator rotates, then what the clock wants.
    RotateNow,
    /// The configuration changes to this policy, then what the clock wants.
    Policy(usize),
    /// The clock of this node is behind for this round.
    ClockBack(u64),
    /// The ring is stored and opened again.
    Reopen,
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        8 => Just(Action::Tick),
        2 => Just(Action::RotateNow),
        1 => (0..3_usize).prop_map(Action::Policy),
        1 => (1..400_u64).prop_map(Action::ClockBack),
        1 => Just(Action::Reopen),
    ]
}

/// Seconds, minutes, hours, and a node that was down for months.
fn gap() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => 0..120_u64,
        4 => 120..4_000_u64,
        3 => 4_000..200_000_u64,
        1 => 200_000..20_000_000_u64,
    ]
}

fn settings() -> impl Strategy<Value = RotationSettings> {
    let algorithms = prop_oneof![
        Just(vec![Algorithm::Es256]),
        Just(vec![Algorithm::EdDsa]),
        Just(vec![Algorithm::Es256, Algorithm::EdDsa]),
    ];
    let spans = (
        0..4_000_u64,
        1..100_000_u64,
        1..7_200_u64,
        0..120_u64,
        0..4_000_u64,
    );
    (algorithms, spans).prop_map(|(algorithms, (lead, active, token, leeway, retire))| {
        let lead = CACHE + MARGIN + lead;
        RotationSettings {
            algorithms,
            verifier_cache: Duration::from_secs(CACHE),
            publish_lead: Duration::from_secs(lead),
            active_lifetime: Duration::from_secs(lead + 1_000 + active),
            retire_lifetime: Duration::from_secs(token + leeway + CACHE + MARGIN + retire),
            longest_token: Duration::from_secs(token),
            leeway: Duration::from_secs(leeway),
        }
    })
}

/// For one `kid`: when it was in the key set, and when tokens that need it could live.
#[derive(Default, Debug)]
struct Story {
    published: Vec<(u64, u64)>,
    needed: Vec<(u64, u64)>,
}

/// What a world saw: every state of the ring holds from its step to the next one.
#[derive(Default)]
struct World {
    stories: BTreeMap<String, Story>,
}

impl World {
    fn holds(&mut self, ring: &KeyRing, settings: &RotationSettings, from: u64, until: u64) {
        for key in ring.published().jwk_set().keys() {
            let story = self.stories.entry(key.kid().unwrap().to_owned()).or_default();
            story.published.push((from, until));
        }
        for key in ring.keys().iter().filter(|key| key.state() == KeyState::Active) {
            let story = self.stories.entry(key.kid().as_str().to_owned()).or_default();
            // A verifier may see this token with a key set fetched up to CACHE ago from a node that was MARGIN
            // late; a node that learns late signs MARGIN longer; the token lives for its lifetime and the leeway.
            let life = settings.longest_token.as_secs() + settings.leeway.as_secs();
            story
                .needed
                .push(((from - CACHE - MARGIN).max(START), until + MARGIN + life));
        }
    }

    /// Every need is covered, without a gap, as far as this world went. A clock that was behind takes as much from the
    /// margins: what was dated by it begins and ends earlier than it says, and nobody else's clock can tell.
    fn check(&self, end: u64, behind: u64) {
        for (kid, story) in &self.stories {
            for &(from, until) in &story.needed {
                let until = until - behind;
                let mut covered = from + behind;
                for &(start, stop) in &story.published {
                    if start <= covered {
                        covered = covered.max(stop);
                    }
                }
                assert!(
                    covered >= until.min(end),
                    "{kid} is missing at {covered}, {story:?}"
                );
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn planned_rotations_surprise_no_verifier(
        policies in vec(settings(), 3),
        steps in vec((gap(), action()), 1..60),
    ) {
        let kek = KeyEncryptionKey::from_bytes([7; 32]);
        let mut settings = policies[0].clone();
        let mut policy = RotationPolicy::new(settings.clone()).unwrap();
        let mut ring = KeyRing::bootstrap(&policy, at(START)).unwrap();
        let (mut world, mut now, mut behind) = (World::default(), START, 0);
        for (gap, action) in steps {
            world.holds(&ring, &settings, now, now + gap);
            now += gap;
            let mut clock = now;
            match action {
                Action::Tick => {}
                Action::RotateNow => {
                    let rotation = ring.rotate_now(&policy);
                    ring.apply(&rotation, &policy, at(now)).unwrap();
                    prop_assert!(ring.rotate_now(&policy).is_empty());
                }
                Action::Policy(index) => {
                    settings = policies[index].clone();
                    policy = RotationPolicy::new(settings.clone()).unwrap();
                }
                Action::ClockBack(seconds) => {
                    clock -= seconds;
                    behind = behind.max(seconds);
                }
                Action::Reopen => {
                    let stored = ring.seal("d", &kek).unwrap();
                    ring = KeyRing::open("d", &stored, &kek).unwrap();
                }
            }
            let (due, next) = (ring.due(&policy, at(clock)), ring.next_change(&policy));
            prop_assert_eq!(due.is_empty(), next > at(clock), "{:?} {:?}", due, next);
            prop_assert_eq!(&due, &ring.due(&policy, at(clock)));
            ring.apply(&due, &policy, at(clock)).unwrap();
            prop_assert!(ring.due(&policy, at(clock)).is_empty(), "done is done");
            prop_assert!(ring.due(&policy, at(ring.next_change(&policy).as_secs() - 1)).is_empty());
            prop_assert!(!ring.due(&policy, ring.next_change(&policy)).is_empty());

            let signing = ring.signing(&policy, None).expect("a ring always signs");
            prop_assert!(signing.signer().is_some());
            prop_assert!(ring.published().len() <= 64);
            for algorithm in [Algorithm::Es256, Algorithm::EdDsa] {
                let of = |state| {
                    ring.keys().iter().filter(|key| key.algorithm() == algorithm && key.state() == state).count()
                };
                prop_assert!(of(KeyState::Active) <= 1);
                prop_assert!(of(KeyState::Published) <= 1);
            }
        }
        world.holds(&ring, &settings, now, now + 1);
        world.check(now + 1, behind);
    }

    /// The same with real tokens and a real verifier that fetches every 300 s and never on an unknown `kid`.
    #[test]
    fn a_verifier_that_fetches_every_300_s_knows_every_kid(
        settings in settings(),
        phase in 0..CACHE,
        gaps in vec((1..900_u64, any::<bool>()), 1..120),
    ) {
        let policy = RotationPolicy::new(settings.clone()).unwrap();
        let mut ring = KeyRing::bootstrap(&policy, at(START)).unwrap();
        let verifier = |ring: &KeyRing| {
            VerifierSet::new(ring.published().jwk_set(), &[Algorithm::Es256, Algorithm::EdDsa]).unwrap()
        };
        let (mut cached, mut fetched) = (verifier(&ring), START + phase);
        let (mut now, mut living) = (START + phase, Vec::<(u64, String)>::new());
        for (gap, rotate) in gaps {
            // What the verifier fetches within the gap is what the ring publishes now.
            now += gap;
            while fetched + CACHE < now {
                (cached, fetched) = (verifier(&ring), fetched + CACHE);
            }
            if rotate {
                let rotation = ring.rotate_now(&policy);
                ring.apply(&rotation, &policy, at(now)).unwrap();
            }
            let due = ring.due(&policy, at(now));
            ring.apply(&due, &policy, at(now)).unwrap();

            for algorithm in policy.algorithms() {
                let signer = ring.active(*algorithm).and_then(|key| key.signer()).unwrap();
                let encoder = JwtEncoder::new(signer.clone(), "at+jwt").unwrap();
                let token = encoder.encode_to_string(&BTreeMap::from([("sub", "a")])).unwrap();
                living.push((now + settings.longest_token.as_secs(), token));
            }
            living.retain(|(expires, _)| *expires >= now);
            for (_, token) in &living {
                let known = cached.verify(UnverifiedJwt::parse(token).unwrap());
                prop_assert!(known.is_ok(), "{:?}", known);
            }
        }
    }

    /// Emergencies between rotations: what was revoked is never published again, and the ring signs on.
    #[test]
    fn revoked_keys_never_come_back(
        settings in settings(),
        steps in vec((gap(), any::<Option<prop::sample::Index>>()), 1..30),
    ) {
        let policy = RotationPolicy::new(settings).unwrap();
        let mut ring = KeyRing::bootstrap(&policy, at(START)).unwrap();
        let (mut now, mut gone) = (START, Vec::<KeyId>::new());
        for (gap, victim) in steps {
            now += gap;
            if let Some(victim) = victim {
                let kid = victim.get(ring.keys()).kid().clone();
                if ring.revoke(&kid, &policy, at(now)).is_ok() {
                    prop_assert!(ring.revoked().any(|key| key.kid() == &kid), "listed at once");
                    gone.push(kid);
                }
            }
            let due = ring.due(&policy, at(now));
            ring.apply(&due, &policy, at(now)).unwrap();
            prop_assert!(ring.signing(&policy, None).is_some());
            for algorithm in policy.algorithms() {
                prop_assert!(ring.active(*algorithm).is_some());
            }
            for kid in &gone {
                prop_assert!(ring.published().jwk_set().find(kid.as_str()).is_none());
            }
        }
    }
}
