use sealstone_grants::refresh::{
    Ending, FamilyLifetime, LastIssue, MAX_FAMILIES_AT_CLIENT, MAX_LIVE_TOKENS, RefreshFamily,
    RefreshRotation, Rotates, Rotation,
};

use crate::fixtures::{
    Store, at, client_id, count, domain_id, family, family_id, grant, hash, issued, keep_family, race,
    revoked, sid, user_id,
};

/// The family after one more use.
fn used(before: &RefreshFamily, now: u64) -> RefreshFamily {
    RefreshFamily {
        generation: before.generation + 1,
        current: hash(now),
        last_used_at: at(now),
        ..before.clone()
    }
}

fn rotation(before: &RefreshFamily, now: u64) -> RefreshRotation {
    RefreshRotation {
        expected_generation: before.generation,
        next: used(before, now),
        revoked: Vec::new(),
    }
}

pub(crate) async fn families_are_rotated_by_generation<S: Store>(store: S) {
    let first = family(1);
    let unknown = store.rotate(&rotation(&first, 1_100)).await.unwrap();
    assert_eq!(unknown, Rotation::Ended, "a rotation makes no family");
    keep_family(&store, &first).await;
    let step = rotation(&first, 1_100);
    assert_eq!(store.rotate(&step).await.unwrap(), Rotation::Rotated);
    assert_eq!(
        store.family(&first.id).await.unwrap().as_deref(),
        Some(&step.next)
    );
    let again = store.rotate(&step).await.unwrap();
    assert_eq!(again, Rotation::Changed(Box::new(step.next.clone())));
    let ahead = RefreshRotation {
        expected_generation: 3,
        ..rotation(&step.next, 1_200)
    };
    assert_eq!(
        store.rotate(&ahead).await.unwrap(),
        Rotation::Changed(Box::new(step.next.clone()))
    );
    assert_eq!(
        store.family(&first.id).await.unwrap().as_deref(),
        Some(&step.next)
    );

    let mut crowded = rotation(&step.next, 1_200);
    crowded.revoked = vec![issued("access-1", 1_900)];
    let changes = store.revocation_changes();
    let before = *changes.borrow();
    assert_eq!(store.rotate(&crowded).await.unwrap(), Rotation::Rotated);
    assert_eq!(revoked(&store, "demo").await, ["access-1"]);
    assert!(*changes.borrow() > before, "the revocation is announced");
    // Refused, it revokes nothing.
    crowded.revoked = vec![issued("access-2", 1_900)];
    assert!(matches!(
        store.rotate(&crowded).await.unwrap(),
        Rotation::Changed(_)
    ));
    assert_eq!(revoked(&store, "demo").await, ["access-1"]);
}

/// K02: of uses at once one is written.
pub(crate) async fn k02_of_uses_at_once_one_rotates<S: Store>(store: S) {
    let mut current = family(1);
    keep_family(&store, &current).await;
    for round in 0..8 {
        let outcomes = race(|racer| {
            let store = store.clone();
            let step = rotation(&current, 1_100 + round * 100 + u64::from(racer));
            async move { (store.rotate(&step).await.unwrap(), step.next) }
        });
        let outcomes = outcomes.await;
        let won: Vec<_> = outcomes
            .iter()
            .filter(|(outcome, _)| *outcome == Rotation::Rotated)
            .collect();
        assert_eq!(won.len(), 1);
        let (_, written) = won[0];
        assert_eq!(store.family(&current.id).await.unwrap().as_deref(), Some(written));
        for (outcome, _) in &outcomes {
            if let Rotation::Changed(seen) = outcome {
                assert_eq!(**seen, *written, "whoever lost is told of what won");
            }
        }
        current = written.clone();
    }
}

