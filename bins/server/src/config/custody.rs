//! Where private keys are: the key-encryption key, and a PKCS#11 token.

use serde::Deserialize;
use std::fmt;
use std::path::PathBuf;
use zeroize::Zeroizing;

/// A secret that only the environment may give: a configuration file is read by more people.
#[derive(Deserialize)]
#[serde(from = "String")]
pub(crate) struct FromEnvironment(pub(crate) Zeroizing<String>);

impl From<String> for FromEnvironment {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl fmt::Debug for FromEnvironment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}

/// Those keys, as a configuration file would write them.
pub(crate) const FROM_ENVIRONMENT_ONLY: [&str; 2] = ["secrets.key_encryption_key", "pkcs11.pin"];

/// `[secrets]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SecretsSection {
    pub(crate) pepper_file: PathBuf,
    pub(crate) key_encryption_key_file: Option<PathBuf>,
    /// What the file would hold; lines may be set apart by commas.
    pub(crate) key_encryption_key: Option<FromEnvironment>,
}

/// `[pkcs11]`: a token that holds keys.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(not(feature = "pkcs11"), expect(dead_code, reason = "read, to be refused"))]
pub(crate) struct Pkcs11Section {
    pub(crate) module: PathBuf,
    pub(crate) token_label: String,
    pub(crate) pin_file: Option<PathBuf>,
    pub(crate) pin: Option<FromEnvironment>,
    /// Whether new signing keys are made in the token.
    #[serde(default = "yes")]
    pub(crate) signing_keys: bool,
    #[serde(default = "default_sessions")]
    pub(crate) sessions: usize,
}

const fn yes() -> bool {
    true
}

const fn default_sessions() -> usize {
    4
}
