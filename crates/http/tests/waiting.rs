//! A person who confirms on a telephone: the page waits, and lets a code be typed instead.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use rustls_pki_types::UnixTime;
use sealstone_identity::{AuthMethod, Passcode, Person};
use sealstone_login::{
    Challenge, ChallengeMode, Due, FactorKind, LoginPolicy, Poll, SecondFactorAuthority, SecondFactorError,
    Verdict,
};
use zeroize::Zeroizing;

use crate::document::Document;
use crate::people::{Browser, PageForm, People, register_app, request};
use crate::support::{Answer, ISSUER, World};

const ACCEPTED: u8 = 1;
const DECLINED: u8 = 2;
const CODE: &str = "123456";

/// What the person does with the telephone.
#[derive(Clone, Default)]
struct Telephone(Arc<AtomicU8>);

#[async_trait]
impl SecondFactorAuthority for Telephone {
    async fn due(&self, _: &Person) -> Result<Due, SecondFactorError> {
        Ok(Due::Yes)
    }

    async fn trigger(&self, person: &Person) -> Result<Challenge, SecondFactorError> {
        let ends_at = UnixTime::since_unix_epoch(Duration::from_secs(u32::MAX.into()));
        let modes = vec![ChallengeMode::Code, ChallengeMode::Push];
        let transaction = Zeroizing::new("17".to_owned());
        Ok(Challenge::new(
            person.user.id().clone(),
            transaction,
            modes,
            ends_at,
        ))
    }

    async fn answer(&self, _: &Person, _: &Challenge, code: &Passcode) -> Result<Verdict, SecondFactorError> {
        Ok(if code.expose() == CODE {
            Verdict::Accepted {
                method: AuthMethod::OneTimeCode,
            }
        } else {
            Verdict::Wrong
        })
    }

    async fn poll(&self, _: &Person, _: &Challenge) -> Result<Poll, SecondFactorError> {
        Ok(match self.0.load(Ordering::Relaxed) {
            ACCEPTED => Poll::Accepted {
                method: AuthMethod::SoftwareKey,
            },
            DECLINED => Poll::Declined,
            _ => Poll::Pending,
        })
    }
}

async fn world(telephone: &Telephone) -> World {
    let world = World::with_people(People {
        policy: LoginPolicy {
            kinds: vec![FactorKind::Authority],
            ..LoginPolicy::password()
        },
        second_factor: Some(Arc::new(telephone.clone())),
        ..People::default()
    })
    .await;
    register_app(&world).await;
    world
}

async fn waiting(browser: &mut Browser<'_>) -> Answer {
    let page = browser.get(&format!("{ISSUER}/authorize?{}", request(""))).await;
    browser.sign_in(&page).await
}

/// Where the page loads itself again, if it does.
fn refresh(page: &Answer) -> Option<String> {
    let document = Document::parse(&page.text);
    let meta = document
        .all("meta")
        .find(|meta| meta.attribute("http-equiv") == Some("refresh"))?;
    let (seconds, address) = meta.attribute("content").unwrap().split_once("; url=").unwrap();
    assert!(seconds.parse::<u32>().unwrap() >= 1);
    Some(address.to_owned())
}

fn typing(page: &Answer) -> String {
    let document = Document::parse(&page.text);
    let link = document.all("a").find_map(|link| link.attribute("href")).unwrap();
    link.to_owned()
}

#[tokio::test]
async fn the_page_loads_itself_until_the_telephone_says_yes() {
    let telephone = Telephone::default();
    let world = world(&telephone).await;
    let mut browser = Browser::new(&world);
    let page = waiting(&mut browser).await;
    let address = refresh(&page).unwrap_or_else(|| panic!("{page:?}"));
    let again = browser.get(&address).await;
    assert_eq!(refresh(&again).as_ref(), Some(&address), "nothing was said yet");
    telephone.0.store(ACCEPTED, Ordering::Relaxed);
    let next = browser.get(&address).await;
    let next = browser.follow(next).await;
    assert!(next.text.contains("value=\"allow\""), "{next:?}");
}

#[tokio::test]
async fn without_a_refresh_the_button_does_the_same() {
    let telephone = Telephone::default();
    let world = world(&telephone).await;
    let mut browser = Browser::new(&world);
    let page = waiting(&mut browser).await;
    let poll = PageForm::of(&page).with(&[("do", "poll")]);
    let answer = browser.post(&poll).await;
    let page = browser.follow(answer).await;
    assert!(refresh(&page).is_some(), "{page:?}");
    telephone.0.store(ACCEPTED, Ordering::Relaxed);
    let answer = browser.post(&PageForm::of(&page).with(&[("do", "poll")])).await;
    let next = browser.follow(answer).await;
    assert!(next.text.contains("value=\"allow\""), "{next:?}");
}

#[tokio::test]
async fn who_types_a_code_is_not_interrupted_and_a_wrong_one_is_told() {
    let world = world(&Telephone::default()).await;
    let mut browser = Browser::new(&world);
    let page = waiting(&mut browser).await;
    let page = browser.get(&typing(&page)).await;
    assert_eq!(refresh(&page), None);
    let wrong = PageForm::of(&page).with(&[("code", "000000"), ("do", "code")]);
    let answer = browser.post(&wrong).await;
    let page = browser.follow(answer).await;
    assert_eq!(refresh(&page), None, "{page:?}");
    assert!(
        page.text.contains("role=\"alert\"") && page.text.contains("name=\"code\""),
        "{page:?}"
    );
    let right = PageForm::of(&page).with(&[("code", CODE), ("do", "code")]);
    let answer = browser.post(&right).await;
    let next = browser.follow(answer).await;
    assert!(next.text.contains("value=\"allow\""), "{next:?}");
}

#[tokio::test]
async fn a_telephone_that_says_no_lets_nobody_in() {
    let telephone = Telephone::default();
    let world = world(&telephone).await;
    let mut browser = Browser::new(&world);
    let page = waiting(&mut browser).await;
    telephone.0.store(DECLINED, Ordering::Relaxed);
    let answer = browser.get(&refresh(&page).unwrap()).await;
    let answer = browser.follow(answer).await;
    assert!(!answer.text.contains("value=\"allow\""), "{answer:?}");
    assert!(!browser.cookies.keys().any(|name| name.contains("session")));
    telephone.0.store(ACCEPTED, Ordering::Relaxed);
    let address = format!("{ISSUER}/authorize?{}", request("&prompt=none"));
    let silent = browser.get(&address).await;
    assert!(
        silent
            .header("location")
            .unwrap()
            .contains("error=login_required"),
        "{silent:?}"
    );
}
