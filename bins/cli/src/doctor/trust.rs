//! Who vouches for clients, and what they have revoked.

use std::{path::Path, time::Duration};

use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime, pem::PemObject as _};
use sealstone_mtls::ClientCertificate;
use sealstone_tls::{ClientTrust, CrlPolicy, load_certificates};
use x509_cert::{
    crl::CertificateList,
    der::{Decode as _, Encode as _},
};

use super::{
    certificates::{Dates, dates},
    checks,
    finding::Report,
    settings::Settings,
};
use crate::clock;

/// A list that is due sooner than this should have been renewed: most live a day or a week.
const LIST_SOON: Duration = Duration::from_secs(4 * 3600);

/// A revocation list, by whom and until when.
struct List {
    issuer: Vec<u8>,
    next_update: Option<UnixTime>,
    from: String,
}

pub(super) fn look(settings: &Settings, soon: Duration, report: &mut Report) {
    let mut authorities = Vec::new();
    for path in settings.paths("tls", "client_ca_files") {
        authorities.extend(authorities_in(&path, soon, report));
    }
    let files = settings.paths("tls", "crl_files");
    if authorities.is_empty() {
        return;
    }
    if files.is_empty() {
        let evidence = format!(
            "tls.client_ca_files: {} authorities, no tls.crl_files",
            authorities.len()
        );
        return report.found(&checks::CRL_NONE, evidence);
    }
    let lists: Vec<List> = files.iter().flat_map(|path| lists_in(path, report)).collect();
    let now = clock::now();
    for list in &lists {
        let Some(due) = list.next_update else { continue };
        let evidence = format!("{}: due {}", list.from, clock::date_and_relative(due, now));
        match due.as_secs().checked_sub(now.as_secs()) {
            None | Some(0) => report.found(&checks::CRL_EXPIRED, evidence),
            Some(left) if left < LIST_SOON.as_secs() => report.found(&checks::CRL_ENDS_SOON, evidence),
            Some(_) => {}
        }
    }
    for der in &authorities {
        let Ok(parsed) = x509_cert::Certificate::from_der(der) else {
            continue;
        };
        let subject = parsed.tbs_certificate().subject().to_der().unwrap_or_default();
        if !lists.iter().any(|list| list.issuer == subject) {
            let name = parsed.tbs_certificate().subject().to_string();
            let evidence = format!("no list in {} is by {name}", names(&files));
            report.found(&checks::CRL_MISSING, evidence);
        }
    }
}

fn names(files: &[std::path::PathBuf]) -> String {
    let names: Vec<String> = files.iter().map(|path| path.display().to_string()).collect();
    names.join(", ")
}

fn authorities_in(path: &Path, soon: Duration, report: &mut Report) -> Vec<CertificateDer<'static>> {
    let found = match load_certificates(path) {
        Ok(found) => found,
        Err(error) => {
            report.found(&checks::CLIENT_CA_UNREADABLE, error.to_string());
            return Vec::new();
        }
    };
    if let Err(error) = ClientTrust::new(&found, &[], CrlPolicy::default()) {
        let evidence = format!("{}: {error}", path.display());
        report.found(&checks::CLIENT_CA_UNREADABLE, evidence);
    }
    let now = clock::now();
    for certificate in found
        .iter()
        .filter_map(|der| ClientCertificate::from_der(der).ok())
    {
        let told = |at: UnixTime| {
            format!(
                "{}: {} has the end {}",
                path.display(),
                certificate.subject(),
                clock::date_and_relative(at, now)
            )
        };
        match dates(&certificate, now, soon) {
            Some(Dates::Ended) => report.found(&checks::CLIENT_CA_EXPIRED, told(certificate.not_after())),
            Some(Dates::NotYet) => {
                let evidence = format!(
                    "{}: {} begins {}",
                    path.display(),
                    certificate.subject(),
                    clock::date_and_relative(certificate.not_before(), now)
                );
                report.found(&checks::CLIENT_CA_EXPIRED, evidence);
            }
            Some(Dates::EndsSoon) => {
                report.found(&checks::CLIENT_CA_ENDS_SOON, told(certificate.not_after()))
            }
            None => {}
        }
    }
    found
}

fn lists_in(path: &Path, report: &mut Report) -> Vec<List> {
    let unreadable = |report: &mut Report, why: &str| {
        let evidence = format!("{}: {why}", path.display());
        report.found(&checks::CLIENT_CA_UNREADABLE, evidence);
    };
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(error) => {
            unreadable(report, &error.to_string());
            return Vec::new();
        }
    };
    let mut lists = Vec::new();
    for der in CertificateRevocationListDer::pem_slice_iter(&text) {
        let list = der
            .ok()
            .and_then(|der| CertificateList::<x509_cert::certificate::Rfc5280>::from_der(&der).ok());
        let Some(list) = list else {
            unreadable(report, "a block that is no revocation list");
            continue;
        };
        let body = &list.tbs_cert_list;
        lists.push(List {
            issuer: body.issuer.to_der().unwrap_or_default(),
            next_update: body
                .next_update
                .as_ref()
                .map(|due| UnixTime::since_unix_epoch(due.to_unix_duration())),
            from: format!("{}: {}", path.display(), body.issuer),
        });
    }
    if lists.is_empty() {
        unreadable(
            report,
            "no revocation list: a block that begins -----BEGIN X509 CRL----- is due",
        );
    }
    lists
}
