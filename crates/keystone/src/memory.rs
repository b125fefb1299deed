//! What is known about one question: how old, whether it is being asked about, and that only once at a time.

use std::{future::Future, hash::Hash, sync::Arc, time::Duration};

use parking_lot::Mutex;
use quick_cache::sync::Cache;
use rustls_pki_types::UnixTime;
use tokio::sync::watch;

use crate::{RevocationEvent, failure::Failure, moment};

/// How long a failure is remembered: as long as a client that asks in a loop would otherwise drive calls.
const FAILURE_AGE: Duration = Duration::from_secs(1);

/// An answer that is remembered for seconds.
pub(crate) trait Remembered: Send + Sync + 'static {
    /// What tells refusals apart.
    type Refusal: Copy + Send + Sync + 'static;

    /// When it was asked for.
    fn read_at(&self) -> UnixTime;

    /// The end of what it stands on.
    fn ends_at(&self) -> Option<UnixTime>;

    /// Whether the revocation may be about this: nothing that it names is something else here.
    fn is_meant(&self, event: &RevocationEvent) -> bool;
}

pub(crate) type Outcome<K> = Result<Arc<K>, Failure<<K as Remembered>::Refusal>>;

/// Answers by question.
pub(crate) struct Memory<Q, K: Remembered> {
    entries: Cache<Q, Arc<Entry<K>>>,
    max_age: Duration,
}

impl<Q: Clone + Eq + Hash, K: Remembered> Memory<Q, K> {
    /// For this many answers, of which none is served at `max_age` or older.
    pub(crate) fn new(capacity: usize, max_age: Duration) -> Self {
        Self {
            entries: Cache::new(capacity.max(1)),
            max_age,
        }
    }

    /// The answer: what is remembered, or what the lookup brings. However many ask for the same at one time, one
    /// lookup is under way; it goes on when the request that began it is given up.
    ///
    /// `look_up` is given what was known before, and is run in a task of its own.
    pub(crate) async fn ask<L, F>(
        &self,
        question: &Q,
        clock: impl Fn() -> UnixTime + Send + 'static,
        look_up: L,
    ) -> Outcome<K>
    where
        L: FnOnce(Option<Arc<K>>) -> F,
        F: Future<Output = Outcome<K>> + Send + 'static,
    {
        let entry = self.entry(question);
        let now = clock();
        let fly = |flight: Flight<K>| {
            let landing = Arc::clone(&entry);
            let outcome = look_up(flight.known.clone());
            tokio::spawn(async move {
                let outcome = outcome.await;
                landing.land(&flight, outcome, clock());
            });
        };
        match entry.look(now, self.max_age) {
            Look::Answer(known, flight) => {
                if let Some(flight) = flight {
                    fly(flight);
                }
                Ok(known)
            }
            Look::Refuse(failure) => Err(failure),
            Look::Wait(mut landing, flight) => {
                if let Some(flight) = flight {
                    fly(flight);
                }
                let outcome = match landing.wait_for(Option::is_some).await {
                    Ok(outcome) => outcome.clone(),
                    Err(_given_up) => None,
                };
                outcome.unwrap_or_else(|| Err(Failure::interrupted()))
            }
        }
    }

    /// What [`ask`](Self::ask) would answer at once and with nothing to do besides.
    pub(crate) fn remembered<T>(&self, question: &Q, now: UnixTime, take: impl FnOnce(&K) -> T) -> Option<T> {
        self.entries.get(question)?.fresh(now, self.max_age, take)
    }

    fn entry(&self, question: &Q) -> Arc<Entry<K>> {
        if let Some(entry) = self.entries.get(question) {
            return entry;
        }
        let made: Result<_, std::convert::Infallible> =
            self.entries.get_or_insert_with(question, || Ok(Arc::default()));
        made.unwrap_or_else(|never| match never {})
    }

    /// Forgets what these revocations may concern.
    pub(crate) fn revoke(&self, events: &[RevocationEvent]) {
        for (_question, entry) in self.entries.iter() {
            for event in events {
                entry.revoke(event);
            }
        }
    }

    /// Forgets everything.
    pub(crate) fn forget_all(&self) {
        for (_question, entry) in self.entries.iter() {
            entry.forget();
        }
        self.entries.clear();
    }
}

struct State<K: Remembered> {
    known: Option<Arc<K>>,
    failed: Option<(UnixTime, Failure<K::Refusal>)>,
    /// Sends the outcome of the lookup under way; closed when it ended, however it ended.
    flight: Option<Landing<K>>,
    looked_at: Option<UnixTime>,
    /// Rises when what is known is revoked, so that an answer from before is not kept.
    generation: u64,
}

type Landing<K> = watch::Receiver<Option<Outcome<K>>>;

struct Entry<K: Remembered>(Mutex<State<K>>);

