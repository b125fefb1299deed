use sealstone_login::{Judged, Kept, Swap, ThrottleKey, TotpFactor, UserFactors};
use sealstone_oauth_types::TokenHash;

use crate::fixtures::{Store, at, count, domain_id, race, user_id};

fn enrolled(user: &str) -> UserFactors {
    let totp = TotpFactor::new(Kept::of(&"sealed").unwrap(), 100, at(1_000));
    UserFactors::none(domain_id("demo"), user_id(user)).with_totp(totp)
}

pub(crate) async fn factors_are_compared_and_swapped<S: Store>(store: S) {
    let (demo, ada) = (domain_id("demo"), user_id("ada"));
    let none = UserFactors::none(demo.clone(), ada.clone());
    assert_eq!(store.factors(&demo, &ada).await.unwrap(), None);
    assert_eq!(
        store.replace_factors(&none).await.unwrap(),
        Swap::Conflict,
        "nothing is no record"
    );
    assert_eq!(store.factors(&demo, &ada).await.unwrap(), None);
    let first = enrolled("ada");
    let second = first.with_spent_step(101).unwrap();
    assert_eq!(
        store.replace_factors(&second).await.unwrap(),
        Swap::Conflict,
        "there is no first"
    );
    let won = race(|_| {
        let (store, first) = (store.clone(), first.clone());
        async move { store.replace_factors(&first).await.unwrap() }
    });
    assert_eq!(count(&won.await, |swap| *swap == Swap::Done), 1);
    assert_eq!(store.factors(&demo, &ada).await.unwrap(), Some(first.clone()));
    for (domain, user) in [("other", "ada"), ("demo", "bob"), ("demo", "Ada")] {
        assert_eq!(
            store.factors(&domain_id(domain), &user_id(user)).await.unwrap(),
            None
        );
    }
    assert!(store.remove_factors(&demo, &ada).await.unwrap());
    assert!(!store.remove_factors(&demo, &ada).await.unwrap());
    assert_eq!(store.factors(&demo, &ada).await.unwrap(), None);
    assert_eq!(
        store.replace_factors(&second).await.unwrap(),
        Swap::Conflict,
        "a late write brings nothing back"
    );
    assert_eq!(store.replace_factors(&first).await.unwrap(), Swap::Done);
}

/// R14: of logins at once with one code, one passes.
pub(crate) async fn r14_a_code_is_spent_once<S: Store>(store: S) {
    assert_eq!(store.replace_factors(&enrolled("ada")).await.unwrap(), Swap::Done);
    for step in 101..105 {
        let passed = race(|_| {
            let store = store.clone();
            async move {
                let (demo, ada) = (domain_id("demo"), user_id("ada"));
                loop {
                    let stored = store.factors(&demo, &ada).await.unwrap().unwrap();
                    let Ok(spent) = stored.with_spent_step(step) else {
                        return false;
                    };
                    if store.replace_factors(&spent).await.unwrap() == Swap::Done {
                        return true;
                    }
                }
            }
        });
        assert_eq!(count(&passed.await, |passed| *passed), 1, "{step}");
    }
}

/// R13: guesses at once count each; a name's waits are its own.
pub(crate) async fn r13_guesses_at_once_are_each_counted<S: Store>(store: S) {
    let demo = domain_id("demo");
    let key = ThrottleKey::password(&demo, "ada");
    let judged = race(|_| {
        let store = store.clone();
        async move { store.count_guess(&key, at(1_000)).await.unwrap() }
    });
    let judged = judged.await;
    assert_eq!(count(&judged, Result::is_ok), 5, "five are free");
    assert!(
        judged
            .iter()
            .filter_map(|judged| judged.err())
            .all(|wait| wait.until == at(1_001))
    );
    for other in [
        ThrottleKey::password(&demo, "bob"),
        ThrottleKey::password(&domain_id("other"), "ada"),
        ThrottleKey::code(&demo, &user_id("ada")),
    ] {
        assert_eq!(store.count_guess(&other, at(1_000)).await.unwrap(), Ok(()));
    }
    assert_eq!(store.count_guess(&key, at(1_001)).await.unwrap(), Ok(()));
    assert_eq!(
        store
            .count_guess(&key, at(1_002))
            .await
            .unwrap()
            .unwrap_err()
            .until,
        at(1_003)
    );
    // One that was not judged leaves things as they were.
    assert_eq!(store.count_guess(&key, at(1_003)).await.unwrap(), Ok(()));
    store.settle_guess(&key, Judged::NotAtAll).await.unwrap();
    assert_eq!(
        store
            .count_guess(&key, at(1_004))
            .await
            .unwrap()
            .unwrap_err()
            .until,
        at(1_005)
    );
    // A right one forgets.
    store.settle_guess(&key, Judged::Right).await.unwrap();
    for _guess in 0..5 {
        assert_eq!(store.count_guess(&key, at(1_004)).await.unwrap(), Ok(()));
    }
    assert!(store.count_guess(&key, at(1_004)).await.unwrap().is_err());
    let unknown = ThrottleKey::password(&demo, "nobody");
    for judged in [Judged::Right, Judged::NotAtAll] {
        store.settle_guess(&unknown, judged).await.unwrap();
    }

    let day = 24 * 3_600;
    assert_eq!(store.purge_throttles(at(1_000 + day - 1)).await.unwrap(), 0);
    assert_eq!(store.purge_throttles(at(1_000 + day)).await.unwrap(), 3);
    assert_eq!(store.purge_throttles(at(1_004 + day)).await.unwrap(), 1);
}

/// R13: strangers who guess without end take no turn of a browser in which the password was right.
pub(crate) async fn r13_a_known_browser_is_counted_by_itself<S: Store>(store: S) {
    let domain = domain_id("demo");
    let browser = |octet| ThrottleKey::known_browser(&domain, "ada", TokenHash::from_octets([octet; 32]));
    let everybody = ThrottleKey::password(&domain, "ada");
    let (own, other) = (browser(1), browser(2));
    assert!(
        store.count_guess(&own, at(1_000)).await.unwrap().is_err(),
        "not known yet"
    );
    store.know_browser(&own, at(1_000)).await.unwrap();
    for _guess in 0..20 {
        let _stranger = store.count_guess(&everybody, at(1_001)).await.unwrap();
        assert!(store.count_guess(&other, at(1_001)).await.unwrap().is_err());
    }
    assert!(store.count_guess(&everybody, at(1_001)).await.unwrap().is_err());
    for _guess in 0..5 {
        assert_eq!(store.count_guess(&own, at(1_001)).await.unwrap(), Ok(()));
    }
    assert!(store.count_guess(&own, at(1_001)).await.unwrap().is_err());
    store.know_browser(&own, at(1_002)).await.unwrap();
    assert_eq!(
        store.count_guess(&own, at(1_002)).await.unwrap(),
        Ok(()),
        "right again: anew"
    );
    let day = 24 * 3600;
    assert!(
        store.count_guess(&own, at(1_002 + day)).await.unwrap().is_err(),
        "for a day"
    );
}
