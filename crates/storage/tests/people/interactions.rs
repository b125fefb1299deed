use sealstone_grants::interaction::{
    INTERACTION_LIFETIME, Interaction, InteractionInsertion, InteractionSwap, MAX_INTERACTIONS,
    MAX_INTERACTIONS_OF_PERSON, Purpose,
};
use sealstone_login::LoginProgress;

use crate::fixtures::{Store, after, at, count, domain_id, hash, race, sid, user_id};

/// One that begins at this second.
fn interaction(number: u64, begins: u64) -> Interaction {
    Interaction {
        id: hash(number),
        domain: domain_id("demo"),
        browser: hash(0),
        created_at: at(begins),
        expires_at: after(begins, INTERACTION_LIFETIME),
        version: 1,
        purpose: Purpose::Account,
        person: None,
        login: LoginProgress::default(),
        logged_in: None,
        stepped_up: None,
        selected: None,
        given: None,
    }
}

fn changed(before: &Interaction) -> Interaction {
    Interaction {
        version: before.version + 1,
        ..before.clone()
    }
}

async fn keep<S: Store>(store: &S, interaction: &Interaction) {
    let inserted = store.insert_interaction(interaction.clone()).await.unwrap();
    assert_eq!(inserted, InteractionInsertion::Inserted);
}

/// R13: of requests at once one goes on; the others find the interaction changed.
pub(crate) async fn r13_of_requests_at_once_one_goes_on<S: Store>(store: S) {
    let first = interaction(1, 1_000);
    assert_eq!(store.interaction(&first.id).await.unwrap(), None);
    let unknown = store.replace_interaction(1, &changed(&first)).await.unwrap();
    assert_eq!(unknown, InteractionSwap::Changed, "a change makes no interaction");
    keep(&store, &first).await;
    let outcomes = race(|_| {
        let (store, next) = (store.clone(), changed(&first));
        async move { store.replace_interaction(1, &next).await.unwrap() }
    });
    assert_eq!(
        count(&outcomes.await, |outcome| *outcome == InteractionSwap::Replaced),
        1
    );
    let stored = *store.interaction(&first.id).await.unwrap().unwrap();
    assert_eq!(stored, changed(&first));
    // A version that does not follow the one it names is not written.
    for (expected, next) in [
        (1, changed(&stored)),
        (2, stored.clone()),
        (2, changed(&changed(&stored))),
    ] {
        let outcome = store.replace_interaction(expected, &next).await.unwrap();
        assert_eq!(outcome, InteractionSwap::Changed, "{expected} {}", next.version);
    }
}

/// R14: an answer is given once.
pub(crate) async fn r14_an_interaction_is_taken_once<S: Store>(store: S) {
    let first = interaction(1, 1_000);
    keep(&store, &first).await;
    assert!(
        !store.take_interaction(&first.id, 2).await.unwrap(),
        "another version"
    );
    let taken = race(|_| {
        let (store, id) = (store.clone(), first.id);
        async move { store.take_interaction(&id, 1).await.unwrap() }
    });
    assert_eq!(count(&taken.await, |taken| *taken), 1);
    assert_eq!(store.interaction(&first.id).await.unwrap(), None);
    assert_eq!(
        store.replace_interaction(1, &changed(&first)).await.unwrap(),
        InteractionSwap::Changed
    );
    assert_eq!(store.interaction(&first.id).await.unwrap(), None);
}

