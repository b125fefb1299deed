//! From the configuration to everything that runs. Nothing here listens or writes: `check` and `serve` share it.

use crate::administration::{self, Administrators};
use crate::config::{Config, KeysSection, LimitsSection, ProfileName, ProxyForm, TlsSection, VersionName};
use crate::custody::{self, Custody};
use crate::keystone::{self, Keystone};
use crate::people::{self, People};
use crate::secrets;
use anyhow::{Context as _, anyhow, bail};
use sealstone_http::{Allowance, IpNetwork, ProxyAccess, RateLimit, TrustedProxy};
use sealstone_keyring::{RotationPolicy, RotationSettings};
use sealstone_mtls::{ForwardedCertificate, ForwardedHeader};
use sealstone_oauth_types::Secret;
use sealstone_pages::Brands;
use sealstone_provider::{BaseUrl, ProviderConfig};
use sealstone_registry::MAX_BOUND_LIFETIME;
use sealstone_tls::{
    ClientCertificates, ClientTrust, CrlPolicy, ServerTlsConfig, TlsHandle, TlsProfile, TlsVersion,
    load_certificates,
};
use std::fs;
use std::num::NonZeroU32;
use std::time::Duration;

/// Everything that follows from the configuration and its files.
pub(crate) struct Composition {
    pub(crate) provider: ProviderConfig,
    pub(crate) custody: Custody,
    pub(crate) public_tls: TlsHandle,
    pub(crate) mtls_tls: Option<TlsHandle>,
    pub(crate) trust: Option<ClientTrust>,
    pub(crate) keystone: Option<Keystone>,
    pub(crate) people: Option<People>,
    pub(crate) administrators: Option<Administrators>,
    pub(crate) brands: Brands,
}

/// Reads and checks it all.
///
/// # Errors
/// Every fault, not only the first: each names the key or the file, and what to do.
pub(crate) fn compose(config: &Config) -> Result<Composition, Vec<anyhow::Error>> {
    compose_with(config, None)
}

/// The same for a server that runs and has its keys' custody open: a token is opened once.
pub(crate) fn compose_with(
    config: &Config,
    custody: Option<Custody>,
) -> Result<Composition, Vec<anyhow::Error>> {
    let mut faults = Vec::new();
    let mut keep = |fault: anyhow::Error| faults.push(fault);
    let base = base_url("server.base_url", &config.server.base_url)
        .map_err(&mut keep)
        .ok();
    let mtls_base = config.server.mtls_base_url.as_deref();
    let mtls_base = mtls_base
        .map(|url| base_url("server.mtls_base_url", url))
        .transpose()
        .map_err(&mut keep)
        .ok();
    if config.server.mtls_listen.is_some() != config.server.mtls_base_url.is_some() {
        keep(anyhow!(
            "server.mtls_listen and server.mtls_base_url belong together: set both, or neither to serve no client with a certificate"
        ));
    }
    let rotation = rotation(&config.keys).map_err(&mut keep).ok();
    let pepper = secrets::read_pepper(&config.secrets.pepper_file)
        .map_err(&mut keep)
        .ok();
    let custody = match custody {
        Some(open) => custody::administrators(config).map(|_read| open),
        None => custody::open(config),
    };
    let custody = custody.map_err(&mut keep).ok();
    // Built, not only read: a key of another certificate, or suites that fit no version, show then.
    let handle = |asks| Ok(tls(&config.tls, asks)?.into_handle()?);
    let public_tls = handle(ClientCertificates::None).map_err(&mut keep).ok();
    let wants_mtls = config.server.mtls_listen.is_some();
    let mtls_tls = public_tls.is_some() && wants_mtls;
    let mtls_tls = mtls_tls.then(|| handle(ClientCertificates::Request)).transpose();
    let mtls_tls = mtls_tls.map_err(&mut keep).ok();
    let trust = trust(&config.tls).map_err(&mut keep).ok();
    for fault in [
        rate_limit(&config.limits).err(),
        deadlines(&config.limits).err(),
        trusted_proxy(config).err(),
        shutdown_delay(config).err(),
    ]
    .into_iter()
    .flatten()
    {
        keep(fault);
    }
    let others = others(config, &mut faults);
    match (
        base, mtls_base, rotation, pepper, custody, public_tls, mtls_tls, trust,
    ) {
        (
            Some(base),
            Some(mtls_base),
            Some(rotation),
            Some(pepper),
            Some(custody),
            Some(tls),
            Some(mtls_tls),
            Some(trust),
        ) if faults.is_empty() => {
            let provider = ProviderConfig {
                base,
                mtls_base,
                rotation: custody::homed(rotation, config, custody.hsm.as_ref()),
                pepper,
                key_encryption_key: custody.kek.clone(),
            };
            Ok(Composition {
                provider,
                custody,
                public_tls: tls,
                mtls_tls,
                trust,
                keystone: others.keystone,
                people: others.people,
                administrators: others.administrators,
                brands: others.brands,
            })
        }
        _ => Err(faults),
    }
}

