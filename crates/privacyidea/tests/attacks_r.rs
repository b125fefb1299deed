//! Rows R of the attack catalogue, as far as the judge of second factors can be attacked or fail.

use std::{sync::mpsc, time::Duration};

use sealstone_identity::AuthMethod;
use sealstone_login::{Challenge, Due, Poll, SecondFactorAuthority as _, SecondFactorError, Verdict};
use sealstone_privacyidea::Demand;
use sealstone_testkit::HttpReply;
use serde_json::{Value, json};

use crate::support::{
    CODE, IMPATIENT, Lab, Log, PASSWORD, TOKEN, accepted, answer, challenge, code, person, polled, refusal,
    rejected, shown, token, tokens, triggered,
};

type Odd = Box<dyn Fn() -> HttpReply + Send + Sync>;

fn is_refusal(error: &SecondFactorError) -> bool {
    matches!(
        error,
        SecondFactorError::Malformed { .. } | SecondFactorError::Unavailable { .. }
    )
}

#[tokio::test]
async fn r13_codes_are_counted_also_when_they_come_at_once() {
    let lab = Lab::start();
    let bob = person("bob");
    lab.change(|script| script.check = rejected());
    let challenge = lab.adapter.trigger(&bob).await.unwrap();
    let mut tries = tokio::task::JoinSet::new();
    for _guess in 0..1_000 {
        let (adapter, bob, challenge) = (lab.adapter.clone(), bob.clone(), challenge.clone());
        tries.spawn(async move { adapter.answer(&bob, &challenge, &code()).await.unwrap() });
    }
    let verdicts = tries.join_all().await;
    let wrong = verdicts
        .iter()
        .filter(|verdict| **verdict == Verdict::Wrong)
        .count();
    let locked = verdicts
        .iter()
        .filter(|verdict| **verdict == Verdict::Locked)
        .count();
    assert_eq!((wrong, locked), (5, 995));
    assert_eq!(
        lab.fake.count("/validate/check"),
        5,
        "below the ten that lock a token"
    );

    // The right code does not help now, a new challenge neither; later it does.
    lab.change(|script| script.check = accepted("HOTPBOB"));
    let again = lab.adapter.trigger(&bob).await.unwrap();
    assert_eq!(
        lab.adapter.answer(&bob, &again, &code()).await.unwrap(),
        Verdict::Locked
    );
    lab.clock.advance(Duration::from_secs(300));
    let again = lab.adapter.trigger(&bob).await.unwrap();
    let method = AuthMethod::OneTimeCode;
    let verdict = lab.adapter.answer(&bob, &again, &code()).await.unwrap();
    assert_eq!(verdict, Verdict::Accepted { method });
}