/// N: whoever begins interactions without end displaces strangers, and nobody who has logged in.
pub(crate) async fn strangers_make_room_and_people_do_not<S: Store>(store: S) {
    let mut person = interaction(0, 1_000);
    person.logged_in = Some(sid(1));
    keep(&store, &person).await;
    let mut chooser = changed(&interaction(1, 1_000));
    keep(&store, &interaction(1, 1_000)).await;
    chooser.selected = Some(sid(2));
    assert_eq!(
        store.replace_interaction(1, &chooser).await.unwrap(),
        InteractionSwap::Replaced
    );
    for number in 2..MAX_INTERACTIONS {
        keep(&store, &interaction(number, 1_001 + number / 1_000)).await;
    }
    let is_there = async |number| store.interaction(&hash(number)).await.unwrap().is_some();
    for number in 0..100 {
        keep(&store, &interaction(MAX_INTERACTIONS + number, 1_100)).await;
    }
    assert!(is_there(0).await && is_there(1).await, "who logged in stays");
    let mut gone = 0;
    for number in 2..1_000 {
        gone += u32::from(!is_there(number).await);
    }
    assert_eq!(gone, 100, "the oldest strangers made room, one each");
    assert!(is_there(1_000).await && is_there(MAX_INTERACTIONS + 99).await);
    let elsewhere = Interaction {
        domain: domain_id("other"),
        ..interaction(900_000, 1_100)
    };
    keep(&store, &elsewhere).await;
    assert!(is_there(1_000).await, "another domain has room of its own");

    // Everybody has logged in: there is no room, until some are over.
    for number in 2..MAX_INTERACTIONS + 100 {
        if let Some(open) = store.interaction(&hash(number)).await.unwrap() {
            let mut next = changed(&open);
            next.logged_in = Some(sid(3));
            assert_eq!(
                store.replace_interaction(1, &next).await.unwrap(),
                InteractionSwap::Replaced
            );
        }
    }
    let full = store
        .insert_interaction(interaction(999_999, 1_101))
        .await
        .unwrap();
    assert_eq!(full, InteractionInsertion::Full);
    let end = after(1_000, INTERACTION_LIFETIME).as_secs();
    keep(&store, &interaction(999_999, end)).await;
    assert!(
        !is_there(0).await && !is_there(1).await,
        "what was over made room"
    );
    assert_eq!(store.purge_interactions(at(end)).await.unwrap(), 0);
    let rest = store
        .purge_interactions(after(end, INTERACTION_LIFETIME))
        .await
        .unwrap();
    assert_eq!(rest, MAX_INTERACTIONS - 2 + 1 + 1);
    assert!(!is_there(999_999).await);
}

/// R13: whoever may sign in, and begins without end, displaces what is their own, and neither strangers nor other people.
pub(crate) async fn r13_one_person_fills_their_own_places_only<S: Store>(store: S) {
    let of = |number, begins, name: &str| Interaction {
        person: Some(user_id(name)),
        ..interaction(number, begins)
    };
    let is_there = async |number| store.interaction(&hash(number)).await.unwrap().is_some();
    keep(&store, &interaction(0, 1_000)).await;
    keep(&store, &of(1, 1_000, "other")).await;
    keep(&store, &interaction(2, 1_000)).await;
    let mut theirs = changed(&interaction(2, 1_000));
    theirs.person = Some(user_id("insider"));
    let swap = store.replace_interaction(1, &theirs).await.unwrap();
    assert_eq!(swap, InteractionSwap::Replaced);
    // A change of what was read leaves it theirs.
    let read = *store.interaction(&hash(2)).await.unwrap().unwrap();
    let swap = store.replace_interaction(2, &changed(&read)).await.unwrap();
    assert_eq!(swap, InteractionSwap::Replaced);

    let first = 3;
    let end = first + MAX_INTERACTIONS_OF_PERSON + 50;
    for number in first..end {
        keep(&store, &of(number, 1_000 + number, "insider")).await;
    }
    // The newest of all becomes theirs by a change, as at a login.
    keep(&store, &interaction(end, 1_000 + end)).await;
    let mut newest = changed(&interaction(end, 1_000 + end));
    newest.person = Some(user_id("insider"));
    let swap = store.replace_interaction(1, &newest).await.unwrap();
    assert_eq!(swap, InteractionSwap::Replaced);

    assert!(is_there(0).await, "a stranger's");
    assert!(is_there(1).await, "another person's");
    assert!(!is_there(2).await, "the oldest of the same person");
    let mut left = 0;
    for number in first..=end {
        left += u64::from(is_there(number).await);
    }
    assert_eq!(left, MAX_INTERACTIONS_OF_PERSON);
    assert!(is_there(end).await && is_there(end - 1).await, "the newest stay");
}
