use sealstone_grants::code::{CODE_MEMORY, CodeState, Produced, Redeemed, Spending, StoredCode};
use sealstone_grants::refresh::EndedFamily;

use crate::fixtures::{
    Store, after, at, code, count, family, family_id, hash, issued, race, redemption, revoked,
};

pub(crate) async fn codes_are_kept_as_given<S: Store>(store: S) {
    assert_eq!(store.code(&hash(1)).await.unwrap(), None);
    store.insert_code(code(1)).await.unwrap();
    let fresh = StoredCode {
        record: code(1),
        state: CodeState::Fresh,
    };
    assert_eq!(store.code(&hash(1)).await.unwrap().as_deref(), Some(&fresh));
    assert_eq!(
        store.code(&hash(1)).await.unwrap().as_deref(),
        Some(&fresh),
        "looking spends nothing"
    );
    // A second one of the same hash changes nothing, whatever it says.
    let mut other = code(1);
    other.forget_at = at(9_999);
    assert!(store.insert_code(other).await.is_err());
    assert_eq!(store.code(&hash(1)).await.unwrap().as_deref(), Some(&fresh));
    assert_eq!(
        store
            .redeem(&hash(2), &redemption(None), at(1_001))
            .await
            .unwrap(),
        Redeemed::Unknown
    );
    assert_eq!(store.spend(&hash(2), at(1_001)).await.unwrap(), Redeemed::Unknown);
    assert_eq!(store.code(&hash(2)).await.unwrap(), None);
}

/// H08: a second use ends what the first gave, family and access tokens, in the same step.
pub(crate) async fn h08_a_second_use_ends_what_the_first_gave<S: Store>(store: S) {
    store.insert_code(code(1)).await.unwrap();
    let mut first = family(1);
    first.live.push(issued("over", 1_001));
    first.live.push(issued("access-later", 1_950));
    let given = redemption(Some(first.clone()));
    assert_eq!(
        store.redeem(&hash(1), &given, at(1_001)).await.unwrap(),
        Redeemed::Done
    );
    assert_eq!(
        store.family(&family_id(1)).await.unwrap().as_deref(),
        Some(&first)
    );
    let produced = Produced {
        family: Some(family_id(1)),
        token: Some(issued("access-1", 1_900)),
    };
    assert_eq!(
        store.code(&hash(1)).await.unwrap().unwrap().state,
        CodeState::Spent(produced)
    );
    assert_eq!(revoked(&store, "demo").await, Vec::<String>::new());

    let changes = store.revocation_changes();
    let before = *changes.borrow();
    let second = store
        .redeem(&hash(1), &redemption(Some(family(2))), at(1_002))
        .await
        .unwrap();
    let ended = EndedFamily {
        id: family_id(1),
        user_id: first.grant.user_id.clone(),
        client_id: first.grant.client_id.clone(),
        revoked: vec![issued("access-1", 1_900), issued("access-later", 1_950)],
    };
    let spending = Spending {
        family: Some(ended),
        revoked: Some(issued("access-1", 1_900)),
    };
    assert_eq!(second, Redeemed::Spent(spending));
    assert!(*changes.borrow() > before, "the revocation is announced");
    assert_eq!(store.family(&family_id(1)).await.unwrap(), None);
    assert_eq!(
        store.family(&family_id(2)).await.unwrap(),
        None,
        "the second gave nothing"
    );
    assert_eq!(revoked(&store, "demo").await, ["access-1", "access-later"]);

    // A third finds nothing left but the first token; after its end, nothing.
    for (now, left) in [(1_899, Some(issued("access-1", 1_900))), (1_900, None)] {
        let spending = Spending {
            family: None,
            revoked: left,
        };
        assert_eq!(
            store.spend(&hash(1), at(now)).await.unwrap(),
            Redeemed::Spent(spending),
            "{now}"
        );
    }
}

/// H05: a code that came with a wrong proof is spent, for nothing.
pub(crate) async fn h05_a_spent_code_gives_nothing<S: Store>(store: S) {
    store.insert_code(code(1)).await.unwrap();
    assert_eq!(store.spend(&hash(1), at(1_001)).await.unwrap(), Redeemed::Done);
    let outcome = store
        .redeem(&hash(1), &redemption(Some(family(1))), at(1_002))
        .await
        .unwrap();
    assert_eq!(outcome, Redeemed::Spent(Spending::default()));
    assert_eq!(store.family(&family_id(1)).await.unwrap(), None);
    let state = store.code(&hash(1)).await.unwrap().unwrap().state;
    assert_eq!(state, CodeState::Spent(Produced::default()));
}

/// A redemption whose family cannot be kept leaves the code fresh: the whole step failed.
pub(crate) async fn a_redemption_is_whole_or_nothing<S: Store>(store: S) {
    for number in [1, 2] {
        store.insert_code(code(number)).await.unwrap();
    }
    let given = redemption(Some(family(1)));
    assert_eq!(
        store.redeem(&hash(1), &given, at(1_001)).await.unwrap(),
        Redeemed::Done
    );
    assert!(
        store.redeem(&hash(2), &given, at(1_001)).await.is_err(),
        "the family is there already"
    );
    assert_eq!(
        store.code(&hash(2)).await.unwrap().unwrap().state,
        CodeState::Fresh
    );
    assert!(store.family(&family_id(1)).await.unwrap().is_some());
}

/// H08: of exchanges at once one gives tokens, and the others end them.
pub(crate) async fn h08_of_exchanges_at_once_one_wins<S: Store>(store: S) {
    for round in 0..4_u64 {
        let base = round * 1_000;
        store.insert_code(code(base)).await.unwrap();
        let outcomes = race(|racer| {
            let (store, own) = (store.clone(), family(base + u64::from(racer)));
            async move {
                store
                    .redeem(&hash(base), &redemption(Some(own)), at(1_001))
                    .await
                    .unwrap()
            }
        });
        let outcomes = outcomes.await;
        assert_eq!(count(&outcomes, |outcome| *outcome == Redeemed::Done), 1);
        let enders = count(
            &outcomes,
            |outcome| matches!(outcome, Redeemed::Spent(spending) if spending.family.is_some()),
        );
        assert_eq!(enders, 1, "the family ends once");
        for racer in 0..50 {
            assert_eq!(
                store.family(&family_id(base + racer)).await.unwrap(),
                None,
                "{racer}"
            );
        }
        assert_eq!(
            revoked(&store, "demo").await.len(),
            usize::try_from(round).unwrap() + 1
        );
    }
}

pub(crate) async fn codes_are_forgotten_in_their_time<S: Store>(store: S) {
    // More than one batch.
    let mut inserts = tokio::task::JoinSet::new();
    for number in 0..2_100 {
        let store = store.clone();
        inserts.spawn(async move { store.insert_code(code(number)).await.unwrap() });
    }
    inserts.join_all().await;
    let mut later = code(9_999);
    later.forget_at = after(1_001, CODE_MEMORY);
    store.insert_code(later).await.unwrap();
    let end = after(1_000, CODE_MEMORY);
    assert_eq!(store.purge_codes(at(end.as_secs() - 1)).await.unwrap(), 0);
    assert_eq!(store.purge_codes(end).await.unwrap(), 2_100);
    assert_eq!(store.purge_codes(end).await.unwrap(), 0);
    assert_eq!(store.code(&hash(7)).await.unwrap(), None);
    assert!(store.code(&hash(9_999)).await.unwrap().is_some());
}
