//! `sealstone agent check`.

use std::path::Path;

use sealstone_agent::MachinePair;
use sealstone_mtls::ClientCertificate;

use super::{config::Config, start};
use crate::{
    clock,
    failure::{Failure, Outcome},
    http, output,
};

pub(super) fn run(path: &Path) -> Outcome {
    let config = Config::read(path)?;
    let mut faults = Vec::new();
    let client = &config.client;
    let mut note = |outcome: Outcome| {
        if let Err(fault) = outcome {
            faults.push(fault.to_string());
        }
    };
    note(crate::discovery::issuer(&client.issuer).map(|_issuer| ()));
    note(http::authorities(client.ca_file.as_deref()).map(|_roots| ()));
    note(pair(&client.certificate_file, &client.key_file));
    if let Some(renewal) = &config.renewal {
        note(http::authorities(Some(&renewal.authority_file)).map(|_roots| ()));
        note(start::source(renewal).map(|_source| ()));
        if let Some(ca) = &renewal.ca {
            note(
                sealstone_ca::CaFolder::open(&ca.folder)
                    .map(|_ca| ())
                    .map_err(Failure::from),
            );
        }
    }
    for proxy in &config.proxy {
        note(start::proxy_settings(proxy).map(|_settings| ()));
        if !proxy.listen.starts_with("unix:") {
            note(start::address(&proxy.listen).map(|_address| ()));
        }
    }
    for fault in &faults {
        output::note(fault);
    }
    if !faults.is_empty() {
        return Err(Failure::failed(format!(
            "{} has {} that `run` would refuse",
            path.display(),
            if faults.len() == 1 {
                "a fault".to_owned()
            } else {
                format!("{} faults", faults.len())
            }
        )));
    }
    let pair = MachinePair::read(&client.certificate_file, &client.key_file)?;
    shown(pair.certificate(), &config)
}

fn pair(certificate: &Path, key: &Path) -> Outcome {
    let pair = MachinePair::read(certificate, key)
        .map_err(|fault| Failure::failed(format!("{}: {fault}", certificate.display())))?;
    let now = clock::now();
    if pair.is_in_date(now) {
        return Ok(());
    }
    let (begin, end) = (pair.certificate().not_before(), pair.certificate().not_after());
    Err(Failure::failed(format!(
        "{} is good from {} to {}, and this machine's clock says {}: issue the machine another certificate (`sealstone ca \
         renew`), or set the clock",
        certificate.display(),
        clock::date(begin),
        clock::date(end),
        clock::date(now),
    )))
}

fn shown(certificate: &ClientCertificate, config: &Config) -> Outcome {
    let renewed = match &config.renewal {
        None => "by nobody here: put another pair into the files before it ends".to_owned(),
        Some(renewal) if renewal.ca.is_some() => "by the authority in a folder".to_owned(),
        Some(renewal) if renewal.command.is_some() => "by a program".to_owned(),
        Some(_) => "by an EST server".to_owned(),
    };
    let count = |length: usize| length.to_string();
    output::pairs(&[
        ("client", config.client.client_id.clone()),
        ("issuer", config.client.issuer.clone()),
        ("certificate", certificate.subject().to_string()),
        (
            "not after",
            clock::date_and_relative(certificate.not_after(), clock::now()),
        ),
        ("renewed", renewed),
        ("token files", count(config.token_file.len())),
        ("sockets", count(config.socket.len())),
        ("proxies", count(config.proxy.len())),
    ])
}
