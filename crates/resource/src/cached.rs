//! A document of the issuer, kept and renewed on demand.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwapOption;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use rustls_pki_types::UnixTime;
use tokio::{runtime::Handle, sync::watch, time::timeout};

use crate::issuer::LoadError;

/// The least time between two attempts while there is nothing usable: every request fails meanwhile.
const COLD_PAUSE: Duration = Duration::from_secs(1);

type Load<T> = dyn Fn() -> BoxFuture<'static, Result<Loaded<T>, LoadError>> + Send + Sync;

/// A document that has just come, and what it says about its age.
pub(crate) struct Loaded<T> {
    pub(crate) value: T,
    /// At most so long without asking again.
    pub(crate) fresh_for: Option<Duration>,
    /// At most so long at all.
    pub(crate) usable_for: Option<Duration>,
}

/// How a document ages.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Policy {
    /// From then on it is asked for again.
    pub(crate) lifetime: Duration,
    /// How long requests go on with it meanwhile; after that they wait for the next one.
    pub(crate) grace: Duration,
    /// The least time between two attempts.
    pub(crate) pause: Duration,
    /// From then on it is of no use.
    pub(crate) max_staleness: Duration,
    /// The most time for one attempt.
    pub(crate) deadline: Duration,
}

/// A document in use.
pub(crate) struct Held<T> {
    pub(crate) value: T,
    received_at: UnixTime,
    fresh_for: Duration,
    late_after: Duration,
    usable_for: Duration,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Age {
    /// Used as it is.
    Fresh,
    /// Used, and renewed meanwhile.
    Due,
    /// Renewed first, and used if that fails.
    Late,
    /// Of no use.
    Spent,
}

impl<T> Held<T> {
    fn age(&self, now: UnixTime) -> Age {
        let (now, then) = (now.as_secs(), self.received_at.as_secs());
        let Some(age) = now.checked_sub(then).map(Duration::from_secs) else {
            // The clock was put back: ask again, and measure from then on.
            return Age::Due;
        };
        if age >= self.usable_for {
            Age::Spent
        } else if age < self.fresh_for {
            Age::Fresh
        } else if age < self.late_after {
            Age::Due
        } else {
            Age::Late
        }
    }
}

#[derive(Default)]
struct Flight {
    /// Open until the attempt has ended, however it ended.
    running: Option<watch::Receiver<()>>,
    attempted_at: Option<UnixTime>,
    failed_at: Option<UnixTime>,
}

/// One document: at most one attempt at a time, none within the pause, the last good one served meanwhile.
pub(crate) struct Cached<T> {
    /// For the log.
    name: &'static str,
    policy: Policy,
    clock: Arc<dyn Fn() -> UnixTime + Send + Sync>,
    load: Box<Load<T>>,
    held: ArcSwapOption<Held<T>>,
    flight: Mutex<Flight>,
}

impl<T: Send + Sync + 'static> Cached<T> {
    pub(crate) fn new(
        name: &'static str,
        policy: Policy,
        clock: Arc<dyn Fn() -> UnixTime + Send + Sync>,
        load: Box<Load<T>>,
    ) -> Arc<Self> {
        let (held, flight) = (ArcSwapOption::empty(), Mutex::default());
        Arc::new(Self {
            name,
            policy,
            clock,
            load,
            held,
            flight,
        })
    }

    /// The document to use now. `None` when there is none, or none young enough, and none could be had.
    pub(crate) async fn current(self: &Arc<Self>) -> Option<Arc<Held<T>>> {
        let now = (self.clock)();
        let held = self.held.load_full();
        let age = held.as_ref().map_or(Age::Spent, |held| held.age(now));
        let running = match age {
            Age::Fresh => return held,
            Age::Due => {
                self.attempt(now, self.policy.pause);
                return held;
            }
            Age::Late => {
                let known_away = self.failed_lately(now);
                match self.attempt(now, self.policy.pause) {
                    Some(running) if !known_away => running,
                    Some(_) | None => return held,
                }
            }
            Age::Spent => self.attempt(now, self.policy.pause.min(COLD_PAUSE))?,
        };
        wait(running).await;
        let now = (self.clock)();
        self.held.load_full().filter(|held| held.age(now) != Age::Spent)
    }

    /// A later document than `used`, which lacks something. `None` if the pause forbids asking, or if it failed.
    pub(crate) async fn newer_than(self: &Arc<Self>, used: &Arc<Held<T>>) -> Option<Arc<Held<T>>> {
        let newer = || self.held.load_full().filter(|held| !Arc::ptr_eq(held, used));
        if let Some(newer) = newer() {
            return Some(newer);
        }
        let running = self.attempt((self.clock)(), self.policy.pause)?;
        wait(running).await;
        newer()
    }

    fn failed_lately(&self, now: UnixTime) -> bool {
        let window = self.policy.lifetime.saturating_mul(2);
        self.flight
            .lock()
            .failed_at
            .is_some_and(|then| is_within(then, now, window))
    }

    /// The attempt under way, or a new one; `None` within the pause.
    fn attempt(self: &Arc<Self>, now: UnixTime, pause: Duration) -> Option<watch::Receiver<()>> {
        let mut flight = self.flight.lock();
        let open = flight
            .running
            .as_ref()
            .filter(|running| running.has_changed().is_ok());
        if let Some(running) = open {
            return Some(running.clone());
        }
        if flight
            .attempted_at
            .is_some_and(|then| is_within(then, now, pause))
        {
            return None;
        }
        let Ok(runtime) = Handle::try_current() else {
            tracing::error!(document = self.name, "no tokio runtime to fetch with");
            return None;
        };
        let (landed, running) = watch::channel(());
        flight.attempted_at = Some(now);
        flight.running = Some(running.clone());
        let this = Arc::clone(self);
        // A task of its own: the request that began it may be given up.
        runtime.spawn(async move {
            this.renew().await;
            drop(landed);
        });
        Some(running)
    }

    async fn renew(&self) {
        let outcome = timeout(self.policy.deadline, (self.load)())
            .await
            .unwrap_or(Err(LoadError::Deadline));
        let now = (self.clock)();
        let failed_at = match outcome {
            Ok(loaded) => {
                self.held.store(Some(Arc::new(self.hold(loaded, now))));
                None
            }
            Err(error) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::warn!(document = self.name, %error, cause, "cannot renew what the issuer publishes");
                Some(now)
            }
        };
        self.flight.lock().failed_at = failed_at;
    }

    fn hold(&self, loaded: Loaded<T>, now: UnixTime) -> Held<T> {
        let Policy {
            lifetime,
            grace,
            pause,
            max_staleness,
            ..
        } = self.policy;
        let usable_for = loaded.usable_for.unwrap_or(max_staleness).min(max_staleness);
        let fresh_for = loaded
            .fresh_for
            .unwrap_or(lifetime)
            .clamp(pause.min(lifetime), lifetime);
        // Renewed before it is of no use.
        let fresh_for = fresh_for.min(usable_for.checked_div(2).unwrap_or_default());
        Held {
            value: loaded.value,
            received_at: now,
            fresh_for,
            late_after: fresh_for.saturating_add(grace.min(fresh_for)),
            usable_for,
        }
    }
}

/// Whether `now` lies less than `span` after `then`, and not before it.
fn is_within(then: UnixTime, now: UnixTime, span: Duration) -> bool {
    let passed = now.as_secs().checked_sub(then.as_secs());
    passed.is_some_and(|seconds| Duration::from_secs(seconds) < span)
}

async fn wait(mut running: watch::Receiver<()>) {
    // Nothing is ever sent: the error is the end of the attempt.
    let _ended = running.changed().await;
}
