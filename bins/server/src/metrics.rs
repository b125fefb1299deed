//! What this program says of itself in metrics, besides its answers and its audit trail.

pub(crate) mod connections;
mod hsm;

use crate::config::Config;
use crate::health;
use rustls_pki_types::UnixTime;
use sealstone_http::Readiness;
use sealstone_mtls::ClientCertificate;
use sealstone_provider::Provider;
use sealstone_storage::{Leadership, SqlStore};
use sealstone_tls::{TrustHandle, load_certificates};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

/// Parts that readiness tells of, so that each has a line whether it works or not.
const PARTS: [&str; 5] = ["audit", "database", "disk", "serving", "token"];

/// What is looked at whenever somebody asks.
#[derive(Clone)]
pub(crate) struct Gauges {
    certificate: PathBuf,
    disks: Vec<(&'static str, PathBuf)>,
    provider: Provider,
    store: Arc<SqlStore>,
    readiness: Readiness,
    trust: Option<TrustHandle>,
    started: UnixTime,
}

impl Gauges {
    pub(crate) fn new(
        config: &Config,
        provider: &Provider,
        store: &Arc<SqlStore>,
        readiness: &Readiness,
        trust: Option<TrustHandle>,
        started: UnixTime,
    ) -> Self {
        Self {
            certificate: config.tls.certificate_file.clone(),
            disks: health::folders(config),
            provider: provider.clone(),
            store: Arc::clone(store),
            readiness: readiness.clone(),
            trust,
            started,
        }
    }

    /// Appends them in the text format of Prometheus.
    pub(crate) fn write(&self, text: &mut String) {
        let version = format!("{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"));
        head(text, "sealstone_build_info", "The program's version.");
        line(text, "sealstone_build_info", &version, 1);
        head(text, "sealstone_start_time_seconds", "When this process began.");
        line(text, "sealstone_start_time_seconds", "", self.started.as_secs());
        head(
            text,
            "sealstone_ready",
            "Whether each part that requests need works.",
        );
        let missing = self.readiness.missing();
        for part in PARTS {
            let label = format!("{{part=\"{part}\"}}");
            line(
                text,
                "sealstone_ready",
                &label,
                u64::from(!missing.contains(&part)),
            );
        }
        head(
            text,
            "sealstone_leads",
            "Whether this node rotates and purges for all.",
        );
        let leads = !matches!(*self.store.leadership().borrow(), Some(Leadership::Follows));
        line(text, "sealstone_leads", "", u64::from(leads));
        head(text, "sealstone_domains", "Domains that are served.");
        let domains = u64::try_from(self.provider.domains().len()).unwrap_or(u64::MAX);
        line(text, "sealstone_domains", "", domains);
        self.ends(text);
        if let Some(figures) = self.provider.key_home_figures() {
            hsm::write(&figures, text);
        }
        head(text, "sealstone_disk_free_bytes", "What may still be written.");
        for (name, folder) in &self.disks {
            if let Some(free) = health::free(folder) {
                line(
                    text,
                    "sealstone_disk_free_bytes",
                    &format!("{{of=\"{name}\"}}"),
                    free,
                );
            }
        }
    }

    /// What ends by itself, and must be renewed.
    fn ends(&self, text: &mut String) {
        let chain = load_certificates(&self.certificate).ok();
        let first = chain.as_ref().and_then(|chain| chain.first());
        let own = first.and_then(|der| ClientCertificate::from_der(der).ok());
        if let Some(own) = own {
            let name = "sealstone_certificate_end_time_seconds";
            head(text, name, "When the certificate in tls.certificate_file ends.");
            line(text, name, "", own.not_after().as_secs());
        }
        let due = self
            .trust
            .as_ref()
            .and_then(|trust| trust.current().next_update());
        if let Some(due) = due {
            let name = "sealstone_crl_next_update_time_seconds";
            head(text, name, "When the first revocation list is due.");
            line(text, name, "", due.as_secs());
        }
    }
}

fn head(text: &mut String, name: &str, help: &str) {
    // Writing into a String does not fail.
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
}

fn line(text: &mut String, name: &str, labels: &str, value: u64) {
    let _ = writeln!(text, "{name}{labels} {value}");
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    const SOURCE: &str = include_str!("metrics.rs");
    const DOCUMENT: &str = include_str!("../../../docs/reference/metrics.md");

    /// Each name in the code has its row, and each gauge of the page is in the code.
    #[test]
    fn every_gauge_is_documented() {
        let code = SOURCE.split("#[cfg(test)]").next().unwrap();
        let names: BTreeSet<&str> = code
            .split('"')
            .filter(|word| word.starts_with("sealstone_") && !word.contains(' '))
            .collect();
        assert_eq!(names.len(), 8, "{names:?}");
        let section = DOCUMENT.split("## The program itself").nth(1).unwrap();
        let section = section.split("\n## ").next().unwrap();
        let rows: BTreeSet<&str> = section
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
            .collect();
        assert_eq!(rows, names);
    }
}
