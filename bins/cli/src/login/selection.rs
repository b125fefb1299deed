//! Which login is meant: by a cloud of `clouds.yaml`, by an issuer, or by a demo's folder.

use std::path::{Path, PathBuf};

use clap::Args;
use sealstone_client::{Cloud, CloudFiles, CloudsError, ScopeChoice};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::target::{Direct, Federation, OAuthLogin, Redirect, Target, Through};
use crate::{
    failure::{Failure, Outcome},
    input,
};

/// Where the metadata of an issuer lie.
const WELL_KNOWN: &str = "/.well-known/openid-configuration";
/// What keystoneauth asks for.
const SCOPE: &str = "openid profile";

/// Which login.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Selection {
    /// A cloud of clouds.yaml [default: `OS_CLOUD`, else the variables OS_*]
    #[arg(long, value_name = "NAME", help_heading = "Which login")]
    pub(crate) cloud: Option<String>,
    /// The issuer, as the server writes it
    #[arg(long, value_name = "URL", help_heading = "Which login")]
    pub(crate) issuer: Option<String>,
    /// The client's identifier at the issuer
    #[arg(long, value_name = "ID", help_heading = "Which login")]
    pub(crate) client_id: Option<String>,
    /// A data folder of `sealstoned dev`: issuer, CA and client are read from its dev.json
    #[arg(
        long,
        value_name = "DIR",
        conflicts_with_all = ["issuer", "client_id"],
        help_heading = "Which login"
    )]
    pub(crate) dev: Option<PathBuf>,
    /// What is asked for, as names parted by spaces
    #[arg(long, value_name = "NAMES", help_heading = "Which login")]
    pub(crate) scope: Option<String>,
    /// The user who must be the one that logs in; each has a login of their own
    #[arg(long, value_name = "NAME", help_heading = "Which login")]
    pub(crate) username: Option<String>,
    /// CA certificates that vouch for the servers, PEM [default: those of the system]
    #[arg(long, value_name = "FILE", help_heading = "Which login")]
    pub(crate) ca: Option<PathBuf>,
    /// Keystone's address
    #[arg(long, value_name = "URL", help_heading = "OpenStack")]
    pub(crate) auth_url: Option<String>,
    /// What the issuer is called in Keystone
    #[arg(long, value_name = "NAME", help_heading = "OpenStack")]
    pub(crate) identity_provider: Option<String>,
    /// The protocol of that identity provider in Keystone
    #[arg(long, value_name = "NAME", help_heading = "OpenStack")]
    pub(crate) protocol: Option<String>,
    /// The project to act in, by name or id
    #[arg(long, value_name = "PROJECT", conflicts_with_all = ["domain", "system"], help_heading = "OpenStack")]
    pub(crate) project: Option<String>,
    /// The project's domain, where several projects have one name
    #[arg(long, value_name = "DOMAIN", requires = "project", help_heading = "OpenStack")]
    pub(crate) project_domain: Option<String>,
    /// The domain to act in, by name or id
    #[arg(
        long,
        value_name = "DOMAIN",
        conflicts_with = "system",
        help_heading = "OpenStack"
    )]
    pub(crate) domain: Option<String>,
    /// Act on the whole cloud
    #[arg(long, help_heading = "OpenStack")]
    pub(crate) system: bool,
    /// Log in by Keystone's own WebSSO, as Horizon and keystoneauth's v3websso do
    #[arg(long, help_heading = "OpenStack")]
    pub(crate) websso: bool,
    /// Keep nothing on disk, and read nothing that is kept
    #[arg(long, help_heading = "Which login")]
    pub(crate) no_cache: bool,
    /// Bind the tokens to a key that stays on this machine, where the server can
    #[arg(long, help_heading = "Which login")]
    pub(crate) bound: bool,
}

impl Selection {
    /// The name of the cloud that is meant.
    pub(crate) fn cloud_name(&self) -> Option<String> {
        let by_variable = || {
            let others = self.issuer.is_some() || self.dev.is_some() || self.auth_url.is_some();
            let value = std::env::var_os("OS_CLOUD").filter(|value| !value.is_empty() && !others);
            value.and_then(|value| value.into_string().ok())
        };
        self.cloud.clone().or_else(by_variable)
    }

