//! The task that hears of other processes' changes.

use std::{sync::Arc, time::Duration};

use sqlx::{ConnectOptions, Executor, Row, SqliteConnection, sqlite::SqliteConnectOptions};
use tokio::time::{MissedTickBehavior, interval};

use super::{error::Failure, writer};
use crate::feed::Feed;

/// How often the file is asked: a client disabled by the command line is refused by the server within this.
const PERIOD: Duration = Duration::from_millis(250);

/// Asks until it is aborted. `PRAGMA data_version` compares a number in shared memory; it reads no file.
pub(super) async fn run(options: SqliteConnectOptions, feed: Arc<Feed>) {
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut connection = None;
    let mut seen = None;
    loop {
        ticks.tick().await;
        if let Err(failure) = ask(&options, &mut connection, &mut seen, &feed).await {
            let error: &dyn std::error::Error = &failure;
            tracing::warn!(
                error,
                "the database could not be asked for changes; cached records are not used"
            );
            feed.doubt();
            (connection, seen) = (None, None);
        }
    }
}

async fn ask(
    options: &SqliteConnectOptions,
    connection: &mut Option<SqliteConnection>,
    seen: &mut Option<i64>,
    feed: &Feed,
) -> Result<(), Failure> {
    let connection = match connection {
        Some(connection) => connection,
        none => none.insert(options.connect().await?),
    };
    let version: i64 = connection.fetch_one("PRAGMA data_version").await?.try_get(0)?;
    if *seen != Some(version) {
        feed.publish(writer::counts(connection).await?);
        // Only now: what could not be read is asked for again.
        *seen = Some(version);
    }
    Ok(())
}
