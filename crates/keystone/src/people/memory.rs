//! What is remembered of people.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rustls_pki_types::UnixTime;
use sealstone_identity::{Delegated, LoginRefusal, Person, ProjectId, UserId};
use tokio::sync::Semaphore;

use super::{changes::Changes, spent::SpentCodes};
use crate::{
    RevocationEvent,
    memory::{Memory, Remembered},
};

/// A quarter of the calls that run at a time. Whoever sees the login page can make Keystone hash passwords: the other
/// calls are for people and machines that are known already.
const LOGINS_AT_ONCE: usize = 8;

/// A person, as Keystone knew them then.
pub(super) struct KnownPerson {
    pub(super) person: Arc<Person>,
    pub(super) read_at: UnixTime,
}

impl Remembered for KnownPerson {
    type Refusal = LoginRefusal;

    fn read_at(&self) -> UnixTime {
        self.read_at
    }

    fn ends_at(&self) -> Option<UnixTime> {
        None
    }

    fn is_meant(&self, event: &RevocationEvent) -> bool {
        match (&event.user_id, &event.domain_id) {
            (Some(user), _) => user == self.person.user.id(),
            (None, Some(domain)) => domain == self.person.domain_id(),
            (None, None) => false,
        }
    }
}

/// A person's authority in one project, as Keystone knew it then.
pub(super) struct KnownAuthority {
    pub(super) delegated: Arc<Delegated>,
    pub(super) user: UserId,
    pub(super) project: ProjectId,
}

impl Remembered for KnownAuthority {
    type Refusal = LoginRefusal;

    fn read_at(&self) -> UnixTime {
        self.delegated.read_at
    }

    fn ends_at(&self) -> Option<UnixTime> {
        self.delegated.expires_at
    }

    /// Whatever names no other user and no other project: roles and domains change what somebody may do as well.
    fn is_meant(&self, event: &RevocationEvent) -> bool {
        let is_of_a_token =
            event.audit_id.is_some() || event.audit_chain_id.is_some() || event.trust_id.is_some();
        !is_of_a_token
            && event.user_id.as_ref().is_none_or(|user| *user == self.user)
            && event
                .project_id
                .as_ref()
                .is_none_or(|project| *project == self.project)
    }
}

/// Who changed, and what was asked about whom.
pub(crate) struct PeopleMemory {
    pub(crate) changes: Changes,
    pub(super) persons: Memory<UserId, KnownPerson>,
    pub(super) authorities: Memory<(UserId, ProjectId), KnownAuthority>,
    pub(super) spent: SpentCodes,
    /// Logins that are with Keystone.
    pub(super) logins: Semaphore,
    used: AtomicBool,
}

impl PeopleMemory {
    pub(crate) fn new(capacity: usize, max_age: Duration) -> Self {
        Self {
            changes: Changes::default(),
            persons: Memory::new(capacity, max_age),
            authorities: Memory::new(capacity, max_age),
            spent: SpentCodes::default(),
            logins: Semaphore::new(LOGINS_AT_ONCE),
            used: AtomicBool::new(false),
        }
    }

    /// From here on people log in.
    pub(super) fn use_it(&self) {
        self.used.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_used(&self) -> bool {
        self.used.load(Ordering::Relaxed)
    }

    pub(crate) fn revoke(&self, events: &[RevocationEvent]) {
        self.persons.revoke(events);
        self.authorities.revoke(events);
    }

    pub(crate) fn forget_all(&self) {
        self.persons.forget_all();
        self.authorities.forget_all();
    }
}
