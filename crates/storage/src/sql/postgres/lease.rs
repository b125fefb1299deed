//! Which of the nodes does what one does for all.
//!
//! The database's clock decides how long a lease lasts, and each new holder gets a higher term. A change that only the
//! leader may make asks for its own term in its own transaction, and keeps it there until the commit: a leader that was
//! paused and wakes up after another took over finds a higher term, and changes nothing.

use std::time::Duration;

use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout},
};

use super::{STATEMENT_TIMEOUT, Shared};
use crate::sql::{
    Leadership,
    connection::{Connection, statement},
    error::{Failure, SqlErrorKind},
    rows::number,
};

/// How long a leader leads that is not heard of: then the next one begins.
const LIFETIME: Duration = Duration::from_secs(10);
/// How often a leader renews, and the others look whether there is one.
const PERIOD: Duration = Duration::from_secs(2);
/// The one lease.
const NAME: &str = "upkeep";

/// What this node knows of the lease.
pub(super) struct Lease {
    /// `None` where nobody wants to lead: a tool, whose changes need no leader.
    state: watch::Sender<Option<Leadership>>,
}

impl Default for Lease {
    fn default() -> Self {
        Self {
            state: watch::Sender::new(None),
        }
    }
}

impl Lease {
    pub(super) fn subscribe(&self) -> watch::Receiver<Option<Leadership>> {
        self.state.subscribe()
    }

    /// Whether what only the leader does may be begun here. The transaction decides whether it is written.
    pub(super) fn may_lead(&self) -> bool {
        !matches!(*self.state.borrow(), Some(Leadership::Follows))
    }

    /// Refuses the transaction unless this node still leads, and lets nobody take over before it ends.
    pub(super) async fn fence(&self, connection: &mut Connection) -> Result<(), Failure> {
        let state = *self.state.borrow();
        let refused = || Failure::Found(SqlErrorKind::NotLeading, String::new());
        let term = match state {
            // A tool: an administrator's change is compared and swapped, and that is all it needs.
            None => return Ok(()),
            Some(Leadership::Follows) => return Err(refused()),
            Some(Leadership::Leads { term }) => term,
        };
        let query = statement("SELECT 1 FROM leases WHERE name = $1 AND term = $2 FOR UPDATE");
        let query = query.bind(NAME).bind(number(term));
        if query.fetch_optional(connection).await?.is_some() {
            return Ok(());
        }
        self.set(Leadership::Follows);
        Err(refused())
    }

    fn set(&self, leadership: Leadership) {
        self.state.send_if_modified(|state| {
            let changes = *state != Some(leadership);
            match leadership {
                Leadership::Leads { term } if changes => {
                    tracing::info!(
                        term,
                        "this node leads: it rotates keys and forgets what has expired"
                    );
                }
                Leadership::Follows if state.is_some_and(Leadership::leads) => {
                    tracing::info!("this node does not lead any more");
                }
                Leadership::Leads { .. } | Leadership::Follows => {}
            }
            *state = Some(leadership);
            changes
        });
    }
}

impl Shared {
    /// Leads when nobody else does, until `stop`; then gives the lease back.
    pub(super) async fn seek(&self, holder: [u8; 16], mut stop: watch::Receiver<bool>) {
        let mut valid_until = Instant::now();
        loop {
            let asked = Instant::now();
            match self.renew_lease(&holder).await {
                Ok(Some(term)) => {
                    valid_until = asked.checked_add(LIFETIME).unwrap_or(asked);
                    self.lease.set(Leadership::Leads { term });
                }
                Ok(None) => self.lease.set(Leadership::Follows),
                Err(failure) => {
                    let error: &dyn std::error::Error = &failure;
                    tracing::debug!(error, "the lease could not be asked for");
                    if Instant::now() >= valid_until {
                        self.lease.set(Leadership::Follows);
                    }
                }
            }
            let next = asked.checked_add(PERIOD).unwrap_or(asked);
            tokio::select! {
                () = sleep_until(next) => {}
                _ = stop.changed() => break,
            }
        }
        // The next leader need not wait. If that cannot be told, it waits.
        drop(self.return_lease(&holder).await);
        self.lease.set(Leadership::Follows);
    }

    /// The term, if this node leads now.
    async fn renew_lease(&self, holder: &[u8; 16]) -> Result<Option<u64>, Failure> {
        // A clock that is off makes no leader: it would forget what is not over.
        self.health.check()?;
        let mut lent = self.pool.lend().await?;
        let query = statement(
            "INSERT INTO leases AS lease (name, holder, term, expires_at)
             VALUES ($1, $2, 1, floor(extract(epoch FROM clock_timestamp()))::bigint + $3)
             ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at,
                 term = lease.term + CASE WHEN lease.holder = excluded.holder THEN 0 ELSE 1 END
             WHERE lease.holder = excluded.holder
                OR lease.expires_at < floor(extract(epoch FROM clock_timestamp()))::bigint
             RETURNING term",
        );
        let query = query.bind(NAME).bind(holder.as_slice());
        let query = query.bind(number(LIFETIME.as_secs()));
        let row = timeout(STATEMENT_TIMEOUT, query.fetch_optional(lent.connection()?)).await;
        match row {
            Ok(Ok(row)) => {
                lent.give_back();
                let term = row.map(|row| row.try_get::<i64>(0)).transpose()?;
                Ok(term.and_then(|term| u64::try_from(term).ok()))
            }
            Ok(Err(failure)) => {
                lent.discard();
                Err(failure)
            }
            Err(_elapsed) => {
                lent.discard();
                Err(Failure::Found(SqlErrorKind::Unreachable, String::new()))
            }
        }
    }

    async fn return_lease(&self, holder: &[u8; 16]) -> Result<(), Failure> {
        let mut lent = self.pool.lend().await?;
        let query = statement("UPDATE leases SET expires_at = 0 WHERE name = $1 AND holder = $2");
        let query = query.bind(NAME).bind(holder.as_slice());
        let told = timeout(PERIOD, query.execute(lent.connection()?)).await;
        if matches!(told, Ok(Ok(_))) {
            lent.give_back();
        } else {
            lent.discard();
        }
        Ok(())
    }
}
