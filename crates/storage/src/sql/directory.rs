//! The directory's users.

use std::sync::Arc;

use async_trait::async_trait;
use sealstone_directory::{
    DirectoryStore, DirectoryStoreError, DirectoryUser, MAX_USERS_PAGE, UserInsertion, UserName, UserRemoval,
    UserReplacement,
};
use sealstone_identity::{DomainId, Name, UserId};
use sealstone_registry::DomainStore;

use super::{
    SqlStore,
    connection::{Connection, SqlRow, statement},
    error::Failure,
    families::end_all_of_user,
    rows::{from_text, number, of_another, to_text},
    transaction::Transaction,
};
use crate::memory::VERSION_RULE;

/// A user in the terms of the table.
struct UserRow {
    id: String,
    domain: String,
    name_key: String,
    version: i64,
    record: String,
}

impl UserRow {
    fn of(user: &DirectoryUser) -> Result<Self, Failure> {
        Ok(Self {
            id: user.id().as_str().to_owned(),
            domain: user.domain().as_str().to_owned(),
            name_key: user.name().key(),
            version: number(user.version()),
            record: to_text(user)?,
        })
    }

    /// Whether another user of the domain has the name.
    async fn is_name_taken(&self, connection: &mut Connection) -> Result<bool, Failure> {
        let query = statement("SELECT id FROM users WHERE domain_id = $1 AND name_key = $2");
        let row = query
            .bind(&self.domain)
            .bind(&self.name_key)
            .fetch_optional(connection)
            .await?;
        match row {
            Some(row) => Ok(row.try_get::<&str>(0)? != self.id),
            None => Ok(false),
        }
    }
}

/// Of a row of `id, domain_id, record`.
fn user_of(row: &SqlRow) -> Result<Arc<DirectoryUser>, Failure> {
    let user: DirectoryUser = from_text("a user", row.try_get(2)?)?;
    let (id, domain): (&str, &str) = (row.try_get(0)?, row.try_get(1)?);
    if user.id().as_str() != id || user.domain().as_str() != domain {
        return Err(of_another("a user"));
    }
    Ok(Arc::new(user))
}

struct Insert(UserRow);

#[async_trait]
impl Transaction for Insert {
    type Answer = UserInsertion;

    async fn make(&self, connection: &mut Connection) -> Result<UserInsertion, Failure> {
        let row = &self.0;
        let query = statement("SELECT 1 FROM users WHERE id = $1");
        if query
            .bind(&row.id)
            .fetch_optional(&mut *connection)
            .await?
            .is_some()
        {
            return Ok(UserInsertion::Exists);
        }
        let query = statement("SELECT 1 FROM domains WHERE id = $1");
        if query
            .bind(&row.domain)
            .fetch_optional(&mut *connection)
            .await?
            .is_none()
        {
            return Ok(UserInsertion::UnknownDomain);
        }
        let query = statement(
            "INSERT INTO users (id, domain_id, name_key, version, record) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (domain_id, name_key) DO NOTHING",
        );
        let query = query.bind(&row.id).bind(&row.domain).bind(&row.name_key);
        let query = query.bind(row.version).bind(&row.record);
        Ok(match query.execute(connection).await? {
            0 => UserInsertion::NameTaken,
            _ => UserInsertion::Inserted,
        })
    }
}

struct Replace {
    expected: i64,
    row: UserRow,
}

#[async_trait]
impl Transaction for Replace {
    type Answer = UserReplacement;

    async fn make(&self, connection: &mut Connection) -> Result<UserReplacement, Failure> {
        let row = &self.row;
        let query = statement("SELECT version, domain_id FROM users WHERE id = $1 FOR UPDATE");
        let Some(stored) = query.bind(&row.id).fetch_optional(&mut *connection).await? else {
            return Ok(UserReplacement::Missing);
        };
        let (version, domain): (i64, &str) = (stored.try_get(0)?, stored.try_get(1)?);
        if version != self.expected || domain != row.domain {
            return Ok(UserReplacement::Conflict);
        }
        if row.is_name_taken(connection).await? {
            return Ok(UserReplacement::NameTaken);
        }
        let query = statement("UPDATE users SET name_key = $2, version = $3, record = $4 WHERE id = $1");
        let query = query
            .bind(&row.id)
            .bind(&row.name_key)
            .bind(row.version)
            .bind(&row.record);
        query.execute(connection).await?;
        Ok(UserReplacement::Replaced)
    }
}

