//! The task that hears of other nodes' changes, and looks whether this node may go on.

use std::{sync::Arc, time::Duration};

use sqlx::{
    Row as _,
    postgres::{PgListener, PgPoolOptions},
};
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};

use super::{Shared, migrations};
use crate::{
    feed::Counts,
    sql::{
        error::{Failure, SqlErrorKind, of_server},
        outage::Outage,
    },
};

/// How often the database is asked when nothing is heard: what a broker between hides is seen within this.
const PERIOD: Duration = Duration::from_millis(250);
/// How long an answer may take. With [`PERIOD`], a node that is cut off trusts none of its caches after a second.
const ANSWER: Duration = Duration::from_millis(700);
/// By how many seconds this machine's clock and the database's may differ: the shortest leeway that verifiers give.
const MAX_CLOCK_DIFFERENCE_S: i64 = 10;
/// What the triggers tell at a commit.
const CHANNEL: &str = "sealstone";

const ASK: &str = "SELECT clients, key_rings, revocations,
        floor(extract(epoch FROM clock_timestamp()))::bigint,
        pg_is_in_recovery()::integer::bigint,
        (SELECT oldest FROM sealstone_schema)::bigint,
        (SELECT version FROM sealstone_schema)::bigint
    FROM change_counts";

/// Listens and asks until `stop` changes, or nobody can change it any more.
pub(super) async fn run(shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    let mut listener = None;
    let mut was_lost = false;
    let mut outage = Outage::default();
    loop {
        let is_new = listener.is_none();
        if let Err(failure) = step(&shared, &mut listener, was_lost && is_new).await {
            if outage.failed(failure.kind(), Instant::now()) {
                tracing::warn!(
                    database = %shared.pool.connector.config(),
                    fault = %of_server(failure.kind()),
                    error = %failure,
                    "the database could not be asked for changes; cached records are not used, and this is told again in a minute"
                );
            }
            listener = None;
            was_lost = true;
            shared
                .hears
                .send_if_modified(|hears| std::mem::replace(hears, false));
            shared.feed.doubt();
        } else if let Some(outage) = outage.over(Instant::now()) {
            tracing::info!(
                after_s = outage.as_secs_f32(),
                "the database is asked for changes again"
            );
        }
        let heard = async {
            match &mut listener {
                // A notification, or a connection that ended: both are reasons to ask.
                Some(listener) => drop(timeout(PERIOD, PgListener::try_recv(listener)).await),
                None => tokio::time::sleep(PERIOD).await,
            }
        };
        tokio::select! {
            () = heard => {}
            _ = stop.changed() => return,
        }
    }
}

/// `is_another`: it may be another server, which took over from the one that was heard before.
async fn step(shared: &Shared, listener: &mut Option<PgListener>, is_another: bool) -> Result<(), Failure> {
    let listener = match listener {
        Some(listener) => listener,
        none => none.insert(listen(shared).await?),
    };
    let state = ask(shared, listener).await?;
    // The health before the news: what is read because of them must not be answered by a node that may not.
    shared.health.set(state.fault);
    if is_another || state.fault.is_some() {
        shared.feed.doubt();
    }
    shared.feed.observe(state.counts);
    let may_serve = state.fault.is_none();
    shared
        .hears
        .send_if_modified(|hears| std::mem::replace(hears, may_serve) != may_serve);
    Ok(())
}

async fn listen(shared: &Shared) -> Result<PgListener, Failure> {
    // This one finds the primary, in as many attempts as the connector makes.
    shared.pool.connector.connect().await?.close().await?;
    let options = shared.pool.connector.primary_options().ok_or(Failure::Closed)?;
    let open = async {
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(ANSWER)
            .connect_with(options)
            .await?;
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.ignore_pool_close_event(true);
        listener.listen(CHANNEL).await?;
        Ok(listener)
    };
    let opened = timeout(ANSWER.saturating_mul(2), open).await;
    opened.unwrap_or_else(|_| Err(silent())).map_err(into_failure)
}

/// What the database says of itself.
struct State {
    counts: Counts,
    fault: Option<SqlErrorKind>,
}

async fn ask(shared: &Shared, listener: &mut PgListener) -> Result<State, Failure> {
    let answer = timeout(ANSWER, sqlx::query(ASK).fetch_one(&mut *listener)).await;
    let row = answer.unwrap_or_else(|_| Err(silent())).map_err(into_failure)?;
    let number = |index: usize| -> Result<i64, Failure> { row.try_get(index).map_err(into_failure) };
    let count = |index: usize| Ok::<_, Failure>(u64::try_from(number(index)?).unwrap_or_default());
    let counts = Counts {
        clients: count(0)?,
        key_rings: count(1)?,
        revocations: count(2)?,
    };
    if number(4)? != 0 {
        return Err(Failure::Found(SqlErrorKind::ReadOnly, String::new()));
    }
    let (oldest, version) = (count(5)?, count(6)?);
    let fault = if oldest > u64::from(migrations::LATEST) {
        let found = u32::try_from(version).unwrap_or(u32::MAX);
        Some(SqlErrorKind::SchemaNewer { found })
    } else {
        shared.clock_fault(number(3)?)
    };
    Ok(State { counts, fault })
}

impl Shared {
    /// Whether this machine's clock is too far from the database's, which says so many seconds.
    pub(super) fn clock_fault(&self, database_s: i64) -> Option<SqlErrorKind> {
        let clock = self.pool.connector.config().clock.as_ref()?;
        let here = i64::try_from(clock().as_secs()).unwrap_or(i64::MAX);
        let ahead_s = here.saturating_sub(database_s);
        (ahead_s.saturating_abs() > MAX_CLOCK_DIFFERENCE_S).then_some(SqlErrorKind::Clock { ahead_s })
    }
}

fn silent() -> sqlx::Error {
    sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())
}

fn into_failure(error: sqlx::Error) -> Failure {
    Failure::Server(error)
}
