//! The changes that are made, each one statement (and a second one to explain why the first found nothing).

use async_trait::async_trait;

use super::{
    connection::{Connection, statement},
    ended_clients::{EndedRow, end_tokens_of},
    error::Failure,
    families::end_all_of_client,
    transaction::Transaction,
};

/// A change, in the terms of the tables.
pub(super) enum Change {
    InsertDomain {
        id: String,
        record: String,
    },
    ReplaceDomain {
        id: String,
        record: String,
    },
    InsertClient {
        id: String,
        domain: String,
        version: i64,
        record: String,
    },
    ReplaceClient {
        id: String,
        domain: String,
        expected: i64,
        version: i64,
        record: String,
        /// Where the client is disabled: what it got ends with it.
        ended: Option<EndedRow>,
    },
    DeleteClient {
        id: String,
    },
    ReplaceRing {
        domain: String,
        expected: Option<i64>,
        generation: i64,
        ring: String,
        /// Only the leader may: what nobody asked for, and was planned some time ago.
        is_led: bool,
    },
    Revoke {
        domain: String,
        token: String,
        expires_at: i64,
    },
    UseAssertion {
        client: String,
        assertion: String,
        forget_at: i64,
        limit: i64,
    },
}

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Made; so many rows.
    Changed(u64),
    /// Nothing was to do.
    Unchanged,
    /// Not made: the id is taken.
    Exists,
    /// Not made: there is no such record.
    Missing,
    /// Not made: the stored version is another.
    Conflict,
    /// Not made: there is no such domain.
    UnknownDomain,
}

#[async_trait]
impl Transaction for Change {
    type Answer = Outcome;

    fn is_counted(&self, answer: &Outcome) -> bool {
        matches!(answer, Outcome::Changed(_)) && !matches!(self, Self::UseAssertion { .. })
    }

    fn is_led(&self) -> bool {
        matches!(self, Self::ReplaceRing { is_led: true, .. })
    }

    async fn make(&self, connection: &mut Connection) -> Result<Outcome, Failure> {
        match self {
            Self::InsertDomain { id, record } => {
                let query =
                    statement("INSERT INTO domains (id, record) VALUES ($1, $2) ON CONFLICT DO NOTHING");
                let done = query.bind(id).bind(record).execute(connection).await?;
                Ok(outcome(done, Outcome::Exists))
            }
            Self::ReplaceDomain { id, record } => {
                let query = statement("UPDATE domains SET record = $2 WHERE id = $1");
                let done = query.bind(id).bind(record).execute(connection).await?;
                Ok(outcome(done, Outcome::Missing))
            }
            Self::InsertClient {
                id,
                domain,
                version,
                record,
            } => insert_client(connection, id, domain, *version, record).await,
            Self::ReplaceClient {
                id,
                domain,
                expected,
                version,
                record,
                ended,
            } => {
                let query = statement(
                    "UPDATE clients SET version = $4, record = $5
                     WHERE client_id = $1 AND domain_id = $2 AND version = $3",
                );
                let query = query
                    .bind(id)
                    .bind(domain)
                    .bind(expected)
                    .bind(version)
                    .bind(record);
                let done = query.execute(&mut *connection).await?;
                if let (Some(ended), true) = (ended, done > 0) {
                    end_tokens_of(connection, domain, id, ended).await?;
                }
                if done > 0 || exists(connection, id).await? {
                    return Ok(outcome(done, Outcome::Conflict));
                }
                Ok(Outcome::Missing)
            }
            Self::DeleteClient { id } => {
                let query = statement("DELETE FROM clients WHERE client_id = $1");
                let done = query.bind(id).execute(&mut *connection).await?;
                end_all_of_client(connection, id).await?;
                Ok(outcome(done, Outcome::Missing))
            }
            Self::ReplaceRing {
                domain,
                expected,
                generation,
                ring,
                is_led: _,
            } => replace_ring(connection, domain, *expected, *generation, ring).await,
            Self::Revoke {
                domain,
                token,
                expires_at,
            } => revoke(connection, domain, token, *expires_at).await,
            Self::UseAssertion {
                client,
                assertion,
                forget_at,
                limit,
            } => use_assertion(connection, client, assertion, *forget_at, *limit).await,
        }
    }
}

