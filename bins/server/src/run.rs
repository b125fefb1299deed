//! From a composition to a running server: listeners, maintenance, reload, an orderly end.

use crate::background::{Background, ended, upkeep};
use crate::compose::{self, Composition};
use crate::config::Config;
use crate::custody::Custody;
use crate::db::Migration;
use crate::metrics::Gauges;
use crate::notify::Notify;
use crate::people::People;
use crate::reload::{Reloadable, Source};
use crate::sinks::Sinks;
use crate::sockets::Passed;
use crate::storage;
use crate::traces::{Delivered, Traces};
use anyhow::Context as _;
use sealstone_http::{HttpConfig, HttpEdge, Readiness};
use sealstone_identity::IdentitySource;
use sealstone_keystone::{KeystoneIdentity, KeystonePeople};
use sealstone_pages::Brands;
use sealstone_provider::{Ports, Provider, SystemClock, SystemEntropy};
use sealstone_storage::{CachedClients, SqlStore};
use sealstone_tls::{LocalSocket, ServeLimits, TlsHandle, TrustHandle, serve, serve_local, serve_plain};
use sealstone_trail::TrailFile;
use std::future::Future;
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
    TcpListener::bind(address).await.with_context(|| {
        format!("can't listen on {key} {address}: another program may have it; choose another port or stop that program")
    })
}

/// The store, and the provider over it, with everything loaded.
pub(crate) struct Served {
    pub(crate) store: Arc<SqlStore>,
    pub(crate) provider: Provider,
    audit: Arc<TrailFile>,
    sinks: Sinks,
    identity: Option<KeystoneIdentity>,
    followed: Option<KeystonePeople>,
    brands: Brands,
    public_tls: TlsHandle,
    mtls_tls: Option<TlsHandle>,
    trust: Option<sealstone_tls::ClientTrust>,
    custody: Custody,
    traces: Option<Traces>,
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
        let clients = CachedClients::new(
            store.clone(),
            store.client_changes(),
            config.storage.client_cache_entries,
        );
        let identity = composition.keystone.map(|keystone| keystone.identity);
        let source = identity
            .clone()
            .map(|source| -> Arc<dyn IdentitySource> { Arc::new(source) });
        let ports = Ports {
            clients: Arc::new(clients),
            domains: store.clone(),
            keys: store.clone(),
            revocations: store.clone(),
            assertions: store.clone(),
            audit: audit.clone(),
            identity: source,
            people: composition.people.as_ref().map(|people| people.ports(&store)),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
        };
        let administrators = composition.administrators;
        let administration = administrators.map(|administrators| administrators.over(store.clone()));
        let provider = Provider::with_administration(composition.provider, ports, administration);
        provider.maintain_as(upkeep(*store.leadership().borrow())).await?;
        let followed = composition.people.as_ref().and_then(People::keystone).cloned();
        let (public_tls, mtls_tls, trust) = (composition.public_tls, composition.mtls_tls, composition.trust);
        Ok(Self {
            store,
            provider,
            audit,
            sinks,
            identity,
            followed,
            brands: composition.brands,
            public_tls,
            mtls_tls,
            trust,
            custody: composition.custody,
            traces: None,
        })
    }

    /// Traces requests, to whom the configuration names.
    pub(crate) fn with_traces(mut self, traces: Option<Traces>) -> Self {
        self.traces = traces;
        self
    }

    /// Serves until `shutdown`, then lets the requests under way finish.
    pub(crate) async fn run(
        self,
        config: &Config,
        source: Source<'_>,
        listeners: Listeners,
        reloads: Signal,
        shutdown: impl Future<Output = ()>,
    ) -> anyhow::Result<()> {
        let trust = self.trust.map(TrustHandle::new);
        let (public_tls, mtls_tls) = (self.public_tls, self.mtls_tls);
        let mut http = http_config(config, trust.clone())?.with_brands(self.brands);
        if let Some(traces) = &self.traces {
            http = http.with_traces(traces.edge());
        }
        let edge = HttpEdge::new(self.provider.clone(), Arc::new(SystemClock), http);
        let readiness = Readiness::default();
        let notify = Notify::of_environment();
        let (stop, stopped) = watch::channel(false);
        let (leave, left) = watch::channel(false);
        let limits = serve_limits(config);
        let reloadable = Reloadable {
            public_tls: public_tls.clone(),
            mtls_tls: mtls_tls.clone(),
            trust: trust.clone(),
            audit: self.audit.clone(),
        };
        let tended = crate::audit::Tended::start(&self.audit)?;
        let carried = self.sinks.start(&self.audit)?;
        let standings = carried.standings();
        let delivered = self.traces.map(Traces::start);
        let tracer = delivered.as_ref().map(Delivered::tracer);
        let gauges = Gauges::new(config, &self.provider, &self.store, &readiness, trust);
        let background = Background {
            store: &self.store,
            provider: &self.provider,
            audit: &self.audit,
            identity: self.identity.as_ref(),
            followed: self.followed.as_ref(),
            custody: &self.custody,
            readiness: &readiness,
        };
        let issuing = async {
            let public = serve(
                listeners.public,
                public_tls,
                edge.service(),
                limits,
                ended(stopped.clone()),
            );
            let mtls = async {
                if let (Some(listener), Some(tls)) = (listeners.mtls, mtls_tls) {
                    serve(listener, tls, edge.service(), limits, ended(stopped.clone())).await;
                }
            };
            tokio::join!(public, mtls);
            // Whoever watches sees the end of the last request.
            leave.send_replace(true);
        };
        let admin = async {
            if let Some(listener) = listeners.admin {
                let trail = self.audit.clone();
                let router = crate::audit::admin(&self.audit).merge(edge.admin_router_with(
                    readiness.clone(),
                    move |text| {
                        crate::audit::metrics(&trail, text);
                        crate::sinks::metrics(&standings, text);
                        gauges.write(text);
                        if let Some(tracer) = &tracer {
                            crate::traces::metrics(&tracer.standing(), text);
                        }
                    },
                ));
                serve_plain(listener, router, limits, ended(left)).await;
            }
        };
        let administration = async {
            if let Some(socket) = listeners.administration {
                serve_local(socket, edge.service(), limits, ended(stopped.clone())).await;
            }
        };
        let behind = background.follow(config, source, reloadable, reloads, &stopped);
        let end = orderly_end(shutdown, config, &readiness, &notify, &stop);
        let alive = notify.keep_alive(ended(stopped.clone()));
        readiness.set(true);
        notify.ready();
        let (_, _, _, behind, _, _) = tokio::join!(issuing, admin, administration, behind, alive, end);
        behind?;
        tended.stop().await;
        carried.stop().await;
        if let Some(delivered) = delivered {
            delivered.stop().await;
        }
        self.store.close().await;
        Ok(())
    }
}

