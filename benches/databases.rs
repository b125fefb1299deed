//! What must be written, through the ports, on SQLite and on PostgreSQL beside each other: codes redeemed, refresh tokens
//! rotated, clients registered, tokens revoked; and a client read that no cache has. Each change is acknowledged when it
//! is on the disk, on both.
//!
//! Counted are the wall time of a call, and the CPU time of this process and of PostgreSQL's.

#[path = "server/cpu.rs"]
mod cpu;
#[path = "server/postgres.rs"]
mod postgres;
#[path = "refresh_tokens/records.rs"]
mod records;

use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use sealstone_grants::code::{CodeStore as _, Redeemed};
use sealstone_grants::refresh::{RefreshStore as _, Rotation};
use sealstone_identity::DomainId;
use sealstone_oauth_types::{ClientId, TokenId};
use sealstone_registry::{
    Client, ClientRegistration, ClientSecretText, ClientStore as _, Domain, DomainStore as _, Insertion,
    Pepper, SecretSet,
};
use sealstone_storage::{PostgresConfig, SqlStore};
use sealstone_testkit::PostgresCluster;
use sealstone_tokens::{RevocationStore as _, RevokedToken};
use tokio::task::JoinSet;

/// As the server has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Requests under way at once: a busy server's, and one's alone.
const CALLERS: [usize; 2] = [64, 1];

fn main() {
    let is_test = !std::env::args().any(|argument| argument == "--bench");
    let (rounds, calls) = if is_test { (1, 64) } else { (9, 3_200) };
    let Some(cluster) = postgres::durable() else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    runtime.block_on(async {
        let file = SqlStore::open(&*folder.path().join("sealstone.db"))
            .await
            .expect("a store");
        let config: PostgresConfig = cluster.database().parse().expect("an address");
        let shared = SqlStore::open(config).await.expect("a store");
        let stores = [Arc::new(file), Arc::new(shared)];
        for store in &stores {
            let demo = Domain::new(domain(), "Demo", true).expect("a domain");
            let inserted = store.insert_domain(demo).await.expect("kept");
            assert_eq!(inserted, Insertion::Inserted);
        }
        let mut all: Vec<Measured> = Vec::new();
        for round in 0..rounds {
            // The first few of a round are one caller's, the others those of many.
            let first = (round * calls) as u64;
            let numbers: Vec<u64> = (first..first + calls as u64).collect();
            let (few, many) = numbers.split_at(calls / 16);
            for work in Work::ALL {
                for callers in CALLERS {
                    let own = if callers == 1 { few } else { many };
                    for (place, store) in stores.iter().enumerate() {
                        let cost = measure(store, &cluster, work, own, callers).await;
                        note(&mut all, work, callers, place, cost);
                    }
                }
            }
        }
        for store in &stores {
            store.check_integrity().await.expect("whole");
        }
        report(&all, rounds);
        for store in &stores {
            store.close().await;
        }
    });
}

#[derive(Clone, Copy, PartialEq)]
enum Work {
    Register,
    Read,
    Redeem,
    Rotate,
    Revoke,
}

impl Work {
    const ALL: [Self; 5] = [
        Self::Register,
        Self::Read,
        Self::Redeem,
        Self::Rotate,
        Self::Revoke,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Register => "client registered",
            Self::Read => "client read, not from a cache",
            Self::Redeem => "code kept and redeemed (two writes)",
            Self::Rotate => "refresh token rotated",
            Self::Revoke => "token revoked",
        }
    }

    async fn call(self, store: &SqlStore, number: u64) {
        match self {
            Self::Register => {
                let done = store.insert(client(number)).await.expect("kept");
                assert_eq!(done, Insertion::Inserted);
            }
            Self::Read => {
                let found = store.client(&client_id(number)).await.expect("a store");
                assert!(found.is_some(), "it was registered");
            }
            Self::Redeem => {
                store.insert_code(records::code(number)).await.expect("kept");
                let hash = records::hash(number);
                let code = store.code(&hash).await.expect("a store").expect("kept");
                assert_eq!(code.record.hash, hash);
                let redeemed = store
                    .redeem(&hash, &records::redemption(number), records::now())
                    .await;
                assert_eq!(redeemed.expect("a store"), Redeemed::Done);
            }
            Self::Rotate => {
                let family = store.family(&records::family_id(number)).await;
                let family = family.expect("a store").expect("kept");
                let rotated = store.rotate(&records::rotation(*family)).await;
                assert_eq!(rotated.expect("a store"), Rotation::Rotated);
            }
            Self::Revoke => {
                let token = RevokedToken {
                    token_id: TokenId::parse(&format!("{number:022x}")).expect("an id"),
                    expires_at: records::at(1_800_000_900),
                };
                store.revoke(&domain(), &token).await.expect("kept");
            }
        }
    }
}

