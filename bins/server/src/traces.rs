//! `[traces]`: requests followed through their parts, for a collector of OpenTelemetry.

use crate::config::{Config, TracesSection};
use anyhow::Context as _;
use http::{HeaderMap, HeaderName, Uri};
use sealstone_http::{IpNetwork, RequestTraces, TraceStart};
use sealstone_https::{HttpsClient, PlainHttp, Settings, authorities};
use sealstone_provider::{Entropy as _, SystemEntropy};
use sealstone_telemetry::{
    Collector, CollectorSettings, Outbox, Service, Standing, TraceClock, TraceParent, Tracer, TracerSettings,
};
use std::fmt::Write as _;
use std::fs;
use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Beyond this a service's name is no name.
const MAX_SERVICE_NAME: usize = 255;
/// At a kilobyte each, 64 MiB: what is not delivered by then is not worth more memory.
const MAX_QUEUE: usize = 65_536;

/// Everything that `[traces]` says, made and not running yet.
pub(crate) struct Traces {
    pub(crate) tracer: Tracer,
    outbox: Outbox,
    collector: Collector,
    networks: Vec<IpNetwork>,
    described: String,
}

/// Reads the section and its files; `None` where nothing is traced. What `before` counted is counted on.
pub(crate) fn compose(config: &Config, before: Option<&Tracer>) -> anyhow::Result<Option<Traces>> {
    let Some(section) = &config.traces else {
        return Ok(None);
    };
    anyhow::ensure!(
        (0.0..=1.0).contains(&section.sample_ratio),
        "traces.sample_ratio: {} is no share; give a number of 0 (nothing) to 1 (every request)",
        section.sample_ratio
    );
    anyhow::ensure!(
        (1..=MAX_QUEUE).contains(&section.queue_spans),
        "traces.queue_spans: {} is out of 1 to {MAX_QUEUE}",
        section.queue_spans
    );
    let name = &section.service_name;
    anyhow::ensure!(
        !name.is_empty() && name.len() <= MAX_SERVICE_NAME && !name.contains(char::is_control),
        "traces.service_name is empty, longer than {MAX_SERVICE_NAME} octets, or has control characters"
    );
    let networks = section.traceparent_networks.iter().map(|text| {
        text.parse::<IpNetwork>()
            .with_context(|| format!("traces.traceparent_networks: {text:?}"))
    });
    let networks: Vec<IpNetwork> = networks.collect::<anyhow::Result<_>>()?;
    anyhow::ensure!(
        !(section.follow_sampled_flag && networks.is_empty()),
        "traces.follow_sampled_flag without traces.traceparent_networks: there is nobody whose flag it would be; name \
         the networks, or leave it out"
    );
    let mut instance = [0; 16];
    SystemEntropy
        .fill(&mut instance)
        .context("the system's random source failed")?;
    let service = Service::new(name, env!("CARGO_PKG_VERSION"), instance);
    let collector = collector(section, service)?;
    let settings = TracerSettings {
        sample_ratio: section.sample_ratio,
        max_traces_per_s: section.max_traces_per_s,
        follow_sampled_flag: section.follow_sampled_flag,
        queue: section.queue_spans,
    };
    let entropy = Box::new(|octets: &mut [u8]| SystemEntropy.fill(octets).is_ok());
    let clock = Box::new(Since::now());
    let (tracer, outbox) = match before {
        Some(before) => before.successor(settings, clock, entropy),
        None => Tracer::new(settings, clock, entropy),
    };
    let described = format!(
        "traces     a share of {} of all requests, {} a second at most, to {}; traceparent of {}",
        section.sample_ratio,
        section.max_traces_per_s,
        section.url,
        match section.traceparent_networks.as_slice() {
            [] => "nobody".to_owned(),
            some => some.join(", "),
        }
    );
    Ok(Some(Traces {
        tracer,
        outbox,
        collector,
        networks,
        described,
    }))
}

fn collector(section: &TracesSection, service: Service) -> anyhow::Result<Collector> {
    let url: Uri = section
        .url
        .parse()
        .with_context(|| format!("traces.url: {:?} is no address", section.url))?;
    let authority = url.authority().map_or("", |authority| authority.as_str());
    anyhow::ensure!(
        !authority.contains('@') && url.query().is_none(),
        "traces.url holds a user or a query: a credential belongs into the file of traces.bearer_file"
    );
    anyhow::ensure!(
        url.path() != "/",
        "traces.url has no path: collectors take traces at /v1/traces"
    );
    let roots = match &section.ca_file {
        Some(path) => {
            let pem = fs::read(path)
                .with_context(|| format!("traces.ca_file: {} can't be read", path.display()))?;
            authorities(&pem).context("traces.ca_file")?
        }
        None => {
            anyhow::ensure!(
                url.scheme_str() == Some("http"),
                "traces.ca_file is missing: name the authorities that vouch for the collector"
            );
            rustls::RootCertStore::empty()
        }
    };
    if let Some(path) = &section.bearer_file {
        fs::read(path).with_context(|| format!("traces.bearer_file: {} can't be read", path.display()))?;
    }
    let plain = if section.insecure_plaintext {
        PlainHttp::DangerousAnywhere
    } else {
        PlainHttp::Loopback
    };
    let client = HttpsClient::new(Settings::trusting(roots)?.with_plain_http(plain));
    let settings = CollectorSettings {
        url,
        bearer_file: section.bearer_file.clone(),
        service,
    };
    Collector::new(client, settings).context(
        "traces.url: give an https address, an http one of this machine, or set traces.insecure_plaintext where the \
         network between is your own",
    )
}