/// Every word that must stand, changed or taken away.
#[tokio::test]
async fn r17_only_a_whole_acceptance_is_one() {
    let lab = Lab::start();
    let bob = person("bob");
    let challenge = lab.adapter.trigger(&bob).await.unwrap();
    let right = accepted("HOTPBOB");
    let with = |pointer: &str, value: Value| {
        let mut changed = right.clone();
        *changed.pointer_mut(pointer).unwrap() = value;
        changed
    };
    let without = |object: &str, member: &str| {
        let mut changed = right.clone();
        let object = changed.pointer_mut(object).and_then(Value::as_object_mut);
        object.unwrap().remove(member).unwrap();
        changed
    };
    let cases = [
        ("value is a text", with("/result/value", json!("true"))),
        ("value is a number", with("/result/value", json!(1))),
        ("value is null", with("/result/value", Value::Null)),
        ("value is a list", with("/result/value", json!([true]))),
        (
            "value is false beside ACCEPT",
            with("/result/value", json!(false)),
        ),
        ("value is missing", without("/result", "value")),
        ("status is false", with("/result/status", json!(false))),
        ("status is a text", with("/result/status", json!("true"))),
        ("status is missing", without("/result", "status")),
        (
            "authentication is REJECT beside true",
            with("/result/authentication", json!("REJECT")),
        ),
        (
            "authentication is CHALLENGE",
            with("/result/authentication", json!("CHALLENGE")),
        ),
        (
            "authentication is in small letters",
            with("/result/authentication", json!("accept")),
        ),
        (
            "authentication is another word",
            with("/result/authentication", json!("NONE")),
        ),
        ("authentication is missing", without("/result", "authentication")),
        (
            "an error beside success",
            with(
                "/result",
                json!({"status": true, "value": true,
            "authentication": "ACCEPT", "error": {"code": 1}}),
            ),
        ),
        ("result is missing", json!({"id": 1})),
        ("result is a list", with("/result", json!([]))),
        ("no detail", without("", "detail")),
        ("no serial", without("/detail", "serial")),
        ("a list", json!([right])),
        ("a word", json!("ACCEPT")),
        (
            "a further challenge",
            answer(json!(false), "CHALLENGE", json!({"transaction_id": "2"})),
        ),
    ];
    for (name, document) in cases {
        lab.change(|script| script.check = document);
        let outcome = lab.adapter.answer(&bob, &challenge, &code()).await;
        let error = outcome.expect_err(name);
        assert!(
            matches!(error, SecondFactorError::Malformed { .. }),
            "{name}: {error:?}"
        );
        lab.clock.advance(Duration::from_secs(300));
        let fresh = |script: &mut crate::support::Script| script.check = right.clone();
        lab.change(fresh);
        let renewed = lab.adapter.trigger(&bob).await.unwrap();
        let verdict = lab.adapter.answer(&bob, &renewed, &code()).await.unwrap();
        assert!(
            matches!(verdict, Verdict::Accepted { .. }),
            "{name}: nobody is locked out by it"
        );
        lab.clock
            .set(sealstone_testkit::unix_time(sealstone_testkit::START));
    }
}

/// A reply, or what never becomes one, at each of the five requests.
#[tokio::test]
async fn r17_down_slow_or_nonsense_lets_nobody_in() {
    let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
    let twice =
        accepted("HOTPBOB")
            .to_string()
            .replacen("\"value\":true", "\"value\":true,\"value\":true", 1);
    assert!(twice.matches("\"value\":true").count() == 2);
    let large = format!("{{\"x\":\"{}\"}}", "x".repeat(300 * 1024));
    let right = accepted("HOTPBOB").to_string();
    let octets = |text: String| HttpReply::Octets(text.into_bytes());
    let cases: Vec<(&str, Odd)> = vec![
        ("closes at once", Box::new(|| HttpReply::Close)),
        ("says nothing", Box::new(|| HttpReply::Silence)),
        (
            "one octet at a time",
            Box::new(|| HttpReply::Slow(b"HTTP/1.1 200 OK\r\n".to_vec())),
        ),
        (
            "never ends",
            Box::new(|| {
                let head =
                    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
                HttpReply::Endless(head.as_bytes().to_vec())
            }),
        ),
        ("no HTTP", Box::new(move || octets("gopher\r\n\r\n".into()))),
        (
            "cut off",
            Box::new({
                let right = right.clone();
                move || {
                    let head =
                        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9999\r\n\r\n";
                    HttpReply::Octets(format!("{head}{right}").into_bytes())
                }
            }),
        ),
        (
            "500",
            Box::new(|| HttpReply::json(500, &refusal(-500).to_string())),
        ),
        (
            "502 of a proxy",
            Box::new(|| HttpReply::new(502, "text/html", "<html>")),
        ),
        (
            "200 of a proxy",
            Box::new(|| HttpReply::new(200, "text/html", "<html>")),
        ),
        (
            "401 of a proxy",
            Box::new(|| HttpReply::new(401, "text/html", "<html>")),
        ),
        (
            "404 of a proxy",
            Box::new(|| HttpReply::new(404, "text/html", "<html>")),
        ),
        (
            "a redirect",
            Box::new(|| HttpReply::redirect(302, "http://127.0.0.1:1/")),
        ),
        (
            "a permanent redirect",
            Box::new(|| HttpReply::redirect(308, "/auth/")),
        ),
        (
            "a success with another status",
            Box::new({
                let right = right.clone();
                move || HttpReply::json(201, &right)
            }),
        ),
        (
            "an acceptance as text",
            Box::new({
                let right = right.clone();
                move || HttpReply::new(200, "text/plain", &right)
            }),
        ),
        (
            "an acceptance as a refusal",
            Box::new({
                let right = right.clone();
                move || HttpReply::json(400, &right)
            }),
        ),
        ("no JSON", Box::new(|| HttpReply::json(200, "ACCEPT"))),
        ("nothing", Box::new(|| HttpReply::json(200, ""))),
        (
            "two values",
            Box::new({
                let right = right.clone();
                move || HttpReply::json(200, &format!("{right}{right}"))
            }),
        ),
        ("a name twice", Box::new(move || HttpReply::json(200, &twice))),
        ("nested deeply", Box::new(move || HttpReply::json(200, &deep))),
        ("too large", Box::new(move || HttpReply::json(200, &large))),
    ];
    let at = [
        "/auth",
        "/token/",
        "/validate/triggerchallenge",
        "/validate/check",
        "/validate/polltransaction/08385",
    ];
    let log = Log::capture();
    for (name, reply) in cases {
        let reply = std::sync::Arc::new(reply);
        for path in at {
            let impatient = |config: sealstone_privacyidea::PrivacyIdeaConfig| {
                let config = config.with_demand(Demand::WhoeverHasAToken);
                config.with_call_deadline(IMPATIENT)
            };
            let lab = Lab::with(impatient);
            let bob = person("bob");
            let first = Lab::with(impatient).adapter.trigger(&bob).await.unwrap();
            let reply = std::sync::Arc::clone(&reply);
            lab.answer_oddly(move |ask| (ask.path() == path).then(|| reply()));
            lab.change(|script| script.poll = polled(true, "accept"));
            let outcome = match path {
                "/auth" | "/token/" => match lab.adapter.due(&bob).await {
                    Ok(due) => Ok(format!("{due:?}")),
                    Err(error) => Err(error),
                },
                "/validate/triggerchallenge" => {
                    lab.adapter.trigger(&bob).await.map(|open| format!("{open:?}"))
                }
                "/validate/check" => {
                    let polled = lab.adapter.poll(&bob, &first).await;
                    assert!(polled.is_err(), "{name}: what was agreed must still be accepted");
                    let answered = lab.adapter.answer(&bob, &first, &code()).await;
                    answered.map(|verdict| format!("{verdict:?}"))
                }
                _ => lab
                    .adapter
                    .poll(&bob, &first)
                    .await
                    .map(|poll| format!("{poll:?}")),
            };
            match outcome {
                Ok(outcome) => panic!("{name} at {path}: {outcome}"),
                Err(error) => {
                    assert!(is_refusal(&error), "{name} at {path}: {error:?}");
                    unseen(&shown(&error), name);
                }
            }
        }
    }
    unseen(&log.text(), "the log");
}

