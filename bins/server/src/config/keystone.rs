//! `[keystone]`: the Keystone that is asked about clients tied to it.

use serde::Deserialize;
use std::path::PathBuf;

/// `[keystone]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeystoneSection {
    pub(crate) url: String,
    pub(crate) ca_file: Option<PathBuf>,
    #[serde(default)]
    pub(crate) dangerous_plain_http: bool,
    /// How long an answer stands; past half of it, it is asked for anew behind the request that uses it.
    #[serde(default = "default_identity_cache")]
    pub(crate) identity_cache_s: u64,
    #[serde(default = "default_revocation_poll")]
    pub(crate) revocation_poll_s: u64,
    #[serde(default = "default_call_deadline")]
    pub(crate) call_deadline_s: u64,
    #[serde(default = "default_max_calls")]
    pub(crate) max_calls: usize,
    #[serde(default)]
    pub(crate) service: Option<ServiceSection>,
    #[serde(default)]
    pub(crate) mint: Option<MintSection>,
}

const fn default_identity_cache() -> u64 {
    10
}

const fn default_revocation_poll() -> u64 {
    2
}

const fn default_call_deadline() -> u64 {
    5
}

const fn default_max_calls() -> usize {
    32
}

/// `[keystone.service]`: the account by which revocation events are followed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ServiceSection {
    pub(crate) application_credential_id: String,
    pub(crate) application_credential_secret_file: PathBuf,
}

/// `[keystone.mint]`: the key by which we make Keystone tokens ourselves.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MintSection {
    pub(crate) private_key_file: PathBuf,
    #[serde(default)]
    pub(crate) algorithm: MintAlgorithm,
    #[serde(default = "default_token_lifetime")]
    pub(crate) token_lifetime_s: u64,
}

const fn default_token_lifetime() -> u64 {
    3600
}

/// What Keystone's `[jwt_tokens] jws_algorithm` takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub(crate) enum MintAlgorithm {
    #[default]
    #[serde(rename = "ES256")]
    Es256,
    #[serde(rename = "ES384")]
    Es384,
    #[serde(rename = "ES512")]
    Es512,
    #[serde(rename = "EdDSA")]
    EdDsa,
}