/// What not every server has.
struct Others {
    keystone: Option<Keystone>,
    people: Option<People>,
    administrators: Option<Administrators>,
    brands: Brands,
}

fn others(config: &Config, faults: &mut Vec<anyhow::Error>) -> Others {
    let keystone = config.keystone.as_ref().map(keystone::compose).transpose();
    let keystone = keystone.unwrap_or_else(|found| {
        faults.extend(found);
        None
    });
    let administrators = administration::compose(config, keystone.as_ref()).unwrap_or_else(|found| {
        faults.extend(found);
        None
    });
    let identity = keystone.as_ref().map(|keystone| &keystone.identity);
    let people = people::compose(config, identity).unwrap_or_else(|found| {
        faults.extend(found);
        None
    });
    let brands = people::brands(config).unwrap_or_else(|fault| {
        faults.push(fault);
        Brands::plain()
    });
    Others {
        keystone,
        people,
        administrators,
        brands,
    }
}

fn base_url(key: &str, url: &str) -> anyhow::Result<BaseUrl> {
    BaseUrl::parse(url).with_context(|| format!("{key} = {url:?}"))
}

/// The keys must outlast the longest token and the slowest verifier; the policy itself checks that.
fn rotation(keys: &KeysSection) -> anyhow::Result<RotationPolicy> {
    let settings = RotationSettings {
        algorithms: keys.algorithms.clone(),
        verifier_cache: Duration::from_secs(keys.verifier_cache_s),
        publish_lead: Duration::from_secs(keys.publish_lead_s),
        active_lifetime: Duration::from_secs(keys.active_lifetime_s),
        retire_lifetime: Duration::from_secs(keys.retire_lifetime_s),
        longest_token: MAX_BOUND_LIFETIME,
        ..RotationSettings::default()
    };
    RotationPolicy::new(settings).context("[keys]")
}

/// The TLS rules of a listener, which are read anew on reload.
pub(crate) fn tls(
    section: &TlsSection,
    client_certificates: ClientCertificates,
) -> anyhow::Result<ServerTlsConfig> {
    let tls = ServerTlsConfig::from_files(&section.certificate_file, &section.key_file)?
        .with_profile(profile(section)?)
        .with_client_certificates(client_certificates)
        .with_ticket_lifetime(Duration::from_secs(section.ticket_lifetime_s));
    Ok(tls)
}

fn profile(section: &TlsSection) -> anyhow::Result<TlsProfile> {
    let has_choice = !section.versions.is_empty() || !section.cipher_suites.is_empty();
    match section.profile {
        ProfileName::Custom => Ok(TlsProfile::Custom {
            versions: section.versions.iter().map(|version| version.tls()).collect(),
            cipher_suites: section.cipher_suites.clone(),
        }),
        ProfileName::Modern | ProfileName::Fapi if has_choice => {
            bail!(
                "tls.versions and tls.cipher_suites count only with tls.profile = \"custom\": set that, or remove them"
            )
        }
        ProfileName::Modern => Ok(TlsProfile::Modern),
        ProfileName::Fapi => Ok(TlsProfile::Fapi),
    }
}