/// Microseconds a call.
#[derive(Clone, Copy)]
struct Cost {
    wall: f64,
    own: f64,
    server: f64,
    /// Octets of PostgreSQL's log: what a replica gets.
    log: f64,
}

struct Measured {
    work: Work,
    callers: usize,
    /// On SQLite, on PostgreSQL.
    costs: [Vec<Cost>; 2],
}

fn note(all: &mut Vec<Measured>, work: Work, callers: usize, place: usize, cost: Cost) {
    let known = all
        .iter()
        .position(|one| one.work == work && one.callers == callers);
    let at = known.unwrap_or_else(|| {
        all.push(Measured {
            work,
            callers,
            costs: [Vec::new(), Vec::new()],
        });
        all.len() - 1
    });
    all[at].costs[place].push(cost);
}

async fn measure(
    store: &Arc<SqlStore>,
    cluster: &PostgresCluster,
    work: Work,
    numbers: &[u64],
    callers: usize,
) -> Cost {
    let log = log_octets(cluster);
    let before = (Instant::now(), process_cpu(), postgres::cpu_ns(cluster));
    let mut tasks = JoinSet::new();
    for caller in 0..callers {
        let store = Arc::clone(store);
        let own: Vec<u64> = numbers.iter().copied().skip(caller).step_by(callers).collect();
        tasks.spawn(async move {
            for number in own {
                work.call(&store, number).await;
            }
        });
    }
    tasks.join_all().await;
    let each = |time: Duration| time.as_secs_f64() * 1e6 / numbers.len() as f64;
    let wall = each(before.0.elapsed());
    let own = each(process_cpu() - before.1);
    let server = postgres::cpu_ns(cluster).saturating_sub(before.2);
    Cost {
        wall,
        own,
        server: each(Duration::from_nanos(server)),
        log: (log_octets(cluster) - log) / numbers.len() as f64,
    }
}

/// How much PostgreSQL has logged so far.
fn log_octets(cluster: &PostgresCluster) -> f64 {
    let told = cluster.ask("postgres", "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn");
    told.parse().expect("a number")
}

fn report(all: &[Measured], rounds: usize) {
    println!("\nmicroseconds a call, median of {rounds} interleaved rounds");
    println!(
        "{:<38} {:>7} | {:>9} {:>8} {:>8} | {:>9} {:>8} {:>8} {:>8} | {:>6} {:>8}",
        "", "callers", "SQLite/s", "wall", "CPU", "PostgreSQL/s", "wall", "CPU", "its CPU", "wall x", "log"
    );
    for one in all {
        let of = |place: usize, part: fn(&Cost) -> f64| median(one.costs[place].iter().map(part).collect());
        let (file, shared) = (of(0, |cost| cost.wall), of(1, |cost| cost.wall));
        println!(
            "{:<38} {:>7} | {:9.0} {file:8.0} {:8.0} | {:12.0} {shared:8.0} {:8.0} {:8.0} | {:6.2} {:8.0}",
            one.work.name(),
            one.callers,
            1e6 / file,
            of(0, |cost| cost.own),
            1e6 / shared,
            of(1, |cost| cost.own),
            of(1, |cost| cost.server),
            shared / file,
            of(1, |cost| cost.log)
        );
    }
}

fn domain() -> DomainId {
    DomainId::parse("demo").expect("an id")
}

fn client_id(number: u64) -> ClientId {
    ClientId::parse(&format!("exporter-{number:06}")).expect("an id")
}

fn client(number: u64) -> Client {
    let registration = serde_json::json!({
        "client_name": format!("Exporter {number}"),
        "token_endpoint_auth_method": "client_secret_basic",
        "grant_types": ["client_credentials"],
        "scope": "metrics:read metrics:write",
    });
    let registration = ClientRegistration::from_json(registration.to_string().as_bytes());
    let hash = ClientSecretText::from_random([7; 32]).hash(&Pepper::from_bytes([7; 32]));
    let client = registration.expect("a registration").into_client(
        domain(),
        client_id(number),
        Some(SecretSet::new(hash, None)),
        records::now(),
    );
    client.expect("a client")
}

fn process_cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(time).expect("a time since the process began")
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
