//! Second factors, step-up, and who judges them.

use super::support::*;
use async_trait::async_trait;
use sealstone_audit::Event;
use sealstone_factors::TotpSecret;
use sealstone_identity::{AuthMethod, Passcode, Person};
use sealstone_login::{
    Challenge, ChallengeMode, Due, Enrolment, FactorKind, LoginPolicy, PendingUpstream, Poll, SecondFactor,
    SecondFactorAuthority, SecondFactorError, UpstreamAsk, UpstreamCallback, UpstreamError, UpstreamIdentity,
    UpstreamLogin, UpstreamRedirect, UpstreamRefusal, UpstreamSecrets, Verdict,
};
use sealstone_oauth_types::{DeviceAuthorizationRequest, Form};
use sealstone_provider::people::{
    AbsentEndpoint, BrowserContent, CodeKind, Fault, PeopleConfig, Profile, View,
};
use sealstone_testkit::{KeyKind, SoftAuthenticator, unix_time};
use serde_json::json;
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn with_policy(change: impl FnOnce(&mut LoginPolicy)) -> PeopleConfig {
    let mut config = config();
    change(&mut config.policy);
    config
}

fn demanding() -> PeopleConfig {
    with_policy(|policy| {
        policy.second = SecondFactor::Always;
        policy.enrolment = Enrolment::AtLogin;
    })
}

/// Signs in and sets up an app: its secret, the recovery codes, and the answer.
async fn enrol(browser: &mut Browser<'_>, world: &World, query: &str) -> (TotpSecret, Vec<String>, Answer) {
    let page = browser.authorize(query).await;
    let choice = browser.sign_in(&page).await;
    assert!(matches!(choice.view(), Some(View::EnrolChoice(_))), "{choice:?}");
    let page = browser.send(&choice, &[("do", "totp")]).await;
    let Some(View::EnrolTotp(view)) = page.view() else {
        panic!("{page:?}");
    };
    assert!(view.qr.0 > 20 && view.qr.1.expose().starts_with('M'));
    let secret = TotpSecret::parse(view.secret.expose()).unwrap();
    let wrong = browser
        .send(&page, &[("code", "000000"), ("do", "confirm")])
        .await;
    assert!(matches!(wrong.view(), Some(View::EnrolTotp(view)) if view.fault == Some(Fault::WrongCode)));
    let code = secret.code_at(world.clock.now());
    let page = browser
        .send(&wrong, &[("code", code.expose()), ("do", "confirm")])
        .await;
    let Some(View::RecoveryCodes(view)) = page.view() else {
        panic!("{page:?}");
    };
    let codes = view.codes.iter().map(|code| code.expose().to_owned()).collect();
    let answer = browser.send(&page, &[("do", "continue")]).await;
    (secret, codes, answer)
}

/// From a fresh browser to the page that asks for a code.
async fn to_code(browser: &mut Browser<'_>, query: &str) -> Answer {
    let page = browser.authorize(query).await;
    let page = browser.sign_in(&page).await;
    assert!(matches!(page.view(), Some(View::Code(_))), "{page:?}");
    page
}

async fn typed(browser: &mut Browser<'_>, page: &Answer, code: &str) -> Answer {
    browser.send(page, &[("code", code), ("do", "code")]).await
}

#[tokio::test]
async fn r12_r14_an_app_is_set_up_and_asked_for_and_each_code_counts_once() {
    let world = world_with(demanding(), None, None).await;
    let mut browser = world.browser();
    let (secret, _, answer) = enrol(&mut browser, &world, &request("&scope=openid")).await;
    let token = world.exchange(&answer.parameter("code").unwrap()).await.unwrap();
    let id = claims(&token.id_token.unwrap());
    assert_eq!(
        (&id["amr"], &id["acr"]),
        (
            &json!(["mfa", "otp", "pwd"]),
            &json!("urn:sealstone:acr:two-factor")
        )
    );
    let mut browser = world.browser();
    let page = to_code(&mut browser, &request("")).await;
    // Without the code there is no way on: no session, no code, whatever is sent.
    assert!(browser.session.is_none());
    for fields in [
        vec![("do", "continue")],
        vec![("do", "allow")],
        vec![("do", "totp")],
        vec![("do", "confirm"), ("code", "123456")],
        vec![("do", "later")],
        vec![("do", "poll")],
        vec![("do", "code"), ("code", "123456")],
    ] {
        let again = browser.send(&page, &fields).await;
        assert!(
            matches!(again.view(), Some(View::Code(_))),
            "{fields:?}: {again:?}"
        );
        assert!(browser.session.is_none());
        if fields == [("do", "totp")] {
            assert_eq!(
                world.last_rule(),
                "login_refused/step_not_due",
                "none is set up in its place"
            );
        }
    }
    let spent = secret.code_at(world.clock.now());
    let again = typed(&mut browser, &page, spent.expose()).await;
    assert!(
        matches!(again.view(), Some(View::Code(view)) if view.fault == Some(Fault::WrongCode)),
        "{again:?}"
    );
    world.clock.advance(Duration::from_secs(30));
    let code = secret.code_at(world.clock.now());
    assert_eq!(typed(&mut browser, &page, code.expose()).await.kind(), "code");
    let mut other = world.browser();
    let page = to_code(&mut other, &request("")).await;
    let again = typed(&mut other, &page, code.expose()).await;
    assert!(matches!(again.view(), Some(View::Code(_))), "the same code again");
}

