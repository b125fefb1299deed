use std::time::Duration;

use proptest::prelude::*;
use rustls_pki_types::UnixTime;
use sealstone_identity::{DomainId, Passcode, UserId};

use super::{FactorFault, Kept, MAX_PASSKEYS, PasskeyFactor, TotpFactor, UserFactors};

fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

fn nobody() -> UserFactors {
    UserFactors::none(DomainId::parse("demo").unwrap(), UserId::parse("u1").unwrap())
}

fn kept(text: &str) -> Kept {
    Kept::of(&text).unwrap()
}

fn with_app() -> UserFactors {
    nobody().with_totp(TotpFactor::new(kept("sealed"), 100, at(3_000)))
}

fn key(id: &str) -> PasskeyFactor {
    PasskeyFactor::new(id, " my\nkey ", kept("record"), at(1))
}

fn code(text: &str) -> Passcode {
    Passcode::parse(text).unwrap()
}

#[test]
fn r14_a_step_is_accepted_once_and_none_before_it() {
    let factors = with_app();
    for (step, want) in [
        (99, Err(FactorFault::Spent)),
        (100, Err(FactorFault::Spent)),
        (101, Ok(Some(101))),
        (102, Ok(Some(102))),
    ] {
        let got = factors.with_spent_step(step);
        let last = got.map(|factors| factors.totp().and_then(TotpFactor::last_step));
        assert_eq!(last, want, "{step}");
    }
    let spent = factors.with_spent_step(102).unwrap();
    assert_eq!(
        spent.with_spent_step(101),
        Err(FactorFault::Spent),
        "the code before, later"
    );
    assert_eq!(nobody().with_spent_step(101), Err(FactorFault::Unknown));
}

#[test]
fn r14_the_code_that_set_the_app_up_is_spent() {
    let enrolled = nobody().with_totp(TotpFactor::new(kept("sealed"), 100, at(3_000)));
    assert_eq!(enrolled.with_spent_step(100), Err(FactorFault::Spent));
}

#[test]
fn r14_a_code_that_the_source_forgets_is_remembered_here() {
    let used = nobody().with_spent_code(&code("123456"), at(1_000)).unwrap();
    for (typed, now, want) in [
        ("123456", 1_000, Err(FactorFault::Spent)),
        ("123 456", 1_029, Err(FactorFault::Spent)),
        ("123456", 1_179, Err(FactorFault::Spent)),
        ("123457", 1_000, Ok(())),
        ("123456", 1_180, Ok(())),
    ] {
        let got = used.with_spent_code(&code(typed), at(now)).map(|_factors| ());
        assert_eq!(got, want, "{typed} at {now}");
    }
    let text = serde_json::to_string(&used).unwrap();
    assert!(!text.contains("123456"), "{text}");
}

#[test]
fn r13_remembered_codes_do_not_fill_the_record() {
    let mut factors = nobody();
    let mut stored = 0;
    for number in 0..1_000 {
        match factors.with_spent_code(&code(&format!("{number:06}")), at(1_000)) {
            Ok(next) => {
                factors = next;
                stored += 1;
            }
            Err(fault) => assert_eq!(fault, FactorFault::TooManyCodes),
        }
    }
    assert_eq!(stored, 32);
    assert!(
        factors.with_spent_code(&code("999999"), at(1_180)).is_ok(),
        "the others are forgotten"
    );
}

#[test]
fn every_change_is_the_next_version() {
    let one = with_app();
    assert_eq!((nobody().version(), one.version()), (0, 1));
    let changes = [
        one.without_totp(),
        one.with_recovery(kept("codes")),
        one.with_passkey(key("k1")).unwrap(),
        one.with_spent_step(101).unwrap(),
        one.with_spent_code(&code("1"), at(1)).unwrap(),
    ];
    for changed in changes {
        assert_eq!(changed.version(), 2, "{changed:?}");
    }
}

#[test]
fn passkeys_are_added_once_and_bounded() {
    let mut factors = nobody();
    for number in 0..MAX_PASSKEYS {
        factors = factors.with_passkey(key(&format!("k{number}"))).unwrap();
    }
    assert_eq!(factors.with_passkey(key("k0")), Err(FactorFault::Registered));
    assert_eq!(
        factors.with_passkey(key("new")),
        Err(FactorFault::TooManyPasskeys)
    );
    assert_eq!(factors.without_passkey("new"), Err(FactorFault::Unknown));
    let used = factors
        .with_used_passkey("k3", kept("counter 7"), at(50))
        .unwrap();
    let used = used.passkey("k3").unwrap();
    assert_eq!((used.last_used_at(), used.name()), (Some(at(50)), "mykey"));
    assert_eq!(used.record().read::<String>().unwrap(), "counter 7");
    assert_eq!(
        factors.with_used_passkey("new", kept(""), at(50)),
        Err(FactorFault::Unknown)
    );
}

#[test]
fn recovery_codes_go_with_the_last_factor() {
    let both = with_app()
        .with_recovery(kept("codes"))
        .with_passkey(key("k1"))
        .unwrap();
    let key_only = both.without_totp();
    assert!(key_only.recovery().is_some() && key_only.has_any());
    let none = key_only.without_passkey("k1").unwrap();
    assert!(none.recovery().is_none() && !none.has_any());
    assert_eq!(none.version(), both.version() + 2);
}

#[test]
fn no_debug_shows_a_record() {
    let factors = nobody().with_totp(TotpFactor::new(kept("hush"), 1, at(1)));
    assert!(!format!("{factors:?}").contains("hush"));
    assert!(
        factors.totp().unwrap().sealed_secret().read::<u32>().is_err(),
        "another's record"
    );
}

proptest! {
    /// Whatever order codes of whatever steps arrive in: each step is accepted once at most, in rising order.
    #[test]
    fn r14_no_order_of_codes_gets_one_accepted_twice(steps in proptest::collection::vec(95_u64..110, 0..50)) {
        let mut factors = with_app();
        let mut accepted = Vec::new();
        for step in steps {
            if let Ok(next) = factors.with_spent_step(step) {
                factors = next;
                accepted.push(step);
            }
        }
        prop_assert!(accepted.is_sorted_by(|one, other| one < other));
        prop_assert!(accepted.iter().all(|step| *step > 100));
        let text = serde_json::to_string(&factors).unwrap();
        prop_assert_eq!(serde_json::from_str::<UserFactors>(&text).unwrap(), factors);
    }
}
