//! Sessions, second factors, and counts of guesses.

use std::collections::BTreeMap;
use std::ops::Bound;

use async_trait::async_trait;
use rustls_pki_types::UnixTime;
use sealstone_identity::{DomainId, UserId};
use sealstone_login::{
    FactorStore, Judged, LoginStoreError, MAX_SESSIONS_PAGE, MAX_THROTTLES, MustWait, Session, SessionStore,
    Sid, Swap, Throttle, ThrottleKey, ThrottleStore, UserFactors,
};
use sealstone_oauth_types::TokenHash;

use super::{MemoryStore, Records, TAKEN};

impl Records {
    fn session_by_id(&self, id: &TokenHash) -> Option<&Session> {
        self.sessions.get(self.session_ids.get(id)?)
    }

    fn remove_session(&mut self, key: &(DomainId, Sid)) -> Option<Session> {
        let gone = self.sessions.remove(key)?;
        self.session_ids.remove(&gone.id());
        Some(gone)
    }
}

fn key_of(session: &Session) -> (DomainId, Sid) {
    (session.domain().clone(), session.sid().clone())
}

#[async_trait]
impl SessionStore for MemoryStore {
    async fn insert_session(&self, session: &Session) -> Result<(), LoginStoreError> {
        let mut records = self.inner.records.write();
        let key = key_of(session);
        if records.sessions.contains_key(&key) || records.session_ids.contains_key(&session.id()) {
            return Err(LoginStoreError::new(TAKEN));
        }
        records.session_ids.insert(session.id(), key.clone());
        records.sessions.insert(key, session.clone());
        Ok(())
    }

    async fn session(&self, id: &TokenHash) -> Result<Option<Session>, LoginStoreError> {
        Ok(self.inner.records.read().session_by_id(id).cloned())
    }

    async fn session_by_sid(&self, domain: &DomainId, sid: &Sid) -> Result<Option<Session>, LoginStoreError> {
        let key = (domain.clone(), sid.clone());
        Ok(self.inner.records.read().sessions.get(&key).cloned())
    }

    async fn replace_session(
        &self,
        expected_version: u64,
        session: &Session,
    ) -> Result<Swap, LoginStoreError> {
        let mut records = self.inner.records.write();
        let key = key_of(session);
        let stored = records
            .sessions
            .get(&key)
            .filter(|stored| stored.version() == expected_version);
        let Some(old_id) = stored.map(Session::id) else {
            return Ok(Swap::Conflict);
        };
        if old_id != session.id() && records.session_ids.contains_key(&session.id()) {
            return Err(LoginStoreError::new(TAKEN));
        }
        records.session_ids.remove(&old_id);
        records.session_ids.insert(session.id(), key.clone());
        records.sessions.insert(key, session.clone());
        Ok(Swap::Done)
    }

    async fn end_session(&self, id: &TokenHash) -> Result<Option<Session>, LoginStoreError> {
        let mut records = self.inner.records.write();
        let key = records.session_ids.get(id).cloned();
        Ok(key.and_then(|key| records.remove_session(&key)))
    }

    async fn end_sessions_of(
        &self,
        domain: &DomainId,
        user: &UserId,
    ) -> Result<Vec<Session>, LoginStoreError> {
        let mut records = self.inner.records.write();
        let all = records.sessions.values();
        let own: Vec<_> = all
            .filter(|session| session.domain() == domain && session.user_id() == user)
            .map(key_of)
            .collect();
        Ok(own.iter().filter_map(|key| records.remove_session(key)).collect())
    }

    async fn sessions_of(
        &self,
        domain: &DomainId,
        user: &UserId,
        after: Option<&Sid>,
        limit: usize,
    ) -> Result<Vec<Session>, LoginStoreError> {
        let after = after.map(|sid| (domain.clone(), sid.clone()));
        let after = after.map_or(Bound::Unbounded, Bound::Excluded);
        let records = self.inner.records.read();
        let behind = records.sessions.range((after, Bound::Unbounded));
        let own = behind.filter(|(_, session)| session.domain() == domain && session.user_id() == user);
        let own = own.take(limit.min(MAX_SESSIONS_PAGE));
        Ok(own.map(|(_, session)| session.clone()).collect())
    }

