//! The directory's users.

use std::{collections::btree_map::Entry, sync::Arc, time::Duration};

use async_trait::async_trait;
use rustls_pki_types::UnixTime;
use sealstone_directory::{
    DirectoryStore, DirectoryStoreError, DirectoryUser, MAX_USERS_PAGE, UserInsertion, UserName, UserRemoval,
    UserReplacement,
};
use sealstone_grants::refresh::{FamilyId, RefreshFamily};
use sealstone_identity::{DomainId, Name, UserId};
use sealstone_oauth_types::ClientId;
use sealstone_tokens::EndedClient;

use super::{MemoryStore, Records, VERSION_RULE};

impl Records {
    fn user_with(&self, domain: &DomainId, key: &str) -> Option<&Arc<DirectoryUser>> {
        let mut users = self.users.values();
        users.find(|user| user.domain() == domain && user.name().key() == key)
    }

    /// Whether another user of the domain has this one's name.
    fn is_name_taken(&self, user: &DirectoryUser) -> bool {
        let named = self.user_with(user.domain(), &user.name().key());
        named.is_some_and(|named| named.id() != user.id())
    }

    /// Ends these families. From the beginning of time, every token lives: all are revoked.
    fn end_all(&mut self, is_meant: impl Fn(&RefreshFamily) -> bool) {
        let families = self.families.values().filter(|family| is_meant(family));
        let families: Vec<FamilyId> = families.map(|family| family.id).collect();
        for family in families {
            self.end_family(&family, UnixTime::since_unix_epoch(Duration::ZERO));
        }
    }

    /// Removes what people let a client have.
    pub(super) fn forget_client(&mut self, id: &ClientId) {
        self.end_all(|family| family.grant.client_id == *id);
        self.devices.retain(|_, request| request.client_id != *id);
        self.consents.retain(|(_, _, client), _| client != id);
        self.registration_tokens.remove(id);
    }

    /// Ends what a client got, as one that is disabled.
    pub(super) fn end_client(&mut self, ended: EndedClient, domain: DomainId) {
        let id = ended.client_id.clone();
        self.end_all(|family| family.grant.client_id == id);
        self.devices.retain(|_, request| request.client_id != id);
        self.codes.retain(|_, code| code.record.grant.client_id != id);
        match self.ended_clients.entry((domain, id)) {
            Entry::Vacant(place) => {
                place.insert(ended);
            }
            Entry::Occupied(mut known) => {
                let known = known.get_mut();
                known.end = known.end.with(ended.end);
                known.forget_at = known.forget_at.max(ended.forget_at);
            }
        }
    }

    /// Removes what hangs on a user's id.
    fn forget_user(&mut self, id: &UserId) {
        self.end_all(|family| family.grant.user_id == *id);
        self.sessions.retain(|_, session| session.user_id() != id);
        let sessions = &self.sessions;
        self.session_ids.retain(|_, key| sessions.contains_key(key));
        self.factors.retain(|(_, user), _| user != id);
        self.consents.retain(|(_, user, _), _| user != id);
    }
}

#[async_trait]
impl DirectoryStore for MemoryStore {
    async fn user(&self, id: &UserId) -> Result<Option<Arc<DirectoryUser>>, DirectoryStoreError> {
        Ok(self.inner.records.read().users.get(id).cloned())
    }

    async fn user_named(
        &self,
        domain: &DomainId,
        name: &UserName,
    ) -> Result<Option<Arc<DirectoryUser>>, DirectoryStoreError> {
        Ok(self.inner.records.read().user_with(domain, &name.key()).cloned())
    }

    async fn insert_user(&self, user: DirectoryUser) -> Result<UserInsertion, DirectoryStoreError> {
        let mut records = self.inner.records.write();
        if records.users.contains_key(user.id()) {
            return Ok(UserInsertion::Exists);
        }
        if !records.domains.contains_key(user.domain()) {
            return Ok(UserInsertion::UnknownDomain);
        }
        if records.is_name_taken(&user) {
            return Ok(UserInsertion::NameTaken);
        }
        records.users.insert(user.id().clone(), Arc::new(user));
        Ok(UserInsertion::Inserted)
    }

    async fn replace_user(
        &self,
        expected_version: u64,
        user: DirectoryUser,
    ) -> Result<UserReplacement, DirectoryStoreError> {
        if user.version().checked_sub(1) != Some(expected_version) {
            return Err(DirectoryStoreError::new(VERSION_RULE));
        }
        let mut records = self.inner.records.write();
        let Some(stored) = records.users.get(user.id()) else {
            return Ok(UserReplacement::Missing);
        };
        if stored.version() != expected_version || stored.domain() != user.domain() {
            return Ok(UserReplacement::Conflict);
        }
        if records.is_name_taken(&user) {
            return Ok(UserReplacement::NameTaken);
        }
        records.users.insert(user.id().clone(), Arc::new(user));
        Ok(UserReplacement::Replaced)
    }

    async fn delete_user(&self, id: &UserId) -> Result<UserRemoval, DirectoryStoreError> {
        let mut records = self.inner.records.write();
        if records.users.remove(id).is_none() {
            return Ok(UserRemoval::Missing);
        }
        records.forget_user(id);
        self.inner.feed.add(0, 0, 1);
        Ok(UserRemoval::Removed)
    }

    async fn list_users(
        &self,
        domain: &DomainId,
        after: Option<&UserName>,
        limit: usize,
    ) -> Result<Vec<Arc<DirectoryUser>>, DirectoryStoreError> {
        let after = after.map_or_else(String::new, UserName::key);
        let records = self.inner.records.read();
        let own = records.users.values().filter(|user| user.domain() == domain);
        let mut own: Vec<Arc<DirectoryUser>> =
            own.filter(|user| user.name().key() > after).cloned().collect();
        own.sort_by_key(|user| user.name().key());
        own.truncate(limit.min(MAX_USERS_PAGE));
        Ok(own)
    }

    async fn domain_name(&self, domain: &DomainId) -> Result<Option<Name>, DirectoryStoreError> {
        let records = self.inner.records.read();
        let name = records
            .domains
            .get(domain)
            .map(|stored| Name::parse(stored.name()));
        name.transpose().map_err(DirectoryStoreError::new)
    }
}
