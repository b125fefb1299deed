//! A server of many: 1,000 domains and 100,000 clients in SQLite. How long it takes to start, what it has resident idle
//! and after each client has asked once, and what a token costs of a client that was never seen beside one that was.
//!
//! The server is a process of its own; the targets are a start within two seconds and 1 KiB a client.

#[path = "many_clients/ask.rs"]
mod ask;
#[path = "server/nodes.rs"]
mod nodes;
#[path = "server.rs"]
mod server;

use ask::Connection;
use sealstone_identity::DomainId;
use sealstone_keyring::KeyStore as _;
use sealstone_oauth_types::ClientId;
use sealstone_registry::{
    ClientRegistration, ClientSecretText, ClientStore as _, Domain, DomainStore as _, Pepper, SecretSet,
};
use sealstone_storage::SqlStore;
use server::Process;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Targets, as the issue of the scale states them.
const MOST_START: Duration = Duration::from_secs(2);
const MOST_KIB_A_CLIENT: f64 = 1.0;

/// Writers at once, so that one commit serves many.
const WRITERS: usize = 64;
/// Connections that ask.
const ASKERS: usize = 8;

/// How many there are.
#[derive(Clone, Copy)]
struct Scale {
    domains: usize,
    clients: usize,
}

fn main() {
    let has = |flag: &str| std::env::args().any(|argument| argument == flag);
    let is_test = has("--test") || !has("--bench");
    let scale = if is_test {
        Scale {
            domains: 4,
            clients: 64,
        }
    } else {
        Scale {
            domains: 1_000,
            clients: 100_000,
        }
    };
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().canonicalize().expect("a path");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    drop(Server::start(&data));

    let began = Instant::now();
    runtime.block_on(fill(&data, scale));
    println!(
        "{} domains, {} clients kept in {:.1} s",
        scale.domains,
        scale.clients,
        began.elapsed().as_secs_f64()
    );

    let first = Server::start(&data);
    println!(
        "first start  {:.2} s until it serves, with the keys of the first domains",
        first.took.as_secs_f64()
    );
    let began = Instant::now();
    runtime.block_on(all_served(&data, scale));
    println!(
        "             {:.2} s more until the last of {} domains has its keys",
        began.elapsed().as_secs_f64(),
        scale.domains
    );
    drop(first);
    let server = Server::start(&data);
    println!(
        "start        {:.2} s (target {} s)",
        server.took.as_secs_f64(),
        MOST_START.as_secs()
    );
    let each = runtime.block_on(asked(
        "10,000 clients in memory at most, as configured by default",
        &server,
        &data,
        scale,
    ));
    drop(server);
    if !is_test {
        assert!(each <= MOST_KIB_A_CLIENT, "{each} KiB a client");
    }
    let server = Server::serve(&data, scale.clients);
    let _each = runtime.block_on(asked("all clients in memory", &server, &data, scale));
}

