//! Where private keys are: the key-encryption key from a file or the environment, and a PKCS#11 token.

use crate::config::{Config, SecretsSection};
use crate::whole;
use anyhow::{Context as _, anyhow, bail};
use sealstone_ca::files;
use sealstone_keyring::{Administrators, KeyEncryptionKey, KeyStore as _, RotationPolicy};
use sealstone_storage::{Rewrapping, Sealed, SealedCursor, SqlStore};
use std::fs;
use std::future::Future;
use std::path::Path;
use std::time::{Duration, SystemTime};
use tokio::signal::unix::Signal;
use tokio::sync::watch;
use zeroize::Zeroizing;

#[cfg(feature = "pkcs11")]
mod token;
#[cfg(feature = "pkcs11")]
pub(crate) use token::Hsm;

/// How often the file is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// At which look the token is asked.
const ASK_EVERY: u32 = 5;

/// No token can be configured in this build.
#[cfg(not(feature = "pkcs11"))]
#[derive(Clone)]
pub(crate) enum Hsm {}

#[cfg(not(feature = "pkcs11"))]
impl Hsm {
    pub(crate) fn open(_section: &crate::config::Pkcs11Section) -> anyhow::Result<Self> {
        bail!("[pkcs11]: this sealstoned was built without the feature `pkcs11`: take one that has it");
    }

    pub(crate) const fn unwraps(&self) -> &dyn sealstone_keyring::UnwrapKey {
        match *self {}
    }

    pub(crate) fn check(&self) -> anyhow::Result<String> {
        match *self {}
    }

    pub(crate) fn home(&self, _policy: RotationPolicy) -> RotationPolicy {
        match *self {}
    }
}

/// What holds keys, opened.
#[derive(Clone)]
pub(crate) struct Custody {
    pub(crate) kek: KeyEncryptionKey,
    pub(crate) hsm: Option<Hsm>,
}

/// Opens the token, if there is one, and reads the key-encryption key.
pub(crate) fn open(config: &Config) -> anyhow::Result<Custody> {
    administrators(config)?;
    let hsm = config.pkcs11.as_ref().map(Hsm::open).transpose()?;
    let kek = read(&config.secrets, hsm.as_ref())?;
    Ok(Custody { kek, hsm })
}

/// Those of whom two must agree on the revocation of a key; `None` where one is enough.
pub(crate) fn administrators(config: &Config) -> anyhow::Result<Option<Administrators>> {
    let Some(path) = &config.keys.administrators_file else {
        return Ok(None);
    };
    let named = || format!("keys.administrators_file: {}", path.display());
    let text = fs::read_to_string(path).with_context(named)?;
    Administrators::parse(&text).map(Some).with_context(named)
}

/// The policy, with the token as the home of new keys if the configuration wants that.
pub(crate) fn homed(policy: RotationPolicy, config: &Config, hsm: Option<&Hsm>) -> RotationPolicy {
    let wanted = config.pkcs11.as_ref().is_some_and(|section| section.signing_keys);
    match hsm {
        Some(hsm) if wanted => hsm.home(policy),
        Some(_) | None => policy,
    }
}

/// Reads the key-encryption key: 32 octets a line in hexadecimal or base64, or wrapped by the token.
pub(crate) fn read(secrets: &SecretsSection, hsm: Option<&Hsm>) -> anyhow::Result<KeyEncryptionKey> {
    let unwraps = hsm.map(Hsm::unwraps);
    match (&secrets.key_encryption_key_file, &secrets.key_encryption_key) {
        (Some(path), None) => {
            let text = files::read_private(path).with_context(|| crate::secrets::how(FILE_KEY))?;
            KeyEncryptionKey::parse_with(&text, unwraps).with_context(|| {
                format!(
                    "{} holds no key-encryption key that can be used; a new one is 64 hexadecimal digits, \
                     `openssl rand -hex 32`",
                    path.display()
                )
            })
        }
        (None, Some(given)) => {
            let text = Zeroizing::new(given.0.replace(',', "\n"));
            KeyEncryptionKey::parse_with(&text, unwraps).context("SEALSTONE__SECRETS__KEY_ENCRYPTION_KEY")
        }
        (None, None) => Err(anyhow!(
            "no key-encryption key: set {FILE_KEY} to a file of 64 hexadecimal digits (made once by \
             `openssl rand -hex 32`, mode 0600), or SEALSTONE__SECRETS__KEY_ENCRYPTION_KEY in the environment"
        )),
        (Some(_), Some(_)) => bail!(
            "{FILE_KEY} and SEALSTONE__SECRETS__KEY_ENCRYPTION_KEY are both set: keep the one that is meant, remove the other"
        ),
    }
}

