//! Device requests.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use rustls_pki_types::UnixTime;
use sealstone_grants::{
    GrantStoreError,
    code::{CODE_MEMORY, Produced, Redeemed, Redemption, Spending},
    device::{
        Decided, DeviceDecision, DeviceInsertion, DeviceRequest, DeviceState, DeviceStore,
        MAX_DEVICE_REQUESTS, MAX_DEVICE_REQUESTS_OF_CLIENT, Poll,
    },
};
use sealstone_identity::DomainId;
use sealstone_oauth_types::{TokenHash, UserCode};

use super::{
    SqlStore,
    connection::{Connection, SqlRow, statement},
    error::Failure,
    families::{FamilyRow, begin, end_one, revoke_live},
    rows::{from_text, number, of_another, seconds, to_text},
    transaction::Transaction,
};
use crate::{bounds::earlier, ended::produced};

/// Of a row of `hash, record`.
fn device_of(row: &SqlRow) -> Result<DeviceRequest, Failure> {
    let request: DeviceRequest = from_text("a device request", row.try_get(1)?)?;
    if row.try_get::<&[u8]>(0)? != request.hash.as_octets().as_slice() {
        return Err(of_another("a device request"));
    }
    Ok(request)
}

async fn stored(connection: &mut Connection, hash: &TokenHash) -> Result<Option<DeviceRequest>, Failure> {
    let query = statement("SELECT hash, record FROM device_requests WHERE hash = $1 FOR UPDATE");
    let query = query.bind(hash.as_octets().as_slice());
    query
        .fetch_optional(connection)
        .await?
        .map(|row| device_of(&row))
        .transpose()
}

async fn write(connection: &mut Connection, request: &DeviceRequest) -> Result<(), Failure> {
    let query = statement("UPDATE device_requests SET record = $2 WHERE hash = $1");
    let query = query
        .bind(request.hash.as_octets().as_slice())
        .bind(to_text(request)?);
    query.execute(connection).await?;
    Ok(())
}

struct Insert {
    request: DeviceRequest,
    record: String,
}

#[async_trait]
impl Transaction for Insert {
    type Answer = DeviceInsertion;

    async fn make(&self, connection: &mut Connection) -> Result<DeviceInsertion, Failure> {
        let now = seconds(self.request.created_at);
        let (domain, client) = (self.request.domain.as_str(), self.request.client_id.as_str());
        // Of two requests at once, the second counts the first, and sees its user code.
        connection.lock(domain).await?;
        let query = statement(
            "SELECT (SELECT count(*) FROM device_requests WHERE client_id = $1 AND expires_at > $3),
                    (SELECT count(*) FROM device_requests WHERE domain_id = $2 AND expires_at > $3)",
        );
        let row = query
            .bind(client)
            .bind(domain)
            .bind(now)
            .fetch_one(&mut *connection)
            .await?;
        let (of_client, of_domain): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
        if of_client >= number(MAX_DEVICE_REQUESTS_OF_CLIENT) || of_domain >= number(MAX_DEVICE_REQUESTS) {
            return Ok(DeviceInsertion::Full);
        }
        let query = statement(
            "INSERT INTO device_requests (hash, domain_id, client_id, user_code, expires_at, record)
             SELECT $1, $2, $3, $4, $5, $6 WHERE NOT EXISTS
                 (SELECT 1 FROM device_requests WHERE domain_id = $2 AND user_code = $4 AND expires_at > $7)",
        );
        let query = query
            .bind(self.request.hash.as_octets().as_slice())
            .bind(domain)
            .bind(client);
        let query = query
            .bind(self.request.user_code.to_string())
            .bind(seconds(self.request.expires_at));
        let done = query.bind(&self.record).bind(now).execute(connection).await?;
        Ok(match done {
            0 => DeviceInsertion::CodeTaken,
            _ => DeviceInsertion::Inserted,
        })
    }
}

struct Decide {
    hash: TokenHash,
    decision: DeviceDecision,
    now: UnixTime,
}

#[async_trait]
impl Transaction for Decide {
    type Answer = Decided;

    async fn make(&self, connection: &mut Connection) -> Result<Decided, Failure> {
        let Some(mut request) = stored(connection, &self.hash).await? else {
            return Ok(Decided::TooLate);
        };
        if request.state != DeviceState::Pending || request.is_expired(self.now) {
            return Ok(Decided::TooLate);
        }
        request.state = match &self.decision {
            DeviceDecision::Approve(grant) => DeviceState::Approved(grant.clone()),
            DeviceDecision::Deny => DeviceState::Denied,
        };
        write(connection, &request).await?;
        Ok(Decided::Done)
    }
}

struct Ask {
    hash: TokenHash,
    now: UnixTime,
}

#[async_trait]
impl Transaction for Ask {
    type Answer = Option<Poll>;

