//! Clients that ended, with all that they got until then.

use std::time::Duration;

use rustls_pki_types::UnixTime;
use sealstone_identity::DomainId;
use sealstone_oauth_types::{ClientEnd, ClientId};
use sealstone_tokens::EndedClient;

use super::{
    SqlError, SqlStore,
    connection::{Connection, either, statement},
    error::Failure,
    families::end_grants_of_client,
    rows::{damaged, seconds},
};

/// The dates of one, for their columns.
pub(super) struct EndedRow {
    until: i64,
    forget_at: i64,
    /// Versions count from 1; 0 is none.
    version: i64,
}

impl EndedRow {
    pub(super) fn of(ended: &EndedClient) -> Self {
        Self {
            until: i64::try_from(ended.end.until).unwrap_or(i64::MAX),
            forget_at: seconds(ended.forget_at),
            version: ended
                .end
                .version
                .map_or(0, |version| i64::try_from(version).unwrap_or(i64::MAX)),
        }
    }
}

/// Ends codes, refresh tokens, device codes and access tokens of a client, within the transaction that disables it.
pub(super) async fn end_tokens_of(
    connection: &mut Connection,
    domain: &str,
    client: &str,
    ended: &EndedRow,
) -> Result<(), Failure> {
    let query = statement(
        "INSERT INTO ended_clients (client_id, domain_id, until, forget_at, version, version_until)
         VALUES ($1, $2, $3, $4, $5, $3)
         ON CONFLICT (domain_id, client_id) DO UPDATE SET
             until = CASE WHEN excluded.until > ended_clients.until THEN excluded.until ELSE ended_clients.until END,
             forget_at = CASE WHEN excluded.forget_at > ended_clients.forget_at
                              THEN excluded.forget_at ELSE ended_clients.forget_at END,
             version = CASE WHEN ended_clients.version > excluded.version
                            THEN ended_clients.version ELSE excluded.version END,
             version_until = CASE WHEN excluded.until > ended_clients.until
                                  THEN excluded.until ELSE ended_clients.until END",
    );
    let query = query.bind(client).bind(domain);
    let query = query.bind(ended.until).bind(ended.forget_at).bind(ended.version);
    query.execute(&mut *connection).await?;
    // Codes live for a minute: there are few, and no index names their client.
    let query = either(
        "DELETE FROM codes WHERE record ->> '$.grant.client_id' = $1",
        "DELETE FROM codes WHERE record::json -> 'grant' ->> 'client_id' = $1",
    );
    query.bind(client).execute(&mut *connection).await?;
    end_grants_of_client(connection, client).await
}

impl SqlStore {
    pub(super) async fn ended_clients_of(
        &self,
        domain: &DomainId,
        now: UnixTime,
    ) -> Result<Vec<EndedClient>, Failure> {
        let query = statement(
            "SELECT client_id, until, forget_at, CASE WHEN version_until = until THEN version ELSE 0 END
             FROM ended_clients WHERE domain_id = $1 AND forget_at > $2
             ORDER BY client_id",
        );
        let query = query.bind(domain.as_str()).bind(seconds(now));
        let rows = query.read_all(self).await?;
        let unreadable = || damaged("a client that ended cannot be read");
        let number = |number: i64| u64::try_from(number).map_err(|_negative| unreadable());
        rows.iter()
            .map(|row| {
                let version = number(row.try_get(3)?)?;
                Ok(EndedClient {
                    client_id: ClientId::parse(row.try_get(0)?).map_err(|_malformed| unreadable())?,
                    end: ClientEnd {
                        until: number(row.try_get(1)?)?,
                        version: (version > 0).then_some(version),
                    },
                    forget_at: UnixTime::since_unix_epoch(Duration::from_secs(number(row.try_get(2)?)?)),
                })
            })
            .collect()
    }

    pub(super) async fn purge_ended_clients(&self, now: UnixTime) -> Result<u64, SqlError> {
        self.purge_batches(
            "DELETE FROM ended_clients WHERE (domain_id, client_id) IN
                 (SELECT domain_id, client_id FROM ended_clients WHERE forget_at <= $1 ORDER BY forget_at LIMIT $2)",
            now,
        )
        .await
    }
}
