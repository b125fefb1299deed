//! Sessions.

use async_trait::async_trait;
use rustls_pki_types::UnixTime;
use sealstone_identity::{DomainId, UserId};
use sealstone_login::{LoginStoreError, MAX_SESSIONS_PAGE, Session, SessionStore, Sid, Swap};
use sealstone_oauth_types::TokenHash;

use super::{
    SqlStore,
    connection::{Connection, SqlRow, statement},
    error::Failure,
    rows::{from_text, number, of_another, seconds, to_text},
    transaction::Transaction,
};

/// A session in the terms of its table.
struct SessionRow {
    id: TokenHash,
    domain: String,
    sid: String,
    user: String,
    version: i64,
    expires_at: i64,
    record: String,
}

impl SessionRow {
    fn of(session: &Session) -> Result<Self, Failure> {
        Ok(Self {
            id: session.id(),
            domain: session.domain().as_str().to_owned(),
            sid: session.sid().as_str().to_owned(),
            user: session.user_id().as_str().to_owned(),
            version: number(session.version()),
            expires_at: seconds(session.expires_at()),
            record: to_text(session)?,
        })
    }
}

/// Of a row of `id, record`.
fn session_of(row: &SqlRow) -> Result<Session, Failure> {
    let session: Session = from_text("a session", row.try_get(1)?)?;
    if row.try_get::<&[u8]>(0)? != session.id().as_octets().as_slice() {
        return Err(of_another("a session"));
    }
    Ok(session)
}

struct Insert(SessionRow);

#[async_trait]
impl Transaction for Insert {
    type Answer = ();

    async fn make(&self, connection: &mut Connection) -> Result<(), Failure> {
        let query = statement(
            "INSERT INTO sessions (id, domain_id, sid, user_id, version, expires_at, record)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        );
        let row = &self.0;
        let query = query
            .bind(row.id.as_octets().as_slice())
            .bind(&row.domain)
            .bind(&row.sid);
        let query = query
            .bind(&row.user)
            .bind(row.version)
            .bind(row.expires_at)
            .bind(&row.record);
        query.execute(connection).await?;
        Ok(())
    }
}

struct Replace {
    expected: i64,
    row: SessionRow,
}

#[async_trait]
impl Transaction for Replace {
    type Answer = Swap;

    async fn make(&self, connection: &mut Connection) -> Result<Swap, Failure> {
        let query = statement(
            "UPDATE sessions SET id = $4, user_id = $5, version = $6, expires_at = $7, record = $8
             WHERE domain_id = $1 AND sid = $2 AND version = $3",
        );
        let row = &self.row;
        let query = query.bind(&row.domain).bind(&row.sid).bind(self.expected);
        let query = query
            .bind(row.id.as_octets().as_slice())
            .bind(&row.user)
            .bind(row.version);
        let query = query.bind(row.expires_at).bind(&row.record);
        Ok(match query.execute(connection).await? {
            0 => Swap::Conflict,
            _ => Swap::Done,
        })
    }
}

struct End(TokenHash);

#[async_trait]
impl Transaction for End {
    type Answer = Option<Session>;

    async fn make(&self, connection: &mut Connection) -> Result<Option<Session>, Failure> {
        let query = statement("DELETE FROM sessions WHERE id = $1 RETURNING id, record");
        let query = query.bind(self.0.as_octets().as_slice());
        query
            .fetch_optional(connection)
            .await?
            .map(|row| session_of(&row))
            .transpose()
    }
}

struct EndAll {
    domain: String,
    user: String,
}

#[async_trait]
impl Transaction for EndAll {
    type Answer = Vec<Session>;

    async fn make(&self, connection: &mut Connection) -> Result<Vec<Session>, Failure> {
        let query =
            statement("DELETE FROM sessions WHERE domain_id = $1 AND user_id = $2 RETURNING id, record");
        let rows = query
            .bind(&self.domain)
            .bind(&self.user)
            .fetch_all(connection)
            .await?;
        rows.iter().map(session_of).collect()
    }
}

#[async_trait]
impl SessionStore for SqlStore {
    async fn insert_session(&self, session: &Session) -> Result<(), LoginStoreError> {
        let row = SessionRow::of(session).map_err(|failure| self.logins_failed(failure))?;
        self.write(Insert(row)).await.map_err(LoginStoreError::new)
    }

    async fn session(&self, id: &TokenHash) -> Result<Option<Session>, LoginStoreError> {
        let read = async {
            let query = statement("SELECT id, record FROM sessions WHERE id = $1");
            let query = query.bind(id.as_octets().as_slice());
            let row = query.read_optional(self).await?;
            row.map(|row| session_of(&row)).transpose()
        };
        read.await.map_err(|failure: Failure| self.logins_failed(failure))
    }

    async fn session_by_sid(&self, domain: &DomainId, sid: &Sid) -> Result<Option<Session>, LoginStoreError> {
        let read = async {
            let query = statement("SELECT id, record FROM sessions WHERE domain_id = $1 AND sid = $2");
            let query = query.bind(domain.as_str()).bind(sid.as_str());
            let row = query.read_optional(self).await?;
            let session = row.map(|row| session_of(&row)).transpose()?;
            match session {
                Some(session) if session.domain() != domain || session.sid() != sid => {
                    Err(of_another("a session"))
                }
                session => Ok(session),
            }
        };
        read.await.map_err(|failure: Failure| self.logins_failed(failure))
    }

    async fn replace_session(
        &self,
        expected_version: u64,
        session: &Session,
    ) -> Result<Swap, LoginStoreError> {
        let change = Replace {
            expected: number(expected_version),
            row: SessionRow::of(session).map_err(|failure| self.logins_failed(failure))?,
        };
        self.write(change).await.map_err(LoginStoreError::new)
    }

    async fn end_session(&self, id: &TokenHash) -> Result<Option<Session>, LoginStoreError> {
        self.write(End(*id)).await.map_err(LoginStoreError::new)
    }

    async fn end_sessions_of(
        &self,
        domain: &DomainId,
        user: &UserId,
    ) -> Result<Vec<Session>, LoginStoreError> {
        let change = EndAll {
            domain: domain.as_str().to_owned(),
            user: user.as_str().to_owned(),
        };
        self.write(change).await.map_err(LoginStoreError::new)
    }

    async fn sessions_of(
        &self,
        domain: &DomainId,
        user: &UserId,
        after: Option<&Sid>,
        limit: usize,
    ) -> Result<Vec<Session>, LoginStoreError> {
        let read = async {
            let query = statement(
                "SELECT id, record FROM sessions WHERE domain_id = $1 AND user_id = $2 AND sid > $3
                 ORDER BY sid LIMIT $4",
            );
            let query = query.bind(domain.as_str()).bind(user.as_str());
            let query = query
                .bind(after.map_or("", Sid::as_str))
                .bind(number(limit.min(MAX_SESSIONS_PAGE)));
            let rows = query.read_all(self).await?;
            rows.iter().map(session_of).collect::<Result<_, _>>()
        };
        read.await.map_err(|failure: Failure| self.logins_failed(failure))
    }

    async fn purge_sessions(&self, now: UnixTime) -> Result<u64, LoginStoreError> {
        let purge = self.purge_batches(
            "DELETE FROM sessions WHERE seq IN
                 (SELECT seq FROM sessions WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)",
            now,
        );
        purge.await.map_err(LoginStoreError::new)
    }
}

impl SqlStore {
    pub(super) fn logins_failed(&self, failure: Failure) -> LoginStoreError {
        LoginStoreError::new(self.failed(failure))
    }
}
