//! The server's database and secrets, opened beside the running server.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use clap::Args;
use sealstone_ca::files;
use sealstone_identity::DomainId;
use sealstone_jose::Algorithm;
use sealstone_keyring::{KeyEncryptionKey, RotationPolicy, RotationSettings};
use sealstone_registry::{DomainStore as _, MAX_BEARER_LIFETIME, MAX_BOUND_LIFETIME, MAX_PAGE, Pepper};
use sealstone_storage::{Database, PostgresConfig, PostgresPassword, SqlStore};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::{
    audit::Trail,
    custody,
    failure::{Failure, Outcome},
    openstack,
};

#[derive(Debug, Clone, Args)]
pub(crate) struct StoreArguments {
    /// The data folder of `sealstoned dev`
    #[arg(
        long,
        value_name = "DIR",
        required_unless_present = "config",
        conflicts_with = "config"
    )]
    data: Option<PathBuf>,
    /// The configuration file of `sealstoned serve`
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// What of the server's configuration this program needs; `sealstoned check` looks at the rest.
#[derive(Default, Deserialize)]
struct Config {
    #[serde(default)]
    storage: Storage,
    #[serde(default)]
    secrets: Secrets,
    #[serde(default)]
    keys: Keys,
    pkcs11: Option<custody::Pkcs11>,
    #[serde(default)]
    audit: Audit,
    #[serde(default)]
    keystone: Keystone,
}

#[derive(Default, Deserialize)]
struct Keystone {
    url: Option<String>,
    ca_file: Option<PathBuf>,
    #[serde(default)]
    dangerous_plain_http: bool,
    #[serde(default)]
    service: KeystoneService,
    #[serde(default)]
    mint: KeystoneMint,
}

#[derive(Default, Deserialize)]
struct KeystoneService {
    application_credential_id: Option<String>,
    application_credential_secret_file: Option<PathBuf>,
}

#[derive(Default, Deserialize)]
struct KeystoneMint {
    private_key_file: Option<PathBuf>,
    algorithm: Option<String>,
}

#[derive(Default, Deserialize)]
struct Audit {
    path: Option<PathBuf>,
    key_file: Option<PathBuf>,
}

#[derive(Default, Deserialize)]
struct Storage {
    path: Option<PathBuf>,
    postgres: Option<Postgres>,
}

#[derive(Default, Deserialize)]
struct Postgres {
    url: Option<String>,
    password_file: Option<PathBuf>,
    ca_file: Option<PathBuf>,
    certificate_file: Option<PathBuf>,
    key_file: Option<PathBuf>,
    #[serde(default)]
    insecure_plaintext: bool,
}

impl Postgres {
    /// As the server reaches it; `given` finds what the environment says before the file.
    fn config(
        &self,
        url: &str,
        given: impl Fn(&str, Option<&PathBuf>) -> Option<PathBuf>,
    ) -> Outcome<PostgresConfig> {
        let mut config: PostgresConfig = url.parse().context("storage.postgres.url")?;
        if let Some(path) = given("password_file", self.password_file.as_ref()) {
            let text = files::read_private(&path).context("storage.postgres.password_file")?;
            let password = Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned());
            config = config.with_password(PostgresPassword::new(password));
        }
        if let Some(path) = given("ca_file", self.ca_file.as_ref()) {
            config = config.with_ca_file(&path);
        }
        let certificate = given("certificate_file", self.certificate_file.as_ref());
        if let (Some(certificate), Some(key)) = (certificate, given("key_file", self.key_file.as_ref())) {
            config = config.with_client_certificate(&certificate, &key);
        }
        if self.insecure_plaintext {
            config = config.insecure_plaintext();
        }
        Ok(config)
    }
}

#[derive(Default, Deserialize)]
struct Secrets {
    pepper_file: Option<PathBuf>,
    key_encryption_key_file: Option<PathBuf>,
}

#[derive(Default, Deserialize)]
struct Keys {
    algorithms: Option<Vec<Algorithm>>,
    verifier_cache_s: Option<u64>,
    publish_lead_s: Option<u64>,
    active_lifetime_s: Option<u64>,
    retire_lifetime_s: Option<u64>,
    administrators_file: Option<PathBuf>,
}

/// Beside the database, if the configuration names no other place.
const AUDIT_FILE: &str = "audit.jsonl";

/// Where the server's things are.
pub(crate) struct Places {
    database: Database,
    pepper: PathBuf,
    custody: custody::Place,
    audit: PathBuf,
    audit_key: PathBuf,
    keys: Keys,
    keystone: openstack::Place,
    keystone_logins: openstack::ServerLogins,
}

