//! `sealstoned dev`: from nothing to serving. Everything it makes lies in one folder and is kept from start to start.

mod banner;
mod certificates;
mod clients;
mod people;
mod relying_party;

use crate::compose;
use crate::config::{
    AdminListen, AdministrationSection, AuditSection, Config, FirstFactor, KeysSection, LimitsSection,
    LogSection, LogoutSection, PagesSection, PeopleProfile, PeopleSection, ProfileName, SecretsSection,
    ServerSection, SourceName, StorageSection, TlsSection,
};
use crate::reload::Source;
use crate::run::{Listeners, Served, bind, local_socket};
use crate::{faults, reload, secrets};
use anyhow::Context as _;
use clients::RelyingParty;
use sealstone_ca::files::{self, Access};
use sealstone_identity::DomainId;
use sealstone_login::{Enrolment, FactorKind, SecondFactor};
use sealstone_registry::{Domain, DomainStore as _};
use sealstone_tls::{ServeLimits, serve_plain};
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
    pub(crate) localhost: bool,
}

/// `dev.json`: where the demo is and who may use it. Paths are absolute.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct DevFile {
    pub(crate) issuer: String,
    pub(crate) mtls_base: String,
    pub(crate) ca: PathBuf,
    pub(crate) clients: Vec<DevClient>,
    #[serde(default)]
    pub(crate) users: Vec<DevUser>,
    /// A page of a client, to sign in to.
    #[serde(default)]
    pub(crate) relying_party: String,
}

/// Somebody who can sign in at the demo.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct DevUser {
    pub(crate) name: String,
    pub(crate) password: String,
    /// The secret of the authenticator app, in base32, for who has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) totp_secret: Option<String>,
}

impl std::fmt::Debug for DevUser {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("DevUser")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
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
    let party = bind(
        "the demo's relying party",
        SocketAddr::from((options.listen.ip(), 0)),
    )
    .await?;
    let party_address = party.local_addr()?;
    let (public_address, mtls_address) = (public.local_addr()?, mtls.local_addr()?);
    for name in ["pepper", "kek"] {
        files::create_folder(&data.join("secrets"), Access::Private)?;
        secrets::make_unless_there(&data.join("secrets").join(name))?;
    }
    let made = certificates::make(&data, &[public_address.ip(), mtls_address.ip()])?;
    let mut config = config(&data, public_address, mtls_address);
    if options.localhost {
        config.server.base_url = format!("https://localhost:{}", public_address.port());
        config.people = Some(with_passkeys());
    }
    if options.fapi {
        config.tls.profile = ProfileName::Fapi;
    }
    let composition = compose::compose(&config).map_err(|found| faults(&found))?;
    let served = Served::open(&config, composition).await?;
    add_domain(&served).await?;
    let before = read_dev_file(&data);
    let clients = clients::register(
        &served,
        &config,
        &made,
        &RelyingParty::at(party_address),
        before.as_ref(),
    )
    .await?;
    let users = people::register(&served, &config, before.as_ref()).await?;
    let file = DevFile {
        issuer: format!("{}/v4/oauth2/{DOMAIN}", config.server.base_url),
        mtls_base: config.server.mtls_base_url.clone().unwrap_or_default(),
        ca: made.ca,
        clients,
        users,
        relying_party: format!("http://{party_address}/"),
    };
    let json = serde_json::to_vec_pretty(&file)?;
    files::replace(&data.join("dev.json"), &json, Access::Private)?;
    banner::print(&file, &data)?;
    let pages = relying_party::router(&file, RelyingParty::at(party_address))?;
    let pages = serve_plain(party, pages, ServeLimits::default(), std::future::pending());
    let administration = local_socket(&config)?;
    let serving = served.run(
        config,
        Source::Made,
        Listeners {
            public,
            mtls: Some(mtls),
            admin,
            administration,
        },
        reloads,
        shutdown,
    );
    tokio::select! {
        ended = serving => ended,
        () = pages => Ok(()),
    }
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

/// What a socket's path may have, less what is behind it while it is made: 108 octets in all.
const LONGEST_SOCKET: usize = 90;

fn config(data: &Path, public: SocketAddr, mtls: SocketAddr) -> Config {
    Config {
        server: ServerSection {
            base_url: format!("https://{public}"),
            mtls_base_url: Some(format!("https://{mtls}")),
            listen: public,
            mtls_listen: Some(mtls),
            admin_listen: AdminListen::Off,
            shutdown_delay_s: 0,
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
            path: Some(data.join("sealstone.db")),
            client_cache_entries: 10_000,
            postgres: None,
        },
        secrets: SecretsSection {
            pepper_file: data.join("secrets/pepper"),
            key_encryption_key_file: Some(data.join("secrets/kek")),
            key_encryption_key: None,
        },
        pkcs11: None,
        keys: KeysSection::default(),
        // Everybody here is this machine: a limit by address would limit all of them together.
        limits: LimitsSection {
            insecure_unlimited_networks: vec!["127.0.0.0/8".to_owned(), "::1/128".to_owned()],
            // One client is tried here with as much as the machine gives.
            requests_per_s_per_client: 1_000_000,
            request_burst_per_client: 1_000_000,
            ..LimitsSection::default()
        },
        proxy: None,
        keystone: None,
        people: Some(people_section()),
        people_of: BTreeMap::new(),
        administration: Some(AdministrationSection {
            socket: Some(data.join("admin.sock")).filter(|path| path.as_os_str().len() <= LONGEST_SOCKET),
            ..AdministrationSection::default()
        }),
        registration: None,
        registration_of: BTreeMap::new(),
        logout: LogoutSection::default(),
        pages: PagesSection::default(),
        audit: AuditSection {
            path: Some(data.join("audit.jsonl")),
            ..AuditSection::default()
        },
        log: LogSection::default(),
        traces: None,
    }
}

/// People of the embedded directory. A passkey needs a host name, and the demo has an address.
fn people_section() -> PeopleSection {
    PeopleSection {
        source: SourceName::Directory,
        service_name: "Sealstone demo".to_owned(),
        profile: PeopleProfile::Standard,
        first_factors: vec![FirstFactor::Password],
        second_factor: SecondFactor::WhenEnrolled,
        second_factors: vec![FactorKind::Totp, FactorKind::Recovery],
        enrolment: Enrolment::Beforehand,
        session_idle_s: 8 * 3600,
        session_lifetime_s: 7 * 86_400,
        email_is_verified: false,
        keystone_domain_id: None,
        privacyidea: None,
        upstream: None,
    }
}

/// The same where there is a name.
fn with_passkeys() -> PeopleSection {
    PeopleSection {
        first_factors: vec![FirstFactor::Password, FirstFactor::Passkey],
        second_factors: vec![FactorKind::Passkey, FactorKind::Totp, FactorKind::Recovery],
        ..people_section()
    }
}

async fn add_domain(served: &Served) -> anyhow::Result<()> {
    let id = DomainId::parse(DOMAIN)?;
    let domain = Domain::new(id.clone(), "Demo", true)?;
    // Already there is as good.
    let _insertion = served.store.insert_domain(domain).await?;
    let _changes = served.provider.keep_keys(&id).await?;
    Ok(())
}

fn read_dev_file(data: &Path) -> Option<DevFile> {
    let text = files::read_private(&data.join("dev.json")).ok()?;
    serde_json::from_str(&text).ok()
}
