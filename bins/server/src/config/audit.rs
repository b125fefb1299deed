//! `[audit]`: where events go, and to whom else.

use serde::Deserialize;
use std::path::PathBuf;

/// `[audit]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AuditSection {
    /// Default: `audit.jsonl` beside the database.
    pub(crate) path: Option<PathBuf>,
    /// Default: `audit.key` beside the audit file.
    pub(crate) key_file: Option<PathBuf>,
    /// 0: never by size.
    pub(crate) rotate_mib: u64,
    /// 0: never by age.
    pub(crate) rotate_h: u64,
    pub(crate) syslog: Option<SyslogSection>,
    pub(crate) http: Option<HttpSinkSection>,
    pub(crate) rabbitmq: Option<RabbitmqSection>,
}

impl Default for AuditSection {
    fn default() -> Self {
        Self {
            path: None,
            key_file: None,
            rotate_mib: 256,
            rotate_h: 24,
            syslog: None,
            http: None,
            rabbitmq: None,
        }
    }
}

/// What happens when a receiver is too far behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SinkMode {
    Required,
    #[default]
    BestEffort,
}

/// `[audit.syslog]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SyslogSection {
    pub(crate) address: String,
    pub(crate) ca_file: PathBuf,
    pub(crate) server_name: Option<String>,
    pub(crate) certificate_file: Option<PathBuf>,
    pub(crate) key_file: Option<PathBuf>,
    #[serde(default)]
    pub(crate) mode: SinkMode,
    #[serde(default = "default_most_behind")]
    pub(crate) most_behind: u64,
}

/// `[audit.http]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HttpSinkSection {
    pub(crate) url: String,
    pub(crate) ca_file: PathBuf,
    pub(crate) bearer_file: Option<PathBuf>,
    #[serde(default)]
    pub(crate) mode: SinkMode,
    #[serde(default = "default_most_behind")]
    pub(crate) most_behind: u64,
}

/// `[audit.rabbitmq]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RabbitmqSection {
    pub(crate) url_file: PathBuf,
    pub(crate) ca_file: Option<PathBuf>,
    #[serde(default)]
    pub(crate) insecure_plaintext: bool,
    #[serde(default = "default_exchange")]
    pub(crate) exchange: String,
    #[serde(default = "default_topic")]
    pub(crate) topic: String,
    #[serde(default)]
    pub(crate) durable: bool,
    #[serde(default)]
    pub(crate) mode: SinkMode,
    #[serde(default = "default_most_behind")]
    pub(crate) most_behind: u64,
}

/// Some 90 MB of the trail's files: minutes of the busiest node, days of most.
const fn default_most_behind() -> u64 {
    100_000
}

/// Keystone's `control_exchange`.
fn default_exchange() -> String {
    "keystone".to_owned()
}

/// Where notifications of priority INFO go unless a cloud has other topics.
fn default_topic() -> String {
    "notifications.info".to_owned()
}

impl AuditSection {
    /// Every file that is named.
    pub(crate) fn files(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let mut files: Vec<&mut PathBuf> = self.path.iter_mut().chain(&mut self.key_file).collect();
        if let Some(syslog) = &mut self.syslog {
            files.push(&mut syslog.ca_file);
            files.extend(syslog.certificate_file.iter_mut().chain(&mut syslog.key_file));
        }
        if let Some(http) = &mut self.http {
            files.push(&mut http.ca_file);
            files.extend(&mut http.bearer_file);
        }
        if let Some(rabbitmq) = &mut self.rabbitmq {
            files.push(&mut rabbitmq.url_file);
            files.extend(&mut rabbitmq.ca_file);
        }
        files.into_iter()
    }
}