    async fn make(&self, connection: &mut Connection) -> Result<Option<Poll>, Failure> {
        let Some(request) = stored(connection, &self.hash).await? else {
            return Ok(None);
        };
        let (poll, polled) = request.polled(self.now);
        // What is decided or over is only told: a note would change nothing that anybody asks.
        if matches!(poll, Poll::Pending | Poll::SlowDown { .. }) {
            write(connection, &polled).await?;
        }
        Ok(Some(poll))
    }
}

struct Redeem {
    hash: TokenHash,
    produced: Produced,
    family: Option<FamilyRow>,
    now: UnixTime,
    /// Whether families ended that made room for this one.
    has_revoked: AtomicBool,
}

#[async_trait]
impl Transaction for Redeem {
    type Answer = Redeemed;

    async fn make(&self, connection: &mut Connection) -> Result<Redeemed, Failure> {
        let Some(mut request) = stored(connection, &self.hash).await? else {
            return Ok(Redeemed::Unknown);
        };
        match request.state {
            DeviceState::Pending | DeviceState::Denied => Ok(Redeemed::Unknown),
            DeviceState::Approved(_) => {
                request.state = DeviceState::Redeemed(self.produced.clone());
                write(connection, &request).await?;
                if let Some(family) = &self.family {
                    let has_revoked = begin(connection, family, self.now).await?;
                    self.has_revoked.store(has_revoked, Ordering::Relaxed);
                }
                Ok(Redeemed::Done)
            }
            DeviceState::Redeemed(produced) => {
                let family = match &produced.family {
                    Some(id) => end_one(connection, id, self.now).await?,
                    None => None,
                };
                let revoked = revoke_live(connection, &request.domain, produced.token, self.now).await?;
                Ok(Redeemed::Spent(Spending { family, revoked }))
            }
        }
    }

    fn is_counted(&self, answer: &Redeemed) -> bool {
        super::codes::revokes(answer) || self.has_revoked.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl DeviceStore for SqlStore {
    async fn insert_device(&self, request: DeviceRequest) -> Result<DeviceInsertion, GrantStoreError> {
        let record = to_text(&request).map_err(|failure| self.grants_failed(failure))?;
        let change = Insert { request, record };
        self.write(change).await.map_err(GrantStoreError::new)
    }

    async fn device(&self, hash: &TokenHash) -> Result<Option<Box<DeviceRequest>>, GrantStoreError> {
        let read = async {
            let query = statement("SELECT hash, record FROM device_requests WHERE hash = $1");
            let query = query.bind(hash.as_octets().as_slice());
            let row = query.read_optional(self).await?;
            row.map(|row| device_of(&row).map(Box::new)).transpose()
        };
        read.await.map_err(|failure: Failure| self.grants_failed(failure))
    }

    async fn device_by_user_code(
        &self,
        domain: &DomainId,
        user_code: &UserCode,
        now: UnixTime,
    ) -> Result<Option<Box<DeviceRequest>>, GrantStoreError> {
        let read = async {
            let query = statement(
                "SELECT hash, record FROM device_requests
                 WHERE domain_id = $1 AND user_code = $2 AND expires_at > $3
                 ORDER BY expires_at DESC LIMIT 1",
            );
            let query = query
                .bind(domain.as_str())
                .bind(user_code.to_string())
                .bind(seconds(now));
            let row = query.read_optional(self).await?;
            row.map(|row| device_of(&row).map(Box::new)).transpose()
        };
        read.await.map_err(|failure: Failure| self.grants_failed(failure))
    }

    async fn decide(
        &self,
        hash: &TokenHash,
        decision: &DeviceDecision,
        now: UnixTime,
    ) -> Result<Decided, GrantStoreError> {
        let change = Decide {
            hash: *hash,
            decision: decision.clone(),
            now,
        };
        self.write(change).await.map_err(GrantStoreError::new)
    }

    async fn poll(&self, hash: &TokenHash, now: UnixTime) -> Result<Option<Poll>, GrantStoreError> {
        self.write(Ask { hash: *hash, now })
            .await
            .map_err(GrantStoreError::new)
    }

    async fn redeem_device(
        &self,
        hash: &TokenHash,
        redemption: &Redemption,
        now: UnixTime,
    ) -> Result<Redeemed, GrantStoreError> {
        let family = redemption.family.as_ref();
        let change = Redeem {
            hash: *hash,
            produced: produced(redemption),
            family: family
                .map(FamilyRow::of)
                .transpose()
                .map_err(|failure| self.grants_failed(failure))?,
            now,
            has_revoked: AtomicBool::new(false),
        };
        self.write(change).await.map_err(GrantStoreError::new)
    }

    async fn purge_devices(&self, now: UnixTime) -> Result<u64, GrantStoreError> {
        let purge = self.purge_batches(
            "DELETE FROM device_requests WHERE seq IN
                 (SELECT seq FROM device_requests WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)",
            earlier(now, CODE_MEMORY),
        );
        purge.await.map_err(GrantStoreError::new)
    }
}
