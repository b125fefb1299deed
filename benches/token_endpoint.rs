//! The token endpoint of the whole server, with a secret, with a certificate, and for a client that is tied to Keystone,
//! beside its floor in the same run: the same TLS and HTTP stack that answers one ES256 signature, in as many octets and
//! with the same header fields, and does nothing else. Counted is the CPU time of the server's process alone; the load
//! comes from this one. Resident memory is printed too, and what a login page takes.

#[path = "token_endpoint/floor.rs"]
mod floor;
#[path = "token_endpoint/load.rs"]
mod load;
#[path = "token_endpoint/process.rs"]
mod process;
#[path = "server.rs"]
mod server;
#[path = "token_endpoint/tied.rs"]
mod tied;

use criterion::Criterion;
use load::{Connection, Load};
use process::Server;
use std::path::Path;

/// As the server has it: the floor is this program too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Connections kept open under load.
const CONNECTIONS: usize = 8;
/// The memory target is stated for so many.
const MANY_CONNECTIONS: usize = 256;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == floor::FLAG) {
        let [data, answer, path] = &arguments[at + 1..] else {
            panic!("the floor's data folder, the answer's file, and the path");
        };
        floor::run(Path::new(data), Path::new(answer), path);
        return;
    }
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    // Only tried, as `cargo test` and `cargo bench -- --test` do.
    let is_test = has("--test") || !has("--bench");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let real = Server::sealstoned();
    let idle = real.resident_kib();
    let keystone = tied::Keystone::start();
    let beside = runtime.block_on(tied::server(&real, &keystone));
    let (rounds, requests) = if is_test { (1, 50) } else { (rounds(), 4_000) };

    let loads = [
        (Load::Secret, &real),
        (Load::Certificate, &real),
        (Load::Tied, &beside),
    ];
    let tied = runtime.block_on(Connection::open_many(&beside, Load::Tied, CONNECTIONS));
    assert_eq!(
        keystone.logins(),
        1,
        "a cold identity is one call, and a warm one none"
    );
    drop(tied);
    let mut criterion = Criterion::default().configure_from_args();
    for (kind, server) in loads {
        let mut connections = runtime.block_on(Connection::open_many(server, kind, 1));
        let connection = connections.first_mut().expect("a connection");
        criterion.bench_function(&format!("token_endpoint/{}", kind.name()), |bencher| {
            bencher.iter(|| runtime.block_on(connection.ask()).len());
        });
    }
    criterion.final_summary();

    println!("\nserver CPU a request, median of {rounds} interleaved rounds of {requests} requests");
    for (kind, server) in loads {
        let mut to_real = runtime.block_on(Connection::open_many(server, kind, CONNECTIONS));
        let first = to_real.first_mut().expect("a connection");
        let floor = Server::floor(server, runtime.block_on(first.ask()));
        let mut to_floor = runtime.block_on(Connection::open_many(&floor, kind, CONNECTIONS));
        let (mut of_real, mut of_floor, mut shares) = (Vec::new(), Vec::new(), Vec::new());
        let before = [server, &floor].map(Server::switches);
        for _ in 0..rounds {
            let real = runtime.block_on(load::round(server, &mut to_real, requests));
            let floor = runtime.block_on(load::round(&floor, &mut to_floor, requests));
            shares.push(100.0 * floor / real);
            of_real.push(real);
            of_floor.push(floor);
        }
        println!(
            "{:<12} sealstoned {:6.1} us, floor {:6.1} us: {:5.1} % of the floor's requests per CPU-second",
            kind.name(),
            median(of_real),
            median(of_floor),
            median(shares),
        );
        let asked = u32::try_from(rounds * requests).expect("a number");
        let switches = [server, &floor].map(Server::switches);
        println!(
            "{:<12} context switches a request: sealstoned {:.2}, floor {:.2}",
            "",
            f64::from(switches[0] - before[0]) / f64::from(asked),
            f64::from(switches[1] - before[1]) / f64::from(asked),
        );
    }
    let mut browsers = runtime.block_on(Connection::open_many(&real, Load::LoginPage, CONNECTIONS));
    let pages = (0..rounds).map(|_| runtime.block_on(load::round(&real, &mut browsers, requests)));
    println!(
        "{:<12} sealstoned {:6.1} us",
        Load::LoginPage.name(),
        median(pages.collect())
    );
    drop(browsers);
    let many = runtime.block_on(Connection::open_many(&real, Load::Certificate, MANY_CONNECTIONS));
    println!(
        "resident     idle {:.1} MiB, with {} mutual-TLS connections {:.1} MiB",
        mib(idle),
        many.len(),
        mib(real.resident_kib()),
    );
}

/// Fifteen, or `SEALSTONE_BENCH_ROUNDS`.
fn rounds() -> usize {
    let told = std::env::var("SEALSTONE_BENCH_ROUNDS");
    told.map_or(15, |told| told.parse().expect("a number of rounds"))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn mib(kib: u64) -> f64 {
    f64::from(u32::try_from(kib).expect("less than 4 TiB")) / 1024.0
}
