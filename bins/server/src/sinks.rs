//! `[audit.syslog]`, `[audit.http]`, `[audit.rabbitmq]`: whom the audit trail is carried to.

use crate::config::{Config, HttpSinkSection, RabbitmqSection, SinkMode, SyslogSection};
use anyhow::Context as _;
use sealstone_https::{HttpsClient, PlainHttp, Settings, authorities};
use sealstone_sinks::{
    Amqp, AmqpSettings, Carrier, Http, HttpSettings, Limits, Mode, Receiver, Standing, Syslog,
    SyslogSettings, client_tls, server_name,
};
use sealstone_trail::TrailFile;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How often it is looked whether a required receiver is too far behind: so long requests are still served.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// What is left is delivered at the end for no longer than this: the next start goes on with the rest.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Receivers that the configuration names, not connected yet.
pub(crate) struct Sinks(Vec<Sink>);

struct Sink {
    standing: Standing,
    limits: Limits,
    receiver: Box<dyn Receiver>,
}

/// Whether this key of the configuration is of a receiver.
pub(crate) fn is_of_receivers(key: &str) -> bool {
    let sections = ["audit.syslog", "audit.http", "audit.rabbitmq"];
    sections.iter().any(|section| key.starts_with(section))
}

/// Reads everything that the configuration names for them.
pub(crate) fn compose(config: &Config) -> anyhow::Result<Sinks> {
    let mut sinks = Vec::new();
    let mut add = |name, mode, most_behind, receiver| {
        let mode = match mode {
            SinkMode::Required => Mode::Required,
            SinkMode::BestEffort => Mode::BestEffort,
        };
        sinks.push(Sink {
            standing: Standing::new(name, mode),
            limits: Limits { most_behind },
            receiver,
        });
    };
    if let Some(section) = &config.audit.syslog {
        add("syslog", section.mode, section.most_behind, syslog(section)?);
    }
    if let Some(section) = &config.audit.http {
        add("http", section.mode, section.most_behind, http(section)?);
    }
    if let Some(section) = &config.audit.rabbitmq {
        add("rabbitmq", section.mode, section.most_behind, rabbitmq(section)?);
    }
    Ok(Sinks(sinks))
}

fn syslog(section: &SyslogSection) -> anyhow::Result<Box<dyn Receiver>> {
    let of = |key: &str| format!("audit.syslog.{key}");
    let (host, port) = section.address.rsplit_once(':').with_context(|| {
        format!(
            "{}: {:?} has no port, such as \"logs.example.org:6514\"",
            of("address"),
            section.address
        )
    })?;
    let _port: u16 = port
        .parse()
        .with_context(|| format!("{}: {port:?} is no port", of("address")))?;
    let name = section.server_name.as_deref().unwrap_or(host);
    let own = match (&section.certificate_file, &section.key_file) {
        (Some(certificate), Some(key)) => Some((
            read(&of("certificate_file"), certificate)?,
            read(&of("key_file"), key)?,
        )),
        (None, None) => None,
        (Some(_), None) => anyhow::bail!("{} is missing beside certificate_file", of("key_file")),
        (None, Some(_)) => anyhow::bail!("{} is missing beside key_file", of("certificate_file")),
    };
    let own = own
        .as_ref()
        .map(|(certificate, key)| (certificate.as_slice(), key.as_slice()));
    let tls = client_tls(&read(&of("ca_file"), &section.ca_file)?, own).context("[audit.syslog]")?;
    let machine = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    Ok(Box::new(Syslog::new(SyslogSettings {
        address: section.address.clone(),
        server_name: server_name(name).with_context(|| of("server_name"))?,
        tls,
        host: machine.trim().to_owned(),
    })))
}

fn http(section: &HttpSinkSection) -> anyhow::Result<Box<dyn Receiver>> {
    let pem = read("audit.http.ca_file", &section.ca_file)?;
    let settings = Settings::trusting(authorities(&pem).context("audit.http.ca_file")?)?;
    let client = HttpsClient::new(settings.with_plain_http(PlainHttp::Loopback));
    let url = section
        .url
        .parse()
        .with_context(|| format!("audit.http.url: {:?} is no address", section.url))?;
    client.admits(&url).context("audit.http.url")?;
    if let Some(path) = &section.bearer_file {
        read("audit.http.bearer_file", path)?;
    }
    Ok(Box::new(Http::new(
        client,
        HttpSettings {
            url,
            bearer_file: section.bearer_file.clone(),
        },
    )))
}