/// Waits until each domain has its keys, which the server makes while it serves.
async fn all_served(data: &Path, scale: Scale) {
    /// Little beside a key.
    const LOOK_EVERY: Duration = Duration::from_millis(100);
    let path = data.join("sealstone.db");
    let store = SqlStore::open(&*path).await.expect("a store");
    // And the demo's own.
    while store.domains().await.expect("a list").len() <= scale.domains {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    store.close().await;
}

/// What a server has resident before and after each client has asked; gives the KiB that a client took.
async fn asked(how: &str, server: &Server, data: &Path, scale: Scale) -> f64 {
    let idle = server.process.resident_kib();
    println!("{how}:");
    println!("  resident   {:.1} MiB idle", mib(idle));
    let [first, seen] = rounds(server, data, scale).await;
    let after = server.process.resident_kib();
    let each = (after.saturating_sub(idle)) as f64 / scale.clients as f64;
    println!(
        "  resident   {:.1} MiB after each client asked: {each:.2} KiB a client (target {MOST_KIB_A_CLIENT})",
        mib(after)
    );
    println!("  never seen {first:.1} us of the server's CPU a token");
    println!("  seen       {seen:.1} us");
    each
}

/// Each client asks once; then some of them again, and a third time: microseconds of the server's CPU for one, at first and
/// at the end.
async fn rounds(server: &Server, data: &Path, scale: Scale) -> [f64; 2] {
    let mut times = [0.0; 3];
    // What is seen twice is remembered before what is seen once: the second time makes it so.
    let again = scale.clients.min(4_000);
    for (time, count) in times.iter_mut().zip([scale.clients, again, again]) {
        let mut connections = Vec::new();
        for _ in 0..ASKERS {
            connections.push(Connection::open(&server.authority, data).await);
        }
        let before = server.process.cpu_ns();
        let mut tasks = JoinSet::new();
        for (asker, mut connection) in connections.into_iter().enumerate() {
            tasks.spawn(async move {
                for number in (0..count).rev().skip(asker).step_by(ASKERS) {
                    connection
                        .token(
                            &domain_of(number, scale),
                            &client(number),
                            secret(number).expose(),
                        )
                        .await;
                }
            });
        }
        tasks.join_all().await;
        *time = (server.process.cpu_ns() - before) as f64 / 1_000.0 / count as f64;
    }
    [times[0], times[2]]
}

/// Domains and clients with secrets, as many as said.
async fn fill(data: &Path, scale: Scale) {
    let store = Arc::new(
        SqlStore::open(&*data.join("sealstone.db"))
            .await
            .expect("a store"),
    );
    let pepper = fs::read_to_string(data.join("secrets/pepper")).expect("the pepper");
    let pepper = Arc::new(Pepper::from_hex(&pepper).expect("a pepper"));
    let mut tasks = JoinSet::new();
    for writer in 0..WRITERS {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            for number in (writer..scale.domains).step_by(WRITERS) {
                let id = domain_of(number, scale);
                let domain = Domain::new(DomainId::parse(&id).expect("an id"), &id, true).expect("a domain");
                let _ = store.insert_domain(domain).await.expect("kept");
            }
        });
    }
    tasks.join_all().await;
    let mut tasks = JoinSet::new();
    for writer in 0..WRITERS {
        let (store, pepper) = (Arc::clone(&store), Arc::clone(&pepper));
        tasks.spawn(async move {
            for number in (writer..scale.clients).step_by(WRITERS) {
                let registration = serde_json::json!({
                    "client_name": format!("Exporter {number}"),
                    "token_endpoint_auth_method": "client_secret_basic",
                    "grant_types": ["client_credentials"],
                    "scope": "metrics:read metrics:write",
                });
                let registration = ClientRegistration::from_json(registration.to_string().as_bytes());
                let client = registration.expect("a registration").into_client(
                    DomainId::parse(&domain_of(number, scale)).expect("an id"),
                    ClientId::parse(&client(number)).expect("an id"),
                    Some(SecretSet::new(secret(number).hash(&pepper), None)),
                    rustls_pki_types::UnixTime::now(),
                );
                let _ = store.insert(client.expect("a client")).await.expect("kept");
            }
        });
    }
    tasks.join_all().await;
}

fn domain_of(number: usize, scale: Scale) -> String {
    format!("domain-{:04}", number % scale.domains)
}

fn client(number: usize) -> String {
    format!("exporter-{number:06}")
}

fn secret(number: usize) -> ClientSecretText {
    let mut octets = [7; 32];
    octets[..8].copy_from_slice(&number.to_be_bytes());
    ClientSecretText::from_random(octets)
}

/// `sealstoned dev` over a folder.
struct Server {
    process: Process,
    authority: String,
    /// From the call of the program to its word that it serves.
    took: Duration,
}

impl Server {
    fn start(data: &Path) -> Self {
        // Built before the time counts.
        let _program = server::sealstoned();
        let began = Instant::now();
        let process = server::dev(data);
        let took = began.elapsed();
        let dev = fs::read(data.join("dev.json")).expect("dev.json");
        let dev: serde_json::Value = serde_json::from_slice(&dev).expect("JSON");
        Self {
            process,
            authority: server::authority(&dev["issuer"]),
            took,
        }
    }

    /// `sealstoned serve` over the data of a demo, with room in memory for so many clients.
    fn serve(data: &Path, entries: usize) -> Self {
        let [public, mutual] = nodes::free_ports();
        let config = format!(
            "[server]\nbase_url = 'https://localhost:{public}'\nmtls_base_url = 'https://localhost:{mutual}'\n\
             listen = '127.0.0.1:{public}'\nmtls_listen = '127.0.0.1:{mutual}'\nadmin_listen = 'off'\n\
             [tls]\ncertificate_file = 'certs/server.pem'\nkey_file = 'certs/server.key'\n\
             client_ca_files = ['ca/ca.pem']\ncrl_files = ['ca/crl.pem']\n\
             [storage]\npath = 'sealstone.db'\nclient_cache_entries = {entries}\n\
             [secrets]\npepper_file = 'secrets/pepper'\nkey_encryption_key_file = 'secrets/kek'\n\
             [limits]\ninsecure_unlimited_networks = ['127.0.0.0/8']\nrequests_per_s_per_client = 1000000\n\
             [audit]\npath = 'audit-serve.jsonl'\n"
        );
        let path = data.join("serve.toml");
        fs::write(&path, config).expect("a configuration");
        let began = Instant::now();
        let process = nodes::serve(&path, mutual, &[]);
        Self {
            process,
            authority: format!("127.0.0.1:{public}"),
            took: began.elapsed(),
        }
    }
}

fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}