fn unseen(text: &str, name: &str) {
    for secret in [CODE, PASSWORD, TOKEN] {
        assert!(!text.contains(secret), "{name}: {text}");
    }
}

#[tokio::test]
async fn r17_what_was_never_sent_is_no_wrong_code() {
    let lab = Lab::start();
    let bob = person("bob");
    let open = lab.adapter.trigger(&bob).await.unwrap();
    let away = Lab::with(|_config| {
        // A port that nothing listens on.
        let gone = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let password = zeroize::Zeroizing::new(PASSWORD.to_owned());
        sealstone_privacyidea::PrivacyIdeaConfig::new(
            &format!("http://{gone}"),
            "lab",
            "mfa-adapter",
            password,
        )
        .unwrap()
        .with_clock(|| sealstone_testkit::unix_time(sealstone_testkit::START))
    });
    for _try in 0..20 {
        let outcome = away.adapter.answer(&bob, &open, &code()).await;
        assert!(
            matches!(outcome, Err(SecondFactorError::Unavailable { .. })),
            "{outcome:?}"
        );
    }
    // What may have been judged counts.
    lab.answer_oddly(|_ask| Some(HttpReply::Close));
    for _try in 0..5 {
        let outcome = lab.adapter.answer(&bob, &open, &code()).await;
        assert!(
            matches!(outcome, Err(SecondFactorError::Unavailable { .. })),
            "{outcome:?}"
        );
    }
    assert_eq!(
        lab.adapter.answer(&bob, &open, &code()).await.unwrap(),
        Verdict::Locked
    );
}

