//! The configuration file: one TOML document, each key overridable by `SEALSTONE__SECTION__KEY`.

mod administration;
mod audit;
mod custody;
mod given;
mod keystone;
mod people;
mod read;
#[cfg(test)]
mod reference;
mod traces;

pub(crate) use administration::{AdministrationSection, RegistrationSection};
pub(crate) use audit::{AuditSection, HttpSinkSection, RabbitmqSection, SinkMode, SyslogSection};
pub(crate) use custody::{Pkcs11Section, SecretsSection};
pub(crate) use given::Given;
pub(crate) use keystone::{KeystoneSection, MintAlgorithm, MintSection, ServiceSection};
pub(crate) use people::{
    DemandName, FirstFactor, LogoutSection, PagesSection, PeopleProfile, PeopleSection, PrivacyIdeaSection,
    SourceName, UpstreamAuthentication, UpstreamSection,
};
pub(crate) use read::{load, read};
pub(crate) use traces::TracesSection;

use sealstone_jose::Algorithm;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) server: ServerSection,
    pub(crate) tls: TlsSection,
    pub(crate) storage: StorageSection,
    pub(crate) secrets: SecretsSection,
    #[serde(default)]
    pub(crate) keys: KeysSection,
    pub(crate) pkcs11: Option<Pkcs11Section>,
    #[serde(default)]
    pub(crate) limits: LimitsSection,
    #[serde(default)]
    pub(crate) proxy: Option<ProxySection>,
    #[serde(default)]
    pub(crate) keystone: Option<KeystoneSection>,
    #[serde(default)]
    pub(crate) people: Option<PeopleSection>,
    /// As `[people]`, for single domains.
    #[serde(default)]
    pub(crate) people_of: BTreeMap<String, PeopleSection>,
    #[serde(default)]
    pub(crate) administration: Option<AdministrationSection>,
    #[serde(default)]
    pub(crate) registration: Option<RegistrationSection>,
    /// As `[registration]`, for single domains.
    #[serde(default)]
    pub(crate) registration_of: BTreeMap<String, RegistrationSection>,
    #[serde(default)]
    pub(crate) logout: LogoutSection,
    #[serde(default)]
    pub(crate) pages: PagesSection,
    #[serde(default)]
    pub(crate) audit: AuditSection,
    #[serde(default)]
    pub(crate) log: LogSection,
    #[serde(default)]
    pub(crate) traces: Option<TracesSection>,
}

impl Config {
    /// Where audit events go.
    pub(crate) fn audit_path(&self) -> PathBuf {
        let beside = self.storage.path.clone().unwrap_or_default();
        let default = || beside.with_file_name("audit.jsonl");
        self.audit.path.clone().unwrap_or_else(default)
    }

    /// Where the key is that signs them.
    pub(crate) fn audit_key(&self) -> PathBuf {
        let default = || self.audit_path().with_file_name(sealstone_trail::KEY_FILE);
        self.audit.key_file.clone().unwrap_or_else(default)
    }
}

/// `[server]`: where it listens and how it is called.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ServerSection {
    pub(crate) base_url: String,
    pub(crate) mtls_base_url: Option<String>,
    pub(crate) listen: SocketAddr,
    pub(crate) mtls_listen: Option<SocketAddr>,
    #[serde(default)]
    pub(crate) admin_listen: AdminListen,
    /// So long it still serves after it was told to stop and says that it is not ready.
    #[serde(default)]
    pub(crate) shutdown_delay_s: u64,
}

/// Where health and metrics are answered: an address, or `"off"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) enum AdminListen {
    Off,
    On(SocketAddr),
}

impl AdminListen {
    /// The address, if there is one.
    pub(crate) const fn address(self) -> Option<SocketAddr> {
        match self {
            Self::Off => None,
            Self::On(address) => Some(address),
        }
    }
}

impl Default for AdminListen {
    fn default() -> Self {
        Self::On(SocketAddr::from(([127, 0, 0, 1], 8445)))
    }
}

impl TryFrom<String> for AdminListen {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self::Off);
        }
        text.parse()
            .map(Self::On)
            .map_err(|_| format!("{text:?} is no address and port such as \"127.0.0.1:8445\", nor \"off\""))
    }
}

