//! What is known about one login: how old, whether it is being asked about, and that only once at a time.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use rustls_pki_types::UnixTime;
use sealstone_identity::Delegated;
use tokio::sync::watch;

use super::failure::Failure;
use crate::{AuditId, RevocationEvent, RoleId, Token, TokenScope, UserInToken, moment};

/// How long a failure is remembered: as long as a client that asks in a loop would otherwise drive calls.
const FAILURE_AGE: Duration = Duration::from_secs(1);

/// What Keystone said, and what it takes to ask again cheaply and to know its revocations.
pub(super) struct Known {
    pub(super) delegated: Arc<Delegated>,
    /// The token that Keystone gave, which tells the same again at less cost, and until when that is done.
    pub(super) token: Option<(Token, UnixTime)>,
    pub(super) user: UserInToken,
    pub(super) scope: TokenScope,
    pub(super) audit_ids: Vec<AuditId>,
    pub(super) role_ids: Vec<RoleId>,
}

pub(super) type Outcome = Result<Arc<Known>, Failure>;

#[derive(Default)]
struct State {
    known: Option<Arc<Known>>,
    failed: Option<(UnixTime, Failure)>,
    /// Sends the outcome of the lookup under way; closed when it ended, however it ended.
    flight: Option<watch::Receiver<Option<Outcome>>>,
    looked_at: Option<UnixTime>,
    /// Rises when what is known is revoked, so that an answer from before is not kept.
    generation: u64,
}

#[derive(Default)]
pub(super) struct Entry(Mutex<State>);

/// What to do about a request.
pub(super) enum Look {
    /// Answer, and ask again in the background if there is a flight to do it.
    Answer(Arc<Known>, Option<Flight>),
    /// Refuse, as a moment ago.
    Refuse(Failure),
    /// Wait for the lookup, and begin it if there is a flight to do it.
    Wait(watch::Receiver<Option<Outcome>>, Option<Flight>),
}

/// A lookup to be done by whoever holds this. Dropped without an outcome, its waiters are told that there is none.
pub(super) struct Flight {
    landing: watch::Sender<Option<Outcome>>,
    generation: u64,
    /// What was known before.
    pub(super) known: Option<Arc<Known>>,
}

impl Entry {
    /// `max_age` is the age that is stated; from half of it on what is known is renewed in the background.
    pub(super) fn look(&self, now: UnixTime, max_age: Duration) -> Look {
        let mut state = self.0.lock();
        let known = state.known.clone().filter(|known| is_usable(known, now, max_age));
        if let Some(known) = known {
            let age = moment::since(known.delegated.read_at, now).unwrap_or(max_age);
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

    /// Keeps the outcome, and tells it to those who wait.
    pub(super) fn land(&self, flight: &Flight, outcome: Outcome, now: UnixTime) {
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
    pub(super) fn revoke(&self, event: &RevocationEvent) {
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
    pub(super) fn forget(&self) {
        self.0.lock().forget();
    }
}

impl State {
    fn is_flying(&self) -> bool {
        self.flight
            .as_ref()
            .is_some_and(|flight| flight.has_changed().is_ok())
    }

    fn take_off(&mut self, now: UnixTime) -> (watch::Receiver<Option<Outcome>>, Flight) {
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

fn is_usable(known: &Known, now: UnixTime, max_age: Duration) -> bool {
    // A clock that was set back makes no answer younger.
    let age = moment::since(known.delegated.read_at, now);
    age.is_some_and(|age| age < max_age) && known.delegated.expires_at.is_none_or(|end| now < end)
}

impl Known {
    /// Whether the revocation may be about this: nothing that it names is something else here.
    fn is_meant(&self, event: &RevocationEvent) -> bool {
        let (project, domain) = match &self.scope {
            TokenScope::Project { project, .. } => (Some(&project.id), Some(&project.domain.id)),
            TokenScope::Domain(domain) => (None, Some(&domain.id)),
            TokenScope::System | TokenScope::Unscoped => (None, None),
        };
        let own_token = |id: &AuditId| self.token.is_some() && self.audit_ids.contains(id);
        event.user_id.as_ref().is_none_or(|id| *id == self.user.id)
            && event.project_id.as_ref().is_none_or(|id| Some(id) == project)
            && event
                .domain_id
                .as_ref()
                .is_none_or(|id| Some(id) == domain || *id == self.user.domain.id)
            && event.role_id.as_ref().is_none_or(|id| self.role_ids.contains(id))
            && event.audit_id.as_ref().is_none_or(own_token)
            && event.audit_chain_id.as_ref().is_none_or(own_token)
            && event.trust_id.is_none()
    }
}
