//! Clients that end with what they got, and the tokens by which clients register themselves.

use sealstone_oauth_types::{ClientEnd, TokenHash};
use sealstone_registry::{
    Client, ClientRegistration, ClientSecretText, InitialToken, InitialTokenId, Insertion,
    MAX_INITIAL_TOKENS, Pepper, Registered, Removal, Replacement, SecretSet,
};

use crate::fixtures::{
    RACERS, Store, add_domain, at, client_id, code, count, device, domain_id, family, family_id, hash,
    keep_family, race, revoked,
};

fn client(id: &str) -> Client {
    let hash = ClientSecretText::from_random([1; 32]).hash(&Pepper::from_bytes([7; 32]));
    let secrets = Some(SecretSet::new(hash, None));
    let made = ClientRegistration::default().into_client(domain_id("demo"), client_id(id), secrets, at(100));
    made.unwrap()
}

fn initial(number: u64, uses_left: u32) -> InitialToken {
    InitialToken {
        id: InitialTokenId::from_random(number.to_be_bytes()),
        domain: domain_id("demo"),
        hash: hash(1_000 + number),
        created_at: at(1_000),
        expires_at: at(2_000),
        uses_left,
    }
}

/// O14: a client that is disabled loses, in one step, its codes, refresh tokens, device codes and access tokens.
pub(crate) async fn o14_a_disabled_clients_tokens_end_in_the_same_step<S: Store>(store: S) {
    add_domain(&store, "demo").await;
    for id in ["web", "tv"] {
        assert_eq!(store.insert(client(id)).await.unwrap(), Insertion::Inserted);
    }
    store.insert_code(code(1)).await.unwrap();
    keep_family(&store, &family(2)).await;
    let _kept = store.insert_device(device(3)).await.unwrap();
    let web = client("web");

    // Another change of it ends nothing.
    let renamed = web.updated(ClientRegistration::default(), None, at(900)).unwrap();
    assert_eq!(
        store.replace(1, renamed.clone()).await.unwrap(),
        Replacement::Replaced
    );
    assert!(store.code(&hash(1)).await.unwrap().is_some());
    assert!(
        store
            .ended_clients(&domain_id("demo"), at(1_000))
            .await
            .unwrap()
            .is_empty()
    );
    // Nor does a change that comes too late.
    let late = web.with_enabled(false, at(950));
    assert_eq!(store.replace(1, late).await.unwrap(), Replacement::Conflict);
    assert!(store.family(&family_id(2)).await.unwrap().is_some());

    let mut changes = store.revocation_changes();
    changes.mark_unchanged();
    let disabled = renamed.with_enabled(false, at(1_000));
    assert_eq!(
        store.replace(2, disabled.clone()).await.unwrap(),
        Replacement::Replaced
    );
    changes.changed().await.unwrap();
    assert!(store.code(&hash(1)).await.unwrap().is_none());
    assert!(store.family(&family_id(2)).await.unwrap().is_none());
    assert_eq!(revoked(&store, "demo").await, ["access-2"]);
    assert!(
        store.device(&hash(3)).await.unwrap().is_some(),
        "another client's is its own"
    );
    let ended = store.ended_clients(&domain_id("demo"), at(1_000)).await.unwrap();
    let [one] = ended.as_slice() else {
        panic!("{ended:?}")
    };
    assert_eq!(one.client_id, client_id("web"));
    // A second, in which other nodes hear of it, and then an hour: the longest that a token lives.
    let end = ClientEnd {
        until: 1_001,
        version: Some(3),
    };
    assert_eq!((one.end, one.forget_at), (end, at(4_601)));
    assert!(
        store
            .ended_clients(&domain_id("other"), at(1_000))
            .await
            .unwrap()
            .is_empty()
    );

    let tv = client("tv").with_enabled(false, at(1_000));
    assert_eq!(store.replace(1, tv).await.unwrap(), Replacement::Replaced);
    assert!(store.device(&hash(3)).await.unwrap().is_none());

    // Its deletion leaves no less, and a later end counts.
    assert_eq!(store.delete(&client_id("web")).await.unwrap(), Removal::Removed);
    let back = client("web");
    assert_eq!(store.insert(back.clone()).await.unwrap(), Insertion::Inserted);
    assert_eq!(
        store
            .replace(1, back.with_enabled(false, at(3_000)))
            .await
            .unwrap(),
        Replacement::Replaced
    );
    let ended = store.ended_clients(&domain_id("demo"), at(1_000)).await.unwrap();
    let ends = ended.iter().map(|one| (one.end.until, one.end.version));
    assert_eq!(
        ends.max(),
        Some((3_001, Some(3))),
        "no version below the one before"
    );
    assert_eq!(
        store.purge(at(4_601)).await.unwrap(),
        2,
        "a token of `web`, and `tv`"
    );
    assert_eq!(
        store
            .ended_clients(&domain_id("demo"), at(4_601))
            .await
            .unwrap()
            .len(),
        1
    );
}

