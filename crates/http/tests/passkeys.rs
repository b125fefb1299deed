//! Passkeys through the pages: set up, used beside the password, used instead of it, and misused.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64_simd::URL_SAFE_NO_PAD;
use futures_util::future::join_all;
use sealstone_audit::{Action, Outcome};
use sealstone_identity::{
    Delegated, LoginError, LoginRefusal, LoginSource, LoginStep, OpenLogin, Passcode, PasswordAttempt,
    Person, PersonProject, ProjectId, UserId,
};
use sealstone_login::{FirstFactors, LoginPolicy};
use sealstone_testkit::{KeyKind, Lie, SoftAuthenticator};
use serde_json::{Value, json};

use crate::document::Document;
use crate::people::{Alice, Browser, PageForm, People, register_app, request};
use crate::support::{Answer, Ask, ISSUER, World};

const ORIGIN: &str = "https://id.example";
/// RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
/// Longer than any challenge of the login page lives.
const OLD: Duration = Duration::from_secs(601);

async fn world() -> World {
    let world = World::with_people(People::default()).await;
    register_app(&world).await;
    world
}

/// The form of the page that asks for a passkey, and what the browser's authenticator is asked.
fn asked(page: &Answer, kind: &str) -> Option<(PageForm, String)> {
    let document = Document::parse(&page.text);
    let index = document
        .elements()
        .position(|element| element.attribute("data-passkey") == Some(kind))?;
    let form = document.elements().nth(index).unwrap();
    let fields = document
        .inside(index, "input")
        .filter(|input| input.attribute("type") == Some("hidden"))
        .map(|input| {
            let of = |name| input.attribute(name).unwrap().to_owned();
            (of("name"), of("value"))
        })
        .filter(|(name, _)| name != "credential")
        .collect();
    let action = form.attribute("action").unwrap().to_owned();
    let options = form.attribute("data-options").unwrap().to_owned();
    Some((PageForm { action, fields }, options))
}

async fn login_page(browser: &mut Browser<'_>, more: &str) -> Answer {
    let uri = format!("{ISSUER}/authorize?{}", request(more));
    browser.get(&uri).await
}

/// What the script sends.
async fn send(browser: &mut Browser<'_>, form: &PageForm, credential: &str) -> Answer {
    let form = form.clone().with(&[("credential", credential), ("do", "code")]);
    let answer = browser.post(&form).await;
    browser.follow(answer).await
}

fn is_in(browser: &Browser<'_>) -> bool {
    browser.cookies.contains_key("__Host-session-demo")
}

/// Alice, who signed in with her password, set a passkey up on her own page, and signed out.
async fn enrolled(world: &World, lie: Lie) -> SoftAuthenticator {
    let mut browser = Browser::new(world);
    let page = browser.get(&format!("{ISSUER}/account")).await;
    let page = browser.sign_in(&page).await;
    let answer = browser
        .post(&PageForm::of(&page).with(&[("do", "add_passkey")]))
        .await;
    let page = browser.follow(answer).await;
    let (form, options) = asked(&page, "create").unwrap_or_else(|| panic!("{page:?}"));
    let mut authenticator = SoftAuthenticator::new(KeyKind::P256, ORIGIN);
    authenticator.lie = lie;
    let credential = authenticator.register(&options);
    let form = form.with(&[("credential", &credential), ("name", "laptop"), ("do", "confirm")]);
    let answer = browser.post(&form).await;
    let page = browser.follow(answer).await;
    assert!(asked(&page, "create").is_none(), "it is set up: {page:?}");
    authenticator.lie = Lie::default();
    authenticator
}

/// The ID token that the code at the client's door is good for.
async fn id_token(world: &World, browser: &mut Browser<'_>, page: &Answer) -> Value {
    let answer = browser.post(&PageForm::of(page).with(&[("do", "allow")])).await;
    let location = answer
        .header("location")
        .unwrap_or_else(|| panic!("{answer:?}"))
        .to_owned();
    let code = location.split("code=").nth(1).unwrap().split('&').next().unwrap();
    let body = format!(
        "grant_type=authorization_code&client_id=app&redirect_uri=https%3A%2F%2Fapp.example%2Fcb\
         &code={code}&code_verifier={VERIFIER}"
    );
    let answer = world.send(Ask::post(&format!("{ISSUER}/token")).form(body)).await;
    let token = answer.json()["id_token"]
        .as_str()
        .unwrap_or_else(|| panic!("{answer:?}"))
        .to_owned();
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode_to_vec(payload).unwrap()).unwrap()
}