impl VersionName {
    const fn tls(self) -> TlsVersion {
        match self {
            Self::Tls12 => TlsVersion::Tls12,
            Self::Tls13 => TlsVersion::Tls13,
        }
    }
}

/// Which authorities vouch for client certificates, and what they have revoked; read anew on reload.
pub(crate) fn trust(section: &TlsSection) -> anyhow::Result<Option<ClientTrust>> {
    let mut authorities = Vec::new();
    for path in &section.client_ca_files {
        let found = load_certificates(path).context("tls.client_ca_files")?;
        // Each file by itself first, so that the one at fault is named.
        ClientTrust::new(&found, &[], CrlPolicy::default())
            .with_context(|| format!("tls.client_ca_files: {}", path.display()))?;
        authorities.extend(found);
    }
    if authorities.is_empty() {
        if !section.crl_files.is_empty() {
            bail!("tls.crl_files without tls.client_ca_files: name the authorities that the lists are of");
        }
        return Ok(None);
    }
    let mut lists = Vec::new();
    for path in &section.crl_files {
        let at_fault = || format!("tls.crl_files: {}", path.display());
        let text = fs::read(path).with_context(at_fault)?;
        let found = revocation_lists(&text).with_context(at_fault)?;
        ClientTrust::new(&authorities, &found, CrlPolicy::default()).with_context(at_fault)?;
        lists.extend(found);
    }
    let policy = CrlPolicy {
        dangerous_accept_missing: section.dangerous_accept_missing_crl,
        dangerous_accept_expired: section.dangerous_accept_expired_crl,
        ..CrlPolicy::default()
    };
    let trust = ClientTrust::new(&authorities, &lists, policy);
    Ok(Some(trust.context("tls.client_ca_files and tls.crl_files")?))
}

fn revocation_lists(
    pem: &[u8],
) -> anyhow::Result<Vec<rustls_pki_types::CertificateRevocationListDer<'static>>> {
    use rustls_pki_types::pem::PemObject as _;
    let lists: Vec<_> = rustls_pki_types::CertificateRevocationListDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|_damaged| anyhow!("damaged PEM text: write it again from its source"))?;
    anyhow::ensure!(
        !lists.is_empty(),
        "no revocation list: a block that begins -----BEGIN X509 CRL----- is due"
    );
    Ok(lists)
}

/// The proxy's header, if one is configured.
pub(crate) fn forwarded(config: &Config) -> anyhow::Result<Option<ForwardedCertificate>> {
    let Some(proxy) = &config.proxy else {
        return Ok(None);
    };
    let form = match proxy.form {
        ProxyForm::Rfc9440 => ForwardedHeader::Rfc9440,
        ProxyForm::NginxEscapedPem => ForwardedHeader::NginxEscapedPem,
        ProxyForm::ApachePem => ForwardedHeader::ApachePem,
        ProxyForm::EnvoyXfcc => ForwardedHeader::EnvoyXfcc,
        ProxyForm::Traefik => ForwardedHeader::Traefik,
    };
    let mut forwarded = ForwardedCertificate::new(form);
    if let Some(name) = &proxy.header {
        forwarded = forwarded.with_name(name).context("proxy.header")?;
    }
    if let Some(name) = &proxy.verify_header {
        forwarded = forwarded
            .with_verify_header(name)
            .context("proxy.verify_header")?;
    }
    Ok(Some(forwarded))
}

