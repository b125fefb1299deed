//! What comes of a second factor when everything is as it should be, and the adapter's own login.

use sealstone_identity::AuthMethod;
use sealstone_login::{ChallengeMode, Due, Poll, SecondFactorAuthority as _, SecondFactorError, Verdict};
use sealstone_privacyidea::{Demand, PrivacyIdeaError, PrivacyIdeaRefusal};
use serde_json::json;
use std::time::Duration;

use crate::support::{
    CODE, Lab, PASSWORD, TOKEN, accepted, challenge, code, person, polled, refusal, rejected, token, tokens,
    triggered,
};

#[tokio::test]
async fn a_code_is_asked_for_and_accepted() {
    let lab = Lab::start();
    let bob = person("bob");
    assert_eq!(lab.adapter.due(&bob).await.unwrap(), Due::Yes);
    let challenge = lab.adapter.trigger(&bob).await.unwrap();
    assert_eq!(challenge.modes(), [ChallengeMode::Code]);
    assert_eq!(
        challenge.message(),
        None,
        "the page says it in the person's language"
    );
    let verdict = lab.adapter.answer(&bob, &challenge, &code()).await.unwrap();
    let method = AuthMethod::OneTimeCode;
    assert_eq!(verdict, Verdict::Accepted { method });

    // As the contract has the requests: codes and passwords in bodies alone.
    let seen = lab.fake.seen();
    let lines: Vec<String> = seen
        .iter()
        .map(|ask| format!("{} {}", ask.method, ask.target))
        .collect();
    assert_eq!(
        lines,
        [
            "POST /auth",
            "GET /token/?user=bob&realm=lab&pagesize=100",
            "POST /validate/triggerchallenge",
            "POST /validate/check",
        ]
    );
    assert_eq!(seen[0].body, format!("username=mfa-adapter&password={PASSWORD}"));
    assert_eq!(seen[2].body, "user=bob&realm=lab");
    assert_eq!(
        seen[3].body,
        format!("user=bob&realm=lab&transaction_id=08385&pass={CODE}")
    );
    for (ask, privileged) in seen.iter().zip([false, true, true, false]) {
        assert_eq!(
            ask.header("pi-authorization") == Some(TOKEN),
            privileged,
            "{}",
            ask.target
        );
        assert!(!ask.head.contains(CODE) && !ask.head.contains(PASSWORD));
    }
}

#[tokio::test]
async fn a_push_is_polled_and_then_answered() {
    let lab = Lab::start();
    let bob = person("bob");
    lab.change(|script| {
        script.tokens = tokens(&[token("PIPU1", "push", "bob"), token("HOTPBOB", "hotp", "bob")]);
        let mut push = challenge("PIPU1", "push", "poll");
        push["message"] = json!("Please choose 42 on your telephone! ");
        script.trigger = triggered(&[push, challenge("HOTPBOB", "hotp", "interactive")]);
        script.check = accepted("PIPU1");
    });
    let challenge = lab.adapter.trigger(&bob).await.unwrap();
    assert_eq!(challenge.modes(), [ChallengeMode::Code, ChallengeMode::Push]);
    assert_eq!(challenge.message(), Some("Please choose 42 on your telephone!"));
    assert_eq!(lab.adapter.poll(&bob, &challenge).await.unwrap(), Poll::Pending);
    assert_eq!(
        lab.fake.count("/validate/check"),
        0,
        "nothing is answered before it is agreed"
    );
    for declined in ["declined", "cancelled"] {
        lab.change(|script| script.poll = polled(false, declined));
        assert_eq!(lab.adapter.poll(&bob, &challenge).await.unwrap(), Poll::Declined);
    }
    lab.change(|script| script.poll = polled(true, "accept"));
    let method = AuthMethod::SoftwareKey;
    assert_eq!(
        lab.adapter.poll(&bob, &challenge).await.unwrap(),
        Poll::Accepted { method }
    );
    let last = lab.fake.seen().pop().unwrap();
    assert_eq!(last.body, "user=bob&realm=lab&transaction_id=08385&pass=");
    // Agreed, but the transaction is not accepted: it was used.
    lab.change(|script| script.check = rejected());
    assert_eq!(lab.adapter.poll(&bob, &challenge).await.unwrap(), Poll::Ended);
}