#[tokio::test]
async fn r17_what_privacyidea_refuses_is_told_apart_and_lets_nobody_in() {
    enum Want {
        NoFactor,
        NotConfigured,
        Malformed,
    }
    let log = Log::capture();
    for (code, want) in [
        (904, Want::NoFactor),
        (303, Want::NotConfigured),
        (4031, Want::NotConfigured),
        (4033, Want::NotConfigured),
        (905, Want::Malformed),
        (601, Want::Malformed),
        (0, Want::Malformed),
    ] {
        let lab = Lab::with(|config| config.with_demand(Demand::WhoeverHasAToken));
        lab.change(|script| script.tokens = refusal(code));
        let outcomes = [
            lab.adapter
                .due(&person("bob"))
                .await
                .map(|due| format!("{due:?}")),
            lab.adapter
                .trigger(&person("bob"))
                .await
                .map(|open| format!("{open:?}")),
        ];
        for outcome in outcomes {
            let error = outcome.unwrap_err();
            let right = match want {
                Want::NoFactor => matches!(error, SecondFactorError::NoFactor),
                Want::NotConfigured => matches!(error, SecondFactorError::NotConfigured { .. }),
                Want::Malformed => matches!(error, SecondFactorError::Malformed { .. }),
            };
            assert!(right, "{code}: {error:?}");
            unseen(&shown(&error), "a refusal");
        }
    }
    unseen(&log.text(), "the log");
}

/// Rule 2 of the contract: no challenge is not "no second factor".
#[tokio::test]
async fn r12_no_challenge_is_not_no_second_factor() {
    let state = |change: fn(&mut Value)| {
        let mut token = token("HOTPBOB", "hotp", "bob");
        change(&mut token);
        tokens(&[token])
    };
    let none = answer(
        json!(0),
        "REJECT",
        json!({"messages": [], "multi_challenge": [], "transaction_ids": []}),
    );
    let cases: [(&str, Value, bool); 4] = [
        ("disabled", state(|token| token["active"] = json!(false)), false),
        ("revoked", state(|token| token["revoked"] = json!(true)), false),
        ("locked", state(|token| token["locked"] = json!(true)), true),
        (
            "failed too often",
            state(|token| token["failcount"] = json!(10)),
            true,
        ),
    ];
    for (name, listed, locked) in cases {
        let lab = Lab::with(|config| config.with_demand(Demand::WhoeverHasAToken));
        lab.change(|script| {
            script.tokens = listed;
            script.trigger = none.clone();
        });
        assert_eq!(lab.adapter.due(&person("bob")).await.unwrap(), Due::Yes, "{name}");
        let error = lab.adapter.trigger(&person("bob")).await.unwrap_err();
        let want = match &error {
            SecondFactorError::Locked => locked,
            SecondFactorError::NoFactor => !locked,
            other => panic!("{name}: {other:?}"),
        };
        assert!(want, "{name}: {error:?}");
    }
}

#[tokio::test]
async fn r12_a_token_that_shows_nothing_answers_no_challenge() {
    for (kind, mode) in [
        ("spass", "interactive"),
        ("pw", "interactive"),
        ("question", "interactive"),
        ("radius", "interactive"),
        ("webauthn", "webauthn"),
        ("hotp", "telepathy"),
    ] {
        let lab = Lab::start();
        lab.change(|script| {
            script.tokens = tokens(&[token("X1", kind, "bob")]);
            script.trigger = triggered(&[challenge("X1", kind, mode)]);
        });
        let error = lab.adapter.trigger(&person("bob")).await.unwrap_err();
        assert!(matches!(error, SecondFactorError::NoFactor), "{kind}: {error:?}");
    }
}

