use std::sync::Arc;

use sealstone_directory::{
    DirectoryUser, MAX_USERS_PAGE, UserChange, UserInsertion, UserName, UserRegistration, UserRemoval,
    UserReplacement,
};
use sealstone_grants::{
    consent::Consent,
    device::{DeviceInsertion, DeviceRequest},
};
use sealstone_login::{Swap, UserFactors};
use sealstone_oauth_types::ScopeSet;
use sealstone_registry::{ClientRegistration, ClientSecretText, Insertion, Pepper, Removal, SecretSet};
use tokio::task::JoinSet;

use crate::fixtures::{
    Store, add_domain, at, client_id, count, device, domain_id, family, family_id, grant, hash, keep_family,
    race, revoked, session, user_id,
};

fn name(name: &str) -> UserName {
    UserName::parse(name).unwrap()
}

fn user(domain: &str, login: &str, number: u32) -> DirectoryUser {
    let mut octets = [0; 16];
    octets[..4].copy_from_slice(&number.to_be_bytes());
    DirectoryUser::register(
        domain_id(domain),
        UserRegistration::new(name(login)),
        octets,
        at(1_000),
    )
    .unwrap()
}

fn renamed(user: &DirectoryUser, login: &str) -> DirectoryUser {
    let change = UserChange {
        name: Some(name(login)),
        ..UserChange::default()
    };
    user.changed(change, at(2_000)).unwrap()
}

pub(crate) async fn users_are_found_by_id_and_by_name<S: Store>(store: S) {
    add_domain(&store, "demo").await;
    add_domain(&store, "other").await;
    let ada = user("demo", "Ada", 1);
    assert_eq!(store.user(ada.id()).await.unwrap(), None);
    assert_eq!(
        store.insert_user(user("nowhere", "ada", 1)).await.unwrap(),
        UserInsertion::UnknownDomain
    );
    assert_eq!(
        store.insert_user(ada.clone()).await.unwrap(),
        UserInsertion::Inserted
    );
    for (rival, want) in [
        (user("demo", "bob", 1), UserInsertion::Exists),
        (user("demo", "Ada", 2), UserInsertion::NameTaken),
        (user("demo", "aDA", 2), UserInsertion::NameTaken),
        (user("other", "ada", 3), UserInsertion::Inserted),
    ] {
        assert_eq!(
            store.insert_user(rival.clone()).await.unwrap(),
            want,
            "{}",
            rival.name()
        );
    }
    assert_eq!(store.user(ada.id()).await.unwrap().as_deref(), Some(&ada));
    for (domain, typed, want) in [
        ("demo", "ADA", Some(ada.id())),
        ("demo", "ada", Some(ada.id())),
        ("demo", "bob", None),
        ("nowhere", "ada", None),
    ] {
        let found = store.user_named(&domain_id(domain), &name(typed)).await.unwrap();
        assert_eq!(found.as_ref().map(|user| user.id()), want, "{domain} {typed}");
    }
    assert_eq!(
        store
            .domain_name(&domain_id("demo"))
            .await
            .unwrap()
            .unwrap()
            .as_str(),
        "The domain demo"
    );
    assert_eq!(store.domain_name(&domain_id("nowhere")).await.unwrap(), None);
}

