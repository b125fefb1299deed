//! Second factors, and how often they and passwords were guessed at.

use async_trait::async_trait;
use rustls_pki_types::UnixTime;
use sealstone_identity::{DomainId, UserId};
use sealstone_login::{
    FactorStore, Guess, Judged, LoginStoreError, MAX_THROTTLES, MustWait, Swap, Throttle, ThrottleKey,
    ThrottleStore, UserFactors,
};
use sealstone_oauth_types::TokenHash;
use sqlx::{Row, SqliteConnection};

use super::{
    SqlStore,
    error::Failure,
    rows::{from_text, number, of_another, seconds, to_text},
    writer::Transaction,
};

struct Replace {
    domain: String,
    user: String,
    expected: i64,
    version: i64,
    record: String,
}

#[async_trait]
impl Transaction for Replace {
    type Answer = Swap;

    async fn make(&self, connection: &mut SqliteConnection) -> Result<Swap, Failure> {
        let query = if self.expected == 0 {
            sqlx::query(
                "INSERT INTO user_factors (domain_id, user_id, version, record) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (domain_id, user_id) DO NOTHING",
            )
        } else {
            sqlx::query(
                "UPDATE user_factors SET version = ?3, record = ?4
                 WHERE domain_id = ?1 AND user_id = ?2 AND version = ?5",
            )
        };
        let query = query
            .bind(&self.domain)
            .bind(&self.user)
            .bind(self.version)
            .bind(&self.record);
        let query = if self.expected == 0 {
            query
        } else {
            query.bind(self.expected)
        };
        Ok(match query.execute(connection).await?.rows_affected() {
            0 => Swap::Conflict,
            _ => Swap::Done,
        })
    }
}

struct Remove {
    domain: String,
    user: String,
}

#[async_trait]
impl Transaction for Remove {
    type Answer = bool;

    async fn make(&self, connection: &mut SqliteConnection) -> Result<bool, Failure> {
        let query = sqlx::query("DELETE FROM user_factors WHERE domain_id = ?1 AND user_id = ?2");
        let query = query.bind(&self.domain).bind(&self.user);
        Ok(query.execute(connection).await?.rows_affected() > 0)
    }
}

#[async_trait]
impl FactorStore for SqlStore {
    async fn factors(
        &self,
        domain: &DomainId,
        user: &UserId,
    ) -> Result<Option<UserFactors>, LoginStoreError> {
        let read = async {
            let query = sqlx::query("SELECT record FROM user_factors WHERE domain_id = ?1 AND user_id = ?2");
            let query = query.bind(domain.as_str()).bind(user.as_str());
            let Some(row) = query.fetch_optional(&self.inner.readers).await? else {
                return Ok(None);
            };
            let factors: UserFactors = from_text("a person's factors", row.try_get(0)?)?;
            if factors.domain() != domain || factors.user() != user {
                return Err(of_another("a person's factors"));
            }
            Ok(Some(factors))
        };
        read.await.map_err(|failure: Failure| self.logins_failed(failure))
    }

    async fn replace_factors(&self, factors: &UserFactors) -> Result<Swap, LoginStoreError> {
        let Some(expected) = factors.version().checked_sub(1) else {
            // The record of version 0 says that there is none: it is never stored.
            return Ok(Swap::Conflict);
        };
        let change = Replace {
            domain: factors.domain().as_str().to_owned(),
            user: factors.user().as_str().to_owned(),
            expected: number(expected),
            version: number(factors.version()),
            record: to_text(factors).map_err(|failure| self.logins_failed(failure))?,
        };
        self.write(change).await.map_err(LoginStoreError::new)
    }

    async fn remove_factors(&self, domain: &DomainId, user: &UserId) -> Result<bool, LoginStoreError> {
        let change = Remove {
            domain: domain.as_str().to_owned(),
            user: user.as_str().to_owned(),
        };
        self.write(change).await.map_err(LoginStoreError::new)
    }
}

async fn throttle_of(
    connection: &mut SqliteConnection,
    hash: &TokenHash,
) -> Result<Option<Throttle>, Failure> {
    let query = sqlx::query("SELECT record FROM login_throttles WHERE hash = ?1");
    let row = query
        .bind(hash.as_octets().as_slice())
        .fetch_optional(connection)
        .await?;
    row.map(|row| from_text("a count of guesses", row.try_get(0)?))
        .transpose()
}

