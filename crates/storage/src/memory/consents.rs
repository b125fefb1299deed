//! Consents, interactions and notices of back-channel logout.

use async_trait::async_trait;
use rustls_pki_types::UnixTime;
use sealstone_grants::{
    GrantStoreError,
    consent::{Consent, ConsentStore},
    interaction::{Interaction, InteractionInsertion, InteractionStore, InteractionSwap},
    logout::{LogoutNotice, LogoutStore, MAX_NOTICES, NOTICE_LEASE},
};
use sealstone_identity::{DomainId, UserId};
use sealstone_oauth_types::{ClientId, TokenHash, TokenId};

use super::{MemoryStore, TAKEN};
use crate::bounds::{later, page_limit};

#[async_trait]
impl ConsentStore for MemoryStore {
    async fn consent(
        &self,
        domain: &DomainId,
        user_id: &UserId,
        client_id: &ClientId,
    ) -> Result<Option<Consent>, GrantStoreError> {
        let key = (domain.clone(), user_id.clone(), client_id.clone());
        Ok(self.inner.records.read().consents.get(&key).cloned())
    }

    async fn put_consent(&self, consent: &Consent) -> Result<(), GrantStoreError> {
        let key = (
            consent.domain.clone(),
            consent.user_id.clone(),
            consent.client_id.clone(),
        );
        self.inner.records.write().consents.insert(key, consent.clone());
        Ok(())
    }

    async fn consents_of(
        &self,
        domain: &DomainId,
        user_id: &UserId,
        limit: usize,
    ) -> Result<Vec<Consent>, GrantStoreError> {
        let records = self.inner.records.read();
        let consents = records.consents.values();
        let own = consents.filter(|consent| consent.domain == *domain && consent.user_id == *user_id);
        Ok(own.take(page_limit(limit)).cloned().collect())
    }

    async fn remove_consent(
        &self,
        domain: &DomainId,
        user_id: &UserId,
        client_id: &ClientId,
    ) -> Result<bool, GrantStoreError> {
        let key = (domain.clone(), user_id.clone(), client_id.clone());
        Ok(self.inner.records.write().consents.remove(&key).is_some())
    }
}

#[async_trait]
impl InteractionStore for MemoryStore {
    async fn insert_interaction(
        &self,
        interaction: Interaction,
    ) -> Result<InteractionInsertion, GrantStoreError> {
        Ok(self.inner.interactions.insert(interaction))
    }

    async fn interaction(&self, id: &TokenHash) -> Result<Option<Box<Interaction>>, GrantStoreError> {
        Ok(self.inner.interactions.interaction(id))
    }

    async fn replace_interaction(
        &self,
        expected_version: u64,
        interaction: &Interaction,
    ) -> Result<InteractionSwap, GrantStoreError> {
        Ok(self.inner.interactions.replace(expected_version, interaction))
    }

    async fn take_interaction(&self, id: &TokenHash, expected_version: u64) -> Result<bool, GrantStoreError> {
        Ok(self.inner.interactions.take(id, expected_version))
    }

    async fn purge_interactions(&self, now: UnixTime) -> Result<u64, GrantStoreError> {
        Ok(self.inner.interactions.purge(now))
    }
}

/// A notice, and from when it may be taken.
pub(super) struct Waiting {
    notice: LogoutNotice,
    due_at: UnixTime,
}

impl Waiting {
    fn new(notice: &LogoutNotice) -> Self {
        Self {
            notice: notice.clone(),
            due_at: notice.due_at,
        }
    }
}

#[async_trait]
impl LogoutStore for MemoryStore {
    async fn insert_notices(&self, notices: &[LogoutNotice]) -> Result<u64, GrantStoreError> {
        let mut records = self.inner.records.write();
        if notices
            .iter()
            .any(|notice| records.notices.contains_key(&notice.id))
        {
            return Err(GrantStoreError::new(TAKEN));
        }
        let mut dropped = 0_u64;
        for notice in notices {
            if u64::try_from(records.notices.len()).unwrap_or(u64::MAX) >= MAX_NOTICES {
                dropped = dropped.saturating_add(1);
            } else {
                records.notices.insert(notice.id.clone(), Waiting::new(notice));
            }
        }
        self.inner.feed.add_notices();
        Ok(dropped)
    }

    async fn take_due(&self, now: UnixTime, limit: usize) -> Result<Vec<LogoutNotice>, GrantStoreError> {
        let mut records = self.inner.records.write();
        let mut due: Vec<&mut Waiting> = records
            .notices
            .values_mut()
            .filter(|waiting| waiting.due_at <= now)
            .collect();
        due.sort_by_key(|waiting| waiting.due_at);
        due.truncate(page_limit(limit));
        let taken = due.into_iter().map(|waiting| {
            waiting.due_at = later(now, NOTICE_LEASE);
            waiting.notice.clone()
        });
        Ok(taken.collect())
    }

    async fn remove_notice(&self, id: &TokenId) -> Result<(), GrantStoreError> {
        self.inner.records.write().notices.remove(id);
        Ok(())
    }

    async fn postpone_notice(&self, notice: &LogoutNotice) -> Result<(), GrantStoreError> {
        if let Some(waiting) = self.inner.records.write().notices.get_mut(&notice.id) {
            *waiting = Waiting::new(notice);
        }
        Ok(())
    }

    async fn next_due(&self) -> Result<Option<UnixTime>, GrantStoreError> {
        let records = self.inner.records.read();
        Ok(records.notices.values().map(|waiting| waiting.due_at).min())
    }
}
