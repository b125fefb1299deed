//! Second factors, and how often they and passwords were guessed at.

use async_trait::async_trait;
use rustls_pki_types::UnixTime;
use sealstone_identity::{DomainId, UserId};
use sealstone_login::{
    FactorStore, Guess, Judged, LoginStoreError, MAX_THROTTLES, MustWait, Swap, Throttle, ThrottleKey,
    ThrottleStore, UserFactors,
};
use sealstone_oauth_types::TokenHash;

use super::{
    SqlStore,
    connection::{Connection, statement},
    error::Failure,
    rows::{from_text, number, of_another, seconds, to_text},
    transaction::Transaction,
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

    async fn make(&self, connection: &mut Connection) -> Result<Swap, Failure> {
        let query = if self.expected == 0 {
            statement(
                "INSERT INTO user_factors (domain_id, user_id, version, record) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (domain_id, user_id) DO NOTHING",
            )
        } else {
            statement(
                "UPDATE user_factors SET version = $3, record = $4
                 WHERE domain_id = $1 AND user_id = $2 AND version = $5",
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
        Ok(match query.execute(connection).await? {
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

    async fn make(&self, connection: &mut Connection) -> Result<bool, Failure> {
        let query = statement("DELETE FROM user_factors WHERE domain_id = $1 AND user_id = $2");
        let query = query.bind(&self.domain).bind(&self.user);
        Ok(query.execute(connection).await? > 0)
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
            let query = statement("SELECT record FROM user_factors WHERE domain_id = $1 AND user_id = $2");
            let query = query.bind(domain.as_str()).bind(user.as_str());
            let Some(row) = query.read_optional(self).await? else {
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

async fn throttle_of(connection: &mut Connection, hash: &TokenHash) -> Result<Option<Throttle>, Failure> {
    let query = statement("SELECT record FROM login_throttles WHERE hash = $1");
    let row = query
        .bind(hash.as_octets().as_slice())
        .fetch_optional(connection)
        .await?;
    row.map(|row| from_text("a count of guesses", row.try_get(0)?))
        .transpose()
}

async fn write(connection: &mut Connection, hash: &TokenHash, throttle: &Throttle) -> Result<(), Failure> {
    let query = statement(
        "INSERT INTO login_throttles (hash, forget_at, record) VALUES ($1, $2, $3)
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

    async fn make(&self, connection: &mut Connection) -> Result<Result<(), MustWait>, Failure> {
        // Of two guesses at once, the second counts the first, even when there was no count yet.
        connection.lock_octets(self.hash.as_octets()).await?;
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
async fn make_room(connection: &mut Connection) -> Result<(), Failure> {
    let query = statement(
        "DELETE FROM login_throttles
         WHERE (SELECT kept FROM kept_rows WHERE name = 'login_throttles') >= $1
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

    async fn make(&self, connection: &mut Connection) -> Result<(), Failure> {
        connection.lock_octets(self.hash.as_octets()).await?;
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

    async fn make(&self, connection: &mut Connection) -> Result<(), Failure> {
        connection.lock_octets(self.hash.as_octets()).await?;
        match self.judged {
            Judged::Right => {
                let query = statement("DELETE FROM login_throttles WHERE hash = $1");
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
                 (SELECT seq FROM login_throttles WHERE forget_at <= $1 ORDER BY forget_at LIMIT $2)",
            now,
        );
        purge.await.map_err(LoginStoreError::new)
    }
}
