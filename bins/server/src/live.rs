//! The server that is served now, and how another takes its place while connections stand.

use crate::background::{UpkeepOf, ended};
use crate::compose::{self, Composition};
use crate::config::Config;
use crate::custody::Custody;
use crate::generation::{CurrentAdmin, CurrentIssuers, Face, Generation, Lasting};
use crate::metrics::{Gauges, connections};
use crate::reload::Reloads;
use crate::sinks::{Carried, Sinks};
use crate::traces::{Delivered, Traces};
use crate::{audit, faults, reload, run, sinks, traces};
use arc_swap::ArcSwap;
use parking_lot::Mutex;
use rustls_pki_types::UnixTime;
use sealstone_http::{HttpConfig, HttpEdge, Readiness};
use sealstone_provider::{Clock as _, SystemClock};
use sealstone_registry::Pepper;
use sealstone_telemetry::TracerHandle;
use sealstone_tls::{ClientCertificates, LimitsHandle, ServerTlsConfig, TlsHandle, TrustHandle};
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What stays while generations come and go.
pub(crate) struct Fixed {
    pub(crate) lasting: Lasting,
    pub(crate) custody: Custody,
    pub(crate) pepper: Pepper,
    pub(crate) public_tls: TlsHandle,
    pub(crate) mtls_tls: Option<TlsHandle>,
    pub(crate) readiness: Readiness,
    pub(crate) reloads: Reloads,
    pub(crate) limits: LimitsHandle,
    pub(crate) tracer: TracerHandle,
}

/// The server as it is now.
pub(crate) struct Live {
    pub(crate) fixed: Fixed,
    face: Arc<ArcSwap<Face>>,
    now: Mutex<Now>,
    behind: tokio::sync::Mutex<Behind>,
    started: UnixTime,
}

struct Now {
    config: Arc<Config>,
    edge: HttpEdge,
    trust: Option<TrustHandle>,
}

/// What goes on beside the requests, of this generation.
struct Behind {
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
    carried: Carried,
    traces: Option<Delivered>,
}

/// Everything that a reload replaces, made and checked: nothing of it can fail any more but by the files' changing again.
pub(crate) struct Prepared {
    config: Config,
    generation: Generation,
    public: ServerTlsConfig,
    mtls: ServerTlsConfig,
    sinks: Option<Sinks>,
    traces: Option<Traces>,
}

impl Live {
    /// The first generation, served from now on.
    pub(crate) fn begin(
        fixed: Fixed,
        config: Config,
        generation: Generation,
        carried: Carried,
        traces: Option<Traces>,
    ) -> Self {
        let trust = generation.trust.map(TrustHandle::new);
        let mut http = with_traces(generation.http, traces.as_ref());
        let traces = fixed.traced(traces);
        if let Some(trust) = &trust {
            http = http.with_client_trust(trust.clone());
        }
        let provider = generation.provider;
        let edge = HttpEdge::new(provider.clone(), Arc::new(SystemClock), http);
        let started = SystemClock.now();
        fixed.reloads.began(started);
        let gauges = Gauges::new(
            &config,
            &provider,
            &fixed.lasting.store,
            &fixed.readiness,
            trust.clone(),
            started,
        );
        let face = fixed.face(&edge, gauges, &carried, traces.as_ref());
        let upkeep = UpkeepOf {
            store: fixed.lasting.store.clone(),
            provider,
            identity: generation.identity,
            followed: generation.followed,
        };
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        tasks.spawn(upkeep.follow(stopped));
        Self {
            fixed,
            face: Arc::new(ArcSwap::from_pointee(face)),
            now: Mutex::new(Now {
                config: Arc::new(config),
                edge,
                trust,
            }),
            behind: tokio::sync::Mutex::new(Behind {
                stop,
                tasks,
                carried,
                traces,
            }),
            started,
        }
    }

    /// For the public listeners.
    pub(crate) fn issuers(&self) -> CurrentIssuers {
        CurrentIssuers(Arc::clone(&self.face))
    }

    /// For the admin listener.
    pub(crate) fn admin(&self) -> CurrentAdmin {
        CurrentAdmin(Arc::clone(&self.face))
    }

    /// What the server is composed of now.
    pub(crate) fn config(&self) -> Arc<Config> {
        Arc::clone(&self.now.lock().config)
    }

    /// Which client certificates count now.
    pub(crate) fn trust(&self) -> Option<TrustHandle> {
        self.now.lock().trust.clone()
    }

    /// Makes everything that is to come, and changes nothing.
    ///
    /// # Errors
    /// Every fault of the configuration and its files, or what could not be loaded.
    pub(crate) async fn prepare(&self, config: Config, with_sinks: bool) -> anyhow::Result<Prepared> {
        let custody = self.fixed.custody.clone();
        let composed = compose::compose_with(&config, Some(custody));
        let mut composition: Composition = composed.map_err(|found| faults(&found))?;
        // A client's secret is good under the pepper that it was hashed under: another one counts after a restart.
        composition.provider.pepper = self.fixed.pepper.clone();
        let sinks = sinks::compose(&config)?;
        let traces = {
            let behind = self.behind.lock().await;
            traces::compose(&config, behind.traces.as_ref().map(Delivered::tracer))?
        };
        let generation = self.fixed.lasting.compose(&config, composition).await?;
        Ok(Prepared {
            public: compose::tls(&config.tls, ClientCertificates::None)?,
            mtls: compose::tls(&config.tls, ClientCertificates::Request)?,
            sinks: with_sinks.then_some(sinks),
            traces,
            config,
            generation,
        })
    }

