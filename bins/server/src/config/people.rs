//! `[people]`: how people sign in, and `[people_of.DOMAIN]` for single domains.

use sealstone_jose::Algorithm;
use sealstone_login::{Enrolment, FactorKind, SecondFactor};
use serde::Deserialize;
use std::path::PathBuf;

/// `[people]`, or `[people_of.DOMAIN]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PeopleSection {
    pub(crate) source: SourceName,
    #[serde(default = "default_service_name")]
    pub(crate) service_name: String,
    #[serde(default)]
    pub(crate) profile: PeopleProfile,
    #[serde(default = "default_first_factors")]
    pub(crate) first_factors: Vec<FirstFactor>,
    #[serde(default)]
    pub(crate) second_factor: SecondFactor,
    #[serde(default = "default_second_factors")]
    pub(crate) second_factors: Vec<FactorKind>,
    #[serde(default)]
    pub(crate) enrolment: Enrolment,
    #[serde(default = "default_session_idle")]
    pub(crate) session_idle_s: u64,
    #[serde(default = "default_session_lifetime")]
    pub(crate) session_lifetime_s: u64,
    #[serde(default)]
    pub(crate) email_is_verified: bool,
    pub(crate) keystone_domain_id: Option<String>,
    #[serde(default)]
    pub(crate) privacyidea: Option<PrivacyIdeaSection>,
    #[serde(default)]
    pub(crate) upstream: Option<UpstreamSection>,
}

fn default_service_name() -> String {
    "Sealstone".to_owned()
}

fn default_first_factors() -> Vec<FirstFactor> {
    vec![FirstFactor::Password, FirstFactor::Passkey]
}

fn default_second_factors() -> Vec<FactorKind> {
    vec![FactorKind::Passkey, FactorKind::Totp, FactorKind::Recovery]
}

const fn default_session_idle() -> u64 {
    8 * 3600
}

const fn default_session_lifetime() -> u64 {
    7 * 86_400
}

/// Who knows the people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SourceName {
    /// The embedded directory: `sealstone user`.
    Directory,
    /// The Keystone of `[keystone]`.
    Keystone,
    /// Only the upstream provider.
    Upstream,
}

/// By what a login may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FirstFactor {
    Password,
    Passkey,
    Upstream,
}

/// How strict the endpoints are beyond the standards.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PeopleProfile {
    #[default]
    Standard,
    Broker,
}

/// `[people.privacyidea]`: the authority for second factors.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PrivacyIdeaSection {
    pub(crate) url: String,
    pub(crate) ca_file: Option<PathBuf>,
    #[serde(default)]
    pub(crate) dangerous_plain_http: bool,
    pub(crate) realm: String,
    pub(crate) user_name: String,
    pub(crate) password_file: PathBuf,
    #[serde(default)]
    pub(crate) demand: DemandName,
}

/// Of whom privacyIDEA asks a second factor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DemandName {
    #[default]
    Everybody,
    WhoeverHasAToken,
}

/// `[people.upstream]`: the OpenID provider that we are a broker for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpstreamSection {
    pub(crate) name: String,
    pub(crate) issuer: String,
    pub(crate) browser_url: Option<String>,
    pub(crate) back_channel_url: Option<String>,
    pub(crate) client_id: String,
    pub(crate) client_secret_file: Option<PathBuf>,
    #[serde(default)]
    pub(crate) client_authentication: UpstreamAuthentication,
    pub(crate) ca_file: Option<PathBuf>,
    #[serde(default)]
    pub(crate) dangerous_plain_http: bool,
    #[serde(default = "default_scopes")]
    pub(crate) scopes: Vec<String>,
    #[serde(default = "default_algorithms")]
    pub(crate) algorithms: Vec<Algorithm>,
    #[serde(default = "yes")]
    pub(crate) userinfo: bool,
    #[serde(default)]
    pub(crate) believe_mfa: bool,
}

fn default_scopes() -> Vec<String> {
    ["openid", "profile", "email", "groups"]
        .map(str::to_owned)
        .to_vec()
}

fn default_algorithms() -> Vec<Algorithm> {
    vec![Algorithm::Rs256]
}

const fn yes() -> bool {
    true
}

/// How we prove to the upstream provider who we are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum UpstreamAuthentication {
    #[default]
    ClientSecretBasic,
    ClientSecretPost,
    None,
}

/// `[logout]`: how clients are told that a session ended.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LogoutSection {
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) insecure_networks: Vec<String>,
}

/// `[pages]`: how they look.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct PagesSection {
    pub(crate) folder: Option<PathBuf>,
}
