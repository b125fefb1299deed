//! Authorization codes.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use rustls_pki_types::UnixTime;
use sealstone_grants::{
    GrantStoreError,
    code::{CodeRecord, CodeState, CodeStore, Produced, Redeemed, Redemption, Spending, StoredCode},
};
use sealstone_oauth_types::TokenHash;

use super::{
    SqlStore,
    connection::{Connection, statement},
    error::Failure,
    families::{FamilyRow, begin, end_one, revoke_live},
    rows::{from_text, of_another, seconds, to_text},
    transaction::Transaction,
};
use crate::ended::produced;

struct Insert {
    hash: TokenHash,
    forget_at: i64,
    record: String,
}

#[async_trait]
impl Transaction for Insert {
    type Answer = ();

    async fn make(&self, connection: &mut Connection) -> Result<(), Failure> {
        let query = statement("INSERT INTO codes (hash, forget_at, record) VALUES ($1, $2, $3)");
        let query = query.bind(self.hash.as_octets().as_slice()).bind(self.forget_at);
        query.bind(&self.record).execute(connection).await?;
        Ok(())
    }
}

/// Spends a fresh code for a gift, or ends what a spent one gave.
struct Spend {
    hash: TokenHash,
    gift: Gift,
    now: UnixTime,
    /// Whether families ended that made room for this one.
    has_revoked: AtomicBool,
}

#[async_trait]
impl Transaction for Spend {
    type Answer = Redeemed;

    async fn make(&self, connection: &mut Connection) -> Result<Redeemed, Failure> {
        let hash = self.hash.as_octets().as_slice();
        let query = statement("UPDATE codes SET produced = $2 WHERE hash = $1 AND produced IS NULL");
        let done = query
            .bind(hash)
            .bind(&self.gift.produced)
            .execute(&mut *connection)
            .await?;
        if done > 0 {
            if let Some(family) = &self.gift.family {
                let has_revoked = begin(connection, family, self.now).await?;
                self.has_revoked.store(has_revoked, Ordering::Relaxed);
            }
            return Ok(Redeemed::Done);
        }
        let query = statement("SELECT produced, record FROM codes WHERE hash = $1");
        let Some(row) = query.bind(hash).fetch_optional(&mut *connection).await? else {
            return Ok(Redeemed::Unknown);
        };
        let produced: Produced = from_text("what a code gave", row.try_get(0)?)?;
        let record: CodeRecord = from_text("a code", row.try_get(1)?)?;
        let family = match &produced.family {
            Some(id) => end_one(connection, id, self.now).await?,
            None => None,
        };
        let revoked = revoke_live(connection, &record.grant.domain, produced.token, self.now).await?;
        Ok(Redeemed::Spent(Spending { family, revoked }))
    }

    fn is_counted(&self, answer: &Redeemed) -> bool {
        revokes(answer) || self.has_revoked.load(Ordering::Relaxed)
    }
}

/// Whether tokens were revoked.
pub(super) fn revokes(answer: &Redeemed) -> bool {
    match answer {
        Redeemed::Spent(spending) => spending.family.is_some() || spending.revoked.is_some(),
        Redeemed::Done | Redeemed::Unknown => false,
    }
}

/// What a code gives, in the terms of the tables.
struct Gift {
    produced: String,
    family: Option<FamilyRow>,
}

impl Gift {
    fn of(redemption: &Redemption) -> Result<Self, Failure> {
        Ok(Self {
            produced: to_text(&produced(redemption))?,
            family: redemption.family.as_ref().map(FamilyRow::of).transpose()?,
        })
    }

    fn nothing() -> Result<Self, Failure> {
        Ok(Self {
            produced: to_text(&Produced::default())?,
            family: None,
        })
    }
}

impl SqlStore {
    async fn spend_for(
        &self,
        hash: &TokenHash,
        gift: Result<Gift, Failure>,
        now: UnixTime,
    ) -> Result<Redeemed, GrantStoreError> {
        let gift = gift.map_err(|failure| self.grants_failed(failure))?;
        let change = Spend {
            hash: *hash,
            gift,
            now,
            has_revoked: AtomicBool::new(false),
        };
        self.write(change).await.map_err(GrantStoreError::new)
    }
}

#[async_trait]
impl CodeStore for SqlStore {
    async fn insert_code(&self, code: CodeRecord) -> Result<(), GrantStoreError> {
        let change = Insert {
            hash: code.hash,
            forget_at: seconds(code.forget_at),
            record: to_text(&code).map_err(|failure| self.grants_failed(failure))?,
        };
        self.write(change).await.map_err(GrantStoreError::new)
    }

    async fn code(&self, hash: &TokenHash) -> Result<Option<Box<StoredCode>>, GrantStoreError> {
        let read = async {
            let query = statement("SELECT produced, record FROM codes WHERE hash = $1");
            let query = query.bind(hash.as_octets().as_slice());
            let Some(row) = query.read_optional(self).await? else {
                return Ok(None);
            };
            let record: CodeRecord = from_text("a code", row.try_get(1)?)?;
            if record.hash != *hash {
                return Err(of_another("a code"));
            }
            let state = match row.try_get::<Option<&str>>(0)? {
                Some(produced) => CodeState::Spent(from_text("what a code gave", produced)?),
                None => CodeState::Fresh,
            };
            Ok(Some(Box::new(StoredCode { record, state })))
        };
        read.await.map_err(|failure: Failure| self.grants_failed(failure))
    }

    async fn redeem(
        &self,
        hash: &TokenHash,
        redemption: &Redemption,
        now: UnixTime,
    ) -> Result<Redeemed, GrantStoreError> {
        self.spend_for(hash, Gift::of(redemption), now).await
    }

    async fn spend(&self, hash: &TokenHash, now: UnixTime) -> Result<Redeemed, GrantStoreError> {
        self.spend_for(hash, Gift::nothing(), now).await
    }

    async fn purge_codes(&self, now: UnixTime) -> Result<u64, GrantStoreError> {
        let purge = self.purge_batches(
            "DELETE FROM codes WHERE seq IN
                 (SELECT seq FROM codes WHERE forget_at <= $1 ORDER BY forget_at LIMIT $2)",
            now,
        );
        purge.await.map_err(GrantStoreError::new)
    }
}