impl StoreArguments {
    /// As if `--config FILE` were given.
    pub(crate) fn configured(file: &Path) -> Self {
        Self {
            data: None,
            config: Some(file.to_owned()),
        }
    }

    /// By one of the two, if it is given.
    pub(crate) fn named(data: Option<&PathBuf>, config: Option<&PathBuf>) -> Option<Self> {
        (data.is_some() || config.is_some()).then(|| Self {
            data: data.cloned(),
            config: config.cloned(),
        })
    }

    pub(crate) fn places(&self) -> Outcome<Places> {
        match (&self.data, &self.config) {
            (Some(folder), _) => Ok(Places {
                database: Database::from(&folder.join("sealstone.db")),
                pepper: folder.join("secrets/pepper"),
                custody: custody::Place {
                    file: Some(folder.join("secrets/kek")),
                    ..custody::Place::default()
                },
                audit: folder.join(AUDIT_FILE),
                audit_key: folder.join(sealstone_trail::KEY_FILE),
                keys: Keys::default(),
                keystone: openstack::Place::default(),
                keystone_logins: openstack::ServerLogins::default(),
            }),
            (None, Some(file)) => Places::configured(file),
            (None, None) => Err(Failure::usage(
                "name the server's data: --data DIR or --config FILE",
            )),
        }
    }
}

impl Places {
    fn configured(file: &Path) -> Outcome<Self> {
        let text = fs::read_to_string(file).with_context(|| {
            format!(
                "{} cannot be read: name the server's configuration file",
                file.display()
            )
        })?;
        let config: Config = toml::from_str(&text).with_context(|| {
            format!(
                "{} is not the server's configuration: `sealstoned check` explains",
                file.display()
            )
        })?;
        let folder = file.parent().unwrap_or_else(|| Path::new(""));
        // As the server does: the environment goes before the file, and files are named from the file's own folder.
        let set = |section: &str, key: &str| {
            let variable = format!("SEALSTONE__{}__{}", section.to_uppercase(), key.to_uppercase());
            std::env::var_os(variable)
        };
        let word = |section: &str, key: &str| set(section, key)?.into_string().ok();
        let given = |section: &str, key: &str, value: Option<PathBuf>| {
            let value = set(section, key).map(PathBuf::from).or(value);
            value.map(|path| folder.join(path))
        };
        let place = |section: &str, key: &str, value: Option<PathBuf>| {
            given(section, key, value).ok_or_else(|| {
                Failure::failed(format!(
                    "{} has no `{key}` in [{section}]: add it",
                    file.display()
                ))
            })
        };
        let postgres = config.storage.postgres.unwrap_or_default();
        let audit = given("audit", "path", config.audit.path);
        let (database, audit) =
            if let Some(url) = word("storage__postgres", "url").or_else(|| postgres.url.clone()) {
                let of = |key: &str, value: Option<&PathBuf>| given("storage__postgres", key, value.cloned());
                let audit = audit.map_or_else(|| place("audit", "path", None), Ok)?;
                (Database::from(postgres.config(&url, of)?), audit)
            } else {
                let file = place("storage", "path", config.storage.path)?;
                let audit = audit.unwrap_or_else(|| file.with_file_name(AUDIT_FILE));
                (Database::from(&file), audit)
            };
        let audit_key = given("audit", "key_file", config.audit.key_file);
        Ok(Self {
            audit_key: audit_key.unwrap_or_else(|| audit.with_file_name(sealstone_trail::KEY_FILE)),
            audit,
            database,
            pepper: place("secrets", "pepper_file", config.secrets.pepper_file)?,
            custody: custody::Place::configured(
                config.secrets.key_encryption_key_file,
                config.keys.administrators_file.clone(),
                config.pkcs11,
                &word,
                &given,
            ),
            keys: config.keys,
            keystone: openstack::Place {
                url: word("keystone", "url").or(config.keystone.url),
                ca_file: given("keystone", "ca_file", config.keystone.ca_file),
                dangerous_plain_http: config.keystone.dangerous_plain_http,
            },
            keystone_logins: openstack::ServerLogins {
                service_id: word("keystone__service", "application_credential_id")
                    .or(config.keystone.service.application_credential_id),
                service_secret_file: given(
                    "keystone__service",
                    "application_credential_secret_file",
                    config.keystone.service.application_credential_secret_file,
                ),
                mint_key_file: given(
                    "keystone__mint",
                    "private_key_file",
                    config.keystone.mint.private_key_file,
                ),
                mint_algorithm: word("keystone__mint", "algorithm").or(config.keystone.mint.algorithm),
            },
        })
    }

