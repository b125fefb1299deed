//! Second factors at a real privacyIDEA 3.14, as the server's adapter asks for them.

use sealstone_identity::{AuthMethod, Passcode, Person, UserRef};
use sealstone_interop::{PrivacyIdeaLab, Telephone};
use sealstone_login::{ChallengeMode, Due, Poll, SecondFactorAuthority as _, SecondFactorError, Verdict};
use sealstone_privacyidea::{Demand, PrivacyIdea, PrivacyIdeaConfig};
use serde_json::Value;
use zeroize::Zeroizing;

fn config(lab: &PrivacyIdeaLab) -> PrivacyIdeaConfig {
    let (name, password) = PrivacyIdeaLab::ADAPTER;
    let password = Zeroizing::new(password.to_owned());
    let config = PrivacyIdeaConfig::new(&lab.url(), PrivacyIdeaLab::REALM, name, password).unwrap();
    // A debug server on a busy machine.
    config
        .with_demand(Demand::WhoeverHasAToken)
        .with_call_deadline(std::time::Duration::from_secs(20))
}

fn adapter(lab: &PrivacyIdeaLab) -> PrivacyIdea {
    PrivacyIdea::new(config(lab)).unwrap()
}

fn person(name: &str) -> Person {
    Person::new(
        UserRef::new(
            &format!("u-{name}").replace(['@', ' ', '\\'], "-"),
            name,
            "default",
        )
        .unwrap(),
    )
}

fn code(text: &str) -> Passcode {
    Passcode::parse(text).unwrap()
}

const ONE_TIME: Verdict = Verdict::Accepted {
    method: AuthMethod::OneTimeCode,
};

#[tokio::test]
async fn a_code_is_accepted_once_and_for_the_one_who_was_asked() {
    let lab = PrivacyIdeaLab::shared();
    let _alone = lab.alone("bob");
    let (adapter, bob) = (adapter(lab), person("bob"));
    assert_eq!(adapter.due(&bob).await.unwrap(), Due::Yes);
    let challenge = adapter.trigger(&bob).await.unwrap();
    assert_eq!(challenge.modes(), [ChallengeMode::Code]);
    assert_eq!(adapter.poll(&bob, &challenge).await.unwrap(), Poll::Pending);
    let right = lab.next_code("bob", "HOTPBOB");
    let wrong = if right == "000000" { "000001" } else { "000000" };
    assert_eq!(
        adapter.answer(&bob, &challenge, &code(wrong)).await.unwrap(),
        Verdict::Wrong
    );
    assert_eq!(
        adapter.answer(&bob, &challenge, &code(&right)).await.unwrap(),
        ONE_TIME
    );
    assert_eq!(lab.token("HOTPBOB")["failcount"], 0);

    // Neither the code nor the transaction works again.
    assert_eq!(
        adapter.answer(&bob, &challenge, &code(&right)).await.unwrap(),
        Verdict::Wrong
    );
    let next = lab.next_code("bob", "HOTPBOB");
    assert_eq!(
        adapter.answer(&bob, &challenge, &code(&next)).await.unwrap(),
        Verdict::Wrong
    );
    let another = adapter.trigger(&bob).await.unwrap();
    assert_eq!(
        adapter.answer(&bob, &another, &code(&right)).await.unwrap(),
        Verdict::Wrong
    );
    let next = lab.next_code("bob", "HOTPBOB");
    assert_eq!(
        adapter.answer(&bob, &another, &code(&next)).await.unwrap(),
        ONE_TIME
    );
    for said in [right, next] {
        assert!(!lab.log().contains(&said), "a code is in a log");
    }
}

#[tokio::test]
async fn one_of_two_tokens_is_enough() {
    let lab = PrivacyIdeaLab::shared();
    let _alone = lab.alone("dave");
    let (adapter, dave) = (adapter(lab), person("dave"));
    let challenge = adapter.trigger(&dave).await.unwrap();
    let right = lab.next_code("dave", "HOTPDAVE");
    assert_eq!(
        adapter.answer(&dave, &challenge, &code(&right)).await.unwrap(),
        ONE_TIME
    );
}

/// Ten wrong codes lock a token: half of them reach privacyIDEA.
#[tokio::test]
async fn r13_guessing_does_not_lock_the_token() {
    let lab = PrivacyIdeaLab::shared();
    let _alone = lab.alone("alice");
    let (adapter, alice) = (adapter(lab), person("alice"));
    lab.reset("TOTPALICE");
    let challenge = adapter.trigger(&alice).await.unwrap();
    let mut guesses = tokio::task::JoinSet::new();
    for guess in 0..40 {
        let (adapter, alice, challenge) = (adapter.clone(), alice.clone(), challenge.clone());
        guesses.spawn(async move {
            adapter
                .answer(&alice, &challenge, &code(&format!("{guess:07}")))
                .await
                .unwrap()
        });
    }
    let verdicts = guesses.join_all().await;
    assert_eq!(
        verdicts
            .iter()
            .filter(|verdict| **verdict == Verdict::Wrong)
            .count(),
        5
    );
    assert_eq!(
        verdicts
            .iter()
            .filter(|verdict| **verdict == Verdict::Locked)
            .count(),
        35
    );
    let token = lab.token("TOTPALICE");
    assert_eq!(token["locked"], false);
    assert!(
        token["failcount"]
            .as_u64()
            .is_some_and(|count| (1..=5).contains(&count)),
        "{token}"
    );
    lab.reset("TOTPALICE");
}

