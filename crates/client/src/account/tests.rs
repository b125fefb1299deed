//! Which way a token comes, and what is kept of it.

use std::{
    cell::Cell,
    fs,
    os::unix::fs::PermissionsExt as _,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use super::*;
use crate::SlotKind;

#[derive(Debug, Clone, PartialEq, Eq)]
struct Pass {
    name: String,
    end: u64,
}

impl Kept for Pass {
    fn to_payload(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{} {}", self.name, self.end))
    }

    fn from_payload(payload: &str) -> Option<Self> {
        let (name, end) = payload.split_once(' ')?;
        Some(Self {
            name: name.to_owned(),
            end: end.parse().ok()?,
        })
    }

    fn expires_at(&self) -> Option<UnixTime> {
        Some(at(self.end))
    }
}

fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

fn pass(name: &str, end: u64) -> Pass {
    Pass {
        name: name.to_owned(),
        end,
    }
}

struct Place {
    folder: tempfile::TempDir,
    account: Account,
    now: Cell<u64>,
}

fn place() -> Place {
    let folder = tempfile::tempdir().unwrap();
    let cache = TokenCache::open(&folder.path().join("c")).unwrap();
    Place {
        account: Account::new(Some(cache), CacheSlot::new(SlotKind::OAuth, "i", "c")),
        folder,
        now: Cell::new(1000),
    }
}

fn nobody(_: &str) {}

type Refreshed = Result<Option<Pass>, String>;

impl Place {
    async fn ask(
        &self,
        refreshed: Refreshed,
        logged_in: Result<Pass, String>,
    ) -> Result<(String, Origin), String> {
        let (account, now) = (&self.account, || at(self.now.get()));
        let current = account
            .token(now, async |_| refreshed, async || logged_in, nobody)
            .await;
        current
            .map(|current| {
                assert!(current.not_kept.is_none());
                (current.value.name, current.origin)
            })
            .map_err(|error| error.to_string())
    }
}

fn never<T>() -> Result<T, String> {
    Err("must not be asked".to_owned())
}

#[tokio::test]
async fn cache_then_refresh_then_login() {
    let place = place();
    let got = |name: &str, origin| Ok((name.to_owned(), origin));
    assert_eq!(
        place.ask(never(), Ok(pass("a", 2000))).await,
        got("a", Origin::LoggedIn)
    );
    assert_eq!(place.ask(never(), never()).await, got("a", Origin::Cache));
    place.now.set(1941);
    assert_eq!(
        place.ask(Ok(Some(pass("b", 3000))), never()).await,
        got("b", Origin::Refreshed)
    );
    assert_eq!(place.ask(never(), never()).await, got("b", Origin::Cache));
    place.now.set(5000);
    assert_eq!(
        place.ask(Ok(None), Ok(pass("c", 9000))).await,
        got("c", Origin::LoggedIn)
    );
}

#[tokio::test]
async fn what_is_renewed_is_not_taken_from_the_cache() {
    let mut place = place();
    place.ask(never(), Ok(pass("a", 2000))).await.unwrap();
    place.account = place.account.clone().renewing(true);
    assert_eq!(
        place.ask(Ok(Some(pass("b", 2000))), never()).await.unwrap().0,
        "b"
    );
    place.account = place.account.clone().renewing(false);
    assert_eq!(place.ask(never(), never()).await.unwrap().0, "b");
}

#[tokio::test]
async fn a_failed_refresh_keeps_what_is_kept() {
    let place = place();
    place.ask(never(), Ok(pass("a", 1001))).await.unwrap();
    assert_eq!(
        place.ask(Err("no network".to_owned()), never()).await,
        Err("no network".to_owned())
    );
    assert_eq!(place.account.kept::<Pass>().unwrap().unwrap(), pass("a", 1001));
    assert_eq!(
        place.ask(Ok(None), Err("closed".to_owned())).await,
        Err("closed".to_owned())
    );
    assert_eq!(place.account.kept::<Pass>().unwrap().unwrap(), pass("a", 1001));
    assert!(place.account.forget(nobody).await.unwrap());
    assert!(place.account.kept::<Pass>().unwrap().is_none());
}

#[tokio::test]
async fn without_a_cache_each_call_logs_in() {
    let account = Account::new(None, CacheSlot::new(SlotKind::OAuth, "i", "c"));
    let logins = AtomicUsize::new(0);
    for _ in 0..2 {
        let login = async || {
            logins.fetch_add(1, Ordering::SeqCst);
            Ok::<_, String>(pass("a", 2000))
        };
        account
            .token(|| at(1000), async |_| never(), login, nobody)
            .await
            .unwrap();
    }
    assert_eq!(logins.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_token_that_cannot_be_kept_is_given_out_all_the_same() {
    let place = place();
    let folder = place.folder.path().join("c");
    let close = async || {
        fs::remove_dir_all(&folder).unwrap();
        fs::write(&folder, "").unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o600)).unwrap();
        Ok::<_, String>(pass("a", 2000))
    };
    let current = place
        .account
        .token(|| at(1000), async |_| never(), close, nobody)
        .await
        .unwrap();
    assert_eq!(current.value, pass("a", 2000));
    assert!(current.not_kept.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn twenty_at_once_log_in_once() {
    static LOGINS: AtomicUsize = AtomicUsize::new(0);
    let place = place();
    let (open, _) = tokio::sync::broadcast::channel::<()>(1);
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let (account, mut opened) = (place.account.clone(), open.subscribe());
            tokio::spawn(async move {
                let login = async || {
                    LOGINS.fetch_add(1, Ordering::SeqCst);
                    opened.recv().await.map_err(|error| error.to_string())?;
                    Ok(pass("a", 2000))
                };
                account
                    .token(|| at(1000), async |_| never(), login, nobody)
                    .await
                    .unwrap()
                    .value
                    .name
            })
        })
        .collect();
    while LOGINS.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    open.send(()).unwrap();
    for task in tasks {
        assert_eq!(task.await.unwrap(), "a");
    }
    assert_eq!(LOGINS.load(Ordering::SeqCst), 1);
}
