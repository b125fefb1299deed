//! Keys are made and changed beside everything else, on threads that may block: a few at once, so that requests, and what
//! is to be known within a second, wait for none.

use parking_lot::Mutex;
use sealstone_provider::{DomainId, KeyWork, KeysDue, Loaded, MaintainError, Provider};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::{Future, pending};
use std::num::NonZero;
use std::time::Duration;
use std::{panic, thread};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::{self, JoinSet};
use tokio::time::Instant;

/// So many new domains are there when a server is ready, for a second or two of its start: who has few need not know that
/// keys take time.
const READY_WITH: usize = 8;
/// Makers at once: beyond it the database's writes are what takes time.
const MOST_MAKERS: usize = 16;
/// How long a domain rests whose keys could not be kept; twice as long each time, up to the longest.
const FIRST_REST: Duration = Duration::from_secs(1);
const LONGEST_REST: Duration = Duration::from_secs(10);

/// Whose keys are due, and who works on them.
#[derive(Debug)]
pub(crate) struct Keeping {
    state: Mutex<State>,
    told: watch::Sender<()>,
}

/// What a worker takes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lane {
    /// Writes alone: they are done soon, and wait for no key.
    Changes,
    /// Keys to make.
    Making,
}

#[derive(Debug, Default)]
struct State {
    changes: VecDeque<DomainId>,
    first: VecDeque<DomainId>,
    successors: VecDeque<DomainId>,
    /// Whether the last key was a new domain's: then it is another's turn.
    was_first: bool,
    under_way: BTreeSet<DomainId>,
    resting: BTreeMap<DomainId, Rest>,
}

#[derive(Debug)]
struct Rest {
    until: Instant,
    next: Duration,
}

impl State {
    /// What is due now, in the place of what was.
    fn offer(&mut self, due: Vec<KeysDue>, now: Instant) {
        self.changes.clear();
        self.first.clear();
        self.successors.clear();
        let all: BTreeSet<&DomainId> = due.iter().map(|due| &due.domain).collect();
        self.resting.retain(|domain, _| all.contains(domain));
        for KeysDue { domain, work, .. } in due {
            let rests = self.resting.get(&domain).is_some_and(|rest| now < rest.until);
            if rests || self.under_way.contains(&domain) {
                continue;
            }
            let queue = match work {
                KeyWork::First => &mut self.first,
                KeyWork::Successor => &mut self.successors,
                KeyWork::Change => &mut self.changes,
            };
            queue.push_back(domain);
        }
    }

    fn take(&mut self, lane: Lane) -> Option<DomainId> {
        let domain = match lane {
            Lane::Changes => self.changes.pop_front(),
            Lane::Making => {
                let others_turn = self.was_first && !self.successors.is_empty();
                self.was_first = !others_turn && !self.first.is_empty();
                if self.was_first {
                    self.first.pop_front()
                } else {
                    self.successors.pop_front()
                }
            }
        }?;
        self.under_way.insert(domain.clone());
        Some(domain)
    }

    fn ended(&mut self, domain: &DomainId, is_done: bool, now: Instant) {
        self.under_way.remove(domain);
        if is_done {
            self.resting.remove(domain);
            return;
        }
        let rest = self.resting.get(domain).map_or(FIRST_REST, |rest| rest.next);
        let rest = Rest {
            until: now.checked_add(rest).unwrap_or(now),
            next: rest.saturating_mul(2).min(LONGEST_REST),
        };
        self.resting.insert(domain.clone(), rest);
    }

    fn is_idle(&self) -> bool {
        let queues = [&self.changes, &self.first, &self.successors];
        queues.iter().all(|queue| queue.is_empty()) && self.under_way.is_empty() && self.resting.is_empty()
    }
}

impl Keeping {
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::default(),
            told: watch::Sender::new(()),
        }
    }

    /// These are due now, and no others.
    pub(crate) fn offer(&self, due: Vec<KeysDue>) {
        self.state.lock().offer(due, Instant::now());
        self.told.send_replace(());
    }

    /// Whether nothing is due.
    pub(crate) fn is_idle(&self) -> bool {
        self.state.lock().is_idle()
    }

    /// Works until `stop`; a key that is being made then is made to its end.
    pub(crate) async fn work<S: Future<Output = ()>>(&self, provider: &Provider, stop: impl Fn() -> S) {
        let makers = (0..makers()).map(|_| self.worker(Lane::Making, provider, stop()));
        let makers = futures_util::future::join_all(makers);
        tokio::join!(self.worker(Lane::Changes, provider, stop()), makers);
    }

    async fn worker(&self, lane: Lane, provider: &Provider, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        loop {
            let domain = tokio::select! {
                biased;
                () = &mut stop => return,
                domain = self.next(lane) => domain,
            };
            let kept = keep(provider, &domain).await;
            if let Err(error) = &kept {
                let cause: &dyn std::error::Error = error;
                tracing::error!(
                    domain.id = %domain,
                    error = cause,
                    "the keys of a domain could not be kept; it is served as before, and tried again"
                );
            }
            self.state.lock().ended(&domain, kept.is_ok(), Instant::now());
        }
    }

    async fn next(&self, lane: Lane) -> DomainId {
        let mut told = self.told.subscribe();
        loop {
            let taken = self.state.lock().take(lane);
            if let Some(domain) = taken {
                return domain;
            }
            if told.changed().await.is_err() {
                return pending().await;
            }
        }
    }
}

/// What a server has to have before its first request: everything that is stored, and the keys of a few new domains.
///
/// # Errors
/// The first fault: a server that cannot read its keys, or make any, is not started.
pub(crate) async fn begin(provider: &Provider, loaded: Loaded) -> Result<(), MaintainError> {
    if let Some(error) = loaded.failed.into_iter().next() {
        return Err(error);
    }
    let new = loaded.due.into_iter().filter(|due| due.work == KeyWork::First);
    let mut new = new.map(|due| due.domain);
    let mut making = JoinSet::new();
    for domain in new.by_ref().take(READY_WITH) {
        // Nobody is served yet whom it could hold up.
        if making.len() >= cores() {
            joined(&mut making).await?;
        }
        let provider = provider.clone();
        making.spawn(async move { keep(&provider, &domain).await });
    }
    while !making.is_empty() {
        joined(&mut making).await?;
    }
    let left = new.count();
    if left > 0 {
        tracing::info!(
            domains = left,
            "the keys of new domains are made: each is served once it has its own"
        );
    }
    Ok(())
}

async fn joined(making: &mut JoinSet<Result<usize, MaintainError>>) -> Result<(), MaintainError> {
    match making.join_next().await {
        Some(Ok(kept)) => kept.map(|_changes| ()),
        Some(Err(error)) => not_ended(error).await,
        None => Ok(()),
    }
}

async fn keep(provider: &Provider, domain: &DomainId) -> Result<usize, MaintainError> {
    let (provider, domain, runtime) = (provider.clone(), domain.clone(), Handle::current());
    let work = move || runtime.block_on(provider.keep_keys(&domain));
    match task::spawn_blocking(work).await {
        Ok(kept) => kept,
        Err(error) => not_ended(error).await,
    }
}

/// A panic goes on; else the program ends.
async fn not_ended<T>(error: task::JoinError) -> T {
    match error.try_into_panic() {
        Ok(panic) => panic::resume_unwind(panic),
        Err(_cancelled) => pending().await,
    }
}

/// Half of the cores: the other half answers.
fn makers() -> usize {
    (cores() / 2).clamp(1, MOST_MAKERS)
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

#[cfg(test)]
mod tests;
