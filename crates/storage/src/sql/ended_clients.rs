//! Clients that ended, with all that they got until then.

use std::time::Duration;

use rustls_pki_types::UnixTime;
use sealstone_identity::DomainId;
use sealstone_oauth_types::ClientId;
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
}

impl EndedRow {
    pub(super) fn of(ended: &EndedClient) -> Self {
        Self {
            until: seconds(ended.until),
            forget_at: seconds(ended.forget_at),
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
        "INSERT INTO ended_clients (client_id, domain_id, until, forget_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (domain_id, client_id) DO UPDATE SET until = excluded.until, forget_at = excluded.forget_at
         WHERE excluded.until > ended_clients.until",
    );
    let query = query.bind(client).bind(domain);
    let query = query.bind(ended.until).bind(ended.forget_at);
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
            "SELECT client_id, until, forget_at FROM ended_clients WHERE domain_id = $1 AND forget_at > $2
             ORDER BY client_id",
        );
        let query = query.bind(domain.as_str()).bind(seconds(now));
        let rows = query.read_all(self).await?;
        let unreadable = || damaged("a client that ended cannot be read");
        let time = |seconds: i64| {
            let seconds = u64::try_from(seconds).map_err(|_negative| unreadable())?;
            Ok::<_, Failure>(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
        };
        rows.iter()
            .map(|row| {
                Ok(EndedClient {
                    client_id: ClientId::parse(row.try_get(0)?).map_err(|_malformed| unreadable())?,
                    until: time(row.try_get(1)?)?,
                    forget_at: time(row.try_get(2)?)?,
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
