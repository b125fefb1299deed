//! Initial and registration access tokens.

use std::time::Duration;

use async_trait::async_trait;
use rustls_pki_types::UnixTime;
use sealstone_identity::DomainId;
use sealstone_oauth_types::{ClientId, TokenHash};
use sealstone_registry::{
    Client, InitialToken, InitialTokenId, Insertion, MAX_INITIAL_TOKENS, Registered, RegistrationStore,
    Removal, StoreError,
};

use super::{
    SqlStore,
    change::{Outcome, insert_client},
    connection::{Connection, SqlRow, statement},
    error::Failure,
    ports::{column, unwritable},
    rows::{damaged, number, seconds},
    transaction::Transaction,
};

struct InsertInitial {
    token: InitialToken,
}

#[async_trait]
impl Transaction for InsertInitial {
    type Answer = Insertion;

    async fn make(&self, connection: &mut Connection) -> Result<Insertion, Failure> {
        let token = &self.token;
        let domain = token.domain.as_str();
        connection.lock(domain).await?;
        let query = statement("SELECT 1 FROM domains WHERE id = $1").bind(domain);
        if query.fetch_optional(&mut *connection).await?.is_none() {
            return Ok(Insertion::UnknownDomain);
        }
        let query = statement(
            "INSERT INTO initial_tokens (id, hash, domain_id, created_at, expires_at, uses_left)
             SELECT $1, $2, $3, $4, $5, $6
             WHERE (SELECT count(*) FROM initial_tokens WHERE domain_id = $3) < $7
             ON CONFLICT DO NOTHING",
        );
        let query = query
            .bind(token.id.as_str())
            .bind(token.hash.as_octets().as_slice());
        let query = query.bind(domain).bind(seconds(token.created_at));
        let query = query
            .bind(seconds(token.expires_at))
            .bind(i64::from(token.uses_left));
        let done = query.bind(number(MAX_INITIAL_TOKENS)).execute(connection).await?;
        Ok(if done > 0 {
            Insertion::Inserted
        } else {
            Insertion::Exists
        })
    }
}

struct RemoveInitial {
    domain: String,
    id: String,
}

#[async_trait]
impl Transaction for RemoveInitial {
    type Answer = Removal;

    async fn make(&self, connection: &mut Connection) -> Result<Removal, Failure> {
        let query = statement("DELETE FROM initial_tokens WHERE domain_id = $1 AND id = $2");
        let done = query
            .bind(&self.domain)
            .bind(&self.id)
            .execute(connection)
            .await?;
        Ok(if done > 0 {
            Removal::Removed
        } else {
            Removal::Missing
        })
    }
}

struct Register {
    id: String,
    domain: String,
    version: i64,
    record: String,
    registration_token: TokenHash,
    spent: TokenHash,
    now: i64,
}

#[async_trait]
impl Transaction for Register {
    type Answer = Registered;

    fn is_counted(&self, answer: &Registered) -> bool {
        *answer == Registered::Registered
    }

    async fn make(&self, connection: &mut Connection) -> Result<Registered, Failure> {
        match insert_client(connection, &self.id, &self.domain, self.version, &self.record).await? {
            Outcome::Changed(_) => {}
            Outcome::UnknownDomain => return Ok(Registered::UnknownDomain),
            Outcome::Exists | Outcome::Unchanged | Outcome::Missing | Outcome::Conflict => {
                return Ok(Registered::Exists);
            }
        }
        let query = statement(
            "UPDATE initial_tokens SET uses_left = uses_left - 1
             WHERE hash = $1 AND domain_id = $2 AND uses_left > 0 AND expires_at > $3",
        );
        let query = query.bind(self.spent.as_octets().as_slice());
        let spent = query.bind(&self.domain).bind(self.now);
        if spent.execute(&mut *connection).await? == 0 {
            // The client is taken back within the same transaction: nobody has seen it.
            let query = statement("DELETE FROM clients WHERE client_id = $1");
            query.bind(&self.id).execute(connection).await?;
            return Ok(Registered::TokenSpent);
        }
        let query = statement("INSERT INTO registration_tokens (client_id, hash) VALUES ($1, $2)");
        let query = query.bind(&self.id);
        let query = query.bind(self.registration_token.as_octets().as_slice());
        query.execute(connection).await?;
        Ok(Registered::Registered)
    }
}