#[tokio::test]
async fn r13_guesses_end_the_sign_in_and_make_the_next_one_wait() {
    let world = world_with(demanding(), None, None).await;
    let (secret, ..) = enrol(&mut world.browser(), &world, &request("")).await;
    world.clock.advance(Duration::from_secs(60));
    let mut browser = world.browser();
    let page = to_code(&mut browser, &request("")).await;
    let mut last = page;
    for _guess in 0..5 {
        last = typed(&mut browser, &last, "000000").await;
    }
    let right = secret.code_at(world.clock.now());
    let answer = typed(&mut browser, &last, right.expose()).await;
    assert_ne!(answer.kind(), "code");
    let mut browser = world.browser();
    let page = to_code(&mut browser, &request("")).await;
    let again = typed(&mut browser, &page, right.expose()).await;
    assert!(
        matches!(again.view(), Some(View::Code(view)) if view.fault == Some(Fault::TooManyAttempts)),
        "{again:?}"
    );
    world.clock.advance(Duration::from_secs(3600));
    let mut browser = world.browser();
    let page = to_code(&mut browser, &request("")).await;
    let right = secret.code_at(world.clock.now());
    assert_eq!(typed(&mut browser, &page, right.expose()).await.kind(), "code");
}

#[tokio::test]
async fn a_recovery_code_stands_in_once() {
    let world = world_with(demanding(), None, None).await;
    let (_, codes, _) = enrol(&mut world.browser(), &world, &request("")).await;
    assert_eq!(codes.len(), 10);
    for (code, want) in [(&codes[3], "code"), (&codes[3], "Code"), (&codes[4], "code")] {
        let mut browser = world.browser();
        let page = to_code(&mut browser, &request("")).await;
        assert!(matches!(page.view(), Some(View::Code(view)) if view.kinds.contains(&CodeKind::Recovery)));
        assert_eq!(
            typed(&mut browser, &page, &code.to_lowercase()).await.kind(),
            want
        );
    }
}

#[tokio::test]
async fn r20_a_code_typed_into_another_browser_does_nothing() {
    let world = world_with(demanding(), None, None).await;
    let (secret, ..) = enrol(&mut world.browser(), &world, &request("")).await;
    world.clock.advance(Duration::from_secs(30));
    let mut browser = world.browser();
    let page = to_code(&mut browser, &request("")).await;
    let code = secret.code_at(world.clock.now());
    let body = page.body(&[("code", code.expose()), ("do", "code")]);
    let mut thief = world.browser();
    thief.authorize(&request("")).await;
    assert_eq!(thief.post(&body).await.kind(), "Expired");
    // Nor after its time.
    world.clock.advance(Duration::from_secs(900));
    assert_eq!(browser.post(&body).await.kind(), "Expired");
}

