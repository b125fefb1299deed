//! `clouds.yaml`, found and read as openstacksdk does; and written without touching anything else in it.

mod edit;
mod yaml;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

pub use edit::{CloudEdit, EditError};
pub use yaml::YamlError;

use self::yaml::Node;

/// The variables of a process that say where its clouds are: those of openstacksdk.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct CloudFiles {
    /// Where `clouds.yaml` may lie, in order.
    pub clouds: Vec<PathBuf>,
    /// Where `secure.yaml` may lie, in order.
    pub secure: Vec<PathBuf>,
    /// Where `clouds-public.yaml` may lie, in order.
    pub public: Vec<PathBuf>,
}

impl CloudFiles {
    /// The places that openstacksdk looks at: `here`, the user's configuration, `/etc/openstack`; what the variables
    /// `OS_CLIENT_CONFIG_FILE`, `OS_CLIENT_SECURE_FILE` and `OS_CLIENT_VENDOR_FILE` name comes first.
    #[must_use]
    pub fn usual(here: &Path, variable: impl Fn(&str) -> Option<PathBuf>) -> Self {
        let mut folders = vec![here.to_owned()];
        let variable = |name: &str| variable(name).filter(|value| !value.as_os_str().is_empty());
        let home = variable("HOME").or_else(|| variable("USERPROFILE"));
        folders.extend(user_folder(home.as_deref(), &variable));
        folders.extend(home.map(|home| home.join(".config").join("openstack")));
        if cfg!(unix) {
            folders.extend(["/etc/xdg/openstack", "/etc/openstack"].map(PathBuf::from));
        }
        let files = |first: &str, name: &str| {
            let found = folders.iter().flat_map(|folder| {
                [".yaml", ".yml", ".json"].map(|suffix| folder.join(format!("{name}{suffix}")))
            });
            variable(first).into_iter().chain(found).collect()
        };
        Self {
            clouds: files("OS_CLIENT_CONFIG_FILE", "clouds"),
            secure: files("OS_CLIENT_SECURE_FILE", "secure"),
            public: files("OS_CLIENT_VENDOR_FILE", "clouds-public"),
        }
    }

    /// The first `clouds.yaml` that there is.
    #[must_use]
    pub fn clouds_file(&self) -> Option<&Path> {
        self.clouds
            .iter()
            .map(PathBuf::as_path)
            .find(|path| path.is_file())
    }

    /// The cloud of that name, with what `secure.yaml` adds and the profile that it names.
    ///
    /// # Errors
    /// [`CloudsError`] when a file cannot be read, or has no such cloud.
    pub fn cloud(&self, name: &str) -> Result<Cloud, CloudsError> {
        let Some(path) = self.clouds_file() else {
            return Err(CloudsError::NoFile {
                first: self.clouds.first().cloned().unwrap_or_default(),
            });
        };
        let file = read(path)?;
        let clouds = file.as_ref().and_then(|file| file.member("clouds"));
        let Some(node) = clouds.and_then(|clouds| clouds.member(name)) else {
            return Err(CloudsError::Unknown {
                name: name.to_owned(),
                path: path.to_owned(),
                known: names(clouds),
            });
        };
        let mut settings = Settings::default();
        if let Some(profile) = node
            .member("profile")
            .or_else(|| node.member("cloud"))
            .and_then(Node::text)
        {
            let public = self.first(&self.public)?;
            let public = public.as_ref().and_then(|file| file.member("public-clouds"));
            if let Some(found) = public.and_then(|clouds| clouds.member(profile)) {
                settings.take(found);
            }
        }
        settings.take(node);
        let secure = self.first(&self.secure)?;
        let secure = secure.as_ref().and_then(|file| file.member("clouds"));
        if let Some(found) = secure.and_then(|clouds| clouds.member(name)) {
            settings.take(found);
        }
        Ok(Cloud {
            name: name.to_owned(),
            file: Some(path.to_owned()),
            settings,
        })
    }

    /// The names of all clouds, and the file that has them.
    ///
    /// # Errors
    /// [`CloudsError`] when the file cannot be read.
    pub fn names(&self) -> Result<Vec<String>, CloudsError> {
        let Some(path) = self.clouds_file() else {
            return Ok(Vec::new());
        };
        let file = read(path)?;
        Ok(names(file.as_ref().and_then(|file| file.member("clouds"))))
    }

    fn first(&self, paths: &[PathBuf]) -> Result<Option<Node>, CloudsError> {
        match paths.iter().find(|path| path.is_file()) {
            Some(path) => read(path),
            None => Ok(None),
        }
    }
}

fn names(clouds: Option<&Node>) -> Vec<String> {
    let members = clouds.map(Node::members).unwrap_or_default();
    members
        .iter()
        .filter_map(|(key, _)| key.text().map(str::to_owned))
        .collect()
}

/// Where programs keep their users' configuration.
fn user_folder(home: Option<&Path>, variable: &impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    if cfg!(target_os = "macos") {
        return home.map(|home| home.join("Library/Application Support/openstack"));
    }
    if cfg!(windows) {
        return variable("LOCALAPPDATA").map(|folder| folder.join("OpenStack").join("openstack"));
    }
    variable("XDG_CONFIG_HOME")
        .or_else(|| home.map(|home| home.join(".config")))
        .map(|folder| folder.join("openstack"))
}

/// The largest file that is read; the parser refuses more.
const MAX_FILE: u64 = 1024 * 1024;

