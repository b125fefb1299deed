//! Connections to the server that takes changes, whichever of the hosts that is.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use parking_lot::Mutex;
use sqlx::{
    ConnectOptions as _,
    postgres::{PgConnectOptions, PgSslMode},
};
use tokio::time::{Instant, timeout};

use super::{
    STATEMENT_TIMEOUT,
    config::{Host, PostgresConfig},
};
use crate::sql::{
    connection::{Connection, statement},
    error::{Failure, SqlErrorKind},
};

/// How long one host may take until a connection can be used. A host that is cut off would take minutes.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// After a failure, the first pause before the next attempt; then twice as long each time.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// The longest pause: a server that is back is used within this.
const LONGEST_PAUSE: Duration = Duration::from_millis(800);
/// Statements that a connection keeps prepared: there are fewer.
const PREPARED: usize = 200;

/// Makes connections, and remembers when not to try.
pub(super) struct Connector {
    config: PostgresConfig,
    /// The host that took changes last.
    primary: AtomicUsize,
    pause: Mutex<Option<Pause>>,
}

/// While it lasts, nobody tries: a server in trouble is not knocked down by those who wait for it, and a request is
/// refused at once and not after its deadline.
#[derive(Debug, Clone)]
struct Pause {
    until: Instant,
    length: Duration,
    kind: SqlErrorKind,
    why: String,
}

impl Connector {
    pub(super) const fn new(config: PostgresConfig) -> Self {
        Self {
            config,
            primary: AtomicUsize::new(0),
            pause: Mutex::new(None),
        }
    }

    pub(super) const fn config(&self) -> &PostgresConfig {
        &self.config
    }

    /// A connection to the host that takes changes.
    pub(super) async fn connect(&self) -> Result<Connection, Failure> {
        if let Some(pause) = &*self.pause.lock()
            && Instant::now() < pause.until
        {
            return Err(Failure::Found(pause.kind, pause.why.clone()));
        }
        match self.any_host().await {
            Ok(connection) => {
                *self.pause.lock() = None;
                Ok(connection)
            }
            Err(failure) => {
                self.wait_after(&failure);
                Err(failure)
            }
        }
    }

    fn wait_after(&self, failure: &Failure) {
        let mut pause = self.pause.lock();
        let before = pause.as_ref().map(|pause| pause.length);
        let length = before.map_or(FIRST_PAUSE, |length| length.saturating_mul(2).min(LONGEST_PAUSE));
        let now = Instant::now();
        *pause = Some(Pause {
            until: now.checked_add(length).unwrap_or(now),
            length,
            kind: failure.kind(),
            why: failure.to_string(),
        });
    }

    /// Tries every host, the last primary first. Of several failures, the one that says the most is told.
    async fn any_host(&self) -> Result<Connection, Failure> {
        let hosts = self.config.hosts.len();
        let first = self.primary.load(Ordering::Relaxed);
        let mut told: Option<Failure> = None;
        for step in 0..hosts {
            let place = first.wrapping_add(step).checked_rem(hosts).unwrap_or_default();
            let Some(host) = self.config.hosts.get(place) else {
                continue;
            };
            match self.one_host(host).await {
                Ok(connection) => {
                    self.primary.store(place, Ordering::Relaxed);
                    return Ok(connection);
                }
                Err(failure) => {
                    let says_little = |known: &Failure| known.kind() == SqlErrorKind::Unreachable;
                    if told.as_ref().is_none_or(says_little) {
                        told = Some(failure);
                    }
                }
            }
        }
        Err(told.unwrap_or(Failure::Closed))
    }

    async fn one_host(&self, host: &Host) -> Result<Connection, Failure> {
        let open = async {
            let connection = self.options(host).connect().await.map_err(Failure::Server)?;
            let mut connection = Connection::Postgres(connection);
            settle(&mut connection).await?;
            Ok(connection)
        };
        timeout(CONNECT_TIMEOUT, open).await.unwrap_or_else(|_| {
            Err(Failure::Found(
                SqlErrorKind::Unreachable,
                format!("no answer from {host} within {} s", CONNECT_TIMEOUT.as_secs()),
            ))
        })
    }

    /// How to reach the host that took changes last, for a connection of another kind.
    pub(super) fn primary_options(&self) -> Option<PgConnectOptions> {
        let host = self.config.hosts.get(self.primary.load(Ordering::Relaxed))?;
        Some(self.options(host))
    }

    fn options(&self, host: &Host) -> PgConnectOptions {
        let config = &self.config;
        let mut options = PgConnectOptions::new_without_pgpass()
            .username(&config.user)
            .database(&config.database)
            .application_name("sealstone")
            .statement_cache_capacity(PREPARED)
            .disable_statement_logging();
        options = match host {
            Host::Tcp { name, port } => options.host(name).port(*port),
            Host::Socket { folder, port } => options.socket(folder).port(*port),
        };
        if let Some(password) = &config.password {
            options = options.password(password.expose());
        }
        if let Some(path) = &config.ca_file {
            options = options.ssl_root_cert(path);
        }
        if let Some((certificate, key)) = &config.certificate {
            options = options.ssl_client_cert(certificate).ssl_client_key(key);
        }
        let is_socket = matches!(host, Host::Socket { .. });
        let may_be_plain = config.insecure_plaintext || (host.is_local() && config.ca_file.is_none());
        options.ssl_mode(if is_socket || may_be_plain {
            PgSslMode::Disable
        } else {
            PgSslMode::VerifyFull
        })
    }
}

/// Refuses a server that takes no changes, and sets what every transaction relies on, whatever the server's own
/// settings are: a commit is durable before it is answered, and nothing waits without end.
async fn settle(connection: &mut Connection) -> Result<(), Failure> {
    let limit = STATEMENT_TIMEOUT.as_millis().to_string();
    let row = statement(
        "SELECT (pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean)::integer::bigint,
                set_config('statement_timeout', $1, false),
                set_config('lock_timeout', $1, false),
                set_config('idle_in_transaction_session_timeout', $1, false),
                set_config('default_transaction_isolation', 'read committed', false),
                set_config('synchronous_commit', CASE WHEN current_setting('synchronous_commit') IN ('off', 'local')
                    THEN 'on' ELSE current_setting('synchronous_commit') END, false)",
    )
    .bind(limit)
    .fetch_one(connection)
    .await?;
    match row.try_get::<i64>(0)? {
        0 => Ok(()),
        _ => Err(Failure::Found(SqlErrorKind::ReadOnly, String::new())),
    }
}