pub(crate) async fn users_are_replaced_by_version<S: Store>(store: S) {
    add_domain(&store, "demo").await;
    let (ada, bob) = (user("demo", "ada", 1), user("demo", "bob", 2));
    let off = ada.disabled(at(2_000)).unwrap();
    assert_eq!(
        store.replace_user(1, off.clone()).await.unwrap(),
        UserReplacement::Missing
    );
    for user in [&ada, &bob] {
        assert_eq!(
            store.insert_user(user.clone()).await.unwrap(),
            UserInsertion::Inserted
        );
    }
    assert_eq!(
        store.replace_user(1, renamed(&ada, "BOB")).await.unwrap(),
        UserReplacement::NameTaken
    );
    assert_eq!(store.user(ada.id()).await.unwrap().as_deref(), Some(&ada));
    let outcomes = race(|racer| {
        let (store, next) = (store.clone(), renamed(&ada, &format!("ada-{racer}")));
        async move { store.replace_user(1, next).await.unwrap() }
    });
    assert_eq!(
        count(&outcomes.await, |outcome| *outcome == UserReplacement::Replaced),
        1
    );
    let stored = store.user(ada.id()).await.unwrap().unwrap();
    assert_eq!(stored.version(), 2);
    assert_eq!(
        store.user_named(&domain_id("demo"), &name("ada")).await.unwrap(),
        None,
        "the old name is free"
    );
    assert!(
        store
            .user_named(&domain_id("demo"), stored.name())
            .await
            .unwrap()
            .is_some()
    );
    assert_eq!(
        store.replace_user(1, off.clone()).await.unwrap(),
        UserReplacement::Conflict
    );
    assert!(
        store.replace_user(2, off).await.is_err(),
        "version 2 does not follow version 2"
    );
    // A change of case alone is no other name.
    let spelled = renamed(&stored, &stored.name().as_str().to_uppercase());
    assert_eq!(
        store.replace_user(2, spelled).await.unwrap(),
        UserReplacement::Replaced
    );
}

pub(crate) async fn users_are_listed_by_name<S: Store>(store: S) {
    add_domain(&store, "demo").await;
    add_domain(&store, "other").await;
    let mut inserts = JoinSet::new();
    for number in 0..u32::try_from(MAX_USERS_PAGE).unwrap() + 2 {
        let (store, new) = (store.clone(), user("demo", &format!("User-{number:04}"), number));
        inserts.spawn(async move { store.insert_user(new).await.unwrap() });
    }
    assert_eq!(
        count(&inserts.join_all().await, |outcome| *outcome
            == UserInsertion::Inserted),
        MAX_USERS_PAGE + 2
    );
    assert_eq!(
        store
            .insert_user(user("other", "user-0001b", 90_000))
            .await
            .unwrap(),
        UserInsertion::Inserted
    );
    let names = |page: Vec<Arc<DirectoryUser>>| -> Vec<String> {
        page.iter().map(|user| user.name().as_str().to_owned()).collect()
    };
    let page = async |after: Option<&str>, limit| {
        let after = after.map(name);
        names(
            store
                .list_users(&domain_id("demo"), after.as_ref(), limit)
                .await
                .unwrap(),
        )
    };
    assert_eq!(page(None, 2).await, ["User-0000", "User-0001"]);
    assert_eq!(page(Some("USER-0001"), 1).await, ["User-0002"]);
    assert_eq!(
        page(Some("user-0001b"), 1).await,
        ["User-0002"],
        "a cursor is only a bound"
    );
    assert_eq!(page(Some("zz"), 1).await, Vec::<String>::new());
    assert_eq!(page(None, 0).await, Vec::<String>::new());
    assert_eq!(page(None, usize::MAX).await.len(), MAX_USERS_PAGE);
    assert!(
        store
            .list_users(&domain_id("nowhere"), None, 10)
            .await
            .unwrap()
            .is_empty()
    );
}

