use sealstone_grants::{
    code::{CODE_MEMORY, Redeemed, Spending},
    device::{
        DEVICE_LIFETIME, Decided, DeviceDecision, DeviceInsertion, DeviceRequest, DeviceState,
        MAX_DEVICE_REQUESTS, MAX_DEVICE_REQUESTS_OF_CLIENT, Poll,
    },
};

use crate::fixtures::{
    Store, after, at, client_id, count, device, domain_id, family, family_id, grant, hash, issued, race,
    redemption, revoked,
};

fn approval() -> DeviceDecision {
    DeviceDecision::Approve(Box::new(grant("demo", "ada", "tv")))
}

async fn keep<S: Store>(store: &S, request: &DeviceRequest) {
    let inserted = store.insert_device(request.clone()).await.unwrap();
    assert_eq!(inserted, DeviceInsertion::Inserted);
}

pub(crate) async fn requests_are_found_by_either_code<S: Store>(store: S) {
    let (request, unknown) = (device(1), device(2));
    assert_eq!(store.device(&request.hash).await.unwrap(), None);
    keep(&store, &request).await;
    assert_eq!(
        store.device(&request.hash).await.unwrap().as_deref(),
        Some(&request)
    );
    let by_code = async |domain: &str, code, now| {
        store
            .device_by_user_code(&domain_id(domain), code, at(now))
            .await
            .unwrap()
            .map(|found| *found)
    };
    assert_eq!(
        by_code("demo", &request.user_code, 1_100).await,
        Some(request.clone())
    );
    assert_eq!(by_code("other", &request.user_code, 1_100).await, None);
    assert_eq!(by_code("demo", &unknown.user_code, 1_100).await, None);
    let end = after(1_000, DEVICE_LIFETIME).as_secs();
    assert!(by_code("demo", &request.user_code, end - 1).await.is_some());
    assert_eq!(by_code("demo", &request.user_code, end).await, None);
    assert!(
        store.device(&request.hash).await.unwrap().is_some(),
        "the device is told that it expired"
    );
}

/// L02: a user code names one request of its domain at a time.
pub(crate) async fn l02_a_user_code_names_one_request<S: Store>(store: S) {
    keep(&store, &device(1)).await;
    let twin = DeviceRequest {
        hash: hash(2),
        ..device(1)
    };
    assert_eq!(
        store.insert_device(twin.clone()).await.unwrap(),
        DeviceInsertion::CodeTaken
    );
    assert_eq!(store.device(&hash(2)).await.unwrap(), None);
    let elsewhere = DeviceRequest {
        hash: hash(3),
        domain: domain_id("other"),
        ..device(1)
    };
    keep(&store, &elsewhere).await;
    // When the first is over, the code is free, and names the new request.
    let end = after(1_000, DEVICE_LIFETIME);
    let heir = DeviceRequest {
        created_at: end,
        expires_at: after(end.as_secs(), DEVICE_LIFETIME),
        ..twin
    };
    keep(&store, &heir).await;
    let named = store
        .device_by_user_code(&domain_id("demo"), &heir.user_code, end)
        .await
        .unwrap();
    assert_eq!(named.unwrap().hash, heir.hash);

    let won = race(|racer| {
        let store = store.clone();
        let rival = DeviceRequest {
            hash: hash(100 + u64::from(racer)),
            ..device(77)
        };
        async move { store.insert_device(rival).await.unwrap() }
    });
    assert_eq!(
        count(&won.await, |outcome| *outcome == DeviceInsertion::Inserted),
        1
    );
}

/// L11: neither one client nor all together fill the store, and what has expired takes no room.
pub(crate) async fn l11_requests_are_bounded<S: Store>(store: S) {
    let clients = MAX_DEVICE_REQUESTS / MAX_DEVICE_REQUESTS_OF_CLIENT;
    let mut tasks = tokio::task::JoinSet::new();
    for client in 0..clients {
        let store = store.clone();
        tasks.spawn(async move {
            let mut inserted = 0;
            for number in 0..=MAX_DEVICE_REQUESTS_OF_CLIENT {
                let request = DeviceRequest {
                    client_id: client_id(&format!("client-{client}")),
                    ..device(client * 10_000 + number)
                };
                match store.insert_device(request).await.unwrap() {
                    DeviceInsertion::Inserted => inserted += 1,
                    outcome => assert_eq!(
                        (outcome, number),
                        (DeviceInsertion::Full, MAX_DEVICE_REQUESTS_OF_CLIENT)
                    ),
                }
            }
            inserted
        });
    }
    let inserted: u64 = tasks.join_all().await.into_iter().sum();
    assert_eq!(inserted, MAX_DEVICE_REQUESTS);
    let stranger = device(900_000);
    assert_eq!(
        store.insert_device(stranger.clone()).await.unwrap(),
        DeviceInsertion::Full
    );
    let elsewhere = DeviceRequest {
        domain: domain_id("other"),
        ..stranger.clone()
    };
    keep(&store, &elsewhere).await;
    let end = after(1_000, DEVICE_LIFETIME);
    let later = DeviceRequest {
        hash: hash(900_001),
        created_at: end,
        expires_at: after(end.as_secs(), DEVICE_LIFETIME),
        ..stranger
    };
    keep(&store, &later).await;
    // All but that one go, when nobody can ask any more.
    let forgotten = after(end.as_secs(), CODE_MEMORY);
    assert_eq!(store.purge_devices(at(forgotten.as_secs() - 1)).await.unwrap(), 0);
    assert_eq!(
        store.purge_devices(forgotten).await.unwrap(),
        MAX_DEVICE_REQUESTS + 1
    );
    assert!(store.device(&later.hash).await.unwrap().is_some());
}

