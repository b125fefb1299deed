//! What is under way in browsers: in the memory of this process, whatever the store.
//!
//! Anybody may begin an interaction, so none is written to a disk, and each domain keeps so many and no more.

use std::collections::{BTreeMap, BTreeSet};

use parking_lot::Mutex;
use rustls_pki_types::UnixTime;
use sealstone_grants::interaction::{
    Interaction, InteractionInsertion, InteractionSwap, MAX_INTERACTIONS, MAX_INTERACTIONS_OF_PERSON,
};
use sealstone_identity::{DomainId, UserId};
use sealstone_oauth_types::TokenHash;

/// The interactions of all domains.
#[derive(Default)]
pub(crate) struct OpenInteractions(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    all: BTreeMap<TokenHash, Box<Interaction>>,
    orders: BTreeMap<DomainId, Orders>,
}

/// The interactions of one domain in the orders in which they go.
#[derive(Default)]
struct Orders {
    /// All, by when they expire.
    by_end: BTreeSet<(u64, TokenHash)>,
    /// Those that are nobody's, by when they began: the first makes room.
    strangers: BTreeSet<(u64, TokenHash)>,
    /// Those of each person, by when they began: the first makes room for the same person's.
    people: BTreeMap<UserId, BTreeSet<(u64, TokenHash)>>,
}

impl Orders {
    fn len(&self) -> u64 {
        u64::try_from(self.by_end.len()).unwrap_or(u64::MAX)
    }

    /// The oldest of this person, if they have too many.
    fn surplus(&self, person: &UserId) -> Option<TokenHash> {
        let theirs = self.people.get(person)?;
        let count = u64::try_from(theirs.len()).unwrap_or(u64::MAX);
        let (_, oldest) = theirs.first()?;
        (count > MAX_INTERACTIONS_OF_PERSON).then_some(*oldest)
    }

    fn remove(&mut self, gone: &Interaction) {
        let (id, began) = (gone.id, gone.created_at.as_secs());
        self.by_end.remove(&(gone.expires_at.as_secs(), id));
        self.strangers.remove(&(began, id));
        let Some(person) = &gone.person else { return };
        if let Some(theirs) = self.people.get_mut(person) {
            theirs.remove(&(began, id));
            if theirs.is_empty() {
                self.people.remove(person);
            }
        }
    }

    fn first_expired(&self, now: UnixTime) -> Option<TokenHash> {
        let (end, id) = self.by_end.first()?;
        (*end <= now.as_secs()).then_some(*id)
    }
}

/// Whether it is nobody's: no first factor was proved in it, and nobody has gone on with a session.
pub(crate) const fn is_strangers(interaction: &Interaction) -> bool {
    interaction.person.is_none()
        && interaction.logged_in.is_none()
        && interaction.stepped_up.is_none()
        && interaction.selected.is_none()
}

impl Kept {
    fn add(&mut self, interaction: Interaction) {
        let orders = self.orders.entry(interaction.domain.clone()).or_default();
        let (id, began) = (interaction.id, interaction.created_at.as_secs());
        orders.by_end.insert((interaction.expires_at.as_secs(), id));
        if is_strangers(&interaction) {
            orders.strangers.insert((began, id));
        }
        let mut surplus = None;
        if let Some(person) = &interaction.person {
            let theirs = orders.people.entry(person.clone()).or_default();
            theirs.insert((began, id));
            surplus = orders.surplus(person);
        }
        self.all.insert(id, Box::new(interaction));
        if let Some(oldest) = surplus {
            self.remove(&oldest);
        }
    }

    fn remove(&mut self, id: &TokenHash) {
        let Some(gone) = self.all.remove(id) else { return };
        let Some(orders) = self.orders.get_mut(&gone.domain) else {
            return;
        };
        orders.remove(&gone);
        if orders.by_end.is_empty() {
            self.orders.remove(&gone.domain);
        }
    }

    /// Forgets those of a domain that have expired. Returns how many.
    fn expire(&mut self, domain: &DomainId, now: UnixTime) -> u64 {
        let mut gone = 0_u64;
        while let Some(id) = self
            .orders
            .get(domain)
            .and_then(|orders| orders.first_expired(now))
        {
            self.remove(&id);
            gone = gone.saturating_add(1);
        }
        gone
    }

    /// Has the version, and is there.
    fn is_at(&self, id: &TokenHash, version: u64) -> bool {
        self.all.get(id).is_some_and(|stored| stored.version == version)
    }
}

impl OpenInteractions {
    pub(crate) fn insert(&self, interaction: Interaction) -> InteractionInsertion {
        let mut kept = self.0.lock();
        kept.expire(&interaction.domain, interaction.created_at);
        if let Some(orders) = kept.orders.get(&interaction.domain)
            && orders.len() >= MAX_INTERACTIONS
        {
            let Some((_, oldest)) = orders.strangers.first().copied() else {
                return InteractionInsertion::Full;
            };
            kept.remove(&oldest);
        }
        kept.add(interaction);
        InteractionInsertion::Inserted
    }

    pub(crate) fn interaction(&self, id: &TokenHash) -> Option<Box<Interaction>> {
        self.0.lock().all.get(id).cloned()
    }

    pub(crate) fn replace(&self, expected_version: u64, interaction: &Interaction) -> InteractionSwap {
        let mut kept = self.0.lock();
        let follows = interaction.version.checked_sub(1) == Some(expected_version);
        if !follows || !kept.is_at(&interaction.id, expected_version) {
            return InteractionSwap::Changed;
        }
        kept.remove(&interaction.id);
        kept.add(interaction.clone());
        InteractionSwap::Replaced
    }

    pub(crate) fn take(&self, id: &TokenHash, expected_version: u64) -> bool {
        let mut kept = self.0.lock();
        let is_there = kept.is_at(id, expected_version);
        if is_there {
            kept.remove(id);
        }
        is_there
    }

    pub(crate) fn purge(&self, now: UnixTime) -> u64 {
        let mut kept = self.0.lock();
        let domains: Vec<DomainId> = kept.orders.keys().cloned().collect();
        let gone = domains.iter().map(|domain| kept.expire(domain, now));
        gone.fold(0, u64::saturating_add)
    }
}