    pub(crate) fn files() -> CloudFiles {
        let here = std::env::current_dir().unwrap_or_default();
        CloudFiles::usual(&here, |name| std::env::var_os(name).map(PathBuf::from))
    }

    /// The cloud as the files, the variables and these options say. With `new`, the files need not have it.
    pub(crate) fn cloud(&self, new: bool) -> Outcome<Cloud> {
        let cloud = match self.cloud_name() {
            Some(name) => match Self::files().cloud(&name) {
                Err(CloudsError::NoFile { .. } | CloudsError::Unknown { .. }) if new => Cloud::empty(&name),
                found => found.map_err(|error| Self::unknown(&error))?,
            },
            None if self.issuer.is_some() || self.dev.is_some() => Cloud::empty(""),
            None => Cloud::of_environment(|name| std::env::var_os(name)?.into_string().ok())
                .unwrap_or_else(|| Cloud::empty("")),
        };
        Ok(self.over(cloud))
    }

    fn unknown(error: &CloudsError) -> Failure {
        let hint = match error {
            CloudsError::NoFile { .. } | CloudsError::Unknown { .. } => {
                "; `sealstone login --write` with --issuer, --client-id, --auth-url, --identity-provider and --protocol makes an entry"
            }
            CloudsError::Read { .. } | CloudsError::Yaml { .. } | _ => "",
        };
        Failure::failed(format!("{error}{hint}"))
    }

    /// The options come before the files.
    fn over(&self, mut cloud: Cloud) -> Cloud {
        for (name, value) in [
            ("auth_url", &self.auth_url),
            ("identity_provider", &self.identity_provider),
            ("protocol", &self.protocol),
            ("client_id", &self.client_id),
            ("openid_scope", &self.scope),
        ] {
            if let Some(value) = value {
                cloud = cloud.with_auth(name, value);
            }
        }
        if let Some(issuer) = &self.issuer {
            cloud = cloud.with_auth("discovery_endpoint", &format!("{issuer}{WELL_KNOWN}"));
        }
        if let Some(ca) = &self.ca {
            cloud = cloud.with_setting("cacert", &ca.to_string_lossy());
        }
        if self.websso {
            cloud = cloud.with_setting("auth_type", "v3websso");
        }
        self.scoped(cloud)
    }

    fn scoped(&self, cloud: Cloud) -> Cloud {
        if let Some(project) = &self.project {
            let cloud = cloud.without_scope().with_auth("project_name", project);
            return match &self.project_domain {
                Some(domain) => cloud.with_auth("project_domain_name", domain),
                None => cloud,
            };
        }
        match &self.domain {
            Some(domain) => cloud.without_scope().with_auth("domain_name", domain),
            None if self.system => cloud.without_scope().with_auth("system_scope", "all"),
            None => cloud,
        }
    }

    /// What is to be logged in to.
    pub(crate) fn target(&self, new: bool) -> Outcome<Target> {
        if let Some(issuer) = &self.issuer {
            // Other providers end theirs with a slash, and mean it: it is compared letter by letter later.
            if !issuer.starts_with("https://") {
                return Err(Failure::usage(format!(
                    "{issuer:?} is no issuer: write it as the server does, https://HOST/PATH"
                )));
            }
        }
        let mut cloud = self.cloud(new)?;
        if let Some(folder) = &self.dev {
            cloud = dev(cloud, folder)?;
        }
        let through = self.through(&cloud)?;
        Ok(Target {
            scope: scope(&cloud),
            user: self.username.clone().unwrap_or_default(),
            ca: cloud.setting("cacert").map(PathBuf::from),
            bound: self.bound,
            no_cache: self.no_cache,
            dev: self.dev.clone(),
            cloud,
            through,
        })
    }

