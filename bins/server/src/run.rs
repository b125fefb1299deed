//! From a composition to a running server: listeners, maintenance, reload, an orderly end.

use crate::background::{Background, ended};
use crate::compose::Composition;
use crate::config::Config;
use crate::custody::Custody;
use crate::db::Migration;
use crate::generation::{Generation, Lasting};
use crate::live::{Fixed, Live};
use crate::notify::Notify;
use crate::reload::{self, Reloads, Source};
use crate::sinks::Sinks;
use crate::sockets::Passed;
use crate::storage;
use crate::traces::Traces;
use anyhow::Context as _;
use sealstone_http::Readiness;
use sealstone_provider::{Provider, SystemEntropy};
use sealstone_registry::Pepper;
use sealstone_storage::SqlStore;
use sealstone_telemetry::TracerHandle;
use sealstone_tls::{LimitsHandle, LocalSocket, ServeLimits, TlsHandle, serve, serve_local, serve_plain};
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::Signal;
use tokio::sync::watch;

/// The sockets, bound before anything else, so that a taken port is the first thing that is said.
pub(crate) struct Listeners {
    pub(crate) public: TcpListener,
    pub(crate) mtls: Option<TcpListener>,
    pub(crate) admin: Option<TcpListener>,
    pub(crate) administration: Option<LocalSocket>,
}

impl Listeners {
    /// Takes what systemd has passed, and binds the rest that the configuration names.
    pub(crate) async fn bind(config: &Config) -> anyhow::Result<Self> {
        let mut passed = Passed::take()?;
        let mtls = config.server.mtls_listen;
        let admin = config.server.admin_listen.address();
        Ok(Self {
            public: match passed.named("public") {
                Some(socket) => socket,
                None => bind("server.listen", config.server.listen).await?,
            },
            mtls: match (mtls, passed.named("mtls")) {
                (None, _) => None,
                (Some(_), Some(socket)) => Some(socket),
                (Some(address), None) => Some(bind("server.mtls_listen", address).await?),
            },
            admin: match (admin, passed.named("admin")) {
                (None, _) => None,
                (Some(_), Some(socket)) => Some(socket),
                (Some(address), None) => Some(bind("server.admin_listen", address).await?),
            },
            administration: local_socket(config)?,
        })
    }

    /// Where the public, the mutual-TLS and the admin listener are, for the log: port 0 has become a number.
    pub(crate) fn addresses(&self) -> [Option<String>; 3] {
        [Some(&self.public), self.mtls.as_ref(), self.admin.as_ref()]
            .map(|listener| Some(listener?.local_addr().ok()?.to_string()))
    }
}

/// The socket of this machine's administrators, if there is to be one.
pub(crate) fn local_socket(config: &Config) -> anyhow::Result<Option<LocalSocket>> {
    let section = config.administration.as_ref();
    let Some(path) = section.and_then(|section| section.socket.as_deref()) else {
        return Ok(None);
    };
    let socket = LocalSocket::bind(path).with_context(|| {
        format!(
            "can't listen on administration.socket {}: its folder must be there and the server's to write in",
            path.display()
        )
    })?;
    Ok(Some(socket))
}

/// Binds one address.
pub(crate) async fn bind(key: &str, address: std::net::SocketAddr) -> anyhow::Result<TcpListener> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|error| {
        let advice = not_bound(error.kind());
        anyhow::Error::new(error).context(format!("can't listen on {key} {address}: {advice}"))
    })
}

/// What to do about an address that cannot be had.
fn not_bound(kind: io::ErrorKind) -> &'static str {
    if kind == io::ErrorKind::PermissionDenied {
        "a port below 1024 takes CAP_NET_BIND_SERVICE: give it to the server (AmbientCapabilities= of the unit), \
         or choose a port from 1024 on"
    } else if kind == io::ErrorKind::AddrNotAvailable {
        "no interface of this machine has the address: correct it, or see whether the interface is up"
    } else {
        "another program may have it; choose another port or stop that program"
    }
}

/// The store, and the provider over it, with everything loaded.
pub(crate) struct Served {
    pub(crate) store: Arc<SqlStore>,
    pub(crate) provider: Provider,
    lasting: Lasting,
    generation: Generation,
    sinks: Sinks,
    public_tls: TlsHandle,
    mtls_tls: Option<TlsHandle>,
    custody: Custody,
    pepper: Pepper,
    traces: Option<Traces>,
    tracer: TracerHandle,
}

impl Served {
    /// Opens the store and the audit file, loads domains and keys.
    pub(crate) async fn open(config: &Config, composition: Composition) -> anyhow::Result<Self> {
        crate::check::audit(config)?;
        // What can't be recorded is not done: the trail comes before the schema.
        let audit = crate::audit::open(config)?;
        let migration = Migration::ahead(config, &audit).await?;
        let opened = SqlStore::open(storage::serving(config, &composition.custody.kek)?).await;
        let store = Arc::new(migration.recorded(opened)?);
        let mut holder = [0; 16];
        sealstone_provider::Entropy::fill(&SystemEntropy, &mut holder)
            .context("the system's random source failed")?;
        store.seek_leadership(holder).await;
        let sinks = crate::sinks::compose(config)?;
        let lasting = Lasting::new(store.clone(), audit, config);
        let (public_tls, mtls_tls) = (composition.public_tls.clone(), composition.mtls_tls.clone());
        let (custody, pepper) = (composition.custody.clone(), composition.provider.pepper.clone());
        let generation = lasting.compose(config, composition).await?;
        Ok(Self {
            store,
            provider: generation.provider.clone(),
            lasting,
            generation,
            sinks,
            public_tls,
            mtls_tls,
            custody,
            pepper,
            traces: None,
            tracer: TracerHandle::default(),
        })
    }