pub(super) async fn insert_client(
    connection: &mut Connection,
    id: &str,
    domain: &str,
    version: i64,
    record: &str,
) -> Result<Outcome, Failure> {
    let query = statement(
        "INSERT INTO clients (client_id, domain_id, version, record)
         SELECT $1, $2, $3, $4 WHERE EXISTS (SELECT 1 FROM domains WHERE id = $2)
         ON CONFLICT (client_id) DO NOTHING",
    );
    let query = query.bind(id).bind(domain).bind(version).bind(record);
    let done = query.execute(&mut *connection).await?;
    if done > 0 || exists(connection, id).await? {
        return Ok(outcome(done, Outcome::Exists));
    }
    Ok(Outcome::UnknownDomain)
}

async fn replace_ring(
    connection: &mut Connection,
    domain: &str,
    expected: Option<i64>,
    generation: i64,
    ring: &str,
) -> Result<Outcome, Failure> {
    let query = match expected {
        None => statement(
            "INSERT INTO key_rings (domain_id, generation, ring) VALUES ($1, $2, $3)
             ON CONFLICT (domain_id) DO NOTHING",
        ),
        Some(_) => statement(
            "UPDATE key_rings SET generation = $2, ring = $3 WHERE domain_id = $1 AND generation = $4",
        ),
    };
    let mut query = query.bind(domain).bind(generation).bind(ring);
    if let Some(expected) = expected {
        query = query.bind(expected);
    }
    let done = query.execute(connection).await?;
    Ok(outcome(done, Outcome::Conflict))
}

async fn revoke(
    connection: &mut Connection,
    domain: &str,
    token: &str,
    expires_at: i64,
) -> Result<Outcome, Failure> {
    let query = statement(
        "INSERT INTO revoked_tokens (domain_id, token_id, expires_at) VALUES ($1, $2, $3)
         ON CONFLICT (domain_id, token_id) DO UPDATE SET expires_at = excluded.expires_at
         WHERE excluded.expires_at > revoked_tokens.expires_at",
    );
    let done = query
        .bind(domain)
        .bind(token)
        .bind(expires_at)
        .execute(connection)
        .await?;
    Ok(outcome(done, Outcome::Unchanged))
}

/// [`Outcome::Exists`] for one that was used before, [`Outcome::Conflict`] for a client at its limit.
async fn use_assertion(
    connection: &mut Connection,
    client: &str,
    assertion: &str,
    forget_at: i64,
    limit: i64,
) -> Result<Outcome, Failure> {
    let query = statement(
        "INSERT INTO used_assertions (client_id, assertion_id, forget_at)
         SELECT $1, $2, $3
         WHERE coalesce((SELECT kept FROM used_assertion_counts WHERE client_id = $1), 0) < $4
         ON CONFLICT (client_id, assertion_id) DO NOTHING",
    );
    let query = query.bind(client).bind(assertion).bind(forget_at).bind(limit);
    let done = query.execute(&mut *connection).await?;
    if done > 0 {
        return Ok(outcome(done, Outcome::Unchanged));
    }
    let query = statement("SELECT 1 FROM used_assertions WHERE client_id = $1 AND assertion_id = $2");
    let query = query.bind(client).bind(assertion);
    let is_known = query.fetch_optional(connection).await?.is_some();
    Ok(if is_known {
        Outcome::Exists
    } else {
        Outcome::Conflict
    })
}

fn outcome(done: u64, otherwise: Outcome) -> Outcome {
    match done {
        0 => otherwise,
        rows => Outcome::Changed(rows),
    }
}

async fn exists(connection: &mut Connection, id: &str) -> Result<bool, Failure> {
    let query = statement("SELECT 1 FROM clients WHERE client_id = $1");
    Ok(query.bind(id).fetch_optional(connection).await?.is_some())
}