    fn through(&self, cloud: &Cloud) -> Outcome<Through> {
        let kind = cloud.setting("auth_type").unwrap_or_default();
        let federation = || {
            Some(Federation {
                auth_url: cloud.auth("auth_url")?.to_owned(),
                identity_provider: cloud.auth("identity_provider")?.to_owned(),
                protocol: cloud.auth("protocol")?.to_owned(),
            })
        };
        if kind == "v3websso" {
            return federation()
                .map(Through::WebSso)
                .ok_or_else(|| missing(cloud, "WebSSO needs auth_url, identity_provider and protocol: give --auth-url, --identity-provider and --protocol"));
        }
        if let Some(endpoint) = cloud.auth("discovery_endpoint") {
            let issuer = endpoint.strip_suffix(WELL_KNOWN).unwrap_or(endpoint);
            let client_id = cloud
                .auth("client_id")
                .ok_or_else(|| missing(cloud, "a login at an issuer needs client_id: give --client-id"))?;
            return Ok(Through::OAuth(Box::new(OAuthLogin {
                issuer: issuer.to_owned(),
                client_id: client_id.to_owned(),
                secret: cloud
                    .auth("client_secret")
                    .map(|text| Zeroizing::new(text.to_owned())),
                scope: cloud.auth("openid_scope").unwrap_or(SCOPE).to_owned(),
                redirect: Redirect::of(cloud.auth("redirect_uri"), kind)?,
                federation: federation(),
            })));
        }
        let auth_url = cloud.auth("auth_url").ok_or_else(Self::nothing)?;
        let direct = [
            "",
            "password",
            "token",
            "v3password",
            "v3token",
            "v3applicationcredential",
        ];
        if direct.contains(&kind) {
            return Ok(Through::Direct(Direct {
                auth_url: auth_url.to_owned(),
            }));
        }
        Err(missing(
            cloud,
            &format!(
                "a login of auth_type {kind} needs discovery_endpoint and client_id, or give --issuer and --client-id"
            ),
        ))
    }

    fn nothing() -> Failure {
        let names = Self::files().names().unwrap_or_default();
        let clouds = if names.is_empty() {
            String::new()
        } else {
            format!(" (there are {})", names.join(", "))
        };
        Failure::usage(format!(
            "nothing says which login is meant: give --cloud NAME{clouds}, or --issuer URL and --client-id ID, or set OS_CLOUD; \
             `sealstone whoami --all` lists what is kept"
        ))
    }
}

fn missing(cloud: &Cloud, what: &str) -> Failure {
    let name = cloud.name();
    let place = match cloud.file() {
        Some(path) => format!("cloud {name} of {}: ", path.display()),
        None => String::new(),
    };
    Failure::failed(format!("{place}{what}"))
}

fn scope(cloud: &Cloud) -> ScopeChoice {
    let either = |one: &str, other: &str| cloud.auth(one).or_else(|| cloud.auth(other)).map(str::to_owned);
    if cloud.auth("system_scope").is_some() {
        return ScopeChoice::System;
    }
    if let Some(project) = either("project_id", "project_name") {
        return ScopeChoice::Project {
            project,
            domain: either("project_domain_id", "project_domain_name"),
        };
    }
    either("domain_id", "domain_name").map_or(ScopeChoice::Any, ScopeChoice::Domain)
}

#[derive(Deserialize)]
struct DevFile {
    issuer: String,
    ca: PathBuf,
    clients: Vec<DevClient>,
}

#[derive(Deserialize)]
struct DevClient {
    name: String,
    client_id: String,
}

/// The client of the demo that people log in with from a terminal.
fn dev(cloud: Cloud, folder: &Path) -> Outcome<Cloud> {
    let path = folder.join("dev.json");
    let again = || {
        Failure::failed(format!(
            "{} cannot be read: start `sealstoned dev --data {}` first",
            path.display(),
            folder.display()
        ))
    };
    let text = input::text(&path).map_err(|_| again())?;
    let file: DevFile = serde_json::from_str(&text).map_err(|_| again())?;
    let client = file.clients.iter().find(|client| client.name == "cli");
    let client = client.ok_or_else(|| {
        Failure::failed(format!(
            "{} has no client cli, by which people log in: name a machine's client by --client",
            path.display()
        ))
    })?;
    Ok(cloud
        .with_auth("discovery_endpoint", &format!("{}{WELL_KNOWN}", file.issuer))
        .with_auth("client_id", &client.client_id)
        .with_setting("cacert", &folder.join(file.ca).to_string_lossy()))
}