/// The proxy that is believed, if one is configured.
pub(crate) fn trusted_proxy(config: &Config) -> anyhow::Result<Option<TrustedProxy>> {
    let (Some(section), Some(form)) = (&config.proxy, forwarded(config)?) else {
        return Ok(None);
    };
    let access = match (&section.secret_header, &section.secret_file) {
        (Some(header), Some(path)) => {
            let secret = sealstone_ca::files::read_private(path)?;
            ProxyAccess::SharedSecret {
                header: header.clone(),
                secret: Secret::from(secret.trim()),
            }
        }
        (None, None) => ProxyAccess::Address,
        _ => bail!("proxy.secret_header and proxy.secret_file belong together: set both, or neither"),
    };
    let networks = networks("proxy.trusted_networks", &section.trusted_networks)?;
    let proxy = TrustedProxy::new(networks, access)
        .context("[proxy]")?
        .with_certificate(form);
    Ok(Some(proxy.with_forwarded_for()))
}

/// The limits of the edge.
pub(crate) fn rate_limit(limits: &LimitsSection) -> anyhow::Result<RateLimit> {
    let positive = |key: &str, value: u32| {
        NonZeroU32::new(value).ok_or_else(|| {
            anyhow!(
                "{key} must be at least 1: to exempt a network, list it in limits.insecure_unlimited_networks"
            )
        })
    };
    let rate = positive(
        "limits.requests_per_s_per_address",
        limits.requests_per_s_per_address,
    )?;
    let burst = positive(
        "limits.request_burst_per_address",
        limits.request_burst_per_address,
    )?;
    let failures = positive(
        "limits.failures_per_min_per_client",
        limits.failures_per_min_per_client,
    )?;
    let client_rate = positive(
        "limits.requests_per_s_per_client",
        limits.requests_per_s_per_client,
    )?;
    let client_burst = positive("limits.request_burst_per_client", limits.request_burst_per_client)?;
    let requests = Allowance::new(burst, interval(1, rate));
    let failures = Allowance::new(failures, interval(60, failures));
    let exempt = networks(
        "limits.insecure_unlimited_networks",
        &limits.insecure_unlimited_networks,
    )?;
    Ok(RateLimit::default()
        .with_requests(requests)
        .with_failures(failures)
        .with_client_requests(Allowance::new(client_burst, interval(1, client_rate)))
        .insecure_exempt(exempt))
}

fn interval(seconds: u64, count: NonZeroU32) -> Duration {
    Duration::from_secs(seconds)
        .checked_div(count.get())
        .unwrap_or_default()
}

/// Whoever stops a server does not wait for longer than this.
fn shutdown_delay(config: &Config) -> anyhow::Result<()> {
    const MOST: u64 = 300;
    let delay = config.server.shutdown_delay_s;
    anyhow::ensure!(
        delay <= MOST,
        "server.shutdown_delay_s = {delay}: give 0 to {MOST} seconds"
    );
    Ok(())
}

/// A limit of zero lets nobody in; a body must not outlast the 30 s of a whole request.
fn deadlines(limits: &LimitsSection) -> anyhow::Result<()> {
    let body = ("limits.body_deadline_s", limits.body_deadline_s, 20);
    let idle = ("limits.idle_timeout_s", limits.idle_timeout_s, 3600);
    for (key, seconds, most) in [body, idle] {
        anyhow::ensure!(
            (1..=most).contains(&seconds),
            "{key} = {seconds}: give 1 to {most} seconds"
        );
    }
    let all = ("limits.max_connections", Some(limits.max_connections));
    let one = (
        "limits.max_connections_per_address",
        limits.max_connections_per_address,
    );
    for (key, count) in [all, one] {
        anyhow::ensure!(count != Some(0), "{key} = 0 lets nobody in: give at least 1");
    }
    Ok(())
}

fn networks(key: &str, texts: &[String]) -> anyhow::Result<Vec<IpNetwork>> {
    let parse = |text: &String| text.parse().with_context(|| format!("{key}: {text:?}"));
    texts.iter().map(parse).collect()
}
