use std::{sync::Arc, time::Duration};

use proptest::prelude::*;
use rustls_pki_types::UnixTime;
use sealstone_identity::{AuthMethod, DomainId, LoggedIn, LoginStep, Person, UserRef};
use sealstone_oauth_types::{ClientId, OpaqueToken};

use super::{MAX_CLIENTS, Session, SessionEnd, SessionLimits, SessionSecrets, Sid};
use crate::{AcrWish, Authenticated, FactorStanding, LoginFlow, LoginPolicy, LoginProgress, NextStep};

const LIMITS: SessionLimits = SessionLimits {
    idle: Duration::from_secs(1_000),
    absolute: Duration::from_secs(5_000),
};

fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

fn demo() -> DomainId {
    DomainId::parse("demo").unwrap()
}

fn person(id: &str) -> Person {
    Person::new(UserRef::new(id, "ada", "demo").unwrap())
}

fn authenticated(id: &str, now: UnixTime) -> Authenticated {
    let policy = LoginPolicy::password();
    let mut progress = LoginProgress::default();
    let counted = progress.count_password().unwrap();
    let step = LoginStep::Done(LoggedIn {
        person: Arc::new(person(id)),
        methods: vec![AuthMethod::Password],
    });
    progress.password_answered(counted, step, now).unwrap();
    let standing = FactorStanding::of(None, 0, None);
    match LoginFlow::new(&policy, AcrWish::None).next(&progress, Some(standing), now) {
        Ok(NextStep::Done(authenticated)) => *authenticated,
        other => panic!("{other:?}"),
    }
}

fn secrets(octet: u8) -> SessionSecrets {
    SessionSecrets {
        token: OpaqueToken::from_octets([octet; 32]),
        sid: Sid::from_octets([octet; 16]),
    }
}

fn session() -> Session {
    Session::begin(
        &secrets(1),
        demo(),
        &authenticated("u1", at(10_000)),
        LIMITS,
        at(10_000),
    )
}

#[test]
fn g36_a_cookie_of_before_the_sign_in_names_no_session() {
    let planted = OpaqueToken::from_octets([9; 32]);
    let begun = session();
    assert_ne!(begun.id(), planted.hash());
    assert_eq!(begun.id(), OpaqueToken::from_octets([1; 32]).hash());
    let again = authenticated("u1", at(10_500));
    let renewed = begun
        .renew(&OpaqueToken::from_octets([2; 32]), &again, at(10_500))
        .unwrap();
    assert_ne!(renewed.id(), begun.id(), "a further sign-in changes the id");
    assert_eq!(renewed.sid(), begun.sid());
    assert_eq!(renewed.version(), begun.version() + 1);
    assert_eq!(renewed.authenticated_at(), at(10_500));
}

#[test]
fn g36_nobody_signs_in_into_the_session_of_another() {
    let other = authenticated("u2", at(10_100));
    assert_eq!(
        session().renew(&OpaqueToken::from_octets([2; 32]), &other, at(10_100)),
        None
    );
}

#[test]
fn a_session_ends_when_it_is_idle_or_old() {
    let begun = session();
    for (now, want) in [
        (10_000, Ok(())),
        (10_999, Ok(())),
        (11_000, Err(SessionEnd::Idle)),
        (15_000, Err(SessionEnd::Absolute)),
        (u64::MAX, Err(SessionEnd::Absolute)),
    ] {
        assert_eq!(begun.standing(&demo(), at(now)), want, "{now}");
    }
    let mut used = begun.clone();
    for now in (10_500..15_000).step_by(500) {
        used = used.touched(at(now)).unwrap();
        assert_eq!(used.standing(&demo(), at(now)), Ok(()));
    }
    assert_eq!(
        used.standing(&demo(), at(15_000)),
        Err(SessionEnd::Absolute),
        "however busy"
    );
    assert_eq!(used.expires_at(), at(15_000));
    assert_eq!(begun.expires_at(), at(11_000));
}

#[test]
fn a_session_counts_in_its_own_domain_only() {
    let other = DomainId::parse("other").unwrap();
    assert_eq!(
        session().standing(&other, at(10_000)),
        Err(SessionEnd::OtherDomain)
    );
}

#[test]
fn a_session_ends_with_what_it_stands_on() {
    let begun = session();
    let changed = |since| Person {
        valid_since: Some(at(since)),
        ..person("u1")
    };
    let elsewhere = Person::new(UserRef::new("u1", "ada", "other").unwrap());
    for (now, want) in [
        (person("u1"), Ok(())),
        (changed(9_999), Ok(())),
        (changed(10_000), Err(SessionEnd::Changed)),
        (changed(20_000), Err(SessionEnd::Changed)),
        (person("u2"), Err(SessionEnd::OtherPerson)),
        (elsewhere, Err(SessionEnd::OtherPerson)),
    ] {
        assert_eq!(begun.still_of(&now), want, "{now:?}");
    }
}

