//! `sealstone doctor`: what is wrong with a server and what is around it, why, and what to do.

mod address;
mod certificates;
mod checks;
mod clients;
mod configuration;
mod database;
mod finding;
mod hsm;
mod issuer;
mod keys;
mod keystone;
mod names;
mod probe;
mod proxy;
mod secrets;
mod settings;
mod trail;
mod trust;

use std::{collections::BTreeSet, path::PathBuf, sync::Arc, time::Duration};

use clap::Args;
use rustls::RootCertStore;
use sealstone_identity::DomainId;
use sealstone_registry::DomainStore as _;
use sealstone_storage::SqlStore;

use crate::{
    clock,
    failure::{Failure, Outcome},
    http,
    output::{self, Form, OutputArguments},
    store::{self, Places, StoreArguments},
};
use address::Address;
use certificates::{Demand, Own};
pub(crate) use finding::Area;
use finding::{Report, Severity};
use issuer::Expected;
use settings::Settings;

/// Where every issuer is below a base URL.
const ISSUERS: &str = "/v4/oauth2/";

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  On the server's machine, as its user; everything is looked at, nothing is changed:\n    \
    sealstone doctor --config /etc/sealstone/sealstoned.toml\n\n  \
    From where clients are:\n    sealstone doctor --issuer https://id.example.org/v4/oauth2/demo\n\n  \
    What it knows:\n    sealstone doctor --list\n\n\
    Each finding tells what is wrong, what was seen, and what to do. Exit status: 0 nothing wrong, 1 something\n\
    wrong, 2 wrong usage; with --strict 1 for warnings too. A private authority is named by --ca."
)]
pub(crate) struct DoctorArguments {
    /// The configuration file of `sealstoned serve`
    #[arg(long, value_name = "FILE", required_unless_present_any = ["list", "issuer"])]
    config: Option<PathBuf>,
    /// The issuer to ask [default: that of the first domain]
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// Authorities that vouch for the server, PEM [default: those of the system]
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Look at this alone; may be given several times
    #[arg(long, value_enum, value_name = "AREA")]
    only: Vec<Area>,
    /// How early an end is told: 14d, 36h
    #[arg(long, value_name = "SPAN", default_value = "14d", value_parser = clock::parse_span)]
    soon: Duration,
    /// Warnings count as wrong
    #[arg(long)]
    strict: bool,
    /// Try the PIN of the HSM though a wrong one was tried since the last login; never when it is the last try
    #[arg(long, requires = "config")]
    try_pin: bool,
    /// List everything that it looks for
    #[arg(long, conflicts_with_all = ["config", "issuer"])]
    list: bool,
    #[command(flatten)]
    output: OutputArguments,
}

pub(crate) async fn run(arguments: &DoctorArguments) -> Outcome {
    if arguments.list {
        return list(arguments.output.output);
    }
    let mut report = Report::default();
    let roots = Arc::new(match &arguments.ca {
        Some(path) => http::roots(path)?,
        None => http::authorities(None).unwrap_or_else(|_none| RootCertStore::empty()),
    });
    let doctor = Doctor { arguments, roots };
    match &arguments.config {
        Some(_) => doctor.server(&mut report).await?,
        None => doctor.outside(&mut report).await?,
    }
    report.keep_only(&arguments.only);
    report.print(arguments.output.output)?;
    verdict(&report, arguments.strict)
}

fn list(form: Form) -> Outcome {
    if form == Form::Json {
        return output::json(&checks::ALL);
    }
    let rows: Vec<Vec<String>> = checks::ALL
        .iter()
        .map(|check| {
            let words = [
                check.id,
                check.area.as_str(),
                check.severity.as_str(),
                check.problem,
            ];
            words.map(str::to_owned).to_vec()
        })
        .collect();
    output::table(&["ID", "AREA", "SEVERITY", "PROBLEM"], &rows)
}

