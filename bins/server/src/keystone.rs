//! From `[keystone]` to the source of OpenStack identities.

use crate::config::{KeystoneSection, MintAlgorithm, MintSection, ServiceSection};
use anyhow::{Context as _, ensure};
use sealstone_ca::files;
use sealstone_fernet::{JwsAlgorithm, JwsTokenIssuer};
use sealstone_identity::ApplicationCredentialId;
use sealstone_keystone::{
    Authentication, EntropyFailed, KeystoneClient, KeystoneConfig, KeystoneIdentity, Secret, TokenMint,
};
use std::fs;
use std::time::Duration;

/// Keystone as it is configured: nothing has been asked yet.
pub(crate) struct Keystone {
    pub(crate) identity: KeystoneIdentity,
    pub(crate) client: KeystoneClient,
    /// The fingerprint of the key that Keystone must hold, if we make tokens.
    pub(crate) minting_key: Option<String>,
    pub(crate) is_followed: bool,
}

/// Reads and checks it all.
///
/// # Errors
/// Every fault, not only the first.
pub(crate) fn compose(section: &KeystoneSection) -> Result<Keystone, Vec<anyhow::Error>> {
    let mut faults = Vec::new();
    let mut keep = |fault: anyhow::Error| faults.push(fault);
    let client = client(section).map_err(&mut keep).ok();
    let service = section.service.as_ref().map(service).transpose();
    let service = service.map_err(&mut keep).ok().flatten();
    let mint = section.mint.as_ref().map(mint).transpose();
    let mint = mint.map_err(&mut keep).ok().flatten();
    for (key, seconds, least, most) in [
        ("keystone.identity_cache_s", section.identity_cache_s, 1, 60),
        ("keystone.revocation_poll_s", section.revocation_poll_s, 1, 60),
        ("keystone.call_deadline_s", section.call_deadline_s, 1, 20),
    ] {
        if !(least..=most).contains(&seconds) {
            keep(anyhow::anyhow!(
                "{key} = {seconds}: give {least} to {most} seconds"
            ));
        }
    }
    if section.max_calls == 0 {
        keep(anyhow::anyhow!(
            "keystone.max_calls = 0 lets no call through: give at least 1"
        ));
    }
    let (Some(client), true) = (client, faults.is_empty()) else {
        return Err(faults);
    };
    let is_followed = service.is_some();
    let minting_key = mint.as_ref().map(|(_, fingerprint)| fingerprint.clone());
    let mut builder = KeystoneIdentity::builder(client.clone())
        .with_max_age(Duration::from_secs(section.identity_cache_s))
        .with_poll_interval(Duration::from_secs(section.revocation_poll_s));
    if let Some(service) = service {
        builder = builder.with_service_account(service);
    }
    if let Some((mint, _fingerprint)) = mint {
        builder = builder.with_mint(mint);
    }
    Ok(Keystone {
        identity: builder.build(),
        client,
        minting_key,
        is_followed,
    })
}

fn client(section: &KeystoneSection) -> anyhow::Result<KeystoneClient> {
    let url = &section.url;
    let config = if section.dangerous_plain_http {
        KeystoneConfig::dangerous_with_plain_http(url)
    } else {
        KeystoneConfig::new(url)
    };
    let mut config = config.with_context(|| format!("keystone.url = {url:?}"))?;
    if let Some(path) = &section.ca_file {
        let at_fault = || format!("keystone.ca_file: {}", path.display());
        let pem = fs::read(path).with_context(at_fault)?;
        config = config.with_authorities(&pem).with_context(at_fault)?;
    } else {
        ensure!(
            config.url().starts_with("http://"),
            "keystone.ca_file is missing: name the authorities that vouch for {url}"
        );
    }
    let config = config
        .with_call_deadline(Duration::from_secs(section.call_deadline_s))
        .with_max_calls(section.max_calls);
    KeystoneClient::new(&config).with_context(|| format!("keystone.url = {url:?} with keystone.ca_file"))
}

fn service(section: &ServiceSection) -> anyhow::Result<Authentication> {
    let id = ApplicationCredentialId::parse(&section.application_credential_id)
        .context("keystone.service.application_credential_id")?;
    let path = &section.application_credential_secret_file;
    let text = files::read_private(path).context("keystone.service.application_credential_secret_file")?;
    let secret = text.trim();
    ensure!(
        !secret.is_empty(),
        "keystone.service.application_credential_secret_file: {} is empty: write the secret into it",
        path.display()
    );
    Ok(Authentication::application_credential(id, Secret::from(secret)))
}

fn mint(section: &MintSection) -> anyhow::Result<(TokenMint, String)> {
    let algorithm = match section.algorithm {
        MintAlgorithm::Es256 => JwsAlgorithm::Es256,
        MintAlgorithm::Es384 => JwsAlgorithm::Es384,
        MintAlgorithm::Es512 => JwsAlgorithm::Es512,
        MintAlgorithm::EdDsa => JwsAlgorithm::EdDsa,
    };
    let seconds = section.token_lifetime_s;
    ensure!(
        (60..=86_400).contains(&seconds),
        "keystone.mint.token_lifetime_s = {seconds}: give 60 to 86400 seconds"
    );
    let issuer = JwsTokenIssuer::from_file(algorithm, &section.private_key_file)
        .context("keystone.mint.private_key_file")?;
    let fingerprint = issuer.public_key().fingerprint();
    let mint = TokenMint::new(issuer, Duration::from_secs(seconds), |octets| {
        aws_lc_rs::rand::fill(octets).map_err(|_unspecified| EntropyFailed)
    });
    Ok((mint, fingerprint))
}

/// What `check` says of it, after asking it once for its version.
pub(crate) async fn describe(keystone: &Keystone, section: &KeystoneSection) -> Vec<String> {
    let url = &section.url;
    let state = match keystone.client.version().await {
        Ok(version) => format!("{} {}", version.id, version.status),
        Err(error) => format!(
            "CAN'T BE ASKED now, and tied clients get no openstack:api token until it can: {:#}",
            anyhow::Error::new(error)
        ),
    };
    let mut lines = vec![format!("keystone   {url}, {state}")];
    lines.push(if keystone.is_followed {
        format!("           revocations are asked for every {} s", section.revocation_poll_s)
    } else {
        format!(
            "           revocations are not followed ([keystone.service]): a disabled user is refused within {} s",
            section.identity_cache_s
        )
    });
    lines.push(keystone.minting_key.as_ref().map_or_else(
        || "           clients without a secret are refused: there is no [keystone.mint]".to_owned(),
        |fingerprint| {
            format!("           makes Keystone tokens under the key {fingerprint}, which must be in its jws_public_key_repository")
        },
    ));
    lines
}
