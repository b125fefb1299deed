//! Authorization codes and the refresh families that they begin.

use async_trait::async_trait;
use rustls_pki_types::UnixTime;
use sealstone_grants::{
    GrantStoreError, IssuedToken,
    code::{CodeRecord, CodeState, CodeStore, Produced, Redeemed, Redemption, Spending, StoredCode},
    refresh::{
        EndedFamily, Ending, FamilyId, FamilyLifetime, MAX_FAMILIES_AT_CLIENT, RefreshFamily,
        RefreshRotation, RefreshStore, Rotation,
    },
};
use sealstone_identity::{DomainId, UserId};
use sealstone_oauth_types::TokenHash;

use super::{MemoryStore, Records, TAKEN};
use crate::{
    bounds::page_limit,
    ended::{ended, produced},
};

impl Records {
    /// Ends a family and revokes what of it lives.
    pub(super) fn end_family(&mut self, id: &FamilyId, now: UnixTime) -> Option<EndedFamily> {
        let family = self.families.remove(id)?;
        let domain = family.grant.domain.clone();
        let ended = ended(family, now);
        for token in &ended.revoked {
            self.revoke_token(&domain, token);
        }
        Some(ended)
    }

    pub(super) fn revoke_token(&mut self, domain: &DomainId, token: &IssuedToken) {
        let key = (domain.clone(), token.token_id.clone());
        let expires_at = self.revoked.entry(key).or_insert(token.expires_at);
        *expires_at = (*expires_at).max(token.expires_at);
    }

    /// Ends what a code, or a device code, gave.
    pub(super) fn end_produced(&mut self, domain: &DomainId, produced: Produced, now: UnixTime) -> Spending {
        let family = produced.family.and_then(|id| self.end_family(&id, now));
        let revoked = produced.token.filter(|token| token.is_live(now));
        if let Some(token) = &revoked {
            self.revoke_token(domain, token);
        }
        Spending { family, revoked }
    }

    /// Keeps the family of a redemption and tells what it gave. Fails, having done nothing, if the family is there.
    pub(super) fn begin(
        &mut self,
        redemption: &Redemption,
        now: UnixTime,
    ) -> Result<Produced, GrantStoreError> {
        if let Some(family) = &redemption.family {
            if self.families.contains_key(&family.id) {
                return Err(GrantStoreError::new(TAKEN));
            }
            self.families.insert(family.id, family.clone());
            self.make_room_for(family, now);
        }
        Ok(produced(redemption))
    }
}

impl Records {
    /// Ends what the person has too many of at the client.
    fn make_room_for(&mut self, new: &RefreshFamily, now: UnixTime) {
        let is_beside = |family: &&RefreshFamily| {
            let (own, other) = (&new.grant, &family.grant);
            let is_same = own.user_id == other.user_id && own.client_id == other.client_id;
            is_same && own.domain == other.domain && family.id != new.id
        };
        let mut beside: Vec<_> = self
            .families
            .values()
            .filter(is_beside)
            .map(|family| (family.expires_at(), family.created_at, family.id))
            .collect();
        beside.sort_unstable_by(|one, other| other.cmp(one));
        for (.., id) in beside.into_iter().skip(MAX_FAMILIES_AT_CLIENT.saturating_sub(1)) {
            self.end_family(&id, now);
        }
    }
}

impl MemoryStore {
    /// Spends a fresh code by what `begin` does, or ends what a spent one gave.
    fn spend_by(
        &self,
        hash: &TokenHash,
        now: UnixTime,
        begin: impl FnOnce(&mut Records) -> Result<Produced, GrantStoreError>,
    ) -> Result<Redeemed, GrantStoreError> {
        let mut records = self.inner.records.write();
        let Some(code) = records.codes.get(hash) else {
            return Ok(Redeemed::Unknown);
        };
        match &code.state {
            CodeState::Fresh => {
                let revoked = records.revoked.len();
                let produced = begin(&mut records)?;
                if let Some(code) = records.codes.get_mut(hash) {
                    code.state = CodeState::Spent(produced);
                }
                if records.revoked.len() > revoked {
                    self.inner.feed.add(0, 0, 1);
                }
                Ok(Redeemed::Done)
            }
            CodeState::Spent(produced) => {
                let (domain, produced) = (code.record.grant.domain.clone(), produced.clone());
                let spending = records.end_produced(&domain, produced, now);
                self.inner.feed.add(0, 0, 1);
                Ok(Redeemed::Spent(spending))
            }
        }
    }
}