#[tokio::test]
async fn r19_a_surer_login_is_asked_for_and_told_truly() {
    let world = world_with(
        with_policy(|policy| policy.enrolment = Enrolment::AtLogin),
        None,
        None,
    )
    .await;
    let strict = with(web(), "minimum_acr", json!("urn:sealstone:acr:two-factor"));
    world.register("strict", strict).await;
    let mut browser = world.browser();
    let code = browser.code("&scope=openid").await;
    let first = claims(&world.exchange(&code).await.unwrap().id_token.unwrap());
    assert_eq!(first["amr"], json!(["pwd"]));
    // A wish that this person can't meet is no reason to send them away.
    let wish = "&scope=openid&acr_values=urn:sealstone:acr:two-factor";
    assert_eq!(
        browser
            .authorize(&request(&format!("{wish}&prompt=none")))
            .await
            .kind(),
        "login_required"
    );
    assert_eq!(browser.authorize(&request(wish)).await.kind(), "code");
    world.clock.advance(Duration::from_secs(20));
    // A demand is: the password counts, the app is set up now.
    let query = request_of("strict", "&scope=openid");
    assert_eq!(
        browser.authorize(&format!("{query}&prompt=none")).await.kind(),
        "login_required"
    );
    let choice = browser.authorize(&query).await;
    assert!(matches!(choice.view(), Some(View::EnrolChoice(_))), "{choice:?}");
    let page = browser.send(&choice, &[("do", "totp")]).await;
    let Some(View::EnrolTotp(view)) = page.view() else {
        panic!("{page:?}");
    };
    let secret = TotpSecret::parse(view.secret.expose()).unwrap();
    let code = secret.code_at(world.clock.now());
    let page = browser
        .send(&page, &[("code", code.expose()), ("do", "confirm")])
        .await;
    let answer = browser.send(&page, &[("do", "continue")]).await;
    let body = exchange(&answer.parameter("code").unwrap());
    let token = world.token_at("demo", "strict", &body).await.unwrap();
    let second = claims(&token.id_token.unwrap());
    assert_eq!(second["amr"], json!(["mfa", "otp", "pwd"]));
    assert_eq!(second["acr"], "urn:sealstone:acr:two-factor");
    assert_eq!(
        second["auth_time"], first["auth_time"],
        "the password is as old as it is"
    );
    assert_eq!(second["sid"], first["sid"]);
}

#[tokio::test]
async fn what_nobody_here_can_reach_is_refused() {
    let world = world_with(with_policy(|policy| policy.kinds.clear()), None, None).await;
    let strict = with(web(), "minimum_acr", json!("urn:sealstone:acr:two-factor"));
    world.register("strict", strict).await;
    let mut browser = world.browser();
    let page = browser.authorize(&request_of("strict", "")).await;
    let answer = browser.sign_in(&page).await;
    assert_eq!(answer.kind(), "unmet_authentication_requirements", "{answer:?}");
    assert!(browser.session.is_none(), "{answer:?}");
}

#[tokio::test]
async fn a_source_asks_for_its_own_code_and_it_counts_once() {
    let world = world().await;
    world.people.change(|people| people.wants_code = true);
    let mut browser = world.browser();
    let page = to_code(&mut browser, &request("&scope=openid")).await;
    assert!(matches!(page.view(), Some(View::Code(view)) if view.kinds == [CodeKind::Source]));
    let wrong = typed(&mut browser, &page, "111111").await;
    assert!(matches!(wrong.view(), Some(View::Code(view)) if view.fault == Some(Fault::WrongCode)));
    let answer = typed(&mut browser, &wrong, "424242").await;
    let token = world.exchange(&answer.parameter("code").unwrap()).await.unwrap();
    assert_eq!(
        claims(&token.id_token.unwrap())["amr"],
        json!(["mfa", "otp", "pwd"])
    );
    let mut browser = world.browser();
    let page = to_code(&mut browser, &request("")).await;
    assert_ne!(
        typed(&mut browser, &page, "424242").await.kind(),
        "code",
        "the same code again"
    );
}

#[tokio::test]
async fn a_passkey_is_set_up_and_asked_for() {
    let world = world_with(demanding(), None, None).await;
    let mut key = SoftAuthenticator::new(KeyKind::P256, "https://id.example");
    let mut browser = world.browser();
    let page = browser.authorize(&request("&scope=openid")).await;
    let choice = browser.sign_in(&page).await;
    let page = browser.send(&choice, &[("do", "passkey")]).await;
    let Some(View::EnrolPasskey(view)) = page.view() else {
        panic!("{page:?}");
    };
    let credential = key.register(&view.passkey.options);
    let fields = [
        ("credential", credential.as_str()),
        ("name", "Yubi"),
        ("do", "confirm"),
    ];
    let codes = browser.send(&page, &fields).await;
    assert!(matches!(codes.view(), Some(View::RecoveryCodes(_))), "{codes:?}");
    let answer = browser.send(&codes, &[("do", "continue")]).await;
    let token = world.exchange(&answer.parameter("code").unwrap()).await.unwrap();
    assert_eq!(claims(&token.id_token.unwrap())["acr"], "phr");
    let mut browser = world.browser();
    let page = to_code(&mut browser, &request("")).await;
    let Some(View::Code(view)) = page.view() else {
        panic!("{page:?}");
    };
    let asserted = key.assert(&view.passkey.as_ref().unwrap().options);
    let again = browser.send(&page, &[("credential", "{}"), ("do", "code")]).await;
    assert!(matches!(again.view(), Some(View::Code(view)) if view.fault == Some(Fault::WrongPasskey)));
    // The question is answered once, rightly or wrongly.
    let stale = browser
        .send(&again, &[("credential", &asserted), ("do", "code")])
        .await;
    let Some(View::Code(view)) = stale.view() else {
        panic!("{stale:?}");
    };
    let asserted = key.assert(&view.passkey.as_ref().unwrap().options);
    assert_eq!(
        browser
            .send(&stale, &[("credential", &asserted), ("do", "code")])
            .await
            .kind(),
        "code"
    );
}

