//! A second server over the same demo, beside something that answers as Keystone does, and a client of it that is tied
//! to an application credential whose secret is sealed.

use crate::process::{Server, Trail};
use rustls_pki_types::UnixTime;
use sealstone_identity::DomainId;
use sealstone_keyring::{KeyEncryptionKey, SecretPlace, SecretPurpose};
use sealstone_oauth_types::ClientId;
use sealstone_registry::{ClientRegistration, ClientStore as _, Insertion, SealedSecret};
use sealstone_storage::SqlStore;
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

/// The client that is tied.
pub(crate) const CLIENT: &str = "machine-tied";

/// The subject of the demo's machine.
const SUBJECT: &str = "CN=machine,O=Sealstone Demo";

/// Answers each request in Keystone's words, on a thread a connection.
pub(crate) struct Keystone {
    pub(crate) url: String,
    logins: Arc<AtomicU64>,
}

impl Keystone {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let logins = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&logins);
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let counted = Arc::clone(&counted);
                std::thread::spawn(move || answer_all(&connection, &counted));
            }
        });
        Self {
            url: format!("http://{address}/v3"),
            logins,
        }
    }

    /// How often an application credential was shown.
    pub(crate) fn logins(&self) -> u64 {
        self.logins.load(Ordering::Relaxed)
    }
}

fn answer_all(connection: &TcpStream, logins: &AtomicU64) -> Option<()> {
    let mut reader = BufReader::new(connection);
    loop {
        let (mut line, mut length) = (String::new(), 0);
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let is_login = line.starts_with("POST /v3/auth/tokens");
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).ok().filter(|read| *read > 2)?;
            let lower = header.to_ascii_lowercase();
            if let Some(value) = lower.strip_prefix("content-length:") {
                length = value.trim().parse().expect("a number");
            }
            if reader.buffer().starts_with(b"\r\n") {
                reader.consume(2);
                break;
            }
        }
        reader.read_exact(&mut vec![0; length]).ok()?;
        let body = token().to_string();
        let (status, subject) = if is_login {
            logins.fetch_add(1, Ordering::Relaxed);
            ("201 Created", "X-Subject-Token: gAAAA-of-the-credential\r\n")
        } else {
            ("200 OK", "")
        };
        let head = format!(
            "HTTP/1.1 {status}\r\n{subject}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let mut connection = connection;
        connection.write_all((head + &body).as_bytes()).ok()?;
    }
}

fn token() -> Value {
    let now = OffsetDateTime::now_utc();
    let iso = |moment: OffsetDateTime| moment.format(&Rfc3339).expect("a date");
    let domain = json!({"id": "default", "name": "Default"});
    json!({"token": {
        "methods": ["application_credential"],
        "user": {"id": "u1", "name": "exporter", "domain": domain, "password_expires_at": null},
        "project": {"id": "p1", "name": "metrics", "domain": domain},
        "is_domain": false,
        "roles": [{"id": "r1", "name": "reader"}],
        "application_credential": {"id": "ac1", "name": "exporter", "restricted": true},
        "audit_ids": ["3T2dc1CGQxyJsHdDu1xkcw"],
        "issued_at": iso(now),
        "expires_at": iso(now + Duration::HOUR),
    }})
}

/// A server over the demo's data that stands beside this Keystone.
pub(crate) async fn server(demo: &Server, keystone: &Keystone, trail: Trail) -> Server {
    trail.lay(&demo.data.join("audit-tied.jsonl"));
    register(&demo.data).await;
    let [public, mtls] = [free_port(), free_port()];
    let config = format!(
        "[server]\nbase_url = 'https://localhost:{public}'\nmtls_base_url = 'https://localhost:{mtls}'\n\
         listen = '127.0.0.1:{public}'\nmtls_listen = '127.0.0.1:{mtls}'\nadmin_listen = 'off'\n\
         [tls]\ncertificate_file = 'certs/server.pem'\nkey_file = 'certs/server.key'\n\
         client_ca_files = ['ca/ca.pem']\ncrl_files = ['ca/crl.pem']\n\
         [storage]\npath = 'sealstone.db'\n\
         [secrets]\npepper_file = 'secrets/pepper'\nkey_encryption_key_file = 'secrets/kek'\n\
         [limits]\ninsecure_unlimited_networks = ['127.0.0.0/8']\nrequests_per_s_per_client = 1000000\n\
         [keystone]\nurl = '{}'\ndangerous_plain_http = true\n\
         [audit]\npath = 'audit-tied.jsonl'\n",
        keystone.url
    );
    let path = demo.data.join("beside.toml");
    fs::write(&path, config).expect("a configuration");
    Server::beside(&path, &demo.data, public, mtls)
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

/// As `sealstone client create` does it.
async fn register(data: &Path) {
    let document = json!({
        "token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_subject_dn": SUBJECT,
        "scope": "openstack:api", "openstack_application_credential_id": "ac1",
        "openstack_application_credential_secret": "the credential's secret",
    });
    let document = serde_json::to_vec(&document).expect("JSON");
    let kek = fs::read_to_string(data.join("secrets/kek")).expect("the key-encryption key");
    let kek = KeyEncryptionKey::parse(&kek).expect("a key");
    let place = SecretPlace {
        purpose: SecretPurpose::ApplicationCredential,
        domain: "demo",
        client: CLIENT,
    };
    let mut registration = ClientRegistration::from_json(&document).expect("a registration");
    registration
        .seal_application_credential_secret(|secret| {
            let sealed = kek.seal_secret(place, secret.expose()).expect("sealed");
            SealedSecret::parse(&sealed)
        })
        .expect("sealed");
    let (domain, id) = (DomainId::parse("demo"), ClientId::parse(CLIENT));
    let client = registration
        .into_client(domain.expect("an id"), id.expect("an id"), None, UnixTime::now())
        .expect("a client");
    let store = SqlStore::open(&data.join("sealstone.db"))
        .await
        .expect("the store");
    assert!(matches!(store.insert(client).await, Ok(Insertion::Inserted)));
    store.close().await;
}
