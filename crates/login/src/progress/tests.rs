use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use proptest::prelude::*;
use rustls_pki_types::UnixTime;
use sealstone_identity::{AuthMethod::Password, LoggedIn, LoginStep, OpenLogin, Person, UserRef};
use sealstone_oauth_types::OpaqueToken;
use zeroize::Zeroizing;

use super::{LoginProgress, MAX_CODES, MAX_PASSWORDS};
use crate::{Amr, Kept, LoginDenial, PendingUpstream, UpstreamAsk, UpstreamSecrets};

fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

fn person(id: &str) -> Person {
    Person::new(UserRef::new(id, "ada", "demo").unwrap())
}

fn done() -> LoginStep {
    LoginStep::Done(LoggedIn {
        person: Arc::new(person("u1")),
        methods: vec![Password],
    })
}

fn after_password() -> LoginProgress {
    let mut progress = LoginProgress::default();
    let counted = progress.count_password().unwrap();
    progress.password_answered(counted, done(), at(100)).unwrap();
    progress
}

fn pending() -> PendingUpstream {
    let secrets = UpstreamSecrets {
        state: OpaqueToken::from_octets([1; 32]),
        nonce: OpaqueToken::from_octets([2; 32]),
        verifier: OpaqueToken::from_octets([3; 32]),
    };
    PendingUpstream::new("https://up.example", &UpstreamAsk::default(), &secrets, at(1))
}

#[test]
fn r13_wrong_codes_end_the_sign_in() {
    let mut progress = after_password();
    for left in (0..MAX_CODES).rev() {
        let _wrong = progress.count_code().unwrap();
        assert_eq!(progress.codes_left(), left);
    }
    assert_eq!(progress.count_code().unwrap_err(), LoginDenial::TooManyAttempts);
    assert!(
        progress.is_over() && progress.person().is_none(),
        "the password is due again"
    );
    progress.start_over();
    assert!(progress.is_over(), "not in this sign-in");
    assert_eq!(
        progress.count_password().unwrap_err(),
        LoginDenial::TooManyAttempts
    );
    assert_eq!(
        progress.upstream_began(pending()),
        Err(LoginDenial::TooManyAttempts)
    );
    assert_eq!(
        progress.passkey_answered(&person("u1"), &[], at(101)),
        Err(LoginDenial::TooManyAttempts)
    );
}

#[test]
fn r13_wrong_passwords_end_the_sign_in() {
    let mut progress = LoginProgress::default();
    for _attempt in 0..MAX_PASSWORDS {
        let _wrong = progress.count_password().unwrap();
        progress.start_over();
    }
    assert_eq!(
        progress.count_password().unwrap_err(),
        LoginDenial::TooManyAttempts
    );
}

/// The record as a store keeps it: whoever comes with an old version changes nothing.
struct Kept1 {
    version: u64,
    text: String,
}

/// One request: read, count, store by compare-and-swap; whoever lost reads again. Returns whether it may be judged.
fn attempt(store: &Mutex<Kept1>) -> bool {
    loop {
        let (version, text) = {
            let kept = store.lock().unwrap_or_else(PoisonError::into_inner);
            (kept.version, kept.text.clone())
        };
        let mut progress: LoginProgress = serde_json::from_str(&text).unwrap();
        let judged = progress.count_code().is_ok();
        let mut kept = store.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.version == version {
            kept.version += 1;
            kept.text = serde_json::to_string(&progress).unwrap();
            return judged;
        }
    }
}

#[test]
fn r13_a_thousand_codes_at_once_are_a_thousand_codes() {
    let store = Mutex::new(Kept1 {
        version: 1,
        text: serde_json::to_string(&after_password()).unwrap(),
    });
    let judged: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_thread| scope.spawn(|| (0..125).filter(|_attempt| attempt(&store)).count()))
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(judged, usize::from(MAX_CODES));
}

#[test]
fn r12_steps_out_of_order_prove_nothing() {
    let mut progress = LoginProgress::default();
    assert_eq!(progress.count_code().unwrap_err(), LoginDenial::OutOfOrder);
    assert_eq!(progress.take_passkey(), Err(LoginDenial::OutOfOrder));
    assert_eq!(progress.take_upstream(), Err(LoginDenial::OutOfOrder));
    assert_eq!(
        progress.upstream_answered(person("u1"), Amr::default(), at(1)),
        Err(LoginDenial::OutOfOrder),
        "nothing was proved upstream"
    );
    assert_eq!(progress, LoginProgress::default());

    let mut progress = after_password();
    let before = progress.clone();
    assert_eq!(progress.count_password().unwrap_err(), LoginDenial::OutOfOrder);
    assert_eq!(progress.upstream_began(pending()), Err(LoginDenial::OutOfOrder));
    let other = progress.upstream_answered(person("u2"), Amr::of([Password]), at(1));
    assert_eq!(other, Err(LoginDenial::OutOfOrder), "the person stays who it was");
    assert_eq!(progress, before);
    let code = progress.count_code().unwrap();
    let again = progress.password_answered(code, done(), at(101));
    assert_eq!(again, Err(LoginDenial::OutOfOrder));
}

