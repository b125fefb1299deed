//! R: what is done to second factors, through the pages.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use rustls_pki_types::UnixTime;
use sealstone_audit::{Action, Outcome};
use sealstone_factors::TotpSecret;
use sealstone_identity::{
    AuthMethod, Delegated, DomainId, LoggedIn, LoginError, LoginRefusal, LoginSource, LoginStep, OpenLogin,
    Passcode, PasswordAttempt, Person, PersonProject, ProjectId, UserId,
};
use sealstone_login::{
    Challenge, ChallengeMode, Due, Enrolment, FactorKind, FactorStore as _, Kept, LoginPolicy, Poll,
    SecondFactor, SecondFactorAuthority, SecondFactorError, Swap, TotpFactor, UserFactors, Verdict,
};
use zeroize::Zeroizing;

use crate::people::{Alice, Browser, PASSWORD, PageForm, People, register_app, request};
use crate::support::{Answer, Ask, ISSUER, Log, World};

const CODE: &str = "287082";
const TWO_FACTORS: &str = "&acr_values=urn%3Asealstone%3Aacr%3Atwo-factor";

/// Wants a code beside the password, as Keystone's receipts do. It takes the right code as often as it comes.
#[derive(Default)]
struct WithCode {
    judged: AtomicUsize,
    answers_about: Option<&'static str>,
}

#[async_trait]
impl LoginSource for WithCode {
    async fn begin(&self, attempt: &PasswordAttempt<'_>) -> Result<LoginStep, LoginError> {
        if (attempt.user_name, attempt.password) != ("alice", PASSWORD) {
            return Err(LoginError::Refused(LoginRefusal::Credentials));
        }
        let receipt = Zeroizing::new("receipt".to_owned());
        let ends_at = UnixTime::since_unix_epoch(Duration::from_secs(u32::MAX.into()));
        Ok(LoginStep::NeedsCode(OpenLogin::new(
            Alice::person().user.clone(),
            receipt,
            ends_at,
        )))
    }

    async fn go_on(&self, _: &OpenLogin, code: &Passcode) -> Result<LoginStep, LoginError> {
        self.judged.fetch_add(1, Ordering::Relaxed);
        if code.expose() != CODE {
            return Err(LoginError::Refused(LoginRefusal::Code));
        }
        let person = match self.answers_about {
            Some(id) => Person::new(sealstone_identity::UserRef::new(id, "alice", "demo").unwrap()),
            None => Person::clone(&Alice::person()),
        };
        Ok(LoginStep::Done(LoggedIn {
            person: Arc::new(person),
            methods: vec![AuthMethod::Password, AuthMethod::OneTimeCode],
        }))
    }

    async fn person(&self, user: &UserId) -> Result<Arc<Person>, LoginError> {
        Alice.person(user).await
    }

    async fn projects(&self, _: &UserId) -> Result<Vec<PersonProject>, LoginError> {
        Ok(Vec::new())
    }

    async fn authority(&self, _: &UserId, _: &ProjectId) -> Result<Arc<Delegated>, LoginError> {
        Err(LoginError::Refused(LoginRefusal::NoRole))
    }
}

/// What the authority for second factors does about each question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    Good,
    Away,
    Nonsense,
    Locked,
    None,
    /// A question to somebody else.
    Other,
}

#[derive(Clone)]
struct Judge {
    due: Says,
    trigger: Says,
    answer: Says,
    judged: Arc<AtomicUsize>,
}

impl Judge {
    fn new(due: Says, trigger: Says, answer: Says) -> Self {
        Self {
            due,
            trigger,
            answer,
            judged: Arc::default(),
        }
    }
}

impl Says {
    fn error(self) -> Result<(), SecondFactorError> {
        match self {
            Self::Good | Self::Other => Ok(()),
            Self::Away => Err(SecondFactorError::unavailable("away")),
            Self::Nonsense => Err(SecondFactorError::malformed("nonsense")),
            Self::Locked => Err(SecondFactorError::Locked),
            Self::None => Err(SecondFactorError::NoFactor),
        }
    }
}