fn read(path: &Path) -> Result<Option<Node>, CloudsError> {
    let failed = |source| CloudsError::Read {
        path: path.to_owned(),
        source,
    };
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut text = String::new();
    let most = MAX_FILE.saturating_add(1);
    std::io::Read::read_to_string(&mut std::io::Read::take(file, most), &mut text).map_err(failed)?;
    yaml::parse(&text).map_err(|fault| CloudsError::Yaml {
        path: path.to_owned(),
        fault,
    })
}

/// What one cloud of `clouds.yaml` says, by name; `-` in a name is `_`.
#[derive(Clone, Default)]
struct Settings {
    auth: BTreeMap<String, String>,
    other: BTreeMap<String, String>,
}

impl Settings {
    /// Takes over what a mapping says; what was known before gives way.
    fn take(&mut self, node: &Node) {
        for (key, value) in node.members() {
            let Some(name) = key.text().map(|name| name.replace('-', "_")) else {
                continue;
            };
            if name == "auth" {
                for (key, value) in value.members() {
                    if let (Some(name), Some(text)) = (key.text(), value.text()) {
                        self.auth.insert(name.replace('-', "_"), text.to_owned());
                    }
                }
            } else if let Some(text) = value.text() {
                self.other.insert(name, text.to_owned());
            }
        }
    }
}

/// One cloud: where it is, and how its users log in.
///
/// `Debug` shows names only: passwords stand among the values.
#[derive(Clone)]
pub struct Cloud {
    name: String,
    file: Option<PathBuf>,
    settings: Settings,
}

/// What belongs into `auth`, and counts beside it, too.
const OF_AUTH: [&str; 9] = [
    "project_id",
    "project_name",
    "project_domain_id",
    "project_domain_name",
    "user_domain_id",
    "user_domain_name",
    "domain_id",
    "domain_name",
    "system_scope",
];

impl Cloud {
    /// The cloud that the variables `OS_*` describe, under the name that openstacksdk gives it.
    #[must_use]
    pub fn of_environment(variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let get = |name: &str| variable(name).filter(|value| !value.is_empty());
        let mut settings = Settings::default();
        for name in [
            "auth_url",
            "identity_provider",
            "protocol",
            "discovery_endpoint",
            "client_id",
            "client_secret",
            "openid_scope",
            "username",
            "user_id",
            "password",
            "token",
            "application_credential_id",
            "application_credential_name",
            "application_credential_secret",
        ]
        .into_iter()
        .chain(OF_AUTH)
        {
            if let Some(value) = get(&format!("OS_{}", name.to_uppercase())) {
                settings.auth.insert(name.to_owned(), value);
            }
        }
        for name in ["auth_type", "region_name", "interface", "cacert", "cert", "key"] {
            if let Some(value) = get(&format!("OS_{}", name.to_uppercase())) {
                settings.other.insert(name.to_owned(), value);
            }
        }
        settings.auth.contains_key("auth_url").then(|| Self {
            name: "envvars".to_owned(),
            file: None,
            settings,
        })
    }

    /// A cloud of which nothing is known yet.
    #[must_use]
    pub fn empty(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            file: None,
            settings: Settings::default(),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file that says so.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// A value of `auth`, or of the few names that openstacksdk moves there; nothing counts as none.
    #[must_use]
    pub fn auth(&self, name: &str) -> Option<&str> {
        let beside = || {
            OF_AUTH
                .contains(&name)
                .then(|| self.settings.other.get(name))
                .flatten()
        };
        let value = self.settings.auth.get(name).or_else(beside);
        value.map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A value beside `auth`.
    #[must_use]
    pub fn setting(&self, name: &str) -> Option<&str> {
        let value = self.settings.other.get(name);
        value.map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The same with a value of `auth` in place of what it was.
    #[must_use]
    pub fn with_auth(mut self, name: &str, value: &str) -> Self {
        self.settings.auth.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The same with a value beside `auth` in place of what it was.
    #[must_use]
    pub fn with_setting(mut self, name: &str, value: &str) -> Self {
        self.settings.other.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The same without any scope.
    #[must_use]
    pub fn without_scope(mut self) -> Self {
        for name in [
            "project_id",
            "project_name",
            "project_domain_id",
            "project_domain_name",
            "domain_id",
            "domain_name",
            "system_scope",
        ] {
            self.settings.auth.remove(name);
            self.settings.other.remove(name);
        }
        self
    }
}

impl std::fmt::Debug for Cloud {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cloud")
            .field("name", &self.name)
            .field("auth", &self.settings.auth.keys())
            .field("other", &self.settings.other.keys())
            .finish_non_exhaustive()
    }
}

/// Why a cloud is not known.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CloudsError {
    /// There is no `clouds.yaml`.
    #[error("there is no clouds.yaml: the first place it is looked for is {first}", first = .first.display())]
    NoFile {
        /// The first place.
        first: PathBuf,
    },
    /// The file has no such cloud.
    #[error("{path} has no cloud {name:?}; it has: {list}", path = .path.display(), list = .known.join(", "))]
    Unknown {
        /// Who was asked for.
        name: String,
        /// The file.
        path: PathBuf,
        /// Those that it has.
        known: Vec<String>,
    },
    /// It cannot be read.
    #[error("{path} cannot be read ({source}): check whose it is", path = .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is no YAML that is taken.
    #[error("{path} cannot be read: {fault}", path = .path.display())]
    Yaml {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        fault: YamlError,
    },
}

#[cfg(test)]
mod tests;
