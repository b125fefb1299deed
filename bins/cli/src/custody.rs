//! Where the server's private keys are, for a program beside it: the key-encryption key, and a PKCS#11 token.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use sealstone_ca::files;
use sealstone_keyring::{Administrators, KeyEncryptionKey, RotationPolicy};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::failure::{Failure, Outcome};

/// `[pkcs11]` of the server's configuration.
#[derive(Default, Deserialize)]
#[cfg_attr(not(feature = "pkcs11"), expect(dead_code, reason = "read, to be refused"))]
pub(crate) struct Pkcs11 {
    pub(crate) module: Option<PathBuf>,
    pub(crate) token_label: Option<String>,
    pub(crate) pin_file: Option<PathBuf>,
    pub(crate) signing_keys: Option<bool>,
    pub(crate) sessions: Option<usize>,
    #[serde(skip)]
    pub(crate) pin: Option<Zeroizing<String>>,
}

#[cfg(feature = "pkcs11")]
pub(crate) type Hsm = sealstone_pkcs11::Token;
#[cfg(not(feature = "pkcs11"))]
pub(crate) enum Hsm {}

/// A file of a section and key: the environment's, or the configuration's.
type Given<'a> = dyn Fn(&str, &str, Option<PathBuf>) -> Option<PathBuf> + 'a;

#[cfg(feature = "pkcs11")]
impl Pkcs11 {
    pub(crate) fn pin(&self) -> Outcome<Zeroizing<String>> {
        match (&self.pin, &self.pin_file) {
            (Some(pin), _) => Ok(pin.clone()),
            (None, Some(path)) => Ok(files::read_private(path).context("pkcs11.pin_file")?),
            (None, None) => Err(Failure::failed(
                "[pkcs11] has no PIN: set `pin_file`, or SEALSTONE__PKCS11__PIN in the environment",
            )),
        }
    }
}

/// Where private keys are.
#[derive(Default)]
pub(crate) struct Place {
    pub(crate) file: Option<PathBuf>,
    pub(crate) environment: Option<Zeroizing<String>>,
    pub(crate) pkcs11: Option<Pkcs11>,
    pub(crate) administrators: Option<PathBuf>,
    /// The token once it was opened, or why not: a program tries a PIN once, however often it needs the token.
    #[cfg(feature = "pkcs11")]
    pub(crate) opened: std::sync::OnceLock<Result<Hsm, sealstone_pkcs11::Pkcs11Error>>,
    /// Why the PIN must not be tried, if somebody looked.
    #[cfg(feature = "pkcs11")]
    pub(crate) untried: std::sync::OnceLock<String>,
}

impl Place {
    /// As the configuration has it, with what the environment says before it.
    pub(crate) fn configured(
        file: Option<PathBuf>,
        administrators: Option<PathBuf>,
        pkcs11: Option<Pkcs11>,
        word: &dyn Fn(&str, &str) -> Option<String>,
        given: &Given<'_>,
    ) -> Self {
        let pkcs11 = pkcs11.map(|section| Pkcs11 {
            module: word("pkcs11", "module").map(PathBuf::from).or(section.module),
            token_label: word("pkcs11", "token_label").or(section.token_label),
            pin_file: given("pkcs11", "pin_file", section.pin_file),
            pin: word("pkcs11", "pin").map(Zeroizing::new),
            signing_keys: section.signing_keys,
            sessions: section.sessions,
        });
        Self {
            file: given("secrets", "key_encryption_key_file", file),
            environment: word("secrets", "key_encryption_key").map(Zeroizing::new),
            pkcs11,
            administrators: given("keys", "administrators_file", administrators),
            ..Self::default()
        }
    }

    /// The file of the key-encryption key, for whoever changes it.
    pub(crate) fn key_file(&self) -> Outcome<&Path> {
        self.file.as_deref().ok_or_else(|| {
            Failure::failed(
                "the key-encryption key comes from the environment: change SEALSTONE__SECRETS__KEY_ENCRYPTION_KEY there",
            )
        })
    }

