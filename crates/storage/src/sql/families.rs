//! Refresh families.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use async_trait::async_trait;
use rustls_pki_types::UnixTime;
use sealstone_grants::{
    GrantStoreError, IssuedToken,
    refresh::{
        EndedFamily, Ending, FamilyId, FamilyLifetime, MAX_FAMILIES_AT_CLIENT, RefreshFamily,
        RefreshRotation, RefreshStore, Rotates, Rotation,
    },
};
use sealstone_identity::{DomainId, UserId};

use super::{
    SqlStore,
    connection::{Connection, SqlRow, statement},
    error::Failure,
    revocations::Revoking,
    rows::{from_text, number, of_another, seconds, to_text},
    transaction::Transaction,
};
use crate::{bounds::page_limit, ended::ended};

/// A family in the terms of its table.
pub(super) struct FamilyRow {
    id: FamilyId,
    domain: String,
    user: String,
    client: String,
    /// Only for a family that ends with its session.
    sid: Option<String>,
    generation: i64,
    created_at: i64,
    expires_at: i64,
    record: String,
}

impl FamilyRow {
    pub(super) fn of(family: &RefreshFamily) -> Result<Self, Failure> {
        let sid = match family.lifetime {
            FamilyLifetime::Session => family.grant.sid.as_ref(),
            FamilyLifetime::Offline => None,
        };
        Ok(Self {
            id: family.id,
            domain: family.grant.domain.as_str().to_owned(),
            user: family.grant.user_id.as_str().to_owned(),
            client: family.grant.client_id.as_str().to_owned(),
            sid: sid.map(|sid| sid.as_str().to_owned()),
            generation: number(family.generation),
            created_at: seconds(family.created_at),
            expires_at: seconds(family.expires_at()),
            record: to_text(family)?,
        })
    }

    async fn insert(&self, connection: &mut Connection) -> Result<(), Failure> {
        let query = statement(
            "INSERT INTO refresh_families
                 (id, domain_id, user_id, client_id, sid, generation, created_at, expires_at, record)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        );
        let query = query
            .bind(self.id.as_octets().as_slice())
            .bind(&self.domain)
            .bind(&self.user);
        let query = query.bind(&self.client).bind(&self.sid).bind(self.generation);
        let query = query
            .bind(self.created_at)
            .bind(self.expires_at)
            .bind(&self.record);
        query.execute(connection).await?;
        Ok(())
    }
}

/// Keeps a family that begins. Says whether it revoked tokens of others, which made room.
pub(super) async fn begin(
    connection: &mut Connection,
    row: &FamilyRow,
    now: UnixTime,
) -> Result<bool, Failure> {
    row.insert(connection).await?;
    let query = statement(
        "SELECT id FROM refresh_families WHERE user_id = $1 AND domain_id = $2 AND client_id = $3 AND id <> $4
         ORDER BY expires_at DESC, created_at DESC, id DESC LIMIT 9223372036854775807 OFFSET $5",
    );
    let query = query.bind(&row.user).bind(&row.domain).bind(&row.client);
    let query = query.bind(row.id.as_octets().as_slice());
    let kept = i64::try_from(MAX_FAMILIES_AT_CLIENT)
        .unwrap_or(i64::MAX)
        .saturating_sub(1);
    let beyond = query.bind(kept).fetch_all(&mut *connection).await?;
    let mut has_revoked = false;
    for row in beyond {
        let id: &[u8] = row.try_get(0)?;
        let id = id.try_into().map(FamilyId::from_octets);
        let id = id.map_err(|_odd| of_another("a refresh family"))?;
        let ended = end_one(connection, &id, now).await?;
        has_revoked |= ended.is_some_and(|ended| !ended.revoked.is_empty());
    }
    Ok(has_revoked)
}

/// Of a row of `id, record`.
fn family_of(row: &SqlRow) -> Result<RefreshFamily, Failure> {
    let family: RefreshFamily = from_text("a refresh family", row.try_get(1)?)?;
    if row.try_get::<&[u8]>(0)? != family.id.as_octets().as_slice() {
        return Err(of_another("a refresh family"));
    }
    Ok(family)
}

struct Rotate {
    expected: i64,
    next: FamilyRow,
    revoking: Option<Revoking>,
    /// For a family whose token stays: what another use before this one is joined with.
    joins: Option<Box<RefreshRotation>>,
    /// Whether joining revoked something.
    has_revoked: AtomicBool,
}

impl Rotate {
    fn of(rotation: &RefreshRotation) -> Result<Self, Failure> {
        let next = &rotation.next;
        Ok(Self {
            expected: number(rotation.expected_generation),
            next: FamilyRow::of(next)?,
            revoking: Revoking::of(&next.grant.domain, &rotation.revoked)?,
            joins: match next.rotates {
                Rotates::EachUse => None,
                Rotates::Never => Some(Box::new(rotation.clone())),
            },
            has_revoked: AtomicBool::new(false),
        })
    }
}