#[test]
fn max_age_is_counted_from_the_login() {
    let used = session().touched(at(10_900)).unwrap();
    for (max_age, now, fresh) in [
        (0, 10_000, true),
        (0, 10_001, false),
        (900, 10_900, true),
        (899, 10_900, false),
        (9_999, 9_999, false),
    ] {
        assert_eq!(
            used.is_fresh(Duration::from_secs(max_age), at(now)),
            fresh,
            "max_age {max_age} at {now}"
        );
    }
}

#[test]
fn a_busy_session_is_written_once_a_minute() {
    let begun = session();
    assert_eq!(begun.touched(at(10_059)), None);
    assert_eq!(begun.touched(at(9_000)), None, "the clock went back");
    let touched = begun.touched(at(10_060)).unwrap();
    assert_eq!(touched.last_used_at(), at(10_060));
    assert_eq!(touched.authenticated_at(), begun.authenticated_at());
}

#[test]
fn clients_are_remembered_once_and_not_without_end() {
    let mut joined = session();
    let client = |number: usize| ClientId::parse(&format!("client-{number}")).unwrap();
    for number in 0..=MAX_CLIENTS {
        joined = joined.joined(&client(number)).unwrap();
        assert_eq!(joined.joined(&client(number)), None);
    }
    assert_eq!(joined.clients().len(), MAX_CLIENTS);
    assert_eq!(
        joined.clients().first(),
        Some(&client(1)),
        "the oldest is forgotten"
    );
    assert_eq!(joined.clients().last(), Some(&client(MAX_CLIENTS)));
}

#[test]
fn what_a_browser_says_of_itself_is_cut() {
    let long = format!("Mozilla\r\n/5.0\0 {}", "x".repeat(10_000));
    let device = session().on_device(&long).device().unwrap().to_owned();
    assert!(
        device.starts_with("Mozilla/5.0 x") && device.chars().count() == 160,
        "{device}"
    );
    assert_eq!(session().on_device("\u{7}").device(), None);
}

#[test]
fn an_idle_limit_of_nothing_ends_no_login() {
    let limits = SessionLimits {
        idle: Duration::ZERO,
        absolute: Duration::from_secs(5_000),
    };
    let begun = Session::begin(&secrets(1), demo(), &authenticated("u1", at(1)), limits, at(1));
    assert_eq!(begun.standing(&demo(), at(300)), Ok(()));
}

#[test]
fn a_session_is_small() {
    let text = serde_json::to_string(&session().on_device(&"x".repeat(500))).unwrap();
    assert!(text.len() < 800, "{} octets: {text}", text.len());
}

#[test]
fn odd_names_of_sessions_are_refused() {
    let good = Sid::from_octets([0xff; 16]);
    assert_eq!(Sid::parse(good.as_str()), Some(good));
    for odd in [
        "",
        "short",
        &"a".repeat(23),
        &"a".repeat(21),
        "aaaaaaaaaaaaaaaaaaaaa=",
        "aaaaaaaaaaaaaaaaaaaaa/",
    ] {
        assert_eq!(Sid::parse(odd), None, "{odd:?}");
    }
}

proptest! {
    #[test]
    fn a_session_is_read_as_written(octets: [u8; 16], user_agent in ".*", clients in 0_usize..5) {
        let secrets = SessionSecrets { token: OpaqueToken::from_octets([1; 32]), sid: Sid::from_octets(octets) };
        let mut session = Session::begin(&secrets, demo(), &authenticated("u1", at(1)), LIMITS, at(1))
            .on_device(&user_agent);
        for number in 0..clients {
            session = session.joined(&ClientId::parse(&format!("c{number}")).unwrap()).unwrap();
        }
        let text = serde_json::to_string(&session).unwrap();
        prop_assert_eq!(serde_json::from_str::<Session>(&text).unwrap(), session);
    }

    #[test]
    fn no_use_makes_a_session_older_than_its_limit(steps in proptest::collection::vec(0_u64..2_000, 0..40)) {
        let mut session = session();
        let mut now = 10_000;
        for step in steps {
            now += step;
            if session.standing(&demo(), at(now)).is_err() {
                break;
            }
            prop_assert!(now < 15_000);
            session = session.touched(at(now)).unwrap_or(session);
            prop_assert!(session.expires_at() <= at(15_000));
        }
    }
}