/// Judges as told.
#[derive(Clone)]
struct Authority(Arc<Mutex<State>>);

struct State {
    asked: usize,
    due: Result<Due, &'static str>,
    push: bool,
    poll: Poll,
    down: bool,
}

fn authority() -> Authority {
    Authority(Arc::new(Mutex::new(State {
        asked: 0,
        due: Ok(Due::Yes),
        push: false,
        poll: Poll::Pending,
        down: false,
    })))
}

impl Authority {
    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.lock().unwrap());
    }

    fn up(&self) -> Result<(), SecondFactorError> {
        if self.0.lock().unwrap().down {
            return Err(SecondFactorError::unavailable("down"));
        }
        Ok(())
    }
}

#[async_trait]
impl SecondFactorAuthority for Authority {
    async fn due(&self, _person: &Person) -> Result<Due, SecondFactorError> {
        self.up()?;
        self.0.lock().unwrap().due.map_err(SecondFactorError::malformed)
    }

    async fn trigger(&self, person: &Person) -> Result<Challenge, SecondFactorError> {
        self.up()?;
        self.change(|state| state.asked += 1);
        let mode = if self.0.lock().unwrap().push {
            ChallengeMode::Push
        } else {
            ChallengeMode::Code
        };
        let end = unix_time(u64::MAX / 4);
        let user = person.user.id().clone();
        Ok(Challenge::new(user, String::from("t1").into(), vec![mode], end).with_message("Type it"))
    }

    async fn answer(
        &self,
        _person: &Person,
        _challenge: &Challenge,
        code: &Passcode,
    ) -> Result<Verdict, SecondFactorError> {
        self.up()?;
        Ok(if code.expose() == "777777" {
            Verdict::Accepted {
                method: AuthMethod::OneTimeCode,
            }
        } else {
            Verdict::Wrong
        })
    }

    async fn poll(&self, _person: &Person, _challenge: &Challenge) -> Result<Poll, SecondFactorError> {
        self.up()?;
        Ok(self.0.lock().unwrap().poll)
    }
}

async fn judged_by(authority: &Authority) -> World {
    let config = with_policy(|policy| policy.kinds = vec![FactorKind::Authority]);
    world_with(config, Some(Arc::new(authority.clone())), None).await
}

#[tokio::test]
async fn no_code_is_issued_before_the_authority_accepts() {
    let authority = authority();
    let world = judged_by(&authority).await;
    let mut browser = world.browser();
    let page = to_code(&mut browser, &request("&scope=openid")).await;
    assert!(matches!(page.view(), Some(View::Code(view)) if view.message.as_deref() == Some("Type it")));
    let wrong = typed(&mut browser, &page, "000000").await;
    assert!(matches!(wrong.view(), Some(View::Code(view)) if view.fault == Some(Fault::WrongCode)));
    assert!(browser.session.is_none());
    let answer = typed(&mut browser, &wrong, "777777").await;
    let token = world.exchange(&answer.parameter("code").unwrap()).await.unwrap();
    assert_eq!(
        claims(&token.id_token.unwrap())["amr"],
        json!(["mfa", "otp", "pwd"])
    );
    for event in world.audit.events() {
        let text = String::from_utf8(event.to_cadf()).unwrap();
        assert!(!text.contains("777777") && !text.contains(PASSWORD), "{text}");
    }
}

#[tokio::test]
async fn a_person_confirms_on_their_telephone() {
    let authority = authority();
    authority.change(|state| state.push = true);
    let world = judged_by(&authority).await;
    let mut browser = world.browser();
    let page = browser.authorize(&request("")).await;
    let wait = browser.sign_in(&page).await;
    let Some(View::Wait(view)) = wait.view() else {
        panic!("{wait:?}");
    };
    let path = view.path.clone();
    let again = browser.follow(Answer(BrowserContent::See(path.clone()))).await;
    assert!(matches!(again.view(), Some(View::Wait(_))) && browser.session.is_none());
    authority.change(|state| {
        state.poll = Poll::Accepted {
            method: AuthMethod::SoftwareKey,
        };
    });
    assert_eq!(
        browser
            .follow(Answer(BrowserContent::See(path.clone())))
            .await
            .kind(),
        "code"
    );
    assert_eq!(
        browser.follow(Answer(BrowserContent::See(path))).await.kind(),
        "Expired"
    );
    // Declined is over.
    authority.change(|state| state.poll = Poll::Declined);
    let mut browser = world.browser();
    let page = browser.authorize(&request("")).await;
    let wait = browser.sign_in(&page).await;
    let answer = browser.send(&wait, &[("do", "poll")]).await;
    assert_eq!(answer.kind(), "access_denied", "{answer:?}");
    assert!(browser.session.is_none());
}