const FILE_KEY: &str = "secrets.key_encryption_key_file";

/// Takes a changed key file into use, on SIGHUP and when it was written; tells when the token goes and comes back.
pub(crate) async fn follow(
    secrets: &SecretsSection,
    custody: &Custody,
    store: &SqlStore,
    healthy: &watch::Sender<bool>,
    mut hangup: Signal,
    stop: impl Future<Output = ()>,
) {
    let mut seen = stamp(secrets.key_encryption_key_file.as_deref());
    let (mut told, mut looks) = (None, 0_u32);
    tokio::pin!(stop);
    loop {
        let asked = tokio::select! {
            () = &mut stop => return,
            _ = hangup.recv() => true,
            () = tokio::time::sleep(LOOK_EVERY) => false,
        };
        looks = looks.wrapping_add(1);
        if looks.is_multiple_of(ASK_EVERY) {
            ask(custody.hsm.clone(), healthy, &mut told).await;
        }
        let now = stamp(secrets.key_encryption_key_file.as_deref());
        if asked || now != seen {
            seen = now;
            reload(secrets, custody, store).await;
        }
    }
}

/// Asks the token whether it can be used. A fault is told once, and its end.
async fn ask(hsm: Option<Hsm>, healthy: &watch::Sender<bool>, told: &mut Option<String>) {
    let Some(hsm) = hsm else { return };
    let checked = tokio::task::spawn_blocking(move || hsm.check()).await;
    let checked = checked.unwrap_or_else(|_gone| Err(anyhow!("the token's check did not end")));
    healthy.send_replace(checked.is_ok());
    match checked {
        Ok(_) if told.take().is_some() => tracing::info!("the PKCS#11 token can be used again"),
        Ok(_) => {}
        Err(error) => {
            let error = whole(&error);
            if told.as_ref() != Some(&error) {
                tracing::error!(
                    error,
                    "the PKCS#11 token can't be used: not ready until it is back"
                );
                *told = Some(error);
            }
        }
    }
}

async fn reload(secrets: &SecretsSection, custody: &Custody, store: &SqlStore) {
    let newer = match read(secrets, custody.hsm.as_ref()) {
        Ok(newer) if newer.ids() == custody.kek.ids() => return,
        Ok(newer) => newer,
        Err(error) => {
            let error = whole(&error);
            tracing::error!(
                error,
                "the key-encryption key was not reloaded; what was in use before stays so"
            );
            return;
        }
    };
    let used = custody.kek.id();
    if !newer.opens(&used) && !opens_all(store, &newer).await {
        tracing::error!(
            key.id = used,
            "the file has the key-encryption key in use no more, and was not reloaded: keep that key's line below the new \
             one until `sealstone key rewrap` is done"
        );
        return;
    }
    custody.kek.replace(&newer);
    tracing::info!(key.id = newer.id(), "key-encryption keys reloaded");
}

/// Whether everything in the store opens under these keys: then the ones before are not needed.
async fn opens_all(store: &SqlStore, kek: &KeyEncryptionKey) -> bool {
    let looked = async {
        for domain in store.domains().await? {
            let ring = store.load(&domain).await?;
            let under = ring.and_then(|ring| ring.sealed_under());
            if !under.is_some_and(|id| kek.opens(&id)) {
                return Ok(false);
            }
        }
        for sealed in Sealed::ALL {
            let mut from = Some(SealedCursor::default());
            while let Some(cursor) = from {
                let page = store.rewrap(sealed, &cursor, kek, Rewrapping::Count).await?;
                if !page.unreadable.is_empty() {
                    return Ok(false);
                }
                from = page.next;
            }
        }
        anyhow::Ok(true)
    };
    looked.await.unwrap_or(false)
}

fn stamp(path: Option<&Path>) -> Option<(SystemTime, u64)> {
    let metadata = fs::metadata(path?).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}
