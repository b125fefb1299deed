use std::{sync::Arc, time::Duration};

use proptest::prelude::*;
use rustls_pki_types::UnixTime;
use sealstone_identity::{
    AuthMethod::{self, HardwareKey, OneTimeCode, Password, SoftwareKey, UserVerified},
    DomainId, LoggedIn, LoginStep, OpenLogin, Person, UserRef,
};
use sealstone_oauth_types::OpaqueToken;
use zeroize::Zeroizing;

use super::{LoginFlow, NextStep};
use crate::{
    Acr, AcrWish, Amr, Authenticated, Challenge, ChallengeMode, Due, Enrolling, Enrolment, FactorKind,
    FactorStanding, FirstFactors, Kept, LoginDenial, LoginPolicy, LoginProgress, Poll, SecondFactor,
    SecondFactorError, Session, SessionLimits, SessionSecrets, Sid, Verdict,
};

const NONE: FactorStanding = FactorStanding {
    totp: false,
    passkey: false,
    recovery: false,
    authority: None,
};
const APP: FactorStanding = FactorStanding { totp: true, ..NONE };
const KEY: FactorStanding = FactorStanding {
    passkey: true,
    ..NONE
};

fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

fn person(id: &str) -> Person {
    Person::new(UserRef::new(id, "ada", "demo").unwrap())
}

fn policy(second: SecondFactor, kinds: &[FactorKind], enrolment: Enrolment) -> LoginPolicy {
    LoginPolicy {
        second,
        kinds: kinds.to_vec(),
        enrolment,
        ..LoginPolicy::password()
    }
}

fn broker() -> LoginPolicy {
    policy(
        SecondFactor::WhenEnrolled,
        &[FactorKind::Authority],
        Enrolment::Beforehand,
    )
}

/// A sign-in in which the source was satisfied with these.
fn proved(methods: &[AuthMethod]) -> LoginProgress {
    let mut progress = LoginProgress::default();
    let counted = progress.count_password().unwrap();
    let step = LoginStep::Done(LoggedIn {
        person: Arc::new(person("u1")),
        methods: methods.to_vec(),
    });
    progress.password_answered(counted, step, at(100)).unwrap();
    progress
}

fn challenge(user: &str) -> Challenge {
    Challenge::new(
        person(user).user.id().clone(),
        Zeroizing::new("123".into()),
        vec![ChallengeMode::Code, ChallengeMode::Push],
        at(400),
    )
}

fn done(step: Result<NextStep, LoginDenial>) -> Authenticated {
    match step {
        Ok(NextStep::Done(authenticated)) => *authenticated,
        other => panic!("{other:?}"),
    }
}

const ALL: FactorStanding = FactorStanding {
    totp: true,
    passkey: true,
    recovery: true,
    authority: None,
};
const CODES: FactorStanding = FactorStanding {
    recovery: true,
    ..NONE
};
const OWN: [FactorKind; 3] = [FactorKind::Recovery, FactorKind::Totp, FactorKind::Passkey];
const PWD: &[AuthMethod] = &[Password];
const BOTH: &[AuthMethod] = &[Password, OneTimeCode];

/// What comes after the first factor; `None`: the person is signed in, by what was proved and nothing else.
type Due1 = Option<Result<NextStep, LoginDenial>>;

fn second(kinds: &[FactorKind]) -> Due1 {
    Some(Ok(NextStep::Second(kinds.to_vec())))
}

fn enrol(kinds: &[FactorKind]) -> Due1 {
    Some(Ok(NextStep::Enrolment(kinds.to_vec())))
}

