//! Two stores on one database are what two processes are: each writes by itself.

use sealstone_grants::{
    code::{CodeStore, Redeemed},
    device::{Decided, DeviceDecision, DeviceInsertion, DeviceStore},
    refresh::{RefreshRotation, RefreshStore, Rotation},
};
use sealstone_login::{
    FactorStore, Kept, SessionStore, Swap, ThrottleKey, ThrottleStore, TotpFactor, UserFactors,
};
use sealstone_storage::SqlStore;

use crate::fixtures::{
    at, client_id, code, count, device, domain_id, family, grant, hash, keep_family, race, redemption,
    session, user_id,
};

#[cfg(feature = "sqlite")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_racers_in_two_processes_one_wins() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.db");
    one_wins([
        SqlStore::open(&path).await.unwrap(),
        SqlStore::open(&path).await.unwrap(),
    ])
    .await;
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_racers_on_two_nodes_one_wins() {
    let Some(cluster) = crate::cluster::cluster() else {
        return;
    };
    let config = crate::cluster::config(&cluster.database());
    one_wins([
        SqlStore::open(config.clone()).await.unwrap(),
        SqlStore::open(config).await.unwrap(),
    ])
    .await;
}

async fn one_wins(stores: [SqlStore; 2]) {
    let store = |racer: u8| stores[usize::from(racer % 2)].clone();
    for round in 0..4_u8 {
        let number = u64::from(round) * 1_000;
        stores[0].insert_code(code(number)).await.unwrap();
        let outcomes = race(|racer| {
            let (store, given) = (store(racer), redemption(Some(family(number + u64::from(racer)))));
            async move { store.redeem(&hash(number), &given, at(1_001)).await.unwrap() }
        });
        assert_eq!(
            count(&outcomes.await, |outcome| *outcome == Redeemed::Done),
            1,
            "codes"
        );

        let first = family(number + 500);
        keep_family(&stores[0], &first).await;
        let outcomes = race(|racer| {
            let (store, mut next) = (store(racer), first.clone());
            next.generation = 2;
            next.last_used_at = at(1_100 + u64::from(racer));
            let step = RefreshRotation {
                expected_generation: 1,
                next,
                revoked: Vec::new(),
            };
            async move { store.rotate(&step).await.unwrap() }
        });
        assert_eq!(
            count(&outcomes.await, |outcome| *outcome == Rotation::Rotated),
            1,
            "families"
        );

        let request = device(number);
        assert_eq!(
            stores[1].insert_device(request.clone()).await.unwrap(),
            DeviceInsertion::Inserted
        );
        let outcomes = race(|racer| {
            let (store, hash) = (store(racer), request.hash);
            let yes = DeviceDecision::Approve(Box::new(grant("demo", "ada", "tv")));
            let decision = if racer % 3 == 0 { yes } else { DeviceDecision::Deny };
            async move { store.decide(&hash, &decision, at(1_100)).await.unwrap() }
        });
        assert_eq!(
            count(&outcomes.await, |outcome| *outcome == Decided::Done),
            1,
            "decisions"
        );

        let open = session(round, "demo", "ada");
        stores[0].insert_session(&open).await.unwrap();
        let outcomes = race(|racer| {
            let (store, next) = (
                store(racer),
                open.joined(&client_id(&format!("c-{racer}"))).unwrap(),
            );
            async move { store.replace_session(1, &next).await.unwrap() }
        });
        assert_eq!(count(&outcomes.await, |swap| *swap == Swap::Done), 1, "sessions");

        let totp = TotpFactor::new(Kept::of(&"sealed").unwrap(), 100, at(1_000));
        let user = user_id(&format!("user-{round}"));
        let factors = UserFactors::none(domain_id("demo"), user).with_totp(totp);
        let outcomes = race(|racer| {
            let (store, factors) = (store(racer), factors.clone());
            async move { store.replace_factors(&factors).await.unwrap() }
        });
        assert_eq!(count(&outcomes.await, |swap| *swap == Swap::Done), 1, "factors");

        let key = ThrottleKey::password(&domain_id("demo"), &format!("name-{round}"));
        let outcomes = race(|racer| {
            let store = store(racer);
            async move { store.count_guess(&key, at(1_000)).await.unwrap() }
        });
        assert_eq!(count(&outcomes.await, Result::is_ok), 5, "guesses");
    }
    stores[0].check_integrity().await.unwrap();
}