fn rabbitmq(section: &RabbitmqSection) -> anyhow::Result<Box<dyn Receiver>> {
    read("audit.rabbitmq.url_file", &section.url_file)?;
    if let Some(path) = &section.ca_file {
        let pem = read("audit.rabbitmq.ca_file", path)?;
        authorities(&pem).context("audit.rabbitmq.ca_file")?;
    }
    anyhow::ensure!(
        section.ca_file.is_some() || section.insecure_plaintext,
        "audit.rabbitmq.ca_file is missing: name the authorities that vouch for the broker"
    );
    Ok(Box::new(Amqp::new(AmqpSettings {
        url_file: section.url_file.clone(),
        ca_file: section.ca_file.clone(),
        insecure_plaintext: section.insecure_plaintext,
        exchange: section.exchange.clone(),
        topic: section.topic.clone(),
        durable: section.durable,
    })))
}

fn read(key: &str, path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("{key}: {} can't be read", path.display()))
}

/// Receivers that are carried to; by default none.
#[derive(Default)]
pub(crate) struct Carried {
    standings: Vec<Standing>,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Sinks {
    /// What `check` says of them.
    pub(crate) fn describe(&self) -> Option<String> {
        let names: Vec<_> = self.0.iter().map(|sink| sink.standing.now().name).collect();
        (!names.is_empty()).then(|| format!("audit      carried to {}", names.join(", ")))
    }

    /// Begins to carry.
    pub(crate) fn start(self, trail: &Arc<TrailFile>) -> anyhow::Result<Carried> {
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        let mut standings = Vec::new();
        for sink in self.0 {
            let cursor = cursor(trail.path(), sink.standing.now().name);
            let carrier = Carrier::new(Arc::clone(trail), sink.standing.clone(), sink.limits, &cursor)
                .with_context(|| format!("{} can't be read", cursor.display()))?;
            standings.push(sink.standing);
            tasks.spawn(carrier.carry(sink.receiver, ended(stopped.clone())));
        }
        if !standings.is_empty() {
            tasks.spawn(govern(Arc::clone(trail), standings.clone(), ended(stopped)));
        }
        Ok(Carried {
            standings,
            stop,
            tasks,
        })
    }
}

impl Carried {
    /// Where each stands, for metrics.
    pub(crate) fn standings(&self) -> Vec<Standing> {
        self.standings.clone()
    }

    /// Delivers what is left, if it is taken.
    pub(crate) async fn stop(mut self) {
        self.stop.send_replace(true);
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(LAST_WORDS, all).await.is_err() {
            tracing::warn!("audit events are left to be delivered after the next start");
        }
    }
}

async fn ended(mut stopped: watch::Receiver<bool>) {
    // An error means that the sender is gone: the server is ending too.
    drop(stopped.wait_for(|stopped| *stopped).await);
}

/// Closes the trail while a required receiver is too far behind.
async fn govern(trail: Arc<TrailFile>, standings: Vec<Standing>, stop: impl Future<Output = ()>) {
    tokio::pin!(stop);
    loop {
        trail.close(standings.iter().any(Standing::is_over));
        tokio::select! {
            () = &mut stop => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// How far a receiver has everything: `.audit.jsonl.syslog`, beside the trail.
fn cursor(trail: &Path, name: &str) -> PathBuf {
    let mut file = OsString::from(".");
    file.push(trail.file_name().unwrap_or_default());
    file.push(".");
    file.push(name);
    trail.with_file_name(file)
}

/// What metrics say of the receivers.
pub(crate) fn metrics(standings: &[Standing], text: &mut String) {
    let standings: Vec<_> = standings.iter().map(Standing::now).collect();
    if standings.is_empty() {
        return;
    }
    let mut family = |name: &str, kind: &str, help: &str, values: Vec<u64>| {
        let name = format!("sealstone_audit_sink_{name}");
        // Writing into a String does not fail.
        let _written = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (standing, value) in standings.iter().zip(values) {
            let _written = writeln!(text, "{name}{{sink=\"{}\"}} {value}", standing.name);
        }
    };
    let of =
        |value: fn(&sealstone_sinks::SinkStanding) -> u64| standings.iter().map(value).collect::<Vec<_>>();
    family(
        "delivered_events_total",
        "counter",
        "Events that the receiver took from this process.",
        of(|s| s.delivered),
    );
    family(
        "lost_events_total",
        "counter",
        "Events that the receiver was not told of.",
        of(|s| s.lost),
    );
    family(
        "failures_total",
        "counter",
        "Deliveries that failed, each tried again.",
        of(|s| s.failures),
    );
    family(
        "behind_events",
        "gauge",
        "Events that the receiver does not have yet.",
        of(|s| s.behind),
    );
    family(
        "failing",
        "gauge",
        "1 while deliveries fail.",
        of(|s| u64::from(s.failing)),
    );
}