/// Writes a family in place of the one with this generation.
async fn replace(connection: &mut Connection, row: &FamilyRow, expected: i64) -> Result<bool, Failure> {
    let query = statement(
        "UPDATE refresh_families SET generation = $3, expires_at = $4, record = $5
         WHERE id = $1 AND generation = $2",
    );
    let query = query.bind(row.id.as_octets().as_slice()).bind(expected);
    let query = query.bind(row.generation).bind(row.expires_at).bind(&row.record);
    Ok(query.execute(connection).await? > 0)
}

#[async_trait]
impl Transaction for Rotate {
    type Answer = Rotation;

    async fn make(&self, connection: &mut Connection) -> Result<Rotation, Failure> {
        if replace(&mut *connection, &self.next, self.expected).await? {
            if let Some(revoking) = &self.revoking {
                revoking.make(connection).await?;
                self.has_revoked.store(true, Ordering::Relaxed);
            }
            return Ok(Rotation::Rotated);
        }
        let query = statement("SELECT id, record FROM refresh_families WHERE id = $1 FOR UPDATE");
        let query = query.bind(self.next.id.as_octets().as_slice());
        let Some(row) = query.fetch_optional(&mut *connection).await? else {
            return Ok(Rotation::Ended);
        };
        let stored = family_of(&row)?;
        let joined = self.joins.as_ref().and_then(|rotation| rotation.onto(&stored));
        let Some((next, revoked)) = joined else {
            return Ok(Rotation::Changed(Box::new(stored)));
        };
        replace(
            &mut *connection,
            &FamilyRow::of(&next)?,
            number(stored.generation),
        )
        .await?;
        if let Some(revoking) = Revoking::of(&next.grant.domain, &revoked)? {
            revoking.make(connection).await?;
            self.has_revoked.store(true, Ordering::Relaxed);
        }
        Ok(Rotation::Rotated)
    }

    fn is_counted(&self, answer: &Rotation) -> bool {
        matches!(answer, Rotation::Rotated) && self.has_revoked.load(Ordering::Relaxed)
    }
}

/// Deletes families and revokes what of them lives. `columns` are the statement's parameters.
struct End {
    statement: &'static str,
    columns: Vec<Column>,
    now: UnixTime,
}

enum Column {
    Id(FamilyId),
    Text(String),
}

impl End {
    fn of(which: Ending<'_>, now: UnixTime) -> Self {
        let text = |text: &str| Column::Text(text.to_owned());
        let (statement, columns) = match which {
            Ending::Family(id) => (
                "DELETE FROM refresh_families WHERE id = $1 RETURNING id, record",
                vec![Column::Id(*id)],
            ),
            Ending::Session { domain, sid } => (
                "DELETE FROM refresh_families WHERE domain_id = $1 AND sid = $2 RETURNING id, record",
                vec![text(domain.as_str()), text(sid.as_str())],
            ),
            Ending::User { domain, user_id } => (
                "DELETE FROM refresh_families WHERE domain_id = $1 AND user_id = $2 RETURNING id, record",
                vec![text(domain.as_str()), text(user_id.as_str())],
            ),
            Ending::UserAtClient {
                domain,
                user_id,
                client_id,
            } => (
                "DELETE FROM refresh_families WHERE domain_id = $1 AND user_id = $2 AND client_id = $3
                 RETURNING id, record",
                vec![
                    text(domain.as_str()),
                    text(user_id.as_str()),
                    text(client_id.as_str()),
                ],
            ),
            Ending::Client(client_id) => (
                "DELETE FROM refresh_families WHERE client_id = $1 RETURNING id, record",
                vec![text(client_id.as_str())],
            ),
        };
        Self {
            statement,
            columns,
            now,
        }
    }
}

#[async_trait]
impl Transaction for End {
    type Answer = Vec<EndedFamily>;

    async fn make(&self, connection: &mut Connection) -> Result<Vec<EndedFamily>, Failure> {
        let mut query = statement(self.statement);
        for column in &self.columns {
            query = match column {
                Column::Id(id) => query.bind(id.as_octets().as_slice()),
                Column::Text(text) => query.bind(text),
            };
        }
        let rows = query.fetch_all(&mut *connection).await?;
        let mut all = Vec::with_capacity(rows.len());
        // One statement for each domain, however many families there are.
        let mut live = BTreeMap::<DomainId, Vec<IssuedToken>>::new();
        for row in rows {
            let family = family_of(&row)?;
            let of_domain = live.entry(family.grant.domain.clone()).or_default();
            let ended = ended(family, self.now);
            of_domain.extend_from_slice(&ended.revoked);
            all.push(ended);
        }
        for (domain, tokens) in &live {
            if let Some(revoking) = Revoking::of(domain, tokens)? {
                revoking.make(connection).await?;
            }
        }
        Ok(all)
    }

    fn is_counted(&self, answer: &Vec<EndedFamily>) -> bool {
        answer.iter().any(|family| !family.revoked.is_empty())
    }
}