    /// Puts it in the place of what is served now. Requests under way end where they began.
    ///
    /// # Errors
    /// Where the certificate can't be used after all: then everything is as before.
    pub(crate) async fn replace(&self, prepared: Prepared) -> anyhow::Result<()> {
        let Prepared {
            config,
            generation,
            public,
            mtls,
            sinks,
            traces,
        } = prepared;
        self.fixed.replace_tls(public, mtls)?;
        self.fixed.limits.replace(run::serve_limits(&config));
        self.fixed.lasting.audit.set_rotation(audit::rotation(&config));
        let trust = match (self.trust(), generation.trust) {
            (Some(handle), Some(trust)) => {
                handle.replace(trust);
                Some(handle)
            }
            (None, Some(trust)) => Some(TrustHandle::new(trust)),
            (_, None) => None,
        };
        let mut http = with_traces(generation.http, traces.as_ref());
        if let Some(trust) = &trust {
            http = http.with_client_trust(trust.clone());
        }
        let mut behind = self.behind.lock().await;
        if let Some(sinks) = sinks {
            behind.carry(sinks, &self.fixed.lasting).await;
        }
        let replaced = std::mem::replace(&mut behind.traces, self.fixed.traced(traces));
        let provider = generation.provider;
        let edge = self.now.lock().edge.successor(provider.clone(), http);
        let store = &self.fixed.lasting.store;
        let gauges = Gauges::new(
            &config,
            &provider,
            store,
            &self.fixed.readiness,
            trust.clone(),
            self.started,
        );
        let face = self
            .fixed
            .face(&edge, gauges, &behind.carried, behind.traces.as_ref());
        self.face.store(Arc::new(face));
        *self.now.lock() = Now {
            config: Arc::new(config),
            edge,
            trust,
        };
        // What changed since it was loaded is loaded first.
        let upkeep = UpkeepOf {
            store: store.clone(),
            provider,
            identity: generation.identity,
            followed: generation.followed,
        };
        behind.go_on(upkeep, replaced);
        Ok(())
    }

    /// Waits for what goes on beside the requests, and ends it: the server ends.
    pub(crate) async fn end(self) {
        let behind = self.behind.into_inner();
        behind.end().await;
    }

    /// Goes on for ever; ends the program if a part of the upkeep has failed beyond what it expects.
    pub(crate) async fn watch_upkeep(&self) {
        /// A task that fails is noticed within this.
        const LOOK_EVERY: std::time::Duration = std::time::Duration::from_secs(1);
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let mut behind = self.behind.lock().await;
            behind.look();
        }
    }
}

impl Fixed {
    /// Begins to gather and deliver the traces of requests that come from now on, or no longer does.
    fn traced(&self, traces: Option<Traces>) -> Option<Delivered> {
        self.tracer.replace(traces.as_ref().map(|traces| &traces.tracer));
        traces.map(Traces::start)
    }

    fn face(&self, edge: &HttpEdge, gauges: Gauges, carried: &Carried, traces: Option<&Delivered>) -> Face {
        let trail = self.lasting.audit.clone();
        let (standings, reloads) = (carried.standings(), self.reloads.clone());
        let tracer = traces.map(Delivered::tracer).cloned();
        let limits = self.limits.clone();
        let metrics = edge.admin_router_with(self.readiness.clone(), move |text| {
            audit::metrics(&trail, text);
            sinks::metrics(&standings, text);
            gauges.write(text);
            connections::write(limits.kept_out(), text);
            reloads.metrics(text);
            if let Some(tracer) = &tracer {
                traces::metrics(&tracer.standing(), text);
            }
        });
        Face {
            issuers: edge.service(),
            admin: audit::admin(&self.lasting.audit)
                .merge(reload::admin(&self.reloads))
                .merge(metrics),
        }
    }

    /// Both listeners, or, if the first refuses, none.
    pub(crate) fn replace_tls(&self, public: ServerTlsConfig, mtls: ServerTlsConfig) -> anyhow::Result<()> {
        self.public_tls.replace(public)?;
        if let Some(handle) = &self.mtls_tls {
            handle.replace(mtls)?;
        }
        Ok(())
    }
}

impl Behind {
    /// The old one ends in its own time: what it has begun it finishes.
    fn go_on(&mut self, upkeep: UpkeepOf, traces: Option<Delivered>) {
        let (stop, stopped) = watch::channel(false);
        std::mem::replace(&mut self.stop, stop).send_replace(true);
        if let Some(traces) = traces {
            self.tasks.spawn(traces.retire(ended(stopped.clone())));
        }
        self.tasks.spawn(upkeep.follow(stopped));
    }

    /// Other receivers of the trail, each from where it was.
    async fn carry(&mut self, sinks: Sinks, lasting: &Lasting) {
        std::mem::take(&mut self.carried).stop().await;
        // Whoever was behind is not asked any more; who is required now closes it again.
        lasting.audit.close(false);
        match sinks.start(&lasting.audit) {
            Ok(carried) => self.carried = carried,
            Err(error) => {
                // Nobody would know that a required receiver has nothing.
                lasting.audit.close(true);
                let error = crate::whole(&error);
                tracing::error!(
                    error,
                    "the audit trail can't be carried on: nothing is issued until this node is started anew"
                );
            }
        }
    }

    /// A part that panicked ends the program, as it would if it ran by itself.
    fn look(&mut self) {
        while let Some(ended) = self.tasks.try_join_next() {
            if let Err(error) = ended
                && let Ok(panic) = error.try_into_panic()
            {
                std::panic::resume_unwind(panic);
            }
        }
    }

    async fn end(mut self) {
        self.stop.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
        self.carried.stop().await;
        if let Some(traces) = self.traces {
            traces.stop().await;
        }
    }
}

fn with_traces(http: HttpConfig, traces: Option<&Traces>) -> HttpConfig {
    match traces {
        Some(traces) => http.with_traces(traces.edge()),
        None => http,
    }
}
