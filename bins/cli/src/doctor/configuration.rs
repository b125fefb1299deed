//! What the configuration says by itself.

use std::{net::SocketAddr, path::Path};

use sealstone_keyring::RotationPolicy;
use toml::Value;

use super::{
    checks,
    finding::Report,
    settings::{Known, Settings, known},
};
use crate::failure::Outcome;

/// Sections that must be there; what others need counts once they are.
const NEEDED: [&str; 3] = ["server", "tls", "secrets"];
/// Keys of which one is nothing without the other.
const PAIRS: [[(&str, &str); 2]; 4] = [
    [("server", "mtls_listen"), ("server", "mtls_base_url")],
    [("proxy", "secret_header"), ("proxy", "secret_file")],
    [
        ("storage.postgres", "certificate_file"),
        ("storage.postgres", "key_file"),
    ],
    [("tls", "crl_files"), ("tls", "client_ca_files")],
];
/// How alike a word must be to a key to be told as probably meant.
const ALIKE: f64 = 0.8;

pub(super) fn look(settings: &Settings, policy: Option<&Outcome<RotationPolicy>>, report: &mut Report) {
    let known = known();
    unknown(settings, &known, report);
    incomplete(settings, &known, report);
    contradictions(settings, report);
    addresses(settings, report);
    open(&settings.file, report);
    dangerous(settings, report);
    if let Some(Err(failure)) = policy {
        report.found(&checks::KEYS_POLICY, failure.to_string());
    }
    let algorithms = settings.texts("keys", "algorithms");
    if !algorithms.is_empty() && !algorithms.contains(&"RS256") {
        report.found(
            &checks::KEYS_NO_RS256,
            format!("keys.algorithms = {algorithms:?}"),
        );
    }
}

fn unknown(settings: &Settings, known: &[Known], report: &mut Report) {
    let mut found = Vec::new();
    walk("", settings.table(), known, &mut found);
    for (section, key) in found {
        let full = if section.is_empty() {
            key.clone()
        } else {
            format!("{section}.{key}")
        };
        let meant = closest(&section, &key, known);
        let meant = meant.map(|meant| format!(": did you mean `{meant}`?"));
        let evidence = format!(
            "`{full}` in {}{}",
            settings.file.display(),
            meant.unwrap_or_default()
        );
        report.found(&checks::CONFIG_UNKNOWN_KEY, evidence);
    }
}

/// Every key that none of the known ones is, with its section.
fn walk(section: &str, table: &toml::Table, known: &[Known], found: &mut Vec<(String, String)>) {
    for (key, value) in table {
        // [people_of.DOMAIN] has the keys of [people], and [registration_of.DOMAIN] those of [registration].
        let full = match section {
            "" => key.clone(),
            "people_of" => "people".to_owned(),
            "registration_of" => "registration".to_owned(),
            _ => format!("{section}.{key}"),
        };
        let inside = format!("{full}.");
        let is_section = ["people_of", "registration_of"].contains(&full.as_str())
            || known
                .iter()
                .any(|known| known.section == full || known.section.starts_with(&inside));
        if let Value::Table(inner) = value
            && is_section
        {
            walk(&full, inner, known, found);
            continue;
        }
        let is_known = |known: &Known| known.section == section && known.key == key;
        if !known.iter().any(is_known) {
            found.push((section.to_owned(), key.clone()));
        }
    }
}

fn closest<'k>(section: &str, key: &str, known: &'k [Known]) -> Option<&'k str> {
    let here = known.iter().filter(|known| known.section == section);
    let scored = here.map(|known| (strsim::jaro_winkler(key, known.key), known.key));
    let best = scored.max_by(|(a, _), (b, _)| a.total_cmp(b))?;
    (best.0 > ALIKE).then_some(best.1)
}

fn incomplete(settings: &Settings, known: &[Known], report: &mut Report) {
    for known in known.iter().filter(|known| known.is_required) {
        let section = known.section;
        let counts = NEEDED.contains(&section) || settings.section(section).is_some();
        if counts && settings.value(section, known.key).is_none() {
            let evidence = format!("`{}` in [{section}] is missing", known.key);
            report.found(&checks::CONFIG_INCOMPLETE, evidence);
        }
    }
    let (file, server) = (
        settings.text("storage", "path"),
        settings.section("storage.postgres"),
    );
    if file.is_none() && server.is_none() {
        let evidence = "[storage] names no database: `path` for SQLite, or [storage.postgres]";
        report.found(&checks::CONFIG_INCOMPLETE, evidence);
    }
    if server.is_some() && settings.text("audit", "path").is_none() {
        let evidence =
            "`path` in [audit] is missing: with [storage.postgres] there is no file to keep it beside";
        report.found(&checks::CONFIG_INCOMPLETE, evidence);
    }
}