#[async_trait]
impl SecondFactorAuthority for Judge {
    async fn due(&self, _: &Person) -> Result<Due, SecondFactorError> {
        self.due.error().map(|()| Due::Yes)
    }

    async fn trigger(&self, person: &Person) -> Result<Challenge, SecondFactorError> {
        self.trigger.error()?;
        let other = UserId::parse("b0b").unwrap();
        let user = if self.trigger == Says::Other {
            &other
        } else {
            person.user.id()
        };
        let ends_at = UnixTime::since_unix_epoch(Duration::from_secs(u32::MAX.into()));
        let transaction = Zeroizing::new("17".to_owned());
        Ok(Challenge::new(
            user.clone(),
            transaction,
            vec![ChallengeMode::Code],
            ends_at,
        ))
    }

    async fn answer(&self, _: &Person, _: &Challenge, code: &Passcode) -> Result<Verdict, SecondFactorError> {
        self.judged.fetch_add(1, Ordering::Relaxed);
        self.answer.error()?;
        Ok(if code.expose() == CODE {
            Verdict::Accepted {
                method: AuthMethod::OneTimeCode,
            }
        } else {
            Verdict::Wrong
        })
    }

    async fn poll(&self, _: &Person, _: &Challenge) -> Result<Poll, SecondFactorError> {
        Ok(Poll::Pending)
    }
}

async fn world(people: People) -> World {
    let world = World::with_people(people).await;
    register_app(&world).await;
    world
}

async fn judged_by(judge: Judge) -> World {
    let policy = LoginPolicy {
        kinds: vec![FactorKind::Authority],
        ..LoginPolicy::password()
    };
    let people = People {
        policy,
        second_factor: Some(Arc::new(judge)),
        ..People::default()
    };
    world(people).await
}

/// Alice with an authenticator app of this server's own, and its secret.
async fn with_app() -> (World, TotpSecret) {
    let world = world(People::default()).await;
    let secret = TotpSecret::from_octets([7; 20]);
    let sealed = world.sealed_totp("a11ce", &secret.expose());
    let (domain, user) = (DomainId::parse("demo").unwrap(), UserId::parse("a11ce").unwrap());
    let totp = TotpFactor::new(Kept::of(&sealed).unwrap(), 0, world.clock.now());
    let factors = UserFactors::none(domain, user).with_totp(totp);
    assert_eq!(world.store.replace_factors(&factors).await.unwrap(), Swap::Done);
    (world, secret)
}

/// Name and password were right; the page that comes then.
async fn after_password(browser: &mut Browser<'_>, more: &str) -> Answer {
    let page = browser
        .get(&format!("{ISSUER}/authorize?{}", request(more)))
        .await;
    browser.sign_in(&page).await
}

async fn send_code(browser: &mut Browser<'_>, page: &Answer, code: &str) -> Answer {
    let form = PageForm::of(page).with(&[("code", code), ("do", "code")]);
    let answer = browser.post(&form).await;
    browser.follow(answer).await
}

#[track_caller]
fn asks_for_a_code(page: &Answer) {
    assert!(page.text.contains("name=\"code\""), "{page:?}");
}

/// Nobody is signed in here, and the client was told nothing.
#[track_caller]
fn nobody_is_in(browser: &Browser<'_>, answer: &Answer) {
    assert!(!browser.cookies.contains_key("__Host-session-demo"), "{answer:?}");
    assert!(!answer.text.contains("value=\"allow\""), "{answer:?}");
    let location = answer.header("location").unwrap_or_default();
    assert!(!location.contains("code="), "{answer:?}");
}

#[track_caller]
fn is_in(browser: &Browser<'_>, answer: &Answer) {
    assert!(browser.cookies.contains_key("__Host-session-demo"), "{answer:?}");
    assert!(answer.text.contains("value=\"allow\""), "{answer:?}");
}