    async fn purge_sessions(&self, now: UnixTime) -> Result<u64, LoginStoreError> {
        let mut records = self.inner.records.write();
        let all = records.sessions.values();
        let over: Vec<_> = all
            .filter(|session| session.expires_at() <= now)
            .map(key_of)
            .collect();
        let gone = over.iter().filter_map(|key| records.remove_session(key)).count();
        Ok(super::gone(gone, 0))
    }
}

#[async_trait]
impl FactorStore for MemoryStore {
    async fn factors(
        &self,
        domain: &DomainId,
        user: &UserId,
    ) -> Result<Option<UserFactors>, LoginStoreError> {
        let key = (domain.clone(), user.clone());
        Ok(self.inner.records.read().factors.get(&key).cloned())
    }

    async fn replace_factors(&self, factors: &UserFactors) -> Result<Swap, LoginStoreError> {
        let mut records = self.inner.records.write();
        let key = (factors.domain().clone(), factors.user().clone());
        let stored = records.factors.get(&key).map_or(0, UserFactors::version);
        if factors.version().checked_sub(1) != Some(stored) {
            return Ok(Swap::Conflict);
        }
        records.factors.insert(key, factors.clone());
        Ok(Swap::Done)
    }

    async fn remove_factors(&self, domain: &DomainId, user: &UserId) -> Result<bool, LoginStoreError> {
        let key = (domain.clone(), user.clone());
        Ok(self.inner.records.write().factors.remove(&key).is_some())
    }
}

/// Keeps a count; the one that was touched longest ago makes room for a new one.
fn keep(throttles: &mut BTreeMap<TokenHash, Throttle>, hash: TokenHash, throttle: Throttle) {
    if !throttles.contains_key(&hash) && throttles.len() >= MAX_THROTTLES {
        let oldest = throttles.iter().min_by_key(|(_, throttle)| throttle.forget_at());
        if let Some(oldest) = oldest.map(|(hash, _)| *hash) {
            throttles.remove(&oldest);
        }
    }
    throttles.insert(hash, throttle);
}

#[async_trait]
impl ThrottleStore for MemoryStore {
    async fn count_guess(
        &self,
        key: &ThrottleKey,
        now: UnixTime,
    ) -> Result<Result<(), MustWait>, LoginStoreError> {
        let mut records = self.inner.records.write();
        let mut throttle = records.throttles.get(&key.hash()).copied().unwrap_or_default();
        if let Err(wait) = throttle.count(key.guess(), now) {
            return Ok(Err(wait));
        }
        keep(&mut records.throttles, key.hash(), throttle);
        Ok(Ok(()))
    }

    async fn know_browser(&self, key: &ThrottleKey, now: UnixTime) -> Result<(), LoginStoreError> {
        let mut records = self.inner.records.write();
        keep(&mut records.throttles, key.hash(), Throttle::known(now));
        Ok(())
    }

    async fn settle_guess(&self, key: &ThrottleKey, judged: Judged) -> Result<(), LoginStoreError> {
        let mut records = self.inner.records.write();
        match judged {
            Judged::Right => {
                records.throttles.remove(&key.hash());
            }
            Judged::NotAtAll => {
                if let Some(throttle) = records.throttles.get_mut(&key.hash()) {
                    throttle.take_back();
                }
            }
        }
        Ok(())
    }

    async fn purge_throttles(&self, now: UnixTime) -> Result<u64, LoginStoreError> {
        let mut records = self.inner.records.write();
        let before = records.throttles.len();
        records
            .throttles
            .retain(|_, throttle| throttle.forget_at().is_some_and(|end| end > now));
        Ok(super::gone(before, records.throttles.len()))
    }
}
