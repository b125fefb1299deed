//! Statements, whichever database they go to.
//!
//! SQLite and PostgreSQL read the same text: parameters are `$1`, `$2`, ..., and what follows is in both. A statement
//! that locks what it reads ends with one of [`LOCKS`]: SQLite has one writer, and is not told.

use std::borrow::Cow;

#[cfg(feature = "postgres")]
use sqlx::postgres::{PgConnection, PgRow};
#[cfg(feature = "sqlite")]
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Connection as _, Executor as _, Row as _};
use tracing::Instrument as _;

use super::{SqlStore, error::Failure, spans};

/// What a statement ends with that keeps others from the rows until the transaction ends.
pub(super) const LOCKS: [&str; 2] = [" FOR UPDATE", " FOR UPDATE SKIP LOCKED"];

/// A connection to either database.
#[derive(Debug)]
pub(crate) enum Connection {
    #[cfg(feature = "sqlite")]
    Sqlite(SqliteConnection),
    #[cfg(feature = "postgres")]
    Postgres(PgConnection),
}

impl Connection {
    /// Makes a statement without parameters whose rows nobody reads.
    pub(super) async fn command(&mut self, text: &'static str) -> Result<(), Failure> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(connection) => connection.execute(text).await.map(drop)?,
            #[cfg(feature = "postgres")]
            Self::Postgres(connection) => connection
                .execute(text)
                .await
                .map(drop)
                .map_err(Failure::Server)?,
        }
        Ok(())
    }

    /// Closes it in order.
    pub(super) async fn close(self) -> Result<(), Failure> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(connection) => connection.close().await?,
            #[cfg(feature = "postgres")]
            Self::Postgres(connection) => connection.close().await.map_err(Failure::Server)?,
        }
        Ok(())
    }

    /// Whether this is PostgreSQL.
    pub(super) const fn is_postgres(&self) -> bool {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => false,
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => true,
        }
    }

    /// Keeps others who name the same thing out until the transaction ends. SQLite has one writer: there it is so.
    pub(super) async fn lock(&mut self, what: &str) -> Result<(), Failure> {
        if self.is_postgres() {
            // The class keeps these locks apart from those of migrations.
            let query = statement("SELECT pg_advisory_xact_lock(1397047628, hashtext($1))");
            query.bind(what).execute(self).await?;
        }
        Ok(())
    }

    /// As [`lock`](Self::lock), for what is named by a hash.
    pub(super) async fn lock_octets(&mut self, what: &[u8; 32]) -> Result<(), Failure> {
        if self.is_postgres() {
            let [a, b, c, d, e, f, g, h, ..] = *what;
            let key = i64::from_be_bytes([a, b, c, d, e, f, g, h]);
            let query = statement("SELECT pg_advisory_xact_lock($1)");
            query.bind(key).execute(self).await?;
        }
        Ok(())
    }
}

/// What a parameter stands for.
#[derive(Debug)]
pub(super) enum Value<'q> {
    Text(Cow<'q, str>),
    OptionalText(Option<&'q str>),
    Number(i64),
    Octets(&'q [u8]),
}

impl<'q> From<&'q str> for Value<'q> {
    fn from(text: &'q str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl<'q> From<&'q String> for Value<'q> {
    fn from(text: &'q String) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl<'q> From<&'q Option<String>> for Value<'q> {
    fn from(text: &'q Option<String>) -> Self {
        Self::OptionalText(text.as_deref())
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<&i64> for Value<'_> {
    fn from(number: &i64) -> Self {
        Self::Number(*number)
    }
}

impl<'q> From<&'q [u8]> for Value<'q> {
    fn from(octets: &'q [u8]) -> Self {
        Self::Octets(octets)
    }
}

/// A statement with its parameters.
#[derive(Debug)]
pub(super) struct Statement<'q> {
    sqlite: &'static str,
    #[cfg_attr(
        not(feature = "postgres"),
        expect(dead_code, reason = "statements are written once, for both databases")
    )]
    postgres: &'static str,
    values: Vec<Value<'q>>,
}

/// A statement in words that both databases read.
pub(super) const fn statement<'q>(text: &'static str) -> Statement<'q> {
    either(text, text)
}

/// A statement that the databases read in different words.
pub(super) const fn either<'q>(sqlite: &'static str, postgres: &'static str) -> Statement<'q> {
    Statement {
        sqlite,
        postgres,
        values: Vec::new(),
    }
}

/// The query of one backend with all parameters.
macro_rules! bound {
    ($text:expr, $values:expr) => {{
        let mut query = sqlx::query($text);
        for value in $values {
            query = match value {
                Value::Text(text) => query.bind(text.as_ref()),
                Value::OptionalText(text) => query.bind(*text),
                Value::Number(number) => query.bind(*number),
                Value::Octets(octets) => query.bind(*octets),
            };
        }
        query
    }};
}

impl<'q> Statement<'q> {
    /// Gives the next parameter.
    pub(super) fn bind(mut self, value: impl Into<Value<'q>>) -> Self {
        self.values.push(value.into());
        self
    }