#[tokio::test]
async fn r12_the_code_is_not_skipped() {
    let (own, _secret) = with_app().await;
    let judged = judged_by(Judge::new(Says::Good, Says::Good, Says::Good)).await;
    let sourced = world(People {
        source: Arc::new(WithCode::default()),
        ..People::default()
    })
    .await;
    for world in [own, judged, sourced] {
        let mut browser = Browser::new(&world);
        let page = after_password(&mut browser, "").await;
        asks_for_a_code(&page);
        nobody_is_in(&browser, &page);
        let form = PageForm::of(&page);
        for fields in [
            &[("do", "allow")][..],
            &[("do", "password"), ("user_name", "alice"), ("password", PASSWORD)],
            &[("do", "code")],
            &[("do", "code"), ("code", "")],
            &[("do", "code"), ("credential", "{}")],
            &[("do", "totp")],
            &[("do", "passkey")],
            &[("do", "confirm"), ("code", CODE)],
            &[("do", "back")],
            &[("do", "")],
            &[],
        ] {
            let answer = browser.post(&form.clone().with(fields)).await;
            let answer = browser.follow(answer).await;
            nobody_is_in(&browser, &answer);
        }
        let again = browser
            .get(&format!("{ISSUER}/authorize?{}", request("&prompt=none")))
            .await;
        let again = browser.follow(again).await;
        assert!(
            again.header("location").unwrap().contains("error=login_required"),
            "{again:?}"
        );
        let account = browser.get(&format!("{ISSUER}/account")).await;
        let account = browser.follow(account).await;
        nobody_is_in(&browser, &account);
    }
}

#[tokio::test]
async fn r13_a_sixth_code_is_judged_by_nobody() {
    let source = Arc::new(WithCode::default());
    let judge = Judge::new(Says::Good, Says::Good, Says::Good);
    let by_judge = Arc::clone(&judge.judged);
    let sourced = world(People {
        source: source.clone(),
        ..People::default()
    })
    .await;
    let judged = judged_by(judge).await;
    for (world, count) in [(sourced, &source.judged), (judged, &*by_judge)] {
        // In one sign-in and in many.
        for _sign_in in 0..3 {
            let mut browser = Browser::new(&world);
            let page = after_password(&mut browser, "").await;
            for number in 0..6 {
                let answer = send_code(&mut browser, &page, &format!("00000{number}")).await;
                nobody_is_in(&browser, &answer);
            }
            let answer = send_code(&mut browser, &page, CODE).await;
            nobody_is_in(&browser, &answer);
        }
        assert_eq!(count.load(Ordering::Relaxed), 5);
        // Nobody is locked out: once the wait is over, the person gets in.
        world.clock.advance(Duration::from_secs(3600));
        let mut browser = Browser::new(&world);
        let page = after_password(&mut browser, "").await;
        let answer = send_code(&mut browser, &page, CODE).await;
        is_in(&browser, &answer);
    }
}

#[tokio::test]
async fn r13_codes_sent_at_once_are_counted_one_by_one() {
    let source = Arc::new(WithCode::default());
    let world = world(People {
        source: source.clone(),
        ..People::default()
    })
    .await;
    let mut browser = Browser::new(&world);
    let page = after_password(&mut browser, "").await;
    let form = PageForm::of(&page);
    let cookies: Vec<String> = browser
        .cookies
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let asks = (0..100).map(|number| {
        let form = form
            .clone()
            .with(&[("code", &format!("{number:06}")), ("do", "code")]);
        let ask = Ask::post(&form.action)
            .header("sec-fetch-site", "same-origin")
            .header("origin", "null")
            .header("cookie", cookies.join("; "))
            .form(form.encoded());
        world.send(ask)
    });
    for answer in join_all(asks).await {
        assert!(
            !answer.header("location").unwrap_or_default().contains("code="),
            "{answer:?}"
        );
    }
    let judged = source.judged.load(Ordering::Relaxed);
    assert!((1..=5).contains(&judged), "{judged}");
}