/// `[tls]`: certificates, trust, and how strict the handshake is.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TlsSection {
    pub(crate) certificate_file: PathBuf,
    pub(crate) key_file: PathBuf,
    #[serde(default)]
    pub(crate) profile: ProfileName,
    #[serde(default)]
    pub(crate) versions: Vec<VersionName>,
    #[serde(default)]
    pub(crate) cipher_suites: Vec<String>,
    #[serde(default)]
    pub(crate) client_ca_files: Vec<PathBuf>,
    #[serde(default)]
    pub(crate) crl_files: Vec<PathBuf>,
    #[serde(default)]
    pub(crate) dangerous_accept_missing_crl: bool,
    #[serde(default)]
    pub(crate) dangerous_accept_expired_crl: bool,
    #[serde(default = "default_ticket_lifetime")]
    pub(crate) ticket_lifetime_s: u64,
}

const fn default_ticket_lifetime() -> u64 {
    3600
}

/// Versions and cipher suites by name of the demand they meet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ProfileName {
    #[default]
    Modern,
    Fapi,
    Custom,
}

/// A TLS version in `versions`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) enum VersionName {
    #[serde(rename = "1.2")]
    Tls12,
    #[serde(rename = "1.3")]
    Tls13,
}

/// `[storage]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StorageSection {
    pub(crate) path: Option<PathBuf>,
    #[serde(default = "default_client_cache")]
    pub(crate) client_cache_entries: usize,
    pub(crate) postgres: Option<PostgresSection>,
}

/// `[storage.postgres]`: a database that several nodes share.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PostgresSection {
    pub(crate) url: String,
    pub(crate) password_file: Option<PathBuf>,
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) certificate_file: Option<PathBuf>,
    pub(crate) key_file: Option<PathBuf>,
    #[serde(default)]
    pub(crate) insecure_plaintext: bool,
    #[serde(default = "default_connections")]
    pub(crate) connections: u32,
}

const fn default_connections() -> u32 {
    10
}

const fn default_client_cache() -> usize {
    10_000
}

/// `[keys]`: the rotation policy.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct KeysSection {
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) verifier_cache_s: u64,
    pub(crate) publish_lead_s: u64,
    pub(crate) active_lifetime_s: u64,
    pub(crate) retire_lifetime_s: u64,
    /// Two of these must agree before `sealstone key revoke` revokes.
    pub(crate) administrators_file: Option<PathBuf>,
}

impl Default for KeysSection {
    fn default() -> Self {
        Self {
            algorithms: vec![Algorithm::Es256, Algorithm::Rs256],
            verifier_cache_s: 300,
            publish_lead_s: 3600,
            active_lifetime_s: 30 * 86_400,
            retire_lifetime_s: 7200,
            administrators_file: None,
        }
    }
}

/// `[limits]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LimitsSection {
    pub(crate) max_connections: usize,
    /// Default: half of all; all of them with a proxy, whose address they have in common.
    pub(crate) max_connections_per_address: Option<usize>,
    pub(crate) requests_per_s_per_address: u32,
    pub(crate) request_burst_per_address: u32,
    pub(crate) failures_per_min_per_client: u32,
    pub(crate) requests_per_s_per_client: u32,
    pub(crate) request_burst_per_client: u32,
    pub(crate) insecure_unlimited_networks: Vec<String>,
    pub(crate) body_deadline_s: u64,
    pub(crate) idle_timeout_s: u64,
}

impl Default for LimitsSection {
    fn default() -> Self {
        Self {
            max_connections: 1024,
            max_connections_per_address: None,
            requests_per_s_per_address: 1000,
            request_burst_per_address: 2000,
            failures_per_min_per_client: 10,
            requests_per_s_per_client: 5000,
            request_burst_per_client: 10_000,
            insecure_unlimited_networks: Vec::new(),
            body_deadline_s: 10,
            idle_timeout_s: 30,
        }
    }
}

/// `[proxy]`: who may forward a client's certificate, and in which form.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProxySection {
    pub(crate) trusted_networks: Vec<String>,
    pub(crate) form: ProxyForm,
    pub(crate) header: Option<String>,
    pub(crate) verify_header: Option<String>,
    pub(crate) secret_header: Option<String>,
    pub(crate) secret_file: Option<PathBuf>,
}

/// The forms of DESIGN: exactly one is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ProxyForm {
    Rfc9440,
    NginxEscapedPem,
    ApachePem,
    EnvoyXfcc,
    Traefik,
}

/// `[log]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LogSection {
    pub(crate) level: LogLevel,
    pub(crate) format: LogFormat,
}

/// How much is logged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogLevel {
    Error,
    Warn,
    #[default]
    Info,
    Debug,
}

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    #[default]
    Text,
    Json,
}