#[tokio::test]
async fn r18_an_acceptance_of_another_is_none() {
    let bob = person("bob");
    let saying = |member: &str, value: Value| {
        let mut document = accepted("HOTPBOB");
        document["detail"][member] = value;
        document
    };
    let right = saying("user", json!({"username": "bob", "email": "bob@example.org"}));
    for (name, document, accepts) in [
        ("another token", accepted("HOTPALICE"), false),
        ("a serial that is none", accepted("../HOTPBOB"), false),
        (
            "another user",
            saying("user", json!({"username": "alice"})),
            false,
        ),
        ("a user without a name", saying("user", json!({})), false),
        ("another realm", saying("user-realm", json!("other")), false),
        ("another transaction", saying("transaction_id", json!("1")), false),
        ("this user", right, true),
        ("this realm", saying("user-realm", json!("lab")), true),
    ] {
        let lab = Lab::start();
        let open = lab.adapter.trigger(&bob).await.unwrap();
        lab.change(|script| script.check = document);
        let outcome = lab.adapter.answer(&bob, &open, &code()).await;
        match outcome {
            Ok(Verdict::Accepted { .. }) => assert!(accepts, "{name}"),
            Err(SecondFactorError::Malformed { .. }) => assert!(!accepts, "{name}"),
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn r18_tokens_and_challenges_of_another_are_not_taken() {
    let both = [
        token("HOTPBOB", "hotp", "bob"),
        token("HOTPALICE", "hotp", "alice"),
    ];
    let other_realm = {
        let mut token = token("HOTPBOB", "hotp", "bob");
        token["user_realm"] = json!("other");
        token
    };
    let other_transaction = {
        let mut challenge = challenge("HOTPBOB", "hotp", "interactive");
        challenge["transaction_id"] = json!("2");
        challenge
    };
    let script = crate::support::Script::default;
    let own = script().tokens;
    let asked = script().trigger;
    let count = |number: u64| {
        let mut list = own.clone();
        list["result"]["value"]["count"] = json!(number);
        list
    };
    let value = |value: Value| {
        let mut document = asked.clone();
        document["result"]["value"] = value;
        document
    };
    for (name, listed, triggering) in [
        ("everybody's tokens", tokens(&both), asked.clone()),
        ("another's token", tokens(&both[1..]), asked.clone()),
        ("a token of another realm", tokens(&[other_realm]), asked.clone()),
        (
            "a token twice",
            tokens(&[both[0].clone(), both[0].clone()]),
            asked.clone(),
        ),
        ("fewer counted than listed", count(0), asked.clone()),
        ("a count that is none", tokens(&[json!(1)]), asked.clone()),
        (
            "a challenge of another's token",
            own.clone(),
            triggered(&[challenge("HOTPALICE", "hotp", "interactive")]),
        ),
        (
            "a challenge of another type",
            own.clone(),
            triggered(&[challenge("HOTPBOB", "push", "poll")]),
        ),
        (
            "a challenge of another transaction",
            own.clone(),
            triggered(&[other_transaction]),
        ),
        ("more counted than triggered", own.clone(), value(json!(2))),
        ("true for a count", own.clone(), value(json!(true))),
        ("none counted, one triggered", own.clone(), value(json!(0))),
        ("an acceptance", own.clone(), accepted("HOTPBOB")),
        (
            "not a word of a challenge",
            own.clone(),
            answer(json!(1), "ACCEPT", asked["detail"].clone()),
        ),
    ] {
        let lab = Lab::start();
        lab.change(|script| {
            script.tokens = listed;
            script.trigger = triggering;
        });
        let error = lab.adapter.trigger(&person("bob")).await.expect_err(name);
        assert!(
            matches!(error, SecondFactorError::Malformed { .. }),
            "{name}: {error:?}"
        );
    }
}

/// privacyIDEA trims names, takes an empty one for everybody, and reads a realm out of a name.
#[tokio::test]
async fn r18_no_name_is_read_as_another() {
    for blank in [" ", " bob", "bob ", "\u{a0}bob"] {
        let lab = Lab::with(|config| config.with_demand(Demand::WhoeverHasAToken));
        let error = lab.adapter.due(&person(blank)).await.unwrap_err();
        assert!(
            matches!(error, SecondFactorError::NoFactor),
            "{blank:?}: {error:?}"
        );
        assert_eq!(lab.fake.seen().len(), 0, "{blank:?} is not asked about");
    }
    for (name, wire) in [
        ("bob@lab", "user=bob%40lab%40lab&realm=lab"),
        ("other\\bob", "user=other%5Cbob%40lab&realm=lab"),
        ("bob", "user=bob&realm=lab"),
    ] {
        let lab = Lab::start();
        lab.change(|script| script.tokens = tokens(&[token("HOTPBOB", "hotp", name)]));
        lab.adapter.trigger(&person(name)).await.unwrap();
        assert_eq!(lab.fake.seen().pop().unwrap().body, wire);
    }
    // Judged as `bob` all the same: the list says so.
    let lab = Lab::start();
    let error = lab.adapter.trigger(&person("bob@lab")).await.unwrap_err();
    assert!(matches!(error, SecondFactorError::Malformed { .. }), "{error:?}");
}

#[tokio::test]
async fn r18_a_challenge_is_answered_for_the_person_who_was_asked() {
    let lab = Lab::start();
    let bob = person("bob");
    let open = lab.adapter.trigger(&bob).await.unwrap();
    let mut renamed = bob.clone();
    renamed.user = sealstone_identity::UserRef::new("u1", "alice", "default").unwrap();
    let mut other = bob.clone();
    other.user = sealstone_identity::UserRef::new("u2", "bob", "default").unwrap();
    let foreign = Challenge::new(
        bob.user.id().clone(),
        zeroize::Zeroizing::new(r#"{"transaction":"08385"}"#.to_owned()),
        Vec::new(),
        open.ends_at(),
    );
    let asked = lab.fake.seen().len();
    for (person, challenge) in [(&renamed, &open), (&other, &open), (&bob, &foreign)] {
        let answered = lab.adapter.answer(person, challenge, &code()).await;
        assert!(
            matches!(answered, Err(SecondFactorError::Malformed { .. })),
            "{answered:?}"
        );
        let polled = lab.adapter.poll(person, challenge).await;
        assert!(
            matches!(polled, Err(SecondFactorError::Malformed { .. })),
            "{polled:?}"
        );
    }
    assert_eq!(lab.fake.seen().len(), asked);
    assert!(lab.adapter.answer(&bob, &open, &code()).await.is_ok());
}

#[tokio::test]
async fn r17_a_poll_that_contradicts_itself_is_none() {
    let lab = Lab::start();
    let bob = person("bob");
    let open = lab.adapter.trigger(&bob).await.unwrap();
    for (name, document) in [
        ("true and pending", polled(true, "pending")),
        ("false and accept", polled(false, "accept")),
        ("true and declined", polled(true, "declined")),
        ("another word", polled(true, "ACCEPT")),
        ("no status", answer(json!(true), "ACCEPT", json!({}))),
        (
            "a number",
            answer(json!(1), "ACCEPT", json!({"challenge_status": "accept"})),
        ),
        ("an acceptance of a code", accepted("HOTPBOB")),
    ] {
        lab.change(|script| script.poll = document);
        let outcome = lab.adapter.poll(&bob, &open).await;
        assert!(
            matches!(outcome, Err(SecondFactorError::Malformed { .. })),
            "{name}: {outcome:?}"
        );
    }
    assert_eq!(lab.fake.count("/validate/check"), 0);
    lab.change(|script| script.poll = polled(false, "pending"));
    assert_eq!(lab.adapter.poll(&bob, &open).await.unwrap(), Poll::Pending);
}

#[tokio::test]
async fn r17_calls_that_pile_up_are_turned_away() {
    let lab = Lab::with(|config| {
        config
            .with_max_calls(1)
            .with_call_deadline(Duration::from_secs(2))
    });
    let bob = person("bob");
    let open = lab.adapter.trigger(&bob).await.unwrap();
    let (go, held) = mpsc::channel::<()>();
    let held = std::sync::Mutex::new(Some(held));
    lab.answer_oddly(move |_ask| {
        let held = held.lock().unwrap().take()?;
        Some(HttpReply::json(200, &polled(false, "pending").to_string()).held(held))
    });
    let (adapter, one, first) = (lab.adapter.clone(), bob.clone(), open.clone());
    let slow = tokio::spawn(async move { adapter.poll(&one, &first).await });
    while lab.fake.count("/validate/polltransaction/08385") == 0 {
        tokio::task::yield_now().await;
    }
    let crowded = lab.adapter.poll(&bob, &open).await;
    assert!(
        matches!(crowded, Err(SecondFactorError::Unavailable { .. })),
        "{crowded:?}"
    );
    drop(go);
    assert_eq!(slow.await.unwrap().unwrap(), Poll::Pending);
}