    pub(crate) fn key_encryption_key(&self) -> Outcome<KeyEncryptionKey> {
        if let Some(text) = &self.environment {
            let text = Zeroizing::new(text.replace(',', "\n"));
            return self.parse(&text, "SEALSTONE__SECRETS__KEY_ENCRYPTION_KEY");
        }
        let path = self.file.as_deref().ok_or_else(|| {
            Failure::failed("the configuration has no `key_encryption_key_file` in [secrets]: add it")
        })?;
        self.parse(&files::read_private(path)?, &path.display().to_string())
    }

    /// Keys from the text of a file. The token is asked only for those that it wraps.
    pub(crate) fn parse(&self, text: &str, named: &str) -> Outcome<KeyEncryptionKey> {
        let is_wrapped = text.lines().any(|line| line.trim().starts_with("wrapped."));
        let hsm = if is_wrapped { self.hsm()? } else { None };
        let parsed = match &hsm {
            #[cfg(feature = "pkcs11")]
            Some(hsm) => KeyEncryptionKey::parse_with(text, Some(hsm)),
            #[cfg(not(feature = "pkcs11"))]
            Some(never) => match *never {},
            None => KeyEncryptionKey::parse(text),
        };
        Ok(parsed.with_context(|| named.to_owned())?)
    }

    /// The policy, with the token as the home of new keys if the server's configuration wants that.
    #[cfg_attr(
        not(feature = "pkcs11"),
        expect(clippy::unnecessary_wraps, reason = "a token may fail")
    )]
    pub(crate) fn homed(&self, policy: RotationPolicy) -> Outcome<RotationPolicy> {
        let wanted = self
            .pkcs11
            .as_ref()
            .is_some_and(|pkcs11| pkcs11.signing_keys != Some(false));
        #[cfg(feature = "pkcs11")]
        if wanted && let Some(hsm) = self.hsm()? {
            return Ok(policy.with_home(std::sync::Arc::new(hsm)));
        }
        #[cfg(not(feature = "pkcs11"))]
        if wanted {
            self.hsm()?;
        }
        Ok(policy)
    }

    /// The token, logged in to; `None` where none is configured.
    #[cfg(feature = "pkcs11")]
    pub(crate) fn hsm(&self) -> Outcome<Option<Hsm>> {
        let opened = self.hsm_with(None)?;
        Ok(opened.transpose().context("[pkcs11]")?)
    }

    /// The token with so many sessions at most, and what it says for whoever tells its faults apart.
    #[cfg(feature = "pkcs11")]
    pub(crate) fn hsm_with(
        &self,
        sessions: Option<usize>,
    ) -> Outcome<Option<Result<Hsm, sealstone_pkcs11::Pkcs11Error>>> {
        use sealstone_pkcs11::{Pin, Token, TokenConfig};
        let Some(section) = &self.pkcs11 else {
            return Ok(None);
        };
        if let Some(why) = self.untried.get() {
            return Err(Failure::failed(format!("[pkcs11]: {why}")));
        }
        let (Some(module), Some(label)) = (&section.module, &section.token_label) else {
            return Err(Failure::failed(
                "[pkcs11] needs `module` and `token_label`: add them",
            ));
        };
        let pin = Pin::new(section.pin()?.to_string());
        let sessions = sessions.or(section.sessions).unwrap_or(1);
        let config = TokenConfig::new(module, label).with_sessions(sessions);
        let opened = self.opened.get_or_init(|| Token::open(config, pin));
        Ok(Some(opened.clone()))
    }

    #[cfg(not(feature = "pkcs11"))]
    pub(crate) fn hsm(&self) -> Outcome<Option<Hsm>> {
        if self.pkcs11.is_none() {
            return Ok(None);
        }
        Err(Failure::failed(
            "[pkcs11]: this sealstone was built without the feature `pkcs11`: take one that has it",
        ))
    }

    /// Those of whom two must agree; `None` where one is enough.
    pub(crate) fn administrators(&self) -> Outcome<Option<Administrators>> {
        let Some(path) = &self.administrators else {
            return Ok(None);
        };
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let administrators = Administrators::parse(&text).with_context(|| path.display().to_string())?;
        Ok(Some(administrators))
    }
}