/// Uses at once of a token that stays: each is written, and what there is no room for is revoked.
pub(crate) async fn uses_of_a_token_that_stays_are_joined<S: Store>(store: S) {
    let mut first = family(1);
    first.rotates = Rotates::Never;
    keep_family(&store, &first).await;
    let changes = store.revocation_changes();
    let before = *changes.borrow();
    for round in 0..8 {
        let stored = store.family(&first.id).await.unwrap().unwrap();
        let outcomes = race(|racer| {
            let (store, stored) = (store.clone(), RefreshFamily::clone(&stored));
            let token = issued(format!("access-{round}-{racer}"), 1_900);
            async move {
                let last = LastIssue {
                    token: token.clone(),
                    ..stored.last.clone()
                };
                let step = RefreshRotation {
                    expected_generation: stored.generation,
                    next: RefreshFamily {
                        generation: stored.generation + 1,
                        live: [stored.live.clone(), vec![token.clone()]].concat(),
                        last,
                        last_used_at: at(1_100),
                        ..stored
                    },
                    revoked: Vec::new(),
                };
                (store.rotate(&step).await.unwrap(), token)
            }
        });
        let outcomes = outcomes.await;
        let after = store.family(&first.id).await.unwrap().unwrap();
        assert_eq!(
            after.generation,
            stored.generation + u64::try_from(outcomes.len()).unwrap()
        );
        let revoked = revoked(&store, "demo").await;
        for (outcome, token) in &outcomes {
            assert_eq!(*outcome, Rotation::Rotated);
            let is_kept =
                after.live.contains(token) || revoked.iter().any(|id| *id == token.token_id.as_str());
            assert!(is_kept, "{token:?} is of the family, or revoked");
        }
        assert!(after.live.len() <= MAX_LIVE_TOKENS + outcomes.len());
    }
    let family = store.family(&first.id).await.unwrap().unwrap();
    let ended = store.end(Ending::Family(&first.id), at(1_200)).await.unwrap();
    assert_eq!(ended[0].revoked, family.live);
    assert!(*changes.borrow() > before, "the revocations are announced");
}

/// Whoever signs in without end ends what they began first, and nobody else's.
pub(crate) async fn a_person_has_a_bounded_number_of_families_at_a_client<S: Store>(store: S) {
    let of = |number: usize, user: &str, client: &str| {
        let number = u64::try_from(number).unwrap();
        let mut family = family(number);
        family.grant = grant("demo", user, client);
        family.last_used_at = at(1_000 + number);
        family.created_at = at(1_000 + number);
        family
    };
    let beside = [of(500, "eve", "web"), of(501, "ada", "cli")];
    for other in &beside {
        keep_family(&store, other).await;
    }
    let changes = store.revocation_changes();
    let before = *changes.borrow();
    for number in 0..MAX_FAMILIES_AT_CLIENT {
        keep_family(&store, &of(number, "ada", "web")).await;
    }
    assert_eq!(*changes.borrow(), before, "so many have room");
    for number in MAX_FAMILIES_AT_CLIENT..MAX_FAMILIES_AT_CLIENT + 3 {
        keep_family(&store, &of(number, "ada", "web")).await;
    }
    assert!(*changes.borrow() > before, "the revocations are announced");
    for number in 0..MAX_FAMILIES_AT_CLIENT + 3 {
        let family = of(number, "ada", "web");
        let stored = store.family(&family.id).await.unwrap();
        assert_eq!(stored.is_some(), number >= 3, "{number}");
    }
    for other in &beside {
        assert!(store.family(&other.id).await.unwrap().is_some());
    }
    assert_eq!(
        revoked(&store, "demo").await,
        ["access-0", "access-1", "access-2"]
    );
}

/// K01: a family that has ended does not come back, and nothing of it lives.
pub(crate) async fn k01_an_ended_family_stays_ended<S: Store>(store: S) {
    for round in 0..8 {
        let first = family(round);
        keep_family(&store, &first).await;
        let outcomes = race(|racer| {
            let (store, first) = (store.clone(), first.clone());
            async move {
                if racer % 2 == 0 {
                    let mut step = rotation(&first, 1_100);
                    step.next.live.push(issued(format!("child-{round}"), 1_900));
                    (store.rotate(&step).await.unwrap() == Rotation::Rotated, false)
                } else {
                    let ended = store.end(Ending::Family(&first.id), at(1_100)).await.unwrap();
                    (false, !ended.is_empty())
                }
            }
        });
        let outcomes = outcomes.await;
        assert_eq!(count(&outcomes, |(_, ended)| *ended), 1, "it ends once");
        assert_eq!(store.family(&first.id).await.unwrap(), None);
        let dead = revoked(&store, "demo").await;
        assert!(dead.contains(&format!("access-{round}")));
        let has_child = count(&outcomes, |(rotated, _)| *rotated) == 1;
        assert_eq!(
            dead.contains(&format!("child-{round}")),
            has_child,
            "a child that was written is revoked"
        );
    }
}

