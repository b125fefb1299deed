//! The ports in memory: for tests, and for programs that keep nothing.

mod codes;
mod consents;
mod devices;
mod directory;
mod key_requests;
mod logins;
mod registration;

use std::{
    collections::{BTreeMap, btree_map::Entry},
    fmt,
    ops::Bound,
    sync::Arc,
};

use async_trait::async_trait;
use parking_lot::RwLock;
use rustls_pki_types::UnixTime;
use sealstone_directory::DirectoryUser;
use sealstone_grants::{
    assertion::{AssertionStore, AssertionStoreError, AssertionUse, MAX_USED_ASSERTIONS, UsedAssertion},
    code::StoredCode,
    consent::Consent,
    device::DeviceRequest,
    refresh::{FamilyId, RefreshFamily},
};
use sealstone_identity::{DomainId, UserId};
use sealstone_keyring::{KeyRequest, KeyStore, KeyStoreError, Replaced, StoredRing};
use sealstone_login::{Session, Sid, Throttle, UserFactors};
use sealstone_oauth_types::{ClientId, TokenHash, TokenId};
use sealstone_registry::{
    Client, ClientStore, Domain, DomainStore, InitialToken, Insertion, MAX_PAGE, Removal, Replacement,
    StoreError,
};
use sealstone_tokens::{EndedClient, RevocationStore, RevocationStoreError, RevokedToken};
use tokio::sync::watch;

use self::consents::Waiting;
use crate::{
    ended::ended_client,
    feed::{Counts, Feed},
    interactions::OpenInteractions,
};

/// The rule that both stores hold [`ClientStore::replace`] to.
pub(crate) const VERSION_RULE: &str = "the new record's version must be the one after the expected version";
/// The rule that both stores hold [`KeyStore::replace`] to.
pub(crate) const GENERATION_RULE: &str = "the new ring's generation must be above the expected one";

/// What is told of an id that is there already: ids are random, so it would be a fault of the caller.
const TAKEN: &str = "there is a record with this id already";

/// Everything that a server keeps, in memory. A clone is the same store.
///
/// # Security
/// Nothing is durable: what is acknowledged is gone when the process ends. Not for a server that people rely on.
#[derive(Clone)]
pub struct MemoryStore {
    inner: Arc<Inner>,
}

struct Inner {
    records: RwLock<Records>,
    interactions: OpenInteractions,
    feed: Feed,
}

#[derive(Default)]
struct Records {
    domains: BTreeMap<DomainId, Arc<Domain>>,
    clients: BTreeMap<ClientId, Arc<Client>>,
    rings: BTreeMap<String, StoredRing>,
    /// With who confirmed each.
    key_requests: Vec<(KeyRequest, Option<String>)>,
    revoked: BTreeMap<(DomainId, TokenId), UnixTime>,
    ended_clients: BTreeMap<(DomainId, ClientId), EndedClient>,
    initial_tokens: BTreeMap<TokenHash, InitialToken>,
    registration_tokens: BTreeMap<ClientId, TokenHash>,
    used_assertions: BTreeMap<ClientId, BTreeMap<String, UnixTime>>,
    codes: BTreeMap<TokenHash, StoredCode>,
    families: BTreeMap<FamilyId, RefreshFamily>,
    devices: BTreeMap<TokenHash, DeviceRequest>,
    consents: BTreeMap<(DomainId, UserId, ClientId), Consent>,
    notices: BTreeMap<TokenId, Waiting>,
    sessions: BTreeMap<(DomainId, Sid), Session>,
    session_ids: BTreeMap<TokenHash, (DomainId, Sid)>,
    factors: BTreeMap<(DomainId, UserId), UserFactors>,
    throttles: BTreeMap<TokenHash, Throttle>,
    users: BTreeMap<UserId, Arc<DirectoryUser>>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        let feed = Feed::new(Counts::default());
        Self {
            inner: Arc::new(Inner {
                records: RwLock::new(Records::default()),
                interactions: OpenInteractions::default(),
                feed,
            }),
        }
    }

    /// Rises with every change of anything, before the change is acknowledged.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.inner.feed.all()
    }

    /// Rises with every change of a client or a domain.
    #[must_use]
    pub fn client_changes(&self) -> watch::Receiver<u64> {
        self.inner.feed.clients()
    }

    /// Rises with every change of a key ring.
    #[must_use]
    pub fn key_ring_changes(&self) -> watch::Receiver<u64> {
        self.inner.feed.key_rings()
    }

    /// Rises with every revocation, and when revocations are forgotten.
    #[must_use]
    pub fn revocation_changes(&self) -> watch::Receiver<u64> {
        self.inner.feed.revocations()
    }

    /// Rises when notices of back-channel logout were kept.
    #[must_use]
    pub fn notice_changes(&self) -> watch::Receiver<u64> {
        self.inner.feed.notices()
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryStore")
    }
}