#[tokio::test]
async fn r14_a_code_gets_one_person_in_once() {
    let (own, secret) = with_app().await;
    let sourced = world(People {
        source: Arc::new(WithCode::default()),
        ..People::default()
    })
    .await;
    let of_app = secret.code_at(own.clock.now()).expose().to_owned();
    for (world, code) in [(own, of_app.as_str()), (sourced, CODE)] {
        let mut first = Browser::new(&world);
        let mut second = Browser::new(&world);
        let (one, other) = (
            after_password(&mut first, "").await,
            after_password(&mut second, "").await,
        );
        let answer = send_code(&mut first, &one, code).await;
        is_in(&first, &answer);
        let answer = send_code(&mut second, &other, code).await;
        nobody_is_in(&second, &answer);
        asks_for_a_code(&answer);
    }
}

#[tokio::test]
async fn r15_codes_of_two_steps_away_get_nobody_in() {
    let (world, secret) = with_app().await;
    let at = |seconds: i64| {
        let now = i64::try_from(world.now()).unwrap() + seconds;
        let moment = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(now).unwrap()));
        secret.code_at(moment).expose().to_owned()
    };
    let mut browser = Browser::new(&world);
    let page = after_password(&mut browser, "").await;
    for away in [-90, -60, 60, 90] {
        let answer = send_code(&mut browser, &page, &at(away)).await;
        nobody_is_in(&browser, &answer);
    }
    let answer = send_code(&mut browser, &page, &at(-30)).await;
    is_in(&browser, &answer);
}

#[tokio::test]
async fn r16_odd_codes_are_shown_to_nobody() {
    let source = Arc::new(WithCode::default());
    let world = world(People {
        source: source.clone(),
        ..People::default()
    })
    .await;
    let mut browser = Browser::new(&world);
    let page = after_password(&mut browser, "").await;
    for odd in [
        "",
        "   ",
        "-287082",
        "+287082",
        "287082;",
        "\u{ff12}\u{ff18}\u{ff17}\u{ff10}\u{ff18}\u{ff12}",
        &"2".repeat(100),
    ] {
        let answer = send_code(&mut browser, &page, odd).await;
        nobody_is_in(&browser, &answer);
    }
    assert_eq!(source.judged.load(Ordering::Relaxed), 0);
    let answer = send_code(&mut browser, &page, " 287 082 ").await;
    is_in(&browser, &answer);
}

#[tokio::test]
async fn r17_an_authority_without_an_answer_lets_nobody_in_and_is_told_once() {
    use Says::{Away, Good, Locked, None, Nonsense};
    for (due, trigger, answer) in [
        (Away, Good, Good),
        (Nonsense, Good, Good),
        (Good, Away, Good),
        (Good, Nonsense, Good),
        (Good, Locked, Good),
        (Good, None, Good),
        (Good, Good, Away),
        (Good, Good, Nonsense),
        (Good, Good, Locked),
    ] {
        let world = judged_by(Judge::new(due, trigger, answer)).await;
        let log = Log::capture();
        let mut browser = Browser::new(&world);
        let mut page = after_password(&mut browser, "").await;
        if answer != Good {
            asks_for_a_code(&page);
            page = send_code(&mut browser, &page, CODE).await;
        }
        let which = (due, trigger, answer);
        nobody_is_in(&browser, &page);
        assert!(
            page.status.is_client_error() || page.status.is_server_error(),
            "{which:?} {page:?}"
        );
        assert!(
            page.header("content-type").unwrap().starts_with("text/html"),
            "{which:?}"
        );
        let failed = |event: &&sealstone_audit::Event<'_>| {
            event.action == Action::SignIn && event.outcome == Outcome::Failure
        };
        assert_eq!(world.events().iter().filter(failed).count(), 1, "{which:?}");
        assert!(!log.text().contains(CODE), "{which:?}");
    }
}

