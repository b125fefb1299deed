//! Logins under way, which any node may go on with: in a table that is not logged, each sealed.

use async_trait::async_trait;
use rustls_pki_types::UnixTime;
use sealstone_grants::{
    GrantStoreError,
    interaction::{
        Interaction, InteractionInsertion, InteractionSwap, MAX_INTERACTIONS, MAX_INTERACTIONS_OF_PERSON,
    },
};
use sealstone_keyring::KeyEncryptionKey;
use sealstone_oauth_types::TokenHash;

use super::OpenServer;
use crate::{
    interactions::is_strangers,
    sql::{
        SqlStore,
        connection::{Connection, statement},
        error::{Failure, SqlErrorKind},
        rows::{from_text, number, of_another, seconds, to_text},
        transaction::Transaction,
    },
};

/// An interaction in the terms of its table.
struct Row {
    id: TokenHash,
    domain: String,
    is_stranger: i64,
    person: Option<String>,
    created_at: i64,
    expires_at: i64,
    version: i64,
    record: String,
}

fn seal(key: &KeyEncryptionKey, interaction: &Interaction) -> Result<Row, Failure> {
    let record = key.seal_login(interaction.id.as_octets(), &to_text(interaction)?);
    let unsealed = |_| Failure::Found(SqlErrorKind::Other, "a login could not be sealed".to_owned());
    Ok(Row {
        id: interaction.id,
        domain: interaction.domain.as_str().to_owned(),
        is_stranger: i64::from(is_strangers(interaction)),
        person: interaction
            .person
            .as_ref()
            .map(|person| person.as_str().to_owned()),
        created_at: seconds(interaction.created_at),
        expires_at: seconds(interaction.expires_at),
        version: number(interaction.version),
        record: record.map_err(unsealed)?,
    })
}

impl Row {
    /// Whoever has more than one person may have loses the oldest, and not this one.
    async fn keep_to_share(&self, connection: &mut Connection) -> Result<(), Failure> {
        let Some(person) = &self.person else { return Ok(()) };
        let others = MAX_INTERACTIONS_OF_PERSON.saturating_sub(1);
        let query = statement(
            "DELETE FROM interactions WHERE seq IN
                 (SELECT seq FROM interactions WHERE domain_id = $1 AND person = $2 AND id <> $3
                  ORDER BY created_at DESC OFFSET $4)",
        );
        let query = query.bind(&self.domain).bind(person);
        let query = query.bind(self.id.as_octets().as_slice()).bind(number(others));
        query.execute(connection).await.map(|_gone| ())
    }
}

struct Insert(Row);

#[async_trait]
impl Transaction for Insert {
    type Answer = InteractionInsertion;

    async fn make(&self, connection: &mut Connection) -> Result<InteractionInsertion, Failure> {
        let row = &self.0;
        connection.lock(&row.domain).await?;
        statement("DELETE FROM interactions WHERE domain_id = $1 AND expires_at <= $2")
            .bind(&row.domain)
            .bind(row.created_at)
            .execute(connection)
            .await?;
        let kept = statement("SELECT kept FROM interaction_counts WHERE domain_id = $1");
        let kept = kept.bind(&row.domain).fetch_optional(connection).await?;
        let kept: i64 = kept.map_or(Ok(0), |row| row.try_get(0))?;
        if kept >= number(MAX_INTERACTIONS) {
            let query = statement(
                "DELETE FROM interactions WHERE seq =
                     (SELECT seq FROM interactions WHERE domain_id = $1 AND is_stranger ORDER BY created_at LIMIT 1)",
            );
            if query.bind(&row.domain).execute(connection).await? == 0 {
                return Ok(InteractionInsertion::Full);
            }
        }
        let query = statement(
            "INSERT INTO interactions (id, domain_id, is_stranger, created_at, expires_at, version, record, person)
             VALUES ($1, $2, $3 <> 0, $4, $5, $6, $7, $8)",
        );
        let query = query.bind(row.id.as_octets().as_slice()).bind(&row.domain);
        let query = query.bind(row.is_stranger).bind(row.created_at);
        let query = query.bind(row.expires_at).bind(row.version).bind(&row.record);
        query.bind(&row.person).execute(connection).await?;
        row.keep_to_share(connection).await?;
        Ok(InteractionInsertion::Inserted)
    }
}