#[test]
fn what_was_asked_once_is_answered_once() {
    let mut progress = LoginProgress::default();
    progress.upstream_began(pending()).unwrap();
    assert_eq!(progress.take_upstream(), Ok(pending()));
    assert_eq!(progress.take_upstream(), Err(LoginDenial::OutOfOrder));
    let question = Kept::of(&"question").unwrap();
    progress.passkey_asked(question.clone()).unwrap();
    assert_eq!(progress.take_passkey(), Ok(question));
    assert_eq!(progress.take_passkey(), Err(LoginDenial::OutOfOrder));
}

#[test]
fn starting_over_forgets_what_was_proved_and_keeps_what_was_counted() {
    let mut progress = after_password();
    let _wrong = progress.count_code().unwrap();
    progress.start_over();
    assert!(progress.person().is_none() && progress.amr().is_empty());
    assert_eq!(progress.codes_left(), MAX_CODES - 1);
}

#[test]
fn a_second_password_forgets_the_open_login_of_the_first() {
    let mut progress = LoginProgress::default();
    let counted = progress.count_password().unwrap();
    let open = OpenLogin::new(person("u1").user, Zeroizing::new("receipt".into()), at(300));
    progress
        .password_answered(counted, LoginStep::NeedsCode(open), at(100))
        .unwrap();
    let counted = progress.count_password().unwrap();
    progress.password_answered(counted, done(), at(110)).unwrap();
    assert!(progress.open().is_none());
    assert_eq!(progress.first_at(), Some(at(110)));
}

#[test]
fn no_debug_shows_what_is_kept() {
    let mut progress = LoginProgress::default();
    let open = OpenLogin::new(person("u1").user, Zeroizing::new("hush-receipt".into()), at(300));
    let counted = progress.count_password().unwrap();
    progress
        .password_answered(counted, LoginStep::NeedsCode(open), at(100))
        .unwrap();
    progress.upstream_began(pending()).unwrap();
    progress
        .passkey_asked(Kept::of(&"hush-question").unwrap())
        .unwrap();
    let text = format!("{progress:?}");
    for secret in ["hush", OpaqueToken::from_octets([3; 32]).expose()] {
        assert!(!text.contains(secret), "{text}");
    }
}

/// What somebody may do to a sign-in.
#[derive(Debug, Clone, Copy)]
enum Act {
    WrongPassword,
    RightPassword,
    WrongCode,
    RightCode,
    StartOver,
}

proptest! {
    /// However the acts follow each other: no more are judged than the limits say, and only a right password proves who.
    #[test]
    fn r13_no_order_of_acts_gets_more_attempts(acts in proptest::collection::vec(
        proptest::sample::select(vec![
            Act::WrongPassword,
            Act::RightPassword,
            Act::WrongCode,
            Act::RightCode,
            Act::StartOver,
        ]),
        0..60,
    )) {
        let mut progress = LoginProgress::default();
        let (mut passwords, mut codes) = (0, 0);
        for act in acts {
            match act {
                Act::WrongPassword => passwords += usize::from(progress.count_password().is_ok()),
                Act::RightPassword => {
                    if let Ok(counted) = progress.count_password() {
                        passwords += 1;
                        progress.password_answered(counted, done(), at(100)).unwrap();
                    }
                }
                Act::WrongCode => codes += usize::from(progress.count_code().is_ok()),
                Act::RightCode => {
                    if let Ok(counted) = progress.count_code() {
                        codes += 1;
                        progress.own_code_accepted(counted).unwrap();
                    }
                }
                Act::StartOver => progress.start_over(),
            }
            let text = serde_json::to_string(&progress).unwrap();
            prop_assert_eq!(&serde_json::from_str::<LoginProgress>(&text).unwrap(), &progress);
        }
        prop_assert!(passwords <= usize::from(MAX_PASSWORDS));
        prop_assert!(codes <= usize::from(MAX_CODES));
        if let Some(who) = progress.person() {
            prop_assert_eq!(who, &person("u1"));
        }
    }
}