/// How many there are fewer.
fn gone(before: usize, after: usize) -> u64 {
    u64::try_from(before.saturating_sub(after)).unwrap_or(u64::MAX)
}

#[async_trait]
impl ClientStore for MemoryStore {
    async fn client(&self, id: &ClientId) -> Result<Option<Arc<Client>>, StoreError> {
        Ok(self.inner.records.read().clients.get(id).cloned())
    }

    async fn insert(&self, client: Client) -> Result<Insertion, StoreError> {
        let mut records = self.inner.records.write();
        let known = records.domains.contains_key(client.domain());
        let Entry::Vacant(place) = records.clients.entry(client.id().clone()) else {
            return Ok(Insertion::Exists);
        };
        if !known {
            return Ok(Insertion::UnknownDomain);
        }
        place.insert(Arc::new(client));
        self.inner.feed.add(1, 0, 0);
        Ok(Insertion::Inserted)
    }

    async fn replace(&self, expected_version: u64, client: Client) -> Result<Replacement, StoreError> {
        if client.version().checked_sub(1) != Some(expected_version) {
            return Err(StoreError::Misuse { reason: VERSION_RULE });
        }
        let mut records = self.inner.records.write();
        let Some(stored) = records.clients.get_mut(client.id()) else {
            return Ok(Replacement::Missing);
        };
        if stored.version() != expected_version || stored.domain() != client.domain() {
            return Ok(Replacement::Conflict);
        }
        let stored_domain = client.domain().clone();
        let ended = ended_client(&client);
        *stored = Arc::new(client);
        let revocations = u64::from(ended.is_some());
        if let Some(ended) = ended {
            records.end_client(ended, stored_domain);
        }
        self.inner.feed.add(1, 0, revocations);
        Ok(Replacement::Replaced)
    }

    async fn delete(&self, id: &ClientId) -> Result<Removal, StoreError> {
        let mut records = self.inner.records.write();
        if records.clients.remove(id).is_none() {
            return Ok(Removal::Missing);
        }
        records.forget_client(id);
        self.inner.feed.add(1, 0, 1);
        Ok(Removal::Removed)
    }

    async fn list(
        &self,
        domain: &DomainId,
        after: Option<&ClientId>,
        limit: usize,
    ) -> Result<Vec<Arc<Client>>, StoreError> {
        let after = after.map_or(Bound::Unbounded, Bound::Excluded);
        let records = self.inner.records.read();
        let behind = records.clients.range::<ClientId, _>((after, Bound::Unbounded));
        let own = behind.filter(|(_, client)| client.domain() == domain);
        Ok(own
            .take(limit.min(MAX_PAGE))
            .map(|(_, client)| Arc::clone(client))
            .collect())
    }
}

#[async_trait]
impl DomainStore for MemoryStore {
    async fn domain(&self, id: &DomainId) -> Result<Option<Arc<Domain>>, StoreError> {
        Ok(self.inner.records.read().domains.get(id).cloned())
    }

    async fn insert_domain(&self, domain: Domain) -> Result<Insertion, StoreError> {
        let mut records = self.inner.records.write();
        let Entry::Vacant(place) = records.domains.entry(domain.id().clone()) else {
            return Ok(Insertion::Exists);
        };
        place.insert(Arc::new(domain));
        self.inner.feed.add(1, 0, 0);
        Ok(Insertion::Inserted)
    }

    async fn replace_domain(&self, domain: Domain) -> Result<Replacement, StoreError> {
        let mut records = self.inner.records.write();
        let Some(stored) = records.domains.get_mut(domain.id()) else {
            return Ok(Replacement::Missing);
        };
        *stored = Arc::new(domain);
        self.inner.feed.add(1, 0, 0);
        Ok(Replacement::Replaced)
    }

