//! Consents.

use async_trait::async_trait;
use sealstone_grants::{
    GrantStoreError,
    consent::{Consent, ConsentStore},
};
use sealstone_identity::{DomainId, UserId};
use sealstone_oauth_types::ClientId;

use super::{
    SqlStore,
    connection::{Connection, statement},
    error::Failure,
    rows::{from_text, number, of_another, to_text},
    transaction::Transaction,
};
use crate::bounds::page_limit;

/// Whose consent, to whom: the key of the table.
struct Between {
    domain: String,
    user: String,
    client: String,
}

impl Between {
    fn new(domain: &DomainId, user: &UserId, client: &ClientId) -> Self {
        Self {
            domain: domain.as_str().to_owned(),
            user: user.as_str().to_owned(),
            client: client.as_str().to_owned(),
        }
    }
}

struct Put {
    between: Between,
    record: String,
}

#[async_trait]
impl Transaction for Put {
    type Answer = ();

    async fn make(&self, connection: &mut Connection) -> Result<(), Failure> {
        let query = statement(
            "INSERT INTO consents (domain_id, user_id, client_id, record) VALUES ($1, $2, $3, $4)
             ON CONFLICT (domain_id, user_id, client_id) DO UPDATE SET record = excluded.record",
        );
        let query = query.bind(&self.between.domain).bind(&self.between.user);
        let query = query.bind(&self.between.client).bind(&self.record);
        query.execute(connection).await?;
        Ok(())
    }
}

struct Remove(Between);

#[async_trait]
impl Transaction for Remove {
    type Answer = bool;

    async fn make(&self, connection: &mut Connection) -> Result<bool, Failure> {
        let query =
            statement("DELETE FROM consents WHERE domain_id = $1 AND user_id = $2 AND client_id = $3");
        let query = query.bind(&self.0.domain).bind(&self.0.user).bind(&self.0.client);
        Ok(query.execute(connection).await? > 0)
    }
}

#[async_trait]
impl ConsentStore for SqlStore {
    async fn consent(
        &self,
        domain: &DomainId,
        user_id: &UserId,
        client_id: &ClientId,
    ) -> Result<Option<Consent>, GrantStoreError> {
        let read = async {
            let query = statement(
                "SELECT record FROM consents WHERE domain_id = $1 AND user_id = $2 AND client_id = $3",
            );
            let query = query
                .bind(domain.as_str())
                .bind(user_id.as_str())
                .bind(client_id.as_str());
            let Some(row) = query.read_optional(self).await? else {
                return Ok(None);
            };
            let consent: Consent = from_text("a consent", row.try_get(0)?)?;
            let is_it =
                consent.domain == *domain && consent.user_id == *user_id && consent.client_id == *client_id;
            if is_it {
                Ok(Some(consent))
            } else {
                Err(of_another("a consent"))
            }
        };
        read.await.map_err(|failure: Failure| self.grants_failed(failure))
    }

    async fn put_consent(&self, consent: &Consent) -> Result<(), GrantStoreError> {
        let change = Put {
            between: Between::new(&consent.domain, &consent.user_id, &consent.client_id),
            record: to_text(consent).map_err(|failure| self.grants_failed(failure))?,
        };
        self.write(change).await.map_err(GrantStoreError::new)
    }

    async fn consents_of(
        &self,
        domain: &DomainId,
        user_id: &UserId,
        limit: usize,
    ) -> Result<Vec<Consent>, GrantStoreError> {
        let read = async {
            let query = statement(
                "SELECT record FROM consents WHERE domain_id = $1 AND user_id = $2 ORDER BY client_id LIMIT $3",
            );
            let query = query.bind(domain.as_str()).bind(user_id.as_str());
            let query = query.bind(number(page_limit(limit)));
            let mut consents = Vec::new();
            for row in query.read_all(self).await? {
                let consent: Consent = from_text("a consent", row.try_get(0)?)?;
                if consent.domain != *domain || consent.user_id != *user_id {
                    return Err(of_another("a consent"));
                }
                consents.push(consent);
            }
            Ok(consents)
        };
        read.await.map_err(|failure: Failure| self.grants_failed(failure))
    }

    async fn remove_consent(
        &self,
        domain: &DomainId,
        user_id: &UserId,
        client_id: &ClientId,
    ) -> Result<bool, GrantStoreError> {
        let change = Remove(Between::new(domain, user_id, client_id));
        self.write(change).await.map_err(GrantStoreError::new)
    }
}