    pub(crate) async fn store(&self) -> Outcome<SqlStore> {
        if let Database::File(path) = &self.database
            && !path.exists()
        {
            return Err(Failure::failed(format!(
                "{} does not exist: start the server once, or name the right folder or configuration",
                path.display()
            )));
        }
        Ok(SqlStore::open_current(&self.database).await?)
    }

    /// The audit file, for a change.
    pub(crate) fn trail(&self) -> Outcome<Trail> {
        // The file belongs to who the server runs as: who owns the database, or the folder that it is in. After a loss
        // there is no database yet.
        let beside = match &self.database {
            Database::File(path) if path.exists() => path.as_path(),
            Database::File(path) => path.parent().unwrap_or_else(|| Path::new(".")),
            Database::Postgres(_) | _ => self.audit.parent().unwrap_or_else(|| Path::new(".")),
        };
        Trail::open(&self.audit, &self.audit_key, beside)
    }

    /// The key that signs it.
    pub(crate) fn audit_key(&self) -> &Path {
        &self.audit_key
    }

    /// The Keystone that the server asks.
    pub(crate) const fn keystone(&self) -> &openstack::Place {
        &self.keystone
    }

    /// How the server logs in there.
    pub(crate) const fn keystone_logins(&self) -> &openstack::ServerLogins {
        &self.keystone_logins
    }

    /// Where everything is kept.
    pub(crate) const fn database(&self) -> &Database {
        &self.database
    }

    /// The audit file, to read it.
    pub(crate) fn audit_file(&self) -> &Path {
        &self.audit
    }

    pub(crate) fn pepper(&self) -> Outcome<Pepper> {
        let text = files::read_private(&self.pepper)?;
        Ok(Pepper::from_hex(&text).with_context(|| self.pepper.display().to_string())?)
    }

    pub(crate) fn key_encryption_key(&self) -> Outcome<KeyEncryptionKey> {
        self.custody.key_encryption_key()
    }

    /// Where private keys are.
    pub(crate) const fn custody(&self) -> &custody::Place {
        &self.custody
    }

    /// The server's own policy, for its keys change hands with it.
    pub(crate) fn policy(&self) -> Outcome<RotationPolicy> {
        let given = RotationSettings::default();
        let span = |seconds: Option<u64>, given| seconds.map_or(given, Duration::from_secs);
        let settings = RotationSettings {
            // The server's own default: what is not listed would be left out of a rotation.
            algorithms: self
                .keys
                .algorithms
                .clone()
                .unwrap_or_else(|| vec![Algorithm::Es256, Algorithm::Rs256]),
            verifier_cache: span(self.keys.verifier_cache_s, given.verifier_cache),
            publish_lead: span(self.keys.publish_lead_s, given.publish_lead),
            active_lifetime: span(self.keys.active_lifetime_s, given.active_lifetime),
            retire_lifetime: span(self.keys.retire_lifetime_s, given.retire_lifetime),
            longest_token: MAX_BOUND_LIFETIME.max(MAX_BEARER_LIFETIME),
            leeway: given.leeway,
        };
        Ok(RotationPolicy::new(settings).context("[keys]")?)
    }
}

/// The domain that is meant when none is named: the only one.
pub(crate) async fn domain(store: &SqlStore, named: Option<&DomainId>) -> Outcome<DomainId> {
    if let Some(domain) = named {
        return Ok(domain.clone());
    }
    let domains = store.list_domains(None, MAX_PAGE).await?;
    match domains.as_slice() {
        [only] => Ok(only.id().clone()),
        [] => Err(Failure::failed(
            "there is no domain yet: name one by --domain ID, and --new-domain to make it",
        )),
        several => {
            let names: Vec<&str> = several.iter().map(|domain| domain.id().as_str()).collect();
            Err(Failure::usage(format!(
                "name the domain by --domain ID: there are {}",
                names.join(", ")
            )))
        }
    }
}

/// Every domain in order.
pub(crate) async fn domains(store: &SqlStore, named: Option<&DomainId>) -> Outcome<Vec<DomainId>> {
    if let Some(domain) = named {
        return Ok(vec![domain.clone()]);
    }
    let mut all: Vec<DomainId> = Vec::new();
    loop {
        let page = store.list_domains(all.last(), MAX_PAGE).await?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page.iter().map(|domain| domain.id().clone()));
    }
}

pub(crate) fn parse_domain(text: &str) -> Result<DomainId, String> {
    DomainId::parse(text).map_err(|error| error.to_string())
}
