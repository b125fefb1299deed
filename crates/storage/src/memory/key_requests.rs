//! Changes of keys that wait for a second administrator.

use async_trait::async_trait;
use rustls_pki_types::UnixTime;
use sealstone_keyring::{Confirmation, KeyRequest, KeyRequestStore, KeyStoreError, Requested};

use super::MemoryStore;

#[async_trait]
impl KeyRequestStore for MemoryStore {
    async fn insert_key_request(&self, request: &KeyRequest) -> Result<Requested, KeyStoreError> {
        let requests = &mut self.inner.records.write().key_requests;
        if requests.iter().any(|(known, _by)| known.id == request.id) {
            return Ok(Requested::Taken);
        }
        requests.push((request.clone(), None));
        Ok(Requested::Kept)
    }

    async fn confirm_key_request(
        &self,
        id: &str,
        by: &str,
        now: UnixTime,
    ) -> Result<Confirmation, KeyStoreError> {
        let requests = &mut self.inner.records.write().key_requests;
        let Some((request, confirmed_by)) = requests.iter_mut().find(|(known, _by)| known.id == id) else {
            return Ok(Confirmation::Unknown);
        };
        Ok(if request.requested_by == by {
            Confirmation::SamePerson
        } else if request.expires_at <= now {
            Confirmation::Lapsed
        } else if confirmed_by.is_some() {
            Confirmation::Used
        } else {
            *confirmed_by = Some(by.to_owned());
            Confirmation::Confirmed(request.clone())
        })
    }

    async fn key_requests(&self, now: UnixTime) -> Result<Vec<KeyRequest>, KeyStoreError> {
        let records = self.inner.records.read();
        let waiting = records
            .key_requests
            .iter()
            .filter(|(request, by)| by.is_none() && request.expires_at > now);
        Ok(waiting.map(|(request, _by)| request.clone()).collect())
    }
}