    /// Traces requests, to whom the configuration names; what `tracer` holds gathers their spans.
    pub(crate) fn with_traces(mut self, traces: Option<Traces>, tracer: TracerHandle) -> Self {
        (self.traces, self.tracer) = (traces, tracer);
        self
    }

    /// Serves until `shutdown`, then lets the requests under way finish.
    pub(crate) async fn run(
        self,
        config: Config,
        source: Source<'_>,
        listeners: Listeners,
        reloads: Signal,
        shutdown: impl Future<Output = ()>,
    ) -> anyhow::Result<()> {
        let readiness = Readiness::default();
        let notify = Notify::of_environment();
        let (stop, stopped) = watch::channel(false);
        let (leave, left) = watch::channel(false);
        let limits = LimitsHandle::new(serve_limits(&config));
        let audit = self.lasting.audit.clone();
        let tended = crate::audit::Tended::start(&audit)?;
        let carried = self.sinks.start(&audit)?;
        let fixed = Fixed {
            lasting: self.lasting,
            custody: self.custody.clone(),
            pepper: self.pepper,
            public_tls: self.public_tls.clone(),
            mtls_tls: self.mtls_tls.clone(),
            readiness: readiness.clone(),
            reloads: Reloads::default(),
            limits: limits.clone(),
            tracer: self.tracer,
        };
        let live = Live::begin(fixed, config, self.generation, carried, self.traces);
        let started = live.config();
        let background = Background {
            store: &self.store,
            audit: &audit,
            custody: &self.custody,
            readiness: &readiness,
        };
        let issuing = async {
            let end = || ended(stopped.clone());
            let public = serve(
                listeners.public,
                self.public_tls,
                live.issuers(),
                limits.clone(),
                end(),
            );
            let mtls = async {
                if let (Some(listener), Some(tls)) = (listeners.mtls, self.mtls_tls) {
                    serve(listener, tls, live.issuers(), limits.clone(), end()).await;
                }
            };
            tokio::join!(public, mtls);
            // Whoever watches sees the end of the last request.
            leave.send_replace(true);
        };
        let admin = async {
            if let Some(listener) = listeners.admin {
                serve_plain(listener, live.admin(), limits.clone(), ended(left)).await;
            }
        };
        let administration = async {
            if let Some(socket) = listeners.administration {
                serve_local(socket, live.issuers(), limits.clone(), ended(stopped.clone())).await;
            }
        };
        let behind = background.follow(&started, &stopped);
        let renewed = reload::follow(&live, source, reloads, ended(stopped.clone()));
        let end = orderly_end(shutdown, &live, &readiness, &notify, &stop);
        let alive = notify.keep_alive(ended(stopped.clone()));
        readiness.set(true);
        notify.ready();
        let (_, _, _, behind, _, _, _) =
            tokio::join!(issuing, admin, administration, behind, renewed, alive, end);
        behind?;
        tended.stop().await;
        live.end().await;
        self.store.close().await;
        Ok(())
    }
}

/// Tells balancers and systemd, waits as long as is configured, then tells everybody to stop.
async fn orderly_end(
    shutdown: impl Future<Output = ()>,
    live: &Live,
    readiness: &Readiness,
    notify: &Notify,
    stop: &watch::Sender<bool>,
) {
    shutdown.await;
    readiness.set(false);
    notify.stopping();
    let delay = Duration::from_secs(live.config().server.shutdown_delay_s);
    tracing::info!(
        shutdown_delay_s = delay.as_secs(),
        "stopping: balancers are told, then requests under way are finished"
    );
    tokio::time::sleep(delay).await;
    stop.send_replace(true);
}

/// What a listener lets its clients use.
pub(crate) fn serve_limits(config: &Config) -> ServeLimits {
    let all = config.limits.max_connections;
    let share = if config.proxy.is_some() {
        all
    } else {
        all.div_ceil(2)
    };
    ServeLimits {
        max_connections: all,
        max_connections_per_address: config.limits.max_connections_per_address.unwrap_or(share),
        header_read_timeout: Duration::from_secs(config.limits.idle_timeout_s),
        ..ServeLimits::default()
    }
}

/// The path of the public address, if it has one.
pub(crate) fn base_path(base: &str) -> Option<&str> {
    let rest = base.strip_prefix("https://")?;
    rest.find('/').and_then(|at| rest.get(at..))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_cannot_listen_is_told_what_to_do_about_it() {
        let elsewhere = std::net::SocketAddr::from(([203, 0, 113, 9], 8443));
        let told = bind("server.listen", elsewhere).await.unwrap_err();
        assert!(
            format!("{told:#}").contains("no interface of this machine"),
            "{told:#}"
        );
        let taken = bind("server.listen", ([127, 0, 0, 1], 0).into()).await.unwrap();
        let told = bind("server.listen", taken.local_addr().unwrap())
            .await
            .unwrap_err();
        assert!(
            format!("{told:#}").contains("another program may have it"),
            "{told:#}"
        );
        // Root may have any port: what the system says to others.
        let advice = not_bound(io::ErrorKind::PermissionDenied);
        assert!(advice.contains("CAP_NET_BIND_SERVICE"), "{advice}");
    }
}