#[async_trait]
impl CodeStore for MemoryStore {
    async fn insert_code(&self, code: CodeRecord) -> Result<(), GrantStoreError> {
        let mut records = self.inner.records.write();
        if records.codes.contains_key(&code.hash) {
            return Err(GrantStoreError::new(TAKEN));
        }
        let (hash, state) = (code.hash, CodeState::Fresh);
        records.codes.insert(hash, StoredCode { record: code, state });
        Ok(())
    }

    async fn code(&self, hash: &TokenHash) -> Result<Option<Box<StoredCode>>, GrantStoreError> {
        Ok(self.inner.records.read().codes.get(hash).cloned().map(Box::new))
    }

    async fn redeem(
        &self,
        hash: &TokenHash,
        redemption: &Redemption,
        now: UnixTime,
    ) -> Result<Redeemed, GrantStoreError> {
        self.spend_by(hash, now, |records| records.begin(redemption, now))
    }

    async fn spend(&self, hash: &TokenHash, now: UnixTime) -> Result<Redeemed, GrantStoreError> {
        self.spend_by(hash, now, |_| Ok(Produced::default()))
    }

    async fn purge_codes(&self, now: UnixTime) -> Result<u64, GrantStoreError> {
        let mut records = self.inner.records.write();
        let before = records.codes.len();
        records.codes.retain(|_, code| code.record.forget_at > now);
        Ok(super::gone(before, records.codes.len()))
    }
}

fn is_meant(which: &Ending<'_>, family: &RefreshFamily) -> bool {
    let grant = &family.grant;
    match which {
        Ending::Family(id) => family.id == **id,
        Ending::Session { domain, sid } => {
            family.lifetime == FamilyLifetime::Session
                && grant.domain == **domain
                && grant.sid.as_ref() == Some(sid)
        }
        Ending::User { domain, user_id } => grant.domain == **domain && grant.user_id == **user_id,
        Ending::UserAtClient {
            domain,
            user_id,
            client_id,
        } => grant.domain == **domain && grant.user_id == **user_id && grant.client_id == **client_id,
        Ending::Client(client_id) => grant.client_id == **client_id,
    }
}

#[async_trait]
impl RefreshStore for MemoryStore {
    async fn family(&self, id: &FamilyId) -> Result<Option<Box<RefreshFamily>>, GrantStoreError> {
        Ok(self.inner.records.read().families.get(id).cloned().map(Box::new))
    }

    async fn rotate(&self, rotation: &RefreshRotation) -> Result<Rotation, GrantStoreError> {
        let mut records = self.inner.records.write();
        let Some(family) = records.families.get_mut(&rotation.next.id) else {
            return Ok(Rotation::Ended);
        };
        let Some((next, revoked)) = rotation.onto(family) else {
            return Ok(Rotation::Changed(Box::new(family.clone())));
        };
        *family = next;
        for token in &revoked {
            records.revoke_token(&rotation.next.grant.domain, token);
        }
        if !revoked.is_empty() {
            self.inner.feed.add(0, 0, 1);
        }
        Ok(Rotation::Rotated)
    }

    async fn end(&self, which: Ending<'_>, now: UnixTime) -> Result<Vec<EndedFamily>, GrantStoreError> {
        let mut records = self.inner.records.write();
        let families = records.families.values();
        let meant: Vec<FamilyId> = families
            .filter(|family| is_meant(&which, family))
            .map(|family| family.id)
            .collect();
        let ended: Vec<EndedFamily> = meant
            .iter()
            .filter_map(|id| records.end_family(id, now))
            .collect();
        if !ended.is_empty() {
            self.inner.feed.add(0, 0, 1);
        }
        Ok(ended)
    }

    async fn families_of(
        &self,
        domain: &DomainId,
        user_id: &UserId,
        limit: usize,
    ) -> Result<Vec<RefreshFamily>, GrantStoreError> {
        let records = self.inner.records.read();
        let families = records.families.values();
        let own =
            families.filter(|family| family.grant.domain == *domain && family.grant.user_id == *user_id);
        let mut own: Vec<RefreshFamily> = own.cloned().collect();
        own.sort_by_key(|family| std::cmp::Reverse(family.created_at));
        own.truncate(page_limit(limit));
        Ok(own)
    }

    async fn purge_families(&self, now: UnixTime) -> Result<u64, GrantStoreError> {
        let mut records = self.inner.records.write();
        let before = records.families.len();
        records.families.retain(|_, family| family.expires_at() > now);
        Ok(super::gone(before, records.families.len()))
    }
}