/// Who has the password and begins again and again does not make its owner's telephone ring until they give in.
#[tokio::test]
async fn r13_nobody_is_asked_on_their_telephone_without_end() {
    let authority = authority();
    authority.change(|state| state.push = true);
    let world = judged_by(&authority).await;
    for _login in 0..30 {
        let answer = begun_in(&world).await;
        let waits = matches!(answer.view(), Some(View::Wait(_)));
        assert!(waits || answer.kind() == "TooMany", "{answer:?}");
    }
    assert_eq!(authority.0.lock().unwrap().asked, 5);
    assert_eq!(world.last_rule(), "login_refused/must_wait");
    // Later they are asked again; an answer of theirs counts anew.
    world.clock.advance(Duration::from_secs(2));
    authority.change(|state| {
        state.poll = Poll::Accepted {
            method: AuthMethod::SoftwareKey,
        };
    });
    let mut browser = world.browser();
    let page = browser.authorize(&request("")).await;
    let wait = browser.sign_in(&page).await;
    assert_eq!(browser.send(&wait, &[("do", "poll")]).await.kind(), "code");
    authority.change(|state| state.poll = Poll::Pending);
    for _login in 0..5 {
        assert!(matches!(begun_in(&world).await.view(), Some(View::Wait(_))));
    }
}

async fn begun_in(world: &World) -> Answer {
    let mut browser = world.browser();
    let page = browser.authorize(&request("")).await;
    browser.sign_in(&page).await
}

#[tokio::test]
async fn an_authority_that_gives_no_answer_lets_nobody_in() {
    for name in ["down at once", "odd at once", "down later"] {
        let authority = authority();
        match name {
            "down at once" => authority.change(|state| state.down = true),
            "odd at once" => authority.change(|state| state.due = Err("odd")),
            _ => {}
        }
        let world = judged_by(&authority).await;
        let mut browser = world.browser();
        let page = browser.authorize(&request("")).await;
        let body = page.body(&[("user_name", "ada"), ("password", PASSWORD), ("do", "password")]);
        let form = Form::parse(body.as_bytes()).map_err(Into::into);
        let answer = world
            .provider
            .submit(&demo(), form, &browser.context())
            .await
            .unwrap();
        let BrowserContent::See(path) = answer.content else {
            panic!("{answer:?}");
        };
        let query = path.split_once('?').unwrap().1;
        let context = browser.context();
        let show = async || {
            let form = Form::parse(query.as_bytes()).map_err(Into::into);
            world.provider.interaction(&demo(), form, &context).await
        };
        if name == "down later" {
            assert!(show().await.is_ok());
            authority.change(|state| state.down = true);
            let page = Answer(show().await.unwrap().content);
            let body = page.body(&[("code", "777777"), ("do", "code")]);
            let form = Form::parse(body.as_bytes()).map_err(Into::into);
            assert!(
                world
                    .provider
                    .submit(&demo(), form, &browser.context())
                    .await
                    .is_err()
            );
        } else {
            assert!(show().await.is_err(), "{name}");
        }
        let refused = world
            .audit
            .events()
            .iter()
            .filter(|event| event.reason.is_some())
            .count();
        assert_eq!(refused, 1, "{name}: one event");
        assert_eq!(
            world.last_rule(),
            "login_refused/second_factor_unavailable",
            "{name}"
        );
        assert!(browser.session.is_none());
    }
}

/// An upstream provider that answers as told.
struct Upstream(Mutex<Result<Vec<String>, UpstreamRefusal>>);

#[async_trait]
impl UpstreamLogin for Upstream {
    async fn begin(
        &self,
        ask: &UpstreamAsk,
        secrets: UpstreamSecrets,
    ) -> Result<UpstreamRedirect, UpstreamError> {
        assert_eq!(ask.redirect_uri, "https://id.example/v4/oauth2/demo/callback");
        let state = secrets.state.expose().to_owned();
        Ok(UpstreamRedirect {
            url: format!("https://up.example/authorize?state={state}"),
            pending: PendingUpstream::new("https://up.example", ask, &secrets, unix_time(0)),
        })
    }

