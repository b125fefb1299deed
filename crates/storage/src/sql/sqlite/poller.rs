//! The task that hears of other processes' changes.

use std::{sync::Arc, time::Duration};

use sqlx::{ConnectOptions, sqlite::SqliteConnectOptions};
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};

use crate::feed::Feed;
use crate::sql::{
    connection::{Connection, statement},
    error::Failure,
    outage::Outage,
    transaction::counts,
};

/// How often the file is asked: a client disabled by the command line is refused by the server within this.
const PERIOD: Duration = Duration::from_millis(250);

/// Asks until `stop` changes, or nobody can change it any more. `PRAGMA data_version` compares a number in shared
/// memory; it reads no file.
pub(super) async fn run(options: SqliteConnectOptions, feed: Arc<Feed>, mut stop: watch::Receiver<bool>) {
    let mut connection = None;
    let mut seen = None;
    let mut outage = Outage::default();
    loop {
        if let Err(failure) = ask(&options, &mut connection, &mut seen, &feed).await {
            if outage.failed(failure.kind(), Instant::now()) {
                let error: &dyn std::error::Error = &failure;
                tracing::warn!(
                    error,
                    "the database could not be asked for changes; cached records are not used, and this is told again in a minute"
                );
            }
            feed.doubt();
            (connection, seen) = (None, None);
        } else if let Some(outage) = outage.over(Instant::now()) {
            tracing::info!(
                after_s = outage.as_secs_f32(),
                "the database is asked for changes again"
            );
        }
        if timeout(PERIOD, stop.changed()).await.is_ok() {
            break;
        }
    }
    if let Some(connection) = connection {
        // It only read: nothing is lost if it cannot be closed in order.
        let _ = connection.close().await;
    }
}

async fn ask(
    options: &SqliteConnectOptions,
    connection: &mut Option<Connection>,
    seen: &mut Option<i64>,
    feed: &Feed,
) -> Result<(), Failure> {
    let connection = match connection {
        Some(connection) => connection,
        none => none.insert(Connection::Sqlite(options.connect().await?)),
    };
    let row = statement("PRAGMA data_version").fetch_one(connection).await?;
    let version: i64 = row.try_get(0)?;
    if *seen != Some(version) {
        feed.publish(counts(connection).await?);
        // Only now: what could not be read is asked for again.
        *seen = Some(version);
    }
    Ok(())
}
