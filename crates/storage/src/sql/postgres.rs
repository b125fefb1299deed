//! A PostgreSQL server: a few connections, each change a transaction of its own.

mod config;
mod connector;
mod follower;
pub(super) mod interactions;
mod lease;
pub(super) mod migrations;
mod pool;
mod work;

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{sync::watch, task::JoinSet};

pub use self::config::{PostgresConfig, PostgresConfigError, PostgresPassword};
use self::{connector::Connector, lease::Lease, pool::Pool};
use super::{
    Leadership,
    connection::{Connection, statement},
    error::{Failure, SqlErrorKind},
    transaction::counts,
};
use crate::feed::Feed;

/// How long one statement may take: ours take milliseconds. What is slower than this would be answered too late.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(5);

/// One connection, for who looks and goes again.
pub(super) async fn connect(config: &PostgresConfig) -> Result<Connection, Failure> {
    Connector::new(config.clone()).connect().await
}

/// The open database.
pub(super) struct OpenServer {
    shared: Arc<Shared>,
    tasks: tokio::sync::Mutex<JoinSet<()>>,
    /// Ends the tasks: when it says so, and when it is dropped.
    stop: watch::Sender<bool>,
}

/// What the tasks have in common.
struct Shared {
    pool: Arc<Pool>,
    feed: Arc<Feed>,
    health: Health,
    lease: Lease,
    /// Whether changes are heard of, and may be answered for.
    hears: watch::Sender<bool>,
}

/// Why nothing may be read or written now: this node must not answer, though the database would.
#[derive(Debug, Default)]
struct Health(Mutex<Option<SqlErrorKind>>);

impl Health {
    fn set(&self, fault: Option<SqlErrorKind>) {
        let mut known = self.0.lock();
        if *known != fault {
            if let Some(kind) = fault {
                tracing::error!(fault = %super::error::of_server(kind), "this node answers nothing from the database");
            } else {
                tracing::info!("this node answers from the database again");
            }
        }
        *known = fault;
    }

    /// Refuses what must not be answered.
    fn check(&self) -> Result<(), Failure> {
        match *self.0.lock() {
            None => Ok(()),
            Some(kind) => Err(Failure::Found(kind, String::new())),
        }
    }
}

impl OpenServer {
    pub(super) async fn start(config: &PostgresConfig) -> Result<(Self, Arc<Feed>), Failure> {
        let pool = Pool::new(Connector::new(config.clone()));
        let mut lent = pool.lend().await?;
        let connection = lent.connection()?;
        migrations::require_current(connection).await?;
        let feed = Arc::new(Feed::new(counts(connection).await?));
        let clock = statement("SELECT floor(extract(epoch FROM clock_timestamp()))::bigint");
        let database_s = clock.fetch_one(connection).await?.try_get(0)?;
        lent.give_back();
        let (stop, stopped) = watch::channel(false);
        let shared = Arc::new(Shared {
            pool,
            feed: Arc::clone(&feed),
            health: Health::default(),
            lease: Lease::default(),
            hears: watch::Sender::new(true),
        });
        // Before anything is answered: the follower's first look comes later.
        if let Some(fault) = shared.clock_fault(database_s) {
            return Err(Failure::Found(fault, String::new()));
        }
        let mut tasks = JoinSet::new();
        tasks.spawn(follower::run(Arc::clone(&shared), stopped));
        let server = Self {
            shared,
            tasks: tokio::sync::Mutex::new(tasks),
            stop,
        };
        Ok((server, feed))
    }

    /// Wants to lead from now on.
    pub(super) async fn seek(&self, holder: [u8; 16]) {
        let (shared, stopped) = (Arc::clone(&self.shared), self.stop.subscribe());
        let mut known = self.shared.lease.subscribe();
        let task = async move { shared.seek(holder, stopped).await };
        self.tasks.lock().await.spawn(task);
        // The first answer decides what this node does at its start. The sender lives as long as `self`.
        drop(known.wait_for(Option::is_some).await);
    }

    pub(super) fn leadership(&self) -> watch::Receiver<Option<Leadership>> {
        self.shared.lease.subscribe()
    }

    pub(super) fn may_lead(&self) -> bool {
        self.shared.lease.may_lead()
    }

    pub(super) fn hears(&self) -> watch::Receiver<bool> {
        self.shared.hears.subscribe()
    }

    pub(super) async fn close(&self) {
        self.stop.send_replace(true);
        let mut tasks = self.tasks.lock().await;
        // They end by themselves; that one panicked would be no reason not to close.
        while tasks.join_next().await.is_some() {}
        self.shared.pool.close().await;
    }

    /// Whether every client and user has its domain. PostgreSQL holds to it; a damaged index might not.
    pub(super) async fn check_integrity(&self) -> Result<(), Failure> {
        let query = statement(
            "SELECT domain_id FROM clients WHERE NOT EXISTS (SELECT 1 FROM domains WHERE id = domain_id)
             UNION ALL
             SELECT domain_id FROM users WHERE NOT EXISTS (SELECT 1 FROM domains WHERE id = domain_id) LIMIT 1",
        );
        match self.read_optional(&query).await? {
            None => Ok(()),
            Some(_) => Err(Failure::Found(
                SqlErrorKind::Corrupt,
                "a client or a user without its domain".to_owned(),
            )),
        }
    }
}
