//! Reading and changing.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;

use super::{OpenServer, STATEMENT_TIMEOUT, Shared};
use crate::{
    feed::Counts,
    sql::{
        connection::{Connection, SqlRow, Statement},
        error::{Failure, SqlErrorKind, of_server},
        transaction::{Transaction, counts},
    },
};

/// How often a change is made anew that met another node's. Each time one of those who met has gone on.
const TRIES: u32 = 8;
/// How long all statements of a change may take together.
const CHANGE_TIMEOUT: Duration = Duration::from_secs(8);

/// Why a change was not made, or may not have been.
enum Undone {
    /// Nothing was changed.
    Not(Failure),
    /// The answer to the commit was lost.
    Perhaps(Failure),
}

impl Undone {
    /// Of a failure of the very statement that makes the change durable.
    fn at_the_end(failure: Failure) -> Self {
        if is_lost(failure.kind()) {
            Self::Perhaps(failure)
        } else {
            Self::Not(failure)
        }
    }
}

/// What was made, and what caches must know of it.
struct Made<A> {
    answer: A,
    counts: Option<Counts>,
}

/// What one read gives.
enum Rows {
    First(Option<SqlRow>),
    All(Vec<SqlRow>),
}

impl OpenServer {
    pub(in crate::sql) async fn read_optional(
        &self,
        query: &Statement<'_>,
    ) -> Result<Option<SqlRow>, Failure> {
        match self.read(query, true).await? {
            Rows::First(row) => Ok(row),
            Rows::All(rows) => Ok(rows.into_iter().next()),
        }
    }

    pub(in crate::sql) async fn read_all(&self, query: &Statement<'_>) -> Result<Vec<SqlRow>, Failure> {
        match self.read(query, false).await? {
            Rows::First(row) => Ok(row.into_iter().collect()),
            Rows::All(rows) => Ok(rows),
        }
    }

    /// Reads; a second time on a new connection if the first one was broken.
    async fn read(&self, query: &Statement<'_>, is_one: bool) -> Result<Rows, Failure> {
        self.shared.health.check()?;
        let pool = &self.shared.pool;
        let mut is_second = false;
        loop {
            let mut lent = pool.lend().await?;
            let connection = lent.connection()?;
            let read = async {
                if is_one {
                    query.first(connection).await.map(Rows::First)
                } else {
                    query.all(connection).await.map(Rows::All)
                }
            };
            let failure = match timeout(STATEMENT_TIMEOUT, read).await {
                Ok(Ok(rows)) => {
                    lent.give_back();
                    return Ok(rows);
                }
                Ok(Err(failure)) => failure,
                Err(_elapsed) => no_answer(),
            };
            if !is_lost(failure.kind()) {
                lent.give_back();
                return Err(failure);
            }
            lent.discard();
            pool.renew();
            if is_second {
                return Err(failure);
            }
            is_second = true;
        }
    }

    /// Makes a change and waits until it is committed, or was refused. It is made to its end, also when who asked for it
    /// does not wait.
    pub(in crate::sql) async fn write<T: Transaction>(&self, change: T) -> Result<T::Answer, Failure> {
        self.shared.health.check()?;
        let shared = Arc::clone(&self.shared);
        let made = tokio::spawn(async move { shared.make(&change).await });
        let made = made.await.unwrap_or(Err(Failure::Closed));
        if let Err(failure) = &made
            && !matches!(failure.kind(), SqlErrorKind::NotLeading | SqlErrorKind::Closed)
        {
            tell(failure);
        }
        made
    }
}

/// What was refused without asking the server has no cause to add.
fn tell(failure: &Failure) {
    let fault = of_server(failure.kind());
    tracing::error!(%fault, error = failure.origin(), "the database refused a change");
}

impl Shared {
    async fn make<T: Transaction>(&self, change: &T) -> Result<T::Answer, Failure> {
        let mut tries = 0_u32;
        loop {
            let mut lent = self.pool.lend().await?;
            let connection = lent.connection()?;
            let attempt = timeout(CHANGE_TIMEOUT, self.attempt(connection, change));
            let undone = match attempt.await {
                Ok(Ok(made)) => {
                    lent.give_back();
                    // Caches learn of the change before who made it does.
                    if let Some(counts) = made.counts {
                        self.feed.publish(counts);
                    }
                    return Ok(made.answer);
                }
                Ok(Err(undone)) => undone,
                Err(_elapsed) => Undone::Perhaps(no_answer()),
            };
            tries = tries.saturating_add(1);
            let failure = match undone {
                Undone::Perhaps(failure) => {
                    lent.discard();
                    self.pool.renew();
                    self.feed.doubt();
                    return Err(failure);
                }
                Undone::Not(failure) => failure,
            };
            if is_lost(failure.kind()) {
                lent.discard();
                self.pool.renew();
                // A connection that stood idle while the server went: the first try is to find that out.
                if tries > 1 {
                    return Err(failure);
                }
                continue;
            }
            match lent.connection()?.command("ROLLBACK").await {
                Ok(()) => lent.give_back(),
                Err(_broken) => lent.discard(),
            }
            if !failure.is_conflict() || tries >= TRIES {
                return Err(failure);
            }
            // Those who met go on one after the other: the later the try, the longer the pause.
            tokio::time::sleep(Duration::from_millis(u64::from(tries))).await;
        }
    }

    async fn attempt<T: Transaction>(
        &self,
        connection: &mut Connection,
        change: &T,
    ) -> Result<Made<T::Answer>, Undone> {
        if change.is_one_statement() {
            let made = change.make(connection).await;
            let answer = made.map_err(Undone::at_the_end)?;
            return Ok(Made { answer, counts: None });
        }
        let made = self.inside(connection, change).await.map_err(Undone::Not)?;
        connection.command("COMMIT").await.map_err(Undone::at_the_end)?;
        Ok(made)
    }

    /// What comes before the commit.
    async fn inside<T: Transaction>(
        &self,
        connection: &mut Connection,
        change: &T,
    ) -> Result<Made<T::Answer>, Failure> {
        connection.command("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
        if change.is_led() {
            self.lease.fence(connection).await?;
        }
        let answer = change.make(connection).await?;
        let counts = if change.is_counted(&answer) {
            Some(counts(connection).await?)
        } else {
            None
        };
        Ok(Made { answer, counts })
    }
}

fn no_answer() -> Failure {
    Failure::Found(
        SqlErrorKind::Unreachable,
        "no answer from the database in time".to_owned(),
    )
}

/// Whether the connection is of no use any more.
pub(super) const fn is_lost(kind: SqlErrorKind) -> bool {
    matches!(
        kind,
        SqlErrorKind::Unreachable | SqlErrorKind::NotReady | SqlErrorKind::ReadOnly | SqlErrorKind::Tls
    )
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use super::{Failure, SqlErrorKind, tell};

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(octets);
            Ok(octets.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_log_says_why_a_change_was_refused_where_the_server_said_nothing_too() {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            tell(&Failure::Found(SqlErrorKind::ReadOnly, String::new()));
            tell(&Failure::Found(SqlErrorKind::Unreachable, "no answer".to_owned()));
        });
        let said = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<&str> = said.lines().collect();
        let [replica, silent] = lines.as_slice() else {
            panic!("{said}");
        };
        assert!(
            replica.contains("is a replica") && !replica.contains("error="),
            "{replica}"
        );
        assert!(
            silent.contains("does not answer") && silent.contains("error=no answer"),
            "{silent}"
        );
    }
}