/// What every issuer begins with.
fn addresses(settings: &Settings, report: &mut Report) {
    for key in ["base_url", "mtls_base_url"] {
        let Some(url) = settings.text("server", key) else {
            continue;
        };
        let is_https = url
            .get(..8)
            .is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"));
        if !is_https || url.ends_with('/') || url.contains(['?', '#', '@']) {
            report.found(&checks::CONFIG_ADDRESS, format!("server.{key} = {url:?}"));
        }
    }
}

fn contradictions(settings: &Settings, report: &mut Report) {
    for [first, second] in PAIRS {
        let is_set = |(section, key): (&str, &str)| {
            let found = settings.value(section, key);
            let list = found.and_then(Value::as_array);
            list.map_or_else(|| found.is_some(), |list| !list.is_empty())
        };
        // Authorities without lists are another matter.
        let one_way = first.1 == "crl_files";
        if is_set(first) && !is_set(second) || (!one_way && is_set(second) && !is_set(first)) {
            let name = |(section, key): (&str, &str)| format!("{section}.{key}");
            let evidence = format!("{} and {} belong together", name(first), name(second));
            report.found(&checks::CONFIG_CONTRADICTION, evidence);
        }
    }
    if settings.text("storage", "path").is_some() && settings.section("storage.postgres").is_some() {
        let evidence = "storage.path and [storage.postgres] are two databases";
        report.found(&checks::CONFIG_CONTRADICTION, evidence);
    }
    let has_choice = ["versions", "cipher_suites"]
        .iter()
        .any(|key| !settings.texts("tls", key).is_empty());
    if has_choice && settings.text("tls", "profile") != Some("custom") {
        let evidence = "tls.versions and tls.cipher_suites count only with tls.profile = \"custom\"";
        report.found(&checks::CONFIG_CONTRADICTION, evidence);
    }
}

/// Whoever may write the file, or replace it.
fn open(file: &Path, report: &mut Report) {
    let folder = std::path::absolute(file).ok();
    let folder = folder.as_deref().and_then(Path::parent);
    for path in [Some(file), folder].into_iter().flatten() {
        if let Some(mode) = super::secrets::writable_by_others(path) {
            let evidence = format!("{} has mode {mode:04o}", path.display());
            report.found(&checks::CONFIG_OPEN, evidence);
        }
    }
}

fn dangerous(settings: &Settings, report: &mut Report) {
    let mut found = Vec::new();
    switched_on("", settings.table(), &mut found);
    for key in found {
        report.found(&checks::CONFIG_DANGEROUS, format!("{key} = true"));
    }
    let everybody = ["0.0.0.0/0", "::/0"];
    for network in settings.texts("limits", "insecure_unlimited_networks") {
        if everybody.contains(&network) {
            let evidence = format!("limits.insecure_unlimited_networks holds {network}");
            report.found(&checks::LIMITS_OFF, evidence);
        }
    }
    if settings.text("log", "level") == Some("debug") {
        report.found(&checks::LOG_DEBUG, "log.level = \"debug\"");
    }
    let admin = settings.text("server", "admin_listen");
    let admin = admin.and_then(|text| text.parse::<SocketAddr>().ok());
    if let Some(address) = admin.filter(|address| !address.ip().is_loopback()) {
        report.found(&checks::ADMIN_OPEN, format!("server.admin_listen = {address}"));
    }
}

/// Keys that weaken something have it in their name.
fn switched_on(section: &str, table: &toml::Table, found: &mut Vec<String>) {
    for (key, value) in table {
        let full = if section.is_empty() {
            key.clone()
        } else {
            format!("{section}.{key}")
        };
        if let Value::Table(inner) = value {
            switched_on(&full, inner, found);
        } else if value.as_bool() == Some(true)
            && (key.starts_with("dangerous_") || key.starts_with("insecure_"))
        {
            found.push(full);
        }
    }
}