    #[cfg(feature = "sqlite")]
    fn sqlite(&self) -> &'static str {
        let text = self.sqlite;
        let unlocked = LOCKS.iter().find_map(|lock| text.strip_suffix(lock));
        unlocked.unwrap_or(text)
    }

    /// Makes it, and tells how many rows it changed.
    pub(super) async fn execute(self, connection: &mut Connection) -> Result<u64, Failure> {
        Ok(match connection {
            #[cfg(feature = "sqlite")]
            Connection::Sqlite(connection) => bound!(self.sqlite(), &self.values)
                .execute(connection)
                .await?
                .rows_affected(),
            #[cfg(feature = "postgres")]
            Connection::Postgres(connection) => bound!(self.postgres, &self.values)
                .execute(connection)
                .await
                .map_err(Failure::Server)?
                .rows_affected(),
        })
    }

    pub(super) async fn fetch_optional(self, connection: &mut Connection) -> Result<Option<SqlRow>, Failure> {
        self.first(connection).await
    }

    pub(super) async fn fetch_all(self, connection: &mut Connection) -> Result<Vec<SqlRow>, Failure> {
        self.all(connection).await
    }

    pub(super) async fn fetch_one(self, connection: &mut Connection) -> Result<SqlRow, Failure> {
        let row = self.first(connection).await?;
        row.ok_or(Failure::Sql(sqlx::Error::RowNotFound))
    }

    pub(super) async fn first(&self, connection: &mut Connection) -> Result<Option<SqlRow>, Failure> {
        Ok(match connection {
            #[cfg(feature = "sqlite")]
            Connection::Sqlite(connection) => {
                let query = bound!(self.sqlite(), &self.values);
                query.fetch_optional(connection).await?.map(SqlRow::Sqlite)
            }
            #[cfg(feature = "postgres")]
            Connection::Postgres(connection) => {
                let query = bound!(self.postgres, &self.values);
                let row = query.fetch_optional(connection).await.map_err(Failure::Server)?;
                row.map(SqlRow::Postgres)
            }
        })
    }

    pub(super) async fn all(&self, connection: &mut Connection) -> Result<Vec<SqlRow>, Failure> {
        Ok(match connection {
            #[cfg(feature = "sqlite")]
            Connection::Sqlite(connection) => {
                let rows = bound!(self.sqlite(), &self.values).fetch_all(connection).await?;
                rows.into_iter().map(SqlRow::Sqlite).collect()
            }
            #[cfg(feature = "postgres")]
            Connection::Postgres(connection) => {
                let rows = bound!(self.postgres, &self.values).fetch_all(connection).await;
                let rows = rows.map_err(Failure::Server)?;
                rows.into_iter().map(SqlRow::Postgres).collect()
            }
        })
    }

    /// Reads at most one row, on a connection for reading.
    pub(super) async fn read_optional(self, store: &SqlStore) -> Result<Option<SqlRow>, Failure> {
        let span = self.span(store);
        let read = async {
            match &store.inner.backend {
                #[cfg(feature = "sqlite")]
                super::Backend::Sqlite(file) => {
                    let query = bound!(self.sqlite(), &self.values);
                    Ok(query.fetch_optional(&file.readers).await?.map(SqlRow::Sqlite))
                }
                #[cfg(feature = "postgres")]
                super::Backend::Postgres(server) => server.read_optional(&self).await,
            }
        };
        let read = read.instrument(span.clone()).await;
        spans::ended(&span, read.is_ok());
        read
    }

    /// Reads all rows, on a connection for reading.
    pub(super) async fn read_all(self, store: &SqlStore) -> Result<Vec<SqlRow>, Failure> {
        let span = self.span(store);
        let read = async {
            match &store.inner.backend {
                #[cfg(feature = "sqlite")]
                super::Backend::Sqlite(file) => {
                    let rows = bound!(self.sqlite(), &self.values)
                        .fetch_all(&file.readers)
                        .await?;
                    Ok(rows.into_iter().map(SqlRow::Sqlite).collect())
                }
                #[cfg(feature = "postgres")]
                super::Backend::Postgres(server) => server.read_all(&self).await,
            }
        };
        let read = read.instrument(span.clone()).await;
        spans::ended(&span, read.is_ok());
        read
    }

    fn span(&self, store: &SqlStore) -> tracing::Span {
        let system = store.inner.backend.system();
        spans::read(
            system,
            match &store.inner.backend {
                #[cfg(feature = "sqlite")]
                super::Backend::Sqlite(_) => self.sqlite,
                #[cfg(feature = "postgres")]
                super::Backend::Postgres(_) => self.postgres,
            },
        )
    }
}

/// A row of either database.
pub(super) enum SqlRow {
    #[cfg(feature = "sqlite")]
    Sqlite(SqliteRow),
    #[cfg(feature = "postgres")]
    Postgres(PgRow),
}

impl SqlRow {
    /// The column at this place, counted from 0.
    pub(super) fn try_get<'r, T: Column<'r>>(&'r self, index: usize) -> Result<T, sqlx::Error> {
        T::of(self, index)
    }
}

/// What a column gives.
pub(super) trait Column<'r>: Sized {
    fn of(row: &'r SqlRow, index: usize) -> Result<Self, sqlx::Error>;
}

macro_rules! column {
    ($($type:ty),+) => {$(
        impl<'r> Column<'r> for $type {
            fn of(row: &'r SqlRow, index: usize) -> Result<Self, sqlx::Error> {
                match row {
                    #[cfg(feature = "sqlite")]
                    SqlRow::Sqlite(row) => row.try_get(index),
                    #[cfg(feature = "postgres")]
                    SqlRow::Postgres(row) => row.try_get(index),
                }
            }
        }
    )+};
}

column!(&'r str, &'r [u8], Option<&'r str>, String, i64);