#[tokio::test]
async fn a_passkey_is_a_login_of_its_own() {
    let world = world().await;
    let mut authenticator = enrolled(&world, Lie::default()).await;
    let mut browser = Browser::new(&world);
    let page = login_page(&mut browser, "").await;
    let (form, options) = asked(&page, "get").unwrap();
    let shown: Value = serde_json::from_str(&options).unwrap();
    assert_eq!(
        (
            &shown["rpId"],
            &shown["userVerification"],
            &shown["allowCredentials"]
        ),
        (&json!("id.example"), &json!("required"), &json!([])),
        "who comes is not known yet"
    );
    let consent = send(&mut browser, &form, &authenticator.assert(&options)).await;
    assert!(is_in(&browser), "{consent:?}");
    let claims = id_token(&world, &mut browser, &consent).await;
    assert_eq!(claims["acr"], "phr");
    let mut amr: Vec<&str> = claims["amr"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    amr.sort_unstable();
    assert_eq!(amr, ["hwk", "mfa", "user"]);
    assert_eq!(claims["auth_time"], world.now());
}

#[tokio::test]
async fn beside_the_password_a_key_that_verifies_nobody_is_enough() {
    let world = world().await;
    let unverified = Lie {
        flags: Some(0x41),
        ..Lie::default()
    };
    let mut authenticator = enrolled(&world, unverified).await;
    let mut browser = Browser::new(&world);
    let page = login_page(&mut browser, "").await;
    let page = browser.sign_in(&page).await;
    assert!(!is_in(&browser), "the password alone is not enough");
    let (form, options) = asked(&page, "get").unwrap_or_else(|| panic!("{page:?}"));
    let shown: Value = serde_json::from_str(&options).unwrap();
    assert_eq!(shown["allowCredentials"].as_array().unwrap().len(), 1);
    authenticator.lie.flags = Some(0x01);
    let consent = send(&mut browser, &form, &authenticator.assert(&options)).await;
    assert!(is_in(&browser), "{consent:?}");
    let claims = id_token(&world, &mut browser, &consent).await;
    assert_eq!(claims["acr"], "urn:sealstone:acr:two-factor");
    assert!(
        !claims["amr"].as_array().unwrap().contains(&json!("user")),
        "{claims}"
    );
}

#[tokio::test]
async fn r12_a_passkey_that_lies_lets_nobody_in() {
    let world = world().await;
    let mut authenticator = enrolled(&world, Lie::default()).await;
    type Change = fn(&mut Lie);
    let cases: [(&str, Change); 9] = [
        ("nobody verified", |lie| lie.flags = Some(0x01)),
        ("nobody there", |lie| lie.flags = Some(0x04)),
        ("another site", |lie| lie.origin = Some("https://id.example.evil")),
        ("another relying party", |lie| lie.rp_id = Some("example")),
        ("a registration", |lie| lie.ceremony = Some("webauthn.create")),
        ("another challenge", |lie| lie.challenge = Some("A".repeat(43))),
        ("another passkey", |lie| lie.credential = Some(vec![7; 32])),
        ("nobody's", |lie| lie.user = Some("")),
        ("a changed signature", |lie| {
            lie.signature = Some(|mut signature| {
                signature.reverse();
                signature
            });
        }),
    ];
    for (name, change) in cases {
        let mut browser = Browser::new(&world);
        let page = login_page(&mut browser, "").await;
        let (form, options) = asked(&page, "get").unwrap();
        authenticator.lie = Lie::default();
        change(&mut authenticator.lie);
        let before = world.events().len();
        let answer = send(&mut browser, &form, &authenticator.assert(&options)).await;
        assert!(!is_in(&browser), "{name}: {answer:?}");
        assert_eq!(answer.status, 200, "{name}: the page is shown again");
        assert!(asked(&answer, "get").is_some(), "{name}: another try is possible");
        let events = world.events();
        let [event] = &events[before..] else {
            panic!("{name}: one event, not {:?}", &events[before..]);
        };
        assert_eq!(
            (event.action, event.outcome),
            (Action::SignIn, Outcome::Failure),
            "{name}"
        );
    }
}

/// What is no answer of an authenticator at all.
#[tokio::test]
async fn r16_odd_answers_are_refused() {
    let world = world().await;
    let _enrolled = enrolled(&world, Lie::default()).await;
    for credential in [
        "",
        "{}",
        "null",
        "[]",
        "x",
        &"[".repeat(10_000),
        "{\"rawId\":\"AAAA\"}",
    ] {
        let mut browser = Browser::new(&world);
        let page = login_page(&mut browser, "").await;
        let (form, _) = asked(&page, "get").unwrap();
        let answer = send(&mut browser, &form, credential).await;
        assert!(
            !is_in(&browser) && answer.status == 200,
            "{credential:.20}: {answer:?}"
        );
    }
}

/// The challenge is this browser's and of now, and no answer counts twice.
#[tokio::test]
async fn r14_an_answer_is_of_this_browser_and_of_now_and_counts_once() {
    let world = world().await;
    let mut authenticator = enrolled(&world, Lie::default()).await;
    // As a synced passkey has it: nothing but what is remembered tells two answers apart.
    authenticator.lie.counter = Some(0);
    let mut browser = Browser::new(&world);
    let page = login_page(&mut browser, "").await;
    let (form, options) = asked(&page, "get").unwrap();
    let answer = authenticator.assert(&options);

    let mut thief = Browser::new(&world);
    let page = login_page(&mut thief, "").await;
    let (own, _) = asked(&page, "get").unwrap();
    send(&mut thief, &own, &answer).await;
    assert!(!is_in(&thief), "in another browser");
    send(&mut thief, &form, &answer).await;
    assert!(!is_in(&thief), "nor with the form of the first");

    world.clock.advance(Duration::from_secs(301));
    send(&mut browser, &form, &answer).await;
    assert!(is_in(&browser), "five minutes are a person's time");
    let mut again = Browser::new(&world);
    again.cookies.clone_from(&browser.cookies);
    again.cookies.remove("__Host-session-demo");
    send(&mut again, &form, &answer).await;
    assert!(!is_in(&again), "a second time");

    let mut late = Browser::new(&world);
    let page = login_page(&mut late, "").await;
    let (form, options) = asked(&page, "get").unwrap();
    let answer = authenticator.assert(&options);
    world.clock.advance(OLD);
    send(&mut late, &form, &answer).await;
    assert!(!is_in(&late), "ten minutes later");
}

#[tokio::test]
async fn r14_of_ten_that_send_one_answer_at_once_one_gets_in() {
    let world = world().await;
    let mut authenticator = enrolled(&world, Lie::default()).await;
    authenticator.lie.counter = Some(0);
    let mut browser = Browser::new(&world);
    let page = login_page(&mut browser, "").await;
    let (form, options) = asked(&page, "get").unwrap();
    let answer = &authenticator.assert(&options);
    let tries = (0..10).map(|_try| {
        let (mut browser, form, cookies) = (Browser::new(&world), form.clone(), browser.cookies.clone());
        async move {
            browser.cookies = cookies;
            send(&mut browser, &form, answer).await;
            is_in(&browser)
        }
    });
    let inside = join_all(tries).await;
    assert_eq!(inside.iter().filter(|is_in| **is_in).count(), 1);
}

/// Alice's source, after she was disabled.
struct Gone;

#[async_trait]
impl LoginSource for Gone {
    async fn begin(&self, _: &PasswordAttempt<'_>) -> Result<LoginStep, LoginError> {
        Err(LoginError::Refused(LoginRefusal::Credentials))
    }

    async fn go_on(&self, _: &OpenLogin, _: &Passcode) -> Result<LoginStep, LoginError> {
        Err(LoginError::Refused(LoginRefusal::Ended))
    }

    async fn person(&self, _: &UserId) -> Result<Arc<Person>, LoginError> {
        Err(LoginError::Refused(LoginRefusal::Person))
    }

    async fn projects(&self, _: &UserId) -> Result<Vec<PersonProject>, LoginError> {
        Err(LoginError::Refused(LoginRefusal::Person))
    }

    async fn authority(&self, _: &UserId, _: &ProjectId) -> Result<Arc<Delegated>, LoginError> {
        Err(LoginError::Refused(LoginRefusal::Person))
    }
}

/// Another server over the same store: what was set up there is used here.
async fn beside(first: &World, people: People) -> World {
    use sealstone_login::{FactorStore as _, Swap, UserFactors};
    let (domain, user) = (
        sealstone_identity::DomainId::parse("demo").unwrap(),
        UserId::parse("a11ce").unwrap(),
    );
    let kept = first.store.factors(&domain, &user).await.unwrap().unwrap();
    let world = World::with_people(people).await;
    register_app(&world).await;
    let mut copy = UserFactors::none(domain, user);
    for passkey in kept.passkeys() {
        copy = copy.with_passkey(passkey.clone()).unwrap();
    }
    assert_eq!(world.store.replace_factors(&copy).await.unwrap(), Swap::Done);
    world
}

#[tokio::test]
async fn who_is_disabled_is_not_let_in_by_a_passkey() {
    let first = world().await;
    let mut authenticator = enrolled(&first, Lie::default()).await;
    let people = People {
        source: Arc::new(Gone),
        ..People::default()
    };
    let gone = beside(&first, people).await;
    let there = beside(&first, People::default()).await;
    for (world, lets_in) in [(gone, false), (there, true)] {
        let mut browser = Browser::new(&world);
        let page = login_page(&mut browser, "").await;
        let (form, options) = asked(&page, "get").unwrap();
        send(&mut browser, &form, &authenticator.assert(&options)).await;
        assert_eq!(is_in(&browser), lets_in);
    }
}

#[tokio::test]
async fn where_a_passkey_is_no_login_it_is_neither_offered_nor_taken() {
    let first = world().await;
    let mut authenticator = enrolled(&first, Lie::default()).await;
    let policy = LoginPolicy {
        first: FirstFactors {
            passkey: false,
            ..LoginPolicy::password().first
        },
        ..LoginPolicy::password()
    };
    let people = People {
        policy,
        source: Arc::new(Alice),
        ..People::default()
    };
    let world = beside(&first, people).await;
    let mut browser = Browser::new(&world);
    let page = login_page(&mut browser, "").await;
    assert!(asked(&page, "get").is_none(), "{page:?}");
    assert!(
        !page.text.contains("passkey.js"),
        "no script where none is needed"
    );
    let form = PageForm::of(&page);
    let options = json!({"challenge": "A".repeat(43), "rpId": "id.example"});
    send(&mut browser, &form, &authenticator.assert(&options.to_string())).await;
    assert!(!is_in(&browser));
}

/// Neither a button for it, nor a way around the missing button.
#[tokio::test]
async fn an_account_page_offers_the_factors_that_count_there() {
    use sealstone_login::FactorKind;
    for kinds in [
        &[][..],
        &[FactorKind::Totp],
        &[FactorKind::Passkey],
        &[FactorKind::Passkey, FactorKind::Totp],
    ] {
        let policy = LoginPolicy {
            kinds: kinds.to_vec(),
            ..LoginPolicy::password()
        };
        let people = People {
            policy,
            ..People::default()
        };
        let world = World::with_people(people).await;
        let mut browser = Browser::new(&world);
        let page = browser.get(&format!("{ISSUER}/account")).await;
        let page = browser.sign_in(&page).await;
        for (kind, button) in [
            (FactorKind::Totp, "add_totp"),
            (FactorKind::Passkey, "add_passkey"),
        ] {
            let counts = kinds.contains(&kind);
            assert_eq!(
                page.text.contains(&format!("value=\"{button}\"")),
                counts,
                "{kinds:?} {button}"
            );
            let answer = browser.post(&PageForm::of(&page).with(&[("do", button)])).await;
            let answer = browser.follow(answer).await;
            let is_set_up = answer.text.contains("value=\"confirm\"");
            assert_eq!(is_set_up, counts, "{kinds:?} {button}: {answer:?}");
        }
    }
}
