//! How long others' changes take while what has expired is forgotten, beside the same changes without: on SQLite and on
//! PostgreSQL, both flushed before a change is acknowledged.

#[path = "server/cpu.rs"]
mod cpu;
#[expect(dead_code, reason = "CPU time is not asked")]
#[path = "server/postgres.rs"]
mod postgres;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustls_pki_types::UnixTime;
use sealstone_identity::DomainId;
use sealstone_oauth_types::TokenId;
use sealstone_registry::{Domain, DomainStore as _};
use sealstone_storage::{PostgresConfig, SqlStore};
use sealstone_testkit::PostgresCluster;
use sealstone_tokens::{RevocationStore as _, RevokedToken};
use sqlx::{Connection as _, Executor as _};
use tokio::task::JoinSet;

/// As the server has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Who changes something meanwhile.
const CALLERS: usize = 8;
const EXPIRY: u64 = 1_700_000_000;

/// Distinct ids of the tokens that are revoked meanwhile.
static NEXT: AtomicU64 = AtomicU64::new(0);

fn main() {
    let is_test = !std::env::args().any(|argument| argument == "--bench");
    let (rounds, rows) = if is_test { (1, 2_500) } else { (5, 200_000) };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    println!(
        "{rows} expired rows forgotten, {rounds} rounds; ms that each of {CALLERS} callers' changes took meanwhile"
    );
    println!(
        "{:<12} {:>9} {:>22} {:>28} {:>28}",
        "", "round", "purge, s (rows/s)", "beside: p50, p99, worst", "without: p50, p99, worst"
    );
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("sealstone.db");
    let file = runtime.block_on(async { SqlStore::open(&*path).await.expect("a store") });
    for round in 0..rounds {
        runtime.block_on(fill_file(&path, &file, rows));
        runtime.block_on(measure("SQLite", round, &file, rows));
    }
    let Some(cluster) = postgres::durable() else {
        return;
    };
    let address = cluster.database();
    let config: PostgresConfig = address.parse().expect("an address");
    let shared = runtime.block_on(async { SqlStore::open(config).await.expect("a store") });
    for round in 0..rounds {
        fill_server(&cluster, &address, &runtime, &shared, rows);
        runtime.block_on(measure("PostgreSQL", round, &shared, rows));
    }
}

fn domain() -> DomainId {
    DomainId::parse("demo").expect("an id")
}

fn at(secs: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(secs))
}

async fn add_domain(store: &SqlStore) {
    let demo = Domain::new(domain(), "Demo", true).expect("a domain");
    // There already is as good.
    let _inserted = store.insert_domain(demo).await.expect("kept");
}

async fn fill_file(path: &Path, store: &SqlStore, rows: u64) {
    add_domain(store).await;
    let mut connection = sqlx::SqliteConnection::connect(&format!("sqlite://{}", path.display()))
        .await
        .expect("a connection");
    let fill = format!(
        "WITH RECURSIVE numbers (number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < {rows})
         INSERT INTO revoked_tokens (domain_id, token_id, expires_at) SELECT 'demo', 'old-' || number, {EXPIRY} FROM numbers"
    );
    connection
        .execute(sqlx::AssertSqlSafe(fill))
        .await
        .expect("filled");
    connection.close().await.expect("closed");
}

fn fill_server(
    cluster: &PostgresCluster,
    address: &str,
    runtime: &tokio::runtime::Runtime,
    store: &SqlStore,
    rows: u64,
) {
    runtime.block_on(add_domain(store));
    let (_, name) = address.rsplit_once('/').expect("a database");
    cluster.sql(
        name,
        &format!(
            "INSERT INTO revoked_tokens (domain_id, token_id, expires_at)
             SELECT 'demo', 'old-' || number, {EXPIRY} FROM generate_series(1, {rows}) AS number"
        ),
    );
}

async fn measure(name: &str, round: u64, store: &SqlStore, rows: u64) {
    let (took, beside) = changes_during(store, async {
        let began = Instant::now();
        let gone = store.purge(at(EXPIRY)).await.expect("forgotten");
        assert_eq!(gone, rows);
        began.elapsed()
    })
    .await;
    let (_, without) = changes_during(store, async {
        tokio::time::sleep(took).await;
    })
    .await;
    let took = took.as_secs_f64();
    println!(
        "{name:<12} {round:>9} {:>22} {:>28} {:>28}",
        format!("{took:.2} ({:.0})", rows as f64 / took),
        told(&beside),
        told(&without)
    );
}

/// How long each change took while that went on, sorted.
async fn changes_during<T>(store: &SqlStore, what: impl Future<Output = T>) -> (T, Vec<Duration>) {
    let ends = Arc::new(AtomicBool::new(false));
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let (store, ends) = (store.clone(), Arc::clone(&ends));
        callers.spawn(async move {
            let mut all = Vec::new();
            while !ends.load(Ordering::Relaxed) {
                let began = Instant::now();
                let number = NEXT.fetch_add(1, Ordering::Relaxed);
                let token = RevokedToken {
                    token_id: TokenId::parse(&format!("new-{number}")).expect("an id"),
                    expires_at: at(EXPIRY * 2),
                };
                store.revoke(&domain(), &token).await.expect("kept");
                all.push(began.elapsed());
            }
            all
        });
    }
    let answer = what.await;
    ends.store(true, Ordering::Relaxed);
    let mut all: Vec<Duration> = callers.join_all().await.into_iter().flatten().collect();
    all.sort_unstable();
    (answer, all)
}

fn told(all: &[Duration]) -> String {
    let at = |share: usize| all.get(all.len() * share / 100).or(all.last());
    let ms = |time: Option<&Duration>| time.map_or(0.0, |time| time.as_secs_f64() * 1e3);
    format!("{:.1}, {:.1}, {:.1}", ms(at(50)), ms(at(99)), ms(all.last()))
}
