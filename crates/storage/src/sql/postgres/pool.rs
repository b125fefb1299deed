//! The connections of a node.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use super::{STATEMENT_TIMEOUT, connector::Connector};
use crate::sql::{
    connection::{Connection, statement},
    error::{Failure, SqlErrorKind},
};

/// How long a request waits for one of the connections. All are busy for that long only when the database is stuck.
const WAIT: Duration = Duration::from_secs(3);

/// Lends connections, makes those that are missing, and forgets those of a server that is gone.
pub(super) struct Pool {
    pub(super) connector: Connector,
    places: Arc<Semaphore>,
    idle: Mutex<Vec<Idle>>,
    /// One more with each connection that broke: what was made before is not trusted any more.
    age: AtomicU64,
}

struct Idle {
    connection: Connection,
    age: u64,
}

impl Pool {
    pub(super) fn new(connector: Connector) -> Arc<Self> {
        let places = usize::try_from(connector.config().connections).unwrap_or(usize::MAX);
        Arc::new(Self {
            connector,
            places: Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS))),
            idle: Mutex::new(Vec::new()),
            age: AtomicU64::new(0),
        })
    }

    /// A connection, until it is given back or dropped.
    pub(super) async fn lend(self: &Arc<Self>) -> Result<Lent, Failure> {
        let place = Arc::clone(&self.places).acquire_owned();
        let place = timeout(WAIT, place).await.map_err(|_| {
            Failure::Found(
                SqlErrorKind::Busy,
                "every connection of this node is at work".to_owned(),
            )
        })?;
        let place = place.map_err(|_| Failure::Closed)?;
        let age = self.age.load(Ordering::Acquire);
        let idle = self.idle.lock().pop();
        let connection = match idle {
            Some(idle) if idle.age == age => idle.connection,
            Some(_) | None => self.connector.connect().await?,
        };
        Ok(Lent {
            pool: Arc::clone(self),
            lent: Some((connection, place)),
            age,
        })
    }

    /// Trusts no connection that there is now: the server has gone.
    pub(super) fn renew(&self) {
        self.age.fetch_add(1, Ordering::AcqRel);
        drop(std::mem::take(&mut *self.idle.lock()));
    }

    /// Closes all connections, those that are lent when they come back.
    pub(super) async fn close(&self) {
        self.places.close();
        self.age.fetch_add(1, Ordering::AcqRel);
        let all = std::mem::take(&mut *self.idle.lock());
        for idle in all {
            // It is given up anyway.
            drop(timeout(STATEMENT_TIMEOUT, idle.connection.close()).await);
        }
    }

    fn take_back(&self, connection: Connection, age: u64) {
        if age == self.age.load(Ordering::Acquire) {
            self.idle.lock().push(Idle { connection, age });
        }
    }
}

/// A connection that is at work. Dropped in the middle of it, it is looked at before it serves again.
pub(super) struct Lent {
    pool: Arc<Pool>,
    lent: Option<(Connection, OwnedSemaphorePermit)>,
    age: u64,
}

impl Lent {
    pub(super) fn connection(&mut self) -> Result<&mut Connection, Failure> {
        let (connection, _place) = self.lent.as_mut().ok_or(Failure::Closed)?;
        Ok(connection)
    }

    /// The work is done, and nothing of it is left on the connection.
    pub(super) fn give_back(mut self) {
        if let Some((connection, place)) = self.lent.take() {
            self.pool.take_back(connection, self.age);
            drop(place);
        }
    }

    /// It broke, or nobody knows what it is doing.
    pub(super) fn discard(mut self) {
        self.lent = None;
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let Some((mut connection, place)) = self.lent.take() else {
            return;
        };
        // Who asked has gone. What is still to come from the server is read away, by somebody else.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (pool, age) = (Arc::clone(&self.pool), self.age);
            runtime.spawn(async move {
                let sound = timeout(STATEMENT_TIMEOUT, async {
                    connection.command("ROLLBACK").await?;
                    statement("SELECT 1").fetch_one(&mut connection).await
                });
                if matches!(sound.await, Ok(Ok(_))) {
                    pool.take_back(connection, age);
                }
                drop(place);
            });
        }
    }
}