pub(crate) async fn initial_tokens_are_kept_as_given<S: Store>(store: S) {
    let token = initial(1, 3);
    assert_eq!(
        store.insert_initial_token(&token).await.unwrap(),
        Insertion::UnknownDomain
    );
    add_domain(&store, "demo").await;
    add_domain(&store, "other").await;
    assert_eq!(
        store.insert_initial_token(&token).await.unwrap(),
        Insertion::Inserted
    );
    assert_eq!(
        store.initial_token(&token.hash).await.unwrap(),
        Some(token.clone())
    );
    assert_eq!(store.initial_token(&hash(7)).await.unwrap(), None);
    assert_eq!(
        store.initial_tokens(&domain_id("demo")).await.unwrap(),
        std::slice::from_ref(&token)
    );
    assert_eq!(store.initial_tokens(&domain_id("other")).await.unwrap(), []);
    let elsewhere = store.remove_initial_token(&domain_id("other"), &token.id).await;
    assert_eq!(elsewhere.unwrap(), Removal::Missing);
    let removed = store.remove_initial_token(&domain_id("demo"), &token.id).await;
    assert_eq!(removed.unwrap(), Removal::Removed);
    assert_eq!(store.initial_token(&token.hash).await.unwrap(), None);
    for number in 0..u64::try_from(MAX_INITIAL_TOKENS).unwrap() {
        let token = initial(10 + number, 1);
        assert_eq!(
            store.insert_initial_token(&token).await.unwrap(),
            Insertion::Inserted
        );
    }
    let more = store.insert_initial_token(&initial(9_999, 1)).await;
    assert_eq!(more.unwrap(), Insertion::Exists, "a domain has a bounded number");
    assert_eq!(store.purge_initial_tokens(at(1_999)).await.unwrap(), 0);
    let all = u64::try_from(MAX_INITIAL_TOKENS).unwrap();
    assert_eq!(store.purge_initial_tokens(at(2_000)).await.unwrap(), all);
}

/// Of registrations at once, as many win as the token allows, and nothing is left of the others.
pub(crate) async fn of_registrations_at_once_as_many_win_as_the_token_allows<S: Store>(store: S) {
    add_domain(&store, "demo").await;
    let token = initial(1, 3);
    assert_eq!(
        store.insert_initial_token(&token).await.unwrap(),
        Insertion::Inserted
    );
    let outcomes = race(|racer| {
        let store = store.clone();
        let client = client(&format!("racer-{racer}"));
        async move {
            store
                .register(client, &hash(u64::from(racer)), &hash(1_001), at(1_500))
                .await
                .unwrap()
        }
    });
    let outcomes = outcomes.await;
    assert_eq!(count(&outcomes, |outcome| *outcome == Registered::Registered), 3);
    assert_eq!(
        count(&outcomes, |outcome| *outcome == Registered::TokenSpent),
        usize::from(RACERS) - 3
    );
    let kept = store.list(&domain_id("demo"), None, 100).await.unwrap();
    assert_eq!(kept.len(), 3);
    let own = store.registration_token(kept[0].id()).await.unwrap();
    assert!(own.is_some());

    // What it allows it allows its own domain, in its time, and each id once.
    let token = initial(2, 5);
    assert_eq!(
        store.insert_initial_token(&token).await.unwrap(),
        Insertion::Inserted
    );
    let register = async |id: &str, spent: &TokenHash, now: u64| {
        store
            .register(client(id), &hash(77), spent, at(now))
            .await
            .unwrap()
    };
    assert_eq!(
        register(kept[0].id().as_str(), &token.hash, 1_500).await,
        Registered::Exists
    );
    assert_eq!(register("late", &token.hash, 2_000).await, Registered::TokenSpent);
    assert_eq!(register("late", &hash(5), 1_500).await, Registered::TokenSpent);
    assert_eq!(store.client(&client_id("late")).await.unwrap(), None);
    assert_eq!(
        store.initial_token(&token.hash).await.unwrap().unwrap().uses_left,
        5
    );
    assert_eq!(
        store.registration_token(kept[0].id()).await.unwrap(),
        own,
        "and it is still the first one's"
    );

    // A registration access token ends with its client: who is made under its id later is another.
    assert_eq!(store.delete(kept[0].id()).await.unwrap(), Removal::Removed);
    assert_eq!(
        store.insert(client(kept[0].id().as_str())).await.unwrap(),
        Insertion::Inserted
    );
    assert_eq!(store.registration_token(kept[0].id()).await.unwrap(), None);
}