pub(crate) async fn each_ending_ends_what_it_names_and_no_more<S: Store>(store: S) {
    // domain, user, client, session, whether it ends with that.
    let kept = [
        (1, "demo", "ada", "web", Some(1), FamilyLifetime::Session),
        (2, "demo", "ada", "web", Some(1), FamilyLifetime::Offline),
        (3, "demo", "ada", "cli", Some(2), FamilyLifetime::Session),
        (4, "demo", "bob", "web", None, FamilyLifetime::Offline),
        (5, "other", "ada", "wiki", Some(1), FamilyLifetime::Session),
    ];
    let (demo, ada, web, cli, one) = (
        domain_id("demo"),
        user_id("ada"),
        client_id("web"),
        client_id("cli"),
        sid(1),
    );
    let (family_3, nowhere) = (family_id(3), domain_id("nowhere"));
    let endings: [(Ending<'_>, &[u64]); 7] = [
        (Ending::Family(&family_3), &[3]),
        (
            Ending::Session {
                domain: &demo,
                sid: &one,
            },
            &[1],
        ),
        (
            Ending::User {
                domain: &demo,
                user_id: &ada,
            },
            &[1, 2, 3],
        ),
        (
            Ending::UserAtClient {
                domain: &demo,
                user_id: &ada,
                client_id: &web,
            },
            &[1, 2],
        ),
        (Ending::Client(&web), &[1, 2, 4]),
        (Ending::Client(&cli), &[3]),
        (
            Ending::User {
                domain: &nowhere,
                user_id: &ada,
            },
            &[],
        ),
    ];
    for (round, (ending, want)) in (0_u64..).zip(endings) {
        let base = round * 100;
        for (number, domain, user, client, session, lifetime) in kept {
            let mut one = family(base + number);
            one.id = family_id(number);
            one.grant = grant(domain, user, client);
            one.grant.sid = session.map(sid);
            one.lifetime = lifetime;
            if store.family(&one.id).await.unwrap().is_none() {
                // The code that it comes from has to be a new one.
                let mut code = crate::fixtures::code(base + number);
                code.grant = one.grant.clone();
                store.insert_code(code).await.unwrap();
                let given = crate::fixtures::redemption(Some(one));
                store
                    .redeem(&hash(base + number), &given, at(1_000))
                    .await
                    .unwrap();
            }
        }
        let ended = store.end(ending, at(1_100)).await.unwrap();
        let mut ids: Vec<_> = ended.iter().map(|family| family.id).collect();
        ids.sort_unstable();
        let mut want_ids: Vec<_> = want.iter().map(|number| family_id(*number)).collect();
        want_ids.sort_unstable();
        assert_eq!(ids, want_ids, "{ending:?}");
        for ended in &ended {
            assert_eq!(ended.revoked.len(), 1, "{ending:?}");
            let dead = ended.revoked[0].token_id.as_str().to_owned();
            assert!(
                revoked(&store, "demo").await.contains(&dead),
                "{ending:?}: {dead} lives"
            );
        }
        for (number, ..) in kept {
            let stands = store.family(&family_id(number)).await.unwrap().is_some();
            assert_eq!(stands, !want.contains(&number), "{ending:?}: {number}");
        }
    }
    assert_eq!(revoked(&store, "other").await, Vec::<String>::new());
}

pub(crate) async fn a_persons_families_are_listed<S: Store>(store: S) {
    for (number, domain, user, created) in [
        (1, "demo", "ada", 1_000),
        (2, "demo", "ada", 3_000),
        (3, "demo", "ada", 2_000),
        (4, "demo", "bob", 2_000),
        (5, "other", "ada", 2_000),
    ] {
        let mut one = family(number);
        one.grant = grant(domain, user, "web");
        one.created_at = at(created);
        keep_family(&store, &one).await;
    }
    let ids = async |limit| -> Vec<_> {
        let families = store
            .families_of(&domain_id("demo"), &user_id("ada"), limit)
            .await
            .unwrap();
        families.iter().map(|family| family.id).collect()
    };
    assert_eq!(
        ids(10).await,
        [family_id(2), family_id(3), family_id(1)],
        "the newest first"
    );
    assert_eq!(ids(2).await, [family_id(2), family_id(3)]);
    assert_eq!(ids(0).await, []);
    assert_eq!(ids(usize::MAX).await.len(), 3);
}

/// K07: a family that rested for too long is forgotten, one that was used is not.
pub(crate) async fn k07_expired_families_are_forgotten<S: Store>(store: S) {
    for number in [1, 2, 3] {
        keep_family(&store, &family(number)).await;
    }
    assert_eq!(
        store.rotate(&rotation(&family(2), 5_000)).await.unwrap(),
        Rotation::Rotated
    );
    let mut short = rotation(&family(3), 5_000);
    short.next.ends_at = at(6_000);
    assert_eq!(store.rotate(&short).await.unwrap(), Rotation::Rotated);
    for (now, gone) in [
        (5_999, 0),
        (6_000, 1),
        (10_999, 0),
        (11_000, 1),
        (14_999, 0),
        (15_000, 1),
    ] {
        assert_eq!(store.purge_families(at(now)).await.unwrap(), gone, "{now}");
    }
    assert_eq!(
        revoked(&store, "demo").await,
        Vec::<String>::new(),
        "tokens end by themselves"
    );
}
