//! Initial and registration access tokens in memory.

use async_trait::async_trait;
use rustls_pki_types::UnixTime;
use sealstone_identity::DomainId;
use sealstone_oauth_types::{ClientId, TokenHash};
use sealstone_registry::{
    Client, InitialToken, InitialTokenId, Insertion, MAX_INITIAL_TOKENS, Registered, RegistrationStore,
    Removal, StoreError,
};
use std::sync::Arc;

use super::{MemoryStore, gone};

#[async_trait]
impl RegistrationStore for MemoryStore {
    async fn insert_initial_token(&self, token: &InitialToken) -> Result<Insertion, StoreError> {
        let mut records = self.inner.records.write();
        if !records.domains.contains_key(&token.domain) {
            return Ok(Insertion::UnknownDomain);
        }
        let own = records
            .initial_tokens
            .values()
            .filter(|kept| kept.domain == token.domain);
        if own.count() >= MAX_INITIAL_TOKENS || records.initial_tokens.contains_key(&token.hash) {
            return Ok(Insertion::Exists);
        }
        records.initial_tokens.insert(token.hash, token.clone());
        Ok(Insertion::Inserted)
    }

    async fn initial_token(&self, hash: &TokenHash) -> Result<Option<InitialToken>, StoreError> {
        Ok(self.inner.records.read().initial_tokens.get(hash).cloned())
    }

    async fn initial_tokens(&self, domain: &DomainId) -> Result<Vec<InitialToken>, StoreError> {
        let records = self.inner.records.read();
        let own = records
            .initial_tokens
            .values()
            .filter(|token| token.domain == *domain);
        let mut own: Vec<InitialToken> = own.cloned().collect();
        own.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(own)
    }

    async fn remove_initial_token(
        &self,
        domain: &DomainId,
        id: &InitialTokenId,
    ) -> Result<Removal, StoreError> {
        let tokens = &mut self.inner.records.write().initial_tokens;
        let before = tokens.len();
        tokens.retain(|_, token| token.domain != *domain || token.id != *id);
        Ok(if tokens.len() < before {
            Removal::Removed
        } else {
            Removal::Missing
        })
    }

    async fn register(
        &self,
        client: Client,
        registration_token: &TokenHash,
        spent: &TokenHash,
        now: UnixTime,
    ) -> Result<Registered, StoreError> {
        let mut records = self.inner.records.write();
        if records.clients.contains_key(client.id()) {
            return Ok(Registered::Exists);
        }
        if !records.domains.contains_key(client.domain()) {
            return Ok(Registered::UnknownDomain);
        }
        let token = records.initial_tokens.get_mut(spent);
        let Some(token) = token.filter(|token| token.is_good(client.domain(), now)) else {
            return Ok(Registered::TokenSpent);
        };
        token.uses_left = token.uses_left.saturating_sub(1);
        let id = client.id().clone();
        records
            .registration_tokens
            .insert(id.clone(), *registration_token);
        records.clients.insert(id, Arc::new(client));
        self.inner.feed.add(1, 0, 0);
        Ok(Registered::Registered)
    }

    async fn registration_token(&self, client: &ClientId) -> Result<Option<TokenHash>, StoreError> {
        let records = self.inner.records.read();
        Ok(records.registration_tokens.get(client).copied())
    }

    async fn purge_initial_tokens(&self, now: UnixTime) -> Result<u64, StoreError> {
        let tokens = &mut self.inner.records.write().initial_tokens;
        let before = tokens.len();
        tokens.retain(|_, token| token.uses_left > 0 && token.expires_at > now);
        Ok(gone(before, tokens.len()))
    }
}
