use std::collections::BTreeSet;

use sealstone_grants::logout::{LogoutNotice, MAX_NOTICES, NOTICE_LEASE};

use crate::fixtures::{RACERS, Store, after, at, client_id, domain_id, race, sid, token_id};

fn notice(id: &str, due_at: u64) -> LogoutNotice {
    LogoutNotice {
        id: token_id(id),
        domain: domain_id("demo"),
        client_id: client_id("web"),
        subject: "ada".to_owned(),
        sid: sid(1),
        created_at: at(1_000),
        due_at: at(due_at),
        tries: 0,
    }
}

fn ids(notices: &[LogoutNotice]) -> Vec<&str> {
    notices.iter().map(|notice| notice.id.as_str()).collect()
}

pub(crate) async fn notices_wait_until_they_are_due<S: Store>(store: S) {
    assert_eq!(store.next_due().await.unwrap(), None);
    assert_eq!(store.insert_notices(&[]).await.unwrap(), 0);
    let mut announced = store.notice_changes();
    let notices = [notice("b", 1_020), notice("a", 1_010), notice("c", 1_030)];
    assert_eq!(store.insert_notices(&notices).await.unwrap(), 0);
    assert_eq!(store.next_due().await.unwrap(), Some(at(1_010)));
    assert!(announced.has_changed().unwrap(), "whoever sends them hears of it");
    announced.mark_unchanged();
    assert!(store.take_due(at(1_009), 10).await.unwrap().is_empty());
    let due = store.take_due(at(1_020), 10).await.unwrap();
    assert_eq!(due, [notices[1].clone(), notices[0].clone()], "the oldest first");
    assert!(
        store.take_due(at(1_020), 10).await.unwrap().is_empty(),
        "somebody has them"
    );
    assert_eq!(store.next_due().await.unwrap(), Some(at(1_030)));

    assert!(!announced.has_changed().unwrap(), "taking is no news");
    // One is sent, one is to be tried again.
    store.remove_notice(&token_id("a")).await.unwrap();
    let later = due[1].clone().after_failure(at(1_025)).unwrap();
    store.postpone_notice(&later).await.unwrap();
    assert_eq!(ids(&store.take_due(at(1_030), 10).await.unwrap()), ["c"]);
    let due = store.take_due(later.due_at, 10).await.unwrap();
    assert_eq!(due.first(), Some(&later), "with its count of tries");
    assert_eq!(due.len(), 1);
    // The one whose taker died comes back.
    let lease_over = after(1_030, NOTICE_LEASE).as_secs();
    assert!(store.take_due(at(lease_over - 1), 10).await.unwrap().is_empty());
    assert_eq!(ids(&store.take_due(at(lease_over), 10).await.unwrap()), ["c"]);
    // What is gone stays gone.
    store.remove_notice(&token_id("c")).await.unwrap();
    store.remove_notice(&token_id("c")).await.unwrap();
    store.postpone_notice(&notice("c", 1_000)).await.unwrap();
    assert_eq!(ids(&store.take_due(at(9_000), 10).await.unwrap()), ["b"]);
}

pub(crate) async fn each_notice_is_taken_by_one<S: Store>(store: S) {
    let all: Vec<_> = (0..200)
        .map(|number| notice(&format!("n-{number}"), 1_000))
        .collect();
    assert_eq!(store.insert_notices(&all).await.unwrap(), 0);
    let taken = race(|_| {
        let store = store.clone();
        async move { store.take_due(at(1_000), 5).await.unwrap() }
    });
    let taken: Vec<String> = taken
        .await
        .iter()
        .flat_map(|notices| ids(notices))
        .map(str::to_owned)
        .collect();
    assert_eq!(taken.len(), 200);
    assert!(taken.len() <= usize::from(RACERS) * 5);
    assert_eq!(
        taken.iter().collect::<BTreeSet<_>>().len(),
        200,
        "one was taken twice"
    );
}

pub(crate) async fn notices_are_bounded<S: Store>(store: S) {
    let many: Vec<_> = (0..MAX_NOTICES - 1)
        .map(|number| notice(&format!("n-{number}"), 1_000))
        .collect();
    assert_eq!(store.insert_notices(&many).await.unwrap(), 0);
    let three = [notice("x", 1_000), notice("y", 1_000), notice("z", 1_000)];
    assert_eq!(
        store.insert_notices(&three).await.unwrap(),
        2,
        "two found no room"
    );
    store.remove_notice(&token_id("n-0")).await.unwrap();
    assert_eq!(store.insert_notices(&[notice("y", 1_000)]).await.unwrap(), 0);
    assert_eq!(store.insert_notices(&[notice("z", 1_000)]).await.unwrap(), 1);
}
