//! The token endpoint of the whole server, with a secret, with a certificate, and for a client that is tied to Keystone,
//! beside its floor in the same run: the same TLS and HTTP stack that answers one ES256 signature, in as many octets and
//! with the same header fields, and does nothing else. Beside both runs a server whose audit trail goes nowhere, so that
//! what keeping it costs shows apart. Counted is the CPU time of the server's process alone; the load comes from this one.
//! Resident memory is printed too, and what a login page takes.

#[path = "token_endpoint/floor.rs"]
mod floor;
#[path = "token_endpoint/load.rs"]
mod load;
#[path = "token_endpoint/process.rs"]
mod process;
#[path = "token_endpoint/processors.rs"]
mod processors;
#[path = "server.rs"]
mod server;
#[path = "token_endpoint/tied.rs"]
mod tied;

use criterion::Criterion;
use load::{Connection, Load};
use process::{Server, Trail};
use processors::{Placing, Processors};
use std::path::Path;
use tokio::runtime::Runtime;

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
    let (rounds, requests) = if is_test { (1, 50) } else { (rounds(), 4_000) };
    let processors = Processors::known();
    for &placing in processors.placings() {
        let servers = Servers::start(&runtime, &processors, placing);
        if let Placing::Together = placing {
            servers.time(&runtime);
        }
        println!(
            "\n{}: server CPU a request, median of {rounds} interleaved rounds of {requests} requests",
            placing.name()
        );
        servers.compare(&runtime, &processors, placing, (rounds, requests));
        if let Placing::Together = placing {
            servers.pages_and_memory(&runtime, (rounds, requests));
        }
    }
    processors.give_back();
}

/// The server with its trail kept and with none, and the same with a client that is tied to Keystone.
struct Servers {
    plain: [Server; 2],
    tied: [Server; 2],
    idle_kib: u64,
    served_kib: u64,
    _keystones: [tied::Keystone; 2],
}

impl Servers {
    fn start(runtime: &Runtime, processors: &Processors, placing: Placing) -> Self {
        let keystones = [tied::Keystone::start(), tied::Keystone::start()];
        let (plain, idle_kib, tied) = processors.start(placing, || {
            let plain = [Trail::Kept, Trail::Dropped].map(Server::sealstoned);
            let idle_kib = plain[0].resident_kib();
            let tied = [(0, Trail::Kept), (1, Trail::Dropped)]
                .map(|(at, trail)| runtime.block_on(tied::server(&plain[at], &keystones[at], trail)));
            (plain, idle_kib, tied)
        });
        let served_kib = tied[0].resident_kib();
        for (server, keystone) in tied.iter().zip(&keystones) {
            drop(runtime.block_on(Connection::open_many(server, Load::Tied, CONNECTIONS)));
            assert_eq!(
                keystone.logins(),
                1,
                "a cold identity is one call, and a warm one none"
            );
        }
        Self {
            plain,
            tied,
            idle_kib,
            served_kib,
            _keystones: keystones,
        }
    }

    /// With its trail kept, and with none.
    fn loads(&self) -> [(Load, &[Server; 2]); 3] {
        [
            (Load::Secret, &self.plain),
            (Load::Certificate, &self.plain),
            (Load::Tied, &self.tied),
        ]
    }

    /// The wall time of one request.
    fn time(&self, runtime: &Runtime) {
        let mut criterion = Criterion::default().configure_from_args();
        for (kind, [server, _dropping]) in self.loads() {
            let mut connections = runtime.block_on(Connection::open_many(server, kind, 1));
            let connection = connections.first_mut().expect("a connection");
            criterion.bench_function(&format!("token_endpoint/{}", kind.name()), |bencher| {
                bencher.iter(|| runtime.block_on(connection.ask()).len());
            });
        }
        criterion.final_summary();
    }

    /// Each beside its floor.
    fn compare(
        &self,
        runtime: &Runtime,
        processors: &Processors,
        placing: Placing,
        (rounds, requests): (usize, usize),
    ) {
        for (kind, [kept, dropping]) in self.loads() {
            let open = |server| runtime.block_on(Connection::open_many(server, kind, CONNECTIONS));
            let mut to_kept = open(kept);
            let first = to_kept.first_mut().expect("a connection");
            let answer = runtime.block_on(first.ask());
            let floor = processors.start(placing, || Server::floor(kept, answer));
            let mut all = [
                (kept, to_kept),
                (dropping, open(dropping)),
                (&floor, open(&floor)),
            ];
            let before = [kept, &floor].map(Server::switches);
            let mut taken: Vec<[f64; 3]> = Vec::new();
            for _ in 0..rounds {
                let mut each = |(server, connections): &mut (&Server, Vec<Connection>)| {
                    runtime.block_on(load::round(server, connections, requests))
                };
                taken.push(all.each_mut().map(&mut each));
            }
            let asked = u32::try_from(rounds * requests).expect("a number");
            let switches = [kept, &floor].map(Server::switches);
            let switches = [0, 1].map(|at| f64::from(switches[at] - before[at]) / f64::from(asked));
            told(kind, &taken, switches);
        }
    }

    fn pages_and_memory(&self, runtime: &Runtime, (rounds, requests): (usize, usize)) {
        let [real, _dropping] = &self.plain;
        let mut browsers = runtime.block_on(Connection::open_many(real, Load::LoginPage, CONNECTIONS));
        let pages = (0..rounds).map(|_| runtime.block_on(load::round(real, &mut browsers, requests)));
        println!(
            "{:<12} sealstoned {:6.1} us",
            Load::LoginPage.name(),
            median(pages.collect())
        );
        drop(browsers);
        let many = runtime.block_on(Connection::open_many(real, Load::Certificate, MANY_CONNECTIONS));
        println!(
            "resident     idle {:.1} MiB (`serve`), {:.1} MiB (the demo), with {} mutual-TLS connections {:.1} MiB",
            mib(self.served_kib),
            mib(self.idle_kib),
            many.len(),
            mib(real.resident_kib()),
        );
    }
}

/// Of each round: the server, the same with no trail kept, the floor.
fn told(kind: Load, taken: &[[f64; 3]], switches: [f64; 2]) {
    let of = |pick: fn(&[f64; 3]) -> f64| median(taken.iter().map(pick).collect());
    println!(
        "{:<12} sealstoned {:5.1} us, with no trail kept {:5.1} us, floor {:5.1} us",
        kind.name(),
        of(|[kept, _, _]| *kept),
        of(|[_, dropping, _]| *dropping),
        of(|[_, _, floor]| *floor),
    );
    println!(
        "{:<12} of the floor's requests per CPU-second: {:5.1} %, with no trail kept {:5.1} %; \
         keeping the trail takes {:.1} %",
        "",
        of(|[kept, _, floor]| 100.0 * floor / kept),
        of(|[_, dropping, floor]| 100.0 * floor / dropping),
        of(|[kept, dropping, _]| 100.0 * (kept - dropping) / kept),
    );
    println!(
        "{:<12} context switches a request: sealstoned {:.2}, floor {:.2}",
        "", switches[0], switches[1],
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