/// privacyIDEA triggers nothing for any of these, and says so in the same way.
#[tokio::test]
async fn r12_no_challenge_is_not_no_second_factor() {
    let lab = PrivacyIdeaLab::shared();
    let adapter = adapter(lab);
    for (name, due, error) in [
        ("frank", Some(Due::Yes), "Locked"),
        ("grace", Some(Due::Yes), "NoFactor"),
        ("erin", Some(Due::No), "NoFactor"),
        ("nobody", None, "NoFactor"),
    ] {
        let found = adapter.due(&person(name)).await;
        match (found, due) {
            (Ok(found), Some(due)) => assert_eq!(found, due, "{name}"),
            (Err(SecondFactorError::NoFactor), None) => {}
            (found, _) => panic!("{name}: {found:?}"),
        }
        let refused = adapter.trigger(&person(name)).await.unwrap_err();
        assert_eq!(format!("{refused:?}"), error, "{name}");
    }
    // Where everybody is asked, who has none does not get by.
    let strict = PrivacyIdea::new(config(lab).with_demand(Demand::Everybody)).unwrap();
    assert_eq!(strict.due(&person("erin")).await.unwrap(), Due::Yes);
}

/// What privacyIDEA makes of names that are none of its own: `bob@lab` is bob to it, and a blank is everybody.
#[tokio::test]
async fn r18_no_name_is_read_as_another() {
    let lab = PrivacyIdeaLab::shared();
    let adapter = adapter(lab);
    for name in ["dave@lab", "lab\\dave", "dave ", " ", "DAVE", "dave@other"] {
        let found = adapter.due(&person(name)).await;
        assert!(
            matches!(found, Err(SecondFactorError::NoFactor)),
            "{name:?}: {found:?}"
        );
        let refused = adapter.trigger(&person(name)).await;
        assert!(
            matches!(refused, Err(SecondFactorError::NoFactor)),
            "{name:?}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn r17_an_adapter_that_may_not_ask_lets_nobody_in() {
    let lab = PrivacyIdeaLab::shared();
    let wrong = Zeroizing::new("wrong".to_owned());
    let config = PrivacyIdeaConfig::new(&lab.url(), PrivacyIdeaLab::REALM, "mfa-adapter", wrong).unwrap();
    let refused = PrivacyIdea::new(config).unwrap();
    let error = refused.trigger(&person("dave")).await.unwrap_err();
    assert!(
        matches!(error, SecondFactorError::NotConfigured { .. }),
        "{error:?}"
    );
    // Another realm than the rights are for.
    let (name, password) = PrivacyIdeaLab::ADAPTER;
    let config =
        PrivacyIdeaConfig::new(&lab.url(), "other", name, Zeroizing::new(password.to_owned())).unwrap();
    let error = PrivacyIdea::new(config)
        .unwrap()
        .trigger(&person("dave"))
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            SecondFactorError::NoFactor | SecondFactorError::NotConfigured { .. }
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_telephone_is_asked_and_agrees_or_declines() {
    let lab = PrivacyIdeaLab::shared();
    let _alone = lab.alone("carol");
    let (adapter, carol) = (adapter(lab), person("carol"));
    let telephone = Telephone::enrol(lab, "carol", "PIPUCAROL");
    let challenge = adapter.trigger(&carol).await.unwrap();
    assert_eq!(challenge.modes(), [ChallengeMode::Code, ChallengeMode::Push]);
    assert_eq!(adapter.poll(&carol, &challenge).await.unwrap(), Poll::Pending);
    let questions = telephone.questions();
    assert_eq!(questions.len(), 1);
    telephone.agree(&questions[0]);
    let method = AuthMethod::SoftwareKey;
    assert_eq!(
        adapter.poll(&carol, &challenge).await.unwrap(),
        Poll::Accepted { method }
    );
    // What was accepted is over.
    let again = adapter.poll(&carol, &challenge).await.unwrap();
    assert!(matches!(again, Poll::Ended | Poll::Pending), "{again:?}");

    let challenge = adapter.trigger(&carol).await.unwrap();
    telephone.decline(&telephone.questions()[0]);
    assert_eq!(adapter.poll(&carol, &challenge).await.unwrap(), Poll::Declined);
    let answered = adapter.answer(&carol, &challenge, &code("000000")).await.unwrap();
    assert_eq!(answered, Verdict::Wrong);
    drop(telephone);
    lab.reset("TOTPCAROL");
}

/// A restart of privacyIDEA: nobody gets in while it is away, and the adapter needs no help afterwards.
#[tokio::test]
async fn r17_a_privacyidea_that_is_away_lets_nobody_in() {
    let lab = PrivacyIdeaLab::start();
    let (adapter, bob) = (adapter(&lab), person("bob"));
    let challenge = adapter.trigger(&bob).await.unwrap();
    let right = lab.next_code("bob", "HOTPBOB");
    lab.stop();
    assert!(matches!(
        adapter.due(&bob).await,
        Err(SecondFactorError::Unavailable { .. })
    ));
    assert!(matches!(
        adapter.trigger(&bob).await,
        Err(SecondFactorError::Unavailable { .. })
    ));
    for _try in 0..10 {
        let answered = adapter.answer(&bob, &challenge, &code(&right)).await;
        assert!(
            matches!(answered, Err(SecondFactorError::Unavailable { .. })),
            "{answered:?}"
        );
    }
    assert!(matches!(
        adapter.poll(&bob, &challenge).await,
        Err(SecondFactorError::Unavailable { .. })
    ));
    lab.restart();
    assert_eq!(
        adapter.answer(&bob, &challenge, &code(&right)).await.unwrap(),
        ONE_TIME
    );

    // Its logins end: the adapter logs in again by itself.
    let state: Value = lab.token("HOTPBOB");
    assert_eq!(state["failcount"], 0);
}
