use sealstone_identity::UserId;
use sealstone_login::{MAX_SESSIONS_PAGE, Session, Swap};

use crate::fixtures::{Store, at, client_id, count, domain_id, hash, race, session, sid, user_id};

/// The same session under another id: as after a second factor.
fn renewed(session: &Session, number: u64) -> Session {
    let mut record = serde_json::to_value(session).unwrap();
    record["id"] = serde_json::to_value(hash(number)).unwrap();
    record["version"] = (session.version() + 1).into();
    serde_json::from_value(record).unwrap()
}

pub(crate) async fn sessions_are_found_by_cookie_and_by_name<S: Store>(store: S) {
    let first = session(1, "demo", "ada");
    assert_eq!(store.session(&first.id()).await.unwrap(), None);
    store.insert_session(&first).await.unwrap();
    assert_eq!(store.session(&first.id()).await.unwrap().as_ref(), Some(&first));
    let by_sid = async |domain: &str, number| {
        store
            .session_by_sid(&domain_id(domain), &sid(number))
            .await
            .unwrap()
    };
    assert_eq!(by_sid("demo", 1).await.as_ref(), Some(&first));
    assert_eq!(by_sid("other", 1).await, None);
    assert_eq!(by_sid("demo", 2).await, None);
    assert!(store.insert_session(&first).await.is_err(), "the id is taken");
    assert!(
        store.insert_session(&renewed(&first, 9)).await.is_err(),
        "the name is taken"
    );
    assert_eq!(store.session(&hash(9)).await.unwrap(), None);
    assert_eq!(store.session(&first.id()).await.unwrap().as_ref(), Some(&first));
}

pub(crate) async fn sessions_are_compared_and_swapped<S: Store>(store: S) {
    let first = session(1, "demo", "ada");
    let second = first.joined(&client_id("web")).unwrap();
    assert_eq!(
        store.replace_session(1, &second).await.unwrap(),
        Swap::Conflict,
        "a swap makes no session"
    );
    assert_eq!(store.session(&first.id()).await.unwrap(), None);
    store.insert_session(&first).await.unwrap();
    let outcomes = race(|racer| {
        let (store, next) = (
            store.clone(),
            first.joined(&client_id(&format!("c-{racer}"))).unwrap(),
        );
        async move { (store.replace_session(1, &next).await.unwrap(), next) }
    });
    let outcomes = outcomes.await;
    let won: Vec<_> = outcomes
        .iter()
        .filter(|(outcome, _)| *outcome == Swap::Done)
        .collect();
    assert_eq!(won.len(), 1);
    let stored = store.session(&first.id()).await.unwrap().unwrap();
    assert_eq!(stored, won[0].1);

    // With another cookie: the one before opens nothing any more.
    let new = renewed(&stored, 50);
    assert_eq!(store.replace_session(2, &new).await.unwrap(), Swap::Done);
    assert_eq!(store.session(&first.id()).await.unwrap(), None);
    assert_eq!(store.session(&hash(50)).await.unwrap().as_ref(), Some(&new));
    assert_eq!(
        store.replace_session(2, &renewed(&stored, 51)).await.unwrap(),
        Swap::Conflict
    );
    let other = session(2, "demo", "bob");
    store.insert_session(&other).await.unwrap();
    assert!(
        store.replace_session(3, &renewed(&new, 2)).await.is_err(),
        "another session has that id"
    );
    assert_eq!(store.session(&other.id()).await.unwrap().as_ref(), Some(&other));
    assert_eq!(store.session(&hash(50)).await.unwrap().as_ref(), Some(&new));
}

