//! What is acknowledged is there when the file is opened again.

use sealstone_directory::{DirectoryStore, DirectoryUser, UserInsertion, UserName, UserRegistration};
use sealstone_grants::{
    code::{CodeState, CodeStore, Redeemed},
    consent::{Consent, ConsentStore},
    device::{Decided, DeviceDecision, DeviceInsertion, DeviceState, DeviceStore},
    logout::{LogoutNotice, LogoutStore},
    refresh::{RefreshRotation, RefreshStore, Rotation},
};
use sealstone_login::{
    FactorStore, Kept, SessionStore, Swap, ThrottleKey, ThrottleStore, TotpFactor, UserFactors,
};
use sealstone_oauth_types::ScopeSet;
use sealstone_storage::SqlStore;

use crate::fixtures::{
    add_domain, at, client_id, code, device, domain_id, family, family_id, hash, keep_family, redemption,
    session, sid, token_id, user_id,
};

fn user() -> DirectoryUser {
    let registration = UserRegistration::new(UserName::parse("ada").unwrap());
    DirectoryUser::register(domain_id("demo"), registration, [1; 16], at(1_000)).unwrap()
}

fn consent() -> Consent {
    Consent {
        domain: domain_id("demo"),
        user_id: user_id("ada"),
        client_id: client_id("web"),
        client_created_at: at(100),
        scope: ScopeSet::parse("openid").unwrap(),
        project: None,
        granted_at: at(1_000),
    }
}

fn notice() -> LogoutNotice {
    LogoutNotice {
        id: token_id("n"),
        domain: domain_id("demo"),
        client_id: client_id("web"),
        subject: "ada".to_owned(),
        sid: sid(1),
        created_at: at(1_000),
        due_at: at(1_000),
        tries: 0,
    }
}

fn factors() -> UserFactors {
    let totp = TotpFactor::new(Kept::of(&"sealed").unwrap(), 100, at(1_000));
    UserFactors::none(domain_id("demo"), user_id("ada")).with_totp(totp)
}

async fn write(store: &SqlStore) {
    add_domain(store, "demo").await;
    for number in [1, 2] {
        store.insert_code(code(number)).await.unwrap();
    }
    assert_eq!(
        store
            .redeem(&hash(1), &redemption(None), at(1_001))
            .await
            .unwrap(),
        Redeemed::Done
    );
    keep_family(store, &family(7)).await;
    let mut next = family(7);
    next.generation = 2;
    let step = RefreshRotation {
        expected_generation: 1,
        next,
        revoked: Vec::new(),
    };
    assert_eq!(store.rotate(&step).await.unwrap(), Rotation::Rotated);
    assert_eq!(
        store.insert_device(device(3)).await.unwrap(),
        DeviceInsertion::Inserted
    );
    assert_eq!(
        store
            .decide(&hash(3), &DeviceDecision::Deny, at(1_001))
            .await
            .unwrap(),
        Decided::Done
    );
    store.put_consent(&consent()).await.unwrap();
    assert_eq!(store.insert_notices(&[notice()]).await.unwrap(), 0);
    for number in [1, 2] {
        store
            .insert_session(&session(number, "demo", "ada"))
            .await
            .unwrap();
    }
    assert!(
        store
            .end_session(&session(2, "demo", "ada").id())
            .await
            .unwrap()
            .is_some()
    );
    assert_eq!(store.replace_factors(&factors()).await.unwrap(), Swap::Done);
    for _guess in 0..5 {
        let key = ThrottleKey::password(&domain_id("demo"), "ada");
        assert_eq!(store.count_guess(&key, at(1_000)).await.unwrap(), Ok(()));
    }
    assert_eq!(store.insert_user(user()).await.unwrap(), UserInsertion::Inserted);
}

async fn check(store: &SqlStore) {
    let state = async |number| store.code(&hash(number)).await.unwrap().unwrap().state;
    assert!(matches!(state(1).await, CodeState::Spent(_)));
    assert_eq!(state(2).await, CodeState::Fresh);
    assert_eq!(store.family(&family_id(7)).await.unwrap().unwrap().generation, 2);
    assert_eq!(
        store.device(&hash(3)).await.unwrap().unwrap().state,
        DeviceState::Denied
    );
    let (demo, ada) = (domain_id("demo"), user_id("ada"));
    assert_eq!(
        store.consent(&demo, &ada, &client_id("web")).await.unwrap(),
        Some(consent())
    );
    assert_eq!(store.next_due().await.unwrap(), Some(at(1_000)));
    let one = session(1, "demo", "ada");
    assert_eq!(store.session(&one.id()).await.unwrap().as_ref(), Some(&one));
    assert_eq!(
        store.session(&session(2, "demo", "ada").id()).await.unwrap(),
        None
    );
    assert_eq!(store.factors(&demo, &ada).await.unwrap(), Some(factors()));
    let key = ThrottleKey::password(&demo, "ada");
    assert!(
        store.count_guess(&key, at(1_000)).await.unwrap().is_err(),
        "a restart gives no free guesses"
    );
    assert_eq!(store.user(user().id()).await.unwrap().as_deref(), Some(&user()));
}

#[tokio::test]
async fn everything_is_there_after_closing_and_after_dropping() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.db");
    let store = SqlStore::open(&path).await.unwrap();
    write(&store).await;
    check(&store).await;
    store.close().await;
    let store = SqlStore::open(&path).await.unwrap();
    check(&store).await;
    drop(store);
    let store = SqlStore::open(&path).await.unwrap();
    check(&store).await;
    store.check_integrity().await.unwrap();
}

/// K12: a use that was committed, and whose answer was lost with the server, is seen after the restart; whoever tries
/// again is told of it and makes no second one.
#[tokio::test]
async fn k12_a_use_before_a_restart_is_seen_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.db");
    let store = SqlStore::open(&path).await.unwrap();
    let first = family(7);
    keep_family(&store, &first).await;
    let step = |current| {
        let mut next = first.clone();
        next.generation = 2;
        next.current = hash(current);
        RefreshRotation {
            expected_generation: 1,
            next,
            revoked: Vec::new(),
        }
    };
    assert_eq!(store.rotate(&step(100)).await.unwrap(), Rotation::Rotated);
    drop(store);
    let store = SqlStore::open(&path).await.unwrap();
    let again = store.rotate(&step(200)).await.unwrap();
    assert_eq!(again, Rotation::Changed(Box::new(step(100).next)));
    assert_eq!(store.family(&first.id).await.unwrap().unwrap().current, hash(100));
}