    async fn finish(
        &self,
        pending: &PendingUpstream,
        callback: &UpstreamCallback<'_>,
    ) -> Result<UpstreamIdentity, UpstreamError> {
        if callback.state != Some(pending.expose_state()) {
            return Err(UpstreamError::Refused(UpstreamRefusal::State));
        }
        let amr = self.0.lock().unwrap().clone().map_err(UpstreamError::Refused)?;
        let claims = json!({"preferred_username": "carol", "name": "Carol", "groups": ["ops"]});
        Ok(UpstreamIdentity {
            issuer: "https://up.example".to_owned(),
            subject: "8f1c".to_owned(),
            claims: claims.as_object().unwrap().clone(),
            amr,
            acr: None,
            auth_time: None,
        })
    }
}

async fn broker(authority: &Authority, upstream: &Arc<Upstream>) -> World {
    let config = with_policy(|policy| {
        policy.first.password = false;
        policy.first.passkey = false;
        policy.first.upstream = true;
        policy.kinds = vec![FactorKind::Authority];
    });
    world_with(config, Some(Arc::new(authority.clone())), Some(upstream.clone())).await
}

async fn callback(world: &World, browser: &mut Browser<'_>, query: &str) -> Answer {
    let context = browser.context();
    let form = Form::parse(query.as_bytes()).map_err(Into::into);
    let answer = world.provider.callback(&demo(), form, &context).await.unwrap();
    let answer = browser.keep(answer);
    browser.follow(answer).await
}

#[tokio::test]
async fn r12_a_broker_asks_upstream_and_then_the_authority() {
    let (authority, upstream) = (authority(), Arc::new(Upstream(Mutex::new(Ok(Vec::new())))));
    let world = broker(&authority, &upstream).await;
    let mut browser = world.browser();
    let away = browser
        .authorize(&request("&scope=openid%20profile%20offline_access"))
        .await;
    assert!(
        away.url()
            .unwrap()
            .starts_with("https://up.example/authorize?state="),
        "{away:?}"
    );
    let query = format!("code=c1&state={}", away.parameter("state").unwrap());
    let mut thief = world.browser();
    thief.authorize(&request("")).await;
    assert_eq!(
        callback(&world, &mut thief, &query).await.kind(),
        "Expired",
        "another browser"
    );
    let page = callback(&world, &mut browser, &query).await;
    assert!(matches!(page.view(), Some(View::Code(_))), "{page:?}");
    assert!(browser.session.is_none());
    assert_eq!(
        callback(&world, &mut browser, &query).await.kind(),
        "Expired",
        "a second callback"
    );
    let answer = typed(&mut browser, &page, "777777").await;
    let token = world.exchange(&answer.parameter("code").unwrap()).await.unwrap();
    let id = claims(token.id_token.as_deref().unwrap());
    assert_eq!(
        (&id["preferred_username"], &id["amr"]),
        (&json!("carol"), &json!(["mfa", "otp"]))
    );
    // The session stands for the person: with it ends what was granted.
    let refresh = format!(
        "grant_type=refresh_token&refresh_token={}",
        token.refresh_token.unwrap()
    );
    let token = world.token(&refresh).await.unwrap();
    assert!(super::userinfo::read(&world, &token.access_token).await.is_ok());
    let page = browser.logout("").await;
    browser.send(&page, &[("do", "logout")]).await;
    assert!(super::userinfo::read(&world, &token.access_token).await.is_err());
    assert!(world.token(&refresh).await.is_err());
}

/// Nobody but the session knows whom an upstream provider vouched for: a device that such a person connects works, for
/// as long as that session.
#[tokio::test]
async fn a_device_of_whom_upstream_vouched_for_lives_with_their_session() {
    let (authority, upstream) = (authority(), Arc::new(Upstream(Mutex::new(Ok(Vec::new())))));
    let world = broker(&authority, &upstream).await;
    let asked = DeviceAuthorizationRequest::parse(None, &world.form("web", "scope=openid%20profile"));
    let (domain, peer) = (demo(), peer());
    let asked = world.provider.device_authorization(&domain, asked, None, &peer);
    let device = asked.await.unwrap();
    let mut browser = world.browser();
    let page = browser.device_page("").await;
    let typed_code = [("user_code", device.user_code.as_str()), ("do", "user_code")];
    let away = browser.send(&page, &typed_code).await;
    let query = format!("code=c1&state={}", away.parameter("state").unwrap());
    let page = callback(&world, &mut browser, &query).await;
    let page = typed(&mut browser, &page, "777777").await;
    assert!(matches!(page.view(), Some(View::DeviceConfirm(_))), "{page:?}");
    browser.send(&page, &[("do", "allow")]).await;
    let poll = format!(
        "grant_type=urn:ietf:params:oauth:grant-type:device_code&device_code={}",
        device.device_code
    );
    let token = world.token(&poll).await.unwrap();
    let told = super::userinfo::read(&world, &token.access_token).await.unwrap();
    assert_eq!(told["preferred_username"], "carol");
    let refresh = |token: &str| format!("grant_type=refresh_token&refresh_token={token}");
    let token = world
        .token(&refresh(&token.refresh_token.unwrap()))
        .await
        .unwrap();
    let page = browser.logout("").await;
    browser.send(&page, &[("do", "logout")]).await;
    assert!(super::userinfo::read(&world, &token.access_token).await.is_err());
    assert!(
        world
            .token(&refresh(&token.refresh_token.unwrap()))
            .await
            .is_err()
    );
}