    async fn list_domains(
        &self,
        after: Option<&DomainId>,
        limit: usize,
    ) -> Result<Vec<Arc<Domain>>, StoreError> {
        let after = after.map_or(Bound::Unbounded, Bound::Excluded);
        let records = self.inner.records.read();
        let behind = records.domains.range::<DomainId, _>((after, Bound::Unbounded));
        Ok(behind
            .take(limit.min(MAX_PAGE))
            .map(|(_, domain)| Arc::clone(domain))
            .collect())
    }
}

#[async_trait]
impl KeyStore for MemoryStore {
    async fn load(&self, domain: &str) -> Result<Option<StoredRing>, KeyStoreError> {
        Ok(self.inner.records.read().rings.get(domain).cloned())
    }

    async fn replace(
        &self,
        domain: &str,
        expected_generation: Option<u64>,
        ring: &StoredRing,
    ) -> Result<Replaced, KeyStoreError> {
        if ring.generation <= expected_generation.unwrap_or(0) {
            return Err(KeyStoreError::unavailable(GENERATION_RULE));
        }
        let mut records = self.inner.records.write();
        if records.rings.get(domain).map(|stored| stored.generation) != expected_generation {
            return Ok(Replaced::Conflict);
        }
        records.rings.insert(domain.to_owned(), ring.clone());
        self.inner.feed.add(0, 1, 0);
        Ok(Replaced::Done)
    }

    async fn domains(&self) -> Result<Vec<String>, KeyStoreError> {
        Ok(self.inner.records.read().rings.keys().cloned().collect())
    }
}

#[async_trait]
impl RevocationStore for MemoryStore {
    async fn revoke(&self, domain: &DomainId, token: &RevokedToken) -> Result<(), RevocationStoreError> {
        let mut records = self.inner.records.write();
        let expires_at = records
            .revoked
            .entry((domain.clone(), token.token_id.clone()))
            .or_insert(token.expires_at);
        *expires_at = (*expires_at).max(token.expires_at);
        self.inner.feed.add(0, 0, 1);
        Ok(())
    }

    async fn revoked(
        &self,
        domain: &DomainId,
        now: UnixTime,
    ) -> Result<Vec<RevokedToken>, RevocationStoreError> {
        let records = self.inner.records.read();
        let own = records
            .revoked
            .iter()
            .filter(|((of, _), end)| of == domain && **end > now);
        Ok(own
            .map(|((_, token_id), end)| RevokedToken {
                token_id: token_id.clone(),
                expires_at: *end,
            })
            .collect())
    }

    async fn ended_clients(
        &self,
        domain: &DomainId,
        now: UnixTime,
    ) -> Result<Vec<EndedClient>, RevocationStoreError> {
        let records = self.inner.records.read();
        let own = records.ended_clients.iter();
        let own = own.filter(|((of, _), ended)| of == domain && ended.forget_at > now);
        Ok(own.map(|(_, ended)| ended.clone()).collect())
    }

    async fn purge(&self, now: UnixTime) -> Result<u64, RevocationStoreError> {
        let mut records = self.inner.records.write();
        let before = records.revoked.len().saturating_add(records.ended_clients.len());
        records.revoked.retain(|_, end| *end > now);
        records.ended_clients.retain(|_, ended| ended.forget_at > now);
        let after = records.revoked.len().saturating_add(records.ended_clients.len());
        let gone = gone(before, after);
        if gone > 0 {
            self.inner.feed.add(0, 0, 1);
        }
        Ok(gone)
    }
}

#[async_trait]
impl AssertionStore for MemoryStore {
    async fn use_once(&self, assertion: &UsedAssertion) -> Result<AssertionUse, AssertionStoreError> {
        let mut records = self.inner.records.write();
        let own = records
            .used_assertions
            .entry(assertion.client_id.clone())
            .or_default();
        if own.contains_key(&assertion.id) {
            return Ok(AssertionUse::Again);
        }
        if u64::try_from(own.len()).unwrap_or(u64::MAX) >= MAX_USED_ASSERTIONS {
            return Ok(AssertionUse::TooMany);
        }
        own.insert(assertion.id.clone(), assertion.forget_at);
        Ok(AssertionUse::First)
    }

    async fn purge_assertions(&self, now: UnixTime) -> Result<u64, AssertionStoreError> {
        let mut records = self.inner.records.write();
        let mut gone = 0_usize;
        records.used_assertions.retain(|_, own| {
            let before = own.len();
            own.retain(|_, forget_at| *forget_at > now);
            gone = gone.saturating_add(before.saturating_sub(own.len()));
            !own.is_empty()
        });
        Ok(u64::try_from(gone).unwrap_or(u64::MAX))
    }
}