const COLUMNS: &str = "an initial access token cannot be read";

fn initial_of(row: &SqlRow) -> Result<InitialToken, Failure> {
    let unreadable = || damaged(COLUMNS);
    let time = |seconds: i64| {
        let seconds = u64::try_from(seconds).map_err(|_negative| unreadable())?;
        Ok::<_, Failure>(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    };
    let hash: &[u8] = row.try_get(1)?;
    Ok(InitialToken {
        id: InitialTokenId::parse(row.try_get(0)?).ok_or_else(unreadable)?,
        hash: hash_of(hash)?,
        domain: DomainId::parse(row.try_get(2)?).map_err(|_malformed| unreadable())?,
        created_at: time(row.try_get(3)?)?,
        expires_at: time(row.try_get(4)?)?,
        uses_left: u32::try_from(row.try_get::<i64>(5)?).map_err(|_outside| unreadable())?,
    })
}

fn hash_of(octets: &[u8]) -> Result<TokenHash, Failure> {
    let octets = octets.try_into().map_err(|_length| damaged(COLUMNS))?;
    Ok(TokenHash::from_octets(octets))
}

#[async_trait]
impl RegistrationStore for SqlStore {
    async fn insert_initial_token(&self, token: &InitialToken) -> Result<Insertion, StoreError> {
        let change = InsertInitial { token: token.clone() };
        Ok(self.write(change).await?)
    }

    async fn initial_token(&self, hash: &TokenHash) -> Result<Option<InitialToken>, StoreError> {
        let read = async {
            let query = statement(
                "SELECT id, hash, domain_id, created_at, expires_at, uses_left FROM initial_tokens WHERE hash = $1",
            );
            let query = query.bind(hash.as_octets().as_slice());
            let row = query.read_optional(self).await?;
            row.map(|row| initial_of(&row)).transpose()
        };
        read.await.map_err(|failure: Failure| self.failed(failure).into())
    }

    async fn initial_tokens(&self, domain: &DomainId) -> Result<Vec<InitialToken>, StoreError> {
        let read = async {
            let query = statement(
                "SELECT id, hash, domain_id, created_at, expires_at, uses_left FROM initial_tokens
                 WHERE domain_id = $1 ORDER BY id LIMIT $2",
            );
            let query = query.bind(domain.as_str()).bind(number(MAX_INITIAL_TOKENS));
            let rows = query.read_all(self).await?;
            rows.iter().map(initial_of).collect::<Result<Vec<_>, _>>()
        };
        read.await.map_err(|failure: Failure| self.failed(failure).into())
    }

    async fn remove_initial_token(
        &self,
        domain: &DomainId,
        id: &InitialTokenId,
    ) -> Result<Removal, StoreError> {
        let change = RemoveInitial {
            domain: domain.as_str().to_owned(),
            id: id.as_str().to_owned(),
        };
        Ok(self.write(change).await?)
    }

    async fn register(
        &self,
        client: Client,
        registration_token: &TokenHash,
        spent: &TokenHash,
        now: UnixTime,
    ) -> Result<Registered, StoreError> {
        let change = Register {
            id: client.id().as_str().to_owned(),
            domain: client.domain().as_str().to_owned(),
            version: column(client.version())?,
            record: client.to_record().map_err(unwritable)?,
            registration_token: *registration_token,
            spent: *spent,
            now: seconds(now),
        };
        Ok(self.write(change).await?)
    }

    async fn registration_token(&self, client: &ClientId) -> Result<Option<TokenHash>, StoreError> {
        let read = async {
            let query = statement("SELECT hash FROM registration_tokens WHERE client_id = $1");
            let row = query.bind(client.as_str()).read_optional(self).await?;
            row.map(|row| hash_of(row.try_get::<&[u8]>(0)?)).transpose()
        };
        read.await.map_err(|failure: Failure| self.failed(failure).into())
    }

    async fn purge_initial_tokens(&self, now: UnixTime) -> Result<u64, StoreError> {
        let purge = self.purge_batches(
            "DELETE FROM initial_tokens WHERE seq IN
                 (SELECT seq FROM initial_tokens WHERE expires_at <= $1 OR uses_left <= 0 ORDER BY seq LIMIT $2)",
            now,
        );
        Ok(purge.await?)
    }
}