#[tokio::test]
async fn an_upstream_provider_that_refuses_lets_nobody_in() {
    for refusal in UpstreamRefusal::ALL {
        let (authority, upstream) = (authority(), Arc::new(Upstream(Mutex::new(Err(refusal)))));
        let world = broker(&authority, &upstream).await;
        let mut browser = world.browser();
        let away = browser.authorize(&request("")).await;
        let query = format!("code=c1&state={}", away.parameter("state").unwrap());
        let answer = callback(&world, &mut browser, &query).await;
        // What the browser brought is the browser's fault, what the provider said is the provider's.
        let want = match refusal {
            UpstreamRefusal::Declined => "access_denied",
            UpstreamRefusal::Error
            | UpstreamRefusal::State
            | UpstreamRefusal::Issuer
            | UpstreamRefusal::Code => "UpstreamRefused",
            UpstreamRefusal::IdToken | UpstreamRefusal::Claims => "Upstream",
        };
        assert_eq!(answer.kind(), want, "{refusal:?}");
        if let Some(page) = answer.view() {
            let status = page.status();
            assert_eq!(status >= 500, want == "Upstream", "{refusal:?}: {status}");
        }
        let rule = format!("login_refused/{}", refusal.as_str());
        let told = |event: &Event<'_>| {
            let reason = event.reason.unwrap();
            format!("{}/{}", reason.rule(), reason.detail().unwrap_or_default()) == rule
        };
        let events = world.audit.events();
        let of_login: Vec<_> = events
            .iter()
            .filter(|event| event.action.as_str() == "authenticate/login")
            .collect();
        assert_eq!(of_login.len(), 1, "{refusal:?}: one event");
        assert!(told(of_login[0]), "{refusal:?}");
        assert_eq!(
            of_login[0].initiator.client_id.as_deref(),
            Some("web"),
            "{refusal:?}"
        );
        assert!(browser.session.is_none());
    }
}

#[tokio::test]
async fn factors_are_changed_by_who_has_just_signed_in() {
    let world = world().await;
    let mut browser = world.browser();
    let page = browser.account().await;
    let page = browser.sign_in(&page).await;
    assert!(matches!(page.view(), Some(View::Account(_))), "{page:?}");
    world.clock.advance(Duration::from_secs(901));
    let login = browser.send(&page, &[("do", "add_totp")]).await;
    assert!(
        matches!(login.view(), Some(View::Login(view)) if view.is_same_person),
        "{login:?}"
    );
    let page = browser.sign_in(&login).await;
    let page = browser.send(&page, &[("do", "add_totp")]).await;
    let Some(View::EnrolTotp(view)) = page.view() else {
        panic!("{page:?}");
    };
    let secret = TotpSecret::parse(view.secret.expose()).unwrap();
    let code = secret.code_at(world.clock.now());
    let codes = browser
        .send(&page, &[("code", code.expose()), ("do", "confirm")])
        .await;
    assert!(matches!(codes.view(), Some(View::RecoveryCodes(_))), "{codes:?}");
    let page = browser.send(&codes, &[("do", "continue")]).await;
    let Some(View::Account(view)) = page.view() else {
        panic!("{page:?}");
    };
    assert!(view.totp_since.is_some() && view.recovery_codes_left == Some(10));
    // The session is one of the password alone: whoever has a second factor proves it before a change.
    let login = browser.send(&page, &[("do", "remove_totp")]).await;
    assert!(matches!(login.view(), Some(View::Login(_))), "{login:?}");
    world.clock.advance(Duration::from_secs(30));
    let code = browser.sign_in(&login).await;
    let right = secret.code_at(world.clock.now());
    let page = typed(&mut browser, &code, right.expose()).await;
    let page = browser.send(&page, &[("do", "remove_totp")]).await;
    assert!(matches!(page.view(), Some(View::Account(view)) if view.totp_since.is_none()));
    let actions = world.actions();
    assert!(actions.contains(&"create/factor") && actions.contains(&"delete/factor"));
}