async fn write(
    connection: &mut SqliteConnection,
    hash: &TokenHash,
    throttle: &Throttle,
) -> Result<(), Failure> {
    let query = sqlx::query(
        "INSERT INTO login_throttles (hash, forget_at, record) VALUES (?1, ?2, ?3)
         ON CONFLICT (hash) DO UPDATE SET forget_at = excluded.forget_at, record = excluded.record",
    );
    let query = query.bind(hash.as_octets().as_slice());
    let query = query
        .bind(throttle.forget_at().map_or(0, seconds))
        .bind(to_text(throttle)?);
    query.execute(connection).await?;
    Ok(())
}

struct Count {
    guess: Guess,
    hash: TokenHash,
    now: UnixTime,
}

#[async_trait]
impl Transaction for Count {
    type Answer = Result<(), MustWait>;

    async fn make(&self, connection: &mut SqliteConnection) -> Result<Result<(), MustWait>, Failure> {
        let stored = throttle_of(connection, &self.hash).await?;
        let is_new = stored.is_none();
        let mut throttle = stored.unwrap_or_default();
        if let Err(wait) = throttle.count(self.guess, self.now) {
            return Ok(Err(wait));
        }
        if is_new {
            make_room(connection).await?;
        }
        write(connection, &self.hash, &throttle).await?;
        Ok(Ok(()))
    }
}

/// Forgets the count that was touched longest ago, if there is no room for one more.
async fn make_room(connection: &mut SqliteConnection) -> Result<(), Failure> {
    let query = sqlx::query(
        "DELETE FROM login_throttles
         WHERE (SELECT kept FROM kept_rows WHERE name = 'login_throttles') >= ?1
           AND seq = (SELECT seq FROM login_throttles ORDER BY forget_at LIMIT 1)",
    );
    query.bind(number(MAX_THROTTLES)).execute(connection).await?;
    Ok(())
}

struct Know {
    hash: TokenHash,
    now: UnixTime,
}

#[async_trait]
impl Transaction for Know {
    type Answer = ();

    async fn make(&self, connection: &mut SqliteConnection) -> Result<(), Failure> {
        if throttle_of(connection, &self.hash).await?.is_none() {
            make_room(connection).await?;
        }
        write(connection, &self.hash, &Throttle::known(self.now)).await
    }
}

struct Settle {
    hash: TokenHash,
    judged: Judged,
}

#[async_trait]
impl Transaction for Settle {
    type Answer = ();

    async fn make(&self, connection: &mut SqliteConnection) -> Result<(), Failure> {
        match self.judged {
            Judged::Right => {
                let query = sqlx::query("DELETE FROM login_throttles WHERE hash = ?1");
                query
                    .bind(self.hash.as_octets().as_slice())
                    .execute(connection)
                    .await?;
            }
            Judged::NotAtAll => {
                if let Some(mut throttle) = throttle_of(connection, &self.hash).await? {
                    throttle.take_back();
                    write(connection, &self.hash, &throttle).await?;
                }
            }
        }
        Ok(())
    }
}

#[async_trait]
impl ThrottleStore for SqlStore {
    async fn count_guess(
        &self,
        key: &ThrottleKey,
        now: UnixTime,
    ) -> Result<Result<(), MustWait>, LoginStoreError> {
        let change = Count {
            guess: key.guess(),
            hash: key.hash(),
            now,
        };
        self.write(change).await.map_err(LoginStoreError::new)
    }

    async fn know_browser(&self, key: &ThrottleKey, now: UnixTime) -> Result<(), LoginStoreError> {
        let hash = key.hash();
        self.write(Know { hash, now }).await.map_err(LoginStoreError::new)
    }

    async fn settle_guess(&self, key: &ThrottleKey, judged: Judged) -> Result<(), LoginStoreError> {
        let hash = key.hash();
        self.write(Settle { hash, judged })
            .await
            .map_err(LoginStoreError::new)
    }

    async fn purge_throttles(&self, now: UnixTime) -> Result<u64, LoginStoreError> {
        let purge = self.purge_batches(
            "DELETE FROM login_throttles WHERE seq IN
                 (SELECT seq FROM login_throttles WHERE forget_at <= ?1 ORDER BY forget_at LIMIT ?2)",
            now,
        );
        purge.await.map_err(LoginStoreError::new)
    }
}
