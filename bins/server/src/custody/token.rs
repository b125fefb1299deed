//! The token of `[pkcs11]`. It works in the thread that asks, and may take milliseconds: other requests go on elsewhere.

use crate::config::Pkcs11Section;
use anyhow::{Context as _, bail};
use sealstone_ca::files;
use sealstone_jose::{Algorithm, HeldKey, JoseError, Jwk};
use sealstone_keyring::{
    HomeFigures, HomeKey, KeyHome, KeyHomeError, KeyReference, RotationPolicy, UnwrapKey,
};
use sealstone_pkcs11::{Pin, Token, TokenConfig};
use std::sync::Arc;
use tokio::runtime::{Handle, RuntimeFlavor};

/// A token that is logged in to.
#[derive(Debug, Clone)]
pub(crate) struct Hsm(Token);

impl Hsm {
    /// Loads the module and logs in.
    pub(crate) fn open(section: &Pkcs11Section) -> anyhow::Result<Self> {
        let pin = match (&section.pin_file, &section.pin) {
            (Some(path), None) => {
                let text = files::read_private(path).context("pkcs11.pin_file (mode 0600)")?;
                Pin::new(text.to_string())
            }
            (None, Some(given)) => Pin::new(given.0.to_string()),
            (None, None) => bail!(
                "[pkcs11] without a PIN: set pkcs11.pin_file to a file that only the server's user can read, or \
                 SEALSTONE__PKCS11__PIN in the environment"
            ),
            (Some(_), Some(_)) => bail!(
                "pkcs11.pin_file and SEALSTONE__PKCS11__PIN are both set: keep the one that is meant, remove the other"
            ),
        };
        anyhow::ensure!(
            (1..=64).contains(&section.sessions),
            "pkcs11.sessions = {}: give 1 to 64",
            section.sessions
        );
        let config = TokenConfig::new(&section.module, &section.token_label).with_sessions(section.sessions);
        Ok(Self(Token::open(config, pin).context("[pkcs11]")?))
    }

    pub(crate) fn unwraps(&self) -> &dyn UnwrapKey {
        &self.0
    }

    /// What the token says of itself.
    pub(crate) fn check(&self) -> anyhow::Result<String> {
        let status = self.0.check()?;
        Ok(format!(
            "{:?} ({} {})",
            status.label, status.manufacturer, status.model
        ))
    }

    pub(crate) fn home(&self, policy: RotationPolicy) -> RotationPolicy {
        policy.with_home(Arc::new(self.clone()))
    }
}

fn apart<T>(work: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        Ok(_) | Err(_) => work(),
    }
}

struct Apart(Arc<dyn HeldKey>);

impl HeldKey for Apart {
    fn sign(&self, message: &[u8], out: &mut Vec<u8>) -> Result<(), JoseError> {
        apart(|| self.0.sign(message, out))
    }
}

impl KeyHome for Hsm {
    fn generate(&self, algorithm: Algorithm) -> Result<HomeKey, KeyHomeError> {
        let made = apart(|| self.0.generate(algorithm))?;
        Ok(HomeKey {
            key: Arc::new(Apart(made.key)),
            ..made
        })
    }

    fn find(
        &self,
        reference: &KeyReference,
        algorithm: Algorithm,
        public: &Jwk,
    ) -> Result<Arc<dyn HeldKey>, KeyHomeError> {
        let found = apart(|| self.0.find(reference, algorithm, public))?;
        Ok(Arc::new(Apart(found)))
    }

    fn figures(&self) -> Option<HomeFigures> {
        self.0.figures()
    }

    fn destroy(&self, reference: &KeyReference) -> Result<(), KeyHomeError> {
        let destroyed = apart(|| self.0.destroy(reference));
        if let Err(error) = &destroyed {
            let cause: &dyn std::error::Error = error;
            tracing::warn!(
                error = cause,
                key.held_as = reference.as_str(),
                "a key that nobody needs is still in the token"
            );
        }
        destroyed
    }
}