#[tokio::test]
async fn a_broker_tells_what_is_outside_of_its_profile_and_redirects_nobody() {
    let mut config = config();
    config.profile = Profile::Broker;
    let world = world_with(config, None, None).await;
    world
        .register("lax", with(web(), "require_pkce", json!(false)))
        .await;
    let native = with(web(), "application_type", json!("native"));
    let native = with(native, "redirect_uris", json!(["http://127.0.0.1:8876/cb"]));
    let native = with(native, "post_logout_redirect_uris", json!([]));
    world.register("native", native).await;
    let stripped: Vec<&str> = "client_id=lax&response_type=code".split('&').collect();
    let port = request_of("native", "").replace(&encoded(CALLBACK), &encoded("http://127.0.0.1:9999/cb"));
    let cases = [
        (
            request("").replace(&encoded(CALLBACK), &encoded("https://app.example/cb/")),
            "redirect_uri",
        ),
        (port, "redirect_uri"),
        (request_of("nobody", ""), "client_id"),
        (
            request("").replace("response_type=code", "response_type=token"),
            "response_type",
        ),
        (request("&response_mode=fragment"), "response_mode"),
        (request("&request=eyJ"), "request"),
        (request("&scope=admin"), "scope"),
        (stripped.join("&"), "code_challenge"),
    ];
    for (query, feature) in cases {
        let answer = world.browser().authorize(&query).await;
        let BrowserContent::Refusal(refusal) = &answer.0 else {
            panic!("{query}: {answer:?}");
        };
        assert_eq!(refusal.feature, feature, "{query}");
        assert_eq!(world.actions().last(), Some(&"create/authorization_code"));
    }
    // What became of the login is told to the client in any profile.
    assert_eq!(
        world.browser().authorize(&request("&prompt=none")).await.kind(),
        "login_required"
    );
    let error = world
        .token("grant_type=password&username=a&password=b")
        .await
        .unwrap_err();
    assert_eq!(
        world.provider.outside_profile(&demo(), &error).unwrap().feature,
        "grant_type"
    );
    // Devices have neither a redirect URI nor a challenge: not even a client that is registered for them has one here.
    let device = "grant_type=urn:ietf:params:oauth:grant-type:device_code&device_code=x";
    let asked = DeviceAuthorizationRequest::parse(None, &world.form("web", "scope=openid"));
    for error in [
        world.token(device).await.unwrap_err(),
        world
            .provider
            .device_authorization(&demo(), asked, None, &peer())
            .await
            .unwrap_err(),
    ] {
        let refusal = world.provider.outside_profile(&demo(), &error).unwrap();
        assert_eq!(refusal.feature, "grant_type", "{error}");
    }
    for (endpoint, feature, action, rule) in [
        (
            AbsentEndpoint::Registration,
            "registration",
            "create/oauth2_client",
            "registration_not_offered",
        ),
        (
            AbsentEndpoint::PushedRequest,
            "pushed_request",
            "create/authorization_code",
            "pushed_request_not_offered",
        ),
    ] {
        let before = world.actions().len();
        let refusal = world.provider.refuse_endpoint(&demo(), endpoint, &peer());
        assert_eq!(refusal.unwrap().feature, feature);
        assert_eq!(world.actions().len(), before + 1, "{feature}: one event");
        assert_eq!(world.actions().last(), Some(&action));
        assert_eq!(world.last_rule(), rule);
    }
    // Its tokens say who made sure of the person, and how.
    let code = world.browser().code("&scope=openid").await;
    let token = world.exchange(&code).await.unwrap();
    let told = super::userinfo::read(&world, &token.access_token).await.unwrap();
    for claims in [claims(token.id_token.as_deref().unwrap()), told] {
        assert_eq!(
            (&claims["tenant"], &claims["principal_type"]),
            (&json!("demo"), &json!("user"))
        );
        assert_eq!(claims["roles"], json!([]));
        let assurance = &claims["assurance"];
        assert_eq!(
            (&assurance["mfa"], &assurance["methods"]),
            (&json!(false), &json!(["pwd"]))
        );
        assert_eq!(assurance["level"], "urn:sealstone:acr:one-factor");
        assert_eq!(assurance["at"], world.clock.seconds());
    }
}
