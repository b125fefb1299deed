//! The demo's CA and certificates: made once, renewed when they are about to end.

use anyhow::Context as _;
use rustls_pki_types::UnixTime;
use sealstone_ca::files::{self, Access};
use sealstone_ca::{AltName, CaFolder, CaRequest, CertificateRequest, Issued, Subject, self_signed_client};
use sealstone_mtls::ClientCertificate;
use sealstone_provider::{Clock as _, SystemClock};
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

const DAY: u64 = 86_400;
/// A list of a demo that may run for long without anybody looking after it.
const CRL_LIFETIME: Duration = Duration::from_secs(30 * DAY);

/// The subject of the client `machine`, by which it is known.
pub(super) const MACHINE_SUBJECT: &str = "CN=machine,O=Sealstone Demo";
/// The alternative name of the client `machine-san`, by which it is known.
pub(super) const MACHINE_SAN: &str = "machine-san.demo.test";

/// Certificate and key of one client, as files.
pub(super) struct Pair {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

/// What lies in the data folder now.
pub(super) struct Made {
    pub(super) ca: PathBuf,
    pub(super) machine: Pair,
    pub(super) machine_san: Pair,
    pub(super) machine_self_signed: Pair,
}

/// Makes what is missing or about to end.
pub(super) fn make(data: &Path, addresses: &[IpAddr]) -> anyhow::Result<Made> {
    let now = SystemClock.now();
    let folder = data.join("ca");
    let ca = if folder.join("ca.pem").exists() {
        CaFolder::open(&folder)?
    } else {
        CaFolder::create(
            &folder,
            &CaRequest::new(Subject::parse("CN=Sealstone Demo CA,O=Sealstone Demo")?),
            now,
        )?
    };
    files::create_folder(&data.join("certs"), Access::Private)?;
    let server =
        CertificateRequest::server(Subject::parse("CN=localhost,O=Sealstone Demo")?, names(addresses));
    pair(data, "server", now, &server, addresses, |request| {
        Ok(ca.issue(request, now)?)
    })?;
    let machine = CertificateRequest::client(Subject::parse(MACHINE_SUBJECT)?);
    let machine = pair(data, "machine", now, &machine, &[], |request| {
        Ok(ca.issue(request, now)?)
    })?;
    let with_san = CertificateRequest::client(Subject::parse("CN=machine-san,O=Sealstone Demo")?)
        .with_alt_names(vec![AltName::Dns(MACHINE_SAN.to_owned())]);
    let machine_san = pair(data, "machine-san", now, &with_san, &[], |request| {
        Ok(ca.issue(request, now)?)
    })?;
    let alone = CertificateRequest::client(Subject::parse("CN=machine-self-signed,O=Sealstone Demo")?);
    let machine_self_signed = pair(data, "machine-self-signed", now, &alone, &[], |request| {
        Ok(self_signed_client(request, now)?)
    })?;
    let list = ca.crl(CRL_LIFETIME, now)?;
    files::replace(&folder.join("crl.pem"), list.as_bytes(), Access::Public)?;
    Ok(Made {
        ca: folder.join("ca.pem"),
        machine,
        machine_san,
        machine_self_signed,
    })
}

fn names(addresses: &[IpAddr]) -> Vec<AltName> {
    let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    let mut names = vec![AltName::Dns("localhost".to_owned())];
    for address in loopback.iter().chain(addresses) {
        let name = AltName::Ip(*address);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// The pair in `certs/`, made anew if it is not there, ends within 30 days, or lacks one of `addresses`.
fn pair(
    data: &Path,
    name: &str,
    now: UnixTime,
    request: &CertificateRequest,
    addresses: &[IpAddr],
    issue: impl FnOnce(&CertificateRequest) -> anyhow::Result<Issued>,
) -> anyhow::Result<Pair> {
    let certificate = data.join("certs").join(format!("{name}.pem"));
    let key = data.join("certs").join(format!("{name}.key"));
    let pair = Pair { certificate, key };
    if serves_on(&pair, now, addresses) {
        return Ok(pair);
    }
    let issued = issue(request).with_context(|| format!("the certificate of {name}"))?;
    files::replace(&pair.key, issued.private_key_pem.as_bytes(), Access::Private)?;
    files::replace(
        &pair.certificate,
        issued.certificate_pem.as_bytes(),
        Access::Public,
    )?;
    Ok(pair)
}

fn serves_on(pair: &Pair, now: UnixTime, addresses: &[IpAddr]) -> bool {
    let Ok(pem) = fs::read_to_string(&pair.certificate) else {
        return false;
    };
    let Ok(certificate) = ClientCertificate::from_pem(&pem) else {
        return false;
    };
    let names = |address: &IpAddr| certificate.subject_alt_names().ip().contains(address);
    pair.key.exists()
        && certificate.not_after().as_secs() > now.as_secs().saturating_add(30 * DAY)
        && addresses.iter().all(names)
}