/// Ends one family within a transaction that does more.
pub(super) async fn end_one(
    connection: &mut Connection,
    id: &FamilyId,
    now: UnixTime,
) -> Result<Option<EndedFamily>, Failure> {
    let mut ended = End::of(Ending::Family(id), now).make(connection).await?;
    Ok(ended.pop())
}

/// What hangs on a user who is deleted, in every domain.
pub(super) async fn end_all_of_user(connection: &mut Connection, user: &str) -> Result<(), Failure> {
    end_all(
        connection,
        user,
        [
            "DELETE FROM refresh_families WHERE user_id = $1 RETURNING id, record",
            "DELETE FROM sessions WHERE user_id = $1",
            "DELETE FROM user_factors WHERE user_id = $1",
            "DELETE FROM consents WHERE user_id = $1",
        ],
    )
    .await
}

/// What people let a client have that is deleted.
pub(super) async fn end_all_of_client(connection: &mut Connection, client: &str) -> Result<(), Failure> {
    end_all(
        connection,
        client,
        [
            "DELETE FROM refresh_families WHERE client_id = $1 RETURNING id, record",
            "DELETE FROM device_requests WHERE client_id = $1",
            "DELETE FROM consents WHERE client_id = $1",
        ],
    )
    .await
}

/// What people let a client have that is disabled. What they allowed stays: they are not asked again.
pub(super) async fn end_grants_of_client(connection: &mut Connection, client: &str) -> Result<(), Failure> {
    end_all(
        connection,
        client,
        [
            "DELETE FROM refresh_families WHERE client_id = $1 RETURNING id, record",
            "DELETE FROM device_requests WHERE client_id = $1",
        ],
    )
    .await
}

/// Ends families by the first statement and makes the others, of the same one. From the beginning of time, every token
/// lives: all are revoked.
async fn end_all<const N: usize>(
    connection: &mut Connection,
    whose: &str,
    statements: [&'static str; N],
) -> Result<(), Failure> {
    for (place, text) in statements.into_iter().enumerate() {
        if place == 0 {
            let end = End {
                statement: text,
                columns: vec![Column::Text(whose.to_owned())],
                now: UnixTime::since_unix_epoch(Duration::ZERO),
            };
            end.make(connection).await?;
        } else {
            statement(text).bind(whose).execute(&mut *connection).await?;
        }
    }
    Ok(())
}

#[async_trait]
impl RefreshStore for SqlStore {
    async fn family(&self, id: &FamilyId) -> Result<Option<Box<RefreshFamily>>, GrantStoreError> {
        let read = async {
            let query = statement("SELECT id, record FROM refresh_families WHERE id = $1");
            let query = query.bind(id.as_octets().as_slice());
            let row = query.read_optional(self).await?;
            row.map(|row| family_of(&row).map(Box::new)).transpose()
        };
        read.await.map_err(|failure: Failure| self.grants_failed(failure))
    }

    async fn rotate(&self, rotation: &RefreshRotation) -> Result<Rotation, GrantStoreError> {
        let change = Rotate::of(rotation).map_err(|failure| self.grants_failed(failure))?;
        self.write(change).await.map_err(GrantStoreError::new)
    }

    async fn end(&self, which: Ending<'_>, now: UnixTime) -> Result<Vec<EndedFamily>, GrantStoreError> {
        self.write(End::of(which, now))
            .await
            .map_err(GrantStoreError::new)
    }

    async fn families_of(
        &self,
        domain: &DomainId,
        user_id: &UserId,
        limit: usize,
    ) -> Result<Vec<RefreshFamily>, GrantStoreError> {
        let read = async {
            let query = statement(
                "SELECT id, record FROM refresh_families WHERE domain_id = $1 AND user_id = $2
                 ORDER BY created_at DESC, seq DESC LIMIT $3",
            );
            let query = query.bind(domain.as_str()).bind(user_id.as_str());
            let query = query.bind(number(page_limit(limit)));
            let rows = query.read_all(self).await?;
            rows.iter().map(family_of).collect::<Result<_, _>>()
        };
        read.await.map_err(|failure: Failure| self.grants_failed(failure))
    }

    async fn purge_families(&self, now: UnixTime) -> Result<u64, GrantStoreError> {
        let purge = self.purge_batches(
            "DELETE FROM refresh_families WHERE seq IN
                 (SELECT seq FROM refresh_families WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)",
            now,
        );
        purge.await.map_err(GrantStoreError::new)
    }
}

impl SqlStore {
    pub(super) fn grants_failed(&self, failure: Failure) -> GrantStoreError {
        GrantStoreError::new(self.failed(failure))
    }
}

/// Revokes one token within a transaction that does more, if a verifier might still take it.
pub(super) async fn revoke_live(
    connection: &mut Connection,
    domain: &DomainId,
    token: Option<IssuedToken>,
    now: UnixTime,
) -> Result<Option<IssuedToken>, Failure> {
    let Some(token) = token.filter(|token| token.is_live(now)) else {
        return Ok(None);
    };
    if let Some(revoking) = Revoking::of(domain, std::slice::from_ref(&token))? {
        revoking.make(connection).await?;
    }
    Ok(Some(token))
}
