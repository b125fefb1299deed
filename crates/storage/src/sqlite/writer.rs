//! The one task that writes.

mod change;

use std::sync::Arc;

use sqlx::{ConnectOptions, Connection, Executor, Row, SqliteConnection, sqlite::SqliteConnectOptions};
use tokio::sync::{mpsc, oneshot};

pub(super) use self::change::{Change, Outcome};
use super::error::Failure;
use crate::feed::{Counts, Feed};

/// The most changes in one transaction: beyond it, the first waits for longer than the commit that it saves.
const GROUP: usize = 128;

/// What the writer is asked to do.
pub(super) enum Work {
    Change(Job),
    /// Finish, close the file, answer.
    Close(oneshot::Sender<()>),
}

/// A change, and who waits for it.
pub(super) struct Job {
    pub(super) change: Change,
    pub(super) reply: oneshot::Sender<Result<Outcome, Arc<Failure>>>,
}

/// Takes changes until every store handle is gone or one asks to close.
pub(super) async fn run(
    connection: SqliteConnection,
    options: SqliteConnectOptions,
    mut queue: mpsc::Receiver<Work>,
    feed: Arc<Feed>,
) {
    let mut connection = Some(connection);
    let mut closing = None;
    while closing.is_none() {
        let Some(first) = queue.recv().await else { break };
        let group = drain(first, &mut queue, &mut closing);
        commit_group(&mut connection, &options, group, &feed).await;
    }
    queue.close();
    if let Some(connection) = connection
        && let Err(error) = connection.close().await
    {
        let error: &dyn std::error::Error = &error;
        tracing::warn!(error, "closing the database failed");
    }
    if let Some(done) = closing {
        // Who asked may have gone.
        let _ = done.send(());
    }
}

/// What waits now, up to a group, and no further than a request to close.
fn drain(
    first: Work,
    queue: &mut mpsc::Receiver<Work>,
    closing: &mut Option<oneshot::Sender<()>>,
) -> Vec<Job> {
    let mut group = Vec::new();
    let mut next = Some(first);
    while let Some(work) = next {
        match work {
            Work::Change(job) => group.push(job),
            Work::Close(done) => {
                *closing = Some(done);
                break;
            }
        }
        next = if group.len() < GROUP {
            queue.try_recv().ok()
        } else {
            None
        };
    }
    group
}

async fn commit_group(
    connection: &mut Option<SqliteConnection>,
    options: &SqliteConnectOptions,
    group: Vec<Job>,
    feed: &Feed,
) {
    if group.is_empty() {
        return;
    }
    let changes: Vec<&Change> = group.iter().map(|job| &job.change).collect();
    match attempt(connection, options, &changes).await {
        Ok((outcomes, counts)) => {
            // Caches learn of the changes before those who made them do.
            if let Some(counts) = counts {
                feed.publish(counts);
            }
            for (job, outcome) in group.into_iter().zip(outcomes) {
                answer(job, outcome);
            }
        }
        Err(failure) => {
            // The connection may be in any state: the next group gets a new one.
            *connection = None;
            // A commit whose outcome is unknown may have changed anything.
            feed.doubt();
            let failure = Arc::new(failure);
            for job in group {
                answer(job, Err(Arc::clone(&failure)));
            }
        }
    }
}

fn answer(job: Job, outcome: Result<Outcome, Arc<Failure>>) {
    if let Err(failure) = &outcome {
        let error: &dyn std::error::Error = &**failure;
        tracing::error!(error, "the database refused a change");
    }
    // Who asked may have gone; the change stays.
    let _ = job.reply.send(outcome);
}

type Outcomes = Vec<Result<Outcome, Arc<Failure>>>;

async fn attempt(
    connection: &mut Option<SqliteConnection>,
    options: &SqliteConnectOptions,
    changes: &[&Change],
) -> Result<(Outcomes, Option<Counts>), Failure> {
    let connection = match connection {
        Some(connection) => connection,
        none => none.insert(options.connect().await?),
    };
    transaction(connection, changes).await
}

/// Makes the changes in one transaction, each in a savepoint of its own: one that fails leaves nothing behind and
/// spoils no other. Returns their outcomes once they are durable, and the new counts if anything changed.
pub(super) async fn transaction(
    connection: &mut SqliteConnection,
    changes: &[&Change],
) -> Result<(Outcomes, Option<Counts>), Failure> {
    connection.execute("BEGIN IMMEDIATE").await?;
    let mut outcomes = Vec::with_capacity(changes.len());
    for change in changes {
        outcomes.push(in_savepoint(connection, change).await?);
    }
    let changed = outcomes.iter().flatten().any(|outcome| outcome.is_change());
    let counts = if changed {
        Some(counts(connection).await?)
    } else {
        None
    };
    connection.execute("COMMIT").await?;
    Ok((outcomes, counts))
}

/// One change: `Ok(Err(..))` if it alone failed, `Err(..)` if the whole transaction did.
async fn in_savepoint(
    connection: &mut SqliteConnection,
    change: &Change,
) -> Result<Result<Outcome, Arc<Failure>>, Failure> {
    connection.execute("SAVEPOINT one").await?;
    let outcome = change.make(connection).await;
    // After a full disk or a failed device SQLite has rolled the whole transaction back: then there is no savepoint
    // any more, and the whole group has failed for this reason.
    if let Err(failure) = outcome {
        if connection.execute("ROLLBACK TO one").await.is_err() {
            return Err(failure);
        }
        connection.execute("RELEASE one").await?;
        return Ok(Err(Arc::new(failure)));
    }
    connection.execute("RELEASE one").await?;
    Ok(outcome.map_err(Arc::new))
}

/// How often each kind of record has changed, as this connection sees the file now.
pub(super) async fn counts(connection: &mut SqliteConnection) -> Result<Counts, Failure> {
    let row = sqlx::query("SELECT clients, key_rings, revocations FROM change_counts")
        .fetch_one(&mut *connection)
        .await?;
    let count = |index: usize| -> Result<u64, Failure> {
        let count: i64 = row.try_get(index)?;
        Ok(u64::try_from(count).unwrap_or_default())
    };
    Ok(Counts {
        clients: count(0)?,
        key_rings: count(1)?,
        revocations: count(2)?,
    })
}