struct Replace {
    expected: i64,
    row: Row,
}

#[async_trait]
impl Transaction for Replace {
    type Answer = InteractionSwap;

    async fn make(&self, connection: &mut Connection) -> Result<InteractionSwap, Failure> {
        let row = &self.row;
        if row.person.is_some() {
            connection.lock(&row.domain).await?;
        }
        let query = statement(
            "UPDATE interactions SET is_stranger = ($3 <> 0 AND COALESCE($7, person) IS NULL), expires_at = $4,
                 version = $5, record = $6, person = COALESCE($7, person)
             WHERE id = $1 AND version = $2",
        );
        let query = query.bind(row.id.as_octets().as_slice()).bind(self.expected);
        let query = query.bind(row.is_stranger).bind(row.expires_at);
        let query = query.bind(row.version).bind(&row.record);
        if query.bind(&row.person).execute(connection).await? == 0 {
            return Ok(InteractionSwap::Changed);
        }
        row.keep_to_share(connection).await?;
        Ok(InteractionSwap::Replaced)
    }

    fn is_one_statement(&self) -> bool {
        self.row.person.is_none()
    }
}

struct Take {
    id: TokenHash,
    expected: i64,
}

#[async_trait]
impl Transaction for Take {
    type Answer = bool;

    async fn make(&self, connection: &mut Connection) -> Result<bool, Failure> {
        let query = statement("DELETE FROM interactions WHERE id = $1 AND version = $2");
        let query = query.bind(self.id.as_octets().as_slice()).bind(self.expected);
        Ok(query.execute(connection).await? > 0)
    }

    fn is_one_statement(&self) -> bool {
        true
    }
}

impl OpenServer {
    fn login_key(&self) -> Result<&KeyEncryptionKey, Failure> {
        let key = self.shared.pool.connector.config().login_key.as_deref();
        key.ok_or_else(|| {
            Failure::Found(
                SqlErrorKind::Other,
                "this program was given no key to seal logins by".to_owned(),
            )
        })
    }

    pub(in crate::sql) async fn insert_interaction(
        &self,
        interaction: &Interaction,
    ) -> Result<InteractionInsertion, Failure> {
        self.write(Insert(seal(self.login_key()?, interaction)?)).await
    }

    pub(in crate::sql) async fn interaction(
        &self,
        store: &SqlStore,
        id: &TokenHash,
    ) -> Result<Option<Box<Interaction>>, Failure> {
        let query = statement("SELECT record FROM interactions WHERE id = $1");
        let query = query.bind(id.as_octets().as_slice());
        let Some(row) = query.read_optional(store).await? else {
            return Ok(None);
        };
        let opened = self.login_key()?.open_login(id.as_octets(), row.try_get(0)?);
        let record = opened.map_err(|_| of_another("a login"))?;
        let interaction: Interaction = from_text("a login", &record)?;
        if interaction.id != *id {
            return Err(of_another("a login"));
        }
        Ok(Some(Box::new(interaction)))
    }

    pub(in crate::sql) async fn replace_interaction(
        &self,
        expected_version: u64,
        interaction: &Interaction,
    ) -> Result<InteractionSwap, Failure> {
        if interaction.version.checked_sub(1) != Some(expected_version) {
            return Ok(InteractionSwap::Changed);
        }
        let row = seal(self.login_key()?, interaction)?;
        let expected = number(expected_version);
        self.write(Replace { expected, row }).await
    }

    pub(in crate::sql) async fn take_interaction(
        &self,
        id: &TokenHash,
        expected_version: u64,
    ) -> Result<bool, Failure> {
        let expected = number(expected_version);
        self.write(Take { id: *id, expected }).await
    }
}

/// Forgets logins that are over.
pub(in crate::sql) async fn purge(store: &SqlStore, now: UnixTime) -> Result<u64, GrantStoreError> {
    let purge = store.purge_batches(
        "DELETE FROM interactions WHERE seq IN
             (SELECT seq FROM interactions WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)",
        now,
    );
    purge.await.map_err(GrantStoreError::new)
}