impl Traces {
    /// What `check` says of them.
    pub(crate) fn describe(&self) -> String {
        self.described.clone()
    }

    /// What the HTTP edge asks.
    pub(crate) fn edge(&self) -> Arc<dyn RequestTraces> {
        Arc::new(Believed {
            tracer: self.tracer.clone(),
            networks: self.networks.clone(),
        })
    }

    /// Begins to deliver.
    pub(crate) fn start(self) -> Delivered {
        let (stop, stopped) = watch::channel(false);
        let ended = crate::background::ended(stopped);
        Delivered {
            tracer: self.tracer,
            stop,
            task: tokio::spawn(self.outbox.deliver(self.collector, ended)),
        }
    }
}

/// Traces that are delivered.
pub(crate) struct Delivered {
    tracer: Tracer,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Delivered {
    /// For metrics, and for its successor.
    pub(crate) const fn tracer(&self) -> &Tracer {
        &self.tracer
    }

    /// Delivers what requests under way still add, until the last of them has ended or the server stops. Another tracer has
    /// taken this one's place.
    pub(crate) async fn retire(self, stopped: impl Future<Output = ()>) {
        /// Beyond this no request is under way: it is more than a whole one may take.
        const LONGEST_REQUEST: Duration = Duration::from_secs(35);
        let Self {
            tracer,
            stop,
            mut task,
        } = self;
        // The outbox ends by itself when nobody holds its tracer any more.
        drop(tracer);
        tokio::select! {
            ended = &mut task => {
                told_of_panic(ended.is_err());
                return;
            }
            () = tokio::time::sleep(LONGEST_REQUEST) => {}
            () = stopped => {}
        }
        stop.send_replace(true);
        told_of_panic(task.await.is_err());
    }

    /// Delivers what is left, within the outbox's own deadline.
    pub(crate) async fn stop(self) {
        self.stop.send_replace(true);
        told_of_panic(self.task.await.is_err());
        let left = self.tracer.standing().dropped_undelivered;
        if left > 0 {
            tracing::info!(
                spans = left,
                "traces that the collector did not take were dropped"
            );
        }
    }
}

fn told_of_panic(panicked: bool) {
    if panicked {
        tracing::error!("the delivery of traces ended in a panic");
    }
}

/// Whose `traceparent` counts.
#[derive(Debug)]
struct Believed {
    tracer: Tracer,
    networks: Vec<IpNetwork>,
}

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

impl RequestTraces for Believed {
    fn begin(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> TraceStart {
        let believed = peer.is_some_and(|peer| self.networks.iter().any(|network| network.contains(peer)));
        let start = self.tracer.begin(believed.then(|| parent(headers)).flatten());
        TraceStart {
            trace_id: start.id().number(),
            parent_id: start.parent().map(sealstone_telemetry::SpanId::number),
            is_sampled: start.sampled(),
        }
    }
}

/// The one header of that name, if it is one (W3C Trace Context §4.3). `tracestate` and `baggage` are not looked at.
fn parent(headers: &HeaderMap) -> Option<TraceParent> {
    let mut all = headers.get_all(TRACEPARENT).iter();
    let (Some(one), None) = (all.next(), all.next()) else {
        return None;
    };
    TraceParent::parse(one.to_str().ok()?).ok()
}

/// The wall's time, and how long this process has run.
#[derive(Debug)]
struct Since(Instant);

impl Since {
    #[expect(clippy::disallowed_methods, reason = "a clock's implementation reads it")]
    fn now() -> Self {
        Self(Instant::now())
    }
}

impl TraceClock for Since {
    #[expect(clippy::disallowed_methods, reason = "a clock's implementation reads it")]
    fn wall(&self) -> Duration {
        SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default()
    }

    fn ticks(&self) -> Duration {
        self.0.elapsed()
    }
}

/// What metrics say of traces.
pub(crate) fn metrics(standing: &Standing, text: &mut String) {
    let ends = [
        ("delivered", standing.delivered),
        ("queue_full", standing.dropped_queue_full),
        ("trace_full", standing.dropped_trace_full),
        ("refused", standing.dropped_refused),
        ("undelivered", standing.dropped_undelivered),
    ];
    let name = "sealstone_traces_spans_total";
    // Writing into a String does not fail.
    let _ = writeln!(
        text,
        "# HELP {name} Spans by what became of them.\n# TYPE {name} counter"
    );
    for (outcome, count) in ends {
        let _ = writeln!(text, "{name}{{outcome=\"{outcome}\"}} {count}");
    }
    let mut one = |name: &str, kind: &str, help: &str, value: u64| {
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}");
    };
    one(
        "sealstone_traces_over_limit_total",
        "counter",
        "Requests that were not traced because of the limit of a second.",
        standing.dropped_traces,
    );
    one(
        "sealstone_traces_failures_total",
        "counter",
        "Deliveries that failed.",
        standing.failures,
    );
    one(
        "sealstone_traces_waiting_spans",
        "gauge",
        "Spans that wait for their delivery.",
        standing.waiting,
    );
    one(
        "sealstone_traces_failing",
        "gauge",
        "1 while deliveries fail.",
        u64::from(standing.failing),
    );
}

#[cfg(test)]
mod tests;
