//! What goes on beside the requests: upkeep, reloads, what Keystone and others tell.

use crate::config::Config;
use crate::custody::{self, Custody};
use crate::health;
use crate::keeping::Keeping;
use crate::reload;
use sealstone_http::Readiness;
use sealstone_keystone::{KeystoneIdentity, KeystonePeople};
use sealstone_provider::{MaintainError, Provider, SystemClock, Upkeep};
use sealstone_storage::{Leadership, SqlStore};
use sealstone_trail::TrailFile;
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// What it goes on with, whatever is reloaded.
pub(crate) struct Background<'a> {
    pub(crate) store: &'a SqlStore,
    pub(crate) audit: &'a TrailFile,
    pub(crate) custody: &'a Custody,
    pub(crate) readiness: &'a Readiness,
}

impl Background<'_> {
    /// Goes on until the server stops.
    pub(crate) async fn follow(
        &self,
        config: &Config,
        stopped: &watch::Receiver<bool>,
    ) -> anyhow::Result<()> {
        let stop = || ended(stopped.clone());
        let (healthy, token) = watch::channel(true);
        let custody = custody::follow(
            &config.secrets,
            self.custody,
            self.store,
            &healthy,
            reload::requests()?,
            stop(),
        );
        let ready = follow_readiness(self.store, self.audit, token, self.readiness, stop());
        let disks = health::watch_disks(config, self.readiness, stop());
        tokio::join!(custody, ready, disks);
        Ok(())
    }
}

/// What keeps one generation of the server true.
pub(crate) struct UpkeepOf {
    pub(crate) store: Arc<SqlStore>,
    pub(crate) provider: Provider,
    pub(crate) identity: Option<KeystoneIdentity>,
    pub(crate) followed: Option<KeystonePeople>,
}

impl UpkeepOf {
    /// Goes on until this generation, or the server, stops.
    pub(crate) async fn follow(self, stopped: watch::Receiver<bool>) {
        let stop = || ended(stopped.clone());
        let upkeep = maintain(&self.provider, &self.store, stop);
        let revocations = async {
            if let Some(identity) = &self.identity {
                identity.follow_revocations(stop()).await;
            }
        };
        let logouts = send_logouts(&self.provider, &self.store, stop());
        let ended_logins = async {
            if let Some(people) = &self.followed {
                end_logins(&self.provider, people, stop()).await;
            }
        };
        tokio::join!(upkeep, revocations, logouts, ended_logins);
    }
}

/// Ready once the server is told to stop.
pub(crate) async fn ended(mut stopped: watch::Receiver<bool>) {
    // An error means that the sender is gone: the server is ending too.
    drop(stopped.wait_for(|stopped| *stopped).await);
}

/// Keeps domains, keys and revocations as the store has them, makes the keys that are due, and forgets what has expired:
/// each beside the others, since only the first has to act within a second.
async fn maintain<S: Future<Output = ()>>(provider: &Provider, store: &SqlStore, stop: impl Fn() -> S) {
    let keeping = Keeping::new();
    let looks = look(provider, store, &keeping, stop());
    let keys = keeping.work(provider, &stop);
    let purges = purge(provider, store, stop());
    tokio::join!(looks, keys, purges);
}