#[tokio::test]
async fn r18_a_proof_of_another_person_lets_nobody_in() {
    let judged = judged_by(Judge::new(Says::Good, Says::Other, Says::Good)).await;
    let mut browser = Browser::new(&judged);
    let page = after_password(&mut browser, "").await;
    nobody_is_in(&browser, &page);
    assert!(!page.text.contains("name=\"code\""), "{page:?}");

    let source = WithCode {
        answers_about: Some("b0b"),
        ..WithCode::default()
    };
    let sourced = world(People {
        source: Arc::new(source),
        ..People::default()
    })
    .await;
    let mut browser = Browser::new(&sourced);
    let page = after_password(&mut browser, "").await;
    let answer = send_code(&mut browser, &page, CODE).await;
    nobody_is_in(&browser, &answer);
}

#[tokio::test]
async fn r19_who_is_signed_in_by_a_password_is_asked_for_more() {
    let (world, secret) = with_app().await;
    // Signed in before there was an app.
    let (domain, user) = (DomainId::parse("demo").unwrap(), UserId::parse("a11ce").unwrap());
    let factors = world.store.factors(&domain, &user).await.unwrap().unwrap();
    assert_eq!(
        world
            .store
            .replace_factors(&factors.without_totp())
            .await
            .unwrap(),
        Swap::Done
    );
    let mut browser = Browser::new(&world);
    let answer = browser.authorize(&request("")).await;
    assert!(answer.header("location").unwrap().contains("code="), "{answer:?}");
    let sealed = world.sealed_totp("a11ce", &secret.expose());
    let totp = TotpFactor::new(Kept::of(&sealed).unwrap(), 0, world.clock.now());
    let factors = world.store.factors(&domain, &user).await.unwrap().unwrap();
    assert_eq!(
        world
            .store
            .replace_factors(&factors.with_totp(totp))
            .await
            .unwrap(),
        Swap::Done
    );
    let before = browser.cookies["__Host-session-demo"].clone();
    let silent = browser
        .get(&format!(
            "{ISSUER}/authorize?{}",
            request(&format!("{TWO_FACTORS}&prompt=none"))
        ))
        .await;
    let silent = browser.follow(silent).await;
    assert!(
        !silent.header("location").unwrap().contains("code="),
        "{silent:?}"
    );
    let page = browser
        .get(&format!("{ISSUER}/authorize?{}", request(TWO_FACTORS)))
        .await;
    let page = browser.follow(page).await;
    asks_for_a_code(&page);
    assert!(
        !page.text.contains("name=\"password\""),
        "the password stands: {page:?}"
    );
    let code = secret.code_at(world.clock.now()).expose().to_owned();
    let answer = send_code(&mut browser, &page, &code).await;
    let done = if answer.status == 200 {
        let form = PageForm::of(&answer).with(&[("do", "allow")]);
        let answer = browser.post(&form).await;
        browser.follow(answer).await
    } else {
        answer
    };
    assert!(done.header("location").unwrap().contains("code="), "{done:?}");
    assert_ne!(browser.cookies["__Host-session-demo"], before, "a new session id");
}

#[tokio::test]
async fn r20_a_code_is_taken_from_the_browser_that_the_password_came_from() {
    let (own, secret) = with_app().await;
    let judged = judged_by(Judge::new(Says::Good, Says::Good, Says::Good)).await;
    let sourced = world(People {
        source: Arc::new(WithCode::default()),
        ..People::default()
    })
    .await;
    let of_app = secret.code_at(own.clock.now()).expose().to_owned();
    for (world, code) in [(own, of_app.as_str()), (judged, CODE), (sourced, CODE)] {
        let mut victim = Browser::new(&world);
        let page = after_password(&mut victim, "").await;
        let form = PageForm::of(&page).with(&[("code", code), ("do", "code")]);
        let mut stranger = Browser::new(&world);
        for with_cookie in [false, true] {
            if with_cookie {
                stranger.get(&format!("{ISSUER}/authorize?{}", request(""))).await;
            }
            let answer = stranger.post(&form).await;
            let answer = stranger.follow(answer).await;
            assert!(answer.status.is_client_error(), "{answer:?}");
            nobody_is_in(&stranger, &answer);
            let id = form
                .fields
                .iter()
                .find(|(name, _value)| name == "interaction")
                .unwrap();
            let answer = stranger.get(&format!("{ISSUER}/interaction?id={}", id.1)).await;
            assert!(answer.status.is_client_error(), "{answer:?}");
            assert!(!answer.text.contains("name=\"code\""), "{answer:?}");
        }
        let answer = send_code(&mut victim, &page, code).await;
        is_in(&victim, &answer);
    }
}

