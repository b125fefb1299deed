//! Device requests.

use async_trait::async_trait;
use rustls_pki_types::UnixTime;
use sealstone_grants::{
    GrantStoreError,
    code::{CODE_MEMORY, Redeemed, Redemption},
    device::{
        Decided, DeviceDecision, DeviceInsertion, DeviceRequest, DeviceState, DeviceStore,
        MAX_DEVICE_REQUESTS, MAX_DEVICE_REQUESTS_OF_CLIENT, Poll,
    },
};
use sealstone_identity::DomainId;
use sealstone_oauth_types::{TokenHash, UserCode};

use super::{MemoryStore, TAKEN};
use crate::bounds::earlier;

#[async_trait]
impl DeviceStore for MemoryStore {
    async fn insert_device(&self, request: DeviceRequest) -> Result<DeviceInsertion, GrantStoreError> {
        let mut records = self.inner.records.write();
        let (mut of_domain, mut of_client, mut is_taken) = (0_u64, 0_u64, false);
        for open in records
            .devices
            .values()
            .filter(|open| !open.is_expired(request.created_at))
        {
            let is_of_domain = open.domain == request.domain;
            of_domain = of_domain.saturating_add(u64::from(is_of_domain));
            of_client = of_client.saturating_add(u64::from(open.client_id == request.client_id));
            is_taken |= is_of_domain && open.user_code == request.user_code;
        }
        if of_client >= MAX_DEVICE_REQUESTS_OF_CLIENT || of_domain >= MAX_DEVICE_REQUESTS {
            return Ok(DeviceInsertion::Full);
        }
        if is_taken {
            return Ok(DeviceInsertion::CodeTaken);
        }
        if records.devices.contains_key(&request.hash) {
            return Err(GrantStoreError::new(TAKEN));
        }
        records.devices.insert(request.hash, request);
        Ok(DeviceInsertion::Inserted)
    }

    async fn device(&self, hash: &TokenHash) -> Result<Option<Box<DeviceRequest>>, GrantStoreError> {
        Ok(self.inner.records.read().devices.get(hash).cloned().map(Box::new))
    }

    async fn device_by_user_code(
        &self,
        domain: &DomainId,
        user_code: &UserCode,
        now: UnixTime,
    ) -> Result<Option<Box<DeviceRequest>>, GrantStoreError> {
        let records = self.inner.records.read();
        let in_date = records.devices.values().filter(|open| !open.is_expired(now));
        let named = in_date.filter(|open| open.domain == *domain && open.user_code == *user_code);
        // The newest, should a clock that is behind see two.
        let newest = named.max_by_key(|open| open.expires_at);
        Ok(newest.cloned().map(Box::new))
    }

    async fn decide(
        &self,
        hash: &TokenHash,
        decision: &DeviceDecision,
        now: UnixTime,
    ) -> Result<Decided, GrantStoreError> {
        let mut records = self.inner.records.write();
        let open = records.devices.get_mut(hash);
        let Some(open) = open.filter(|open| open.state == DeviceState::Pending && !open.is_expired(now))
        else {
            return Ok(Decided::TooLate);
        };
        open.state = match decision {
            DeviceDecision::Approve(grant) => DeviceState::Approved(grant.clone()),
            DeviceDecision::Deny => DeviceState::Denied,
        };
        Ok(Decided::Done)
    }

    async fn poll(&self, hash: &TokenHash, now: UnixTime) -> Result<Option<Poll>, GrantStoreError> {
        let mut records = self.inner.records.write();
        let Some(request) = records.devices.get_mut(hash) else {
            return Ok(None);
        };
        let (poll, polled) = request.clone().polled(now);
        // What is decided or over is only told: a note would change nothing that anybody asks.
        if matches!(poll, Poll::Pending | Poll::SlowDown { .. }) {
            *request = polled;
        }
        Ok(Some(poll))
    }

    async fn redeem_device(
        &self,
        hash: &TokenHash,
        redemption: &Redemption,
        now: UnixTime,
    ) -> Result<Redeemed, GrantStoreError> {
        let mut records = self.inner.records.write();
        let Some(request) = records.devices.get(hash) else {
            return Ok(Redeemed::Unknown);
        };
        match &request.state {
            DeviceState::Pending | DeviceState::Denied => Ok(Redeemed::Unknown),
            DeviceState::Approved(_) => {
                let revoked = records.revoked.len();
                let produced = records.begin(redemption, now)?;
                if let Some(request) = records.devices.get_mut(hash) {
                    request.state = DeviceState::Redeemed(produced);
                }
                if records.revoked.len() > revoked {
                    self.inner.feed.add(0, 0, 1);
                }
                Ok(Redeemed::Done)
            }
            DeviceState::Redeemed(produced) => {
                let (domain, produced) = (request.domain.clone(), produced.clone());
                let spending = records.end_produced(&domain, produced, now);
                self.inner.feed.add(0, 0, 1);
                Ok(Redeemed::Spent(spending))
            }
        }
    }

    async fn purge_devices(&self, now: UnixTime) -> Result<u64, GrantStoreError> {
        let mut records = self.inner.records.write();
        let before = records.devices.len();
        let last = earlier(now, CODE_MEMORY);
        records.devices.retain(|_, request| request.expires_at > last);
        Ok(super::gone(before, records.devices.len()))
    }
}