/// Serves what is stored, whenever it changes.
async fn look(provider: &Provider, store: &SqlStore, keeping: &Keeping, stop: impl Future<Output = ()>) {
    /// Also without news: domains and clocks change without telling anybody.
    const AT_LEAST_EVERY: Duration = Duration::from_secs(60);
    const AFTER_A_FAILURE: Duration = Duration::from_secs(1);
    /// Between two looks: a thousand changes in a second are not a thousand looks at every domain.
    const PAUSE: Duration = Duration::from_millis(100);
    let mut changes = store.changes();
    let mut leadership = store.leadership();
    // At once: what changed between the load and this is not announced again.
    let mut wait = Duration::ZERO;
    let mut failures = Failures::default();
    tokio::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => return,
            changed = changes.changed() => if changed.is_err() { return },
            changed = leadership.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(wait) => {}
        }
        let role = upkeep(*leadership.borrow_and_update());
        wait = match provider.load(role).await {
            Ok(loaded) => {
                let next = loaded.next_change.map_or(AT_LEAST_EVERY, until);
                let is_whole = loaded.failed.is_empty();
                failures.tell(&loaded.failed);
                keeping.offer(loaded.due);
                if is_whole && keeping.is_idle() {
                    next.min(AT_LEAST_EVERY)
                } else {
                    next.min(AFTER_A_FAILURE)
                }
            }
            Err(error) => {
                failures.tell(&[error]);
                AFTER_A_FAILURE
            }
        };
        tokio::select! {
            () = &mut stop => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

/// What the log was told of failures, and when: the same one is told each minute, though it is met several times a second.
#[derive(Debug, Default)]
struct Failures(BTreeMap<String, Instant>);

impl Failures {
    const AGAIN: Duration = Duration::from_secs(60);

    /// Takes all failures of one look; none, when all is well again.
    fn tell(&mut self, found: &[MaintainError]) {
        let now = Instant::now();
        for error in found {
            if self.is_news(error.to_string(), now) {
                let cause: &dyn std::error::Error = error;
                tracing::error!(
                    error = cause,
                    "maintenance failed; what was loaded before is served on"
                );
            }
        }
        if found.is_empty() && !std::mem::take(&mut self.0).is_empty() {
            tracing::info!("maintenance goes on");
        }
    }

    fn is_news(&mut self, failure: String, now: Instant) -> bool {
        let is_told = self.0.get(&failure);
        if is_told.is_some_and(|told| now.duration_since(*told) < Self::AGAIN) {
            return false;
        }
        self.0.insert(failure, now);
        true
    }
}

/// Forgets what has expired, where this node leads.
async fn purge(provider: &Provider, store: &SqlStore, stop: impl Future<Output = ()>) {
    const EVERY: Duration = Duration::from_secs(60);
    const AFTER_A_FAILURE: Duration = Duration::from_secs(1);
    let mut leadership = store.leadership();
    tokio::pin!(stop);
    loop {
        let leads = upkeep(*leadership.borrow_and_update()) == Upkeep::Leads;
        let purge = async {
            if !leads {
                return EVERY;
            }
            match provider.purge().await {
                Ok(()) => EVERY,
                Err(error) => {
                    let cause: &dyn std::error::Error = &error;
                    tracing::error!(
                        error = cause,
                        "what has expired could not all be forgotten; it is tried again"
                    );
                    AFTER_A_FAILURE
                }
            }
        };
        let wait = tokio::select! {
            () = &mut stop => return,
            wait = purge => wait,
        };
        tokio::select! {
            () = &mut stop => return,
            changed = leadership.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// What this node does of the upkeep: all of it, unless another node leads.
pub(crate) fn upkeep(leadership: Option<Leadership>) -> Upkeep {
    match leadership {
        None | Some(Leadership::Leads { .. }) => Upkeep::Leads,
        Some(Leadership::Follows) => Upkeep::Follows,
    }
}

/// Ready while the database is heard of, events can be recorded, and the PKCS#11 token, if there is one, answers: a load
/// balancer asks another node meanwhile.
async fn follow_readiness(
    store: &SqlStore,
    trail: &TrailFile,
    mut token: watch::Receiver<bool>,
    readiness: &Readiness,
    stop: impl Future<Output = ()>,
) {
    const LOOK_EVERY: Duration = Duration::from_millis(250);
    let mut hears = store.hears();
    tokio::pin!(stop);
    loop {
        readiness.set_part("database", *hears.borrow_and_update());
        readiness.set_part("audit", !trail.standing().closed);
        readiness.set_part("token", *token.borrow_and_update());
        tokio::select! {
            biased;
            () = &mut stop => return,
            changed = hears.changed() => if changed.is_err() { return },
            changed = token.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// Tells clients that sessions ended: when notices were kept, and when one is due that failed before.
async fn send_logouts(provider: &Provider, store: &SqlStore, stop: impl Future<Output = ()>) {
    const AT_LEAST_EVERY: Duration = Duration::from_secs(60);
    let mut changes = store.notice_changes();
    tokio::pin!(stop);
    loop {
        let next = tokio::select! {
            () = &mut stop => return,
            next = provider.send_logouts() => next,
        };
        let wait = match next {
            Ok(next) => next.map_or(AT_LEAST_EVERY, until).min(AT_LEAST_EVERY),
            Err(error) => {
                let cause: &dyn std::error::Error = &error;
                tracing::error!(
                    error = cause,
                    "clients can't be told of ended sessions now; it is tried again"
                );
                AT_LEAST_EVERY
            }
        };
        tokio::select! {
            () = &mut stop => return,
            changed = changes.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// Ends the logins of people whom Keystone has disabled, deleted or given another password.
async fn end_logins(provider: &Provider, people: &KeystonePeople, stop: impl Future<Output = ()>) {
    const AFTER_A_FAILURE: Duration = Duration::from_secs(1);
    let mut seen = 0;
    tokio::pin!(stop);
    loop {
        let (number, changes) = tokio::select! {
            () = &mut stop => return,
            told = people.changes_after(seen) => told,
        };
        let mut failed = false;
        for change in changes {
            if let Err(error) = provider.end_logins(&change.user, change.until).await {
                let cause: &dyn std::error::Error = &error;
                tracing::error!(error = cause, user.id = %change.user, "logins could not be ended; it is tried again");
                failed = true;
            }
        }
        if failed {
            tokio::select! {
                () = &mut stop => return,
                () = tokio::time::sleep(AFTER_A_FAILURE) => {}
            }
        } else {
            seen = number;
        }
    }
}

fn until(moment: rustls_pki_types::UnixTime) -> Duration {
    use sealstone_provider::Clock as _;
    let seconds = moment.as_secs().saturating_sub(SystemClock.now().as_secs());
    Duration::from_secs(seconds.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_that_lasts_is_told_each_minute() {
        let begin = Instant::now();
        let mut failures = Failures::default();
        let mut told = |what: &str, quarter: u32| {
            failures.is_news(what.to_owned(), begin + Duration::from_millis(250) * quarter)
        };
        let times = (0..1200)
            .filter(|quarter| told("the domains could not be read", *quarter))
            .count();
        assert_eq!(times, 5, "in five minutes");
        assert!(told("the key ring of domain ops could not be kept", 1200));
    }
}
