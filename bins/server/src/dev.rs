//! `sealstoned dev`: from nothing to serving. Everything it makes lies in one folder and is kept from start to start.

mod banner;
mod certificates;
mod clients;

use crate::compose;
use crate::config::{
    AdminListen, AuditSection, Config, KeysSection, LimitsSection, LogSection, LogoutSection, PagesSection,
    ProfileName, SecretsSection, ServerSection, StorageSection, TlsSection,
};
use crate::run::{Listeners, Served, bind};
use crate::{faults, reload, secrets};
use anyhow::Context as _;
use sealstone_ca::files::{self, Access};
use sealstone_identity::DomainId;
use sealstone_registry::{Domain, DomainStore as _};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::future::Future;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// The demo's only domain.
const DOMAIN: &str = "demo";

/// What `dev` is asked for.
pub(crate) struct DevOptions {
    pub(crate) listen: SocketAddr,
    pub(crate) mtls_listen: SocketAddr,
    pub(crate) admin_listen: Option<SocketAddr>,
    pub(crate) data: PathBuf,
    pub(crate) fapi: bool,
}

/// `dev.json`: where the demo is and who may use it. Paths are absolute.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct DevFile {
    pub(crate) issuer: String,
    pub(crate) mtls_base: String,
    pub(crate) ca: PathBuf,
    pub(crate) clients: Vec<DevClient>,
}

/// One client of the demo.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct DevClient {
    pub(crate) name: String,
    pub(crate) client_id: String,
    pub(crate) auth: String,
    pub(crate) cert: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
    pub(crate) client_secret: Option<String>,
    pub(crate) scope: String,
}

/// Makes what is missing, serves, and says how to use it.
pub(crate) async fn run(options: DevOptions, shutdown: impl Future<Output = ()>) -> anyhow::Result<()> {
    let reloads = reload::requests()?;
    files::create_folder(&options.data, Access::Private)?;
    let data = options.data.canonicalize().context("the data folder")?;
    let _lock = lock(&data)?;
    let public = bind("--listen", options.listen).await?;
    let mtls = bind("--mtls-listen", options.mtls_listen).await?;
    let admin = match options.admin_listen {
        Some(address) => Some(bind("--admin-listen", address).await?),
        None => None,
    };
    let (public_address, mtls_address) = (public.local_addr()?, mtls.local_addr()?);
    for name in ["pepper", "kek"] {
        files::create_folder(&data.join("secrets"), Access::Private)?;
        secrets::make_unless_there(&data.join("secrets").join(name))?;
    }
    let made = certificates::make(&data, &[public_address.ip(), mtls_address.ip()])?;
    let mut config = config(&data, public_address, mtls_address);
    if options.fapi {
        config.tls.profile = ProfileName::Fapi;
    }
    let composition = compose::compose(&config).map_err(|found| faults(&found))?;
    let served = Served::open(&config, composition).await?;
    add_domain(&served).await?;
    let before = read_dev_file(&data);
    let clients = clients::register(&served, &config, &made, before.as_ref()).await?;
    let file = DevFile {
        issuer: format!("{}/v4/oauth2/{DOMAIN}", config.server.base_url),
        mtls_base: config.server.mtls_base_url.clone().unwrap_or_default(),
        ca: made.ca,
        clients,
    };
    let json = serde_json::to_vec_pretty(&file)?;
    files::replace(&data.join("dev.json"), &json, Access::Private)?;
    banner::print(&file, &data)?;
    served
        .run(
            &config,
            Listeners {
                public,
                mtls: Some(mtls),
                admin,
            },
            reloads,
            shutdown,
        )
        .await
}

/// Held until the process ends, however it does: two at once would write one `dev.json`.
fn lock(data: &Path) -> anyhow::Result<File> {
    let path = data.join("dev.lock");
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .with_context(|| format!("{} can't be opened", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => anyhow::bail!(
            "another `sealstoned dev` uses {}: stop it, or choose another folder with --data",
            data.display()
        ),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("{} can't be locked", path.display()))
        }
    }
}

fn config(data: &Path, public: SocketAddr, mtls: SocketAddr) -> Config {
    Config {
        server: ServerSection {
            base_url: format!("https://{public}"),
            mtls_base_url: Some(format!("https://{mtls}")),
            listen: public,
            mtls_listen: Some(mtls),
            admin_listen: AdminListen::Off,
        },
        tls: TlsSection {
            certificate_file: data.join("certs/server.pem"),
            key_file: data.join("certs/server.key"),
            profile: ProfileName::Modern,
            versions: Vec::new(),
            cipher_suites: Vec::new(),
            client_ca_files: vec![data.join("ca/ca.pem")],
            crl_files: vec![data.join("ca/crl.pem")],
            dangerous_accept_missing_crl: false,
            dangerous_accept_expired_crl: false,
            ticket_lifetime_s: 3600,
        },
        storage: StorageSection {
            path: data.join("sealstone.db"),
            client_cache_entries: 10_000,
        },
        secrets: SecretsSection {
            pepper_file: data.join("secrets/pepper"),
            key_encryption_key_file: data.join("secrets/kek"),
        },
        keys: KeysSection::default(),
        // Everybody here is this machine: a limit by address would limit all of them together.
        limits: LimitsSection {
            insecure_unlimited_networks: vec!["127.0.0.0/8".to_owned(), "::1/128".to_owned()],
            ..LimitsSection::default()
        },
        proxy: None,
        keystone: None,
        people: None,
        people_of: BTreeMap::new(),
        logout: LogoutSection::default(),
        pages: PagesSection::default(),
        audit: AuditSection {
            path: Some(data.join("audit.jsonl")),
        },
        log: LogSection::default(),
    }
}

async fn add_domain(served: &Served) -> anyhow::Result<()> {
    let domain = Domain::new(DomainId::parse(DOMAIN)?, "Demo", true)?;
    // Already there is as good.
    let _insertion = served.store.insert_domain(domain).await?;
    served.provider.maintain().await?;
    Ok(())
}

fn read_dev_file(data: &Path) -> Option<DevFile> {
    let text = files::read_private(&data.join("dev.json")).ok()?;
    serde_json::from_str(&text).ok()
}