/// With a user goes what hangs on the id, and the tokens that are out are revoked.
pub(crate) async fn a_deleted_user_leaves_nothing_behind<S: Store>(store: S) {
    add_domain(&store, "demo").await;
    let people = [user("demo", "ada", 1), user("demo", "bob", 2)];
    for (number, user) in (1_u8..).zip(&people) {
        assert_eq!(
            store.insert_user(user.clone()).await.unwrap(),
            UserInsertion::Inserted
        );
        let id = user.id().as_str();
        store.insert_session(&session(number, "demo", id)).await.unwrap();
        store
            .insert_session(&session(number + 10, "other", id))
            .await
            .unwrap();
        let mut one = family(u64::from(number));
        one.grant = grant("demo", id, "web");
        keep_family(&store, &one).await;
        let consent = consent(id, "web");
        store.put_consent(&consent).await.unwrap();
        let factors = UserFactors::none(domain_id("demo"), user.id().clone());
        let totp = sealstone_login::TotpFactor::new(sealstone_login::Kept::of(&"s").unwrap(), 1, at(1_000));
        assert_eq!(
            store.replace_factors(&factors.with_totp(totp)).await.unwrap(),
            Swap::Done
        );
    }
    let ada = people[0].id().clone();
    let outcomes = race(|_| {
        let (store, ada) = (store.clone(), ada.clone());
        async move { store.delete_user(&ada).await.unwrap() }
    });
    assert_eq!(
        count(&outcomes.await, |outcome| *outcome == UserRemoval::Removed),
        1
    );
    let demo = domain_id("demo");
    for (person, is_there) in [(&people[0], false), (&people[1], true)] {
        let id = user_id(person.id().as_str());
        assert_eq!(store.user(&id).await.unwrap().is_some(), is_there);
        assert_eq!(store.factors(&demo, &id).await.unwrap().is_some(), is_there);
        assert_eq!(
            store.consents_of(&demo, &id, 10).await.unwrap().len(),
            usize::from(is_there)
        );
        assert_eq!(
            store.families_of(&demo, &id, 10).await.unwrap().len(),
            usize::from(is_there)
        );
        for domain in ["demo", "other"] {
            let sessions = store
                .sessions_of(&domain_id(domain), &id, None, 10)
                .await
                .unwrap();
            assert_eq!(sessions.len(), usize::from(is_there), "{domain}");
        }
    }
    assert_eq!(revoked(&store, "demo").await, ["access-1"]);
    assert_eq!(
        store.insert_user(user("demo", "ada", 3)).await.unwrap(),
        UserInsertion::Inserted,
        "the name is free"
    );
}

/// K09: with a client goes what people let it have, so that nothing of it counts for a later one of the same id.
pub(crate) async fn k09_a_deleted_client_leaves_nothing_behind<S: Store>(store: S) {
    add_domain(&store, "demo").await;
    for (number, client) in [(1, "web"), (2, "cli")] {
        let hash = ClientSecretText::from_random([1; 32]).hash(&Pepper::from_bytes([7; 32]));
        let secrets = Some(SecretSet::new(hash, None));
        let registered =
            ClientRegistration::default().into_client(domain_id("demo"), client_id(client), secrets, at(100));
        assert_eq!(
            store.insert(registered.unwrap()).await.unwrap(),
            Insertion::Inserted
        );
        let mut one = family(number);
        one.grant = grant("demo", "ada", client);
        keep_family(&store, &one).await;
        let request = DeviceRequest {
            client_id: client_id(client),
            ..device(number)
        };
        assert_eq!(
            store.insert_device(request).await.unwrap(),
            DeviceInsertion::Inserted
        );
        store.put_consent(&consent("ada", client)).await.unwrap();
    }
    let changes = store.revocation_changes();
    let before = *changes.borrow();
    assert_eq!(store.delete(&client_id("web")).await.unwrap(), Removal::Removed);
    assert!(*changes.borrow() > before, "the revocation is announced");
    for (number, client, is_there) in [(1, "web", false), (2, "cli", true)] {
        assert_eq!(
            store.family(&family_id(number)).await.unwrap().is_some(),
            is_there,
            "{client}"
        );
        assert_eq!(
            store.device(&hash(number)).await.unwrap().is_some(),
            is_there,
            "{client}"
        );
        let consent = store
            .consent(&domain_id("demo"), &user_id("ada"), &client_id(client))
            .await
            .unwrap();
        assert_eq!(consent.is_some(), is_there, "{client}");
    }
    assert_eq!(revoked(&store, "demo").await, ["access-1"]);
    assert_eq!(store.delete(&client_id("web")).await.unwrap(), Removal::Missing);
}

fn consent(user: &str, client: &str) -> Consent {
    Consent {
        domain: domain_id("demo"),
        user_id: user_id(user),
        client_id: client_id(client),
        client_created_at: at(100),
        scope: ScopeSet::parse("openid").unwrap(),
        project: None,
        granted_at: at(1_000),
    }
}