#[tokio::test]
async fn a_challenge_ends_with_its_time() {
    let lab = Lab::start();
    let bob = person("bob");
    let challenge = lab.adapter.trigger(&bob).await.unwrap();
    assert_eq!(challenge.ends_at().as_secs(), lab.clock.seconds() + 120);
    lab.clock.advance(Duration::from_secs(120));
    let asked = lab.fake.seen().len();
    assert_eq!(
        lab.adapter.answer(&bob, &challenge, &code()).await.unwrap(),
        Verdict::Ended
    );
    assert_eq!(lab.adapter.poll(&bob, &challenge).await.unwrap(), Poll::Ended);
    assert_eq!(
        lab.fake.seen().len(),
        asked,
        "privacyIDEA calls a forgotten transaction pending"
    );
}

#[tokio::test]
async fn the_adapters_login_is_kept_and_renewed_once_when_it_ends() {
    let lab = Lab::start();
    let bob = person("bob");
    for _login in 0..3 {
        lab.adapter.trigger(&bob).await.unwrap();
    }
    assert_eq!(lab.fake.count("/auth"), 1);

    // The kept token is no longer taken; a fresh one is.
    let fresh = "eyJ.fresh.one";
    lab.answer_oddly(move |ask| {
        let stale = ask.header("pi-authorization") == Some(TOKEN);
        stale.then(|| sealstone_testkit::HttpReply::json(401, &refusal(4304).to_string()))
    });
    lab.change(|script| script.auth["result"]["value"]["token"] = json!(fresh));
    lab.adapter.trigger(&bob).await.unwrap();
    assert_eq!(lab.fake.count("/auth"), 2);
    assert_eq!(
        lab.fake.seen().pop().unwrap().header("pi-authorization"),
        Some(fresh)
    );

    // A fresh one that is not taken either is no reason to go on logging in.
    lab.change(|script| {
        script.tokens = refusal(4033);
    });
    let error = lab.adapter.trigger(&bob).await.unwrap_err();
    assert!(
        matches!(error, SecondFactorError::NotConfigured { .. }),
        "{error:?}"
    );
    assert_eq!(lab.fake.count("/auth"), 3);
}

#[tokio::test]
async fn a_refused_password_of_the_adapter_is_not_tried_again_at_once() {
    let lab = Lab::start();
    lab.change(|script| script.auth = refusal(4031));
    for _login in 0..3 {
        let error = lab.adapter.trigger(&person("bob")).await.unwrap_err();
        assert!(
            matches!(error, SecondFactorError::NotConfigured { .. }),
            "{error:?}"
        );
    }
    assert_eq!(lab.fake.count("/auth"), 1);
    assert!(matches!(
        lab.adapter.probe().await,
        Err(PrivacyIdeaError::Refused {
            refusal: PrivacyIdeaRefusal::AdapterWaits,
            ..
        })
    ));
    lab.clock.advance(Duration::from_secs(30));
    lab.change(|script| script.auth = crate::support::logged_in());
    lab.adapter.probe().await.unwrap();
    lab.adapter.trigger(&person("bob")).await.unwrap();
}

#[tokio::test]
async fn who_has_no_token_goes_on_only_where_the_configuration_says_so() {
    for (demand, want) in [(Demand::Everybody, Due::Yes), (Demand::WhoeverHasAToken, Due::No)] {
        let lab = Lab::with(|config| config.with_demand(demand));
        lab.change(|script| script.tokens = tokens(&[]));
        assert_eq!(
            lab.adapter.due(&person("erin")).await.unwrap(),
            want,
            "{demand:?}"
        );
        let error = lab.adapter.trigger(&person("erin")).await.unwrap_err();
        assert!(matches!(error, SecondFactorError::NoFactor), "{error:?}");
        assert_eq!(lab.fake.count("/validate/triggerchallenge"), 0);
    }
}

#[tokio::test]
async fn codes_and_names_are_written_as_forms_write_them() {
    let lab = Lab::start();
    let odd = "j&ö=r g%20+x";
    lab.change(|script| script.tokens = tokens(&[token("HOTPBOB", "hotp", odd)]));
    lab.adapter.trigger(&person(odd)).await.unwrap();
    let body = lab.fake.seen().pop().unwrap().body;
    assert_eq!(body, "user=j%26%C3%B6%3Dr%20g%2520%2Bx&realm=lab");
}
