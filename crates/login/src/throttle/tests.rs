use std::{collections::BTreeSet, time::Duration};

use proptest::prelude::*;
use rustls_pki_types::UnixTime;
use sealstone_identity::{DomainId, UserId};
use sealstone_oauth_types::TokenHash;

use super::{FREE, Guess, LONGEST_CODE_WAIT, LONGEST_PASSWORD_WAIT, Throttle, ThrottleKey};

fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

#[test]
fn r13_waits_grow_and_stop_growing() {
    for (guess, longest) in [
        (Guess::Password, LONGEST_PASSWORD_WAIT.as_secs()),
        (Guess::Code, LONGEST_CODE_WAIT.as_secs()),
    ] {
        let mut throttle = Throttle::default();
        let mut now = 1_000;
        let mut waits = Vec::new();
        for _attempt in 0..FREE {
            throttle.count(guess, at(now)).unwrap();
        }
        for _attempt in 0..20 {
            let until = throttle.count(guess, at(now)).unwrap_err().until.as_secs();
            waits.push(until - now);
            assert!(throttle.count(guess, at(until - 1)).is_err());
            now = until;
            throttle.count(guess, at(now)).unwrap();
        }
        assert_eq!(waits.get(..6), Some(&[1, 2, 4, 8, 16, 32][..]));
        assert!(waits.is_sorted() && waits.last() == Some(&longest), "{waits:?}");
    }
}

#[test]
fn r13_ten_codes_at_once_are_judged_five_times() {
    let mut throttle = Throttle::default();
    let judged = (0..1_000)
        .filter(|_code| throttle.count(Guess::Code, at(5)).is_ok())
        .count();
    assert_eq!(judged, 5);
}

#[test]
fn r13_a_stranger_makes_nobody_wait_longer_than_a_minute() {
    let mut throttle = Throttle::default();
    for second in 0..100_000 {
        let _stranger = throttle.count(Guess::Password, at(second));
    }
    let until = throttle.waits_until(Guess::Password).unwrap().as_secs();
    assert!(until <= 100_000 + 60, "{until}");
    assert!(
        throttle.count(Guess::Password, at(until)).is_ok(),
        "then the owner's is judged"
    );
}

#[test]
fn r13_a_browser_has_a_count_of_its_own_only_once_the_password_was_right_in_it() {
    let mut unknown = Throttle::default();
    for second in 0..100 {
        assert!(unknown.count(Guess::KnownBrowser, at(second)).is_err());
    }
    assert_eq!(unknown, Throttle::default());
    let mut known = Throttle::known(at(100));
    for _attempt in 0..FREE {
        known.count(Guess::KnownBrowser, at(100)).unwrap();
    }
    let wait = known.count(Guess::KnownBrowser, at(100)).unwrap_err();
    assert_eq!(
        wait.until,
        at(101),
        "a thief of the browser is slowed down as well"
    );
    assert!(
        known.count(Guess::KnownBrowser, at(100 + 25 * 3600)).is_err(),
        "known for a day"
    );
}

#[test]
fn what_was_not_judged_is_not_counted() {
    let mut throttle = Throttle::default();
    for _outage in 0..100 {
        throttle.count(Guess::Password, at(5)).unwrap();
        throttle.take_back();
    }
    assert_eq!(throttle.waits_until(Guess::Password), None);
}

#[test]
fn a_day_later_the_count_begins_anew() {
    let mut throttle = Throttle::default();
    for second in 0..10_000 {
        let _wrong = throttle.count(Guess::Code, at(second));
    }
    let forget_at = throttle.forget_at().unwrap();
    throttle.count(Guess::Code, forget_at).unwrap();
    for _attempt in 1..FREE {
        throttle.count(Guess::Code, forget_at).unwrap();
    }
    assert!(throttle.count(Guess::Code, forget_at).is_err());
}

#[test]
fn keys_differ_by_what_who_and_where() {
    let demo = DomainId::parse("demo").unwrap();
    let other = DomainId::parse("demoa").unwrap();
    let user = UserId::parse("ada").unwrap();
    let keys = [
        ThrottleKey::password(&demo, "ada"),
        ThrottleKey::password(&other, "da"),
        ThrottleKey::password(&other, "ada"),
        ThrottleKey::password(&demo, "ada2"),
        ThrottleKey::code(&demo, &user),
        ThrottleKey::known_browser(&demo, "ada", TokenHash::from_octets([1; 32])),
        ThrottleKey::known_browser(&demo, "ada", TokenHash::from_octets([2; 32])),
        ThrottleKey::known_browser(&demo, "bob", TokenHash::from_octets([1; 32])),
    ];
    let different: BTreeSet<_> = keys.iter().map(ThrottleKey::hash).collect();
    assert_eq!(different.len(), keys.len());
    assert_eq!(
        ThrottleKey::password(&demo, " ADA "),
        ThrottleKey::password(&demo, "ada")
    );
}

proptest! {
    /// However the attempts are spread: within any minute after the free ones, at most a handful is judged.
    #[test]
    fn r13_no_rhythm_gets_more_than_the_limits(
        steps in proptest::collection::vec(0_u64..100, 1..400),
        code in any::<bool>(),
    ) {
        let guess = if code { Guess::Code } else { Guess::Password };
        let mut throttle = Throttle::default();
        let mut now = 0;
        let mut judged = Vec::new();
        for step in steps {
            now += step;
            let before = throttle;
            match throttle.count(guess, at(now)) {
                Ok(()) => judged.push(now),
                Err(wait) => {
                    prop_assert!(wait.until > at(now));
                    prop_assert_eq!(before, throttle, "a guess that waits is not counted");
                }
            }
        }
        // The gap before the n-th judged attempt is at least what n - 1 attempts make it.
        for (number, pair) in judged.windows(2).enumerate() {
            if let [earlier, later] = pair
                && let Some(beyond) = number.checked_sub(4)
            {
                let longest = if code { 3_600 } else { 60 };
                let least = 1_u64.checked_shl(u32::try_from(beyond).unwrap()).unwrap_or(u64::MAX).min(longest);
                prop_assert!(later - earlier >= least, "{judged:?}");
            }
        }
    }
}