impl<K: Remembered> Default for Entry<K> {
    fn default() -> Self {
        Self(Mutex::new(State {
            known: None,
            failed: None,
            flight: None,
            looked_at: None,
            generation: 0,
        }))
    }
}

/// What to do about a request.
enum Look<K: Remembered> {
    /// Answer, and ask again in the background if there is a flight to do it.
    Answer(Arc<K>, Option<Flight<K>>),
    /// Refuse, as a moment ago.
    Refuse(Failure<K::Refusal>),
    /// Wait for the lookup, and begin it if there is a flight to do it.
    Wait(Landing<K>, Option<Flight<K>>),
}

/// A lookup to be done by whoever holds this. Dropped without an outcome, its waiters are told that there is none.
struct Flight<K: Remembered> {
    landing: watch::Sender<Option<Outcome<K>>>,
    generation: u64,
    /// What was known before.
    known: Option<Arc<K>>,
}

impl<K: Remembered> Entry<K> {
    /// `max_age` is the age that is stated; from half of it on what is known is renewed in the background.
    fn look(&self, now: UnixTime, max_age: Duration) -> Look<K> {
        let mut state = self.0.lock();
        let known = state
            .known
            .clone()
            .filter(|known| is_usable(known.as_ref(), now, max_age));
        if let Some(known) = known {
            let age = moment::since(known.read_at(), now).unwrap_or(max_age);
            let half = max_age.checked_div(2).unwrap_or_default();
            // Once a second: a Keystone that is down is not asked for each request.
            let pausing = state.looked_at == Some(now);
            let due = age >= half && !state.is_flying() && !pausing;
            return Look::Answer(known, due.then(|| state.take_off(now).1));
        }
        if let Some((then, failure)) = &state.failed
            && moment::since(*then, now).is_some_and(|age| age < FAILURE_AGE)
            && !state.is_flying()
        {
            return Look::Refuse(failure.clone());
        }
        match state.flight.clone().filter(|_| state.is_flying()) {
            Some(landing) => Look::Wait(landing, None),
            None => {
                let (landing, flight) = state.take_off(now);
                Look::Wait(landing, Some(flight))
            }
        }
    }

    /// What is known, if it stands and is too young to be renewed.
    fn fresh<T>(&self, now: UnixTime, max_age: Duration, take: impl FnOnce(&K) -> T) -> Option<T> {
        let state = self.0.lock();
        let known = state.known.as_ref()?;
        let age = moment::since(known.read_at(), now)?;
        let half = max_age.checked_div(2).unwrap_or_default();
        (age < half && is_usable(known.as_ref(), now, max_age)).then(|| take(known))
    }

    /// Keeps the outcome, and tells it to those who wait.
    fn land(&self, flight: &Flight<K>, outcome: Outcome<K>, now: UnixTime) {
        let mut state = self.0.lock();
        let is_current = state.generation == flight.generation;
        match &outcome {
            Ok(known) if is_current => {
                state.known = Some(Arc::clone(known));
                state.failed = None;
            }
            Err(failure) if is_current => {
                // An outage leaves what is known to its age; anything else ends it.
                if !matches!(failure, Failure::Unavailable(..)) {
                    state.known = None;
                }
                state.failed = Some((now, failure.clone()));
            }
            // Revoked meanwhile: for those who asked before, and not to be kept.
            Ok(_) | Err(_) => {}
        }
        drop(state);
        flight.landing.send_replace(Some(outcome));
    }

    /// Forgets what this revocation may concern. Nothing is known about a lookup under way: its answer is not kept.
    fn revoke(&self, event: &RevocationEvent) {
        let mut state = self.0.lock();
        let is_meant = match &state.known {
            Some(known) => known.is_meant(event),
            None => state.is_flying(),
        };
        if is_meant {
            state.forget();
        }
    }

    /// Forgets what is known.
    fn forget(&self) {
        self.0.lock().forget();
    }
}

impl<K: Remembered> State<K> {
    fn is_flying(&self) -> bool {
        self.flight
            .as_ref()
            .is_some_and(|flight| flight.has_changed().is_ok())
    }

    fn take_off(&mut self, now: UnixTime) -> (Landing<K>, Flight<K>) {
        let (landing, waiting) = watch::channel(None);
        self.flight = Some(waiting.clone());
        self.looked_at = Some(now);
        let flight = Flight {
            landing,
            generation: self.generation,
            known: self.known.clone(),
        };
        (waiting, flight)
    }

    fn forget(&mut self) {
        self.known = None;
        // A request that comes now must not be given what was asked before the revocation.
        self.flight = None;
        self.generation = self.generation.wrapping_add(1);
    }
}

fn is_usable<K: Remembered>(known: &K, now: UnixTime, max_age: Duration) -> bool {
    // A clock that was set back makes no answer younger.
    let age = moment::since(known.read_at(), now);
    age.is_some_and(|age| age < max_age) && known.ends_at().is_none_or(|end| now < end)
}
