//! The agent's configuration file.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::{
    clock,
    failure::{Failure, Outcome},
    input,
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    pub(super) client: ClientSection,
    pub(super) state: StateSection,
    pub(super) renewal: Option<RenewalSection>,
    #[serde(default)]
    pub(super) token_file: Vec<TokenFileSection>,
    #[serde(default)]
    pub(super) socket: Vec<SocketSection>,
    #[serde(default)]
    pub(super) proxy: Vec<ProxySection>,
}

/// Who the machine is, and where it gets its tokens.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClientSection {
    pub(super) issuer: String,
    pub(super) client_id: String,
    pub(super) scope: Option<String>,
    #[serde(default)]
    pub(super) resource: Vec<String>,
    pub(super) certificate_file: PathBuf,
    pub(super) key_file: PathBuf,
    pub(super) ca_file: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StateSection {
    pub(super) path: PathBuf,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RenewalSection {
    /// Who must have issued a new certificate.
    pub(super) authority_file: PathBuf,
    #[serde(default)]
    pub(super) key: KeyChoice,
    pub(super) ca: Option<CaSection>,
    pub(super) command: Option<CommandSection>,
    pub(super) est: Option<EstSection>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum KeyChoice {
    #[default]
    P256,
    P384,
    Ed25519,
    Rsa3072,
    Keep,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CaSection {
    pub(super) folder: PathBuf,
    #[serde(default = "ninety_days")]
    pub(super) lifetime: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CommandSection {
    pub(super) argv: Vec<String>,
    #[serde(default)]
    pub(super) pass_environment: Vec<String>,
    #[serde(default = "a_minute")]
    pub(super) deadline_s: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EstSection {
    pub(super) url: String,
    pub(super) ca_file: PathBuf,
    #[serde(default)]
    pub(super) operation: Operation,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Operation {
    #[default]
    SimpleReenroll,
    SimpleEnroll,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenFileSection {
    pub(super) path: PathBuf,
    #[serde(default)]
    pub(super) form: Form,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Form {
    #[default]
    Token,
    Header,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SocketSection {
    pub(super) path: PathBuf,
    #[serde(default)]
    pub(super) allowed_uids: Vec<u32>,
    #[serde(default)]
    pub(super) private_key: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProxySection {
    /// `127.0.0.1:PORT`, or `unix:PATH`.
    pub(super) listen: String,
    pub(super) upstream: String,
    pub(super) ca_file: Option<PathBuf>,
    #[serde(default)]
    pub(super) token_header: Header,
    #[serde(default)]
    pub(super) foreign_token: Foreign,
    pub(super) secret_file: Option<PathBuf>,
    #[serde(default)]
    pub(super) allowed_uids: Vec<u32>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Header {
    #[default]
    Authorization,
    XAuthToken,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Foreign {
    #[default]
    Refuse,
    Replace,
}

fn ninety_days() -> String {
    "90d".to_owned()
}

const fn a_minute() -> u64 {
    60
}

impl Config {
    /// Reads it; relative paths are made to begin at its folder.
    pub(super) fn read(path: &Path) -> Outcome<Self> {
        let text = input::text(path)?;
        let mut config: Self = toml::from_str(&text).map_err(|error| {
            let message = error.to_string();
            Failure::failed(format!(
                "{} cannot be used: {}",
                path.display(),
                message.trim_end()
            ))
        })?;
        let folder = path.parent().unwrap_or_else(|| Path::new("."));
        for named in config.paths() {
            if named.is_relative() {
                *named = folder.join(&*named);
            }
        }
        config
            .judge()
            .map_err(|fault| Failure::failed(format!("{} cannot be used: {fault}", path.display())))?;
        Ok(config)
    }

    fn paths(&mut self) -> Vec<&mut PathBuf> {
        let mut paths = vec![
            &mut self.client.certificate_file,
            &mut self.client.key_file,
            &mut self.state.path,
        ];
        paths.extend(self.client.ca_file.as_mut());
        if let Some(renewal) = &mut self.renewal {
            paths.push(&mut renewal.authority_file);
            paths.extend(renewal.ca.as_mut().map(|ca| &mut ca.folder));
            paths.extend(renewal.est.as_mut().map(|est| &mut est.ca_file));
        }
        paths.extend(self.token_file.iter_mut().map(|file| &mut file.path));
        paths.extend(self.socket.iter_mut().map(|socket| &mut socket.path));
        for proxy in &mut self.proxy {
            paths.extend(proxy.ca_file.as_mut());
            paths.extend(proxy.secret_file.as_mut());
        }
        paths
    }

    /// What a form cannot say.
    fn judge(&self) -> Result<(), String> {
        if let Some(renewal) = &self.renewal {
            let ways = [
                renewal.ca.is_some(),
                renewal.command.is_some(),
                renewal.est.is_some(),
            ];
            if ways.iter().filter(|way| **way).count() != 1 {
                return Err(
                    "[renewal] needs one of [renewal.ca], [renewal.command] and [renewal.est]".to_owned(),
                );
            }
        }
        if let Some(command) = self.renewal.as_ref().and_then(|renewal| renewal.command.as_ref())
            && !command
                .argv
                .first()
                .is_some_and(|program| program.starts_with('/'))
        {
            return Err("renewal.command.argv begins with the program's whole path, /...".to_owned());
        }
        for proxy in &self.proxy {
            let listen = &proxy.listen;
            match (listen.strip_prefix("unix:"), &proxy.secret_file) {
                (Some(_), Some(_)) => {
                    return Err(format!(
                        "proxy {listen}: a Unix socket needs no secret_file: the kernel says whose program it is"
                    ));
                }
                (None, None) => {
                    return Err(format!(
                        "proxy {listen}: a port can be reached by every user of the machine: set secret_file, or listen \
                         at unix:PATH"
                    ));
                }
                (None, Some(_)) if !proxy.allowed_uids.is_empty() => {
                    return Err(format!(
                        "proxy {listen}: allowed_uids are for Unix sockets: who has the secret may use a port"
                    ));
                }
                _ => {}
            }
        }
        if let Some(ca) = self.renewal.as_ref().and_then(|renewal| renewal.ca.as_ref()) {
            clock::parse_span(&ca.lifetime).map_err(|fault| format!("renewal.ca.lifetime: {fault}"))?;
        }
        Ok(())
    }
}