fn check(
    cases: impl IntoIterator<Item = (&'static [AuthMethod], LoginPolicy, AcrWish, FactorStanding, Due1)>,
) {
    for (number, (methods, policy, wish, standing, want)) in cases.into_iter().enumerate() {
        let progress = proved(methods);
        let got = LoginFlow::new(&policy, wish).next(&progress, Some(standing), at(101));
        match want {
            Some(want) => assert_eq!(got, want, "case {number}"),
            None => assert_eq!(done(got).amr(), &progress.amr(), "case {number}"),
        }
    }
}

#[test]
fn r12_what_the_policy_makes_due() {
    use Enrolment::{AtLogin, Beforehand};
    use FactorKind::{Passkey, Recovery, Totp};
    use SecondFactor::{Always, WhenEnrolled};
    let none = AcrWish::None;
    let lax = |kinds: &[FactorKind]| policy(WhenEnrolled, kinds, Beforehand);
    let strict = |kinds: &[FactorKind]| policy(Always, kinds, Beforehand);
    let helpful = |kinds: &[FactorKind]| policy(Always, kinds, AtLogin);
    let no_factor = Some(Err(LoginDenial::NoFactor));
    let unreachable = Some(Err(LoginDenial::AcrUnreachable));
    check([
        (PWD, lax(&OWN), none, NONE, None),
        (PWD, lax(&OWN), none, CODES, None),
        (PWD, lax(&OWN), none, APP, second(&[Totp])),
        (PWD, lax(&OWN), none, ALL, second(&[Passkey, Totp, Recovery])),
        (PWD, lax(&[Totp]), none, KEY, no_factor.clone()),
        (PWD, lax(&[]), none, APP, unreachable.clone()),
        (BOTH, lax(&OWN), none, APP, None),
        (PWD, strict(&OWN), none, NONE, no_factor.clone()),
        (PWD, strict(&OWN), none, CODES, no_factor),
        (BOTH, strict(&OWN), none, NONE, None),
        (PWD, policy(WhenEnrolled, &OWN, AtLogin), none, NONE, None),
        (PWD, helpful(&OWN), none, NONE, enrol(&[Passkey, Totp])),
        (PWD, helpful(&[Totp]), none, NONE, enrol(&[Totp])),
        (PWD, helpful(&OWN), none, KEY, second(&[Passkey])),
        (PWD, helpful(&[]), none, NONE, unreachable),
    ]);
}

#[test]
fn r19_what_the_request_makes_due() {
    use AcrWish::{Preferred, Required};
    use Enrolment::{AtLogin, Beforehand};
    use FactorKind::{Passkey, Totp};
    let (two, phr) = (Acr::TwoFactor, Acr::PhishingResistant);
    let lax = || policy(SecondFactor::WhenEnrolled, &OWN, Beforehand);
    let helpful = || policy(SecondFactor::WhenEnrolled, &OWN, AtLogin);
    let apps = || policy(SecondFactor::WhenEnrolled, &[Totp], AtLogin);
    let unreachable = Some(Err(LoginDenial::AcrUnreachable));
    check([
        (PWD, lax(), Required(two), NONE, Some(Err(LoginDenial::NoFactor))),
        (PWD, lax(), Required(two), APP, second(&[Totp])),
        (BOTH, lax(), Required(two), NONE, None),
        (BOTH, lax(), Required(phr), KEY, second(&[Passkey])),
        (PWD, helpful(), Required(two), NONE, enrol(&[Passkey, Totp])),
        (BOTH, helpful(), Required(phr), APP, enrol(&[Passkey])),
        (PWD, helpful(), Required(phr), APP, second(&[Totp])),
        (PWD, apps(), Required(phr), APP, unreachable),
        (PWD, helpful(), Preferred(two), NONE, None),
        (PWD, helpful(), Preferred(phr), NONE, None),
        (PWD, helpful(), Preferred(phr), APP, second(&[Totp])),
        (BOTH, helpful(), Preferred(phr), APP, None),
        (BOTH, helpful(), Preferred(phr), KEY, second(&[Passkey])),
    ]);
}

#[test]
fn r12_nobody_gets_past_the_first_factor_without_a_look_at_the_second() {
    let policy = LoginPolicy::password();
    let flow = LoginFlow::new(&policy, AcrWish::None);
    let began = LoginProgress::default();
    assert_eq!(
        flow.next(&began, Some(NONE), at(1)),
        Ok(NextStep::First(policy.first))
    );
    assert_eq!(
        flow.next(&proved(&[Password]), None, at(101)),
        Ok(NextStep::Standing)
    );
}

#[test]
fn r12_a_code_that_the_source_wants_cannot_be_skipped() {
    let policy = LoginPolicy::password();
    let flow = LoginFlow::new(&policy, AcrWish::None);
    let mut progress = LoginProgress::default();
    let counted = progress.count_password().unwrap();
    let open = OpenLogin::new(person("u1").user, Zeroizing::new("receipt".into()), at(300));
    progress
        .password_answered(counted, LoginStep::NeedsCode(open), at(100))
        .unwrap();
    assert_eq!(
        flow.next(&progress, Some(NONE), at(299)),
        Ok(NextStep::SourceCode)
    );
    assert_eq!(
        flow.next(&progress, Some(NONE), at(300)),
        Ok(NextStep::First(policy.first)),
        "the receipt has ended"
    );
    let counted = progress.clone().count_code().unwrap();
    assert_eq!(progress.own_code_accepted(counted), Err(LoginDenial::OutOfOrder));
    assert_eq!(progress.challenged(challenge("u1")), Err(LoginDenial::OutOfOrder));
    let factor = Enrolling::new(FactorKind::Totp, Kept::of(&"secret").unwrap());
    assert_eq!(progress.enrolment_began(factor), Err(LoginDenial::OutOfOrder));
    assert_eq!(
        progress.enrolled(FactorKind::Totp, &[OneTimeCode]),
        Err(LoginDenial::OutOfOrder)
    );
    assert!(progress.person().is_none());
}

#[test]
fn r12_only_the_authority_stands_in_for_itself() {
    let policy = policy(
        SecondFactor::Always,
        &[FactorKind::Authority, FactorKind::Totp, FactorKind::Passkey],
        Enrolment::AtLogin,
    );
    let flow = LoginFlow::new(&policy, AcrWish::None);
    let standing = FactorStanding {
        authority: Some(Due::Yes),
        ..APP
    };
    let mut progress = proved(&[Password]);
    let counted = progress.count_code().unwrap();
    progress.own_code_accepted(counted).unwrap();
    assert_eq!(progress.amr().acr(), Some(Acr::TwoFactor));
    let authority = Ok(NextStep::Second(vec![FactorKind::Authority]));
    assert_eq!(flow.next(&progress, Some(standing), at(101)), authority);
    progress.challenged(challenge("u1")).unwrap();
    assert_eq!(
        flow.next(&progress, Some(standing), at(101)),
        authority,
        "asked is not answered"
    );
    assert_eq!(progress.authority_polled(Poll::Pending, at(102)), Ok(false));
    assert_eq!(flow.next(&progress, Some(standing), at(102)), authority);
    let accepted = Poll::Accepted { method: SoftwareKey };
    assert_eq!(progress.authority_polled(accepted, at(103)), Ok(true));
    let authenticated = done(flow.next(&progress, Some(standing), at(103)));
    assert_eq!(authenticated.amr().values(), ["mfa", "otp", "pwd", "swk"]);
    assert_eq!(
        authenticated.at(),
        at(100),
        "no proof is older than auth_time says"
    );
}

#[test]
fn r17_an_authority_without_an_answer_lets_nobody_in() {
    let policy = broker();
    let flow = LoginFlow::new(&policy, AcrWish::None);
    for methods in [
        &[Password][..],
        &[Password, OneTimeCode],
        &[HardwareKey, UserVerified],
    ] {
        let progress = proved(methods);
        assert_eq!(
            flow.next(&progress, Some(APP), at(101)),
            Err(LoginDenial::Unavailable),
            "{methods:?}"
        );
        let not_due = FactorStanding {
            authority: Some(Due::No),
            ..NONE
        };
        done(flow.next(&progress, Some(not_due), at(101)));
    }
    for (error, denial) in [
        (SecondFactorError::unavailable("down"), LoginDenial::Unavailable),
        (SecondFactorError::malformed("odd"), LoginDenial::Unavailable),
        (
            SecondFactorError::NotConfigured { needs: "x" },
            LoginDenial::Unavailable,
        ),
        (SecondFactorError::Locked, LoginDenial::Locked),
        (SecondFactorError::NoFactor, LoginDenial::NoFactor),
    ] {
        assert_eq!(LoginDenial::from(&error), denial);
    }
}

#[test]
fn r17_whatever_the_authority_says_but_yes_leaves_nothing_proved() {
    let policy = broker();
    let flow = LoginFlow::new(&policy, AcrWish::None);
    let due = FactorStanding {
        authority: Some(Due::Yes),
        ..NONE
    };
    for (verdict, denial) in [
        (Verdict::Wrong, LoginDenial::WrongCode),
        (Verdict::Locked, LoginDenial::Locked),
        (Verdict::Ended, LoginDenial::Ended),
    ] {
        let mut progress = proved(&[Password]);
        progress.challenged(challenge("u1")).unwrap();
        let counted = progress.count_code().unwrap();
        assert_eq!(
            progress.authority_answered(counted, verdict, at(200)),
            Err(denial)
        );
        assert!(!progress.is_accepted_by_authority());
        assert!(!matches!(
            flow.next(&progress, Some(due), at(200)),
            Ok(NextStep::Done(_))
        ));
        assert_eq!(progress.is_over(), denial.ends_sign_in(), "{verdict:?}");
    }
    for (poll, denial) in [
        (Poll::Declined, LoginDenial::Declined),
        (Poll::Ended, LoginDenial::Ended),
    ] {
        let mut progress = proved(&[Password]);
        progress.challenged(challenge("u1")).unwrap();
        assert_eq!(progress.authority_polled(poll, at(200)), Err(denial));
        assert!(!matches!(
            flow.next(&progress, Some(due), at(200)),
            Ok(NextStep::Done(_))
        ));
        assert_eq!(progress.is_over(), denial.ends_sign_in(), "{poll:?}");
    }
    let mut late = proved(&[Password]);
    late.challenged(challenge("u1")).unwrap();
    let accepted = Poll::Accepted { method: SoftwareKey };
    assert_eq!(late.authority_polled(accepted, at(400)), Err(LoginDenial::Ended));
    let mut unasked = proved(&[Password]);
    assert_eq!(
        unasked.authority_polled(accepted, at(200)),
        Err(LoginDenial::OutOfOrder)
    );
}

#[test]
fn r18_a_proof_of_another_person_ends_the_sign_in() {
    let other = person("u2");
    let mut asked = proved(&[Password]);
    assert_eq!(asked.challenged(challenge("u2")), Err(LoginDenial::OtherPerson));
    assert!(asked.is_over() && asked.person().is_none());

    let mut keyed = proved(&[Password]);
    assert_eq!(
        keyed.passkey_answered(&other, &[HardwareKey, UserVerified], at(110)),
        Err(LoginDenial::OtherPerson)
    );
    assert!(keyed.is_over() && keyed.person().is_none());

    let mut opened = LoginProgress::default();
    let counted = opened.count_password().unwrap();
    let open = OpenLogin::new(person("u1").user, Zeroizing::new("receipt".into()), at(300));
    opened
        .password_answered(counted, LoginStep::NeedsCode(open.clone()), at(100))
        .unwrap();
    let counted = opened.count_code().unwrap();
    let step = LoginStep::Done(LoggedIn {
        person: Arc::new(other),
        methods: vec![Password, OneTimeCode],
    });
    assert_eq!(
        opened.source_code_answered(counted, step, at(110)),
        Err(LoginDenial::OtherPerson)
    );
    assert!(opened.is_over() && opened.person().is_none() && opened.open().is_none());

    let policy = LoginPolicy::password();
    let flow = LoginFlow::new(&policy, AcrWish::None);
    for progress in [asked, keyed, opened] {
        assert_eq!(
            flow.next(&progress, Some(NONE), at(120)),
            Err(LoginDenial::TooManyAttempts)
        );
    }
}

fn session(methods: &[AuthMethod]) -> Session {
    let policy = policy(
        SecondFactor::WhenEnrolled,
        &[FactorKind::Totp],
        Enrolment::Beforehand,
    );
    let flow = LoginFlow::new(&policy, AcrWish::None);
    let authenticated = done(flow.next(&proved(methods), Some(NONE), at(100)));
    let secrets = SessionSecrets {
        token: OpaqueToken::from_octets([1; 32]),
        sid: Sid::from_octets([2; 16]),
    };
    let domain = DomainId::parse("demo").unwrap();
    Session::begin(
        &secrets,
        domain,
        &authenticated,
        SessionLimits::default(),
        at(100),
    )
}

#[test]
fn r19_a_session_of_a_password_is_asked_for_more() {
    let session = session(&[Password]);
    let lax = LoginPolicy::password();
    let strict = LoginPolicy {
        second: SecondFactor::Always,
        ..LoginPolicy::password()
    };
    let two = Acr::TwoFactor;
    for (policy, wish, suffices) in [
        (&lax, AcrWish::None, true),
        (&lax, AcrWish::Preferred(Acr::OneFactor), true),
        (&lax, AcrWish::Preferred(two), false),
        (&lax, AcrWish::Required(two), false),
        (&strict, AcrWish::None, false),
    ] {
        assert_eq!(
            LoginFlow::new(policy, wish).suffices(&session),
            suffices,
            "{wish:?}"
        );
    }
    let flow = LoginFlow::new(&lax, AcrWish::Required(two));
    let mut progress = LoginProgress::step_up(&session, &person("u1")).unwrap();
    assert_eq!(
        flow.next(&progress, Some(APP), at(200)),
        Ok(NextStep::Second(vec![FactorKind::Totp]))
    );
    let counted = progress.count_code().unwrap();
    progress.own_code_accepted(counted).unwrap();
    let authenticated = done(flow.next(&progress, Some(APP), at(200)));
    assert_eq!(authenticated.amr().values(), ["mfa", "otp", "pwd"]);
    assert_eq!(authenticated.acr(), two);
    assert_eq!(authenticated.at(), at(100), "the password is as old as it was");
    let renewed = session
        .renew(&OpaqueToken::from_octets([3; 32]), &authenticated, at(200))
        .unwrap();
    assert!(flow.suffices(&renewed));
}

#[test]
fn r19_a_session_that_does_not_stand_is_nothing_to_step_up_from() {
    let session = session(&[Password]);
    let mut changed = person("u1");
    changed.valid_since = Some(at(100));
    for (who, stands) in [(person("u1"), true), (person("u2"), false), (changed, false)] {
        assert_eq!(LoginProgress::step_up(&session, &who).is_ok(), stands, "{who:?}");
    }
}

#[test]
fn r19_a_passkey_is_a_login_of_its_own_only_when_it_made_sure_of_its_user() {
    let policy = LoginPolicy::password();
    let flow = LoginFlow::new(&policy, AcrWish::Required(Acr::PhishingResistant));
    let mut unverified = LoginProgress::default();
    assert_eq!(
        unverified.passkey_answered(&person("u1"), &[HardwareKey], at(100)),
        Err(LoginDenial::WrongCode)
    );
    assert!(unverified.person().is_none());
    let mut verified = LoginProgress::default();
    verified
        .passkey_answered(&person("u1"), &[SoftwareKey, UserVerified], at(100))
        .unwrap();
    let authenticated = done(flow.next(&verified, Some(KEY), at(100)));
    assert_eq!(authenticated.acr(), Acr::PhishingResistant);
    assert_eq!(authenticated.amr().values(), ["mfa", "swk", "user"]);
}

#[test]
fn r19_the_word_of_an_upstream_provider_is_one_factor() {
    let policy = LoginPolicy {
        first: FirstFactors {
            password: false,
            passkey: false,
            upstream: true,
        },
        ..broker()
    };
    let flow = LoginFlow::new(&policy, AcrWish::None);
    let mut progress = LoginProgress::default();
    progress
        .upstream_answered(person("u1"), Amr::upstream(&["pwd".to_owned()], false), at(90))
        .unwrap();
    let due = FactorStanding {
        authority: Some(Due::Yes),
        ..NONE
    };
    assert_eq!(
        flow.next(&progress, Some(due), at(100)),
        Ok(NextStep::Second(vec![FactorKind::Authority]))
    );
    progress.challenged(challenge("u1")).unwrap();
    let counted = progress.count_code().unwrap();
    let verdict = Verdict::Accepted { method: OneTimeCode };
    progress.authority_answered(counted, verdict, at(110)).unwrap();
    let authenticated = done(flow.next(&progress, Some(due), at(110)));
    assert_eq!(authenticated.amr().values(), ["mfa", "otp", "pwd"]);
    assert_eq!(authenticated.at(), at(90), "when the person really signed in");
}

#[test]
fn enrolment_counts_once_it_was_proved() {
    let policy = policy(SecondFactor::Always, &[FactorKind::Totp], Enrolment::AtLogin);
    let flow = LoginFlow::new(&policy, AcrWish::None);
    let mut progress = proved(&[Password]);
    let factor = Enrolling::new(FactorKind::Totp, Kept::of(&"secret").unwrap());
    progress.enrolment_began(factor).unwrap();
    assert!(!matches!(
        flow.next(&progress, Some(NONE), at(101)),
        Ok(NextStep::Done(_))
    ));
    let other = progress.enrolled(FactorKind::Passkey, &[HardwareKey, UserVerified]);
    assert_eq!(other, Err(LoginDenial::OutOfOrder));
    progress.enrolled(FactorKind::Totp, &[OneTimeCode]).unwrap();
    assert_eq!(
        progress.enrolled(FactorKind::Totp, &[OneTimeCode]),
        Err(LoginDenial::OutOfOrder)
    );
    assert_eq!(
        done(flow.next(&progress, Some(APP), at(102))).acr(),
        Acr::TwoFactor
    );
}

fn standings() -> impl Strategy<Value = FactorStanding> {
    let due = prop_oneof![Just(None), Just(Some(Due::No)), Just(Some(Due::Yes))];
    (any::<bool>(), any::<bool>(), any::<bool>(), due).prop_map(|(totp, passkey, recovery, authority)| {
        FactorStanding {
            totp,
            passkey,
            recovery,
            authority,
        }
    })
}

fn policies() -> impl Strategy<Value = LoginPolicy> {
    let kinds = vec![
        FactorKind::Passkey,
        FactorKind::Totp,
        FactorKind::Recovery,
        FactorKind::Authority,
    ];
    let kinds = proptest::sample::subsequence(kinds, 0..=4);
    (any::<bool>(), any::<bool>(), kinds).prop_map(|(always, at_login, kinds)| {
        let second = if always {
            SecondFactor::Always
        } else {
            SecondFactor::WhenEnrolled
        };
        let enrolment = if at_login {
            Enrolment::AtLogin
        } else {
            Enrolment::Beforehand
        };
        policy(second, &kinds, enrolment)
    })
}

fn wishes() -> impl Strategy<Value = AcrWish> {
    let acr = || proptest::sample::select(Acr::ALL.to_vec());
    prop_oneof![
        Just(AcrWish::None),
        acr().prop_map(AcrWish::Preferred),
        acr().prop_map(AcrWish::Required)
    ]
}

fn methods() -> impl Strategy<Value = Vec<AuthMethod>> {
    proptest::collection::vec(proptest::sample::select(AuthMethod::ALL.to_vec()), 0..4)
}

proptest! {
    /// Whatever the policy, the wish and the person's factors: who gets in proved what was due.
    #[test]
    fn r12_who_gets_in_proved_what_was_due(
        policy in policies(),
        wish in wishes(),
        standing in standings(),
        first in methods(),
        code in any::<bool>(),
    ) {
        let mut progress = proved(&first);
        if code {
            let counted = progress.count_code().unwrap();
            progress.own_code_accepted(counted).unwrap();
        }
        let flow = LoginFlow::new(&policy, wish);
        match flow.next(&progress, Some(standing), at(101)) {
            Ok(NextStep::Done(authenticated)) => {
                let acr = authenticated.acr();
                prop_assert_eq!(Some(acr), progress.amr().acr());
                if let AcrWish::Required(required) = wish {
                    prop_assert!(acr >= required);
                }
                if policy.second == SecondFactor::Always || standing.totp || standing.passkey {
                    prop_assert!(acr >= Acr::TwoFactor);
                }
                if policy.allows(FactorKind::Authority) {
                    prop_assert_eq!(standing.authority, Some(Due::No));
                }
            }
            Ok(NextStep::Second(kinds)) => {
                prop_assert!(!kinds.is_empty());
                for kind in kinds {
                    prop_assert!(policy.allows(kind) && standing.has(kind));
                }
            }
            Ok(NextStep::Enrolment(kinds)) => {
                prop_assert_eq!(policy.enrolment, Enrolment::AtLogin);
                prop_assert!(!kinds.is_empty());
                for kind in kinds {
                    prop_assert!(policy.allows(kind) && kind.can_be_enrolled());
                }
                let usable = [FactorKind::Passkey, FactorKind::Totp]
                    .into_iter()
                    .any(|kind| policy.allows(kind) && standing.has(kind));
                prop_assert!(!usable || progress.amr().acr() >= Some(Acr::TwoFactor));
            }
            Ok(NextStep::First(_) | NextStep::SourceCode | NextStep::Standing) => prop_assert!(false),
            Err(_denied) => {}
        }
    }
}