#[tokio::test]
async fn r12_no_factor_is_set_up_on_a_password_beside_one_that_is_there() {
    let strict = LoginPolicy {
        second: SecondFactor::Always,
        enrolment: Enrolment::AtLogin,
        ..LoginPolicy::password()
    };
    let secret = TotpSecret::from_octets([7; 20]);
    let world = world(People {
        policy: strict,
        ..People::default()
    })
    .await;
    let sealed = world.sealed_totp("a11ce", &secret.expose());
    let (domain, user) = (DomainId::parse("demo").unwrap(), UserId::parse("a11ce").unwrap());
    let totp = TotpFactor::new(Kept::of(&sealed).unwrap(), 0, world.clock.now());
    let factors = UserFactors::none(domain.clone(), user.clone()).with_totp(totp);
    assert_eq!(world.store.replace_factors(&factors).await.unwrap(), Swap::Done);
    let mut browser = Browser::new(&world);
    let page = after_password(&mut browser, "").await;
    asks_for_a_code(&page);
    for pressed in ["totp", "passkey", "confirm"] {
        let form = PageForm::of(&page).with(&[("do", pressed), ("code", CODE)]);
        let answer = browser.post(&form).await;
        let answer = browser.follow(answer).await;
        nobody_is_in(&browser, &answer);
    }
    let kept = world.store.factors(&domain, &user).await.unwrap().unwrap();
    assert_eq!(kept, factors);
}

#[tokio::test]
async fn r13_passwords_are_slowed_down_and_nobody_is_locked_out() {
    let world = world(People::default()).await;
    let attempt = async |password: &str| {
        let mut browser = Browser::new(&world);
        let page = browser.get(&format!("{ISSUER}/authorize?{}", request(""))).await;
        let form =
            PageForm::of(&page).with(&[("user_name", "alice"), ("password", password), ("do", "password")]);
        let answer = browser.post(&form).await;
        let answer = browser.follow(answer).await;
        (browser.cookies.contains_key("__Host-session-demo"), answer)
    };
    for number in 0..50 {
        assert!(!attempt(&format!("wrong-{number}")).await.0);
    }
    let (got_in, answer) = attempt(PASSWORD).await;
    assert!(!got_in, "the owner waits, too: {answer:?}");
    world.clock.advance(Duration::from_secs(60));
    let (got_in, answer) = attempt(PASSWORD).await;
    assert!(got_in, "for a minute at most: {answer:?}");
}

#[tokio::test]
async fn r13_strangers_take_no_turn_of_a_browser_that_was_signed_in() {
    let world = world(People::default()).await;
    let mut own = Browser::new(&world);
    let page = own.get(&format!("{ISSUER}/authorize?{}", request(""))).await;
    own.sign_in(&page).await;
    own.cookies.remove("__Host-session-demo");
    let mut stranger = Browser::new(&world);
    for number in 0..30 {
        let page = stranger.get(&format!("{ISSUER}/authorize?{}", request(""))).await;
        let form = PageForm::of(&page).with(&[
            ("user_name", "alice"),
            ("password", &format!("wrong-{number}")),
            ("do", "password"),
        ]);
        stranger.post(&form).await;
    }
    let page = stranger.get(&format!("{ISSUER}/authorize?{}", request(""))).await;
    let answer = stranger.sign_in(&page).await;
    nobody_is_in(&stranger, &answer);
    let page = own.get(&format!("{ISSUER}/authorize?{}", request(""))).await;
    let answer = own.sign_in(&page).await;
    is_in(&own, &answer);
}