pub(crate) async fn of_decisions_at_once_one_counts<S: Store>(store: S) {
    assert_eq!(
        store.decide(&hash(1), &approval(), at(1_100)).await.unwrap(),
        Decided::TooLate
    );
    for round in 0..4 {
        let request = device(round);
        keep(&store, &request).await;
        let outcomes = race(|racer| {
            let (store, hash) = (store.clone(), request.hash);
            let says_yes = racer % 2 == 0;
            let decision = if says_yes {
                approval()
            } else {
                DeviceDecision::Deny
            };
            async move { (store.decide(&hash, &decision, at(1_100)).await.unwrap(), says_yes) }
        });
        let outcomes = outcomes.await;
        let won: Vec<_> = outcomes
            .iter()
            .filter(|(outcome, _)| *outcome == Decided::Done)
            .collect();
        assert_eq!(won.len(), 1);
        let poll = store.poll(&request.hash, at(1_200)).await.unwrap().unwrap();
        let grant = Box::new(grant("demo", "ada", "tv"));
        assert_eq!(
            poll,
            if won[0].1 {
                Poll::Approved(grant)
            } else {
                Poll::Denied
            }
        );
    }
    // Not at its end either.
    keep(&store, &device(9)).await;
    let end = after(1_000, DEVICE_LIFETIME);
    assert_eq!(
        store.decide(&hash(9), &approval(), end).await.unwrap(),
        Decided::TooLate
    );
    assert_eq!(
        store.device(&hash(9)).await.unwrap().unwrap().state,
        DeviceState::Pending
    );
}

/// L03, L04: what a poll finds, and that polls are counted.
pub(crate) async fn l03_polls_are_noted<S: Store>(store: S) {
    assert_eq!(store.poll(&hash(1), at(1_000)).await.unwrap(), None);
    keep(&store, &device(1)).await;
    let slow = |interval_s| Poll::SlowDown { interval_s };
    for (now, want) in [
        (1_000, Poll::Pending),
        (1_005, Poll::Pending),
        (1_006, slow(10)),
        (1_016, Poll::Pending),
        (1_017, slow(15)),
        (1_600, Poll::Expired),
    ] {
        assert_eq!(store.poll(&hash(1), at(now)).await.unwrap(), Some(want), "{now}");
    }
    keep(&store, &device(2)).await;
    let polls = race(|_| {
        let store = store.clone();
        async move { store.poll(&hash(2), at(1_100)).await.unwrap() }
    });
    let polls = polls.await;
    assert_eq!(
        count(&polls, |poll| *poll == Some(Poll::Pending)),
        1,
        "the others came too soon"
    );
}

/// L06: a device code gives tokens once; a second use ends them.
pub(crate) async fn l06_an_approved_request_is_collected_once<S: Store>(store: S) {
    let given = |number| redemption(Some(family(number)));
    assert_eq!(
        store.redeem_device(&hash(1), &given(1), at(1_100)).await.unwrap(),
        Redeemed::Unknown
    );
    for (number, decision) in [(1, None), (2, Some(DeviceDecision::Deny))] {
        keep(&store, &device(number)).await;
        if let Some(decision) = decision {
            assert_eq!(
                store.decide(&hash(number), &decision, at(1_050)).await.unwrap(),
                Decided::Done
            );
        }
        let outcome = store
            .redeem_device(&hash(number), &given(number), at(1_100))
            .await
            .unwrap();
        assert_eq!(outcome, Redeemed::Unknown, "{number}");
        assert_eq!(store.family(&family_id(number)).await.unwrap(), None);
    }
    keep(&store, &device(3)).await;
    assert_eq!(
        store.decide(&hash(3), &approval(), at(1_050)).await.unwrap(),
        Decided::Done
    );
    let outcomes = race(|racer| {
        let (store, given) = (store.clone(), given(100 + u64::from(racer)));
        async move { store.redeem_device(&hash(3), &given, at(1_100)).await.unwrap() }
    });
    let outcomes = outcomes.await;
    assert_eq!(count(&outcomes, |outcome| *outcome == Redeemed::Done), 1);
    assert_eq!(revoked(&store, "demo").await.len(), 1);
    for racer in 0..50 {
        assert_eq!(store.family(&family_id(100 + racer)).await.unwrap(), None);
    }
    assert_eq!(store.poll(&hash(3), at(1_200)).await.unwrap(), Some(Poll::Spent));
    assert_eq!(
        store.decide(&hash(3), &approval(), at(1_200)).await.unwrap(),
        Decided::TooLate
    );

    // One that is used once keeps what it gave.
    keep(&store, &device(4)).await;
    assert_eq!(
        store.decide(&hash(4), &approval(), at(1_050)).await.unwrap(),
        Decided::Done
    );
    assert_eq!(
        store.redeem_device(&hash(4), &given(4), at(1_100)).await.unwrap(),
        Redeemed::Done
    );
    assert_eq!(
        store.family(&family_id(4)).await.unwrap().as_deref(),
        Some(&family(4))
    );
    let second = store
        .redeem_device(&hash(4), &redemption(None), at(1_100))
        .await
        .unwrap();
    let Redeemed::Spent(Spending { family, revoked }) = second else {
        panic!("{second:?}")
    };
    assert_eq!(family.unwrap().id, family_id(4));
    assert_eq!(revoked, Some(issued("access-4", 1_900)));
    assert_eq!(store.family(&family_id(4)).await.unwrap(), None);
}