struct Delete(String);

#[async_trait]
impl Transaction for Delete {
    type Answer = UserRemoval;

    async fn make(&self, connection: &mut Connection) -> Result<UserRemoval, Failure> {
        let query = statement("DELETE FROM users WHERE id = $1");
        if query.bind(&self.0).execute(&mut *connection).await? == 0 {
            return Ok(UserRemoval::Missing);
        }
        end_all_of_user(connection, &self.0).await?;
        Ok(UserRemoval::Removed)
    }

    fn is_counted(&self, answer: &UserRemoval) -> bool {
        matches!(answer, UserRemoval::Removed)
    }
}

impl SqlStore {
    fn directory_failed(&self, failure: Failure) -> DirectoryStoreError {
        DirectoryStoreError::new(self.failed(failure))
    }
}

#[async_trait]
impl DirectoryStore for SqlStore {
    async fn user(&self, id: &UserId) -> Result<Option<Arc<DirectoryUser>>, DirectoryStoreError> {
        let read = async {
            let query = statement("SELECT id, domain_id, record FROM users WHERE id = $1");
            let row = query.bind(id.as_str()).read_optional(self).await?;
            row.map(|row| user_of(&row)).transpose()
        };
        read.await
            .map_err(|failure: Failure| self.directory_failed(failure))
    }

    async fn user_named(
        &self,
        domain: &DomainId,
        name: &UserName,
    ) -> Result<Option<Arc<DirectoryUser>>, DirectoryStoreError> {
        let read = async {
            let key = name.key();
            let query =
                statement("SELECT id, domain_id, record FROM users WHERE domain_id = $1 AND name_key = $2");
            let query = query.bind(domain.as_str()).bind(&key);
            let row = query.read_optional(self).await?;
            let user = row.map(|row| user_of(&row)).transpose()?;
            match user {
                Some(user) if user.name().key() != key => Err(of_another("a user")),
                user => Ok(user),
            }
        };
        read.await
            .map_err(|failure: Failure| self.directory_failed(failure))
    }

    async fn insert_user(&self, user: DirectoryUser) -> Result<UserInsertion, DirectoryStoreError> {
        let row = UserRow::of(&user).map_err(|failure| self.directory_failed(failure))?;
        self.write(Insert(row)).await.map_err(DirectoryStoreError::new)
    }

    async fn replace_user(
        &self,
        expected_version: u64,
        user: DirectoryUser,
    ) -> Result<UserReplacement, DirectoryStoreError> {
        if user.version().checked_sub(1) != Some(expected_version) {
            return Err(DirectoryStoreError::new(VERSION_RULE));
        }
        let change = Replace {
            expected: number(expected_version),
            row: UserRow::of(&user).map_err(|failure| self.directory_failed(failure))?,
        };
        self.write(change).await.map_err(DirectoryStoreError::new)
    }

    async fn delete_user(&self, id: &UserId) -> Result<UserRemoval, DirectoryStoreError> {
        let change = Delete(id.as_str().to_owned());
        self.write(change).await.map_err(DirectoryStoreError::new)
    }

    async fn list_users(
        &self,
        domain: &DomainId,
        after: Option<&UserName>,
        limit: usize,
    ) -> Result<Vec<Arc<DirectoryUser>>, DirectoryStoreError> {
        let read = async {
            let query = statement(
                "SELECT id, domain_id, record FROM users WHERE domain_id = $1 AND name_key > $2
                 ORDER BY name_key LIMIT $3",
            );
            let query = query
                .bind(domain.as_str())
                .bind(after.map_or_else(String::new, UserName::key));
            let query = query.bind(number(limit.min(MAX_USERS_PAGE)));
            let rows = query.read_all(self).await?;
            rows.iter().map(user_of).collect::<Result<_, _>>()
        };
        read.await
            .map_err(|failure: Failure| self.directory_failed(failure))
    }

    async fn domain_name(&self, domain: &DomainId) -> Result<Option<Name>, DirectoryStoreError> {
        let stored = self.domain(domain).await.map_err(DirectoryStoreError::new)?;
        let name = stored.map(|stored| Name::parse(stored.name())).transpose();
        name.map_err(DirectoryStoreError::new)
    }
}
