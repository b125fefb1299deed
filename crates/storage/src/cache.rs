//! Bounded read-through caches, kept true by the change feed.

mod own;

use std::{fmt, hash::Hash, sync::Arc};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use quick_cache::sync::Cache;
use sealstone_identity::DomainId;
use sealstone_oauth_types::ClientId;
use sealstone_registry::{
    Client, ClientStore, Domain, DomainStore, Insertion, Removal, Replacement, StoreError,
};
use tokio::sync::watch;

use own::Own;

/// Records that were read, each with the count of changes before it was read.
///
/// A record is good as long as that count is the current one. The writer publishes a new count before it answers, so
/// after an acknowledged change no older record is given; nothing needs to be swept.
struct ReadThrough<K: Send, V: Send + Sync> {
    records: Cache<K, (u64, Arc<V>)>,
    own: Own<K, V>,
    seen: ArcSwap<Seen>,
}

/// The count of changes when it was last read, with the receiver that tells whether it is still the same: to look at that
/// is no write to memory that other threads read too, as taking the lock of the count would be.
struct Seen {
    count: u64,
    changes: watch::Receiver<u64>,
}

impl Seen {
    fn of(mut changes: watch::Receiver<u64>) -> Self {
        let count = *changes.borrow_and_update();
        Self { count, changes }
    }
}

impl<K: Clone + Eq + Hash + Send, V: Clone + Send + Sync> ReadThrough<K, V> {
    fn new(changes: watch::Receiver<u64>, capacity: usize) -> Self {
        Self {
            records: Cache::new(capacity.max(1)),
            own: Own::new(),
            seen: ArcSwap::from_pointee(Seen::of(changes)),
        }
    }

    /// The current count; `None` once nobody counts any more, and then nothing may be trusted.
    fn count(&self) -> Option<u64> {
        let seen = self.seen.load();
        if !seen.changes.has_changed().ok()? {
            return Some(seen.count);
        }
        // Of two threads that come here the one with the older count may be the last: it will look anew.
        let now = Seen::of(seen.changes.clone());
        let count = now.count;
        self.seen.store(Arc::new(now));
        Some(count)
    }

    fn get(&self, key: &K, count: Option<u64>) -> Option<Arc<V>> {
        let count = count?;
        if let Some(copy) = self.own.get(key, count) {
            return Some(copy);
        }
        let (read_at, record) = self.records.get(key)?;
        if read_at != count {
            return None;
        }
        self.own.given(key, count, &record);
        Some(record)
    }

    /// Keeps what was read; `count` is the one from before the reading. An absent record is not kept: an outsider
    /// can name any number of them.
    fn keep(&self, key: &K, count: Option<u64>, record: Option<&Arc<V>>) {
        match (count, record) {
            (Some(count), Some(record)) => self.records.insert(key.clone(), (count, Arc::clone(record))),
            (_, None) | (None, _) => {
                self.records.remove(key);
            }
        }
    }
}

/// A [`ClientStore`] that remembers the clients it has read: a warm read asks the store behind it nothing.
///
/// At most `capacity` clients are kept, whatever is asked for, and no absent one: ids that do not exist cost a read
/// each and no memory.
///
/// # Security
/// `changes` must rise before a change is acknowledged, as [`MemoryStore::client_changes`](crate::MemoryStore) and
/// `SqlStore::client_changes` do: else a disabled client keeps its rights until something else changes. When the feed
/// ends, the cache is passed by.
///
/// # Examples
/// ```
/// # use std::sync::Arc;
/// # use sealstone_oauth_types::ClientId;
/// # use sealstone_registry::ClientStore;
/// # use sealstone_storage::{CachedClients, MemoryStore};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let store = MemoryStore::new();
/// let cached = CachedClients::new(Arc::new(store.clone()), store.client_changes(), 10_000);
/// assert!(cached.client(&ClientId::parse("nobody")?).await?.is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct CachedClients {
    store: Arc<dyn ClientStore>,
    cache: ReadThrough<ClientId, Client>,
}

impl CachedClients {
    /// A cache of at most `capacity` clients (at least one) over `store`, which announces its changes by `changes`.
    #[must_use]
    pub fn new(store: Arc<dyn ClientStore>, changes: watch::Receiver<u64>, capacity: usize) -> Self {
        Self {
            store,
            cache: ReadThrough::new(changes, capacity),
        }
    }

    /// How many clients are kept now, current ones and outdated ones.
    #[must_use]
    pub fn len(&self) -> usize {
        self.cache.records.len()
    }

    /// Whether none is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.cache.records.is_empty()
    }
}

impl fmt::Debug for CachedClients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedClients")
            .field("kept", &self.len())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl ClientStore for CachedClients {
    async fn client(&self, id: &ClientId) -> Result<Option<Arc<Client>>, StoreError> {
        let count = self.cache.count();
        if let Some(client) = self.cache.get(id, count) {
            return Ok(Some(client));
        }
        let client = self.store.client(id).await?;
        self.cache.keep(id, count, client.as_ref());
        Ok(client)
    }

    fn remembered(&self, id: &ClientId) -> Option<Arc<Client>> {
        self.cache.get(id, self.cache.count())
    }

    async fn insert(&self, client: Client) -> Result<Insertion, StoreError> {
        self.store.insert(client).await
    }

    async fn replace(&self, expected_version: u64, client: Client) -> Result<Replacement, StoreError> {
        self.store.replace(expected_version, client).await
    }

    async fn delete(&self, id: &ClientId) -> Result<Removal, StoreError> {
        self.store.delete(id).await
    }

    async fn list(
        &self,
        domain: &DomainId,
        after: Option<&ClientId>,
        limit: usize,
    ) -> Result<Vec<Arc<Client>>, StoreError> {
        self.store.list(domain, after, limit).await
    }
}

/// A [`DomainStore`] that remembers the domains it has read, as [`CachedClients`] does clients.
pub struct CachedDomains {
    store: Arc<dyn DomainStore>,
    cache: ReadThrough<DomainId, Domain>,
}

impl CachedDomains {
    /// A cache of at most `capacity` domains (at least one) over `store`, which announces its changes by `changes`.
    #[must_use]
    pub fn new(store: Arc<dyn DomainStore>, changes: watch::Receiver<u64>, capacity: usize) -> Self {
        Self {
            store,
            cache: ReadThrough::new(changes, capacity),
        }
    }
}

impl fmt::Debug for CachedDomains {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedDomains")
            .field("kept", &self.cache.records.len())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl DomainStore for CachedDomains {
    async fn domain(&self, id: &DomainId) -> Result<Option<Arc<Domain>>, StoreError> {
        let count = self.cache.count();
        if let Some(domain) = self.cache.get(id, count) {
            return Ok(Some(domain));
        }
        let domain = self.store.domain(id).await?;
        self.cache.keep(id, count, domain.as_ref());
        Ok(domain)
    }

    async fn insert_domain(&self, domain: Domain) -> Result<Insertion, StoreError> {
        self.store.insert_domain(domain).await
    }

    async fn replace_domain(&self, domain: Domain) -> Result<Replacement, StoreError> {
        self.store.replace_domain(domain).await
    }

    async fn list_domains(
        &self,
        after: Option<&DomainId>,
        limit: usize,
    ) -> Result<Vec<Arc<Domain>>, StoreError> {
        self.store.list_domains(after, limit).await
    }
}

#[cfg(test)]
mod tests;