pub(crate) async fn an_ended_session_stays_ended<S: Store>(store: S) {
    let first = session(1, "demo", "ada");
    store.insert_session(&first).await.unwrap();
    let ended = race(|racer| {
        let (store, first) = (store.clone(), first.clone());
        async move {
            if racer % 2 == 0 {
                let used = first.touched(at(1_100)).unwrap();
                let _ = store.replace_session(1, &used).await.unwrap();
                None
            } else {
                store.end_session(&first.id()).await.unwrap()
            }
        }
    });
    assert_eq!(count(&ended.await, Option::is_some), 1, "it ends once");
    assert_eq!(store.session(&first.id()).await.unwrap(), None);
    for version in [1, 2] {
        let used = renewed(&first, 1);
        assert_eq!(
            store.replace_session(version, &used).await.unwrap(),
            Swap::Conflict
        );
    }
    assert_eq!(store.end_session(&first.id()).await.unwrap(), None);
}

pub(crate) async fn sessions_of_one_person_end_together<S: Store>(store: S) {
    for (number, domain, user) in [
        (3, "demo", "ada"),
        (1, "demo", "ada"),
        (2, "demo", "bob"),
        (4, "other", "ada"),
        (5, "demo", "ada"),
    ] {
        store
            .insert_session(&session(number, domain, user))
            .await
            .unwrap();
    }
    let (demo, ada) = (domain_id("demo"), user_id("ada"));
    let sids = |sessions: Vec<Session>| -> Vec<String> {
        sessions
            .iter()
            .map(|session| session.sid().as_str().to_owned())
            .collect()
    };
    let names = |numbers: &[u8]| -> Vec<String> {
        numbers
            .iter()
            .map(|number| sid(*number).as_str().to_owned())
            .collect()
    };
    let page = async |user: &UserId, after: Option<u8>, limit| {
        let after = after.map(sid);
        sids(
            store
                .sessions_of(&demo, user, after.as_ref(), limit)
                .await
                .unwrap(),
        )
    };
    let mut in_order = names(&[1, 3, 5]);
    in_order.sort_unstable();
    assert_eq!(page(&ada, None, 10).await, in_order);
    assert_eq!(page(&ada, None, 2).await, in_order[..2]);
    assert_eq!(page(&ada, Some(1), 1).await, names(&[3]));
    assert_eq!(
        page(&ada, Some(2), 10).await,
        names(&[3, 5]),
        "a cursor is only a bound"
    );
    assert_eq!(page(&ada, None, 0).await, Vec::<String>::new());
    let mut ended = sids(store.end_sessions_of(&demo, &ada).await.unwrap());
    ended.sort_unstable();
    assert_eq!(ended, in_order);
    assert!(store.end_sessions_of(&demo, &ada).await.unwrap().is_empty());
    assert_eq!(page(&ada, None, 10).await, Vec::<String>::new());
    assert_eq!(page(&user_id("bob"), None, 10).await, names(&[2]));
    assert!(
        store
            .session(&session(4, "other", "ada").id())
            .await
            .unwrap()
            .is_some()
    );

    for number in 100..u8::try_from(100 + MAX_SESSIONS_PAGE + 1).unwrap() {
        store
            .insert_session(&session(number, "demo", "eve"))
            .await
            .unwrap();
    }
    assert_eq!(
        page(&user_id("eve"), None, usize::MAX).await.len(),
        MAX_SESSIONS_PAGE
    );
}

pub(crate) async fn sessions_over_are_forgotten<S: Store>(store: S) {
    for number in [1, 2] {
        store
            .insert_session(&session(number, "demo", "ada"))
            .await
            .unwrap();
    }
    let used = session(2, "demo", "ada").touched(at(2_000)).unwrap();
    assert_eq!(store.replace_session(1, &used).await.unwrap(), Swap::Done);
    for (now, gone) in [(4_599, 0), (4_600, 1), (5_599, 0), (5_600, 1), (5_600, 0)] {
        assert_eq!(store.purge_sessions(at(now)).await.unwrap(), gone, "{now}");
    }
    assert_eq!(store.session(&used.id()).await.unwrap(), None);
    // The id is free again, as if it had never been.
    store.insert_session(&session(1, "demo", "ada")).await.unwrap();
}
