//! The one task that writes.

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::{ConnectOptions, sqlite::SqliteConnectOptions};
use tokio::sync::{mpsc, oneshot};

use crate::feed::{Counts, Feed};
use crate::sql::{
    connection::Connection,
    error::Failure,
    transaction::{Transaction, counts},
};

/// The most changes in one transaction: beyond it, the first waits for longer than the commit that it saves.
const GROUP: usize = 128;

/// What the writer is asked to do.
pub(super) enum Work {
    Change(Box<dyn Pending>),
    /// Finish, close the file, answer.
    Close(oneshot::Sender<()>),
}

/// A change with who waits for it, whatever its answer is.
#[async_trait]
pub(super) trait Pending: Send {
    /// Makes the change and keeps its answer. Tells whether caches must hear of it.
    async fn make(&mut self, connection: &mut Connection) -> Result<bool, Failure>;

    /// The change was not made.
    fn refuse(&mut self, failure: Arc<Failure>);

    /// Tells who waits, once what was made is durable.
    fn answer(self: Box<Self>);
}

/// A change, and who waits for it.
pub(super) struct Job<T: Transaction> {
    change: T,
    outcome: Option<Made<T>>,
    reply: oneshot::Sender<Made<T>>,
}

/// What became of a change.
pub(super) type Made<T> = Result<<T as Transaction>::Answer, Arc<Failure>>;

impl<T: Transaction> Job<T> {
    pub(super) fn new(change: T) -> (Box<Self>, oneshot::Receiver<Made<T>>) {
        let (reply, answer) = oneshot::channel();
        let job = Self {
            change,
            outcome: None,
            reply,
        };
        (Box::new(job), answer)
    }
}

#[async_trait]
impl<T: Transaction> Pending for Job<T> {
    async fn make(&mut self, connection: &mut Connection) -> Result<bool, Failure> {
        let answer = self.change.make(connection).await?;
        let is_counted = self.change.is_counted(&answer);
        self.outcome = Some(Ok(answer));
        Ok(is_counted)
    }

    fn refuse(&mut self, failure: Arc<Failure>) {
        self.outcome = Some(Err(failure));
    }

    fn answer(self: Box<Self>) {
        if let Some(Err(failure)) = &self.outcome {
            let error: &dyn std::error::Error = &**failure;
            tracing::error!(error, "the database refused a change");
        }
        if let Some(outcome) = self.outcome {
            // Who asked may have gone; the change stays.
            let _ = self.reply.send(outcome);
        }
    }
}

/// Takes changes until every store handle is gone or one asks to close.
pub(super) async fn run(
    connection: Connection,
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
) -> Vec<Box<dyn Pending>> {
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
    connection: &mut Option<Connection>,
    options: &SqliteConnectOptions,
    mut group: Vec<Box<dyn Pending>>,
    feed: &Feed,
) {
    if group.is_empty() {
        return;
    }
    match attempt(connection, options, &mut group).await {
        // Caches learn of the changes before those who made them do.
        Ok(Some(counts)) => feed.publish(counts),
        Ok(None) => {}
        Err(failure) => {
            // The connection may be in any state: the next group gets a new one.
            *connection = None;
            // A commit whose outcome is unknown may have changed anything.
            feed.doubt();
            let failure = Arc::new(failure);
            for job in &mut group {
                job.refuse(Arc::clone(&failure));
            }
        }
    }
    for job in group {
        job.answer();
    }
}

async fn attempt(
    connection: &mut Option<Connection>,
    options: &SqliteConnectOptions,
    group: &mut [Box<dyn Pending>],
) -> Result<Option<Counts>, Failure> {
    let connection = match connection {
        Some(connection) => connection,
        none => none.insert(Connection::Sqlite(options.connect().await?)),
    };
    transaction(connection, group).await
}

/// Makes the changes in one transaction: one that fails leaves nothing behind and spoils no other. When they are
/// durable, returns the new counts if anything changed that is counted.
///
/// Changes seldom fail, and a savepoint around each would cost as much as the change: only when one has failed, all is
/// rolled back and made again, each in a savepoint of its own.
pub(super) async fn transaction(
    connection: &mut Connection,
    group: &mut [Box<dyn Pending>],
) -> Result<Option<Counts>, Failure> {
    connection.command("BEGIN IMMEDIATE").await?;
    let is_counted = match make_all(connection, group).await {
        Ok(is_counted) => is_counted,
        Err(failure) => {
            // After a full disk or a failed device SQLite has rolled back by itself: then the whole group has failed for
            // this reason.
            if connection.command("ROLLBACK").await.is_err() {
                return Err(failure);
            }
            connection.command("BEGIN IMMEDIATE").await?;
            make_each(connection, group).await?
        }
    };
    let counts = if is_counted {
        Some(counts(connection).await?)
    } else {
        None
    };
    connection.command("COMMIT").await?;
    Ok(counts)
}

/// Makes all changes, up to the first that fails.
async fn make_all(connection: &mut Connection, group: &mut [Box<dyn Pending>]) -> Result<bool, Failure> {
    let mut is_counted = false;
    for job in group {
        is_counted |= job.make(connection).await?;
    }
    Ok(is_counted)
}

/// Makes those changes that can be made; fails if the whole transaction did.
async fn make_each(connection: &mut Connection, group: &mut [Box<dyn Pending>]) -> Result<bool, Failure> {
    let mut is_counted = false;
    for job in group {
        is_counted |= in_savepoint(connection, job.as_mut()).await?;
    }
    Ok(is_counted)
}

/// One change; fails if the whole transaction did.
async fn in_savepoint(connection: &mut Connection, job: &mut dyn Pending) -> Result<bool, Failure> {
    connection.command("SAVEPOINT one").await?;
    let made = job.make(connection).await;
    // After a full disk or a failed device SQLite has rolled the whole transaction back: then there is no savepoint
    // any more, and the whole group has failed for this reason.
    if let Err(failure) = made {
        if connection.command("ROLLBACK TO one").await.is_err() {
            return Err(failure);
        }
        connection.command("RELEASE one").await?;
        job.refuse(Arc::new(failure));
        return Ok(false);
    }
    connection.command("RELEASE one").await?;
    made
}