fn verdict(report: &Report, strict: bool) -> Outcome {
    let (wrong, warnings) = (report.count(Severity::Wrong), report.count(Severity::Warning));
    let counted = if strict {
        wrong.saturating_add(warnings)
    } else {
        wrong
    };
    match counted {
        0 => {
            if warnings > 0 {
                output::note(&format!("nothing is wrong; {warnings} to look at"));
            }
            Ok(())
        }
        1 => Err(Failure::failed("1 thing is wrong: see `do` under it")),
        several => Err(Failure::failed(format!(
            "{several} things are wrong: begin with the first; later ones may follow from it"
        ))),
    }
}

struct Doctor<'a> {
    arguments: &'a DoctorArguments,
    roots: Arc<RootCertStore>,
}

impl Doctor<'_> {
    fn wants(&self, area: Area) -> bool {
        self.arguments.only.is_empty() || self.arguments.only.contains(&area)
    }

    /// From outside, by the issuer's address alone.
    async fn outside(&self, report: &mut Report) -> Outcome {
        let Some(issuer) = &self.arguments.issuer else {
            return Err(Failure::usage("name the server by --config FILE or --issuer URL"));
        };
        report.looked_at(Area::Issuer);
        let expected = Expected {
            issuer,
            kids: None,
            chain: &[],
            roots: &self.roots,
        };
        if issuer::look(&expected, report).await? {
            proxy::look(issuer, None, None, report).await?;
        }
        Ok(())
    }

    /// Everything, on the server's machine.
    async fn server(&self, report: &mut Report) -> Outcome {
        let Some(file) = &self.arguments.config else {
            return Ok(());
        };
        let Some(settings) = Settings::read(file, report) else {
            report.looked_at(Area::Configuration);
            return Ok(());
        };
        let places = StoreArguments::configured(file).places();
        let mut progress = output::Progress::new("areas", Area::ALL.len());
        let own = self.files(&settings, places.as_ref().ok(), report);
        progress.step();
        if self.wants(Area::Dns) {
            names::look(&settings, report).await;
            report.looked_at(Area::Dns);
            progress.step();
        }
        let Ok(places) = places else {
            for area in [
                Area::Database,
                Area::Hsm,
                Area::Keys,
                Area::Clients,
                Area::Issuer,
                Area::Keystone,
            ] {
                report.left_out(area, "the configuration must be mended first");
            }
            return Ok(());
        };
        // Before whatever else needs the token: a PIN that must not be tried is not tried by that either.
        let token = hsm::look(&settings, &places, self.arguments.try_pin, report);
        progress.step();
        let opened = database::look(&settings, &places, report).await;
        report.looked_at(Area::Database);
        progress.step();
        let inside = self
            .inside(opened.as_ref(), &settings, &places, &token, report)
            .await?;
        progress.step();
        if self.wants(Area::Issuer) {
            self.issuer(&settings, &places, &own, inside, report).await?;
            progress.step();
        }
        if self.wants(Area::Keystone) {
            self.keystone(&settings, &places, opened.as_ref(), report).await?;
        }
        if let Some(opened) = opened {
            opened.close().await;
        }
        Ok(())
    }

    /// What files alone tell.
    fn files(&self, settings: &Settings, places: Option<&Places>, report: &mut Report) -> Own {
        if self.wants(Area::Configuration) {
            let policy = places.map(Places::policy);
            configuration::look(settings, policy.as_ref(), report);
            report.looked_at(Area::Configuration);
        }
        if self.wants(Area::Secrets) {
            secrets::look(settings, report);
            report.looked_at(Area::Secrets);
        }
        let hosts: BTreeSet<String> = ["base_url", "mtls_base_url"]
            .into_iter()
            .filter_map(|key| Address::of(settings.text("server", key)?))
            .map(|address| address.host)
            .collect();
        // Where a proxy ends TLS, its certificate is looked at under `issuer`.
        let hosts: Vec<String> = if settings.has_proxy() {
            Vec::new()
        } else {
            hosts.into_iter().collect()
        };
        let demand = Demand {
            hosts: &hosts,
            roots: &self.roots,
            soon: self.arguments.soon,
        };
        let own = certificates::look(settings, &demand, report);
        report.looked_at(Area::Certificates);
        if self.wants(Area::Trust) {
            trust::look(settings, self.arguments.soon, report);
            report.looked_at(Area::Trust);
        }
        own
    }

    /// What the database tells: its domains, and the keys of each.
    async fn inside(
        &self,
        opened: Option<&SqlStore>,
        settings: &Settings,
        places: &Places,
        token: &hsm::Found,
        report: &mut Report,
    ) -> Outcome<Inside> {
        let Some(opened) = opened else {
            report.left_out(Area::Keys, "the database must be mended first");
            report.left_out(Area::Clients, "the database must be mended first");
            return Ok(Inside::default());
        };
        let domains = store::domains(opened, None).await?;
        let rings = keys::look(opened, &domains, places, report).await;
        report.looked_at(Area::Keys);
        token.keys(&rings, report);
        if self.wants(Area::Clients) || self.wants(Area::Dns) {
            clients::look(opened, &domains, settings, places, self.arguments.soon, report).await?;
            report.looked_at(Area::Clients);
        }
        let mut first = None;
        for domain in domains {
            let is_enabled = opened
                .domain(&domain)
                .await?
                .is_some_and(|found| found.is_enabled());
            if is_enabled {
                first = Some(domain);
                break;
            }
        }
        let of_first = |(domain, _): &&(DomainId, _)| Some(domain) == first.as_ref();
        let kids = rings.iter().find(of_first).map(|(_, ring)| {
            let keys = ring.published().jwk_set().keys();
            keys.iter()
                .filter_map(|key| key.kid().map(|kid| kid.to_string()))
                .collect()
        });
        Ok(Inside { domain: first, kids })
    }

    async fn issuer(
        &self,
        settings: &Settings,
        places: &Places,
        own: &Own,
        inside: Inside,
        report: &mut Report,
    ) -> Outcome {
        let base = settings.text("server", "base_url").unwrap_or_default();
        let issuer = match (&self.arguments.issuer, &inside.domain) {
            (Some(issuer), _) => issuer.clone(),
            (None, Some(domain)) => format!("{base}{ISSUERS}{domain}"),
            (None, None) => {
                report.left_out(
                    Area::Issuer,
                    "there is no enabled domain yet: name an issuer by --issuer",
                );
                return Ok(());
            }
        };
        report.looked_at(Area::Issuer);
        let expected = Expected {
            issuer: &issuer,
            kids: inside.kids.filter(|_| self.arguments.issuer.is_none()),
            chain: if settings.has_proxy() { &[] } else { &own.chain },
            roots: &self.roots,
        };
        if issuer::look(&expected, report).await? {
            let mtls = settings.text("server", "mtls_base_url");
            let mtls = mtls.and_then(|mtls| Some(format!("{mtls}{}", issuer.strip_prefix(base)?)));
            let here = Some((settings, places));
            proxy::look(&issuer, mtls.as_deref(), here, report).await?;
        }
        Ok(())
    }

    async fn keystone(
        &self,
        settings: &Settings,
        places: &Places,
        opened: Option<&SqlStore>,
        report: &mut Report,
    ) -> Outcome {
        if settings.section("keystone").is_none() {
            report.left_out(Area::Keystone, "none is configured");
        } else if opened.is_none() {
            report.left_out(Area::Keystone, "the database must be mended first");
        } else {
            report.looked_at(Area::Keystone);
            if let Err(failure) = keystone::look(places, report).await {
                report.left_out(Area::Keystone, failure.to_string());
            }
        }
        Ok(())
    }
}

/// What the database says of the issuer that is asked.
#[derive(Default)]
struct Inside {
    domain: Option<DomainId>,
    kids: Option<BTreeSet<String>>,
}
