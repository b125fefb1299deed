//! Nodes on a database, and the clients that are registered there.

use std::fs;
use std::path::{Path, PathBuf};

use sealstone_identity::DomainId;
use sealstone_oauth_types::ClientId;
use sealstone_registry::{
    ClientRegistration, ClientSecretText, ClientStore as _, Domain, DomainStore as _, Pepper, SecretSet,
};
use sealstone_storage::{PostgresConfig, SqlStore};
use sealstone_testkit::TestCa;
use serde_json::json;

use crate::nodes::{free_ports, serve};
use crate::server::Process;

/// What all deployments share: certificates, secrets, a client of each kind.
pub(crate) struct Shared {
    folder: tempfile::TempDir,
    pepper: [u8; 32],
}

impl Shared {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let ca = TestCa::new("Machines");
        let (own, client) = (ca.server(), ca.client("machine"));
        let this = Self {
            folder,
            pepper: octets(11),
        };
        for (name, text) in [
            ("ca.pem", ca.pem()),
            ("server.pem", own.chain_pem()),
            ("server.key", own.key_pem()),
            ("machine.pem", client.chain_pem()),
            ("machine.key", client.key_pem()),
            ("pepper", hex(octets(11))),
            ("kek", hex(octets(13))),
            ("secret", secret().expose().to_owned()),
        ] {
            let path = this.path(name);
            fs::write(&path, text).expect("a file");
            private(&path);
        }
        this
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A domain, a client with a secret and one with a certificate.
    async fn fill(&self, store: &SqlStore) {
        let demo = DomainId::parse("demo").expect("an id");
        let domain = Domain::new(demo.clone(), "Demo", true).expect("a domain");
        let _inserted = store.insert_domain(domain).await.expect("kept");
        let by_secret = json!({
            "token_endpoint_auth_method": "client_secret_basic",
            "introspection": "domain",
            "grant_types": ["client_credentials"],
            "scope": "metrics:read",
        });
        let by_certificate = json!({
            "token_endpoint_auth_method": "tls_client_auth",
            "tls_client_auth_subject_dn": "CN=machine",
            "tls_client_certificate_bound_access_tokens": true,
            "grant_types": ["client_credentials"],
            "scope": "metrics:read",
        });
        let hash = secret().hash(&Pepper::from_bytes(self.pepper));
        let secrets = Some(SecretSet::new(hash, None));
        for (id, registration, secrets) in [
            ("by-secret", by_secret, secrets),
            ("by-certificate", by_certificate, None),
        ] {
            let registration = ClientRegistration::from_json(registration.to_string().as_bytes());
            let client = registration.expect("a registration").into_client(
                demo.clone(),
                ClientId::parse(id).expect("an id"),
                secrets,
                rustls_pki_types::UnixTime::now(),
            );
            let _inserted = store.insert(client.expect("a client")).await.expect("kept");
        }
        store.close().await;
    }
}

/// So many nodes.
pub(crate) struct Deployment {
    pub(crate) nodes: Vec<Node>,
    base: u16,
}

pub(crate) struct Node {
    pub(crate) process: Process,
    public: u16,
    mutual: u16,
}

impl Deployment {
    pub(crate) async fn on_sqlite(shared: &Shared) -> Self {
        let path = shared.path("sealstone.db");
        shared.fill(&SqlStore::open(&*path).await.expect("a store")).await;
        private(&path);
        Self::start(
            shared,
            1,
            "file",
            &format!("[storage]\npath = '{}'\n", path.display()),
        )
    }

    pub(crate) async fn on_postgres(shared: &Shared, url: &str, count: usize) -> Self {
        let config: PostgresConfig = url.parse().expect("an address");
        shared.fill(&SqlStore::open(config).await.expect("a store")).await;
        let storage = format!("[storage.postgres]\nurl = '{url}'\n");
        Self::start(shared, count, "server", &storage)
    }

    fn start(shared: &Shared, count: usize, name: &str, storage: &str) -> Self {
        let ports: Vec<[u16; 2]> = (0..count).map(|_| free_ports()).collect();
        let [base, mutual_base] = ports[0];
        let config = shared.path(&format!("{name}.toml"));
        let text = format!(
            "[server]\nbase_url = 'https://localhost:{base}'\nmtls_base_url = 'https://localhost:{mutual_base}'\n\
             listen = '127.0.0.1:{base}'\nmtls_listen = '127.0.0.1:{mutual_base}'\nadmin_listen = 'off'\n\
             [tls]\ncertificate_file = 'server.pem'\nkey_file = 'server.key'\nclient_ca_files = ['ca.pem']\n\
             {storage}\
             [secrets]\npepper_file = 'pepper'\nkey_encryption_key_file = 'kek'\n\
             [audit]\npath = 'audit.jsonl'\n\
             [limits]\ninsecure_unlimited_networks = ['127.0.0.0/8']\nrequests_per_s_per_client = 1000000\n\
             [log]\nlevel = 'warn'\n"
        );
        fs::write(&config, text).expect("a configuration");
        let nodes = ports.iter().enumerate().map(|(place, [public, mutual])| {
            let variables = [
                ("SEALSTONE__SERVER__LISTEN", format!("127.0.0.1:{public}")),
                ("SEALSTONE__SERVER__MTLS_LISTEN", format!("127.0.0.1:{mutual}")),
                (
                    "SEALSTONE__AUDIT__PATH",
                    shared
                        .path(&format!("{name}-{place}.jsonl"))
                        .display()
                        .to_string(),
                ),
            ];
            Node {
                process: serve(&config, *mutual, &variables),
                public: *public,
                mutual: *mutual,
            }
        });
        Self {
            nodes: nodes.collect(),
            base,
        }
    }

    /// As clients know it.
    pub(crate) fn issuer(&self) -> String {
        format!("https://localhost:{}/v4/oauth2/demo", self.base)
    }

    /// Where the first nodes are.
    pub(crate) fn addresses(&self, count: usize, by_certificate: bool) -> Vec<String> {
        let port = |node: &Node| if by_certificate { node.mutual } else { node.public };
        let nodes = self.nodes.iter().take(count);
        nodes.map(|node| format!("127.0.0.1:{}", port(node))).collect()
    }

    pub(crate) fn cpu_ns(&self) -> u64 {
        self.nodes.iter().map(|node| node.process.cpu_ns()).sum()
    }
}

fn secret() -> ClientSecretText {
    ClientSecretText::from_random([7; 32])
}

/// No secret, and like one: a server refuses what it sees is none.
fn octets(step: u8) -> [u8; 32] {
    let mut last = step;
    [(); 32].map(|()| {
        last = last.wrapping_mul(step).wrapping_add(113);
        last
    })
}

fn hex(octets: [u8; 32]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn private(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("a mode");
}