/// Tells balancers and systemd, waits as long as is configured, then tells everybody to stop.
async fn orderly_end(
    shutdown: impl Future<Output = ()>,
    config: &Config,
    readiness: &Readiness,
    notify: &Notify,
    stop: &watch::Sender<bool>,
) {
    shutdown.await;
    readiness.set(false);
    notify.stopping();
    let delay = Duration::from_secs(config.server.shutdown_delay_s);
    tracing::info!(
        shutdown_delay_s = delay.as_secs(),
        "stopping: balancers are told, then requests under way are finished"
    );
    tokio::time::sleep(delay).await;
    stop.send_replace(true);
}

fn serve_limits(config: &Config) -> ServeLimits {
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

fn http_config(config: &Config, trust: Option<TrustHandle>) -> anyhow::Result<HttpConfig> {
    let mut http = HttpConfig::default()
        .with_rate_limit(compose::rate_limit(&config.limits)?)
        .with_body_deadline(Duration::from_secs(config.limits.body_deadline_s));
    if let Some(proxy) = compose::trusted_proxy(config)? {
        http = http.with_trusted_proxy(proxy);
    }
    if let Some(trust) = trust {
        http = http.with_client_trust(trust);
    }
    if let Some(path) = base_path(&config.server.base_url) {
        http = http.with_base_path(path);
    }
    Ok(http.with_strict_transport_security())
}

fn base_path(base: &str) -> Option<&str> {
    let rest = base.strip_prefix("https://")?;
    rest.find('/').and_then(|at| rest.get(at..))
}
