//! What one reading of the configuration makes of the server, and a reload replaces as a whole.

use crate::administration::Administrators;
use crate::background::upkeep;
use crate::compose::Composition;
use crate::config::Config;
use crate::hashing::BlockingHashing;
use crate::people::People;
use crate::{compose, keeping, run};
use axum::body::{Bytes, HttpBody};
use axum::response::Response;
use axum::{BoxError, Router};
use http::Request;
use sealstone_http::{Answer, BlockingWorkshop, HttpConfig, IssuersService};
use sealstone_identity::IdentitySource;
use sealstone_keystone::{KeystoneIdentity, KeystonePeople};
use sealstone_pages::Brands;
use sealstone_provider::{Ports, Provider, SystemClock, SystemEntropy};
use sealstone_storage::{CachedClients, SqlStore};
use sealstone_tls::ClientTrust;
use sealstone_trail::TrailFile;
use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use tower::Service;

/// What outlives every reload.
#[derive(Clone)]
pub(crate) struct Lasting {
    pub(crate) store: Arc<SqlStore>,
    pub(crate) audit: Arc<TrailFile>,
    clients: Arc<CachedClients>,
    hashing: Arc<BlockingHashing>,
    workshop: Arc<BlockingWorkshop>,
}

/// What is made anew.
pub(crate) struct Generation {
    pub(crate) provider: Provider,
    pub(crate) identity: Option<KeystoneIdentity>,
    pub(crate) followed: Option<KeystonePeople>,
    pub(crate) trust: Option<ClientTrust>,
    /// Without the trust, which is a handle that may be there already.
    pub(crate) http: HttpConfig,
}

impl Lasting {
    pub(crate) fn new(store: Arc<SqlStore>, audit: Arc<TrailFile>, config: &Config) -> Self {
        let clients = CachedClients::new(
            store.clone(),
            store.client_changes(),
            config.storage.client_cache_entries,
        );
        Self {
            store,
            audit,
            clients: Arc::new(clients),
            hashing: Arc::new(BlockingHashing::new()),
            workshop: Arc::new(BlockingWorkshop::new()),
        }
    }

    /// The server of this composition, with everything loaded that is stored. Nothing is served by it yet.
    pub(crate) async fn compose(
        &self,
        config: &Config,
        composition: Composition,
    ) -> anyhow::Result<Generation> {
        let store = &self.store;
        let identity = composition.keystone.map(|keystone| keystone.identity);
        let source = identity
            .clone()
            .map(|source| -> Arc<dyn IdentitySource> { Arc::new(source) });
        let people = composition.people.as_ref();
        let ports = Ports {
            clients: self.clients.clone(),
            domains: store.clone(),
            keys: store.clone(),
            revocations: store.clone(),
            assertions: store.clone(),
            audit: self.audit.clone(),
            identity: source,
            people: people.map(|people| people.ports(store, &self.hashing)),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
        };
        let administrators = composition.administrators;
        let over = |administrators: Administrators| administrators.over(store.clone(), self.workshop.clone());
        let administration = administrators.map(over);
        let provider = Provider::with_administration(composition.provider, ports, administration);
        let loaded = provider.load(upkeep(*store.leadership().borrow())).await?;
        keeping::begin(&provider, loaded).await?;
        Ok(Generation {
            provider,
            identity,
            followed: people.and_then(People::keystone).cloned(),
            trust: composition.trust,
            http: http_config(config, composition.brands)?,
        })
    }
}

/// What listeners serve: another one after a reload, for requests that come from then on.
#[derive(Clone)]
pub(crate) struct Face {
    pub(crate) issuers: IssuersService,
    pub(crate) admin: Router,
}

/// The issuers, as they are when a request comes.
#[derive(Clone)]
pub(crate) struct CurrentIssuers(pub(crate) Arc<arc_swap::ArcSwap<Face>>);

impl<B> Service<Request<B>> for CurrentIssuers
where
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Unpin + Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        self.0.load().issuers.answer(request)
    }
}

/// The admin listener's answers, as they are when a request comes.
#[derive(Clone)]
pub(crate) struct CurrentAdmin(pub(crate) Arc<arc_swap::ArcSwap<Face>>);

impl<B> Service<Request<B>> for CurrentAdmin
where
    Router: Service<Request<B>, Response = Response, Error = Infallible>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = <Router as Service<Request<B>>>::Future;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        self.0.load().admin.clone().call(request)
    }
}

fn http_config(config: &Config, brands: Brands) -> anyhow::Result<HttpConfig> {
    let mut http = HttpConfig::default()
        .with_rate_limit(compose::rate_limit(&config.limits)?)
        .with_body_deadline(std::time::Duration::from_secs(config.limits.body_deadline_s))
        .with_brands(brands);
    if let Some(proxy) = compose::trusted_proxy(config)? {
        http = http.with_trusted_proxy(proxy);
    }
    if let Some(path) = run::base_path(&config.server.base_url) {
        http = http.with_base_path(path);
    }
    Ok(http.with_strict_transport_security())
}
